//! Recording and changing outcome assessments.

use crate::access::Scope;
use crate::error::{self, Code, Error, Faults, Flaw};
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::organisation::{store as people, unfit};
use crate::outcome::{OutcomeAssessment, RaterRole, scale, store};
use crate::page::{kept, listing};
use crate::patient::store as patients;
use crate::record::Stamp;
use crate::scalars::{DateTime, Decimal};
use crate::session::store as sessions;
use crate::signing::store as signed;
use crate::vocabulary::{Action, BodyArea, RecordKind};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use uuid::Uuid;

/// Records an outcome assessment.
#[derive(InputObject)]
pub struct RecordOutcomeInput {
    /// An id made by the client, which makes a retry safe: `outcome_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    id: Option<ID>,
    /// `patient_…`
    patient_id: ID,
    /// A plan of this patient, `plan_…`.
    plan_id: Option<ID>,
    /// A session of this patient, `session_…`.
    session_id: Option<ID>,
    /// Code of the scale, as in `outcomeScales`.
    scale: String,
    /// Version of the scale.
    scale_version: String,
    /// The area that was scored.
    area: Option<BodyArea>,
    /// The score, in the range and on a step of the scale.
    score: Decimal,
    /// The role of the rater.
    rater_role: RaterRole,
    /// The active staff member who scored, `staff_…`: required for BLINDED; you when absent for PRACTITIONER;
    /// not allowed for PATIENT.
    rater_id: Option<ID>,
    /// When it was scored, not in the future; now when absent.
    assessed_at: Option<DateTime>,
    /// The earlier photo of this patient that it was compared with, `photo_…`.
    compared_with_photo_id: Option<ID>,
    /// The photo of this patient that was scored, `photo_…`.
    photo_id: Option<ID>,
    /// Remarks, at most 5,000 characters.
    note: Option<String>,
}

/// Changes to an outcome assessment. An absent field stays as it is; null clears it. Scale and role can't be changed:
/// mark the assessment as entered in error and record a new one.
#[derive(InputObject)]
pub struct OutcomePatch {
    /// A plan of this patient, `plan_…`.
    plan_id: MaybeUndefined<ID>,
    /// A session of this patient, `session_…`.
    session_id: MaybeUndefined<ID>,
    /// The area that was scored.
    area: MaybeUndefined<BodyArea>,
    /// The score, in the range and on a step of the scale.
    score: Option<Decimal>,
    /// When it was scored, not in the future.
    assessed_at: Option<DateTime>,
    /// The earlier photo of this patient that it was compared with, `photo_…`.
    compared_with_photo_id: MaybeUndefined<ID>,
    /// The photo of this patient that was scored, `photo_…`.
    photo_id: MaybeUndefined<ID>,
    /// Remarks, at most 5,000 characters.
    note: MaybeUndefined<String>,
}

/// Changes an outcome assessment.
#[derive(InputObject)]
pub struct UpdateOutcomeInput {
    /// `outcome_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The fields to change.
    patch: OutcomePatch,
}

/// Marks an outcome assessment as entered in error.
#[derive(InputObject)]
pub struct MarkOutcomeEnteredInErrorInput {
    /// `outcome_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
}

/// What mutations of an outcome assessment return.
#[derive(SimpleObject)]
pub struct OutcomePayload {
    /// The outcome assessment after the change.
    outcome_assessment: OutcomeAssessment,
}

fn check_score(inputs: &mut Inputs, prefix: &str, it: &OutcomeAssessment) {
    match scale(&it.scale, &it.scale_version) {
        Ok(scale) => {
            if let Some(message) = scale.fault(it.score) {
                inputs.fault(&format!("{prefix}score"), message);
            }
        }
        Err((path, message)) => inputs.fault(&format!("{prefix}{path}"), Code::UnknownValue.says(message)),
    }
}

