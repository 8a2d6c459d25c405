//! The policy: what roles and service accounts may do, by the table of kinds (`kinds.rs`).

use crate::error::{Error, Result};
use crate::kinds::Kind;
use crate::vocabulary::{Action, RecordKind, ServiceScope, StaffRole};

/// The scopes of a service account, one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u32);

impl Scopes {
    fn bit(scope: ServiceScope) -> u32 {
        1_u32.checked_shl(scope as u32).unwrap_or(0)
    }

    /// Whether this scope is among them.
    pub fn has(self, scope: ServiceScope) -> bool {
        self.0 & Self::bit(scope) != 0
    }

    /// The scopes as a list.
    pub fn list(self) -> Vec<ServiceScope> {
        ServiceScope::ALL.iter().copied().filter(|scope| self.has(*scope)).collect()
    }
}

impl FromIterator<ServiceScope> for Scopes {
    fn from_iter<I: IntoIterator<Item = ServiceScope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | Self::bit(scope)))
    }
}

/// `Ok`, or FORBIDDEN with the missing scope: a service account may read what its scopes allow, and can write nothing.
pub fn check_service(scopes: Scopes, action: Action, record: RecordKind) -> Result<()> {
    let what = record.one();
    if action != Action::Read {
        return Err(Error::Forbidden(format!("a service account may not {} {what}: it only reads", action.words())));
    }
    match Kind::of(record) {
        Some(row) if scopes.has(row.scope) => Ok(()),
        Some(row) => Err(Error::Forbidden(format!(
            "this service account may not read {what}: it lacks the scope {}",
            row.scope.as_str()
        ))),
        None => Err(Error::Forbidden(format!("a service account may not read {what}"))),
    }
}

fn letter(action: Action) -> char {
    match action {
        Action::Read => 'r',
        Action::Create => 'c',
        Action::Update => 'u',
        Action::Archive | Action::Restore => 'a',
        Action::Sign => 's',
        Action::Publish => 'p',
        Action::Merge => 'm',
        Action::Export => 'x',
        Action::Erase => 'e',
    }
}

/// Whether a role may do this to a kind of record.
pub fn allows(role: StaffRole, action: Action, record: RecordKind) -> bool {
    let column = match role {
        StaffRole::Admin => 0,
        StaffRole::Practitioner => 1,
        StaffRole::FrontDesk => 2,
        StaffRole::Auditor => 3,
    };
    Kind::of(record).and_then(|row| row.rights.get(column)).is_some_and(|rights| rights.contains(letter(action)))
}

/// Whether a person needs a recent proof of identity to do this to a kind of record.
pub fn asks_for_proof(action: Action, record: RecordKind) -> bool {
    action == Action::Sign || Kind::of(record).is_some_and(|row| row.proved.contains(letter(action)))
}

/// The kinds of record of the one patient that emergency access opens, whatever the role: everything clinical. The
/// database limits those kinds, and no others, to the patients of the access (`only_patients`).
pub fn in_emergency(record: RecordKind) -> bool {
    Kind::of(record).is_some_and(|row| row.in_emergency)
}

/// Whether a record of this kind reveals something about a patient. If so, its count does too.
pub fn tells_of_patients(record: RecordKind) -> bool {
    use RecordKind::{CallBack, EmergencyAccess, LegalHold, Patient, PatientErasure, PatientMerge, PatientRestriction};
    let others = matches!(
        record,
        Patient | CallBack | PatientMerge | LegalHold | PatientErasure | PatientRestriction | EmergencyAccess
    );
    others || in_emergency(record)
}

/// Kinds whose content contains that of other kinds: a merge holds the differences between two charts, names and phones
/// included. Whoever reads the one needs the right to read the others, by role or by scope.
const CARRIED: &[(RecordKind, &[RecordKind])] = &[(RecordKind::PatientMerge, &[RecordKind::Patient])];

/// The kinds whose content a kind contains beside its own.
pub fn carried_by(record: RecordKind) -> &'static [RecordKind] {
    CARRIED.iter().find(|(kind, _)| *kind == record).map_or(&[], |(_, carried)| carried)
}

/// FORBIDDEN unless the role may read the access log.
pub fn check_access_log(role: StaffRole) -> Result<()> {
    match role {
        StaffRole::Admin | StaffRole::Auditor => Ok(()),
        other => Err(Error::Forbidden(format!("the role {} may not read the access log", other.words()))),
    }
}

