-- Names and codes that a clinic adds to the code list of health histories.

CREATE TABLE health_term (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    code text NOT NULL,
    term text NOT NULL,
    language text,
    active boolean NOT NULL,
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, code, term)
);
CREATE INDEX health_term_by_term ON health_term (org_id, term COLLATE "C", id);
CREATE INDEX health_term_by_creation ON health_term (org_id, created_at, id);
CREATE INDEX health_term_by_update ON health_term (org_id, updated_at, id);
ALTER TABLE health_term ENABLE ROW LEVEL SECURITY;
ALTER TABLE health_term FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON health_term USING (org_id = (SELECT public.current_org()));
GRANT SELECT, INSERT, UPDATE ON health_term TO clinic_app;
