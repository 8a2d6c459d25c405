//! The only way to the data: the viewer, and the open transaction.
//!
//! Every function that runs SQL takes a `Scope` and gets its connection by naming what it is about to do:
//! `scope.read(RecordKind::Patient)?`, `scope.write(Action::Update, RecordKind::Patient)?`. Both check the policy. A
//! transaction in which a write was opened without a ledger entry after it does not commit.

use super::policy;
use super::sight::{Emergency, EmergencyOnly, Sight};
use super::viewer::Viewer;
use crate::db::{Pool, Sql, Transaction};
use crate::error::{Error, Result};
use crate::vocabulary::{Action, RecordKind};
use crate::watch::Watch;
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// The connection, with the organisation that every statement must name.
pub struct Door<'a> {
    /// The organisation: bind it in every statement.
    pub org: Uuid,
    /// The connection of the open transaction.
    pub connection: &'a mut AsyncPgConnection,
}

/// The viewer, and the open transaction.
pub struct Scope {
    viewer: Viewer,
    request_id: String,
    transaction: Transaction,
    writable: bool,
    unrecorded: Option<(Action, RecordKind)>,
    last_entry: Option<i64>,
    /// What was entered, by kind and action; and since when this holds the organisation's head.
    entered: (Vec<(RecordKind, Action)>, Option<Instant>),
    answer: Option<i64>,
    seen: BTreeSet<Uuid>,
    closed: BTreeSet<Uuid>,
    looked: bool,
    asked: BTreeSet<(Action, RecordKind)>,
    sight: Sight,
}

impl Scope {
    pub(super) fn new(
        viewer: Viewer,
        request_id: String,
        transaction: Transaction,
        writable: bool,
        sight: Sight,
    ) -> Self {
        Self {
            viewer,
            request_id,
            transaction,
            writable,
            unrecorded: None,
            last_entry: None,
            entered: (Vec::new(), None),
            answer: None,
            seen: BTreeSet::new(),
            closed: BTreeSet::new(),
            looked: false,
            asked: BTreeSet::new(),
            sight,
        }
    }

    /// A writing scope of the program itself: the command line's staff and demo commands.
    pub async fn program(pool: &Pool, org: Uuid) -> Result<Self> {
        let transaction = pool.write(org).await?;
        let sight = Sight { all: true, emergencies: Vec::new() };
        Ok(Self::new(Viewer::program(org), format!("cli-{}", crate::ids::new_id()), transaction, true, sight))
    }

    /// The viewer.
    pub fn viewer(&self) -> Viewer {
        self.viewer
    }

    /// Records that the idle time of the sign-in starts again.
    pub(super) fn idle_until(&mut self, end: DateTime<Utc>) {
        if let Some(sign_in) = &mut self.viewer.sign_in {
            sign_in.idle_ends_at = end;
        }
    }

    /// The organisation.
    pub fn org(&self) -> Uuid {
        self.viewer.org
    }

