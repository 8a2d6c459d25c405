//! A clinic's own words for the code list, in the API.

pub mod mutation;

use super::stamp::RecordStamp;
use crate::health_term::{HealthTerm, HealthTermFilter, HealthTermOrder};
use crate::operation::plain;
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, Object, Result};

impl Listed for HealthTerm {
    const NAME: &'static str = "HealthTerm";
    fn whose(&self) -> Option<uuid::Uuid> {
        None
    }
}

/// A name or a code that the clinic adds to the code list: it is looked for in health entries, as the list's own are.
#[Object]
impl HealthTerm {
    /// Typed id, `term_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::HealthTerm, self.id)
    }
    /// The code that it stands for: one of the list, such as `isotretinoin`, or one of the clinic's own.
    async fn code(&self) -> &str {
        &self.code
    }
    /// The name or the code that is looked for. A `*` at the end of a word stands for the rest of it.
    async fn term(&self) -> &str {
        &self.term
    }
    /// The language of the name, a BCP 47 tag such as `pt-BR`.
    async fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }
    /// Whether it is looked for.
    async fn active(&self) -> bool {
        self.active
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(HealthTerm: id, code, term, language, active);

/// The queries of this module.
#[derive(Default)]
pub struct HealthTermQuery;

#[Object]
impl HealthTermQuery {
    /// A health term; null with NOT_FOUND if there is none with this id.
    async fn health_term(
        &self, ctx: &Context<'_>, #[graphql(desc = "`term_…`")] id: ID
    ) -> Option<Result<HealthTerm>> {
        listing::root_one(ctx, &id).await
    }

    /// The clinic's own health terms, by term unless asked otherwise. Null with FORBIDDEN for roles that see no clinical
    /// record.
    #[allow(clippy::too_many_arguments)]
    async fn health_terms(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<HealthTermFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<HealthTermOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<HealthTerm>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
