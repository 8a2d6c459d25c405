//! Gathering what the care rules look at.

use super::{
    AreaFact, ClearanceFact, ConsentFact, ConsultationFact, CreamFact, Days, Facts, Held, LotFact, OtherSession,
    PlanFact, ReviewFact, checks, consent_at, consultation_before, keep_overrides, read_agents, uses,
};
use crate::access::Scope;
use crate::catalogue::{Device, ProductLot, plain, store as catalogue};
use crate::clearance::Clearance;
use crate::consent::Consent;
use crate::consultation::Consultation;
use crate::credential::store::prescribers;
use crate::error::{Code, Error, Result};
use crate::health::{HealthEntry, codes, store as health};
use crate::health_review::HealthReview;
use crate::health_term::{HealthTerm, store as terms};
use crate::ids;
use crate::organisation::{AGE_OF_MAJORITY, ClearancePolicy, Location, store as places, unfit};
use crate::page::listing;
use crate::patient::store as patients;
use crate::plan::TreatmentPlan;
use crate::protocol::{ProtocolVersion, ProtocolVersionFilter, VersionStatus};
use crate::session::{KeptCheck, Parts, SessionStatus, TreatmentSession, store as sessions};
use crate::signing::store as signed;
use crate::vocabulary::{Action, FitzpatrickType, IntradermalUse, Modality, ProductRole, RecordKind, StaffRole};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use std::collections::HashMap;
use uuid::Uuid;

/// What was gathered for a session.
struct Gathered {
    zone: Tz,
    device: Option<Device>,
    lots: Vec<LotFact>,
    health: Vec<HealthEntry>,
    terms: Vec<HealthTerm>,
    reviews: Vec<ReviewFact>,
    sessions: Vec<OtherSession>,
    plan: Option<PlanFact>,
    consents: Vec<(Modality, ConsentFact)>,
    consultation: Option<ConsultationFact>,
    consultation_in_person: bool,
    /// What the location asks for, whether a missing one blocks, and what was given.
    clearance: Option<(ClearancePolicy, bool, Vec<Clearance>)>,
    skin_type: Option<FitzpatrickType>,
    born: NaiveDate,
}

/// The kinds of record that the rules look at.
const LOOKED_AT: [RecordKind; 15] = [
    RecordKind::Patient,
    RecordKind::HealthEntry,
    RecordKind::HealthReview,
    RecordKind::HealthTerm,
    RecordKind::Consultation,
    RecordKind::Consent,
    RecordKind::TreatmentSession,
    RecordKind::ProtocolVersion,
    RecordKind::Device,
    RecordKind::Product,
    RecordKind::ProductLot,
    RecordKind::TreatmentPlan,
    RecordKind::Location,
    RecordKind::Retraction,
    RecordKind::Clearance,
];

/// Whether this viewer may read all that the rules look at.
pub fn may_evaluate(scope: &Scope) -> bool {
    LOOKED_AT.iter().all(|kind| scope.viewer().check(Action::Read, *kind).is_ok())
}

/// Takes away the sign-offs of those who could not sign off any more: who is no active practitioner with a credential that
/// allows to prescribe. Asked while the treatment has not begun. What was signed off before it began stays: it was theirs to give then.
pub async fn drop_lapsed(scope: &mut Scope, session: &TreatmentSession, checks: &mut [KeptCheck]) -> Result<()> {
    let signed_off = |it: &KeptCheck| it.overridden.as_ref().and_then(|it| it.supervisor_id);
    let by: Vec<Uuid> = checks.iter().filter_map(signed_off).collect();
    if by.is_empty() {
        return Ok(());
    }
    let staff = places::staff(scope, &by).await?;
    let today = day_at(scope, session.location_id, ids::now()).await?;
    let prescribing = prescribers(scope, &by, &[session.modality], today).await?;
    let fit = |id: Uuid| {
        let member = staff.iter().find(|member| member.id == id);
        unfit(member, Some(StaffRole::Practitioner)).is_none() && prescribing.contains(&id)
    };
    for check in checks.iter_mut().filter(|it| signed_off(it).is_some_and(|by| !fit(by))) {
        check.overridden = None;
    }
    Ok(())
}

/// The day of a moment by the clock of a place.
pub async fn day_at(scope: &mut Scope, location: Uuid, at: DateTime<Utc>) -> Result<NaiveDate> {
    let zone = zones(&locations(scope, [location].into_iter()).await?).remove(&location).unwrap_or(Tz::UTC);
    Ok(at.with_timezone(&zone).date_naive())
}

