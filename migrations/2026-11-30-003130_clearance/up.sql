-- Clearances: a prescriber has examined a patient and directs a treatment, where the location asks for that.

CREATE TABLE clearance (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    prescriber_id uuid NOT NULL,
    modalities text[] NOT NULL,
    -- Empty: every area.
    areas text[] NOT NULL,
    in_person boolean NOT NULL,
    given_at timestamptz NOT NULL,
    valid_until date,
    note text,
    revoked_at timestamptz,
    revoked_by uuid,
    revoke_reason text,
    entered_in_error boolean NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, prescriber_id) REFERENCES staff (org_id, id),
    CHECK (cardinality(modalities) > 0),
    CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
);
CREATE INDEX clearance_patient ON clearance (org_id, patient_id, given_at, id);
CREATE INDEX clearance_prescriber ON clearance (org_id, prescriber_id, given_at, id);
CREATE INDEX clearance_by_time ON clearance (org_id, given_at, id);
CREATE INDEX clearance_by_creation ON clearance (org_id, created_at, id);
CREATE INDEX clearance_by_update ON clearance (org_id, updated_at, id);
ALTER TABLE clearance ENABLE ROW LEVEL SECURITY;
ALTER TABLE clearance FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON clearance USING (org_id = (SELECT public.current_org()));
CREATE POLICY open_patients ON clearance AS RESTRICTIVE USING (
    (SELECT current_setting('app.opened', true)) = 'all' OR patient_id <> ALL ((SELECT public.closed_patients())::uuid[]));
CREATE POLICY only_patients ON clearance AS RESTRICTIVE USING (
    coalesce((SELECT current_setting('app.only_patients', true)), '') = ''
    OR patient_id = ANY ((SELECT public.only_patients())::uuid[]));
GRANT SELECT, INSERT, UPDATE ON clearance TO clinic_app;

ALTER TABLE location ADD COLUMN clearance text NOT NULL DEFAULT 'none' CHECK (clearance IN ('none', 'in_person', 'any_mode'));
ALTER TABLE location ADD COLUMN clearance_blocks boolean NOT NULL DEFAULT false;

ALTER TABLE session_check DROP CONSTRAINT session_check_rule_check;
ALTER TABLE session_check ADD CONSTRAINT session_check_rule_check CHECK (rule IN ('interval', 'depth', 'contraindication',
    'consent', 'lot', 'device', 'consultation', 'skin_type', 'anaesthetic', 'course', 'product', 'protocol',
    'history', 'clearance'));

-- What a way back has put aside.
DO $$
BEGIN
    IF to_regclass('public.session_check_clearance') IS NOT NULL THEN
        ALTER TABLE public.session_check NO FORCE ROW LEVEL SECURITY;
        INSERT INTO public.session_check SELECT * FROM public.session_check_clearance;
        ALTER TABLE public.session_check FORCE ROW LEVEL SECURITY;
        DROP TABLE public.session_check_clearance;
    END IF;
END $$;

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
        (17, 'chart_review', '{record_id}'),
        (18, 'clearance', '{}')
$$;
