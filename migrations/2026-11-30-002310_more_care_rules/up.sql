-- Care rules that came later: no protocol, a course beyond its plan, a product that is not for use within the skin.

ALTER TABLE session_check DROP CONSTRAINT session_check_rule_check;
ALTER TABLE session_check ADD CONSTRAINT session_check_rule_check CHECK (rule IN ('interval', 'depth', 'contraindication',
    'consent', 'lot', 'device', 'consultation', 'skin_type', 'anaesthetic', 'course', 'product', 'protocol'));

-- What a way back has put aside.
DO $$
BEGIN
    IF to_regclass('public.session_check_later') IS NOT NULL THEN
        ALTER TABLE public.session_check NO FORCE ROW LEVEL SECURITY;
        INSERT INTO public.session_check SELECT * FROM public.session_check_later;
        ALTER TABLE public.session_check FORCE ROW LEVEL SECURITY;
        DROP TABLE public.session_check_later;
    END IF;
END $$;
