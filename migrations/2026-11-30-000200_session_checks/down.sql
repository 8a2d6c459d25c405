CREATE OR REPLACE FUNCTION public.patient_parts() RETURNS TABLE (name text, part_of text, by_column text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
    AS $$
    VALUES
        ('session_area', 'treatment_session', 'session_id'),
        ('product_use', 'treatment_session', 'session_id'),
        ('consent_signature', 'consent', 'consent_id')
$$;

-- Who migrates has no tenant, and the rows of signed sessions change here too.
ALTER TABLE treatment_session NO FORCE ROW LEVEL SECURITY;
ALTER TABLE session_check NO FORCE ROW LEVEL SECURITY;
ALTER TABLE treatment_session ADD COLUMN checks jsonb;
-- A time has as many digits as the service writes: none, three or six.
UPDATE treatment_session s SET checks = c.answers
FROM (
    SELECT k.org_id, k.session_id, jsonb_agg(jsonb_build_object('rule', k.rule, 'verdict', k.verdict, 'cause', k.cause,
        'record_kind', k.record_kind, 'record_id', k.record_id, 'protocol_version_id', k.protocol_version_id,
        'override', CASE WHEN k.override_at IS NOT NULL THEN jsonb_build_object('reason', k.override_reason,
            'by', k.override_by, 'supervisor_id', k.override_supervisor_id, 'at', regexp_replace(
                to_char(k.override_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '(\.000)?000$', '') || 'Z')
        END) ORDER BY k.position) AS answers
    FROM session_check k GROUP BY k.org_id, k.session_id
) AS c
WHERE s.org_id = c.org_id AND s.id = c.session_id;
DROP TABLE session_check;
ALTER TABLE treatment_session FORCE ROW LEVEL SECURITY;
