//! The list of patients, and whom a text finds.

use super::found::{Ready, push_search};
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
    /// Found by one of these rows of what is searched (see `search::chart_key`, `email_key`, `number_key`), for each list of
    /// rows; also whom the patient who has it was merged into.
    pub exactly: Vec<Vec<String>>,
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

/// ` AND patient.id = ANY (ARRAY(SELECT … FROM table s … WHERE …`, open for more: whose rows a table has. Who was merged
/// into another counts as that one, unless merged ones are asked for.
///
/// An array is made once. With IN, the plan for whatever is asked walks all patients in the order of the list.
fn push_whose<R>(sql: &mut Sql<R>, org: Uuid, filter: &Filter, table: &str) {
    let themselves = filter.statuses.contains(&PatientStatus::Merged);
    let of = if themselves { "m.id" } else { "coalesce(m.merged_into, m.id)" };
    sql.push(format!(" AND patient.id = ANY (ARRAY(SELECT {of} FROM {table} s JOIN patient m ON m.org_id = "))
        .push_bind(org)
        .push(" AND m.id = s.patient_id WHERE s.org_id = ")
        .push_bind(org);
}

/// ` FROM … WHERE …` of a filter.
fn push_source<R>(sql: &mut Sql<R>, org: Uuid, filter: &Filter, search: Option<&Ready>) {
    sql.push(" FROM patient");
    if let Some(query) = search {
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
    for rows in &filter.exactly {
        push_whose(sql, org, filter, "patient_search");
        sql.push(" AND s.word = ANY (").push_bind(rows.clone()).push(")))");
    }
    if let Some(ExternalIdentifier { system, value }) = &filter.identifier {
        push_whose(sql, org, filter, "patient_identifier");
        sql.push(" AND s.system = ")
            .push_bind(system.clone())
            .push(" AND s.value = ")
            .push_bind(value.clone())
            .push("))");
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

impl Filter {
    /// Whether nothing but a search decides who is found.
    fn is_search_alone(&self) -> bool {
        self.session_since.is_none()
            && self.birth_date.is_none()
            && self.identifier.is_none()
            && self.updated_since.is_none()
            && self.exactly.is_empty()
    }

    /// The search with the names that are like the ones sought.
    async fn whole_search(&self, scope: &mut Scope) -> Result<Option<Ready>> {
        let Some(query) = &self.search else { return Ok(None) };
        Ready::all(scope, query, self.is_search_alone()).await.map(Some)
    }
}

/// The rows of a page.
async fn rows(
    scope: &mut Scope,
    (filter, search): (&Filter, Option<&Ready>),
    order: &Order,
    window: &Window,
    columns: &str,
) -> Result<Page<Found>> {
    let door = scope.read(RecordKind::Patient)?;
    let score = if search.is_some() { "found.score" } else { "0::int8" };
    let mut sql = Sql::<st::Untyped>::new(format!("SELECT {columns}, {score} AS score"));
    push_source(&mut sql, door.org, filter, search);
    window.push_to(&mut sql, order);
    let rows: Vec<(RowOf<Patient>, Score)> = sql.load(door.connection).await?;
    Ok(window.page(rows.into_iter().map(|(row, score)| (row.0, score.score)).collect()))
}

/// A page of patients.
pub async fn page(
    scope: &mut Scope,
    filter: &Filter,
    (field, order): (OrderField, &Order),
    window: &Window,
    columns: Columns,
) -> Result<Page<Found>> {
    check(scope, filter)?;
    let columns = text_of::<Patient>(columns);
    // The best come first, so names that are like the ones sought are not looked for where better ones fill the page.
    let best_first = field == OrderField::Relevance && order.direction == Direction::Desc && !window.backward;
    if let Some(query) = filter.search.as_ref().filter(|_| best_first) {
        let exact = Ready::exact(query, filter.is_search_alone());
        let page = rows(scope, (filter, Some(&exact)), order, window, &columns).await?;
        if page.has_next || query.is_exact() {
            scope.show(page.rows.iter().map(|(patient, _)| patient.id));
            return Ok(page);
        }
    }
    let search = filter.whole_search(scope).await?;
    let page = rows(scope, (filter, search.as_ref()), order, window, &columns).await?;
    scope.show(page.rows.iter().map(|(patient, _)| patient.id));
    Ok(page)
}

/// How many patients a filter keeps.
pub async fn count(scope: &mut Scope, filter: &Filter) -> Result<i64> {
    check(scope, filter)?;
    let search = filter.whole_search(scope).await?;
    let door = scope.read(RecordKind::Patient)?;
    let mut sql = Sql::<st::BigInt>::new("SELECT count(*)");
    push_source(&mut sql, door.org, filter, search.as_ref());
    let count = sql.get_result(door.connection).await?;
    scope.counted(RecordKind::Patient, None, count);
    Ok(count)
}
