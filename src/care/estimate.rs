//! When maintenance will be wanted: from the patient's own results where there are three or more, else from the
//! protocol. An estimate, and labelled as one.

use crate::protocol::Rules;
use chrono::{DateTime, Days, Months, NaiveDate, Utc};

/// The least points that a line is laid through.
const FEWEST: usize = 3;

/// A measured result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When it was assessed.
    pub at: DateTime<Utc>,
    /// The score.
    pub score: f64,
}

/// What the estimate must know of the scale of the results.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// How much worse is worse by one: a step, or a twentieth of a scale that has many.
    pub step: f64,
    /// Its direction.
    pub lower_is_better: bool,
}

/// What an estimate is based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "MaintenanceBasis")]
pub enum Basis {
    /// The patient's own results since the last session.
    OwnResults,
    /// The protocol's months after the last session.
    Protocol,
}

/// An estimate of when maintenance will be needed.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The earliest day of the interval.
    pub from: NaiveDate,
    /// The most likely day; none when the estimate rests on the protocol alone.
    pub likely: Option<NaiveDate>,
    /// The last day of the interval.
    pub until: NaiveDate,
    /// What the estimate is based on.
    pub basis: Basis,
    /// How many points it used.
    pub points: usize,
    /// How the estimate was made, in one sentence.
    pub explanation: String,
}

/// Student's t for an 80 % interval (two-sided), by degrees of freedom from 1; 1.282 beyond.
const T_80: [f64; 10] = [3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372];

/// A straight line through points, with the standard error of its slope.
struct Line {
    start: f64,
    slope: f64,
    slope_error: f64,
}

/// Least squares.
fn line(points: &[(f64, f64)]) -> Option<Line> {
    let n = f64::from(u32::try_from(points.len()).ok()?);
    let (mean_x, mean_y) =
        (points.iter().map(|it| it.0).sum::<f64>() / n, points.iter().map(|it| it.1).sum::<f64>() / n);
    let spread: f64 = points.iter().map(|it| (it.0 - mean_x).powi(2)).sum();
    if spread <= f64::EPSILON {
        return None;
    }
    let slope = points.iter().map(|it| (it.0 - mean_x) * (it.1 - mean_y)).sum::<f64>() / spread;
    let start = mean_y - slope * mean_x;
    let residual: f64 = points.iter().map(|it| (it.1 - start - slope * it.0).powi(2)).sum();
    let slope_error = if n > 2.0 { (residual / (n - 2.0) / spread).sqrt() } else { 0.0 };
    Some(Line { start, slope, slope_error })
}

fn day_after(day: NaiveDate, days: f64) -> NaiveDate {
    // Over 100 years is as good as never.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let days = days.clamp(0.0, 36_500.0).round() as u64;
    day.checked_add_days(Days::new(days)).unwrap_or(NaiveDate::MAX)
}

/// When the result will have worsened by one step of its scale since its best, by the patient's own results; by the
/// protocol where there are under three, or where they do not worsen.
///
/// `points` are of one scale, version, area and role of rater. `None` if the protocol has no maintenance and the patient's results say nothing.
pub fn estimate(rules: &Rules, last_session: NaiveDate, points: &[Point], scale: Scale) -> Option<Estimate> {
    let since: Vec<(f64, f64)> = points
        .iter()
        .filter_map(|point| {
            let days = (point.at.date_naive() - last_session).num_days();
            let sign = if scale.lower_is_better { 1.0 } else { -1.0 };
            Some((f64::from(i32::try_from(days).ok().filter(|days| *days >= 0)?), sign * point.score))
        })
        .collect();
    let used = since.len();
    let own = (used >= FEWEST).then(|| own_results(last_session, &since, scale.step)).flatten();
    own.or_else(|| {
        let (from, until) = rules.maintenance_from_months.zip(rules.maintenance_until_months)?;
        let after = |months: i32| {
            last_session.checked_add_months(Months::new(u32::try_from(months).unwrap_or(0))).unwrap_or(NaiveDate::MAX)
        };
        let why = if used < FEWEST {
            format!("{used} of the {FEWEST} results since the last session that an own estimate needs")
        } else {
            "the patient's results since the last session do not worsen".to_owned()
        };
        Some(Estimate {
            from: after(from),
            likely: None,
            until: after(until),
            basis: Basis::Protocol,
            points: used,
            explanation: format!(
                "An estimate: {from} to {until} months after the last session, as the protocol says; {why}."
            ),
        })
    })
}

