//! Logging, starting, changing, completing, stopping and signing sessions.

use super::input::{
    DeviceUseInput, ProductUseInput, SessionAreaInput, TopicalAnaestheticInput, check_area, check_times, read_parts,
};
use super::{
    CheckRule, CheckVerdict, DeviceUse, KeptCheck, Modality, Override, Parts, SessionStatus, TreatmentSession, missing,
    refuse_blocked, store,
};
use crate::access::Scope;
use crate::care::store as care;
use crate::catalogue::{Device, Product, ProductLot};
use crate::error::{Error, Faults};
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::organisation::store as people;
use crate::page::listing;
use crate::patient::store as patients;
use crate::plan::{TreatmentPlan, TreatmentPlanStatus};
use crate::protocol::{ProtocolVersion, VersionStatus};
use crate::recall::due;
use crate::record::Stamp;
use crate::scalars::DateTime;
use crate::signing::{self, graphql::SignRecordInput};
use crate::vocabulary::{Action, RecordKind, SignatureMeaning, StaffRole};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use uuid::Uuid;

/// A reason for going on in spite of what a rule WARNs of. A BLOCK takes a supervising prescriber: signOffSessionCheck.
#[derive(InputObject)]
pub struct CheckOverrideInput {
    /// The rule.
    rule: CheckRule,
    /// Why, at most 2,000 characters.
    reason: String,
}

/// Logs a whole session in one call, the way a practitioner works after the fact.
#[derive(InputObject)]
pub struct LogSessionInput {
    /// An id the client made (`session_…` of a UUIDv7): makes a retry safe.
    id: Option<ID>,
    /// `patient_…`
    patient_id: ID,
    /// `location_…`
    location_id: ID,
    /// Who treated, if not the sender.
    practitioner_id: Option<ID>,
    /// Who supervised.
    supervisor_id: Option<ID>,
    /// The plan it is a session of, `plan_…`: its protocol is the session's.
    plan_id: Option<ID>,
    /// The published version of a protocol to check it against, if it is of no plan, `protocol_version_…`.
    protocol_version_id: Option<ID>,
    /// Reasons for going on in spite of what rules WARN of.
    #[graphql(default)]
    overrides: Vec<CheckOverrideInput>,
    /// When it began.
    started_at: DateTime,
    /// When it ended. With an end the session is COMPLETED, without one IN_PROGRESS.
    ended_at: Option<DateTime>,
    /// The kind of treatment.
    modality: Modality,
    /// The device.
    device: Option<DeviceUseInput>,
    /// How the skin was prepared.
    skin_preparation: Option<String>,
    /// What the needles glided on.
    glide: Option<String>,
    /// The numbing cream.
    anaesthetic: Option<TopicalAnaestheticInput>,
    /// The treated areas, at most 40.
    #[graphql(default)]
    areas: Vec<SessionAreaInput>,
    /// The products that were used, at most 40.
    #[graphql(default)]
    products: Vec<ProductUseInput>,
    /// Pain as the patient put it, 0 (none) to 10.
    pain_score: Option<i32>,
    /// What the skin did at once.
    immediate_reaction: Option<String>,
    /// Remarks, at most 20,000 characters.
    note: Option<String>,
}

/// The logged session.
#[derive(SimpleObject)]
pub struct LogSessionPayload {
    /// It.
    session: TreatmentSession,
}

