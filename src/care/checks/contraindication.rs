//! Contraindications in the health history.

use super::answers::{Answers, before, verdict};
use super::facts::Facts;
use super::history::is_known;
use crate::health::codes::{FoundIn, HealthCourse, MatchedCode, code_list, matched};
use crate::health::{DatePrecision, HealthEntry, HealthEntryKind};
use crate::health_term::HealthTerm;
use crate::protocol::{Contraindication, ContraindicationScope};
use crate::session::{CheckCode, CheckRule, CheckVerdict, Reason};
use crate::vocabulary::{ContraindicationSeverity, RecordKind, with_article};
use chrono::{Days, NaiveDate};
use uuid::Uuid;

/// An entry with what it is about.
pub(super) struct Entry<'e> {
    pub(super) kept: &'e HealthEntry,
    about: Vec<MatchedCode>,
}

impl<'e> Entry<'e> {
    pub(super) fn read(kept: &'e HealthEntry, terms: &[HealthTerm]) -> Self {
        Self { kept, about: matched(kept, terms) }
    }

    /// Whether a rule about this code is about the entry: how surely, and how long it counts.
    fn meets(&self, code: &str) -> Option<(FoundIn, HealthCourse)> {
        let course = |it: &MatchedCode| (it.found_in, it.code.course);
        let known = self.about.iter().find(|it| it.code.meets(code)).map(course);
        let own = self.kept.code.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(code));
        let lasting = if self.kept.kind == HealthEntryKind::Allergy {
            HealthCourse::Tendency
        } else {
            known.map_or(HealthCourse::State, |it| it.1)
        };
        let found_in = if own { Some(FoundIn::Code) } else { known.map(|it| it.0) };
        found_in.map(|found_in| (found_in, lasting))
    }

    /// The last day on which it can have held: none while it lasts. Something under way has no last day, whatever dose is
    /// noted. Of a month or a year that is all that is known it is the last day, so that it counts for longer.
    fn last_day(&self, course: HealthCourse) -> Option<NaiveDate> {
        match course {
            HealthCourse::Tendency => None,
            HealthCourse::Event => self.kept.ended_by().or_else(|| self.kept.onset_by()),
            HealthCourse::State => self.kept.held_until(),
        }
    }

    /// The last day in words, with the time since; nothing while it lasts.
    fn last_words(&self, course: HealthCourse, day: NaiveDate) -> String {
        let Some(last) = self.last_day(course) else { return String::new() };
        let kept = self.kept;
        let ended = kept.ended_on.map(|_| (kept.ended_by(), kept.ended_precision));
        let dose = (kept.last_dose_by(), kept.last_dose_precision);
        let known = [ended.unwrap_or_default(), dose, (kept.onset_by(), kept.onset_precision)];
        let precision = known.into_iter().find(|(day, _)| *day == Some(last)).map_or(DatePrecision::Day, |(_, it)| it);
        let known = match precision {
            DatePrecision::Day => "",
            DatePrecision::Month => " at the latest, known to the month",
            DatePrecision::Year => " at the latest, known to the year",
        };
        format!(", last on {last}{known}{}", before(day, last))
    }

    /// Whether it still counts on a day, so many days after its end.
    fn holds_on(&self, day: NaiveDate, look_back_days: i32, course: HealthCourse) -> bool {
        let begun = self.kept.onset_on.is_none_or(|onset| onset <= day);
        let back = Days::new(u64::try_from(look_back_days).unwrap_or(0));
        let last = self.last_day(course);
        let reaches = last.is_none_or(|last| last.checked_add_days(back).is_none_or(|until| day <= until));
        begun && reaches && !self.kept.entered_in_error
    }
}

pub(super) fn severity_verdict(severity: ContraindicationSeverity) -> CheckVerdict {
    verdict(severity == ContraindicationSeverity::Absolute)
}

/// A rule that an entry meets.
pub(super) struct Met<'r> {
    rule: &'r Contraindication,
    pub(super) version: Uuid,
    found_in: FoundIn,
    course: HealthCourse,
    /// The severity that counts: the stricter of the rule's and the entry's own. Words alone warn at most, as they may deny
    /// what they name.
    pub(super) severity: ContraindicationSeverity,
}

