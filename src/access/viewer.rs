//! Who asks, and what they may.

use super::policy::{self, Scopes};
use crate::error::{Error, Result};
use crate::vocabulary::{Action, RecordKind, ServiceScope, StaffRole};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The viewer: who sends the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// The organisation they are signed in to.
    pub org: Uuid,
    /// Their staff id in it; none for the program itself (the command line).
    pub staff: Option<Uuid>,
    /// Their role; none for the program itself, which may do everything.
    pub role: Option<StaffRole>,
    /// The sign-in they came with, where they came with one.
    pub sign_in: Option<SignInMark>,
    /// Whether they have emergency access open. The database then shows them the clinical records of those patients
    /// only.
    pub emergency: bool,
    /// The service account, if a program sent a key. There is then neither staff nor role, and it may read what its
    /// scopes allow.
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
    /// Its id, which is neither the token nor derived from it.
    pub id: Uuid,
    /// When its owner last confirmed their identity with a password or a code.
    pub proved_at: Option<DateTime<Utc>>,
    /// Whether that was recent enough to sign records.
    pub lately: bool,
    /// Whether the organisation requires a second factor that the account does not have. Only setting one up is allowed
    /// then.
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

    /// A service account with these scopes.
    pub fn of_service_account(org: Uuid, id: Uuid, scopes: &[ServiceScope]) -> Self {
        let service = Some(ServiceMark { id, scopes: scopes.iter().copied().collect() });
        Self { service, ..Self::program(org) }
    }

    /// The staff member, where a record needs an author.
    pub fn author(&self) -> Result<Uuid> {
        if self.service.is_some() {
            return Err(Error::Forbidden("this is for people: a service account is nobody of the staff".to_owned()));
        }
        self.staff.ok_or_else(|| Error::Internal("the program itself can't be the author of a record".to_owned()))
    }

    /// The viewer's id in the logs: of the staff member or of the service account; none for the program itself.
    pub fn actor(&self) -> Option<Uuid> {
        self.staff.or(self.service.map(|service| service.id))
    }

    /// FORBIDDEN unless the role, or the scopes of the service account, allow this; for reading, also for every kind
    /// whose content the record contains.
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

    /// The same regardless of emergency access: for reads on which a write is based.
    pub fn check_by_role(&self, action: Action, record: RecordKind) -> Result<()> {
        if let Some(service) = self.service {
            return policy::check_service(service.scopes, action, record);
        }
        self.role.map_or(Ok(()), |role| policy::check(role, action, record))
    }

    /// REAUTHENTICATION_REQUIRED unless the viewer recently confirmed their identity, as required for signing and for
    /// everything that gives away power or data. The program itself is exempt.
    pub fn proved_lately(&self) -> Result<()> {
        let lately = self.role.is_none() || self.sign_in.is_some_and(|sign_in| sign_in.lately);
        if lately { Ok(()) } else { Err(Error::ReauthenticationRequired) }
    }

    pub(super) fn prove(&self, action: Action, record: RecordKind) -> Result<()> {
        if policy::asks_for_proof(action, record) { self.proved_lately() } else { Ok(()) }
    }

    /// FORBIDDEN unless the role, or a scope of the service account, allows reading the access log.
    pub fn check_access_log(&self) -> Result<()> {
        if let Some(service) = self.service {
            return policy::check_service_access_log(service.scopes);
        }
        self.role.map_or(Ok(()), policy::check_access_log)
    }
}
