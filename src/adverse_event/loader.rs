//! What aftercare notes propose: batched.

use super::AdverseEvent;
use super::proposal::{ProposedAdverseEvent, SymptomWindows, already, proposals, usual_thresholds};
use crate::aftercare::AftercareNote;
use crate::page::listing;
use crate::protocol::ProtocolVersion;
use crate::session::{SessionStatus, loader as sessions};
use crate::signing::loader::retraction;
use async_graphql::{Context, Result};

/// What a note proposes, with what was reported already: batched with the note's siblings.
pub async fn proposed(ctx: &Context<'_>, note: &AftercareNote) -> Result<Vec<ProposedAdverseEvent>> {
    let session = sessions::session_of_record(ctx, note.session_id).await?;
    if matches!(session.status, SessionStatus::NotDone | SessionStatus::EnteredInError) {
        return Ok(Vec::new());
    }
    let of_retracted = futures::future::try_join(retraction(ctx, note.id), retraction(ctx, note.session_id)).await?;
    if of_retracted != (None, None) {
        return Ok(Vec::new());
    }
    let end = session.ended_at.unwrap_or(session.started_at);
    let version = match session.protocol_version_id {
        Some(id) => Some(listing::required::<ProtocolVersion>(ctx, id).await?),
        None => None,
    };
    let windows = version.as_ref().and_then(|it| it.rules.symptom_windows.as_ref());
    let windows = windows.map_or_else(SymptomWindows::default, SymptomWindows::by_protocol);
    let thresholds = match version.as_ref().map(|it| &it.rules.symptom_thresholds).filter(|it| !it.is_empty()) {
        Some(own) => own.clone(),
        None => usual_thresholds(),
    };
    let found = proposals(note, end, windows, &thresholds);
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let events = listing::whole::<AdverseEvent>(ctx, ("session_id", note.session_id)).await?;
    let each = found.into_iter().map(|proposal| {
        let already = already(note, &proposal, &events).cloned();
        ProposedAdverseEvent { proposal, already }
    });
    Ok(each.collect())
}
