//! The change feed in the API.

use crate::access::Viewer;
use crate::error::{Code, Error, Faults};
use crate::feed::{self, ChangeMark, Position, RecordChange};
use crate::operation::{AtOnce, Plain, Running, plain};
use crate::page::{DEFAULT_PAGE, LARGEST_PAGE, PageInfo, global_id};
use crate::scalars::DateTime;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, Object, Result};
use std::sync::Arc;

/// What `after` is instead of a cursor, to begin with what comes next.
const NOW: &str = "now";

/// A change of a record: what happened to which. What the record says is read as ever, by `node` or `nodes`.
#[derive(Debug, Clone)]
pub struct ChangeShown {
    change: RecordChange,
    /// Whether the viewer may know who did it, and by which request.
    names_actor: bool,
    names_request: bool,
}

impl ChangeShown {
    /// A change as this viewer may see it.
    pub(super) fn to(viewer: &Viewer, change: RecordChange) -> Self {
        Self {
            names_actor: viewer.check(Action::Read, RecordKind::Staff).is_ok(),
            names_request: viewer.check_access_log().is_ok(),
            change,
        }
    }
}

/// A change of a record: what happened to which. The record itself is read by its id (`node`, `nodes`).
#[Object(name = "RecordChange")]
impl ChangeShown {
    /// The number of the entry in the organisation's ledger. Numbers start at 1 and have no gaps; those that are missing
    /// here are of what you may not read or did not ask for. What one entry does to several records has one number.
    async fn sequence(&self) -> i64 {
        self.change.seq
    }
    /// When it happened. Changes are in the order of their numbers; their times may differ from it by seconds.
    async fn at(&self) -> DateTime {
        DateTime(self.change.at)
    }
    /// The place of the change in the feed, for `after`: it stays good for ever.
    async fn cursor(&self) -> String {
        self.change.position.cursor()
    }
    /// What was done. For what a retraction or a lifted restriction does to another record: UPDATE.
    async fn action(&self) -> Action {
        self.change.action
    }
    /// The kind of the record.
    async fn kind(&self) -> RecordKind {
        self.change.kind
    }
    /// The record, as `node(id:)` takes it.
    async fn record_id(&self) -> ID {
        global_id(self.change.kind, self.change.record)
    }
    /// The version of the record after it; null if the change is not the record's own (`mark`). A move leaves the version as
    /// it was.
    async fn version(&self) -> Option<i32> {
        self.change.version
    }
    /// The patient whose record it is after the change, `patient_…`; null for what is no patient's.
    async fn patient_id(&self) -> Option<ID> {
        self.change.patient.map(|id| global_id(RecordKind::Patient, id))
    }
    /// For MOVED, the patient whose record it was before; null if that patient is closed to you.
    async fn moved_from_patient_id(&self) -> Option<ID> {
        self.change.moved_from.map(|id| global_id(RecordKind::Patient, id))
    }
    /// What the change means for a copy, beyond that the record should be read again; null if that is all.
    async fn mark(&self) -> Option<ChangeMark> {
        self.change.mark
    }
    /// Who did it, `staff_…`; null for the program itself, and if you may not read staff.
    async fn actor_id(&self) -> Option<ID> {
        self.change.actor.filter(|_| self.names_actor).map(|id| global_id(RecordKind::Staff, id))
    }
    /// The id of the request that did it, as in the access log; null if you may not read that.
    async fn request_id(&self) -> Option<&str> {
        self.names_request.then_some(self.change.request_id.as_str())
    }
}

plain!(ChangeShown: sequence, at, cursor, action, kind, version, mark, request_id);

/// A change with its place in the feed.
#[derive(Debug, Clone)]
pub struct ChangeEdge(Arc<ChangeShown>);

/// A change with its place in the feed.
#[Object(name = "RecordChangeEdge")]
impl ChangeEdge {
    /// The change itself.
    async fn node(&self) -> AtOnce<Arc<ChangeShown>> {
        AtOnce(Arc::clone(&self.0))
    }
    /// The place of the change in the feed, for `after`.
    async fn cursor(&self) -> String {
        self.0.change.position.cursor()
    }
}

impl Plain for ChangeEdge {}

