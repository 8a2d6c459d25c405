//! The SQL of protocols and their versions.

use super::{
    Protocol, ProtocolCondition, ProtocolOrder, ProtocolVersion, ProtocolVersionCondition, ProtocolVersionOrder, Rules,
};
use crate::access::Scope;
use crate::db::Sql;
use crate::db::cell::AsJson;
use crate::error::Result;
use crate::page::{listing, stored};
use crate::record::Stamp;
use crate::vocabulary::RecordKind;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;

stored! {
    Protocol = protocol;
    always: name, active;
    asked: copied_from;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(Protocol, ProtocolCondition, ProtocolOrder, {});
stored! {
    ProtocolVersion = protocol_version;
    always: protocol_id, number, status, modality;
    asked: published_at, published_by, change_note;
    words: indications;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
        rules(rules) = rules_of, rules_column;
    }
}
listing!(ProtocolVersion, ProtocolVersionCondition, ProtocolVersionOrder, {
    "protocol_id" => |it| Some(it.protocol_id),
});

/// Whether the organisation has any protocol.
pub async fn any(scope: &mut Scope) -> Result<bool> {
    let door = scope.read(RecordKind::Protocol)?;
    let mut sql = Sql::<st::Bool>::new("SELECT EXISTS (SELECT FROM protocol WHERE org_id = ");
    sql.push_bind(door.org).push(")");
    Ok(sql.get_result(door.connection).await?)
}

fn rules_of(rules: AsJson<Rules>) -> Result<Rules> {
    Ok(rules.0)
}

fn rules_column(rules: &Rules) -> Result<(serde_json::Value,)> {
    Ok((serde_json::to_value(rules)?,))
}
