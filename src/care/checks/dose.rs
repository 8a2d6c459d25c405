//! How much numbing cream was put on, against what its agents allow.
//!
//! A licensed cream of at most 2.5 % of each agent has figures of its own: at most 60 g on at most 600 cm², for 1 to 5 hours
//! (summary of product characteristics of EMLA cream 5 %, adults). For whatever is stronger, often made up by a pharmacy, there
//! is none; there the ceiling of lidocaine itself is asked for, as if all that is put on got into the blood: 4.5 mg for each kg
//! of the patient, and 300 mg (labels of lidocaine for injection without adrenaline). Skin lets much less through, and needled
//! skin more than whole skin; nobody has measured how much, so the answer warns and never blocks.

use super::agents::LICENSED_PERCENT;
use super::answers::Answers;
use super::facts::CreamFact;
use crate::session::{AnaestheticAgent, CheckCode, CheckRule, CheckVerdict, LocalAnaesthetic, Reason};
use rust_decimal::Decimal;

const fn tenths(number: u32) -> Decimal {
    Decimal::from_parts(number, 0, 0, false, 1)
}

/// Of the licensed cream at most so many g, on so many cm², for so many minutes.
const LICENSED: (u32, u32, i64) = (60, 600, 300);
/// Lidocaine, mg for each kg of the patient, and mg in all.
const LIDOCAINE_MG_KG: Decimal = tenths(45);
const LIDOCAINE_MG: u32 = 300;
/// g of cream that a cm² takes where nobody weighed it: 1 g on 10 cm², the thinner of the usual layers.
const GRAMS_PER_CM2: Decimal = tenths(1);

pub(super) fn dose(answers: &mut Answers<'_>) {
    let Some(cream) = &answers.facts.cream else {
        return answers.pass(CheckRule::Dose, "no numbing cream is used");
    };
    let found = judged(cream);
    for reason in found.against {
        answers.add(CheckRule::Dose, CheckVerdict::Warn, reason, None);
    }
    answers.pass_for(CheckRule::Dose, found.fine);
}

struct Judged {
    against: Vec<Reason>,
    fine: Reason,
}

fn judged(cream: &CreamFact) -> Judged {
    let strongest = cream.agents.iter().map(|it| it.percent).max();
    let Some(strongest) = strongest else {
        let why = "the dose is not judged: the cream's agents and their strengths are not written down";
        return Judged { against: large_area(cream), fine: CheckCode::DoseNotJudged.says(why) };
    };
    let Some((grams, how)) = amount(cream) else {
        let why = "the dose is not judged: neither grams nor the covered area is written down";
        return Judged { against: Vec::new(), fine: CheckCode::DoseNotJudged.says(why) };
    };
    let name = named(&cream.agents);
    if strongest <= LICENSED_PERCENT {
        let (most_grams, _, most_minutes) = LICENSED;
        let mut against = large_area(cream);
        if grams > Decimal::from(most_grams) {
            let cause = format!("{how} of {name} is {}: more than {most_grams} g", weighed(grams));
            let reason = CheckCode::DoseGrams.says(cause).with("grams", grams.normalize());
            against.push(reason.with("maxGrams", most_grams));
        }
        if let Some(minutes) = cream.minutes.filter(|it| *it > most_minutes) {
            let cause = format!("{name} was on for {minutes} minutes: more than {most_minutes}");
            let reason = CheckCode::DoseMinutes.says(cause).with("minutes", minutes);
            against.push(reason.with("maxMinutes", most_minutes));
        }
        let fine = CheckCode::Passed.says(format!("{how} of {name} is within {most_grams} g"));
        return Judged { against, fine };
    }
    let lidocaine = cream.agents.iter().find(|it| it.agent == LocalAnaesthetic::Lidocaine);
    let Some(lidocaine) = lidocaine else {
        let why = format!("the dose of {name} is not judged: there is no figure for it");
        return Judged { against: large_area(cream), fine: CheckCode::DoseNotJudged.says(why) };
    };
    let mg = (grams * lidocaine.percent * Decimal::TEN).normalize();
    let sum =
        format!("{how} of {name} hold {mg} mg of lidocaine ({} x {} %)", weighed(grams), lidocaine.percent.normalize());
    let by_weight = cream.weight_kg.map(|weight| ((weight * LIDOCAINE_MG_KG).normalize(), weight.normalize()));
    let for_all = format!("{LIDOCAINE_MG} mg");
    let by_weight_told = by_weight.map(|(most, weight)| format!("{most} mg (4.5 mg/kg x {weight} kg)"));
    let too_much = mg > Decimal::from(LIDOCAINE_MG) || by_weight.is_some_and(|(most, _)| mg > most);
    let limits = match by_weight_told {
        Some(told) => format!("{for_all} and {told}"),
        None => format!("{for_all}; the patient's weight is not written down"),
    };
    let mut against = Vec::new();
    if too_much {
        let cause = format!("{sum}: more than {limits}, if all of it were taken up");
        let reason = CheckCode::DoseLidocaine.says(cause).with("mg", mg).with("maxMg", LIDOCAINE_MG);
        let reason = reason.with_some("maxMgByWeight", by_weight.map(|it| it.0));
        against.push(reason.with_some("weightKg", by_weight.map(|it| it.1)));
    }
    Judged { against, fine: CheckCode::Passed.says(format!("{sum}, within {limits}")) }
}

