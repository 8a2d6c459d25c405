-- What was published, agreed to, stored or done stays as it was: the role that serves can change of it only what is to
-- come (that a text is retired, that a consent ends). And what is a part of a session stays out of one that is being
-- signed.

-- Whether a changed row keeps what holds of the row that is there. A policy sees one row only; this looks for the other.
-- It must not be STABLE: it asks anew each time, so that an update that waited for another transaction is held to what
-- that one left.
CREATE FUNCTION public.keeps_what_holds(kind text, changed jsonb) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    there jsonb;
    -- What may change of it; NULL while nothing holds yet.
    open text[];
BEGIN
    EXECUTE format('SELECT to_jsonb(t) FROM public.%I AS t WHERE t.org_id = $1 AND t.id = $2', kind)
        INTO there USING (changed ->> 'org_id')::uuid, (changed ->> 'id')::uuid;
    IF there IS NULL THEN
        RETURN false;
    END IF;
    CASE kind
        WHEN 'consent_template_version', 'protocol_version' THEN
            IF there ->> 'status' <> 'draft' THEN
                open := '{status}';
            END IF;
        WHEN 'consent' THEN
            IF there ->> 'status' NOT IN ('draft', 'proposed') THEN
                open := CASE WHEN changed ->> 'status' IN ('draft', 'proposed') THEN '{}'::text[]
                    ELSE '{status,ended_at,ended_reason}' END;
            END IF;
        WHEN 'photo' THEN
            IF there ->> 'stored_at' IS NOT NULL THEN
                open := CASE WHEN changed ->> 'status' IN ('stored', 'entered_in_error') THEN '{status}'::text[] ELSE '{}' END
                    || '{status_reason,session_id,aftercare_note_id,adverse_event_id,taken_at,phase,view,area,side,lighting,distance_cm,make_up_free,note}';
            END IF;
        WHEN 'patient_merge' THEN
            open := CASE WHEN there ->> 'undone_at' IS NULL THEN '{undone_at,undone_by,undo_reason,kept}' ELSE '{}' END;
        WHEN 'patient_erasure' THEN
            open := CASE WHEN there ->> 'objects_deleted_at' IS NULL THEN '{objects_deleted_at}' ELSE '{}' END;
        WHEN 'legal_hold', 'patient_restriction' THEN
            open := CASE WHEN there ->> 'lifted_at' IS NULL THEN '{lifted_at,lifted_by,lift_reason}' ELSE '{}' END;
        WHEN 'emergency_access' THEN
            open := '{ended_at,alerted_at,reviewed_at,reviewed_by,review_note}';
    END CASE;
    IF open IS NULL THEN
        RETURN true;
    END IF;
    open := open || '{version,updated_at,updated_by}';
    RETURN there - open = changed - open;
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
