//! The one door to the data: who asks, and the open transaction.
//!
//! Every function that runs SQL takes a `Scope` and gets its connection by naming what it is about to do:
//! `scope.read(RecordKind::Patient)?`, `scope.write(Action::Update, RecordKind::Patient)?`. Both check the policy. A
//! transaction in which a write was opened and no ledger entry followed does not commit.

use super::policy::{self, Scopes};
use crate::db::{Pool, Sql, Transaction};
use crate::error::{Error, Result};
use crate::vocabulary::{Action, RecordKind, StaffRole};
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Deserialize;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// The organisation they are signed in to.
    pub org: Uuid,
    /// Their place in it; none for the program itself (the command line).
    pub staff: Option<Uuid>,
    /// Their role; none for the program itself, which may do everything.
    pub role: Option<StaffRole>,
    /// The sign-in they came with, where they came with one.
    pub sign_in: Option<SignInMark>,
    /// Whether emergency access of theirs is open: the database shows them the clinical records of those patients alone.
    pub emergency: bool,
    /// The service account, where a program came with a key: then there is neither staff nor role, and it reads what its
    /// scopes say.
    pub service: Option<ServiceMark>,
}

/// The service account that a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceMark {
    /// Its id.
    pub id: Uuid,
    /// What it may read.
    pub scopes: Scopes,
}

/// The sign-in that a request came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignInMark {
    /// Its id: not its token, nor made from it.
    pub id: Uuid,
    /// When its owner last proved who they are, with a password or a code.
    pub proved_at: Option<DateTime<Utc>>,
    /// Whether that was so lately that they may sign records.
    pub lately: bool,
    /// Whether the organisation asks for a second factor that the account has not got: nothing but getting one is let
    /// through.
    pub enrolment_only: bool,
    /// When it ends if no request comes until then.
    pub idle_ends_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub ends_at: DateTime<Utc>,
}

impl Viewer {
    /// The program itself, at its owner's command line.
    pub fn program(org: Uuid) -> Self {
        Self { org, staff: None, role: None, sign_in: None, emergency: false, service: None }
    }

    /// The staff member, where a record needs an author.
    pub fn author(&self) -> Result<Uuid> {
        if self.service.is_some() {
            return Err(Error::Forbidden("this is for people: a service account is nobody of the staff".to_owned()));
        }
        self.staff.ok_or_else(|| Error::Internal("the program itself can't be the author of a record".to_owned()))
    }

    /// Who it is in the logs: the staff member, or the service account; none for the program itself.
    pub fn actor(&self) -> Option<Uuid> {
        self.staff.or(self.service.map(|service| service.id))
    }

    /// FORBIDDEN unless the role, or the scopes of the service account, allow this; for reading, of every kind whose content
    /// the record carries.
    pub fn check(&self, action: Action, record: RecordKind) -> Result<()> {
        self.check_alone(action, record)?;
        let carried = if action == Action::Read { policy::carried_by(record) } else { &[] };
        carried.iter().try_for_each(|kind| self.check_alone(action, *kind))
    }

    fn check_alone(&self, action: Action, record: RecordKind) -> Result<()> {
        let reads_in_emergency = self.emergency && action == Action::Read && policy::in_emergency(record);
        if self.service.is_none() && reads_in_emergency {
            return Ok(());
        }
        self.check_by_role(action, record)
    }

    /// The same whatever emergency access is open: for reads that a write goes by.
    pub fn check_by_role(&self, action: Action, record: RecordKind) -> Result<()> {
        if let Some(service) = self.service {
            return policy::check_service(service.scopes, action, record);
        }
        self.role.map_or(Ok(()), |role| policy::check(role, action, record))
    }

    /// REAUTHENTICATION_REQUIRED unless they proved lately who they are: what signing asks for, and all that gives power or
    /// data away. The program itself proves nothing.
    pub fn proved_lately(&self) -> Result<()> {
        let lately = self.role.is_none() || self.sign_in.is_some_and(|sign_in| sign_in.lately);
        if lately { Ok(()) } else { Err(Error::ReauthenticationRequired) }
    }

    fn prove(&self, action: Action, record: RecordKind) -> Result<()> {
        if policy::asks_for_proof(action, record) { self.proved_lately() } else { Ok(()) }
    }

    /// FORBIDDEN unless the role, or a scope of the service account, lets them see who looked at what.
    pub fn check_access_log(&self) -> Result<()> {
        if let Some(service) = self.service {
            return policy::check_service_access_log(service.scopes);
        }
        self.role.map_or(Ok(()), policy::check_access_log)
    }
}

/// Emergency access of the viewer that is open.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Emergency {
    /// To whose record.
    pub patient: Uuid,
    /// Why.
    pub reason: String,
}

/// The patients whose clinical records alone somebody reads who reads them by emergency access and no other right. For
/// everybody else it holds nobody back.
///
/// The row policies leave the records of others out. A list without them would look as if there were none, and no allergies
/// is what somebody in an emergency must not read wrongly: what may hold others' is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EmergencyOnly(Option<Vec<Uuid>>);

impl EmergencyOnly {
    /// FORBIDDEN for clinical records, unless they are this patient's alone and emergency access to them is open.
    pub fn check(&self, record: RecordKind, patient: Option<Uuid>) -> Result<()> {
        let Some(open) = &self.0 else { return Ok(()) };
        if !policy::in_emergency(record) || patient.is_some_and(|patient| open.contains(&patient)) {
            return Ok(());
        }
        Err(Error::Forbidden(format!(
            "emergency access shows the record of its own patient and of nobody else: ask for a {} by that patient, or \
             begin emergency access for the one you need (beginEmergencyAccess)",
            record.words()
        )))
    }
}

