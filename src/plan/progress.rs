//! How far a plan has come: derived, never stored. Days are those of the location's zone.

use super::{TreatmentPlan, TreatmentPlanStatus};
use crate::protocol::Rules;
use crate::session::{SessionStatus, TreatmentSession, strain_alike};
use crate::vocabulary::Modality;
use chrono::{DateTime, Days, Months, NaiveDate, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

/// The facts about a session that the progress of a plan depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionFact {
    /// The session.
    pub id: Uuid,
    /// When it ended; when it began, where no end is known.
    pub at: DateTime<Utc>,
    /// Its status.
    pub status: SessionStatus,
    /// The zone of its location.
    pub zone: Tz,
    /// The kind of treatment that it is by its own word.
    pub modality: Modality,
    /// The kind of treatment that it is by its device, where that is another.
    pub by_device: Option<Modality>,
}

impl SessionFact {
    /// The facts about a session at a place in this zone.
    pub fn of(session: &TreatmentSession, zone: Tz) -> Self {
        Self {
            id: session.id,
            at: session.ended_at.unwrap_or(session.started_at),
            status: session.status,
            zone,
            modality: session.modality,
            by_device: session.kinds().nth(1),
        }
    }

    /// Whether it is one of a course of this kind of treatment.
    pub fn is_of(&self, modality: Modality) -> bool {
        self.modality == modality || self.by_device == Some(modality)
    }

    /// The day it took place, where it took place.
    pub fn day(&self) -> NaiveDate {
        self.at.with_timezone(&self.zone).date_naive()
    }
}

/// A range of days in which something falls due, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateWindow {
    /// Not before this day.
    pub from: NaiveDate,
    /// The day to aim at, where there is one.
    pub target: Option<NaiveDate>,
    /// Overdue after this day.
    pub until: NaiveDate,
}

/// The progress of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Sessions completed, of the kind of treatment that the plan is for now.
    pub done: usize,
    /// Sessions still planned.
    pub remaining: usize,
    /// The last completed session, of its kind of treatment or of one that strains the skin alike.
    pub last_session: Option<Uuid>,
    /// When the next session is due; none when all are done or the plan is not active.
    pub next_session: Option<DateWindow>,
    /// When results are to be reviewed: after the last session of a completed course, else after the first session.
    pub results_review: Option<DateWindow>,
    /// The session after which they are.
    pub reviewed_session: Option<Uuid>,
    /// When maintenance falls due, once all sessions are done.
    pub maintenance: Option<DateWindow>,
    /// Whether the next session or maintenance is overdue.
    pub overdue: bool,
}

fn days_after(day: NaiveDate, days: i32) -> NaiveDate {
    day.checked_add_days(Days::new(u64::try_from(days).unwrap_or(0))).unwrap_or(NaiveDate::MAX)
}

/// So many months later; the last day of the month where that one is shorter.
fn months_after(day: NaiveDate, months: i32) -> NaiveDate {
    day.checked_add_months(Months::new(u32::try_from(months).unwrap_or(0))).unwrap_or(NaiveDate::MAX)
}

