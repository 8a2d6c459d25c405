//! What lists of health terms can be filtered and sorted by.

use super::HealthTerm;
use crate::page::{self, Key};

page::list_filter! {
    /// Filter for a list of health terms.
    HealthTermFilter => HealthTermCondition {
        /// For this code.
        code: text "code",
        /// True: only those that are looked for. False: only the others.
        active: flag "active",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
    }
}

page::list_order! {
    /// The order of a list of health terms.
    HealthTermOrder /
    /// What lists of health terms can be sorted by.
    HealthTermOrderField of HealthTerm, id "health_term.id", first Asc {
        /// Term.
        Term "term" "health_term.term COLLATE \"C\"" as Key::Text(String::new()) => |it| Key::Text(it.term.clone()),
        /// When they were added.
        CreatedAt "createdAt" "health_term.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "health_term.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
