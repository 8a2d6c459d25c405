//! The SQL of addenda.

use super::Addendum;
use super::filter::{AddendumOrder, Condition};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::Result;
use crate::organisation::Staff;
use crate::page::{listing, stored};
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

stored! {
    Addendum = addendum fixed;
    always: patient_id, record_kind, record_id, author_id, added_at, reason, text;
}
listing!(Addendum, Condition, AddendumOrder, { "record_id" => |it| Some(it.record_id) });

/// What signers were called, and since when: each version of each of them, the oldest first. A signature is its signer's
/// name, the time and the meaning (21 CFR 11.50): whoever may read a signed record reads all three.
pub async fn names_of(scope: &mut Scope, staff: &[Uuid]) -> Result<Vec<(Uuid, DateTime<Utc>, String)>> {
    let door = scope.ledger()?;
    let rows: Vec<(Uuid, DateTime<Utc>, String)> =
        Sql::<(st::Uuid, st::Timestamptz, st::Text)>::new("SELECT record_id, at, content FROM ledger WHERE org_id = ")
            .bind(door.org)
            .text(" AND content IS NOT NULL AND record_id = ANY (")
            .bind(staff.to_vec())
            .text(") ORDER BY seq")
            .load(door.connection)
            .await?;
    let each = rows.into_iter().map(|(id, at, content)| {
        let member: Staff = serde_json::from_str(&content)?;
        Ok((id, at, member.display_name))
    });
    each.collect()
}
