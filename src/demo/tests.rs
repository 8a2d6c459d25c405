use super::chart::{Chart, World};
use super::founding::Guidance;
use super::{course, founding, shelf};
use crate::call_back::{CallBackReason, CallBackStatus, Change, due, reconcile};
use crate::consent::{self, ConsentKind, ConsentTemplateVersion, ConsentTemplateVersionStatus};
use crate::plan::{SessionFact, progress};
use crate::record::Stamp;
use crate::session::{CheckVerdict, SessionStatus};
use crate::{aftercare, consultation, photo, protocol, session};
use chrono::{DateTime, Datelike, TimeDelta, TimeZone, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 24, 12, 0, 0).single().expect("time")
}

/// A world with the default protocols and a text of each kind, and without photos, which take their time to draw.
fn world(seed: u64) -> World {
    let stamp = Stamp::new(None, noon() - TimeDelta::days(900));
    let defaults = protocol::defaults::defaults().expect("defaults");
    let protocols = (1..).zip(defaults).map(|(number, it)| protocol::ProtocolVersion {
        id: Uuid::from_u128(number),
        protocol_id: Uuid::from_u128(number),
        number: 1,
        status: protocol::VersionStatus::Published,
        modality: it.modality,
        indications: it.indications,
        rules: it.rules,
        published_at: Some(stamp.created_at),
        published_by: None,
        change_note: None,
        stamp: stamp.clone(),
    });
    let texts = (100..).zip(ConsentKind::ALL).map(|(number, kind)| {
        let text = ConsentTemplateVersion {
            id: Uuid::from_u128(number),
            template_id: Uuid::from_u128(number),
            number: 1,
            status: ConsentTemplateVersionStatus::Published,
            text: "I agree.".to_owned(),
            text_hash: consent::hash_of(b"I agree."),
            language: "en".to_owned(),
            modalities: Vec::new(),
            valid_days: (*kind == ConsentKind::Treatment).then_some(365),
            published_at: Some(stamp.created_at),
            published_by: None,
            stamp: stamp.clone(),
        };
        (*kind, text)
    });
    let guidance = Guidance { protocols: protocols.collect(), texts: texts.collect(), shelf: founding::shelf(noon()) };
    World { photographed: 0, ..founding::world(seed, noon(), guidance) }
}

fn charts(seed: u64, count: u32) -> Vec<Chart> {
    let world = world(seed);
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
    let oldest = end - TimeDelta::days(shelf::DAYS + 31);
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
        newest.extend(chart.reviews.iter().map(|it| (it.id, it.stamp.version)));
        newest.extend(chart.consultations.iter().map(|it| (it.id, it.stamp.version)));
        newest.extend(chart.sessions.iter().map(|(it, _)| (it.id, it.stamp.version)));
        newest.extend(chart.notes.iter().map(|it| (it.id, it.stamp.version)));
        newest.extend(chart.addenda.iter().map(|it| (it.id, 1)));
        newest.extend(chart.plans.iter().map(|it| (it.id, it.stamp.version)));
        newest.extend(chart.consents.iter().map(|it| (it.id, it.stamp.version)));
        newest.extend(chart.outcomes.iter().map(|it| (it.id, it.stamp.version)));
        newest.extend(chart.events.iter().map(|it| (it.id, it.stamp.version)));
        newest.extend(chart.recalls.iter().map(|it| (it.id, it.stamp.version)));
        assert_eq!(versions.len(), newest.len());
        for (id, version) in newest {
            assert_eq!(versions.get(&id), Some(&(1..=version).collect()), "{id}");
        }
    }
}