/// What every rule says of a session. Its protocol is the one it names, else the only published one of its kind; without
/// any, what needs no protocol is asked all the same. What was overridden in the checks among its parts stays so where the
/// answer is the same. The number of statements does not depend on the length of the chart.
pub async fn evaluate(scope: &mut Scope, session: &TreatmentSession, parts: &Parts) -> Result<Vec<KeptCheck>> {
    let uses = uses(session, parts);
    let protocols = protocols(scope, session, &uses).await?;
    let took_place = !matches!(session.status, SessionStatus::NotDone | SessionStatus::EnteredInError);
    if protocols.own.is_none() && !took_place {
        return Ok(Vec::new());
    }
    let found = gather(scope, session, parts, &uses).await?;
    let areas: Vec<AreaFact> =
        parts.areas.iter().map(|it| AreaFact { area: it.area, side: it.side, depth_mm: it.needle_depth_mm }).collect();
    let others = protocols.others();
    let now = checks(&Facts {
        own: protocols.own.as_ref().map(|it| held(it, true)),
        others: &others,
        modality: session.modality,
        uses: &uses,
        started_at: session.started_at,
        day: session.started_at.with_timezone(&found.zone).date_naive(),
        areas: &areas,
        device: found.device.as_ref(),
        lots: &found.lots,
        cream: cream(session, &found.lots),
        skin_type: found.skin_type,
        patient: session.patient_id,
        born: found.born,
        health: &found.health,
        terms: &found.terms,
        reviews: &found.reviews,
        sessions: &found.sessions,
        plan: found.plan.as_ref(),
        consents: &found.consents,
        consultation: found.consultation.as_ref(),
        consultation_in_person: found.consultation_in_person,
        clearance: found.clearance.as_ref().map(|(policy, blocks, given)| ClearanceFact {
            policy: *policy,
            blocks: *blocks,
            given,
        }),
    });
    Ok(keep_overrides(&parts.checks, now, session.practitioner_id))
}

fn held(version: &ProtocolVersion, only: bool) -> Held<'_> {
    Held { version: version.id, modality: version.modality, rules: &version.rules, only }
}

/// The numbing cream: of the session itself, or a product that is one by its role or by its name.
fn cream(session: &TreatmentSession, lots: &[LotFact]) -> Option<CreamFact> {
    if let Some(cream) = &session.anaesthetic {
        return Some(CreamFact::of(cream));
    }
    let numbs = |it: &&LotFact| it.role == Some(ProductRole::Anaesthetic) || codes::names("lidocaine", &it.product);
    lots.iter().find(numbs).map(|it| CreamFact { agents: read_agents(&it.product), ..CreamFact::default() })
}

/// The protocols that a session is held to.
struct Protocols {
    own: Option<ProtocolVersion>,
    /// Those that are published for the kinds of treatment that its own is not for.
    published: Vec<ProtocolVersion>,
}

impl Protocols {
    fn others(&self) -> Vec<Held<'_>> {
        let of = |modality| self.published.iter().filter(|it| it.modality == modality).count();
        self.published.iter().map(|it| held(it, of(it.modality) == 1)).collect()
    }
}

async fn protocols(scope: &mut Scope, session: &TreatmentSession, uses: &[Modality]) -> Result<Protocols> {
    let mut own: Option<ProtocolVersion> = match session.protocol_version_id {
        Some(id) => Some(listing::one(scope, id).await?),
        None => None,
    };
    let covered = own.as_ref().map(|it| it.modality);
    let wanted: Vec<Modality> = uses.iter().copied().filter(|it| Some(*it) != covered).collect();
    let mut published = if wanted.is_empty() { Vec::new() } else { published(scope, wanted).await? };
    if own.is_none() {
        let (of_kind, rest): (Vec<_>, Vec<_>) = published.into_iter().partition(|it| it.modality == session.modality);
        match <[ProtocolVersion; 1]>::try_from(of_kind) {
            Ok([only]) => (own, published) = (Some(only), rest),
            Err(several) => published = several.into_iter().chain(rest).collect(),
        }
    }
    Ok(Protocols { own, published })
}

