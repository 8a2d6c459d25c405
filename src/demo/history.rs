//! The health history that a patient tells of at the first consultation.

use super::chart::Scribe;
use super::dice::Dice;
use crate::error::Result;
use crate::health::{HealthEntry, HealthEntryKind};
use crate::health_review::{Answers, HealthReview, ReviewAnswer, ReviewPart};
use crate::ids;
use crate::patient::SexAtBirth;
use crate::record::Stamp;
use crate::vocabulary::{Action, ContraindicationSeverity};
use ContraindicationSeverity::{Absolute, Caution, Relative};
use HealthEntryKind::{Allergy, Condition, Medication, PriorProcedure};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;

/// How an entry's dates lie.
#[derive(Clone, Copy, PartialEq)]
enum Course {
    /// Since long, and still.
    Ongoing,
    /// Over for years.
    Past,
    /// A medicine taken until some months ago.
    Finished,
}

type Kind = (usize, HealthEntryKind, &'static str, &'static str, Option<ContraindicationSeverity>, Course);

/// In how many of 1,000 patients, what, its code, in words, how much it speaks against a treatment, and when.
#[rustfmt::skip]
const KINDS: &[Kind] = &[
    (110, Condition, "acne", "Acne in adolescence, resolved", None, Course::Past),
    (45, Condition, "active_acne", "Active acne, mild, on the cheeks", Some(Relative), Course::Ongoing),
    (95, Condition, "herpes_simplex", "Herpes labialis, two or three outbreaks a year", Some(Caution), Course::Ongoing),
    (35, Condition, "keloid_tendency", "Tendency to keloids: raised scar after an ear piercing", Some(Relative), Course::Ongoing),
    (50, Condition, "rosacea", "Rosacea, mild, triggered by heat", Some(Caution), Course::Ongoing),
    (55, Condition, "eczema", "Atopic eczema of the elbow creases", Some(Caution), Course::Ongoing),
    (25, Condition, "psoriasis", "Plaque psoriasis, scalp and elbows", Some(Caution), Course::Ongoing),
    (60, Condition, "hypertension", "Hypertension, well controlled", None, Course::Ongoing),
    (45, Condition, "hypothyroidism", "Hypothyroidism, substituted", None, Course::Ongoing),
    (20, Condition, "diabetes_type_2", "Type 2 diabetes, HbA1c in range", Some(Caution), Course::Ongoing),
    (40, Condition, "melasma", "Melasma after pregnancy", Some(Caution), Course::Ongoing),
    (30, Condition, "androgenetic_alopecia", "Androgenetic alopecia, in the family", None, Course::Ongoing),
    (5, Condition, "bleeding_disorder", "Von Willebrand disease, type 1", Some(Absolute), Course::Ongoing),
    (75, Medication, "isotretinoin", "Isotretinoin, full course for acne", Some(Relative), Course::Finished),
    (4, Medication, "isotretinoin", "Isotretinoin 20 mg a day, under way", Some(Absolute), Course::Ongoing),
    (90, Medication, "combined_contraceptive", "Combined oral contraceptive", None, Course::Ongoing),
    (60, Medication, "topical_retinoid", "Tretinoin 0.025 % cream at night", Some(Caution), Course::Ongoing),
    (25, Medication, "anticoagulant", "Apixaban 5 mg twice a day", Some(Relative), Course::Ongoing),
    (45, Medication, "levothyroxine", "Levothyroxine 75 µg", None, Course::Ongoing),
    (30, Medication, "ssri", "Sertraline 50 mg", None, Course::Ongoing),
    (70, Allergy, "penicillin", "Penicillin: rash in childhood", None, Course::Ongoing),
    (20, Allergy, "latex", "Latex: contact dermatitis", Some(Caution), Course::Ongoing),
    (15, Allergy, "nickel", "Nickel: contact dermatitis from jewellery", Some(Caution), Course::Ongoing),
    (6, Allergy, "lidocaine", "Lidocaine: hives after a dental anaesthetic", Some(Absolute), Course::Ongoing),
    (120, PriorProcedure, "botulinum_toxin", "Botulinum toxin, forehead and glabella", None, Course::Past),
    (70, PriorProcedure, "hyaluronic_filler", "Hyaluronic acid filler, nasolabial folds", None, Course::Past),
    (60, PriorProcedure, "chemical_peel", "Chemical peel, superficial, well tolerated", None, Course::Past),
    (45, PriorProcedure, "laser", "Fractional laser elsewhere, little change", None, Course::Past),
    (35, PriorProcedure, "microneedling", "Microneedling elsewhere, two sessions", None, Course::Past),
];

