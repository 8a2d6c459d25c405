//! Credentials of staff: the professions that they are registered in, with whom and until when, and what that allows.

mod filter;
pub mod store;

pub use filter::{CredentialCondition, CredentialFilter, CredentialOrder};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{Modality, RecordKind};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A credential of a staff member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Its id.
    pub id: Uuid,
    /// The staff member who holds it.
    pub staff_id: Uuid,
    /// The profession, such as `physician`.
    pub profession: String,
    /// The holder's number in that register.
    pub number: String,
    /// The authority that issued it and keeps the register, such as the General Medical Council.
    pub body: String,
    /// The country or state in which it is valid, such as `United Kingdom` or `New York`.
    pub jurisdiction: String,
    /// Whether the holder acts as a prescriber by it: signs off what a rule blocks, and gives a clearance.
    pub prescriber: bool,
    /// The kinds of treatment that it is limited to, each once; empty for all.
    pub modalities: Vec<Modality>,
    /// Its first day; none: it holds already.
    pub valid_from: Option<NaiveDate>,
    /// Its last day; none: it has no end.
    pub expires_on: Option<NaiveDate>,
    /// Whether it counts: false once it was withdrawn, or if it was noted in error.
    pub active: bool,
    /// Remarks.
    pub note: Option<String>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for Credential {
    const KIND: RecordKind = RecordKind::Credential;
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

impl Credential {
    /// Whether it counts on a day.
    pub fn counts_on(&self, on: NaiveDate) -> bool {
        self.active && self.valid_from.is_none_or(|from| from <= on) && self.expires_on.is_none_or(|until| on <= until)
    }

    /// Whether it allows its holder to prescribe these kinds of treatment on a day.
    pub fn prescribes(&self, modalities: &[Modality], on: NaiveDate) -> bool {
        let covers = |it: &Modality| self.modalities.is_empty() || self.modalities.contains(it);
        self.prescriber && self.counts_on(on) && modalities.iter().all(covers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    fn credential() -> Credential {
        Credential {
            id: ids::new_id(),
            staff_id: ids::new_id(),
            profession: "physician".to_owned(),
            number: "7000141".to_owned(),
            body: "General Medical Council".to_owned(),
            jurisdiction: "United Kingdom".to_owned(),
            prescriber: true,
            modalities: Vec::new(),
            valid_from: Some(day("2026-01-01")),
            expires_on: Some(day("2026-12-31")),
            active: true,
            note: None,
            stamp: Stamp::new(None, ids::now()),
        }
    }

    #[test]
    fn a_credential_counts_from_its_first_day_to_its_last() {
        let rows = [("2025-12-31", false), ("2026-01-01", true), ("2026-12-31", true), ("2027-01-01", false)];
        for (on, counts) in rows {
            assert_eq!(credential().counts_on(day(on)), counts, "{on}");
        }
        let open = Credential { valid_from: None, expires_on: None, ..credential() };
        assert!(open.counts_on(day("2100-01-01")));
        assert!(!Credential { active: false, ..open }.counts_on(day("2026-06-01")));
    }

    #[test]
    fn who_prescribes_is_limited_by_the_kinds_of_treatment() {
        use Modality::{Microneedling, Prp, RfMicroneedling};
        let on = day("2026-06-01");
        assert!(credential().prescribes(&[RfMicroneedling, Prp], on), "no list: every kind");
        assert!(!Credential { prescriber: false, ..credential() }.prescribes(&[Prp], on));
        let limited = Credential { modalities: vec![Microneedling, Prp], ..credential() };
        assert!(limited.prescribes(&[Prp, Microneedling], on));
        assert!(!limited.prescribes(&[Prp, RfMicroneedling], on));
        assert!(!limited.prescribes(&[Prp], day("2027-01-01")));
    }
}