impl RecordOutcomeInput {
    fn read(self) -> error::Result<OutcomeAssessment> {
        let mut inputs = Inputs::new();
        let now = ids::now();
        let it = OutcomeAssessment {
            id: inputs.new_id(RecordKind::OutcomeAssessment, self.id.as_ref()),
            patient_id: inputs.id("patientId", RecordKind::Patient, &self.patient_id),
            plan_id: inputs.opt_id("planId", RecordKind::TreatmentPlan, self.plan_id.as_ref()),
            session_id: inputs.opt_id("sessionId", RecordKind::TreatmentSession, self.session_id.as_ref()),
            scale: inputs.text("scale", &self.scale, 100),
            scale_version: inputs.text("scaleVersion", &self.scale_version, 100),
            area: self.area,
            score: self.score.0.normalize(),
            rater_role: self.rater_role,
            rater_id: inputs.opt_id("raterId", RecordKind::Staff, self.rater_id.as_ref()),
            assessed_at: self.assessed_at.map_or(now, |at| inputs.past_time("assessedAt", at.0)),
            compared_with_photo_id: inputs.opt_id(
                "comparedWithPhotoId",
                RecordKind::Photo,
                self.compared_with_photo_id.as_ref(),
            ),
            photo_id: inputs.opt_id("photoId", RecordKind::Photo, self.photo_id.as_ref()),
            note: inputs.opt_text("note", self.note.as_deref(), 5000),
            entered_in_error: false,
            stamp: Stamp::new(None, now),
        };
        check_score(&mut inputs, "", &it);
        match (it.rater_role, it.rater_id) {
            (RaterRole::Patient, Some(_)) => {
                inputs.fault("raterId", Code::NotApplicable.says("can't be sent with raterRole PATIENT: leave it out"))
            }
            (RaterRole::Blinded, None) => {
                inputs.fault("raterId", Code::Required.says("is missing: who scored blinded?"))
            }
            _ => {}
        }
        inputs.finish()?;
        Ok(it)
    }
}

impl OutcomePatch {
    fn apply(self, before: &OutcomeAssessment) -> error::Result<OutcomeAssessment> {
        let mut inputs = Inputs::new();
        let mut link = |path: &str, kind: RecordKind, patch: MaybeUndefined<ID>, before: Option<Uuid>| {
            let patch = inputs.patch(path, patch, |inputs, path, id| Some(inputs.id(path, kind, &id)));
            patched(patch, before)
        };
        let plan_id = link("patch.planId", RecordKind::TreatmentPlan, self.plan_id, before.plan_id);
        let session_id = link("patch.sessionId", RecordKind::TreatmentSession, self.session_id, before.session_id);
        let photo_id = link("patch.photoId", RecordKind::Photo, self.photo_id, before.photo_id);
        let compared = before.compared_with_photo_id;
        let compared = link("patch.comparedWithPhotoId", RecordKind::Photo, self.compared_with_photo_id, compared);
        let at = self.assessed_at.map(|at| inputs.past_time("patch.assessedAt", at.0));
        let after = OutcomeAssessment {
            plan_id,
            session_id,
            area: patched(self.area, before.area),
            score: self.score.map_or(before.score, |score| score.0.normalize()),
            assessed_at: at.unwrap_or(before.assessed_at),
            compared_with_photo_id: compared,
            photo_id,
            note: patched(inputs.patch_text("patch.note", self.note, 5000), before.note.clone()),
            ..before.clone()
        };
        check_score(&mut inputs, "patch.", &after);
        inputs.finish()?;
        Ok(after)
    }
}

/// Checks that the records an assessment names exist and belong to this patient. `before` is what is already known to
/// be right.
async fn check_links(
    scope: &mut Scope,
    it: &OutcomeAssessment,
    before: Option<&OutcomeAssessment>,
    prefix: &str,
) -> error::Result<()> {
    let mut faults = Faults::default();
    let mut fault = |path: &str, flaw: Flaw| faults.add(format!("input.{prefix}{path}"), flaw);
    let new = |of: fn(&OutcomeAssessment) -> Option<Uuid>| of(it).filter(|_| before.and_then(of) != of(it));
    if let Some(session) = new(|it| it.session_id) {
        signed::refuse_retracted(scope, session, &format!("input.{prefix}sessionId")).await?;
    }
    if let Some(session) = new(|it| it.session_id)
        && sessions::session(scope, session).await?.patient_id != it.patient_id
    {
        fault("sessionId", Code::Mismatch.says("is a session of another patient"));
    }
    if let Some(plan) = new(|it| it.plan_id)
        && store::plans_of(scope, it.patient_id, &[plan]).await?.is_empty()
    {
        fault("planId", Flaw::not_found("plan of this patient"));
    }
    let photos = [("photoId", new(|it| it.photo_id)), ("comparedWithPhotoId", new(|it| it.compared_with_photo_id))];
    let named: Vec<Uuid> = photos.iter().filter_map(|(_, photo)| *photo).collect();
    let found = store::photos_of(scope, it.patient_id, &named).await?;
    for (path, photo) in photos {
        if photo.is_some_and(|photo| !found.contains(&photo)) {
            fault(path, Flaw::not_found("photo of this patient"));
        }
    }
    if it.photo_id.is_some() && it.photo_id == it.compared_with_photo_id {
        fault("comparedWithPhotoId", Code::Same.says("is the photo that was scored: name the earlier one"));
    }
    if let Some(rater) = new(|it| it.rater_id)
        && let Some(why) = unfit(people::staff(scope, &[rater]).await?.first(), None)
    {
        fault("raterId", Code::WrongPerson.says(why));
    }
    faults.into_result()
}

