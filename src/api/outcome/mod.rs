//! Outcome assessments in the API: the record, scales and series, queries and links.

pub mod mutation;

use super::stamp::RecordStamp;
use crate::error::Error;
use crate::operation::{AtOnce, Running, plain};
use crate::organisation::{Staff, loader as people};
use crate::outcome::{
    BestPair, Better, OutcomeAssessment, OutcomeFilter, OutcomeOrder, OutcomeScale, OutcomeSeries, RaterRole,
    ScaleLabel, scale, scales,
};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::scalars::{DateTime, Decimal};
use crate::session::{TreatmentSession, loader as sessions};
use crate::vocabulary::{BodyArea, RecordKind};
use async_graphql::{Context, ID, Object, Result};

impl Listed for OutcomeAssessment {
    const NAME: &'static str = "OutcomeAssessment";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// The meaning of a score.
#[Object(name = "OutcomeScaleLabel")]
impl ScaleLabel {
    /// The score that the label explains.
    async fn score(&self) -> Decimal {
        Decimal(self.score)
    }
    /// The meaning in words.
    async fn text(&self) -> &str {
        &self.text
    }
}

/// A version of a scale that outcomes are scored on.
#[Object]
impl OutcomeScale {
    /// Its code, such as `gais`; the same for all its versions.
    async fn code(&self) -> &str {
        &self.code
    }
    /// Its version. Scores of two versions are never compared.
    async fn version(&self) -> &str {
        &self.version
    }
    /// The name of the scale, in words.
    async fn name(&self) -> &str {
        &self.name
    }
    /// The lowest score.
    async fn min(&self) -> Decimal {
        Decimal(self.min)
    }
    /// The highest score.
    async fn max(&self) -> Decimal {
        Decimal(self.max)
    }
    /// The step from one score to the next.
    async fn step(&self) -> Decimal {
        Decimal(self.step)
    }
    /// Which scores are better.
    async fn better(&self) -> Better {
        self.better
    }
    /// The unit of a score, such as `hairs/cm²`; null for grades.
    async fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }
    /// The meanings of scores that have one.
    async fn labels(&self) -> &[ScaleLabel] {
        &self.labels
    }
    /// The publication that defines the scale.
    async fn source(&self) -> &str {
        &self.source
    }
}

/// An outcome assessment: the result of a treatment, scored on a scale.
#[Object]
impl OutcomeAssessment {
    /// Typed id, `outcome_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::OutcomeAssessment, self.id)
    }
    /// The patient whom the record is about.
    async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// The treatment plan it belongs to, `plan_…`.
    async fn plan_id(&self) -> Option<ID> {
        self.plan_id.map(|id| global_id(RecordKind::TreatmentPlan, id))
    }
    /// The session it followed.
    async fn session(&self, ctx: &Context<'_>) -> Option<Result<TreatmentSession>> {
        Some(sessions::session_of_record(ctx, self.session_id?).await)
    }
    /// The scale, in the version that was used.
    async fn scale(&self) -> Result<&'static OutcomeScale> {
        Ok(scale(&self.scale, &self.scale_version).map_err(|(_, why)| Error::Internal(why))?)
    }
    /// The area that was scored.
    async fn area(&self) -> Option<BodyArea> {
        self.area
    }
    /// The score; `scale` says which are better.
    async fn score(&self) -> Decimal {
        Decimal(self.score)
    }
    /// The role of the rater.
    async fn rater_role(&self) -> RaterRole {
        self.rater_role
    }
    /// The staff member who scored; null for the patient.
    async fn rater(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.rater_id).await
    }
    /// When it was scored.
    async fn assessed_at(&self) -> DateTime {
        DateTime(self.assessed_at)
    }
    /// The earlier photo that it was compared with, `photo_…`.
    async fn compared_with_photo_id(&self) -> Option<ID> {
        self.compared_with_photo_id.map(|id| global_id(RecordKind::Photo, id))
    }
    /// The photo that was scored, `photo_…`.
    async fn photo_id(&self) -> Option<ID> {
        self.photo_id.map(|id| global_id(RecordKind::Photo, id))
    }
    /// Remarks.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
    /// Whether the record was marked as entered in error: it is part of no series, and lists leave it out unless
    /// `includeEnteredInError` is true.
    async fn entered_in_error(&self) -> bool {
        self.entered_in_error
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(OutcomeAssessment: id, plan_id, area, score, rater_role, assessed_at, compared_with_photo_id, photo_id, note, entered_in_error);

/// The two assessments of a series with the greatest improvement between them: the pair to show.
#[Object(name = "OutcomePair")]
impl BestPair {
    /// The earlier one.
    async fn before(&self) -> &OutcomeAssessment {
        &self.before
    }
    /// The later, better one.
    async fn after(&self) -> &OutcomeAssessment {
        &self.after
    }
    /// The later score minus the earlier. Below 0 is an improvement where lower scores are better.
    async fn change(&self) -> Decimal {
        Decimal(self.after.score - self.before.score)
    }
}

/// Assessments on one version of a scale by raters of one role, in chronological order; at least one.
#[Object]
impl OutcomeSeries {
    /// The version of the scale that every point is measured on.
    async fn scale(&self) -> &OutcomeScale {
        self.scale
    }
    /// The assessments, oldest first.
    async fn points(&self, ctx: &Context<'_>) -> Result<&[OutcomeAssessment]> {
        ctx.operation()?.lead_to(self.points.len())?;
        Ok(&self.points)
    }
    /// The newest score minus the oldest; null with fewer than two.
    async fn change_since_first(&self) -> Option<Decimal> {
        self.change().map(Decimal)
    }
    /// Whether the newest score is better than the oldest; null with fewer than two.
    async fn better(&self) -> Option<bool> {
        self.is_better()
    }
    /// The pair with the greatest improvement; null where nothing improved.
    async fn best_pair(&self) -> Option<BestPair> {
        self.best()
    }
}

/// The queries of this module.
#[derive(Default)]
pub struct OutcomeQuery;

#[Object]
impl OutcomeQuery {
    /// The scales that outcomes are scored on, each in all its versions.
    async fn outcome_scales(&self, ctx: &Context<'_>) -> Result<&'static [OutcomeScale]> {
        // The scales are not secret, but a sign-in is required, as for everything.
        drop(ctx.operation()?.reader().await?);
        Ok(scales())
    }

    /// An outcome assessment; null with NOT_FOUND if there is none with this id.
    async fn outcome_assessment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`outcome_…`")] id: ID,
    ) -> Option<Result<OutcomeAssessment>> {
        listing::root_one(ctx, &id).await
    }

    /// Outcome assessments, newest first unless asked otherwise, without those entered in error unless the filter asks
    /// for them. Null with FORBIDDEN for roles that see no clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn outcome_assessments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<OutcomeFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<OutcomeOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<OutcomeAssessment>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
