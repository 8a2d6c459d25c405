-- What is signed and should not count stays as it is, and is marked by a row beside it: signed rows take no update.

CREATE TABLE retraction (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    record_kind text NOT NULL CHECK (record_kind IN ('consultation', 'treatment_session', 'aftercare_note')),
    record_id uuid NOT NULL,
    retracted_at timestamptz NOT NULL,
    retracted_by uuid NOT NULL,
    reason text NOT NULL,
    -- The draft on the right chart, of the same kind.
    copy_id uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, retracted_by) REFERENCES staff (org_id, id)
);
-- A record is retracted once.
CREATE UNIQUE INDEX retraction_record ON retraction (org_id, record_id);
CREATE UNIQUE INDEX retraction_copy ON retraction (org_id, copy_id) WHERE copy_id IS NOT NULL;
CREATE INDEX retraction_patient ON retraction (org_id, patient_id, retracted_at, id);
CREATE INDEX retraction_person ON retraction (org_id, retracted_by, retracted_at, id);
CREATE INDEX retraction_by_time ON retraction (org_id, retracted_at, id);
ALTER TABLE retraction ENABLE ROW LEVEL SECURITY;
ALTER TABLE retraction FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON retraction FOR SELECT USING (org_id = (SELECT public.current_org()));
CREATE POLICY tenant_append ON retraction FOR INSERT WITH CHECK (org_id = (SELECT public.current_org()));
CREATE POLICY moved ON retraction FOR UPDATE TO CURRENT_USER
    USING (org_id = (SELECT public.current_org()) AND patient_id = (SELECT public.moving_patient()))
    WITH CHECK (org_id = (SELECT public.current_org()));
CREATE POLICY erased ON retraction FOR DELETE TO CURRENT_USER
    USING (org_id = (SELECT public.current_org()) AND patient_id = ANY ((SELECT public.erasing_patients())::uuid[]));
CREATE POLICY open_patients ON retraction AS RESTRICTIVE USING (
    (SELECT current_setting('app.opened', true)) = 'all' OR patient_id <> ALL ((SELECT public.closed_patients())::uuid[]));
CREATE POLICY only_patients ON retraction AS RESTRICTIVE USING (
    coalesce((SELECT current_setting('app.only_patients', true)), '') = ''
    OR patient_id = ANY ((SELECT public.only_patients())::uuid[]));
GRANT SELECT, INSERT ON retraction TO clinic_app;

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
        (16, 'retraction', '{record_id}')
$$;
