//! The SQL of patients.

use super::{FitzpatrickType, Patient, PatientStatus, PersonName, SexAtBirth, SkinType, search};
use crate::access::Scope;
use crate::db::tables::patient;
use crate::db::{Sql, columns};
use crate::error::{Error, Result};
use crate::ledger;
use crate::page::{Direction, Key, Order, Page, Window};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use std::sync::LazyLock;
use uuid::Uuid;

static COLUMNS: LazyLock<String> = LazyLock::new(|| columns(patient::all_columns));

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = patient, treat_none_as_null = true)]
struct Row {
    org_id: Uuid,
    id: Uuid,
    chart_number: String,
    given_name: String,
    middle_name: Option<String>,
    family_name: String,
    preferred_name: Option<String>,
    name_key: String,
    birth_date: NaiveDate,
    sex_at_birth: Option<SexAtBirth>,
    gender: Option<String>,
    pronouns: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    address: Option<serde_json::Value>,
    emergency_contact: Option<serde_json::Value>,
    fitzpatrick_type: Option<i16>,
    fitzpatrick_assessed_on: Option<NaiveDate>,
    fitzpatrick_assessed_by: Option<Uuid>,
    status: PatientStatus,
    status_reason: Option<String>,
    merged_into: Option<Uuid>,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Uuid,
    updated_at: DateTime<Utc>,
    updated_by: Uuid,
}

impl TryFrom<Row> for Patient {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self> {
        let skin_type = row.fitzpatrick_type.and_then(FitzpatrickType::of).map(|fitzpatrick| SkinType {
            fitzpatrick,
            assessed_on: row.fitzpatrick_assessed_on,
            assessed_by: row.fitzpatrick_assessed_by,
        });
        Ok(Self {
            id: row.id,
            chart_number: row.chart_number,
            legal_name: PersonName { given: row.given_name, middle: row.middle_name, family: row.family_name },
            preferred_name: row.preferred_name,
            birth_date: row.birth_date,
            sex_at_birth: row.sex_at_birth,
            gender: row.gender,
            pronouns: row.pronouns,
            email: row.email,
            phone: row.phone,
            address: row.address.map(serde_json::from_value).transpose()?,
            emergency_contact: row.emergency_contact.map(serde_json::from_value).transpose()?,
            skin_type,
            status: row.status,
            status_reason: row.status_reason,
            merged_into: row.merged_into,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: Some(row.created_by),
                updated_at: row.updated_at,
                updated_by: Some(row.updated_by),
            },
        })
    }
}

