//! Merges and possible duplicates in the API.

pub mod mutation;

use super::duplicates::{PossibleDuplicate, duplicates_of};
use super::stamp::RecordStamp;
use crate::error::{Code, Error};
use crate::ids;
use crate::ledger::shown_content;
use crate::merge::{IdentityField, MergeConflict, MergeFilter, MergeSide, PatientMerge};
use crate::operation::{AtOnce, Running, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients, store as patient_store};
use crate::scalars::{DateTime, Json};
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, Object, Result};
use std::collections::BTreeMap;
use uuid::Uuid;

impl Listed for PatientMerge {
    const NAME: &'static str = "PatientMerge";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// The records of one kind that moved from one patient to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedRecords {
    kind: RecordKind,
    /// In their order.
    ids: Vec<Uuid>,
}

/// The most ids that one answer of `MovedRecords.ids` has.
const MOST_MOVED: usize = 1_000;

/// The records of one kind that moved from one patient to another.
#[Object]
impl MovedRecords {
    /// The kind of the records. PATIENT is for patients who had been merged into the moved patient earlier.
    async fn kind(&self) -> RecordKind {
        self.kind
    }
    /// The number of records of this kind that moved.
    async fn count(&self) -> i64 {
        i64::try_from(self.ids.len()).unwrap_or(i64::MAX)
    }
    /// The typed ids of the records that moved, in ascending order. Null with BAD_USER_INPUT for a wrong argument.
    async fn ids(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many ids, 0 to 1,000.", default = 100)] first: i32,
        #[graphql(desc = "Only ids after this one: the last one of the part before.")] after: Option<ID>,
    ) -> Option<Result<Vec<ID>>> {
        let found = || {
            let wanted = usize::try_from(first).ok().filter(|first| *first <= MOST_MOVED);
            let wanted = wanted.ok_or_else(|| {
                let flaw = Code::of_range(first > 0).says(format!("must be from 0 to {MOST_MOVED}"));
                Error::input("first", flaw.with("min", "0").with("max", MOST_MOVED.to_string()))
            })?;
            let after = after.map(|id| ids::argument("after", self.kind, &id)).transpose()?;
            let rest = self.ids.iter().filter(|id| after.is_none_or(|after| **id > after));
            let ids: Vec<ID> = rest.take(wanted).map(|id| global_id(self.kind, *id)).collect();
            ctx.operation()?.lead_to(ids.len())?;
            Ok(ids)
        };
        Some(found())
    }
}

/// What moved, by kind.
pub(super) fn moved(by_table: &BTreeMap<String, Vec<Uuid>>) -> Vec<MovedRecords> {
    let some = by_table.iter().filter(|(_, ids)| !ids.is_empty());
    let of_kind = |(table, ids): (&String, &Vec<Uuid>)| {
        let mut ids = ids.clone();
        ids.sort_unstable();
        Some(MovedRecords { kind: RecordKind::parse(table)?, ids })
    };
    let mut moved: Vec<MovedRecords> = some.filter_map(of_kind).collect();
    moved.sort_by_key(|moved| moved.kind);
    moved
}

/// A field in which two charts of one person differ.
#[Object]
impl MergeConflict {
    /// The field of the identity in which the charts differ.
    async fn field(&self) -> IdentityField {
        self.field
    }
    /// The value in the chart that is merged away.
    async fn from(&self) -> Json {
        Json(shown_content(&self.from))
    }
    /// The value in the chart that stays.
    async fn into(&self) -> Json {
        Json(shown_content(&self.into))
    }
    /// Which value was taken; null while nobody has chosen.
    async fn taken(&self) -> Option<MergeSide> {
        self.taken
    }
}

/// A merge of two charts of one person. It can be taken back with `unmergePatients`.
#[Object]
impl PatientMerge {
    /// Typed id, `merge_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::PatientMerge, self.id)
    }
    /// The patient who was merged away.
    async fn from(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.from_id).await
    }
    /// The patient who stayed.
    async fn into(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.into_id).await
    }
    /// When the patients were merged.
    async fn merged_at(&self) -> DateTime {
        DateTime(self.merged_at)
    }
    /// Who merged the patients.
    async fn merged_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.merged_by).await
    }
    /// Why the patients were merged.
    async fn reason(&self) -> &str {
        &self.reason
    }
    /// What moved, by kind.
    async fn moved(&self) -> Vec<MovedRecords> {
        moved(&self.moved)
    }
    /// The fields in which the two charts differed, and which value was taken.
    async fn conflicts(&self) -> &[MergeConflict] {
        &self.conflicts
    }
    /// When the merge was taken back; null if it was not.
    async fn undone_at(&self) -> Option<DateTime> {
        self.undone_at.map(DateTime)
    }
    /// Who took the merge back.
    async fn undone_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.undone_by).await
    }
    /// Why the merge was taken back.
    async fn undo_reason(&self) -> Option<&str> {
        self.undo_reason.as_deref()
    }
    /// Fields of the patient who stayed that were changed after the merge and were therefore left unchanged when it was
    /// taken back.
    async fn kept(&self) -> &[IdentityField] {
        &self.kept
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(PatientMerge: id, merged_at, reason, undone_at, undo_reason);

/// The queries of this module.
#[derive(Default)]
pub struct MergeQuery;

#[Object]
impl MergeQuery {
    /// The merges of patients, newest first: standing ones and those that were taken back. Null with FORBIDDEN for roles
    /// that see no clinical record.
    async fn patient_merges(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<MergeFilter>>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<PatientMerge>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, None, PageArguments { first, after, last, before }).await
    }

    /// Other patients who may be the same person, the likeliest first. Compared are names (also swapped or slightly
    /// misspelt), date of birth (also with day and month swapped or one digit wrong), phones and e-mail. Null with
    /// NOT_FOUND if there is no such patient.
    async fn possible_duplicates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`patient_…`")] patient_id: ID,
        #[graphql(desc = "At most this many, the most likely first: 0 to 50, 10 by default.")] first: Option<i32>,
    ) -> Option<Result<Vec<PossibleDuplicate>>> {
        let found = async {
            let id = ids::argument("patientId", RecordKind::Patient, &patient_id)?;
            let patient = patient_store::patient(&mut *ctx.operation()?.reader().await?, id).await?;
            duplicates_of(ctx, &patient, first).await
        };
        Some(found.await)
    }
}
