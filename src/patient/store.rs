//! The SQL of patients.

use super::{FitzpatrickType, Patient, PatientStatus, PersonName, SkinType, search};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ledger;
use crate::page::{Columns, text_of};
use crate::page::{Direction, Key, Order, Page, RowOf, Stored, Window, listing, stored};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

stored! {
    Patient = patient;
    on_conflict: chart_number;
    always: chart_number, birth_date, status, merged_into;
    asked: preferred_name, sex_at_birth, gender, pronouns, email, phone, status_reason;
    opt_json: address, emergency_contact;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::authored, Stamp::authored_columns;
        legal_name(given_name, middle_name, family_name, name_key) = name_of, name_columns;
    }
    asked_parts {
        skin_type(fitzpatrick_type, fitzpatrick_assessed_on, fitzpatrick_assessed_by) = skin_type_of, skin_type_columns;
    }
    light: "sessions", "consultations", "healthEntries", "plans";
}

fn name_of(given: String, middle: Option<String>, family: String, _key: String) -> Result<PersonName> {
    Ok(PersonName { given, middle, family })
}

fn name_columns(name: &PersonName) -> Result<(String, Option<String>, String, String)> {
    Ok((name.given.clone(), name.middle.clone(), name.family.clone(), name.key()))
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

/// What to keep of the list of patients.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Found by this text (see `search`).
    pub search: Option<search::Query>,
    /// Of these statuses; none given means active and archived ones, as merged ones live on in another.
    pub statuses: Vec<PatientStatus>,
    /// With a treatment session at or after this moment.
    pub session_since: Option<DateTime<Utc>>,
    /// Born on this day.
    pub birth_date: Option<NaiveDate>,
    /// Changed at or after this moment.
    pub updated_since: Option<DateTime<Utc>>,
}

/// What the list of patients can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "PatientOrderField")]
pub enum OrderField {
    /// Family name, then given name.
    Name,
    /// Chart number.
    ChartNumber,
    /// Date of birth.
    BirthDate,
    /// When they were registered.
    CreatedAt,
    /// When their entry was last changed.
    UpdatedAt,
    /// How well they fit the search text: for a search only.
    Relevance,
}

/// The order of a field and a direction.
pub fn order(field: OrderField, direction: Direction) -> Order {
    let (name, column, sample) = match field {
        OrderField::Name => ("name", "patient.name_key", Key::Text(String::new())),
        OrderField::ChartNumber => ("chartNumber", "patient.chart_number COLLATE \"C\"", Key::Text(String::new())),
        OrderField::BirthDate => ("birthDate", "patient.birth_date", Key::Date(NaiveDate::default())),
        OrderField::CreatedAt => ("createdAt", "patient.created_at", Key::Time(0)),
        OrderField::UpdatedAt => ("updatedAt", "patient.updated_at", Key::Time(0)),
        OrderField::Relevance => ("relevance", "found.score", Key::Number(0)),
    };
    Order { name: format!("{name}:{direction:?}"), column, id: "patient.id", direction, sample }
}

/// A patient with how well they fit the search (0 without one).
pub type Found = (Patient, i64);

/// A patient's place in an order.
pub fn key(field: OrderField, (patient, score): &Found) -> (Key, Uuid) {
    let key = match field {
        OrderField::Name => Key::Text(patient.name_key()),
        OrderField::ChartNumber => Key::Text(patient.chart_number.clone()),
        OrderField::BirthDate => Key::Date(patient.birth_date),
        OrderField::CreatedAt => Key::time(patient.stamp.created_at),
        OrderField::UpdatedAt => Key::time(patient.stamp.updated_at),
        OrderField::Relevance => Key::Number(*score),
    };
    (key, patient.id)
}

