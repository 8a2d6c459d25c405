//! What holds after a session at a moment: instructions, check-ins. Windows are hours after the session's end, so a
//! change of the clocks moves neither their length nor their end.

use crate::protocol::{CheckInDue, Rules};
use chrono::{DateTime, TimeDelta, Utc};

/// An instruction with the time it is in force, from its start until just before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Its code.
    pub code: String,
    /// The text of the instruction.
    pub text: String,
    /// When it takes effect.
    pub starts_at: DateTime<Utc>,
    /// When it ceases to apply.
    pub ends_at: DateTime<Utc>,
}

/// A check-in that the clinic owes the patient after a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckInState {
    /// Its code.
    pub code: String,
    /// Its name.
    pub label: String,
    /// Due from this moment.
    pub due_from: DateTime<Utc>,
    /// Overdue from this moment.
    pub due_until: DateTime<Utc>,
    /// When it was done.
    pub done_at: Option<DateTime<Utc>>,
}

/// What holds at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Situation {
    /// Instructions in force, the first to end first.
    pub in_force: Vec<InForce>,
    /// Instructions that begin later.
    pub upcoming: Vec<InForce>,
    /// Check-ins that are due and not done.
    pub check_ins_due: Vec<CheckInState>,
    /// Check-ins that are overdue.
    pub check_ins_overdue: Vec<CheckInState>,
    /// Check-ins that come later.
    pub check_ins_upcoming: Vec<CheckInState>,
}

