//! Agreeing on supervision, and reviewing.

use crate::access::Scope;
use crate::error::{self, Code, Error, Faults};
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::organisation::{store as people, unfit};
use crate::page::{kept, listing};
use crate::record::Stamp;
use crate::scalars::Date;
use crate::supervision::{ChartReview, ChartReviewOutcome, SupervisionAgreement};
use crate::vocabulary::{Action, RecordKind, StaffRole};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use uuid::Uuid;

/// Agrees that somebody reads part of a colleague's signed records.
#[derive(InputObject)]
pub struct AgreeSupervisionInput {
    /// An id made by the client, which makes a retry safe: `supervision_` and a UUIDv7 in 26 characters (see `Node.id`).
    /// Absent: the service makes one.
    id: Option<ID>,
    /// Who reads: an active practitioner, `staff_…`.
    supervisor_id: ID,
    /// Whose signed records are read: an active practitioner, `staff_…`.
    supervisee_id: ID,
    /// At which clinic, `location_…`; absent: at all.
    location_id: Option<ID>,
    /// How many of a hundred signed records are read, 0 to 100.
    percent: i32,
    /// Within how many days of the signature, 1 to 365.
    within_days: i32,
    /// Its first day; today (in UTC) when absent.
    starts_on: Option<Date>,
    /// The last day of the agreement.
    ends_on: Option<Date>,
    /// Remarks, at most 2,000 characters.
    note: Option<String>,
}

/// Changes to an agreement of supervision. An absent field stays as it is; null clears it. What was drawn before stays.
#[derive(InputObject)]
pub struct SupervisionAgreementPatch {
    /// How many of a hundred signed records are read, 0 to 100.
    percent: Option<i32>,
    /// Within how many days of the signature, 1 to 365.
    within_days: Option<i32>,
    /// The last day of the agreement.
    ends_on: MaybeUndefined<Date>,
    /// Remarks, at most 2,000 characters.
    note: MaybeUndefined<String>,
}

/// Changes an agreement of supervision.
#[derive(InputObject)]
pub struct UpdateSupervisionAgreementInput {
    /// `supervision_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The fields to change.
    patch: SupervisionAgreementPatch,
}

/// What mutations of an agreement of supervision return.
#[derive(SimpleObject)]
pub struct SupervisionAgreementPayload {
    /// The agreement after the change.
    supervision_agreement: SupervisionAgreement,
}

/// Records what came of a review.
#[derive(InputObject)]
pub struct RecordChartReviewInput {
    /// `chart_review_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// AGREED or NEEDS_REVISION.
    outcome: ChartReviewOutcome,
    /// What you have to say, at most 5,000 characters: required for NEEDS_REVISION.
    note: Option<String>,
}

/// Result of `recordChartReview`.
#[derive(SimpleObject)]
pub struct ChartReviewPayload {
    /// The review after the change.
    chart_review: ChartReview,
}

fn check_days(inputs: &mut Inputs, path: &str, it: &SupervisionAgreement) {
    if it.ends_on.is_some_and(|last| last < it.starts_on) {
        inputs.fault(path, Code::WrongOrder.says("is before its first day"));
    }
}

impl AgreeSupervisionInput {
    fn read(self) -> error::Result<SupervisionAgreement> {
        let mut inputs = Inputs::new();
        let now = ids::now();
        let it = SupervisionAgreement {
            id: inputs.new_id(RecordKind::SupervisionAgreement, self.id.as_ref()),
            supervisor_id: inputs.id("supervisorId", RecordKind::Staff, &self.supervisor_id),
            supervisee_id: inputs.id("superviseeId", RecordKind::Staff, &self.supervisee_id),
            location_id: inputs.opt_id("locationId", RecordKind::Location, self.location_id.as_ref()),
            percent: inputs.small("percent", Some(self.percent), 0, 100).unwrap_or_default(),
            within_days: inputs.small("withinDays", Some(self.within_days), 1, 365).unwrap_or(1),
            starts_on: self.starts_on.map_or_else(|| now.date_naive(), |day| day.0),
            ends_on: self.ends_on.map(|day| day.0),
            note: inputs.opt_text("note", self.note.as_deref(), 2000),
            stamp: Stamp::new(None, now),
        };
        check_days(&mut inputs, "endsOn", &it);
        if it.supervisor_id == it.supervisee_id && !it.supervisor_id.is_nil() {
            inputs.fault(
                "supervisorId",
                Code::Same
                    .says("is the one who is supervised: nobody supervises themselves")
                    .with("other", "superviseeId"),
            );
        }
        inputs.finish()?;
        Ok(it)
    }
}

impl SupervisionAgreementPatch {
    fn apply(self, before: &SupervisionAgreement) -> error::Result<SupervisionAgreement> {
        let mut inputs = Inputs::new();
        let after = SupervisionAgreement {
            percent: inputs.small("patch.percent", self.percent, 0, 100).unwrap_or(before.percent),
            within_days: inputs.small("patch.withinDays", self.within_days, 1, 365).unwrap_or(before.within_days),
            ends_on: patched(self.ends_on.map_value(|day| day.0), before.ends_on),
            note: patched(inputs.patch_text("patch.note", self.note, 2000), before.note.clone()),
            ..before.clone()
        };
        check_days(&mut inputs, "patch.endsOn", &after);
        inputs.finish()?;
        Ok(after)
    }
}

