-- Who keeps a copy asks what changed since they last asked, of every kind. What a merge moves, or its undoing, has changed:
-- it is another patient's. So it is stamped with the moment of the merge and with who merged.

-- These are never changed, so they have no stamp; they can only move.
ALTER TABLE addendum ADD COLUMN moved_at timestamptz;
ALTER TABLE countersignature ADD COLUMN moved_at timestamptz;
ALTER TABLE retraction ADD COLUMN moved_at timestamptz;
CREATE INDEX addendum_by_update ON addendum (org_id, coalesce(moved_at, added_at), id);
CREATE INDEX countersignature_by_update ON countersignature (org_id, coalesce(moved_at, signed_at), id);
CREATE INDEX retraction_by_update ON retraction (org_id, coalesce(moved_at, retracted_at), id);
CREATE INDEX chart_review_by_update ON chart_review (org_id, updated_at, id);

-- Gives records to another patient on the word of the ledger. `merge_entry` is the newest entry, of a merge or of its
-- undoing; the entries from `first_entry` on, one for each record, name what moves. All are of this transaction. It
-- changes `patient_id` (`merged_into` of who had been merged into the one) and the stamp: when, and by whom. Nothing else.
CREATE OR REPLACE FUNCTION public.move_patient_records(first_entry bigint, merge_entry bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    org uuid := public.current_org();
    merge jsonb := public.entry_just_written(merge_entry, 'merge', 'patient_merge');
    undone boolean := merge ->> 'undone_at' IS NOT NULL;
    from_patient uuid := merge ->> CASE WHEN undone THEN 'into_id' ELSE 'from_id' END;
    into_patient uuid := merge ->> CASE WHEN undone THEN 'from_id' ELSE 'into_id' END;
    -- When, and by whom: what moves was changed then.
    moment timestamptz := merge ->> CASE WHEN undone THEN 'undone_at' ELSE 'merged_at' END;
    mover uuid := merge ->> CASE WHEN undone THEN 'undone_by' ELSE 'merged_by' END;
    changes text;
    named record;
    moved bigint;
    left_behind boolean;
BEGIN
    IF merge IS NULL OR moment IS NULL OR from_patient = into_patient OR 2 <> (
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
        SELECT t.name, e.ids, e.right_owner, e.right_stamp FROM public.patient_tables() AS t LEFT JOIN (
            SELECT l.record_kind, array_agg(l.record_id) AS ids,
                bool_and(l.patient_id = into_patient AND l.content::jsonb ->> 'patient_id' = into_patient::text) AS right_owner,
                bool_and((l.content::jsonb ->> 'updated_at')::timestamptz = moment
                    AND (mover IS NULL OR l.content::jsonb ->> 'updated_by' = mover::text)) AS right_stamp
            FROM public.ledger l WHERE l.org_id = org AND l.seq >= first_entry AND l.seq < merge_entry GROUP BY 1
        ) AS e ON e.record_kind = t.name ORDER BY t.place
    LOOP
        IF named.ids IS NOT NULL THEN
            -- What is never changed has no stamp.
            IF named.name IN ('addendum', 'countersignature', 'retraction') THEN
                changes := 'moved_at = $5';
                named.right_stamp := true;
            ELSE
                changes := 'updated_at = $5, updated_by = coalesce($6, updated_by)';
            END IF;
            EXECUTE format('UPDATE public.%I SET patient_id = $1, %s WHERE org_id = $2 AND patient_id = $3 AND id = ANY ($4)',
                named.name, changes) USING into_patient, org, from_patient, named.ids, moment, mover;
            GET DIAGNOSTICS moved = ROW_COUNT;
            IF named.right_owner IS NOT TRUE OR named.right_stamp IS NOT TRUE OR moved <> cardinality(named.ids) THEN
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
        UPDATE public.patient p SET merged_into = into_patient, updated_at = moment, updated_by = coalesce(mover, p.updated_by)
            WHERE p.org_id = org AND p.merged_into = from_patient AND p.id = ANY (named.ids);
        GET DIAGNOSTICS moved = ROW_COUNT;
        IF named.right_owner IS NOT TRUE OR moved <> cardinality(named.ids) THEN
            RAISE EXCEPTION 'the entries name a patient who does not move';
        END IF;
    END IF;
END
$$;
