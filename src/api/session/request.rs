//! The inputs and payloads of the mutations of sessions.

use super::input::{
    DeviceUseInput, ProductUseInput, SessionAreaInput, TopicalAnaestheticInput, check_times, read_parts,
};
use super::patch::SessionPatch;
use crate::error::{Code, Error, Result};
use crate::ids;
use crate::operation::{Inputs, Running};
use crate::record::Stamp;
use crate::scalars::DateTime;
use crate::session::{CheckRule, Parts, SessionStatus, TreatmentSession, store};
use crate::vocabulary::{Modality, RecordKind};
use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

/// A reason for an override that came with a session.
pub(crate) struct GivenReason {
    /// The rule whose WARN or BLOCK is overridden.
    pub(super) rule: CheckRule,
    /// The one answer that was seen; all warnings of the rule when absent.
    pub(super) check: Option<String>,
    /// The reason.
    pub(super) reason: String,
}

/// The reasons for overrides that came with a session.
pub(crate) type Overrides = Vec<GivenReason>;

/// A reason for continuing despite a WARN of a rule. A BLOCK needs a supervising prescriber: signOffSessionCheck.
#[derive(InputObject)]
pub struct CheckOverrideInput {
    /// The rule whose WARN or BLOCK is overridden.
    pub(super) rule: CheckRule,
    /// The answer, by the `id` from `sessionChecks` for a session of the same `id`. It may be absent where the rule has
    /// one warning. CONFLICT if the answer is no longer the same.
    pub(super) check_id: Option<ID>,
    /// The reason, at most 2,000 characters.
    pub(super) reason: String,
}

/// Logs a whole session in one call, for a practitioner who records it afterwards.
#[derive(InputObject)]
pub struct LogSessionInput {
    /// An id made by the client, which makes a retry safe: `session_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    pub(super) id: Option<ID>,
    /// `patient_…`
    pub(super) patient_id: ID,
    /// `location_…`
    pub(super) location_id: ID,
    /// The practitioner who treated; you when absent.
    pub(super) practitioner_id: Option<ID>,
    /// The staff member who supervised.
    pub(super) supervisor_id: Option<ID>,
    /// The plan it belongs to, `plan_…`. The session follows the plan's protocol.
    pub(super) plan_id: Option<ID>,
    /// The published version of a protocol to check it against, `protocol_version_…`, if it belongs to no plan.
    pub(super) protocol_version_id: Option<ID>,
    /// Reasons for continuing despite a WARN.
    #[graphql(default)]
    pub(super) overrides: Vec<CheckOverrideInput>,
    /// When it began.
    pub(super) started_at: DateTime,
    /// When it ended. The session is COMPLETED with an end and IN_PROGRESS without one.
    pub(super) ended_at: Option<DateTime>,
    /// The kind of treatment.
    pub(super) modality: Modality,
    /// The device that was used, as it was written down.
    pub(super) device: Option<DeviceUseInput>,
    /// How the skin was prepared.
    pub(super) skin_preparation: Option<String>,
    /// The product that the needles glided on.
    pub(super) glide: Option<String>,
    /// The numbing cream.
    pub(super) anaesthetic: Option<TopicalAnaestheticInput>,
    /// The treated areas, at most 40.
    #[graphql(default)]
    pub(super) areas: Vec<SessionAreaInput>,
    /// The products that were used, at most 40.
    #[graphql(default)]
    pub(super) products: Vec<ProductUseInput>,
    /// Pain as rated by the patient, 0 (none) to 10.
    pub(super) pain_score: Option<i32>,
    /// The immediate reaction of the skin.
    pub(super) immediate_reaction: Option<String>,
    /// Remarks, at most 20,000 characters.
    pub(super) note: Option<String>,
}

/// Result of `logSession`.
pub struct LogSessionPayload {
    pub(super) session: TreatmentSession,
}

/// Result of `logSession`.
#[Object]
impl LogSessionPayload {
    /// The logged session.
    async fn session(&self) -> &TreatmentSession {
        &self.session
    }
    /// Other sessions that may be this one, logged twice: of the same patient by the same practitioner, begun within 15
    /// minutes of it. Nothing was refused because of them.
    async fn possible_duplicates(&self, ctx: &Context<'_>) -> Result<Vec<TreatmentSession>> {
        let operation = ctx.operation()?;
        let found = store::begun_with(&mut *operation.reader().await?, &self.session).await?;
        operation.lead_to(found.len())?;
        Ok(found)
    }
}

