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
        AND l.at >= merge.merged_at - interval '1 day'
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
            -- Who had been merged into a side of it went along, and their entry names the other.
            SELECT l.seq FROM around a JOIN public.patient_merge m ON m.org_id = public.current_org() AND m.id = a.id
            CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(m.moved -> 'patient', '[]')) AS along (id)
            JOIN public.ledger l ON l.org_id = public.current_org() AND l.record_id = along.id::uuid AND l.action = 'merge'
            WHERE (l.content::jsonb ->> 'merged_into')::uuid = ANY (closed)
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

-- Who is erased is erased whole: out of the merges that tell of them too. These are their own, and those of others that
-- were made and taken back while the others were one with them.
CREATE OR REPLACE FUNCTION public.merges_of_patients(everyone uuid[]) RETURNS uuid[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT coalesce(array_agg(m.id), '{}') FROM public.patient_merge m
        WHERE m.org_id = public.current_org() AND (m.from_id = ANY (everyone) OR m.into_id = ANY (everyone)
            OR m.undone_at IS NOT NULL AND m.id IN (SELECT a.id FROM public.merges_around(everyone) AS a))
$$;

-- What erasing a patient takes, as before, and what others were while they were one with them.
CREATE OR REPLACE FUNCTION public.records_to_erase(erased_patient uuid) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    org uuid := public.current_org();
    opened text := coalesce(current_setting('app.opened', true), '');
    bound text := coalesce(current_setting('app.only_patients', true), '');
    everyone uuid[];
    merges uuid[];
    records uuid[];
    owned record;
    going bigint;
    counts jsonb := '{}';
    objects jsonb;
    emptied jsonb;
BEGIN
    everyone := public.patient_with_merged(erased_patient);
    IF erased_patient = ANY (everyone) IS NOT TRUE THEN
        RAISE EXCEPTION 'no such patient';
    END IF;
    -- Whose a record is, is decided with nobody closed: the other side of an undone merge may be.
    PERFORM set_config('app.opened', 'all', true), set_config('app.only_patients', '', true);
    everyone := public.patient_with_merged(erased_patient);
    IF EXISTS (SELECT FROM public.legal_hold h
        WHERE h.org_id = org AND h.patient_id = ANY (everyone) AND h.lifted_at IS NULL) THEN
        RAISE EXCEPTION 'under legal hold';
    END IF;
    merges := public.merges_of_patients(everyone);
    records := merges || public.records_of_patients(everyone);
    SELECT coalesce(jsonb_agg(jsonb_build_object('photo_id', p.id, 'content_hash', encode(p.content_hash, 'hex'),
        'media_type', p.media_type) ORDER BY p.id), '[]') INTO objects
        FROM public.photo p WHERE p.org_id = org AND p.patient_id = ANY (everyone);
    FOR owned IN SELECT * FROM public.patient_parts() LOOP
        EXECUTE format('SELECT count(*) FROM public.%I WHERE org_id = $1 AND %I IN (
            SELECT o.id FROM public.%I AS o WHERE o.org_id = $1 AND o.patient_id = ANY ($2))',
            owned.name, owned.by_column, owned.part_of) INTO going USING org, everyone;
        counts := counts || jsonb_build_object(owned.name, going);
    END LOOP;
    FOR owned IN SELECT * FROM public.patient_tables() LOOP
        EXECUTE format('SELECT count(*) FROM public.%I WHERE org_id = $1 AND patient_id = ANY ($2)', owned.name)
            INTO going USING org, everyone;
        counts := counts || jsonb_build_object(owned.name, going);
    END LOOP;
    -- What others were while one of these merges made them one with these patients, as it may have names and numbers from
    -- there, and what names one of these as whom somebody went along to. What somebody is now is their own: the newest
    -- entry of who stays is kept.
    WITH around AS MATERIALIZED (
        SELECT a.* FROM public.merges_around(everyone) AS a WHERE a.id = ANY (merges)
    )
    SELECT coalesce(sum(g.last - g.first + 1), 0)::bigint,
        coalesce(jsonb_agg(jsonb_build_array(g.first, g.last) ORDER BY g.first), '[]') INTO going, emptied
        FROM (SELECT min(s.seq) AS first, max(s.seq) AS last FROM (
            SELECT e.seq, e.seq - row_number() OVER (ORDER BY e.seq) AS island FROM (
                SELECT l.seq FROM public.ledger l
                WHERE l.org_id = org AND l.record_id = ANY (records) AND l.content IS NOT NULL
                UNION
                SELECT f.seq FROM (
                    SELECT l.seq, l.record_id FROM around a CROSS JOIN LATERAL (VALUES (a.from_id), (a.into_id)) AS side (id)
                    JOIN public.ledger l ON l.org_id = org AND l.record_id = side.id
                    WHERE l.seq BETWEEN a.first_seq AND a.last_seq AND l.record_kind = 'patient' AND l.content IS NOT NULL
                    UNION
                    SELECT l.seq, l.record_id FROM around a JOIN public.patient_merge m ON m.org_id = org AND m.id = a.id
                    CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(m.moved -> 'patient', '[]')) AS along (id)
                    JOIN public.ledger l ON l.org_id = org AND l.record_id = along.id::uuid
                    WHERE l.action = 'merge' AND l.record_kind = 'patient' AND l.content IS NOT NULL
                    AND (l.content::jsonb ->> 'merged_into')::uuid = ANY (everyone)
                ) AS f WHERE EXISTS (
                    SELECT FROM public.ledger n WHERE n.org_id = org AND n.record_id = f.record_id AND n.seq > f.seq)
            ) AS e) AS s GROUP BY s.island) AS g;
    counts := counts || jsonb_build_object('patient_merge', cardinality(merges), 'patient', cardinality(everyone),
        'ledger', going);
    PERFORM set_config('app.opened', opened, true), set_config('app.only_patients', bound, true);
    RETURN jsonb_build_object('counts', counts, 'objects', objects, 'emptied', emptied);
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
