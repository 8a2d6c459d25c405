//! Signatures and addenda in the API.

pub mod retraction;

use crate::api::history::history;
use crate::error::{Code, Faults};
use crate::ids;
use crate::ledger::RecordVersion;
use crate::operation::{AtOnce, Inputs, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Direction, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::record::{Signature, hex};
use crate::scalars::DateTime;
use crate::signing::{
    Addendum, AddendumOrder, Condition, Countersignature, CountersignatureFilter, CountersignatureOrder, Given, loader,
    statement,
};
use crate::vocabulary::{RecordKind, SignatureMeaning};
use async_graphql::{Context, ID, InputObject, Object, Result};
use uuid::Uuid;

impl Listed for Addendum {
    const NAME: &'static str = "Addendum";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A signature. A signed record takes no changes, only addenda.
#[Object]
impl Signature {
    /// The staff member who signed.
    async fn signed_by(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        people::staff_of_record(ctx, self.signed_by).await
    }
    /// The signer's name at the time of signing.
    async fn signer_name(&self, ctx: &Context<'_>) -> Result<String> {
        loader::signer_name(ctx, self).await
    }
    /// When the record was signed.
    async fn signed_at(&self) -> DateTime {
        DateTime(self.signed_at)
    }
    /// The signature as a sentence: who signed, when (UTC) and with what meaning, as 21 CFR 11.50 requires.
    async fn statement(&self, ctx: &Context<'_>) -> Result<String> {
        let whose = match self.of.filter(|_| self.meaning == SignatureMeaning::TakenOver) {
            Some(whose) => Some(loader::name_at(ctx, whose, self.signed_at).await?),
            None => None,
        };
        Ok(statement(&loader::signer_name(ctx, self).await?, self, whose.as_deref()))
    }
    /// The meaning of the signature.
    async fn meaning(&self) -> SignatureMeaning {
        self.meaning
    }
    /// Why somebody else's work was taken over; null for every other signature.
    async fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
    /// SHA-256 of the record's content when it was signed, in hexadecimal.
    async fn content_hash(&self) -> String {
        hex::text(&self.content_hash)
    }
}

/// An addendum to a signed record. It is always shown with the record it amends.
#[Object]
impl Addendum {
    /// Typed id, `addendum_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Addendum, self.id)
    }
    /// The patient whose record it is about.
    async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// The id of the signed record; `node(id:)` returns it.
    async fn record_id(&self) -> ID {
        global_id(self.record_kind, self.record_id)
    }
    /// The kind of the signed record.
    async fn record_kind(&self) -> RecordKind {
        self.record_kind
    }
    /// Who added it.
    async fn author(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        people::staff_of_record(ctx, self.author_id).await
    }
    /// When the addendum was added.
    async fn added_at(&self) -> DateTime {
        DateTime(self.added_at)
    }
    /// Why the addendum is needed.
    async fn reason(&self) -> &str {
        &self.reason
    }
    /// The text of the addendum.
    async fn text(&self) -> &str {
        &self.text
    }
    /// Its only version: an addendum is never changed.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<RecordVersion>> {
        history(ctx, RecordKind::Addendum, self.id, first, after).await
    }
}

impl Listed for Countersignature {
    const NAME: &'static str = "Countersignature";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A further signature on a signed record, over the same content. It is shown with the record, in `signatures`.
#[Object]
impl Countersignature {
    /// Typed id, `countersignature_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Countersignature, self.id)
    }
    /// The patient whose record it is on.
    async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// The id of the signed record; `node(id:)` returns it.
    async fn record_id(&self) -> ID {
        global_id(self.record_kind, self.record_id)
    }
    /// The kind of the signed record.
    async fn record_kind(&self) -> RecordKind {
        self.record_kind
    }
    /// The signature itself.
    async fn signature(&self) -> Signature {
        self.clone().into()
    }
    /// Its only version: a signature is never changed.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<RecordVersion>> {
        history(ctx, RecordKind::Countersignature, self.id, first, after).await
    }
}

plain!(Countersignature: id, record_id, record_kind);

plain!(Addendum: id, record_id, record_kind, added_at, reason, text);

/// Filter for a list of addenda.
#[derive(Debug, Clone, Default, InputObject)]
pub struct AddendumFilter {
    /// About this patient's records.
    patient_id: Option<ID>,
    /// To this consultation, session or note.
    record_id: Option<ID>,
    /// By this author.
    author_id: Option<ID>,
    /// Added, or moved to another patient by a merge, at or after this moment.
    updated_since: Option<DateTime>,
}

