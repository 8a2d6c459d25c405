//! An event as its receiver gets it: thin. It says which record changed, and no word of what the record says.

use crate::feed::RecordChange;
use crate::ids;
use crate::record::hex;
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The type of an event that an admin sends as a test.
pub const PING: &str = "ping";

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its `webhook-id`: the same at each try.
    pub id: String,
    /// Its type, `treatment_session.updated`.
    pub kind: String,
    /// Its body: JSON.
    pub body: String,
}

/// What an action makes of a record, as a type says it.
fn done(action: Action) -> &'static str {
    match action {
        Action::Read => "read",
        Action::Create => "created",
        Action::Update => "updated",
        Action::Archive => "archived",
        Action::Restore => "restored",
        Action::Sign => "signed",
        Action::Publish => "published",
        Action::Merge => "merged",
        Action::Export => "exported",
        Action::Erase => "erased",
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The id of the event that tells a webhook of a change: the same however often it is made, and another for any other change
/// or webhook.
fn id(webhook: Uuid, change: &RecordChange) -> String {
    let digest = Sha256::new()
        .chain_update(webhook.as_bytes())
        .chain_update(change.seq.to_be_bytes())
        .chain_update(change.at.timestamp_micros().to_be_bytes())
        .chain_update(change.place.to_be_bytes())
        .finalize();
    "msg_".chars().chain(hex::text(&digest).chars().take(32)).collect()
}

fn patient(id: Option<Uuid>) -> Option<String> {
    id.map(|id| ids::show(RecordKind::Patient, id))
}

impl Event {
    /// What a webhook is told of a change.
    pub fn of(org: Uuid, webhook: Uuid, change: &RecordChange) -> Self {
        let kind = format!("{}.{}", change.kind.as_str(), done(change.action));
        let data = json!({
            "organisationId": ids::show(RecordKind::Organisation, org),
            "sequence": change.seq,
            "cursor": change.position.cursor(),
            // The words of the API, as `/changes` has them.
            "action": change.action.as_str().to_uppercase(),
            "kind": change.kind.as_str().to_uppercase(),
            "recordId": ids::show(change.kind, change.record),
            "version": change.version,
            "patientId": patient(change.patient),
            "movedFromPatientId": patient(change.moved_from),
            "mark": change.mark.map(|mark| mark.as_str().to_uppercase()),
        });
        let body = body(&kind, change.at, data);
        Self { id: id(webhook, change), kind, body }
    }

    /// A test of a webhook.
    pub fn ping(org: Uuid, webhook: Uuid, event_id: String) -> Self {
        let data = json!({
            "organisationId": ids::show(RecordKind::Organisation, org),
            "webhookId": ids::show(RecordKind::Webhook, webhook),
        });
        Self { id: event_id, kind: PING.to_owned(), body: body(PING, ids::now(), data) }
    }
}

#[allow(clippy::needless_pass_by_value)] // it becomes part of the text
fn body(kind: &str, at: DateTime<Utc>, data: Value) -> String {
    json!({"type": kind, "timestamp": time(at), "data": data}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{ChangeMark, Position};
    use async_graphql::resolver_utils::EnumType;
    use std::collections::BTreeSet;

    fn change() -> RecordChange {
        let at = DateTime::from_timestamp_micros(1_796_000_000_123_456).expect("a time");
        RecordChange {
            seq: 4711,
            place: 1,
            at,
            action: Action::Update,
            kind: RecordKind::CallBack,
            record: Uuid::from_u128(1),
            version: Some(3),
            patient: Some(Uuid::from_u128(2)),
            moved_from: Some(Uuid::from_u128(3)),
            mark: Some(ChangeMark::Moved),
            actor: Some(Uuid::from_u128(4)),
            request_id: "of no concern".to_owned(),
            position: Position { seq: 4711, at: Some(at), place: Some(1) },
        }
    }

    #[test]
    fn an_event_points_and_tells_nothing() {
        let event = Event::of(Uuid::from_u128(9), Uuid::nil(), &change());
        assert_eq!(event.kind, "recall.updated");
        let expected = json!({"type": "recall.updated", "timestamp": "2026-11-30T00:53:20.123456Z", "data": {
            "organisationId": ids::show(RecordKind::Organisation, Uuid::from_u128(9)), "sequence": 4711,
            "cursor": change().position.cursor(), "action": "UPDATE", "kind": "RECALL",
            "recordId": ids::show(RecordKind::CallBack, Uuid::from_u128(1)), "version": 3,
            "patientId": ids::show(RecordKind::Patient, Uuid::from_u128(2)),
            "movedFromPatientId": ids::show(RecordKind::Patient, Uuid::from_u128(3)), "mark": "MOVED"}});
        assert_eq!(serde_json::from_str::<Value>(&event.body).expect("JSON"), expected);
    }

    #[test]
    fn an_id_is_of_one_change_for_one_webhook() {
        let of = |webhook: u128, change: &RecordChange| Event::of(Uuid::nil(), Uuid::from_u128(webhook), change).id;
        let other = |other: RecordChange| of(1, &other);
        assert_eq!(of(1, &change()), of(1, &change()));
        // What an erasure emptied of a retraction has another cursor, and is the same change.
        let emptied = RecordChange { position: Position { place: None, ..change().position }, ..change() };
        assert_eq!(of(1, &change()), other(emptied));
        let later = change().at + chrono::TimeDelta::microseconds(1);
        let ids = [
            of(1, &change()),
            of(2, &change()),
            other(RecordChange { seq: 4712, ..change() }),
            other(RecordChange { place: 2, ..change() }),
            other(RecordChange { at: later, ..change() }),
        ];
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
        assert!(ids[0].len() == 36 && ids[0].starts_with("msg_"), "{}", ids[0]);
    }

    #[test]
    fn words_are_those_of_the_api() {
        fn same<T: EnumType + Copy>(all: &[T], word: impl Fn(T) -> &'static str) {
            let names: Vec<String> = T::items().iter().map(|item| item.name.to_owned()).collect();
            let words: Vec<String> = all.iter().map(|value| word(*value).to_uppercase()).collect();
            assert_eq!(names, words);
        }
        same(RecordKind::ALL, RecordKind::as_str);
        same(Action::ALL, Action::as_str);
        same(ChangeMark::ALL, ChangeMark::as_str);
    }
}
