//! Making and changing service accounts and their keys.

use crate::access::Scope;
use crate::access::api_key::{self, NewKey};
use crate::error::{self, Code, Error, Flaw};
use crate::ids;
use crate::network::Network;
use crate::operation::{Inputs, Running, transaction};
use crate::page::{kept, listing};
use crate::record::Stamp;
use crate::service_account::{
    ApiKey, KEY_DAYS, MOST_KEY_DAYS, MOST_NETWORKS, MOST_OVERLAP_HOURS, OVERLAP_HOURS, ServiceAccount, store,
};
use crate::vocabulary::{Action, RecordKind, ServiceScope};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::TimeDelta;
use uuid::Uuid;

/// Creates a service account, for a program.
#[derive(InputObject)]
pub struct CreateServiceAccountInput {
    /// An id made by the client, which makes a retry safe: `service_account_` and a UUIDv7 in 26 characters (see `Node.id`).
    /// Absent: the service makes one.
    id: Option<ID>,
    /// Its name, unique in the organisation, at most 200 characters.
    name: String,
    /// What it may read, at least one.
    scopes: Vec<ServiceScope>,
}

/// Result of `createServiceAccount`. The account has no key yet.
#[derive(SimpleObject)]
pub struct CreateServiceAccountPayload {
    /// The new service account.
    service_account: ServiceAccount,
}

/// Changes a service account. An absent field stays as it is. The change takes effect with the account's next request.
#[derive(InputObject)]
pub struct UpdateServiceAccountInput {
    /// `service_account_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// Its new name.
    name: Option<String>,
    /// What it may read from now on, at least one.
    scopes: Option<Vec<ServiceScope>>,
    /// Whether its keys are accepted. Closing an account revokes the keys it has; when it is opened again it needs new
    /// ones.
    active: Option<bool>,
}

/// Result of `updateServiceAccount`.
#[derive(SimpleObject)]
pub struct UpdateServiceAccountPayload {
    /// The service account after the change.
    service_account: ServiceAccount,
}

/// Makes a key for a service account.
#[derive(InputObject)]
pub struct CreateApiKeyInput {
    /// An id made by the client (`api_key_…`, from a UUIDv7): with it a retry makes no second key.
    id: Option<ID>,
    /// `service_account_…`
    service_account_id: ID,
    /// The number of days it is valid, 1 to 365.
    #[graphql(default_with = "KEY_DAYS")]
    expires_in_days: i32,
    /// The networks it is accepted from, such as 192.0.2.0/24 or 2001:db8::/32, at most 20; empty for anywhere.
    #[graphql(default)]
    allowed_addresses: Vec<String>,
}

/// Result of `createApiKey`.
#[derive(SimpleObject)]
pub struct CreateApiKeyPayload {
    /// The record of the new key.
    api_key: ApiKey,
    /// The key itself: send it as `Authorization: Bearer …`. It is shown only this once. Null when a retry finds the
    /// key already made: revoke that one and make another.
    secret: Option<String>,
}

/// Makes a new key to replace another, with the same networks and lifetime.
#[derive(InputObject)]
pub struct RotateApiKeyInput {
    /// `api_key_…` of the old key.
    id: ID,
    /// How many hours the old key stays valid, 0 to 720, so that there is time to install the new one.
    #[graphql(default_with = "OVERLAP_HOURS")]
    overlap_hours: i32,
}

/// Result of `rotateApiKey`.
#[derive(SimpleObject)]
pub struct RotateApiKeyPayload {
    /// The record of the new key.
    api_key: ApiKey,
    /// The key itself. It is shown only this once. Null when a retry finds the key already made: revoke that one and
    /// make another.
    secret: Option<String>,
}

/// Revokes a key, from the next request on.
#[derive(InputObject)]
pub struct RevokeApiKeyInput {
    /// `api_key_…`
    id: ID,
}

/// Result of `revokeApiKey`.
#[derive(SimpleObject)]
pub struct RevokeApiKeyPayload {
    /// The record of the revoked key.
    api_key: ApiKey,
}

/// The scopes without repeats, in the order of the vocabulary.
fn scopes_of(inputs: &mut Inputs, scopes: &[ServiceScope]) -> Vec<ServiceScope> {
    if scopes.is_empty() {
        inputs.fault("scopes", Code::Empty.says("must name at least one scope: close the account with active: false"));
    }
    ServiceScope::ALL.iter().copied().filter(|scope| scopes.contains(scope)).collect()
}

