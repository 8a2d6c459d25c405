-- What is seen and measured afterwards: photos (their bytes are in the object store), outcome assessments, adverse
-- events with their follow-ups.

CREATE TABLE photo (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    session_id uuid,
    aftercare_note_id uuid,
    adverse_event_id uuid,
    status text NOT NULL CHECK (status IN ('awaiting_upload', 'stored', 'abandoned', 'entered_in_error')),
    status_reason text,
    taken_at timestamptz NOT NULL,
    phase text NOT NULL CHECK (phase IN ('before', 'immediate', 'follow_up')),
    view text NOT NULL CHECK (view IN
        ('frontal', 'oblique_left', 'oblique_right', 'lateral_left', 'lateral_right')),
    area text NOT NULL CHECK (area IN ('forehead', 'glabella', 'periorbital', 'cheek', 'nose', 'upper_lip', 'chin',
        'jawline', 'neck', 'decolletage', 'scalp', 'abdomen', 'thigh', 'hand', 'other')),
    side text NOT NULL CHECK (side IN ('left', 'right', 'midline', 'bilateral')),
    lighting text,
    distance_cm smallint CHECK (distance_cm BETWEEN 1 AND 500),
    make_up_free boolean,
    note text,
    upload_expires_at timestamptz,
    stored_at timestamptz,
    content_hash bytea CHECK (octet_length(content_hash) = 32),
    media_type text CHECK (media_type IN ('image/jpeg', 'image/png', 'image/webp')),
    byte_size integer CHECK (byte_size > 0),
    width integer CHECK (width > 0),
    height integer CHECK (height > 0),
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, session_id) REFERENCES treatment_session (org_id, id),
    FOREIGN KEY (org_id, aftercare_note_id) REFERENCES aftercare_note (org_id, id),
    CHECK ((status = 'entered_in_error') = (status_reason IS NOT NULL)),
    CHECK (status <> 'stored' OR (stored_at IS NOT NULL AND content_hash IS NOT NULL AND media_type IS NOT NULL
        AND byte_size IS NOT NULL AND width IS NOT NULL AND height IS NOT NULL))
);
CREATE INDEX photo_by_time ON photo (org_id, taken_at, id);
CREATE INDEX photo_patient ON photo (org_id, patient_id, taken_at, id);
CREATE INDEX photo_session ON photo (org_id, session_id, taken_at, id) WHERE session_id IS NOT NULL;
CREATE INDEX photo_aftercare_note ON photo (org_id, aftercare_note_id) WHERE aftercare_note_id IS NOT NULL;
CREATE INDEX photo_awaiting ON photo (org_id, upload_expires_at) WHERE status = 'awaiting_upload';
CREATE UNIQUE INDEX photo_content ON photo (org_id, patient_id, content_hash)
    WHERE status = 'stored';
CREATE INDEX photo_by_creation ON photo (org_id, created_at, id);
CREATE INDEX photo_by_update ON photo (org_id, updated_at, id);
ALTER TABLE photo ENABLE ROW LEVEL SECURITY;
ALTER TABLE photo FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON photo USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON photo TO clinic_app;

CREATE TABLE outcome_assessment (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    plan_id uuid,
    session_id uuid,
    scale text NOT NULL,
    scale_version text NOT NULL,
    area text CHECK (area IN ('forehead', 'glabella', 'periorbital', 'cheek', 'nose', 'upper_lip', 'chin',
        'jawline', 'neck', 'decolletage', 'scalp', 'abdomen', 'thigh', 'hand', 'other')),
    score numeric(8, 2) NOT NULL,
    rater_role text NOT NULL CHECK (rater_role IN ('practitioner', 'patient', 'blinded')),
    rater_id uuid,
    assessed_at timestamptz NOT NULL,
    compared_with_photo_id uuid,
    photo_id uuid,
    note text,
    entered_in_error boolean NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, plan_id) REFERENCES treatment_plan (org_id, id),
    FOREIGN KEY (org_id, session_id) REFERENCES treatment_session (org_id, id),
    FOREIGN KEY (org_id, rater_id) REFERENCES staff (org_id, id),
    FOREIGN KEY (org_id, compared_with_photo_id) REFERENCES photo (org_id, id),
    FOREIGN KEY (org_id, photo_id) REFERENCES photo (org_id, id)
);
CREATE INDEX outcome_assessment_by_time ON outcome_assessment (org_id, assessed_at, id);
CREATE INDEX outcome_assessment_patient ON outcome_assessment (org_id, patient_id, assessed_at, id);
CREATE INDEX outcome_assessment_plan ON outcome_assessment (org_id, plan_id, assessed_at, id) WHERE plan_id IS NOT NULL;
CREATE INDEX outcome_assessment_session ON outcome_assessment (org_id, session_id) WHERE session_id IS NOT NULL;
CREATE INDEX outcome_assessment_rater ON outcome_assessment (org_id, rater_id) WHERE rater_id IS NOT NULL;
CREATE INDEX outcome_assessment_compared ON outcome_assessment (org_id, compared_with_photo_id)
    WHERE compared_with_photo_id IS NOT NULL;
CREATE INDEX outcome_assessment_photo ON outcome_assessment (org_id, photo_id) WHERE photo_id IS NOT NULL;
CREATE INDEX outcome_assessment_by_creation ON outcome_assessment (org_id, created_at, id);
CREATE INDEX outcome_assessment_by_update ON outcome_assessment (org_id, updated_at, id);
ALTER TABLE outcome_assessment ENABLE ROW LEVEL SECURITY;
ALTER TABLE outcome_assessment FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON outcome_assessment USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON outcome_assessment TO clinic_app;

