//! Recording health reviews, and marking one as entered in error.

use crate::access::Scope;
use crate::error::{self, Code, Error, Faults};
use crate::health::store as health;
use crate::health_review::{Answers, HealthReview, ReviewAnswer};
use crate::ids;
use crate::operation::{Inputs, Running, transaction};
use crate::page::{kept, listing};
use crate::patient::store as patients;
use crate::record::Stamp;
use crate::scalars::DateTime;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use uuid::Uuid;

/// Records that a patient was asked about the health history. The sender is the one who asked. Leave out what was not
/// asked: it is told apart from NONE_KNOWN. Whoever can't be pregnant is NONE_KNOWN.
#[derive(InputObject)]
pub struct RecordHealthReviewInput {
    /// An id made by the client, which makes a retry safe: `review_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    id: Option<ID>,
    /// `patient_…`
    patient_id: ID,
    /// When the patient was asked, not in the future; now when absent.
    reviewed_at: Option<DateTime>,
    /// What was said of allergies.
    allergies: Option<ReviewAnswer>,
    /// What was said of medicines.
    medicines: Option<ReviewAnswer>,
    /// What was said of illnesses and states.
    conditions: Option<ReviewAnswer>,
    /// What was said of pregnancy and nursing.
    pregnancy: Option<ReviewAnswer>,
    /// Remarks, at most 5,000 characters.
    note: Option<String>,
}

/// Marks a health review as entered in error.
#[derive(InputObject)]
pub struct MarkHealthReviewEnteredInErrorInput {
    /// `review_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// Why it is an error, 1 to 1,000 characters.
    reason: String,
}

/// What mutations of a health review return.
#[derive(SimpleObject)]
pub struct HealthReviewPayload {
    /// The health review after the change.
    health_review: HealthReview,
}

impl RecordHealthReviewInput {
    fn read(self) -> error::Result<HealthReview> {
        let mut inputs = Inputs::new();
        let now = ids::now();
        let (allergies, medicines) = (self.allergies, self.medicines);
        let answers = Answers { allergies, medicines, conditions: self.conditions, pregnancy: self.pregnancy };
        let review = HealthReview {
            id: inputs.new_id(RecordKind::HealthReview, self.id.as_ref()),
            patient_id: inputs.id("patientId", RecordKind::Patient, &self.patient_id),
            reviewed_at: self.reviewed_at.map_or(now, |at| inputs.past_time("reviewedAt", at.0)),
            reviewed_by: Uuid::nil(),
            answers,
            note: inputs.opt_text("note", self.note.as_deref(), 5000),
            entered_in_error: false,
            error_reason: None,
            stamp: Stamp::new(None, now),
        };
        if answers == Answers::default() {
            inputs.fault(
                "allergies",
                Code::Required.says("is missing, as is every other answer: a review says at least one"),
            );
        }
        inputs.finish()?;
        Ok(review)
    }
}

async fn add(scope: &mut Scope, mut review: HealthReview) -> error::Result<HealthReview> {
    scope.viewer().check(Action::Create, RecordKind::HealthReview)?;
    review.reviewed_by = scope.viewer().author()?;
    review.stamp = Stamp::new(Some(review.reviewed_by), ids::now());
    let patient = patients::active_patient(scope, review.patient_id, "input.patientId").await?;
    patient.lived_on(review.reviewed_at.date_naive(), "input.reviewedAt")?;
    let entries = health::of_patients(scope, &[review.patient_id], false).await?;
    let others: Vec<HealthReview> = listing::all_under(scope, "patient_id", &[review.patient_id]).await?;
    let mut faults = Faults::default();
    let named =
        |it: &crate::health::HealthEntry| format!("\"{}\" ({})", it.text, ids::show(RecordKind::HealthEntry, it.id));
    for (part, message) in review.contradictions(&entries, &others, named) {
        faults.add(format!("input.{}", part.as_str()), Code::Mismatch.says(message));
    }
    faults.into_result()?;
    kept::add(scope, &review).await?;
    Ok(review)
}

async fn mark(scope: &mut Scope, id: Uuid, expected: i32, reason: String) -> error::Result<HealthReview> {
    scope.viewer().check(Action::Update, RecordKind::HealthReview)?;
    let before: HealthReview = listing::one(scope, id).await?;
    error::at_version("health review", before.stamp.version, expected)?;
    if before.entered_in_error {
        return Err(Error::input("input.id", Code::Done.says("is marked as entered in error already")));
    }
    let stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    let after = HealthReview { entered_in_error: true, error_reason: Some(reason), stamp, ..before };
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

/// The mutations of this module.
#[derive(Default)]
pub struct HealthReviewMutation;

#[Object]
impl HealthReviewMutation {
    /// Records that a patient was asked about the health history, and what was said of each part. BAD_USER_INPUT for
    /// NONE_KNOWN beside an entry in force of that part, and for UNCHANGED without an earlier review of it.
    async fn record_health_review(
        &self,
        ctx: &Context<'_>,
        input: RecordHealthReviewInput,
    ) -> Result<HealthReviewPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let new = input.read()?;
        let work = transaction(move |scope| Box::pin(add(scope, new)));
        Ok(HealthReviewPayload { health_review: operation.mutate(retry, work).await? })
    }

    /// Marks a health review as entered in error, with the reason. It is kept, and covers no session.
    async fn mark_health_review_entered_in_error(
        &self,
        ctx: &Context<'_>,
        input: MarkHealthReviewEnteredInErrorInput,
    ) -> Result<HealthReviewPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::HealthReview, &input.id);
        let reason = inputs.text("reason", &input.reason, 1000);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(mark(scope, id, input.expected_version, reason)));
        Ok(HealthReviewPayload { health_review: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
