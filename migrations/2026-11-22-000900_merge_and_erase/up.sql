-- Two charts of one person become one, and apart again; a person's record is held for a court, or erased.

CREATE INDEX patient_by_phone ON patient (org_id, phone) WHERE phone IS NOT NULL;
CREATE INDEX patient_by_email ON patient (org_id, email) WHERE email IS NOT NULL;

-- What a merge moved ({table: [ids]}) and what both patients were before and after it: all that taking it back needs.
CREATE TABLE patient_merge (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    from_id uuid NOT NULL,
    into_id uuid NOT NULL,
    merged_at timestamptz NOT NULL,
    merged_by uuid,
    reason text NOT NULL,
    moved jsonb NOT NULL,
    conflicts jsonb NOT NULL,
    before jsonb NOT NULL,
    undone_at timestamptz,
    undone_by uuid,
    undo_reason text,
    kept jsonb NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, from_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, into_id) REFERENCES patient (org_id, id),
    CHECK (from_id <> into_id),
    CHECK ((undone_at IS NULL) = (undo_reason IS NULL))
);
-- A patient is merged into one other at a time.
CREATE UNIQUE INDEX patient_merge_standing ON patient_merge (org_id, from_id) WHERE undone_at IS NULL;
CREATE INDEX patient_merge_from ON patient_merge (org_id, from_id, merged_at, id);
CREATE INDEX patient_merge_into ON patient_merge (org_id, into_id, merged_at, id);
CREATE INDEX patient_merge_by_creation ON patient_merge (org_id, created_at, id);
CREATE INDEX patient_merge_by_update ON patient_merge (org_id, updated_at, id);
ALTER TABLE patient_merge ENABLE ROW LEVEL SECURITY;
ALTER TABLE patient_merge FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON patient_merge USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON patient_merge TO clinic_app;

CREATE TABLE legal_hold (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    reason text NOT NULL,
    placed_at timestamptz NOT NULL,
    placed_by uuid,
    lifted_at timestamptz,
    lifted_by uuid,
    lift_reason text,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    CHECK ((lifted_at IS NULL) = (lift_reason IS NULL))
);
CREATE INDEX legal_hold_patient ON legal_hold (org_id, patient_id, created_at, id);
CREATE INDEX legal_hold_by_creation ON legal_hold (org_id, created_at, id);
CREATE INDEX legal_hold_by_update ON legal_hold (org_id, updated_at, id);
ALTER TABLE legal_hold ENABLE ROW LEVEL SECURITY;
ALTER TABLE legal_hold FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON legal_hold USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON legal_hold TO clinic_app;

