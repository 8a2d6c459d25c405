//! Adding to a signed record of any kind.

use super::signing::{AddAddendumInput, NewAddendum};
use crate::access::Scope;
use crate::error::{Code, Error, Result};
use crate::ids;
use crate::operation::{Running, transaction};
use crate::page::kept;
use crate::signing::Addendum;
use crate::vocabulary::{Action, RecordKind};
use crate::{aftercare, consultation, session};
use async_graphql::{Context, Object, SimpleObject};

/// Result of `addAddendum`.
#[derive(SimpleObject)]
pub struct AddAddendumPayload {
    /// The new addendum.
    addendum: Addendum,
}

/// Adding to signed records.
#[derive(Default)]
pub struct AddendumMutation;

async fn add(scope: &mut Scope, new: NewAddendum) -> Result<Addendum> {
    scope.viewer().check(Action::Create, RecordKind::Addendum)?;
    let (patient_id, signed) = match new.record_kind {
        RecordKind::Consultation => {
            let record = consultation::store::consultation(scope, new.record_id).await?;
            (record.patient_id, record.signature.is_some())
        }
        RecordKind::TreatmentSession => {
            let record = session::store::session(scope, new.record_id).await?;
            (record.patient_id, record.signature.is_some())
        }
        RecordKind::AftercareNote => {
            let record = aftercare::store::note(scope, new.record_id).await?;
            (record.patient_id, record.signature.is_some())
        }
        other => {
            return Err(Error::input(
                "input.recordId",
                Code::NotApplicable.says(format!("{} takes no addendum", other.one())),
            ));
        }
    };
    if !signed {
        return Err(Error::input(
            "input.recordId",
            Code::WrongState.says("this record is a draft: change it, an addendum is for a signed one"),
        ));
    }
    let addendum = Addendum {
        id: new.id,
        patient_id,
        record_kind: new.record_kind,
        record_id: new.record_id,
        author_id: scope.viewer().author()?,
        added_at: ids::now(),
        reason: new.reason,
        text: new.text,
    };
    kept::add(scope, &addendum).await?;
    Ok(addendum)
}

#[Object]
impl AddendumMutation {
    /// Adds an addendum to a signed consultation, session or note. Signed records are corrected this way.
    async fn add_addendum(
        &self,
        ctx: &Context<'_>,
        input: AddAddendumInput,
    ) -> async_graphql::Result<AddAddendumPayload> {
        let new = input.read()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(add(scope, new)));
        Ok(AddAddendumPayload { addendum: operation.mutate(operation.retry(ctx, input.id.as_ref())?, work).await? })
    }
}