/// Starts a session; the rest is filled in as it goes.
#[derive(InputObject)]
pub struct StartSessionInput {
    /// An id the client made (`session_…` of a UUIDv7): makes a retry safe.
    id: Option<ID>,
    /// `patient_…`
    patient_id: ID,
    /// `location_…`
    location_id: ID,
    /// Who treats, if not the sender.
    practitioner_id: Option<ID>,
    /// Who supervises.
    supervisor_id: Option<ID>,
    /// The plan it is a session of, `plan_…`: its protocol is the session's.
    plan_id: Option<ID>,
    /// The published version of a protocol to check it against, if it is of no plan, `protocol_version_…`.
    protocol_version_id: Option<ID>,
    /// Reasons for going on in spite of what rules WARN of.
    #[graphql(default)]
    overrides: Vec<CheckOverrideInput>,
    /// The areas that are to be treated, at most 40: the interval since their last session is checked.
    #[graphql(default)]
    areas: Vec<SessionAreaInput>,
    /// When it began; now when absent.
    started_at: Option<DateTime>,
    /// The kind of treatment.
    modality: Modality,
    /// The device.
    device: Option<DeviceUseInput>,
    /// IN_PROGRESS, or PREPARATION before the treatment itself begins.
    #[graphql(default_with = "SessionStatus::InProgress")]
    status: SessionStatus,
}

/// The started session.
#[derive(SimpleObject)]
pub struct StartSessionPayload {
    /// It.
    session: TreatmentSession,
}

/// Changes to a session. An absent field stays, null clears; `areas` and `products` take the place of all there were.
#[derive(InputObject)]
pub struct SessionPatch {
    /// `location_…`
    location_id: Option<ID>,
    /// Who treated.
    practitioner_id: Option<ID>,
    /// Who supervised.
    supervisor_id: MaybeUndefined<ID>,
    /// The plan it is a session of, `plan_…`, for one that was logged without.
    plan_id: Option<ID>,
    /// PREPARATION to IN_PROGRESS or NOT_DONE, IN_PROGRESS to ON_HOLD, ON_HOLD to IN_PROGRESS or NOT_DONE, anything to
    /// ENTERED_IN_ERROR. Completing and stopping have mutations of their own.
    status: Option<SessionStatus>,
    /// When it began.
    started_at: Option<DateTime>,
    /// When it ended.
    ended_at: MaybeUndefined<DateTime>,
    /// The kind of treatment.
    modality: Option<Modality>,
    /// The device.
    device: MaybeUndefined<DeviceUseInput>,
    /// How the skin was prepared.
    skin_preparation: MaybeUndefined<String>,
    /// What the needles glided on.
    glide: MaybeUndefined<String>,
    /// The numbing cream.
    anaesthetic: MaybeUndefined<TopicalAnaestheticInput>,
    /// The treated areas, all of them, at most 40.
    areas: Option<Vec<SessionAreaInput>>,
    /// The products that were used, all of them, at most 40.
    products: Option<Vec<ProductUseInput>>,
    /// Pain as the patient put it, 0 (none) to 10.
    pain_score: MaybeUndefined<i32>,
    /// What the skin did at once.
    immediate_reaction: MaybeUndefined<String>,
    /// Remarks, at most 20,000 characters.
    note: MaybeUndefined<String>,
}

/// Changes a session that is not signed.
#[derive(InputObject)]
pub struct UpdateSessionInput {
    /// `session_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// The changes.
    patch: SessionPatch,
}

/// The changed session.
#[derive(SimpleObject)]
pub struct UpdateSessionPayload {
    /// It, after the change.
    session: TreatmentSession,
}

/// Completes a session.
#[derive(InputObject)]
pub struct CompleteSessionInput {
    /// `session_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// When it ended; now when absent.
    ended_at: Option<DateTime>,
    /// Pain as the patient put it, 0 (none) to 10.
    pain_score: Option<i32>,
    /// What the skin did at once.
    immediate_reaction: Option<String>,
}

/// The completed session.
#[derive(SimpleObject)]
pub struct CompleteSessionPayload {
    /// It.
    session: TreatmentSession,
}

/// Stops a session before it is complete.
#[derive(InputObject)]
pub struct StopSessionInput {
    /// `session_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// When it ended; now when absent.
    ended_at: Option<DateTime>,
    /// Why.
    reason: String,
}

/// The stopped session.
#[derive(SimpleObject)]
pub struct StopSessionPayload {
    /// It.
    session: TreatmentSession,
}

/// The signed session.
#[derive(SimpleObject)]
pub struct SignSessionPayload {
    /// It.
    session: TreatmentSession,
}