#[test]
fn visits_are_in_working_hours_and_courses_keep_their_distance() {
    let zones = [Tz::Europe__London, Tz::Europe__Paris, Tz::America__New_York];
    let world = world(5);
    let places = [world.home.id, world.elsewhere[0].1.id, world.elsewhere[1].1.id];
    for chart in charts(5, 200) {
        for (session, _) in &chart.sessions {
            let place = places.iter().position(|id| *id == session.location_id).expect("place");
            let local = session.started_at.with_timezone(&zones[place]);
            assert!((9..18).contains(&local.hour()) && local.weekday() != Weekday::Sun, "{local}");
        }
        for pair in chart.sessions.windows(2) {
            let days = (pair[1].0.started_at - pair[0].0.started_at).num_days();
            assert!(days >= 17, "{days}");
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

#[test]
fn recalls_are_what_the_plans_ask_for() {
    let world = world(8);
    let zones = [
        (world.home.id, Tz::Europe__London),
        (world.elsewhere[0].1.id, Tz::Europe__Paris),
        (world.elsewhere[1].1.id, Tz::America__New_York),
    ];
    let mut plans = 0;
    for chart in charts(8, 300) {
        for plan in &chart.plans {
            let version = world.protocols.iter().find(|it| it.id == plan.protocol_version_id).expect("a protocol");
            let of_plan = chart.sessions.iter().filter(|(it, _)| it.plan_id == Some(plan.id));
            let facts: Vec<SessionFact> = of_plan
                .map(|(it, _)| {
                    SessionFact::of(it, zones.iter().find(|(id, _)| *id == it.location_id).expect("a location").1)
                })
                .collect();
            let progress = progress(plan, (version.modality, &version.rules), &facts, plan.started_on);
            let recalls: Vec<_> = chart.recalls.iter().filter(|it| it.plan_id == Some(plan.id)).cloned().collect();
            let changes = reconcile(&recalls, &due::wanted(plan, &progress, version), None);
            assert!(changes.iter().all(|change| matches!(change, Change::Keep(_))), "{changes:?}");
            plans += 1;
        }
    }
    assert!(plans > 200, "{plans}");
}

#[test]
fn every_warning_has_its_reason_and_nothing_blocks() {
    let (mut warned, mut checked) = (0, 0);
    for chart in charts(9, 400) {
        for (session, parts) in &chart.sessions {
            assert_eq!(session.plan_id.is_some(), !parts.checks.is_empty());
            let treated = matches!(session.status, SessionStatus::Completed | SessionStatus::Stopped);
            for check in parts.checks.iter().filter(|_| treated) {
                assert!(check.is_settled() && check.verdict != CheckVerdict::Block, "{check:?}");
                warned += usize::from(check.verdict == CheckVerdict::Warn);
                checked += 1;
            }
        }
    }
    assert!(warned * 100 > checked && warned * 5 < checked, "{warned} of {checked}");
}

#[test]
fn the_first_forty_have_something_of_everything() {
    for seed in [1, 5] {
        let charts = charts(seed, 40);
        let events: Vec<_> = charts.iter().flat_map(|it| &it.events).collect();
        let recalls: Vec<_> = charts.iter().flat_map(|it| &it.recalls).collect();
        let today = noon().date_naive();
        assert!(events.len() > 1 && events.iter().any(|it| it.outcome.is_open()), "{events:?}");
        assert!(charts.iter().any(|it| !it.outcomes.is_empty()) && charts.iter().any(|it| !it.consents.is_empty()));
        for status in [CallBackStatus::Open, CallBackStatus::Done, CallBackStatus::Superseded] {
            assert!(recalls.iter().any(|it| it.status == status), "{status:?}");
        }
        assert!(
            recalls.iter().any(|it| it.is_live() && it.due_until < today)
                && recalls.iter().any(|it| !it.attempts.is_empty())
        );
        assert!(recalls.iter().any(|it| it.reason == CallBackReason::Maintenance));
    }
}

#[test]
fn photos_come_in_pairs_and_are_the_same_each_time() {
    let world = World { photographed: 40, ..world(1) };
    let charts: Vec<_> =
        (0..6).map(|index| course::chart(&world, index, format!("P-{index:06}")).expect("chart")).collect();
    let photos = |charts: &[Chart]| {
        charts.iter().flat_map(|it| it.photos.iter().map(|(photo, _)| photo.clone())).collect::<Vec<_>>()
    };
    let again: Vec<_> =
        (0..6).map(|index| course::chart(&world, index, format!("P-{index:06}")).expect("chart")).collect();
    assert!(!photos(&charts).is_empty());
    assert_eq!(photos(&charts), photos(&again));
    let pairs =
        charts.iter().map(|chart| photo::pairs(&photos(std::slice::from_ref(chart)), |_| true).len()).sum::<usize>();
    assert!(pairs > 2, "{pairs}");
    for (photo, picture) in charts.iter().flat_map(|it| &it.photos) {
        assert_eq!(photo.content_hash.as_deref(), Some(picture.hash.as_str()));
        assert!(picture.bytes.len() < 100_000, "{}", picture.bytes.len());
    }
}