/// So many hours after a moment.
fn hours_after(moment: DateTime<Utc>, hours: i32) -> DateTime<Utc> {
    moment.checked_add_signed(TimeDelta::hours(i64::from(hours))).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A contact may come so many hours before a check-in falls due and still answer it: the call in the evening of the treatment
/// is the one that was due next morning. A call on day 4 is not the one of day 7.
const EARLY_HOURS: i32 = 12;

/// When each check-in was done. A contact answers the last check-in that had fallen due by then; if that is done already, or
/// none had, it answers the next one where it comes a little early: within `EARLY_HOURS`, and past half of the way to it.
fn answered(due: &[&CheckInDue], ended_at: DateTime<Utc>, contacts: &[DateTime<Utc>]) -> Vec<Option<DateTime<Utc>>> {
    let mut done: Vec<Option<DateTime<Utc>>> = vec![None; due.len()];
    let mut contacts: Vec<DateTime<Utc>> = contacts.to_vec();
    contacts.sort_unstable();
    for contact in contacts {
        let begun = due.iter().take_while(|it| hours_after(ended_at, it.from_hours) <= contact).count();
        let last = begun.checked_sub(1);
        if let Some(open) = last.and_then(|last| done.get_mut(last)).filter(|it| it.is_none()) {
            *open = Some(contact);
            continue;
        }
        let since = last.and_then(|last| due.get(last)).map_or(0, |it| it.from_hours);
        let (Some(next), Some(open)) = (due.get(begun), done.get_mut(begun)) else { continue };
        let early = EARLY_HOURS.min((next.from_hours - since) / 2);
        if open.is_none() && contact >= hours_after(ended_at, next.from_hours - early) {
            *open = Some(contact);
        }
    }
    done
}

/// What holds at a moment after a session that ended then. `contacts` are the times of check-ins and follow-up calls:
/// each answers the check-in whose time it falls in, that it comes late for, or that it comes a little early for.
pub fn situation(rules: &Rules, ended_at: DateTime<Utc>, at: DateTime<Utc>, contacts: &[DateTime<Utc>]) -> Situation {
    let mut found = Situation::default();
    if at < ended_at {
        return found;
    }
    for instruction in &rules.aftercare {
        let it = InForce {
            code: instruction.code.clone(),
            text: instruction.text.clone(),
            starts_at: hours_after(ended_at, instruction.from_hours),
            ends_at: hours_after(ended_at, instruction.until_hours),
        };
        if at < it.starts_at {
            found.upcoming.push(it);
        } else if at < it.ends_at {
            found.in_force.push(it);
        }
    }
    found.in_force.sort_by_key(|it| it.ends_at);
    found.upcoming.sort_by_key(|it| it.starts_at);
    let mut due: Vec<_> = rules.check_ins.iter().collect();
    due.sort_by_key(|it| it.from_hours);
    let known: Vec<DateTime<Utc>> = contacts.iter().filter(|it| **it <= at).copied().collect();
    for (check_in, done_at) in due.iter().zip(answered(&due, ended_at, &known)) {
        let state = CheckInState {
            code: check_in.code.clone(),
            label: check_in.label.clone(),
            due_from: hours_after(ended_at, check_in.from_hours),
            due_until: hours_after(ended_at, check_in.until_hours),
            done_at,
        };
        if state.done_at.is_some() {
            continue;
        }
        let list = if at < state.due_from {
            &mut found.check_ins_upcoming
        } else if at < state.due_until {
            &mut found.check_ins_due
        } else {
            &mut found.check_ins_overdue
        };
        list.push(state);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::defaults;
    use chrono::TimeZone;
    use chrono_tz::Tz;
    use proptest::prelude::*;

    fn rules() -> Rules {
        defaults::defaults().expect("defaults").remove(0).rules
    }

    fn codes(list: &[InForce]) -> Vec<&str> {
        list.iter().map(|it| it.code.as_str()).collect()
    }

    #[test]
    fn the_restrictions_end_one_after_the_other() {
        let ended = Utc.with_ymd_and_hms(2026, 1, 15, 10, 0, 0).single().expect("a time");
        let at = |hours| situation(&rules(), ended, ended + TimeDelta::hours(hours), &[]);
        assert_eq!(at(-1), Situation::default());
        assert_eq!(at(0).in_force.len(), 9);
        let day = ["no_direct_sun", "no_make_up"];
        let three = ["no_exfoliants_retinoids_vitamin_c", "no_exercise", "no_sauna", "no_swimming"];
        let week = ["gentle_moisturiser", "do_not_pick"];
        let fortnight = ["sunscreen", "danger_signs"];
        assert_eq!(codes(&at(23).in_force), [&day[..], &three, &week, &fortnight[1..]].concat());
        assert_eq!(codes(&at(23).upcoming), ["sunscreen"]);
        assert_eq!(codes(&at(24).in_force), [&three[..], &week, &fortnight].concat());
        assert_eq!(codes(&at(72).in_force), [&week[..], &fortnight].concat());
        assert_eq!(codes(&at(168).in_force), fortnight);
        assert!(at(336).in_force.is_empty());
    }

    #[test]
    fn check_ins_are_due_then_overdue_until_somebody_asks() {
        let ended = Utc.with_ymd_and_hms(2026, 1, 15, 10, 0, 0).single().expect("a time");
        let at = |hours: i64, contacts: &[i64]| {
            let contacts: Vec<_> = contacts.iter().map(|hours| ended + TimeDelta::hours(*hours)).collect();
            let found = situation(&rules(), ended, ended + TimeDelta::hours(hours), &contacts);
            let codes = |list: &[CheckInState]| list.iter().map(|it| it.code.clone()).collect::<Vec<_>>().join(" ");
            (codes(&found.check_ins_due), codes(&found.check_ins_overdue), codes(&found.check_ins_upcoming))
        };
        let words =
            |due: &str, overdue: &str, upcoming: &str| (due.to_owned(), overdue.to_owned(), upcoming.to_owned());
        assert_eq!(at(1, &[]), words("", "", "day_1 day_7"));
        assert_eq!(at(12, &[]), words("day_1", "", "day_7"));
        assert_eq!(at(20, &[15]), words("", "", "day_7"));
        assert_eq!(at(48, &[]), words("", "day_1", "day_7"));
        assert_eq!(at(60, &[55]), words("", "", "day_7"), "late, and done");
        assert_eq!(at(150, &[15]), words("day_7", "", ""));
        assert_eq!(at(400, &[15]), words("", "day_7", ""));
        assert_eq!(at(400, &[15, 300]), words("", "", ""));
        assert_eq!(at(20, &[30]), words("day_1", "", "day_7"), "what comes later is not known yet");
        assert_eq!(at(60, &[10]), words("", "", "day_7"), "rung in the evening: that was the call of day 1");
        assert_eq!(at(60, &[5]), words("", "day_1", "day_7"), "on the way home");
        assert_eq!(at(400, &[10, 20]), words("", "day_7", ""), "two calls on day 1 are not the one of day 7");
        assert_eq!(at(400, &[100]), words("", "day_7", ""), "late for day 1");
        assert_eq!(at(400, &[15, 100]), words("", "day_7", ""), "day 4");
        assert_eq!(at(400, &[15, 135]), words("", "", ""), "the evening before");
        assert_eq!(at(400, &[300]), words("", "day_1", ""), "it can't be day 1 any more");
    }

    #[test]
    fn a_session_that_ends_just_before_midnight_as_the_clocks_change() {
        // Madrid, 28 March 2026, 23:50 (+01:00); at 02:00 the clocks go to 03:00.
        let zone = Tz::Europe__Madrid;
        let ended = zone.with_ymd_and_hms(2026, 3, 28, 23, 50, 0).single().expect("a time").with_timezone(&Utc);
        let found = situation(&rules(), ended, ended, &[]);
        let sun = found.in_force.iter().find(|it| it.code == "no_direct_sun").expect("an instruction");
        assert_eq!(sun.ends_at - sun.starts_at, TimeDelta::hours(24));
        assert_eq!(sun.ends_at.with_timezone(&zone).to_rfc3339(), "2026-03-30T00:50:00+02:00");
        // New York, 31 October 2026, 23:50 (-04:00); at 02:00 the clocks go back.
        let zone = Tz::America__New_York;
        let ended = zone.with_ymd_and_hms(2026, 10, 31, 23, 50, 0).single().expect("a time").with_timezone(&Utc);
        let found = situation(&rules(), ended, ended, &[]);
        let sun = found.in_force.iter().find(|it| it.code == "no_direct_sun").expect("an instruction");
        assert_eq!(sun.ends_at.with_timezone(&zone).to_rfc3339(), "2026-11-01T22:50:00-05:00");
    }

    proptest! {
        #[test]
        fn an_instruction_is_in_force_exactly_in_its_hours(minute in -600_i64..20_000, ended in 1_600_000_000_i64..1_900_000_000) {
            let ended = Utc.timestamp_opt(ended, 0).single().expect("a time");
            let rules = rules();
            let found = situation(&rules, ended, ended + TimeDelta::minutes(minute), &[]);
            for instruction in &rules.aftercare {
                let inside = minute >= i64::from(instruction.from_hours) * 60 && minute < i64::from(instruction.until_hours) * 60;
                prop_assert_eq!(found.in_force.iter().any(|it| it.code == instruction.code), inside && minute >= 0);
            }
            let check_ins = found.check_ins_due.len() + found.check_ins_overdue.len() + found.check_ins_upcoming.len();
            prop_assert_eq!(check_ins, if minute < 0 { 0 } else { rules.check_ins.len() });
        }
    }
}
