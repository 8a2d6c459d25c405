-- What patients agree to: texts with versions, and who agreed to which.

CREATE TABLE consent_template (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    kind text NOT NULL CHECK (kind IN ('treatment', 'clinical_photo', 'marketing_photo', 'data')),
    active boolean NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, name)
);
CREATE INDEX consent_template_by_name ON consent_template (org_id, name COLLATE "C", id);
CREATE INDEX consent_template_by_creation ON consent_template (org_id, created_at, id);
CREATE INDEX consent_template_by_update ON consent_template (org_id, updated_at, id);
ALTER TABLE consent_template ENABLE ROW LEVEL SECURITY;
ALTER TABLE consent_template FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON consent_template USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON consent_template TO clinic_app;

CREATE TABLE consent_template_version (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    template_id uuid NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    status text NOT NULL CHECK (status IN ('draft', 'published', 'retired')),
    text text NOT NULL,
    text_hash bytea NOT NULL CHECK (octet_length(text_hash) = 32),
    language text NOT NULL,
    modalities text[] NOT NULL,
    valid_days integer CHECK (valid_days BETWEEN 1 AND 36500),
    published_at timestamptz,
    published_by uuid,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, template_id, number),
    FOREIGN KEY (org_id, template_id) REFERENCES consent_template (org_id, id),
    CHECK ((status = 'draft') = (published_at IS NULL))
);
CREATE UNIQUE INDEX consent_template_version_draft ON consent_template_version (org_id, template_id)
    WHERE status = 'draft';
CREATE UNIQUE INDEX consent_template_version_published ON consent_template_version (org_id, template_id)
    WHERE status = 'published';
CREATE INDEX consent_template_version_by_creation ON consent_template_version (org_id, created_at, id);
CREATE INDEX consent_template_version_by_update ON consent_template_version (org_id, updated_at, id);
ALTER TABLE consent_template_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE consent_template_version FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON consent_template_version USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON consent_template_version TO clinic_app;

CREATE TABLE consent (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    template_version_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('treatment', 'clinical_photo', 'marketing_photo', 'data')),
    modalities text[] NOT NULL,
    text_hash bytea NOT NULL CHECK (octet_length(text_hash) = 32),
    status text NOT NULL CHECK (status IN ('draft', 'proposed', 'active', 'rejected', 'inactive', 'entered_in_error')),
    signer text CHECK (signer IN ('patient', 'guardian')),
    signer_name text,
    signer_relationship text,
    signature_method text CHECK (signature_method IN ('typed_name', 'drawn_image')),
    signature_hash bytea CHECK (octet_length(signature_hash) = 32),
    given_at timestamptz,
    witness_id uuid,
    witness_name text,
    expires_at timestamptz,
    ended_at timestamptz,
    ended_reason text,
    note text,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, template_version_id) REFERENCES consent_template_version (org_id, id),
    FOREIGN KEY (org_id, witness_id) REFERENCES staff (org_id, id),
    CHECK (status <> 'active' OR (given_at IS NOT NULL AND signer IS NOT NULL AND signer_name IS NOT NULL
        AND signature_method IS NOT NULL))
);
CREATE INDEX consent_patient ON consent (org_id, patient_id, created_at, id);
CREATE INDEX consent_template_version_of ON consent (org_id, template_version_id);
CREATE INDEX consent_witness ON consent (org_id, witness_id) WHERE witness_id IS NOT NULL;
CREATE INDEX consent_by_creation ON consent (org_id, created_at, id);
CREATE INDEX consent_by_update ON consent (org_id, updated_at, id);
ALTER TABLE consent ENABLE ROW LEVEL SECURITY;
ALTER TABLE consent FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON consent USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON consent TO clinic_app;

-- A drawn signature, apart so that lists do not carry it. Written once.
CREATE TABLE consent_signature (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    consent_id uuid NOT NULL,
    media_type text NOT NULL CHECK (media_type IN ('image/png', 'image/jpeg')),
    image bytea NOT NULL CHECK (octet_length(image) BETWEEN 1 AND 262144),
    PRIMARY KEY (org_id, consent_id),
    FOREIGN KEY (org_id, consent_id) REFERENCES consent (org_id, id)
);
ALTER TABLE consent_signature ENABLE ROW LEVEL SECURITY;
ALTER TABLE consent_signature FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON consent_signature FOR SELECT USING (org_id = (SELECT current_org()));
CREATE POLICY tenant_append ON consent_signature FOR INSERT WITH CHECK (org_id = (SELECT current_org()));
GRANT SELECT, INSERT ON consent_signature TO clinic_app;
