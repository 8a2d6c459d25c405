//! The consents before a course.

use super::chart::Scribe;
use crate::consent::{
    Consent, ConsentKind, ConsentSignatureMethod, ConsentSigner, ConsentStatus, ConsentTemplateVersion, Given, hash_of,
};
use crate::error::Result;
use crate::record::Stamp;
use crate::vocabulary::{Action, Modality};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// A text of a kind that covers a treatment.
fn text<'w>(scribe: &Scribe<'w>, kind: ConsentKind, modality: Option<Modality>) -> Option<&'w ConsentTemplateVersion> {
    let covers = |it: &ConsentTemplateVersion| {
        it.modalities.is_empty() || modality.is_some_and(|modality| it.modalities.contains(&modality))
    };
    scribe.world.texts.iter().find(|(of, it)| *of == kind && covers(it)).map(|(_, text)| text)
}

/// The patient agrees at a moment, unless what they agreed to before still holds.
pub(super) fn agree(
    scribe: &mut Scribe<'_>,
    kind: ConsentKind,
    modality: Option<Modality>,
    by: Uuid,
    at: DateTime<Utc>,
) -> Result<()> {
    let holds =
        crate::consent::in_force(&scribe.chart.consents, kind, modality, at, scribe.chart.patient.birth_date).is_some();
    let Some(text) = text(scribe, kind, modality).filter(|_| !holds && scribe.has_come(at)) else { return Ok(()) };
    let legal = &scribe.chart.patient.legal_name;
    let name = legal.with_family(&legal.given);
    let consent = Consent {
        id: scribe.new_id(at),
        patient_id: scribe.chart.patient.id,
        template_version_id: text.id,
        kind,
        modalities: text.modalities.clone(),
        text_hash: text.text_hash.clone(),
        status: ConsentStatus::Active,
        given: Some(Given {
            at,
            signer: ConsentSigner::Patient,
            signature_hash: hash_of(name.as_bytes()),
            name,
            relationship: None,
            method: ConsentSignatureMethod::TypedName,
            witness_id: Some(by),
            witness_name: None,
        }),
        expires_at: text.valid_days.map(|days| at + TimeDelta::days(i64::from(days))),
        ended_at: None,
        ended_reason: None,
        note: None,
        stamp: Stamp::new(Some(by), at),
    };
    scribe.note(Action::Create, &consent, by, at)?;
    scribe.chart.consents.push(consent);
    Ok(())
}

/// A few take their consent back after all their sessions.
pub(super) fn take_back(scribe: &mut Scribe<'_>) -> Result<()> {
    let Some((last, _)) = scribe.chart.sessions.last() else { return Ok(()) };
    let (by, after) = (last.practitioner_id, last.stamp.updated_at);
    let at = after + TimeDelta::days(scribe.more.between(9, 40));
    if !scribe.more.chance(40) || !scribe.has_come(at) {
        return Ok(());
    }
    let born = scribe.chart.patient.birth_date;
    let place = scribe.chart.consents.iter().rposition(|consent| {
        consent.kind == ConsentKind::Treatment && consent.in_force_at(at, born) && consent.stamp.updated_at < at
    });
    let Some(mut consent) = place.and_then(|place| scribe.chart.consents.get(place)).cloned() else { return Ok(()) };
    consent.status = ConsentStatus::Inactive;
    (consent.ended_at, consent.ended_reason) = (Some(at), Some("Wants no further treatment for now".to_owned()));
    consent.stamp = consent.stamp.changed(Some(by), at);
    scribe.note(Action::Update, &consent, by, at)?;
    if let Some(kept) = place.and_then(|place| scribe.chart.consents.get_mut(place)) {
        *kept = consent;
    }
    Ok(())
}
