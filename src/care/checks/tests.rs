use super::*;
use crate::catalogue::MakerRecall;
use crate::ids;
use crate::protocol::defaults;
use crate::record::Stamp;
use crate::scalars;
use crate::session::Override;
use chrono::{TimeDelta, TimeZone};
use proptest::prelude::*;

fn rules() -> Rules {
    defaults::defaults().expect("defaults").remove(0).rules
}

fn day(month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, month, day).expect("a day")
}

fn noon(day: NaiveDate) -> DateTime<Utc> {
    Utc.from_utc_datetime(&day.and_hms_opt(12, 0, 0).expect("noon"))
}

/// Facts that nothing speaks against, on 15 June.
#[derive(Clone)]
struct Case {
    rules: Rules,
    areas: Vec<AreaFact>,
    device: Option<Device>,
    lots: Vec<LotFact>,
    cream: Option<CreamFact>,
    skin_type: Option<FitzpatrickType>,
    health: Vec<HealthEntry>,
    sessions: Vec<EarlierSession>,
    consent: ConsentFact,
    consultation: Option<ConsultationFact>,
    modality: Modality,
}

impl Case {
    fn fine() -> Self {
        Self {
            rules: rules(),
            areas: vec![AreaFact { area: BodyArea::Cheek, side: Side::Left, depth_mm: Some(Decimal::new(15, 1)) }],
            device: None,
            lots: Vec::new(),
            cream: None,
            skin_type: Some(FitzpatrickType::Iii),
            health: Vec::new(),
            sessions: Vec::new(),
            consent: ConsentFact::InForce(ids::new_id()),
            consultation: Some(ConsultationFact {
                id: ids::new_id(),
                held_on: day(5, 1),
                valid_until: None,
                candidacy: Some(Candidacy::Suitable),
            }),
            modality: Modality::Microneedling,
        }
    }

    fn checks(&self) -> Vec<KeptCheck> {
        checks(&Facts {
            rules: &self.rules,
            protocol_version: Uuid::from_u128(1),
            protocol_modality: Modality::Microneedling,
            modality: self.modality,
            started_at: noon(day(6, 15)),
            day: day(6, 15),
            areas: &self.areas,
            device: self.device.as_ref(),
            lots: &self.lots,
            cream: self.cream,
            skin_type: self.skin_type,
            patient: Uuid::from_u128(2),
            health: &self.health,
            sessions: &self.sessions,
            consent: self.consent,
            consultation: self.consultation,
        })
    }

    /// The rules that do not pass, each with its strictest answer.
    fn against(&self) -> Vec<(CheckRule, CheckVerdict)> {
        let mut found: Vec<_> = self.checks().into_iter().map(|it| (it.rule, it.verdict)).collect();
        found.retain(|it| it.1 != CheckVerdict::Pass);
        found
    }
}

fn session(on: NaiveDate, area: BodyArea, side: Side) -> EarlierSession {
    EarlierSession {
        id: ids::new_id(),
        started_at: noon(on),
        day: on,
        status: SessionStatus::Completed,
        modality: Modality::Microneedling,
        areas: vec![(area, side)],
    }
}

fn entry(code: &str) -> HealthEntry {
    HealthEntry {
        id: ids::new_id(),
        patient_id: ids::new_id(),
        kind: HealthEntryKind::Condition,
        code: Some(code.to_owned()),
        text: code.to_owned(),
        severity: None,
        onset_on: None,
        ended_on: None,
        last_dose_on: None,
        source: None,
        verified_by: None,
        verified_at: None,
        entered_in_error: false,
        stamp: Stamp::new(None, ids::now()),
    }
}

#[test]
fn where_nothing_speaks_against_it_every_rule_passes_once() {
    let found = Case::fine().checks();
    assert!(found.iter().all(|it| it.verdict == CheckVerdict::Pass && !it.cause.is_empty()), "{found:#?}");
    let rules: Vec<CheckRule> = found.iter().map(|it| it.rule).collect();
    assert_eq!(rules.len(), CheckRule::ALL.len());
    assert!(CheckRule::ALL.iter().all(|rule| rules.contains(rule)));
}