/// Which restricted patients a scope sees.
#[derive(Debug, Clone, Default)]
pub(super) struct Sight {
    /// All: a reason was stated, there is none, or it is the program itself.
    pub all: bool,
    /// Emergency access of the viewer.
    pub emergencies: Vec<Emergency>,
}

/// Appends what says, in the statement that opens a transaction, which restricted patients are open in it: all where a
/// reason was stated or nobody is restricted, else those that an expression of SQL lists.
pub(super) fn push_opened<R>(sql: &mut Sql<R>, org: Uuid, reason_stated: bool, listed: &'static str) {
    sql.push("set_config('app.opened', CASE WHEN ")
        .push_bind(reason_stated)
        .push(" OR NOT EXISTS (SELECT FROM patient_restriction r WHERE r.lifted_at IS NULL AND r.org_id = ")
        .push_bind(org)
        .push(") THEN 'all' ELSE ")
        .push(listed)
        .push(" END, true)");
}

/// The connection, with the organisation that every statement must name.
pub struct Door<'a> {
    /// The organisation: bind it in every statement.
    pub org: Uuid,
    /// The connection of the open transaction.
    pub connection: &'a mut AsyncPgConnection,
}

/// Who asks, and the open transaction.
pub struct Scope {
    viewer: Viewer,
    request_id: String,
    transaction: Transaction,
    writable: bool,
    unrecorded: Option<(Action, RecordKind)>,
    last_entry: Option<i64>,
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

    /// Who asks.
    pub fn viewer(&self) -> Viewer {
        self.viewer
    }

    /// Notes that the idle clock of the sign-in begins anew.
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

    /// The connection, to read a list of records of a kind: those of one patient, or of all. Who reads them by emergency
    /// access alone reads no list but its patient's.
    pub fn read_list(&mut self, record: RecordKind, patient: Option<Uuid>) -> Result<Door<'_>> {
        self.emergency_only().check(record, patient)?;
        self.read(record)
    }

    /// The connection, to change records of a kind. A ledger entry must follow. What asks for a fresh proof of who they are
    /// asks for it here, where all that is wrong with the change has been told, and before anything is changed.
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

    /// The connection for the ledger's own statements, which come with no right of their own: what they show has
    /// been checked by the caller.
    pub fn ledger(&mut self) -> Result<Door<'_>> {
        self.door()
    }

    /// The connection, with the number of the entry that this scope wrote last: for what the database does on the word of
    /// that entry alone.
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

    /// Emergency access of the viewer that is open.
    pub fn emergencies(&self) -> &[Emergency] {
        &self.sight.emergencies
    }

    /// Whose clinical records alone the viewer reads.
    pub fn emergency_only(&self) -> EmergencyOnly {
        let open = || self.sight.emergencies.iter().map(|emergency| emergency.patient).collect();
        EmergencyOnly(self.viewer.emergency.then(open))
    }

    /// REASON_REQUIRED where one of these patients is open by emergency access alone: that shows a record, and does nothing
    /// with it as a whole.
    pub fn reason_stated(&self, patients: &[Uuid]) -> Result<()> {
        let emergency = self.sight.emergencies.iter().any(|it| patients.contains(&it.patient));
        if emergency && !self.sight.all { Err(Error::ReasonRequired) } else { Ok(()) }
    }

    /// Opens the record of one restricted patient until the transaction ends: for what is done about the access itself.
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

    /// Notes emergency access that begins in this very scope, for the access log.
    pub fn begins(&mut self, emergency: Emergency) {
        self.sight.emergencies.push(emergency);
    }

    /// Notes that the ledger has the entry of the write that was open.
    pub fn recorded(&mut self, seq: i64) {
        self.unrecorded = None;
        self.last_entry = Some(seq);
    }

    /// The ledger entry that a retry of this scope's write is answered with: the newest, unless `answers` named one.
    pub fn answer(&self) -> Option<i64> {
        self.answer.or(self.last_entry)
    }

    /// Makes the entry that was just written the answer to a retry, whatever is written after it.
    pub fn answers(&mut self) {
        self.answer = self.last_entry;
    }

    /// What the door was asked for up to now: what somebody must have a right to who is answered with the same once more.
    pub fn asked(&self) -> impl Iterator<Item = (Action, RecordKind)> + '_ {
        self.asked.iter().copied()
    }

    /// Notes whose data is about to be shown, for the access log.
    pub fn show(&mut self, patients: impl IntoIterator<Item = Uuid>) {
        self.seen.extend(patients);
    }

    /// Notes patients whom somebody asked for and who are closed to them, for the access log.
    pub fn refuse(&mut self, patients: impl IntoIterator<Item = Uuid>) {
        self.closed.extend(patients);
    }

    /// Who was refused up to now.
    pub fn take_refused(&mut self) -> BTreeSet<Uuid> {
        std::mem::take(&mut self.closed)
    }

    /// Notes a look that belongs in the access log though it may show nobody's data: one at the access log itself.
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

    /// Whether there was such a look.
    pub fn looked(&self) -> bool {
        self.looked
    }

    /// Whose data was shown up to now.
    pub fn take_seen(&mut self) -> BTreeSet<Uuid> {
        std::mem::take(&mut self.seen)
    }

    /// Commits, and says which patients' data was shown. A write without its ledger entry is taken back.
    pub async fn commit(self) -> Result<BTreeSet<Uuid>> {
        if let Some((action, record)) = self.unrecorded {
            self.transaction.rollback().await;
            return Err(Error::Internal(format!("{action:?} of a {record:?} left no ledger entry")));
        }
        self.transaction.commit().await?;
        Ok(self.seen)
    }

    /// Takes everything back.
    pub async fn rollback(self) {
        self.transaction.rollback().await;
    }
}
