//! The rules of consents: what may follow on what, what is in force when, what is needed for what.

use super::{Consent, ConsentKind, ConsentSigner, ConsentState, ConsentStatus, ConsentUse, Given};
use crate::organisation::AGE_OF_MAJORITY;
use crate::vocabulary::Modality;
use chrono::{DateTime, NaiveDate, Utc};

/// Something that happens to a consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentStep {
    /// It is signed.
    Give,
    /// The patient says no.
    Reject,
    /// The patient takes it back.
    Withdraw,
    /// It is found to be an error.
    EnterInError,
}

impl ConsentStatus {
    /// The status after a step, or why the step can't be.
    pub fn after(self, step: ConsentStep) -> Result<Self, &'static str> {
        use ConsentStatus::{Active, Draft, EnteredInError, Inactive, Proposed, Rejected};
        use ConsentStep::{EnterInError, Give, Reject, Withdraw};
        match (self, step) {
            (Draft | Proposed, Give) => Ok(Active),
            (Draft | Proposed, Reject) => Ok(Rejected),
            (Active, Withdraw) => Ok(Inactive),
            (Draft | Proposed | Active | Rejected | Inactive, EnterInError) => Ok(EnteredInError),
            (Draft | Proposed, Withdraw) => Err("is not signed: reject it instead (rejectConsent)"),
            (Active, Give) => Err("is signed already"),
            (Active, Reject) => Err("is signed: withdraw it instead (withdrawConsent)"),
            (Rejected, Reject) => Err("was rejected already"),
            (Rejected, _) => Err("was rejected: propose a new one (proposeConsent)"),
            (Inactive, Withdraw) => Err("was withdrawn already"),
            (Inactive, _) => Err("was withdrawn: propose a new one (proposeConsent)"),
            (EnteredInError, EnterInError) => Err("is marked as entered in error already"),
            (EnteredInError, _) => Err("was entered in error: propose a new one (proposeConsent)"),
        }
    }
}

/// The kind of consent that something needs.
pub fn needed_for(purpose: ConsentUse) -> ConsentKind {
    match purpose {
        ConsentUse::Session => ConsentKind::Treatment,
        ConsentUse::Photo => ConsentKind::ClinicalPhoto,
        ConsentUse::Marketing => ConsentKind::MarketingPhoto,
    }
}

/// Whether somebody is under 18 on a day. Who was born on 29 February is 18 on 1 March of a common year.
pub fn is_minor_on(birth_date: NaiveDate, day: NaiveDate) -> bool {
    is_under(birth_date, day, AGE_OF_MAJORITY.unsigned_abs().into())
}

/// Whether somebody is younger than so many years on a day.
pub fn is_under(birth_date: NaiveDate, day: NaiveDate, age: u32) -> bool {
    day.years_since(birth_date).is_none_or(|years| years < age)
}

impl Given {
    /// When a guardian's word ends: as the day begins (in UTC) on which the patient is of age. None for the patient's own,
    /// and for one that a guardian gave for an adult.
    pub fn outgrown_at(&self, born: NaiveDate) -> Option<DateTime<Utc>> {
        if self.signer != ConsentSigner::Guardian || !is_minor_on(born, self.at.date_naive()) {
            return None;
        }
        let months = chrono::Months::new(u32::from(AGE_OF_MAJORITY.unsigned_abs()) * 12);
        let day = born.checked_add_months(months)?;
        // Who was born on 29 February is of age on 1 March.
        let day = if is_minor_on(born, day) { day.succ_opt()? } else { day };
        Some(day.and_time(chrono::NaiveTime::MIN).and_utc())
    }
}

impl Consent {
    /// Until when it holds by itself: its text's time, and a guardian's not beyond the day on which the patient, born on
    /// this day, is of age.
    pub fn holds_until(&self, born: NaiveDate) -> Option<DateTime<Utc>> {
        let outgrown = self.given.as_ref().and_then(|given| given.outgrown_at(born));
        [self.expires_at, outgrown].into_iter().flatten().min()
    }

    /// Whether it holds at a moment, for a patient born on this day. One that was withdrawn held until then.
    pub fn in_force_at(&self, at: DateTime<Utc>, born: NaiveDate) -> bool {
        matches!(self.status, ConsentStatus::Active | ConsentStatus::Inactive)
            && self.given.as_ref().is_some_and(|given| given.at <= at)
            && self.holds_until(born).is_none_or(|end| at < end)
            && self.ended_at.is_none_or(|end| at < end)
    }

