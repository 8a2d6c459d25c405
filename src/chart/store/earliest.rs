//! The earliest day that a chart tells of: nothing in it is before the birth.

use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Code, Error, Result};
use crate::patient::Patient;
use crate::vocabulary::{Action, RecordKind, with_article};
use chrono::NaiveDate;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// The latest that a day can be, which is known to the day, the month or the year.
macro_rules! latest {
    ($day:literal, $precision:literal) => {
        concat!(
            "CASE ",
            $precision,
            " WHEN 'day' THEN ",
            $day,
            " WHEN 'month' THEN (",
            $day,
            " + interval '1 month')::date - 1",
            " ELSE (",
            $day,
            " + interval '1 year')::date - 1 END"
        )
    };
}

/// The earliest that a health entry tells of. `least` passes over what is null.
const OF_HEALTH: &[&str] = &[
    latest!("onset_on", "onset_precision"),
    latest!("ended_on", "ended_precision"),
    latest!("last_dose_on", "last_dose_precision"),
];

/// The day that a record of each kind tells of, and whether it was made in error. Kinds that are not here tell of no day of
/// the patient's but that on which somebody wrote them.
const DAYS: [(RecordKind, &[&str], &str); 10] = [
    (RecordKind::HealthEntry, OF_HEALTH, "entered_in_error"),
    (RecordKind::HealthReview, &["(reviewed_at AT TIME ZONE 'UTC')::date"], "entered_in_error"),
    (RecordKind::Consultation, &["(held_at AT TIME ZONE 'UTC')::date"], "false"),
    (RecordKind::TreatmentSession, &["(started_at AT TIME ZONE 'UTC')::date"], "status = 'entered_in_error'"),
    (RecordKind::AftercareNote, &["(noted_at AT TIME ZONE 'UTC')::date"], "false"),
    (RecordKind::TreatmentPlan, &["started_on"], "status = 'entered_in_error'"),
    (RecordKind::Consent, &["(given_at AT TIME ZONE 'UTC')::date"], "status = 'entered_in_error'"),
    (RecordKind::Photo, &["(taken_at AT TIME ZONE 'UTC')::date"], "status = 'entered_in_error'"),
    (RecordKind::OutcomeAssessment, &["(assessed_at AT TIME ZONE 'UTC')::date"], "entered_in_error"),
    (RecordKind::AdverseEvent, &["(onset_at AT TIME ZONE 'UTC')::date"], "entered_in_error"),
];

/// The earliest day that a patient's chart tells of, with the kind of the record; none of an empty chart. One statement.
async fn earliest(scope: &mut Scope, patient: Uuid) -> Result<Option<(RecordKind, NaiveDate)>> {
    // By the right to change the patient: the caller tells nobody what they may not read.
    let door = scope.read(RecordKind::Patient)?;
    let mut sql = Sql::<(st::Text, st::Date)>::new("SELECT kind, day FROM (");
    for (i, (kind, day, in_error)) in DAYS.iter().enumerate() {
        let word = kind.as_str();
        sql.push(if i == 0 { "" } else { " UNION ALL " });
        let day = day.join(", ");
        sql.push(format!("SELECT '{word}'::text AS kind, least({day}) AS day FROM {word} WHERE org_id = "))
            .push_bind(door.org);
        sql.push(" AND patient_id = ").push_bind(patient).push(format!(" AND NOT ({in_error})"));
    }
    sql.push(") AS told WHERE day IS NOT NULL ORDER BY day, kind LIMIT 1");
    let found: Vec<(RecordKind, NaiveDate)> = sql.load(door.connection).await?;
    Ok(found.into_iter().next())
}

/// Refuses a birth date that is later than before and after a record of `of`, a patient whose chart goes on under this
/// date. The fault at `path` names the earliest record's kind and day to whoever may read it. A record may be of the day
/// before, as the day may be that of another time zone.
pub async fn refuse_birth_after_records(scope: &mut Scope, of: &Patient, birth: NaiveDate, path: &str) -> Result<()> {
    if birth <= of.birth_date {
        return Ok(());
    }
    let assessed = of.skin_type.as_ref().and_then(|skin| skin.assessed_on).map(|day| (RecordKind::Patient, day));
    let first = earliest(scope, of.id).await?.into_iter().chain(assessed).min_by_key(|(_, day)| *day);
    let born = Patient { birth_date: birth, ..of.clone() };
    let Some((kind, day)) = first.filter(|(_, day)| born.lived_on(*day, path).is_err()) else { return Ok(()) };
    let what = if scope.viewer().check(Action::Read, kind).is_err() {
        "a record of this patient that you may not read: ask somebody who treats them".to_owned()
    } else if kind == RecordKind::Patient {
        format!("the assessment of the skin type of {day}: correct that first")
    } else {
        format!("{} of {day}: correct that first", with_article(&kind.words()))
    };
    Err(Error::input(path, Code::WrongOrder.says(format!("is {birth}, after {what}")).with("value", birth.to_string())))
}
