-- What a patient is found by, in whole words (src/patient/search.rs): some ten rows of a patient, where pieces of three
-- letters took fifty. The first letter of a word says what it is. Words are compared byte by byte, so that an index answers
-- for the start of one; these comparisons are leakproof, as row-level security asks of whatever an index may serve.
--
-- The rows are written anew by the program, which folds names (src/server/refold.rs): the comment says by which of
-- its versions they were.
DROP TABLE public.patient_search;
CREATE TABLE public.patient_search (
    org_id uuid NOT NULL,
    word text COLLATE "C" NOT NULL,
    patient_id uuid NOT NULL,
    PRIMARY KEY (org_id, word, patient_id),
    FOREIGN KEY (org_id, patient_id) REFERENCES public.patient (org_id, id)
);
CREATE INDEX patient_search_patient ON public.patient_search (org_id, patient_id);
ALTER TABLE public.patient_search ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.patient_search FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON public.patient_search USING (org_id = (SELECT public.current_org()));
GRANT SELECT, INSERT, DELETE ON public.patient_search TO clinic_app;
COMMENT ON TABLE public.patient_search IS 'folded 0';

-- Each name once, however many patients have it, in pieces of three letters: they lead from a misspelt name to those like it.
CREATE TABLE public.name_piece (
    org_id uuid NOT NULL,
    piece integer NOT NULL,
    word text COLLATE "C" NOT NULL,
    PRIMARY KEY (org_id, piece, word)
);
CREATE INDEX name_piece_word ON public.name_piece (org_id, word);
ALTER TABLE public.name_piece ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.name_piece FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON public.name_piece USING (org_id = (SELECT public.current_org()));
GRANT SELECT, INSERT, DELETE ON public.name_piece TO clinic_app;

-- Forgets what some patients are found by, and the names that nobody else has: a rare name tells of who had it.
CREATE FUNCTION public.forget_words(patients uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    org uuid := public.current_org();
    words text[];
BEGIN
    WITH gone AS (
        DELETE FROM public.patient_search s WHERE s.org_id = org AND s.patient_id = ANY (patients) RETURNING s.word
    )
    SELECT array_agg(DISTINCT substr(g.word, 2)) INTO words FROM gone AS g WHERE left(g.word, 1) IN ('n', 'o');
    DELETE FROM public.name_piece p WHERE p.org_id = org AND p.word = ANY (words) AND NOT EXISTS (
        SELECT FROM public.patient_search s WHERE s.org_id = org AND s.word IN ('n' || p.word, 'o' || p.word));
END
$$;

-- Erased with the patient. The function is read and added to: what another migration has put there stays.
DO $$
DECLARE
    searched constant text := 'DELETE FROM public.patient_search s WHERE s.org_id = org AND s.patient_id = ANY (everyone);';
    erasing text := (SELECT pg_get_functiondef(oid) FROM pg_proc
        WHERE proname = 'erase_patient_records' AND pronamespace = 'public'::regnamespace);
BEGIN
    IF position(searched IN erasing) = 0 THEN
        RAISE EXCEPTION 'erase_patient_records is not as it was made';
    END IF;
    EXECUTE replace(erasing, searched, 'PERFORM public.forget_words(everyone);');
END $$;
