//! What lists of consents and of their texts can be filtered and sorted by.

use super::{
    Consent, ConsentKind, ConsentStatus, ConsentTemplate, ConsentTemplateVersion, ConsentTemplateVersionStatus,
};
use crate::db::Sql;
use crate::ids;
use crate::organisation::AGE_OF_MAJORITY;
use crate::page::{self, Key};
use crate::scalars::{Date, DateTime};

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
        /// Of this text.
        template_id: id(ConsentTemplate) "template_id",
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
        /// True also shows those that were entered in error. Absent or false: they are left out, unless `status` names
        /// ENTERED_IN_ERROR.
        include_entered_in_error: other(bool) "consent.status",
        /// In force at this moment.
        in_force_at: other(DateTime) "given_at",
        /// In force now, and no more on this day: those to renew by then. A guardian's ends when the patient is of age.
        to_renew_by: other(Date) "expires_at",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
    }
    also: push_in_force;
}

fn push_in_force<R>(filter: &ConsentFilter, sql: &mut Sql<R>) {
    if let Some(DateTime(at)) = filter.in_force_at {
        push_in_force_at(sql, at);
    }
    push_to_renew(filter, sql);
    let asked = filter.include_entered_in_error == Some(true) || filter.status.is_some();
    page::push_without_errors(sql, "consent.status", asked);
}

/// `Consent::in_force_at`, in SQL.
fn push_in_force_at<R>(sql: &mut Sql<R>, at: chrono::DateTime<chrono::Utc>) {
    sql.push(" AND status IN ('active', 'inactive') AND given_at <= ").push_bind(at);
    sql.push(" AND (expires_at IS NULL OR expires_at > ").push_bind(at);
    sql.push(") AND (ended_at IS NULL OR ended_at > ").push_bind(at).push(")");
    push_not_outgrown(sql, at);
}

/// `Consent::holds_until`, in SQL: those that hold now and end before the day begins (in UTC).
fn push_to_renew<R>(filter: &ConsentFilter, sql: &mut Sql<R>) {
    if let Some(Date(day)) = filter.to_renew_by {
        push_in_force_at(sql, ids::now());
        let until = day.and_time(chrono::NaiveTime::MIN).and_utc();
        sql.push(" AND NOT ((expires_at IS NULL OR expires_at > ").push_bind(until).push(")");
        push_not_outgrown(sql, until);
        sql.push(")");
    }
}

/// `Given::outgrown_at`, in SQL: leaves out what a guardian gave for a child who is of age at this moment.
pub fn push_not_outgrown<R>(sql: &mut Sql<R>, at: chrono::DateTime<chrono::Utc>) {
    let age = AGE_OF_MAJORITY;
    sql.push(
        " AND (signer IS DISTINCT FROM 'guardian' OR NOT EXISTS (SELECT 1 FROM patient AS child \
        WHERE child.org_id = consent.org_id AND child.id = consent.patient_id AND child.birth_date <= ",
    )
    .push_bind(at.date_naive())
    .push(format!(
        " - interval '{age} years' AND child.birth_date > (consent.given_at AT TIME ZONE 'UTC')::date - interval '{age} years'))"
    ));
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
