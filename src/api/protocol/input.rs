//! Checks the rules of a protocol before they are saved, and reports every fault at once.

use crate::error::{Code, Flaw};
use crate::operation::Inputs;
use crate::protocol::Rules;
use rust_decimal::Decimal as Number;
use std::collections::BTreeSet;

/// The maximum number of entries in each list.
const MOST_ENTRIES: usize = 100;
/// The greatest depth of any device, mm (the body handpieces of RF devices).
const DEEPEST: Number = Number::from_parts(80, 0, 0, false, 1);
/// The longest window after a session, in hours: a year.
const LONGEST_HOURS: i32 = 24 * 366;

impl Rules {
    /// Notes every fault under `path`.
    pub fn check(&self, inputs: &mut Inputs, path: &str) {
        let field = |name: &str| format!("{path}.{name}");
        let numbers = [
            ("sessionsMin", self.sessions_min, 1, 50),
            ("sessionsMax", self.sessions_max, 1, 50),
            ("intervalMinDays", self.interval_min_days, 0, 3650),
            ("intervalTargetDays", self.interval_target_days, 0, 3650),
            ("intervalLatestDays", self.interval_latest_days, 0, 3650),
            ("resultsFromWeeks", self.results_from_weeks, 0, 520),
            ("resultsUntilWeeks", self.results_until_weeks, 0, 520),
            ("consultationValidDays", self.consultation_valid_days, 1, 3650),
        ];
        for (name, value, least, most) in numbers {
            inputs.range(&field(name), Some(value), least, most);
        }
        let optional = [
            ("maintenanceFromMonths", self.maintenance_from_months, 1, 120),
            ("maintenanceUntilMonths", self.maintenance_until_months, 1, 120),
            ("ageMin", self.age_min, 0, 120),
            ("ageMax", self.age_max, 0, 120),
            ("historyReviewDays", self.history_review_days, 0, 365),
            ("anaestheticMinMinutes", self.anaesthetic_min_minutes, 0, 600),
            ("anaestheticMaxMinutes", self.anaesthetic_max_minutes, 0, 600),
        ];
        for (name, value, least, most) in optional {
            inputs.range(&field(name), value, least, most);
        }
        let ordered = [
            ("sessionsMax", self.sessions_min <= self.sessions_max, "is less than sessionsMin"),
            ("intervalTargetDays", self.interval_min_days <= self.interval_target_days, "is less than intervalMinDays"),
            (
                "intervalLatestDays",
                self.interval_target_days <= self.interval_latest_days,
                "is less than intervalTargetDays",
            ),
            ("resultsUntilWeeks", self.results_from_weeks <= self.results_until_weeks, "is less than resultsFromWeeks"),
            (
                "maintenanceUntilMonths",
                self.maintenance_from_months.is_some() == self.maintenance_until_months.is_some()
                    && self.maintenance_from_months <= self.maintenance_until_months,
                "goes with maintenanceFromMonths and is not less",
            ),
            ("ageMax", self.age_min.zip(self.age_max).is_none_or(|(least, most)| least <= most), "is less than ageMin"),
            (
                "anaestheticMaxMinutes",
                self.anaesthetic_max_minutes.is_none() || self.anaesthetic_min_minutes <= self.anaesthetic_max_minutes,
                "is less than anaestheticMinMinutes",
            ),
        ];
        for (name, fine, message) in ordered {
            if !fine {
                inputs.fault(&field(name), Code::WrongOrder.says(message));
            }
        }
        self.check_lists(inputs, path);
        inputs.opt_text(&field("expectations"), self.expectations.as_deref(), 5000);
        inputs.opt_text(&field("ageSource"), self.age_source.as_deref(), 500);
        for (name, source) in self.sources.each() {
            inputs.opt_text(&format!("{path}.sources.{name}"), source.as_deref(), 500);
        }
        self.check_windows(inputs, path);
    }

