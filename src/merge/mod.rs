//! Two charts of one person: finding them, making them one, and taking that back.

mod filter;
pub mod likeness;
pub mod store;

pub use filter::{MergeCondition, MergeFilter, MergeOrder};

use crate::error::{Code, Error, Faults, Result};
use crate::ledger::Record;
use crate::patient::{Patient, PatientStatus};
use crate::record::Stamp;
use crate::vocabulary::{RecordKind, vocabulary};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

vocabulary! {
    /// A field of a patient's identity, which two charts of one person may have filled differently. The chart number is
    /// none: both stay known.
    IdentityField {
        /// The name on the identity document.
        LegalName = "legal_name",
        /// The name the patient wants to be called.
        PreferredName = "preferred_name",
        /// Date of birth.
        BirthDate = "birth_date",
        /// The day they died.
        DeceasedOn = "deceased_on",
        /// Sex at birth; UNKNOWN gives way to any other.
        SexAtBirth = "sex_at_birth",
        /// Gender.
        Gender = "gender",
        /// Pronouns.
        Pronouns = "pronouns",
        /// E-mail.
        Email = "email",
        /// Phone.
        Phone = "phone",
        /// Names that the patient had before: those of both charts are kept.
        FormerNames = "former_names",
        /// Phones beside the first one: those of both charts are kept.
        OtherPhones = "other_phones",
        /// The language that the patient speaks.
        Language = "language",
        /// Whether they need an interpreter.
        NeedsInterpreter = "needs_interpreter",
        /// Address.
        Address = "address",
        /// Emergency contact.
        EmergencyContact = "emergency_contact",
        /// Skin type with who assessed it when.
        SkinType = "skin_type",
    }
}

vocabulary! {
    /// Which of the two charts a field is taken from.
    MergeSide {
        /// The chart that is merged away.
        From = "from",
        /// The chart that stays.
        Into = "into",
    }
}

/// A field in which the two charts differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MergeConflict {
    /// The field.
    pub field: IdentityField,
    /// The value in the chart that is merged away.
    pub from: Value,
    /// The value in the chart that stays.
    pub into: Value,
    /// Which value was taken; none while nobody has chosen.
    pub taken: Option<MergeSide>,
}

/// A merge of two patients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PatientMerge {
    /// Its id.
    pub id: Uuid,
    /// The patient who was merged away.
    pub from_id: Uuid,
    /// The patient who stayed.
    pub into_id: Uuid,
    /// When the patients were merged.
    pub merged_at: DateTime<Utc>,
    /// Who merged the patients.
    pub merged_by: Option<Uuid>,
    /// Why the patients were merged.
    pub reason: String,
    /// The records that moved, by their table.
    pub moved: BTreeMap<String, Vec<Uuid>>,
    /// The fields in which the two charts differed, and which value was taken.
    pub conflicts: Vec<MergeConflict>,
    /// When it was taken back.
    pub undone_at: Option<DateTime<Utc>>,
    /// Who took the merge back.
    pub undone_by: Option<Uuid>,
    /// Why the merge was taken back.
    pub undo_reason: Option<String>,
    /// Fields of the patient who stayed that were changed after the merge and were therefore left unchanged when it was
    /// taken back.
    pub kept: Vec<IdentityField>,
    /// The two patients around it, for undoing it. Not for the ledger, which has their own entries.
    #[serde(skip)]
    pub before: Option<Value>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for PatientMerge {
    const KIND: RecordKind = RecordKind::PatientMerge;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        self.stamp.version
    }
    fn patient_id(&self) -> Option<Uuid> {
        Some(self.into_id)
    }
    fn tells_of(&self) -> Vec<Uuid> {
        vec![self.from_id, self.into_id]
    }
}

/// Both patients around a merge: what undoing it goes by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identities {
    /// The one merged away, before.
    pub from: Patient,
    /// The one that stayed, before.
    pub into: Patient,
    /// The one that stayed, after.
    pub merged: Patient,
}

/// A patient's fields by their names in the ledger.
fn fields(patient: &Patient) -> Result<Map<String, Value>> {
    match serde_json::to_value(patient)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(Error::Internal("a patient that is no object".to_owned())),
    }
}

fn value(fields: &Map<String, Value>, field: IdentityField) -> Value {
    let value = fields.get(field.as_str()).cloned().unwrap_or_default();
    // Nobody knows is as good as nobody said.
    if field == IdentityField::SexAtBirth && value == "unknown" { Value::Null } else { value }
}

/// What two charts fill differently. Filled and empty is no conflict: the filled one is taken.
pub fn conflicts(from: &Patient, into: &Patient) -> Result<Vec<MergeConflict>> {
    let (from, into) = (fields(from)?, fields(into)?);
    let each = IdentityField::ALL.iter().map(|field| (*field, value(&from, *field), value(&into, *field)));
    Ok(each
        // Of two lists both are kept.
        .filter(|(_, from, into)| !from.is_null() && !into.is_null() && from != into && !from.is_array())
        .map(|(field, from, into)| MergeConflict { field, from, into, taken: None })
        .collect())
}

