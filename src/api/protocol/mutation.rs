//! Writing, copying, editing, publishing and retiring protocols.

use crate::access::Scope;
use crate::error::{self, Code, Error, Flaw};
use crate::ids;
use crate::operation::{Inputs, Running, transaction};
use crate::page::{kept, listing};
use crate::protocol::{Protocol, ProtocolVersion, Rules, VersionStatus};
use crate::record::Stamp;
use crate::vocabulary::{Action, Concern, Modality, RecordKind};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use uuid::Uuid;

/// Creates a protocol with its first version as a draft, from scratch or as a copy of any version.
#[derive(InputObject)]
pub struct CreateProtocolInput {
    /// An id made by the client, which makes a retry safe: `protocol_` and a UUIDv7 in 26 characters (see `Node.id`).
    /// Absent: the service makes one.
    id: Option<ID>,
    /// Name, unique in the organisation, at most 200 characters.
    name: String,
    /// The version to copy, `protocol_version_…`. Fields given beside it replace those of the copy.
    copy_from: Option<ID>,
    /// The kind of treatment; required without a copy.
    modality: Option<Modality>,
    /// The concerns it is for; required without a copy.
    indications: Option<Vec<Concern>>,
    /// The rules; required without a copy.
    rules: Option<Rules>,
}

/// Begins a new version of a protocol as a draft, copied from its newest version.
#[derive(InputObject)]
pub struct DraftProtocolVersionInput {
    /// `protocol_…`
    protocol_id: ID,
    /// What changes, at most 2,000 characters.
    change_note: Option<String>,
}

/// Changes a draft. An absent field stays as it is; `rules` replaces all the rules.
#[derive(InputObject)]
pub struct UpdateProtocolVersionInput {
    /// `protocol_version_…`
    id: ID,
    /// The version of the record that you read (not the number of the protocol version).
    expected_version: i32,
    /// The kind of treatment.
    modality: Option<Modality>,
    /// The concerns it is for.
    indications: Option<Vec<Concern>>,
    /// All the rules.
    rules: Option<Rules>,
    /// What changes, at most 2,000 characters.
    change_note: Option<String>,
}

/// Publishes a draft; the version that was in force is retired.
#[derive(InputObject)]
pub struct PublishProtocolVersionInput {
    /// `protocol_version_…`
    id: ID,
    /// The version of the record that you read (not the number of the protocol version).
    expected_version: i32,
}

/// Takes a protocol out of use, or back into it.
#[derive(InputObject)]
pub struct UpdateProtocolInput {
    /// `protocol_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// Name, unique in the organisation, at most 200 characters.
    name: Option<String>,
    /// Whether it is in use.
    active: Option<bool>,
}

/// What mutations of a protocol return.
#[derive(SimpleObject)]
pub struct ProtocolPayload {
    /// The protocol after the change.
    protocol: Protocol,
}

/// What mutations of a version of a protocol return.
#[derive(SimpleObject)]
pub struct ProtocolVersionPayload {
    /// The version of the protocol after the change.
    protocol_version: ProtocolVersion,
}

/// The parts of a version that were given.
struct Given {
    modality: Option<Modality>,
    indications: Option<Vec<Concern>>,
    rules: Option<Rules>,
    change_note: Option<String>,
}

impl Given {
    fn check(&self, inputs: &mut Inputs) {
        if let Some(rules) = &self.rules {
            rules.check(inputs, "rules");
        }
        if self.indications.as_ref().is_some_and(Vec::is_empty) {
            inputs.fault("indications", Code::Empty.says("must name one at least"));
        }
        inputs.opt_text("changeNote", self.change_note.as_deref(), 2000);
    }
}

fn clash<T>(outcome: error::Result<T>) -> error::Result<T> {
    outcome.map_err(|error| match error {
        Error::Conflict { current_version: None, .. } => {
            Error::input("input.name", Code::Taken.says("is the name of another protocol"))
        }
        other => other,
    })
}

