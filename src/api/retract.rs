//! Retracting what is signed, whatever its kind.

use crate::access::Scope;
use crate::aftercare::AftercareNote;
use crate::call_back::due;
use crate::care::store as care;
use crate::consultation::Consultation;
use crate::error::{Code, Error, Result, at_version};
use crate::ids;
use crate::operation::{Inputs, Running, transaction};
use crate::page::{Stored, kept, listing};
use crate::patient::{Patient, store as patients};
use crate::record::{Signature, Stamp};
use crate::session::{Parts, TreatmentSession, store as sessions};
use crate::signing::{self, Retraction, store as signed};
use crate::supervision::store as supervision;
use crate::vocabulary::{Action, RecordKind, StaffRole};
use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Retracts a signed record.
#[derive(InputObject)]
pub struct RetractSignedRecordInput {
    /// The signed consultation, session or note.
    id: ID,
    /// The version of the record that you read.
    expected_version: Option<i32>,
    /// Why it does not count, at most 2,000 characters. It stays in this chart: name nobody else in it.
    reason: String,
    /// The patient in whose chart it should have been written, `patient_…`: a draft of the same content is copied there,
    /// without signatures, plan and reasons for going on. For a note its session is copied there first.
    correct_patient_id: Option<ID>,
}

/// Result of `retractSignedRecord`.
#[derive(SimpleObject)]
pub struct RetractSignedRecordPayload {
    /// The retraction; `copyId` is the draft on the right chart.
    retraction: Retraction,
}

struct Wanted {
    record: (RecordKind, Uuid),
    expected: Option<i32>,
    reason: String,
    correct: Option<Uuid>,
}

impl RetractSignedRecordInput {
    fn read(&self) -> Result<Wanted> {
        let mut inputs = Inputs::new();
        let record = ids::parse_any(&self.id).filter(|(kind, _)| signing::SIGNED_KINDS.contains(kind));
        if record.is_none() {
            inputs.fault(
                "id",
                Code::WrongKind.says("must be the id of a consultation, a treatment session or an aftercare note"),
            );
        }
        let reason = inputs.text("reason", &self.reason, 2000);
        let correct = inputs.opt_id("correctPatientId", RecordKind::Patient, self.correct_patient_id.as_ref());
        inputs.finish()?;
        let record = record.unwrap_or((RecordKind::Consultation, Uuid::nil()));
        Ok(Wanted { record, expected: self.expected_version, reason, correct })
    }
}

/// A record that is to be retracted.
enum Signed {
    Consultation(Consultation),
    Session(TreatmentSession),
    Note(AftercareNote),
}

impl Signed {
    async fn read(scope: &mut Scope, (kind, id): (RecordKind, Uuid)) -> Result<Self> {
        Ok(match kind {
            RecordKind::Consultation => Self::Consultation(listing::one(scope, id).await?),
            RecordKind::TreatmentSession => Self::Session(listing::one(scope, id).await?),
            _ => Self::Note(listing::one(scope, id).await?),
        })
    }

    /// Whose chart it is in, who did the work, its version, and its first signature.
    fn parts(&self) -> (Uuid, Uuid, i32, Option<&Signature>) {
        match self {
            Self::Consultation(it) => (it.patient_id, it.practitioner_id, it.stamp.version, it.signature.as_ref()),
            Self::Session(it) => (it.patient_id, it.practitioner_id, it.stamp.version, it.signature.as_ref()),
            Self::Note(it) => (it.patient_id, it.author_id, it.stamp.version, it.signature.as_ref()),
        }
    }

    fn plan(&self) -> Option<Uuid> {
        match self {
            Self::Session(session) => session.plan_id,
            _ => None,
        }
    }
}

/// FORBIDDEN unless the viewer answers for the record, or looks after all of them.
fn check_who(scope: &Scope, whose: Uuid, signature: &Signature) -> Result<()> {
    let viewer = scope.viewer();
    let answers = viewer.staff.is_some_and(|it| it == whose || it == signature.signed_by);
    if answers || viewer.role == Some(StaffRole::Admin) {
        return Ok(());
    }
    let message = "only who did the work or signed it first retracts a record, or an admin";
    Err(Error::Forbidden(message.to_owned()))
}