fn own_results(last_session: NaiveDate, since: &[(f64, f64)], worse_by_one: f64) -> Option<Estimate> {
    let line = line(since)?;
    let best = since.iter().map(|it| it.1).fold(f64::INFINITY, f64::min);
    if line.slope <= 0.0 {
        return None;
    }
    let t = T_80.get(since.len().saturating_sub(3)).copied().unwrap_or(1.282);
    let reaches = |slope: f64| (best + worse_by_one - line.start) / slope;
    let (fast, slow) = (line.slope + t * line.slope_error, line.slope - t * line.slope_error);
    let likely = reaches(line.slope);
    // A slope that may be flat reaches nothing: the interval is open, and told to be so by its last day.
    let until = if slow > 0.0 { reaches(slow) } else { f64::INFINITY };
    Some(Estimate {
        from: day_after(last_session, reaches(fast).min(likely)),
        likely: Some(day_after(last_session, likely)),
        until: day_after(last_session, until.max(likely)),
        basis: Basis::OwnResults,
        points: since.len(),
        explanation: format!(
            "An estimate: a straight line through {} of the patient's own results since the last session; it will be \
             one step worse than the best of them on the likely day (80 % interval).",
            since.len()
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::defaults;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    fn rules() -> Rules {
        defaults::defaults().expect("defaults").remove(0).rules
    }

    const GAIS: Scale = Scale { step: 1.0, lower_is_better: true };

    fn last() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, 31).expect("a day")
    }

    fn point(days: i64, score: f64) -> Point {
        Point { at: last().and_hms_opt(12, 0, 0).expect("noon").and_utc() + TimeDelta::days(days), score }
    }

    #[test]
    fn two_results_are_too_few_and_the_protocol_speaks() {
        let found = estimate(&rules(), last(), &[point(40, 2.0), point(90, 2.0)], GAIS).expect("an estimate");
        assert_eq!((found.basis, found.points, found.likely), (Basis::Protocol, 2, None));
        let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).expect("a day");
        assert_eq!((found.from, found.until), (day(2026, 7, 31), day(2027, 1, 31)));
        let without = Rules { maintenance_from_months: None, maintenance_until_months: None, ..rules() };
        assert_eq!(estimate(&without, last(), &[], GAIS), None);
    }

    #[test]
    fn results_before_the_last_session_do_not_count() {
        let points = [point(-40, 3.0), point(-10, 2.0), point(30, 1.0)];
        assert_eq!(
            estimate(&rules(), last(), &points, GAIS).map(|it| (it.basis, it.points)),
            Some((Basis::Protocol, 1))
        );
    }

    #[test]
    fn a_straight_decline_is_followed_to_one_step() {
        // GAIS 1 at 40 days, a tenth of a step worse each 10 days: one step after another 100.
        let points: Vec<Point> = (0..4).map(|i| point(40 + i64::from(i) * 10, 1.0 + f64::from(i) * 0.1)).collect();
        let found = estimate(&rules(), last(), &points, GAIS).expect("an estimate");
        assert_eq!((found.basis, found.points), (Basis::OwnResults, 4));
        assert_eq!(found.likely, last().checked_add_days(Days::new(140)));
        assert_eq!((Some(found.from), Some(found.until)), (found.likely, found.likely), "no scatter, no interval");
    }

    #[test]
    fn results_that_get_better_fall_back_on_the_protocol() {
        for (lower_is_better, scores) in [(true, [3.0, 2.0, 1.0]), (false, [100.0, 120.0, 150.0])] {
            let points: Vec<Point> = scores.iter().zip([30, 60, 90]).map(|(score, days)| point(days, *score)).collect();
            let found = estimate(&rules(), last(), &points, Scale { lower_is_better, ..GAIS }).expect("an estimate");
            assert_eq!((found.basis, found.points), (Basis::Protocol, 3));
        }
    }

    proptest! {
        #[test]
        fn the_likely_day_is_in_the_interval(scores in proptest::collection::vec((1_i64..700, 0.0_f64..10.0), 0..12), lower: bool) {
            let points: Vec<Point> = scores.iter().map(|(days, score)| point(*days, *score)).collect();
            let found = estimate(&rules(), last(), &points, Scale { lower_is_better: lower, ..GAIS }).expect("the protocol has maintenance");
            prop_assert!(found.from <= found.until && found.from >= last());
            if let Some(likely) = found.likely {
                prop_assert!(found.from <= likely && likely <= found.until);
                prop_assert!(points.len() >= FEWEST);
            }
            // The order in which results were written down changes nothing.
            let mut turned = points.clone();
            turned.reverse();
            let again = estimate(&rules(), last(), &turned, Scale { lower_is_better: lower, ..GAIS }).expect("the same");
            prop_assert_eq!(again.basis, found.basis);
            prop_assert!((again.from - found.from).num_days().abs() <= 1);
        }
    }
}