async fn create(
    scope: &mut Scope,
    id: Uuid,
    name: String,
    copy_from: Option<Uuid>,
    given: Given,
) -> error::Result<Protocol> {
    scope.viewer().check(Action::Create, RecordKind::Protocol)?;
    let original = match copy_from {
        Some(id) => match listing::by_ids::<ProtocolVersion>(scope, &[id]).await?.pop() {
            Some(version) => Some(version),
            None => {
                return Err(Error::input(
                    "input.copyFrom",
                    Flaw::not_found("version of a protocol of this organisation"),
                ));
            }
        },
        None => None,
    };
    let mut inputs = Inputs::new();
    let modality = given.modality.or(original.as_ref().map(|it| it.modality));
    let indications = given.indications.or_else(|| original.as_ref().map(|it| it.indications.clone()));
    let rules = given.rules.or_else(|| original.as_ref().map(|it| it.rules.clone()));
    let needed = [("modality", modality.is_some()), ("indications", indications.is_some()), ("rules", rules.is_some())];
    for (name, there) in needed {
        if !there {
            inputs.fault(
                name,
                Code::Required.says("is needed, unless copyFrom names a version to copy").with("unless", "copyFrom"),
            );
        }
    }
    inputs.finish()?;
    let (Some(modality), Some(indications), Some(rules)) = (modality, indications, rules) else {
        return Err(Error::Internal("a checked input lacks a part".to_owned()));
    };
    let stamp = Stamp::new(scope.viewer().staff, ids::now());
    let protocol = Protocol { id, name, copied_from: copy_from, active: true, stamp: stamp.clone() };
    let version = ProtocolVersion {
        id: ids::new_id(),
        protocol_id: id,
        number: 1,
        status: VersionStatus::Draft,
        modality,
        indications,
        rules,
        published_at: None,
        published_by: None,
        change_note: given.change_note,
        stamp,
    };
    clash(kept::add(scope, &protocol).await)?;
    scope.answers();
    kept::add(scope, &version).await?;
    Ok(protocol)
}

async fn versions_of(scope: &mut Scope, protocol: Uuid) -> error::Result<Vec<ProtocolVersion>> {
    let mut versions = listing::all_under::<ProtocolVersion>(scope, "protocol_id", &[protocol]).await?;
    versions.sort_by_key(|version| std::cmp::Reverse(version.number));
    Ok(versions)
}

async fn draft(scope: &mut Scope, protocol: Uuid, change_note: Option<String>) -> error::Result<ProtocolVersion> {
    scope.viewer().check(Action::Create, RecordKind::ProtocolVersion)?;
    let protocol: Protocol = listing::one(scope, protocol).await?;
    let versions = versions_of(scope, protocol.id).await?;
    if let Some(draft) = versions.iter().find(|version| version.status == VersionStatus::Draft) {
        let id = ids::show(RecordKind::ProtocolVersion, draft.id);
        return Err(Error::input(
            "input.protocolId",
            Code::Done.says(format!("has a draft already, {id}: change or publish that one")),
        ));
    }
    let newest = versions.first().ok_or_else(|| Error::Internal("a protocol without a version".to_owned()))?;
    let version = ProtocolVersion {
        id: ids::new_id(),
        number: newest.number + 1,
        status: VersionStatus::Draft,
        published_at: None,
        published_by: None,
        change_note,
        stamp: Stamp::new(scope.viewer().staff, ids::now()),
        ..newest.clone()
    };
    kept::add(scope, &version).await?;
    Ok(version)
}

/// The draft to be edited.
async fn editable(scope: &mut Scope, action: Action, id: Uuid, expected: i32) -> error::Result<ProtocolVersion> {
    scope.viewer().check(action, RecordKind::ProtocolVersion)?;
    let version: ProtocolVersion = listing::one(scope, id).await?;
    if version.status != VersionStatus::Draft {
        let message = format!(
            "is {}: a published version takes no change. Begin a new one with draftProtocolVersion",
            version.status.words()
        );
        return Err(Error::input("input.id", Code::WrongState.says(message)));
    }
    error::at_version("protocol version", version.stamp.version, expected)?;
    Ok(version)
}

