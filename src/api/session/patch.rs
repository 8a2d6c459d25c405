//! Changes to a session that is not signed.

use super::input::{
    DeviceUseInput, ProductUseInput, SessionAreaInput, TopicalAnaestheticInput, check_area, check_times, read_parts,
};
use crate::error::{Code, Result};
use crate::operation::{Inputs, patched};
use crate::scalars::DateTime;
use crate::session::{Parts, SessionStatus, TreatmentSession};
use crate::vocabulary::{Modality, RecordKind};
use async_graphql::{ID, InputObject, MaybeUndefined};

/// Changes to a session. An absent field stays as it is; null clears it. `areas` and `products` replace the whole list.
#[derive(InputObject)]
pub struct SessionPatch {
    /// `location_…`
    pub(super) location_id: Option<ID>,
    /// The practitioner who treated.
    pub(super) practitioner_id: Option<ID>,
    /// The staff member who supervised.
    pub(super) supervisor_id: MaybeUndefined<ID>,
    /// The plan it belongs to, `plan_…`, for a session logged without one.
    pub(super) plan_id: Option<ID>,
    /// PREPARATION to IN_PROGRESS or NOT_DONE, IN_PROGRESS to ON_HOLD, ON_HOLD to IN_PROGRESS or NOT_DONE, anything to
    /// ENTERED_IN_ERROR. Completing and stopping have mutations of their own.
    pub(super) status: Option<SessionStatus>,
    /// When it began.
    pub(super) started_at: Option<DateTime>,
    /// When it ended.
    pub(super) ended_at: MaybeUndefined<DateTime>,
    /// The kind of treatment.
    pub(super) modality: Option<Modality>,
    /// The device that was used, as it was written down.
    pub(super) device: MaybeUndefined<DeviceUseInput>,
    /// How the skin was prepared.
    pub(super) skin_preparation: MaybeUndefined<String>,
    /// The product that the needles glided on.
    pub(super) glide: MaybeUndefined<String>,
    /// The numbing cream.
    pub(super) anaesthetic: MaybeUndefined<TopicalAnaestheticInput>,
    /// All the treated areas, at most 40.
    pub(super) areas: Option<Vec<SessionAreaInput>>,
    /// All the products used, at most 40.
    pub(super) products: Option<Vec<ProductUseInput>>,
    /// Pain as rated by the patient, 0 (none) to 10.
    pub(super) pain_score: MaybeUndefined<i32>,
    /// The immediate reaction of the skin.
    pub(super) immediate_reaction: MaybeUndefined<String>,
    /// Remarks, at most 20,000 characters.
    pub(super) note: MaybeUndefined<String>,
}

impl SessionPatch {
    /// The parts after the patch, if it replaces any; for the kind of treatment that comes.
    fn read_parts(&self, inputs: &mut Inputs, old: Parts, modality: Modality) -> Option<Parts> {
        if self.areas.is_none() {
            // The areas that stay must suit the new kind of treatment.
            for (i, area) in old.areas.iter().enumerate() {
                check_area(inputs, &format!("patch.areas.{i}"), area, modality);
            }
        }
        (self.areas.is_some() || self.products.is_some()).then(|| {
            let read = read_parts(
                inputs,
                "patch.",
                self.areas.as_deref().unwrap_or_default(),
                self.products.as_deref().unwrap_or_default(),
                modality,
            );
            Parts {
                areas: if self.areas.is_some() { read.areas } else { old.areas },
                products: if self.products.is_some() { read.products } else { old.products },
                checks: old.checks,
            }
        })
    }

    /// The session after the patch, and its parts if the patch replaces them, or every fault at once.
    pub(super) fn apply(self, before: &TreatmentSession, old: Parts) -> Result<(TreatmentSession, Option<Parts>)> {
        let mut inputs = Inputs::new();
        let status = self.status.unwrap_or(before.status);
        if !before.status.may_become(status) {
            inputs.fault(
                "patch.status",
                Code::WrongState.says(format!(
                    "can't go from {} to {} by an edit",
                    before.status.words(),
                    status.words()
                )),
            );
        }
        let modality = self.modality.unwrap_or(before.modality);
        let parts = self.read_parts(&mut inputs, old, modality);
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
        let anaesthetic = self.anaesthetic.map_value(|cream| Box::new(cream.read(&mut inputs, "patch.anaesthetic")));
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
            inputs.fault(
                "patch.endedAt",
                Code::WrongState.says(format!("can't be cleared: the session is {}", status.words())),
            );
        }
        inputs.finish()?;
        Ok((after, parts))
    }
}