/// The strictest of the rules that an entry meets, of all protocols that the session is held to.
pub(super) fn strictest<'r>(facts: &'r Facts<'_>, entry: &Entry<'_>, scope: ContraindicationScope) -> Option<Met<'r>> {
    let rules = facts.held().flat_map(|held| held.rules.contraindications.iter().map(move |it| (held.version, it)));
    let met = rules.filter(|(_, rule)| rule.applies_to == scope).filter_map(|(version, rule)| {
        let (found_in, course) = entry.meets(&rule.code)?;
        let weak = found_in == FoundIn::Text && rule.severity == ContraindicationSeverity::Absolute;
        let told = if weak { ContraindicationSeverity::Relative } else { rule.severity };
        let severity = entry.kept.severity.map_or(told, |own| own.min(told));
        let holds = entry.holds_on(facts.day, rule.look_back_days, course);
        holds.then_some(Met { rule, version, found_in, course, severity })
    });
    met.min_by_key(|it| it.severity)
}

/// What a history entry meets, in a sentence with all that decides.
pub(super) fn met_reason(met: &Met<'_>, entry: &Entry<'_>, day: NaiveDate) -> Reason {
    let Met { rule, found_in, course, severity, .. } = met;
    let last = entry.last_words(*course, day);
    let back = match (rule.look_back_days, course) {
        (0, _) | (_, HealthCourse::Tendency) => String::new(),
        (days, HealthCourse::State) => format!("; it counts for {days} days after its end"),
        (days, HealthCourse::Event) => format!("; it counts for {days} days from that day"),
    };
    let own = if *severity < rule.severity { "; the entry itself says so" } else { "" };
    let words =
        if *found_in == FoundIn::Text { "; read from the words of the entry, which has no such code" } else { "" };
    let cause = format!(
        "{} ({}{last}) is {} contraindication{back}{own}{words}",
        rule.label,
        entry.kept.text,
        with_article(&severity.words())
    );
    let lasts = *course == HealthCourse::Tendency || rule.look_back_days == 0;
    CheckCode::Contraindicated
        .says(cause)
        .with("contraindication", &rule.code)
        .with("label", &rule.label)
        .with("entry", &entry.kept.text)
        .with_word("severity", severity.as_str())
        .with_some("lookBackDays", (!lasts).then_some(rule.look_back_days))
        .with_some("lastOn", entry.last_day(*course))
        .with("readFrom", if *found_in == FoundIn::Text { "TEXT" } else { "CODE" })
}

pub(super) fn contraindications(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let mut unread = 0;
    for kept in facts.health {
        let entry = Entry::read(kept, facts.terms);
        let record = Some((RecordKind::HealthEntry, kept.id));
        if let Some(met) = strictest(facts, &entry, ContraindicationScope::Treatment) {
            let reason = met_reason(&met, &entry, facts.day);
            answers.add_of(met.version, CheckRule::Contraindication, severity_verdict(met.severity), reason, record);
            continue;
        }
        match unmet(facts, &entry) {
            Unmet::Speaks(verdict, reason) => answers.add(CheckRule::Contraindication, verdict, reason, record),
            Unmet::Judged => {}
            Unmet::Unread => unread += 1,
        }
    }
    // What nobody asked about is not known to be absent.
    let mut pass = match is_known(facts) {
        true => "nothing in the health history speaks against it".to_owned(),
        false => {
            "nothing that is written in the health history speaks against it; nobody reviewed all of it at this visit"
                .to_owned()
        }
    };
    match unread {
        0 => {}
        1 => pass.push_str("; 1 entry without a code was not judged"),
        some => pass.push_str(&format!("; {some} entries without a code were not judged")),
    }
    let reason = CheckCode::Passed.says(pass).with_some("notJudged", (unread > 0).then_some(unread));
    answers.pass_for(CheckRule::Contraindication, reason);
}

