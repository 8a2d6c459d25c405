//! The list of patients, and whom a text finds.

use crate::access::Scope;
use crate::db::Sql;
use crate::error::Result;
use crate::page::{Columns, Direction, Key, Order, Page, RowOf, Window, text_of};
use crate::patient::{ExternalIdentifier, Patient, PatientStatus, search};
use crate::vocabulary::RecordKind;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// Filter for the list of patients.
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
    /// With this identifier of another system; also whoever has it was merged into.
    pub identifier: Option<ExternalIdentifier>,
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

/// Whom a text finds, and how well each fits it.
fn push_search<R>(sql: &mut Sql<R>, org: Uuid, query: &search::Query, themselves: bool) {
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
        sql.push(") AS f JOIN patient m ON m.org_id = ").push_bind(org).push(" AND m.id = f.patient_id GROUP BY 1, 2");
    }
    sql.push(") AS found ON found.org_id = patient.org_id AND found.patient_id = patient.id");
}

/// ` FROM … WHERE …` of a filter.
fn push_source<R>(sql: &mut Sql<R>, org: Uuid, filter: &Filter) {
    sql.push(" FROM patient");
    if let Some(query) = &filter.search {
        // Who was merged into another is found as that one, by an old chart number too; unless merged ones are asked for.
        let themselves = filter.statuses.contains(&PatientStatus::Merged);
        push_search(sql, org, query, themselves);
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
            .push(" AND NOT EXISTS (SELECT FROM retraction r WHERE r.org_id = s.org_id AND r.record_id = s.id))");
    }
    if let Some(date) = filter.birth_date {
        sql.push(" AND patient.birth_date = ").push_bind(date);
    }
    if let Some(ExternalIdentifier { system, value }) = &filter.identifier {
        let themselves = filter.statuses.contains(&PatientStatus::Merged);
        let of = if themselves { "m.id" } else { "coalesce(m.merged_into, m.id)" };
        sql.push(format!(" AND patient.id IN (SELECT {of} FROM patient_identifier i JOIN patient m ON m.org_id = "))
            .push_bind(org)
            .push(" AND m.id = i.patient_id WHERE i.org_id = ")
            .push_bind(org)
            .push(" AND i.system = ")
            .push_bind(system.clone())
            .push(" AND i.value = ")
            .push_bind(value.clone())
            .push(")");
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
