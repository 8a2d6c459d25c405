-- Health reviews: that the health history was asked, and what was said of each part of it.

CREATE TABLE health_review (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    reviewed_at timestamptz NOT NULL,
    reviewed_by uuid NOT NULL,
    allergies text CHECK (allergies IN ('none_known', 'listed', 'unchanged', 'declined')),
    medicines text CHECK (medicines IN ('none_known', 'listed', 'unchanged', 'declined')),
    conditions text CHECK (conditions IN ('none_known', 'listed', 'unchanged', 'declined')),
    pregnancy text CHECK (pregnancy IN ('none_known', 'listed', 'unchanged', 'declined')),
    note text,
    entered_in_error boolean NOT NULL,
    error_reason text,
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id)
);
CREATE INDEX health_review_by_time ON health_review (org_id, reviewed_at, id);
CREATE INDEX health_review_patient ON health_review (org_id, patient_id, reviewed_at, id);
CREATE INDEX health_review_by_creation ON health_review (org_id, created_at, id);
CREATE INDEX health_review_by_update ON health_review (org_id, updated_at, id);
ALTER TABLE health_review ENABLE ROW LEVEL SECURITY;
ALTER TABLE health_review FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON health_review USING (org_id = (SELECT public.current_org()));
CREATE POLICY open_patients ON health_review AS RESTRICTIVE USING (
    (SELECT current_setting('app.opened', true)) = 'all' OR patient_id <> ALL ((SELECT public.closed_patients())::uuid[]));
CREATE POLICY only_patients ON health_review AS RESTRICTIVE USING (
    coalesce((SELECT current_setting('app.only_patients', true)), '') = ''
    OR patient_id = ANY ((SELECT public.only_patients())::uuid[]));
GRANT SELECT, INSERT, UPDATE ON health_review TO clinic_app;

-- A review hangs on nothing but the patient, so it may come first. The function and the constraint are read and added to:
-- what another migration has put there stays.
DO $$
BEGIN
    EXECUTE replace(pg_get_functiondef('public.patient_tables()'::regprocedure), E'VALUES\n',
        E'VALUES\n        (0, ''health_review'', ''{}''::text[]),\n');
END $$;

DO $$
DECLARE
    known text := (SELECT pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = 'public.session_check'::regclass AND conname = 'session_check_rule_check');
BEGIN
    ALTER TABLE public.session_check DROP CONSTRAINT session_check_rule_check;
    EXECUTE 'ALTER TABLE public.session_check ADD CONSTRAINT session_check_rule_check '
        || replace(known, 'ARRAY[', 'ARRAY[''history''::text, ');
    -- What a way back has put aside.
    IF to_regclass('public.session_check_history') IS NOT NULL THEN
        ALTER TABLE public.session_check NO FORCE ROW LEVEL SECURITY;
        INSERT INTO public.session_check SELECT * FROM public.session_check_history;
        ALTER TABLE public.session_check FORCE ROW LEVEL SECURITY;
        DROP TABLE public.session_check_history;
    END IF;
END $$;