/// What an entry says that meets no rule now.
enum Unmet {
    Speaks(CheckVerdict, Reason),
    /// The list or a protocol knows it and has nothing against it.
    Judged,
    /// Words that nobody can place.
    Unread,
}

fn unmet(facts: &Facts<'_>, entry: &Entry<'_>) -> Unmet {
    let (kept, day) = (entry.kept, facts.day);
    // A code of the clinic's own is judged by a protocol that has a rule about it, and by nobody else.
    let coded = entry.about.iter().any(|it| it.found_in != FoundIn::Text && !it.code.own);
    let rule = |scope: Option<ContraindicationScope>| {
        facts.held().flat_map(|it| &it.rules.contraindications).any(|it| {
            scope.is_none_or(|scope| it.applies_to == scope)
                && entry.meets(&it.code).is_some_and(|(found_in, _)| found_in != FoundIn::Text)
        })
    };
    // What the protocol knows and finds no longer in force is not brought back by the entry's own word.
    let over = rule(Some(ContraindicationScope::Treatment));
    if let Some(severity) = kept.severity.filter(|_| !over && entry.holds_on(day, 0, own_course(entry))) {
        let cause = format!("{}: noted in the health history as {}", kept.text, severity.words());
        let reason = CheckCode::NotedAsContraindication.says(cause).with("entry", &kept.text);
        return Unmet::Speaks(severity_verdict(severity), reason.with_word("severity", severity.as_str()));
    }
    if !over && let Some(reason) = concern(facts, entry) {
        return Unmet::Speaks(CheckVerdict::Warn, reason);
    }
    if coded || over || rule(None) {
        return Unmet::Judged;
    }
    let list = code_list();
    let told = kept.code.is_some() || matches!(kept.kind, HealthEntryKind::Allergy | HealthEntryKind::Medication);
    if !told {
        return Unmet::Unread;
    }
    if !entry.holds_on(day, list.unknown_look_back_days, own_course(entry)) {
        return Unmet::Judged;
    }
    let what = match &kept.code {
        Some(code) => format!("no rule and no entry of the code list knows the code {code}"),
        None if kept.kind == HealthEntryKind::Allergy => "it is an allergy without a code".to_owned(),
        None => "it is a medicine without a code".to_owned(),
    };
    let cause = format!("{} was not judged: {what}. Weigh it, or give it a known code", kept.text);
    let reason = CheckCode::EntryNotJudged.says(cause).with("entry", &kept.text);
    Unmet::Speaks(CheckVerdict::Warn, reason.with_some("entryCode", kept.code.as_ref()))
}

/// How long an entry counts that no rule is about: an allergy for good, a procedure from its day.
fn own_course(entry: &Entry<'_>) -> HealthCourse {
    match (entry.kept.kind, entry.about.first()) {
        (HealthEntryKind::Allergy, _) => HealthCourse::Tendency,
        (_, Some(known)) => known.code.course,
        (HealthEntryKind::PriorProcedure, None) => HealthCourse::Event,
        (_, None) => HealthCourse::State,
    }
}

/// What the code list itself has against a treatment, where no protocol has a rule about it.
fn concern(facts: &Facts<'_>, entry: &Entry<'_>) -> Option<Reason> {
    let found = entry.about.iter().find_map(|it| {
        let concern = it.code.concerns.iter().filter(|concern| {
            concern.modalities.iter().any(|of| facts.uses.contains(of))
                && entry.holds_on(facts.day, concern.look_back_days, it.code.course)
        });
        Some((it, concern.max_by_key(|concern| concern.look_back_days)?))
    });
    let (known, concern) = found?;
    let last = entry.last_words(known.code.course, facts.day);
    let cause = format!(
        "{} ({}{last}) is to be weighed, and no protocol of this session has a rule about it ({})",
        known.code.label, entry.kept.text, concern.source
    );
    let reason = CheckCode::ToBeWeighed.says(cause).with("label", &known.code.label).with("entry", &entry.kept.text);
    Some(reason.with("source", &concern.source).with_some("lastOn", entry.last_day(known.code.course)))
}

#[cfg(test)]
mod tests;
