//! The SQL of addenda.

use super::Addendum;
use super::filter::{AddendumOrder, Condition};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::Result;
use crate::ledger::{Kept, KeptSql, content_of};
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
    let rows: Vec<((Uuid, DateTime<Utc>), Kept)> = Sql::<((st::Uuid, st::Timestamptz), KeptSql)>::new(
        "SELECT record_id, at, content, packed FROM ledger WHERE org_id = ",
    )
    .bind(door.org)
    .text(" AND record_id = ANY (")
    .bind(staff.to_vec())
    .text(") ORDER BY seq")
    .load(door.connection)
    .await?;
    let mut names = Vec::with_capacity(rows.len());
    for ((id, at), kept) in rows {
        if let Some(content) = content_of(kept)? {
            let member: Staff = serde_json::from_str(&content)?;
            names.push((id, at, member.display_name));
        }
    }
    Ok(names)
}