/// Starts a session; the rest is filled in as it goes.
#[derive(InputObject)]
pub struct StartSessionInput {
    /// An id made by the client, which makes a retry safe: `session_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    pub(super) id: Option<ID>,
    /// `patient_…`
    pub(super) patient_id: ID,
    /// `location_…`
    pub(super) location_id: ID,
    /// The practitioner who treats; you when absent.
    pub(super) practitioner_id: Option<ID>,
    /// The staff member who supervises.
    pub(super) supervisor_id: Option<ID>,
    /// The plan it belongs to, `plan_…`. The session follows the plan's protocol.
    pub(super) plan_id: Option<ID>,
    /// The published version of a protocol to check it against, `protocol_version_…`, if it belongs to no plan.
    pub(super) protocol_version_id: Option<ID>,
    /// Reasons for continuing despite a WARN.
    #[graphql(default)]
    pub(super) overrides: Vec<CheckOverrideInput>,
    /// The areas to be treated, at most 40. The interval since their last session is checked.
    #[graphql(default)]
    pub(super) areas: Vec<SessionAreaInput>,
    /// When it began; now when absent.
    pub(super) started_at: Option<DateTime>,
    /// The kind of treatment.
    pub(super) modality: Modality,
    /// The device that was used, as it was written down.
    pub(super) device: Option<DeviceUseInput>,
    /// IN_PROGRESS, or PREPARATION before the treatment itself begins.
    #[graphql(default_with = "SessionStatus::InProgress")]
    pub(super) status: SessionStatus,
}

/// Result of `startSession`.
#[derive(SimpleObject)]
pub struct StartSessionPayload {
    /// The started session.
    pub(super) session: TreatmentSession,
}

/// Changes a session that is not signed.
#[derive(InputObject)]
pub struct UpdateSessionInput {
    /// `session_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// The fields to change.
    pub(super) patch: SessionPatch,
}

/// Result of `updateSession`.
#[derive(SimpleObject)]
pub struct UpdateSessionPayload {
    /// The session after the change.
    pub(super) session: TreatmentSession,
}

/// Completes a session.
#[derive(InputObject)]
pub struct CompleteSessionInput {
    /// `session_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// When it ended; now when absent.
    pub(super) ended_at: Option<DateTime>,
    /// Pain as rated by the patient, 0 (none) to 10.
    pub(super) pain_score: Option<i32>,
    /// The immediate reaction of the skin.
    pub(super) immediate_reaction: Option<String>,
}

/// Result of `completeSession`.
#[derive(SimpleObject)]
pub struct CompleteSessionPayload {
    /// The completed session.
    pub(super) session: TreatmentSession,
}

/// Stops a session before it is complete.
#[derive(InputObject)]
pub struct StopSessionInput {
    /// `session_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// When it ended; now when absent.
    pub(super) ended_at: Option<DateTime>,
    /// Why the session was stopped.
    pub(super) reason: String,
}

/// Result of `stopSession`.
#[derive(SimpleObject)]
pub struct StopSessionPayload {
    /// The stopped session.
    pub(super) session: TreatmentSession,
}

/// Result of `signSession`.
#[derive(SimpleObject)]
pub struct SignSessionPayload {
    /// The signed session.
    pub(super) session: TreatmentSession,
}

impl LogSessionInput {
    /// The session, its parts and the reasons for overrides.
    pub(crate) fn read(self) -> Result<(TreatmentSession, Parts, Overrides)> {
        let mut inputs = Inputs::new();
        let overrides = self.overrides.iter().enumerate();
        let overrides: Overrides = overrides
            .map(|(i, it)| GivenReason {
                rule: it.rule,
                check: it.check_id.as_ref().map(|id| id.to_string()),
                reason: inputs.text(&format!("overrides.{i}.reason"), &it.reason, 2000),
            })
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
            anaesthetic: self.anaesthetic.map(|cream| Box::new(cream.read(&mut inputs, "anaesthetic"))),
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
            stamp: Stamp::new(None, ids::now()),
            signature: None,
            kept_parts: None,
        };
        inputs.finish()?;
        Ok((session, parts, overrides))
    }
}

impl StartSessionInput {
    /// The session, its parts and the reasons for overrides.
    pub(super) fn read(self) -> Result<(TreatmentSession, Parts, Overrides)> {
        if !matches!(self.status, SessionStatus::InProgress | SessionStatus::Preparation) {
            return Err(Error::input("input.status", Code::NotApplicable.says("must be IN_PROGRESS or PREPARATION")));
        }
        let whole = LogSessionInput {
            id: self.id,
            patient_id: self.patient_id,
            location_id: self.location_id,
            practitioner_id: self.practitioner_id,
            supervisor_id: self.supervisor_id,
            plan_id: self.plan_id,
            protocol_version_id: self.protocol_version_id,
            overrides: self.overrides,
            started_at: self.started_at.unwrap_or_else(|| DateTime(ids::now())),
            ended_at: None,
            modality: self.modality,
            device: self.device,
            skin_preparation: None,
            glide: None,
            anaesthetic: None,
            areas: self.areas,
            products: Vec::new(),
            pain_score: None,
            immediate_reaction: None,
            note: None,
        };
        let (mut session, parts, overrides) = whole.read()?;
        session.status = self.status;
        Ok((session, parts, overrides))
    }
}
