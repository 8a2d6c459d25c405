//! Adding and changing a clinic's own health terms.

use crate::access::Scope;
use crate::error::{self, Code, Error};
use crate::folding::fold;
use crate::health_term::HealthTerm;
use crate::ids;
use crate::operation::{Inputs, Running, transaction};
use crate::page::{kept, listing};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use uuid::Uuid;

/// Adds a synonym to the clinic's code list: an entry of a health history that says `term` is judged as one with `code`.
#[derive(InputObject)]
pub struct AddHealthTermInput {
    /// An id made by the client, which makes a retry safe: `term_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    id: Option<ID>,
    /// The code that it stands for: one of the list, such as `isotretinoin`, or one of the clinic's own; at most 100
    /// characters.
    code: String,
    /// The name or the code that entries are searched for, at most 200 characters, without regard to case, accents and punctuation. A
    /// `*` at the end stands for any ending. The same term is added once only for a code.
    term: String,
    /// The language of the name, a BCP 47 tag such as `pt-BR`.
    language: Option<String>,
}

/// Changes to a health term. An absent field stays as it is; null clears it. Another code or term is another record: add
/// that, and take this one out of use.
#[derive(InputObject)]
pub struct HealthTermPatch {
    /// The language of the name, a BCP 47 tag such as `pt-BR`.
    language: MaybeUndefined<String>,
    /// Whether it is looked for.
    active: Option<bool>,
}

/// Changes a health term.
#[derive(InputObject)]
pub struct UpdateHealthTermInput {
    /// `term_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The fields to change.
    patch: HealthTermPatch,
}

/// What mutations of a health term return.
#[derive(SimpleObject)]
pub struct HealthTermPayload {
    /// The health term after the change.
    health_term: HealthTerm,
}

async fn add(scope: &mut Scope, mut term: HealthTerm) -> error::Result<HealthTerm> {
    scope.viewer().check(Action::Create, RecordKind::HealthTerm)?;
    term.stamp = Stamp::new(scope.viewer().staff, ids::now());
    if !listing::by_ids::<HealthTerm>(scope, &[term.id]).await?.is_empty() {
        return Err(Error::Conflict {
            message: "a record with this id exists already".to_owned(),
            current_version: None,
        });
    }
    kept::add(scope, &term).await.map_err(|error| match error {
        Error::Conflict { current_version: None, .. } => Error::input(
            "input.term",
            Code::Taken.says("is there already for this code: bring it back into use with updateHealthTerm"),
        ),
        other => other,
    })?;
    Ok(term)
}

async fn change(scope: &mut Scope, id: Uuid, expected: i32, patch: HealthTermPatch) -> error::Result<HealthTerm> {
    scope.viewer().check(Action::Update, RecordKind::HealthTerm)?;
    let before: HealthTerm = listing::one(scope, id).await?;
    error::at_version("health term", before.stamp.version, expected)?;
    let mut inputs = Inputs::new();
    let language =
        inputs.patch("patch.language", patch.language, |inputs, path, tag| inputs.language(path, Some(&tag)));
    inputs.finish()?;
    let after = HealthTerm {
        language: crate::operation::patched(language, before.language.clone()),
        active: patch.active.unwrap_or(before.active),
        stamp: before.stamp.changed(scope.viewer().staff, ids::now()),
        ..before
    };
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

/// The mutations of this module.
#[derive(Default)]
pub struct HealthTermMutation;

#[Object]
impl HealthTermMutation {
    /// Adds a name or a code to the code list of the clinic. From then on it is found in health entries, those that are
    /// there too.
    async fn add_health_term(&self, ctx: &Context<'_>, input: AddHealthTermInput) -> Result<HealthTermPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let mut inputs = Inputs::new();
        let term = HealthTerm {
            id: inputs.new_id(RecordKind::HealthTerm, input.id.as_ref()),
            code: inputs.text("code", &input.code, 100),
            term: inputs.text("term", &input.term, 200),
            language: inputs.language("language", input.language.as_deref()),
            active: true,
            stamp: Stamp::new(None, ids::now()),
        };
        for (path, text) in [("code", &term.code), ("term", &term.term)] {
            // One letter is in too many words.
            if !text.is_empty() && fold(text).chars().count() < 2 {
                inputs.fault(path, Code::TooShort.says("needs at least two letters or digits").with("min", 2));
            }
        }
        inputs.finish()?;
        let work = transaction(move |scope| Box::pin(add(scope, term)));
        Ok(HealthTermPayload { health_term: operation.mutate(retry, work).await? })
    }

    /// Changes a health term, or takes it out of use.
    async fn update_health_term(&self, ctx: &Context<'_>, input: UpdateHealthTermInput) -> Result<HealthTermPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::HealthTerm, &input.id);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(change(scope, id, input.expected_version, input.patch)));
        Ok(HealthTermPayload { health_term: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
