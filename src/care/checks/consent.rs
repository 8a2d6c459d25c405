//! The consent that the session needs.

use super::answers::{Answers, before, verdict};
use super::facts::ConsentFact;
use crate::session::CheckRule;
use crate::vocabulary::RecordKind;

pub(super) fn consent(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let (what, on, record) = match facts.consent {
        ConsentFact::InForce(_) => {
            answers.pass(CheckRule::Consent, "the consent to this treatment is there");
            return;
        }
        ConsentFact::Missing => {
            ("there is no consent to this kind of treatment", None, (RecordKind::Patient, facts.patient))
        }
        ConsentFact::Refused(id) => {
            ("the patient refused consent to this kind of treatment", None, (RecordKind::Consent, id))
        }
        ConsentFact::Ended(id, on) => {
            ("the consent to this kind of treatment was withdrawn", on, (RecordKind::Consent, id))
        }
        ConsentFact::Expired(id, on) => {
            ("the consent to this kind of treatment expired", on, (RecordKind::Consent, id))
        }
    };
    let when = on.map(|on| format!(" on {on}{}", before(facts.day, on))).unwrap_or_default();
    answers.add(CheckRule::Consent, verdict(facts.rules.blocks.consent), format!("{what}{when}"), Some(record));
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, day};
    use super::*;
    use crate::ids;
    use crate::session::CheckVerdict;

    #[test]
    fn a_session_needs_its_consent() {
        let id = ids::new_id();
        for (consent, against) in [
            (ConsentFact::InForce(id), false),
            (ConsentFact::Missing, true),
            (ConsentFact::Refused(id), true),
            (ConsentFact::Ended(id, Some(day(6, 1))), true),
            (ConsentFact::Expired(id, None), true),
        ] {
            let found = Case { consent, ..Case::fine() }.against();
            let expected: &[_] = if against { &[(CheckRule::Consent, CheckVerdict::Block)] } else { &[] };
            assert_eq!(found, expected, "{consent:?}");
        }
        let mut lenient = Case { consent: ConsentFact::Missing, ..Case::fine() };
        lenient.rules.blocks.consent = false;
        assert_eq!(lenient.against(), [(CheckRule::Consent, CheckVerdict::Warn)]);
    }
}
