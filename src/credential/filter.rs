//! What lists of credentials can be filtered and sorted by.

use super::Credential;
use crate::page::{self, Key};
use chrono::NaiveDate;

page::list_filter! {
    /// Filter for a list of credentials.
    CredentialFilter => CredentialCondition {
        /// Of this staff member.
        staff_id: id(Staff) "staff_id",
        /// True: only those of prescribers. False: only the others.
        prescriber: flag "prescriber",
        /// True: only those that count. False: only those that were withdrawn.
        active: flag "active",
        /// Whose last day is before this day.
        expires_before: before_day "expires_on",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
    }
}

page::list_order! {
    /// The order of a list of credentials.
    CredentialOrder /
    /// What lists of credentials can be sorted by.
    CredentialOrderField of Credential, id "credential.id", first Desc {
        /// When they were added.
        CreatedAt "createdAt" "credential.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// Their last day; those without an end come last in ascending order.
        ExpiresOn "expiresOn" "coalesce(credential.expires_on, '9999-12-31'::date)" as Key::Date(NaiveDate::MAX)
            => |it| Key::Date(it.expires_on.or_else(|| NaiveDate::from_ymd_opt(9999, 12, 31)).unwrap_or_default()),
    }
}