async fn gather(scope: &mut Scope, session: &TreatmentSession, parts: &Parts, uses: &[Modality]) -> Result<Gathered> {
    let patient = patients::patient(scope, session.patient_id).await?;
    let other: Vec<TreatmentSession> = listing::all_under(scope, "patient_id", &[session.patient_id]).await?;
    let mut other: Vec<TreatmentSession> = other.into_iter().filter(|it| it.id != session.id).collect();
    let consents: Vec<Consent> = listing::all_under(scope, "patient_id", &[session.patient_id]).await?;
    let mut consultations: Vec<Consultation> = listing::all_under(scope, "patient_id", &[session.patient_id]).await?;
    let signable: Vec<Uuid> = other.iter().map(|it| it.id).chain(consultations.iter().map(|it| it.id)).collect();
    let gone = signed::retracted(scope, &signable).await?;
    other.retain(|it| !gone.contains(&it.id));
    consultations.retain(|it| !gone.contains(&it.id));
    let held_at = consultations.iter().filter_map(|it| it.location_id);
    let named = other.iter().map(|it| it.location_id).chain(held_at).chain([session.location_id]);
    let places = locations(scope, named).await?;
    let zones = zones(&places);
    let zone = zones.get(&session.location_id).copied().unwrap_or(Tz::UTC);
    let day_of = |at: DateTime<Utc>, location: Option<Uuid>| {
        let of = location.and_then(|it| zones.get(&it)).copied().unwrap_or(zone);
        at.with_timezone(&of).date_naive()
    };
    let device = match session.device_id {
        Some(id) => listing::by_ids::<Device>(scope, &[id]).await?.pop(),
        None => None,
    };
    let plan = match session.plan_id {
        Some(id) => listing::by_ids::<TreatmentPlan>(scope, &[id]).await?.pop(),
        None => None,
    };
    let place = places.into_iter().find(|it| it.id == session.location_id);
    let days = Days {
        born: patient.birth_date,
        session: session.started_at.with_timezone(&zone).date_naive(),
        of_age: place.as_ref().map_or(AGE_OF_MAJORITY, |it| it.age_of_consent).unsigned_abs().into(),
    };
    let reviews: Vec<HealthReview> = listing::all_under(scope, "patient_id", &[session.patient_id]).await?;
    // By the day of the place of the session: the patient is asked there, or on the phone from there.
    let reviewed = |kept: HealthReview| ReviewFact { day: kept.reviewed_at.with_timezone(&zone).date_naive(), kept };
    let health = health::of_patients(scope, &[session.patient_id], false).await?;
    Ok(Gathered {
        terms: if health.is_empty() { Vec::new() } else { terms::in_use(scope).await? },
        health,
        reviews: reviews.into_iter().map(reviewed).collect(),
        skin_type: patient.skin_type.map(|skin| skin.fitzpatrick),
        born: patient.birth_date,
        consents: uses.iter().map(|it| (*it, consent_at(&consents, *it, session.started_at, days))).collect(),
        consultation_in_person: place.as_ref().is_some_and(|it| it.consultation_in_person),
        consultation: consultation_before(&consultations, session.started_at, day_of),
        plan: plan.map(|it| PlanFact { id: it.id, planned_sessions: it.planned_sessions, areas: it.areas }),
        lots: lots(scope, session, parts).await?,
        clearance: clearances(scope, session, place).await?,
        sessions: others(scope, other, day_of).await?,
        zone,
        device,
    })
}

/// What the session's location asks for, and the patient's clearances; nothing where it asks for none.
async fn clearances(
    scope: &mut Scope,
    session: &TreatmentSession,
    place: Option<Location>,
) -> Result<Option<(ClearancePolicy, bool, Vec<Clearance>)>> {
    match place.filter(|it| it.clearance != ClearancePolicy::None) {
        Some(place) => {
            let given: Vec<Clearance> = listing::all_under(scope, "patient_id", &[session.patient_id]).await?;
            Ok(Some((place.clearance, place.clearance_blocks, given)))
        }
        None => Ok(None),
    }
}

