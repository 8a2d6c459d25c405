//! The SQL of a session's parts: areas and products here, checks in `check_rows.rs`. Each kind is replaced as a whole
//! while the session is a draft; the database itself refuses any change once it is signed.

use super::{BodyArea, Endpoint, IntradermalUse, Parts, ProductRole, ProductUse, SessionArea, Side, check_rows};
use crate::access::{Door, Scope};
use crate::db::Sql;
use crate::db::tables::{product_use, session_area};
use crate::error::Result;
use crate::vocabulary::RecordKind;
use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use rust_decimal::Decimal;
use std::collections::HashMap;
use uuid::Uuid;

#[derive(Queryable)]
struct AreaRow {
    _org_id: Uuid,
    id: Uuid,
    session_id: Uuid,
    _position: i16,
    area: BodyArea,
    side: Side,
    needle_depth_mm: Option<Decimal>,
    passes: Option<i16>,
    speed_rpm: Option<i32>,
    rf_energy_mj: Option<Decimal>,
    rf_pulse_width_ms: Option<Decimal>,
    endpoint: Option<Endpoint>,
    note: Option<String>,
}

#[derive(Queryable)]
struct ProductRow {
    _org_id: Uuid,
    id: Uuid,
    session_id: Uuid,
    _position: i16,
    role: ProductRole,
    product: String,
    manufacturer: Option<String>,
    lot: Option<String>,
    expires_on: Option<NaiveDate>,
    quantity: Option<Decimal>,
    unit: Option<String>,
    area: Option<BodyArea>,
    intradermal_use: IntradermalUse,
    lot_id: Option<Uuid>,
}

/// A number without the zeros added by its column, so that the value read equals the value written.
fn plain(number: Decimal) -> Decimal {
    number.normalize()
}

impl From<AreaRow> for SessionArea {
    fn from(row: AreaRow) -> Self {
        Self {
            id: row.id,
            area: row.area,
            side: row.side,
            needle_depth_mm: row.needle_depth_mm.map(plain),
            passes: row.passes,
            speed_rpm: row.speed_rpm,
            rf_energy_mj: row.rf_energy_mj.map(plain),
            rf_pulse_width_ms: row.rf_pulse_width_ms.map(plain),
            endpoint: row.endpoint,
            note: row.note,
        }
    }
}

impl From<ProductRow> for ProductUse {
    fn from(row: ProductRow) -> Self {
        Self {
            id: row.id,
            role: row.role,
            product: row.product,
            manufacturer: row.manufacturer,
            lot: row.lot,
            expires_on: row.expires_on,
            quantity: row.quantity.map(plain),
            unit: row.unit,
            area: row.area,
            intradermal_use: row.intradermal_use,
            lot_id: row.lot_id,
        }
    }
}

/// The areas of sessions, in the order they were given.
pub async fn areas_of(scope: &mut Scope, sessions: &[Uuid]) -> Result<HashMap<Uuid, Vec<SessionArea>>> {
    load_areas(scope.read(RecordKind::TreatmentSession)?, sessions).await
}

async fn load_areas(door: Door<'_>, sessions: &[Uuid]) -> Result<HashMap<Uuid, Vec<SessionArea>>> {
    let rows: Vec<AreaRow> = session_area::table
        .filter(session_area::org_id.eq(door.org))
        .filter(session_area::session_id.eq_any(sessions))
        .order((session_area::session_id, session_area::position))
        .load(door.connection)
        .await?;
    let mut found: HashMap<Uuid, Vec<SessionArea>> = HashMap::new();
    for row in rows {
        found.entry(row.session_id).or_default().push(row.into());
    }
    Ok(found)
}

/// The products of sessions, in the order they were given.
pub async fn products_of(scope: &mut Scope, sessions: &[Uuid]) -> Result<HashMap<Uuid, Vec<ProductUse>>> {
    load_products(scope.read(RecordKind::TreatmentSession)?, sessions).await
}

async fn load_products(door: Door<'_>, sessions: &[Uuid]) -> Result<HashMap<Uuid, Vec<ProductUse>>> {
    let rows: Vec<ProductRow> = product_use::table
        .filter(product_use::org_id.eq(door.org))
        .filter(product_use::session_id.eq_any(sessions))
        .order((product_use::session_id, product_use::position))
        .load(door.connection)
        .await?;
    let mut found: HashMap<Uuid, Vec<ProductUse>> = HashMap::new();
    for row in rows {
        found.entry(row.session_id).or_default().push(row.into());
    }
    Ok(found)
}