async fn agree(scope: &mut Scope, mut new: SupervisionAgreement) -> error::Result<SupervisionAgreement> {
    scope.viewer().check(Action::Create, RecordKind::SupervisionAgreement)?;
    let mut faults = Faults::default();
    let staff = people::staff(scope, &[new.supervisor_id, new.supervisee_id]).await?;
    for (path, id) in [("supervisorId", new.supervisor_id), ("superviseeId", new.supervisee_id)] {
        if let Some(why) = unfit(staff.iter().find(|it| it.id == id), Some(StaffRole::Practitioner)) {
            faults.add(format!("input.{path}"), Code::WrongPerson.says(why));
        }
    }
    if let Some(location) = new.location_id
        && !people::locations(scope, &[location]).await?.iter().any(|it| it.active)
    {
        faults.add("input.locationId", Code::NotFound.says("is not an active location of this organisation"));
    }
    faults.into_result()?;
    new.stamp = Stamp::new(scope.viewer().staff, ids::now());
    kept::add(scope, &new).await?;
    Ok(new)
}

async fn change(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    patch: SupervisionAgreementPatch,
) -> error::Result<SupervisionAgreement> {
    scope.viewer().check(Action::Update, RecordKind::SupervisionAgreement)?;
    let before: SupervisionAgreement = listing::one(scope, id).await?;
    error::at_version("supervision agreement", before.stamp.version, expected)?;
    let mut after = patch.apply(&before)?;
    after.stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

async fn review(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    outcome: ChartReviewOutcome,
    note: Option<String>,
) -> error::Result<ChartReview> {
    scope.viewer().check(Action::Update, RecordKind::ChartReview)?;
    let before: ChartReview = listing::one(scope, id).await?;
    error::at_version("chart review", before.stamp.version, expected)?;
    if scope.viewer().staff != Some(before.reviewer_id) {
        let message = "only the supervisor of the agreement reviews this record";
        return Err(Error::Forbidden(message.to_owned()));
    }
    if let Some(outcome) = before.outcome {
        return Err(Error::input("input.id", Code::Done.says(format!("was closed already: {}", outcome.words()))));
    }
    let now = ids::now();
    let stamp = before.stamp.changed(scope.viewer().staff, now);
    let after = ChartReview { outcome: Some(outcome), note, reviewed_at: Some(now), stamp, ..before };
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

/// The mutations of this module.
#[derive(Default)]
pub struct SupervisionMutation;

#[Object]
impl SupervisionMutation {
    /// Agrees that somebody reads part of a colleague's signed records. From then on each record that the colleague signs
    /// is drawn by chance, as often as agreed. REAUTHENTICATION_REQUIRED when the password or a code was given too long ago.
    async fn agree_supervision(
        &self,
        ctx: &Context<'_>,
        input: AgreeSupervisionInput,
    ) -> Result<SupervisionAgreementPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let new = input.read()?;
        let work = transaction(move |scope| Box::pin(agree(scope, new)));
        Ok(SupervisionAgreementPayload { supervision_agreement: operation.mutate(retry, work).await? })
    }

    /// Changes or ends an agreement of supervision. What was drawn before stays.
    async fn update_supervision_agreement(
        &self,
        ctx: &Context<'_>,
        input: UpdateSupervisionAgreementInput,
    ) -> Result<SupervisionAgreementPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::SupervisionAgreement, &input.id);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(change(scope, id, input.expected_version, input.patch)));
        let supervision_agreement = operation.mutate(operation.retry(ctx, None)?, work).await?;
        Ok(SupervisionAgreementPayload { supervision_agreement })
    }

    /// Records what came of the review of a signed record, once, by the supervisor of its agreement. A revision is made by
    /// an addendum or a retraction: the record itself stays as it is.
    async fn record_chart_review(
        &self,
        ctx: &Context<'_>,
        input: RecordChartReviewInput,
    ) -> Result<ChartReviewPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::ChartReview, &input.id);
        let note = inputs.opt_text("note", input.note.as_deref(), 5000);
        match input.outcome {
            ChartReviewOutcome::NeedsRevision if note.is_none() => {
                inputs.fault("note", Code::Required.says("is missing: what needs a revision?"));
            }
            ChartReviewOutcome::NotNeeded => {
                inputs.fault(
                    "outcome",
                    Code::NotApplicable.says("is for records that were retracted: AGREED or NEEDS_REVISION"),
                );
            }
            _ => {}
        }
        inputs.finish()?;
        let operation = ctx.operation()?;
        let (expected, outcome) = (input.expected_version, input.outcome);
        let work = transaction(move |scope| Box::pin(review(scope, id, expected, outcome, note)));
        Ok(ChartReviewPayload { chart_review: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
