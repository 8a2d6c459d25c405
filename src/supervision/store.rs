//! The SQL of agreements and reviews.

use super::{
    AgreementCondition, AgreementOrder, ChartReview, ChartReviewOutcome, ReviewCondition, ReviewOrder,
    SupervisionAgreement,
};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ids;
use crate::ledger;
use crate::page::{Stored, kept, listing, stored};
use crate::record::{Signature, Stamp};
use crate::vocabulary::{Action, RecordKind};
use chrono::{Days, NaiveDate};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

stored! {
    SupervisionAgreement = supervision_agreement;
    always: supervisor_id, supervisee_id, location_id, percent, within_days, starts_on, ends_on;
    asked: note;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(SupervisionAgreement, AgreementCondition, AgreementOrder, {
    "supervisee_id" => |it| Some(it.supervisee_id),
});

stored! {
    ChartReview = chart_review;
    always: patient_id, agreement_id, reviewer_id, record_kind, record_id, signed_by, signed_at, due_on, outcome;
    asked: note, reviewed_at;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(ChartReview, ReviewCondition, ReviewOrder, {
    "record_id" => |it| Some(it.record_id),
});

/// A record that was just signed first.
#[derive(Debug, Clone, Copy)]
pub struct JustSigned<'a> {
    /// The patient.
    pub patient: Uuid,
    /// Its kind and id.
    pub record: (RecordKind, Uuid),
    /// Where it took place.
    pub location: Option<Uuid>,
    /// Its signature.
    pub signature: &'a Signature,
}

/// Draws the reviews that agreements ask for of a record that was just signed. The entry of the signature stays the answer
/// to a retry.
pub async fn draw(scope: &mut Scope, signed: JustSigned<'_>) -> Result<()> {
    scope.answers();
    let JustSigned { patient, record: (record_kind, record_id), location, signature } = signed;
    let agreements: Vec<SupervisionAgreement> =
        listing::all_under(scope, "supervisee_id", &[signature.signed_by]).await?;
    let day = signature.signed_at.date_naive();
    for agreement in agreements.iter().filter(|it| it.holds(location, day) && it.draws(&signature.content_hash)) {
        let days = Days::new(u64::try_from(agreement.within_days).unwrap_or(1));
        let review = ChartReview {
            id: ids::new_id(),
            patient_id: patient,
            agreement_id: agreement.id,
            reviewer_id: agreement.supervisor_id,
            record_kind,
            record_id,
            signed_by: signature.signed_by,
            signed_at: signature.signed_at,
            due_on: day.checked_add_days(days).unwrap_or(day),
            outcome: None,
            note: None,
            reviewed_at: None,
            stamp: Stamp::new(scope.viewer().staff, ids::now()),
        };
        kept::add(scope, &review).await?;
    }
    Ok(())
}

/// Closes the reviews of a record that was retracted and that nobody has reviewed, by the right to retract.
pub async fn close(scope: &mut Scope, record: Uuid) -> Result<()> {
    let there: Vec<ChartReview> = listing::all_under(scope, "record_id", &[record]).await?;
    for review in there.into_iter().filter(|it| it.outcome.is_none()) {
        let (expected, now) = (review.stamp.version, ids::now());
        let stamp = review.stamp.changed(scope.viewer().staff, now);
        let outcome = Some(ChartReviewOutcome::NotNeeded);
        let after = ChartReview { outcome, reviewed_at: Some(now), stamp, ..review };
        let door = scope.write(Action::Create, RecordKind::Retraction)?;
        if after.update(door.org, expected, door.connection).await?? == 0 {
            return Err(Error::stale("chart review", expected, expected + 1));
        }
        ledger::append(scope, Action::Update, &after, &after).await?;
    }
    Ok(())
}

/// How the reviews of a month stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The month of their last days, `2026-11`.
    pub month: String,
    /// How many there are, without those of retracted records.
    pub due: i64,
    /// How many of them have an outcome.
    pub done: i64,
    /// How many supervisors agreed to.
    pub agreed: i64,
    /// How many need a revision.
    pub needs_revision: i64,
    /// How many are not done, and their last day is past.
    pub overdue: i64,
}

/// Whose reviews a figure counts; none: everybody's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Whose {
    /// Of this supervisor.
    pub reviewer: Option<Uuid>,
    /// Of what this staff member signed.
    pub signed_by: Option<Uuid>,
}

/// How the reviews stand whose last day is in these days, month by month, the earliest first.
pub async fn figures(
    scope: &mut Scope,
    (from, until): (NaiveDate, NaiveDate),
    whose: Whose,
    today: NaiveDate,
) -> Result<Vec<Figure>> {
    type Row = (String, (i64, i64, i64), (i64, i64));
    let door = scope.read_list(RecordKind::ChartReview, None)?;
    let mut sql = Sql::<(st::Text, (st::BigInt, st::BigInt, st::BigInt), (st::BigInt, st::BigInt))>::new(
        "SELECT to_char(due_on, 'YYYY-MM'), count(*), count(outcome), count(*) FILTER (WHERE outcome = 'agreed'), \
         count(*) FILTER (WHERE outcome = 'needs_revision'), count(*) FILTER (WHERE outcome IS NULL AND due_on < ",
    );
    sql.push_bind(today)
        .push(") FROM chart_review WHERE org_id = ")
        .push_bind(door.org)
        .push(" AND outcome IS DISTINCT FROM 'not_needed' AND due_on BETWEEN ")
        .push_bind(from)
        .push(" AND ")
        .push_bind(until);
    for (column, id) in [("reviewer_id", whose.reviewer), ("signed_by", whose.signed_by)] {
        if let Some(id) = id {
            sql.push(format!(" AND {column} = ")).push_bind(id);
        }
    }
    sql.push(" GROUP BY 1 ORDER BY 1");
    let rows: Vec<Row> = sql.load(door.connection).await?;
    scope.counted(RecordKind::ChartReview, [], rows.iter().map(|(_, (due, ..), _)| due).sum());
    let figure = |(month, (due, done, agreed), (needs_revision, overdue)): Row| Figure {
        month,
        due,
        done,
        agreed,
        needs_revision,
        overdue,
    };
    Ok(rows.into_iter().map(figure).collect())
}
