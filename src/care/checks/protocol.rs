//! Whether there is a protocol to check the session against.

use super::answers::Answers;
use crate::session::{CheckCode, CheckRule, CheckVerdict};

pub(super) fn protocol(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    if facts.own.is_some() {
        return answers.pass(CheckRule::Protocol, "the session has a protocol");
    }
    let published = facts.others.iter().filter(|it| it.modality == facts.modality).count();
    let cause = format!(
        "no protocol is named, and {} published for {}: intervals, depths and skin types were not judged",
        match published {
            0 => "none is".to_owned(),
            some => format!("{some} are"),
        },
        facts.modality.words()
    );
    let reason = CheckCode::ProtocolMissing.says(cause).with_word("modality", facts.modality.as_str());
    answers.add(CheckRule::Protocol, CheckVerdict::Warn, reason.with("published", published), None);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, entry};
    use super::*;

    #[test]
    fn without_a_protocol_what_needs_none_is_still_asked_and_the_rest_is_not_passed() {
        let pregnant = crate::health::HealthEntry {
            kind: crate::health::HealthEntryKind::PregnancyOrNursing,
            ..entry("pregnancy_or_nursing")
        };
        let case = Case { named: false, health: vec![pregnant], ..Case::fine() };
        let (warn, block) = (CheckVerdict::Warn, CheckVerdict::Block);
        assert_eq!(case.against(), [(CheckRule::Contraindication, block), (CheckRule::Protocol, warn)]);
        let found = case.checks();
        for rule in [CheckRule::Interval, CheckRule::Depth, CheckRule::SkinType] {
            assert!(!found.iter().any(|it| it.rule == rule), "{rule:?} can't be judged");
        }
        for rule in [CheckRule::Consent, CheckRule::Lot, CheckRule::Device, CheckRule::Consultation] {
            assert!(found.iter().any(|it| it.rule == rule), "{rule:?} needs no protocol");
        }
        let cause = found.iter().find(|it| it.rule == CheckRule::Protocol).map(|it| it.cause.clone());
        assert!(cause.is_some_and(|it| it.contains("published for microneedling")));
    }
}
