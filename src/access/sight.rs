//! Which restricted patients somebody sees, and by what.

use super::policy;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::vocabulary::RecordKind;
use serde::Deserialize;
use uuid::Uuid;

/// The open emergency accesses of the viewer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Emergency {
    /// The patient whose record it opens.
    pub patient: Uuid,
    /// The stated reason for the access.
    pub reason: String,
}

/// The patients to whom clinical reading is limited, for a viewer whose only right to it is emergency access. For
/// everybody else there is no limit.
///
/// The row policies leave out the records of other patients. A list without them would look empty, and an empty list of
/// allergies must not mislead anybody in an emergency. So whatever could contain records of other patients is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EmergencyOnly(pub(super) Option<Vec<Uuid>>);

impl EmergencyOnly {
    /// FORBIDDEN for clinical records, unless they belong only to this patient and emergency access to them is open.
    pub fn check(&self, record: RecordKind, patient: Option<Uuid>) -> Result<()> {
        let Some(open) = &self.0 else { return Ok(()) };
        if !policy::in_emergency(record) || patient.is_some_and(|patient| open.contains(&patient)) {
            return Ok(());
        }
        Err(Error::Forbidden(format!(
            "emergency access shows the record of its own patient and of nobody else: ask for {} by that patient, or \
             begin emergency access for the one you need (beginEmergencyAccess)",
            record.one()
        )))
    }
}

/// The restricted patients that a scope can see.
#[derive(Debug, Clone, Default)]
pub(super) struct Sight {
    /// All: a reason was stated, there is none, or it is the program itself.
    pub all: bool,
    /// Emergency access of the viewer.
    pub emergencies: Vec<Emergency>,
}

/// Appends the expression that decides, in the statement that opens a transaction, which restricted patients are open
/// in it: all if a reason was stated or nobody is restricted, else those listed by an SQL expression.
pub(super) fn push_opened<R>(sql: &mut Sql<R>, org: Uuid, reason_stated: bool, listed: &'static str) {
    sql.push("set_config('app.opened', CASE WHEN ")
        .push_bind(reason_stated)
        .push(" OR NOT EXISTS (SELECT FROM patient_restriction r WHERE r.lifted_at IS NULL AND r.org_id = ")
        .push_bind(org)
        .push(") THEN 'all' ELSE ")
        .push(listed)
        .push(" END, true)");
}
