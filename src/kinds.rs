//! The kinds of records: one row for each, with all that the other rooms know of it.

use crate::vocabulary::RecordKind::{self, *};
use crate::vocabulary::ServiceScope::{self, *};

/// The kind of a record.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its word.
    pub kind: RecordKind,
    /// What its typed ids begin with, `patient` of `patient_01k9…`.
    pub prefix: &'static str,
    /// What admins, practitioners, front desk and auditors may do with it, in this order: r read, c create, u update, a
    /// archive and restore, s sign, p publish, m merge and unmerge, x export, e erase.
    pub rights: [&'static str; 4],
    /// What of that a person does only with a fresh proof of who they are. Signing asks for one whatever stands here.
    pub proved: &'static str,
    /// The scope that lets a service account read it. There is none for writing.
    pub scope: ServiceScope,
    /// Whether emergency access shows it.
    pub in_emergency: bool,
    /// The fields of other records that name one of them. What a new kind's own fields name goes into the rows of those
    /// kinds, `taken_by` into that of Staff.
    pub named_by: &'static [&'static str],
}

#[allow(clippy::too_many_arguments)] // the columns of the table
const fn of(
    kind: RecordKind,
    prefix: &'static str,
    rights: [&'static str; 4],
    proved: &'static str,
    scope: ServiceScope,
    in_emergency: bool,
    named_by: &'static [&'static str],
) -> Kind {
    Kind { kind, prefix, rights, proved, scope, in_emergency, named_by }
}

/// Every kind, in the order of `RecordKind`.
///
/// Front desk registers patients and sees nothing clinical. Practitioners write and sign clinical records. Auditors
/// read everything and write nothing. Admins manage staff, locations and the organisation; that alone lets nobody
/// write or sign a clinical record. Whoever begins emergency access ends it; its list is for those who look after it.
///
/// A fresh proof is asked for by whatever gives power or data away: whoever finds a screen unlocked, or has a token, has no
/// password. Each change to staff, to programs or to the organisation itself is one of who may do what. A published protocol
/// or consent text binds everybody from then on; lifting a legal hold opens the way to erase. Emergency access is not
/// among them: it must not wait.
#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    // kind                    prefix                admin    practitioner  front desk  auditor  proof  scope   emergency   named by
    of(Organisation,            "organisation",      ["ru",    "r",    "r",   "r" ], "u",   OrganisationRead, false, &[]),
    of(Location,                "location",          ["rcu",   "r",    "r",   "r" ], "",    OrganisationRead, false, &["location_id", "location_ids"]),
    of(Staff,                   "staff",             ["rcu",   "r",    "r",   "r" ], "cu",  OrganisationRead, false, &["staff_id", "reviewed_by", "merged_by", "undone_by", "placed_by", "lifted_by", "erased_by", "practitioner_id", "supervisor_id", "supervisee_id", "reviewer_id", "prescriber_id", "revoked_by", "author_id", "assessed_by", "verified_by", "signed_by", "retracted_by", "published_by", "witness_id", "rater_id", "by", "changed_by", "created_by", "updated_by"]),
    of(Credential,              "credential",        ["rcu",   "r",    "r",   "r" ], "cu",  OrganisationRead, false, &[]),
    of(Patient,                 "patient",           ["rcuax", "rcua", "rcu", "r" ], "x",   PatientsRead,     false, &["patient_id", "merged_into", "from_id", "into_id", "erased_id"]),
    of(HealthEntry,             "health",            ["r",     "rcu",  "",    "r" ], "",    ClinicalRead,     true,  &[]),
    of(HealthReview,            "review",            ["r",     "rcu",  "",    "r" ], "",    ClinicalRead,     true,  &[]),
    of(HealthTerm,              "term",              ["rcu",   "rcu",  "",    "r" ], "",    ClinicalRead,     false, &[]),
    of(Consultation,            "consultation",      ["r",     "rcus", "",    "r" ], "",    ClinicalRead,     true,  &["consultation_id"]),
    of(TreatmentSession,        "session",           ["r",     "rcus", "",    "r" ], "",    ClinicalRead,     true,  &["session_id", "after_session_id", "done_by_session_id"]),
    of(AftercareNote,           "note",              ["r",     "rcus", "",    "r" ], "",    ClinicalRead,     true,  &["aftercare_note_id"]),
    of(Addendum,                "addendum",          ["r",     "rc",   "",    "r" ], "",    ClinicalRead,     true,  &[]),
    of(Countersignature,        "countersignature",  ["r",     "rc",   "",    "r" ], "c",   ClinicalRead,     true,  &[]),
    of(Retraction,              "retraction",        ["rc",    "rc",   "",    "r" ], "c",   ClinicalRead,     true,  &[]),
    of(SupervisionAgreement,    "supervision",       ["rcu",   "r",    "",    "r" ], "cu",  OrganisationRead, false, &["agreement_id"]),
    of(ChartReview,             "chart_review",      ["r",     "rcu",  "",    "r" ], "",    ClinicalRead,     true,  &[]),
    of(Device,                  "device",            ["rcu",   "rcu",  "r",   "r" ], "",    CatalogueRead,    false, &["device_id"]),
    of(Product,                 "product",           ["rcu",   "rcu",  "r",   "r" ], "",    CatalogueRead,    false, &["product_id"]),
    of(ProductLot,              "lot",               ["rcu",   "rcu",  "r",   "r" ], "",    CatalogueRead,    false, &["lot_id"]),
    of(Protocol,                "protocol",          ["rcu",   "rcu",  "r",   "r" ], "",    CatalogueRead,    false, &["protocol_id"]),
    of(ProtocolVersion,         "protocol_version",  ["rcup",  "rcup", "r",   "r" ], "p",   CatalogueRead,    false, &["protocol_version_id", "copied_from"]),
    of(TreatmentPlan,           "plan",              ["r",     "rcu",  "",    "r" ], "",    ClinicalRead,     true,  &["plan_id"]),
    of(ConsentTemplate,         "consent_template",  ["rcu",   "rcu",  "r",   "r" ], "",    CatalogueRead,    false, &["template_id"]),
    of(ConsentTemplateVersion,  "consent_version",   ["rcup",  "rcup", "r",   "r" ], "p",   CatalogueRead,    false, &["template_version_id"]),
    of(Consent,                 "consent",           ["r",     "rcu",  "",    "r" ], "",    ClinicalRead,     true,  &[]),
    of(Photo,                   "photo",             ["r",     "rcu",  "",    "r" ], "",    ClinicalRead,     true,  &["photo_id", "compared_with_photo_id"]),
    of(OutcomeAssessment,       "outcome",           ["r",     "rcu",  "",    "r" ], "",    ClinicalRead,     true,  &[]),
    of(AdverseEvent,            "adverse_event",     ["r",     "rcu",  "",    "r" ], "",    ClinicalRead,     true,  &["adverse_event_id"]),
    of(Clearance,               "clearance",         ["r",     "rcu",  "",    "r" ], "c",   ClinicalRead,     true,  &[]),
    of(CallBack,                  "recall",            ["rcu",   "rcu",  "ru",  "r" ], "",    PatientsRead,     false, &[]),
    of(PatientMerge,            "merge",             ["rm",    "rm",   "",    "r" ], "m",   ClinicalRead,     false, &[]),
    of(LegalHold,               "hold",              ["rcu",   "r",    "",    "r" ], "u",   AuditRead,        false, &[]),
    of(PatientErasure,          "erasure",           ["re",    "",     "",    "r" ], "e",   PatientsRead,     false, &[]),
    of(PatientRestriction,      "restriction",       ["rcu",   "r",    "",    "r" ], "cu",  AuditRead,        false, &[]),
    of(EmergencyAccess,         "emergency_access",  ["rcu",   "cu",   "cu",  "r" ], "",    AuditRead,        false, &[]),
    of(ServiceAccount,          "service_account",   ["rcu",   "",     "",    "r" ], "cu",  AuditRead,        false, &["service_account_id"]),
    of(ApiKey,                  "api_key",           ["rcu",   "",     "",    "r" ], "cu",  AuditRead,        false, &[]),
    of(Webhook,                 "webhook",           ["rcu",   "",     "",    "r" ], "cu",  AuditRead,        false, &[]),
];

