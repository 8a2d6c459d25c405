//! Keys of service accounts: how they are made and recognised, which account they belong to, and from where they are
//! accepted.

use super::policy::Scopes;
use super::scope::Scope;
use super::sight::{self, Sight};
use super::token::{self, TokenHash};
use super::viewer::{ServiceMark, Viewer};
use crate::db::{Pool, Sql};
use crate::error::{Error, NotSignedIn, Result};
use crate::ids;
use crate::network::Network;
use crate::vocabulary::{RecordKind, ServiceScope};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types as st;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use moka::sync::Cache;
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The beginning of every key, by which scanners of source code find keys.
pub const PREFIX: &str = "clinic_key_";
/// The positions of the parts of a key: `clinic_key_`, 8 characters, `_`, 43 characters, `_`, 6 characters.
const PUBLIC: std::ops::Range<usize> = 11..19;
const SECRET: std::ops::Range<usize> = 20..63;
const CHECKSUM: std::ops::Range<usize> = 64..70;

const MISTYPED: &str = "this API key is mistyped or cut: its checksum is wrong";
const UNKNOWN: &str = "nobody has this API key";
const REVOKED: &str = "this API key was revoked";
const EXPIRED: &str = "this API key has expired: ask an admin for another";
const CLOSED: &str = "the service account of this API key is closed";
const ELSEWHERE: &str = "this API key is not taken from the network address that this request came from";

/// How often the last use of a key is updated.
const USE_NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// A new key.
pub struct NewKey {
    /// The whole key, shown once.
    pub secret: String,
    /// Its first characters, by which people tell keys apart: `clinic_key_` and 8 more.
    pub prefix: String,
    /// Its SHA-256, the only part that is stored.
    pub hash: TokenHash,
}

/// Makes a key. `None` when the system gives no randomness.
pub fn generate() -> Option<NewKey> {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let (mut name, mut bits) = ([0_u8; 8], [0_u8; 32]);
    OsRng.try_fill_bytes(&mut name).ok()?;
    OsRng.try_fill_bytes(&mut bits).ok()?;
    let name = name.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 32))).map(|letter| char::from(*letter));
    let prefix = format!("{PREFIX}{}", name.collect::<String>());
    let body = format!("{prefix}_{}", URL_SAFE_NO_PAD.encode(bits));
    let secret = format!("{body}_{}", checksum(&body));
    Some(NewKey { hash: token::hash(&secret), prefix, secret })
}

/// Six base-62 characters from the first 32 bits of the SHA-256. They tell a typing error from a wrong key, and protect
/// nothing.
fn checksum(body: &str) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let digest = Sha256::digest(body.as_bytes());
    let mut value = digest.iter().take(4).fold(0_usize, |value, byte| (value << 8) | usize::from(*byte));
    let mut text = Vec::new();
    for _ in 0..6 {
        text.extend(LETTERS.get(value % 62).map(|letter| char::from(*letter)));
        value /= 62;
    }
    text.iter().rev().collect()
}

/// Whether a bearer token has the form of a service account's key.
pub fn looks_like(token: &str) -> bool {
    token.starts_with(PREFIX) && !token::is_well_formed(token)
}

