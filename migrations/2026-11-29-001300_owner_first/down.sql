DROP POLICY only_patients ON ledger;
CREATE POLICY only_patients ON ledger AS RESTRICTIVE FOR SELECT
    USING (coalesce((SELECT current_setting('app.only_patients', true)), '') = '' OR patient_id IS NULL
        OR record_kind IN ('patient', 'recall', 'emergency_access') OR patient_id = ANY ((SELECT only_patients())::uuid[]));
DROP POLICY open_patients ON ledger;
CREATE POLICY open_patients ON ledger AS RESTRICTIVE FOR SELECT
    USING ((SELECT current_setting('app.opened', true)) = 'all' OR patient_id IS NULL
        OR patient_id <> ALL ((SELECT closed_patients())::uuid[]));
DROP POLICY open_patients ON patient_merge;
CREATE POLICY open_patients ON patient_merge AS RESTRICTIVE USING (
    (SELECT current_setting('app.opened', true)) = 'all'
    OR (from_id <> ALL ((SELECT closed_patients())::uuid[]) AND into_id <> ALL ((SELECT closed_patients())::uuid[])));
CREATE OR REPLACE FUNCTION public.restricted_patient(kind text, record uuid) RETURNS uuid
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    opened text := coalesce(current_setting('app.opened', true), '');
    answer uuid;
BEGIN
    PERFORM set_config('app.opened', 'all', true);
    answer := (SELECT p.id FROM public.ledger l JOIN public.patient p ON p.org_id = l.org_id AND p.id = l.patient_id
        JOIN public.patient_restriction r ON r.org_id = p.org_id AND r.patient_id IN (p.id, p.merged_into)
            AND r.lifted_at IS NULL
        WHERE l.org_id = public.current_org() AND l.record_id = record AND l.record_kind = kind LIMIT 1);
    PERFORM set_config('app.opened', opened, true);
    RETURN answer;
END
$$;
CREATE OR REPLACE FUNCTION public.merges_of_patients(everyone uuid[]) RETURNS uuid[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT coalesce(array_agg(m.id), '{}') FROM public.patient_merge m
        WHERE m.org_id = public.current_org() AND (m.from_id = ANY (everyone) OR m.into_id = ANY (everyone))
$$;
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
    SELECT coalesce(sum(g.last - g.first + 1), 0)::bigint,
        coalesce(jsonb_agg(jsonb_build_array(g.first, g.last) ORDER BY g.first), '[]') INTO going, emptied
        FROM (SELECT min(s.seq) AS first, max(s.seq) AS last FROM (
            SELECT l.seq, l.seq - row_number() OVER (ORDER BY l.seq) AS island FROM public.ledger l
            WHERE l.org_id = org AND l.record_id = ANY (records) AND l.content IS NOT NULL) AS s GROUP BY s.island) AS g;
    counts := counts || jsonb_build_object('patient_merge', cardinality(merges), 'patient', cardinality(everyone),
        'ledger', going);
    PERFORM set_config('app.opened', opened, true), set_config('app.only_patients', bound, true);
    RETURN jsonb_build_object('counts', counts, 'objects', objects, 'emptied', emptied);
END
$$;
DROP FUNCTION newest_entries(uuid[]);
DROP FUNCTION entries_at(uuid[], timestamptz);
DROP FUNCTION strayed_entries();
DROP FUNCTION closed_entries();
DROP FUNCTION closed_behind(uuid[]);
DROP FUNCTION closed_merges();
DROP FUNCTION merges_around(uuid[]);
DROP FUNCTION merge_span(patient_merge);
