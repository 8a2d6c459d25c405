//! The scales. They are data, `scales.json`: sources number them differently, so each has versions.

use crate::error::{Code, Flaw};
use crate::vocabulary::vocabulary;
use rust_decimal::Decimal;
use serde::Deserialize;
use std::sync::LazyLock;

vocabulary! {
    /// Which scores of a scale are better.
    #[graphql(name = "OutcomeScaleDirection")]
    Better {
        /// Lower ones.
        Lower = "lower",
        /// Higher ones.
        Higher = "higher",
    }
}

/// The meaning of a score.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ScaleLabel {
    /// The score.
    pub score: Decimal,
    /// The meaning in words.
    pub text: String,
}

/// A version of a scale.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OutcomeScale {
    /// Its code, such as `gais`.
    pub code: String,
    /// Its version.
    pub version: String,
    /// Its name.
    pub name: String,
    /// The lowest score.
    pub min: Decimal,
    /// The highest score.
    pub max: Decimal,
    /// The step from one score to the next.
    pub step: Decimal,
    /// Which scores are better.
    pub better: Better,
    /// The unit of the score.
    pub unit: Option<String>,
    /// The meanings of scores.
    pub labels: Vec<ScaleLabel>,
    /// Where it is from.
    pub source: String,
}

static SCALES: LazyLock<Vec<OutcomeScale>> =
    LazyLock::new(|| serde_json::from_str(include_str!("scales.json")).unwrap_or_default());

/// Every version of every scale.
pub fn scales() -> &'static [OutcomeScale] {
    &SCALES
}

/// A version of a scale; else where the fault is, `scale` or `scaleVersion`, and what there is.
pub fn scale(code: &str, version: &str) -> Result<&'static OutcomeScale, (&'static str, String)> {
    let of_code: Vec<_> = scales().iter().filter(|scale| scale.code == code).collect();
    if of_code.is_empty() {
        let mut codes: Vec<&str> = scales().iter().map(|scale| scale.code.as_str()).collect();
        codes.dedup();
        return Err(("scale", format!("is not a scale; there are {}", codes.join(", "))));
    }
    let found = of_code.iter().copied().find(|scale| scale.version == version);
    let versions: Vec<&str> = of_code.iter().map(|scale| scale.version.as_str()).collect();
    found.ok_or_else(|| ("scaleVersion", format!("is not a version of {code}; there are {}", versions.join(", "))))
}

impl OutcomeScale {
    /// What is wrong with a score on this scale.
    pub fn fault(&self, score: Decimal) -> Option<Flaw> {
        let Self { min, max, step, .. } = self;
        if score < *min || score > *max {
            Some(Flaw::out_of_range(score, *min, *max, None))
        } else if (score - min).checked_rem(*step).is_none_or(|rest| !rest.is_zero()) {
            let message = format!("is {score}; on this scale it goes from {min} in steps of {step}");
            Some(Code::WrongStep.says(message).with("min", *min).with("step", *step))
        } else {
            None
        }
    }

    /// How much better the second score is: over 0 if it is.
    pub fn gain(&self, before: Decimal, after: Decimal) -> Decimal {
        match self.better {
            Better::Lower => before - after,
            Better::Higher => after - before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn number(text: &str) -> Decimal {
        text.parse().expect("a number")
    }

    #[test]
    fn the_scales_are_whole() {
        let read: Vec<OutcomeScale> = serde_json::from_str(include_str!("scales.json")).expect("scales.json");
        assert_eq!(read, scales());
        let names: BTreeSet<_> = read.iter().map(|scale| (&scale.code, &scale.version)).collect();
        assert_eq!(names.len(), read.len(), "each version once");
        assert_eq!(read.iter().filter(|scale| scale.code == "gais").count(), 2);
        for scale in &read {
            assert!(scale.min < scale.max && scale.step > Decimal::ZERO && scale.step.scale() <= 2, "{}", scale.code);
            assert_eq!((scale.fault(scale.min), scale.fault(scale.max)), (None, None), "{}", scale.code);
            for label in &scale.labels {
                assert_eq!(scale.fault(label.score), None, "{}", scale.code);
            }
        }
    }

    #[test]
    fn a_score_is_in_range_and_on_a_step() {
        for (code, version, score, right) in [
            ("gais", "1-to-5", "1", true),
            ("gais", "1-to-5", "5.0", true),
            ("gais", "1-to-5", "0", false),
            ("gais", "1-to-5", "6", false),
            ("gais", "1-to-5", "1.5", false),
            ("gais", "minus-1-to-3", "-1", true),
            ("gais", "minus-1-to-3", "-0.5", false),
            ("goodman_baron_qualitative", "1-to-4", "5", false),
            ("hair_density", "per-cm2", "153.4", true),
            ("hair_density", "per-cm2", "153.45", false),
        ] {
            let scale = scale(code, version).expect("a scale");
            assert_eq!(scale.fault(number(score)).is_none(), right, "{code} {version} {score}");
        }
    }

    #[test]
    fn an_unknown_scale_is_told_with_those_there_are() {
        let (at, why) = scale("vas", "1").expect_err("no such scale");
        assert!(at == "scale" && why.contains("gais, goodman_baron_qualitative"), "{why}");
        let (at, why) = scale("gais", "7").expect_err("no such version");
        assert!(at == "scaleVersion" && why.contains("1-to-5, minus-1-to-3"), "{why}");
    }
}