impl Row {
    fn of(org_id: Uuid, patient: &Patient) -> Result<Self> {
        let by = |who: Option<Uuid>| who.ok_or_else(|| Error::Internal("a patient without an author".to_owned()));
        let skin = patient.skin_type.as_ref();
        Ok(Self {
            org_id,
            id: patient.id,
            chart_number: patient.chart_number.clone(),
            given_name: patient.legal_name.given.clone(),
            middle_name: patient.legal_name.middle.clone(),
            family_name: patient.legal_name.family.clone(),
            preferred_name: patient.preferred_name.clone(),
            name_key: patient.name_key(),
            birth_date: patient.birth_date,
            sex_at_birth: patient.sex_at_birth,
            gender: patient.gender.clone(),
            pronouns: patient.pronouns.clone(),
            email: patient.email.clone(),
            phone: patient.phone.clone(),
            address: patient.address.as_ref().map(serde_json::to_value).transpose()?,
            emergency_contact: patient.emergency_contact.as_ref().map(serde_json::to_value).transpose()?,
            fitzpatrick_type: skin.map(|skin| skin.fitzpatrick.number()),
            fitzpatrick_assessed_on: skin.and_then(|skin| skin.assessed_on),
            fitzpatrick_assessed_by: skin.and_then(|skin| skin.assessed_by),
            status: patient.status,
            status_reason: patient.status_reason.clone(),
            merged_into: patient.merged_into,
            version: patient.stamp.version,
            created_at: patient.stamp.created_at,
            created_by: by(patient.stamp.created_by)?,
            updated_at: patient.stamp.updated_at,
            updated_by: by(patient.stamp.updated_by)?,
        })
    }
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

/// A page of patients.
pub async fn page(scope: &mut Scope, filter: &Filter, order: &Order, window: &Window) -> Result<Page<Found>> {
    check(scope, filter)?;
    let door = scope.read(RecordKind::Patient)?;
    let score = if filter.search.is_some() { "found.score" } else { "0::int8" };
    let mut sql = Sql::<(patient::SqlType, st::BigInt)>::new(format!("SELECT {}, {score}", *COLUMNS));
    push_source(&mut sql, door.org, filter);
    window.push_to(&mut sql, order);
    let rows: Vec<(Row, i64)> = sql.load(door.connection).await?;
    let found =
        rows.into_iter().map(|(row, score)| Ok((Patient::try_from(row)?, score))).collect::<Result<Vec<_>>>()?;
    let page = window.page(found);
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
    let door = scope.read(RecordKind::Patient)?;
    let rows: Vec<Row> = patient::table
        .filter(patient::org_id.eq(door.org))
        .filter(patient::id.eq_any(wanted))
        .load(door.connection)
        .await?;
    let found = rows.into_iter().map(Patient::try_from).collect::<Result<Vec<_>>>()?;
    scope.show(found.iter().map(|patient| patient.id));
    Ok(found)
}

/// One patient; NOT_FOUND, or REASON_REQUIRED if they are restricted.
pub async fn patient(scope: &mut Scope, id: Uuid) -> Result<Patient> {
    let found = patients(scope, &[id]).await?.into_iter().next();
    match found {
        Some(found) => Ok(found),
        None => Err(ledger::absent(scope, RecordKind::Patient, id).await),
    }
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
        let inserted = diesel::insert_into(patient::table)
            .values(&Row::of(door.org, &new)?)
            .on_conflict((patient::org_id, patient::chart_number))
            .do_nothing()
            .execute(door.connection)
            .await
            .map_err(taken)?;
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
    let target = patient::table.find((door.org, after.id)).filter(patient::version.eq(expected));
    let changed =
        diesel::update(target).set(&Row::of(door.org, after)?).execute(door.connection).await.map_err(taken)?;
    if changed == 0 {
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
    let door = scope.read(RecordKind::Patient)?;
    let rows: Vec<Row> = patient::table
        .filter(patient::org_id.eq(door.org))
        .filter(patient::id.eq_any(wanted))
        .order(patient::id)
        .for_update()
        .load(door.connection)
        .await?;
    let found = rows.into_iter().map(Patient::try_from).collect::<Result<Vec<_>>>()?;
    scope.show(found.iter().map(|patient| patient.id));
    Ok(found)
}

/// Patients by id, looked over by the program: whom it shows in the end is the caller's to note.
pub async fn looked_over(scope: &mut Scope, wanted: &[Uuid]) -> Result<Vec<Patient>> {
    let door = scope.read(RecordKind::Patient)?;
    let rows: Vec<Row> = patient::table
        .filter(patient::org_id.eq(door.org))
        .filter(patient::id.eq_any(wanted))
        .filter(patient::status.ne(PatientStatus::Merged))
        .load(door.connection)
        .await?;
    rows.into_iter().map(Patient::try_from).collect()
}

/// The patients that were merged into one.
pub async fn merged_into(scope: &mut Scope, id: Uuid) -> Result<Vec<Patient>> {
    let door = scope.read(RecordKind::Patient)?;
    let rows: Vec<Row> = patient::table
        .filter(patient::org_id.eq(door.org))
        .filter(patient::merged_into.eq(id))
        .order(patient::id)
        .load(door.connection)
        .await?;
    rows.into_iter().map(Patient::try_from).collect()
}
