//! Creating recalls by hand, and working through them.

use super::safety_notice::{CreateSafetyRecallInput, CreateSafetyRecallPayload, notify};
use crate::access::Scope;
use crate::call_back::{Attempt, CallBack, CallBackReason, CallBackStatus, ContactChannel, ContactOutcome};
use crate::error::{self, Code, Error, Flaw};
use crate::ids;
use crate::operation::{Inputs, Running, transaction};
use crate::page::{kept, listing};
use crate::patient::store as patients;
use crate::record::Stamp;
use crate::scalars::{Date, DateTime};
use crate::session::{SessionStatus, store as sessions};
use crate::signing::store as signed;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{Days, NaiveDate};
use uuid::Uuid;

/// The maximum number of attempts of a recall.
const MOST_ATTEMPTS: usize = 100;
/// How many days ahead a day may be: ten years.
const FARTHEST: u64 = 3653;

/// Creates a recall of one patient by hand.
#[derive(InputObject)]
pub struct CreateRecallInput {
    /// An id made by the client, which makes a retry safe: `recall_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    id: Option<ID>,
    /// `patient_…`
    patient_id: ID,
    /// The reason. For a SAFETY_NOTICE use `createSafetyRecall`, which covers everybody who received the lot.
    reason: CallBackReason,
    /// The first due day; today (in UTC) when absent.
    due_from: Option<Date>,
    /// The last due day, within ten years.
    due_until: Date,
    /// What it is about, at most 500 characters. The front desk reads it.
    basis: String,
}

/// Records an attempt to reach the patient.
#[derive(InputObject)]
pub struct LogRecallAttemptInput {
    /// `recall_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// How the patient was contacted.
    channel: ContactChannel,
    /// The result of the attempt.
    outcome: ContactOutcome,
    /// When the attempt was made; now when absent.
    at: Option<DateTime>,
    /// Remarks, at most 2,000 characters. The front desk reads them.
    note: Option<String>,
}

/// Postpones a recall.
#[derive(InputObject)]
pub struct SnoozeRecallInput {
    /// `recall_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The day from which it is open again: after today (in UTC), within ten years.
    until: Date,
}

/// Completes a recall, by the session that answers it or with a reason.
#[derive(InputObject)]
pub struct CompleteRecallInput {
    /// `recall_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The session of the same patient that answers it, `session_…`. For roles that see sessions.
    session_id: Option<ID>,
    /// How it was answered without a session, at most 500 characters. Required without `sessionId`.
    reason: Option<String>,
}

/// Dismisses a recall.
#[derive(InputObject)]
pub struct DismissRecallInput {
    /// `recall_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The reason, at most 500 characters.
    reason: String,
}

/// What mutations of a recall return.
#[derive(SimpleObject)]
pub struct RecallPayload {
    /// The recall after the change.
    recall: CallBack,
}

fn today() -> NaiveDate {
    ids::now().date_naive()
}

/// Checks that a day is not too far ahead.
fn near(inputs: &mut Inputs, path: &str, day: NaiveDate) -> NaiveDate {
    if today().checked_add_days(Days::new(FARTHEST)).is_some_and(|last| day > last) {
        inputs
            .fault(path, Code::TooLarge.says(format!("is {day}, over ten years ahead")).with("value", day.to_string()));
    }
    day
}

fn new_recall(id: Uuid, reason: CallBackReason, basis: String, due_from: NaiveDate, due_until: NaiveDate) -> CallBack {
    CallBack {
        id,
        patient_id: Uuid::nil(),
        reason,
        plan_id: None,
        after_session_id: None,
        lot_id: None,
        due_from,
        due_until,
        status: CallBackStatus::Open,
        snoozed_until: None,
        closed_reason: None,
        done_by_session_id: None,
        basis,
        attempts: Vec::new(),
        stamp: Stamp::new(None, ids::now()),
    }
}

