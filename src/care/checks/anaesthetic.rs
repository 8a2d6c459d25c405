//! The numbing cream: what speaks against it, and its minutes.

use super::answers::Answers;
use super::contraindication::{Entry, met_reason, severity_verdict, strictest};
use crate::protocol::ContraindicationScope;
use crate::session::{CheckCode, CheckRule, CheckVerdict};
use crate::vocabulary::RecordKind;

pub(super) fn cream(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let Some(cream) = &facts.cream else {
        return answers.pass(CheckRule::Anaesthetic, "no numbing cream is used");
    };
    for kept in facts.health {
        let entry = Entry::read(kept, facts.terms);
        if let Some(met) = strictest(facts, &entry, ContraindicationScope::Anaesthetic) {
            let mut reason = met_reason(&met, &entry, facts.day);
            reason.cause = format!("numbing cream: {}", reason.cause);
            let record = Some((RecordKind::HealthEntry, kept.id));
            answers.add_of(met.version, CheckRule::Anaesthetic, severity_verdict(met.severity), reason, record);
        }
    }
    let least = facts.figures().filter_map(|it| it.rules.anaesthetic_min_minutes).max();
    let most = facts.figures().filter_map(|it| it.rules.anaesthetic_max_minutes).min();
    let outside = |minutes: &i64| {
        least.is_some_and(|least| *minutes < i64::from(least)) || most.is_some_and(|most| *minutes > i64::from(most))
    };
    if let Some(minutes) = cream.minutes.filter(outside) {
        let bound = |bound: Option<i32>| bound.map_or_else(|| "any".to_owned(), |it| it.to_string());
        let cause = format!(
            "the numbing cream was on for {minutes} minutes; the protocol says {} to {}",
            bound(least),
            bound(most)
        );
        let reason = CheckCode::AnaestheticMinutes.says(cause).with("minutes", minutes);
        let reason = reason.with_some("minMinutes", least).with_some("maxMinutes", most);
        answers.add(CheckRule::Anaesthetic, CheckVerdict::Warn, reason, None);
    }
    answers.pass(CheckRule::Anaesthetic, "nothing speaks against the numbing cream");
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, entry};
    use super::*;
    use crate::care::checks::facts::CreamFact;

    #[test]
    fn the_numbing_cream_has_its_own_list_and_its_minutes() {
        use CheckVerdict::{Block, Warn};
        for (minutes, expected) in [(None, 0), (Some(19), 1), (Some(20), 0), (Some(60), 0), (Some(61), 1)] {
            let found = Case { cream: Some(CreamFact { minutes, ..CreamFact::default() }), ..Case::fine() }.against();
            assert_eq!(found, vec![(CheckRule::Anaesthetic, Warn); expected], "{minutes:?}");
        }
        let liver = Case { health: vec![entry("liver_disease")], ..Case::fine() };
        assert!(liver.against().is_empty(), "without the cream it does not matter");
        let with_cream = Case { cream: Some(CreamFact::default()), ..liver };
        assert_eq!(with_cream.against(), [(CheckRule::Anaesthetic, Warn)]);
        let coded = Case { health: vec![entry("methemoglobinemia")], ..with_cream.clone() };
        assert_eq!(coded.against(), [(CheckRule::Anaesthetic, Block)], "another code for it");
        let blood =
            Case { health: vec![entry("methaemoglobinaemia")], cream: Some(CreamFact::default()), ..Case::fine() };
        assert_eq!(blood.against(), [(CheckRule::Anaesthetic, Block)]);
    }
}
