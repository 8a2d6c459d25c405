//! The SQL of organisations.

use crate::access::Scope;
use crate::db::tables::organisation;
use crate::error::{Error, Result};
use crate::ids;
use crate::ledger;
use crate::organisation::Organisation;
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind, StaffRole};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

#[derive(Queryable, Insertable)]
#[diesel(table_name = organisation)]
struct OrganisationRow {
    org_id: Uuid,
    name: String,
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    second_factor_roles: Vec<Option<StaffRole>>,
}

impl From<OrganisationRow> for Organisation {
    fn from(row: OrganisationRow) -> Self {
        let stamp = Stamp {
            version: row.version,
            created_at: row.created_at,
            created_by: None,
            updated_at: row.updated_at,
            updated_by: None,
        };
        let second_factor_roles = row.second_factor_roles.into_iter().flatten().collect();
        Self { id: row.org_id, name: row.name, second_factor_roles, stamp }
    }
}

/// The organisation of the scope.
pub async fn organisation(scope: &mut Scope) -> Result<Organisation> {
    let door = scope.read(RecordKind::Organisation)?;
    let row: Option<OrganisationRow> = organisation::table.find(door.org).first(door.connection).await.optional()?;
    row.map(Organisation::from)
        .ok_or_else(|| Error::not_found("organisation", ids::show(RecordKind::Organisation, scope.org())))
}

/// Founds the organisation of the scope, with its ledger. For the command line.
pub async fn found(scope: &mut Scope, name: &str) -> Result<Organisation> {
    let now = ids::now();
    let door = scope.write(Action::Create, RecordKind::Organisation)?;
    let row = OrganisationRow {
        org_id: door.org,
        name: name.to_owned(),
        version: 1,
        created_at: now,
        updated_at: now,
        second_factor_roles: Vec::new(),
    };
    diesel::insert_into(organisation::table).values(&row).execute(door.connection).await?;
    ledger::open_organisation(scope).await?;
    let founded = Organisation::from(row);
    ledger::append(scope, Action::Create, &founded, &founded).await?;
    Ok(founded)
}

/// Changes the organisation's name, or the roles that must have a second factor.
pub async fn change(
    scope: &mut Scope,
    name: Option<String>,
    second_factor_roles: Option<Vec<StaffRole>>,
    expected: i32,
) -> Result<Organisation> {
    let before = organisation(scope).await?;
    if before.stamp.version != expected {
        return Err(Error::stale("organisation", expected, before.stamp.version));
    }
    let stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    let after = Organisation {
        name: name.unwrap_or(before.name),
        second_factor_roles: second_factor_roles.unwrap_or(before.second_factor_roles),
        stamp,
        id: before.id,
    };
    let door = scope.write(Action::Update, RecordKind::Organisation)?;
    let changed = diesel::update(organisation::table.find(door.org).filter(organisation::version.eq(expected)))
        .set((
            organisation::name.eq(&after.name),
            organisation::second_factor_roles.eq(&after.second_factor_roles),
            organisation::version.eq(after.stamp.version),
            organisation::updated_at.eq(after.stamp.updated_at),
        ))
        .execute(door.connection)
        .await?;
    if changed == 0 {
        return Err(Error::stale("organisation", expected, organisation(scope).await?.stamp.version));
    }
    ledger::append(scope, Action::Update, &after, &after).await?;
    Ok(after)
}
