DROP FUNCTION erase_patient_records(bigint);
DROP FUNCTION records_to_erase(uuid);
DROP FUNCTION records_of_patients(uuid[]);
DROP FUNCTION merges_of_patients(uuid[]);
DROP FUNCTION patient_with_merged(uuid);
ALTER TABLE patient_erasure DROP COLUMN emptied;
DROP FUNCTION move_patient_records(bigint, bigint);
DROP FUNCTION entry_just_written(bigint, text, text);
DROP FUNCTION records_to_move(uuid, uuid, jsonb);
CREATE OR REPLACE FUNCTION move_patient_records(from_patient uuid, into_patient uuid, only_these jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
DECLARE
    org uuid := current_org();
    owned record;
    also text;
    wanted uuid[];
    ids uuid[];
    so_far uuid[] := '{}';
    moved jsonb := '{}';
BEGIN
    IF org IS NULL OR from_patient = into_patient OR 2 <> (
        SELECT count(*) FROM patient p WHERE p.org_id = org AND p.id IN (from_patient, into_patient)) THEN
        RAISE EXCEPTION 'two patients of one organisation are needed';
    END IF;
    PERFORM set_config('app.moving_patient', from_patient::text, true);
    FOR owned IN SELECT * FROM patient_tables() AS t ORDER BY t.place LOOP
        wanted := CASE WHEN only_these IS NOT NULL THEN
            ARRAY(SELECT jsonb_array_elements_text(coalesce(only_these -> owned.name, '[]'))::uuid) END;
        SELECT coalesce(string_agg(format(' OR %I = ANY ($5)', h), ''), '') INTO also FROM unnest(owned.hangs_on) AS h;
        EXECUTE format('WITH m AS (UPDATE %I SET patient_id = $1 WHERE org_id = $2 AND patient_id = $3
            AND ($4::uuid[] IS NULL OR id = ANY ($4)%s) RETURNING id) SELECT coalesce(array_agg(id ORDER BY id), ''{}'') FROM m',
            owned.name, also)
            INTO ids USING into_patient, org, from_patient, wanted, so_far;
        so_far := so_far || ids;
        IF ids <> '{}' THEN
            moved := moved || jsonb_build_object(owned.name, to_jsonb(ids));
        END IF;
    END LOOP;
    PERFORM set_config('app.moving_patient', '', true);
    wanted := CASE WHEN only_these IS NOT NULL THEN
        ARRAY(SELECT jsonb_array_elements_text(coalesce(only_these -> 'patient', '[]'))::uuid) END;
    WITH m AS (
        UPDATE patient p SET merged_into = into_patient WHERE p.org_id = org AND p.merged_into = from_patient
        AND p.id <> into_patient AND (wanted IS NULL OR p.id = ANY (wanted)) RETURNING p.id
    ) SELECT coalesce(array_agg(m.id ORDER BY m.id), '{}') INTO ids FROM m;
    IF ids <> '{}' THEN
        moved := moved || jsonb_build_object('patient', to_jsonb(ids));
    END IF;
    RETURN moved;
