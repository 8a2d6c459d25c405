//! The policy: Role x Action x Record, as one table to read.

use crate::error::{Error, Result};
use crate::vocabulary::{Action, RecordKind, ServiceScope, StaffRole};

/// What each role may do with each kind of record: r read, c create, u update, a archive and restore, s sign,
/// p publish, m merge and unmerge, x export, e erase.
///
/// Front desk registers patients and sees nothing clinical. Practitioners write and sign clinical records. Auditors
/// read everything and write nothing. Admins manage staff, locations and the organisation; that alone lets nobody
/// write or sign a clinical record.
#[rustfmt::skip]
const POLICY: &[(RecordKind, [&str; 4])] = &[
    //                             admin   practitioner  front desk  auditor
    (RecordKind::Organisation,     ["ru",   "r",         "r",        "r"]),
    (RecordKind::Location,         ["rcu",  "r",         "r",        "r"]),
    (RecordKind::Staff,            ["rcu",  "r",         "r",        "r"]),
    (RecordKind::Patient,          ["rcuax", "rcua",     "rcu",      "r"]),
    (RecordKind::HealthEntry,      ["r",    "rcu",       "",         "r"]),
    (RecordKind::Consultation,     ["r",    "rcus",      "",         "r"]),
    (RecordKind::TreatmentSession, ["r",    "rcus",      "",         "r"]),
    (RecordKind::AftercareNote,    ["r",    "rcus",      "",         "r"]),
    (RecordKind::Addendum,         ["r",    "rc",        "",         "r"]),
    (RecordKind::Device,           ["rcu",  "rcu",       "r",        "r"]),
    (RecordKind::Product,          ["rcu",  "rcu",       "r",        "r"]),
    (RecordKind::ProductLot,       ["rcu",  "rcu",       "r",        "r"]),
    (RecordKind::Protocol,         ["rcu",  "rcu",       "r",        "r"]),
    (RecordKind::ProtocolVersion,  ["rcup", "rcup",      "r",        "r"]),
    (RecordKind::TreatmentPlan,    ["r",    "rcu",       "",         "r"]),
    (RecordKind::ConsentTemplate,  ["rcu",  "rcu",       "r",        "r"]),
    (RecordKind::ConsentTemplateVersion, ["rcup", "rcup", "r",       "r"]),
    (RecordKind::Consent,          ["r",    "rcu",       "",         "r"]),
    (RecordKind::Photo,            ["r",    "rcu",       "",         "r"]),
    (RecordKind::OutcomeAssessment, ["r",   "rcu",       "",         "r"]),
    (RecordKind::AdverseEvent,     ["r",    "rcu",       "",         "r"]),
    (RecordKind::Recall,           ["rcu",  "rcu",       "ru",       "r"]),
    (RecordKind::PatientMerge,     ["rm",   "rm",        "",         "r"]),
    (RecordKind::LegalHold,        ["rcu",  "r",         "",         "r"]),
    (RecordKind::PatientErasure,   ["re",   "",          "",         "r"]),
    (RecordKind::PatientRestriction, ["rcu", "r",        "",         "r"]),
    // Whoever begins emergency access ends it; the list is for those who look after it.
    (RecordKind::EmergencyAccess,  ["rcu",  "cu",        "cu",       "r"]),
    (RecordKind::ServiceAccount,   ["rcu",  "",          "",         "r"]),
    (RecordKind::ApiKey,           ["rcu",  "",          "",         "r"]),
];