impl LogSessionInput {
    /// The session, its parts and the reasons for going on.
    pub(crate) fn read(self) -> crate::error::Result<(TreatmentSession, Parts, Overrides)> {
        let mut inputs = Inputs::new();
        let overrides = self.overrides.iter().enumerate();
        let overrides: Overrides = overrides
            .map(|(i, it)| (it.rule, inputs.text(&format!("overrides.{i}.reason"), &it.reason, 2000)))
            .collect();
        let parts = read_parts(&mut inputs, "", &self.areas, &self.products, self.modality);
        let started_at = inputs.past_time("startedAt", self.started_at.0);
        let ended_at = self.ended_at.map(|time| inputs.past_time("endedAt", time.0));
        check_times(&mut inputs, "", started_at, ended_at);
        let device = self.device.map(|device| device.read(&mut inputs, "device"));
        let device_id = device.as_ref().and_then(|(_, id)| *id);
        let session = TreatmentSession {
            id: inputs.new_id(RecordKind::TreatmentSession, self.id.as_ref()),
            patient_id: inputs.id("patientId", RecordKind::Patient, &self.patient_id),
            practitioner_id: inputs
                .opt_id("practitionerId", RecordKind::Staff, self.practitioner_id.as_ref())
                .unwrap_or_default(),
            supervisor_id: inputs.opt_id("supervisorId", RecordKind::Staff, self.supervisor_id.as_ref()),
            location_id: inputs.id("locationId", RecordKind::Location, &self.location_id),
            status: if ended_at.is_some() { SessionStatus::Completed } else { SessionStatus::InProgress },
            started_at,
            ended_at,
            modality: self.modality,
            device: device.map(|(device, _)| device),
            skin_preparation: inputs.opt_text("skinPreparation", self.skin_preparation.as_deref(), 500),
            glide: inputs.opt_text("glide", self.glide.as_deref(), 200),
            anaesthetic: self.anaesthetic.map(|cream| cream.read(&mut inputs, "anaesthetic")),
            pain_score: inputs.small("painScore", self.pain_score, 0, 10),
            immediate_reaction: inputs.opt_text("immediateReaction", self.immediate_reaction.as_deref(), 2000),
            note: inputs.opt_text("note", self.note.as_deref(), 20_000),
            stop_reason: None,
            plan_id: inputs.opt_id("planId", RecordKind::TreatmentPlan, self.plan_id.as_ref()),
            protocol_version_id: inputs.opt_id(
                "protocolVersionId",
                RecordKind::ProtocolVersion,
                self.protocol_version_id.as_ref(),
            ),
            device_id,
            checks: Vec::new(),
            stamp: Stamp::new(None, ids::now()),
            signature: None,
            kept_parts: None,
        };
        inputs.finish()?;
        Ok((session, parts, overrides))
    }
}

/// The reasons for going on that came with a session, by rule.
pub(crate) type Overrides = Vec<(CheckRule, String)>;

/// Fills in what a session's input left to its plan and to the catalogue, and checks what it names; every fault at once.
pub(crate) async fn complete(
    scope: &mut Scope,
    session: &mut TreatmentSession,
    parts: &mut Parts,
) -> crate::error::Result<()> {
    if session.practitioner_id.is_nil() {
        session.practitioner_id = scope.viewer().author()?;
    }
    patients::active_patient(scope, session.patient_id, "input.patientId").await?;
    check_links(scope, session, "").await?;
    follow_plan(scope, session).await?;
    fill_from_catalogue(scope, session, Some(parts), "").await
}