    /// The id of the request, for the ledger.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The connection, to read records of a kind.
    pub fn read(&mut self, record: RecordKind) -> Result<Door<'_>> {
        self.viewer.check(Action::Read, record)?;
        self.asked.insert((Action::Read, record));
        self.door()
    }

    /// The connection, to read a list of records of a kind, of one patient or of all. A viewer limited to emergency
    /// access may read only lists of its patient.
    pub fn read_list(&mut self, record: RecordKind, patient: Option<Uuid>) -> Result<Door<'_>> {
        self.emergency_only().check(record, patient)?;
        self.read(record)
    }

    /// The connection, to change records of a kind. A ledger entry must follow. If the change requires a fresh proof of
    /// identity, that is checked here: after every fault of the change has been reported, and before anything is
    /// changed.
    pub fn write(&mut self, action: Action, record: RecordKind) -> Result<Door<'_>> {
        self.viewer.check(action, record)?;
        self.viewer.prove(action, record)?;
        self.asked.insert((action, record));
        if !self.writable {
            return Err(Error::Internal(format!("a write of {record:?} in a reading scope")));
        }
        self.unrecorded = Some((action, record));
        self.door()
    }

    /// The connection for the ledger's own statements, which carry no rights of their own. The caller has checked what
    /// they may show.
    pub fn ledger(&mut self) -> Result<Door<'_>> {
        self.door()
    }

    /// The connection, with the number of the entry that this scope wrote last: for what the database does only on the
    /// strength of that entry.
    pub fn entered(&mut self) -> Result<(Door<'_>, i64)> {
        let entry = self.last_entry.filter(|_| self.unrecorded.is_none());
        let entry = entry.ok_or_else(|| Error::Internal("a deed without its ledger entry".to_owned()))?;
        Ok((self.door()?, entry))
    }

    fn door(&mut self) -> Result<Door<'_>> {
        Ok(Door { org: self.viewer.org, connection: self.transaction.connection()? })
    }

    /// Whether no restricted patient is closed to this scope.
    pub fn sees_all(&self) -> bool {
        self.sight.all
    }

    /// The open emergency accesses of the viewer.
    pub fn emergencies(&self) -> &[Emergency] {
        &self.sight.emergencies
    }

    /// Whose clinical records alone the viewer reads.
    pub fn emergency_only(&self) -> EmergencyOnly {
        let open = || self.sight.emergencies.iter().map(|emergency| emergency.patient).collect();
        EmergencyOnly(self.viewer.emergency.then(open))
    }

    /// REASON_REQUIRED if one of these patients is open only through emergency access, which shows a record but allows
    /// nothing to be done with it as a whole.
    pub fn reason_stated(&self, patients: &[Uuid]) -> Result<()> {
        let emergency = self.sight.emergencies.iter().any(|it| patients.contains(&it.patient));
        if emergency && !self.sight.all { Err(Error::ReasonRequired) } else { Ok(()) }
    }

    /// Opens the record of one restricted patient until the transaction ends: for changes to the access itself.
    pub async fn open_patient(&mut self, patient: Uuid) -> Result<()> {
        if self.sight.all {
            return Ok(());
        }
        let connection = self.door()?.connection;
        let _: Vec<String> = Sql::<st::Text>::new(
            "SELECT set_config('app.opened', concat_ws(',', NULLIF(current_setting('app.opened', true), ''), ",
        )
        .bind(patient.to_string())
        .text("), true)")
        .load(connection)
        .await?;
        Ok(())
    }

    /// Records emergency access that begins in this scope, for the access log.
    pub fn begins(&mut self, emergency: Emergency) {
        self.sight.emergencies.push(emergency);
    }

    /// Records that the ledger has the entry of the open write, the newest of these.
    pub fn recorded(&mut self, seq: i64, entries: impl IntoIterator<Item = (RecordKind, Action)>) {
        self.unrecorded = None;
        self.last_entry = Some(seq);
        self.entered.0.extend(entries);
        self.entered.1.get_or_insert_with(Instant::now);
    }

    /// The meters of the service.
    pub fn watch(&self) -> &Watch {
        self.transaction.watch()
    }

    /// The ledger entry that this scope wrote last.
    pub fn newest_entry(&self) -> Option<i64> {
        self.last_entry
    }

    /// The ledger entry that a retry of this scope's write returns: the newest, unless `answers` named one.
    pub fn answer(&self) -> Option<i64> {
        self.answer.or(self.last_entry)
    }

    /// Makes the entry just written the result of a retry, whatever is written after it.
    pub fn answers(&mut self) {
        self.answer = self.last_entry;
    }

    /// The rights that were checked so far: whoever repeats the request must still have them.
    pub fn asked(&self) -> impl Iterator<Item = (Action, RecordKind)> + '_ {
        self.asked.iter().copied()
    }

    /// Records patients whose data is about to be shown, for the access log.
    pub fn show(&mut self, patients: impl IntoIterator<Item = Uuid>) {
        self.seen.extend(patients);
    }

    /// Records patients who were requested but are closed to the viewer, for the access log.
    pub fn refuse(&mut self, patients: impl IntoIterator<Item = Uuid>) {
        self.closed.extend(patients);
    }

    /// The patients refused so far.
    pub fn take_refused(&mut self) -> BTreeSet<Uuid> {
        std::mem::take(&mut self.closed)
    }

    /// Records an access that must be logged even though it may show nobody's data: reading the access log itself.
    pub fn note_look(&mut self) {
        self.looked = true;
    }

    /// Notes that so many records of a kind were counted. With a filter that names a patient the number tells of them, where
    /// it is not 0: that is told of who is not there, and of who is closed to the viewer, too.
    pub fn counted(&mut self, record: RecordKind, about: impl IntoIterator<Item = Uuid>, count: i64) {
        self.looked |= policy::tells_of_patients(record);
        if count > 0 {
            self.seen.extend(about);
        }
    }

    /// Whether there was such an access.
    pub fn looked(&self) -> bool {
        self.looked
    }

    /// The patients whose data was shown so far.
    pub fn take_seen(&mut self) -> BTreeSet<Uuid> {
        std::mem::take(&mut self.seen)
    }

    /// Commits, and returns the patients whose data was shown. A write without its ledger entry is rolled back.
    pub async fn commit(self) -> Result<BTreeSet<Uuid>> {
        if let Some((action, record)) = self.unrecorded {
            self.transaction.rollback().await;
            return Err(Error::Internal(format!("{action:?} of a {record:?} left no ledger entry")));
        }
        let ((entries, since), watch) = (self.entered, Arc::clone(self.transaction.watch()));
        self.transaction.commit().await?;
        if let Some(since) = since {
            let words = entries.iter().map(|(kind, action)| (kind.as_str(), action.as_str()));
            watch.writes.committed(words, since.elapsed());
        }
        Ok(self.seen)
    }

    /// Rolls everything back.
    pub async fn rollback(self) {
        self.transaction.rollback().await;
    }
}
