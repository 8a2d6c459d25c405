//! A person's sign-ins: a new token for one that continues, the list, and ending them from elsewhere.

use super::{Caller, Doorkeeper};
use crate::access::account::{self, Account};
use crate::access::one_time::{self, Purpose, Whose};
use crate::access::scope::Scope;
use crate::access::{held, invitation, token};
use crate::db::{Sql, Transaction};
use crate::error::{Error, Result};
use crate::ids;
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types as st;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use std::collections::HashMap;
use uuid::Uuid;

/// The maximum number of sign-ins shown for one person.
const MOST_SHOWN: i32 = 100;

/// A valid sign-in.
#[derive(Debug, Clone)]
pub struct SignInEntry {
    /// Its id, which is neither the token nor derived from it.
    pub id: Uuid,
    /// Whether it is the sign-in that sends the request.
    pub current: bool,
    /// The `User-Agent` of the client.
    pub client: String,
    /// The network address it came from.
    pub address: String,
    /// When the sign-in was made.
    pub created_at: DateTime<Utc>,
    /// When it was last used, accurate to a fifteenth of the idle time.
    pub last_seen_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// Whether a second factor was shown.
    pub second_factor: bool,
    /// Whether its token is a cookie.
    pub by_cookie: bool,
}

/// A sign-in under a new token. The old token may read for some seconds more, and nothing else.
#[derive(Debug)]
pub struct Rotated {
    /// The token, shown this once.
    pub token: String,
    /// Whether it goes into the cookie.
    pub by_cookie: bool,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
}

/// What else changes with a new token.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::access) struct Rotation {
    /// Every other sign-in of this account ends.
    pub(in crate::access) end_others: Option<Uuid>,
    /// Whether the sign-in has a second factor from here on.
    pub(in crate::access) second_factor: Option<bool>,
    /// Whether the old token was valid only for setting up a second factor. It can then read nothing any more.
    pub(in crate::access) was_enrolling: bool,
}

type Row = ((Uuid, Uuid, String, String), (DateTime<Utc>, DateTime<Utc>, DateTime<Utc>), (bool, bool));
type RowSql = (
    (st::Uuid, st::Uuid, st::Text, st::Text),
    (st::Timestamptz, st::Timestamptz, st::Timestamptz),
    (st::Bool, st::Bool),
);

impl Doorkeeper {
    /// The account of a sign-in.
    pub async fn owner(&self, sign_in: Uuid) -> Result<Account> {
        let found = account::of_sign_in(&mut *self.pool().accounts().await?, sign_in).await?;
        found.ok_or_else(held::revoked)
    }

    /// Gives the caller's sign-in a new token, confirmed now, and commits. Of two concurrent calls with the same token,
    /// one is refused.
    pub(in crate::access) async fn rotate(
        &self,
        mut transaction: Transaction,
        caller: Caller<'_>,
        rotation: Rotation,
    ) -> Result<Rotated> {
        let old = token::hash(caller.token.ok_or_else(held::unknown)?);
        let (token, hash) = token::generate().ok_or_else(|| Error::Internal("no randomness".to_owned()))?;
        let now = ids::now();
        let connection = transaction.connection()?;
        let mut sql = Sql::<(st::Uuid, st::Uuid, st::Bool, st::Timestamptz)>::new("UPDATE sign_in SET token_hash = ");
        sql.push_bind(hash.to_vec()).push(", proved_at = ").push_bind(now).push(", last_seen_at = ").push_bind(now);
        if let Some(second_factor) = rotation.second_factor {
            sql.push(", second_factor = ").push_bind(second_factor);
        }
        sql.push(" WHERE ended_at IS NULL AND token_hash = ").push_bind(old.to_vec());
        sql.push(" RETURNING id, org_id, by_cookie, expires_at");
        let rows: Vec<(Uuid, Uuid, bool, DateTime<Utc>)> = sql.load(connection).await?;
        let Some((sign_in, org, by_cookie, expires_at)) = rows.into_iter().next() else {
            transaction.rollback().await;
            return Err(held::revoked());
        };
        if let Some(account) = rotation.end_others {
            account::end_sign_ins(connection, account, Some(&hash)).await?;
        }
        if !rotation.was_enrolling {
            held::keep(connection, old, sign_in).await?;
        }
        transaction.commit().await?;
        self.remember(hash, org);
        Ok(Rotated { token, by_cookie, expires_at })
    }

    /// The sign-ins of these staff in this organisation, newest first: the viewer's own, or anybody's for a viewer who
    /// manages staff.
    pub async fn sign_ins(&self, scope: &mut Scope, staff: &[Uuid]) -> Result<HashMap<Uuid, Vec<SignInEntry>>> {
        let viewer = scope.viewer();
        may_look(scope, staff)?;
        let now = ids::now();
        let idle = TimeDelta::from_std(self.lifetimes().idle).unwrap_or(TimeDelta::minutes(15));
        let door = scope.read(RecordKind::Staff)?;
        let rows: Vec<Row> = Sql::<RowSql>::new(
            "SELECT i.staff_id, i.id, i.client, i.from_address, i.created_at, i.last_seen_at, i.expires_at, i.second_factor, \
             i.by_cookie FROM unnest(",
        )
        .bind(staff.to_vec())
        .text(") AS s (id) CROSS JOIN LATERAL (SELECT * FROM sign_in WHERE org_id = ")
        .bind(door.org)
        .text(" AND staff_id = s.id AND ended_at IS NULL AND expires_at > ")
        .bind(now)
        .text(" AND last_seen_at > ")
        .bind(now - idle)
        .text(" ORDER BY created_at DESC, id LIMIT ")
        .bind(MOST_SHOWN)
        .text(") AS i ORDER BY i.created_at DESC, i.id")
        .load(door.connection)
        .await?;
        let mut found: HashMap<Uuid, Vec<SignInEntry>> = HashMap::new();
        for ((staff, id, client, address), (created_at, last_seen_at, expires_at), (second_factor, by_cookie)) in rows {
            let current = viewer.sign_in.is_some_and(|sign_in| sign_in.id == id);
            let entry = SignInEntry {
                id,
                current,
                client,
                address,
                created_at,
                last_seen_at,
                expires_at,
                second_factor,
                by_cookie,
            };
            found.entry(staff).or_default().push(entry);
        }
        Ok(found)
    }

