//! The SQL of health terms.

use super::{HealthTerm, HealthTermCondition, HealthTermFilter, HealthTermOrder};
use crate::access::Scope;
use crate::error::Result;
use crate::page::{listing, stored};
use crate::record::Stamp;

stored! {
    HealthTerm = health_term;
    always: code, term, active;
    asked: language;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(HealthTerm, HealthTermCondition, HealthTermOrder, {});

/// The terms that are looked for, in one statement.
pub async fn in_use(scope: &mut Scope) -> Result<Vec<HealthTerm>> {
    let filter = HealthTermFilter { active: Some(true), ..HealthTermFilter::default() };
    listing::all(scope, &filter.read()?, Default::default()).await
}