/// Takes the protocol of the plan, or checks the one that was given.
async fn follow_plan(scope: &mut Scope, session: &mut TreatmentSession) -> crate::error::Result<()> {
    let given = session.protocol_version_id;
    if let Some(id) = session.plan_id {
        let plan = listing::by_ids::<TreatmentPlan>(scope, &[id]).await?.pop();
        let plan = plan.filter(|plan| plan.patient_id == session.patient_id);
        let plan = plan.ok_or_else(|| Error::input("input.planId", "is not a plan of this patient"))?;
        if plan.status != TreatmentPlanStatus::Active {
            let message = format!("is {}: take it up again first (changeTreatmentPlanStatus)", plan.status.words());
            return Err(Error::input("input.planId", message));
        }
        if given.is_some_and(|given| given != plan.protocol_version_id) {
            let message = "is not the plan's: leave it out, or change the plan's course (changeTreatmentCourse)";
            return Err(Error::input("input.protocolVersionId", message));
        }
        session.protocol_version_id = Some(plan.protocol_version_id);
    } else if let Some(given) = given {
        let version = listing::by_ids::<ProtocolVersion>(scope, &[given]).await?.pop();
        if version.is_none_or(|version| version.status != VersionStatus::Published) {
            return Err(Error::input("input.protocolVersionId", "is not a published version of a protocol"));
        }
    }
    Ok(())
}

/// Brings the recalls of the session's plan in line.
async fn refresh_recalls(scope: &mut Scope, session: &TreatmentSession) -> crate::error::Result<()> {
    let Some(plan) = session.plan_id else { return Ok(()) };
    let done = (session.status == SessionStatus::Completed).then_some(session.id);
    due::refresh(scope, plan, done).await
}

/// Notes the reasons for going on at the checks that warn.
fn note_overrides(session: &mut TreatmentSession, overrides: Overrides, by: Uuid) {
    for (rule, reason) in overrides {
        let warned = |it: &&mut KeptCheck| it.rule == rule && it.verdict == CheckVerdict::Warn;
        for check in session.checks.iter_mut().filter(warned) {
            check.overridden = Some(Override { reason: reason.clone(), by, supervisor_id: None, at: ids::now() });
        }
    }
}

/// What to do about a block before a treatment.
const PREPARE: &str = "Start it as PREPARATION and have a supervising prescriber sign it off (signOffSessionCheck)";

/// The people and the place that a session names.
fn links(session: &TreatmentSession) -> (Uuid, Option<Uuid>, Uuid) {
    (session.practitioner_id, session.supervisor_id, session.location_id)
}

/// Checks the people and the place that a session names; every fault at once.
async fn check_links(scope: &mut Scope, session: &TreatmentSession, prefix: &str) -> crate::error::Result<()> {
    let mut faults = Faults::default();
    let mut wanted = vec![session.practitioner_id];
    wanted.extend(session.supervisor_id);
    let staff = people::staff(scope, &wanted).await?;
    let people_of = [(Some(session.practitioner_id), "practitionerId"), (session.supervisor_id, "supervisorId")];
    for (id, path) in people_of.into_iter().filter_map(|(id, path)| Some((id?, path))) {
        match staff.iter().find(|member| member.id == id) {
            Some(member) if member.role == StaffRole::Practitioner && member.active => {}
            Some(_) => faults.add(format!("input.{prefix}{path}"), "must be an active practitioner"),
            None => faults.add(format!("input.{prefix}{path}"), "is nobody who works here"),
        }
    }
    let location = people::locations(scope, &[session.location_id]).await?.into_iter().next();
    if !location.is_some_and(|location| location.active) {
        faults.add(format!("input.{prefix}locationId"), "is not an active location of this organisation");
    }
    faults.into_result()
}

