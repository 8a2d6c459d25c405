-- Contents of the ledger are kept compressed (src/ledger/packed.rs), in a column of their own: `content` is as it was for
-- entries from before, and for merges and erasures, whose contents the functions of the database read. What a digest is over
-- is the content itself, to the letter, in either case.

ALTER TABLE public.ledger ADD COLUMN packed bytea;
-- It is compressed already: trying again would cost time for nothing.
ALTER TABLE public.ledger ALTER COLUMN packed SET STORAGE EXTERNAL;
ALTER TABLE public.ledger ADD CONSTRAINT ledger_content_once CHECK (content IS NULL OR packed IS NULL);
ALTER TABLE public.ledger ADD CONSTRAINT ledger_content_to_read CHECK (packed IS NULL OR action NOT IN ('merge', 'erase'));

DROP POLICY erased ON public.ledger;
CREATE POLICY erased ON public.ledger FOR UPDATE TO CURRENT_USER
    USING (org_id = (SELECT public.current_org()) AND (SELECT public.erasing_patients()) IS NOT NULL)
    WITH CHECK (org_id = (SELECT public.current_org()) AND content IS NULL AND packed IS NULL AND salt IS NULL);

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
                WHERE l.org_id = org AND l.record_id = ANY (records) AND (l.content IS NOT NULL OR l.packed IS NOT NULL)
                UNION
                SELECT f.seq FROM (
                    SELECT l.seq, l.record_id FROM around a CROSS JOIN LATERAL (VALUES (a.from_id), (a.into_id)) AS side (id)
                    JOIN public.ledger l ON l.org_id = org AND l.record_id = side.id
                    WHERE l.seq BETWEEN a.first_seq AND a.last_seq AND l.record_kind = 'patient' AND (l.content IS NOT NULL OR l.packed IS NOT NULL)
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

CREATE OR REPLACE FUNCTION public.erase_patient_records(erasure_entry bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    org uuid := public.current_org();
    opened text := coalesce(current_setting('app.opened', true), '');
    bound text := coalesce(current_setting('app.only_patients', true), '');
    erasure jsonb := public.entry_just_written(erasure_entry, 'erase', 'patient_erasure');
    erased_patient uuid := erasure ->> 'erased_id';
    everyone uuid[];
    merges uuid[];
    owned record;
    gone bigint;
    counts jsonb := '{}';
BEGIN
    IF erasure IS NULL THEN
        RAISE EXCEPTION 'no erasure was entered in the ledger by this transaction';
    END IF;
    IF public.records_to_erase(erased_patient) <> jsonb_build_object(
        'counts', erasure -> 'counts', 'objects', erasure -> 'objects', 'emptied', erasure -> 'emptied') THEN
        RAISE EXCEPTION 'the entry names other rows, files or entries than there are to erase';
    END IF;
    PERFORM set_config('app.opened', 'all', true), set_config('app.only_patients', '', true);
    everyone := public.patient_with_merged(erased_patient);
    merges := public.merges_of_patients(everyone);
    PERFORM set_config('app.erasing_patients', array_to_string(everyone, ','), true);
    FOR owned IN SELECT * FROM public.patient_parts() LOOP
        EXECUTE format('DELETE FROM public.%I WHERE org_id = $1 AND %I IN (
            SELECT o.id FROM public.%I AS o WHERE o.org_id = $1 AND o.patient_id = ANY ($2))',
            owned.name, owned.by_column, owned.part_of) USING org, everyone;
        GET DIAGNOSTICS gone = ROW_COUNT;
        counts := counts || jsonb_build_object(owned.name, gone);
    END LOOP;
    FOR owned IN SELECT * FROM public.patient_tables() AS t ORDER BY t.place DESC LOOP
        EXECUTE format('DELETE FROM public.%I WHERE org_id = $1 AND patient_id = ANY ($2)', owned.name) USING org, everyone;
        GET DIAGNOSTICS gone = ROW_COUNT;
        counts := counts || jsonb_build_object(owned.name, gone);
    END LOOP;
    DELETE FROM public.patient_search s WHERE s.org_id = org AND s.patient_id = ANY (everyone);
    DELETE FROM public.patient_merge m WHERE m.org_id = org AND m.id = ANY (merges);
    GET DIAGNOSTICS gone = ROW_COUNT;
    counts := counts || jsonb_build_object('patient_merge', gone);
    DELETE FROM public.patient p WHERE p.org_id = org AND p.id = ANY (everyone);
    GET DIAGNOSTICS gone = ROW_COUNT;
    counts := counts || jsonb_build_object('patient', gone);
    UPDATE public.ledger l SET content = NULL, packed = NULL, salt = NULL FROM jsonb_array_elements(erasure -> 'emptied') AS r
        WHERE l.org_id = org AND l.seq BETWEEN (r ->> 0)::bigint AND (r ->> 1)::bigint AND l.seq < erasure_entry;
    GET DIAGNOSTICS gone = ROW_COUNT;
    counts := counts || jsonb_build_object('ledger', gone);
    IF counts <> erasure -> 'counts' THEN
        RAISE EXCEPTION 'not all could be erased';
    END IF;
    PERFORM set_config('app.erasing_patients', '', true), set_config('app.opened', opened, true),
        set_config('app.only_patients', bound, true);
END
$$;

-- Nothing asks for a patient's entries in the order of their numbers: without the number, the many entries of a patient share
-- one key of the index.
DROP INDEX public.ledger_patient;
CREATE INDEX ledger_patient ON public.ledger (org_id, patient_id);

-- The same for the many patients of a piece of a name. It can't be unique then: whoever writes the pieces writes each once.
-- Without a key, changes are told by whole rows to who follows the database (logical replication).
ALTER TABLE public.patient_search DROP CONSTRAINT patient_search_pkey;
CREATE INDEX patient_search_trigram ON public.patient_search (org_id, trigram);
ALTER TABLE public.patient_search REPLICA IDENTITY FULL;