/// What a person does only with a fresh proof of who they are (`--reauthenticate-after`), by the letters of the table
/// above: whatever gives power or data away. Whoever finds a screen unlocked, or has a token, has no password.
///
/// Whole kinds and no finer: each change to staff, to programs or to the organisation itself is one of who may do what, and
/// who takes rights from others can shut a clinic out of its own record. Emergency access is not here: it must not wait.
/// Whatever is signed asks for a proof too (`asks_for_proof`).
const PROVED: &[(RecordKind, &str)] = &[
    (RecordKind::Organisation, "u"),
    (RecordKind::Staff, "cu"),
    (RecordKind::ServiceAccount, "cu"),
    (RecordKind::ApiKey, "cu"),
    // What the rules ask of everybody from then on, and what patients sign.
    (RecordKind::ProtocolVersion, "p"),
    (RecordKind::ConsentTemplateVersion, "p"),
    (RecordKind::Patient, "x"),
    (RecordKind::PatientMerge, "m"),
    (RecordKind::PatientErasure, "e"),
    // Lifting one opens the way to erase.
    (RecordKind::LegalHold, "u"),
    (RecordKind::PatientRestriction, "cu"),
];

/// The scope that lets a service account read a kind of record. There is none for writing.
const SERVICE_POLICY: &[(ServiceScope, &[RecordKind])] = &[
    (ServiceScope::PatientsRead, &[RecordKind::Patient, RecordKind::Recall]),
    (
        ServiceScope::ClinicalRead,
        &[
            RecordKind::HealthEntry,
            RecordKind::Consultation,
            RecordKind::TreatmentSession,
            RecordKind::AftercareNote,
            RecordKind::Addendum,
            RecordKind::TreatmentPlan,
            RecordKind::Consent,
            RecordKind::Photo,
            RecordKind::OutcomeAssessment,
            RecordKind::AdverseEvent,
            RecordKind::PatientMerge,
        ],
    ),
    (
        ServiceScope::CatalogueRead,
        &[
            RecordKind::Device,
            RecordKind::Product,
            RecordKind::ProductLot,
            RecordKind::Protocol,
            RecordKind::ProtocolVersion,
            RecordKind::ConsentTemplate,
            RecordKind::ConsentTemplateVersion,
        ],
    ),
    (ServiceScope::OrganisationRead, &[RecordKind::Organisation, RecordKind::Location, RecordKind::Staff]),
    (
        ServiceScope::AuditRead,
        &[
            RecordKind::LegalHold,
            RecordKind::PatientErasure,
            RecordKind::PatientRestriction,
            RecordKind::EmergencyAccess,
            RecordKind::ServiceAccount,
            RecordKind::ApiKey,
        ],
    ),
];

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

    /// They, as a list.
    pub fn list(self) -> Vec<ServiceScope> {
        ServiceScope::ALL.iter().copied().filter(|scope| self.has(*scope)).collect()
    }
}

impl FromIterator<ServiceScope> for Scopes {
    fn from_iter<I: IntoIterator<Item = ServiceScope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | Self::bit(scope)))
    }
}

