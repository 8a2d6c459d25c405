//! The SQL of patients.

mod found;
mod identifiers;
mod list;

pub use found::names_alike;
pub use list::{Filter, OrderField, count, key, order, page};

use super::{FitzpatrickType, Patient, PatientDetails, PatientStatus, PersonName, SkinType, search};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Code, Error, Result};
use crate::ledger;
use crate::page::{Stored, listing, stored};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use chrono::NaiveDate;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

stored! {
    Patient = patient;
    on_conflict: chart_number;
    always: chart_number, preferred_name, birth_date, status, merged_into;
    asked: sex_at_birth, gender, pronouns, email, phone, status_reason, deceased_on;
    opt_json: address, emergency_contact;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::authored, Stamp::authored_columns;
        legal_name(given_name, middle_name, family_name, name_key) = name_of, name_columns;
    }
    asked_parts {
        details(details) = details_of, details_column;
        skin_type(fitzpatrick_type, fitzpatrick_assessed_on, fitzpatrick_assessed_by) = skin_type_of, skin_type_columns;
    }
    light: "displayName", "healthHistory", "healthReviews", "consultations", "sessions", "aftercareNotes", "adverseEvents", "consents",
        "outcomes", "timeline", "photos", "treatmentPlans", "recalls";
}

fn name_of(given: String, middle: Option<String>, family: Option<String>, _key: String) -> Result<PersonName> {
    Ok(PersonName { given, middle, family })
}

fn name_columns(name: &PersonName) -> Result<(String, Option<String>, Option<String>, String)> {
    Ok((name.given.clone(), name.middle.clone(), name.family.clone(), name.key()))
}

fn details_of(details: serde_json::Value) -> Result<Box<PatientDetails>> {
    Ok(serde_json::from_value(details)?)
}

fn details_column(details: &PatientDetails) -> Result<(serde_json::Value,)> {
    Ok((serde_json::to_value(details)?,))
}

fn skin_type_of(
    number: Option<i16>,
    assessed_on: Option<NaiveDate>,
    assessed_by: Option<Uuid>,
) -> Result<Option<SkinType>> {
    let fitzpatrick = number.and_then(FitzpatrickType::of);
    Ok(fitzpatrick.map(|fitzpatrick| SkinType { fitzpatrick, assessed_on, assessed_by }))
}

fn skin_type_columns(skin: &Option<SkinType>) -> Result<(Option<i16>, Option<NaiveDate>, Option<Uuid>)> {
    let skin = skin.as_ref();
    Ok((
        skin.map(|skin| skin.fitzpatrick.number()),
        skin.and_then(|skin| skin.assessed_on),
        skin.and_then(|skin| skin.assessed_by),
    ))
}

/// Patients by id.
pub async fn patients(scope: &mut Scope, wanted: &[Uuid]) -> Result<Vec<Patient>> {
    listing::by_ids(scope, wanted).await
}

/// One patient; NOT_FOUND, or REASON_REQUIRED if they are restricted.
pub async fn patient(scope: &mut Scope, id: Uuid) -> Result<Patient> {
    listing::one(scope, id).await
}

/// One patient whose record may be added to: an archived or merged one is a fault of the input.
pub async fn active_patient(scope: &mut Scope, id: Uuid, path: &str) -> Result<Patient> {
    let patient = patient(scope, id).await?;
    match patient.status {
        PatientStatus::Active => Ok(patient),
        PatientStatus::Archived => Err(Error::input(
            path,
            Code::Archived.says("this patient is archived: restore them first (restorePatient)"),
        )),
        PatientStatus::Merged => Err(Error::input(
            path,
            Code::Merged.says("this patient was merged into another: use that one (mergedInto)"),
        )),
    }
}

/// How far the next chart number is from the one before: 2 at least, 6 on the average, and without an end. One number that
/// is missing in a list looks like none: if numbers followed each other, or each was at most so far from the one before,
/// whoever is left out of a list would show by the gap.
fn chart_number_step() -> i64 {
    let mut step = 2;
    while rand::random_range(0..5) > 0 {
        step += 1;
    }
    step
}

/// The next chart number, such as `P-000005`: a random step beyond the one before.
async fn next_chart_number(scope: &mut Scope) -> Result<String> {
    let step = chart_number_step();
    let door = scope.write(Action::Create, RecordKind::Patient)?;
    let number: i64 = Sql::<st::BigInt>::new("INSERT INTO chart_counter AS c (org_id, next_number) VALUES (")
        .bind(door.org)
        .text(", ")
        .bind(step)
        .text(") ON CONFLICT (org_id) DO UPDATE SET next_number = c.next_number + ")
        .bind(step)
        .text(" RETURNING next_number - 1")
        .get_result(door.connection)
        .await?;
    Ok(format!("P-{number:06}"))
}

/// Registers a patient. An empty chart number asks for the next one.
pub async fn register(scope: &mut Scope, mut new: Patient) -> Result<Patient> {
    let numbered = !new.chart_number.is_empty();
    // An id that a closed patient has is taken too, and the policy would not say so kindly.
    if !ledger::restricted(scope, &[(RecordKind::Patient, new.id)]).await?.is_empty() {
        return Err(already_there());
    }
    loop {
        if !numbered {
            new.chart_number = next_chart_number(scope).await?;
        }
        let door = scope.write(Action::Create, RecordKind::Patient)?;
        let inserted = new.insert(door.org, door.connection).await?.map_err(taken)?;
        match (inserted, numbered) {
            (0, true) => {
                note_taken(scope, &new.chart_number).await?;
                return Err(already_there());
            }
            // A number of an older system: the counter passes it.
            (0, false) => {}
            _ => break,
        }
    }
    if !new.details.identifiers.is_empty() {
        identifiers::write(scope, (Action::Create, RecordKind::Patient), &new).await?;
    }
    index(scope, (Action::Create, RecordKind::Patient), &new).await?;
    scope.show([new.id]);
    ledger::append(scope, Action::Create, &new, &new).await?;
    Ok(new)
}