/// A large area is told of whatever is on it.
fn large_area(cream: &CreamFact) -> Vec<Reason> {
    let most = LICENSED.1;
    let area = cream.area_cm2.filter(|area| *area > Decimal::from(most));
    let told = area.map(|area| {
        let area = area.normalize();
        let reason = CheckCode::DoseArea.says(format!("the cream covered {area} cm²: more than {most} cm²"));
        reason.with("areaCm2", area).with("maxAreaCm2", most)
    });
    told.into_iter().collect()
}

/// g of the cream, and how they are known.
fn amount(cream: &CreamFact) -> Option<(Decimal, String)> {
    if let Some(grams) = cream.grams {
        return Some((grams, weighed(grams)));
    }
    let area = cream.area_cm2?;
    Some((area * GRAMS_PER_CM2, format!("about {} on {} cm²", weighed(area * GRAMS_PER_CM2), area.normalize())))
}

fn weighed(grams: Decimal) -> String {
    format!("{} g", grams.normalize())
}

fn named(agents: &[AnaestheticAgent]) -> String {
    let each: Vec<String> =
        agents.iter().map(|it| format!("{} {} %", it.agent.words(), it.percent.normalize())).collect();
    each.join(" + ")
}

#[cfg(test)]
mod tests {
    use super::super::agents::read_agents;
    use super::super::tests::Case;
    use super::*;
    use proptest::prelude::*;

    fn cream(strength: &str, grams: Option<i64>, area: Option<i64>, weight: Option<i64>) -> CreamFact {
        CreamFact {
            minutes: Some(60),
            grams: grams.map(Decimal::from),
            area_cm2: area.map(Decimal::from),
            agents: read_agents(strength),
            weight_kg: weight.map(Decimal::from),
        }
    }

    #[test]
    fn what_was_put_on_is_reckoned_and_shown() {
        for (strength, grams, area, weight, told) in [
            ("lidocaine 30 %", None, Some(800), None, "about 80 g on 800 cm² of lidocaine 30 % hold 24000 mg"),
            ("lidocaine 5 %", Some(7), Some(100), None, "7 g of lidocaine 5 % hold 350 mg of lidocaine (7 g x 5 %)"),
            ("lidocaine 5 %", Some(5), Some(100), Some(50), "225 mg (4.5 mg/kg x 50 kg)"),
            ("lidocaine 23 % + tetracaine 7 %", Some(10), None, None, "hold 2300 mg of lidocaine"),
            ("EMLA", Some(70), Some(500), None, "is 70 g: more than 60 g"),
            ("EMLA", Some(50), Some(700), None, "covered 700 cm²: more than 600 cm²"),
            ("tetracaine 4 %", None, Some(700), None, "covered 700 cm²"),
            ("", None, Some(700), None, "covered 700 cm²"),
        ] {
            let found = Case { cream: Some(cream(strength, grams, area, weight)), ..Case::fine() };
            let found = found.checks().into_iter().find(|it| it.rule == CheckRule::Dose).expect("an answer");
            assert_eq!(found.verdict, CheckVerdict::Warn, "{strength}: {}", found.cause);
            assert!(found.cause.contains(told), "{strength}: {}", found.cause);
        }
        for (strength, grams, area, weight, told) in [
            ("lidocaine 5 %", Some(5), Some(100), Some(80), "within 300 mg and 360 mg"),
            ("lidocaine 5 %", Some(6), None, None, "the patient's weight is not written down"),
            ("lidocaine 2.5 % + prilocaine 2.5 %", Some(60), Some(600), None, "within 60 g"),
            ("tetracaine 4 %", Some(5), Some(50), None, "not judged"),
            ("", Some(5), None, None, "not judged"),
            ("lidocaine 5 %", None, None, None, "not judged"),
        ] {
            let found = Case { cream: Some(cream(strength, grams, area, weight)), ..Case::fine() };
            let found = found.checks().into_iter().find(|it| it.rule == CheckRule::Dose).expect("an answer");
            assert_eq!(found.verdict, CheckVerdict::Pass, "{strength}: {}", found.cause);
            assert!(found.cause.contains(told), "{strength}: {}", found.cause);
        }
        let long = CreamFact { minutes: Some(301), ..cream("EMLA", Some(20), None, None) };
        assert!(judged(&long).against[0].cause.contains("301 minutes"));
    }

    proptest! {
        #[test]
        fn more_cream_on_the_same_patient_is_never_milder(
            percent in 1_i64..60, grams in 1_i64..100, more in 0_i64..100, weight in prop::option::of(20_i64..150)
        ) {
            let of = |grams| judged(&cream(&format!("lidocaine {percent} %"), Some(grams), None, weight)).against.len();
            prop_assert!(of(grams + more) >= of(grams));
            // Less weight never allows more.
            let lighter = judged(&cream(&format!("lidocaine {percent} %"), Some(grams), None, weight.map(|it| it / 2)));
            prop_assert!(lighter.against.len() >= of(grams));
        }
    }
}
