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
DROP FUNCTION newest_entries(uuid[]);
DROP FUNCTION entries_at(uuid[], timestamptz);
DROP FUNCTION strayed_entries();
DROP FUNCTION closed_entries();
DROP FUNCTION closed_behind(uuid[]);
DROP FUNCTION closed_merges();
DROP FUNCTION merges_around(uuid[]);
DROP FUNCTION merge_span(patient_merge);
