//! Charts as rows of the tables.

use super::chart::Chart;
use super::copy::Rows;
use crate::error::{Error, Result};
use crate::patient::search;
use crate::record::{Signature, Stamp};
use crate::session::KeptCheck;
use sha2::{Digest, Sha256};
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
table!(PATIENT_SEARCH, "patient_search", "org_id, word, patient_id");
table!(
    HEALTH_ENTRY,
    "health_entry",
    "org_id, id, patient_id, kind, code, text, severity, onset_on, ended_on, last_dose_on, source, verified_by, verified_at, \
     entered_in_error, version, created_at, created_by, updated_at, updated_by"
);
table!(
    HEALTH_REVIEW,
    "health_review",
    "org_id, id, patient_id, reviewed_at, reviewed_by, allergies, medicines, conditions, pregnancy, note, entered_in_error, \
     error_reason, version, created_at, created_by, updated_at, updated_by"
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
     updated_at, updated_by, signed_at, signed_by, signature_meaning, content_hash, plan_id, protocol_version_id, device_id"
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
    "org_id, id, session_id, position, role, product, manufacturer, lot, expires_on, quantity, unit, area, intradermal_use, \
     lot_id"
);
table!(
    SESSION_CHECK,
    "session_check",
    "org_id, session_id, position, rule, verdict, cause, record_kind, record_id, protocol_version_id, override_reason, \
     override_by, override_supervisor_id, override_at, code, params"
);
table!(
    AFTERCARE_NOTE,
    "aftercare_note",
    "org_id, id, patient_id, session_id, author_id, kind, noted_at, text, redness, swelling, pain, adherence, escalate, \
     version, created_at, created_by, updated_at, updated_by, signed_at, signed_by, signature_meaning, content_hash"
);
table!(ADDENDUM, "addendum", "org_id, id, patient_id, record_kind, record_id, author_id, added_at, reason, text");

table!(
    TREATMENT_PLAN,
    "treatment_plan",
    "org_id, id, patient_id, consultation_id, protocol_version_id, concerns, areas, planned_sessions, status, status_reason, \
     note, started_on, earlier_courses, version, created_at, created_by, updated_at, updated_by"
);
table!(
    CONSENT,
    "consent",
    "org_id, id, patient_id, template_version_id, kind, modalities, text_hash, status, signer, signer_name, \
     signer_relationship, signature_method, signature_hash, given_at, witness_id, witness_name, expires_at, ended_at, \
     ended_reason, note, version, created_at, created_by, updated_at, updated_by"
);
table!(
    PHOTO,
    "photo",
    "org_id, id, patient_id, session_id, aftercare_note_id, adverse_event_id, status, status_reason, taken_at, phase, view, \
     area, side, lighting, distance_cm, make_up_free, note, upload_expires_at, stored_at, content_hash, media_type, \
     byte_size, width, height, version, created_at, created_by, updated_at, updated_by"
);
table!(
    OUTCOME_ASSESSMENT,
    "outcome_assessment",
    "org_id, id, patient_id, plan_id, session_id, scale, scale_version, area, score, rater_role, rater_id, assessed_at, \
     compared_with_photo_id, photo_id, note, entered_in_error, version, created_at, created_by, updated_at, updated_by"
);
table!(
    ADVERSE_EVENT,
    "adverse_event",
    "org_id, id, patient_id, session_id, aftercare_note_id, lot_id, kind, description, onset_at, area, severity, serious, \
     expectedness, suspected_cause, causality, action_taken, outcome, resolved_at, reported_to, reported_at, \
     report_reference, reports, device_id, device_model, device_serial, follow_ups, entered_in_error, version, created_at, \
     created_by, updated_at, updated_by"
);
table!(
    RECALL,
    "recall",
    "org_id, id, patient_id, reason, plan_id, after_session_id, lot_id, due_from, due_until, status, snoozed_until, \
     closed_reason, done_by_session_id, basis, attempts, version, created_at, created_by, updated_at, updated_by"
);

