//! The SQL of recalls, and of where a lot went.

use super::{CallBack, CallBackCondition, CallBackOrder, CallBackReason, CallBackStatus, Change};
use crate::access::Scope;
use crate::catalogue::{Product, ProductLot};
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ids;
use crate::page::{kept, listing, stored};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// The most uses of a lot that are looked at.
pub const MOST_USES: i64 = 10_000;

stored! {
    CallBack = recall;
    always: patient_id, plan_id, after_session_id, lot_id, reason, due_from, due_until, status;
    asked: snoozed_until, closed_reason, done_by_session_id, basis;
    json: attempts;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(CallBack, CallBackCondition, CallBackOrder, { "patient_id" => |it| Some(it.patient_id) });

/// All recalls of a plan, live and closed: what `reconcile` asks for.
pub async fn of_plan(scope: &mut Scope, plan: Uuid) -> Result<Vec<CallBack>> {
    listing::all_under(scope, "plan_id", &[plan]).await
}

/// Writes what `reconcile` found, each with its ledger entry.
pub async fn apply(scope: &mut Scope, patient: Uuid, changes: Vec<Change>) -> Result<()> {
    let closed: Vec<Uuid> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Done(id, _) | Change::Supersede(id) => Some(*id),
            Change::Keep(_) | Change::Open(_) => None,
        })
        .collect();
    let before: Vec<CallBack> = match closed.is_empty() {
        true => Vec::new(),
        false => listing::by_ids(scope, &closed).await?,
    };
    for change in changes {
        let (id, status, session) = match change {
            Change::Keep(_) => continue,
            Change::Open(wanted) => {
                let new = CallBack {
                    id: ids::new_id(),
                    patient_id: patient,
                    reason: wanted.reason,
                    plan_id: Some(wanted.plan_id),
                    after_session_id: wanted.after_session_id,
                    lot_id: None,
                    due_from: wanted.due_from,
                    due_until: wanted.due_until,
                    status: CallBackStatus::Open,
                    snoozed_until: None,
                    closed_reason: None,
                    done_by_session_id: None,
                    basis: wanted.basis,
                    attempts: Vec::new(),
                    stamp: Stamp::new(scope.viewer().staff, ids::now()),
                };
                kept::add(scope, &new).await?;
                continue;
            }
            Change::Done(id, session) => (id, CallBackStatus::Done, Some(session)),
            Change::Supersede(id) => (id, CallBackStatus::Superseded, None),
        };
        let Some(recall) = before.iter().find(|recall| recall.id == id) else {
            return Err(Error::Internal("a change of a recall that is not there".to_owned()));
        };
        let after = CallBack {
            status,
            snoozed_until: None,
            done_by_session_id: session,
            stamp: recall.stamp.changed(scope.viewer().staff, ids::now()),
            ..recall.clone()
        };
        kept::save(scope, Action::Update, &after, recall.stamp.version).await?;
    }
    Ok(())
}

/// A lot to look for: one of the catalogue, or a number in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    /// Lots of the catalogue.
    pub lots: Vec<Uuid>,
    /// The number, as it was typed by hand; read without regard to case.
    pub lot: String,
    /// The product, as it was typed by hand; any when absent.
    pub product: Option<String>,
    /// Whether uses that name another lot of the catalogue count by their number as well.
    pub by_number: bool,
}

impl Trail {
    /// The trail of a lot of the catalogue: its uses by id, and those typed by hand with its number and product.
    pub fn of(lot: &ProductLot, product: &Product) -> Self {
        Self { lots: vec![lot.id], lot: lot.lot.clone(), product: Some(product.name.clone()), by_number: false }
    }
}

/// A session in which a lot was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LotUse {
    /// The session.
    pub session_id: Uuid,
    /// The patient.
    pub patient_id: Uuid,
    /// When it began.
    pub started_at: DateTime<Utc>,
}