#[test]
fn the_interval_counts_days_of_the_same_skin() {
    use CheckRule::Interval;
    let warns = vec![(Interval, CheckVerdict::Warn)];
    let table: Vec<(&str, EarlierSession, Vec<_>)> = vec![
        ("20 days", session(day(5, 26), BodyArea::Cheek, Side::Left), warns.clone()),
        ("21 days", session(day(5, 25), BodyArea::Cheek, Side::Left), vec![]),
        ("the same day", session(day(6, 15), BodyArea::Cheek, Side::Left), warns.clone()),
        ("both sides", session(day(6, 10), BodyArea::Cheek, Side::Bilateral), warns.clone()),
        ("the other side", session(day(6, 10), BodyArea::Cheek, Side::Right), vec![]),
        ("another area", session(day(6, 10), BodyArea::Nose, Side::Left), vec![]),
        (
            "not done",
            EarlierSession { status: SessionStatus::NotDone, ..session(day(6, 10), BodyArea::Cheek, Side::Left) },
            vec![],
        ),
        (
            "stopped half-way",
            EarlierSession { status: SessionStatus::Stopped, ..session(day(6, 10), BodyArea::Cheek, Side::Left) },
            warns.clone(),
        ),
        (
            "light",
            EarlierSession { modality: Modality::LedLightTherapy, ..session(day(6, 10), BodyArea::Cheek, Side::Left) },
            vec![],
        ),
        (
            "needles with radiofrequency",
            EarlierSession { modality: Modality::RfMicroneedling, ..session(day(6, 10), BodyArea::Cheek, Side::Left) },
            warns,
        ),
        ("afterwards", session(day(6, 16), BodyArea::Cheek, Side::Left), vec![]),
    ];
    for (name, earlier, expected) in table {
        let id = earlier.id;
        let case = Case { sessions: vec![earlier], ..Case::fine() };
        assert_eq!(case.against(), expected, "{name}");
        for check in case.checks().iter().filter(|it| it.verdict != CheckVerdict::Pass) {
            assert_eq!((check.record_kind, check.record_id), (Some(RecordKind::TreatmentSession), Some(id)), "{name}");
        }
    }
    let mut strict = Case { sessions: vec![session(day(6, 1), BodyArea::Cheek, Side::Left)], ..Case::fine() };
    strict.rules.blocks.interval = true;
    assert_eq!(strict.against(), [(Interval, CheckVerdict::Block)]);
}

fn pen(most: i64) -> Device {
    Device {
        id: ids::new_id(),
        model: "Pen".to_owned(),
        manufacturer: None,
        serial: None,
        kind: crate::vocabulary::DeviceKind::MotorisedPen,
        depth_min_mm: None,
        depth_max_mm: Some(Decimal::new(most, 2)),
        depth_step_mm: None,
        location_id: None,
        active: true,
        recalled: None,
        note: None,
        stamp: Stamp::new(None, ids::now()),
    }
}

#[test]
fn depth_is_held_to_the_device_and_to_the_protocol() {
    use CheckVerdict::{Block, Warn};
    // (depth in hundredths, the device's deepest, what comes of it); the protocol's limit on the cheek is 1.5 mm.
    let table: [(i64, Option<i64>, &[CheckVerdict]); 6] = [
        (150, None, &[]),
        (151, None, &[Warn]),
        (150, Some(150), &[]),
        (150, Some(125), &[Block]),
        (175, Some(150), &[Block, Warn]),
        (0, Some(100), &[]),
    ];
    for (depth, deepest, expected) in table {
        let area = AreaFact { area: BodyArea::Cheek, side: Side::Left, depth_mm: Some(Decimal::new(depth, 2)) };
        let case = Case { areas: vec![area], device: deepest.map(pen), ..Case::fine() };
        let found: Vec<CheckVerdict> = case.against().into_iter().map(|it| it.1).collect();
        assert_eq!(found, expected, "{depth} {deepest:?}");
    }
    let elsewhere = AreaFact { area: BodyArea::Other, side: Side::Left, depth_mm: Some(Decimal::new(250, 2)) };
    assert!(Case { areas: vec![elsewhere], ..Case::fine() }.against().is_empty(), "no limit for that area");
}

