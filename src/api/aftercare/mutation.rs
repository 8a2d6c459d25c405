//! Adding, changing and signing aftercare notes.

use crate::access::Scope;
use crate::aftercare::{Adherence, AftercareNote, AftercareNoteKind, missing, store};
use crate::api::signing::SignRecordInput;
use crate::error::Code;
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::page::kept;
use crate::patient::store as patients;
use crate::record::Stamp;
use crate::scalars::DateTime;
use crate::session::{TreatmentSession, store as sessions};
use crate::signing::{self, Given, store::judge_first};
use crate::supervision::store::{self as supervision, JustSigned};
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use uuid::Uuid;

/// The maximum length of a note, in characters.
const LONGEST_TEXT: usize = 20_000;

/// Adds an aftercare note as a draft. Its author is whoever sends it; its patient is the session's patient.
#[derive(InputObject)]
pub struct AddAftercareNoteInput {
    /// An id made by the client, which makes a retry safe: `note_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    id: Option<ID>,
    /// `session_…`
    session_id: ID,
    /// The kind of note: instructions, a check-in, a report of the patient or a call.
    kind: AftercareNoteKind,
    /// The moment the note is about, not before the session began; now when absent.
    noted_at: Option<DateTime>,
    /// The text of the note, at most 20,000 characters. A signed note must have it, unless it is a CHECK_IN.
    text: Option<String>,
    /// Redness, 0 (none) to 10. A signed CHECK_IN scores redness, swelling or pain.
    redness: Option<i32>,
    /// Swelling, 0 (none) to 10.
    swelling: Option<i32>,
    /// Pain as rated by the patient, 0 (none) to 10.
    pain: Option<i32>,
    /// How far the patient followed the instructions.
    adherence: Option<Adherence>,
    /// Whether a practitioner must look at it.
    #[graphql(default)]
    escalate: bool,
}

/// Result of `addAftercareNote`.
#[derive(SimpleObject)]
pub struct AddAftercareNotePayload {
    /// The new aftercare note.
    aftercare_note: AftercareNote,
}

/// Changes to an aftercare note. An absent field stays as it is; null clears it.
#[derive(InputObject)]
pub struct AftercareNotePatch {
    /// The kind of note: instructions, a check-in, a report of the patient or a call.
    kind: Option<AftercareNoteKind>,
    /// The moment the note is about, not before the session began.
    noted_at: Option<DateTime>,
    /// The text of the note, at most 20,000 characters.
    text: MaybeUndefined<String>,
    /// Redness, 0 (none) to 10.
    redness: MaybeUndefined<i32>,
    /// Swelling, 0 (none) to 10.
    swelling: MaybeUndefined<i32>,
    /// Pain as rated by the patient, 0 (none) to 10.
    pain: MaybeUndefined<i32>,
    /// How far the patient followed the instructions.
    adherence: MaybeUndefined<Adherence>,
    /// Whether a practitioner must look at it.
    escalate: Option<bool>,
}

/// Changes an aftercare note that is not signed.
#[derive(InputObject)]
pub struct UpdateAftercareNoteInput {
    /// `note_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The fields to change.
    patch: AftercareNotePatch,
}

/// Result of `updateAftercareNote`.
#[derive(SimpleObject)]
pub struct UpdateAftercareNotePayload {
    /// The aftercare note after the change.
    aftercare_note: AftercareNote,
}

/// Result of `signAftercareNote`.
#[derive(SimpleObject)]
pub struct SignAftercareNotePayload {
    /// The signed aftercare note.
    aftercare_note: AftercareNote,
}

/// A note as read from the input; the session and the clock supply its patient and time.
struct NewNote {
    note: AftercareNote,
    noted_at: Option<chrono::DateTime<chrono::Utc>>,
}

impl AddAftercareNoteInput {
    fn read(self) -> crate::error::Result<NewNote> {
        let mut inputs = Inputs::new();
        let now = ids::now();
        let note = AftercareNote {
            id: inputs.new_id(RecordKind::AftercareNote, self.id.as_ref()),
            patient_id: Uuid::nil(),
            session_id: inputs.id("sessionId", RecordKind::TreatmentSession, &self.session_id),
            author_id: Uuid::nil(),
            kind: self.kind,
            noted_at: now,
            text: inputs.opt_text("text", self.text.as_deref(), LONGEST_TEXT),
            redness: inputs.small("redness", self.redness, 0, 10),
            swelling: inputs.small("swelling", self.swelling, 0, 10),
            pain: inputs.small("pain", self.pain, 0, 10),
            adherence: self.adherence,
            escalate: self.escalate,
            stamp: Stamp::new(None, now),
            signature: None,
        };
        let noted_at = self.noted_at.map(|time| inputs.past_time("notedAt", time.0));
        inputs.finish()?;
        Ok(NewNote { note, noted_at })
    }
}

