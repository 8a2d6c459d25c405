//! Signing what is signed once more, whatever its kind.

use crate::access::Scope;
use crate::error::{Code, Error, Result};
use crate::ids;
use crate::operation::{Inputs, Running, transaction};
use crate::page::kept;
use crate::record::{Signature, hex};
use crate::signing::{self, Countersignature, Given, Missing, store as signatures};
use crate::vocabulary::{Action, RecordKind, SignatureMeaning};
use crate::{aftercare, consultation, session};
use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use uuid::Uuid;

/// Signs a signed record once more.
#[derive(InputObject)]
pub struct CountersignRecordInput {
    /// An id made by the client, which makes a retry safe: `countersignature_` and a UUIDv7 in 26 characters (see
    /// `Node.id`). Absent: the service makes one.
    id: Option<ID>,
    /// The signed consultation, session or note.
    record_id: ID,
    /// The meaning of the signature: REVIEWER, or SUPERVISOR (of a session: its supervisor). AUTHOR and TAKEN_OVER are for
    /// a record that a reviewer or a supervisor signed first.
    meaning: SignatureMeaning,
    /// The `contentHash` of the signature that you read, so that you sign what you saw.
    content_hash: Option<String>,
    /// Why you take over a colleague's work, at most 500 characters: required while they work here.
    reason: Option<String>,
}

/// Result of `countersignRecord`.
#[derive(SimpleObject)]
pub struct CountersignRecordPayload {
    /// The new signature.
    countersignature: Countersignature,
}

/// The signature as read from the input.
struct New {
    id: Uuid,
    record: (RecordKind, Uuid),
    given: Given,
    content_hash: Option<String>,
}

impl CountersignRecordInput {
    fn read(&self) -> Result<New> {
        let mut inputs = Inputs::new();
        let id = inputs.new_id(RecordKind::Countersignature, self.id.as_ref());
        let record = ids::parse_any(&self.record_id).filter(|(kind, _)| signing::SIGNED_KINDS.contains(kind));
        if record.is_none() {
            inputs.fault(
                "recordId",
                Code::WrongKind.says("must be the id of a consultation, a treatment session or an aftercare note"),
            );
        }
        let reason = inputs.opt_text("reason", self.reason.as_deref(), 500);
        inputs.finish()?;
        let given = Given { meaning: self.meaning, reason };
        let content_hash = self.content_hash.as_ref().map(|hash| hash.to_lowercase());
        Ok(New { id, record: record.unwrap_or((RecordKind::Consultation, Uuid::nil())), given, content_hash })
    }
}

/// What is to be signed once more.
struct Signed {
    patient: Uuid,
    first: Option<Signature>,
    /// Who did the work.
    whose: Uuid,
    /// Who supervised it; for a kind that names nobody, any other practitioner may have.
    supervisor: Option<Option<Uuid>>,
}

async fn signed(scope: &mut Scope, (kind, id): (RecordKind, Uuid)) -> Result<Signed> {
    Ok(match kind {
        RecordKind::Consultation => {
            let it = consultation::store::consultation(scope, id).await?;
            Signed { patient: it.patient_id, first: it.signature, whose: it.practitioner_id, supervisor: None }
        }
        RecordKind::TreatmentSession => {
            let it = session::store::session(scope, id).await?;
            let supervisor = Some(it.supervisor_id);
            Signed { patient: it.patient_id, first: it.signature, whose: it.practitioner_id, supervisor }
        }
        RecordKind::AftercareNote => {
            let it = aftercare::store::note(scope, id).await?;
            Signed { patient: it.patient_id, first: it.signature, whose: it.author_id, supervisor: None }
        }
        other => {
            return Err(Error::input(
                "input.recordId",
                Code::NotApplicable.says(format!("{} takes no signature", other.one())),
            ));
        }
    })
}

/// Whether somebody answers for the work by this meaning.
fn answers(meaning: SignatureMeaning) -> bool {
    matches!(meaning, SignatureMeaning::Author | SignatureMeaning::TakenOver)
}

/// The faults of a further signature, by the signatures that there are.
async fn judge(scope: &mut Scope, given: &Given, signer: Uuid, on: &Signed, there: &[Signature]) -> Result<()> {
    let mut lacks = Missing::default();
    let answered = there.iter().find(|it| answers(it.meaning));
    if answers(given.meaning) {
        match answered {
            Some(_) => lacks.unless(false, "input.meaning", "somebody answers for this record already: co-sign it"),
            None => signatures::judge_first(scope, &mut lacks, given, signer, on.whose).await?,
        }
    } else {
        let own = signer == on.whose || answered.is_some_and(|it| it.signed_by == signer);
        lacks.unless(!own, "input.meaning", "is for another practitioner: you answer for this record");
        lacks.unless(given.reason.is_none(), "input.reason", "is for TAKEN_OVER: leave it out");
        if !own && given.meaning == SignatureMeaning::Supervisor && on.supervisor.is_some_and(|it| it != Some(signer)) {
            lacks.unless(false, "input.meaning", "SUPERVISOR is for the session's supervisor: sign as REVIEWER");
        }
    }
    lacks.into_result()
}

async fn add(scope: &mut Scope, new: New) -> Result<Countersignature> {
    scope.viewer().check(Action::Create, RecordKind::Countersignature)?;
    let signer = scope.viewer().author()?;
    let on = signed(scope, new.record).await?;
    let Some(first) = &on.first else {
        return Err(Error::input(
            "input.recordId",
            Code::WrongState.says("this record is a draft: who did the work signs it first, or who takes it over"),
        ));
    };
    if new.content_hash.is_some_and(|hash| hash != hex::text(&first.content_hash)) {
        let message = "the content that was signed has another hash: read the record again".to_owned();
        return Err(Error::Conflict { message, current_version: None });
    }
    signatures::refuse_retracted(scope, new.record.1, "input.recordId").await?;
    let further = signatures::countersignatures_of(scope, &[new.record.1]).await?;
    let there: Vec<Signature> = [first.clone()].into_iter().chain(further.into_iter().map(Signature::from)).collect();
    if there.iter().any(|it| it.signed_by == signer && it.meaning == new.given.meaning) {
        let message = "you have signed this record with this meaning already".to_owned();
        return Err(Error::Conflict { message, current_version: None });
    }
    judge(scope, &new.given, signer, &on, &there).await?;
    let countersignature = Countersignature {
        id: new.id,
        patient_id: on.patient,
        record_kind: new.record.0,
        record_id: new.record.1,
        signed_at: ids::now(),
        signed_by: signer,
        meaning: new.given.meaning,
        reason: new.given.reason,
        content_hash: first.content_hash.clone(),
    };
    kept::add(scope, &countersignature).await?;
    Ok(countersignature)
}

/// Further signatures.
#[derive(Default)]
pub struct CountersignMutation;

#[Object]
impl CountersignMutation {
    /// Signs a signed consultation, session or note once more, over the same content: as its reviewer or supervisor, each
    /// meaning once for each person. REAUTHENTICATION_REQUIRED when the password or a code was given too long ago.
    async fn countersign_record(
        &self,
        ctx: &Context<'_>,
        input: CountersignRecordInput,
    ) -> async_graphql::Result<CountersignRecordPayload> {
        let new = input.read()?;
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let work = transaction(move |scope| Box::pin(add(scope, new)));
        Ok(CountersignRecordPayload { countersignature: operation.mutate(retry, work).await? })
    }
}