#[test]
fn contraindications_look_back_as_far_as_the_protocol_says() {
    use CheckVerdict::{Block, Warn};
    let dose = |last: Option<NaiveDate>| HealthEntry {
        kind: HealthEntryKind::Medication,
        last_dose_on: last,
        ..entry("isotretinoin")
    };
    let table: Vec<(&str, HealthEntry, Option<CheckVerdict>)> = vec![
        ("isotretinoin, under way", dose(None), Some(Block)),
        ("the last dose today", dose(Some(day(6, 15))), Some(Block)),
        ("a day ago", dose(Some(day(6, 14))), Some(Warn)),
        ("183 days ago", dose(day(6, 15).checked_sub_days(Days::new(183))), Some(Warn)),
        ("184 days ago", dose(day(6, 15).checked_sub_days(Days::new(184))), None),
        ("keloids", entry("keloid_tendency"), Some(Warn)),
        ("in capitals", entry("KELOID_Tendency"), Some(Warn)),
        (
            "a scar of 11 months",
            HealthEntry {
                ended_on: Some(NaiveDate::from_ymd_opt(2025, 7, 10).expect("a day")),
                ..entry("recent_scar")
            },
            Some(Warn),
        ),
        (
            "a scar of 13 months",
            HealthEntry {
                ended_on: Some(NaiveDate::from_ymd_opt(2025, 5, 10).expect("a day")),
                ..entry("recent_scar")
            },
            None,
        ),
        ("begins tomorrow", HealthEntry { onset_on: Some(day(6, 16)), ..entry("keloid_tendency") }, None),
        ("made in error", HealthEntry { entered_in_error: true, ..entry("bleeding_disorder") }, None),
        ("unknown code", entry("hay_fever"), None),
        (
            "unknown code, said to be absolute",
            HealthEntry { severity: Some(ContraindicationSeverity::Absolute), ..entry("hay_fever") },
            Some(Block),
        ),
        (
            "no code, to be weighed",
            HealthEntry { code: None, severity: Some(ContraindicationSeverity::Relative), ..entry("x") },
            Some(Warn),
        ),
        (
            "pregnant, without a code",
            HealthEntry { code: None, kind: HealthEntryKind::PregnancyOrNursing, ..entry("x") },
            Some(Block),
        ),
        (
            "pregnant until May",
            HealthEntry {
                code: None,
                kind: HealthEntryKind::PregnancyOrNursing,
                ended_on: Some(day(5, 20)),
                severity: Some(ContraindicationSeverity::Absolute),
                ..entry("x")
            },
            None,
        ),
    ];
    for (name, entry, expected) in table {
        let id = entry.id;
        let case = Case { health: vec![entry], ..Case::fine() };
        let found = case.checks().into_iter().find(|it| it.verdict != CheckVerdict::Pass);
        assert_eq!(found.as_ref().map(|it| it.verdict), expected, "{name}");
        if let Some(found) = found {
            assert_eq!((found.rule, found.record_id), (CheckRule::Contraindication, Some(id)), "{name}");
        }
    }
}

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

#[test]
fn lots_that_are_expired_or_recalled_warn() {
    let known = |expires_on, recalled: bool| ProductLot {
        id: ids::new_id(),
        product_id: ids::new_id(),
        lot: "A1".to_owned(),
        expires_on,
        received_on: None,
        recalled: recalled.then(|| MakerRecall { at: noon(day(6, 1)), reason: "Mould".to_owned(), reference: None }),
        note: None,
        stamp: Stamp::new(None, ids::now()),
    };
    let used =
        |expires_on, known| LotFact { product: "Serum".to_owned(), lot: Some("A1".to_owned()), expires_on, known };
    let table = [
        ("nothing known", used(None, None), 0),
        ("written, its last day", used(Some(day(6, 15)), None), 0),
        ("written, a day late", used(Some(day(6, 14)), None), 1),
        ("the catalogue knows better", used(Some(day(6, 14)), Some(known(Some(day(7, 1)), false))), 0),
        ("recalled", used(None, Some(known(Some(day(7, 1)), true))), 1),
        ("recalled and expired", used(None, Some(known(Some(day(6, 1)), true))), 2),
    ];
    for (name, lot, expected) in table {
        let found = Case { lots: vec![lot], ..Case::fine() }.against();
        assert_eq!(found, vec![(CheckRule::Lot, CheckVerdict::Warn); expected], "{name}");
    }
}

