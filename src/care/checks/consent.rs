//! The consents that the session needs: to every kind of treatment that it uses.

use super::answers::{Answers, before, verdict};
use super::facts::{ConsentDoubt, ConsentFact};
use crate::session::{CheckCode, CheckRule};
use crate::vocabulary::{Modality, RecordKind};

pub(super) fn consent(answers: &mut Answers<'_>) {
    for (modality, found) in answers.facts.consents {
        consent_to(answers, *modality, *found);
    }
    answers.pass(CheckRule::Consent, "the consent to this treatment is there");
}

fn consent_to(answers: &mut Answers<'_>, modality: Modality, found: ConsentFact) {
    let facts = answers.facts;
    let what = match modality == facts.modality {
        true => "this kind of treatment".to_owned(),
        false => format!("{}, which this session uses", modality.words()),
    };
    if let ConsentFact::Doubtful(id, doubt) = found {
        let blocks = doubt != ConsentDoubt::Adult && facts.blocks(|it| it.consent);
        let reason = match doubt {
            ConsentDoubt::GrownUp => CheckCode::ConsentOutgrown
                .says(format!("a guardian gave the consent to {what}, and the patient is of age now")),
            ConsentDoubt::Adult => CheckCode::ConsentByGuardianOfAdult
                .says(format!("a guardian gave the consent to {what} for a patient who was of age")),
            ConsentDoubt::Minor => CheckCode::ConsentByMinor
                .says(format!("the patient gave the consent to {what} under age: a guardian gives it")),
        };
        let reason = reason.with_word("modality", modality.as_str());
        return answers.add(CheckRule::Consent, verdict(blocks), reason, Some((RecordKind::Consent, id)));
    }
    let kept = |id| (RecordKind::Consent, id);
    let (code, cause, on, record) = match found {
        ConsentFact::InForce(_) | ConsentFact::Doubtful(..) => return,
        ConsentFact::Missing => {
            let cause = format!("there is no consent to {what}");
            (CheckCode::ConsentMissing, cause, None, (RecordKind::Patient, facts.patient))
        }
        ConsentFact::Refused(id) => {
            (CheckCode::ConsentRefused, format!("the patient refused consent to {what}"), None, kept(id))
        }
        ConsentFact::Ended(id, on) => {
            (CheckCode::ConsentWithdrawn, format!("the consent to {what} was withdrawn"), on, kept(id))
        }
        ConsentFact::Expired(id, on) => {
            (CheckCode::ConsentExpired, format!("the consent to {what} expired"), on, kept(id))
        }
    };
    let when = on.map(|on| format!(" on {on}{}", before(facts.day, on))).unwrap_or_default();
    let verdict = verdict(facts.blocks(|it| it.consent));
    let reason = code.says(format!("{cause}{when}")).with_word("modality", modality.as_str()).with_some("on", on);
    answers.add(CheckRule::Consent, verdict, reason, Some(record));
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, day};
    use super::*;
    use crate::ids;
    use crate::session::CheckVerdict;

    #[test]
    fn a_session_needs_the_consent_to_every_kind_of_treatment_it_uses() {
        let id = ids::new_id();
        let there = (Modality::Microneedling, ConsentFact::InForce(id));
        let blocks = [(CheckRule::Consent, CheckVerdict::Block)];
        let both = Case { consents: vec![there, (Modality::Prp, ConsentFact::Missing)], ..Case::fine() };
        assert_eq!(both.against(), blocks, "platelet-rich plasma is used too");
        for (consent, against) in [
            (ConsentFact::InForce(id), false),
            (ConsentFact::Missing, true),
            (ConsentFact::Refused(id), true),
            (ConsentFact::Ended(id, Some(day(6, 1))), true),
            (ConsentFact::Expired(id, None), true),
        ] {
            let found = Case { consents: vec![(Modality::Microneedling, consent)], ..Case::fine() }.against();
            let expected: &[_] = if against { &blocks } else { &[] };
            assert_eq!(found, expected, "{consent:?}");
        }
        use CheckVerdict::{Block, Warn};
        for (doubt, verdict) in
            [(ConsentDoubt::GrownUp, Block), (ConsentDoubt::Minor, Block), (ConsentDoubt::Adult, Warn)]
        {
            let consents = vec![(Modality::Microneedling, ConsentFact::Doubtful(id, doubt))];
            assert_eq!(Case { consents, ..Case::fine() }.against(), [(CheckRule::Consent, verdict)], "{doubt:?}");
        }
        let missing = vec![(Modality::Microneedling, ConsentFact::Missing)];
        let mut lenient = Case { consents: missing.clone(), ..Case::fine() };
        lenient.rules.blocks.consent = false;
        assert_eq!(lenient.against(), [(CheckRule::Consent, CheckVerdict::Warn)]);
        let none = Case { consents: missing, named: false, ..Case::fine() }.against();
        assert!(none.contains(&(CheckRule::Consent, CheckVerdict::Warn)), "without a protocol it warns: {none:?}");
    }
}
