-- No function of the owner can be led astray, and those that change records do it on the word of the ledger alone.
--
-- A search path that does not name pg_temp is searched in pg_temp first: a temporary table by the name of ours would be
-- taken for it, and its triggers would run as the owner. So pg_temp is named, last, and every name is written in full.
-- Functions that policies ask for every statement have bodies that were parsed once, here: they look for nothing, and
-- they can still be taken up into the statement.

CREATE OR REPLACE FUNCTION public.current_org() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('app.org_id', true), '')::uuid;
CREATE OR REPLACE FUNCTION public.moving_patient() RETURNS uuid
    LANGUAGE sql STABLE
    RETURN NULLIF(current_setting('app.moving_patient', true), '')::uuid;
CREATE OR REPLACE FUNCTION public.erasing_patients() RETURNS uuid[]
    LANGUAGE sql STABLE
    RETURN string_to_array(NULLIF(current_setting('app.erasing_patients', true), ''), ',')::uuid[];
CREATE OR REPLACE FUNCTION public.closed_patients() RETURNS uuid[]
    LANGUAGE sql STABLE
    RETURN public.closed_but_for(coalesce(current_setting('app.opened', true), ''));
CREATE OR REPLACE FUNCTION public.only_patients() RETURNS uuid[]
    LANGUAGE sql STABLE
    RETURN string_to_array(NULLIF(current_setting('app.only_patients', true), ''), ',')::uuid[];
ALTER FUNCTION public.patient_tables() SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION public.patient_parts() SET search_path = pg_catalog, pg_temp;

