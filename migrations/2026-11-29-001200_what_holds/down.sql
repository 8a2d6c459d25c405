DROP POLICY draft_delete ON product_use;
DROP POLICY draft_insert ON product_use;
DROP POLICY draft_delete ON session_area;
DROP POLICY draft_insert ON session_area;
CREATE POLICY draft_insert ON session_area FOR INSERT WITH CHECK (org_id = (SELECT current_org()) AND EXISTS (
    SELECT FROM treatment_session s
    WHERE s.org_id = session_area.org_id AND s.id = session_area.session_id AND s.signed_at IS NULL));
CREATE POLICY draft_delete ON session_area FOR DELETE USING (org_id = (SELECT current_org()) AND EXISTS (
    SELECT FROM treatment_session s
    WHERE s.org_id = session_area.org_id AND s.id = session_area.session_id AND s.signed_at IS NULL));
CREATE POLICY draft_insert ON product_use FOR INSERT WITH CHECK (org_id = (SELECT current_org()) AND EXISTS (
    SELECT FROM treatment_session s
    WHERE s.org_id = product_use.org_id AND s.id = product_use.session_id AND s.signed_at IS NULL));
CREATE POLICY draft_delete ON product_use FOR DELETE USING (org_id = (SELECT current_org()) AND EXISTS (
    SELECT FROM treatment_session s
    WHERE s.org_id = product_use.org_id AND s.id = product_use.session_id AND s.signed_at IS NULL));
DROP POLICY tenant_append ON consent_signature;
CREATE POLICY tenant_append ON consent_signature FOR INSERT WITH CHECK (org_id = (SELECT current_org()));
DROP POLICY what_holds ON emergency_access;
DROP POLICY what_holds ON patient_restriction;
DROP POLICY what_holds ON legal_hold;
DROP POLICY what_holds ON patient_erasure;
DROP POLICY what_holds ON patient_merge;
DROP POLICY what_holds ON photo;
DROP POLICY what_holds ON consent;
DROP POLICY what_holds ON protocol_version;
DROP POLICY what_holds ON consent_template_version;
DROP FUNCTION keeps_what_holds(text, jsonb);
