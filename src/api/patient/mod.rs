//! Patients in the API: the record and its links to what belongs to it.

mod countries;
pub mod details;
pub mod gathered;
pub mod input;
pub mod mutation;
pub mod person;
pub mod query;

use super::privacy::access_log::{self, PatientAccessFilter};
use crate::aftercare::{self, AftercareNote};
use crate::api::history::history;
use crate::api::lists::ListsOfPatient;
use crate::care::loader::{self as care, Aftercare};
use crate::chart::{self, TimelineEntry, TimelineFilter};
use crate::consultation::{self, Consultation};
use crate::custody::LegalHold;
use crate::health::{self, HealthEntry};
use crate::ids;
use crate::ledger::RecordVersion;
use crate::merge::PatientMerge;
use crate::operation::{AtOnce, plain};
use crate::organisation::{Staff, loader as people};
use crate::outcome::{self, OutcomeAssessment, OutcomeSeries, RaterRole};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{
    EmergencyContact, ExternalIdentifier, OtherPhone, Patient, PatientStatus, PersonName, SexAtBirth, SkinType, loader,
};
use crate::photo::{PhotoPair, PhotoView};
use crate::privacy::looks::AccessEntry;
use crate::privacy::{EmergencyAccess, PatientRestriction, loader as privacy};
use crate::record::Address;
use crate::scalars::{Date, DateTime};
use crate::session::{self, TreatmentSession};
use crate::vocabulary::{BodyArea, FitzpatrickType, RecordKind};
use async_graphql::{Context, ID, Object, Result};

