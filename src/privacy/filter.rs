//! What lists of restrictions and of emergency access can be filtered and sorted by.

use super::{EmergencyAccess, PatientRestriction};
use crate::db::Sql;
use crate::page::{self, Key};
use uuid::Uuid;

page::list_filter! {
    /// Filter for a list of restrictions.
    #[graphql(name = "PatientRestrictionFilter")]
    RestrictionFilter => RestrictionCondition {
        /// Of this patient's record.
        patient_id: id(Patient) "patient_id",
        /// True: only those that were lifted. False: only those in force.
        lifted: present "lifted_at",
        /// Placed or lifted at or after this moment.
        updated_since: from "updated_at",
    }
    also: push_open;
}

/// A list must not show who is closed to the viewer: the policy of this table lets restrictions through, since it is they
/// that the others ask.
fn push_open<R>(_: &RestrictionFilter, sql: &mut Sql<R>) {
    sql.push(" AND patient_id <> ALL ((SELECT closed_patients())::uuid[])");
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

page::list_filter! {
    /// Filter for the list of emergency access.
    EmergencyAccessFilter => EmergencyCondition {
        /// True: only those reviewed. False: only those that still await review.
        reviewed: present "reviewed_at",
        /// Of this staff member, `staff_…`.
        staff_id: id(Staff) "staff_id",
        /// To the record of this patient, `patient_…`.
        patient_id: id(Patient) "patient_id",
        /// Begun, ended or reviewed at or after this moment.
        updated_since: from "updated_at",
        /// Of anybody but this staff member.
        #[graphql(skip)]
        but_of: other(Uuid) "staff_id",
        /// Those that the admins were told of only, or the others only.
        #[graphql(skip)]
        told: present "alerted_at",
    }
    also: push_but_of;
}

fn push_but_of<R>(filter: &EmergencyAccessFilter, sql: &mut Sql<R>) {
    if let Some(staff) = filter.but_of {
        sql.push(" AND staff_id <> ").push_bind(staff);
    }
}

impl EmergencyCondition {
    /// Those that are not reviewed yet and that this staff member may review: not their own.
    pub fn to_review(by: Uuid) -> Self {
        let filter =
            EmergencyAccessFilter { reviewed: Some(false), but_of: Some(by), ..EmergencyAccessFilter::default() };
        Self { filter, ..Self::default() }
    }

    /// Those that the admins have not been notified of.
    pub fn untold() -> Self {
        let filter = EmergencyAccessFilter { told: Some(false), ..EmergencyAccessFilter::default() };
        Self { filter, ..Self::default() }
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