CREATE TABLE adverse_event (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    session_id uuid,
    aftercare_note_id uuid,
    lot_id uuid,
    kind text NOT NULL CHECK (kind IN ('erythema', 'oedema', 'pain', 'dryness', 'pinpoint_crusting',
        'post_inflammatory_hyperpigmentation', 'tram_track_scarring', 'granuloma', 'infection',
        'herpes_reactivation', 'burn', 'fat_loss', 'nerve_injury', 'allergic_reaction', 'other')),
    description text,
    onset_at timestamptz NOT NULL,
    area text CHECK (area IN ('forehead', 'glabella', 'periorbital', 'cheek', 'nose', 'upper_lip', 'chin',
        'jawline', 'neck', 'decolletage', 'scalp', 'abdomen', 'thigh', 'hand', 'other')),
    severity text NOT NULL CHECK (severity IN ('mild', 'moderate', 'severe')),
    serious boolean NOT NULL,
    expectedness text NOT NULL CHECK (expectedness IN ('expected', 'unexpected')),
    suspected_cause text,
    causality text CHECK (causality IN ('certain', 'probable', 'possible', 'unlikely', 'unclassified', 'unassessable')),
    action_taken text,
    outcome text NOT NULL CHECK (outcome IN
        ('ongoing', 'improving', 'resolved', 'resolved_with_sequelae', 'fatal', 'unknown')),
    resolved_at timestamptz,
    reported_to text,
    reported_at timestamptz,
    report_reference text,
    follow_ups jsonb NOT NULL,
    entered_in_error boolean NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, session_id) REFERENCES treatment_session (org_id, id),
    FOREIGN KEY (org_id, aftercare_note_id) REFERENCES aftercare_note (org_id, id),
    FOREIGN KEY (org_id, lot_id) REFERENCES product_lot (org_id, id),
    CHECK ((resolved_at IS NOT NULL) = (outcome IN ('resolved', 'resolved_with_sequelae')))
);
CREATE INDEX adverse_event_by_time ON adverse_event (org_id, onset_at, id);
CREATE INDEX adverse_event_patient ON adverse_event (org_id, patient_id, onset_at, id);
CREATE INDEX adverse_event_session ON adverse_event (org_id, session_id) WHERE session_id IS NOT NULL;
CREATE INDEX adverse_event_note ON adverse_event (org_id, aftercare_note_id) WHERE aftercare_note_id IS NOT NULL;
CREATE INDEX adverse_event_lot ON adverse_event (org_id, lot_id) WHERE lot_id IS NOT NULL;
CREATE INDEX adverse_event_by_creation ON adverse_event (org_id, created_at, id);
CREATE INDEX adverse_event_by_update ON adverse_event (org_id, updated_at, id);
ALTER TABLE adverse_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE adverse_event FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON adverse_event USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON adverse_event TO clinic_app;

ALTER TABLE photo ADD CONSTRAINT photo_adverse_event_fkey
    FOREIGN KEY (org_id, adverse_event_id) REFERENCES adverse_event (org_id, id);
CREATE INDEX photo_adverse_event ON photo (org_id, adverse_event_id) WHERE adverse_event_id IS NOT NULL;

CREATE TABLE recall (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    reason text NOT NULL CHECK (reason IN ('next_session', 'results_review', 'maintenance', 'safety_notice')),
    plan_id uuid,
    after_session_id uuid,
    lot_id uuid,
    due_from date NOT NULL,
    due_until date NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'snoozed', 'done', 'dismissed', 'superseded')),
    snoozed_until date,
    closed_reason text,
    done_by_session_id uuid,
    basis text NOT NULL,
    attempts jsonb NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, plan_id) REFERENCES treatment_plan (org_id, id),
    FOREIGN KEY (org_id, after_session_id) REFERENCES treatment_session (org_id, id),
    FOREIGN KEY (org_id, lot_id) REFERENCES product_lot (org_id, id),
    FOREIGN KEY (org_id, done_by_session_id) REFERENCES treatment_session (org_id, id),
    CHECK (due_from <= due_until),
    CHECK ((status = 'snoozed') = (snoozed_until IS NOT NULL))
);
CREATE INDEX recall_by_due ON recall (org_id, due_from, id);
CREATE INDEX recall_patient ON recall (org_id, patient_id, due_from, id);
CREATE INDEX recall_plan ON recall (org_id, plan_id) WHERE plan_id IS NOT NULL;
CREATE INDEX recall_after_session ON recall (org_id, after_session_id) WHERE after_session_id IS NOT NULL;
CREATE INDEX recall_lot ON recall (org_id, lot_id, patient_id) WHERE lot_id IS NOT NULL;
CREATE INDEX recall_done_by ON recall (org_id, done_by_session_id) WHERE done_by_session_id IS NOT NULL;
CREATE UNIQUE INDEX recall_of_plan ON recall (org_id, plan_id, reason) WHERE status IN ('open', 'snoozed');
CREATE INDEX recall_by_creation ON recall (org_id, created_at, id);
CREATE INDEX recall_by_update ON recall (org_id, updated_at, id);
ALTER TABLE recall ENABLE ROW LEVEL SECURITY;
ALTER TABLE recall FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON recall USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON recall TO clinic_app;

-- Where a lot went, by its number as it was typed.
CREATE INDEX product_use_lot_number ON product_use (org_id, lower(lot)) WHERE lot IS NOT NULL;
CREATE INDEX treatment_session_anaesthetic_lot ON treatment_session (org_id, lower(anaesthetic ->> 'lot'))
    WHERE anaesthetic ->> 'lot' IS NOT NULL;
