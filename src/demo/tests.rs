use super::chart::Chart;
use super::{course, founding};
use crate::session::SessionStatus;
use crate::{aftercare, consultation, session};
use chrono::{DateTime, Datelike, TimeDelta, TimeZone, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet};

fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 24, 12, 0, 0).single().expect("time")
}

fn charts(seed: u64, count: u32) -> Vec<Chart> {
    let world = founding::world(seed, noon());
    (0..count).map(|index| course::chart(&world, index, format!("P-{index:06}")).expect("chart")).collect()
}

#[test]
fn the_same_seed_makes_the_same_charts() {
    let contents = |seed| -> Vec<String> {
        charts(seed, 50).into_iter().flat_map(|chart| chart.entries).map(|entry| entry.content).collect()
    };
    assert_eq!(contents(7), contents(7));
    assert_ne!(contents(7), contents(8));
}

#[test]
fn charts_do_not_depend_on_how_many_are_made() {
    let (few, many) = (charts(1, 5), charts(1, 10));
    for (a, b) in few.iter().zip(&many) {
        assert_eq!(a.patient, b.patient);
    }
}

#[test]
fn nothing_happens_in_the_future_or_before_the_partitions() {
    let end = noon().date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    let oldest = end - TimeDelta::days(course::DAYS + 31);
    for chart in charts(2, 300) {
        for entry in &chart.entries {
            assert!(entry.at < end && entry.at > oldest, "{:?} {}", entry.kind, entry.at);
        }
        for (session, _) in &chart.sessions {
            assert!(session.ended_at.unwrap_or(session.started_at) < end);
        }
        assert!(chart.notes.iter().all(|note| note.noted_at < end));
    }
}

#[test]
fn what_is_signed_lacks_nothing() {
    for chart in charts(3, 400) {
        for it in chart.consultations.iter().filter(|it| it.signature.is_some()) {
            assert!(consultation::missing(it).into_result().is_ok(), "{it:?}");
        }
        for (it, parts) in chart.sessions.iter().filter(|(it, _)| it.signature.is_some()) {
            assert!(session::missing(it, parts).into_result().is_ok(), "{it:?}");
        }
        for it in chart.notes.iter().filter(|it| it.signature.is_some()) {
            assert!(aftercare::missing(it).into_result().is_ok(), "{it:?}");
        }
        for addendum in &chart.addenda {
            let signed = chart.sessions.iter().any(|(it, _)| it.id == addendum.record_id && it.signature.is_some());
            assert!(signed, "{addendum:?}");
        }
    }
}

#[test]
fn every_version_of_every_record_is_in_the_ledger_once() {
    for chart in charts(4, 150) {
        let mut versions: BTreeMap<_, Vec<i32>> = BTreeMap::new();
        for entry in &chart.entries {
            versions.entry(entry.record_id).or_default().push(entry.version);
        }
        let mut newest = vec![(chart.patient.id, chart.patient.stamp.version)];
        newest.extend(chart.health.iter().map(|it| (it.id, it.stamp.version)));
        newest.extend(chart.consultations.iter().map(|it| (it.id, it.stamp.version)));
        newest.extend(chart.sessions.iter().map(|(it, _)| (it.id, it.stamp.version)));
        newest.extend(chart.notes.iter().map(|it| (it.id, it.stamp.version)));
        newest.extend(chart.addenda.iter().map(|it| (it.id, 1)));
        assert_eq!(versions.len(), newest.len());
        for (id, version) in newest {
            assert_eq!(versions.get(&id), Some(&(1..=version).collect()), "{id}");
        }
    }
}

#[test]
fn visits_are_in_working_hours_and_courses_keep_their_distance() {
    let zones = [Tz::Europe__London, Tz::Europe__Paris, Tz::America__New_York];
    let world = founding::world(5, noon());
    let places = [world.home.id, world.elsewhere[0].1.id, world.elsewhere[1].1.id];
    for chart in charts(5, 200) {
        for (session, _) in &chart.sessions {
            let place = places.iter().position(|id| *id == session.location_id).expect("place");
            let local = session.started_at.with_timezone(&zones[place]);
            assert!((9..18).contains(&local.hour()) && local.weekday() != Weekday::Sun, "{local}");
        }
        for pair in chart.sessions.windows(2) {
            let days = (pair[1].0.started_at - pair[0].0.started_at).num_days();
            assert!(days >= 20, "{days}");
        }
    }
}

#[test]
fn the_proportions_are_those_of_a_clinic() {
    let charts = charts(6, 1500);
    let sessions: Vec<_> = charts.iter().flat_map(|chart| &chart.sessions).collect();
    let of = |status| sessions.iter().filter(|(it, _)| it.status == status).count() * 1000 / sessions.len();
    let each = sessions.len() * 100 / charts.len();
    assert!((370..440).contains(&each), "{each} sessions for 100 patients");
    assert!(of(SessionStatus::Completed) > 930 && (5..30).contains(&of(SessionStatus::Stopped)));
    let unsigned = sessions.iter().filter(|(it, _)| it.signature.is_none()).count() * 1000 / sessions.len();
    assert!((2..40).contains(&unsigned), "{unsigned}");
    let notes: Vec<_> = charts.iter().flat_map(|chart| &chart.notes).collect();
    assert!(
        notes.iter().any(|note| note.escalate) && notes.iter().filter(|note| note.escalate).count() * 50 < notes.len()
    );
    let names: BTreeSet<_> = charts.iter().map(|chart| chart.patient.name_key()).collect();
    assert!(names.len() * 10 > charts.len() * 8, "{}", names.len());
    let without = charts.iter().filter(|chart| chart.sessions.is_empty()).count() * 100 / charts.len();
    assert!((5..30).contains(&without), "{without} of 100 without a session");
}
