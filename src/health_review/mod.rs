//! Health reviews: that a patient was asked about the health history, and what was said of each part of it. "None known" is
//! an answer; a part that nobody asked about has none.

mod filter;
pub mod store;

pub use filter::{HealthReviewCondition, HealthReviewFilter, HealthReviewOrder};

use crate::health::{HealthEntry, HealthEntryKind};
use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{RecordKind, vocabulary};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

vocabulary! {
    /// What a patient said of a part of the health history. A part that nobody asked about has no answer.
    #[graphql(name = "HealthReviewAnswer")]
    ReviewAnswer {
        /// There is none that the patient knows of.
        NoneKnown = "none_known",
        /// There are some, and they are in the health history.
        Listed = "listed",
        /// Nothing has changed since an earlier review.
        Unchanged = "unchanged",
        /// The patient was asked and did not want to say.
        Declined = "declined",
    }
}

vocabulary! {
    /// A part of the health history that a review asks about.
    #[graphql(name = "HealthReviewPart")]
    ReviewPart {
        /// Allergies.
        Allergies = "allergies",
        /// Medicines.
        Medicines = "medicines",
        /// Illnesses and states.
        Conditions = "conditions",
        /// Pregnancy and nursing.
        Pregnancy = "pregnancy",
    }
}

impl ReviewPart {
    /// The kind of entry that the part is about.
    pub fn kind(self) -> HealthEntryKind {
        match self {
            Self::Allergies => HealthEntryKind::Allergy,
            Self::Medicines => HealthEntryKind::Medication,
            Self::Conditions => HealthEntryKind::Condition,
            Self::Pregnancy => HealthEntryKind::PregnancyOrNursing,
        }
    }
}

/// What was said of each part; none of a part that nobody asked about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Of allergies.
    pub allergies: Option<ReviewAnswer>,
    /// Of medicines.
    pub medicines: Option<ReviewAnswer>,
    /// Of illnesses and states.
    pub conditions: Option<ReviewAnswer>,
    /// Of pregnancy and nursing.
    pub pregnancy: Option<ReviewAnswer>,
}

impl Answers {
    /// The answer to a part.
    pub fn of(&self, part: ReviewPart) -> Option<ReviewAnswer> {
        match part {
            ReviewPart::Allergies => self.allergies,
            ReviewPart::Medicines => self.medicines,
            ReviewPart::Conditions => self.conditions,
            ReviewPart::Pregnancy => self.pregnancy,
        }
    }
}

/// A health review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReview {
    /// Its id.
    pub id: Uuid,
    /// The patient whom the record is about.
    pub patient_id: Uuid,
    /// When the patient was asked.
    pub reviewed_at: DateTime<Utc>,
    /// Who asked.
    pub reviewed_by: Uuid,
    /// What was said.
    #[serde(flatten)]
    pub answers: Answers,
    /// Remarks.
    pub note: Option<String>,
    /// Entered in error: it is kept, and covers no session.
    pub entered_in_error: bool,
    /// Why it was marked as entered in error.
    pub error_reason: Option<String>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for HealthReview {
    const KIND: RecordKind = RecordKind::HealthReview;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        self.stamp.version
    }
    fn patient_id(&self) -> Option<Uuid> {
        Some(self.patient_id)
    }
}

impl HealthReview {
    /// What an earlier review says of a part that is said to be unchanged in this one: NONE_KNOWN or LISTED of the newest
    /// that says so. `others` may hold this review and later ones.
    pub fn unchanged_since(&self, part: ReviewPart, others: &[Self]) -> Option<ReviewAnswer> {
        let before = others.iter().filter(|it| !it.entered_in_error && it.id != self.id);
        let before = before.filter(|it| it.reviewed_at <= self.reviewed_at);
        let told = before.filter_map(|it| {
            let answer = it.answers.of(part);
            let answer = answer.filter(|it| matches!(it, ReviewAnswer::NoneKnown | ReviewAnswer::Listed))?;
            Some((it.reviewed_at, answer))
        });
        told.max_by_key(|(at, _)| *at).map(|(_, answer)| answer)
    }

