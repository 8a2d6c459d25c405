//! The checks of a session: `(protocol, history, facts, now) -> checks`.

use crate::catalogue::{Device, ProductLot};
use crate::consultation::Candidacy;
use crate::health::{HealthEntry, HealthEntryKind};
use crate::protocol::{Contraindication, ContraindicationScope, Rules};
use crate::session::{CheckRule, CheckVerdict, KeptCheck, Override, SessionStatus};
use crate::vocabulary::{BodyArea, ContraindicationSeverity, FitzpatrickType, Modality, RecordKind, Side};
use chrono::{DateTime, Days, NaiveDate, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

/// An area of the session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AreaFact {
    /// Where.
    pub area: BodyArea,
    /// Which side.
    pub side: Side,
    /// Needle depth, mm.
    pub depth_mm: Option<Decimal>,
}

/// An earlier session of the patient.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlierSession {
    /// It.
    pub id: Uuid,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// The day it took place, where it took place.
    pub day: NaiveDate,
    /// How it stands.
    pub status: SessionStatus,
    /// The kind of treatment.
    pub modality: Modality,
    /// Its areas.
    pub areas: Vec<(BodyArea, Side)>,
}

/// A product of the session, with what is known of its lot.
#[derive(Debug, Clone, PartialEq)]
pub struct LotFact {
    /// The product's name.
    pub product: String,
    /// The lot's number, as written.
    pub lot: Option<String>,
    /// The last day, as written.
    pub expires_on: Option<NaiveDate>,
    /// The lot of the catalogue.
    pub known: Option<ProductLot>,
}

/// How the consent that the session needs stands when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentFact {
    /// There.
    InForce(Uuid),
    /// There never was one for this kind of treatment.
    Missing,
    /// The patient was asked, and said no.
    Refused(Uuid),
    /// It was withdrawn or ended, on this day where it is known.
    Ended(Uuid, Option<NaiveDate>),
    /// It has run out, on this day.
    Expired(Uuid, Option<NaiveDate>),
}

/// The consultation that the session rests on: the latest before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConsultationFact {
    /// It.
    pub id: Uuid,
    /// The day it was held.
    pub held_on: NaiveDate,
    /// Until when it says that it holds.
    pub valid_until: Option<NaiveDate>,
    /// What it found.
    pub candidacy: Option<Candidacy>,
}

/// The numbing cream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreamFact {
    /// Minutes it was on, where both times are known.
    pub minutes: Option<i64>,
}

/// Everything that the checks look at.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The rules.
    pub rules: &'a Rules,
    /// The version of the protocol they are of.
    pub protocol_version: Uuid,
    /// The protocol's kind of treatment.
    pub protocol_modality: Modality,
    /// The session's kind of treatment.
    pub modality: Modality,
    /// When it begins.
    pub started_at: DateTime<Utc>,
    /// The day of that, in the location's zone.
    pub day: NaiveDate,
    /// Its areas.
    pub areas: &'a [AreaFact],
    /// The device of the catalogue.
    pub device: Option<&'a Device>,
    /// The products.
    pub lots: &'a [LotFact],
    /// The numbing cream.
    pub cream: Option<CreamFact>,
    /// The patient's skin type.
    pub skin_type: Option<FitzpatrickType>,
    /// The patient.
    pub patient: Uuid,
    /// The health history, without what was entered in error.
    pub health: &'a [HealthEntry],
    /// Other sessions of the patient.
    pub sessions: &'a [EarlierSession],
    /// The consent to this treatment.
    pub consent: ConsentFact,
    /// The consultation.
    pub consultation: Option<ConsultationFact>,
}

/// Collects the answers to one rule.
struct Answers<'f> {
    facts: &'f Facts<'f>,
    found: Vec<KeptCheck>,
}

impl Answers<'_> {
    fn add(&mut self, rule: CheckRule, verdict: CheckVerdict, cause: String, record: Option<(RecordKind, Uuid)>) {
        let answer = KeptCheck {
            rule,
            verdict,
            cause,
            record_kind: record.map(|(kind, _)| kind),
            record_id: record.map(|(_, id)| id),
            protocol_version_id: Some(self.facts.protocol_version),
            overridden: None,
        };
        if !self.found.iter().any(|it| it.is_same(&answer)) {
            self.found.push(answer);
        }
    }

    /// A pass, if nothing was said against it.
    fn pass(&mut self, rule: CheckRule, cause: &str) {
        if !self.found.iter().any(|check| check.rule == rule) {
            self.add(rule, CheckVerdict::Pass, cause.to_owned(), None);
        }
    }
}

