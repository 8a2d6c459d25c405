//! The SQL of locations.

use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ids;
use crate::ledger;
use crate::organisation::filter::{PlaceFilter, PlaceOrder};
use crate::organisation::{AGE_OF_MAJORITY, Location};
use crate::page::{Stored, listing, stored};
use crate::phone::Countries;
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

stored! {
    Location = location;
    repeats: true;
    always: name, active, clearance, clearance_blocks, age_of_consent, consultation_in_person;
    asked: time_zone, phone;
    opt_json: address;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}

listing!(Location, PlaceFilter, PlaceOrder, {});

/// Locations by id.
pub async fn locations(scope: &mut Scope, wanted: &[Uuid]) -> Result<Vec<Location>> {
    listing::by_ids(scope, wanted).await
}

/// The least age from which patients decide alone at one of the locations in use; 18 where there is none.
pub async fn least_age_of_consent(scope: &mut Scope) -> Result<u32> {
    let door = scope.read(RecordKind::Location)?;
    let found: Option<i16> =
        Sql::<st::Nullable<st::SmallInt>>::new("SELECT min(age_of_consent) FROM location WHERE active AND org_id = ")
            .bind(door.org)
            .get_result(door.connection)
            .await?;
    Ok(found.unwrap_or(AGE_OF_MAJORITY).unsigned_abs().into())
}

/// The countries of the locations in use: those that a phone number without a country code may be of.
pub async fn countries(scope: &mut Scope) -> Result<Countries> {
    let door = scope.read(RecordKind::Location)?;
    let codes: Vec<String> = Sql::<st::Text>::new(
        "SELECT DISTINCT address ->> 'country' FROM location WHERE active AND address ->> 'country' IS NOT NULL AND org_id = ",
    )
    .bind(door.org)
    .load(door.connection)
    .await?;
    Ok(Countries::of(codes.iter().map(String::as_str)))
}

/// Adds a location.
pub async fn add_location(scope: &mut Scope, location: &Location) -> Result<()> {
    let door = scope.write(Action::Create, RecordKind::Location)?;
    location.insert(door.org, door.connection).await?.map_err(name_taken)?;
    ledger::append(scope, Action::Create, location, location).await
}

fn name_taken(error: diesel::result::Error) -> Error {
    use diesel::result::{DatabaseErrorKind::UniqueViolation, Error::DatabaseError};
    match error {
        DatabaseError(UniqueViolation, _) => Error::Conflict {
            message: "a location with this name or id exists already".to_owned(),
            current_version: None,
        },
        other => other.into(),
    }
}

/// One location, or NOT_FOUND.
pub async fn location(scope: &mut Scope, id: Uuid) -> Result<Location> {
    let found = locations(scope, &[id]).await?.into_iter().next();
    found.ok_or_else(|| Error::not_found("location", ids::show(RecordKind::Location, id)))
}

/// Saves a changed location; `location` has the version after the change.
pub async fn save_location(scope: &mut Scope, location: &Location, expected: i32) -> Result<()> {
    let door = scope.write(Action::Update, RecordKind::Location)?;
    let changed = location.update(door.org, expected, door.connection).await?.map_err(name_taken)?;
    if changed == 0 {
        let current = self::location(scope, location.id).await?.stamp.version;
        return Err(Error::stale("location", expected, current));
    }
    ledger::append(scope, Action::Update, location, location).await
}