/// Fills in what the catalogue says of a device and of lots that an input named by id; what has its words already stays.
async fn fill_from_catalogue(
    scope: &mut Scope,
    session: &mut TreatmentSession,
    parts: Option<&mut Parts>,
    prefix: &str,
) -> crate::error::Result<()> {
    let mut faults = Faults::default();
    if let Some((id, device)) = session.device_id.zip(session.device.as_mut()).filter(|(_, it)| it.model.is_empty()) {
        match listing::by_ids::<Device>(scope, &[id]).await?.into_iter().next() {
            Some(found) => *device = DeviceUse { model: found.model, serial: found.serial, kind: found.kind },
            None => faults.add(format!("input.{prefix}device.deviceId"), "is not a device of this organisation"),
        }
    }
    let products = parts.map(|parts| parts.products.as_mut_slice()).unwrap_or_default();
    let wanted: Vec<Uuid> = products.iter().filter(|it| it.product.is_empty()).filter_map(|it| it.lot_id).collect();
    if !wanted.is_empty() {
        let lots = listing::by_ids::<ProductLot>(scope, &wanted).await?;
        let of: Vec<Uuid> = lots.iter().map(|lot| lot.product_id).collect();
        let catalogue = listing::by_ids::<Product>(scope, &of).await?;
        for (i, used) in products.iter_mut().enumerate().filter(|(_, used)| used.product.is_empty()) {
            let lot = lots.iter().find(|lot| Some(lot.id) == used.lot_id);
            match lot.and_then(|lot| Some((lot, catalogue.iter().find(|product| product.id == lot.product_id)?))) {
                Some((lot, product)) => {
                    used.product.clone_from(&product.name);
                    used.manufacturer.clone_from(&product.manufacturer);
                    used.lot = Some(lot.lot.clone());
                    used.expires_on = lot.expires_on;
                    used.intradermal_use = product.intradermal_use;
                }
                None => faults.add(format!("input.{prefix}products.{i}.lotId"), "is not a lot of this organisation"),
            }
        }
    }
    faults.into_result()
}

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
    session.checks = care::evaluate(scope, &session, &parts).await?;
    note_overrides(&mut session, overrides, author);
    // What was done is written down whatever the rules say; what is only beginning can still be stopped.
    if session.status == SessionStatus::InProgress {
        refuse_blocked(&session.checks, PREPARE)?;
    }
    store::add(scope, &session, &parts).await?;
    refresh_recalls(scope, &session).await?;
    Ok(session)
}

/// The draft that an edit was made for, at the version it expects.
async fn draft(scope: &mut Scope, action: Action, id: Uuid, expected: i32) -> crate::error::Result<TreatmentSession> {
    scope.viewer().check(action, RecordKind::TreatmentSession)?;
    let session = store::session(scope, id).await?;
    signing::editable("treatment session", session.signature.as_ref(), session.stamp.version, expected)?;
    Ok(session)
}

/// Ends a session that is under way, as completed or stopped.
async fn end(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    change: impl FnOnce(&mut TreatmentSession),
) -> crate::error::Result<TreatmentSession> {
    let mut session = draft(scope, Action::Update, id, expected).await?;
    if session.status.is_over() {
        return Err(Error::input("input.id", format!("this session is {} already", session.status.words())));
    }
    change(&mut session);
    session.stamp = session.stamp.changed(scope.viewer().staff, ids::now());
    let mut inputs = Inputs::new();
    check_times(&mut inputs, "", session.started_at, session.ended_at);
    inputs.finish()?;
    store::save(scope, Action::Update, &session, expected, None).await?;
    refresh_recalls(scope, &session).await?;
    Ok(session)
}

/// Signs a session that lacks nothing.
async fn sign(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    meaning: SignatureMeaning,
) -> crate::error::Result<TreatmentSession> {
    let mut session = draft(scope, Action::Sign, id, expected).await?;
    let signer = scope.viewer().author()?;
    let parts = store::parts(scope, id).await?;
    let mut lacks = missing(&session, &parts);
    let may = match meaning {
        SignatureMeaning::Author => session.practitioner_id == signer,
        SignatureMeaning::Supervisor => session.supervisor_id == Some(signer),
        SignatureMeaning::Reviewer => session.practitioner_id != signer,
    };
    lacks.unless(
        may,
        "input.meaning",
        "AUTHOR is for the session's practitioner, SUPERVISOR for its supervisor, REVIEWER for another practitioner",
    );
    for (i, check) in session.checks.iter().enumerate().filter(|(_, it)| it.verdict == CheckVerdict::Warn) {
        let message = format!("{}: give a reason with overrideSessionCheck", check.cause);
        lacks.unless(check.is_settled(), &format!("checks.{i}"), &message);
    }
    lacks.into_result()?;
    refuse_blocked(&session.checks, "A supervising prescriber signs it off with signOffSessionCheck")?;
    let now = ids::now();
    session.stamp = session.stamp.changed(Some(signer), now);
    let content = super::Content { session: &session, areas: &parts.areas, products: &parts.products };
    session.signature = Some(signing::sign(&content, signer, now, meaning)?);
    store::save(scope, Action::Sign, &session, expected, None).await?;
    Ok(session)
}

