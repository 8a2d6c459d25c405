use super::*;
use serde_json::json;

fn entry(kind: RecordKind, action: Action, content: Value) -> Entry {
    Entry {
        seq: 7,
        at: DateTime::UNIX_EPOCH,
        actor: None,
        request_id: "r-1".to_owned(),
        action,
        kind,
        record: Uuid::from_u128(1),
        version: 2,
        patient: Some(Uuid::from_u128(2)),
        moved_from: None,
        gone: false,
        content: (!content.is_null()).then(|| content.to_string()),
    }
}

fn changes(entry: &Entry) -> Vec<RecordChange> {
    entry.changes(&entry.told().expect("a content")).collect()
}

#[test]
fn a_change_says_what_it_means_for_a_copy() {
    use RecordKind::{Consent, HealthEntry, Patient, PatientMerge, TreatmentSession};
    let moved = |kind| Entry { moved_from: Some(Uuid::from_u128(3)), ..entry(kind, Action::Merge, Value::Null) };
    let gone = Entry { gone: true, ..entry(HealthEntry, Action::Create, Value::Null) };
    for (entry, mark) in [
        (entry(HealthEntry, Action::Create, json!({"entered_in_error": false, "note": "x"})), None),
        (entry(HealthEntry, Action::Update, json!({"entered_in_error": true})), Some(ChangeMark::EnteredInError)),
        (entry(Consent, Action::Update, json!({"status": "entered_in_error"})), Some(ChangeMark::EnteredInError)),
        (entry(TreatmentSession, Action::Sign, json!({"status": "completed"})), None),
        // A content that was emptied, of somebody who stayed.
        (entry(Patient, Action::Merge, Value::Null), None),
        (gone, Some(ChangeMark::Erased)),
        (moved(TreatmentSession), Some(ChangeMark::Moved)),
        // The two patients and the merge belong to nobody else than before.
        (moved(Patient), None),
        (moved(PatientMerge), None),
    ] {
        let found = changes(&entry);
        assert_eq!((found.len(), found[0].mark), (1, mark), "{entry:?}");
        assert_eq!(found[0].moved_from, entry.moved_from.filter(|_| mark == Some(ChangeMark::Moved)), "{entry:?}");
        assert_eq!(found[0].position, Position { seq: 7, at: Some(DateTime::UNIX_EPOCH), place: None });
    }
}

#[test]
fn an_entry_tells_of_the_other_record_that_it_is_about() {
    let session = Uuid::from_u128(9);
    let retraction = json!({"record_kind": "treatment_session", "record_id": session, "reason": "Another patient's"});
    let found = changes(&entry(RecordKind::Retraction, Action::Create, retraction));
    assert_eq!(found[0].position.place, Some(0), "what stands beside it is still to come");
    let other = &found[1];
    assert_eq!(
        (other.kind, other.record, other.mark),
        (RecordKind::TreatmentSession, session, Some(ChangeMark::Retracted))
    );
    assert_eq!((other.version, other.patient, other.position.place), (None, found[0].patient, Some(1)));

    let lifted = |at: Value| entry(RecordKind::PatientRestriction, Action::Update, json!({"lifted_at": at}));
    assert_eq!(changes(&lifted(Value::Null)).len(), 1);
    let found = changes(&lifted(json!("2026-01-01T00:00:00Z")));
    assert_eq!((found[1].kind, Some(found[1].record)), (RecordKind::Patient, found[0].patient));
    assert_eq!(found[1].mark, Some(ChangeMark::Reopened));
}

#[test]
fn entries_that_tell_of_others_are_looked_at_for_these() {
    let words = |kinds: &[RecordKind]| looked_at(kinds).join(" ");
    assert_eq!(words(&[RecordKind::Photo]), "photo retraction patient_erasure");
    assert_eq!(words(&[RecordKind::Patient]), "patient retraction patient_erasure patient_restriction");
    assert_eq!(words(&[RecordKind::Retraction, RecordKind::PatientErasure]), "retraction patient_erasure");
}
