//! Which restricted patients somebody sees, and by what.

use super::policy;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::vocabulary::RecordKind;
use serde::Deserialize;
use uuid::Uuid;

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
pub struct EmergencyOnly(pub(super) Option<Vec<Uuid>>);

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
