//! Noting and changing credentials.

use crate::access::Scope;
use crate::credential::Credential;
use crate::error::{self, Code};
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::organisation::store as people;
use crate::page::{kept, listing};
use crate::record::Stamp;
use crate::scalars::Date;
use crate::vocabulary::{Action, Modality, RecordKind};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};

/// Notes a credential of a staff member.
#[derive(InputObject)]
pub struct AddCredentialInput {
    /// An id made by the client, which makes a retry safe: `credential_` and a UUIDv7 in 26 characters (see `Node.id`).
    /// Absent: the service makes one.
    id: Option<ID>,
    /// `staff_…`
    staff_id: ID,
    /// The profession, such as `physician`, at most 100 characters.
    profession: String,
    /// The holder's number in that register, at most 100 characters.
    number: String,
    /// The authority that issued it and keeps the register, at most 200 characters.
    body: String,
    /// The country or state in which it is valid, at most 100 characters.
    jurisdiction: String,
    /// Whether the holder acts as a prescriber by it: signs off what a rule blocks, and gives a clearance.
    prescriber: bool,
    /// The kinds of treatment that it is limited to; empty for all.
    #[graphql(default)]
    modalities: Vec<Modality>,
    /// The first day on which the credential is valid.
    valid_from: Option<Date>,
    /// The last day on which the credential is valid.
    expires_on: Option<Date>,
    /// Remarks, at most 2,000 characters.
    note: Option<String>,
}

/// Changes to a credential. An absent field stays as it is; null clears it.
#[derive(InputObject)]
pub struct CredentialPatch {
    /// The profession, at most 100 characters.
    profession: Option<String>,
    /// The holder's number in that register, at most 100 characters.
    number: Option<String>,
    /// The authority that issued it and keeps the register, at most 200 characters.
    body: Option<String>,
    /// The country or state in which it is valid, at most 100 characters.
    jurisdiction: Option<String>,
    /// Whether the holder acts as a prescriber by it.
    prescriber: Option<bool>,
    /// All the kinds of treatment that it is limited to; empty for all.
    modalities: Option<Vec<Modality>>,
    /// The first day on which the credential is valid.
    valid_from: MaybeUndefined<Date>,
    /// The last day on which the credential is valid.
    expires_on: MaybeUndefined<Date>,
    /// Whether it counts: false once it was withdrawn, or if it was noted in error.
    active: Option<bool>,
    /// Remarks, at most 2,000 characters.
    note: MaybeUndefined<String>,
}

/// Changes a credential.
#[derive(InputObject)]
pub struct UpdateCredentialInput {
    /// `credential_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The fields to change.
    patch: CredentialPatch,
}

/// What mutations of a credential return.
#[derive(SimpleObject)]
pub struct CredentialPayload {
    /// The credential after the change.
    credential: Credential,
}

/// The kinds of treatment, each once.
fn each_once(modalities: Vec<Modality>) -> Vec<Modality> {
    modalities.into_iter().fold(Vec::new(), |mut all, one| {
        if !all.contains(&one) {
            all.push(one);
        }
        all
    })
}

fn check_days(inputs: &mut Inputs, path: &str, it: &Credential) {
    if it.valid_from.zip(it.expires_on).is_some_and(|(from, until)| until < from) {
        inputs.fault(path, Code::WrongOrder.says("is before its first day"));
    }
}

impl AddCredentialInput {
    fn read(self) -> error::Result<Credential> {
        let mut inputs = Inputs::new();
        let credential = Credential {
            id: inputs.new_id(RecordKind::Credential, self.id.as_ref()),
            staff_id: inputs.id("staffId", RecordKind::Staff, &self.staff_id),
            profession: inputs.text("profession", &self.profession, 100),
            number: inputs.text("number", &self.number, 100),
            body: inputs.text("body", &self.body, 200),
            jurisdiction: inputs.text("jurisdiction", &self.jurisdiction, 100),
            prescriber: self.prescriber,
            modalities: each_once(self.modalities),
            valid_from: self.valid_from.map(|it| it.0),
            expires_on: self.expires_on.map(|it| it.0),
            active: true,
            note: inputs.opt_text("note", self.note.as_deref(), 2000),
            stamp: Stamp::new(None, ids::now()),
        };
        check_days(&mut inputs, "expiresOn", &credential);
        inputs.finish()?;
        Ok(credential)
    }
}

impl CredentialPatch {
    fn apply(self, before: &Credential) -> error::Result<Credential> {
        let mut inputs = Inputs::new();
        let mut text = |path: &str, given: &Option<String>, before: &str, most: usize| {
            given.as_deref().map_or_else(|| before.to_owned(), |given| inputs.text(path, given, most))
        };
        let after = Credential {
            profession: text("patch.profession", &self.profession, &before.profession, 100),
            number: text("patch.number", &self.number, &before.number, 100),
            body: text("patch.body", &self.body, &before.body, 200),
            jurisdiction: text("patch.jurisdiction", &self.jurisdiction, &before.jurisdiction, 100),
            prescriber: self.prescriber.unwrap_or(before.prescriber),
            modalities: self.modalities.map_or_else(|| before.modalities.clone(), each_once),
            valid_from: patched(self.valid_from.map_value(|it| it.0), before.valid_from),
            expires_on: patched(self.expires_on.map_value(|it| it.0), before.expires_on),
            active: self.active.unwrap_or(before.active),
            note: patched(inputs.patch_text("patch.note", self.note, 2000), before.note.clone()),
            ..before.clone()
        };
        check_days(&mut inputs, "patch.expiresOn", &after);
        inputs.finish()?;
        Ok(after)
    }
}

async fn add(scope: &mut Scope, mut new: Credential) -> error::Result<Credential> {
    scope.viewer().check(Action::Create, RecordKind::Credential)?;
    people::staff_member(scope, new.staff_id).await?;
    new.stamp = Stamp::new(scope.viewer().staff, ids::now());
    kept::add(scope, &new).await?;
    Ok(new)
}

async fn change(scope: &mut Scope, id: uuid::Uuid, expected: i32, patch: CredentialPatch) -> error::Result<Credential> {
    scope.viewer().check(Action::Update, RecordKind::Credential)?;
    let before: Credential = listing::one(scope, id).await?;
    error::at_version("credential", before.stamp.version, expected)?;
    let mut after = patch.apply(&before)?;
    after.stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

/// The mutations of this module.
#[derive(Default)]
pub struct CredentialMutation;

#[Object]
impl CredentialMutation {
    /// Notes a credential of a staff member. REAUTHENTICATION_REQUIRED when the password or a code was given too long
    /// ago.
    async fn add_credential(&self, ctx: &Context<'_>, input: AddCredentialInput) -> Result<CredentialPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let new = input.read()?;
        let work = transaction(move |scope| Box::pin(add(scope, new)));
        Ok(CredentialPayload { credential: operation.mutate(retry, work).await? })
    }

    /// Changes a credential, or withdraws it (`active: false`). What was signed off on it before stays.
    async fn update_credential(&self, ctx: &Context<'_>, input: UpdateCredentialInput) -> Result<CredentialPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Credential, &input.id);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(change(scope, id, input.expected_version, input.patch)));
        Ok(CredentialPayload { credential: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
