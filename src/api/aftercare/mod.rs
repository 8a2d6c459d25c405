//! Aftercare notes in the API: the record, its queries and its links.

pub mod mutation;

use crate::adverse_event::{loader as events, proposal::ProposedAdverseEvent};
use crate::aftercare::{Adherence, AftercareNote, AftercareNoteKind, Filter, OrderBy};
use crate::api::history::history;
use crate::ledger::RecordVersion;
use crate::operation::{AtOnce, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::record::Signature;
use crate::scalars::DateTime;
use crate::session::{TreatmentSession, loader as sessions};
use crate::signing::{
    Addendum, Retraction,
    loader::{self as signed, addenda, signatures},
};
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, Object, Result};

impl Listed for AftercareNote {
    const NAME: &'static str = "AftercareNote";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// An aftercare note.
#[Object]
impl AftercareNote {
    /// Typed id, `note_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::AftercareNote, self.id)
    }
    /// The patient whom the record is about.
    pub async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// The session it followed.
    async fn session(&self, ctx: &Context<'_>) -> Result<TreatmentSession> {
        sessions::session_of_record(ctx, self.session_id).await
    }
    /// Who wrote it.
    async fn author(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        people::staff_of_record(ctx, self.author_id).await
    }
    /// The kind of note: instructions, a check-in, a report of the patient or a call.
    async fn kind(&self) -> AftercareNoteKind {
        self.kind
    }
    /// The moment the note is about.
    async fn noted_at(&self) -> DateTime {
        DateTime(self.noted_at)
    }
    /// The text of the note.
    async fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
    /// Redness, 0 (none) to 10.
    async fn redness(&self) -> Option<i16> {
        self.redness
    }
    /// Swelling, 0 (none) to 10.
    async fn swelling(&self) -> Option<i16> {
        self.swelling
    }
    /// Pain as rated by the patient, 0 (none) to 10.
    async fn pain(&self) -> Option<i16> {
        self.pain
    }
    /// How far the patient followed the instructions.
    async fn adherence(&self) -> Option<Adherence> {
        self.adherence
    }
    /// Whether a practitioner must look at it.
    async fn escalate(&self) -> bool {
        self.escalate
    }
    /// Adverse events proposed by its scores: a symptom scored 1 or more after the time in which it is usual (7 days
    /// from the session's end). A practitioner decides whether to report one.
    async fn proposed_adverse_events(&self, ctx: &Context<'_>) -> Result<Vec<ProposedAdverseEvent>> {
        Box::pin(events::proposed(ctx, self)).await
    }
    /// The version number: 1 at first, increased by 1 with each change. Send it back as `expectedVersion`.
    pub async fn version(&self) -> i32 {
        self.stamp.version
    }
    /// When it was added.
    pub async fn created_at(&self) -> DateTime {
        DateTime(self.stamp.created_at)
    }
    /// Who created the record.
    pub async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.stamp.created_by).await
    }
    /// When it was last changed.
    pub async fn updated_at(&self) -> DateTime {
        DateTime(self.stamp.updated_at)
    }
    /// Who last changed the record.
    async fn updated_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.stamp.updated_by).await
    }
    /// The first signature: by the person who did the work or who took it over; null while it is a draft.
    pub async fn signature(&self) -> Option<Signature> {
        self.signature.clone().map(|it| it.on_work_of(self.author_id))
    }
    /// Its retraction: the record can still be read, and no longer counts. Null unless it was retracted.
    async fn retraction(&self, ctx: &Context<'_>) -> Option<Result<Retraction>> {
        Box::pin(signed::retraction(ctx, self.id)).await.transpose()
    }
    /// The id of the retracted record, in another chart, that this one was copied from; `node(id:)` returns it.
    async fn copied_from(&self, ctx: &Context<'_>) -> Option<Result<ID>> {
        let found = Box::pin(signed::copied_from(ctx, self.id)).await;
        found.map(|it| it.map(|(kind, id)| global_id(kind, id))).transpose()
    }
    /// All its signatures, the first one first; none while it is a draft. All are over the same content.
    async fn signatures(&self, ctx: &Context<'_>) -> Result<Vec<Signature>> {
        signatures(ctx, self.id, self.signature.as_ref(), self.author_id).await
    }
    /// The addenda to the signed record, oldest first.
    pub async fn addenda(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Addendum>> {
        addenda(ctx, self.id, first, after).await
    }
    /// Every version of this record, newest first.
    pub async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<RecordVersion>> {
        history(ctx, RecordKind::AftercareNote, self.id, first, after).await
    }
}

plain!(AftercareNote: id, kind, noted_at, text, redness, swelling, pain, adherence, escalate, version, created_at, updated_at);

/// The queries of this module.
#[derive(Default)]
pub struct AftercareQuery;

#[Object]
impl AftercareQuery {
    /// An aftercare note; null with NOT_FOUND if there is none with this id.
    async fn aftercare_note(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`note_…`")] id: ID,
    ) -> Option<Result<AftercareNote>> {
        listing::root_one(ctx, &id).await
    }

    /// Aftercare notes, newest first unless asked otherwise. Null with FORBIDDEN for roles that see no clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn aftercare_notes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<Filter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<OrderBy>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<AftercareNote>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