/// The conflicts with the caller's choices; every fault at once.
pub fn resolve(conflicts: &mut [MergeConflict], choices: &[(IdentityField, MergeSide)]) -> Result<()> {
    let mut faults = Faults::default();
    let mut seen = HashMap::new();
    for (i, (field, side)) in choices.iter().enumerate() {
        let path = format!("input.resolution.{i}.field");
        if seen.insert(*field, *side).is_some() {
            faults.add(path, Code::Duplicate.says("is decided twice: send it once"));
        } else if !conflicts.iter().any(|conflict| conflict.field == *field) {
            faults.add(path, Code::NotApplicable.says("is not in conflict: leave it out"));
        }
    }
    for conflict in conflicts {
        conflict.taken = seen.get(&conflict.field).copied();
        if conflict.taken.is_none() {
            let words = conflict.field.words();
            faults.add(
                "input.resolution",
                Code::Required
                    .says(format!("says nothing of the {words}, which differs: take FROM or INTO (dryRun shows both)")),
            );
        }
    }
    faults.into_result()
}

/// The one who stays, with the empty fields filled from the other and the conflicts as they were decided.
pub fn merged(from: &Patient, into: &Patient, conflicts: &[MergeConflict]) -> Result<Patient> {
    let (other, mut own) = (fields(from)?, fields(into)?);
    for field in IdentityField::ALL {
        let theirs = value(&other, *field);
        let taken = conflicts.iter().find(|conflict| conflict.field == *field).and_then(|conflict| conflict.taken);
        if let (Some(ours), Some(theirs)) = (value(&own, *field).as_array(), theirs.as_array()) {
            let new = theirs.iter().filter(|it| !ours.contains(it));
            let both: Vec<Value> = ours.iter().chain(new).cloned().collect();
            own.insert(field.as_str().to_owned(), Value::Array(both));
            continue;
        }
        let fill = value(&own, *field).is_null() && !theirs.is_null();
        if fill || taken == Some(MergeSide::From) {
            own.insert(field.as_str().to_owned(), theirs);
        }
    }
    Ok(serde_json::from_value(Value::Object(own))?)
}

/// The one who stayed, as they were before the merge in each field that it changed and nobody has changed since. The
/// fields that somebody has are named.
pub fn apart(identities: &Identities, now: &Patient) -> Result<(Patient, Vec<IdentityField>)> {
    let (before, merged, mut own) = (fields(&identities.into)?, fields(&identities.merged)?, fields(now)?);
    let mut kept = Vec::new();
    for field in IdentityField::ALL {
        let of = |fields: &Map<String, Value>| fields.get(field.as_str()).cloned().unwrap_or_default();
        if of(&before) == of(&merged) {
            continue;
        }
        if of(&own) == of(&merged) {
            match of(&before) {
                // As it was: an empty list is not written.
                Value::Null => own.remove(field.as_str()),
                value => own.insert(field.as_str().to_owned(), value),
            };
        } else {
            kept.push(*field);
        }
    }
    Ok((serde_json::from_value(Value::Object(own))?, kept))
}

/// Whether two patients may become one.
pub fn may_merge(from: &Patient, into: &Patient) -> Result<()> {
    let mut faults = Faults::default();
    if from.status == PatientStatus::Merged {
        faults.add(
            "input.fromId",
            Code::Merged.says("was merged into another patient already: merge that one (mergedInto)"),
        );
    }
    match into.status {
        PatientStatus::Active => {}
        PatientStatus::Archived => {
            faults.add("input.intoId", Code::Archived.says("is archived: restore them first (restorePatient)"))
        }
        PatientStatus::Merged => {
            faults.add(
                "input.intoId",
                Code::Merged.says("was merged into another patient: merge into that one (mergedInto)"),
            );
        }
    }
    faults.into_result()
}

/// A move of records to another patient, by a merge or by its undoing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Whose the records were.
    pub from: Uuid,
    /// Whose they are then.
    pub into: Uuid,
    /// When they move.
    pub at: DateTime<Utc>,
    /// Who moves them.
    pub by: Option<Uuid>,
}

/// The stamp in a record's content. What is never changed has none.
#[derive(Deserialize)]
struct Stamped {
    updated_at: Option<Value>,
    updated_by: Option<Value>,
}

