//! Series: assessments of one scale version by one role of rater, in the order of time.

use super::{Better, OutcomeAssessment, OutcomeScale, RaterRole, scale, scales};
use crate::error::{Code, Error, Faults, Result};
use crate::vocabulary::BodyArea;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Which assessments of a patient make a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesChoice {
    /// Code of the scale.
    pub scale: String,
    /// Version of the scale.
    pub scale_version: Option<String>,
    /// Of this area only.
    pub area: Option<BodyArea>,
    /// By this role only.
    pub rater_role: Option<RaterRole>,
    /// Of this plan only.
    pub plan_id: Option<Uuid>,
}

/// A score at a moment, with the direction that is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// When it was assessed.
    pub assessed_at: DateTime<Utc>,
    /// The score.
    pub score: Decimal,
    /// Which scores are better.
    pub better: Better,
}

/// Assessments of one scale version by one role of rater, in the order of time; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeSeries {
    /// The scale.
    pub scale: &'static OutcomeScale,
    /// The assessments, oldest first.
    pub points: Vec<OutcomeAssessment>,
}

/// The two assessments with the greatest improvement between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BestPair {
    /// The earlier one.
    pub before: OutcomeAssessment,
    /// The later, better one.
    pub after: OutcomeAssessment,
}

/// The assessments that were chosen, as a series; none where there is none. A choice that mixes versions of the scale
/// or roles of raters is refused.
pub fn series_of(all: Vec<OutcomeAssessment>, choice: &SeriesChoice) -> Result<Option<OutcomeSeries>> {
    let any = scales().iter().find(|scale| scale.code == choice.scale).map_or("", |scale| scale.version.as_str());
    let asked = scale(&choice.scale, choice.scale_version.as_deref().unwrap_or(any));
    asked.map_err(|(path, message)| Error::input(path, Code::UnknownValue.says(message)))?;
    let chosen = |it: &OutcomeAssessment| {
        !it.entered_in_error
            && it.scale == choice.scale
            && choice.scale_version.as_ref().is_none_or(|version| *version == it.scale_version)
            && (choice.area.is_none() || choice.area == it.area)
            && choice.rater_role.is_none_or(|role| role == it.rater_role)
            && (choice.plan_id.is_none() || choice.plan_id == it.plan_id)
    };
    let mut points: Vec<OutcomeAssessment> = all.into_iter().filter(chosen).collect();
    points.sort_by_key(|it| (it.assessed_at, it.id));
    not_mixed(&points)?;
    let Some(first) = points.first() else { return Ok(None) };
    let scale = scale(&first.scale, &first.scale_version).map_err(|(_, why)| Error::Internal(why))?;
    Ok(Some(OutcomeSeries { scale, points }))
}

/// Refuses several versions of a scale and several roles of raters, and says which there are.
fn not_mixed(points: &[OutcomeAssessment]) -> Result<()> {
    let mut faults = Faults::default();
    let versions: BTreeSet<&str> = points.iter().map(|it| it.scale_version.as_str()).collect();
    if versions.len() > 1 {
        let found = versions.into_iter().collect::<Vec<_>>().join(", ");
        faults.add(
            "scaleVersion",
            Code::Required.says(format!("these versions were used: {found}. They number differently: choose one")),
        );
    }
    let roles: BTreeSet<RaterRole> = points.iter().map(|it| it.rater_role).collect();
    if roles.len() > 1 {
        let found = roles.into_iter().map(|role| role.as_str().to_uppercase()).collect::<Vec<_>>().join(", ");
        faults.add(
            "raterRole",
            Code::Required.says(format!("raters of these roles scored: {found}. They see differently: choose one")),
        );
    }
    faults.into_result()
}

impl OutcomeSeries {
    /// The scores in the order of time, each with the direction that is better: for rules.
    #[allow(dead_code)] // for the slice of care rules
    pub fn scores(&self) -> Vec<Point> {
        let better = self.scale.better;
        self.points.iter().map(|it| Point { assessed_at: it.assessed_at, score: it.score, better }).collect()
    }

