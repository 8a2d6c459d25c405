DO $$
BEGIN
    EXECUTE replace((SELECT pg_get_functiondef(oid) FROM pg_proc
            WHERE proname = 'erase_patient_records' AND pronamespace = 'public'::regnamespace),
        'DELETE FROM public.patient_identifier i WHERE i.org_id = org AND i.patient_id = ANY (everyone);' || E'\n    ', '');
END $$;
DROP TABLE patient_identifier;
ALTER TABLE public.patient DROP COLUMN details;
-- An earlier program asks for a family name.
ALTER TABLE public.patient NO FORCE ROW LEVEL SECURITY;
UPDATE public.patient SET family_name = '' WHERE family_name IS NULL;
ALTER TABLE public.patient FORCE ROW LEVEL SECURITY;
ALTER TABLE public.patient ALTER COLUMN family_name SET NOT NULL;