#[test]
fn a_device_that_is_recalled_or_out_of_use_warns() {
    let recalled = MakerRecall { at: noon(day(6, 1)), reason: "Motor".to_owned(), reference: None };
    for (device, expected) in [
        (pen(250), 0),
        (Device { active: false, ..pen(250) }, 1),
        (Device { recalled: Some(recalled), active: false, ..pen(250) }, 2),
    ] {
        let found = Case { device: Some(device), ..Case::fine() }.against();
        assert_eq!(found, vec![(CheckRule::Device, CheckVerdict::Warn); expected]);
    }
    let other = Case { modality: Modality::Prp, ..Case::fine() }.against();
    assert_eq!(other, [(CheckRule::Device, CheckVerdict::Warn)], "a protocol for another kind of treatment");
}

#[test]
fn a_consultation_must_still_hold_and_have_found_them_suitable() {
    let held =
        |held_on, valid_until, candidacy| Some(ConsultationFact { id: ids::new_id(), held_on, valid_until, candidacy });
    let suitable = Some(Candidacy::Suitable);
    let year_ago = NaiveDate::from_ymd_opt(2025, 6, 15).expect("a day");
    let table = [
        ("a year ago to the day", held(year_ago, None, suitable), 0),
        ("a day more", held(year_ago.pred_opt().expect("a day"), None, suitable), 1),
        ("says itself until when", held(year_ago, Some(day(6, 14)), suitable), 1),
        ("says itself, longer", held(year_ago.pred_opt().expect("a day"), Some(day(6, 15)), suitable), 0),
        ("deferred", held(day(5, 1), None, Some(Candidacy::Deferred)), 1),
        ("not decided", held(day(5, 1), None, None), 1),
        ("none", None, 1),
    ];
    for (name, consultation, expected) in table {
        let found = Case { consultation, ..Case::fine() }.against();
        assert_eq!(found, vec![(CheckRule::Consultation, CheckVerdict::Warn); expected], "{name}");
    }
}

#[test]
fn a_protocol_can_be_for_some_skin_types_only() {
    let mut case = Case::fine();
    case.rules.skin_types = vec![FitzpatrickType::I, FitzpatrickType::Ii];
    for (skin_type, expected) in [(Some(FitzpatrickType::I), 0), (Some(FitzpatrickType::V), 1), (None, 1)] {
        case.skin_type = skin_type;
        assert_eq!(case.against(), vec![(CheckRule::SkinType, CheckVerdict::Warn); expected], "{skin_type:?}");
    }
    case.rules.skin_types.clear();
    assert!(case.against().is_empty());
}

#[test]
fn the_numbing_cream_has_its_own_list_and_its_minutes() {
    use CheckVerdict::{Block, Warn};
    for (minutes, expected) in [(None, 0), (Some(19), 1), (Some(20), 0), (Some(60), 0), (Some(61), 1)] {
        let found = Case { cream: Some(CreamFact { minutes }), ..Case::fine() }.against();
        assert_eq!(found, vec![(CheckRule::Anaesthetic, Warn); expected], "{minutes:?}");
    }
    let liver = Case { health: vec![entry("liver_disease")], ..Case::fine() };
    assert!(liver.against().is_empty(), "without the cream it does not matter");
    let with_cream = Case { cream: Some(CreamFact { minutes: None }), ..liver };
    assert_eq!(with_cream.against(), [(CheckRule::Anaesthetic, Warn)]);
    let blood =
        Case { health: vec![entry("methaemoglobinaemia")], cream: Some(CreamFact { minutes: None }), ..Case::fine() };
    assert_eq!(blood.against(), [(CheckRule::Anaesthetic, Block)]);
}