-- What is left of an erased patient: that it was done, on whose authority, and how much. No reference to the patient,
-- whose row is gone, and nothing that tells who it was. `objects` is the list of files that the object store must drop.
CREATE TABLE patient_erasure (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    erased_at timestamptz NOT NULL,
    erased_by uuid,
    reason text NOT NULL,
    authority text NOT NULL,
    counts jsonb NOT NULL,
    objects jsonb NOT NULL,
    objects_deleted_at timestamptz,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX patient_erasure_patient ON patient_erasure (org_id, patient_id);
CREATE INDEX patient_erasure_by_creation ON patient_erasure (org_id, created_at, id);
CREATE INDEX patient_erasure_by_update ON patient_erasure (org_id, updated_at, id);
ALTER TABLE patient_erasure ENABLE ROW LEVEL SECURITY;
ALTER TABLE patient_erasure FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON patient_erasure USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON patient_erasure TO clinic_app;

-- Every table whose rows are some patient's (`patient_id`), those that others refer to first, each with the columns by
-- which its rows hang on rows of the tables before it. A new table of this sort gets a row here; a test compares this
-- list with the catalog.
CREATE FUNCTION patient_tables() RETURNS TABLE (place integer, name text, hangs_on text[])
    LANGUAGE sql IMMUTABLE
    AS $$
    VALUES
        (1, 'health_entry', '{}'::text[]),
        (2, 'consultation', '{}'),
        (3, 'treatment_plan', '{consultation_id}'),
        (4, 'treatment_session', '{plan_id}'),
        (5, 'aftercare_note', '{session_id}'),
        (6, 'consent', '{}'),
        (7, 'adverse_event', '{session_id,aftercare_note_id}'),
        (8, 'photo', '{session_id,aftercare_note_id,adverse_event_id}'),
        (9, 'outcome_assessment', '{plan_id,session_id,compared_with_photo_id,photo_id}'),
        (10, 'recall', '{plan_id,after_session_id,done_by_session_id}'),
        (11, 'addendum', '{record_id}'),
        (12, 'legal_hold', '{}')
$$;

-- Tables without a `patient_id` whose rows are parts of rows of those: erased with them, and moved without being touched.
CREATE FUNCTION patient_parts() RETURNS TABLE (name text, part_of text, by_column text)
    LANGUAGE sql IMMUTABLE
    AS $$
    VALUES
        ('session_area', 'treatment_session', 'session_id'),
        ('product_use', 'treatment_session', 'session_id'),
        ('consent_signature', 'consent', 'consent_id')
$$;

-- Whose records are being moved, or erased, by the functions below in this transaction. Nobody else's setting of it has
-- an effect: the policies that ask are the owner's.
CREATE FUNCTION moving_patient() RETURNS uuid
    LANGUAGE sql STABLE
    AS $$ SELECT NULLIF(current_setting('app.moving_patient', true), '')::uuid $$;
CREATE FUNCTION erasing_patients() RETURNS uuid[]
    LANGUAGE sql STABLE
    AS $$ SELECT string_to_array(NULLIF(current_setting('app.erasing_patients', true), ''), ',')::uuid[] $$;

-- Signed rows and addenda take no update and no delete from the role that serves, nor from the owner by a plain statement; these are the two ways through.
CREATE POLICY moved ON consultation FOR UPDATE TO CURRENT_USER
    USING (org_id = (SELECT current_org()) AND patient_id = (SELECT moving_patient()))
    WITH CHECK (org_id = (SELECT current_org()));
CREATE POLICY moved ON treatment_session FOR UPDATE TO CURRENT_USER
    USING (org_id = (SELECT current_org()) AND patient_id = (SELECT moving_patient()))
    WITH CHECK (org_id = (SELECT current_org()));
CREATE POLICY moved ON aftercare_note FOR UPDATE TO CURRENT_USER
    USING (org_id = (SELECT current_org()) AND patient_id = (SELECT moving_patient()))
    WITH CHECK (org_id = (SELECT current_org()));
CREATE POLICY moved ON addendum FOR UPDATE TO CURRENT_USER
    USING (org_id = (SELECT current_org()) AND patient_id = (SELECT moving_patient()))
    WITH CHECK (org_id = (SELECT current_org()));

CREATE POLICY erased ON consultation FOR DELETE TO CURRENT_USER
    USING (org_id = (SELECT current_org()) AND patient_id = ANY ((SELECT erasing_patients())::uuid[]));
CREATE POLICY erased ON treatment_session FOR DELETE TO CURRENT_USER
    USING (org_id = (SELECT current_org()) AND patient_id = ANY ((SELECT erasing_patients())::uuid[]));
CREATE POLICY erased ON aftercare_note FOR DELETE TO CURRENT_USER
    USING (org_id = (SELECT current_org()) AND patient_id = ANY ((SELECT erasing_patients())::uuid[]));
CREATE POLICY erased ON addendum FOR DELETE TO CURRENT_USER
    USING (org_id = (SELECT current_org()) AND patient_id = ANY ((SELECT erasing_patients())::uuid[]));
CREATE POLICY erased ON session_area FOR DELETE TO CURRENT_USER
    USING (org_id = (SELECT current_org()) AND EXISTS (
        SELECT FROM treatment_session s WHERE s.org_id = session_area.org_id AND s.id = session_area.session_id
        AND s.patient_id = ANY ((SELECT erasing_patients())::uuid[])));
CREATE POLICY erased ON product_use FOR DELETE TO CURRENT_USER
    USING (org_id = (SELECT current_org()) AND EXISTS (
        SELECT FROM treatment_session s WHERE s.org_id = product_use.org_id AND s.id = product_use.session_id
        AND s.patient_id = ANY ((SELECT erasing_patients())::uuid[])));
CREATE POLICY erased ON consent_signature FOR DELETE TO CURRENT_USER
    USING (org_id = (SELECT current_org()) AND EXISTS (
        SELECT FROM consent c WHERE c.org_id = consent_signature.org_id AND c.id = consent_signature.consent_id
        AND c.patient_id = ANY ((SELECT erasing_patients())::uuid[])));
-- Digest and hash stay, so the chain still verifies.
CREATE POLICY erased ON ledger FOR UPDATE TO CURRENT_USER
    USING (org_id = (SELECT current_org()) AND (SELECT erasing_patients()) IS NOT NULL)
    WITH CHECK (org_id = (SELECT current_org()) AND content IS NULL AND salt IS NULL);

-- Gives one patient's records to another: all of them, or only those named ({table: [ids]}) with what hangs on them. It
-- changes `patient_id` and nothing else. Who was merged into the one goes along. Answers with what it moved.
CREATE FUNCTION move_patient_records(from_patient uuid, into_patient uuid, only_these jsonb) RETURNS jsonb
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

-- Erases a patient, with those merged into them: every row, and the content of every entry of the ledger about what is
-- theirs now. Refused under a legal hold. Answers with how many rows went, and which files the object store must drop.
CREATE FUNCTION erase_patient_records(erased_patient uuid) RETURNS jsonb
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
