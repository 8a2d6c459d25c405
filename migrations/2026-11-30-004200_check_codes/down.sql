-- Signatures of sessions are over the codes too: they are put aside for the way up again.
ALTER TABLE public.session_check NO FORCE ROW LEVEL SECURITY;
DO $$
BEGIN
    IF EXISTS (SELECT FROM public.session_check WHERE code IS NOT NULL) THEN
        CREATE TABLE public.session_check_code AS
            SELECT org_id, session_id, position, cause, code, params FROM public.session_check
            WHERE code IS NOT NULL;
        ALTER TABLE public.session_check_code ENABLE ROW LEVEL SECURITY;
    END IF;
END $$;
ALTER TABLE public.session_check FORCE ROW LEVEL SECURITY;
ALTER TABLE public.session_check DROP COLUMN params, DROP COLUMN code;
