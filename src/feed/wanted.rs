//! What somebody wants of the feed.

use super::{CARRIERS, Entry, RecordChange};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::Result;
use crate::ledger::{Kept, KeptSql, content_of};
use crate::vocabulary::{Action, RecordKind};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use std::collections::HashSet;
use uuid::Uuid;

/// The kinds of records that are made at a location, and name it in what the ledger holds of them.
pub const LOCATED: [RecordKind; 2] = [RecordKind::Consultation, RecordKind::TreatmentSession];

/// What somebody wants of the feed: each part that is there narrows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Records of these kinds.
    pub kinds: Vec<RecordKind>,
    /// Records that are this patient's, or were until the change.
    pub patient: Option<Uuid>,
    /// These records.
    pub records: Option<Vec<(RecordKind, Uuid)>>,
    /// Records that are at this location, or were before the change; and those of which the ledger does not say where they
    /// are (moved, retracted, erased).
    pub location: Option<Uuid>,
}

impl Wanted {
    /// All records of these kinds.
    pub fn of(kinds: Vec<RecordKind>) -> Self {
        Self { kinds, ..Self::default() }
    }

    /// Leaves out of the entries `l` some that tell nothing of what is wanted, so that their contents are not read: what tells
    /// of other records than its own, or of two patients, stays in.
    pub(super) fn push_narrower<R>(&self, sql: &mut Sql<R>) {
        if let Some(patient) = self.patient {
            sql.push(" AND (l.action = 'merge' OR l.patient_id = ").push_bind(patient).push(")");
        }
        if let Some(records) = &self.records {
            sql.push(" AND (l.record_kind = ANY (")
                .push_bind(CARRIERS.iter().map(|(carrier, _)| carrier.as_str().to_owned()).collect::<Vec<_>>())
                .push(") OR l.record_id = ANY (")
                .push_bind(records.iter().map(|(_, record)| *record).collect::<Vec<_>>())
                .push("))");
        }
    }

    /// Whether a change is wanted, wherever its record is.
    pub(super) fn takes(&self, change: &RecordChange) -> bool {
        let patients = [change.patient, change.moved_from];
        let record = (change.kind, change.record);
        self.kinds.contains(&change.kind)
            && self.patient.is_none_or(|patient| patients.contains(&Some(patient)))
            && self.records.as_ref().is_none_or(|records| records.contains(&record))
    }

    /// Which of these entries are of records at other locations than the one that is wanted, before them too.
    pub(super) async fn elsewhere(&self, scope: &mut Scope, entries: &[Entry]) -> Result<HashSet<i64>> {
        let Some(location) = self.location else { return Ok(HashSet::new()) };
        let mut away = Vec::new();
        for entry in entries.iter().filter(|entry| LOCATED.contains(&entry.kind)) {
            if entry.told()?.location_id.is_some_and(|now| now != location) {
                away.push(entry);
            }
        }
        let moved = away.iter().filter(|entry| entry.action != Action::Create);
        let was_here = was_at(scope, location, moved.map(|entry| (entry.record, entry.seq)).unzip()).await?;
        Ok(away.iter().map(|entry| entry.seq).filter(|seq| !was_here.contains(seq)).collect())
    }
}

/// Those of these entries whose record was at this location before, or nobody knows where.
async fn was_at(scope: &mut Scope, location: Uuid, (records, entries): (Vec<Uuid>, Vec<i64>)) -> Result<HashSet<i64>> {
    if entries.is_empty() {
        return Ok(HashSet::new());
    }
    let door = scope.ledger()?;
    let rows: Vec<(i64, Kept)> = Sql::<(st::BigInt, KeptSql)>::new("SELECT w.seq, b.content, b.packed FROM unnest(")
        .bind(records)
        .text("::uuid[], ")
        .bind(entries)
        .text(
            "::bigint[]) AS w (record, seq) LEFT JOIN LATERAL (SELECT l.content, l.packed FROM ledger l WHERE \
             l.record_id = w.record AND l.seq < w.seq AND l.org_id = ",
        )
        .bind(door.org)
        .text(" ORDER BY l.seq DESC LIMIT 1) AS b ON true")
        .load(door.connection)
        .await?;
    let mut here = HashSet::new();
    for (seq, kept) in rows {
        let before: Option<super::Told> = content_of(kept)?.as_deref().map(serde_json::from_str).transpose()?;
        if before.and_then(|before| before.location_id).is_none_or(|before| before == location) {
            here.insert(seq);
        }
    }
    Ok(here)
}
