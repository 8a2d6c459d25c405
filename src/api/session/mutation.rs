//! Logging, starting, changing, completing, stopping and signing sessions.

use super::input::check_times;
use super::named::{check_links, fill_from_catalogue, follow_plan, links};
use super::request::{
    CompleteSessionInput, CompleteSessionPayload, LogSessionInput, LogSessionPayload, Overrides, SignSessionPayload,
    StartSessionInput, StartSessionPayload, StopSessionInput, StopSessionPayload, UpdateSessionInput,
    UpdateSessionPayload,
};
use crate::access::Scope;
use crate::api::signing::SignRecordInput;
use crate::call_back::due;
use crate::care::store as care;
use crate::error::{Code, Error};
use crate::ids;
use crate::operation::{Inputs, Running, transaction};
use crate::patient::store as patients;
use crate::record::Stamp;
use crate::session::{
    CheckVerdict, Content, KeptCheck, Override, Parts, SessionStatus, TreatmentSession, blocked, missing,
    one_reason_each, refuse_blocked, refuse_own_sign_off,
    store::{self, Replaced},
};
use crate::signing::{self, Given, store::judge_first};
use crate::supervision::store::{self as supervision, JustSigned};
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, Object, Result};
use uuid::Uuid;

/// Fills in what the input leaves to the plan and to the catalogue, checks the records it names, and reports every
/// fault at once.
pub(crate) async fn complete(
    scope: &mut Scope,
    session: &mut TreatmentSession,
    parts: &mut Parts,
) -> crate::error::Result<()> {
    if session.practitioner_id.is_nil() {
        session.practitioner_id = scope.viewer().author()?;
    }
    let patient = patients::active_patient(scope, session.patient_id, "input.patientId").await?;
    patient.lived_on(session.started_at.date_naive(), "input.startedAt")?;
    check_links(scope, session, "").await?;
    follow_plan(scope, session).await?;
    if session.protocol_version_id.is_none()
        && let Ok(only) = care::only_published(scope, session.modality).await?
    {
        session.protocol_version_id = Some(only.id);
    }
    fill_from_catalogue(scope, session, Some(parts), "").await
}

/// Updates the recalls of the session's plan.
async fn refresh_recalls(scope: &mut Scope, session: &TreatmentSession) -> crate::error::Result<()> {
    let Some(plan) = session.plan_id else { return Ok(()) };
    let done = (session.status == SessionStatus::Completed).then_some(session.id);
    due::refresh(scope, plan, done).await
}

/// Records the reasons for continuing at those checks of a session that warn, each at one. CONFLICT for a reason whose
/// answer does not exist.
fn note_overrides(id: Uuid, checks: &mut [KeptCheck], overrides: Overrides, by: Uuid) -> crate::error::Result<()> {
    for (i, given) in overrides.into_iter().enumerate() {
        let seen = |it: &KeptCheck| given.check.as_ref().is_none_or(|check| it.id(id) == *check);
        let warned = checks.iter_mut();
        let warned = warned.filter(|it| it.rule == given.rule && it.verdict == CheckVerdict::Warn && seen(it));
        let mut warned: Vec<&mut KeptCheck> = warned.collect();
        if warned.len() > 1 {
            return Err(Error::input(
                format!("input.overrides.{i}.checkId"),
                Code::TooMany.says(one_reason_each(warned.len())).with("count", warned.len()).with("max", 1),
            ));
        }
        match warned.pop() {
            Some(check) => {
                let reason = given.reason;
                check.overridden = Some(Override { reason, by, supervisor_id: None, at: ids::now() });
            }
            None if given.check.is_some() => return Err(crate::session::answers_changed()),
            None => {}
        }
    }
    Ok(())
}

/// What to do about a block before a treatment.
const PREPARE: &str = "Start it as PREPARATION and have a supervising prescriber sign it off (signOffSessionCheck)";

