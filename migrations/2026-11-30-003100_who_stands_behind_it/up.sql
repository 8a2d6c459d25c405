-- Who stands behind a record: further signatures, work that is taken over, what a staff member is registered as, and until
-- when and where they work.

ALTER TABLE consultation DROP CONSTRAINT consultation_signature_meaning_check;
ALTER TABLE consultation ADD CONSTRAINT consultation_signature_meaning_check
    CHECK (signature_meaning IN ('author', 'taken_over', 'reviewer', 'supervisor'));
ALTER TABLE consultation ADD COLUMN signature_reason text;
ALTER TABLE consultation ADD CONSTRAINT consultation_signature_reason_check
    CHECK (signature_reason IS NULL OR signature_meaning = 'taken_over');
ALTER TABLE treatment_session DROP CONSTRAINT treatment_session_signature_meaning_check;
ALTER TABLE treatment_session ADD CONSTRAINT treatment_session_signature_meaning_check
    CHECK (signature_meaning IN ('author', 'taken_over', 'reviewer', 'supervisor'));
ALTER TABLE treatment_session ADD COLUMN signature_reason text;
ALTER TABLE treatment_session ADD CONSTRAINT treatment_session_signature_reason_check
    CHECK (signature_reason IS NULL OR signature_meaning = 'taken_over');
ALTER TABLE aftercare_note DROP CONSTRAINT aftercare_note_signature_meaning_check;
ALTER TABLE aftercare_note ADD CONSTRAINT aftercare_note_signature_meaning_check
    CHECK (signature_meaning IN ('author', 'taken_over', 'reviewer', 'supervisor'));
ALTER TABLE aftercare_note ADD COLUMN signature_reason text;
ALTER TABLE aftercare_note ADD CONSTRAINT aftercare_note_signature_reason_check
    CHECK (signature_reason IS NULL OR signature_meaning = 'taken_over');

-- The first signature stands in the record, and locks it. The others are rows of their own, over the same hash.
CREATE TABLE countersignature (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    record_kind text NOT NULL CHECK (record_kind IN ('consultation', 'treatment_session', 'aftercare_note')),
    record_id uuid NOT NULL,
    signed_at timestamptz NOT NULL,
    signed_by uuid NOT NULL,
    meaning text NOT NULL CHECK (meaning IN ('author', 'taken_over', 'reviewer', 'supervisor')),
    reason text,
    content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, signed_by) REFERENCES staff (org_id, id),
    CHECK (reason IS NULL OR meaning = 'taken_over')
);
-- One of each meaning for each person, and one person who answers for the work.
CREATE UNIQUE INDEX countersignature_once ON countersignature (org_id, record_id, signed_by, meaning);
CREATE UNIQUE INDEX countersignature_author ON countersignature (org_id, record_id)
    WHERE meaning IN ('author', 'taken_over');
CREATE INDEX countersignature_record ON countersignature (org_id, record_id, signed_at, id);
CREATE INDEX countersignature_patient ON countersignature (org_id, patient_id, signed_at, id);
CREATE INDEX countersignature_signer ON countersignature (org_id, signed_by, signed_at, id);
CREATE INDEX countersignature_by_time ON countersignature (org_id, signed_at, id);
ALTER TABLE countersignature ENABLE ROW LEVEL SECURITY;
ALTER TABLE countersignature FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON countersignature FOR SELECT USING (org_id = (SELECT public.current_org()));
CREATE POLICY tenant_append ON countersignature FOR INSERT WITH CHECK (org_id = (SELECT public.current_org()));
CREATE POLICY moved ON countersignature FOR UPDATE TO CURRENT_USER
    USING (org_id = (SELECT public.current_org()) AND patient_id = (SELECT public.moving_patient()))
    WITH CHECK (org_id = (SELECT public.current_org()));
CREATE POLICY erased ON countersignature FOR DELETE TO CURRENT_USER
    USING (org_id = (SELECT public.current_org()) AND patient_id = ANY ((SELECT public.erasing_patients())::uuid[]));
CREATE POLICY open_patients ON countersignature AS RESTRICTIVE USING (
    (SELECT current_setting('app.opened', true)) = 'all' OR patient_id <> ALL ((SELECT public.closed_patients())::uuid[]));
CREATE POLICY only_patients ON countersignature AS RESTRICTIVE USING (
    coalesce((SELECT current_setting('app.only_patients', true)), '') = ''
    OR patient_id = ANY ((SELECT public.only_patients())::uuid[]));
GRANT SELECT, INSERT ON countersignature TO clinic_app;

CREATE TABLE credential (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    staff_id uuid NOT NULL,
    profession text NOT NULL,
    number text NOT NULL,
    body text NOT NULL,
    jurisdiction text NOT NULL,
    prescriber boolean NOT NULL,
    -- Empty: for every kind of treatment.
    modalities text[] NOT NULL,
    valid_from date,
    expires_on date,
    active boolean NOT NULL,
    note text,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, staff_id) REFERENCES staff (org_id, id),
    CHECK (valid_from <= expires_on)
);
CREATE INDEX credential_staff ON credential (org_id, staff_id, created_at, id);
CREATE INDEX credential_by_creation ON credential (org_id, created_at, id);
CREATE INDEX credential_by_expiry ON credential (org_id, expires_on, id);
ALTER TABLE credential ENABLE ROW LEVEL SECURITY;
ALTER TABLE credential FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON credential USING (org_id = (SELECT public.current_org()));
GRANT SELECT, INSERT, UPDATE ON credential TO clinic_app;

-- The last day of a place, and where it is; empty: everywhere.
ALTER TABLE staff ADD COLUMN ends_on date;
ALTER TABLE staff ADD COLUMN location_ids uuid[] NOT NULL DEFAULT '{}';

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
        (15, 'countersignature', '{record_id}')
$$;
