//! What the mutations of sessions take and give.

use super::input::{
    DeviceUseInput, ProductUseInput, SessionAreaInput, TopicalAnaestheticInput, check_times, read_parts,
};
use super::patch::SessionPatch;
use crate::error::{Error, Result};
use crate::ids;
use crate::operation::Inputs;
use crate::record::Stamp;
use crate::scalars::DateTime;
use crate::session::{CheckRule, Parts, SessionStatus, TreatmentSession};
use crate::vocabulary::{Modality, RecordKind};
use async_graphql::{ID, InputObject, SimpleObject};

/// A reason for going on that came with a session.
pub(crate) struct GivenReason {
    /// The rule.
    pub(super) rule: CheckRule,
    /// The one answer that was seen; all that the rule warns of when absent.
    pub(super) check: Option<String>,
    /// Why.
    pub(super) reason: String,
}

/// The reasons for going on that came with a session.
pub(crate) type Overrides = Vec<GivenReason>;

/// A reason for going on in spite of what a rule WARNs of. A BLOCK takes a supervising prescriber: signOffSessionCheck.
#[derive(InputObject)]
pub struct CheckOverrideInput {
    /// The rule.
    pub(super) rule: CheckRule,
    /// Only this answer, by the `id` that `sessionChecks` gave it for a session of the same `id`: all that the rule warns
    /// of when absent. An answer that is no longer the same is CONFLICT.
    pub(super) check_id: Option<ID>,
    /// Why, at most 2,000 characters.
    pub(super) reason: String,
}

/// Logs a whole session in one call, the way a practitioner works after the fact.
#[derive(InputObject)]
pub struct LogSessionInput {
    /// An id the client made (`session_…` of a UUIDv7): makes a retry safe.
    pub(super) id: Option<ID>,
    /// `patient_…`
    pub(super) patient_id: ID,
    /// `location_…`
    pub(super) location_id: ID,
    /// Who treated, if not the sender.
    pub(super) practitioner_id: Option<ID>,
    /// Who supervised.
    pub(super) supervisor_id: Option<ID>,
    /// The plan it is a session of, `plan_…`: its protocol is the session's.
    pub(super) plan_id: Option<ID>,
    /// The published version of a protocol to check it against, if it is of no plan, `protocol_version_…`.
    pub(super) protocol_version_id: Option<ID>,
    /// Reasons for going on in spite of what rules WARN of.
    #[graphql(default)]
    pub(super) overrides: Vec<CheckOverrideInput>,
    /// When it began.
    pub(super) started_at: DateTime,
    /// When it ended. With an end the session is COMPLETED, without one IN_PROGRESS.
    pub(super) ended_at: Option<DateTime>,
    /// The kind of treatment.
    pub(super) modality: Modality,
    /// The device.
    pub(super) device: Option<DeviceUseInput>,
    /// How the skin was prepared.
    pub(super) skin_preparation: Option<String>,
    /// What the needles glided on.
    pub(super) glide: Option<String>,
    /// The numbing cream.
    pub(super) anaesthetic: Option<TopicalAnaestheticInput>,
    /// The treated areas, at most 40.
    #[graphql(default)]
    pub(super) areas: Vec<SessionAreaInput>,
    /// The products that were used, at most 40.
    #[graphql(default)]
    pub(super) products: Vec<ProductUseInput>,
    /// Pain as the patient put it, 0 (none) to 10.
    pub(super) pain_score: Option<i32>,
    /// What the skin did at once.
    pub(super) immediate_reaction: Option<String>,
    /// Remarks, at most 20,000 characters.
    pub(super) note: Option<String>,
}

/// The logged session.
#[derive(SimpleObject)]
pub struct LogSessionPayload {
    /// It.
    pub(super) session: TreatmentSession,
}

/// Starts a session; the rest is filled in as it goes.
#[derive(InputObject)]
pub struct StartSessionInput {
    /// An id the client made (`session_…` of a UUIDv7): makes a retry safe.
    pub(super) id: Option<ID>,
    /// `patient_…`
    pub(super) patient_id: ID,
    /// `location_…`
    pub(super) location_id: ID,
    /// Who treats, if not the sender.
    pub(super) practitioner_id: Option<ID>,
    /// Who supervises.
    pub(super) supervisor_id: Option<ID>,
    /// The plan it is a session of, `plan_…`: its protocol is the session's.
    pub(super) plan_id: Option<ID>,
    /// The published version of a protocol to check it against, if it is of no plan, `protocol_version_…`.
    pub(super) protocol_version_id: Option<ID>,
    /// Reasons for going on in spite of what rules WARN of.
    #[graphql(default)]
    pub(super) overrides: Vec<CheckOverrideInput>,
    /// The areas that are to be treated, at most 40: the interval since their last session is checked.
    #[graphql(default)]
    pub(super) areas: Vec<SessionAreaInput>,
    /// When it began; now when absent.
    pub(super) started_at: Option<DateTime>,
    /// The kind of treatment.
    pub(super) modality: Modality,
    /// The device.
    pub(super) device: Option<DeviceUseInput>,
    /// IN_PROGRESS, or PREPARATION before the treatment itself begins.
    #[graphql(default_with = "SessionStatus::InProgress")]
    pub(super) status: SessionStatus,
}

/// The started session.
#[derive(SimpleObject)]
pub struct StartSessionPayload {
    /// It.
    pub(super) session: TreatmentSession,
}

/// Changes a session that is not signed.
#[derive(InputObject)]
pub struct UpdateSessionInput {
    /// `session_…`
    pub(super) id: ID,
    /// The version that was read.
    pub(super) expected_version: i32,
    /// The changes.
    pub(super) patch: SessionPatch,
}

/// The changed session.
#[derive(SimpleObject)]
pub struct UpdateSessionPayload {
    /// It, after the change.
    pub(super) session: TreatmentSession,
}

/// Completes a session.
#[derive(InputObject)]
pub struct CompleteSessionInput {
    /// `session_…`
    pub(super) id: ID,
    /// The version that was read.
    pub(super) expected_version: i32,
    /// When it ended; now when absent.
    pub(super) ended_at: Option<DateTime>,
    /// Pain as the patient put it, 0 (none) to 10.
    pub(super) pain_score: Option<i32>,
    /// What the skin did at once.
    pub(super) immediate_reaction: Option<String>,
}

/// The completed session.
#[derive(SimpleObject)]
pub struct CompleteSessionPayload {
    /// It.
    pub(super) session: TreatmentSession,
}

/// Stops a session before it is complete.
#[derive(InputObject)]
pub struct StopSessionInput {
    /// `session_…`
    pub(super) id: ID,
    /// The version that was read.
    pub(super) expected_version: i32,
    /// When it ended; now when absent.
    pub(super) ended_at: Option<DateTime>,
    /// Why.
    pub(super) reason: String,
}

/// The stopped session.
#[derive(SimpleObject)]
pub struct StopSessionPayload {
    /// It.
    pub(super) session: TreatmentSession,
}

/// The signed session.
#[derive(SimpleObject)]
pub struct SignSessionPayload {
    /// It.
    pub(super) session: TreatmentSession,
}

impl LogSessionInput {
    /// The session, its parts and the reasons for going on.
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

impl StartSessionInput {
    /// The session, its parts and the reasons for going on.
    pub(super) fn read(self) -> Result<(TreatmentSession, Parts, Overrides)> {
        if !matches!(self.status, SessionStatus::InProgress | SessionStatus::Preparation) {
            return Err(Error::input("input.status", "must be IN_PROGRESS or PREPARATION"));
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