/// ` FROM … WHERE …` of a filter.
fn push_source<R>(sql: &mut Sql<R>, org: Uuid, filter: &Filter) {
    sql.push(" FROM patient");
    if let Some(query) = &filter.search {
        // Who was merged into another is found as that one, by an old chart number too; unless merged ones are asked for.
        let themselves = filter.statuses.contains(&PatientStatus::Merged);
        sql.push(if themselves {
            " JOIN ("
        } else {
            " JOIN (SELECT f.org_id, coalesce(m.merged_into, m.id) AS patient_id, max(f.score) AS score FROM ("
        });
        // Pieces that the query has, counted per patient; the score is how many, the inner ones counting double.
        sql.push("SELECT org_id, patient_id, count(*) FILTER (WHERE trigram = ANY (")
            .push_bind(query.pieces.clone())
            .push(")) + count(*) FILTER (WHERE trigram = ANY (")
            .push_bind(query.inner.clone())
            .push(")) AS score FROM patient_search WHERE org_id = ")
            .push_bind(org)
            .push(" AND trigram = ANY (")
            .push_bind(
                query
                    .pieces
                    .iter()
                    .chain(&query.inner)
                    .copied()
                    .collect::<std::collections::BTreeSet<_>>()
                    .into_iter()
                    .collect::<Vec<_>>(),
            )
            .push(") GROUP BY org_id, patient_id HAVING count(*) FILTER (WHERE trigram = ANY (")
            .push_bind(query.pieces.clone())
            .push(")) >= ")
            .push_bind(i64::from(query.needed));
        if !query.inner.is_empty() {
            sql.push(" OR count(*) FILTER (WHERE trigram = ANY (")
                .push_bind(query.inner.clone())
                .push(")) = ")
                .push_bind(i64::try_from(query.inner.len()).unwrap_or(i64::MAX));
        }
        if !themselves {
            sql.push(") AS f JOIN patient m ON m.org_id = ")
                .push_bind(org)
                .push(" AND m.id = f.patient_id GROUP BY 1, 2");
        }
        sql.push(") AS found ON found.org_id = patient.org_id AND found.patient_id = patient.id");
    }
    sql.push(" WHERE patient.org_id = ").push_bind(org);
    if filter.statuses.is_empty() {
        sql.push(" AND patient.status <> 'merged'");
    } else {
        sql.push_any_of("patient.status", filter.statuses.iter().map(|status| status.as_str()), true);
    }
    if let Some(since) = filter.session_since {
        sql.push(" AND EXISTS (SELECT FROM treatment_session s WHERE s.org_id = ")
            .push_bind(org)
            .push(" AND s.patient_id = patient.id AND s.started_at >= ")
            .push_bind(since)
            .push(")");
    }
    if let Some(date) = filter.birth_date {
        sql.push(" AND patient.birth_date = ").push_bind(date);
    }
    if let Some(since) = filter.updated_since {
        sql.push(" AND patient.updated_at >= ").push_bind(since);
    }
}

/// FORBIDDEN unless the viewer may read what the filter goes by.
fn check(scope: &mut Scope, filter: &Filter) -> Result<()> {
    if filter.session_since.is_some() {
        scope.read_list(RecordKind::TreatmentSession, None)?;
    }
    Ok(())
}

/// How well a patient fits a search.
#[derive(QueryableByName)]
struct Score {
    #[diesel(sql_type = st::BigInt)]
    score: i64,
}

/// A page of patients.
pub async fn page(
    scope: &mut Scope,
    filter: &Filter,
    order: &Order,
    window: &Window,
    columns: Columns,
) -> Result<Page<Found>> {
    check(scope, filter)?;
    let door = scope.read(RecordKind::Patient)?;
    let score = if filter.search.is_some() { "found.score" } else { "0::int8" };
    let columns = text_of::<Patient>(columns);
    let mut sql = Sql::<st::Untyped>::new(format!("SELECT {columns}, {score} AS score"));
    push_source(&mut sql, door.org, filter);
    window.push_to(&mut sql, order);
    let rows: Vec<(RowOf<Patient>, Score)> = sql.load(door.connection).await?;
    let page = window.page(rows.into_iter().map(|(row, score)| (row.0, score.score)).collect());
    scope.show(page.rows.iter().map(|(patient, _)| patient.id));
    Ok(page)
}

/// How many patients a filter keeps.
pub async fn count(scope: &mut Scope, filter: &Filter) -> Result<i64> {
    check(scope, filter)?;
    let door = scope.read(RecordKind::Patient)?;
    let mut sql = Sql::<st::BigInt>::new("SELECT count(*)");
    push_source(&mut sql, door.org, filter);
    let count = sql.get_result(door.connection).await?;
    scope.counted(RecordKind::Patient, None, count);
    Ok(count)
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
        PatientStatus::Archived => {
            Err(Error::input(path, "this patient is archived: restore them first (restorePatient)"))
        }
        PatientStatus::Merged => {
            Err(Error::input(path, "this patient was merged into another: use that one (mergedInto)"))
        }
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

/// Writes the pieces a patient is found by.
async fn index(scope: &mut Scope, (action, kind): (Action, RecordKind), patient: &Patient) -> Result<()> {
    let door = scope.write(action, kind)?;
    Sql::<()>::new("INSERT INTO patient_search (org_id, trigram, patient_id) SELECT ")
        .bind(door.org)
        .text(", t, ")
        .bind(patient.id)
        .text(" FROM unnest(")
        .bind(search::pieces_of(patient))
        .text("::int4[]) AS t")
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
    if search::pieces_of(before) != search::pieces_of(after) {
        let door = scope.write(right.0, right.1)?;
        Sql::<()>::new("DELETE FROM patient_search WHERE org_id = ")
            .bind(door.org)
            .text(" AND patient_id = ")
            .bind(after.id)
            .execute(door.connection)
            .await?;
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