async fn add(scope: &mut Scope, mut it: OutcomeAssessment) -> error::Result<OutcomeAssessment> {
    scope.viewer().check(Action::Create, RecordKind::OutcomeAssessment)?;
    if it.rater_role == RaterRole::Practitioner && it.rater_id.is_none() {
        it.rater_id = Some(scope.viewer().author()?);
    }
    it.stamp = Stamp::new(scope.viewer().staff, ids::now());
    let patient = patients::active_patient(scope, it.patient_id, "input.patientId").await?;
    patient.lived_on(it.assessed_at.date_naive(), "input.assessedAt")?;
    check_links(scope, &it, None, "").await?;
    kept::add(scope, &it).await?;
    Ok(it)
}

/// The assessment to be edited.
async fn editable(scope: &mut Scope, id: Uuid, expected: i32) -> error::Result<OutcomeAssessment> {
    scope.viewer().check(Action::Update, RecordKind::OutcomeAssessment)?;
    let it: OutcomeAssessment = listing::one(scope, id).await?;
    error::at_version("outcome assessment", it.stamp.version, expected)?;
    if it.entered_in_error {
        return Err(Error::input(
            "input.id",
            Code::WrongState.says("is marked as entered in error: record a new one (recordOutcome)"),
        ));
    }
    Ok(it)
}

async fn change(scope: &mut Scope, id: Uuid, expected: i32, patch: OutcomePatch) -> error::Result<OutcomeAssessment> {
    let before = editable(scope, id, expected).await?;
    let mut after = patch.apply(&before)?;
    check_links(scope, &after, Some(&before), "patch.").await?;
    after.stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

async fn mark(scope: &mut Scope, id: Uuid, expected: i32) -> error::Result<OutcomeAssessment> {
    let before = editable(scope, id, expected).await?;
    let stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    let after = OutcomeAssessment { entered_in_error: true, stamp, ..before };
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

fn read_id(id: &ID) -> error::Result<Uuid> {
    let mut inputs = Inputs::new();
    let id = inputs.id("id", RecordKind::OutcomeAssessment, id);
    inputs.finish()?;
    Ok(id)
}

/// The mutations of this module.
#[derive(Default)]
pub struct OutcomeMutation;

#[Object]
impl OutcomeMutation {
    /// Records an outcome assessment.
    async fn record_outcome(&self, ctx: &Context<'_>, input: RecordOutcomeInput) -> Result<OutcomePayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let new = input.read()?;
        let work = transaction(move |scope| Box::pin(add(scope, new)));
        Ok(OutcomePayload { outcome_assessment: operation.mutate(retry, work).await? })
    }

    /// Changes an outcome assessment.
    async fn update_outcome(&self, ctx: &Context<'_>, input: UpdateOutcomeInput) -> Result<OutcomePayload> {
        let id = read_id(&input.id)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(change(scope, id, input.expected_version, input.patch)));
        Ok(OutcomePayload { outcome_assessment: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Marks an outcome assessment as entered in error. It is kept, but not part of any series.
    async fn mark_outcome_entered_in_error(
        &self,
        ctx: &Context<'_>,
        input: MarkOutcomeEnteredInErrorInput,
    ) -> Result<OutcomePayload> {
        let id = read_id(&input.id)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(mark(scope, id, input.expected_version)));
        Ok(OutcomePayload { outcome_assessment: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
