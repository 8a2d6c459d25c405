//! Contraindications in the health history.

use super::answers::{Answers, before, verdict};
use crate::health::{HealthEntry, HealthEntryKind};
use crate::protocol::{Contraindication, ContraindicationScope, Rules};
use crate::session::{CheckRule, CheckVerdict};
use crate::vocabulary::{ContraindicationSeverity, RecordKind};
use chrono::{Days, NaiveDate};

/// The last day on which an entry held: none while it lasts.
fn last_day(entry: &HealthEntry) -> Option<NaiveDate> {
    entry.last_dose_on.or(entry.ended_on)
}

/// Whether an entry still speaks against a treatment on a day, so many days after its end.
fn holds_on(entry: &HealthEntry, day: NaiveDate, look_back_days: i32) -> bool {
    let begun = entry.onset_on.is_none_or(|onset| onset <= day);
    let back = Days::new(u64::try_from(look_back_days).unwrap_or(0));
    let reaches = last_day(entry).is_none_or(|last| last.checked_add_days(back).is_none_or(|until| day <= until));
    begun && reaches && !entry.entered_in_error
}

fn is_about(entry: &HealthEntry, code: &str) -> bool {
    let nursing = entry.kind == HealthEntryKind::PregnancyOrNursing && code == "pregnancy_or_nursing";
    nursing || entry.code.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(code))
}

pub(super) fn severity_verdict(severity: ContraindicationSeverity) -> CheckVerdict {
    verdict(severity == ContraindicationSeverity::Absolute)
}

/// The strictest of the protocol's entries that a history entry meets.
pub(super) fn strictest<'r>(
    rules: &'r Rules,
    entry: &HealthEntry,
    day: NaiveDate,
    scope: ContraindicationScope,
) -> Option<&'r Contraindication> {
    let met = rules
        .contraindications
        .iter()
        .filter(|it| it.applies_to == scope && is_about(entry, &it.code) && holds_on(entry, day, it.look_back_days));
    met.min_by_key(|it| it.severity)
}

/// What a history entry meets, in a sentence with all that decides.
pub(super) fn met_cause(met: &Contraindication, entry: &HealthEntry, day: NaiveDate) -> String {
    let last = last_day(entry).map(|last| format!(", last on {last}{}", before(day, last))).unwrap_or_default();
    let back = match met.look_back_days {
        0 => String::new(),
        days => format!("; it counts for {days} days after its end"),
    };
    format!("{} ({}{last}) is a {} contraindication{back}", met.label, entry.text, met.severity.words())
}

pub(super) fn contraindications(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    for entry in facts.health {
        let record = Some((RecordKind::HealthEntry, entry.id));
        if let Some(met) = strictest(facts.rules, entry, facts.day, ContraindicationScope::Treatment) {
            let cause = met_cause(met, entry, facts.day);
            answers.add(CheckRule::Contraindication, severity_verdict(met.severity), cause, record);
        } else if let Some(severity) = entry.severity.filter(|_| holds_on(entry, facts.day, 0)) {
            let known = facts.rules.contraindications.iter().any(|it| is_about(entry, &it.code));
            // What the protocol knows and finds no longer in force is not brought back by the entry's own word.
            if !known {
                let cause = format!("{}: noted in the health history as {}", entry.text, severity.words());
                answers.add(CheckRule::Contraindication, severity_verdict(severity), cause, record);
            }
        }
    }
    answers.pass(CheckRule::Contraindication, "nothing in the health history speaks against it");
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, day, entry};
    use super::*;

    fn hold(table: Vec<(&str, HealthEntry, Option<CheckVerdict>)>) {
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
        ];
        hold(table);
    }

    #[test]
    fn what_the_protocol_does_not_know_counts_as_the_entry_says() {
        use CheckVerdict::{Block, Warn};
        let table: Vec<(&str, HealthEntry, Option<CheckVerdict>)> = vec![
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
        hold(table);
    }
}
