//! The SQL of the change feed.

use super::{ChangeMark, Entry, From, Page, Position, RecordChange, Wanted, looked_at};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Code, Error, Result};
use crate::ledger::{Kept, KeptSql, content_of};
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// Entries that are looked at in one statement where all may be shown, and where few may be.
const NEAR: i64 = 200;
const FAR: i64 = 2_000;
/// Entries that are looked at for one page: whoever wants what is rare gets an empty page, and goes on from its end.
const MOST_LOOKED_AT: i64 = 10_000;

type Row = (
    (Option<i64>, Option<i64>, Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    (Option<i64>, Option<DateTime<Utc>>, Option<Uuid>, Option<String>),
    (Option<Action>, Option<RecordKind>, Option<Uuid>, Option<i32>),
    (Option<Uuid>, Option<Uuid>, Option<bool>),
    Kept,
);
type RowSql = (
    (st::Nullable<st::BigInt>, st::Nullable<st::BigInt>, st::Nullable<st::Timestamptz>, st::Nullable<st::Timestamptz>),
    (st::Nullable<st::BigInt>, st::Nullable<st::Timestamptz>, st::Nullable<st::Uuid>, st::Nullable<st::Text>),
    (st::Nullable<st::Text>, st::Nullable<st::Text>, st::Nullable<st::Uuid>, st::Nullable<st::Integer>),
    (st::Nullable<st::Uuid>, st::Nullable<st::Uuid>, st::Nullable<st::Bool>),
    KeptSql,
);

/// A stretch of the ledger: what of it the viewer sees, and how far it goes.
struct Stretch {
    entries: Vec<Entry>,
    /// The number of the newest entry of all.
    head: i64,
    /// The end of what was looked at.
    end: Position,
}

/// Changes from a place on, at most so many of those that are wanted, as far as the viewer may see them: the caller has
/// checked the kinds. Whose they are is recorded for the access log.
///
/// # Errors
///
/// `BAD_USER_INPUT` for a place that this ledger does not have.
pub async fn page(scope: &mut Scope, from: From, first: usize, wanted: &Wanted) -> Result<Page> {
    let mut at = match from {
        From::Start => Position::START,
        From::After(position) => position,
        From::Now => return now(scope).await,
    };
    let (mut looked, mut most) = (0, NEAR);
    loop {
        let stretch = stretch(scope, at, most, first, wanted).await?;
        let (head, begun) = (stretch.head, at.seq);
        let (changes, end) = told(scope, stretch, at, first, wanted).await?;
        let more = end.place.is_some() || end.seq < head;
        looked += end.seq - begun;
        if !changes.is_empty() || !more || first == 0 || looked >= MOST_LOOKED_AT {
            scope.show(changes.iter().flat_map(|change| [change.patient, change.moved_from]).flatten());
            return Ok(Page { changes, end, more });
        }
        (at, most) = (end, FAR);
    }
}

/// The end of the ledger, without what is before it.
async fn now(scope: &mut Scope) -> Result<Page> {
    let door = scope.ledger()?;
    let rows: Vec<(i64, Option<DateTime<Utc>>)> = Sql::<(st::BigInt, st::Nullable<st::Timestamptz>)>::new(
        "SELECT h.seq, s.seen_at FROM ledger_head h CROSS JOIN LATERAL ledger_span(h.seq, 0, ",
    )
    .bind(crate::ids::now())
    .text(") AS s WHERE h.org_id = ")
    .bind(door.org)
    .load(door.connection)
    .await?;
    let (seq, at) = rows.into_iter().next().ok_or_else(no_ledger)?;
    Ok(Page { changes: Vec::new(), end: Position { seq, at, place: None }, more: false })
}

fn no_ledger() -> Error {
    Error::Internal("the organisation has no ledger".to_owned())
}

/// The entries after a place, at most `most` of them, and of those that the viewer sees at most `limit`.
async fn stretch(scope: &mut Scope, after: Position, most: i64, limit: usize, wanted: &Wanted) -> Result<Stretch> {
    let door = scope.ledger()?;
    // Of an entry that was read in part there is more.
    let below = after.seq - i64::from(after.place.is_some());
    let limit = i64::try_from(limit.saturating_add(usize::from(after.place.is_some()))).unwrap_or(i64::MAX);
    let mut sql = Sql::<RowSql>::new("WITH s AS MATERIALIZED (SELECT * FROM ledger_span(");
    sql.push_bind(after.seq).push(", ").push_bind(most).push(", ");
    match after.at {
        Some(at) => sql.push_bind(at),
        None => sql.push("NULL"),
    };
    sql.push(
        ")), e AS (SELECT v.* FROM s CROSS JOIN LATERAL (SELECT l.seq, l.at, l.actor_id, l.request_id, l.action, \
         l.record_kind, l.record_id, l.version, l.patient_id, l.content, l.packed FROM ledger l WHERE l.org_id = ",
    )
    .push_bind(door.org)
    .push(" AND l.seq > ")
    .push_bind(below)
    .push(" AND l.seq <= s.last_seq AND l.at >= s.from_at AND l.at <= s.to_at AND l.record_kind = ANY (")
    .push_bind(looked_at(&wanted.kinds))
    .push(")");
    wanted.push_narrower(&mut sql);
    sql.push(" ORDER BY l.seq LIMIT ").push_bind(limit)
    .push(
        ") AS v) SELECT s.head, s.last_seq, s.last_at, s.seen_at, e.seq, e.at, e.actor_id, e.request_id, e.action, \
         e.record_kind, e.record_id, e.version, e.patient_id, \
         CASE WHEN e.action = 'merge' AND e.record_kind <> 'patient_merge' THEN owner_before(e.seq, e.record_id) END, \
         CASE WHEN e.content IS NULL AND e.packed IS NULL THEN NOT EXISTS (SELECT FROM ledger n WHERE n.org_id = ",
    )
    .push_bind(door.org)
    .push(
        " AND n.record_id = e.record_id AND n.seq > e.seq AND (n.content IS NOT NULL OR n.packed IS NOT NULL)) END, \
         CASE WHEN e.action NOT IN ('merge', 'erase') THEN e.content END, e.packed FROM s LEFT JOIN e ON true ORDER BY e.seq",
    );
    let rows: Vec<Row> = sql.load(door.connection).await?;
    let Some(((head, last_seq, last_at, seen_at), ..)) = rows.as_slice().first() else { return Err(no_ledger()) };
    let head = head.ok_or_else(no_ledger)?;
    same_ledger(after, head, *seen_at)?;
    let mut end = Position { seq: last_seq.unwrap_or(after.seq).max(after.seq), at: last_at.or(*seen_at), place: None };
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        entries.extend(entry(row)?);
    }
    if i64::try_from(entries.len()).unwrap_or(i64::MAX) == limit {
        end = entries.last().map_or(after, |last| Position { seq: last.seq, at: Some(last.at), place: None });
    }
    Ok(Stretch { entries, head, end })
}