async fn retract(scope: &mut Scope, wanted: Wanted) -> Result<Retraction> {
    scope.viewer().check(Action::Create, RecordKind::Retraction)?;
    let by = scope.viewer().author()?;
    let (kind, id) = wanted.record;
    let record = Signed::read(scope, wanted.record).await?;
    let (patient_id, whose, version, signature) = record.parts();
    if let Some(expected) = wanted.expected {
        at_version(&kind.words(), version, expected)?;
    }
    let Some(signature) = signature else {
        let message = "is a draft: change it, or mark it as entered in error; what is signed is retracted";
        return Err(Error::input("input.id", Code::WrongState.says(message)));
    };
    check_who(scope, whose, signature)?;
    if !signed::retractions_of(scope, &[id]).await?.is_empty() {
        let message = "this record was retracted already: its `retraction` says by whom and why".to_owned();
        return Err(Error::Conflict { message, current_version: None });
    }
    let right = match wanted.correct {
        Some(same) if same == patient_id => {
            return Err(Error::input("input.correctPatientId", Code::Same.says("is the patient whose chart it is in")));
        }
        Some(right) => Some(patients::active_patient(scope, right, "input.correctPatientId").await?),
        None => None,
    };
    let copy = match &right {
        Some(right) => Some(copied(scope, &record, right, by).await?),
        None => None,
    };
    let retraction = Retraction {
        id: ids::new_id(),
        patient_id,
        record_kind: kind,
        record_id: id,
        retracted_at: ids::now(),
        retracted_by: by,
        reason: wanted.reason,
        copy_id: copy.as_ref().map(Copied::id),
    };
    kept::add(scope, &retraction).await?;
    scope.answers();
    if let Some(copy) = copy {
        copy.add(scope).await?;
    }
    supervision::close(scope, id).await?;
    if let Some(plan) = record.plan() {
        due::bring_in_line(scope, plan, None).await?;
    }
    Ok(retraction)
}

/// The draft for the right chart.
enum Copied {
    Consultation(Consultation),
    Session(TreatmentSession, Parts),
    Note(AftercareNote),
}

impl Copied {
    fn id(&self) -> Uuid {
        match self {
            Self::Consultation(it) => it.id,
            Self::Session(it, _) => it.id,
            Self::Note(it) => it.id,
        }
    }

    /// Adds it by the right to retract: an admin, who writes no clinical record, puts the content that was signed on the
    /// right chart, and signs nothing.
    async fn add(self, scope: &mut Scope) -> Result<()> {
        async fn add<T: Stored>(scope: &mut Scope, new: &T) -> Result<()> {
            kept::add_with(scope, RecordKind::Retraction, new).await
        }
        match self {
            Self::Consultation(it) => add(scope, &it).await,
            Self::Session(it, parts) => sessions::add_with(scope, RecordKind::Retraction, &it, &parts).await,
            Self::Note(it) => add(scope, &it).await,
        }
    }
}

fn check_born(patient: &Patient, at: DateTime<Utc>) -> Result<()> {
    patient.lived_on(at.date_naive(), "input.correctPatientId")
}

/// The same content on the right chart, as a draft of who did the work. What belongs to the other patient stays behind: the
/// plan, the reasons and sign-offs.
async fn copied(scope: &mut Scope, record: &Signed, right: &Patient, by: Uuid) -> Result<Copied> {
    let (id, stamp) = (ids::new_id(), Stamp::new(Some(by), ids::now()));
    let patient_id = right.id;
    Ok(match record {
        Signed::Consultation(it) => {
            check_born(right, it.held_at)?;
            Copied::Consultation(Consultation { id, patient_id, stamp, signature: None, ..it.clone() })
        }
        Signed::Session(it) => {
            check_born(right, it.started_at)?;
            let old = sessions::parts(scope, it.id).await?;
            let new = TreatmentSession { id, patient_id, plan_id: None, stamp, signature: None, ..it.clone() };
            let mut parts = Parts { checks: Vec::new(), ..old };
            parts.areas.iter_mut().for_each(|area| area.id = ids::new_id());
            parts.products.iter_mut().for_each(|product| product.id = ids::new_id());
            parts.checks = care::evaluate(scope, &new, &parts).await?;
            Copied::Session(new, parts)
        }
        Signed::Note(it) => {
            let session_id = copy_of_session(scope, it.session_id, patient_id).await?;
            Copied::Note(AftercareNote { id, patient_id, session_id, stamp, signature: None, ..it.clone() })
        }
    })
}

/// The copy of a note's session on the right chart.
async fn copy_of_session(scope: &mut Scope, session: Uuid, right: Uuid) -> Result<Uuid> {
    let copy = signed::retractions_of(scope, &[session]).await?.pop().and_then(|it| it.copy_id);
    if let Some(copy) = copy
        && listing::by_ids::<TreatmentSession>(scope, &[copy]).await?.iter().any(|it| it.patient_id == right)
    {
        return Ok(copy);
    }
    let message = "has no copy of the session that the note is about: retract that with this correctPatientId first";
    Err(Error::input("input.correctPatientId", Code::Needs.says(message)))
}

/// Retracting signed records.
#[derive(Default)]
pub struct RetractMutation;

#[Object]
impl RetractMutation {
    /// Retracts a signed consultation, session or note. It stays as it is, with its signatures and marked, and does not
    /// count any more. Only for who did the work or signed it first, and for admins. CONFLICT if it was retracted already;
    /// REAUTHENTICATION_REQUIRED when the password or a code was given too long ago.
    async fn retract_signed_record(
        &self,
        ctx: &Context<'_>,
        input: RetractSignedRecordInput,
    ) -> async_graphql::Result<RetractSignedRecordPayload> {
        let wanted = input.read()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(retract(scope, wanted)));
        Ok(RetractSignedRecordPayload { retraction: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
