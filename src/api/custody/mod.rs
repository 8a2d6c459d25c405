//! Legal holds, exports and erasures in the API.

pub mod mutation;

use super::stamp::RecordStamp;
use crate::custody::{
    EXPORT_FORMAT, ErasureFilter, ErasureOrder, Export, HoldFilter, LegalHold, PatientErasure, StoredObject,
};
use crate::operation::{AtOnce, Running, plain};
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

/// A legal hold. While it is in force, the patient's record can't be erased.
#[Object]
impl LegalHold {
    /// Typed id, `hold_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::LegalHold, self.id)
    }
    /// The patient whose record is on hold.
    async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// Why it was placed.
    async fn reason(&self) -> &str {
        &self.reason
    }
    /// When it was placed.
    async fn placed_at(&self) -> DateTime {
        DateTime(self.placed_at)
    }
    /// Who placed it.
    async fn placed_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.placed_by).await
    }
    /// When it was lifted; null while it is in force.
    async fn lifted_at(&self) -> Option<DateTime> {
        self.lifted_at.map(DateTime)
    }
    /// Who lifted it.
    async fn lifted_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.lifted_by).await
    }
    /// Why it was lifted.
    async fn lift_reason(&self) -> Option<&str> {
        self.lift_reason.as_deref()
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(LegalHold: id, reason, placed_at, lifted_at, lift_reason);

/// The number of rows of a table that were erased.
#[derive(SimpleObject)]
pub struct ErasedRows {
    /// The table. For `ledger`, the count is of entries whose content was erased.
    table: String,
    /// The number of rows, or of emptied ledger entries.
    count: i64,
}

/// A file that the object store deletes after an erasure.
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
    /// The media type of the bytes, such as `image/jpeg`.
    async fn media_type(&self) -> Option<&str> {
        self.media_type.as_deref()
    }
}

/// What remains of an erased patient: that the erasure was done, by whom and on whose authority. Nothing in it
/// identifies the patient.
#[Object]
impl PatientErasure {
    /// Typed id, `erasure_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::PatientErasure, self.id)
    }
    /// The typed id that the patient had. It no longer finds anything.
    async fn patient_id(&self) -> ID {
        global_id(RecordKind::Patient, self.patient_id)
    }
    /// When the record was erased.
    async fn erased_at(&self) -> DateTime {
        DateTime(self.erased_at)
    }
    /// Who erased the record.
    async fn erased_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.erased_by).await
    }
    /// Why the record was erased.
    async fn reason(&self) -> &str {
        &self.reason
    }
    /// Who or what required the erasure.
    async fn authority(&self) -> &str {
        &self.authority
    }
    /// The number of rows erased, by table; tables without any are left out.
    async fn counts(&self) -> Vec<ErasedRows> {
        let some = self.counts.iter().filter(|(_, count)| **count > 0);
        some.map(|(table, count)| ErasedRows { table: table.clone(), count: *count }).collect()
    }
    /// The files that the object store deletes.
    async fn objects_to_delete(&self, ctx: &Context<'_>) -> Result<&[StoredObject]> {
        ctx.operation()?.lead_to(self.objects.len())?;
        Ok(&self.objects)
    }
    /// When the object store had deleted them; null while that is still to be done, or where there was nothing to
    /// delete.
    async fn objects_deleted_at(&self) -> Option<DateTime> {
        self.objects_deleted_at.map(DateTime)
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(PatientErasure: id, patient_id, erased_at, reason, authority, objects_deleted_at);

/// Everything about one person as one JSON document: records and their history, the access log, photos and drawn
/// signatures.
#[Object(name = "PatientExport")]
impl Export {
    /// The format of the document: `clinic.patient/1`.
    async fn format(&self) -> &'static str {
        EXPORT_FORMAT
    }
    /// When it was assembled.
    async fn generated_at(&self) -> DateTime {
        DateTime(self.generated_at)
    }
    /// The number of the newest ledger entry it contains.
    async fn ledger_sequence(&self) -> i64 {
        self.ledger_sequence
    }
    /// SHA-256, hexadecimal, of the content as JSON without white space and with sorted keys.
    async fn sha256(&self) -> String {
        hex::text(&self.sha256)
    }
    /// The document. `records` has every record by kind, `history` every version, `accessHistory` every access,
    /// `photos` what the object store keeps, `drawnSignatures` the images, `consentTexts` what was agreed to in words,
    /// and `staff` the names that belong to the ids.
    async fn content(&self) -> Json {
        Json(self.content.clone())
    }
}

/// The queries of this module.
#[derive(Default)]
pub struct CustodyQuery;

#[Object]
impl CustodyQuery {
    /// The legal holds on all patients' records, newest first. Null with FORBIDDEN for roles that see no clinical record.
    async fn legal_holds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<HoldFilter>>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<LegalHold>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, None, PageArguments { first, after, last, before }).await
    }

    /// The erasures, newest first unless asked otherwise. Who keeps a copy of patients deletes the patient that each
    /// names, everyone merged into them, and all their records. Null with FORBIDDEN for all but admins, auditors and
    /// programs that may read patients.
    #[allow(clippy::too_many_arguments)]
    async fn patient_erasures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<ErasureFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<ErasureOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<PatientErasure>>> {
        let window = PageArguments { first, after, last, before };
        listing::root(ctx, filter.unwrap_or_default().read(), order_by, window).await
    }
}