fn verdict(blocks: bool) -> CheckVerdict {
    if blocks { CheckVerdict::Block } else { CheckVerdict::Warn }
}

/// An area in words, with its side where that is one of two.
fn place(area: &AreaFact) -> String {
    match area.side {
        Side::Left | Side::Right => format!("{} {}", area.side.words(), area.area.words()),
        Side::Midline | Side::Bilateral => area.area.words(),
    }
}

/// So many days before a day, as a cause tells it; nothing for the day itself and for what is still to come. An answer
/// that depends on the time since something says that time: settling it settles no other.
fn before(day: NaiveDate, last: NaiveDate) -> String {
    match (day - last).num_days() {
        1 => ", 1 day before".to_owned(),
        days if days > 1 => format!(", {days} days before"),
        _ => String::new(),
    }
}

/// Whether two places on the body share skin. What is in the middle may reach both sides.
fn same_skin(one: (BodyArea, Side), other: (BodyArea, Side)) -> bool {
    let sides = (one.1, other.1);
    one.0 == other.0 && !matches!(sides, (Side::Left, Side::Right) | (Side::Right, Side::Left))
}

/// Whether two kinds of treatment strain the skin alike: needles of any kind do; light and serum do not strain it.
fn strain_alike(one: Modality, other: Modality) -> bool {
    let needles = |it| matches!(it, Modality::Microneedling | Modality::RfMicroneedling | Modality::Prp);
    one == other || needles(one) && needles(other)
}

/// What every rule says of a session: one answer at least for each, PASS where nothing speaks against it.
pub fn checks(facts: &Facts<'_>) -> Vec<KeptCheck> {
    let mut answers = Answers { facts, found: Vec::new() };
    interval(&mut answers);
    depth(&mut answers);
    contraindications(&mut answers);
    consent(&mut answers);
    lots(&mut answers);
    device(&mut answers);
    consultation(&mut answers);
    skin_type(&mut answers);
    cream(&mut answers);
    answers.found
}

fn interval(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let least = i64::from(facts.rules.interval_min_days);
    let strained = |it: &&EarlierSession| {
        it.started_at <= facts.started_at
            && strain_alike(it.modality, facts.modality)
            && matches!(it.status, SessionStatus::Completed | SessionStatus::Stopped | SessionStatus::InProgress)
    };
    // Each earlier session once, with every area that shares skin with it.
    let mut told: Vec<(&EarlierSession, Vec<String>)> = Vec::new();
    for area in facts.areas {
        let shares = |it: &&EarlierSession| it.areas.iter().any(|other| same_skin((area.area, area.side), *other));
        let last = facts.sessions.iter().filter(strained).filter(shares).max_by_key(|it| it.started_at);
        let Some(last) = last.filter(|last| (facts.day - last.day).num_days() < least) else { continue };
        match told.iter_mut().find(|(it, _)| it.id == last.id) {
            Some((_, places)) => places.push(place(area)),
            None => told.push((last, vec![place(area)])),
        }
    }
    for (last, places) in told {
        let days = (facts.day - last.day).num_days();
        let due = last.day.checked_add_days(Days::new(u64::try_from(least).unwrap_or(0))).unwrap_or(last.day);
        let cause = format!(
            "{} {} treated {days} days before, on {}; the protocol asks for {least} days at least, so from {due}: \
             treatments too close to each other scar",
            places.join(", "),
            if places.len() == 1 { "was" } else { "were" },
            last.day
        );
        let record = Some((RecordKind::TreatmentSession, last.id));
        answers.add(CheckRule::Interval, verdict(facts.rules.blocks.interval), cause, record);
    }
    answers.pass(CheckRule::Interval, "no area was treated too short a time ago");
}