    /// The newest score minus the oldest; none with fewer than two.
    pub fn change(&self) -> Option<Decimal> {
        match self.points.as_slice() {
            [first, .., last] => Some(last.score - first.score),
            _ => None,
        }
    }

    /// Whether the newest score is better than the oldest; none with fewer than two.
    pub fn is_better(&self) -> Option<bool> {
        match self.points.as_slice() {
            [first, .., last] => Some(self.scale.gain(first.score, last.score) > Decimal::ZERO),
            _ => None,
        }
    }

    /// The pair with the greatest gain from an earlier moment to a later one; of several the one that ends first, then
    /// the one that begins first. None where nothing got better.
    pub fn best(&self) -> Option<BestPair> {
        let mut best: Option<(Decimal, &OutcomeAssessment, &OutcomeAssessment)> = None;
        // The worst score up to now, the first of several.
        let mut worst: Option<&OutcomeAssessment> = None;
        for same_moment in self.points.chunk_by(|a, b| a.assessed_at == b.assessed_at) {
            for after in same_moment {
                let Some(before) = worst else { break };
                let gain = self.scale.gain(before.score, after.score);
                if gain > best.map_or(Decimal::ZERO, |(gain, ..)| gain) {
                    best = Some((gain, before, after));
                }
            }
            for it in same_moment {
                if worst.is_none_or(|worst| self.scale.gain(it.score, worst.score) > Decimal::ZERO) {
                    worst = Some(it);
                }
            }
        }
        best.map(|(_, before, after)| BestPair { before: before.clone(), after: after.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;
    use crate::record::Stamp;
    use chrono::TimeZone;
    use proptest::prelude::*;

    fn assessment(version: &str, role: RaterRole, day: i64, score: i64) -> OutcomeAssessment {
        let at = Utc.timestamp_opt(1_760_000_000 + day * 86_400, 0).single().expect("a time");
        OutcomeAssessment {
            id: ids::new_id(),
            patient_id: Uuid::nil(),
            plan_id: None,
            session_id: None,
            scale: "gais".to_owned(),
            scale_version: version.to_owned(),
            area: None,
            score: Decimal::from(score),
            rater_role: role,
            rater_id: None,
            assessed_at: at,
            compared_with_photo_id: None,
            photo_id: None,
            note: None,
            entered_in_error: false,
            stamp: Stamp::new(None, at),
        }
    }

    fn choice() -> SeriesChoice {
        SeriesChoice { scale: "gais".to_owned(), scale_version: None, area: None, rater_role: None, plan_id: None }
    }

    fn faults(all: Vec<OutcomeAssessment>, choice: &SeriesChoice) -> Vec<(String, String)> {
        match series_of(all, choice) {
            Err(Error::BadUserInput(faults)) => {
                faults.into_iter().map(|fault| (fault.path, fault.flaw.message().to_owned())).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_series_refuses_to_mix_and_says_why() {
        use RaterRole::{Blinded, Patient, Practitioner};
        let (old, new) = ("1-to-5", "minus-1-to-3");
        let mixed = vec![
            assessment(old, Practitioner, 1, 4),
            assessment(new, Practitioner, 2, 1),
            assessment(new, Patient, 3, 2),
            OutcomeAssessment { entered_in_error: true, ..assessment(old, Blinded, 4, 1) },
        ];
        let found = faults(mixed.clone(), &choice());
        assert_eq!(found.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["scaleVersion", "raterRole"]);
        assert!(
            found[0].1.contains("1-to-5, minus-1-to-3") && found[1].1.contains("PRACTITIONER, PATIENT."),
            "{found:?}"
        );
        let of_new = SeriesChoice { scale_version: Some(new.to_owned()), ..choice() };
        assert_eq!(faults(mixed.clone(), &of_new).len(), 1);
        let by_practitioners = SeriesChoice { rater_role: Some(Practitioner), ..choice() };
        assert_eq!(faults(mixed.clone(), &by_practitioners)[0].0, "scaleVersion");
        let both = SeriesChoice { rater_role: Some(Practitioner), ..of_new };
        let series = series_of(mixed.clone(), &both).expect("a series").expect("a point");
        assert_eq!((series.points.len(), series.scale.version.as_str()), (1, new));
        assert_eq!((series.change(), series.is_better(), series.best()), (None, None, None));
        assert!(series_of(Vec::new(), &choice()).expect("no fault").is_none());
        assert_eq!(faults(mixed, &SeriesChoice { scale: "vas".to_owned(), ..choice() })[0].0, "scale");
    }

    #[test]
    fn the_change_has_the_direction_of_the_scale() {
        for (version, scores, change, better, best) in [
            ("1-to-5", vec![4, 3, 2], Some(-2), Some(true), Some((4, 2))),
            ("1-to-5", vec![4, 2, 3], Some(-1), Some(true), Some((4, 2))),
            ("1-to-5", vec![2, 4, 3], Some(1), Some(false), Some((4, 3))),
            ("1-to-5", vec![2, 3, 4], Some(2), Some(false), None),
            ("1-to-5", vec![3, 3], Some(0), Some(false), None),
            ("minus-1-to-3", vec![0, 1, 3], Some(3), Some(true), Some((0, 3))),
            ("minus-1-to-3", vec![3, -1, 2], Some(-1), Some(false), Some((-1, 2))),
            ("minus-1-to-3", vec![2], None, None, None),
        ] {
            let all = scores.iter().zip(0..).map(|(score, day)| assessment(version, RaterRole::Patient, day, *score));
            let series = series_of(all.collect(), &choice()).expect("a series").expect("points");
            let pair = series.best().map(|pair| (pair.before.score, pair.after.score));
            assert_eq!(series.change(), change.map(Decimal::from), "{version} {scores:?}");
            assert_eq!(series.is_better(), better, "{version} {scores:?}");
            assert_eq!(pair, best.map(|(a, b)| (Decimal::from(a), Decimal::from(b))), "{version} {scores:?}");
            assert_eq!(series.scores().len(), scores.len());
        }
    }

    /// Every pair, one by one.
    fn best_of_all_pairs(series: &OutcomeSeries) -> Option<(Uuid, Uuid)> {
        let points = &series.points;
        let mut best: Option<(Decimal, usize, usize)> = None;
        for (j, after) in points.iter().enumerate() {
            for (i, before) in points.iter().enumerate().filter(|(_, it)| it.assessed_at < after.assessed_at) {
                let gain = series.scale.gain(before.score, after.score);
                if gain > Decimal::ZERO && best.is_none_or(|(most, ..)| gain > most) {
                    best = Some((gain, i, j));
                }
            }
        }
        best.map(|(_, i, j)| (points[i].id, points[j].id))
    }

    proptest! {
        #[test]
        fn the_best_pair_is_the_best_of_all_pairs_in_any_order(
            drawn in prop::collection::vec((0..9i64, 1..6i64), 0..12),
            reversed: bool,
            turn in 0..12usize,
        ) {
            let (version, sign) = if reversed { ("minus-1-to-3", -1) } else { ("1-to-5", 1) };
            let all: Vec<OutcomeAssessment> = drawn
                .iter()
                .map(|(day, score)| assessment(version, RaterRole::Blinded, *day, sign * score + if reversed { 4 } else { 0 }))
                .collect();
            let mut turned = all.clone();
            if !turned.is_empty() {
                let by = turn % turned.len();
                turned.rotate_left(by);
                turned.reverse();
            }
            let series = series_of(all, &choice()).expect("a series");
            prop_assert_eq!(&series, &series_of(turned, &choice()).expect("a series"));
            if let Some(series) = series {
                let pair = series.best().map(|pair| (pair.before.id, pair.after.id));
                prop_assert_eq!(pair, best_of_all_pairs(&series));
            }
        }
    }
}
