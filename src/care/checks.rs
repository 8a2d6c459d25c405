//! The checks of a session: `(protocol, history, facts, now) -> checks`.

mod age;
mod agents;
mod anaesthetic;
mod answers;
mod clearance;
mod consent;
mod consultation;
mod contraindication;
mod course;
mod depth;
mod device;
mod dose;
mod facts;
mod history;
mod interval;
mod lot;
mod product;
mod protocol;
mod skin_type;

pub use agents::read_agents;
pub use facts::{
    AreaFact, ClearanceFact, ConsentDoubt, ConsentFact, ConsultationFact, CreamFact, Facts, Held, LotFact,
    OtherSession, PlanFact, ReviewFact, Tissue,
};

use crate::session::{CheckVerdict, KeptCheck, Override};
use age::age;
use anaesthetic::cream;
use answers::Answers;
use clearance::clearance;
use consent::consent;
use consultation::consultation;
use contraindication::contraindications;
use course::course;
use depth::depth;
use device::device;
use dose::dose;
use history::history;
use interval::interval;
use lot::lots;
use product::products;
use protocol::protocol;
use skin_type::skin_type;
use uuid::Uuid;

/// What every rule says of a session: one answer at least for each, PASS where nothing speaks against it; CLEARANCE only
/// where the location asks for one. Without a protocol
/// the rules that only a protocol can judge say nothing, and PROTOCOL warns of it.
pub fn checks(facts: &Facts<'_>) -> Vec<KeptCheck> {
    let mut answers = Answers { facts, found: Vec::new() };
    interval(&mut answers);
    depth(&mut answers);
    contraindications(&mut answers);
    consent(&mut answers);
    lots(&mut answers);
    device(&mut answers);
    consultation(&mut answers);
    skin_type(&mut answers);
    cream(&mut answers);
    // Those that came later come last: an answer keeps its place.
    course(&mut answers);
    products(&mut answers);
    protocol(&mut answers);
    dose(&mut answers);
    age(&mut answers);
    history(&mut answers);
    clearance(&mut answers);
    answers.found
}

/// Carries over what was overridden before: for the same answer, with the values that were seen, and for nothing else. Who
/// treats signs nothing off: what they signed off before they became the practitioner is lost.
pub fn keep_overrides(before: &[KeptCheck], mut now: Vec<KeptCheck>, practitioner: Uuid) -> Vec<KeptCheck> {
    let own = |it: &Override| it.supervisor_id == Some(practitioner);
    for check in now.iter_mut().filter(|check| check.verdict != CheckVerdict::Pass) {
        let same = before.iter().find(|old| old.is_same(check));
        check.overridden = same.and_then(|old| old.overridden.clone()).filter(|it| !own(it));
    }
    now
}

#[cfg(test)]
mod tests;
