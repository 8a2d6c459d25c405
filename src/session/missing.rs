//! What a session lacks before it can be signed.

use super::{Parts, SessionStatus, TreatmentSession};
use crate::signing::Missing;
use crate::vocabulary::{Modality, ProductRole};

/// What a session lacks before it can be signed, all at once.
pub fn missing(session: &TreatmentSession, parts: &Parts) -> Missing {
    let mut missing = Missing::default();
    let status = session.status;
    missing.unless(
        session.supervisor_id != Some(session.practitioner_id),
        "supervisorId",
        "is the practitioner: nobody supervises themselves",
    );
    missing.unless(status.is_over(), "status", &format!("is {}: complete or stop the session first", status.words()));
    let treated = matches!(status, SessionStatus::Completed | SessionStatus::Stopped);
    if !treated {
        return missing;
    }
    missing.unless(session.ended_at.is_some(), "endedAt", "is missing: when did the session end?");
    missing.unless(
        status != SessionStatus::Stopped || session.stop_reason.is_some(),
        "stopReason",
        "is missing: why was the session stopped?",
    );
    missing_by_modality(&mut missing, session, parts);
    let needling = matches!(session.modality, Modality::Microneedling | Modality::RfMicroneedling);
    for (i, area) in parts.areas.iter().enumerate().filter(|_| needling) {
        let field = |name: &str| format!("areas.{i}.{name}");
        missing.unless(area.needle_depth_mm.is_some(), &field("needleDepthMm"), "is missing");
        missing.unless(area.passes.is_some(), &field("passes"), "is missing");
        missing.unless(
            session.modality != Modality::RfMicroneedling || area.rf_energy_mj.is_some(),
            &field("rfEnergyMj"),
            "is missing: a depth under RF says little without its energy",
        );
    }
    missing
}

/// What a treatment can't be told without: where on the skin, and with what. Of another treatment only its note says that.
fn missing_by_modality(missing: &mut Missing, session: &TreatmentSession, parts: &Parts) {
    let used = |role: ProductRole| parts.products.iter().any(|it| it.role == role);
    match session.modality {
        Modality::Microneedling | Modality::RfMicroneedling | Modality::LedLightTherapy => {
            missing.unless(session.device.is_some(), "device", "is missing: which device was used?");
        }
        Modality::Prp => missing.unless(
            used(ProductRole::Prp),
            "products",
            "have no plasma: add one with the role PRP, with its tube and volume",
        ),
        Modality::TopicalGrowthSerum => missing.unless(
            used(ProductRole::Serum) || used(ProductRole::GrowthSerum),
            "products",
            "have no serum: add one with the role GROWTH_SERUM or SERUM, with its lot",
        ),
        Modality::Other => missing.unless(session.note.is_some(), "note", "is missing: which treatment was it?"),
    }
    let somewhere = !parts.areas.is_empty() || session.modality == Modality::Other;
    missing.unless(somewhere, "areas", "are missing: which areas were treated?");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::ids;
    use crate::record::Stamp;
    use crate::session::SessionArea;
    use crate::vocabulary::{BodyArea, Side};

    fn session(status: SessionStatus) -> TreatmentSession {
        let id = ids::new_id();
        TreatmentSession {
            id,
            patient_id: id,
            practitioner_id: id,
            supervisor_id: None,
            location_id: id,
            status,
            started_at: ids::now(),
            ended_at: None,
            modality: Modality::Microneedling,
            device: None,
            skin_preparation: None,
            glide: None,
            anaesthetic: None,
            pain_score: None,
            immediate_reaction: None,
            note: None,
            stop_reason: None,
            plan_id: None,
            protocol_version_id: None,
            device_id: None,
            stamp: Stamp::new(Some(id), ids::now()),
            signature: None,
            kept_parts: None,
        }
    }

    fn faults(session: &TreatmentSession, parts: &Parts) -> Vec<String> {
        match missing(session, parts).into_result() {
            Ok(()) => Vec::new(),
            Err(Error::BadUserInput(faults)) => faults.into_iter().map(|fault| fault.path).collect(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn everything_that_is_missing_is_told_at_once() {
        let area = SessionArea {
            id: ids::new_id(),
            area: BodyArea::Cheek,
            side: Side::Left,
            needle_depth_mm: None,
            passes: None,
            speed_rpm: None,
            rf_energy_mj: None,
            rf_pulse_width_ms: None,
            endpoint: None,
            note: None,
        };
        let parts = Parts { areas: vec![area], ..Parts::default() };
        let found = faults(&session(SessionStatus::Completed), &parts);
        assert_eq!(found, ["endedAt", "device", "areas.0.needleDepthMm", "areas.0.passes"]);
    }

    #[test]
    fn every_treatment_says_where_and_with_what() {
        let of =
            |modality| TreatmentSession { modality, ended_at: Some(ids::now()), ..session(SessionStatus::Completed) };
        for (modality, expected) in [
            (Modality::LedLightTherapy, vec!["device", "areas"]),
            (Modality::RfMicroneedling, vec!["device", "areas"]),
            (Modality::Prp, vec!["products", "areas"]),
            (Modality::TopicalGrowthSerum, vec!["products", "areas"]),
            (Modality::Other, vec!["note"]),
        ] {
            assert_eq!(faults(&of(modality), &Parts::default()), expected, "{modality:?}");
        }
    }

    #[test]
    fn a_session_under_way_can_not_be_signed_and_one_not_done_can() {
        assert_eq!(faults(&session(SessionStatus::InProgress), &Parts::default()), ["status"]);
        assert!(faults(&session(SessionStatus::NotDone), &Parts::default()).is_empty());
    }
}