END
$$;
REVOKE ALL ON FUNCTION move_patient_records(uuid, uuid, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION move_patient_records(uuid, uuid, jsonb) TO clinic_app;
CREATE OR REPLACE FUNCTION erase_patient_records(erased_patient uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
DECLARE
    org uuid := current_org();
    everyone uuid[];
    merges uuid[];
    records uuid[];
    owned record;
    gone bigint;
    counts jsonb := '{}';
    objects jsonb;
BEGIN
    everyone := ARRAY(SELECT p.id FROM patient p WHERE p.org_id = org
        AND (p.id = erased_patient OR p.merged_into = erased_patient) ORDER BY p.id);
    IF erased_patient = ANY (everyone) IS NOT TRUE THEN
        RAISE EXCEPTION 'no such patient';
    END IF;
    IF EXISTS (SELECT FROM legal_hold h WHERE h.org_id = org AND h.patient_id = ANY (everyone) AND h.lifted_at IS NULL) THEN
        RAISE EXCEPTION 'under legal hold';
    END IF;
    PERFORM set_config('app.erasing_patients', array_to_string(everyone, ','), true);
    merges := ARRAY(SELECT m.id FROM patient_merge m
        WHERE m.org_id = org AND (m.from_id = ANY (everyone) OR m.into_id = ANY (everyone)));
    -- What went back to another patient by the undoing of a merge is that one's, whatever an older entry says.
    records := merges || ARRAY(
        SELECT r.record_id FROM (
            SELECT DISTINCT l.record_id FROM ledger l WHERE l.org_id = org AND l.patient_id = ANY (everyone)) AS r
        WHERE (SELECT n.patient_id FROM ledger n WHERE n.org_id = org AND n.record_id = r.record_id
            ORDER BY n.seq DESC LIMIT 1) = ANY (everyone));
    SELECT coalesce(jsonb_agg(jsonb_build_object('photo_id', p.id, 'content_hash', encode(p.content_hash, 'hex'),
        'media_type', p.media_type) ORDER BY p.id), '[]') INTO objects
        FROM photo p WHERE p.org_id = org AND p.patient_id = ANY (everyone);
    FOR owned IN SELECT * FROM patient_parts() LOOP
        EXECUTE format('DELETE FROM %I WHERE org_id = $1 AND %I IN (
            SELECT o.id FROM %I AS o WHERE o.org_id = $1 AND o.patient_id = ANY ($2))',
            owned.name, owned.by_column, owned.part_of) USING org, everyone;
        GET DIAGNOSTICS gone = ROW_COUNT;
        counts := counts || jsonb_build_object(owned.name, gone);
    END LOOP;
    FOR owned IN SELECT * FROM patient_tables() AS t ORDER BY t.place DESC LOOP
        EXECUTE format('DELETE FROM %I WHERE org_id = $1 AND patient_id = ANY ($2)', owned.name) USING org, everyone;
        GET DIAGNOSTICS gone = ROW_COUNT;
        counts := counts || jsonb_build_object(owned.name, gone);
    END LOOP;
    DELETE FROM patient_search s WHERE s.org_id = org AND s.patient_id = ANY (everyone);
    DELETE FROM patient_merge m WHERE m.org_id = org AND m.id = ANY (merges);
    GET DIAGNOSTICS gone = ROW_COUNT;
    counts := counts || jsonb_build_object('patient_merge', gone);
    DELETE FROM patient p WHERE p.org_id = org AND p.id = ANY (everyone);
    GET DIAGNOSTICS gone = ROW_COUNT;
    counts := counts || jsonb_build_object('patient', gone);
    UPDATE ledger l SET content = NULL, salt = NULL
        WHERE l.org_id = org AND l.record_id = ANY (records) AND l.content IS NOT NULL;
    GET DIAGNOSTICS gone = ROW_COUNT;
    counts := counts || jsonb_build_object('ledger', gone);
    PERFORM set_config('app.erasing_patients', '', true);
    RETURN jsonb_build_object('counts', counts, 'objects', objects);
END
$$;
REVOKE ALL ON FUNCTION erase_patient_records(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_patient_records(uuid) TO clinic_app;
CREATE OR REPLACE FUNCTION ensure_month_partitions(first_month date, last_month date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
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
CREATE OR REPLACE FUNCTION patient_with_number(number text) RETURNS uuid
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    opened text := coalesce(current_setting('app.opened', true), '');
    answer uuid;
BEGIN
    PERFORM set_config('app.opened', 'all', true);
    answer := (SELECT coalesce(p.merged_into, p.id) FROM patient p WHERE p.org_id = current_org() AND p.chart_number = number);
    PERFORM set_config('app.opened', opened, true);
    RETURN answer;
END
$$;
CREATE OR REPLACE FUNCTION restricted_patient(kind text, record uuid) RETURNS uuid
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    opened text := coalesce(current_setting('app.opened', true), '');
    answer uuid;
BEGIN
    PERFORM set_config('app.opened', 'all', true);
    answer := (SELECT p.id FROM ledger l JOIN patient p ON p.org_id = l.org_id AND p.id = l.patient_id
        JOIN patient_restriction r ON r.org_id = p.org_id AND r.patient_id IN (p.id, p.merged_into) AND r.lifted_at IS NULL
        WHERE l.org_id = current_org() AND l.record_id = record AND l.record_kind = kind LIMIT 1);
    PERFORM set_config('app.opened', opened, true);
    RETURN answer;
END
$$;
CREATE OR REPLACE FUNCTION closed_but_for(opened text) RETURNS uuid[]
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    closed uuid[];
BEGIN
    IF opened = 'all' THEN
        RETURN '{}';
    END IF;
    PERFORM set_config('app.opened', 'all', true);
    WITH r AS (
        SELECT t.patient_id AS id FROM patient_restriction t
        WHERE t.org_id = current_org() AND t.lifted_at IS NULL
        AND t.patient_id <> ALL (string_to_array(opened, ',')::uuid[])
    ) SELECT coalesce(array_agg(c.id), '{}') INTO closed FROM (
        SELECT r.id FROM r
        UNION SELECT p.id FROM r JOIN patient p ON p.org_id = current_org() AND p.merged_into = r.id) AS c;
    PERFORM set_config('app.opened', opened, true);
    RETURN closed;
END
$$;
ALTER FUNCTION patient_parts() RESET search_path;
ALTER FUNCTION patient_tables() RESET search_path;
CREATE OR REPLACE FUNCTION only_patients() RETURNS uuid[]
    LANGUAGE sql STABLE
    AS $$ SELECT string_to_array(NULLIF(current_setting('app.only_patients', true), ''), ',')::uuid[] $$;
CREATE OR REPLACE FUNCTION closed_patients() RETURNS uuid[]
    LANGUAGE sql STABLE
    AS $$ SELECT closed_but_for(coalesce(current_setting('app.opened', true), '')) $$;
CREATE OR REPLACE FUNCTION erasing_patients() RETURNS uuid[]
    LANGUAGE sql STABLE
    AS $$ SELECT string_to_array(NULLIF(current_setting('app.erasing_patients', true), ''), ',')::uuid[] $$;
CREATE OR REPLACE FUNCTION moving_patient() RETURNS uuid
    LANGUAGE sql STABLE
    AS $$ SELECT NULLIF(current_setting('app.moving_patient', true), '')::uuid $$;
CREATE OR REPLACE FUNCTION current_org() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT NULLIF(current_setting('app.org_id', true), '')::uuid $$;