impl AftercareNotePatch {
    /// The note after the patch, or every fault at once.
    fn apply(self, before: &AftercareNote, session: &TreatmentSession) -> crate::error::Result<AftercareNote> {
        let mut inputs = Inputs::new();
        let score = |inputs: &mut Inputs, path: &str, score| inputs.small(path, Some(score), 0, 10);
        let text = inputs.patch_text("patch.text", self.text, LONGEST_TEXT);
        let redness = inputs.patch("patch.redness", self.redness, score);
        let swelling = inputs.patch("patch.swelling", self.swelling, score);
        let pain = inputs.patch("patch.pain", self.pain, score);
        let noted_at = self.noted_at.map(|time| inputs.past_time("patch.notedAt", time.0));
        if let Some(noted_at) = noted_at {
            check_time(&mut inputs, "patch.", noted_at, session);
        }
        inputs.finish()?;
        Ok(AftercareNote {
            kind: self.kind.unwrap_or(before.kind),
            noted_at: noted_at.unwrap_or(before.noted_at),
            text: patched(text, before.text.clone()),
            redness: patched(redness, before.redness),
            swelling: patched(swelling, before.swelling),
            pain: patched(pain, before.pain),
            adherence: patched(self.adherence, before.adherence),
            escalate: self.escalate.unwrap_or(before.escalate),
            ..before.clone()
        })
    }
}

/// Checks that a note is not about a time before its session.
fn check_time(inputs: &mut Inputs, prefix: &str, noted_at: chrono::DateTime<chrono::Utc>, session: &TreatmentSession) {
    if noted_at < session.started_at {
        inputs.fault(&format!("{prefix}notedAt"), Code::WrongOrder.says("is before the session began"));
    }
}

/// Adds a new note to its session.
async fn add(scope: &mut Scope, new: NewNote) -> crate::error::Result<AftercareNote> {
    scope.viewer().check(Action::Create, RecordKind::AftercareNote)?;
    let author = scope.viewer().author()?;
    let session = sessions::session(scope, new.note.session_id).await?;
    signing::store::refuse_retracted(scope, session.id, "input.sessionId").await?;
    patients::active_patient(scope, session.patient_id, "input.sessionId").await?;
    let now = ids::now();
    // A session may begin minutes ahead of our clock; a note without a time must not fail for that.
    let noted_at = new.noted_at.unwrap_or_else(|| now.max(session.started_at));
    let mut inputs = Inputs::new();
    check_time(&mut inputs, "", noted_at, &session);
    inputs.finish()?;
    let note = AftercareNote {
        patient_id: session.patient_id,
        author_id: author,
        noted_at,
        stamp: Stamp::new(Some(author), now),
        ..new.note
    };
    kept::add(scope, &note).await?;
    Ok(note)
}

/// The draft to be edited, at the expected version.
async fn draft(scope: &mut Scope, action: Action, id: Uuid, expected: i32) -> crate::error::Result<AftercareNote> {
    scope.viewer().check(action, RecordKind::AftercareNote)?;
    let note = store::note(scope, id).await?;
    signing::editable("aftercare note", note.signature.as_ref(), note.stamp.version, expected)?;
    Ok(note)
}

/// Changes a draft.
async fn change(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    patch: AftercareNotePatch,
) -> crate::error::Result<AftercareNote> {
    let before = draft(scope, Action::Update, id, expected).await?;
    let session = sessions::session(scope, before.session_id).await?;
    let mut after = patch.apply(&before, &session)?;
    after.stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

/// Signs a note if it is complete.
async fn sign(scope: &mut Scope, id: Uuid, expected: i32, given: Given) -> crate::error::Result<AftercareNote> {
    let mut note = draft(scope, Action::Sign, id, expected).await?;
    let signer = scope.viewer().author()?;
    let mut lacking = missing(&note);
    judge_first(scope, &mut lacking, &given, signer, note.author_id).await?;
    lacking.into_result()?;
    let now = ids::now();
    note.stamp = note.stamp.changed(Some(signer), now);
    note.signature = Some(signing::sign(&note, signer, now, given)?);
    kept::save(scope, Action::Sign, &note, expected).await?;
    if let Some(signature) = &note.signature {
        let location = Some(sessions::session(scope, note.session_id).await?.location_id);
        let (patient, record) = (note.patient_id, (RecordKind::AftercareNote, id));
        supervision::draw(scope, JustSigned { patient, record, location, signature }).await?;
    }
    Ok(note)
}

/// The mutations of this module.
#[derive(Default)]
pub struct AftercareMutation;

#[Object]
impl AftercareMutation {
    /// Adds an aftercare note to a session, as a draft.
    async fn add_aftercare_note(
        &self,
        ctx: &Context<'_>,
        input: AddAftercareNoteInput,
    ) -> Result<AddAftercareNotePayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let new = input.read()?;
        let work = transaction(move |scope| Box::pin(add(scope, new)));
        Ok(AddAftercareNotePayload { aftercare_note: operation.mutate(retry, work).await? })
    }

    /// Changes an aftercare note that is not signed.
    async fn update_aftercare_note(
        &self,
        ctx: &Context<'_>,
        input: UpdateAftercareNoteInput,
    ) -> Result<UpdateAftercareNotePayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::AftercareNote, &input.id);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let (expected, patch) = (input.expected_version, input.patch);
        let work = transaction(move |scope| Box::pin(change(scope, id, expected, patch)));
        Ok(UpdateAftercareNotePayload { aftercare_note: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Signs an aftercare note, as its author, or takes it over. After that it takes no changes, only addenda. If anything is missing, the error names
    /// all of it at once.
    async fn sign_aftercare_note(&self, ctx: &Context<'_>, input: SignRecordInput) -> Result<SignAftercareNotePayload> {
        let (id, expected, given) = input.read(RecordKind::AftercareNote)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(sign(scope, id, expected, given)));
        Ok(SignAftercareNotePayload { aftercare_note: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