impl CreateRecallInput {
    fn read(self) -> error::Result<CallBack> {
        let mut inputs = Inputs::new();
        let due_from = self.due_from.map_or_else(today, |day| day.0);
        let due_until = near(&mut inputs, "dueUntil", self.due_until.0);
        if due_until < due_from {
            inputs.fault("dueUntil", Code::WrongOrder.says("is before dueFrom").with("other", "dueFrom"));
        }
        if self.reason == CallBackReason::SafetyNotice {
            inputs.fault(
                "reason",
                Code::NotApplicable.says("can't be SAFETY_NOTICE: use createSafetyRecall with the lot"),
            );
        }
        let id = inputs.new_id(RecordKind::CallBack, self.id.as_ref());
        let basis = inputs.text("basis", &self.basis, 500);
        let recall = CallBack {
            patient_id: inputs.id("patientId", RecordKind::Patient, &self.patient_id),
            ..new_recall(id, self.reason, basis, due_from, due_until)
        };
        inputs.finish()?;
        Ok(recall)
    }
}

async fn create(scope: &mut Scope, mut recall: CallBack) -> error::Result<CallBack> {
    scope.viewer().check(Action::Create, RecordKind::CallBack)?;
    patients::active_patient(scope, recall.patient_id, "input.patientId").await?;
    recall.stamp = Stamp::new(scope.viewer().staff, ids::now());
    kept::add(scope, &recall).await?;
    Ok(recall)
}

/// The recall to be changed, at the expected version and still live.
async fn live(scope: &mut Scope, id: Uuid, expected: i32) -> error::Result<CallBack> {
    scope.viewer().check(Action::Update, RecordKind::CallBack)?;
    let recall: CallBack = listing::one(scope, id).await?;
    error::at_version("recall", recall.stamp.version, expected)?;
    if !recall.is_live() {
        let why = format!("this recall is {} and takes no change: make a new one", recall.status.words());
        return Err(Error::input("input.id", Code::WrongState.says(why)));
    }
    Ok(recall)
}

async fn save(scope: &mut Scope, mut recall: CallBack, expected: i32) -> error::Result<CallBack> {
    recall.stamp = recall.stamp.changed(scope.viewer().staff, ids::now());
    kept::save(scope, Action::Update, &recall, expected).await?;
    Ok(recall)
}

async fn log_attempt(scope: &mut Scope, id: Uuid, expected: i32, attempt: Attempt) -> error::Result<CallBack> {
    let mut recall = live(scope, id, expected).await?;
    if recall.attempts.len() >= MOST_ATTEMPTS {
        return Err(Error::input("input.id", Flaw::full(MOST_ATTEMPTS, "attempts")));
    }
    recall.attempts.push(Attempt { by: scope.viewer().author()?, ..attempt });
    recall.attempts.sort_by_key(|attempt| attempt.at);
    save(scope, recall, expected).await
}

async fn complete(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    session: Option<Uuid>,
    reason: Option<String>,
) -> error::Result<CallBack> {
    let mut recall = live(scope, id, expected).await?;
    if let Some(session) = session {
        // Emergency access is for reading only.
        scope.viewer().check_by_role(Action::Read, RecordKind::TreatmentSession)?;
        let session = sessions::session(scope, session).await?;
        if session.patient_id != recall.patient_id {
            return Err(Error::input("input.sessionId", Code::Mismatch.says("is a session of another patient")));
        }
        if matches!(session.status, SessionStatus::NotDone | SessionStatus::EnteredInError) {
            let why = format!("is {}: it answers nothing", session.status.words());
            return Err(Error::input("input.sessionId", Code::WrongState.says(why)));
        }
        signed::refuse_retracted(scope, session.id, "input.sessionId").await?;
    }
    recall.status = CallBackStatus::Done;
    recall.snoozed_until = None;
    recall.done_by_session_id = session;
    recall.closed_reason = reason;
    save(scope, recall, expected).await
}

/// The mutations of this module.
#[derive(Default)]
pub struct CallBackMutation;

#[Object]
impl CallBackMutation {
    /// Creates a recall of one patient by hand.
    async fn create_recall(&self, ctx: &Context<'_>, input: CreateRecallInput) -> Result<RecallPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let recall = input.read()?;
        let work = transaction(move |scope| Box::pin(create(scope, recall)));
        Ok(RecallPayload { recall: operation.mutate(retry, work).await? })
    }

