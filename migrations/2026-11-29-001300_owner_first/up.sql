-- Whose a record is, is decided with nobody closed; who is closed to the one who asks is asked after that. The ledger keeps
-- an entry of each owner that a record had. Looked for among the rows that the policies leave, the newest of them fell back
-- to an older owner: a merge that was taken back showed one patient's records in the chart of the other.
--
-- Each function that looks with nobody closed sets `app.opened` and `app.only_patients` while it looks, and puts both back.

-- Where in the ledger a merge stands, to be asked with nobody closed. Merging appends the two patients and then the merge,
-- and so does taking it back: what is between is what the two were while they were one.
CREATE FUNCTION public.merge_span(merge public.patient_merge) RETURNS TABLE (first_seq bigint, last_seq bigint)
    LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT min(l.seq) - 2, CASE WHEN merge.undone_at IS NULL THEN 9223372036854775807 ELSE max(l.seq) - 3 END
    FROM public.ledger l WHERE l.org_id = merge.org_id AND l.record_id = merge.id
$$;

-- The merges that tell of one of these patients, to be asked with nobody closed: those that they were a side of, and those
-- in which a side of such a merge was a side of another while it stood, as it had names and numbers from there.
CREATE FUNCTION public.merges_around(patients uuid[])
    RETURNS TABLE (id uuid, from_id uuid, into_id uuid, first_seq bigint, last_seq bigint, because uuid)
    LANGUAGE sql STABLE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
    WITH RECURSIVE around AS (
        SELECT m.id, m.from_id, m.into_id, s.first_seq, s.last_seq,
            CASE WHEN m.from_id = ANY (patients) THEN m.from_id ELSE m.into_id END AS because
        FROM public.patient_merge m CROSS JOIN LATERAL public.merge_span(m) AS s
        WHERE m.org_id = public.current_org() AND (m.from_id = ANY (patients) OR m.into_id = ANY (patients))
        UNION
        SELECT m.id, m.from_id, m.into_id, s.first_seq, s.last_seq, a.because
        FROM around a JOIN public.patient_merge m ON m.org_id = public.current_org()
        AND (m.from_id IN (a.from_id, a.into_id) OR m.into_id IN (a.from_id, a.into_id))
        CROSS JOIN LATERAL public.merge_span(m) AS s
        WHERE s.first_seq BETWEEN a.first_seq AND a.last_seq
    )
    SELECT * FROM around
$$;

