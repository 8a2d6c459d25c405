-- Consultations, treatment sessions, aftercare notes and their addenda. A signed row takes no update from anyone: the
-- update policy sees unsigned rows only, and nobody is granted DELETE on a record.

CREATE TABLE consultation (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    practitioner_id uuid NOT NULL,
    location_id uuid,
    held_at timestamptz NOT NULL,
    mode text NOT NULL CHECK (mode IN ('in_person', 'telehealth')),
    concerns text[] NOT NULL,
    goals text,
    findings text,
    scar_types text[] NOT NULL,
    prior_procedures text,
    expectations_discussed boolean,
    candidacy text CHECK (candidacy IN ('suitable', 'deferred', 'unsuitable')),
    candidacy_reasons text,
    recommended_plan text,
    patch_test jsonb,
    valid_until date,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by uuid NOT NULL,
    signed_at timestamptz,
    signed_by uuid,
    signature_meaning text CHECK (signature_meaning IN ('author', 'reviewer', 'supervisor')),
    content_hash bytea CHECK (octet_length(content_hash) = 32),
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, practitioner_id) REFERENCES staff (org_id, id),
    FOREIGN KEY (org_id, location_id) REFERENCES location (org_id, id),
    CHECK ((signed_at IS NULL) = (signed_by IS NULL) AND (signed_at IS NULL) = (content_hash IS NULL)
        AND (signed_at IS NULL) = (signature_meaning IS NULL))
);
CREATE INDEX consultation_by_time ON consultation (org_id, held_at, id);
CREATE INDEX consultation_patient ON consultation (org_id, patient_id, held_at, id);
CREATE INDEX consultation_practitioner ON consultation (org_id, practitioner_id, held_at, id);
CREATE INDEX consultation_location ON consultation (org_id, location_id, held_at, id);
CREATE INDEX consultation_by_update ON consultation (org_id, updated_at, id);
ALTER TABLE consultation ENABLE ROW LEVEL SECURITY;
ALTER TABLE consultation FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON consultation FOR SELECT USING (org_id = (SELECT current_org()));
CREATE POLICY tenant_insert ON consultation FOR INSERT WITH CHECK (org_id = (SELECT current_org()));
CREATE POLICY unsigned_update ON consultation FOR UPDATE
    USING (org_id = (SELECT current_org()) AND signed_at IS NULL) WITH CHECK (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON consultation TO clinic_app;

CREATE TABLE treatment_session (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    practitioner_id uuid NOT NULL,
    supervisor_id uuid,
    location_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN
        ('preparation', 'in_progress', 'not_done', 'on_hold', 'stopped', 'completed', 'entered_in_error')),
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    modality text NOT NULL CHECK (modality IN
        ('microneedling', 'rf_microneedling', 'prp', 'topical_growth_serum', 'led_light_therapy', 'other')),
    device jsonb,
    skin_preparation text,
    glide text,
    anaesthetic jsonb,
    pain_score smallint CHECK (pain_score BETWEEN 0 AND 10),
    immediate_reaction text,
    note text,
    stop_reason text,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by uuid NOT NULL,
    signed_at timestamptz,
    signed_by uuid,
    signature_meaning text CHECK (signature_meaning IN ('author', 'reviewer', 'supervisor')),
    content_hash bytea CHECK (octet_length(content_hash) = 32),
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, practitioner_id) REFERENCES staff (org_id, id),
    FOREIGN KEY (org_id, supervisor_id) REFERENCES staff (org_id, id),
    FOREIGN KEY (org_id, location_id) REFERENCES location (org_id, id),
    CHECK (ended_at >= started_at),
    CHECK ((signed_at IS NULL) = (signed_by IS NULL) AND (signed_at IS NULL) = (content_hash IS NULL)
        AND (signed_at IS NULL) = (signature_meaning IS NULL))
);
CREATE INDEX treatment_session_by_time ON treatment_session (org_id, started_at, id);
CREATE INDEX treatment_session_patient ON treatment_session (org_id, patient_id, started_at, id);
CREATE INDEX treatment_session_practitioner ON treatment_session (org_id, practitioner_id, started_at, id);
CREATE INDEX treatment_session_supervisor ON treatment_session (org_id, supervisor_id) WHERE supervisor_id IS NOT NULL;
CREATE INDEX treatment_session_location ON treatment_session (org_id, location_id, started_at, id);
CREATE INDEX treatment_session_by_update ON treatment_session (org_id, updated_at, id);
CREATE INDEX treatment_session_unsigned ON treatment_session (org_id, started_at, id) WHERE signed_at IS NULL;
ALTER TABLE treatment_session ENABLE ROW LEVEL SECURITY;
ALTER TABLE treatment_session FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON treatment_session FOR SELECT USING (org_id = (SELECT current_org()));
CREATE POLICY tenant_insert ON treatment_session FOR INSERT WITH CHECK (org_id = (SELECT current_org()));
CREATE POLICY unsigned_update ON treatment_session FOR UPDATE
    USING (org_id = (SELECT current_org()) AND signed_at IS NULL) WITH CHECK (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON treatment_session TO clinic_app;

-- The parts of a session. They are replaced as a whole while the session is a draft; once it is signed, none can be
-- added, changed or taken away.
CREATE TABLE session_area (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    session_id uuid NOT NULL,
    position smallint NOT NULL,
    area text NOT NULL CHECK (area IN ('forehead', 'glabella', 'periorbital', 'cheek', 'nose', 'upper_lip', 'chin',
        'jawline', 'neck', 'decolletage', 'scalp', 'abdomen', 'thigh', 'hand', 'other')),
    side text NOT NULL CHECK (side IN ('left', 'right', 'midline', 'bilateral')),
    needle_depth_mm numeric(4, 2) CHECK (needle_depth_mm >= 0),
    passes smallint CHECK (passes BETWEEN 1 AND 50),
    speed_rpm integer CHECK (speed_rpm > 0),
    rf_energy_mj numeric(8, 2) CHECK (rf_energy_mj > 0),
    rf_pulse_width_ms numeric(8, 2) CHECK (rf_pulse_width_ms > 0),
    endpoint text CHECK (endpoint IN ('none', 'erythema', 'pinpoint_bleeding', 'other')),
    note text,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, session_id, position),
    FOREIGN KEY (org_id, session_id) REFERENCES treatment_session (org_id, id)
);
ALTER TABLE session_area ENABLE ROW LEVEL SECURITY;
ALTER TABLE session_area FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON session_area FOR SELECT USING (org_id = (SELECT current_org()));
CREATE POLICY draft_insert ON session_area FOR INSERT WITH CHECK (org_id = (SELECT current_org()) AND EXISTS (
    SELECT FROM treatment_session s
    WHERE s.org_id = session_area.org_id AND s.id = session_area.session_id AND s.signed_at IS NULL));