    /// Makes a safety notice about a lot for every patient who received it in a session and has no live notice about
    /// it, all or none. Uses typed in by hand with the lot's number and product count too. BAD_USER_INPUT if there is
    /// nobody to notify.
    async fn create_safety_recall(
        &self,
        ctx: &Context<'_>,
        input: CreateSafetyRecallInput,
    ) -> Result<CreateSafetyRecallPayload> {
        let mut inputs = Inputs::new();
        let lot_id = inputs.id("lotId", RecordKind::ProductLot, &input.lot_id);
        let reason = inputs.text("reason", &input.reason, 500);
        let (due_from, due_until) = (today(), near(&mut inputs, "dueUntil", input.due_until.0));
        if due_until < due_from {
            inputs.fault("dueUntil", Code::InPast.says("is before today"));
        }
        inputs.finish()?;
        let operation = ctx.operation()?;
        let pattern = new_recall(Uuid::nil(), CallBackReason::SafetyNotice, reason, due_from, due_until);
        let work = transaction(move |scope| Box::pin(notify(scope, lot_id, pattern)));
        Ok(CreateSafetyRecallPayload { last: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Records an attempt to reach the patient.
    async fn log_recall_attempt(&self, ctx: &Context<'_>, input: LogRecallAttemptInput) -> Result<RecallPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::CallBack, &input.id);
        let attempt = Attempt {
            id: ids::new_id(),
            at: input.at.map_or_else(ids::now, |time| inputs.past_time("at", time.0)),
            by: Uuid::nil(),
            channel: input.channel,
            outcome: input.outcome,
            note: inputs.opt_text("note", input.note.as_deref(), 2000),
        };
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(log_attempt(scope, id, input.expected_version, attempt)));
        Ok(RecallPayload { recall: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Postpones a recall until a day. From that day on it is open again by itself.
    async fn snooze_recall(&self, ctx: &Context<'_>, input: SnoozeRecallInput) -> Result<RecallPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::CallBack, &input.id);
        let until = near(&mut inputs, "until", input.until.0);
        if until <= today() {
            inputs.fault("until", Code::InPast.says("must be after today"));
        }
        inputs.finish()?;
        let operation = ctx.operation()?;
        let expected = input.expected_version;
        let work = transaction(move |scope| {
            Box::pin(async move {
                let recall = live(scope, id, expected).await?;
                let after = CallBack { status: CallBackStatus::Snoozed, snoozed_until: Some(until), ..recall };
                save(scope, after, expected).await
            })
        });
        Ok(RecallPayload { recall: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Completes a recall, by the session that answers it or with a reason.
    async fn complete_recall(&self, ctx: &Context<'_>, input: CompleteRecallInput) -> Result<RecallPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::CallBack, &input.id);
        let session = inputs.opt_id("sessionId", RecordKind::TreatmentSession, input.session_id.as_ref());
        let reason = inputs.opt_text("reason", input.reason.as_deref(), 500);
        if session.is_none() && reason.is_none() {
            inputs.fault("reason", Code::Required.says("is missing: send it, or sessionId"));
        }
        inputs.finish()?;
        let operation = ctx.operation()?;
        let expected = input.expected_version;
        let work = transaction(move |scope| Box::pin(complete(scope, id, expected, session, reason)));
        Ok(RecallPayload { recall: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Dismisses a recall, with a reason.
    async fn dismiss_recall(&self, ctx: &Context<'_>, input: DismissRecallInput) -> Result<RecallPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::CallBack, &input.id);
        let reason = inputs.text("reason", &input.reason, 500);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let expected = input.expected_version;
        let work = transaction(move |scope| {
            Box::pin(async move {
                let recall = live(scope, id, expected).await?;
                let status = CallBackStatus::Dismissed;
                let after = CallBack { status, snoozed_until: None, closed_reason: Some(reason), ..recall };
                save(scope, after, expected).await
            })
        });
        Ok(RecallPayload { recall: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