/// The content of a moved record with its new patient, and with who moved it when in its stamp: nothing else in it changes,
/// to the letter.
pub fn moved_content(content: &str, kind: RecordKind, Move { from, into, at, by }: Move) -> Result<String> {
    let owner = if kind == RecordKind::Patient { "merged_into" } else { "patient_id" };
    let put = |text: String, field: &str, before: &Value, after: &Value| {
        text.replace(&format!("\"{field}\":{before}"), &format!("\"{field}\":{after}"))
    };
    let mut moved = put(content.to_owned(), owner, &json!(from), &json!(into));
    let Stamped { updated_at, updated_by } = serde_json::from_str(content)?;
    if let Some(before) = updated_at {
        moved = put(moved, "updated_at", &before, &json!(at));
        if let Some(by) = by {
            moved = put(moved, "updated_by", &updated_by.unwrap_or_default(), &json!(by));
        }
    }
    Ok(moved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    fn patient(more: Value) -> Patient {
        let now = ids::now();
        let mut content = json!({
            "id": ids::new_id(), "chart_number": "P-1", "legal_name": {"given": "Ana", "middle": null, "family": "Sol"},
            "birth_date": "1990-05-17", "status": "active", "version": 1, "created_at": now, "updated_at": now,
        });
        content.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        serde_json::from_value(content).expect("a patient")
    }

    fn pair() -> (Patient, Patient) {
        let from =
            json!({"email": "a@x.example", "phone": "+34600000001", "sex_at_birth": "female", "gender": "woman"});
        let into =
            json!({"phone": "+34600000002", "sex_at_birth": "unknown", "gender": "woman", "chart_number": "P-2"});
        (patient(from), patient(into))
    }

    #[test]
    fn filled_and_empty_is_no_conflict() {
        let (from, into) = pair();
        let found = conflicts(&from, &into).expect("conflicts");
        let fields: Vec<IdentityField> = found.iter().map(|conflict| conflict.field).collect();
        assert_eq!(fields, [IdentityField::Phone]);
        let whole = merged(&from, &into, &found).expect("a patient");
        assert_eq!(whole.email, from.email, "the filled one");
        assert_eq!(whole.sex_at_birth, from.sex_at_birth, "known before unknown");
        assert_eq!((whole.phone, whole.chart_number, whole.id), (into.phone, into.chart_number, into.id));
    }

    #[test]
    fn every_conflict_needs_a_decision_and_nothing_else_takes_one() {
        let (from, into) = pair();
        let mut found = conflicts(&from, &into).expect("conflicts");
        let twice = [(IdentityField::Email, MergeSide::From), (IdentityField::Email, MergeSide::Into)];
        match resolve(&mut found, &twice) {
            Err(Error::BadUserInput(faults)) => assert_eq!(faults.len(), 3, "{faults:?}"),
            other => panic!("{other:?}"),
        }
        resolve(&mut found, &[(IdentityField::Phone, MergeSide::From)]).expect("decided");
        assert_eq!(merged(&from, &into, &found).expect("a patient").phone, from.phone);
    }

    #[test]
    fn apart_again_each_is_as_before_but_for_what_changed_since() {
        let (from, into) = pair();
        let mut found = conflicts(&from, &into).expect("conflicts");
        resolve(&mut found, &[(IdentityField::Phone, MergeSide::From)]).expect("decided");
        let whole = merged(&from, &into, &found).expect("a patient");
        let identities = Identities { from, into: into.clone(), merged: whole.clone() };
        assert_eq!(apart(&identities, &whole).expect("apart"), (into.clone(), vec![]));
        let changed = Patient { email: Some("new@x.example".to_owned()), gender: None, ..whole };
        let (after, kept) = apart(&identities, &changed).expect("apart");
        assert_eq!(kept, [IdentityField::Email]);
        assert_eq!((after.email, after.phone, after.gender), (changed.email, into.phone, None));
    }

    #[test]
    fn a_moved_content_keeps_its_letters() {
        let (a, b, anna, sam) = (ids::new_id(), ids::new_id(), ids::new_id(), ids::new_id());
        let at: DateTime<Utc> = "2026-11-30T14:00:00.120450Z".parse().expect("a moment");
        let to = Move { from: a, into: b, at, by: Some(sam) };
        let content = format!("{{\"z\":1.50,\"patient_id\":\"{a}\",\"a\":\"{a}\"}}");
        let moved = moved_content(&content, RecordKind::Consent, to).expect("content");
        assert_eq!(moved, format!("{{\"z\":1.50,\"patient_id\":\"{b}\",\"a\":\"{a}\"}}"), "what has no stamp");
        for (by, mover, after) in [
            (format!("\"{anna}\""), Some(sam), format!("\"{sam}\"")),
            ("null".to_owned(), Some(sam), format!("\"{sam}\"")),
            (format!("\"{anna}\""), None, format!("\"{anna}\"")),
        ] {
            let stamped = |owner: Uuid, at: &str, by: &str| {
                format!(
                    "{{\"text\":\"\\\"updated_at\\\":\\\"x\\\"\",\"patient_id\":\"{owner}\",\"created_at\":\"2026-01-01T00:00:00Z\",\
                    \"updated_at\":\"{at}\",\"updated_by\":{by}}}"
                )
            };
            let before = stamped(a, "2026-01-01T00:00:00Z", &by);
            let moved = moved_content(&before, RecordKind::Consent, Move { by: mover, ..to }).expect("content");
            assert_eq!(moved, stamped(b, "2026-11-30T14:00:00.120450Z", &after));
        }
    }
}
