use super::super::tests::{Case, day, entry};
use super::*;
use crate::vocabulary::Modality;
use CheckVerdict::{Block, Warn};
use HealthEntryKind::{Allergy, Condition, Medication, PregnancyOrNursing, PriorProcedure};
use proptest::prelude::*;

fn hold(table: Vec<(&str, HealthEntry, Option<CheckVerdict>)>) {
    for (name, entry, expected) in table {
        let id = entry.id;
        let case = Case { health: vec![entry], ..Case::fine() };
        let found = case.checks().into_iter().find(|it| it.verdict != CheckVerdict::Pass);
        assert_eq!(found.as_ref().map(|it| it.verdict), expected, "{name}: {found:?}");
        if let Some(found) = found {
            assert_eq!((found.rule, found.record_id), (CheckRule::Contraindication, Some(id)), "{name}");
        }
    }
}

fn long_ago(year: i32, month: u32, day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year, month, day)
}

fn pill(ended: Option<NaiveDate>, dose: Option<NaiveDate>) -> HealthEntry {
    HealthEntry {
        kind: Medication,
        onset_on: Some(day(1, 1)),
        ended_on: ended,
        last_dose_on: dose,
        ..entry("isotretinoin")
    }
}

#[test]
fn a_medicine_counts_until_the_later_of_its_end_and_its_last_dose() {
    let ago = |days| day(6, 15).checked_sub_days(Days::new(days));
    let taken = HealthEntry { onset_on: long_ago(2025, 1, 1), ..pill(None, None) };
    let over = |days| HealthEntry { ended_on: ago(days), ..taken.clone() };
    hold(vec![
        ("under way, a dose 3 days ago: it lasts", pill(None, ago(3)), Some(Block)),
        ("under way, a dose noted long ago", pill(None, ago(150)), Some(Block)),
        (
            "a blood thinner under way, taken yesterday",
            HealthEntry { kind: Medication, last_dose_on: ago(1), ..entry("anticoagulant") },
            Some(Warn),
        ),
        ("ended 9 days ago, an older dose", HealthEntry { last_dose_on: ago(300), ..over(9) }, Some(Warn)),
        ("ended long ago, a later dose", HealthEntry { last_dose_on: ago(9), ..over(300) }, Some(Warn)),
        ("isotretinoin, under way", pill(None, None), Some(Block)),
        ("the last day is today", over(0), Some(Block)),
        ("a day ago", over(1), Some(Warn)),
        ("183 days ago", over(183), Some(Warn)),
        ("184 days ago", over(184), None),
        ("begins tomorrow", HealthEntry { onset_on: Some(day(6, 16)), ..entry("eczema") }, None),
        ("made in error", HealthEntry { entered_in_error: true, ..entry("bleeding_disorder") }, None),
    ]);
}

#[test]
fn a_tendency_has_no_end_and_what_is_recent_counts_from_its_day() {
    let scar = |onset, ended| HealthEntry { onset_on: onset, ended_on: ended, ..entry("recent_scar") };
    hold(vec![
        (
            "a keloid cut out in 2020",
            HealthEntry { ended_on: long_ago(2020, 5, 1), onset_on: long_ago(2018, 1, 1), ..entry("keloid_tendency") },
            Some(Warn),
        ),
        ("cold sores, over", HealthEntry { ended_on: Some(day(5, 1)), ..entry("herpes_simplex") }, Some(Warn)),
        ("a scar of 2010", scar(long_ago(2010, 5, 1), None), None),
        ("a scar of 11 months", scar(None, long_ago(2025, 7, 10)), Some(Warn)),
        ("a scar of 13 months", scar(None, long_ago(2025, 5, 10)), None),
        ("a scar of 11 months by its onset", scar(long_ago(2025, 7, 10), None), Some(Warn)),
        ("a scar of an unknown day", scar(None, None), Some(Warn)),
        ("keloids", entry("keloid_tendency"), Some(Warn)),
        ("in capitals", entry("KELOID_Tendency"), Some(Warn)),
        ("eczema that is over", HealthEntry { ended_on: Some(day(5, 1)), ..entry("eczema") }, None),
    ]);
}

