//! Supervision: agreements by which somebody reads part of a colleague's signed records, and the reviews that come of them.

mod filter;
pub mod store;

pub use filter::{AgreementCondition, AgreementFilter, AgreementOrder, ReviewCondition, ReviewFilter, ReviewOrder};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{RecordKind, vocabulary};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// An agreement of supervision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisionAgreement {
    /// Its id.
    pub id: Uuid,
    /// Who reads.
    pub supervisor_id: Uuid,
    /// Whose signed records are read.
    pub supervisee_id: Uuid,
    /// At which clinic; none: at all.
    pub location_id: Option<Uuid>,
    /// How many of a hundred signed records are read.
    pub percent: i16,
    /// Within how many days of the signature.
    pub within_days: i16,
    /// Its first day.
    pub starts_on: NaiveDate,
    /// Its last day; none: it has no end.
    pub ends_on: Option<NaiveDate>,
    /// Remarks.
    pub note: Option<String>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

vocabulary! {
    /// What came of the review of a signed record.
    ChartReviewOutcome {
        /// The supervisor agrees.
        Agreed = "agreed",
        /// The supervisor wants something corrected: by an addendum, or by a retraction.
        NeedsRevision = "needs_revision",
        /// The record was retracted before anybody reviewed it.
        NotNeeded = "not_needed",
    }
}

/// The review of a signed record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartReview {
    /// Its id.
    pub id: Uuid,
    /// The patient whose record is reviewed.
    pub patient_id: Uuid,
    /// The agreement that asks for it.
    pub agreement_id: Uuid,
    /// Who reviews.
    pub reviewer_id: Uuid,
    /// The kind of the signed record.
    pub record_kind: RecordKind,
    /// The signed record.
    pub record_id: Uuid,
    /// Who signed it first.
    pub signed_by: Uuid,
    /// When it was signed first.
    pub signed_at: DateTime<Utc>,
    /// The last day of the review.
    pub due_on: NaiveDate,
    /// What came of it; none: it is due.
    pub outcome: Option<ChartReviewOutcome>,
    /// What the reviewer has to say.
    pub note: Option<String>,
    /// When it was reviewed.
    pub reviewed_at: Option<DateTime<Utc>>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for SupervisionAgreement {
    const KIND: RecordKind = RecordKind::SupervisionAgreement;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        self.stamp.version
    }
    fn patient_id(&self) -> Option<Uuid> {
        None
    }
}

impl Record for ChartReview {
    const KIND: RecordKind = RecordKind::ChartReview;
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

impl SupervisionAgreement {
    /// Whether it asks for records that are signed at a clinic on a day; one without a clinic is of none.
    pub fn holds(&self, location: Option<Uuid>, on: NaiveDate) -> bool {
        let here = self.location_id.is_none() || self.location_id == location;
        here && self.starts_on <= on && self.ends_on.is_none_or(|last| on <= last)
    }

    /// Whether a signed record is in its sample. The hash of the content decides: it covers the moment of the signature, so
    /// nobody knows beforehand which records are drawn, and everybody can reckon it afterwards. Of the first 32 bits of
    /// SHA-256(id of the agreement, content hash), as a fraction of 2^32, those below the percentage are drawn.
    pub fn draws(&self, content_hash: &[u8]) -> bool {
        let mut digest = Sha256::new();
        digest.update(self.id.as_bytes());
        digest.update(content_hash);
        let drawn = digest.finalize().iter().take(4).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        drawn * 100 < u64::try_from(self.percent).unwrap_or(0) << 32
    }
}

impl ChartReview {
    /// Whether it is due and its last day is past.
    pub fn is_overdue(&self, today: NaiveDate) -> bool {
        self.outcome.is_none() && self.due_on < today
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    fn agreement(percent: i16) -> SupervisionAgreement {
        SupervisionAgreement {
            id: Uuid::from_u128(7),
            supervisor_id: ids::new_id(),
            supervisee_id: ids::new_id(),
            location_id: None,
            percent,
            within_days: 7,
            starts_on: "2026-01-01".parse().expect("a day"),
            ends_on: Some("2026-01-31".parse().expect("a day")),
            note: None,
            stamp: Stamp::new(None, ids::now()),
        }
    }

    #[test]
    fn the_sample_is_as_large_as_agreed_and_the_same_for_everybody() {
        let drawn = |percent: i16| {
            let hashes = (0_u32..10_000).map(|it| Sha256::digest(it.to_be_bytes()));
            hashes.filter(|hash| agreement(percent).draws(hash)).count()
        };
        assert_eq!((drawn(0), drawn(100)), (0, 10_000));
        assert!((900..1_100).contains(&drawn(10)), "{}", drawn(10));
        assert_eq!(drawn(10), drawn(10));
        // A larger sample holds the smaller one, and another agreement has another sample.
        let hashes: Vec<_> = (0_u32..10_000).map(|it| Sha256::digest(it.to_be_bytes())).collect();
        assert!(hashes.iter().all(|hash| !agreement(10).draws(hash) || agreement(25).draws(hash)));
        let other = SupervisionAgreement { id: Uuid::from_u128(8), ..agreement(10) };
        assert!(hashes.iter().any(|hash| agreement(10).draws(hash) != other.draws(hash)));
    }

    #[test]
    fn an_agreement_holds_at_its_clinic_between_its_days() {
        let (here, there) = (Some(Uuid::from_u128(1)), Some(Uuid::from_u128(2)));
        let local = SupervisionAgreement { location_id: here, ..agreement(10) };
        for (day, location, holds) in [
            ("2025-12-31", here, false),
            ("2026-01-01", here, true),
            ("2026-01-31", here, true),
            ("2026-02-01", here, false),
            ("2026-01-10", there, false),
            ("2026-01-10", None, false),
        ] {
            assert_eq!(local.holds(location, day.parse().expect("a day")), holds, "{day} {location:?}");
        }
        assert!(agreement(10).holds(None, "2026-01-10".parse().expect("a day")));
    }
}
