//! Safety notices about a lot, for everybody who got it.

use crate::access::Scope;
use crate::call_back::store::{self, Trail};
use crate::call_back::{CallBack, CallBackCondition};
use crate::catalogue::{Product, ProductLot};
use crate::error::{self, Code, Error, Flaw};
use crate::ids;
use crate::page::{Connection, PageArguments, kept, listing};
use crate::record::Stamp;
use crate::scalars::Date;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, InputObject, Object, Result};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Makes a safety notice about a lot for every patient who received it and has no live notice about it.
#[derive(InputObject)]
pub struct CreateSafetyRecallInput {
    /// `lot_…`
    pub(super) lot_id: ID,
    /// What the patients must be told, at most 500 characters. The front desk reads it.
    pub(super) reason: String,
    /// The last day to reach them, today (in UTC) or later.
    pub(super) due_until: Date,
}

/// The safety notices that were made.
pub struct CreateSafetyRecallPayload {
    pub(super) last: CallBack,
}

/// The safety notices that were made.
#[Object]
impl CreateSafetyRecallPayload {
    /// The last of them.
    async fn recall(&self) -> &CallBack {
        &self.last
    }
    /// All of them: `totalCount` says how many.
    async fn recalls(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Option<Result<Connection<CallBack>>> {
        let window = PageArguments { first, after, last: None, before: None };
        listing::root(ctx, Ok(CallBackCondition::made_with(&self.last)), None, window).await
    }
}

/// Makes a notice for everybody who received a lot and has no live notice about it, and returns the last one. All have
/// the same moment.
pub(super) async fn notify(scope: &mut Scope, lot_id: Uuid, pattern: CallBack) -> error::Result<CallBack> {
    scope.viewer().check(Action::Create, RecordKind::CallBack)?;
    scope.viewer().check(Action::Read, RecordKind::TreatmentSession)?;
    // Two such calls at once run one after the other: the second sees what the first made.
    if !store::hold_lot(scope, lot_id).await? {
        return Err(Error::input("input.lotId", Flaw::not_found("lot of this organisation")));
    }
    let lot: ProductLot = listing::one(scope, lot_id).await?;
    let product: Product = listing::one(scope, lot.product_id).await?;
    // A safety notice must not leave out anybody who received the lot.
    if !scope.sees_all() {
        return Err(Error::ReasonRequired);
    }
    let uses = store::uses(scope, &Trail::of(&lot, &product)).await?;
    let patients: BTreeSet<Uuid> = uses.iter().map(|it| it.patient_id).collect();
    if patients.is_empty() {
        return Err(Error::input(
            "input.lotId",
            Code::NotApplicable.says("nobody got this lot in a session: no notice was made"),
        ));
    }
    let notices = store::safety_notices(scope, &[lot_id]).await?;
    let told: BTreeSet<Uuid> = notices.iter().filter(|it| it.is_live()).map(|it| it.patient_id).collect();
    let stamp = Stamp::new(scope.viewer().staff, ids::now());
    let mut made = None;
    for patient_id in patients.difference(&told) {
        let recall = CallBack {
            id: ids::new_id(),
            patient_id: *patient_id,
            lot_id: Some(lot_id),
            stamp: stamp.clone(),
            ..pattern.clone()
        };
        kept::add(scope, &recall).await?;
        made = Some(recall);
    }
    made.ok_or_else(|| {
        let all = patients.len();
        let why = format!("each of the {all} patients who got this lot has a notice to be worked on: none was made");
        Error::input("input.lotId", Code::Done.says(why))
    })
}