fn depth(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    for area in facts.areas {
        let Some(depth) = area.depth_mm else { continue };
        let place = place(area);
        if let Some((device, most)) = facts.device.and_then(|it| Some((it, it.depth_max_mm?))).filter(|it| depth > it.1)
        {
            let cause = format!("{place}: {depth} mm is deeper than {} can be set to, {most} mm", device.model);
            let record = Some((RecordKind::Device, device.id));
            answers.add(CheckRule::Depth, verdict(facts.rules.blocks.device_range), cause, record);
        }
        let limit = facts.rules.depth_limits.iter().find(|it| it.area == area.area && depth > it.max_mm.0);
        if let Some(limit) = limit {
            let source = limit.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
            let cause = format!("{place}: {depth} mm is deeper than the protocol's {} mm{source}", limit.max_mm.0);
            answers.add(CheckRule::Depth, verdict(facts.rules.blocks.depth_limit), cause, None);
        }
    }
    answers.pass(CheckRule::Depth, "no depth goes beyond the device or the protocol");
}

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

fn severity_verdict(severity: ContraindicationSeverity) -> CheckVerdict {
    verdict(severity == ContraindicationSeverity::Absolute)
}

/// The strictest of the protocol's entries that a history entry meets.
fn strictest<'r>(
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
fn met_cause(met: &Contraindication, entry: &HealthEntry, day: NaiveDate) -> String {
    let last = last_day(entry).map(|last| format!(", last on {last}{}", before(day, last))).unwrap_or_default();
    let back = match met.look_back_days {
        0 => String::new(),
        days => format!("; it counts for {days} days after its end"),
    };
    format!("{} ({}{last}) is a {} contraindication{back}", met.label, entry.text, met.severity.words())
}