/// Writes down what the patient tells at a consultation. What forbids treatment for now, if anything does.
pub(super) fn take_history(scribe: &mut Scribe<'_>, by: Uuid, at: DateTime<Utc>) -> Result<Option<&'static str>> {
    let day = at.date_naive();
    let mut forbids = None;
    for (of_thousand, kind, code, text, severity, course) in KINDS {
        if !scribe.dice.chance(*of_thousand) {
            continue;
        }
        let (onset_on, ended_on) = dates(scribe, *course, day);
        let last_dose_on = if *kind == Medication { ended_on } else { None };
        add(
            scribe,
            by,
            at,
            HealthEntry { onset_on, ended_on, last_dose_on, ..entry(scribe, *kind, code, text, *severity, at) },
        )?;
        if *severity == Some(Absolute) {
            forbids = Some(*text);
        }
    }
    let older = scribe.chart.patient.birth_date < day - TimeDelta::days(43 * 365);
    if !older && scribe.chart.patient.sex_at_birth == Some(SexAtBirth::Female) && scribe.dice.chance(25) {
        let (code, text) = scribe.dice.weighted(
            ("pregnancy", "Pregnant, second trimester"),
            &[(600, ("nursing", "Nursing, the child is four months old"))],
        );
        let entry = entry(scribe, HealthEntryKind::PregnancyOrNursing, code, text, Some(Absolute), at);
        add(scribe, by, at, HealthEntry { onset_on: Some(day - TimeDelta::days(120)), ..entry })?;
        forbids = Some(text);
    }
    Ok(forbids)
}

/// Asks at a visit what has changed since the last one; at the first, what there is. It has an id of its own dice, so that
/// the rest of the chart stays as it was.
pub(super) fn review(scribe: &mut Scribe<'_>, by: Uuid, at: DateTime<Utc>) -> Result<()> {
    if !scribe.has_come(at) {
        return Ok(());
    }
    let first = scribe.chart.reviews.is_empty();
    let said = |part: ReviewPart| {
        let listed = scribe.chart.health.iter().any(|it| it.kind == part.kind());
        Some(match (first, listed) {
            (false, _) => ReviewAnswer::Unchanged,
            (true, true) => ReviewAnswer::Listed,
            (true, false) => ReviewAnswer::NoneKnown,
        })
    };
    let answers = Answers {
        allergies: said(ReviewPart::Allergies),
        medicines: said(ReviewPart::Medicines),
        conditions: said(ReviewPart::Conditions),
        pregnancy: said(ReviewPart::Pregnancy),
    };
    let number = u64::try_from(scribe.chart.reviews.len()).unwrap_or(0);
    let mut dice = Dice::new(scribe.world.seed ^ 0x61_736b_6564, u64::from(scribe.index) << 16 | number);
    let review = HealthReview {
        id: ids::id_at(at, dice.bytes()),
        patient_id: scribe.chart.patient.id,
        reviewed_at: at,
        reviewed_by: by,
        answers,
        note: None,
        entered_in_error: false,
        error_reason: None,
        stamp: Stamp::new(Some(by), at),
    };
    scribe.note(Action::Create, &review, by, at)?;
    scribe.chart.reviews.push(review);
    Ok(())
}

fn add(scribe: &mut Scribe<'_>, by: Uuid, at: DateTime<Utc>, mut entry: HealthEntry) -> Result<()> {
    entry.id = scribe.id(at);
    entry.source = Some(scribe.dice.weighted("patient", &[(120, "referral letter"), (80, "examination")]).to_owned());
    entry.stamp = Stamp::new(Some(by), at);
    if scribe.dice.chance(700) {
        (entry.verified_by, entry.verified_at) = (Some(by), Some(at));
    }
    scribe.add_health(entry, by)
}

fn entry(
    scribe: &Scribe<'_>,
    kind: HealthEntryKind,
    code: &str,
    text: &str,
    severity: Option<ContraindicationSeverity>,
    at: DateTime<Utc>,
) -> HealthEntry {
    let said = HealthEntry::saying(scribe.chart.patient.id, kind, Some(code), text, Stamp::new(None, at));
    HealthEntry { severity, ..said }
}

fn dates(scribe: &mut Scribe<'_>, course: Course, day: NaiveDate) -> (Option<NaiveDate>, Option<NaiveDate>) {
    let mut ago = |least, most| Some(day - TimeDelta::days(scribe.dice.between(least, most)));
    match course {
        Course::Ongoing => (ago(200, 4000), None),
        Course::Past => (ago(1500, 4000), ago(300, 1400)),
        Course::Finished => (ago(700, 1600), ago(60, 690)),
    }
}