fn taken(error: diesel::result::Error) -> Error {
    use diesel::result::{DatabaseErrorKind::UniqueViolation, Error::DatabaseError};
    match error {
        DatabaseError(UniqueViolation, _) => already_there(),
        other => other.into(),
    }
}

fn already_there() -> Error {
    Error::Conflict {
        message: "a patient with this id or chart number exists already".to_owned(),
        current_version: None,
    }
}

/// The patient with a chart number, or into whom they were merged: their id alone, of a restricted one too.
pub async fn numbered(scope: &mut Scope, number: &str) -> Result<Option<Uuid>> {
    let door = scope.read(RecordKind::Patient)?;
    let found: Vec<Option<Uuid>> = Sql::<st::Nullable<st::Uuid>>::new("SELECT patient_with_number(")
        .bind(number)
        .text(")")
        .load(door.connection)
        .await?;
    Ok(found.into_iter().flatten().next())
}

/// That a number is taken tells of whoever has it: if that is a patient who is closed to the viewer, the access log gets to
/// know.
async fn note_taken(scope: &mut Scope, number: &str) -> Result<()> {
    if scope.sees_all() {
        return Ok(());
    }
    if let Some(patient) = numbered(scope, number).await? {
        ledger::restricted(scope, &[(RecordKind::Patient, patient)]).await?;
    }
    Ok(())
}

/// Writes what a patient is found by.
async fn index(scope: &mut Scope, (action, kind): (Action, RecordKind), patient: &Patient) -> Result<()> {
    let keys = search::keys_of(&patient.into());
    let (pieces, words) = search::name_pieces_of(&keys);
    let door = scope.write(action, kind)?;
    Sql::<()>::new("WITH found AS (INSERT INTO patient_search (org_id, word, patient_id) SELECT ")
        .bind(door.org)
        .text(", word, ")
        .bind(patient.id)
        .text(" FROM unnest(")
        .bind(keys.into_iter().collect::<Vec<String>>())
        .text("::text[]) AS word) INSERT INTO name_piece (org_id, piece, word) SELECT ")
        .bind(door.org)
        .text(", piece, word FROM unnest(")
        .bind(pieces)
        .text("::int4[], ")
        .bind(words)
        .text("::text[]) AS n(piece, word) ON CONFLICT DO NOTHING")
        .execute(door.connection)
        .await?;
    Ok(())
}

/// Saves a changed patient; `after` has the version after the change.
pub async fn save(scope: &mut Scope, action: Action, before: &Patient, after: &Patient) -> Result<()> {
    put(scope, (action, RecordKind::Patient), before, after).await?;
    ledger::append(scope, action, after, after).await
}

/// Writes a changed patient by a right that may be on another kind of record. The ledger entry is the caller's to append.
pub async fn put(scope: &mut Scope, right: (Action, RecordKind), before: &Patient, after: &Patient) -> Result<()> {
    let expected = before.stamp.version;
    if before.chart_number != after.chart_number {
        // Before the number is tried: a failed statement ends the transaction.
        note_taken(scope, &after.chart_number).await?;
    }
    let door = scope.write(right.0, right.1)?;
    if after.update(door.org, expected, door.connection).await?.map_err(taken)? == 0 {
        let current = self::patient(scope, after.id).await?.stamp.version;
        return Err(Error::stale("patient", expected, current));
    }
    if before.details.identifiers != after.details.identifiers {
        identifiers::write(scope, right, after).await?;
    }
    if search::keys_of(&before.into()) != search::keys_of(&after.into()) {
        let door = scope.write(right.0, right.1)?;
        Sql::<()>::new("SELECT forget_words(ARRAY[").bind(after.id).text("])").execute(door.connection).await?;
        index(scope, right, after).await?;
    }
    scope.show([after.id]);
    Ok(())
}

/// Patients by id, held until the transaction ends: nobody changes them or adds to their charts meanwhile.
pub async fn held(scope: &mut Scope, wanted: &[Uuid]) -> Result<Vec<Patient>> {
    let by = |sql: &mut Sql<st::Untyped>| {
        _ = sql.push(" AND id = ANY (").push_bind(wanted.to_vec()).push(") ORDER BY id FOR UPDATE")
    };
    let found = those(scope, by).await?;
    scope.show(found.iter().map(|patient| patient.id));
    Ok(found)
}

/// Patients by id, looked over by the program: whom it shows in the end is the caller's to note.
pub async fn looked_over(scope: &mut Scope, wanted: &[Uuid]) -> Result<Vec<Patient>> {
    let by = |sql: &mut Sql<st::Untyped>| {
        sql.push(" AND id = ANY (").push_bind(wanted.to_vec()).push(") AND status <> 'merged'");
    };
    those(scope, by).await
}

/// The patients that were merged into one.
pub async fn merged_into(scope: &mut Scope, id: Uuid) -> Result<Vec<Patient>> {
    those(scope, |sql| _ = sql.push(" AND merged_into = ").push_bind(id).push(" ORDER BY id")).await
}

/// The patients that a condition keeps.
async fn those(scope: &mut Scope, condition: impl FnOnce(&mut Sql<st::Untyped>)) -> Result<Vec<Patient>> {
    let door = scope.read(RecordKind::Patient)?;
    let columns = Patient::all_columns();
    let mut sql = Sql::new(format!("SELECT {columns} FROM patient WHERE org_id = ")).bind(door.org);
    condition(&mut sql);
    listing::load(sql, door.connection).await
}