/// Whether everything that was settled in one case stays settled in another.
fn stays(seen: &Case, later: &Case) -> bool {
    let done = Override { reason: "Wanted".to_owned(), by: ids::new_id(), supervisor_id: None, at: ids::now() };
    let mut before = seen.checks();
    for check in before.iter_mut().filter(|it| it.verdict != CheckVerdict::Pass) {
        check.overridden = Some(done.clone());
    }
    let now = keep_overrides(&before, later.checks(), ids::new_id());
    let mut against = now.iter().filter(|it| it.verdict != CheckVerdict::Pass).peekable();
    assert!(against.peek().is_some(), "{now:#?}");
    against.all(|it| it.overridden.as_ref() == Some(&done))
}

/// A case with a change.
fn but(case: &Case, change: impl FnOnce(&mut Case)) -> Case {
    let mut other = case.clone();
    change(&mut other);
    other
}

#[test]
fn an_override_settles_the_cause_that_was_seen_and_nothing_else() {
    let soon = Case { sessions: vec![session(day(6, 10), BodyArea::Cheek, Side::Left)], ..Case::fine() };
    assert!(stays(&soon, &soon));
    let moved = but(&soon, |it| {
        it.sessions = it.sessions.iter().cloned().map(|one| EarlierSession { day: day(6, 12), ..one }).collect();
    });
    let second_area = but(&soon, |it| {
        let both = vec![(BodyArea::Cheek, Side::Left), (BodyArea::Nose, Side::Midline)];
        for one in &mut it.sessions {
            one.areas.clone_from(&both);
        }
        it.areas.push(AreaFact { area: BodyArea::Nose, side: Side::Midline, depth_mm: None });
    });
    let table = [
        ("a stricter answer", soon.clone(), but(&soon, |it| it.rules.blocks.interval = true)),
        (
            "another session",
            soon.clone(),
            but(&soon, |it| it.sessions = vec![session(day(6, 10), BodyArea::Cheek, Side::Left)]),
        ),
        ("two days closer", soon.clone(), moved),
        ("a second area", soon.clone(), second_area),
    ];
    for (what, seen, later) in table {
        assert!(!stays(&seen, &later), "{what}");
    }
    let deep = |area, side, depth| Case { areas: vec![AreaFact { area, side, depth_mm: Some(depth) }], ..Case::fine() };
    let cheek = deep(BodyArea::Cheek, Side::Left, Decimal::new(36, 1));
    assert!(stays(&cheek, &cheek));
    for other in [
        deep(BodyArea::Cheek, Side::Left, Decimal::new(70, 1)),
        deep(BodyArea::Cheek, Side::Right, Decimal::new(36, 1)),
        deep(BodyArea::Periorbital, Side::Left, Decimal::new(36, 1)),
    ] {
        assert!(!stays(&cheek, &other), "{:?}", other.areas);
    }
}

#[test]
fn what_depends_on_the_days_since_is_settled_for_those_days() {
    let pill = |code: &str, on| HealthEntry { last_dose_on: Some(on), ..entry(code) };
    let taken = pill("isotretinoin", day(5, 1));
    let first = Case { health: vec![taken.clone()], ..Case::fine() };
    let later = but(&first, |it| it.health = vec![HealthEntry { last_dose_on: Some(day(6, 10)), ..taken.clone() }]);
    assert!(stays(&first, &first) && !stays(&first, &later));
    let expired = |on| {
        let lot =
            LotFact { product: "Serum".to_owned(), lot: Some("S-1".to_owned()), expires_on: Some(on), known: None };
        Case { lots: vec![lot], ..Case::fine() }
    };
    assert!(stays(&expired(day(6, 1)), &expired(day(6, 1))) && !stays(&expired(day(6, 1)), &expired(day(3, 1))));
    let withdrawn = |on| Case { consent: ConsentFact::Ended(Uuid::from_u128(9), Some(on)), ..Case::fine() };
    assert!(!stays(&withdrawn(day(6, 1)), &withdrawn(day(6, 2))));
}