/// The same for a service account.
pub fn check_service_access_log(scopes: Scopes) -> Result<()> {
    if scopes.has(ServiceScope::AuditRead) {
        return Ok(());
    }
    let lacking = ServiceScope::AuditRead.as_str();
    Err(Error::Forbidden(format!("this service account may not read the access log: it lacks the scope {lacking}")))
}

/// `Ok`, or FORBIDDEN with who may not do what.
pub fn check(role: StaffRole, action: Action, record: RecordKind) -> Result<()> {
    if allows(role, action, record) {
        return Ok(());
    }
    Err(Error::Forbidden(format!("the role {} may not {} {}", role.words(), action.words(), record.one())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::KINDS;

    #[test]
    fn every_kind_has_one_scope_that_reads_it_and_none_that_writes_it() {
        for kind in RecordKind::ALL {
            let row = Kind::of(*kind).expect("a row of KINDS");
            let everything: Scopes = ServiceScope::ALL.iter().copied().collect();
            for action in Action::ALL {
                assert_eq!(
                    check_service(everything, *action, *kind).is_ok(),
                    *action == Action::Read,
                    "{action:?} {kind:?}"
                );
                assert!(check_service(Scopes::default(), *action, *kind).is_err());
            }
            for scope in ServiceScope::ALL {
                let only: Scopes = [*scope].into_iter().collect();
                assert_eq!(only.list(), [*scope]);
                assert_eq!(check_service(only, Action::Read, *kind).is_ok(), row.scope == *scope, "{scope:?} {kind:?}");
            }
        }
    }

    #[test]
    fn a_proof_is_asked_for_what_somebody_may_do_and_never_for_reading() {
        for Kind { kind, proved: letters, .. } in KINDS {
            assert!(!letters.contains('r'), "{kind:?}");
            for wanted in letters.chars() {
                let action = Action::ALL.iter().find(|action| letter(**action) == wanted);
                let may = action.is_some_and(|action| StaffRole::ALL.iter().any(|role| allows(*role, *action, *kind)));
                assert!(may, "nobody may {wanted} a {kind:?}");
            }
        }
        for kind in RecordKind::ALL {
            assert!(asks_for_proof(Action::Sign, *kind) && !asks_for_proof(Action::Read, *kind), "{kind:?}");
            // Whoever may do such a thing at all has power: each kind that is erased, merged or exported is here.
            for action in [Action::Merge, Action::Export, Action::Erase] {
                let may = StaffRole::ALL.iter().any(|role| allows(*role, action, *kind));
                assert_eq!(asks_for_proof(action, *kind), may, "{action:?} {kind:?}");
            }
        }
    }

    #[test]
    fn who_writes_a_kind_reads_it_but_for_emergency_access() {
        for role in StaffRole::ALL {
            for kind in RecordKind::ALL.iter().filter(|kind| **kind != RecordKind::EmergencyAccess) {
                let writes = Action::ALL.iter().any(|action| *action != Action::Read && allows(*role, *action, *kind));
                // Otherwise the result of a write would contain what may not be read: decide it field by field, as
                // there.
                assert!(!writes || allows(*role, Action::Read, *kind), "{role:?} {kind:?}");
            }
        }
    }

    #[test]
    fn only_practitioners_sign() {
        for role in StaffRole::ALL {
            for kind in RecordKind::ALL {
                assert!(!allows(*role, Action::Sign, *kind) || *role == StaffRole::Practitioner, "{role:?} {kind:?}");
            }
        }
    }

    #[test]
    fn auditors_read_everything_and_write_nothing() {
        for kind in RecordKind::ALL {
            for action in Action::ALL {
                assert_eq!(allows(StaffRole::Auditor, *action, *kind), *action == Action::Read, "{action:?} {kind:?}");
            }
        }
    }

    #[test]
    fn the_front_desk_sees_nothing_clinical() {
        let clinical = KINDS.iter().filter(|row| row.scope == ServiceScope::ClinicalRead).map(|row| row.kind);
        assert!(clinical.clone().count() >= 11);
        for kind in clinical {
            for action in Action::ALL {
                assert!(!allows(StaffRole::FrontDesk, *action, kind));
            }
        }
    }
}