fn contraindications(answers: &mut Answers<'_>) {
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

fn consent(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let (what, on, record) = match facts.consent {
        ConsentFact::InForce(_) => {
            answers.pass(CheckRule::Consent, "the consent to this treatment is there");
            return;
        }
        ConsentFact::Missing => {
            ("there is no consent to this kind of treatment", None, (RecordKind::Patient, facts.patient))
        }
        ConsentFact::Refused(id) => {
            ("the patient refused consent to this kind of treatment", None, (RecordKind::Consent, id))
        }
        ConsentFact::Ended(id, on) => {
            ("the consent to this kind of treatment was withdrawn", on, (RecordKind::Consent, id))
        }
        ConsentFact::Expired(id, on) => {
            ("the consent to this kind of treatment expired", on, (RecordKind::Consent, id))
        }
    };
    let when = on.map(|on| format!(" on {on}{}", before(facts.day, on))).unwrap_or_default();
    answers.add(CheckRule::Consent, verdict(facts.rules.blocks.consent), format!("{what}{when}"), Some(record));
}

fn lots(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    for used in facts.lots {
        let number = used.lot.as_deref().unwrap_or("without a number");
        let record = used.known.as_ref().map(|lot| (RecordKind::ProductLot, lot.id));
        if let Some(recall) = used.known.as_ref().and_then(|lot| lot.recalled.as_ref()) {
            let cause = format!("{}, lot {number}, is recalled by its maker: {}", used.product, recall.reason);
            answers.add(CheckRule::Lot, verdict(facts.rules.blocks.lot_recalled), cause, record);
        }
        let expired = match &used.known {
            Some(lot) if lot.expires_on.is_some() => lot.is_expired_on(facts.day),
            _ => used.expires_on.is_some_and(|last| facts.day > last),
        };
        if expired {
            let last = used.known.as_ref().and_then(|lot| lot.expires_on).or(used.expires_on);
            let last = last.map(|last| format!(" on {last}{}", before(facts.day, last))).unwrap_or_default();
            let cause = format!("{}, lot {number}, expired{last}", used.product);
            answers.add(CheckRule::Lot, verdict(facts.rules.blocks.lot_expired), cause, record);
        }
    }
    answers.pass(CheckRule::Lot, "no lot is expired or recalled");
}

fn device(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    if let Some(device) = facts.device {
        let record = Some((RecordKind::Device, device.id));
        if let Some(recall) = &device.recalled {
            let cause = format!("{} is recalled by its maker: {}", device.model, recall.reason);
            answers.add(CheckRule::Device, verdict(facts.rules.blocks.lot_recalled), cause, record);
        }
        if !device.active {
            answers.add(CheckRule::Device, CheckVerdict::Warn, format!("{} is out of use", device.model), record);
        }
    }
    if facts.modality != facts.protocol_modality {
        let cause = format!(
            "the protocol is for {}, the session is {}",
            facts.protocol_modality.words(),
            facts.modality.words()
        );
        answers.add(CheckRule::Device, CheckVerdict::Warn, cause, None);
    }
    answers.pass(CheckRule::Device, "nothing speaks against the device");
}

fn consultation(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let blocks = verdict(facts.rules.blocks.consultation);
    let Some(held) = facts.consultation else {
        let cause = "there is no consultation before this session".to_owned();
        return answers.add(CheckRule::Consultation, blocks, cause, Some((RecordKind::Patient, facts.patient)));
    };
    let record = Some((RecordKind::Consultation, held.id));
    let days = Days::new(u64::try_from(facts.rules.consultation_valid_days).unwrap_or(0));
    let until = held.valid_until.or_else(|| held.held_on.checked_add_days(days));
    if let Some(until) = until.filter(|until| facts.day > *until) {
        let cause = format!("the consultation of {} held until {until}{}", held.held_on, before(facts.day, until));
        answers.add(CheckRule::Consultation, blocks, cause, record);
    }
    if held.candidacy != Some(Candidacy::Suitable) {
        let found = held.candidacy.map_or_else(|| "not decided".to_owned(), Candidacy::words);
        let cause = format!("the consultation of {} found the patient {found}", held.held_on);
        answers.add(CheckRule::Consultation, blocks, cause, record);
    }
    answers.pass(CheckRule::Consultation, "a consultation that found the patient suitable still holds");
}

fn skin_type(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let allowed = &facts.rules.skin_types;
    let record = Some((RecordKind::Patient, facts.patient));
    match facts.skin_type {
        _ if allowed.is_empty() => answers.pass(CheckRule::SkinType, "the protocol is for every skin type"),
        Some(found) if allowed.contains(&found) => {
            answers.pass(CheckRule::SkinType, "the protocol is for this skin type")
        }
        Some(found) => {
            let cause = format!("the protocol is not for Fitzpatrick type {}", found.number());
            answers.add(CheckRule::SkinType, verdict(facts.rules.blocks.skin_type), cause, record);
        }
        None => {
            let cause = "the skin type is not assessed, and the protocol is not for every one".to_owned();
            answers.add(CheckRule::SkinType, CheckVerdict::Warn, cause, record);
        }
    }
}

fn cream(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let Some(cream) = facts.cream else {
        return answers.pass(CheckRule::Anaesthetic, "no numbing cream is used");
    };
    for entry in facts.health {
        if let Some(met) = strictest(facts.rules, entry, facts.day, ContraindicationScope::Anaesthetic) {
            let cause = format!("numbing cream: {}", met_cause(met, entry, facts.day));
            let record = Some((RecordKind::HealthEntry, entry.id));
            answers.add(CheckRule::Anaesthetic, severity_verdict(met.severity), cause, record);
        }
    }
    let (least, most) = (facts.rules.anaesthetic_min_minutes, facts.rules.anaesthetic_max_minutes);
    let outside = |minutes: &i64| {
        least.is_some_and(|least| *minutes < i64::from(least)) || most.is_some_and(|most| *minutes > i64::from(most))
    };
    if let Some(minutes) = cream.minutes.filter(outside) {
        let bound = |bound: Option<i32>| bound.map_or_else(|| "any".to_owned(), |it| it.to_string());
        let cause = format!(
            "the numbing cream was on for {minutes} minutes; the protocol says {} to {}",
            bound(least),
            bound(most)
        );
        answers.add(CheckRule::Anaesthetic, CheckVerdict::Warn, cause, None);
    }
    answers.pass(CheckRule::Anaesthetic, "nothing speaks against the numbing cream");
}

/// Carries over what was overridden before: for the same answer, with the values that were seen, and for nothing else. Who
/// treats signs nothing off: what they signed off before they became the practitioner is lost.
pub fn keep_overrides(before: &[KeptCheck], mut now: Vec<KeptCheck>, practitioner: Uuid) -> Vec<KeptCheck> {
    let own = |it: &Override| it.supervisor_id == Some(practitioner);
    for check in now.iter_mut().filter(|check| check.verdict != CheckVerdict::Pass) {
        let same = before.iter().find(|old| old.is_same(check));
        check.overridden = same.and_then(|old| old.overridden.clone()).filter(|it| !own(it));
    }
    now
}

#[cfg(test)]
mod tests;
