//! Everything of one person as one JSON document.

use super::{EXPORT_FORMAT, MOST_EXPORTED, store};
use crate::access::Scope;
use crate::error::{Error, Result};
use crate::ids;
use crate::ledger::{self, Entry, shown_content};
use crate::organisation::store as people;
use crate::patient::{Patient, store as patients};
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use uuid::Uuid;

/// A document of everything of one person.
pub struct Export {
    /// When it was assembled.
    pub generated_at: DateTime<Utc>,
    /// The number of the newest ledger entry it contains.
    pub ledger_sequence: i64,
    /// The document.
    pub content: Value,
    /// SHA-256 of the document as JSON without spaces, its keys sorted.
    pub sha256: Vec<u8>,
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn staff_id(id: Option<Uuid>) -> Value {
    id.map_or(Value::Null, |id| Value::String(ids::show(RecordKind::Staff, id)))
}

fn too_large(what: &str) -> Error {
    Error::QueryTooLarge(format!("this patient has more than {MOST_EXPORTED} {what}: too many for one document"))
}

/// A record or a version of one as the document has it.
fn shown(entry: &Entry) -> Result<Value> {
    Ok(json!({
        "id": ids::show(entry.kind, entry.record),
        "kind": entry.kind.as_str(),
        "version": entry.version,
        "at": time(entry.at),
        "by": staff_id(entry.actor),
        "action": entry.action.as_str(),
        "ledgerSequence": entry.seq,
        "content": shown_content(&entry.json()?),
    }))
}

/// Records as the document has them, a list for each kind.
fn by_kind(newest: &[Entry]) -> Result<Map<String, Value>> {
    let mut by_kind: Map<String, Value> = Map::new();
    for entry in newest {
        let list = by_kind.entry(entry.kind.as_str()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(shown(entry)?);
        }
    }
    Ok(by_kind)
}

/// What the ledger's contents only point to.
struct Beside {
    photos: Vec<Value>,
    signatures: Vec<Value>,
    texts: Vec<Value>,
}

async fn beside(scope: &mut Scope, everyone: &[Uuid], link: &(dyn Fn(Uuid) -> String + Sync)) -> Result<Beside> {
    let photos = store::photos(scope, everyone).await?.into_iter().map(|(id, media_type, content_hash)| {
        json!({"photoId": ids::show(RecordKind::Photo, id), "mediaType": media_type, "contentHash": content_hash,
            "download": media_type.as_ref().map(|_| link(id))})
    });
    let signatures = store::drawn_signatures(scope, everyone).await?.into_iter().map(|(id, media_type, image)| {
        json!({"consentId": ids::show(RecordKind::Consent, id), "mediaType": media_type, "imageBase64": image})
    });
    let texts = store::agreed_texts(scope, everyone).await?.into_iter().map(|(id, name, number, language, text)| {
        json!({"consentId": ids::show(RecordKind::Consent, id), "name": name, "number": number, "language": language,
            "text": text})
    });
    Ok(Beside { photos: photos.collect(), signatures: signatures.collect(), texts: texts.collect() })
}

/// Puts the document together, from one picture; `link` gives where the bytes of a photo are fetched. Its size is bound by `MOST_EXPORTED`.
pub async fn export(scope: &mut Scope, patient: &Patient, link: &(dyn Fn(Uuid) -> String + Sync)) -> Result<Export> {
    let generated_at = ids::now();
    let mut everyone = vec![patient.id];
    everyone.extend(patients::merged_into(scope, patient.id).await?.iter().map(|merged| merged.id));
    let newest = ledger::shown_at(scope, &everyone, generated_at).await?;
    // The whole, or nothing: who gives it out may read every kind that is in it.
    for kind in newest.iter().map(|entry| entry.kind).collect::<BTreeSet<_>>() {
        scope.viewer().check(Action::Read, kind)?;
    }
    scope.viewer().check_access_log()?;
    for entry in &newest {
        scope.show(entry.tells_of()?);
    }
    let records: Vec<Uuid> = newest.iter().map(|entry| entry.record).collect();
    let history = ledger::history_of(scope, &records, MOST_EXPORTED + 1).await?;
    let looks = ledger::looks_at(scope, &everyone, MOST_EXPORTED + 1).await?;
    let most = usize::try_from(MOST_EXPORTED).unwrap_or(usize::MAX);
    if history.len() > most {
        return Err(too_large("entries in the ledger"));
    }
    if looks.len() > most {
        return Err(too_large("looks in the access log"));
    }
    let ledger_sequence = newest.iter().map(|entry| entry.seq).max().unwrap_or(0);
    let by_kind = by_kind(&newest)?;
    let mut who: BTreeSet<Uuid> = looks.iter().filter_map(|((_, _, actor), _)| *actor).collect();
    who.extend(history.iter().filter_map(|entry| entry.actor));
    let who: Vec<Uuid> = who.into_iter().collect();
    let staff: Map<String, Value> = people::staff(scope, &who)
        .await?
        .into_iter()
        .map(|member| (ids::show(RecordKind::Staff, member.id), Value::String(member.display_name)))
        .collect();
    let looks = looks.into_iter().map(|((seq, at, actor), (event, operation, address, reason))| {
        json!({"sequence": seq, "at": time(at), "by": staff_id(actor), "event": event, "operation": operation, "from": address,
            "reason": reason})
    });
    let Beside { photos, signatures, texts } = beside(scope, &everyone, link).await?;
    let content = json!({
        "format": EXPORT_FORMAT,
        "generatedAt": time(generated_at),
        "ledgerSequence": ledger_sequence,
        "patientId": ids::show(RecordKind::Patient, patient.id),
        "records": by_kind,
        "history": history.iter().map(shown).collect::<Result<Vec<_>>>()?,
        "accessHistory": looks.collect::<Vec<_>>(),
        "photos": photos,
        "drawnSignatures": signatures,
        "consentTexts": texts,
        "staff": staff,
    });
    let sha256 = Sha256::digest(serde_json::to_string(&content)?.as_bytes()).to_vec();
    Ok(Export { generated_at, ledger_sequence, content, sha256 })
}
