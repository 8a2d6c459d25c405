//! What lists of protocols and of their versions can be filtered and sorted by.

use super::{Protocol, ProtocolVersion, VersionStatus};
use crate::db::Sql;
use crate::page::{self, Key};
use crate::vocabulary::{Concern, Modality};

page::list_filter! {
    /// Filter for a list of protocols.
    ProtocolFilter => ProtocolCondition {
        /// True: only those in use. False: only those out of use.
        active: flag "protocol.active",
        /// Whose published version is of one of these kinds of treatment.
        modality: others(Modality) "v.modality",
        /// Whose published version is for one of these concerns.
        indication: others(Concern) "v.indications",
        /// Added or changed at or after this moment.
        updated_since: from "protocol.updated_at",
    }
    also: push_published;
}

fn push_published<R>(filter: &ProtocolFilter, sql: &mut Sql<R>) {
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

page::list_filter! {
    /// Filter for a list of versions of protocols.
    ProtocolVersionFilter => ProtocolVersionCondition {
        /// Of this protocol.
        protocol_id: id(Protocol) "protocol_id",
        /// Of these statuses.
        status: any_of(VersionStatus) "status",
        /// Of these kinds of treatment.
        modality: any_of(Modality) "modality",
        /// Drafted, changed or published at or after this moment.
        updated_since: from "updated_at",
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