/// The mutations of this slice.
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
        let whole = LogSessionInput {
            id: input.id,
            patient_id: input.patient_id,
            location_id: input.location_id,
            practitioner_id: input.practitioner_id,
            supervisor_id: input.supervisor_id,
            plan_id: input.plan_id,
            protocol_version_id: input.protocol_version_id,
            overrides: input.overrides,
            started_at: input.started_at.unwrap_or_else(|| DateTime(ids::now())),
            ended_at: None,
            modality: input.modality,
            device: input.device,
            skin_preparation: None,
            glide: None,
            anaesthetic: None,
            areas: input.areas,
            products: Vec::new(),
            pain_score: None,
            immediate_reaction: None,
            note: None,
        };
        if !matches!(input.status, SessionStatus::InProgress | SessionStatus::Preparation) {
            return Err(Error::input("input.status", "must be IN_PROGRESS or PREPARATION").into());
        }
        let (mut session, parts, overrides) = whole.read()?;
        session.status = input.status;
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
                let old_parts = store::parts(scope, id).await?;
                let unchanged = old_parts.clone();
                let (mut after, mut parts) = patch.apply(&before, old_parts)?;
                after.stamp = before.stamp.changed(scope.viewer().staff, ids::now());
                if before.plan_id != after.plan_id {
                    if before.plan_id.is_some() {
                        let message = "can't be changed: the session is of a plan already";
                        return Err(Error::input("input.patch.planId", message));
                    }
                    after.protocol_version_id = None;
                    follow_plan(scope, &mut after).await?;
                }
                if links(&before) != links(&after) {
                    check_links(scope, &after, "patch.").await?;
                }
                fill_from_catalogue(scope, &mut after, parts.as_mut(), "patch.").await?;
                let now = parts.as_ref().unwrap_or(&unchanged);
                after.checks = care::evaluate(scope, &after, now).await?;
                if after.status == SessionStatus::InProgress && before.status != SessionStatus::InProgress {
                    refuse_blocked(&after.checks, PREPARE)?;
                }
                store::save(scope, Action::Update, &after, expected, parts.as_ref()).await?;
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

    /// Stops a session before it is complete, and says why.
    async fn stop_session(&self, ctx: &Context<'_>, input: StopSessionInput) -> Result<StopSessionPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::TreatmentSession, &input.id);
        let ended_at = input.ended_at.map_or_else(ids::now, |time| inputs.past_time("endedAt", time.0));
        let reason = inputs.text("reason", &input.reason, 2000);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| {
            Box::pin(end(scope, id, input.expected_version, move |session| {
                session.status = SessionStatus::Stopped;
                session.ended_at = Some(ended_at);
                session.stop_reason = Some(reason);
            }))
        });
        Ok(StopSessionPayload { session: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Signs a session. From then on it takes no change, only addenda. Everything that is missing is told at once.
    async fn sign_session(&self, ctx: &Context<'_>, input: SignRecordInput) -> Result<SignSessionPayload> {
        let (id, expected, meaning) = input.read(RecordKind::TreatmentSession)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(sign(scope, id, expected, meaning)));
        Ok(SignSessionPayload { session: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}

impl SessionPatch {
    /// The session after the patch, and its parts if the patch replaces them; every fault at once.
    fn apply(self, before: &TreatmentSession, old: Parts) -> crate::error::Result<(TreatmentSession, Option<Parts>)> {
        let mut inputs = Inputs::new();
        let status = self.status.unwrap_or(before.status);
        if !before.status.may_become(status) {
            inputs.fault(
                "patch.status",
                format!("can't go from {} to {} by an edit", before.status.words(), status.words()),
            );
        }
        let modality = self.modality.unwrap_or(before.modality);
        if self.areas.is_none() {
            // The areas that stay must suit the kind of treatment that comes.
            for (i, area) in old.areas.iter().enumerate() {
                check_area(&mut inputs, &format!("patch.areas.{i}"), area, modality);
            }
        }
        let parts = (self.areas.is_some() || self.products.is_some()).then(|| {
            let read = read_parts(
                &mut inputs,
                "patch.",
                self.areas.as_deref().unwrap_or_default(),
                self.products.as_deref().unwrap_or_default(),
                modality,
            );
            Parts {
                areas: if self.areas.is_some() { read.areas } else { old.areas },
                products: if self.products.is_some() { read.products } else { old.products },
            }
        });
        let ended_at =
            inputs.patch("patch.endedAt", self.ended_at, |inputs, path, time| Some(inputs.past_time(path, time.0)));
        let supervisor = inputs.patch("patch.supervisorId", self.supervisor_id, |inputs, path, id| {
            Some(inputs.id(path, RecordKind::Staff, &id))
        });
        let pain = inputs
            .patch("patch.painScore", self.pain_score, |inputs, path, score| inputs.small(path, Some(score), 0, 10));
        let preparation = inputs.patch_text("patch.skinPreparation", self.skin_preparation, 500);
        let glide = inputs.patch_text("patch.glide", self.glide, 200);
        let reaction = inputs.patch_text("patch.immediateReaction", self.immediate_reaction, 2000);
        let note = inputs.patch_text("patch.note", self.note, 20_000);
        let (device, device_id) = match self.device.map_value(|device| device.read(&mut inputs, "patch.device")) {
            MaybeUndefined::Undefined => (before.device.clone(), before.device_id),
            MaybeUndefined::Null => (None, None),
            MaybeUndefined::Value((device, device_id)) => (Some(device), device_id),
        };
        let anaesthetic = self.anaesthetic.map_value(|cream| cream.read(&mut inputs, "patch.anaesthetic"));
        let after = TreatmentSession {
            practitioner_id: inputs
                .opt_id("patch.practitionerId", RecordKind::Staff, self.practitioner_id.as_ref())
                .unwrap_or(before.practitioner_id),
            supervisor_id: patched(supervisor, before.supervisor_id),
            location_id: inputs
                .opt_id("patch.locationId", RecordKind::Location, self.location_id.as_ref())
                .unwrap_or(before.location_id),
            plan_id: inputs.opt_id("patch.planId", RecordKind::TreatmentPlan, self.plan_id.as_ref()).or(before.plan_id),
            status,
            started_at: self.started_at.map_or(before.started_at, |time| inputs.past_time("patch.startedAt", time.0)),
            ended_at: patched(ended_at, before.ended_at),
            modality,
            device,
            device_id,
            skin_preparation: patched(preparation, before.skin_preparation.clone()),
            glide: patched(glide, before.glide.clone()),
            anaesthetic: patched(anaesthetic, before.anaesthetic.clone()),
            pain_score: patched(pain, before.pain_score),
            immediate_reaction: patched(reaction, before.immediate_reaction.clone()),
            note: patched(note, before.note.clone()),
            ..before.clone()
        };
        check_times(&mut inputs, "patch.", after.started_at, after.ended_at);
        if matches!(status, SessionStatus::Completed | SessionStatus::Stopped) && after.ended_at.is_none() {
            inputs.fault("patch.endedAt", format!("can't be cleared: the session is {}", status.words()));
        }
        inputs.finish()?;
        Ok((after, parts))
    }
}