#[test]
fn the_stricter_severity_counts() {
    let noted = |severity, code| HealthEntry { severity: Some(severity), ..entry(code) };
    hold(vec![
        ("keloid, noted as absolute", noted(ContraindicationSeverity::Absolute, "keloid_tendency"), Some(Block)),
        (
            "a bleeding disorder, noted as caution",
            noted(ContraindicationSeverity::Caution, "bleeding_disorder"),
            Some(Block),
        ),
    ]);
    let cause = |severity| {
        let case = Case { health: vec![noted(severity, "keloid_tendency")], ..Case::fine() };
        case.checks().into_iter().find(|it| it.verdict != CheckVerdict::Pass).expect("a check").cause
    };
    let absolute = cause(ContraindicationSeverity::Absolute);
    assert!(absolute.contains("is an absolute") && absolute.contains("itself says so"), "{absolute}");
    assert!(!cause(ContraindicationSeverity::Caution).contains("itself"));
}

fn told(kind: HealthEntryKind, code: Option<&str>, text: &str) -> HealthEntry {
    HealthEntry { kind, code: code.map(str::to_owned), text: text.to_owned(), ..entry("x") }
}

#[test]
fn what_nobody_can_place_is_not_passed_over() {
    hold(vec![
        ("an allergy in words", told(Allergy, None, "Lidocaine: anaphylaxis 2019"), Some(Warn)),
        ("another code for it", told(Allergy, Some("lignocaine"), "Lignocaine"), Some(Block)),
        ("a brand in words", told(Medication, None, "Roaccutane 40 mg daily"), Some(Warn)),
        ("a brand as the code", told(Medication, Some("Roaccutane"), "40 mg daily"), Some(Block)),
        ("an allergy that nobody knows", told(Allergy, None, "Zzyzx"), Some(Warn)),
        ("an allergy that is known to do no harm, in words", told(Allergy, None, "Penicillin"), Some(Warn)),
        ("the same with its code", told(Allergy, Some("penicillin"), "Penicillin"), None),
        ("a medicine that nobody knows", told(Medication, None, "Zzyzx 5 mg"), Some(Warn)),
        (
            "a medicine that nobody knows, long over",
            HealthEntry { ended_on: long_ago(2020, 1, 1), ..told(Medication, None, "Zzyzx") },
            None,
        ),
        ("a code that no rule knows", told(Condition, Some("zzyzx"), "Zzyzx"), Some(Warn)),
        ("a condition in words", told(Condition, None, "Tired"), None),
        ("diabetes of another type", told(Condition, Some("diabetes_type_1"), "Type 1"), Some(Warn)),
        ("hay fever, with its code", told(Condition, Some("hay_fever"), "Hay fever"), None),
        ("methotrexate", told(Medication, Some("immunosuppression"), "Methotrexate"), Some(Warn)),
        ("a pacemaker, which matters under RF alone", told(Condition, Some("pacemaker"), "Pacemaker"), None),
        (
            "filler 5 days ago",
            HealthEntry { onset_on: Some(day(6, 10)), ..told(PriorProcedure, Some("filler"), "Filler, cheeks") },
            Some(Warn),
        ),
        (
            "filler 15 days ago",
            HealthEntry { onset_on: Some(day(5, 31)), ..told(PriorProcedure, Some("filler"), "Filler, cheeks") },
            None,
        ),
    ]);
    let silent = Case { health: vec![told(Condition, None, "Tired")], ..Case::fine() }.checks();
    let pass = silent.iter().find(|it| it.rule == CheckRule::Contraindication).expect("an answer");
    assert!(pass.cause.contains("1 entry without a code was not judged"), "{}", pass.cause);
    let epilepsy = told(Condition, Some("epilepsy"), "Epilepsy");
    let light = Case { health: vec![epilepsy], uses: vec![Modality::LedLightTherapy], ..Case::fine() };
    assert_eq!(light.against(), [(CheckRule::Contraindication, Warn)], "the list's own concern");
}

#[test]
fn what_the_protocol_does_not_know_counts_as_the_entry_says() {
    let absolute = Some(ContraindicationSeverity::Absolute);
    hold(vec![
        ("unknown code, said to be absolute", HealthEntry { severity: absolute, ..entry("hay_fever") }, Some(Block)),
        (
            "no code, to be weighed",
            HealthEntry { severity: Some(ContraindicationSeverity::Relative), ..told(Condition, None, "x") },
            Some(Warn),
        ),
        ("pregnant, without a code", told(PregnancyOrNursing, None, "x"), Some(Block)),
        (
            "pregnant until May",
            HealthEntry { ended_on: Some(day(5, 20)), severity: absolute, ..told(PregnancyOrNursing, None, "x") },
            None,
        ),
    ]);
}

