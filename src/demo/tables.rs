//! Charts as rows of the tables.

use super::chart::Chart;
use super::copy::Rows;
use crate::error::{Error, Result};
use crate::patient::search;
use crate::record::{Signature, Stamp};
use uuid::Uuid;

/// A table with the columns that are filled, in the order of its rows here.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static str,
}

macro_rules! table {
    ($constant:ident, $name:literal, $columns:literal) => {
        pub(super) const $constant: Table = Table { name: $name, columns: $columns };
    };
}

table!(
    PATIENT,
    "patient",
    "org_id, id, chart_number, given_name, middle_name, family_name, preferred_name, name_key, birth_date, sex_at_birth, gender, \
     pronouns, email, phone, address, emergency_contact, fitzpatrick_type, fitzpatrick_assessed_on, fitzpatrick_assessed_by, \
     status, status_reason, version, created_at, created_by, updated_at, updated_by"
);
table!(PATIENT_SEARCH, "patient_search", "org_id, trigram, patient_id");
table!(
    HEALTH_ENTRY,
    "health_entry",
    "org_id, id, patient_id, kind, code, text, severity, onset_on, ended_on, last_dose_on, source, verified_by, verified_at, \
     entered_in_error, version, created_at, created_by, updated_at, updated_by"
);
table!(
    CONSULTATION,
    "consultation",
    "org_id, id, patient_id, practitioner_id, location_id, held_at, mode, concerns, goals, findings, scar_types, \
     prior_procedures, expectations_discussed, candidacy, candidacy_reasons, recommended_plan, patch_test, valid_until, \
     version, created_at, created_by, updated_at, updated_by, signed_at, signed_by, signature_meaning, content_hash"
);
table!(
    TREATMENT_SESSION,
    "treatment_session",
    "org_id, id, patient_id, practitioner_id, supervisor_id, location_id, status, started_at, ended_at, modality, device, \
     skin_preparation, glide, anaesthetic, pain_score, immediate_reaction, note, stop_reason, version, created_at, created_by, \
     updated_at, updated_by, signed_at, signed_by, signature_meaning, content_hash"
);
table!(
    SESSION_AREA,
    "session_area",
    "org_id, id, session_id, position, area, side, needle_depth_mm, passes, speed_rpm, rf_energy_mj, rf_pulse_width_ms, \
     endpoint, note"
);
table!(
    PRODUCT_USE,
    "product_use",
    "org_id, id, session_id, position, role, product, manufacturer, lot, expires_on, quantity, unit, area, intradermal_use"
);
table!(
    AFTERCARE_NOTE,
    "aftercare_note",
    "org_id, id, patient_id, session_id, author_id, kind, noted_at, text, redness, swelling, pain, adherence, escalate, \
     version, created_at, created_by, updated_at, updated_by, signed_at, signed_by, signature_meaning, content_hash"
);
table!(ADDENDUM, "addendum", "org_id, id, patient_id, record_kind, record_id, author_id, added_at, reason, text");

/// The rows of many charts, by table.
#[derive(Default)]
pub(super) struct ChartRows {
    pub(super) patients: Rows,
    pub(super) search: Rows,
    pub(super) health: Rows,
    pub(super) consultations: Rows,
    pub(super) sessions: Rows,
    pub(super) areas: Rows,
    pub(super) products: Rows,
    pub(super) notes: Rows,
    pub(super) addenda: Rows,
}

impl Rows {
    fn stamp(&mut self, stamp: &Stamp) -> Result<&mut Self> {
        let by = |who: Option<Uuid>| who.ok_or_else(|| Error::Internal("a demo record without an author".to_owned()));
        Ok(self
            .put(stamp.version)
            .put(stamp.created_at)
            .put(by(stamp.created_by)?)
            .put(stamp.updated_at)
            .put(by(stamp.updated_by)?))
    }

    fn signature(&mut self, signature: Option<&Signature>) -> &mut Self {
        self.put(signature.map(|it| it.signed_at))
            .put(signature.map(|it| it.signed_by))
            .put(signature.map(|it| it.meaning.as_str()))
            .put(signature.map(|it| it.content_hash.as_slice()))
    }

    fn json(&mut self, value: Option<&impl serde::Serialize>) -> Result<&mut Self> {
        let text = value.map(serde_json::to_string).transpose()?;
        Ok(self.put(text.as_ref()))
    }
}

fn place(i: usize) -> i16 {
    i16::try_from(i).unwrap_or(i16::MAX)
}

