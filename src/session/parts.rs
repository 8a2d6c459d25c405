//! The SQL of a session's areas and products. They are replaced as a whole while the session is a draft; the database
//! itself refuses any change once it is signed.

use super::{BodyArea, Endpoint, IntradermalUse, Parts, ProductRole, ProductUse, SessionArea, Side};
use crate::access::{Door, Scope};
use crate::db::tables::{product_use, session_area};
use crate::error::Result;
use crate::vocabulary::RecordKind;
use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use rust_decimal::Decimal;
use std::collections::HashMap;
use uuid::Uuid;

#[derive(Queryable, Insertable)]
#[diesel(table_name = session_area)]
struct AreaRow {
    org_id: Uuid,
    id: Uuid,
    session_id: Uuid,
    position: i16,
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

#[derive(Queryable, Insertable)]
#[diesel(table_name = product_use)]
struct ProductRow {
    org_id: Uuid,
    id: Uuid,
    session_id: Uuid,
    position: i16,
    role: ProductRole,
    product: String,
    manufacturer: Option<String>,
    lot: Option<String>,
    expires_on: Option<NaiveDate>,
    quantity: Option<Decimal>,
    unit: Option<String>,
    area: Option<BodyArea>,
    intradermal_use: IntradermalUse,
}

/// A number without the zeros that its column adds: what is read equals what was given.
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

/// The areas and products of one session.
pub async fn parts(scope: &mut Scope, session: Uuid) -> Result<Parts> {
    all(scope.read(RecordKind::TreatmentSession)?, session).await
}

pub(super) async fn all(door: Door<'_>, session: Uuid) -> Result<Parts> {
    let Door { org, connection } = door;
    let mut areas = load_areas(Door { org, connection }, &[session]).await?;
    let mut products = load_products(Door { org, connection }, &[session]).await?;
    Ok(Parts {
        areas: areas.remove(&session).unwrap_or_default(),
        products: products.remove(&session).unwrap_or_default(),
    })
}

pub(super) async fn insert(door: Door<'_>, session_id: Uuid, parts: &Parts) -> Result<()> {
    let org_id = door.org;
    let place = |i: usize| i16::try_from(i).unwrap_or(i16::MAX);
    let areas: Vec<AreaRow> = parts
        .areas
        .iter()
        .enumerate()
        .map(|(i, area)| AreaRow {
            org_id,
            id: area.id,
            session_id,
            position: place(i),
            area: area.area,
            side: area.side,
            needle_depth_mm: area.needle_depth_mm,
            passes: area.passes,
            speed_rpm: area.speed_rpm,
            rf_energy_mj: area.rf_energy_mj,
            rf_pulse_width_ms: area.rf_pulse_width_ms,
            endpoint: area.endpoint,
            note: area.note.clone(),
        })
        .collect();
    let products: Vec<ProductRow> = parts
        .products
        .iter()
        .enumerate()
        .map(|(i, product)| ProductRow {
            org_id,
            id: product.id,
            session_id,
            position: place(i),
            role: product.role,
            product: product.product.clone(),
            manufacturer: product.manufacturer.clone(),
            lot: product.lot.clone(),
            expires_on: product.expires_on,
            quantity: product.quantity,
            unit: product.unit.clone(),
            area: product.area,
            intradermal_use: product.intradermal_use,
        })
        .collect();
    if !areas.is_empty() {
        diesel::insert_into(session_area::table).values(&areas).execute(door.connection).await?;
    }
    if !products.is_empty() {
        diesel::insert_into(product_use::table).values(&products).execute(door.connection).await?;
    }
    Ok(())
}

/// Puts these areas and products in the place of all there were.
pub(super) async fn replace(door: Door<'_>, session: Uuid, parts: &Parts) -> Result<()> {
    let Door { org, connection } = door;
    let old = session_area::table.filter(session_area::org_id.eq(org)).filter(session_area::session_id.eq(session));
    diesel::delete(old).execute(connection).await?;
    let old = product_use::table.filter(product_use::org_id.eq(org)).filter(product_use::session_id.eq(session));
    diesel::delete(old).execute(connection).await?;
    insert(Door { org, connection }, session, parts).await
}