async fn change(scope: &mut Scope, id: Uuid, expected: i32, given: Given) -> error::Result<ProtocolVersion> {
    let before = editable(scope, Action::Update, id, expected).await?;
    let after = ProtocolVersion {
        modality: given.modality.unwrap_or(before.modality),
        indications: given.indications.unwrap_or_else(|| before.indications.clone()),
        rules: given.rules.unwrap_or_else(|| before.rules.clone()),
        change_note: given.change_note.or_else(|| before.change_note.clone()),
        stamp: before.stamp.changed(scope.viewer().staff, ids::now()),
        ..before
    };
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

async fn publish(scope: &mut Scope, id: Uuid, expected: i32) -> error::Result<ProtocolVersion> {
    let mut version = editable(scope, Action::Publish, id, expected).await?;
    let (by, now) = (scope.viewer().staff, ids::now());
    let versions = versions_of(scope, version.protocol_id).await?;
    for mut before in versions.into_iter().filter(|it| it.status == VersionStatus::Published) {
        let expected = before.stamp.version;
        before.status = VersionStatus::Retired;
        before.stamp = before.stamp.changed(by, now);
        kept::save(scope, Action::Update, &before, expected).await?;
    }
    version.status = VersionStatus::Published;
    version.published_at = Some(now);
    version.published_by = by;
    version.stamp = version.stamp.changed(by, now);
    kept::save(scope, Action::Publish, &version, expected).await?;
    Ok(version)
}

async fn rename(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    name: Option<String>,
    active: Option<bool>,
) -> error::Result<Protocol> {
    scope.viewer().check(Action::Update, RecordKind::Protocol)?;
    let before: Protocol = listing::one(scope, id).await?;
    error::at_version("protocol", before.stamp.version, expected)?;
    let after = Protocol {
        name: name.unwrap_or_else(|| before.name.clone()),
        active: active.unwrap_or(before.active),
        stamp: before.stamp.changed(scope.viewer().staff, ids::now()),
        ..before
    };
    clash(kept::save(scope, Action::Update, &after, expected).await)?;
    Ok(after)
}

/// The mutations of this module.
#[derive(Default)]
pub struct ProtocolMutation;

#[Object]
impl ProtocolMutation {
    /// Creates a protocol with its first version as a draft.
    async fn create_protocol(&self, ctx: &Context<'_>, input: CreateProtocolInput) -> Result<ProtocolPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let mut inputs = Inputs::new();
        let id = inputs.new_id(RecordKind::Protocol, input.id.as_ref());
        let name = inputs.text("name", &input.name, 200);
        let copy_from = inputs.opt_id("copyFrom", RecordKind::ProtocolVersion, input.copy_from.as_ref());
        let given =
            Given { modality: input.modality, indications: input.indications, rules: input.rules, change_note: None };
        given.check(&mut inputs);
        inputs.finish()?;
        let work = transaction(move |scope| Box::pin(create(scope, id, name, copy_from, given)));
        Ok(ProtocolPayload { protocol: operation.mutate(retry, work).await? })
    }

    /// Renames a protocol, takes it out of use or back into it.
    async fn update_protocol(&self, ctx: &Context<'_>, input: UpdateProtocolInput) -> Result<ProtocolPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Protocol, &input.id);
        let name = input.name.as_deref().map(|name| inputs.text("name", name, 200));
        inputs.finish()?;
        let operation = ctx.operation()?;
        let (expected, active) = (input.expected_version, input.active);
        let work = transaction(move |scope| Box::pin(rename(scope, id, expected, name, active)));
        Ok(ProtocolPayload { protocol: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Begins a new version of a protocol, as a draft.
    async fn draft_protocol_version(
        &self,
        ctx: &Context<'_>,
        input: DraftProtocolVersionInput,
    ) -> Result<ProtocolVersionPayload> {
        let mut inputs = Inputs::new();
        let protocol = inputs.id("protocolId", RecordKind::Protocol, &input.protocol_id);
        let note = inputs.opt_text("changeNote", input.change_note.as_deref(), 2000);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(draft(scope, protocol, note)));
        Ok(ProtocolVersionPayload { protocol_version: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Changes a draft of a protocol.
    async fn update_protocol_version(
        &self,
        ctx: &Context<'_>,
        input: UpdateProtocolVersionInput,
    ) -> Result<ProtocolVersionPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::ProtocolVersion, &input.id);
        let given = Given {
            modality: input.modality,
            indications: input.indications,
            rules: input.rules,
            change_note: input.change_note,
        };
        given.check(&mut inputs);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let expected = input.expected_version;
        let work = transaction(move |scope| Box::pin(change(scope, id, expected, given)));
        Ok(ProtocolVersionPayload { protocol_version: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Publishes a draft. The version that was in force is retired; plans and sessions that began with it keep it.
    async fn publish_protocol_version(
        &self,
        ctx: &Context<'_>,
        input: PublishProtocolVersionInput,
    ) -> Result<ProtocolVersionPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::ProtocolVersion, &input.id);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let expected = input.expected_version;
        let work = transaction(move |scope| Box::pin(publish(scope, id, expected)));
        Ok(ProtocolVersionPayload { protocol_version: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
