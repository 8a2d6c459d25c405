//! Legal holds, exports and erasures in the API.

pub mod mutation;

use super::stamp::RecordStamp;
use crate::custody::{EXPORT_FORMAT, ErasureCondition, ErasureOrder, Export, LegalHold, PatientErasure, StoredObject};
use crate::operation::Running;
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::record::hex;
use crate::scalars::{DateTime, Json};
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, Object, Result, SimpleObject};

impl Listed for LegalHold {
    const NAME: &'static str = "LegalHold";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}
impl Listed for PatientErasure {
    const NAME: &'static str = "PatientErasure";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A legal hold: while it is in force the patient's record can't be erased.
#[Object]
impl LegalHold {
    /// Typed id, `hold_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::LegalHold, self.id)
    }
    /// On whose record.
    async fn patient(&self, ctx: &Context<'_>) -> Result<Patient> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// Why.
    async fn reason(&self) -> &str {
        &self.reason
    }
    /// Since when.
    async fn placed_at(&self) -> DateTime {
        DateTime(self.placed_at)
    }
    /// By whom.
    async fn placed_by(&self, ctx: &Context<'_>) -> Option<Result<Staff>> {
        people::opt_staff(ctx, self.placed_by).await
    }
    /// Until when; null while it is in force.
    async fn lifted_at(&self) -> Option<DateTime> {
        self.lifted_at.map(DateTime)
    }
    /// By whom.
    async fn lifted_by(&self, ctx: &Context<'_>) -> Option<Result<Staff>> {
        people::opt_staff(ctx, self.lifted_by).await
    }
    /// Why.
    async fn lift_reason(&self) -> Option<&str> {
        self.lift_reason.as_deref()
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

/// How many rows of a table were erased.
#[derive(SimpleObject)]
pub struct ErasedRows {
    /// The table; `ledger` counts entries whose content went.
    table: String,
    /// How many.
    count: i64,
}

/// A file that the object store drops after an erasure.
#[Object]
impl StoredObject {
    /// The typed id that the photo had.
    async fn photo_id(&self) -> ID {
        global_id(RecordKind::Photo, self.photo_id)
    }
    /// SHA-256 of its bytes, hexadecimal; null if it was never uploaded.
    async fn content_hash(&self) -> Option<&str> {
        self.content_hash.as_deref()
    }
    /// Its media type.
    async fn media_type(&self) -> Option<&str> {
        self.media_type.as_deref()
    }
}

/// What is left of an erased patient: that it was done, by whom and on whose authority. Nothing tells who it was.
#[Object]
impl PatientErasure {
    /// Typed id, `erasure_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::PatientErasure, self.id)
    }
    /// The typed id that the patient had; it finds nothing any more.
    async fn patient_id(&self) -> ID {
        global_id(RecordKind::Patient, self.patient_id)
    }
    /// When.
    async fn erased_at(&self) -> DateTime {
        DateTime(self.erased_at)
    }
    /// By whom.
    async fn erased_by(&self, ctx: &Context<'_>) -> Option<Result<Staff>> {
        people::opt_staff(ctx, self.erased_by).await
    }
    /// Why.
    async fn reason(&self) -> &str {
        &self.reason
    }
    /// Who or what asked for it.
    async fn authority(&self) -> &str {
        &self.authority
    }
    /// How much went, by table, without those that had nothing.
    async fn counts(&self) -> Vec<ErasedRows> {
        let some = self.counts.iter().filter(|(_, count)| **count > 0);
        some.map(|(table, count)| ErasedRows { table: table.clone(), count: *count }).collect()
    }
    /// What the object store drops.
    async fn objects_to_delete(&self, ctx: &Context<'_>) -> Result<&[StoredObject]> {
        ctx.operation()?.lead_to(self.objects.len())?;
        Ok(&self.objects)
    }
    /// When it had; null while it is still to be done, or where there was nothing.
    async fn objects_deleted_at(&self) -> Option<DateTime> {
        self.objects_deleted_at.map(DateTime)
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

/// Everything of one person as one JSON document: records, their history, who looked, photos and drawn signatures.
#[Object(name = "PatientExport")]
impl Export {
    /// The form of the document: `clinic.patient/1`.
    async fn format(&self) -> &'static str {
        EXPORT_FORMAT
    }
    /// When it was put together.
    async fn generated_at(&self) -> DateTime {
        DateTime(self.generated_at)
    }
    /// The newest ledger entry that is in it.
    async fn ledger_sequence(&self) -> i64 {
        self.ledger_sequence
    }
    /// SHA-256, hexadecimal, of the content as JSON without spaces, its keys sorted.
    async fn sha256(&self) -> String {
        hex::text(&self.sha256)
    }
    /// The document. `records` has every record by kind, `history` every version, `accessHistory` every look, `photos`
    /// what the object store keeps, `drawnSignatures` the images, `staff` the names behind the ids.
    async fn content(&self) -> Json {
        Json(self.content.clone())
    }
}

/// The queries of this slice.
#[derive(Default)]
pub struct CustodyQuery;

#[Object]
impl CustodyQuery {
    /// The erasures, newest first. For admins and auditors.
    #[allow(clippy::too_many_arguments)]
    async fn patient_erasures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How to sort them.")] order_by: Option<ErasureOrder>,
        #[graphql(desc = "The first so many, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<PatientErasure>>> {
        let window = PageArguments { first, after, last, before };
        listing::root(ctx, Ok(ErasureCondition), order_by, window).await
    }
}