/// How far a plan has come on a day, by the kind of treatment and the rules of the protocol that it follows now. Sessions of
/// another kind, done before the course was changed or beside it, are none of its number; the next session still keeps the
/// distance from those that strain the skin alike.
pub fn progress(
    plan: &TreatmentPlan,
    (modality, rules): (Modality, &Rules),
    sessions: &[SessionFact],
    today: NaiveDate,
) -> Progress {
    let mut strained: Vec<&SessionFact> = sessions
        .iter()
        .filter(|it| it.status == SessionStatus::Completed)
        .filter(|it| it.is_of(modality) || strain_alike(it.modality, modality))
        .collect();
    strained.sort_by_key(|it| (it.at, it.id));
    let done: Vec<&SessionFact> = strained.iter().copied().filter(|it| it.is_of(modality)).collect();
    let planned = usize::try_from(plan.planned_sessions).unwrap_or(0);
    let remaining = planned.saturating_sub(done.len());
    let (first, last) = (done.first(), done.last());
    let active = plan.status == TreatmentPlanStatus::Active;
    let before = strained.last().map(|it| it.day());
    let next_session = (active && remaining > 0).then(|| match before {
        Some(day) => DateWindow {
            from: days_after(day, rules.interval_min_days),
            target: Some(days_after(day, rules.interval_target_days)),
            until: days_after(day, rules.interval_latest_days),
        },
        None => DateWindow {
            from: plan.started_on,
            target: Some(plan.started_on),
            until: days_after(plan.started_on, rules.interval_latest_days),
        },
    });
    let counts = active || plan.status == TreatmentPlanStatus::Completed;
    let reviewed = if remaining == 0 { last } else { first }.filter(|_| counts);
    let results_review = reviewed.map(|it| DateWindow {
        from: days_after(it.day(), rules.results_from_weeks.saturating_mul(7)),
        target: None,
        until: days_after(it.day(), rules.results_until_weeks.saturating_mul(7)),
    });
    let months = rules.maintenance_from_months.zip(rules.maintenance_until_months);
    let over = remaining == 0 || plan.status == TreatmentPlanStatus::Completed;
    let maintenance = last.zip(months).filter(|_| over && counts).map(|(it, (from, until))| DateWindow {
        from: months_after(it.day(), from),
        target: None,
        until: months_after(it.day(), until),
    });
    let overdue = [next_session, maintenance].into_iter().flatten().any(|window| today > window.until);
    Progress {
        done: done.len(),
        remaining,
        last_session: strained.last().map(|it| it.id),
        next_session,
        results_review,
        reviewed_session: reviewed.map(|it| it.id),
        maintenance,
        overdue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;
    use crate::protocol::defaults;
    use crate::record::Stamp;
    use chrono::{Datelike, TimeDelta, TimeZone};
    use proptest::prelude::*;

    fn rules() -> Rules {
        defaults::defaults().expect("defaults").remove(0).rules
    }

    fn plan(planned_sessions: i16) -> TreatmentPlan {
        let id = ids::new_id();
        TreatmentPlan {
            id,
            patient_id: id,
            consultation_id: id,
            protocol_version_id: id,
            concerns: Vec::new(),
            areas: Vec::new(),
            planned_sessions,
            status: TreatmentPlanStatus::Active,
            status_reason: None,
            note: None,
            started_on: day(2026, 1, 10),
            earlier_courses: Vec::new(),
            stamp: Stamp::new(None, ids::now()),
        }
    }

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).expect("a day")
    }

    fn completed(at: DateTime<Utc>, zone: Tz) -> SessionFact {
        SessionFact {
            id: ids::new_id(),
            at,
            status: SessionStatus::Completed,
            zone,
            modality: Modality::Microneedling,
            by_device: None,
        }
    }

    fn noon(on: NaiveDate) -> DateTime<Utc> {
        on.and_hms_opt(12, 0, 0).expect("noon").and_utc()
    }

    #[test]
    fn a_course_of_four_from_its_start_to_maintenance() {
        let (plan, rules) = (plan(4), rules());
        let fresh = progress(&plan, (Modality::Microneedling, &rules), &[], day(2026, 1, 10));
        assert_eq!((fresh.done, fresh.remaining, fresh.results_review, fresh.maintenance), (0, 4, None, None));
        assert_eq!(fresh.next_session.map(|it| it.from), Some(plan.started_on));
        let mut sessions = vec![completed(noon(day(2026, 1, 12)), Tz::UTC)];
        let one = progress(&plan, (Modality::Microneedling, &rules), &sessions, day(2026, 2, 1));
        let expected = DateWindow { from: day(2026, 2, 2), target: Some(day(2026, 2, 9)), until: day(2026, 3, 9) };
        assert_eq!((one.next_session, one.overdue), (Some(expected), false));
        assert_eq!(one.results_review.map(|it| (it.from, it.until)), Some((day(2026, 2, 9), day(2026, 2, 23))));
        assert!(progress(&plan, (Modality::Microneedling, &rules), &sessions, day(2026, 3, 10)).overdue);
        for on in [day(2026, 2, 9), day(2026, 3, 9), day(2026, 4, 6)] {
            sessions.push(completed(noon(on), Tz::UTC));
        }
        let all = progress(&plan, (Modality::Microneedling, &rules), &sessions, day(2026, 10, 6));
        assert_eq!((all.done, all.remaining, all.next_session), (4, 0, None));
        assert_eq!(all.results_review.map(|it| (it.from, it.until)), Some((day(2026, 5, 4), day(2026, 5, 18))));
        assert_eq!(all.maintenance.map(|it| (it.from, it.until)), Some((day(2026, 10, 6), day(2027, 4, 6))));
        assert!(!all.overdue && progress(&plan, (Modality::Microneedling, &rules), &sessions, day(2027, 4, 7)).overdue);
    }

    #[test]
    fn what_was_not_completed_does_not_count() {
        for status in SessionStatus::ALL {
            let fact = SessionFact { status: *status, ..completed(noon(day(2026, 1, 12)), Tz::UTC) };
            let done = progress(&plan(3), (Modality::Microneedling, &rules()), &[fact], day(2026, 1, 13)).done;
            assert_eq!(done, usize::from(*status == SessionStatus::Completed), "{status:?}");
        }
    }

    #[test]
    fn a_changed_course_counts_each_kind_of_treatment_for_itself() {
        let by_pen = [completed(noon(day(2026, 1, 12)), Tz::UTC), completed(noon(day(2026, 2, 12)), Tz::UTC)];
        let rf = |sessions: &[SessionFact]| {
            progress(&plan(3), (Modality::RfMicroneedling, &rules()), sessions, day(2026, 2, 13))
        };
        let changed = rf(&by_pen);
        assert_eq!((changed.done, changed.remaining, changed.maintenance), (0, 3, None));
        assert_eq!(changed.next_session.map(|it| it.from), Some(day(2026, 3, 5)), "the skin was needled all the same");
        assert_eq!((changed.last_session, changed.results_review), (Some(by_pen[1].id), None));
        let by_device =
            SessionFact { by_device: Some(Modality::RfMicroneedling), ..completed(noon(day(2026, 3, 12)), Tz::UTC) };
        let light = SessionFact { modality: Modality::LedLightTherapy, ..completed(noon(day(2026, 3, 20)), Tz::UTC) };
        let one = rf(&[by_pen[0], by_pen[1], by_device, light]);
        assert_eq!((one.done, one.remaining, one.last_session), (1, 2, Some(by_device.id)), "light is none of them");
    }

    #[test]
    fn the_day_is_the_location_s() {
        // 23:50 on 28 March in Madrid, the night the clocks go forward; 22:50 UTC.
        let late = Utc.with_ymd_and_hms(2026, 3, 28, 22, 50, 0).single().expect("a time");
        assert_eq!(completed(late, Tz::Europe__Madrid).day(), day(2026, 3, 28));
        assert_eq!(completed(late, Tz::Asia__Tokyo).day(), day(2026, 3, 29));
        let plan = plan(2);
        let in_tokyo =
            progress(&plan, (Modality::Microneedling, &rules()), &[completed(late, Tz::Asia__Tokyo)], day(2026, 3, 30));
        assert_eq!(in_tokyo.next_session.map(|it| it.from), Some(day(2026, 4, 19)));
    }

    #[test]
    fn a_plan_that_is_not_active_is_never_overdue_for_a_session() {
        for status in TreatmentPlanStatus::ALL {
            let plan = TreatmentPlan { status: *status, ..plan(4) };
            let found = progress(
                &plan,
                (Modality::Microneedling, &rules()),
                &[completed(noon(day(2026, 1, 12)), Tz::UTC)],
                day(2026, 6, 1),
            );
            assert_eq!(found.next_session.is_some(), *status == TreatmentPlanStatus::Active, "{status:?}");
        }
    }

    /// A calendar that counts one day after the other.
    fn naive_days_after(mut on: NaiveDate, days: i32) -> NaiveDate {
        for _ in 0..days {
            on = on.succ_opt().expect("a day");
        }
        on
    }

    /// So many months later, by turning pages; the last day of a shorter month.
    fn naive_months_after(on: NaiveDate, months: i32) -> NaiveDate {
        let (mut year, mut month) = (on.year(), on.month());
        for _ in 0..months {
            (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        }
        (1..=on.day()).rev().find_map(|day| NaiveDate::from_ymd_opt(year, month, day)).expect("a day")
    }

    proptest! {
        #[test]
        fn windows_are_what_a_naive_calendar_says(
            starts in proptest::collection::vec(0_i64..400, 0..6),
            planned in 1_i16..6,
            (least, more, slack) in (0_i32..60, 0_i32..60, 0_i32..60),
            (weeks, months) in (0_i32..20, 1_i32..24),
        ) {
            let (plan, mut rules) = (plan(planned), rules());
            rules.interval_min_days = least;
            rules.interval_target_days = least + more;
            rules.interval_latest_days = least + more + slack;
            (rules.results_from_weeks, rules.results_until_weeks) = (weeks, weeks + 2);
            (rules.maintenance_from_months, rules.maintenance_until_months) = (Some(months), Some(months + 6));
            let began = noon(day(2026, 1, 10));
            let facts: Vec<SessionFact> =
                starts.iter().map(|days| completed(began + TimeDelta::days(*days), Tz::UTC)).collect();
            let found = progress(&plan, (Modality::Microneedling, &rules), &facts, day(2026, 1, 10));
            let days: Vec<NaiveDate> = facts.iter().map(SessionFact::day).collect();
            prop_assert_eq!(found.done + found.remaining, facts.len().max(usize::try_from(planned).expect("small")));
            match days.iter().max() {
                Some(last) if found.remaining > 0 => {
                    let window = found.next_session.expect("a window");
                    prop_assert_eq!(window.from, naive_days_after(*last, least));
                    prop_assert_eq!(window.target, Some(naive_days_after(*last, least + more)));
                    prop_assert_eq!(window.until, naive_days_after(*last, least + more + slack));
                    prop_assert_eq!(found.maintenance, None);
                    let first = days.iter().min().expect("a day");
                    prop_assert_eq!(found.results_review.map(|it| it.from), Some(naive_days_after(*first, weeks * 7)));
                }
                Some(last) => {
                    prop_assert_eq!(found.next_session, None);
                    let window = found.maintenance.expect("a window");
                    prop_assert_eq!((window.from, window.until), (naive_months_after(*last, months), naive_months_after(*last, months + 6)));
                }
                None => prop_assert_eq!(found.results_review, None),
            }
        }
    }
}