impl AddendumFilter {
    fn read(&self) -> crate::error::Result<Condition> {
        let mut faults = Faults::default();
        let mut read = |path: &str, kind: RecordKind, id: &Option<ID>| {
            let parsed = id.as_ref().map(|id| ids::parse(kind, id));
            parsed.and_then(|parsed| parsed.map_err(|flaw| faults.add(format!("filter.{path}"), flaw)).ok())
        };
        let patient = read("patientId", RecordKind::Patient, &self.patient_id);
        let author = read("authorId", RecordKind::Staff, &self.author_id);
        let signed = |id: &ID| ids::parse_any(id).filter(|(kind, _)| crate::signing::SIGNED_KINDS.contains(kind));
        let record = self.record_id.as_ref().map(|id| signed(id).map(|(_, record)| record));
        if record == Some(None) {
            faults.add(
                "filter.recordId",
                Code::WrongKind.says("must be the id of a consultation, a treatment session or an aftercare note"),
            );
        }
        faults.into_result()?;
        let updated_since = self.updated_since.map(|moment| moment.0);
        Ok(Condition { patient, author, record: record.flatten(), updated_since })
    }
}

/// The queries of this module.
#[derive(Default)]
pub struct SigningQuery;

#[Object]
impl SigningQuery {
    /// An addendum; null with NOT_FOUND if there is none with this id.
    async fn addendum(
        &self, ctx: &Context<'_>, #[graphql(desc = "`addendum_…`")] id: ID
    ) -> Option<Result<Addendum>> {
        listing::root_one(ctx, &id).await
    }

    /// Addenda to all signed records, newest first unless asked otherwise. Null with FORBIDDEN for roles that see no
    /// clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn addenda(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<AddendumFilter>>,
        #[graphql(desc = "The sort direction, by the time the addenda were added.", default_with = "Direction::Desc")]
        direction: Direction,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<Addendum>>> {
        let window = PageArguments { first, after, last, before };
        listing::root(ctx, filter.unwrap_or_default().read(), Some(AddendumOrder::OfAll(direction)), window).await
    }

    /// A further signature on a signed record; null with NOT_FOUND if there is none with this id.
    async fn countersignature(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`countersignature_…`")] id: ID,
    ) -> Option<Result<Countersignature>> {
        listing::root_one(ctx, &id).await
    }

    /// Further signatures on signed records, newest first unless asked otherwise. Null with FORBIDDEN for roles that see
    /// no clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn countersignatures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<CountersignatureFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<CountersignatureOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<Countersignature>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}

/// Signs a record as who did the work, or takes it over.
#[derive(InputObject)]
pub struct SignRecordInput {
    /// The record's typed id.
    id: ID,
    /// The version of the record that you read, so that you sign what you saw.
    expected_version: i32,
    /// The meaning of the signature: AUTHOR for who did the work, TAKEN_OVER for another practitioner who answers for it.
    /// REVIEWER and SUPERVISOR come after that, with `countersignRecord`.
    #[graphql(default_with = "SignatureMeaning::Author")]
    meaning: SignatureMeaning,
    /// Why you take over a colleague's work, at most 500 characters: required while they work here.
    reason: Option<String>,
}

impl SignRecordInput {
    /// The record's id, the version, and what the signer says.
    pub fn read(&self, kind: RecordKind) -> crate::error::Result<(Uuid, i32, Given)> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", kind, &self.id);
        let reason = inputs.opt_text("reason", self.reason.as_deref(), 500);
        inputs.finish()?;
        Ok((id, self.expected_version, Given { meaning: self.meaning, reason }))
    }
}

/// Adds an addendum to a signed record.
#[derive(InputObject)]
pub struct AddAddendumInput {
    /// An id made by the client, which makes a retry safe: `addendum_` and a UUIDv7 in 26 characters (see `Node.id`).
    /// Absent: the service makes one.
    pub id: Option<ID>,
    /// The signed consultation, session or note.
    record_id: ID,
    /// Why the addendum is needed.
    reason: String,
    /// The text of the addendum.
    text: String,
}

/// The addendum as read from the input: its id, the record it amends, the reason and the text.
pub struct NewAddendum {
    /// Its id.
    pub id: Uuid,
    /// The kind of the record that it amends.
    pub record_kind: RecordKind,
    /// That record.
    pub record_id: Uuid,
    /// Why the addendum is needed.
    pub reason: String,
    /// The text of the addendum.
    pub text: String,
}

impl AddAddendumInput {
    /// Checks the input.
    pub fn read(&self) -> crate::error::Result<NewAddendum> {
        let mut inputs = Inputs::new();
        let id = inputs.new_id(RecordKind::Addendum, self.id.as_ref());
        let amended = ids::parse_any(&self.record_id).filter(|(kind, _)| crate::signing::SIGNED_KINDS.contains(kind));
        if amended.is_none() {
            inputs.fault(
                "recordId",
                Code::WrongKind.says("must be the id of a consultation, a treatment session or an aftercare note"),
            );
        }
        let reason = inputs.text("reason", &self.reason, 500);
        let text = inputs.text("text", &self.text, 20_000);
        inputs.finish()?;
        let (record_kind, record_id) = amended.unwrap_or((RecordKind::Consultation, Uuid::nil()));
        Ok(NewAddendum { id, record_kind, record_id, reason, text })
    }
}
