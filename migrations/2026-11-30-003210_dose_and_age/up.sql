-- Care rules that came later: how much numbing cream, and the patient's age.

ALTER TABLE session_check DROP CONSTRAINT session_check_rule_check;
ALTER TABLE session_check ADD CONSTRAINT session_check_rule_check CHECK (rule IN ('interval', 'depth', 'contraindication',
    'consent', 'lot', 'device', 'consultation', 'skin_type', 'anaesthetic', 'course', 'product', 'protocol', 'dose', 'age'));

-- What a way back has put aside.
DO $$
BEGIN
    IF to_regclass('public.session_check_dose_and_age') IS NOT NULL THEN
        ALTER TABLE public.session_check NO FORCE ROW LEVEL SECURITY;
        INSERT INTO public.session_check SELECT * FROM public.session_check_dose_and_age;
        ALTER TABLE public.session_check FORCE ROW LEVEL SECURITY;
        DROP TABLE public.session_check_dose_and_age;
    END IF;
END $$;