/// A part of the change feed.
pub struct ChangeConnection {
    changes: Vec<Arc<ChangeShown>>,
    begin: Option<Position>,
    end: Position,
    more: bool,
}

/// A part of the change feed.
#[Object(name = "RecordChangeConnection")]
impl ChangeConnection {
    /// The changes with their cursors.
    async fn edges(&self) -> Vec<AtOnce<ChangeEdge>> {
        self.changes.iter().cloned().map(|change| AtOnce(ChangeEdge(change))).collect()
    }
    /// The changes alone.
    async fn nodes(&self) -> Vec<AtOnce<Arc<ChangeShown>>> {
        self.changes.iter().cloned().map(AtOnce).collect()
    }
    /// Where this part ends: `endCursor` is there even if it is empty, and `hasNextPage` means that the ledger goes on, maybe
    /// with nothing that you see. Ask on until it is false.
    async fn page_info(&self) -> PageInfo {
        let start = self.changes.first().map(|change| change.change.position.cursor());
        PageInfo::said(self.more, self.begin.is_some_and(|begin| begin.seq > 0), start, self.end.cursor())
    }
}

/// Where to begin: after a cursor, with what comes next, or, without either, as `absent` says.
pub(super) fn begin(after: Option<&str>, absent: feed::From, faults: &mut Faults) -> feed::From {
    match after {
        None => absent,
        Some(NOW) => feed::From::Now,
        Some(text) => Position::read(text).map_or_else(
            || {
                let form = "is not a cursor of changes: send one of them as it came, `now`, or nothing to begin anew";
                faults.add("after", Code::WrongForm.says(form));
                absent
            },
            feed::From::After,
        ),
    }
}

/// The arguments of the feed, read.
struct Asked {
    from: feed::From,
    first: usize,
}

fn read(after: Option<&str>, first: Option<i32>) -> crate::error::Result<Asked> {
    let mut faults = Faults::default();
    if first.is_some_and(|first| !(0..=LARGEST_PAGE).contains(&first)) {
        let flaw = Code::of_range(first > Some(0)).says(format!("must be from 0 to {LARGEST_PAGE}"));
        faults.add("first", flaw.with("min", "0").with("max", LARGEST_PAGE.to_string()));
    }
    let from = begin(after, feed::From::Start, &mut faults);
    faults.into_result()?;
    Ok(Asked { from, first: usize::try_from(first.unwrap_or(DEFAULT_PAGE)).unwrap_or(0) })
}

/// The query of the change feed.
#[derive(Default)]
pub struct ChangeQuery;

#[Object]
impl ChangeQuery {
    /// Every change of the records that you may read, in the order of the ledger, oldest first: for whoever keeps a copy.
    /// None is missed and none told twice if you go on from `endCursor`, however much later. That is there on an empty
    /// page too, and it stays good for ever. Records of restricted patients are left out unless a reason is stated.
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Only changes after this cursor, or `now` for those still to come; from the first one on without \
                          it."
        )]
        after: Option<String>,
        #[graphql(desc = "At most this many changes, up to 100.")] first: Option<i32>,
        #[graphql(
            desc = "Only changes of records of these kinds; of all that you may read without it. FORBIDDEN if you \
                          may not read one of them."
        )]
        kinds: Option<Vec<RecordKind>>,
    ) -> Option<Result<ChangeConnection>> {
        let found = async {
            let Asked { from, first } = read(after.as_deref(), first)?;
            let mut scope = ctx.operation()?.reader().await?;
            let kinds = feed::kinds(&scope, kinds.as_deref())?;
            let page = feed::page(&mut scope, from, first, &feed::Wanted::of(kinds)).await?;
            let viewer = scope.viewer();
            drop(scope);
            let operation = ctx.operation()?;
            operation.lead_to(page.changes.len())?;
            let changes = page.changes.into_iter().map(|change| Arc::new(ChangeShown::to(&viewer, change))).collect();
            let begin = if let feed::From::After(position) = from { Some(position) } else { None };
            Ok::<_, Error>(ChangeConnection { changes, begin, end: page.end, more: page.more })
        };
        Some(Box::pin(found).await.map_err(Into::into))
    }
}