/// The sessions in which a lot was used, as a product or as numbing cream, the latest first; none that was entered in
/// error or retracted. At most `MOST_USES`.
pub async fn uses(scope: &mut Scope, trail: &Trail) -> Result<Vec<LotUse>> {
    let door = scope.read_list(RecordKind::TreatmentSession, None)?;
    let (number, product) = (trail.lot.trim().to_lowercase(), trail.product.as_deref().map(str::trim));
    let product = product.map(str::to_lowercase);
    let mut sql = Sql::<(st::Uuid, st::Uuid, st::Timestamptz)>::new(
        "SELECT id, patient_id, started_at FROM treatment_session WHERE org_id = ",
    );
    sql.push_bind(door.org)
        .push(" AND status <> 'entered_in_error' AND NOT EXISTS (SELECT FROM retraction r WHERE r.org_id = ")
        .push_bind(door.org)
        .push(" AND r.record_id = treatment_session.id) AND id IN (SELECT session_id FROM product_use WHERE org_id = ")
        .push_bind(door.org)
        .push(" AND lot_id = ANY (")
        .push_bind(trail.lots.clone())
        .push(") UNION SELECT session_id FROM product_use WHERE org_id = ")
        .push_bind(door.org)
        .push(" AND lower(lot) = ")
        .push_bind(number.clone());
    if !trail.by_number {
        sql.push(" AND lot_id IS NULL");
    }
    if let Some(product) = product.clone() {
        sql.push(" AND lower(product) = ").push_bind(product);
    }
    sql.push(" UNION SELECT id FROM treatment_session WHERE org_id = ")
        .push_bind(door.org)
        .push(" AND lower(anaesthetic ->> 'lot') = ")
        .push_bind(number);
    if let Some(product) = product {
        sql.push(" AND lower(anaesthetic ->> 'product') = ").push_bind(product);
    }
    sql.push(") ORDER BY started_at DESC, id DESC LIMIT ").push_bind(MOST_USES);
    let rows: Vec<(Uuid, Uuid, DateTime<Utc>)> = sql.load(door.connection).await?;
    let uses =
        rows.into_iter().map(|(session_id, patient_id, started_at)| LotUse { session_id, patient_id, started_at });
    let uses: Vec<LotUse> = uses.collect();
    scope.show(uses.iter().map(|it| it.patient_id));
    Ok(uses)
}

/// The lots of the catalogue with a number, whatever its case; of a product, if one is named.
pub async fn lots_numbered(scope: &mut Scope, lot: &str, product: Option<&str>) -> Result<Vec<ProductLot>> {
    let door = scope.read(RecordKind::ProductLot)?;
    let mut sql = Sql::<st::Uuid>::new(
        "SELECT l.id FROM product_lot l JOIN product p ON p.org_id = l.org_id AND p.id = l.product_id WHERE l.org_id = ",
    );
    sql.push_bind(door.org).push(" AND lower(l.lot) = ").push_bind(lot.trim().to_lowercase());
    if let Some(product) = product {
        sql.push(" AND lower(p.name) = ").push_bind(product.trim().to_lowercase());
    }
    sql.push(" ORDER BY l.id LIMIT 100");
    let found: Vec<Uuid> = sql.load(door.connection).await?;
    listing::by_ids(scope, &found).await
}

/// The safety notices about lots, live and closed, newest first.
pub async fn safety_notices(scope: &mut Scope, lots: &[Uuid]) -> Result<Vec<CallBack>> {
    let found: Vec<CallBack> = listing::all_under(scope, "lot_id", lots).await?;
    Ok(found.into_iter().filter(|recall| recall.reason == CallBackReason::SafetyNotice).collect())
}

/// Holds a lot until the transaction ends, so that two safety notices about it are made one after the other. False if
/// there is no such lot.
pub async fn hold_lot(scope: &mut Scope, lot: Uuid) -> Result<bool> {
    let door = scope.read(RecordKind::ProductLot)?;
    let found: Vec<Uuid> = Sql::<st::Uuid>::new("SELECT id FROM product_lot WHERE org_id = ")
        .bind(door.org)
        .text(" AND id = ")
        .bind(lot)
        .text(" FOR UPDATE")
        .load(door.connection)
        .await?;
    Ok(!found.is_empty())
}
