-- Who the tenant is, where it works, who works there, and who may sign in.
-- The role clinic_app exists already: the program makes it before it migrates (src/db/roles.rs).

GRANT USAGE ON SCHEMA public TO clinic_app;

-- The tenant of the running transaction. Not set, or set to nothing: NULL, and NULL equals no organisation.
CREATE FUNCTION current_org() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT NULLIF(current_setting('app.org_id', true), '')::uuid $$;

CREATE TABLE organisation (
    org_id uuid NOT NULL,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (org_id)
);
ALTER TABLE organisation ENABLE ROW LEVEL SECURITY;
ALTER TABLE organisation FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON organisation USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON organisation TO clinic_app;

CREATE TABLE location (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    time_zone text NOT NULL,
    address jsonb,
    phone text,
    active boolean NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, name)
);
ALTER TABLE location ENABLE ROW LEVEL SECURITY;
ALTER TABLE location FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON location USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON location TO clinic_app;

-- Accounts have no tenant: somebody signs in before anybody knows where they work. Only src/access reads them.
CREATE TABLE account (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE CHECK (email = lower(email)),
    password_hash text NOT NULL,
    created_at timestamptz NOT NULL,
    password_changed_at timestamptz NOT NULL,
    disabled_at timestamptz
);
GRANT SELECT, INSERT, UPDATE ON account TO clinic_app;

CREATE TABLE staff (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    account_id uuid NOT NULL REFERENCES account (id),
    email text NOT NULL,
    role text NOT NULL CHECK (role IN ('admin', 'practitioner', 'front_desk', 'auditor')),
    display_name text NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 200),
    licence_number text,
    active boolean NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, account_id)
);
CREATE INDEX staff_account ON staff (account_id);
CREATE INDEX staff_by_name ON staff (org_id, display_name COLLATE "C", id);
ALTER TABLE staff ENABLE ROW LEVEL SECURITY;
ALTER TABLE staff FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON staff USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON staff TO clinic_app;

-- In which organisations an account has a place: what sign-in needs before a tenant is known.
CREATE TABLE account_membership (
    account_id uuid NOT NULL REFERENCES account (id),
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    staff_id uuid NOT NULL,
    PRIMARY KEY (account_id, org_id),
    FOREIGN KEY (org_id, staff_id) REFERENCES staff (org_id, id)
);
CREATE INDEX account_membership_staff ON account_membership (org_id, staff_id);
GRANT SELECT, INSERT ON account_membership TO clinic_app;

-- A signed-in client. The token itself is nowhere: only its SHA-256.
CREATE TABLE sign_in (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    account_id uuid NOT NULL REFERENCES account (id),
    org_id uuid NOT NULL,
    staff_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    FOREIGN KEY (org_id, staff_id) REFERENCES staff (org_id, id)
);
CREATE INDEX sign_in_account ON sign_in (account_id);
CREATE INDEX sign_in_staff ON sign_in (org_id, staff_id);
GRANT SELECT, INSERT, UPDATE ON sign_in TO clinic_app;

-- Failed sign-ins, counted by account name (whether or not there is such an account) and by network address.
CREATE TABLE sign_in_failure (
    kind text NOT NULL CHECK (kind IN ('email', 'address')),
    key_hash bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    failures integer NOT NULL,
    last_failed_at timestamptz NOT NULL,
    blocked_until timestamptz NOT NULL,
    PRIMARY KEY (kind, key_hash)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON sign_in_failure TO clinic_app;
