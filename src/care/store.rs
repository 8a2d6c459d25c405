//! Gathering what the care rules look at.

use super::{
    AreaFact, ConsentFact, ConsultationFact, CreamFact, EarlierSession, Facts, LotFact, checks, keep_overrides,
};
use crate::access::Scope;
use crate::catalogue::{Device, ProductLot};
use crate::consent::{Consent, ConsentKind, ConsentStatus};
use crate::consultation::Consultation;
use crate::error::Result;
use crate::health::{HealthEntry, store as health};
use crate::organisation::{store as places, unfit};
use crate::page::listing;
use crate::patient::store as patients;
use crate::protocol::ProtocolVersion;
use crate::session::{KeptCheck, Parts, TreatmentSession, store as sessions};
use crate::vocabulary::{Action, FitzpatrickType, Modality, RecordKind, StaffRole};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::collections::HashMap;
use uuid::Uuid;

/// What was gathered for a session.
struct Gathered {
    version: ProtocolVersion,
    zone: Tz,
    device: Option<Device>,
    lots: Vec<LotFact>,
    health: Vec<HealthEntry>,
    sessions: Vec<EarlierSession>,
    consent: ConsentFact,
    consultation: Option<ConsultationFact>,
    skin_type: Option<FitzpatrickType>,
}

/// The kinds of record that the rules look at.
const LOOKED_AT: [RecordKind; 9] = [
    RecordKind::Patient,
    RecordKind::HealthEntry,
    RecordKind::Consultation,
    RecordKind::Consent,
    RecordKind::TreatmentSession,
    RecordKind::ProtocolVersion,
    RecordKind::Device,
    RecordKind::ProductLot,
    RecordKind::Location,
];

/// Whether this viewer may read all that the rules look at.
pub fn may_evaluate(scope: &Scope) -> bool {
    LOOKED_AT.iter().all(|kind| scope.viewer().check(Action::Read, *kind).is_ok())
}

/// Takes away the sign-offs of those who could not sign off any more: who is no active practitioner with a licence number.
/// Asked while the treatment has not begun. What was signed off before it began stays: it was theirs to give then.
pub async fn drop_lapsed(scope: &mut Scope, checks: &mut [KeptCheck]) -> Result<()> {
    let signed_off = |it: &KeptCheck| it.overridden.as_ref().and_then(|it| it.supervisor_id);
    let by: Vec<Uuid> = checks.iter().filter_map(signed_off).collect();
    if by.is_empty() {
        return Ok(());
    }
    let staff = places::staff(scope, &by).await?;
    let fit = |id: Uuid| {
        let member = staff.iter().find(|member| member.id == id);
        unfit(member, Some(StaffRole::Practitioner)).is_none()
            && member.is_some_and(|member| member.licence_number.is_some())
    };
    for check in checks.iter_mut().filter(|it| signed_off(it).is_some_and(|by| !fit(by))) {
        check.overridden = None;
    }
    Ok(())
}

/// What every rule of its protocol says of a session; nothing for a session that names none. What was overridden in the
/// checks among its parts stays so where the answer is the same. The number of statements does not depend on the length
/// of the chart.
pub async fn evaluate(scope: &mut Scope, session: &TreatmentSession, parts: &Parts) -> Result<Vec<KeptCheck>> {
    let Some(version) = session.protocol_version_id else { return Ok(Vec::new()) };
    let found = gather(scope, session, parts, version).await?;
    let areas: Vec<AreaFact> =
        parts.areas.iter().map(|it| AreaFact { area: it.area, side: it.side, depth_mm: it.needle_depth_mm }).collect();
    let cream = session
        .anaesthetic
        .as_ref()
        .map(|it| CreamFact { minutes: it.applied_at.zip(it.removed_at).map(|(on, off)| (off - on).num_minutes()) });
    let now = checks(&Facts {
        rules: &found.version.rules,
        protocol_version: found.version.id,
        protocol_modality: found.version.modality,
        modality: session.modality,
        started_at: session.started_at,
        day: session.started_at.with_timezone(&found.zone).date_naive(),
        areas: &areas,
        device: found.device.as_ref(),
        lots: &found.lots,
        cream,
        skin_type: found.skin_type,
        patient: session.patient_id,
        health: &found.health,
        sessions: &found.sessions,
        consent: found.consent,
        consultation: found.consultation,
    });
    Ok(keep_overrides(&parts.checks, now, session.practitioner_id))
}

