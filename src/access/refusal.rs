//! Failed sign-ins, on their way to the access logs of the organisations that the account works in.
//!
//! The time an answer takes must not reveal how many those are, or whether there is an account at all. So each refusal
//! is first stored as one row here, the same for an unknown e-mail, before it is answered. Where it belongs is worked
//! out later, for all pending rows together.

use super::account;
use crate::db::{Pool, Sql, Transaction};
use crate::error::Result;
use crate::ids;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// The number of rows taken at a time.
const BATCH: i64 = 200;

/// Whose sign-in was attempted. This is not proved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tried {
    /// The account with the e-mail that was tried, if there is one.
    pub account: Option<Uuid>,
    /// Another organisation it concerns, with the staff member: the one that sent the invitation.
    pub also: Option<(Uuid, Uuid)>,
}

/// A failed sign-in.
#[derive(Debug, Clone)]
pub struct RefusedTry {
    /// The account that the attempt was for.
    pub tried: Tried,
    /// The request.
    pub request_id: String,
    /// The operation's first root field.
    pub operation: String,
    /// The network address it came from.
    pub from_address: String,
}

/// Stores a refusal. It is durable when this is `Ok`.
pub async fn note(pool: &Pool, refusal: RefusedTry) -> Result<()> {
    Sql::<()>::new(
        "INSERT INTO refused_sign_in (id, at, account_id, by_org, by_staff, request_id, operation, from_address) VALUES (",
    )
    .bind(ids::new_id())
    .text(", ")
    .bind(ids::now())
    .text(", ")
    .bind(refusal.tried.account)
    .text(", ")
    .bind(refusal.tried.also.map(|(org, _)| org))
    .text(", ")
    .bind(refusal.tried.also.map(|(_, staff)| staff))
    .text(", ")
    .bind(refusal.request_id)
    .text(", ")
    .bind(refusal.operation)
    .text(", ")
    .bind(refusal.from_address)
    .text(")")
    .execute(&mut *pool.accounts().await?)
    .await?;
    Ok(())
}

type Row = ((Uuid, Option<Uuid>, Option<Uuid>, Option<Uuid>), (String, String, String));
type RowSql = (
    (st::Uuid, st::Nullable<st::Uuid>, st::Nullable<st::Uuid>, st::Nullable<st::Uuid>),
    (st::Text, st::Text, st::Text),
);

/// Failed sign-ins with their ids, each with the organisations and staff in whose access logs it belongs.
pub type Placed = Vec<(Uuid, RefusedTry, Vec<(Uuid, Uuid)>)>;

/// Pending failed sign-ins, locked until the transaction ends. Two processes get different ones.
pub async fn take(pool: &Pool) -> Result<(Transaction, Placed)> {
    let taking = Sql::<RowSql>::new(
        "SELECT id, account_id, by_org, by_staff, request_id, operation, from_address FROM refused_sign_in ORDER BY at, id LIMIT ",
    )
    .bind(BATCH)
    .text(" FOR UPDATE SKIP LOCKED");
    let (mut transaction, rows) = pool.begin::<_, Row>(true, Uuid::nil(), &taking).await?;
    let mut found = Vec::with_capacity(rows.len());
    for ((id, account, org, staff), (request_id, operation, from_address)) in rows {
        let tried = Tried { account, also: org.zip(staff) };
        let mut places = match account {
            Some(account) => account::places(transaction.connection()?, account).await?,
            None => Vec::new(),
        };
        places.extend(tried.also);
        found.push((id, RefusedTry { tried, request_id, operation, from_address }, places));
    }
    Ok((transaction, found))
}

/// Deletes those that were written to every log they belong in, and commits.
pub async fn take_out(mut transaction: Transaction, written: Vec<Uuid>) -> Result<()> {
    Sql::<()>::new("DELETE FROM refused_sign_in WHERE id = ANY (")
        .bind(written)
        .text(")")
        .execute(transaction.connection()?)
        .await?;
    transaction.commit().await
}
