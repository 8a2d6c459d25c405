//! The addenda of records, batched.

use super::filter::{AddendumOrder, Condition};
use super::{Addendum, Countersignature, Retraction, store};
use crate::error::{Error, SharedError};
use crate::operation::{Batch, Running};
use crate::page::{Connection, PageArguments, listing};
use crate::record::Signature;
use crate::vocabulary::RecordKind;
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use chrono::{DateTime, Utc};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// What a signer was called when they signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct NameAt(Uuid, DateTime<Utc>);

impl Loader<NameAt> for Batch {
    type Value = String;
    type Error = SharedError;

    async fn load(&self, keys: &[NameAt]) -> Result<HashMap<NameAt, String>, SharedError> {
        let signers: BTreeSet<Uuid> = keys.iter().map(|key| key.0).collect();
        let signers: Vec<Uuid> = signers.into_iter().collect();
        let names = store::names_of(&mut *self.0.reader().await?, &signers).await?;
        let name_at = |key: &NameAt| {
            let mut mine = names.iter().filter(|(id, ..)| *id == key.0).peekable();
            // The demo's history is older than the entries of its staff: then the first name counts.
            let first = mine.peek().copied();
            mine.take_while(|(_, since, _)| *since <= key.1).last().or(first).map(|(_, _, name)| (*key, name.clone()))
        };
        Ok(keys.iter().filter_map(name_at).collect())
    }
}

/// What the signer of a record was called when they signed, batched.
pub async fn signer_name(ctx: &Context<'_>, signature: &Signature) -> Result<String> {
    name_at(ctx, signature.signed_by, signature.signed_at).await
}

/// What somebody was called at a moment, batched.
pub async fn name_at(ctx: &Context<'_>, who: Uuid, at: DateTime<Utc>) -> Result<String> {
    let name = ctx.load(NameAt(who, at)).await?;
    name.ok_or_else(|| Error::Internal("a signer who is in no entry of the ledger".to_owned()).into())
}

/// The further signatures of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct CountersignaturesOf(Uuid);

impl Loader<CountersignaturesOf> for Batch {
    type Value = Vec<Countersignature>;
    type Error = SharedError;

    async fn load(
        &self,
        keys: &[CountersignaturesOf],
    ) -> Result<HashMap<CountersignaturesOf, Self::Value>, SharedError> {
        let records: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let mut found: HashMap<CountersignaturesOf, Self::Value> = HashMap::new();
        for one in store::countersignatures_of(&mut *self.0.reader().await?, &records).await? {
            found.entry(CountersignaturesOf(one.record_id)).or_default().push(one);
        }
        Ok(found)
    }
}

/// The retraction of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct RetractionOf(Uuid);

/// The retraction by which a record was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct CopiedBy(Uuid);

impl Loader<RetractionOf> for Batch {
    type Value = Retraction;
    type Error = SharedError;

    async fn load(&self, keys: &[RetractionOf]) -> Result<HashMap<RetractionOf, Retraction>, SharedError> {
        let records: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = store::retractions_of(&mut *self.0.reader().await?, &records).await?;
        Ok(found.into_iter().map(|it| (RetractionOf(it.record_id), it)).collect())
    }
}

impl Loader<CopiedBy> for Batch {
    type Value = Retraction;
    type Error = SharedError;

    async fn load(&self, keys: &[CopiedBy]) -> Result<HashMap<CopiedBy, Retraction>, SharedError> {
        let copies: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = store::retractions_by_copy(&mut *self.0.reader().await?, &copies).await?;
        Ok(found.into_iter().filter_map(|it| Some((CopiedBy(it.copy_id?), it))).collect())
    }
}

/// The retraction of a record, if it was retracted: the `retraction` field of every signed kind.
pub async fn retraction(ctx: &Context<'_>, record: Uuid) -> Result<Option<Retraction>> {
    ctx.load(RetractionOf(record)).await.map_err(Into::into)
}

/// The retracted record that a record is a copy of, with its kind: the `copiedFrom` field of every signed kind.
pub async fn copied_from(ctx: &Context<'_>, copy: Uuid) -> Result<Option<(RecordKind, Uuid)>> {
    let found = ctx.load(CopiedBy(copy)).await?;
    Ok(found.map(|it| (it.record_kind, it.record_id)))
}

/// Those records that have not been retracted, for what is derived from records. `id` is the record that a row stands or
/// falls with; none stands.
pub async fn standing<T>(ctx: &Context<'_>, rows: Vec<T>, id: impl Fn(&T) -> Option<Uuid>) -> Result<Vec<T>> {
    let keys: Vec<RetractionOf> = rows.iter().filter_map(&id).map(RetractionOf).collect();
    if keys.is_empty() {
        return Ok(rows);
    }
    let gone = ctx.batches()?.load_many(keys).await?;
    Ok(rows.into_iter().filter(|row| id(row).is_none_or(|id| !gone.contains_key(&RetractionOf(id)))).collect())
}

/// All signatures of a record, the first one first: the `signatures` field of every signed kind. `whose` did the work.
pub async fn signatures(
    ctx: &Context<'_>,
    record: Uuid,
    first: Option<&Signature>,
    whose: Uuid,
) -> Result<Vec<Signature>> {
    let Some(first) = first else { return Ok(Vec::new()) };
    let further = ctx.load(CountersignaturesOf(record)).await?.unwrap_or_default();
    ctx.operation()?.lead_to(further.len() + 1)?;
    let all = [first.clone()].into_iter().chain(further.into_iter().map(Signature::from));
    Ok(all.map(|it| it.on_work_of(whose)).collect())
}

/// The addenda of a record, oldest first: the `addenda` field of every signed kind.
pub async fn addenda(
    ctx: &Context<'_>,
    record: Uuid,
    first: Option<i32>,
    after: Option<String>,
) -> Result<Connection<Addendum>> {
    let window = PageArguments { first, after, ..PageArguments::default() };
    let (all, oldest_first) = (Ok(Condition::default()), Some(AddendumOrder::OfRecord));
    listing::under_shown(ctx, ("record_id", record), all, oldest_first, window).await
}