impl Listed for Patient {
    const NAME: &'static str = "Patient";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A patient of the organisation.
#[Object]
impl Patient {
    /// Typed id, `patient_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Patient, self.id)
    }
    /// Human-readable number, unique in the organisation.
    async fn chart_number(&self) -> &str {
        &self.chart_number
    }
    /// The name to show: the preferred one with the family name, else the legal one.
    async fn display_name(&self) -> String {
        self.shown_name()
    }
    /// The name on the identity document.
    async fn legal_name(&self) -> &PersonName {
        &self.legal_name
    }
    /// The name the patient wants to be called.
    async fn preferred_name(&self) -> Option<&str> {
        self.preferred_name.as_deref()
    }
    /// Date of birth.
    async fn birth_date(&self) -> Date {
        Date(self.birth_date)
    }
    /// The day they died; null as far as is known they live.
    async fn deceased_on(&self) -> Option<Date> {
        self.deceased_on.map(Date)
    }
    /// Sex at birth.
    async fn sex_at_birth(&self) -> Option<SexAtBirth> {
        self.sex_at_birth
    }
    /// Gender, in the patient's words.
    async fn gender(&self) -> Option<&str> {
        self.gender.as_deref()
    }
    /// Pronouns, in the patient's words.
    async fn pronouns(&self) -> Option<&str> {
        self.pronouns.as_deref()
    }
    /// E-mail.
    async fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }
    /// E.164 number.
    async fn phone(&self) -> Option<&str> {
        self.phone.as_deref()
    }
    /// Names that the patient had before.
    async fn former_names(&self) -> &[PersonName] {
        &self.details.former_names
    }
    /// Phones beside the first one.
    async fn other_phones(&self) -> &[OtherPhone] {
        &self.details.other_phones
    }
    /// The language that the patient speaks, a BCP 47 tag such as `uk`.
    async fn language(&self) -> Option<&str> {
        self.details.language.as_deref()
    }
    /// Whether they need an interpreter; null if nobody asked.
    async fn needs_interpreter(&self) -> Option<bool> {
        self.details.needs_interpreter
    }
    /// What other systems call the patient.
    async fn identifiers(&self) -> &[ExternalIdentifier] {
        &self.details.identifiers
    }
    /// The home address.
    async fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }
    /// Whom to call in an emergency.
    async fn emergency_contact(&self) -> Option<&EmergencyContact> {
        self.emergency_contact.as_ref()
    }
    /// Fitzpatrick phototype, I to VI; `skinType` says who assessed it.
    async fn fitzpatrick_type(&self) -> Option<FitzpatrickType> {
        self.skin_type.as_ref().map(|skin| skin.fitzpatrick)
    }
    /// The skin type, with who assessed it and when.
    async fn skin_type(&self) -> Option<&SkinType> {
        self.skin_type.as_ref()
    }
    /// The patient's status.
    async fn status(&self) -> PatientStatus {
        self.status
    }
    /// Why they were archived or restored.
    async fn status_reason(&self) -> Option<&str> {
        self.status_reason.as_deref()
    }
    /// The patient into whom this one was merged.
    async fn merged_into(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Patient>>> {
        loader::patient(ctx, self.merged_into?).await
    }
    /// The version number: 1 at first, increased by 1 with each change. Send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.stamp.version
    }
    /// When they were registered.
    async fn created_at(&self) -> DateTime {
        DateTime(self.stamp.created_at)
    }
    /// Who created the record.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.stamp.created_by).await
    }
    /// When this entry was last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.stamp.updated_at)
    }
    /// Who last changed the record.
    async fn updated_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.stamp.updated_by).await
    }
    /// The whole health history, newest first. Null with FORBIDDEN for roles that see no clinical record.
    async fn health_history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Include entries marked as entered in error.", default = false)]
        include_entered_in_error: bool,
    ) -> Option<Result<Vec<HealthEntry>>> {
        Some(Box::pin(health::loader::of_patient(ctx, self.id, include_entered_in_error)).await)
    }
    /// Consultations, newest first unless asked otherwise. Null with FORBIDDEN for roles that see no clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn consultations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<consultation::Filter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<consultation::OrderBy>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<Consultation>>> {
        let window = PageArguments { first, after, last, before };
        let (filter, order) = (*filter.unwrap_or_default(), order_by.unwrap_or_default());
        Some(consultation::loader::of_patient(ctx, self.id, filter, order, window).await)
    }
    /// Treatment sessions, newest first unless asked otherwise. Null with FORBIDDEN for roles that see no clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<session::Filter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<session::OrderBy>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<TreatmentSession>>> {
        let window = PageArguments { first, after, last, before };
        let (filter, order) = (*filter.unwrap_or_default(), order_by.unwrap_or_default());
        Some(session::loader::of_patient(ctx, self.id, filter, order, window).await)
    }
    /// Aftercare notes, newest first unless asked otherwise. Null with FORBIDDEN for roles that see no clinical record.
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
    ) -> Option<Result<Connection<AftercareNote>>> {
        let window = PageArguments { first, after, last, before };
        let (filter, order) = (*filter.unwrap_or_default(), order_by.unwrap_or_default());
        Some(aftercare::loader::of_patient(ctx, self.id, filter, order, window).await)
    }
    /// The aftercare in force at a moment after the sessions of the last 60 days, the latest session first. Null with
    /// FORBIDDEN for roles that see no clinical record.
    async fn aftercare(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The moment; now when absent.")] at: Option<DateTime>,
    ) -> Option<Result<Vec<Aftercare>>> {
        Some(Box::pin(care::aftercare_of_patient(ctx, self.id, at.map_or_else(chrono::Utc::now, |at| at.0))).await)
    }
    /// The outcome assessments on one scale in chronological order, with the change since the first and the best pair.
    /// A series never mixes versions of the scale or roles of raters: if there are several, BAD_USER_INPUT names the
    /// arguments to choose with and the values there are. Null if there is no such assessment; null with FORBIDDEN for
    /// roles that see no clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn outcome_series(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Code of the scale, as in `outcomeScales`.")] scale: String,
        #[graphql(desc = "Version of the scale; needed if several were used.")] scale_version: Option<String>,
        #[graphql(desc = "Of this area only.")] area: Option<BodyArea>,
        #[graphql(desc = "By raters of this role only; needed if several rated.")] rater_role: Option<RaterRole>,
        #[graphql(desc = "Of this plan only, `plan_…`.")] plan_id: Option<ID>,
    ) -> Option<Result<OutcomeSeries>> {
        let found = async {
            let plan = plan_id.map(|id| ids::argument("planId", RecordKind::TreatmentPlan, &id)).transpose()?;
            let choice = outcome::SeriesChoice { scale, scale_version, area, rater_role, plan_id: plan };
            let all = listing::whole::<OutcomeAssessment>(ctx, ("patient_id", self.id)).await?;
            let all = crate::signing::loader::standing(ctx, all, |it| it.session_id).await?;
            Ok(outcome::series_of(all, &choice)?)
        };
        Box::pin(found).await.transpose()
    }
    #[graphql(flatten)]
    async fn lists(&self) -> ListsOfPatient {
        ListsOfPatient(self.id)
    }
    /// All records of all kinds on one timeline, newest first. Null with FORBIDDEN for roles that may not see every
    /// kind that is asked for.
    #[allow(clippy::too_many_arguments)]
    async fn timeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<TimelineFilter>>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<TimelineEntry>>> {
        let window = PageArguments { first, after, last, before };
        Some(Box::pin(chart::loader::timeline(ctx, self.id, *filter.unwrap_or_default(), window)).await)
    }
    /// Merges of this patient, newest first: of others into this patient, and of this patient into another. Null with
    /// FORBIDDEN for roles that see none.
    async fn merges(&self, ctx: &Context<'_>) -> Option<Result<Vec<PatientMerge>>> {
        Some(Box::pin(gathered::merges(ctx, self.id)).await)
    }
    /// Legal holds on this record, newest first, lifted ones too. Null with FORBIDDEN for roles that see none.
    async fn legal_holds(&self, ctx: &Context<'_>) -> Option<Result<Vec<LegalHold>>> {
        Some(listing::whole(ctx, ("patient_id", self.id)).await)
    }
    /// Whether the record is restricted. A restricted record is shown only to viewers who state why they need it
    /// (`Access-Reason`) or have emergency access.
    async fn restricted(&self, ctx: &Context<'_>) -> Result<bool> {
        privacy::is_restricted(ctx, self.id).await
    }
    /// Restrictions of this record, newest first, lifted ones too. Null with FORBIDDEN for roles that see none.
    async fn restrictions(&self, ctx: &Context<'_>) -> Option<Result<Vec<PatientRestriction>>> {
        Some(listing::whole(ctx, ("patient_id", self.id)).await)
    }
    /// Emergency access to this record, newest first. Null with FORBIDDEN for all but admins and auditors.
    async fn emergency_accesses(&self, ctx: &Context<'_>) -> Option<Result<Vec<EmergencyAccess>>> {
        Some(listing::whole(ctx, ("patient_id", self.id)).await)
    }
    /// The access log of this patient and of patients merged into them, newest first. Reading it is itself logged. Null
    /// with FORBIDDEN for all but admins and auditors.
    async fn access_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<PatientAccessFilter>>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Option<Result<Connection<AccessEntry>>> {
        Some(Box::pin(access_log::of_patient(ctx, self.id, *filter.unwrap_or_default(), first, after)).await)
    }
    /// Pairs of stored photos from before and after a treatment that can be compared side by side: of the same area and
    /// side, from the same view, and taken from about the same distance. Sorted by area, side and view, then by time.
    /// Null with FORBIDDEN for roles that see no clinical record.
    async fn photo_pairs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of this area only.")] area: Option<BodyArea>,
        #[graphql(desc = "From this view only.")] view: Option<PhotoView>,
    ) -> Option<Result<Vec<PhotoPair>>> {
        Some(Box::pin(gathered::photo_pairs(ctx, self.id, area, view)).await)
    }
    /// Every version of this record, newest first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<RecordVersion>> {
        Box::pin(history(ctx, RecordKind::Patient, self.id, first, after)).await
    }
}

plain!(Patient: id, chart_number, display_name, preferred_name, birth_date, deceased_on, sex_at_birth, gender, pronouns, email, phone, fitzpatrick_type, status, status_reason, version, created_at, updated_at);
