-- What was published, agreed to, stored or done stays as it was: the role that serves can change of it only what is to
-- come (that a text is retired, that a consent ends). And what is a part of a session stays out of one that is being
-- signed.

-- Whether a changed row keeps what holds of the row that is there. A policy sees one row only; this looks for the other, by
-- its key, and holds it as the update is about to.
--
-- What is held is there still: a picture of the database from before it was erased or changed is a serialization failure.
-- And so no key can be changed: a row whose key is taken over is not there, or is there and the key is taken. The lock is
-- the one of an update, so that of two who save at once the second waits here, and not each for the other.
--
-- It must not be STABLE: it asks anew each time, so that an update that waited for another transaction is held to what
-- that one left.
CREATE FUNCTION public.keeps_what_holds(kind text, changed jsonb) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    seen tid;
    held tid;
    there jsonb;
    -- The status before and after.
    step text[];
    -- What may change of it, beside its version.
    open text[] := '{}';
BEGIN
    EXECUTE format('SELECT t.ctid FROM public.%I AS t WHERE t.org_id = $1 AND t.id = $2', kind)
        INTO seen USING (changed ->> 'org_id')::uuid, (changed ->> 'id')::uuid;
    EXECUTE format('SELECT t.ctid, to_jsonb(t) FROM public.%I AS t WHERE t.org_id = $1 AND t.id = $2 FOR NO KEY UPDATE', kind)
        INTO held, there USING (changed ->> 'org_id')::uuid, (changed ->> 'id')::uuid;
    IF there IS NULL THEN
        RAISE EXCEPTION 'the row is not there any more' USING ERRCODE = 'serialization_failure';
    END IF;
    IF seen <> held THEN
        -- Somebody else changed it while this waited. The update is about to find that too: it looks whether its condition
        -- is met by what that one left, and if so asks here again.
        RETURN true;
    END IF;
    step := ARRAY[there ->> 'status', changed ->> 'status'];
    CASE kind
        WHEN 'consent_template_version', 'protocol_version' THEN
            IF step IN ('{draft,draft}', '{draft,published}') THEN
                RETURN true;
            ELSIF step = '{published,retired}' THEN
                open := '{status}';
            END IF;
        WHEN 'consent' THEN
            IF step[1] IN ('draft', 'proposed') THEN
                RETURN step[2] <> 'inactive';
            ELSIF step IN ('{active,inactive}', '{active,entered_in_error}', '{inactive,entered_in_error}',
                '{rejected,entered_in_error}') THEN
                open := '{status,ended_at,ended_reason}';
            END IF;
        WHEN 'photo' THEN
            IF step[1] = 'awaiting_upload' THEN
                RETURN step[2] <> 'entered_in_error';
            ELSIF step = '{stored,stored}' THEN
                open := '{session_id,aftercare_note_id,adverse_event_id,taken_at,phase,view,area,side,lighting,distance_cm,make_up_free,note}';
            ELSIF step = '{stored,entered_in_error}' THEN
                open := '{status,status_reason}';
            END IF;
        WHEN 'patient_merge' THEN
            IF there ->> 'undone_at' IS NULL THEN
                open := '{undone_at,undone_by,undo_reason,kept}';
            END IF;
        WHEN 'patient_erasure' THEN
            IF there ->> 'objects_deleted_at' IS NULL THEN
                open := '{objects_deleted_at}';
            END IF;
        WHEN 'legal_hold', 'patient_restriction' THEN
            IF there ->> 'lifted_at' IS NULL THEN
                open := '{lifted_at,lifted_by,lift_reason}';
            END IF;
        WHEN 'emergency_access' THEN
            IF there ->> 'ended_at' IS NULL THEN
                open := '{ended_at}';
            END IF;
            -- Two processes may tell the admins at once; the later one says when.
            IF there ->> 'alerted_at' IS NULL OR changed ->> 'alerted_at' IS NOT NULL THEN
                open := open || '{alerted_at}'::text[];
            END IF;
            IF there ->> 'reviewed_at' IS NULL THEN
                open := open || '{reviewed_at,reviewed_by,review_note}'::text[];
            END IF;
    END CASE;
    open := open || '{version,updated_at,updated_by}'::text[];
    IF there - open = changed - open THEN
        RETURN true;
    END IF;
    -- A change that was made for an earlier version came too late: between the update's look and the one above.
    IF (changed ->> 'version')::integer <= (there ->> 'version')::integer
        AND changed ->> 'updated_at' IS DISTINCT FROM there ->> 'updated_at' THEN
        RAISE EXCEPTION 'the row was changed just now' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN false;
END
$$;

DO $$
DECLARE
    kind text;
BEGIN
    FOREACH kind IN ARRAY ARRAY['consent_template_version', 'protocol_version', 'consent', 'photo', 'patient_merge',
        'patient_erasure', 'legal_hold', 'patient_restriction', 'emergency_access'] LOOP
        EXECUTE format('CREATE POLICY what_holds ON public.%1$I AS RESTRICTIVE FOR UPDATE TO clinic_app
            USING (org_id = (SELECT public.current_org()))
            WITH CHECK (org_id = (SELECT public.current_org()) AND public.keeps_what_holds(%1$L, to_jsonb(%1$I.*)))', kind);
    END LOOP;
END
$$;

-- A drawn signature is the one that its consent names.
DROP POLICY tenant_append ON consent_signature;
CREATE POLICY tenant_append ON consent_signature FOR INSERT WITH CHECK (org_id = (SELECT current_org()) AND EXISTS (
    SELECT FROM consent c WHERE c.org_id = consent_signature.org_id AND c.id = consent_signature.consent_id
    AND c.signature_method = 'drawn_image' AND c.signature_hash = sha256(consent_signature.image)));

-- Areas and products: the session is held while one is put in or taken out. Without that, a transaction whose picture of
-- the database is older than the signature would still see a draft.
DROP POLICY draft_insert ON session_area;
DROP POLICY draft_delete ON session_area;
DROP POLICY draft_insert ON product_use;
DROP POLICY draft_delete ON product_use;
CREATE POLICY draft_insert ON session_area FOR INSERT WITH CHECK (org_id = (SELECT current_org()) AND EXISTS (
    SELECT FROM treatment_session s
    WHERE s.org_id = session_area.org_id AND s.id = session_area.session_id AND s.signed_at IS NULL FOR SHARE));
CREATE POLICY draft_delete ON session_area FOR DELETE USING (org_id = (SELECT current_org()) AND EXISTS (
    SELECT FROM treatment_session s
    WHERE s.org_id = session_area.org_id AND s.id = session_area.session_id AND s.signed_at IS NULL FOR SHARE));
CREATE POLICY draft_insert ON product_use FOR INSERT WITH CHECK (org_id = (SELECT current_org()) AND EXISTS (
    SELECT FROM treatment_session s
    WHERE s.org_id = product_use.org_id AND s.id = product_use.session_id AND s.signed_at IS NULL FOR SHARE));
CREATE POLICY draft_delete ON product_use FOR DELETE USING (org_id = (SELECT current_org()) AND EXISTS (
    SELECT FROM treatment_session s
    WHERE s.org_id = product_use.org_id AND s.id = product_use.session_id AND s.signed_at IS NULL FOR SHARE));