    /// How it stands at a moment, for a patient born on this day.
    pub fn state_at(&self, at: DateTime<Utc>, born: NaiveDate) -> ConsentState {
        match self.status {
            ConsentStatus::Draft => ConsentState::Draft,
            ConsentStatus::Proposed => ConsentState::Proposed,
            ConsentStatus::Active if self.holds_until(born).is_some_and(|end| at >= end) => ConsentState::Expired,
            ConsentStatus::Active => ConsentState::Active,
            ConsentStatus::Rejected => ConsentState::Rejected,
            ConsentStatus::Inactive => ConsentState::Withdrawn,
            ConsentStatus::EnteredInError => ConsentState::EnteredInError,
        }
    }

    /// Whether it is of this kind and covers this treatment. Without a treatment the kind alone counts.
    pub fn covers(&self, kind: ConsentKind, modality: Option<Modality>) -> bool {
        self.kind == kind
            && modality.is_none_or(|modality| self.modalities.is_empty() || self.modalities.contains(&modality))
    }

    /// Why it does not hold at a moment, with how near it is to holding (more is nearer); none if it does.
    fn why_not_at(&self, at: DateTime<Utc>, born: NaiveDate) -> Option<(u8, String)> {
        if self.in_force_at(at, born) {
            return None;
        }
        let when = |time: Option<DateTime<Utc>>| match time {
            Some(time) => time.format("%Y-%m-%d %H:%M UTC").to_string(),
            None => "a day that is not known".to_owned(),
        };
        let given = self.given.as_ref().map(|given| given.at);
        Some(match self.status {
            ConsentStatus::EnteredInError => (0, "was entered in error".to_owned()),
            ConsentStatus::Rejected => (2, format!("was rejected on {}", when(self.ended_at))),
            ConsentStatus::Draft => (1, "is being prepared".to_owned()),
            ConsentStatus::Proposed => (3, "is proposed and not signed yet".to_owned()),
            _ if given.is_none_or(|given| given > at) => (4, format!("was given later, on {}", when(given))),
            _ if self.ended_at.is_some_and(|end| end <= at) => (6, format!("was withdrawn on {}", when(self.ended_at))),
            _ if self.expires_at.is_none_or(|end| end > at) => {
                (5, format!("was a guardian's and ended on {}: the patient is of age", when(self.holds_until(born))))
            }
            _ => (5, format!("expired on {}", when(self.expires_at))),
        })
    }
}

/// Of the consents of one patient, born on this day, the one that holds at a moment and covers this: the newest, if there are several.
pub fn in_force(
    consents: &[Consent],
    kind: ConsentKind,
    modality: Option<Modality>,
    at: DateTime<Utc>,
    born: NaiveDate,
) -> Option<&Consent> {
    consents
        .iter()
        .filter(|consent| consent.covers(kind, modality) && consent.in_force_at(at, born))
        .max_by_key(|consent| (consent.given.as_ref().map(|given| given.at), consent.id))
}

/// Whether what something needs was there at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing<'a> {
    /// What is needed.
    pub kind: ConsentKind,
    /// The consent that holds, else the one that comes nearest.
    pub consent: Option<&'a Consent>,
    /// Why none holds; none if one does.
    pub lacking: Option<String>,
}

/// Looks among the consents of one patient, born on this day, for what a use needs, at a moment.
pub fn standing(
    consents: &[Consent],
    purpose: ConsentUse,
    modality: Option<Modality>,
    at: DateTime<Utc>,
    born: NaiveDate,
) -> Standing<'_> {
    let kind = needed_for(purpose);
    // Photos are of no treatment.
    let modality = modality.filter(|_| purpose == ConsentUse::Session);
    if let Some(consent) = in_force(consents, kind, modality, at, born) {
        return Standing { kind, consent: Some(consent), lacking: None };
    }
    let nearest = consents
        .iter()
        .filter(|consent| consent.covers(kind, modality))
        .filter_map(|consent| consent.why_not_at(at, born).map(|(near, why)| (near, consent, why)))
        .max_by_key(|(near, consent, _)| (*near, consent.stamp.created_at, consent.id));
    if let Some((_, consent, why)) = nearest.filter(|(near, ..)| *near > 0) {
        return Standing { kind, consent: Some(consent), lacking: Some(why) };
    }
    let other = consents
        .iter()
        .filter(|consent| consent.covers(kind, None) && consent.in_force_at(at, born))
        .max_by_key(|consent| (consent.stamp.created_at, consent.id));
    let lacking = match (other, modality) {
        (Some(_), Some(modality)) => format!("does not cover {}", modality.words()),
        _ => "is missing: none was proposed or signed".to_owned(),
    };
    Standing { kind, consent: other, lacking: Some(lacking) }
}

#[cfg(test)]
mod tests {
    use super::super::{ConsentSignatureMethod, ConsentSigner, Given, hash_of};
    use super::*;
    use crate::ids;
    use crate::record::Stamp;
    use chrono::TimeZone;
    use proptest::prelude::*;