-- The merges that are closed to the running transaction.
CREATE FUNCTION public.closed_merges() RETURNS uuid[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    opened text := coalesce(current_setting('app.opened', true), '');
    closed uuid[] := public.closed_but_for(opened);
    answer uuid[];
BEGIN
    IF closed = '{}' THEN
        RETURN '{}';
    END IF;
    PERFORM set_config('app.opened', 'all', true);
    answer := ARRAY(SELECT DISTINCT m.id FROM public.merges_around(closed) AS m);
    PERFORM set_config('app.opened', opened, true);
    RETURN answer;
END
$$;

-- The closed patients of whom the merges of these patients tell.
CREATE FUNCTION public.closed_behind(patients uuid[]) RETURNS uuid[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    opened text := coalesce(current_setting('app.opened', true), '');
    closed uuid[] := public.closed_but_for(opened);
    answer uuid[];
BEGIN
    IF closed = '{}' THEN
        RETURN '{}';
    END IF;
    PERFORM set_config('app.opened', 'all', true);
    answer := ARRAY(SELECT DISTINCT m.because FROM public.merges_around(closed) AS m
        WHERE m.from_id = ANY (patients) OR m.into_id = ANY (patients));
    PERFORM set_config('app.opened', opened, true);
    RETURN answer;
END
$$;

-- The entries of the ledger that stand under an open patient and tell of a closed one: those of merges, what the two
-- patients of such a merge were while it stood, and what was another's only while it stood.
CREATE FUNCTION public.closed_entries() RETURNS bigint[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    opened text := coalesce(current_setting('app.opened', true), '');
    only_these text := coalesce(current_setting('app.only_patients', true), '');
    closed uuid[] := public.closed_but_for(opened);
    answer bigint[] := '{}';
BEGIN
    IF closed = '{}' THEN
        RETURN '{}';
    END IF;
    PERFORM set_config('app.opened', 'all', true);
    PERFORM set_config('app.only_patients', '', true);
    IF EXISTS (SELECT FROM public.patient_merge m WHERE m.org_id = public.current_org()
        AND (m.from_id = ANY (closed) OR m.into_id = ANY (closed))) THEN
        WITH around AS MATERIALIZED (
            SELECT * FROM public.merges_around(closed)
        ), parties AS (
            SELECT c.id FROM unnest(closed) AS c (id) WHERE c.id IN (SELECT from_id FROM around UNION SELECT into_id FROM around)
        ), moved AS (
            SELECT DISTINCT l.record_id FROM parties p JOIN public.ledger l
            ON l.org_id = public.current_org() AND l.patient_id = p.id AND l.action = 'merge'
        ), found AS (
            SELECT l.seq FROM around a JOIN public.ledger l ON l.org_id = public.current_org() AND l.record_id = a.id
            UNION
            SELECT l.seq FROM around a CROSS JOIN LATERAL (VALUES (a.from_id), (a.into_id)) AS side (id)
            JOIN public.ledger l ON l.org_id = public.current_org() AND l.record_id = side.id
            AND l.seq BETWEEN a.first_seq AND a.last_seq
            UNION
            SELECT l.seq FROM moved m JOIN public.ledger l
            ON l.org_id = public.current_org() AND l.record_id = m.record_id AND l.patient_id <> ALL (closed)
            WHERE (SELECT n.patient_id FROM public.ledger n WHERE n.org_id = public.current_org()
                AND n.record_id = m.record_id ORDER BY n.seq DESC LIMIT 1) = ANY (closed)
        ) SELECT coalesce(array_agg(f.seq), '{}') INTO answer FROM found f;
    END IF;
    PERFORM set_config('app.opened', opened, true);
    PERFORM set_config('app.only_patients', only_these, true);
    RETURN answer;
END
$$;

-- The entries that stand under a patient of emergency access (`app.only_patients`) while their record is another's now.
CREATE FUNCTION public.strayed_entries() RETURNS bigint[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    opened text := coalesce(current_setting('app.opened', true), '');
    only_these text := coalesce(current_setting('app.only_patients', true), '');
    patients uuid[] := string_to_array(only_these, ',')::uuid[];
    answer bigint[] := '{}';
BEGIN
    IF patients = '{}' THEN
        RETURN '{}';
    END IF;
    PERFORM set_config('app.opened', 'all', true);
    PERFORM set_config('app.only_patients', '', true);
    IF EXISTS (SELECT FROM public.patient_merge m WHERE m.org_id = public.current_org()
        AND (m.from_id = ANY (patients) OR m.into_id = ANY (patients))) THEN
        WITH theirs AS (
            SELECT DISTINCT l.record_id FROM public.ledger l
            WHERE l.org_id = public.current_org() AND l.patient_id = ANY (patients)
        ) SELECT coalesce(array_agg(l.seq), '{}') INTO answer FROM theirs t JOIN public.ledger l
            ON l.org_id = public.current_org() AND l.record_id = t.record_id AND l.patient_id = ANY (patients)
            WHERE (SELECT n.patient_id FROM public.ledger n WHERE n.org_id = public.current_org()
                AND n.record_id = t.record_id ORDER BY n.seq DESC LIMIT 1) <> ALL (patients);
    END IF;
    PERFORM set_config('app.opened', opened, true);
    PERFORM set_config('app.only_patients', only_these, true);
    RETURN answer;
END
$$;

-- The newest entry, up to a moment, of each record that was these patients' at it: whose each was is decided with nobody
-- closed. Who reads the entries sees those of them that the policies leave.
CREATE FUNCTION public.entries_at(patients uuid[], moment timestamptz) RETURNS TABLE (seq bigint, at timestamptz)
    LANGUAGE plpgsql STABLE ROWS 200 SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    opened text := coalesce(current_setting('app.opened', true), '');
    only_these text := coalesce(current_setting('app.only_patients', true), '');
BEGIN
    PERFORM set_config('app.opened', 'all', true);
    PERFORM set_config('app.only_patients', '', true);
    RETURN QUERY SELECT v.seq, v.at FROM (
        SELECT DISTINCT l.record_id FROM public.ledger l
        WHERE l.org_id = public.current_org() AND l.patient_id = ANY (patients) AND l.at <= moment) AS r
        CROSS JOIN LATERAL (
            SELECT l.seq, l.at, l.patient_id FROM public.ledger l
            WHERE l.org_id = public.current_org() AND l.record_id = r.record_id AND l.at <= moment
            ORDER BY l.seq DESC LIMIT 1) AS v
        WHERE v.patient_id = ANY (patients);
    PERFORM set_config('app.opened', opened, true);
    PERFORM set_config('app.only_patients', only_these, true);
END
$$;

-- The newest entry of each of these records, found with nobody closed.
CREATE FUNCTION public.newest_entries(records uuid[]) RETURNS TABLE (seq bigint, at timestamptz)
    LANGUAGE plpgsql STABLE ROWS 200 SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    opened text := coalesce(current_setting('app.opened', true), '');
    only_these text := coalesce(current_setting('app.only_patients', true), '');
BEGIN
    PERFORM set_config('app.opened', 'all', true);
    PERFORM set_config('app.only_patients', '', true);
    RETURN QUERY SELECT v.seq, v.at FROM unnest(records) AS r (id) CROSS JOIN LATERAL (
        SELECT l.seq, l.at FROM public.ledger l WHERE l.org_id = public.current_org() AND l.record_id = r.id
        ORDER BY l.seq DESC LIMIT 1) AS v;
    PERFORM set_config('app.opened', opened, true);
    PERFORM set_config('app.only_patients', only_these, true);
END
$$;

-- Whose a record that was not found is, if it is that of a patient who is closed: then it is there for who says why. It is
-- its owner's of now; a merge is both sides'.
CREATE OR REPLACE FUNCTION public.restricted_patient(kind text, record uuid) RETURNS uuid
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    opened text := coalesce(current_setting('app.opened', true), '');
    only_these text := coalesce(current_setting('app.only_patients', true), '');
    closed uuid[] := public.closed_but_for(opened);
    answer uuid;
BEGIN
    IF closed = '{}' THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('app.opened', 'all', true);
    PERFORM set_config('app.only_patients', '', true);
    IF kind = 'patient_merge' THEN
        answer := (SELECT m.because FROM public.merges_around(closed) AS m WHERE m.id = record LIMIT 1);
    ELSE
        answer := (SELECT l.patient_id FROM public.ledger l
            WHERE l.org_id = public.current_org() AND l.record_id = record AND l.record_kind = kind
            ORDER BY l.seq DESC LIMIT 1);
    END IF;
    PERFORM set_config('app.opened', opened, true);
    PERFORM set_config('app.only_patients', only_these, true);
    RETURN CASE WHEN answer = ANY (closed) THEN answer END;
END
$$;

DROP POLICY open_patients ON patient_merge;
CREATE POLICY open_patients ON patient_merge AS RESTRICTIVE USING (
    (SELECT current_setting('app.opened', true)) = 'all'
    OR (from_id <> ALL ((SELECT closed_patients())::uuid[]) AND into_id <> ALL ((SELECT closed_patients())::uuid[])
        AND id <> ALL ((SELECT closed_merges())::uuid[])));
DROP POLICY open_patients ON ledger;
CREATE POLICY open_patients ON ledger AS RESTRICTIVE FOR SELECT
    USING ((SELECT current_setting('app.opened', true)) = 'all' OR patient_id IS NULL
        OR (patient_id <> ALL ((SELECT closed_patients())::uuid[]) AND seq <> ALL ((SELECT closed_entries())::bigint[])));
DROP POLICY only_patients ON ledger;
CREATE POLICY only_patients ON ledger AS RESTRICTIVE FOR SELECT
    USING (coalesce((SELECT current_setting('app.only_patients', true)), '') = '' OR patient_id IS NULL
        OR ((record_kind IN ('patient', 'recall', 'emergency_access') OR patient_id = ANY ((SELECT only_patients())::uuid[]))
            AND seq <> ALL ((SELECT strayed_entries())::bigint[])));