CREATE POLICY draft_delete ON session_area FOR DELETE USING (org_id = (SELECT current_org()) AND EXISTS (
    SELECT FROM treatment_session s
    WHERE s.org_id = session_area.org_id AND s.id = session_area.session_id AND s.signed_at IS NULL));
GRANT SELECT, INSERT, DELETE ON session_area TO clinic_app;

CREATE TABLE product_use (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    session_id uuid NOT NULL,
    position smallint NOT NULL,
    role text NOT NULL CHECK (role IN ('cartridge', 'serum', 'prp', 'growth_serum', 'anaesthetic', 'other')),
    product text NOT NULL,
    manufacturer text,
    lot text,
    expires_on date,
    quantity numeric(10, 3) CHECK (quantity > 0),
    unit text,
    area text,
    intradermal_use text NOT NULL CHECK (intradermal_use IN ('yes', 'no', 'unknown')),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, session_id, position),
    FOREIGN KEY (org_id, session_id) REFERENCES treatment_session (org_id, id)
);
CREATE INDEX product_use_lot ON product_use (org_id, lot) WHERE lot IS NOT NULL;
ALTER TABLE product_use ENABLE ROW LEVEL SECURITY;
ALTER TABLE product_use FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON product_use FOR SELECT USING (org_id = (SELECT current_org()));
CREATE POLICY draft_insert ON product_use FOR INSERT WITH CHECK (org_id = (SELECT current_org()) AND EXISTS (
    SELECT FROM treatment_session s
    WHERE s.org_id = product_use.org_id AND s.id = product_use.session_id AND s.signed_at IS NULL));
