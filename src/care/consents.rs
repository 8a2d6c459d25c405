//! Which consent and which consultation a session rests on.

use super::checks::{ConsentDoubt, ConsentFact, ConsultationFact, Tissue};
use crate::consent::{Consent, ConsentKind, ConsentSigner, ConsentStatus, Given, is_under};
use crate::consultation::{Candidacy, Consultation};
use crate::vocabulary::{Concern, Modality};
use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

/// The day a patient was born, and the day of a session where it takes place: what somebody's age goes by.
#[derive(Debug, Clone, Copy)]
pub struct Days {
    /// The day of birth.
    pub born: NaiveDate,
    /// The day of the session.
    pub session: NaiveDate,
    /// The age from which patients decide alone there.
    pub of_age: u32,
}

/// How the consent to a kind of treatment stands at a moment: the best there is.
pub fn consent_at(consents: &[Consent], modality: Modality, at: DateTime<Utc>, days: Days) -> ConsentFact {
    let about = |it: &&Consent| {
        it.kind == ConsentKind::Treatment && (it.modalities.is_empty() || it.modalities.contains(&modality))
    };
    let covers = |it: &&Consent| {
        about(it) && it.given.as_ref().is_some_and(|given| given.at <= at) && it.status != ConsentStatus::EnteredInError
    };
    let refused = consents.iter().filter(about).find(|it| it.status == ConsentStatus::Rejected);
    let refused_at = refused.map(|it| it.ended_at.unwrap_or(it.stamp.created_at)).filter(|refused| *refused <= at);
    let mut found = ConsentFact::Missing;
    // Newest first: the newest that holds is the one, else the newest that did.
    for it in consents.iter().filter(covers) {
        let ended = it.status != ConsentStatus::Active && it.ended_at.is_none_or(|ended| ended <= at);
        if !ended && it.expires_at.is_none_or(|until| at < until) {
            let given = it.given.as_ref();
            let since = given.zip(refused_at).is_some_and(|(given, refused)| given.at < refused);
            match (refused.filter(|_| since), given.and_then(|given| doubt(given, days))) {
                (Some(refused), _) => return ConsentFact::Refused(refused.id),
                (None, None) => return ConsentFact::InForce(it.id),
                // An older one may do.
                (None, Some(doubt)) => match found {
                    ConsentFact::Doubtful(..) => {}
                    _ => found = ConsentFact::Doubtful(it.id, doubt),
                },
            }
        } else if found == ConsentFact::Missing {
            let day = |at: Option<DateTime<Utc>>| at.map(|at| at.date_naive());
            found = match ended {
                true => ConsentFact::Ended(it.id, day(it.ended_at)),
                false => ConsentFact::Expired(it.id, day(it.expires_at)),
            };
        }
    }
    match refused {
        Some(refused) if found == ConsentFact::Missing => ConsentFact::Refused(refused.id),
        _ => found,
    }
}

/// Why a consent does not do: a guardian gives it for a patient under age, and the patient gives it afterwards.
fn doubt(given: &Given, days: Days) -> Option<ConsentDoubt> {
    let minor = |day| is_under(days.born, day, days.of_age);
    let minor_then = minor(given.at.date_naive());
    match (given.signer, minor_then) {
        (ConsentSigner::Patient, true) => Some(ConsentDoubt::Minor),
        (ConsentSigner::Patient, false) => None,
        (ConsentSigner::Guardian, false) => Some(ConsentDoubt::Adult),
        (ConsentSigner::Guardian, true) => (!minor(days.session)).then_some(ConsentDoubt::GrownUp),
    }
}

/// The consultation before a moment that counts: the latest of those that are signed and came to a finding; without such a
/// one, the latest that came to a finding, and else the latest of all. A later finding that speaks against a treatment goes
/// before all. `day_of` gives its day, where it was held.
pub fn consultation_before(
    consultations: &[Consultation],
    at: DateTime<Utc>,
    day_of: impl Fn(DateTime<Utc>, Option<Uuid>) -> NaiveDate,
) -> Option<ConsultationFact> {
    let before: Vec<&Consultation> = consultations.iter().filter(|it| it.held_at <= at).collect();
    let found = before.iter().filter(|it| it.candidacy.is_some());
    // What was found last counts where it speaks against a treatment, signed or not.
    let against = found.clone().max_by_key(|it| it.held_at).filter(|it| it.candidacy != Some(Candidacy::Suitable));
    let best =
        against.or_else(|| before.iter().max_by_key(|it| (it.candidacy.is_some(), it.signature.is_some(), it.held_at)));
    best.map(|it| ConsultationFact {
        id: it.id,
        held_on: day_of(it.held_at, it.location_id),
        valid_until: it.valid_until,
        candidacy: it.candidacy,
        signed: it.signature.is_some(),
        about: about(&it.concerns),
        mode: it.mode,
    })
}

/// The parts of the body that concerns are about: none where they leave it open.
fn about(concerns: &[Concern]) -> Vec<Tissue> {
    if concerns.contains(&Concern::Other) {
        return Vec::new();
    }
    let hair = concerns.contains(&Concern::HairThinning).then_some(Tissue::Hair);
    let skin = concerns.iter().any(|it| *it != Concern::HairThinning).then_some(Tissue::Skin);
    hair.into_iter().chain(skin).collect()
}

