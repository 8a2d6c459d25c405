-- Care rules as data, and the courses that follow them.

CREATE TABLE protocol (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    copied_from uuid,
    active boolean NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, name)
);
CREATE INDEX protocol_by_name ON protocol (org_id, name COLLATE "C", id);
CREATE INDEX protocol_by_creation ON protocol (org_id, created_at, id);
CREATE INDEX protocol_by_update ON protocol (org_id, updated_at, id);
ALTER TABLE protocol ENABLE ROW LEVEL SECURITY;
ALTER TABLE protocol FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON protocol USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON protocol TO clinic_app;

CREATE TABLE protocol_version (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    protocol_id uuid NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    status text NOT NULL CHECK (status IN ('draft', 'published', 'retired')),
    modality text NOT NULL CHECK (modality IN ('microneedling', 'rf_microneedling', 'prp', 'topical_growth_serum', 'led_light_therapy', 'other')),
    indications text[] NOT NULL,
    rules jsonb NOT NULL,
    published_at timestamptz,
    published_by uuid,
    change_note text,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, protocol_id, number),
    FOREIGN KEY (org_id, protocol_id) REFERENCES protocol (org_id, id),
    CHECK ((status = 'draft') = (published_at IS NULL))
);
CREATE UNIQUE INDEX protocol_version_draft ON protocol_version (org_id, protocol_id) WHERE status = 'draft';
CREATE UNIQUE INDEX protocol_version_published ON protocol_version (org_id, protocol_id) WHERE status = 'published';
CREATE INDEX protocol_version_by_creation ON protocol_version (org_id, created_at, id);
CREATE INDEX protocol_version_by_update ON protocol_version (org_id, updated_at, id);
ALTER TABLE protocol_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE protocol_version FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON protocol_version USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON protocol_version TO clinic_app;

CREATE TABLE treatment_plan (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    consultation_id uuid NOT NULL,
    protocol_version_id uuid NOT NULL,
    concerns text[] NOT NULL,
    areas jsonb NOT NULL,
    planned_sessions smallint NOT NULL CHECK (planned_sessions BETWEEN 1 AND 50),
    status text NOT NULL CHECK (status IN ('active', 'on_hold', 'completed', 'revoked', 'entered_in_error')),
    status_reason text,
    note text,
    started_on date NOT NULL,
    earlier_courses jsonb NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, consultation_id) REFERENCES consultation (org_id, id),
    FOREIGN KEY (org_id, protocol_version_id) REFERENCES protocol_version (org_id, id)
);
CREATE INDEX treatment_plan_patient ON treatment_plan (org_id, patient_id, started_on, id);
CREATE INDEX treatment_plan_consultation ON treatment_plan (org_id, consultation_id);
CREATE INDEX treatment_plan_protocol ON treatment_plan (org_id, protocol_version_id);
CREATE INDEX treatment_plan_by_start ON treatment_plan (org_id, started_on, id);
CREATE INDEX treatment_plan_by_creation ON treatment_plan (org_id, created_at, id);
CREATE INDEX treatment_plan_by_update ON treatment_plan (org_id, updated_at, id);
ALTER TABLE treatment_plan ENABLE ROW LEVEL SECURITY;
ALTER TABLE treatment_plan FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON treatment_plan USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON treatment_plan TO clinic_app;

-- A session is of a plan, was checked against a version of a protocol, and keeps the answers with their overrides.
ALTER TABLE treatment_session ADD COLUMN plan_id uuid;
ALTER TABLE treatment_session ADD COLUMN protocol_version_id uuid;
ALTER TABLE treatment_session ADD COLUMN device_id uuid;
ALTER TABLE treatment_session ADD COLUMN checks jsonb;
ALTER TABLE treatment_session ADD CONSTRAINT treatment_session_plan_fkey
    FOREIGN KEY (org_id, plan_id) REFERENCES treatment_plan (org_id, id);
ALTER TABLE treatment_session ADD CONSTRAINT treatment_session_protocol_fkey
    FOREIGN KEY (org_id, protocol_version_id) REFERENCES protocol_version (org_id, id);
ALTER TABLE treatment_session ADD CONSTRAINT treatment_session_device_fkey
    FOREIGN KEY (org_id, device_id) REFERENCES device (org_id, id);
CREATE INDEX treatment_session_plan ON treatment_session (org_id, plan_id, started_at, id) WHERE plan_id IS NOT NULL;
CREATE INDEX treatment_session_protocol ON treatment_session (org_id, protocol_version_id)
    WHERE protocol_version_id IS NOT NULL;
CREATE INDEX treatment_session_device ON treatment_session (org_id, device_id) WHERE device_id IS NOT NULL;
ALTER TABLE product_use ADD COLUMN lot_id uuid;
ALTER TABLE product_use ADD CONSTRAINT product_use_lot_fkey
    FOREIGN KEY (org_id, lot_id) REFERENCES product_lot (org_id, id);
CREATE INDEX product_use_lot_id ON product_use (org_id, lot_id) WHERE lot_id IS NOT NULL;