CREATE OR REPLACE FUNCTION public.closed_but_for(opened text) RETURNS uuid[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    closed uuid[];
BEGIN
    IF opened = 'all' THEN
        RETURN '{}';
    END IF;
    PERFORM set_config('app.opened', 'all', true);
    WITH r AS (
        SELECT t.patient_id AS id FROM public.patient_restriction t
        WHERE t.org_id = public.current_org() AND t.lifted_at IS NULL
        AND t.patient_id <> ALL (string_to_array(opened, ',')::uuid[])
    ) SELECT coalesce(array_agg(c.id), '{}') INTO closed FROM (
        SELECT r.id FROM r
        UNION SELECT p.id FROM r JOIN public.patient p ON p.org_id = public.current_org() AND p.merged_into = r.id) AS c;
    PERFORM set_config('app.opened', opened, true);
    RETURN closed;
END
$$;

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

CREATE OR REPLACE FUNCTION public.patient_with_number(number text) RETURNS uuid
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    opened text := coalesce(current_setting('app.opened', true), '');
    answer uuid;
BEGIN
    PERFORM set_config('app.opened', 'all', true);
    answer := (SELECT coalesce(p.merged_into, p.id) FROM public.patient p
        WHERE p.org_id = public.current_org() AND p.chart_number = number);
    PERFORM set_config('app.opened', opened, true);
    RETURN answer;
END
$$;

-- The months are some around today: whoever calls this can't fill the catalogue.
CREATE OR REPLACE FUNCTION public.ensure_month_partitions(first_month date, last_month date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    parent text;
    month date;
    partition text;
    made integer := 0;
BEGIN
    IF last_month > first_month + interval '40 years' THEN
        RAISE EXCEPTION 'at most 40 years of partitions at a time';
    END IF;
    IF first_month < date_trunc('month', now()) - interval '10 years' OR last_month > now() + interval '2 years' THEN
        RAISE EXCEPTION 'partitions are made of the last ten years and the next two';
    END IF;
    FOREACH parent IN ARRAY ARRAY['ledger', 'access_log', 'access_log_patient'] LOOP
        month := date_trunc('month', first_month)::date;
        WHILE month <= last_month LOOP
            partition := parent || to_char(month, '_YYYY_MM');
            IF to_regclass('public.' || partition) IS NULL THEN
                EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
                    partition, parent, month::text || ' 00:00:00+00', (month + interval '1 month')::date::text || ' 00:00:00+00');
                EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', partition);
                EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', partition);
                made := made + 1;
            END IF;
            month := (month + interval '1 month')::date;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$;

-- --- Moving ---------------------------------------------------------------------------------------------------------

-- What would go from one patient to another: everything, or only what is named ({table: [ids]}) with what hangs on it.
-- Who was merged into the one goes along. It changes nothing.
CREATE FUNCTION public.records_to_move(from_patient uuid, into_patient uuid, only_these jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    org uuid := public.current_org();
    owned record;
    also text;
    wanted uuid[];
    ids uuid[];
    so_far uuid[] := '{}';
    moving jsonb := '{}';
BEGIN
    FOR owned IN SELECT * FROM public.patient_tables() AS t ORDER BY t.place LOOP
        wanted := CASE WHEN only_these IS NOT NULL THEN
            ARRAY(SELECT jsonb_array_elements_text(coalesce(only_these -> owned.name, '[]'))::uuid) END;
        SELECT coalesce(string_agg(format(' OR %I = ANY ($4)', h), ''), '') INTO also FROM unnest(owned.hangs_on) AS h;
        EXECUTE format('SELECT coalesce(array_agg(id ORDER BY id), ''{}'') FROM public.%I WHERE org_id = $1
            AND patient_id = $2 AND ($3::uuid[] IS NULL OR id = ANY ($3)%s)', owned.name, also)
            INTO ids USING org, from_patient, wanted, so_far;
        so_far := so_far || ids;
        IF ids <> '{}' THEN
            moving := moving || jsonb_build_object(owned.name, to_jsonb(ids));
        END IF;
    END LOOP;
    wanted := CASE WHEN only_these IS NOT NULL THEN
        ARRAY(SELECT jsonb_array_elements_text(coalesce(only_these -> 'patient', '[]'))::uuid) END;
    SELECT coalesce(array_agg(p.id ORDER BY p.id), '{}') INTO ids FROM public.patient p
        WHERE p.org_id = org AND p.merged_into = from_patient AND p.id <> into_patient
        AND (wanted IS NULL OR p.id = ANY (wanted));
    IF ids <> '{}' THEN
        moving := moving || jsonb_build_object('patient', to_jsonb(ids));
    END IF;
    RETURN moving;
END
$$;

-- The content of the newest entry of the ledger, if it is this one, if this very transaction wrote it, and if it is of
-- that action and kind. What follows goes by such an entry: nothing is moved or erased that the ledger does not tell.
-- (Rows keep the number of the transaction that wrote them for ever, and numbers come again after 4 billion
-- transactions: an entry that old is not the newest.)
CREATE FUNCTION public.entry_just_written(entry bigint, done text, kind text) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT l.content::jsonb FROM public.ledger l
        JOIN public.ledger_head h ON h.org_id = l.org_id AND h.seq = l.seq AND h.hash = l.hash
        WHERE l.org_id = public.current_org() AND l.seq = entry AND l.action = done AND l.record_kind = kind
        AND l.xmin = pg_current_xact_id()::xid
$$;

-- Gives records to another patient on the word of the ledger. `merge_entry` is the newest entry, of a merge or of its
-- undoing; the entries from `first_entry` on, one for each record, name what moves. All are of this transaction. It
-- changes `patient_id` and nothing else (`merged_into` of who had been merged into the one).
CREATE FUNCTION public.move_patient_records(first_entry bigint, merge_entry bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    org uuid := public.current_org();
    merge jsonb := public.entry_just_written(merge_entry, 'merge', 'patient_merge');
    undone boolean := merge ->> 'undone_at' IS NOT NULL;
    from_patient uuid := merge ->> CASE WHEN undone THEN 'into_id' ELSE 'from_id' END;
    into_patient uuid := merge ->> CASE WHEN undone THEN 'from_id' ELSE 'into_id' END;
    named record;
    moved bigint;
    left_behind boolean;
BEGIN
    IF merge IS NULL OR from_patient = into_patient OR 2 <> (
        SELECT count(*) FROM public.patient p WHERE p.org_id = org AND p.id IN (from_patient, into_patient)) THEN
        RAISE EXCEPTION 'no merge of two patients was entered in the ledger by this transaction';
    END IF;
    IF EXISTS (SELECT FROM public.ledger l WHERE l.org_id = org AND l.seq >= first_entry AND l.seq < merge_entry
        AND (l.action <> 'merge' OR l.xmin <> pg_current_xact_id()::xid
            OR l.record_kind <> 'patient' AND NOT EXISTS (SELECT FROM public.patient_tables() t WHERE t.name = l.record_kind))) THEN
        RAISE EXCEPTION 'entries of this transaction are needed, of what moves and of nothing else';
    END IF;
    PERFORM set_config('app.moving_patient', from_patient::text, true);
    FOR named IN
        SELECT t.name, e.ids, e.right_owner FROM public.patient_tables() AS t LEFT JOIN (
            SELECT l.record_kind, array_agg(l.record_id) AS ids,
                bool_and(l.patient_id = into_patient AND l.content::jsonb ->> 'patient_id' = into_patient::text) AS right_owner
            FROM public.ledger l WHERE l.org_id = org AND l.seq >= first_entry AND l.seq < merge_entry GROUP BY 1
        ) AS e ON e.record_kind = t.name ORDER BY t.place
    LOOP
        IF named.ids IS NOT NULL THEN
            EXECUTE format('UPDATE public.%I SET patient_id = $1 WHERE org_id = $2 AND patient_id = $3 AND id = ANY ($4)',
                named.name) USING into_patient, org, from_patient, named.ids;
            GET DIAGNOSTICS moved = ROW_COUNT;
            IF named.right_owner IS NOT TRUE OR moved <> cardinality(named.ids) THEN
                RAISE EXCEPTION 'the entries name a % that does not move', named.name;
            END IF;
        END IF;
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I WHERE org_id = $1 AND patient_id = $2)', named.name)
            INTO left_behind USING org, from_patient;
        IF left_behind AND NOT undone THEN
            RAISE EXCEPTION 'the entries leave a % behind', named.name;
        END IF;
    END LOOP;
    PERFORM set_config('app.moving_patient', '', true);
    SELECT array_agg(l.record_id) AS ids, bool_and(l.content::jsonb ->> 'merged_into' = into_patient::text) AS right_owner
        INTO named FROM public.ledger l WHERE l.org_id = org AND l.seq >= first_entry AND l.seq < merge_entry
        AND l.record_kind = 'patient' AND l.record_id NOT IN (from_patient, into_patient);
    IF named.ids IS NOT NULL THEN
        UPDATE public.patient p SET merged_into = into_patient
            WHERE p.org_id = org AND p.merged_into = from_patient AND p.id = ANY (named.ids);
        GET DIAGNOSTICS moved = ROW_COUNT;
        IF named.right_owner IS NOT TRUE OR moved <> cardinality(named.ids) THEN
            RAISE EXCEPTION 'the entries name a patient who does not move';
        END IF;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION public.move_patient_records(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.move_patient_records(bigint, bigint) TO clinic_app;
DROP FUNCTION public.move_patient_records(uuid, uuid, jsonb);

-- --- Erasing --------------------------------------------------------------------------------------------------------

-- Which entries of the ledger an erasure emptied: [[first, last], …], in order. NULL for one from before they were named.
ALTER TABLE patient_erasure ADD COLUMN emptied jsonb;

-- A patient with those merged into them.
CREATE FUNCTION public.patient_with_merged(whose uuid) RETURNS uuid[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT array_agg(p.id ORDER BY p.id) FROM public.patient p
        WHERE p.org_id = public.current_org() AND (p.id = whose OR p.merged_into = whose)
$$;

-- The merges of these patients, standing or undone.
CREATE FUNCTION public.merges_of_patients(everyone uuid[]) RETURNS uuid[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT coalesce(array_agg(m.id), '{}') FROM public.patient_merge m
        WHERE m.org_id = public.current_org() AND (m.from_id = ANY (everyone) OR m.into_id = ANY (everyone))
$$;

-- The records that are these patients' by the ledger. What went back to another patient by the undoing of a merge is that
-- one's, whatever an older entry says. Whoever asks sees every patient: the newest entry may be of one who is closed.
CREATE FUNCTION public.records_of_patients(everyone uuid[]) RETURNS uuid[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT coalesce(array_agg(r.record_id), '{}') FROM (
        SELECT DISTINCT l.record_id FROM public.ledger l
            WHERE l.org_id = public.current_org() AND l.patient_id = ANY (everyone)) AS r
        WHERE (SELECT n.patient_id FROM public.ledger n WHERE n.org_id = public.current_org() AND n.record_id = r.record_id
            ORDER BY n.seq DESC LIMIT 1) = ANY (everyone)
$$;

-- What erasing a patient takes, with those merged into them: how many rows of each table, which files the object store
-- must drop, and which entries of the ledger are emptied. It changes nothing. Refused under a legal hold.
CREATE FUNCTION public.records_to_erase(erased_patient uuid) RETURNS jsonb
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

-- Erases a patient, with those merged into them, on the word of the ledger: `erasure_entry` is its newest entry, of this
-- transaction, and says how many rows of each table go and which entries are emptied. Exactly that is done, or nothing.
CREATE FUNCTION public.erase_patient_records(erasure_entry bigint) RETURNS void
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
    UPDATE public.ledger l SET content = NULL, salt = NULL FROM jsonb_array_elements(erasure -> 'emptied') AS r
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
REVOKE ALL ON FUNCTION public.erase_patient_records(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.erase_patient_records(bigint) TO clinic_app;
DROP FUNCTION public.erase_patient_records(uuid);