/// `Ok`, or FORBIDDEN with what is missing: a service account reads what its scopes say, and writes nothing.
pub fn check_service(scopes: Scopes, action: Action, record: RecordKind) -> Result<()> {
    let what = record.words();
    if action != Action::Read {
        return Err(Error::Forbidden(format!("a service account may not {} a {what}: it only reads", action.words())));
    }
    match SERVICE_POLICY.iter().find(|(_, kinds)| kinds.contains(&record)) {
        Some((scope, _)) if scopes.has(*scope) => Ok(()),
        Some((scope, _)) => Err(Error::Forbidden(format!(
            "this service account may not read a {what}: it lacks the scope {}",
            scope.as_str()
        ))),
        None => Err(Error::Forbidden(format!("a service account may not read a {what}"))),
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
    POLICY
        .iter()
        .find(|(kind, _)| *kind == record)
        .and_then(|(_, rights)| rights.get(column))
        .is_some_and(|rights| rights.contains(letter(action)))
}

/// Whether a person must have proved lately who they are to do this to a kind of record.
pub fn asks_for_proof(action: Action, record: RecordKind) -> bool {
    let listed = PROVED.iter().filter(|(kind, _)| *kind == record).any(|(_, letters)| letters.contains(letter(action)));
    action == Action::Sign || listed
}

/// What emergency access lets somebody read of the one patient, whatever their role: everything clinical. The database
/// keeps those kinds, and no other, to the patients of the access (`only_patients`).
pub fn in_emergency(record: RecordKind) -> bool {
    use RecordKind::{
        Addendum, AdverseEvent, AftercareNote, Consent, Consultation, HealthEntry, OutcomeAssessment, Photo,
        TreatmentPlan, TreatmentSession,
    };
    matches!(
        record,
        HealthEntry
            | Consultation
            | TreatmentSession
            | AftercareNote
            | Addendum
            | TreatmentPlan
            | Consent
            | Photo
            | OutcomeAssessment
            | AdverseEvent
    )
}

/// Whether a record of a kind tells of a patient: then so does how many there are.
pub fn tells_of_patients(record: RecordKind) -> bool {
    use RecordKind::{EmergencyAccess, LegalHold, Patient, PatientErasure, PatientMerge, PatientRestriction, Recall};
    let others = matches!(
        record,
        Patient | Recall | PatientMerge | LegalHold | PatientErasure | PatientRestriction | EmergencyAccess
    );
    others || in_emergency(record)
}

/// Kinds whose content carries that of others: a merge holds what two charts said differently, names and phones. Who reads
/// the one needs the right to read the others, a role as a service account.
const CARRIED: &[(RecordKind, &[RecordKind])] = &[(RecordKind::PatientMerge, &[RecordKind::Patient])];

/// The kinds whose content a kind carries beside its own.
pub fn carried_by(record: RecordKind) -> &'static [RecordKind] {
    CARRIED.iter().find(|(kind, _)| *kind == record).map_or(&[], |(_, carried)| carried)
}

/// FORBIDDEN unless the role may see who looked at what.
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
    Err(Error::Forbidden(format!("the role {} may not {} a {}", role.words(), action.words(), record.words())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_row_once() {
        for kind in RecordKind::ALL {
            assert_eq!(POLICY.iter().filter(|(row, _)| row == kind).count(), 1, "{kind:?}");
        }
    }

    #[test]
    fn every_kind_has_one_scope_that_reads_it_and_none_that_writes_it() {
        for kind in RecordKind::ALL {
            let rows: Vec<_> = SERVICE_POLICY.iter().filter(|(_, kinds)| kinds.contains(kind)).collect();
            assert_eq!(rows.len(), 1, "decide which scope reads {kind:?}: a row in SERVICE_POLICY");
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
                assert_eq!(check_service(only, Action::Read, *kind).is_ok(), rows[0].0 == *scope, "{scope:?} {kind:?}");
            }
        }
    }

    #[test]
    fn a_proof_is_asked_for_what_somebody_may_do_and_never_for_reading() {
        for (kind, letters) in PROVED {
            assert!(!letters.contains('r'), "{kind:?}");
            for wanted in letters.chars() {
                let action = Action::ALL.iter().find(|action| letter(**action) == wanted);
                let may = action.is_some_and(|action| StaffRole::ALL.iter().any(|role| allows(*role, *action, *kind)));
                assert!(may, "nobody may {wanted} a {kind:?}");
            }
        }
        for kind in RecordKind::ALL {
            assert!(asks_for_proof(Action::Sign, *kind) && !asks_for_proof(Action::Read, *kind), "{kind:?}");
            // Who may do such a thing at all is a matter of power: each kind that is erased, merged or exported is here.
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
                // Else the answer to a write carries what may not be read: decide it field by field, as there.
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
        use RecordKind::{
            Addendum, AdverseEvent, AftercareNote, Consent, Consultation, HealthEntry, OutcomeAssessment, Photo,
            TreatmentPlan, TreatmentSession,
        };
        for kind in [
            HealthEntry,
            Consultation,
            TreatmentSession,
            AftercareNote,
            Addendum,
            TreatmentPlan,
            Consent,
            Photo,
            OutcomeAssessment,
            AdverseEvent,
        ] {
            for action in Action::ALL {
                assert!(!allows(StaffRole::FrontDesk, *action, kind));
            }
        }
    }
}
