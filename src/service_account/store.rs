//! The SQL of service accounts and keys.

use super::{ApiKey, KeyCondition, KeyOrder, ServiceAccount, ServiceCondition, ServiceOrder};
use crate::access::{Scope, api_key as access};
use crate::error::Result;
use crate::ledger;
use crate::page::{Stored, listing, stored};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};

stored! {
    ServiceAccount = service_account;
    always: name, active;
    words: scopes;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(ServiceAccount, ServiceCondition, ServiceOrder, {});
stored! {
    ApiKey = api_key;
    always: service_account_id, expires_at, prefix;
    asked: secret_hash, revoked_at;
    words: allowed_addresses;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(ApiKey, KeyCondition, KeyOrder, { "service_account_id" => |it| Some(it.service_account_id) });

/// Adds a key: its row, how it is found before a tenant is known, and the ledger entry.
pub async fn add_key(scope: &mut Scope, key: &ApiKey) -> Result<()> {
    let door = scope.write(Action::Create, RecordKind::ApiKey)?;
    key.insert(door.org, door.connection).await??;
    access::register(door.connection, door.org, key.id, &key.secret_hash).await?;
    ledger::append(scope, Action::Create, key, key).await
}