CREATE POLICY draft_delete ON product_use FOR DELETE USING (org_id = (SELECT current_org()) AND EXISTS (
    SELECT FROM treatment_session s
    WHERE s.org_id = product_use.org_id AND s.id = product_use.session_id AND s.signed_at IS NULL));
GRANT SELECT, INSERT, DELETE ON product_use TO clinic_app;

CREATE TABLE aftercare_note (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    session_id uuid NOT NULL,
    author_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('instructions_given', 'check_in', 'patient_report', 'follow_up_call')),
    noted_at timestamptz NOT NULL,
    text text,
    redness smallint CHECK (redness BETWEEN 0 AND 10),
    swelling smallint CHECK (swelling BETWEEN 0 AND 10),
    pain smallint CHECK (pain BETWEEN 0 AND 10),
    adherence text CHECK (adherence IN ('full', 'partial', 'none')),
    escalate boolean NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by uuid NOT NULL,
    signed_at timestamptz,
    signed_by uuid,
    signature_meaning text CHECK (signature_meaning IN ('author', 'reviewer', 'supervisor')),
    content_hash bytea CHECK (octet_length(content_hash) = 32),
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, session_id) REFERENCES treatment_session (org_id, id),
    FOREIGN KEY (org_id, author_id) REFERENCES staff (org_id, id),
    CHECK ((signed_at IS NULL) = (signed_by IS NULL) AND (signed_at IS NULL) = (content_hash IS NULL)
        AND (signed_at IS NULL) = (signature_meaning IS NULL))
);
CREATE INDEX aftercare_note_by_time ON aftercare_note (org_id, noted_at, id);
CREATE INDEX aftercare_note_patient ON aftercare_note (org_id, patient_id, noted_at, id);
CREATE INDEX aftercare_note_session ON aftercare_note (org_id, session_id, noted_at, id);
CREATE INDEX aftercare_note_author ON aftercare_note (org_id, author_id, noted_at, id);
CREATE INDEX aftercare_note_by_update ON aftercare_note (org_id, updated_at, id);
ALTER TABLE aftercare_note ENABLE ROW LEVEL SECURITY;
ALTER TABLE aftercare_note FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON aftercare_note FOR SELECT USING (org_id = (SELECT current_org()));
CREATE POLICY tenant_insert ON aftercare_note FOR INSERT WITH CHECK (org_id = (SELECT current_org()));
CREATE POLICY unsigned_update ON aftercare_note FOR UPDATE
    USING (org_id = (SELECT current_org()) AND signed_at IS NULL) WITH CHECK (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON aftercare_note TO clinic_app;

-- What was added to a signed record, for ever: no update, no delete.
CREATE TABLE addendum (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    record_kind text NOT NULL CHECK (record_kind IN ('consultation', 'treatment_session', 'aftercare_note')),
    record_id uuid NOT NULL,
    author_id uuid NOT NULL,
    added_at timestamptz NOT NULL,
    reason text NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, author_id) REFERENCES staff (org_id, id)
);
CREATE INDEX addendum_by_time ON addendum (org_id, added_at, id);
CREATE INDEX addendum_record ON addendum (org_id, record_id, added_at, id);
CREATE INDEX addendum_patient ON addendum (org_id, patient_id, added_at, id);
CREATE INDEX addendum_author ON addendum (org_id, author_id);
ALTER TABLE addendum ENABLE ROW LEVEL SECURITY;
ALTER TABLE addendum FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON addendum FOR SELECT USING (org_id = (SELECT current_org()));
CREATE POLICY tenant_append ON addendum FOR INSERT WITH CHECK (org_id = (SELECT current_org()));
GRANT SELECT, INSERT ON addendum TO clinic_app;