#[cfg(test)]
mod tests {
    use super::super::checks::ConsentFact::{Doubtful, InForce, Missing, Refused};
    use super::*;
    use crate::consent::ConsentSignatureMethod;
    use crate::consultation::ConsultationMode;
    use crate::ids;
    use crate::record::{Signature, Stamp};
    use crate::vocabulary::SignatureMeaning;
    use chrono::TimeZone;

    fn noon(year: i32, month: u32, day: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(year, month, day, 12, 0, 0).single().expect("noon")
    }

    fn consent(signer: Option<ConsentSigner>, at: DateTime<Utc>) -> Consent {
        Consent {
            id: ids::new_id(),
            patient_id: Uuid::nil(),
            template_version_id: Uuid::nil(),
            kind: ConsentKind::Treatment,
            modalities: vec![Modality::Microneedling],
            text_hash: Vec::new(),
            status: if signer.is_some() { ConsentStatus::Active } else { ConsentStatus::Rejected },
            given: signer.map(|signer| Given {
                at,
                signer,
                name: "Ada".to_owned(),
                relationship: None,
                method: ConsentSignatureMethod::TypedName,
                signature_hash: Vec::new(),
                witness_id: None,
                witness_name: None,
            }),
            expires_at: None,
            ended_at: signer.is_none().then_some(at),
            ended_reason: None,
            note: None,
            stamp: Stamp::new(None, at),
        }
    }

    #[test]
    fn a_consent_is_given_by_whom_it_is_for_at_that_age() {
        let at = noon(2026, 6, 15);
        let session = at.date_naive();
        let of = |consents: &[Consent], born| {
            consent_at(consents, Modality::Microneedling, at, Days { born, session, of_age: 18 })
        };
        let child = NaiveDate::from_ymd_opt(2008, 6, 14).expect("a day");
        let still = NaiveDate::from_ymd_opt(2008, 6, 16).expect("a day");
        let adult = NaiveDate::from_ymd_opt(1990, 1, 1).expect("a day");
        let mother = consent(Some(ConsentSigner::Guardian), noon(2026, 1, 1));
        let own = consent(Some(ConsentSigner::Patient), noon(2026, 1, 1));
        let one = std::slice::from_ref;
        assert_eq!(of(one(&mother), child), Doubtful(mother.id, ConsentDoubt::GrownUp), "of age since yesterday");
        assert_eq!(of(one(&mother), still), InForce(mother.id));
        assert_eq!(of(one(&mother), adult), Doubtful(mother.id, ConsentDoubt::Adult));
        assert_eq!(of(one(&own), child), Doubtful(own.id, ConsentDoubt::Minor), "a corrected birth date");
        assert_eq!(of(one(&own), adult), InForce(own.id));
        assert_eq!(of(&[mother, own.clone()], adult), InForce(own.id), "another one does");
        let at_16 = |consents: &[Consent], born| {
            consent_at(consents, Modality::Microneedling, at, Days { born, session, of_age: 16 })
        };
        let young = NaiveDate::from_ymd_opt(2009, 6, 14).expect("a day");
        assert_eq!(of(one(&own), young), Doubtful(own.id, ConsentDoubt::Minor), "17, of age at 18");
        assert_eq!(at_16(one(&own), young), InForce(own.id), "where 16 is enough");
        let no = consent(None, noon(2026, 2, 1));
        assert_eq!(of(&[no.clone(), own.clone()], adult), Refused(no.id), "a later no");
        let earlier = consent(None, noon(2025, 12, 1));
        assert_eq!(of(&[own.clone(), earlier], adult), InForce(own.id), "a no before");
        assert_eq!(of(&[], adult), Missing);
    }

    fn held(at: DateTime<Utc>, candidacy: Option<Candidacy>, signed: bool) -> Consultation {
        Consultation {
            id: ids::new_id(),
            patient_id: Uuid::nil(),
            practitioner_id: Uuid::nil(),
            location_id: None,
            held_at: at,
            mode: ConsultationMode::InPerson,
            concerns: vec![Concern::AcneScars],
            goals: None,
            findings: None,
            scar_types: Vec::new(),
            prior_procedures: None,
            expectations_discussed: None,
            candidacy,
            candidacy_reasons: None,
            recommended_plan: None,
            patch_test: None,
            valid_until: None,
            stamp: Stamp::new(None, at),
            signature: signed.then(|| Signature {
                signed_at: at,
                signed_by: Uuid::nil(),
                meaning: SignatureMeaning::Author,
                content_hash: Vec::new(),
                reason: None,
                of: None,
            }),
        }
    }

    #[test]
    fn a_draft_does_not_stand_in_for_a_signed_consultation_and_a_later_no_goes_before_both() {
        let suitable = Some(Candidacy::Suitable);
        let signed = held(noon(2026, 1, 1), suitable, true);
        let draft = held(noon(2026, 3, 1), suitable, false);
        let unsuitable = held(noon(2026, 4, 1), Some(Candidacy::Unsuitable), false);
        let open = held(noon(2026, 5, 1), None, false);
        let found = |list: &[&Consultation]| {
            let all: Vec<Consultation> = list.iter().map(|it| (*it).clone()).collect();
            consultation_before(&all, noon(2026, 6, 1), |at, _| at.date_naive()).map(|it| (it.id, it.signed))
        };
        assert_eq!(found(&[&signed, &draft]), Some((signed.id, true)));
        assert_eq!(found(&[&draft, &open]), Some((draft.id, false)));
        assert_eq!(found(&[&signed, &draft, &unsuitable]), Some((unsuitable.id, false)));
        assert_eq!(found(&[&open]), Some((open.id, false)));
        assert_eq!(found(&[]), None);
    }
}
