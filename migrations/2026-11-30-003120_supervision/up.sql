-- Supervision: who reads part of whose signed records, and what they found.

CREATE TABLE supervision_agreement (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    supervisor_id uuid NOT NULL,
    supervisee_id uuid NOT NULL,
    -- None: everywhere.
    location_id uuid,
    percent smallint NOT NULL CHECK (percent BETWEEN 0 AND 100),
    within_days smallint NOT NULL CHECK (within_days BETWEEN 1 AND 365),
    starts_on date NOT NULL,
    ends_on date,
    note text,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, supervisor_id) REFERENCES staff (org_id, id),
    FOREIGN KEY (org_id, supervisee_id) REFERENCES staff (org_id, id),
    FOREIGN KEY (org_id, location_id) REFERENCES location (org_id, id),
    CHECK (supervisor_id <> supervisee_id),
    CHECK (starts_on <= ends_on)
);
CREATE INDEX supervision_agreement_supervisor ON supervision_agreement (org_id, supervisor_id, created_at, id);
CREATE INDEX supervision_agreement_supervisee ON supervision_agreement (org_id, supervisee_id, created_at, id);
CREATE INDEX supervision_agreement_location ON supervision_agreement (org_id, location_id) WHERE location_id IS NOT NULL;
CREATE INDEX supervision_agreement_by_creation ON supervision_agreement (org_id, created_at, id);
ALTER TABLE supervision_agreement ENABLE ROW LEVEL SECURITY;
ALTER TABLE supervision_agreement FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON supervision_agreement USING (org_id = (SELECT public.current_org()));
GRANT SELECT, INSERT, UPDATE ON supervision_agreement TO clinic_app;

-- A signed record that an agreement's sample holds: to be read by the supervisor.
CREATE TABLE chart_review (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    agreement_id uuid NOT NULL,
    reviewer_id uuid NOT NULL,
    record_kind text NOT NULL CHECK (record_kind IN ('consultation', 'treatment_session', 'aftercare_note')),
    record_id uuid NOT NULL,
    signed_by uuid NOT NULL,
    signed_at timestamptz NOT NULL,
    due_on date NOT NULL,
    outcome text CHECK (outcome IN ('agreed', 'needs_revision', 'not_needed')),
    note text,
    reviewed_at timestamptz,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, agreement_id) REFERENCES supervision_agreement (org_id, id),
    FOREIGN KEY (org_id, reviewer_id) REFERENCES staff (org_id, id),
    CHECK ((outcome IS NULL) = (reviewed_at IS NULL))
);
CREATE UNIQUE INDEX chart_review_drawn ON chart_review (org_id, agreement_id, record_id);
CREATE INDEX chart_review_record ON chart_review (org_id, record_id);
CREATE INDEX chart_review_patient ON chart_review (org_id, patient_id, created_at, id);
CREATE INDEX chart_review_reviewer ON chart_review (org_id, reviewer_id, due_on, id);
CREATE INDEX chart_review_by_day ON chart_review (org_id, due_on, id);
CREATE INDEX chart_review_by_creation ON chart_review (org_id, created_at, id);
ALTER TABLE chart_review ENABLE ROW LEVEL SECURITY;
ALTER TABLE chart_review FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON chart_review USING (org_id = (SELECT public.current_org()));
CREATE POLICY open_patients ON chart_review AS RESTRICTIVE USING (
    (SELECT current_setting('app.opened', true)) = 'all' OR patient_id <> ALL ((SELECT public.closed_patients())::uuid[]));
CREATE POLICY only_patients ON chart_review AS RESTRICTIVE USING (
    coalesce((SELECT current_setting('app.only_patients', true)), '') = ''
    OR patient_id = ANY ((SELECT public.only_patients())::uuid[]));
GRANT SELECT, INSERT, UPDATE ON chart_review TO clinic_app;

CREATE OR REPLACE FUNCTION public.patient_tables() RETURNS TABLE (place integer, name text, hangs_on text[])
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
    AS $$
    VALUES
        (0, 'health_review', '{}'::text[]),
        (1, 'health_entry', '{}'::text[]),
        (2, 'consultation', '{}'),
        (3, 'treatment_plan', '{consultation_id}'),
        (4, 'treatment_session', '{plan_id}'),
        (5, 'aftercare_note', '{session_id}'),
        (6, 'consent', '{}'),
        (7, 'adverse_event', '{session_id,aftercare_note_id}'),
        (8, 'photo', '{session_id,aftercare_note_id,adverse_event_id}'),
        (9, 'outcome_assessment', '{plan_id,session_id,compared_with_photo_id,photo_id}'),
        (10, 'recall', '{plan_id,after_session_id,done_by_session_id}'),
        (11, 'addendum', '{record_id}'),
        (12, 'legal_hold', '{}'),
        (13, 'patient_restriction', '{}'),
        (14, 'emergency_access', '{}'),
        (15, 'countersignature', '{record_id}'),
        (16, 'retraction', '{record_id}'),
        (17, 'chart_review', '{record_id}')
$$;