    const BORN: NaiveDate = NaiveDate::from_ymd_opt(1990, 1, 1).expect("a day");

    fn day(day: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(1_760_000_000 + day * 86_400, 0).single().expect("a time")
    }

    fn consent(status: ConsentStatus, given: Option<i64>, expires: Option<i64>, ended: Option<i64>) -> Consent {
        Consent {
            id: ids::new_id(),
            patient_id: ids::new_id(),
            template_version_id: ids::new_id(),
            kind: ConsentKind::Treatment,
            modalities: Vec::new(),
            text_hash: hash_of(b"text"),
            status,
            given: given.map(|at| Given {
                at: day(at),
                signer: ConsentSigner::Patient,
                name: "Ada".to_owned(),
                relationship: None,
                method: ConsentSignatureMethod::TypedName,
                signature_hash: hash_of(b"Ada"),
                witness_id: None,
                witness_name: None,
            }),
            expires_at: expires.map(day),
            ended_at: ended.map(day),
            ended_reason: None,
            note: None,
            stamp: Stamp::new(None, day(given.unwrap_or(0))),
        }
    }

    #[test]
    fn what_may_follow_on_what() {
        use ConsentStatus::{Active, Draft, EnteredInError, Inactive, Proposed, Rejected};
        use ConsentStep::{EnterInError, Give, Reject, Withdraw};
        let table = [
            (Draft, [Some(Active), Some(Rejected), None, Some(EnteredInError)]),
            (Proposed, [Some(Active), Some(Rejected), None, Some(EnteredInError)]),
            (Active, [None, None, Some(Inactive), Some(EnteredInError)]),
            (Rejected, [None, None, None, Some(EnteredInError)]),
            (Inactive, [None, None, None, Some(EnteredInError)]),
            (EnteredInError, [None; 4]),
        ];
        assert_eq!(table.len(), ConsentStatus::ALL.len());
        for (from, to) in table {
            for (step, to) in [Give, Reject, Withdraw, EnterInError].into_iter().zip(to) {
                assert_eq!(from.after(step).ok(), to, "{from:?} {step:?}");
            }
        }
    }