/// The other sessions, with their areas and the interval that their own protocols ask for.
async fn others(
    scope: &mut Scope,
    other: Vec<TreatmentSession>,
    day_of: impl Fn(DateTime<Utc>, Option<Uuid>) -> NaiveDate,
) -> Result<Vec<OtherSession>> {
    let ids: Vec<Uuid> = other.iter().map(|it| it.id).collect();
    let mut areas = sessions::areas_of(scope, &ids).await?;
    let mut wanted: Vec<Uuid> = other.iter().filter_map(|it| it.protocol_version_id).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let versions: Vec<ProtocolVersion> =
        if wanted.is_empty() { Vec::new() } else { listing::by_ids(scope, &wanted).await? };
    let least = |id: Uuid| versions.iter().find(|it| it.id == id).map(|it| it.rules.interval_min_days);
    let each = other.into_iter().map(|it| OtherSession {
        day: day_of(it.started_at, Some(it.location_id)),
        areas: areas.remove(&it.id).unwrap_or_default().iter().map(|it| (it.area, it.side)).collect(),
        interval_min_days: it.protocol_version_id.and_then(least),
        id: it.id,
        started_at: it.started_at,
        status: it.status,
        modality: it.modality,
        by_device: it.kinds().nth(1),
        plan: it.plan_id,
        signed: it.signature.is_some(),
    });
    Ok(each.collect())
}

/// The products and the numbing cream of a session with what the catalogue knows of them: by the lot that was named, or by
/// what was typed, name and lot.
async fn lots(scope: &mut Scope, session: &TreatmentSession, parts: &Parts) -> Result<Vec<LotFact>> {
    let mut used: Vec<LotFact> = parts
        .products
        .iter()
        .map(|it| LotFact {
            role: Some(it.role),
            product: it.product.clone(),
            intradermal_use: it.intradermal_use,
            lot: it.lot.clone(),
            expires_on: it.expires_on,
            known: None,
        })
        .collect();
    used.extend(session.anaesthetic.as_ref().map(|it| LotFact {
        role: None,
        product: it.product.clone(),
        intradermal_use: IntradermalUse::Unknown,
        lot: it.lot.clone(),
        expires_on: None,
        known: None,
    }));
    let wanted: Vec<Uuid> = parts.products.iter().filter_map(|it| it.lot_id).collect();
    let named: Vec<ProductLot> = if wanted.is_empty() { Vec::new() } else { listing::by_ids(scope, &wanted).await? };
    for (fact, product) in used.iter_mut().zip(&parts.products) {
        fact.known = named.iter().find(|lot| Some(lot.id) == product.lot_id).cloned();
    }
    if used.iter().any(|it| it.known.is_none()) {
        let typed = || used.iter().filter(|it| it.known.is_none());
        let names = typed().map(|it| plain(&it.product)).filter(|it| !it.is_empty()).collect();
        let numbers = typed().filter_map(|it| it.lot.as_deref()).map(plain);
        let found = catalogue::named(scope, names, numbers.filter(|it| !it.is_empty()).collect()).await?;
        used.iter_mut().filter(|it| it.known.is_none()).for_each(|it| it.look_up(&found.0, &found.1));
    }
    Ok(used)
}

async fn locations(scope: &mut Scope, named: impl Iterator<Item = Uuid>) -> Result<Vec<Location>> {
    let mut wanted: Vec<Uuid> = named.collect();
    wanted.sort_unstable();
    wanted.dedup();
    places::locations(scope, &wanted).await
}

fn zones(places: &[Location]) -> HashMap<Uuid, Tz> {
    places.iter().map(|it| (it.id, it.time_zone.parse().unwrap_or(Tz::UTC))).collect()
}

/// The published protocols of these kinds of treatment.
async fn published(scope: &mut Scope, modalities: Vec<Modality>) -> Result<Vec<ProtocolVersion>> {
    let filter = ProtocolVersionFilter {
        status: Some(vec![VersionStatus::Published]),
        modality: Some(modalities),
        ..ProtocolVersionFilter::default()
    };
    listing::all(scope, &filter.read()?, Default::default()).await
}

/// The published protocol of a kind of treatment, if there is exactly one; else how many there are.
pub async fn only_published(
    scope: &mut Scope,
    modality: Modality,
) -> Result<std::result::Result<ProtocolVersion, usize>> {
    let found = published(scope, vec![modality]).await?;
    let count = found.len();
    Ok(<[ProtocolVersion; 1]>::try_from(found).map(|[only]| only).map_err(|_| count))
}

/// The fault of an input that names no protocol where it must.
pub fn protocol_needed(modality: Modality, published: usize) -> Error {
    let message = format!(
        "is needed: there are {published} published protocols for {}; `protocols` lists them",
        modality.words()
    );
    Error::input("input.protocolVersionId", Code::Required.says(message))
}
