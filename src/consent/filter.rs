//! What lists of consents and of their texts can be filtered and sorted by.

use super::{
    Consent, ConsentKind, ConsentStatus, ConsentTemplate, ConsentTemplateVersion, ConsentTemplateVersionStatus,
};
use crate::db::Sql;
use crate::page::{self, Key};
use crate::scalars::DateTime;

page::list_filter! {
    /// Filter for a list of consent templates.
    #[graphql(name = "ConsentTemplateFilter")]
    TemplateFilter => TemplateCondition {
        /// Of these kinds.
        kind: any_of(ConsentKind) "kind",
        /// True: only those in use. False: only those out of use.
        active: flag "active",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
    }
}

page::list_order! {
    /// The order of a list of consent templates.
    #[graphql(name = "ConsentTemplateOrder")]
    TemplateOrder /
    /// What lists of consent templates can be sorted by.
    #[graphql(name = "ConsentTemplateOrderField")]
    TemplateOrderField of ConsentTemplate, id "consent_template.id", first Asc {
        /// Name.
        Name "name" "consent_template.name COLLATE \"C\"" as Key::Text(String::new()) => |it| Key::Text(it.name.clone()),
        /// When they were made.
        CreatedAt "createdAt" "consent_template.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "consent_template.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}

page::list_filter! {
    /// Filter for a list of versions of a consent template.
    #[graphql(name = "ConsentTemplateVersionFilter")]
    VersionFilter => VersionCondition {
        /// Of these statuses.
        status: any_of(ConsentTemplateVersionStatus) "status",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
    }
}

page::list_order! {
    /// The order of a list of versions of a consent template.
    #[graphql(name = "ConsentTemplateVersionOrder")]
    VersionOrder /
    /// What lists of versions of a consent template can be sorted by.
    #[graphql(name = "ConsentTemplateVersionOrderField")]
    VersionOrderField of ConsentTemplateVersion, id "consent_template_version.id", first Desc {
        /// Number.
        Number "number" "consent_template_version.number" as Key::Number(0) => |it| Key::Number(i64::from(it.number)),
        /// When they were made.
        CreatedAt "createdAt" "consent_template_version.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "consent_template_version.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}

page::list_filter! {
    /// Filter for a list of consents.
    ConsentFilter => ConsentCondition {
        /// Of this patient.
        patient_id: id(Patient) "patient_id",
        /// To this version of a text.
        template_version_id: id(ConsentTemplateVersion) "template_version_id",
        /// Of these kinds.
        kind: any_of(ConsentKind) "kind",
        /// Of these statuses.
        status: any_of(ConsentStatus) "status",
        /// In force at this moment.
        in_force_at: other(DateTime) "given_at",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
    }
    also: push_in_force;
}

/// `Consent::in_force_at`, in SQL.
fn push_in_force<R>(filter: &ConsentFilter, sql: &mut Sql<R>) {
    if let Some(DateTime(at)) = filter.in_force_at {
        sql.push(" AND status IN ('active', 'inactive') AND given_at <= ").push_bind(at);
        sql.push(" AND (expires_at IS NULL OR expires_at > ").push_bind(at);
        sql.push(") AND (ended_at IS NULL OR ended_at > ").push_bind(at).push(")");
    }
}

page::list_order! {
    /// The order of a list of consents.
    ConsentOrder /
    /// What lists of consents can be sorted by.
    ConsentOrderField of Consent, id "consent.id", first Desc {
        /// When they were proposed or recorded.
        CreatedAt "createdAt" "consent.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "consent.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