/// The parts of one session.
pub async fn parts(scope: &mut Scope, session: Uuid) -> Result<Parts> {
    let Door { org, connection } = scope.read(RecordKind::TreatmentSession)?;
    let mut areas = load_areas(Door { org, connection }, &[session]).await?;
    let mut products = load_products(Door { org, connection }, &[session]).await?;
    let mut checks = check_rows::load(Door { org, connection }, &[session]).await?;
    Ok(Parts {
        areas: areas.remove(&session).unwrap_or_default(),
        products: products.remove(&session).unwrap_or_default(),
        checks: checks.remove(&session).unwrap_or_default(),
    })
}

/// Adds parts, each kind in one statement whatever their number: its text, and so its plan, stays the same.
pub(super) async fn insert(door: Door<'_>, session: Uuid, parts: &Parts) -> Result<()> {
    let Door { org, connection } = door;
    insert_areas(Door { org, connection }, session, &parts.areas).await?;
    insert_products(Door { org, connection }, session, &parts.products).await?;
    check_rows::insert(Door { org, connection }, session, &parts.checks).await
}

async fn insert_areas(door: Door<'_>, session: Uuid, areas: &[SessionArea]) -> Result<()> {
    if areas.is_empty() {
        return Ok(());
    }
    Sql::<()>::new(
        "INSERT INTO session_area (org_id, id, session_id, position, area, side, needle_depth_mm, passes, speed_rpm, \
         rf_energy_mj, rf_pulse_width_ms, endpoint, note) SELECT ",
    )
    .bind(door.org)
    .text(", p.id, ")
    .bind(session)
    .text(
        ", p.position - 1, p.area, p.side, p.needle_depth_mm, p.passes, p.speed_rpm, p.rf_energy_mj, \
         p.rf_pulse_width_ms, p.endpoint, p.note FROM ROWS FROM (json_to_recordset(",
    )
    .bind(serde_json::to_value(areas)?)
    .text(
        ") AS (id uuid, area text, side text, needle_depth_mm numeric, passes smallint, speed_rpm integer, \
         rf_energy_mj numeric, rf_pulse_width_ms numeric, endpoint text, note text)) WITH ORDINALITY \
         AS p (id, area, side, needle_depth_mm, passes, speed_rpm, rf_energy_mj, rf_pulse_width_ms, endpoint, note, \
         position)",
    )
    .execute(door.connection)
    .await?;
    Ok(())
}

async fn insert_products(door: Door<'_>, session: Uuid, products: &[ProductUse]) -> Result<()> {
    if products.is_empty() {
        return Ok(());
    }
    Sql::<()>::new(
        "INSERT INTO product_use (org_id, id, session_id, position, role, product, manufacturer, lot, expires_on, \
         quantity, unit, area, intradermal_use, lot_id) SELECT ",
    )
    .bind(door.org)
    .text(", p.id, ")
    .bind(session)
    .text(
        ", p.position - 1, p.role, p.product, p.manufacturer, p.lot, p.expires_on, p.quantity, p.unit, p.area, \
         p.intradermal_use, p.lot_id FROM ROWS FROM (json_to_recordset(",
    )
    .bind(serde_json::to_value(products)?)
    .text(
        ") AS (id uuid, role text, product text, manufacturer text, lot text, expires_on date, quantity numeric, \
         unit text, area text, intradermal_use text, lot_id uuid)) WITH ORDINALITY \
         AS p (id, role, product, manufacturer, lot, expires_on, quantity, unit, area, intradermal_use, lot_id, position)",
    )
    .execute(door.connection)
    .await?;
    Ok(())
}

/// Puts the new parts in the place of the old ones, those kinds that differ.
pub(super) async fn replace(door: Door<'_>, session: Uuid, old: &Parts, new: &Parts) -> Result<()> {
    let Door { org, connection } = door;
    if old.areas != new.areas {
        let gone =
            session_area::table.filter(session_area::org_id.eq(org)).filter(session_area::session_id.eq(session));
        diesel::delete(gone).execute(connection).await?;
        insert_areas(Door { org, connection }, session, &new.areas).await?;
    }
    if old.products != new.products {
        let gone = product_use::table.filter(product_use::org_id.eq(org)).filter(product_use::session_id.eq(session));
        diesel::delete(gone).execute(connection).await?;
        insert_products(Door { org, connection }, session, &new.products).await?;
    }
    if old.checks != new.checks {
        check_rows::replace(Door { org, connection }, session, &new.checks).await?;
    }
    Ok(())
}