    #[test]
    fn the_day_of_the_birthday_is_the_first_of_age() {
        let date = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).expect("a day");
        for (born, day, minor) in [
            (date(2008, 3, 15), date(2026, 3, 14), true),
            (date(2008, 3, 15), date(2026, 3, 15), false),
            (date(2008, 2, 29), date(2026, 2, 28), true),
            (date(2008, 2, 29), date(2026, 3, 1), false),
            (date(2026, 3, 15), date(2026, 3, 14), true),
        ] {
            assert_eq!(is_minor_on(born, day), minor, "{born} {day}");
        }
    }

    #[test]
    fn a_consent_holds_from_its_signature_to_its_end() {
        use ConsentStatus::{Active, EnteredInError, Inactive, Proposed, Rejected};
        for (status, given, expires, ended, held) in [
            (Active, Some(10), None, None, vec![10, 20, 30]),
            (Active, Some(10), Some(20), None, vec![10]),
            (Inactive, Some(10), None, Some(30), vec![10, 20]),
            (Inactive, Some(10), Some(20), Some(30), vec![10]),
            (Proposed, None, None, None, vec![]),
            (Rejected, None, None, Some(10), vec![]),
            (EnteredInError, Some(10), None, Some(30), vec![]),
        ] {
            let it = consent(status, given, expires, ended);
            let found: Vec<i64> = [9, 10, 20, 30].into_iter().filter(|at| it.in_force_at(day(*at), BORN)).collect();
            assert_eq!(found, held, "{it:?}");
        }
        let it = consent(Active, Some(10), Some(20), None);
        assert_eq!(
            (it.state_at(day(19), BORN), it.state_at(day(20), BORN)),
            (ConsentState::Active, ConsentState::Expired)
        );
    }

    #[test]
    fn a_guardian_s_consent_ends_with_the_childhood() {
        let date = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).expect("a day");
        let noon = |on: NaiveDate| on.and_hms_opt(12, 0, 0).expect("noon").and_utc();
        let mut it = consent(ConsentStatus::Active, Some(0), None, None);
        let given = noon(date(2026, 1, 10));
        let signed = |it: &mut Consent, signer| {
            let given_at = it.given.as_mut().expect("it is given");
            (given_at.at, given_at.signer) = (given, signer);
        };
        signed(&mut it, ConsentSigner::Guardian);
        for (born, last, first_without) in [
            (date(2008, 6, 15), date(2026, 6, 14), date(2026, 6, 15)),
            (date(2008, 2, 29), date(2026, 2, 28), date(2026, 3, 1)),
        ] {
            assert!(it.in_force_at(noon(last), born) && !it.in_force_at(noon(first_without), born), "{born}");
            assert_eq!(it.state_at(noon(first_without), born), ConsentState::Expired);
            let (at, one) = (noon(first_without), std::slice::from_ref(&it));
            let lacking = standing(one, ConsentUse::Session, None, at, born).lacking.expect("it holds no more");
            assert!(lacking.contains("of age") && lacking.contains(&first_without.to_string()), "{lacking}");
        }
        let later = noon(date(2027, 1, 1));
        assert!(it.in_force_at(later, date(1990, 1, 1)), "given for an adult: the care rules warn of it");
        signed(&mut it, ConsentSigner::Patient);
        assert!(it.in_force_at(later, date(2008, 6, 15)), "the patient's own");
    }

    #[test]
    fn why_none_holds_is_said_of_the_nearest() {
        use ConsentStatus::{Active, EnteredInError, Inactive, Proposed, Rejected};
        let at = day(15);
        let session = |consents: &[Consent]| {
            let found = standing(consents, ConsentUse::Session, Some(Modality::Prp), at, BORN);
            (found.consent.map(|it| it.id), found.lacking.unwrap_or_default())
        };
        let (held, expired) = (consent(Active, Some(10), None, None), consent(Active, Some(1), Some(14), None));
        let withdrawn = consent(Inactive, Some(1), None, Some(14));
        let (later, proposed) = (consent(Active, Some(16), None, None), consent(Proposed, None, None, None));
        let (rejected, error) =
            (consent(Rejected, None, None, Some(3)), consent(EnteredInError, Some(1), None, Some(2)));
        let pen = Consent { modalities: vec![Modality::Microneedling], ..held.clone() };
        let photo = Consent { kind: ConsentKind::ClinicalPhoto, ..held.clone() };
        for (consents, nearest, why) in [
            (vec![&held, &withdrawn], Some(&held), ""),
            (vec![&expired, &withdrawn, &later], Some(&withdrawn), "was withdrawn on 2025-10-23"),
            (vec![&expired, &proposed, &later], Some(&expired), "expired on 2025-10-23"),
            (vec![&later, &proposed], Some(&later), "was given later, on 2025-10-25"),
            (vec![&proposed, &rejected, &pen], Some(&proposed), "is proposed"),
            (vec![&rejected, &error], Some(&rejected), "was rejected on"),
            (vec![&error, &pen], Some(&pen), "does not cover prp"),
            (vec![&error, &photo], None, "is missing"),
            (vec![], None, "is missing"),
        ] {
            let consents: Vec<Consent> = consents.into_iter().cloned().collect();
            let (found, lacking) = session(&consents);
            assert_eq!(found, nearest.map(|it| it.id), "{lacking}");
            assert!(if why.is_empty() { lacking.is_empty() } else { lacking.starts_with(why) }, "{lacking} / {why}");
        }
        let of_pen = [Consent { kind: ConsentKind::ClinicalPhoto, ..pen }];
        assert!(standing(&of_pen, ConsentUse::Photo, Some(Modality::Prp), at, BORN).lacking.is_none());
        assert!(standing(&of_pen, ConsentUse::Marketing, None, at, BORN).lacking.is_some());
    }

    proptest! {
        #[test]
        fn what_holds_does_not_depend_on_the_order(
            drawn in prop::collection::vec((0..6usize, 0..40i64, prop::option::of(0..40i64), prop::option::of(0..40i64)), 0..8),
            at in 0..40i64,
            turn in 0..8usize,
        ) {
            let consents: Vec<Consent> = drawn
                .into_iter()
                .map(|(status, given, expires, ended)| consent(ConsentStatus::ALL[status], Some(given), expires, ended))
                .collect();
            let mut turned = consents.clone();
            if !turned.is_empty() {
                let by = turn % turned.len();
                turned.rotate_left(by);
            }
            let modality = Some(Modality::Prp);
            let (a, b) = (
                in_force(&consents, ConsentKind::Treatment, modality, day(at), BORN),
                in_force(&turned, ConsentKind::Treatment, modality, day(at), BORN),
            );
            prop_assert_eq!(a.map(|it| it.id), b.map(|it| it.id));
            prop_assert_eq!(a.is_some(), consents.iter().any(|it| it.in_force_at(day(at), BORN)));
            let (a, b) = (
                standing(&consents, ConsentUse::Session, modality, day(at), BORN),
                standing(&turned, ConsentUse::Session, modality, day(at), BORN),
            );
            prop_assert_eq!(a, b);
        }
    }
}