async fn gather(scope: &mut Scope, session: &TreatmentSession, parts: &Parts, version: Uuid) -> Result<Gathered> {
    let version: ProtocolVersion = listing::one(scope, version).await?;
    let patient = patients::patient(scope, session.patient_id).await?;
    let other: Vec<TreatmentSession> = listing::all_under(scope, "patient_id", &[session.patient_id]).await?;
    let other: Vec<TreatmentSession> = other.into_iter().filter(|it| it.id != session.id).collect();
    let zones = zones(scope, other.iter().map(|it| it.location_id).chain([session.location_id])).await?;
    let zone_of = |location: Uuid| zones.get(&location).copied().unwrap_or(Tz::UTC);
    let ids: Vec<Uuid> = other.iter().map(|it| it.id).collect();
    let mut areas = sessions::areas_of(scope, &ids).await?;
    let sessions = other
        .into_iter()
        .map(|it| EarlierSession {
            day: it.started_at.with_timezone(&zone_of(it.location_id)).date_naive(),
            areas: areas.remove(&it.id).unwrap_or_default().iter().map(|it| (it.area, it.side)).collect(),
            id: it.id,
            started_at: it.started_at,
            status: it.status,
            modality: it.modality,
        })
        .collect();
    let wanted: Vec<Uuid> = parts.products.iter().filter_map(|it| it.lot_id).collect();
    let known: Vec<ProductLot> = if wanted.is_empty() { Vec::new() } else { listing::by_ids(scope, &wanted).await? };
    let lots = parts
        .products
        .iter()
        .map(|it| LotFact {
            product: it.product.clone(),
            lot: it.lot.clone(),
            expires_on: it.expires_on,
            known: known.iter().find(|lot| Some(lot.id) == it.lot_id).cloned(),
        })
        .collect();
    let device = match session.device_id {
        Some(id) => listing::by_ids::<Device>(scope, &[id]).await?.pop(),
        None => None,
    };
    let consents: Vec<Consent> = listing::all_under(scope, "patient_id", &[session.patient_id]).await?;
    let consultations: Vec<Consultation> = listing::all_under(scope, "patient_id", &[session.patient_id]).await?;
    Ok(Gathered {
        health: health::of_patients(scope, &[session.patient_id], false).await?,
        skin_type: patient.skin_type.map(|skin| skin.fitzpatrick),
        zone: zone_of(session.location_id),
        consent: consent_at(&consents, session.modality, session.started_at),
        consultation: consultation_before(&consultations, session.started_at),
        version,
        device,
        lots,
        sessions,
    })
}

async fn zones(scope: &mut Scope, locations: impl Iterator<Item = Uuid>) -> Result<HashMap<Uuid, Tz>> {
    let mut wanted: Vec<Uuid> = locations.collect();
    wanted.sort_unstable();
    wanted.dedup();
    let found = places::locations(scope, &wanted).await?;
    Ok(found.into_iter().map(|it| (it.id, it.time_zone.parse().unwrap_or(Tz::UTC))).collect())
}

/// How the consent to a kind of treatment stands at a moment: the best there is.
pub fn consent_at(consents: &[Consent], modality: Modality, at: DateTime<Utc>) -> ConsentFact {
    let about = |it: &&Consent| {
        it.kind == ConsentKind::Treatment && (it.modalities.is_empty() || it.modalities.contains(&modality))
    };
    let covers = |it: &&Consent| {
        about(it) && it.given.as_ref().is_some_and(|given| given.at <= at) && it.status != ConsentStatus::EnteredInError
    };
    let mut found = ConsentFact::Missing;
    // Newest first: the newest that holds is the one, else the newest that did.
    for it in consents.iter().filter(covers) {
        let ended = it.status != ConsentStatus::Active && it.ended_at.is_none_or(|ended| ended <= at);
        if !ended && it.expires_at.is_none_or(|until| at < until) {
            return ConsentFact::InForce(it.id);
        }
        if found == ConsentFact::Missing {
            let day = |at: Option<DateTime<Utc>>| at.map(|at| at.date_naive());
            found = match ended {
                true => ConsentFact::Ended(it.id, day(it.ended_at)),
                false => ConsentFact::Expired(it.id, day(it.expires_at)),
            };
        }
    }
    let refused = consents.iter().filter(about).find(|it| it.status == ConsentStatus::Rejected);
    match refused {
        Some(refused) if found == ConsentFact::Missing => ConsentFact::Refused(refused.id),
        _ => found,
    }
}

/// The latest consultation before a moment that came to a finding; without such a one, the latest of all.
pub fn consultation_before(consultations: &[Consultation], at: DateTime<Utc>) -> Option<ConsultationFact> {
    let before = consultations.iter().filter(|it| it.held_at <= at);
    before.max_by_key(|it| (it.candidacy.is_some(), it.held_at)).map(|it| ConsultationFact {
        id: it.id,
        held_on: it.held_at.date_naive(),
        valid_until: it.valid_until,
        candidacy: it.candidacy,
    })
}

/// The one published protocol of a kind of treatment; a fault that names the choice where there is none or more.
pub async fn only_published(scope: &mut Scope, modality: Modality) -> Result<ProtocolVersion> {
    let filter = crate::protocol::ProtocolVersionFilter {
        status: Some(vec![crate::protocol::VersionStatus::Published]),
        modality: Some(vec![modality]),
        protocol_id: None,
    };
    let mut found: Vec<ProtocolVersion> = listing::all(scope, &filter.read()?, Default::default()).await?;
    match (found.pop(), found.len()) {
        (Some(version), 0) => Ok(version),
        (_, others) => {
            let message = format!(
                "is needed: there are {} published protocols for {}; `protocols` lists them",
                if others == 0 { 0 } else { others + 1 },
                modality.words()
            );
            Err(crate::error::Error::input("input.protocolVersionId", message))
        }
    }
}
