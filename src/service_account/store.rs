//! The SQL of service accounts and keys.

use super::{ApiKey, KeyCondition, KeyOrder, ServiceAccount, ServiceCondition, ServiceOrder};
use crate::access::{Scope, api_key as access};
use crate::db::tables::{api_key, service_account};
use crate::error::{Error, Result};
use crate::ledger;
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind, ServiceScope};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

crate::page::listing!(ServiceAccount, service_account, ServiceRow, ServiceCondition, ServiceOrder, {});
crate::page::listing!(ApiKey, api_key, KeyRow, KeyCondition, KeyOrder, { "service_account_id" => |it| Some(it.service_account_id) });

/// Adding and changing service accounts.
pub mod accounts {
    crate::page::kept!(super::ServiceAccount, service_account, super::ServiceRow);
}

/// Changing keys.
pub mod keys {
    crate::page::kept!(super::ApiKey, api_key, super::KeyRow);
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = service_account, treat_none_as_null = true)]
struct ServiceRow {
    org_id: Uuid,
    id: Uuid,
    name: String,
    scopes: Vec<Option<ServiceScope>>,
    active: bool,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl TryFrom<ServiceRow> for ServiceAccount {
    type Error = Error;
    fn try_from(row: ServiceRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            scopes: row.scopes.into_iter().flatten().collect(),
            active: row.active,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        })
    }
}

impl ServiceRow {
    fn of(org_id: Uuid, it: &ServiceAccount) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            name: it.name.clone(),
            scopes: it.scopes.iter().copied().map(Some).collect(),
            active: it.active,
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = api_key, treat_none_as_null = true)]
struct KeyRow {
    org_id: Uuid,
    id: Uuid,
    service_account_id: Uuid,
    prefix: String,
    secret_hash: Vec<u8>,
    allowed_addresses: Vec<Option<String>>,
    expires_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl TryFrom<KeyRow> for ApiKey {
    type Error = Error;
    fn try_from(row: KeyRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            service_account_id: row.service_account_id,
            prefix: row.prefix,
            secret_hash: row.secret_hash,
            allowed_addresses: row.allowed_addresses.into_iter().flatten().collect(),
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        })
    }
}

impl KeyRow {
    fn of(org_id: Uuid, it: &ApiKey) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            service_account_id: it.service_account_id,
            prefix: it.prefix.clone(),
            secret_hash: it.secret_hash.clone(),
            allowed_addresses: it.allowed_addresses.iter().cloned().map(Some).collect(),
            expires_at: it.expires_at,
            revoked_at: it.revoked_at,
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}

/// Adds a key: its row, how it is found before a tenant is known, and the ledger entry.
pub async fn add_key(scope: &mut Scope, key: &ApiKey) -> Result<()> {
    let door = scope.write(Action::Create, RecordKind::ApiKey)?;
    let row = KeyRow::of(door.org, key)?;
    diesel::insert_into(api_key::table).values(&row).execute(door.connection).await?;
    access::register(door.connection, door.org, key.id, &key.secret_hash).await?;
    ledger::append(scope, Action::Create, key, key).await
}