/// Adds a new session, logged or started.
async fn add(
    scope: &mut Scope,
    mut session: TreatmentSession,
    mut parts: Parts,
    overrides: Overrides,
) -> crate::error::Result<TreatmentSession> {
    scope.viewer().check(Action::Create, RecordKind::TreatmentSession)?;
    let author = scope.viewer().author()?;
    session.stamp = Stamp::new(Some(author), ids::now());
    complete(scope, &mut session, &mut parts).await?;
    parts.checks = care::evaluate(scope, &session, &parts).await?;
    note_overrides(session.id, &mut parts.checks, overrides, author)?;
    // A treatment that took place is recorded whatever the rules say; one that is only beginning can still be stopped.
    if session.status == SessionStatus::InProgress {
        refuse_blocked(session.id, &parts.checks, PREPARE)?;
    }
    store::add(scope, &session, &parts).await?;
    refresh_recalls(scope, &session).await?;
    Ok(session)
}

/// The draft to be edited, at the expected version.
async fn draft(scope: &mut Scope, action: Action, id: Uuid, expected: i32) -> crate::error::Result<TreatmentSession> {
    scope.viewer().check(action, RecordKind::TreatmentSession)?;
    let session = store::session(scope, id).await?;
    signing::editable("treatment session", session.signature.as_ref(), session.stamp.version, expected)?;
    Ok(session)
}

/// What to do about a block on a session that ends without having begun.
const NOT_BEGUN: &str = "It was not begun: have a supervising prescriber sign it off (signOffSessionCheck), or, if it did \
    not take place, make it NOT_DONE (updateSession). A treatment that was done without being begun here is written down \
    with logSession";

/// Ends a session as completed or stopped. One that is completed out of its preparation begins at the same time, so it must
/// be allowed to begin; one that is stopped there did not take place.
async fn end(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    change: impl FnOnce(&mut TreatmentSession),
) -> crate::error::Result<TreatmentSession> {
    let mut session = draft(scope, Action::Update, id, expected).await?;
    if session.status.is_over() {
        return Err(Error::input(
            "input.id",
            Code::Done.says(format!("this session is {} already", session.status.words())),
        ));
    }
    let begun = session.status != SessionStatus::Preparation;
    change(&mut session);
    let takes_place = session.status != SessionStatus::NotDone;
    session.stamp = session.stamp.changed(scope.viewer().staff, ids::now());
    let mut inputs = Inputs::new();
    check_times(&mut inputs, "", session.started_at, session.ended_at);
    inputs.finish()?;
    let old = store::parts(scope, id).await?;
    let mut parts = old.clone();
    if !begun {
        parts.checks = care::evaluate(scope, &session, &parts).await?;
    }
    if !begun && takes_place {
        care::drop_lapsed(scope, &session, &mut parts.checks).await?;
        refuse_blocked(id, &parts.checks, NOT_BEGUN)?;
    }
    if takes_place {
        refuse_own_sign_off(&parts.checks, scope.viewer().staff, "its practitioner completes or stops it")?;
    }
    store::save(scope, Action::Update, &session, expected, Replaced { old: &old, new: &parts }).await?;
    refresh_recalls(scope, &session).await?;
    Ok(session)
}

/// Who signs a session instead of the person who signed off a block of it.
const OTHER_SIGNS: &str =
    "its practitioner signs it as AUTHOR; after that you co-sign it (countersignRecord) or add to it (addAddendum)";
/// What to do about a block before a signature.
const SIGN_OFF: &str = "A supervising prescriber signs it off with signOffSessionCheck";

