-- Why a care rule answers as it does, for programs: a code with its parameters, beside the sentence. Answers that were kept
-- before have none, and keep the form that their signatures are over.
ALTER TABLE public.session_check
    ADD COLUMN code text CHECK (code ~ '^[a-z][a-z_]*$'),
    ADD COLUMN params jsonb CHECK (params IS NULL OR code IS NOT NULL);

-- Those that a way back to an earlier version put aside come back.
DO $$
BEGIN
    IF to_regclass('public.session_check_code') IS NOT NULL THEN
        ALTER TABLE public.session_check NO FORCE ROW LEVEL SECURITY;
        UPDATE public.session_check k SET code = c.code, params = c.params
        FROM public.session_check_code c
        WHERE (k.org_id, k.session_id, k.position, k.cause) = (c.org_id, c.session_id, c.position, c.cause);
        ALTER TABLE public.session_check FORCE ROW LEVEL SECURITY;
        DROP TABLE public.session_check_code;
    END IF;
END $$;
