//! What lists of protocols and of their versions can be filtered and sorted by.

use super::{Protocol, ProtocolVersion, VersionStatus};
use crate::db::Sql;
use crate::error::Result;
use crate::page::{self, FilterIds, Key};
use crate::scalars::DateTime;
use crate::vocabulary::{Concern, Modality, RecordKind};
use async_graphql::{ID, InputObject};
use uuid::Uuid;

/// What to keep of a list of protocols.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
pub struct ProtocolFilter {
    /// In use only, or out of use only.
    pub active: Option<bool>,
    /// Whose published version is of one of these kinds of treatment.
    pub modality: Option<Vec<Modality>>,
    /// Whose published version is for one of these concerns.
    pub indication: Option<Vec<Concern>>,
    /// Added or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// A filter of protocols.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ProtocolCondition(pub ProtocolFilter);

impl page::Condition for ProtocolCondition {
    fn patient(&self) -> Option<Uuid> {
        None
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        let Self(filter) = self;
        if let Some(active) = filter.active {
            sql.push(" AND protocol.active = ").push_bind(active);
        }
        let published = " AND EXISTS (SELECT FROM protocol_version v WHERE v.org_id = protocol.org_id \
                         AND v.protocol_id = protocol.id AND v.status = 'published'";
        if let Some(modalities) = &filter.modality {
            sql.push(published);
            sql.push_any_of("v.modality", modalities.iter().map(|it| it.as_str()), true);
            sql.push(")");
        }
        if let Some(indications) = &filter.indication {
            let words: Vec<String> = indications.iter().map(|it| it.as_str().to_owned()).collect();
            sql.push(published).push(" AND v.indications && ").push_bind(words).push(")");
        }
        if let Some(since) = filter.updated_since {
            sql.push(" AND protocol.updated_at >= ").push_bind(since.0);
        }
    }
}

page::list_order! {
    /// The order of a list of protocols.
    ProtocolOrder /
    /// What lists of protocols can be sorted by.
    ProtocolOrderField of Protocol, id "protocol.id", first Asc {
        /// Name.
        Name "name" "protocol.name COLLATE \"C\"" as Key::Text(String::new()) => |it| Key::Text(it.name.clone()),
        /// When they were added.
        CreatedAt "createdAt" "protocol.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "protocol.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}

/// What to keep of a list of versions of protocols.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
pub struct ProtocolVersionFilter {
    /// Of this protocol.
    pub protocol_id: Option<ID>,
    /// Of these statuses.
    pub status: Option<Vec<VersionStatus>>,
    /// Of these kinds of treatment.
    pub modality: Option<Vec<Modality>>,
}

/// A filter of versions with its ids read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ProtocolVersionCondition {
    filter: ProtocolVersionFilter,
    protocol: Option<Uuid>,
}

impl ProtocolVersionFilter {
    /// Reads the ids; all faults at once.
    pub fn read(self) -> Result<ProtocolVersionCondition> {
        let mut ids = FilterIds::default();
        let protocol = ids.read("protocolId", RecordKind::Protocol, self.protocol_id.as_ref());
        ids.finish()?;
        Ok(ProtocolVersionCondition { filter: self, protocol })
    }
}

impl page::Condition for ProtocolVersionCondition {
    fn patient(&self) -> Option<Uuid> {
        None
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        if let Some(protocol) = self.protocol {
            sql.push(" AND protocol_id = ").push_bind(protocol);
        }
        let filter = &self.filter;
        sql.push_any_of("status", filter.status.iter().flatten().map(|it| it.as_str()), filter.status.is_some());
        sql.push_any_of("modality", filter.modality.iter().flatten().map(|it| it.as_str()), filter.modality.is_some());
    }
}

page::list_order! {
    /// The order of a list of versions of protocols.
    ProtocolVersionOrder /
    /// What lists of versions of protocols can be sorted by.
    ProtocolVersionOrderField of ProtocolVersion, id "protocol_version.id", first Desc {
        /// When they were added.
        CreatedAt "createdAt" "protocol_version.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "protocol_version.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