/// Evaluates the care rules again with the present facts and refuses while an answer is not settled. An answer that the
/// signer's version of the session does not have is PROTOCOL_BLOCKED with its id, even if it is a warning: it was never
/// shown.
async fn ask_again(
    scope: &mut Scope,
    session: &TreatmentSession,
    parts: &mut Parts,
    lacks: &mut signing::Missing,
) -> crate::error::Result<()> {
    let now = care::evaluate(scope, session, parts).await?;
    let shown = std::mem::replace(&mut parts.checks, now);
    let open = |it: &&KeptCheck| !it.is_settled();
    let new: Vec<&KeptCheck> =
        parts.checks.iter().filter(open).filter(|it| !shown.iter().any(|old| old.is_same(it))).collect();
    if !new.is_empty() {
        let why = "what the care rules say has changed since this session was saved";
        let what_to_do = "Settle each answer by its id (checkId of overrideSessionCheck or signOffSessionCheck)";
        return Err(blocked(session.id, &parts.checks, &new, why, what_to_do));
    }
    for check in parts.checks.iter().filter(open).filter(|it| it.verdict == CheckVerdict::Warn) {
        let place = shown.iter().position(|old| old.is_same(check)).unwrap_or_default();
        let message = format!("{}: give a reason with overrideSessionCheck", check.cause);
        lacks.unless(false, &format!("checks.{place}"), &message);
    }
    Ok(())
}

/// Signs a session if it is complete.
async fn sign(scope: &mut Scope, id: Uuid, expected: i32, given: Given) -> crate::error::Result<TreatmentSession> {
    // Locked before anything is read, so that what is signed is the content at the time of signing.
    store::hold(scope, id).await?;
    let mut session = draft(scope, Action::Sign, id, expected).await?;
    let signer = scope.viewer().author()?;
    let old = store::parts(scope, id).await?;
    let mut parts = old.clone();
    let mut lacks = missing(&session, &parts);
    judge_first(scope, &mut lacks, &given, signer, session.practitioner_id).await?;
    ask_again(scope, &session, &mut parts, &mut lacks).await?;
    // Their signature would be the first: that of who answers for the treatment.
    refuse_own_sign_off(&parts.checks, Some(signer), OTHER_SIGNS)?;
    lacks.into_result()?;
    refuse_blocked(session.id, &parts.checks, SIGN_OFF)?;
    let now = ids::now();
    session.stamp = session.stamp.changed(Some(signer), now);
    let content = Content { session: &session, parts: &parts };
    session.signature = Some(signing::sign(&content, signer, now, given)?);
    store::save(scope, Action::Sign, &session, expected, Replaced { old: &old, new: &parts }).await?;
    if let Some(signature) = &session.signature {
        let (patient, location) = (session.patient_id, Some(session.location_id));
        let record = (RecordKind::TreatmentSession, id);
        supervision::draw(scope, JustSigned { patient, record, location, signature }).await?;
    }
    Ok(session)
}