impl Kind {
    /// The row of a kind.
    pub fn of(kind: RecordKind) -> Option<&'static Self> {
        KINDS.iter().find(|row| row.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_row() {
        let rows: Vec<RecordKind> = KINDS.iter().map(|row| row.kind).collect();
        assert_eq!(rows, RecordKind::ALL);
        let mut prefixes: Vec<&str> = KINDS.iter().map(|row| row.prefix).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        assert_eq!(prefixes.len(), KINDS.len(), "two kinds have the same prefix");
    }

    /// The columns of ids that no row can name, as `table.column` or for every table, each with why.
    const APART: &[(&str, &str)] = &[
        ("id", "the record's own"),
        ("org_id", "the tenant, which no content shows"),
        ("staff.account_id", "an account is no record"),
        ("addendum.record_id", "`record_kind` beside it says of which kind"),
        ("chart_review.record_id", "`record_kind` beside it says of which kind"),
        ("retraction.record_id", "`record_kind` beside it says of which kind"),
        ("retraction.copy_id", "`record_kind` beside it says of which kind"),
        ("countersignature.record_id", "`record_kind` beside it says of which kind"),
        ("patient.fitzpatrick_assessed_by", "`assessed_by` in the content: a part of the skin type"),
    ];

    /// The tables of kinds in `db/tables.rs` with their columns of ids.
    fn columns_of_ids() -> Vec<(&'static str, &'static str)> {
        let mut found = Vec::new();
        for text in include_str!("db/tables.rs").split("diesel::table! {").skip(1) {
            let table = text.trim_start().split(' ').next().expect("a name");
            let columns = text.lines().filter_map(|line| line.trim().split_once(" -> "));
            let of_ids = columns.filter(|(_, ty)| ty.contains("Uuid")).map(|(column, _)| (table, column));
            if RecordKind::parse(table).is_some() {
                found.extend(of_ids);
            }
        }
        found
    }

    #[test]
    fn whatever_names_a_record_is_in_a_row_and_in_one_only() {
        let apart = |table: &str, column: &str| {
            APART.iter().any(|(name, _)| *name == column || *name == format!("{table}.{column}"))
        };
        let named = |column: &str| KINDS.iter().filter(|row| row.named_by.contains(&column)).count();
        let columns = columns_of_ids();
        assert!(columns.len() > 100, "only {} columns were looked at", columns.len());
        let wrong: Vec<String> = columns
            .iter()
            .filter(|(table, column)| !apart(table, column) && named(column) != 1)
            .map(|(table, column)| format!("{table}.{column} is in {} rows", named(column)))
            .collect();
        assert!(
            wrong.is_empty(),
            "whatever names a record is shown as a typed id (src/ledger/history.rs): put the column into `named_by` of \
            the kind that it names, in src/kinds.rs:\n{}",
            wrong.join("\n")
        );
    }
}