/// The rows of many charts, by table.
#[derive(Default)]
pub(super) struct ChartRows {
    pub(super) patients: Rows,
    pub(super) search: Rows,
    pub(super) health: Rows,
    pub(super) reviews: Rows,
    pub(super) consultations: Rows,
    pub(super) sessions: Rows,
    pub(super) areas: Rows,
    pub(super) products: Rows,
    pub(super) checks: Rows,
    pub(super) notes: Rows,
    pub(super) addenda: Rows,
    pub(super) plans: Rows,
    pub(super) consents: Rows,
    pub(super) photos: Rows,
    pub(super) outcomes: Rows,
    pub(super) events: Rows,
    pub(super) recalls: Rows,
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
    /// The rows with their tables, each after those that it refers to.
    pub(super) fn by_table(self) -> [(&'static Table, Rows); 17] {
        [
            (&PATIENT, self.patients),
            (&PATIENT_SEARCH, self.search),
            (&HEALTH_ENTRY, self.health),
            (&HEALTH_REVIEW, self.reviews),
            (&CONSULTATION, self.consultations),
            (&TREATMENT_PLAN, self.plans),
            (&TREATMENT_SESSION, self.sessions),
            (&SESSION_AREA, self.areas),
            (&PRODUCT_USE, self.products),
            (&SESSION_CHECK, self.checks),
            (&AFTERCARE_NOTE, self.notes),
            (&ADDENDUM, self.addenda),
            (&CONSENT, self.consents),
            (&ADVERSE_EVENT, self.events),
            (&PHOTO, self.photos),
            (&OUTCOME_ASSESSMENT, self.outcomes),
            (&RECALL, self.recalls),
        ]
    }

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
        self.add_course(org, chart)?;
        self.add_results(org, chart)
    }

    /// Plans, consents and recalls.
    fn add_course(&mut self, org: Uuid, chart: &Chart) -> Result<()> {
        for it in &chart.plans {
            let rows = &mut self.plans;
            rows.put(org).put(it.id).put(it.patient_id).put(it.consultation_id).put(it.protocol_version_id);
            rows.put(it.concerns.iter().map(|it| it.as_str()).collect::<Vec<_>>()).json(Some(&it.areas))?;
            rows.put(it.planned_sessions).put(it.status.as_str()).put(it.status_reason.as_ref()).put(it.note.as_ref());
            rows.put(it.started_on).json(Some(&it.earlier_courses))?.stamp(&it.stamp)?.end();
        }
        for it in &chart.consents {
            let (rows, given) = (&mut self.consents, it.given.as_ref());
            rows.put(org).put(it.id).put(it.patient_id).put(it.template_version_id).put(it.kind.as_str());
            rows.put(it.modalities.iter().map(|it| it.as_str()).collect::<Vec<_>>()).put(it.text_hash.as_slice());
            rows.put(it.status.as_str()).put(given.map(|it| it.signer.as_str())).put(given.map(|it| &it.name));
            rows.put(given.and_then(|it| it.relationship.as_ref())).put(given.map(|it| it.method.as_str()));
            rows.put(given.map(|it| it.signature_hash.as_slice())).put(given.map(|it| it.at));
            rows.put(given.and_then(|it| it.witness_id)).put(given.and_then(|it| it.witness_name.as_ref()));
            rows.put(it.expires_at).put(it.ended_at).put(it.ended_reason.as_ref()).put(it.note.as_ref());
            rows.stamp(&it.stamp)?.end();
        }
        for it in &chart.recalls {
            let rows = &mut self.recalls;
            rows.put(org).put(it.id).put(it.patient_id).put(it.reason.as_str()).put(it.plan_id);
            rows.put(it.after_session_id).put(it.lot_id).put(it.due_from).put(it.due_until).put(it.status.as_str());
            rows.put(it.snoozed_until).put(it.closed_reason.as_ref()).put(it.done_by_session_id).put(&it.basis);
            rows.json(Some(&it.attempts))?.stamp(&it.stamp)?.end();
        }
        Ok(())
    }

    /// Photos, outcomes and adverse events.
    fn add_results(&mut self, org: Uuid, chart: &Chart) -> Result<()> {
        for (it, picture) in &chart.photos {
            let rows = &mut self.photos;
            rows.put(org).put(it.id).put(it.patient_id).put(it.session_id).put(it.aftercare_note_id);
            rows.put(it.adverse_event_id).put(it.status.as_str()).put(it.status_reason.as_ref()).put(it.taken_at);
            rows.put(it.phase.as_str()).put(it.view.as_str()).put(it.area.as_str()).put(it.side.as_str());
            rows.put(it.lighting.as_ref()).put(it.distance_cm).put(it.make_up_free).put(it.note.as_ref());
            rows.put(it.upload_expires_at).put(it.stored_at).put(Sha256::digest(&picture.bytes).as_slice());
            rows.put(it.media_type.map(|it| it.as_str())).put(it.byte_size).put(it.width).put(it.height);
            rows.stamp(&it.stamp)?.end();
        }
        for it in &chart.outcomes {
            let rows = &mut self.outcomes;
            rows.put(org).put(it.id).put(it.patient_id).put(it.plan_id).put(it.session_id).put(&it.scale);
            rows.put(&it.scale_version).put(it.area.map(|it| it.as_str())).put(it.score).put(it.rater_role.as_str());
            rows.put(it.rater_id).put(it.assessed_at).put(it.compared_with_photo_id).put(it.photo_id);
            rows.put(it.note.as_ref()).put(it.entered_in_error).stamp(&it.stamp)?.end();
        }
        for it in &chart.events {
            let (rows, report) = (&mut self.events, it.report.as_ref());
            rows.put(org).put(it.id).put(it.patient_id).put(it.session_id).put(it.aftercare_note_id).put(it.lot_id);
            rows.put(it.kind.as_str()).put(it.description.as_ref()).put(it.onset_at).put(it.area.map(|it| it.as_str()));
            rows.put(it.severity.as_str()).put(it.serious).put(it.expectedness.as_str());
            rows.put(it.suspected_cause.as_ref()).put(it.causality.map(|it| it.as_str())).put(it.action_taken.as_ref());
            rows.put(it.outcome.as_str()).put(it.resolved_at).put(report.map(|it| &it.to)).put(report.map(|it| it.at));
            rows.put(report.and_then(|it| it.reference.as_ref())).json(Some(&it.reports))?;
            rows.put(it.device_id).put(it.device_model.as_ref()).put(it.device_serial.as_ref());
            rows.json(Some(&it.follow_ups))?;
            rows.put(it.entered_in_error).stamp(&it.stamp)?.end();
        }
        Ok(())
    }

