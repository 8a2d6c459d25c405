//! The skin type against the protocol's.

use super::answers::{Answers, verdict};
use crate::session::{CheckRule, CheckVerdict};
use crate::vocabulary::RecordKind;

pub(super) fn skin_type(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let allowed = &facts.rules.skin_types;
    let record = Some((RecordKind::Patient, facts.patient));
    match facts.skin_type {
        _ if allowed.is_empty() => answers.pass(CheckRule::SkinType, "the protocol is for every skin type"),
        Some(found) if allowed.contains(&found) => {
            answers.pass(CheckRule::SkinType, "the protocol is for this skin type")
        }
        Some(found) => {
            let cause = format!("the protocol is not for Fitzpatrick type {}", found.number());
            answers.add(CheckRule::SkinType, verdict(facts.rules.blocks.skin_type), cause, record);
        }
        None => {
            let cause = "the skin type is not assessed, and the protocol is not for every one".to_owned();
            answers.add(CheckRule::SkinType, CheckVerdict::Warn, cause, record);
        }
    }
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
