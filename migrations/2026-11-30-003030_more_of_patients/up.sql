-- People with one name; former names, other phones, language and identifiers of other systems (`details`).

ALTER TABLE public.patient ALTER COLUMN family_name DROP NOT NULL;
ALTER TABLE public.patient ADD COLUMN details jsonb NOT NULL DEFAULT '{}';

-- Who has only one name was kept with none after a way back.
ALTER TABLE public.patient NO FORCE ROW LEVEL SECURITY;
UPDATE public.patient SET family_name = NULL WHERE family_name = '';
ALTER TABLE public.patient FORCE ROW LEVEL SECURITY;

-- The identifiers once more, each unique in its system. Whose they are is told under the policies of patients.
CREATE TABLE patient_identifier (
    org_id uuid NOT NULL,
    system text NOT NULL,
    value text NOT NULL,
    patient_id uuid NOT NULL,
    PRIMARY KEY (org_id, system, value),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id)
);
CREATE INDEX patient_identifier_patient ON patient_identifier (org_id, patient_id);
ALTER TABLE patient_identifier ENABLE ROW LEVEL SECURITY;
ALTER TABLE patient_identifier FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON patient_identifier USING (org_id = (SELECT public.current_org()));
GRANT SELECT, INSERT, DELETE ON patient_identifier TO clinic_app;

-- Erased with the patient, as what they are searched by. The function is read and added to: what another migration has put
-- there stays.
DO $$
DECLARE
    searched constant text := 'DELETE FROM public.patient_search s WHERE s.org_id = org AND s.patient_id = ANY (everyone);';
    erasing text := (SELECT pg_get_functiondef(oid) FROM pg_proc
        WHERE proname = 'erase_patient_records' AND pronamespace = 'public'::regnamespace);
BEGIN
    IF position(searched IN erasing) = 0 THEN
        RAISE EXCEPTION 'erase_patient_records is not as it was made';
    END IF;
    EXECUTE replace(erasing, searched,
        'DELETE FROM public.patient_identifier i WHERE i.org_id = org AND i.patient_id = ANY (everyone);' || E'\n    ' || searched);
END $$;
