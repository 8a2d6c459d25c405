CREATE TABLE chart_counter (
    org_id uuid PRIMARY KEY REFERENCES organisation (org_id),
    next_number bigint NOT NULL
);
ALTER TABLE chart_counter ENABLE ROW LEVEL SECURITY;
ALTER TABLE chart_counter FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON chart_counter USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON chart_counter TO clinic_app;

CREATE TABLE patient (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    chart_number text NOT NULL CHECK (char_length(chart_number) BETWEEN 1 AND 40),
    given_name text NOT NULL,
    middle_name text,
    family_name text NOT NULL,
    preferred_name text,
    name_key text NOT NULL COLLATE "C",
    birth_date date NOT NULL,
    sex_at_birth text CHECK (sex_at_birth IN ('female', 'male', 'intersex', 'unknown')),
    gender text,
    pronouns text,
    email text,
    phone text,
    address jsonb,
    emergency_contact jsonb,
    fitzpatrick_type smallint CHECK (fitzpatrick_type BETWEEN 1 AND 6),
    fitzpatrick_assessed_on date,
    fitzpatrick_assessed_by uuid,
    status text NOT NULL CHECK (status IN ('active', 'archived', 'merged')),
    status_reason text,
    merged_into uuid,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, chart_number),
    FOREIGN KEY (org_id, merged_into) REFERENCES patient (org_id, id),
    CHECK ((status = 'merged') = (merged_into IS NOT NULL))
);
CREATE INDEX patient_by_name ON patient (org_id, name_key, id);
CREATE INDEX patient_by_birth_date ON patient (org_id, birth_date, id);
CREATE INDEX patient_by_creation ON patient (org_id, created_at, id);
CREATE INDEX patient_by_update ON patient (org_id, updated_at, id);
CREATE INDEX patient_merged_into ON patient (org_id, merged_into) WHERE merged_into IS NOT NULL;
ALTER TABLE patient ENABLE ROW LEVEL SECURITY;
ALTER TABLE patient FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON patient USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON patient TO clinic_app;

-- Three-letter pieces of what a patient may be searched by (src/patient/search.rs). A pg_trgm index can't serve here:
-- its operators are not leakproof, so row-level security keeps the planner from using it. Whole numbers are.
CREATE TABLE patient_search (
    org_id uuid NOT NULL,
    trigram integer NOT NULL,
    patient_id uuid NOT NULL,
    PRIMARY KEY (org_id, trigram, patient_id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id)
);
CREATE INDEX patient_search_patient ON patient_search (org_id, patient_id);
ALTER TABLE patient_search ENABLE ROW LEVEL SECURITY;
ALTER TABLE patient_search FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON patient_search USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, DELETE ON patient_search TO clinic_app;

CREATE TABLE health_entry (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('condition', 'medication', 'allergy', 'pregnancy_or_nursing', 'prior_procedure')),
    code text,
    text text NOT NULL,
    severity text CHECK (severity IN ('absolute', 'relative', 'caution')),
    onset_on date,
    ended_on date,
    last_dose_on date,
    source text,
    verified_by uuid,
    verified_at timestamptz,
    entered_in_error boolean NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id)
);
CREATE INDEX health_entry_by_creation ON health_entry (org_id, created_at, id);
CREATE INDEX health_entry_by_update ON health_entry (org_id, updated_at, id);
CREATE INDEX health_entry_patient ON health_entry (org_id, patient_id, created_at, id);
ALTER TABLE health_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE health_entry FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON health_entry USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON health_entry TO clinic_app;
