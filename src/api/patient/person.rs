//! A patient's name, whom to call in an emergency, and the skin type.

use crate::operation::AtOnce;
use crate::organisation::{Staff, loader as people};
use crate::patient::{EmergencyContact, PersonName, SkinType};
use crate::scalars::Date;
use crate::vocabulary::FitzpatrickType;
use async_graphql::{Context, Object, Result};

/// A name as on the identity document.
#[Object]
impl PersonName {
    /// Given name.
    async fn given(&self) -> &str {
        &self.given
    }
    /// Middle names.
    async fn middle(&self) -> Option<&str> {
        self.middle.as_deref()
    }
    /// Family name; null for somebody with one name.
    async fn family(&self) -> Option<&str> {
        self.family.as_deref()
    }
}

/// Whom to call in an emergency.
#[Object]
impl EmergencyContact {
    /// The name of the person to call.
    async fn name(&self) -> &str {
        &self.name
    }
    /// The contact's relationship to the patient.
    async fn relationship(&self) -> Option<&str> {
        self.relationship.as_deref()
    }
    /// E.164 number.
    async fn phone(&self) -> &str {
        &self.phone
    }
}

/// The skin type, with who assessed it and when.
#[Object]
impl SkinType {
    /// Fitzpatrick phototype, I to VI.
    async fn fitzpatrick_type(&self) -> FitzpatrickType {
        self.fitzpatrick
    }
    /// When it was assessed.
    async fn assessed_on(&self) -> Option<Date> {
        self.assessed_on.map(Date)
    }
    /// Who assessed the skin type.
    async fn assessed_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.assessed_by).await
    }
}