/// Refuses a place that is not in this ledger.
fn same_ledger(after: Position, head: i64, seen_at: Option<DateTime<Utc>>) -> Result<()> {
    let other = after.at.zip(seen_at).is_some_and(|(then, now)| then != now);
    if after.seq <= head && !other {
        return Ok(());
    }
    Err(Error::input(
        "after",
        Code::WrongForm.says(
            "is of another ledger: of another organisation, or the database was restored to a time before it. Begin anew \
             without it",
        ),
    ))
}

fn entry(row: Row) -> Result<Option<Entry>> {
    let (_, (seq, at, actor, request_id), (action, kind, record, version), (patient, moved_from, gone), kept) = row;
    let (Some(seq), Some(at), Some(action), Some(kind), Some(record), Some(version)) =
        (seq, at, action, kind, record, version)
    else {
        return Ok(None);
    };
    let (request_id, gone, content) = (request_id.unwrap_or_default(), gone.unwrap_or(false), content_of(kept)?);
    Ok(Some(Entry { seq, at, actor, request_id, action, kind, record, version, patient, moved_from, gone, content }))
}

/// What a stretch tells of what is wanted after a place, at most `first` changes, and where that ends.
async fn told(
    scope: &mut Scope,
    stretch: Stretch,
    after: Position,
    first: usize,
    wanted: &Wanted,
) -> Result<(Vec<RecordChange>, Position)> {
    let elsewhere = wanted.elsewhere(scope, &stretch.entries).await?;
    let mut changes: Vec<RecordChange> = Vec::new();
    for entry in stretch.entries {
        if elsewhere.contains(&entry.seq) {
            continue;
        }
        let read = if entry.seq == after.seq { after.place } else { None };
        let room = first.saturating_sub(changes.len());
        let told = entry.told()?;
        let mut of_entry: Vec<RecordChange> = entry
            .changes(&told)
            .filter(|change| read.is_none_or(|read| change.place > read) && wanted.kinds.contains(&change.kind))
            .collect();
        if entry.is_erasure() {
            of_entry.extend(erased(scope, &entry, read.unwrap_or(0), room, &wanted.kinds).await?);
        }
        let left = of_entry.len() > room;
        of_entry.truncate(room);
        let reached = of_entry.last().map(|last| last.position);
        changes.extend(of_entry.into_iter().filter(|change| wanted.takes(change)));
        if left || changes.len() == first {
            let whole = Position { seq: entry.seq, at: Some(entry.at), place: None };
            return Ok((changes, if left { reached.unwrap_or(after) } else { whole }));
        }
    }
    Ok((changes, stretch.end))
}

/// The records that an erasure took, after a place in their list, one more than so many at most.
async fn erased(
    scope: &mut Scope,
    erasure: &Entry,
    read: u32,
    room: usize,
    kinds: &[RecordKind],
) -> Result<Vec<RecordChange>> {
    let door = scope.ledger()?;
    let kinds: Vec<String> = kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
    let rows: Vec<(i64, RecordKind, Uuid, Option<Uuid>)> =
        Sql::<(st::BigInt, st::Text, st::Uuid, st::Nullable<st::Uuid>)>::new(
            "SELECT w.place, v.record_kind, v.record_id, v.patient_id FROM erased_by(",
        )
        .bind(erasure.seq)
        .text(") AS w JOIN ledger v ON v.seq = w.seq AND v.at = w.at WHERE v.org_id = ")
        .bind(door.org)
        .text(" AND v.record_kind = ANY (")
        .bind(kinds)
        .text(") AND w.place > ")
        .bind(i64::from(read))
        .text(" ORDER BY w.place LIMIT ")
        .bind(i64::try_from(room.saturating_add(1)).unwrap_or(i64::MAX))
        .load(door.connection)
        .await?;
    let each = rows.into_iter().map(|(place, kind, record, patient)| RecordChange {
        patient,
        ..erasure.of_another(u32::try_from(place).unwrap_or(u32::MAX - 1), (kind, record), ChangeMark::Erased)
    });
    Ok(each.collect())
}
