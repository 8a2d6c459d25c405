//! The SQL of protocols and their versions.

use super::{
    Protocol, ProtocolCondition, ProtocolOrder, ProtocolVersion, ProtocolVersionCondition, ProtocolVersionOrder,
    VersionStatus,
};
use crate::access::Scope;
use crate::db::Sql;
use crate::db::tables::{protocol, protocol_version};
use crate::error::{Error, Result};
use crate::record::Stamp;
use crate::vocabulary::{Concern, Modality, RecordKind};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

crate::page::listing!(Protocol, protocol, ProtocolRow, ProtocolCondition, ProtocolOrder, {});
crate::page::listing!(ProtocolVersion, protocol_version, VersionRow, ProtocolVersionCondition, ProtocolVersionOrder, {
    "protocol_id" => |it| Some(it.protocol_id),
});

/// Adding and changing protocols.
pub mod protocols {
    crate::page::kept!(super::Protocol, protocol, super::ProtocolRow);
}

/// Adding and changing versions.
pub mod versions {
    crate::page::kept!(super::ProtocolVersion, protocol_version, super::VersionRow);
}

/// Whether the organisation has any protocol.
pub async fn any(scope: &mut Scope) -> Result<bool> {
    let door = scope.read(RecordKind::Protocol)?;
    let mut sql = Sql::<st::Bool>::new("SELECT EXISTS (SELECT FROM protocol WHERE org_id = ");
    sql.push_bind(door.org).push(")");
    Ok(sql.get_result(door.connection).await?)
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = protocol, treat_none_as_null = true)]
struct ProtocolRow {
    org_id: Uuid,
    id: Uuid,
    name: String,
    copied_from: Option<Uuid>,
    active: bool,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl TryFrom<ProtocolRow> for Protocol {
    type Error = Error;
    fn try_from(row: ProtocolRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            copied_from: row.copied_from,
            active: row.active,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        })
    }
}

impl ProtocolRow {
    fn of(org_id: Uuid, it: &Protocol) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            name: it.name.clone(),
            copied_from: it.copied_from,
            active: it.active,
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = protocol_version, treat_none_as_null = true)]
struct VersionRow {
    org_id: Uuid,
    id: Uuid,
    protocol_id: Uuid,
    number: i32,
    status: VersionStatus,
    modality: Modality,
    indications: Vec<Option<Concern>>,
    rules: serde_json::Value,
    published_at: Option<DateTime<Utc>>,
    published_by: Option<Uuid>,
    change_note: Option<String>,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl TryFrom<VersionRow> for ProtocolVersion {
    type Error = Error;
    fn try_from(row: VersionRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            protocol_id: row.protocol_id,
            number: row.number,
            status: row.status,
            modality: row.modality,
            indications: row.indications.into_iter().flatten().collect(),
            rules: serde_json::from_value(row.rules)?,
            published_at: row.published_at,
            published_by: row.published_by,
            change_note: row.change_note,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        })
    }
}

impl VersionRow {
    fn of(org_id: Uuid, it: &ProtocolVersion) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            protocol_id: it.protocol_id,
            number: it.number,
            status: it.status,
            modality: it.modality,
            indications: it.indications.iter().copied().map(Some).collect(),
            rules: serde_json::to_value(&it.rules)?,
            published_at: it.published_at,
            published_by: it.published_by,
            change_note: it.change_note.clone(),
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}
