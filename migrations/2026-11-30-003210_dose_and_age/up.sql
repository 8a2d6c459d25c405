-- Care rules that came later: how much numbing cream, and the patient's age.

-- The constraint is read and added to: what another migration has put there stays.
DO $$
DECLARE
    known text := (SELECT pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = 'public.session_check'::regclass AND conname = 'session_check_rule_check');
BEGIN
    ALTER TABLE public.session_check DROP CONSTRAINT session_check_rule_check;
    EXECUTE 'ALTER TABLE public.session_check ADD CONSTRAINT session_check_rule_check '
        || replace(known, 'ARRAY[', 'ARRAY[''dose''::text, ''age''::text, ');
    -- What a way back has put aside.
    IF to_regclass('public.session_check_dose_and_age') IS NOT NULL THEN
        ALTER TABLE public.session_check NO FORCE ROW LEVEL SECURITY;
        INSERT INTO public.session_check SELECT * FROM public.session_check_dose_and_age;
        ALTER TABLE public.session_check FORCE ROW LEVEL SECURITY;
        DROP TABLE public.session_check_dose_and_age;
    END IF;
END $$;