    /// Ends one sign-in of the same person. False if they have none with this id.
    pub async fn revoke(&self, owner: Uuid, id: Uuid) -> Result<bool> {
        let mut accounts = self.pool().accounts().await?;
        let ended = Sql::<()>::new("UPDATE sign_in SET ended_at = ")
            .bind(ids::now())
            .text(" WHERE ended_at IS NULL AND account_id = ")
            .bind(owner)
            .text(" AND id = ")
            .bind(id)
            .execute(&mut accounts)
            .await?;
        Ok(ended == 1)
    }

    /// Ends every sign-in of the caller's account, in all organisations, with or without the caller's own.
    pub async fn revoke_all(&self, caller: Caller<'_>, owner: Uuid, include_current: bool) -> Result<()> {
        let mine = caller.token.map(token::hash).filter(|_| !include_current);
        let mut transaction = self.pool().write(self.organisation_of_caller(caller).await?).await?;
        let connection = transaction.connection()?;
        account::lock(connection, owner).await?;
        account::end_sign_ins(connection, owner, mine.as_ref()).await?;
        transaction.commit().await
    }
}

/// Refuses all but the viewer's own, unless the viewer manages staff.
fn may_look(scope: &Scope, staff: &[Uuid]) -> Result<()> {
    let viewer = scope.viewer();
    let own = staff.iter().all(|id| viewer.staff == Some(*id));
    if own { Ok(()) } else { viewer.check(Action::Update, RecordKind::Staff) }
}

/// Which of these staff have a second factor: for themselves, or for a viewer who manages staff.
pub async fn with_second_factor(scope: &mut Scope, staff: &[Uuid]) -> Result<Vec<Uuid>> {
    may_look(scope, staff)?;
    let door = scope.read(RecordKind::Staff)?;
    Ok(Sql::<st::Uuid>::new(
        "SELECT m.staff_id FROM account_membership m JOIN account a ON a.id = m.account_id \
         WHERE a.totp_confirmed_at IS NOT NULL AND m.org_id = ",
    )
    .bind(door.org)
    .text(" AND m.staff_id = ANY (")
    .bind(staff.to_vec())
    .text(")")
    .load(door.connection)
    .await?)
}

/// Which of these staff have ever signed in to an organisation.
pub async fn ever_signed_in(connection: &mut AsyncPgConnection, org: Uuid, staff: &[Uuid]) -> Result<Vec<Uuid>> {
    Ok(Sql::<st::Uuid>::new("SELECT s.id FROM unnest(")
        .bind(staff.to_vec())
        .text("::uuid[]) AS s (id) WHERE EXISTS (SELECT FROM sign_in i WHERE i.org_id = ")
        .bind(org)
        .text(" AND i.staff_id = s.id)")
        .load(connection)
        .await?)
}

/// Ends the sign-ins of a staff member in an organisation, those that wait for a code too.
pub async fn end_of_staff(connection: &mut AsyncPgConnection, org: Uuid, staff: Uuid) -> Result<()> {
    let now = ids::now();
    let accounts: Vec<Uuid> = Sql::<st::Uuid>::new("SELECT account_id FROM account_membership WHERE org_id = ")
        .bind(org)
        .text(" AND staff_id = ")
        .bind(staff)
        .load(connection)
        .await?;
    for account in accounts {
        account::lock(connection, account).await?;
    }
    Sql::<()>::new("UPDATE sign_in SET ended_at = ")
        .bind(now)
        .text(" WHERE ended_at IS NULL AND org_id = ")
        .bind(org)
        .text(" AND staff_id = ")
        .bind(staff)
        .execute(connection)
        .await?;
    one_time::end(connection, Purpose::SignIn, Whose::Staff(org, staff)).await
}

/// Ends everything that gives access to a staff member's membership: sign-ins, those that await a code, invitations and
/// password links. If a membership is closed and opened again later, only new ones open it.
pub async fn end_of_place(connection: &mut AsyncPgConnection, account: Uuid, org: Uuid, staff: Uuid) -> Result<()> {
    invitation::end(connection, account, org, staff).await?;
    end_of_staff(connection, org, staff).await?;
    one_time::end(connection, Purpose::PasswordReset, Whose::Staff(org, staff)).await
}

/// Requires a fresh proof of identity in the sign-ins of a staff member before they sign, because their rights have
/// changed.
pub async fn forget_proofs(connection: &mut AsyncPgConnection, org: Uuid, staff: Uuid) -> Result<()> {
    Sql::<()>::new("UPDATE sign_in SET proved_at = NULL WHERE ended_at IS NULL AND org_id = ")
        .bind(org)
        .text(" AND staff_id = ")
        .bind(staff)
        .execute(connection)
        .await?;
    Ok(())
}
