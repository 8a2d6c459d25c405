//! The skin type against the protocol's.

use super::answers::{Answers, verdict};
use crate::session::{CheckCode, CheckRule, CheckVerdict};
use crate::vocabulary::RecordKind;

pub(super) fn skin_type(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let record = Some((RecordKind::Patient, facts.patient));
    for held in facts.figures().filter(|it| !it.rules.skin_types.is_empty()) {
        match facts.skin_type {
            Some(found) if held.rules.skin_types.contains(&found) => {}
            Some(found) => {
                let cause = format!("the protocol is not for Fitzpatrick type {}", found.number());
                let reason = CheckCode::SkinTypeNotCovered.says(cause).with("skinType", found.number());
                let verdict = verdict(facts.blocks(|it| it.skin_type));
                answers.add_of(held.version, CheckRule::SkinType, verdict, reason, record);
            }
            None => {
                let cause = "the skin type is not assessed, and the protocol is not for every one";
                let reason = CheckCode::SkinTypeUnknown.says(cause);
                answers.add_of(held.version, CheckRule::SkinType, CheckVerdict::Warn, reason, record);
            }
        }
    }
    let every = facts.figures().all(|it| it.rules.skin_types.is_empty());
    let which = if every { "every skin type" } else { "this skin type" };
    answers.pass_by_protocol(CheckRule::SkinType, &format!("the protocol is for {which}"));
}

#[cfg(test)]
mod tests {
    use super::super::tests::Case;
    use super::*;
    use crate::vocabulary::FitzpatrickType;

    #[test]
    fn a_protocol_can_be_for_some_skin_types_only() {
        let mut case = Case::fine();
        case.rules.skin_types = vec![FitzpatrickType::I, FitzpatrickType::Ii];
        for (skin_type, expected) in [(Some(FitzpatrickType::I), 0), (Some(FitzpatrickType::V), 1), (None, 1)] {
            case.skin_type = skin_type;
            assert_eq!(case.against(), vec![(CheckRule::SkinType, CheckVerdict::Warn); expected], "{skin_type:?}");
        }
        case.rules.skin_types.clear();
        assert!(case.against().is_empty());
    }
}