    fn add_patient(&mut self, org: Uuid, chart: &Chart) -> Result<()> {
        let (it, rows) = (&chart.patient, &mut self.patients);
        let (name, skin) = (&it.legal_name, it.skin_type.as_ref());
        rows.put(org)
            .put(it.id)
            .put(&it.chart_number)
            .put(&name.given)
            .put(name.middle.as_ref())
            .put(name.family.as_ref());
        rows.put(it.preferred_name.as_ref()).put(&it.name_key()).put(it.birth_date);
        rows.put(it.sex_at_birth.map(|it| it.as_str())).put(it.gender.as_ref()).put(it.pronouns.as_ref());
        rows.put(it.email.as_ref())
            .put(it.phone.as_ref())
            .json(it.address.as_ref())?
            .json(it.emergency_contact.as_ref())?;
        rows.put(skin.map(|skin| skin.fitzpatrick.number())).put(skin.and_then(|skin| skin.assessed_on));
        rows.put(skin.and_then(|skin| skin.assessed_by)).put(it.status.as_str()).put(it.status_reason.as_ref());
        rows.stamp(&it.stamp)?.end();
        for word in search::keys_of(&it.into()) {
            self.search.put(org).put(&word).put(it.id).end();
        }
        for it in &chart.health {
            let rows = &mut self.health;
            rows.put(org).put(it.id).put(it.patient_id).put(it.kind.as_str()).put(it.code.as_ref()).put(&it.text);
            rows.put(it.severity.map(|it| it.as_str())).put(it.onset_on).put(it.ended_on).put(it.last_dose_on);
            rows.put(it.source.as_ref()).put(it.verified_by).put(it.verified_at).put(it.entered_in_error);
            rows.stamp(&it.stamp)?.end();
        }
        for it in &chart.reviews {
            let (rows, said) = (&mut self.reviews, &it.answers);
            rows.put(org).put(it.id).put(it.patient_id).put(it.reviewed_at).put(it.reviewed_by);
            for answer in [said.allergies, said.medicines, said.conditions, said.pregnancy] {
                rows.put(answer.map(|it| it.as_str()));
            }
            rows.put(it.note.as_ref()).put(it.entered_in_error).put(it.error_reason.as_ref());
            rows.stamp(&it.stamp)?.end();
        }
        Ok(())
    }

    fn add_checks(&mut self, org: Uuid, session: Uuid, checks: &[KeptCheck]) -> Result<()> {
        for (i, check) in checks.iter().enumerate() {
            let (rows, done) = (&mut self.checks, check.overridden.as_ref());
            rows.put(org).put(session).put(place(i)).put(check.rule.as_str()).put(check.verdict.as_str());
            rows.put(&check.cause).put(check.record_kind.map(|it| it.as_str())).put(check.record_id);
            rows.put(check.protocol_version_id).put(done.map(|it| &it.reason)).put(done.map(|it| it.by));
            rows.put(done.and_then(|it| it.supervisor_id)).put(done.map(|it| it.at));
            rows.put(check.code.map(|it| it.as_str()));
            rows.json((!check.params.is_empty()).then_some(&check.params))?.end();
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
            rows.stamp(&it.stamp)?.signature(it.signature.as_ref());
            rows.put(it.plan_id).put(it.protocol_version_id).put(it.device_id).end();
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
                rows.put(product.intradermal_use.as_str()).put(product.lot_id).end();
            }
            self.add_checks(org, it.id, &parts.checks)?;
        }
        Ok(())
    }
}
