//! What lists of consents and of their texts can be filtered and sorted by.

use super::{
    Consent, ConsentKind, ConsentStatus, ConsentTemplate, ConsentTemplateVersion, ConsentTemplateVersionStatus,
};
use crate::db::Sql;
use crate::error::Result;
use crate::page::{self, FilterIds, Key};
use crate::scalars::DateTime;
use crate::vocabulary::RecordKind;
use async_graphql::{ID, InputObject};
use uuid::Uuid;

/// What to keep of a list of consent templates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
#[graphql(name = "ConsentTemplateFilter")]
pub struct TemplateFilter {
    /// Of these kinds.
    pub kind: Option<Vec<ConsentKind>>,
    /// In use only, or out of use only.
    pub active: Option<bool>,
    /// Added or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// A filter of consent templates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TemplateCondition(pub TemplateFilter);

fn push_updated_since<R>(sql: &mut Sql<R>, since: Option<DateTime>) {
    if let Some(since) = since {
        sql.push(" AND updated_at >= ").push_bind(since.0);
    }
}

impl page::Condition for TemplateCondition {
    fn patient(&self) -> Option<Uuid> {
        None
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        let kinds = self.0.kind.iter().flatten().map(|kind| kind.as_str());
        sql.push_any_of("kind", kinds, self.0.kind.is_some());
        if let Some(active) = self.0.active {
            sql.push(" AND active = ").push_bind(active);
        }
        push_updated_since(sql, self.0.updated_since);
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

/// What to keep of a list of versions of a consent template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
#[graphql(name = "ConsentTemplateVersionFilter")]
pub struct VersionFilter {
    /// Of these statuses.
    pub status: Option<Vec<ConsentTemplateVersionStatus>>,
    /// Added or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// A filter of versions of a consent template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct VersionCondition(pub VersionFilter);

impl page::Condition for VersionCondition {
    fn patient(&self) -> Option<Uuid> {
        None
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        let statuses = self.0.status.iter().flatten().map(|status| status.as_str());
        sql.push_any_of("status", statuses, self.0.status.is_some());
        push_updated_since(sql, self.0.updated_since);
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

/// What to keep of a list of consents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
pub struct ConsentFilter {
    /// Of this patient.
    pub patient_id: Option<ID>,
    /// To this version of a text.
    pub template_version_id: Option<ID>,
    /// Of these kinds.
    pub kind: Option<Vec<ConsentKind>>,
    /// Of these statuses.
    pub status: Option<Vec<ConsentStatus>>,
    /// In force at this moment.
    pub in_force_at: Option<DateTime>,
    /// Added or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// A filter of consents with its ids read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ConsentCondition {
    filter: ConsentFilter,
    patient: Option<Uuid>,
    version: Option<Uuid>,
}

impl ConsentFilter {
    /// Reads the ids; all faults at once.
    pub fn read(self) -> Result<ConsentCondition> {
        let mut ids = FilterIds::default();
        let patient = ids.read("patientId", RecordKind::Patient, self.patient_id.as_ref());
        let version =
            ids.read("templateVersionId", RecordKind::ConsentTemplateVersion, self.template_version_id.as_ref());
        ids.finish()?;
        Ok(ConsentCondition { filter: self, patient, version })
    }
}

impl page::Condition for ConsentCondition {
    fn patient(&self) -> Option<Uuid> {
        self.patient
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        if let Some(patient) = self.patient {
            sql.push(" AND patient_id = ").push_bind(patient);
        }
        if let Some(version) = self.version {
            sql.push(" AND template_version_id = ").push_bind(version);
        }
        let kinds = self.filter.kind.iter().flatten().map(|kind| kind.as_str());
        sql.push_any_of("kind", kinds, self.filter.kind.is_some());
        let statuses = self.filter.status.iter().flatten().map(|status| status.as_str());
        sql.push_any_of("status", statuses, self.filter.status.is_some());
        if let Some(DateTime(at)) = self.filter.in_force_at {
            // `Consent::in_force_at`, in SQL.
            sql.push(" AND status IN ('active', 'inactive') AND given_at <= ").push_bind(at);
            sql.push(" AND (expires_at IS NULL OR expires_at > ").push_bind(at);
            sql.push(") AND (ended_at IS NULL OR ended_at > ").push_bind(at).push(")");
        }
        push_updated_since(sql, self.filter.updated_since);
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