    fn check_lists(&self, inputs: &mut Inputs, path: &str) {
        let lengths = [
            ("depthLimits", self.depth_limits.len()),
            ("contraindications", self.contraindications.len()),
            ("aftercare", self.aftercare.len()),
            ("checkIns", self.check_ins.len()),
            ("symptomThresholds", self.symptom_thresholds.len()),
        ];
        for (name, length) in lengths {
            if length > MOST_ENTRIES {
                inputs.fault(&format!("{path}.{name}"), Flaw::too_many(length, MOST_ENTRIES, "entries"));
            }
        }
        let mut areas = BTreeSet::new();
        for (i, limit) in self.depth_limits.iter().take(MOST_ENTRIES).enumerate() {
            let field = format!("{path}.depthLimits.{i}");
            inputs.decimal(&format!("{field}.maxMm"), Some(limit.max_mm.0), Number::ZERO, DEEPEST, 2);
            inputs.opt_text(&format!("{field}.source"), limit.source.as_deref(), 500);
            let types: BTreeSet<i16> = limit.skin_types.iter().map(|it| it.number()).collect();
            if !areas.insert((limit.area, types)) {
                inputs.fault(
                    &format!("{field}.area"),
                    Code::Duplicate.says("has a limit for these skin types above already"),
                );
            }
        }
        for (i, entry) in self.contraindications.iter().take(MOST_ENTRIES).enumerate() {
            let field = format!("{path}.contraindications.{i}");
            inputs.text(&format!("{field}.code"), &entry.code, 100);
            inputs.text(&format!("{field}.label"), &entry.label, 500);
            inputs.range(&format!("{field}.lookBackDays"), Some(entry.look_back_days), 0, 36_500);
            inputs.opt_text(&format!("{field}.source"), entry.source.as_deref(), 500);
        }
        let mut codes = BTreeSet::new();
        let instructions = self.aftercare.iter().take(MOST_ENTRIES);
        let instructions =
            instructions.map(|it| ("aftercare", &it.code, ("text", &it.text), (it.from_hours, it.until_hours)));
        let check_ins = self.check_ins.iter().take(MOST_ENTRIES);
        let check_ins =
            check_ins.map(|it| ("checkIns", &it.code, ("label", &it.label), (it.from_hours, it.until_hours)));
        for (list, code, (name, text), (from, until)) in instructions.chain(check_ins) {
            let field = format!("{path}.{list}");
            inputs.text(&format!("{field}.{code}.code"), code, 100);
            inputs.text(&format!("{field}.{code}.{name}"), text, 1000);
            inputs.range(&format!("{field}.{code}.fromHours"), Some(from), 0, LONGEST_HOURS);
            inputs.range(&format!("{field}.{code}.untilHours"), Some(until), 1, LONGEST_HOURS);
            if from >= until {
                inputs.fault(
                    &format!("{field}.{code}.untilHours"),
                    Code::WrongOrder.says("must be after fromHours").with("other", "fromHours"),
                );
            }
            if !codes.insert((list, code.clone())) {
                inputs.fault(&format!("{field}.{code}.code"), Code::Duplicate.says("is there twice"));
            }
        }
    }

    fn check_windows(&self, inputs: &mut Inputs, path: &str) {
        for (list, sources) in [
            ("aftercare", self.aftercare.iter().map(|it| (&it.code, &it.source)).collect::<Vec<_>>()),
            ("checkIns", self.check_ins.iter().map(|it| (&it.code, &it.source)).collect()),
        ] {
            for (code, source) in sources.into_iter().take(MOST_ENTRIES) {
                inputs.opt_text(&format!("{path}.{list}.{code}.source"), source.as_deref(), 500);
            }
        }
        for (i, it) in self.symptom_thresholds.iter().take(MOST_ENTRIES).enumerate() {
            let field = format!("{path}.symptomThresholds.{i}");
            inputs.range(&format!("{field}.fromHours"), Some(it.from_hours), 0, LONGEST_HOURS);
            inputs.range(&format!("{field}.untilHours"), Some(it.until_hours), 1, LONGEST_HOURS);
            inputs.range(&format!("{field}.score"), Some(it.score), 1, 10);
            inputs.opt_text(&format!("{field}.source"), it.source.as_deref(), 500);
            if it.from_hours >= it.until_hours {
                inputs.fault(
                    &format!("{field}.untilHours"),
                    Code::WrongOrder.says("must be after fromHours").with("other", "fromHours"),
                );
            }
        }
        let windows = self.symptom_windows.as_ref();
        let windows = windows.map(|it| [("redness", it.redness), ("swelling", it.swelling), ("pain", it.pain)]);
        for (name, hours) in windows.into_iter().flatten() {
            inputs.range(&format!("{path}.symptomWindows.{name}"), Some(hours), 1, LONGEST_HOURS);
        }
    }
}