fn networks_of(inputs: &mut Inputs, texts: &[String]) -> Vec<String> {
    if texts.len() > MOST_NETWORKS {
        inputs.fault("allowedAddresses", Flaw::too_many(texts.len(), MOST_NETWORKS, "networks"));
    }
    let mut networks = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        match Network::parse(text) {
            Ok(network) => networks.push(network.to_string()),
            Err(message) => inputs.fault(&format!("allowedAddresses.{i}"), Code::WrongForm.says(message)),
        }
    }
    networks
}

fn fresh() -> error::Result<NewKey> {
    api_key::generate().ok_or_else(|| Error::Internal("no randomness".to_owned()))
}

/// The secret, if it belongs to the key made now and not to one made by an earlier try.
fn shown_once(made: &ApiKey, new: NewKey) -> Option<String> {
    (made.prefix == new.prefix).then_some(new.secret)
}

async fn create(scope: &mut Scope, mut account: ServiceAccount) -> error::Result<ServiceAccount> {
    scope.viewer().check(Action::Create, RecordKind::ServiceAccount)?;
    account.stamp = Stamp::new(scope.viewer().staff, ids::now());
    kept::add(scope, &account).await?;
    Ok(account)
}

async fn update(
    scope: &mut Scope,
    (id, expected): (Uuid, i32),
    name: Option<String>,
    scopes: Option<Vec<ServiceScope>>,
    active: Option<bool>,
) -> error::Result<ServiceAccount> {
    scope.viewer().check(Action::Update, RecordKind::ServiceAccount)?;
    let before: ServiceAccount = listing::one(scope, id).await?;
    error::at_version("service account", before.stamp.version, expected)?;
    let closed = before.active && active == Some(false);
    let opened = !before.active && active == Some(true);
    if closed || opened {
        revoke_keys(scope, id).await?;
    }
    let after = ServiceAccount {
        id,
        name: name.unwrap_or(before.name),
        scopes: scopes.unwrap_or(before.scopes),
        active: active.unwrap_or(before.active),
        stamp: before.stamp.changed(scope.viewer().staff, ids::now()),
    };
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

async fn create_key(scope: &mut Scope, mut key: ApiKey, lifetime: TimeDelta) -> error::Result<ApiKey> {
    scope.viewer().check(Action::Create, RecordKind::ApiKey)?;
    let accounts: Vec<ServiceAccount> = listing::by_ids(scope, &[key.service_account_id]).await?;
    match accounts.as_slice() {
        [account] if account.active => {}
        [_] => {
            return Err(Error::input(
                "input.serviceAccountId",
                Code::Inactive.says("is closed: open it first (updateServiceAccount)"),
            ));
        }
        _ => {
            return Err(Error::input(
                "input.serviceAccountId",
                Code::NotFound.says("is no service account of this organisation"),
            ));
        }
    }
    let now = ids::now();
    (key.expires_at, key.stamp) = (now + lifetime, Stamp::new(scope.viewer().staff, now));
    store::add_key(scope, &key).await?;
    Ok(key)
}

async fn rotate(
    scope: &mut Scope,
    id: Uuid,
    overlap: TimeDelta,
    (prefix, hash): (String, Vec<u8>),
) -> error::Result<ApiKey> {
    scope.viewer().check(Action::Create, RecordKind::ApiKey)?;
    let old: ApiKey = listing::one(scope, id).await?;
    let (by, now) = (scope.viewer().staff, ids::now());
    if !old.holds_at(now) {
        return Err(Error::input(
            "input.id",
            Code::Inactive.says("is revoked or expired: make a new key (createApiKey)"),
        ));
    }
    let new = ApiKey { prefix, secret_hash: hash, ..old.successor(by, now) };
    kept::save(scope, Action::Update, &old.superseded(overlap, by, now), old.stamp.version).await?;
    // Written last, because a retry returns this entry.
    store::add_key(scope, &new).await?;
    Ok(new)
}

/// Revokes the keys of an account that is closed or opened again, so that only new keys open it.
async fn revoke_keys(scope: &mut Scope, account: Uuid) -> error::Result<()> {
    let keys: Vec<ApiKey> = listing::all_under(scope, "service_account_id", &[account]).await?;
    let (by, now) = (scope.viewer().staff, ids::now());
    for mut key in keys.into_iter().filter(|key| key.revoked_at.is_none()) {
        let expected = key.stamp.version;
        (key.revoked_at, key.stamp) = (Some(now), key.stamp.changed(by, now));
        kept::save(scope, Action::Update, &key, expected).await?;
    }
    Ok(())
}

async fn revoke(scope: &mut Scope, id: Uuid) -> error::Result<ApiKey> {
    scope.viewer().check(Action::Update, RecordKind::ApiKey)?;
    let mut key: ApiKey = listing::one(scope, id).await?;
    if key.revoked_at.is_some() {
        return Err(Error::input("input.id", Code::Done.says("is revoked already")));
    }
    let (expected, now) = (key.stamp.version, ids::now());
    (key.revoked_at, key.stamp) = (Some(now), key.stamp.changed(scope.viewer().staff, now));
    kept::save(scope, Action::Update, &key, expected).await?;
    Ok(key)
}

/// The mutations of this module.
#[derive(Default)]
pub struct ServiceAccountMutation;

#[Object]
impl ServiceAccountMutation {
    /// Creates a service account. CONFLICT if the name is taken.
    async fn create_service_account(
        &self,
        ctx: &Context<'_>,
        input: CreateServiceAccountInput,
    ) -> Result<CreateServiceAccountPayload> {
        let mut inputs = Inputs::new();
        let account = ServiceAccount {
            id: inputs.new_id(RecordKind::ServiceAccount, input.id.as_ref()),
            name: inputs.text("name", &input.name, 200),
            scopes: scopes_of(&mut inputs, &input.scopes),
            active: true,
            stamp: Stamp::new(None, ids::now()),
        };
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(create(scope, account)));
        let service_account = operation.mutate(operation.retry(ctx, input.id.as_ref())?, work).await?;
        Ok(CreateServiceAccountPayload { service_account })
    }

    /// Changes the name, the scopes or the access of a service account.
    async fn update_service_account(
        &self,
        ctx: &Context<'_>,
        input: UpdateServiceAccountInput,
    ) -> Result<UpdateServiceAccountPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::ServiceAccount, &input.id);
        let name = input.name.as_deref().map(|name| inputs.text("name", name, 200));
        let scopes = input.scopes.as_deref().map(|scopes| scopes_of(&mut inputs, scopes));
        inputs.finish()?;
        let (seen, active) = ((id, input.expected_version), input.active);
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(update(scope, seen, name, scopes, active)));
        let service_account = operation.mutate(operation.retry(ctx, None)?, work).await?;
        Ok(UpdateServiceAccountPayload { service_account })
    }

    /// Makes a key for a service account. Only this payload shows it.
    async fn create_api_key(&self, ctx: &Context<'_>, input: CreateApiKeyInput) -> Result<CreateApiKeyPayload> {
        let mut inputs = Inputs::new();
        let (new, now) = (fresh()?, ids::now());
        let days = inputs.range("expiresInDays", Some(input.expires_in_days), 1, MOST_KEY_DAYS).unwrap_or(KEY_DAYS);
        let key = ApiKey {
            id: inputs.new_id(RecordKind::ApiKey, input.id.as_ref()),
            service_account_id: inputs.id("serviceAccountId", RecordKind::ServiceAccount, &input.service_account_id),
            prefix: new.prefix.clone(),
            secret_hash: new.hash.to_vec(),
            allowed_addresses: networks_of(&mut inputs, &input.allowed_addresses),
            expires_at: now,
            revoked_at: None,
            stamp: Stamp::new(None, now),
        };
        inputs.finish()?;
        let operation = ctx.operation()?;
        let lifetime = TimeDelta::days(i64::from(days));
        let work = transaction(move |scope| Box::pin(create_key(scope, key, lifetime)));
        let api_key = operation.mutate(operation.retry(ctx, input.id.as_ref())?, work).await?;
        Ok(CreateApiKeyPayload { secret: shown_once(&api_key, new), api_key })
    }

    /// Makes a new key to replace another, which stays valid for a while.
    async fn rotate_api_key(&self, ctx: &Context<'_>, input: RotateApiKeyInput) -> Result<RotateApiKeyPayload> {
        let mut inputs = Inputs::new();
        let new = fresh()?;
        let id = inputs.id("id", RecordKind::ApiKey, &input.id);
        let hours = inputs.range("overlapHours", Some(input.overlap_hours), 0, MOST_OVERLAP_HOURS).unwrap_or(0);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let (overlap, made) = (TimeDelta::hours(i64::from(hours)), (new.prefix.clone(), new.hash.to_vec()));
        let work = transaction(move |scope| Box::pin(rotate(scope, id, overlap, made)));
        let api_key = operation.mutate(operation.retry(ctx, None)?, work).await?;
        Ok(RotateApiKeyPayload { secret: shown_once(&api_key, new), api_key })
    }

    /// Revokes a key, from the next request on.
    async fn revoke_api_key(&self, ctx: &Context<'_>, input: RevokeApiKeyInput) -> Result<RevokeApiKeyPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::ApiKey, &input.id);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(revoke(scope, id)));
        Ok(RevokeApiKeyPayload { api_key: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