/// The mutations of this module.
#[derive(Default)]
pub struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Logs a whole session in one call: the session, its areas and its products.
    async fn log_session(&self, ctx: &Context<'_>, input: LogSessionInput) -> Result<LogSessionPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let (session, parts, overrides) = input.read()?;
        let work = transaction(move |scope| Box::pin(add(scope, session, parts, overrides)));
        Ok(LogSessionPayload { session: operation.mutate(retry, work).await? })
    }

    /// Starts a session, or prepares one.
    async fn start_session(&self, ctx: &Context<'_>, input: StartSessionInput) -> Result<StartSessionPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let (session, parts, overrides) = input.read()?;
        let work = transaction(move |scope| Box::pin(add(scope, session, parts, overrides)));
        Ok(StartSessionPayload { session: operation.mutate(retry, work).await? })
    }

    /// Changes a session that is not signed.
    async fn update_session(&self, ctx: &Context<'_>, input: UpdateSessionInput) -> Result<UpdateSessionPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::TreatmentSession, &input.id);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let (expected, patch) = (input.expected_version, input.patch);
        let work = transaction(move |scope| {
            Box::pin(async move {
                let before = draft(scope, Action::Update, id, expected).await?;
                let old = store::parts(scope, id).await?;
                let (mut after, mut patched) = patch.apply(&before, old.clone())?;
                signing::refuse_taking(before.practitioner_id, after.practitioner_id, scope.viewer().staff)?;
                after.stamp = before.stamp.changed(scope.viewer().staff, ids::now());
                if before.plan_id != after.plan_id {
                    if before.plan_id.is_some() {
                        let message = "can't be changed: the session is of a plan already";
                        return Err(Error::input("input.patch.planId", Code::WrongState.says(message)));
                    }
                    after.protocol_version_id = None;
                    follow_plan(scope, &mut after).await?;
                }
                if before.started_at != after.started_at {
                    let patient = patients::patient(scope, after.patient_id).await?;
                    patient.lived_on(after.started_at.date_naive(), "input.patch.startedAt")?;
                }
                if links(&before) != links(&after) {
                    check_links(scope, &after, "patch.").await?;
                }
                fill_from_catalogue(scope, &mut after, patched.as_mut(), "patch.").await?;
                let mut parts = patched.unwrap_or_else(|| old.clone());
                if before.modality != after.modality {
                    // The settled answers were for another kind of treatment.
                    parts.checks.clear();
                }
                parts.checks = care::evaluate(scope, &after, &parts).await?;
                if before.status == SessionStatus::Preparation {
                    care::drop_lapsed(scope, &after, &mut parts.checks).await?;
                }
                if after.status == SessionStatus::InProgress && before.status != SessionStatus::InProgress {
                    refuse_blocked(id, &parts.checks, PREPARE)?;
                    refuse_own_sign_off(&parts.checks, scope.viewer().staff, "its practitioner begins it")?;
                }
                store::save(scope, Action::Update, &after, expected, Replaced { old: &old, new: &parts }).await?;
                refresh_recalls(scope, &after).await?;
                Ok(after)
            })
        });
        Ok(UpdateSessionPayload { session: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Completes a session that is under way.
    async fn complete_session(&self, ctx: &Context<'_>, input: CompleteSessionInput) -> Result<CompleteSessionPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::TreatmentSession, &input.id);
        let ended_at = input.ended_at.map_or_else(ids::now, |time| inputs.past_time("endedAt", time.0));
        let pain = inputs.small("painScore", input.pain_score, 0, 10);
        let reaction = inputs.opt_text("immediateReaction", input.immediate_reaction.as_deref(), 2000);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| {
            Box::pin(end(scope, id, input.expected_version, move |session| {
                session.status = SessionStatus::Completed;
                session.ended_at = Some(ended_at);
                session.pain_score = pain.or(session.pain_score);
                session.immediate_reaction = reaction.or_else(|| session.immediate_reaction.take());
            }))
        });
        Ok(CompleteSessionPayload { session: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Stops a session before it is complete, with a reason. One that is stopped in preparation, before a needle touched the
    /// skin, is NOT_DONE: it has no end, no aftercare, and no interval counts from it.
    async fn stop_session(&self, ctx: &Context<'_>, input: StopSessionInput) -> Result<StopSessionPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::TreatmentSession, &input.id);
        let ended_at = input.ended_at.map_or_else(ids::now, |time| inputs.past_time("endedAt", time.0));
        let reason = inputs.text("reason", &input.reason, 2000);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| {
            Box::pin(end(scope, id, input.expected_version, move |session| {
                let begun = session.status != SessionStatus::Preparation;
                session.status = if begun { SessionStatus::Stopped } else { SessionStatus::NotDone };
                session.ended_at = begun.then_some(ended_at);
                session.stop_reason = Some(reason);
            }))
        });
        Ok(StopSessionPayload { session: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Signs a session. After that it takes no changes, only addenda. If anything is missing, the error names all of it
    /// at once.
    async fn sign_session(&self, ctx: &Context<'_>, input: SignRecordInput) -> Result<SignSessionPayload> {
        let (id, expected, given) = input.read(RecordKind::TreatmentSession)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(sign(scope, id, expected, given)));
        Ok(SignSessionPayload { session: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