impl ChartRows {
    /// Adds a chart.
    pub(super) fn add(&mut self, org: Uuid, chart: &Chart) -> Result<()> {
        self.add_patient(org, chart)?;
        self.add_sessions(org, chart)?;
        for it in &chart.consultations {
            let rows = &mut self.consultations;
            rows.put(org).put(it.id).put(it.patient_id).put(it.practitioner_id).put(it.location_id).put(it.held_at);
            rows.put(it.mode.as_str()).put(it.concerns.iter().map(|it| it.as_str()).collect::<Vec<_>>());
            rows.put(it.goals.as_ref()).put(it.findings.as_ref());
            rows.put(it.scar_types.iter().map(|it| it.as_str()).collect::<Vec<_>>()).put(it.prior_procedures.as_ref());
            rows.put(it.expectations_discussed)
                .put(it.candidacy.map(|it| it.as_str()))
                .put(it.candidacy_reasons.as_ref());
            rows.put(it.recommended_plan.as_ref()).json(it.patch_test.as_ref())?.put(it.valid_until);
            rows.stamp(&it.stamp)?.signature(it.signature.as_ref()).end();
        }
        for it in &chart.notes {
            let rows = &mut self.notes;
            rows.put(org).put(it.id).put(it.patient_id).put(it.session_id).put(it.author_id).put(it.kind.as_str());
            rows.put(it.noted_at).put(it.text.as_ref()).put(it.redness).put(it.swelling).put(it.pain);
            rows.put(it.adherence.map(|it| it.as_str())).put(it.escalate);
            rows.stamp(&it.stamp)?.signature(it.signature.as_ref()).end();
        }
        for it in &chart.addenda {
            let rows = &mut self.addenda;
            rows.put(org)
                .put(it.id)
                .put(it.patient_id)
                .put(it.record_kind.as_str())
                .put(it.record_id)
                .put(it.author_id);
            rows.put(it.added_at).put(&it.reason).put(&it.text).end();
        }
        Ok(())
    }

    fn add_patient(&mut self, org: Uuid, chart: &Chart) -> Result<()> {
        let (it, rows) = (&chart.patient, &mut self.patients);
        let (name, skin) = (&it.legal_name, it.skin_type.as_ref());
        rows.put(org).put(it.id).put(&it.chart_number).put(&name.given).put(name.middle.as_ref()).put(&name.family);
        rows.put(it.preferred_name.as_ref()).put(&it.name_key()).put(it.birth_date);
        rows.put(it.sex_at_birth.map(|it| it.as_str())).put(it.gender.as_ref()).put(it.pronouns.as_ref());
        rows.put(it.email.as_ref())
            .put(it.phone.as_ref())
            .json(it.address.as_ref())?
            .json(it.emergency_contact.as_ref())?;
        rows.put(skin.map(|skin| skin.fitzpatrick.number())).put(skin.and_then(|skin| skin.assessed_on));
        rows.put(skin.and_then(|skin| skin.assessed_by)).put(it.status.as_str()).put(it.status_reason.as_ref());
        rows.stamp(&it.stamp)?.end();
        for trigram in search::pieces_of(it) {
            self.search.put(org).put(trigram).put(it.id).end();
        }
        for it in &chart.health {
            let rows = &mut self.health;
            rows.put(org).put(it.id).put(it.patient_id).put(it.kind.as_str()).put(it.code.as_ref()).put(&it.text);
            rows.put(it.severity.map(|it| it.as_str())).put(it.onset_on).put(it.ended_on).put(it.last_dose_on);
            rows.put(it.source.as_ref()).put(it.verified_by).put(it.verified_at).put(it.entered_in_error);
            rows.stamp(&it.stamp)?.end();
        }
        Ok(())
    }

    fn add_sessions(&mut self, org: Uuid, chart: &Chart) -> Result<()> {
        for (it, parts) in &chart.sessions {
            let rows = &mut self.sessions;
            rows.put(org)
                .put(it.id)
                .put(it.patient_id)
                .put(it.practitioner_id)
                .put(it.supervisor_id)
                .put(it.location_id);
            rows.put(it.status.as_str()).put(it.started_at).put(it.ended_at).put(it.modality.as_str());
            rows.json(it.device.as_ref())?.put(it.skin_preparation.as_ref()).put(it.glide.as_ref());
            rows.json(it.anaesthetic.as_ref())?.put(it.pain_score).put(it.immediate_reaction.as_ref());
            rows.put(it.note.as_ref()).put(it.stop_reason.as_ref());
            rows.stamp(&it.stamp)?.signature(it.signature.as_ref()).end();
            for (i, area) in parts.areas.iter().enumerate() {
                let rows = &mut self.areas;
                rows.put(org).put(area.id).put(it.id).put(place(i)).put(area.area.as_str()).put(area.side.as_str());
                rows.put(area.needle_depth_mm).put(area.passes).put(area.speed_rpm).put(area.rf_energy_mj);
                rows.put(area.rf_pulse_width_ms).put(area.endpoint.map(|it| it.as_str())).put(area.note.as_ref()).end();
            }
            for (i, product) in parts.products.iter().enumerate() {
                let rows = &mut self.products;
                rows.put(org).put(product.id).put(it.id).put(place(i)).put(product.role.as_str()).put(&product.product);
                rows.put(product.manufacturer.as_ref()).put(product.lot.as_ref()).put(product.expires_on);
                rows.put(product.quantity).put(product.unit.as_ref()).put(product.area.map(|it| it.as_str()));
                rows.put(product.intradermal_use.as_str()).end();
            }
        }
        Ok(())
    }
}