/// Whether a key is complete: it has all its parts and a correct checksum. Only then is it looked up.
pub fn is_whole(key: &str) -> bool {
    let is = |range, fits: fn(u8) -> bool| key.get(range).is_some_and(|part: &str| part.bytes().all(fits));
    key.len() == CHECKSUM.end
        && key.starts_with(PREFIX)
        && is(PUBLIC, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && is(19..20, |byte| byte == b'_')
        && is(SECRET, |byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && is(63..64, |byte| byte == b'_')
        && key.get(..SECRET.end).map(checksum).as_deref() == key.get(CHECKSUM)
}

/// Whether a key may be used from an address. A key without networks may be used from anywhere.
fn is_allowed(networks: &[String], address: &str) -> bool {
    networks.is_empty()
        || address.parse().is_ok_and(|address| {
            networks.iter().any(|network| Network::parse(network).is_ok_and(|network| network.contains(address)))
        })
}

/// The account a key belongs to. It never changes.
#[derive(Debug, Clone, Copy)]
struct KeyHolder {
    org: Uuid,
    key: Uuid,
    service: Uuid,
}

/// Incoming keys. The account of a key never changes, so it is cached; whether the key is valid is checked each time.
pub(super) struct Keyring {
    pool: Pool,
    holders: Cache<TokenHash, KeyHolder>,
}

type Texts = Vec<Option<String>>;
type Time = DateTime<Utc>;
type KeyRow = ((bool, Texts), (Texts, Time, Option<Time>), (Option<Time>, String, String));
type TextsSql = st::Array<st::Nullable<st::Text>>;
type TimeSql = st::Timestamptz;
type KeySql =
    ((st::Bool, TextsSql), (TextsSql, TimeSql, st::Nullable<TimeSql>), (st::Nullable<TimeSql>, st::Text, st::Text));

impl Keyring {
    pub(super) fn new(pool: Pool) -> Self {
        Self { pool, holders: Cache::new(10_000) }
    }

    /// Opens a scope for a service account. Everything that can change is asked for in the round trip of BEGIN: whether
    /// the key is revoked, expired, closed, allowed from this address, and which restricted patients are open, as for
    /// people.
    pub(super) async fn open_scope(
        &self,
        key: &str,
        (request_id, address): (&str, &str),
        reason_stated: bool,
        writable: bool,
    ) -> Result<Scope> {
        let hash = token::hash(key);
        let holder = self.holder(key, hash).await?.ok_or(Error::Unauthenticated(NotSignedIn::Unknown, UNKNOWN))?;
        let KeyHolder { org, service, .. } = holder;
        let (transaction, rows) = self.pool.begin(writable, org, &whose(holder, hash, reason_stated)).await?;
        let row: Option<KeyRow> = rows.into_iter().next();
        let Some(((active, scopes), (networks, expires_at, revoked_at), (last_used_at, opened, _))) = row else {
            transaction.rollback().await;
            return Err(Error::Unauthenticated(NotSignedIn::Unknown, UNKNOWN));
        };
        let now = ids::now();
        let networks: Vec<String> = networks.into_iter().flatten().collect();
        let refused = if !active {
            Some((NotSignedIn::Revoked, CLOSED))
        } else if revoked_at.is_some() {
            Some((NotSignedIn::Revoked, REVOKED))
        } else if expires_at <= now {
            Some((NotSignedIn::Expired, EXPIRED))
        } else {
            (!is_allowed(&networks, address)).then_some((NotSignedIn::Origin, ELSEWHERE))
        };
        if let Some((reason, why)) = refused {
            transaction.rollback().await;
            return Err(Error::Unauthenticated(reason, why));
        }
        if last_used_at.is_none_or(|last| now - last >= USE_NOTED_EVERY) {
            self.note_use(hash, now, address.to_owned());
        }
        let scopes: Scopes = scopes.iter().flatten().filter_map(|scope| ServiceScope::parse(scope)).collect();
        let service = Some(ServiceMark { id: service, scopes });
        let viewer = Viewer { org, staff: None, role: None, sign_in: None, emergency: false, service };
        let sight = Sight { all: opened == "all", emergencies: Vec::new() };
        Ok(Scope::new(viewer, request_id.to_owned(), transaction, writable, sight))
    }

    /// The holder of a key; `None` if there is none. A mistyped key is recognised without querying the database.
    async fn holder(&self, key: &str, hash: TokenHash) -> Result<Option<KeyHolder>> {
        if !is_whole(key) {
            return Err(Error::Unauthenticated(NotSignedIn::Unknown, MISTYPED));
        }
        if let Some(holder) = self.holders.get(&hash) {
            return Ok(Some(holder));
        }
        let found: Vec<(Uuid, Uuid)> = {
            let mut accounts = self.pool.accounts().await?;
            Sql::<(st::Uuid, st::Uuid)>::new("SELECT org_id, key_id FROM api_key_use WHERE secret_hash = ")
                .bind(hash.to_vec())
                .load(&mut accounts)
                .await?
        };
        let Some((org, key)) = found.into_iter().next() else { return Ok(None) };
        let account = Sql::<st::Uuid>::new("SELECT service_account_id FROM api_key WHERE org_id = ")
            .bind(org)
            .text(" AND id = ")
            .bind(key);
        let (transaction, accounts) = self.pool.begin::<_, Uuid>(false, org, &account).await?;
        transaction.commit().await?;
        let Some(service) = accounts.into_iter().next() else { return Ok(None) };
        let holder = KeyHolder { org, key, service };
        self.holders.insert(hash, holder);
        Ok(Some(holder))
    }

    /// The organisation and service account of a key that was seen before, even if it is refused now.
    pub(super) fn known(&self, key: &str) -> Option<(Uuid, Uuid)> {
        self.holders.get(&token::hash(key)).map(|holder| (holder.org, holder.service))
    }

    /// Records the use of a key, at most once a minute and without delaying the request.
    fn note_use(&self, hash: TokenHash, now: DateTime<Utc>, address: String) {
        let pool = self.pool.clone();
        tokio::spawn(async move {
            if let Ok(mut accounts) = pool.accounts().await {
                let _ = Sql::<()>::new("UPDATE api_key_use SET last_used_at = greatest(last_used_at, ")
                    .bind(now)
                    .text("), last_used_from = ")
                    .bind(address)
                    .text(" WHERE secret_hash = ")
                    .bind(hash.to_vec())
                    .text(" AND (last_used_at IS NULL OR last_used_at <= ")
                    .bind(now - USE_NOTED_EVERY)
                    .text(")")
                    .execute(&mut accounts)
                    .await;
            }
        });
    }
}

/// Asks for everything about a key that can change.
fn whose(holder: KeyHolder, hash: TokenHash, reason_stated: bool) -> Sql<KeySql> {
    let mut sql =
        Sql::new("SELECT a.active, a.scopes, k.allowed_addresses, k.expires_at, k.revoked_at, u.last_used_at, ");
    sight::push_opened(&mut sql, holder.org, reason_stated, "''");
    sql.text(
        ", set_config('app.only_patients', '', true) FROM api_key k \
         JOIN service_account a ON a.org_id = k.org_id AND a.id = k.service_account_id \
         JOIN api_key_use u ON u.org_id = k.org_id AND u.key_id = k.id WHERE k.org_id = ",
    )
    .bind(holder.org)
    .text(" AND k.id = ")
    .bind(holder.key)
    .text(" AND k.secret_hash = ")
    .bind(hash.to_vec())
    .text(" AND u.secret_hash = ")
    .bind(hash.to_vec())
}

/// Registers a key in the table that is read before the tenant is known; after its row, in the same transaction.
pub async fn register(connection: &mut AsyncPgConnection, org: Uuid, key: Uuid, hash: &[u8]) -> Result<()> {
    Sql::<()>::new("INSERT INTO api_key_use (secret_hash, org_id, key_id) VALUES (")
        .bind(hash.to_vec())
        .text(", ")
        .bind(org)
        .text(", ")
        .bind(key)
        .text(")")
        .execute(connection)
        .await?;
    Ok(())
}

/// When keys were last used, and from which address: those that were used at all.
pub async fn uses(scope: &mut Scope, keys: &[Uuid]) -> Result<Vec<(Uuid, DateTime<Utc>, Option<String>)>> {
    let door = scope.read(RecordKind::ApiKey)?;
    let rows: Vec<(Uuid, Option<DateTime<Utc>>, Option<String>)> =
        Sql::<(st::Uuid, st::Nullable<TimeSql>, st::Nullable<st::Text>)>::new(
            "SELECT key_id, last_used_at, last_used_from FROM api_key_use WHERE org_id = ",
        )
        .bind(door.org)
        .text(" AND key_id = ANY (")
        .bind(keys.to_vec())
        .text(")")
        .load(door.connection)
        .await?;
    Ok(rows.into_iter().filter_map(|(key, at, from)| at.map(|at| (key, at, from))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_a_slip_is_seen_without_a_look_up() {
        let (one, two) = (generate().expect("random"), generate().expect("random"));
        assert_ne!(one.secret, two.secret);
        assert!(is_whole(&one.secret) && looks_like(&one.secret) && one.secret.starts_with(&one.prefix));
        assert_eq!((one.secret.len(), one.prefix.len(), one.hash), (70, 19, token::hash(&one.secret)));
        for place in 0..one.secret.len() {
            let mut letters: Vec<char> = one.secret.chars().collect();
            letters[place] = if letters[place] == 'x' { 'y' } else { 'x' };
            assert!(!is_whole(&letters.iter().collect::<String>()), "at {place}");
            assert!(!is_whole(&one.secret[..place]), "cut at {place}");
        }
        assert!(!is_whole(&format!("{}0", one.secret)) && !is_whole("") && !is_whole(&"é".repeat(35)));
        let (session, _) = token::generate().expect("random");
        assert!(!looks_like(&session));
    }

    #[test]
    fn a_key_is_accepted_from_its_networks_or_from_anywhere() {
        assert!(is_allowed(&[], "unknown") && !is_allowed(&["::/0".to_owned()], "unknown"));
        let networks = ["192.0.2.0/24".to_owned(), "2001:db8::/32".to_owned()];
        assert!(is_allowed(&networks, "192.0.2.7") && is_allowed(&networks, "2001:db8::1"));
        assert!(!is_allowed(&networks, "192.0.3.7"));
    }
}