#[test]
fn what_is_known_to_the_month_or_the_year_counts_to_its_last_day() {
    let (month, year) = (DatePrecision::Month, DatePrecision::Year);
    let over = |first, ended_precision| HealthEntry { ended_precision, ..pill(first, None) };
    let first = long_ago(2025, 12, 1);
    let scar =
        |onset_precision| HealthEntry { onset_on: long_ago(2025, 1, 1), onset_precision, ..entry("recent_scar") };
    hold(vec![
        ("ended on 1 December, 196 days ago", over(first, DatePrecision::Day), None),
        ("ended in December, 166 days at the latest", over(first, month), Some(Warn)),
        ("ended in 2025", over(long_ago(2025, 1, 1), year), Some(Warn)),
        ("ended in 2024", over(long_ago(2024, 1, 1), year), None),
        ("ended this year: perhaps tomorrow", over(long_ago(2026, 1, 1), year), Some(Block)),
        (
            "began this month: perhaps before today",
            HealthEntry { onset_on: Some(day(6, 1)), onset_precision: month, ..entry("eczema") },
            Some(Warn),
        ),
        ("a scar of January 2025, 530 days ago", scar(DatePrecision::Day), None),
        ("a scar of 2025", scar(year), Some(Warn)),
    ]);
    let case = Case { health: vec![over(first, month)], ..Case::fine() };
    let cause = case.checks().into_iter().find(|it| it.verdict == Warn).map(|it| it.cause).unwrap_or_default();
    assert!(cause.contains("last on 2025-12-31 at the latest, known to the month, 166 days before"), "{cause}");
}

fn anything() -> impl Strategy<Value = HealthEntry> {
    let kind = proptest::sample::select(HealthEntryKind::ALL);
    let code = proptest::option::of("(isotretinoin|keloid_tendency|penicillin|recent_scar|zzyzx|icd|filler)");
    let severity = proptest::option::of(proptest::sample::select(ContraindicationSeverity::ALL));
    let days = (proptest::option::of(0_u64..500), proptest::option::of(0_u64..500));
    (kind, code, "\\PC{0,40}", severity, days).prop_map(|(kind, code, text, severity, (onset, ended))| {
        let ago = |days: Option<u64>| days.and_then(|days| day(6, 15).checked_sub_days(Days::new(days)));
        let (onset_on, ended_on) = (ago(onset.zip(ended).map(|(a, b)| a.max(b)).or(onset)), ago(ended));
        HealthEntry { severity, onset_on, ended_on, ..told(kind, code.as_deref(), &text) }
    })
}

fn worst(case: &Case) -> CheckVerdict {
    let of_rule = case.checks().into_iter().filter(|it| it.rule == CheckRule::Contraindication);
    of_rule.map(|it| it.verdict).max().expect("an answer")
}

proptest! {
    #[test]
    fn no_history_however_worded_passes_with_an_uncoded_allergy_in_it(
        text in "\\PC{1,60}",
        others in proptest::collection::vec(anything(), 0..4),
        at in 0_usize..4,
        ended in proptest::option::of(0_u64..4000),
    ) {
        let ended_on = ended.and_then(|days| day(6, 15).checked_sub_days(Days::new(days)));
        let allergy = HealthEntry { ended_on, ..told(Allergy, None, &text) };
        let mut health = others;
        health.insert(at.min(health.len()), allergy.clone());
        let found = Case { health, ..Case::fine() }.checks();
        let about = found.iter().find(|it| it.record_id == Some(allergy.id)).map(|it| it.verdict);
        prop_assert!(about.is_some_and(|it| it != CheckVerdict::Pass), "{:?}", about);
    }

    #[test]
    fn another_entry_never_makes_the_verdict_milder(
        health in proptest::collection::vec(anything(), 0..4),
        more in anything(),
    ) {
        let before = Case { health, ..Case::fine() };
        let mut after = before.clone();
        after.health.push(more);
        prop_assert!(worst(&after) >= worst(&before));
    }
}
