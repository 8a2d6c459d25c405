//! What lists of restrictions and of emergency access can be filtered and sorted by.

use super::{EmergencyAccess, PatientRestriction};
use crate::db::Sql;
use crate::error::Result;
use crate::page::{self, FilterIds, Key};
use crate::vocabulary::RecordKind;
use async_graphql::{ID, InputObject};
use uuid::Uuid;

/// All restrictions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct RestrictionCondition;

impl page::Condition for RestrictionCondition {
    fn patient(&self) -> Option<Uuid> {
        None
    }

    fn push_to<R>(&self, _: &mut Sql<R>) {}
}

page::list_order! {
    /// The order of a list of restrictions.
    RestrictionOrder /
    /// What lists of restrictions can be sorted by.
    RestrictionOrderField of PatientRestriction, id "patient_restriction.id", first Desc {
        /// When they were placed.
        CreatedAt "createdAt" "patient_restriction.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
    }
}

/// What to keep of the list of emergency access.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
pub struct EmergencyAccessFilter {
    /// Reviewed ones only, or those that wait for it only.
    pub reviewed: Option<bool>,
    /// Of this staff member, `staff_…`.
    pub staff_id: Option<ID>,
    /// To the record of this patient, `patient_…`.
    pub patient_id: Option<ID>,
}

impl EmergencyAccessFilter {
    /// Reads the ids; all faults at once.
    pub fn read(self) -> Result<EmergencyCondition> {
        let mut ids = FilterIds::default();
        let staff = ids.read("staffId", RecordKind::Staff, self.staff_id.as_ref());
        let patient = ids.read("patientId", RecordKind::Patient, self.patient_id.as_ref());
        ids.finish()?;
        Ok(EmergencyCondition { reviewed: self.reviewed, staff, patient, ..EmergencyCondition::default() })
    }
}

/// A filter of emergency access with its ids read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EmergencyCondition {
    reviewed: Option<bool>,
    staff: Option<Uuid>,
    patient: Option<Uuid>,
    but_of: Option<Uuid>,
    untold: bool,
}

impl EmergencyCondition {
    /// Those that somebody may review and nobody has: not their own.
    pub fn to_review(by: Uuid) -> Self {
        Self { reviewed: Some(false), but_of: Some(by), ..Self::default() }
    }

    /// Those that the admins were not told of.
    pub fn untold() -> Self {
        Self { untold: true, ..Self::default() }
    }
}

impl page::Condition for EmergencyCondition {
    fn patient(&self) -> Option<Uuid> {
        self.patient
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        match self.reviewed {
            Some(true) => _ = sql.push(" AND reviewed_at IS NOT NULL"),
            Some(false) => _ = sql.push(" AND reviewed_at IS NULL"),
            None => {}
        }
        if let Some(staff) = self.staff {
            sql.push(" AND staff_id = ").push_bind(staff);
        }
        if let Some(patient) = self.patient {
            sql.push(" AND patient_id = ").push_bind(patient);
        }
        if let Some(staff) = self.but_of {
            sql.push(" AND staff_id <> ").push_bind(staff);
        }
        if self.untold {
            sql.push(" AND alerted_at IS NULL");
        }
    }
}

page::list_order! {
    /// The order of a list of emergency access.
    EmergencyAccessOrder /
    /// What lists of emergency access can be sorted by.
    EmergencyAccessOrderField of EmergencyAccess, id "emergency_access.id", first Desc {
        /// When it began.
        CreatedAt "createdAt" "emergency_access.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When it was last changed.
        UpdatedAt "updatedAt" "emergency_access.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