#[test]
fn who_becomes_the_practitioner_loses_what_they_signed_off() {
    let mut case = Case { sessions: vec![session(day(6, 10), BodyArea::Cheek, Side::Left)], ..Case::fine() };
    case.rules.blocks.interval = true;
    let (prescriber, other) = (ids::new_id(), ids::new_id());
    let mut before = case.checks();
    for check in before.iter_mut().filter(|it| it.verdict == CheckVerdict::Block) {
        let at = ids::now();
        check.overridden =
            Some(Override { reason: "Agreed".to_owned(), by: prescriber, supervisor_id: Some(prescriber), at });
    }
    let settled = |practitioner| keep_overrides(&before, case.checks(), practitioner).iter().all(KeptCheck::is_settled);
    assert!(settled(other) && !settled(prescriber));
}

#[test]
fn no_answer_is_given_twice_and_each_has_an_id_of_its_own() {
    let area = AreaFact { area: BodyArea::Cheek, side: Side::Left, depth_mm: Some(Decimal::new(36, 1)) };
    let found = Case { areas: vec![area, area], ..Case::fine() }.checks();
    let session = ids::new_id();
    let ids: std::collections::BTreeSet<String> = found.iter().map(|it| it.id(session)).collect();
    assert_eq!(ids.len(), found.len());
    assert!(found.iter().all(|it| it.id(session) == it.clone().id(session) && it.id(session) != it.id(Uuid::nil())));
}

#[test]
fn a_rule_s_words_name_what_they_are_about() {
    let case = Case { sessions: vec![session(day(6, 10), BodyArea::Cheek, Side::Left)], ..Case::fine() };
    let cause = case.checks().into_iter().find(|it| it.verdict == CheckVerdict::Warn).expect("a warning").cause;
    for word in ["cheek", "5 days", "2026-06-10", "21 days", "2026-07-01"] {
        assert!(cause.contains(word), "{cause}");
    }
}

proptest! {
    #[test]
    fn the_interval_warns_exactly_when_a_naive_calendar_says_so(days in 0_i64..120, least in 0_i32..90, same: bool) {
        let side = if same { Side::Left } else { Side::Right };
        let earlier = session(day(6, 15) - TimeDelta::days(days), BodyArea::Cheek, side);
        let mut case = Case { sessions: vec![earlier], ..Case::fine() };
        case.rules.interval_min_days = least;
        // One day after the other, until the day of the session.
        let (mut on, mut counted) = (day(6, 15) - TimeDelta::days(days), 0);
        while on < day(6, 15) {
            on = on.succ_opt().expect("a day");
            counted += 1;
        }
        let warned = case.against().contains(&(CheckRule::Interval, CheckVerdict::Warn));
        prop_assert_eq!(warned, same && counted < least);
    }

    #[test]
    fn every_rule_answers_whatever_the_facts(depth in 0_i64..900, areas in 0_usize..5, minutes in proptest::option::of(-10_i64..500), limit in 0_i64..800) {
        let area = AreaFact { area: BodyArea::Cheek, side: Side::Bilateral, depth_mm: Some(Decimal::new(depth, 2)) };
        let mut case = Case { areas: vec![area; areas], cream: Some(CreamFact { minutes }), ..Case::fine() };
        for it in &mut case.rules.depth_limits {
            it.max_mm = scalars::Decimal(Decimal::new(limit, 2));
        }
        let found = case.checks();
        for rule in CheckRule::ALL {
            let of_rule: Vec<_> = found.iter().filter(|it| it.rule == *rule).collect();
            prop_assert!(!of_rule.is_empty());
            let passes = of_rule.iter().filter(|it| it.verdict == CheckVerdict::Pass).count();
            prop_assert!(passes == 0 || of_rule.len() == 1, "a pass stands alone");
        }
        let too_deep = found.iter().any(|it| it.rule == CheckRule::Depth && it.verdict != CheckVerdict::Pass);
        prop_assert_eq!(too_deep, areas > 0 && depth > limit);
    }
}
