//! Sessions in the API: the record, its queries and its links.

pub mod input;
pub mod mutation;
pub mod named;
pub mod parts;
pub mod patch;
pub mod request;

use crate::adverse_event::{AdverseEvent, AdverseEventFilter, AdverseEventOrder};
use crate::aftercare::{self, AftercareNote};
use crate::api::history::history;
use crate::care::loader::{self as care, Aftercare};
use crate::catalogue::Device;
use crate::consent::{self, Consent, ConsentKind, ConsentSigner, ConsentUse};
use crate::ledger::RecordVersion;
use crate::operation::{AtOnce, Running, plain};
use crate::organisation::{Location, Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::photo::{Photo, PhotoFilter, PhotoOrder};
use crate::plan::TreatmentPlan;
use crate::protocol::ProtocolVersion;
use crate::record::Signature;
use crate::scalars::DateTime;
use crate::session::{
    DeviceUse, Filter, OrderBy, ProductUse, SessionArea, SessionCheck, SessionStatus, TopicalAnaesthetic,
    TreatmentSession, loader,
};
use crate::signing::{
    Addendum, Retraction,
    loader::{self as signed, addenda, signatures},
};
use crate::vocabulary::{Modality, RecordKind};

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use chrono::NaiveDate;

impl Listed for TreatmentSession {
    const NAME: &'static str = "TreatmentSession";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A consent required by a session, and whether it was in force when the session began.
#[derive(SimpleObject)]
pub struct RequiredConsent {
    /// The kind of consent required.
    kind: ConsentKind,
    /// What it is required for: the session itself, or photos taken during it.
    needed_for: ConsentUse,
    /// Whether one was in force when the session began.
    in_force: bool,
    /// The consent that was in force; if none was, the one closest to being so, if there is any.
    consent: Option<Consent>,
    /// Why none was in force, such as `expired on 2026-01-31 09:00 UTC`; null if one was.
    reason: Option<String>,
}

/// A treatment session.
#[Object]
impl TreatmentSession {
    /// Typed id, `session_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::TreatmentSession, self.id)
    }
    /// The patient whom the record is about.
    pub async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// The practitioner who treated.
    async fn practitioner(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        people::staff_of_record(ctx, self.practitioner_id).await
    }
    /// The staff member who supervised.
    async fn supervisor(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.supervisor_id).await
    }
    /// Where it took place.
    async fn location(&self, ctx: &Context<'_>) -> Result<AtOnce<Location>> {
        people::location_of_record(ctx, self.location_id).await
    }
    /// How far the treatment is.
    async fn status(&self) -> SessionStatus {
        self.status
    }
    /// Whether the record was marked as entered in error: it was never done, and lists leave it out unless
    /// `includeEnteredInError` is true.
    async fn entered_in_error(&self) -> bool {
        self.status == SessionStatus::EnteredInError
    }
    /// When it began.
    async fn started_at(&self) -> DateTime {
        DateTime(self.started_at)
    }
    /// When it ended.
    async fn ended_at(&self) -> Option<DateTime> {
        self.ended_at.map(DateTime)
    }
    /// The kind of treatment.
    async fn modality(&self) -> Modality {
        self.modality
    }
    /// The device that was used, as it was written down.
    async fn device(&self) -> Option<&DeviceUse> {
        self.device.as_ref()
    }
    /// The device in the catalogue, as it is now; null if it was typed in. `device` is what was used at the time.
    async fn catalogue_device(&self, ctx: &Context<'_>) -> Option<Result<Device>> {
        listing::linked(ctx, self.device_id).await
    }
    /// How the skin was prepared.
    async fn skin_preparation(&self) -> Option<&str> {
        self.skin_preparation.as_deref()
    }
    /// The product that the needles glided on.
    async fn glide(&self) -> Option<&str> {
        self.glide.as_deref()
    }
    /// The numbing cream.
    async fn anaesthetic(&self) -> Option<&TopicalAnaesthetic> {
        self.anaesthetic.as_deref()
    }
    /// The treated areas, in the order they were given.
    async fn areas(&self, ctx: &Context<'_>) -> Result<Vec<AtOnce<SessionArea>>> {
        let areas = match &self.kept_parts {
            Some(parts) => parts.areas.clone(),
            None => ctx.load(loader::AreasOf(self.id)).await?.unwrap_or_default(),
        };
        ctx.operation()?.lead_to(areas.len())?;
        Ok(areas.into_iter().map(AtOnce).collect())
    }
    /// The products that were used, in the order they were given.
    async fn products(&self, ctx: &Context<'_>) -> Result<Vec<AtOnce<ProductUse>>> {
        let products = match &self.kept_parts {
            Some(parts) => parts.products.clone(),
            None => ctx.load(loader::ProductsOf(self.id)).await?.unwrap_or_default(),
        };
        ctx.operation()?.lead_to(products.len())?;
        Ok(products.into_iter().map(AtOnce).collect())
    }
    /// Pain as rated by the patient, 0 (none) to 10.
    async fn pain_score(&self) -> Option<i16> {
        self.pain_score
    }
    /// The immediate reaction of the skin.
    async fn immediate_reaction(&self) -> Option<&str> {
        self.immediate_reaction.as_deref()
    }
    /// Remarks.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
    /// Why it was stopped.
    async fn stop_reason(&self) -> Option<&str> {
        self.stop_reason.as_deref()
    }
    /// The plan it belongs to.
    async fn plan(&self, ctx: &Context<'_>) -> Option<Result<TreatmentPlan>> {
        listing::linked(ctx, self.plan_id).await
    }
    /// The version of the protocol that it was checked against. Later versions do not change it.
    async fn protocol_version(&self, ctx: &Context<'_>) -> Option<Result<ProtocolVersion>> {
        listing::linked(ctx, self.protocol_version_id).await
    }
    /// The answers of the care rules when it was last changed, with any overrides and their reasons.
    async fn checks(&self, ctx: &Context<'_>) -> Result<Vec<SessionCheck>> {
        let checks = match &self.kept_parts {
            Some(parts) => parts.checks.clone(),
            None => ctx.load(loader::ChecksOf(self.id)).await?.unwrap_or_default(),
        };
        ctx.operation()?.lead_to(checks.len())?;
        Ok(SessionCheck::all(self.id, checks))
    }
    /// Its aftercare at a moment: instructions in force, instructions to come, check-ins due. Null before its end, and
    /// for a session without a protocol.
    async fn aftercare(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The moment; now when absent.")] at: Option<DateTime>,
    ) -> Option<Result<Aftercare>> {
        let at = at.map_or_else(chrono::Utc::now, |at| at.0);
        Box::pin(care::aftercare_of(ctx, self, at)).await.transpose()
    }
    /// The consents that it requires, and whether they were in force when it began: TREATMENT that covers its modality
    /// for the session, CLINICAL_PHOTO for photos taken during it.
    async fn consents(&self, ctx: &Context<'_>) -> Result<Vec<RequiredConsent>> {
        let all = listing::whole::<Consent>(ctx, ("patient_id", self.patient_id)).await?;
        // The birth date matters to a guardian's consent alone.
        let by_guardian = |it: &Consent| it.given.as_ref().is_some_and(|given| given.signer == ConsentSigner::Guardian);
        let born = match all.iter().any(by_guardian) {
            true => listing::required::<Patient>(ctx, self.patient_id).await?.birth_date,
            false => NaiveDate::MIN,
        };
        let needed = [ConsentUse::Session, ConsentUse::Photo].map(|needed_for| {
            let found = consent::standing(&all, needed_for, Some(self.modality), self.started_at, born);
            RequiredConsent {
                kind: found.kind,
                needed_for,
                in_force: found.lacking.is_none(),
                consent: found.consent.cloned(),
                reason: found.lacking,
            }
        });
        Ok(needed.into())
    }
    /// Notes on its aftercare, newest first unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn aftercare_notes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<aftercare::Filter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<aftercare::OrderBy>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Result<Connection<AftercareNote>> {
        let window = PageArguments { first, after, last, before };
        let (filter, order) = (*filter.unwrap_or_default(), order_by.unwrap_or_default());
        aftercare::loader::of_session(ctx, self.id, filter, order, window).await
    }
    /// Adverse events after it, the latest onset first unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn adverse_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<AdverseEventFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<AdverseEventOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Result<Connection<AdverseEvent>> {
        let condition = filter.unwrap_or_default().read();
        let window = PageArguments { first, after, last, before };
        listing::under(ctx, ("session_id", self.id), condition, order_by, window).await
    }
    /// Photos of it, latest first unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn photos(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<PhotoFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<PhotoOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Photo>> {
        let condition = filter.unwrap_or_default().read();
        let window = PageArguments { first, after, last, before };
        listing::under(ctx, ("session_id", self.id), condition, order_by, window).await
    }
    /// The version number: 1 at first, increased by 1 with each change. Send it back as `expectedVersion`.
    pub async fn version(&self) -> i32 {
        self.stamp.version
    }
    /// When it was logged.
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
        self.signature.clone().map(|it| it.on_work_of(self.practitioner_id))
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
        signatures(ctx, self.id, self.signature.as_ref(), self.practitioner_id).await
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
        Box::pin(history(ctx, RecordKind::TreatmentSession, self.id, first, after)).await
    }
}

plain!(TreatmentSession: id, status, entered_in_error, started_at, ended_at, modality, skin_preparation, glide, pain_score, immediate_reaction, note, stop_reason, version, created_at, updated_at);

/// The queries of this module.
#[derive(Default)]
pub struct SessionQuery;

#[Object]
impl SessionQuery {
    /// A treatment session; null with NOT_FOUND if there is none with this id.
    async fn session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`session_…`")] id: ID,
    ) -> Option<Result<TreatmentSession>> {
        listing::root_one(ctx, &id).await
    }

    /// Treatment sessions, newest first unless asked otherwise. Null with FORBIDDEN for roles that see no clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<Filter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<OrderBy>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<TreatmentSession>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
