//! Who may be the same person as a patient: asked of one who is there, of one who is to be registered, and told of a new one.

use crate::error::{Code, Error};
use crate::merge::{IdentityField, likeness, store};
use crate::operation::Running;
use crate::patient::Patient;
use async_graphql::{Context, Result, SimpleObject};

/// Evidence that two charts belong to one person.
#[derive(SimpleObject)]
pub struct DuplicateReason {
    /// The field of the identity that is alike.
    field: IdentityField,
    /// The reason in words.
    explanation: &'static str,
    /// Its weight, 0 to 1.
    weight: f64,
}

/// A patient who may be the same person as another.
#[derive(SimpleObject)]
pub struct PossibleDuplicate {
    /// The other patient.
    patient: Patient,
    /// The likelihood, 0.5 to 1: the sum of the weights of the reasons, at most 1.
    score: f64,
    /// The reasons, the weightiest first.
    reasons: Vec<DuplicateReason>,
}

/// Other patients who may be the same person as one, the likeliest first.
pub async fn duplicates_of(ctx: &Context<'_>, patient: &Patient, first: Option<i32>) -> Result<Vec<PossibleDuplicate>> {
    let wanted = usize::try_from(first.unwrap_or(10)).ok().filter(|first| *first <= 50);
    let wanted = wanted.ok_or_else(|| {
        let flaw = Code::of_range(first.is_some_and(|first| first > 0)).says("must be from 0 to 50");
        Error::input("first", flaw.with("min", "0").with("max", "50"))
    })?;
    let mut scope = ctx.operation()?.reader().await?;
    let mut found: Vec<PossibleDuplicate> = Vec::new();
    for other in store::candidates(&mut scope, patient).await? {
        let (score, reasons) = likeness::compare(patient, &other);
        if score >= likeness::ENOUGH {
            let reasons = reasons.into_iter().map(|reason| DuplicateReason {
                field: reason.field,
                explanation: reason.explanation,
                weight: reason.weight,
            });
            found.push(PossibleDuplicate { patient: other, score, reasons: reasons.collect() });
        }
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.patient.id.cmp(&b.patient.id)));
    found.truncate(wanted);
    scope.show(found.iter().map(|duplicate| duplicate.patient.id));
    ctx.operation()?.lead_to(found.len())?;
    Ok(found)
}