    /// What is wrong with the answers beside the health history and the patient's other reviews: each part with what to do.
    /// `named` gives the name of an entry.
    pub fn contradictions(
        &self,
        entries: &[HealthEntry],
        others: &[Self],
        named: impl Fn(&HealthEntry) -> String,
    ) -> Vec<(ReviewPart, String)> {
        let day = self.reviewed_at.date_naive();
        let of_part = |part: ReviewPart| {
            let answer = self.answers.of(part)?;
            let standing: Vec<String> =
                entries.iter().filter(|it| it.kind == part.kind() && it.in_force_on(day)).map(&named).collect();
            let fault = match answer {
                ReviewAnswer::NoneKnown if !standing.is_empty() => {
                    format!(
                        "says NONE_KNOWN, and the health history has {}: say LISTED, or end the entry or mark it as \
                         entered in error (updateHealthEntry)",
                        standing.join(", ")
                    )
                }
                ReviewAnswer::Unchanged if self.unchanged_since(part, others).is_none() => {
                    "says UNCHANGED, and no earlier review says since what: say NONE_KNOWN or LISTED".to_owned()
                }
                _ => return None,
            };
            Some((part, fault))
        };
        ReviewPart::ALL.iter().filter_map(|part| of_part(*part)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;
    use ReviewAnswer::{Declined, Listed, NoneKnown, Unchanged};
    use chrono::TimeDelta;

    fn review(days_ago: i64, allergies: Option<ReviewAnswer>) -> HealthReview {
        let at = ids::now() - TimeDelta::days(days_ago);
        HealthReview {
            id: ids::new_id(),
            patient_id: Uuid::nil(),
            reviewed_at: at,
            reviewed_by: Uuid::nil(),
            answers: Answers { allergies, ..Answers::default() },
            note: None,
            entered_in_error: false,
            error_reason: None,
            stamp: Stamp::new(None, at),
        }
    }

    fn entry(kind: HealthEntryKind, text: &str) -> HealthEntry {
        HealthEntry::saying(Uuid::nil(), kind, None, text, Stamp::new(None, ids::now()))
    }

    #[test]
    fn none_known_beside_an_entry_in_force_is_told_with_the_entry() {
        let lidocaine = entry(HealthEntryKind::Allergy, "Lidocaine");
        let outgrown = HealthEntry { ended_on: chrono::NaiveDate::from_ymd_opt(2000, 1, 1), ..lidocaine.clone() };
        let error = HealthEntry { entered_in_error: true, ..lidocaine.clone() };
        let pill = entry(HealthEntryKind::Medication, "Apixaban");
        for (name, entries, answer, faults) in [
            ("none at all", vec![], NoneKnown, 0),
            ("an allergy", vec![lidocaine.clone()], NoneKnown, 1),
            ("an allergy has no end", vec![outgrown], NoneKnown, 1),
            ("one entered in error", vec![error], NoneKnown, 0),
            ("of another kind", vec![pill], NoneKnown, 0),
            ("listed", vec![lidocaine.clone()], Listed, 0),
            ("declined", vec![lidocaine], Declined, 0),
        ] {
            let found = review(0, Some(answer)).contradictions(&entries, &[], |it| it.text.clone());
            assert_eq!(found.len(), faults, "{name}: {found:?}");
            assert!(found.iter().all(|(_, why)| why.contains("Lidocaine")), "{name}: {found:?}");
        }
        let pill = entry(HealthEntryKind::Medication, "Apixaban");
        let over = HealthEntry { ended_on: chrono::NaiveDate::from_ymd_opt(2020, 1, 1), ..pill.clone() };
        let answers = Answers { medicines: Some(NoneKnown), ..Answers::default() };
        let asked = HealthReview { answers, ..review(0, None) };
        assert_eq!(asked.contradictions(&[pill], &[], |it| it.text.clone()).len(), 1);
        assert_eq!(asked.contradictions(&[over], &[], |it| it.text.clone()), [], "a medicine that is over");
    }

    #[test]
    fn unchanged_is_since_a_review_that_says_something() {
        let (known, declined, chained) =
            (review(9, Some(Listed)), review(5, Some(Declined)), review(3, Some(Unchanged)));
        let error = HealthReview { entered_in_error: true, ..known.clone() };
        let now = review(0, Some(Unchanged));
        for (name, others, since) in [
            ("no other", vec![], None),
            ("not asked", vec![review(4, None)], None),
            ("declined", vec![declined.clone()], None),
            ("unchanged since nothing", vec![chained.clone()], None),
            ("in error", vec![error], None),
            (
                "a later one",
                vec![HealthReview { reviewed_at: now.reviewed_at + TimeDelta::hours(1), ..known.clone() }],
                None,
            ),
            ("listed, declined and unchanged since", vec![chained, declined, known], Some(Listed)),
        ] {
            assert_eq!(now.unchanged_since(ReviewPart::Allergies, &others), since, "{name}");
            assert_eq!(
                now.contradictions(&[], &others, |_| String::new()).len(),
                usize::from(since.is_none()),
                "{name}"
            );
        }
    }
}
