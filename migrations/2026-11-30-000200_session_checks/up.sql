-- The answers of the care rules of a session become rows, in the order in which the rules gave them: a worklist finds what
-- warned, what blocked and what was overridden by an index. The form in which the ledger and a signature have them stays.

CREATE TABLE session_check (
    org_id uuid NOT NULL,
    session_id uuid NOT NULL,
    position smallint NOT NULL,
    rule text NOT NULL CHECK (rule IN ('interval', 'depth', 'contraindication', 'consent', 'lot', 'device', 'consultation',
        'skin_type', 'anaesthetic')),
    verdict text NOT NULL CHECK (verdict IN ('pass', 'warn', 'block')),
    cause text NOT NULL,
    record_kind text,
    record_id uuid,
    protocol_version_id uuid,
    override_reason text,
    override_by uuid,
    override_supervisor_id uuid,
    override_at timestamptz,
    CHECK ((override_reason IS NULL) = (override_at IS NULL) AND (override_by IS NULL) = (override_at IS NULL)
        AND (override_supervisor_id IS NULL OR override_at IS NOT NULL))
);

-- Who migrates has no tenant and sees no row while row-level security is forced on its owner.
ALTER TABLE treatment_session NO FORCE ROW LEVEL SECURITY;
INSERT INTO session_check (org_id, session_id, position, rule, verdict, cause, record_kind, record_id, protocol_version_id,
    override_reason, override_by, override_supervisor_id, override_at)
SELECT s.org_id, s.id, c.place - 1, c.answer ->> 'rule', c.answer ->> 'verdict', c.answer ->> 'cause',
    c.answer ->> 'record_kind', (c.answer ->> 'record_id')::uuid, (c.answer ->> 'protocol_version_id')::uuid,
    c.answer #>> '{override,reason}', (c.answer #>> '{override,by}')::uuid,
    (c.answer #>> '{override,supervisor_id}')::uuid, (c.answer #>> '{override,at}')::timestamptz
FROM treatment_session s CROSS JOIN LATERAL jsonb_array_elements(s.checks) WITH ORDINALITY AS c (answer, place)
ORDER BY s.org_id, s.id, c.place;
ALTER TABLE treatment_session DROP COLUMN checks;

-- The keys come after the rows: so each is built once.
ALTER TABLE session_check ADD PRIMARY KEY (org_id, session_id, position);
ALTER TABLE session_check ADD FOREIGN KEY (org_id, session_id) REFERENCES treatment_session (org_id, id);
ALTER TABLE treatment_session FORCE ROW LEVEL SECURITY;
-- A session's id is a UUIDv7, which sorts by the time at which the session was made: read backward, the newest come first.
-- A worklist must write `verdict <> 'pass'` itself: under a generic plan the planner does not see the verdict that is bound.
CREATE INDEX session_check_answer ON session_check (org_id, rule, verdict, session_id) WHERE verdict <> 'pass';
CREATE INDEX session_check_override ON session_check (org_id, override_at, session_id) WHERE override_at IS NOT NULL;

-- They are parts of their session, as its areas and products are: put in and taken out while it is a draft, and never
-- changed.
ALTER TABLE session_check ENABLE ROW LEVEL SECURITY;
ALTER TABLE session_check FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON session_check FOR SELECT USING (org_id = (SELECT current_org()));
CREATE POLICY draft_insert ON session_check FOR INSERT WITH CHECK (org_id = (SELECT current_org()) AND EXISTS (
    SELECT FROM treatment_session s
    WHERE s.org_id = session_check.org_id AND s.id = session_check.session_id AND s.signed_at IS NULL FOR SHARE));
CREATE POLICY draft_delete ON session_check FOR DELETE USING (org_id = (SELECT current_org()) AND EXISTS (
    SELECT FROM treatment_session s
    WHERE s.org_id = session_check.org_id AND s.id = session_check.session_id AND s.signed_at IS NULL FOR SHARE));
CREATE POLICY erased ON session_check FOR DELETE TO CURRENT_USER
    USING (org_id = (SELECT current_org()) AND EXISTS (
        SELECT FROM treatment_session s WHERE s.org_id = session_check.org_id AND s.id = session_check.session_id
        AND s.patient_id = ANY ((SELECT erasing_patients())::uuid[])));
GRANT SELECT, INSERT, DELETE ON session_check TO clinic_app;

CREATE OR REPLACE FUNCTION public.patient_parts() RETURNS TABLE (name text, part_of text, by_column text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
    AS $$
    VALUES
        ('session_area', 'treatment_session', 'session_id'),
        ('product_use', 'treatment_session', 'session_id'),
        ('session_check', 'treatment_session', 'session_id'),
        ('consent_signature', 'consent', 'consent_id')
$$;
