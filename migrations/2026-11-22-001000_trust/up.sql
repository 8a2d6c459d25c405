-- Restricted patients, emergency access, second factors, sign-ins that are listed, service accounts, shared limits.

-- Who must have a second factor, by role.
ALTER TABLE organisation ADD COLUMN second_factor_roles text[] NOT NULL DEFAULT '{}';

-- --- Accounts -------------------------------------------------------------------------------------------------------

-- The secret of the authenticator app, sealed with a key that is not in the database. `totp_last_step` is the newest
-- half minute whose code was used: none is taken twice.
ALTER TABLE account ADD COLUMN totp_secret bytea;
ALTER TABLE account ADD COLUMN totp_confirmed_at timestamptz;
ALTER TABLE account ADD COLUMN totp_last_step bigint;

-- Codes for the day the app is lost: each works once.
CREATE TABLE recovery_code (
    account_id uuid NOT NULL REFERENCES account (id),
    code_hash bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    created_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (account_id, code_hash)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON recovery_code TO clinic_app;

-- Failed tries are counted by account and address together, and by sign-in, too. `email` is the account over all addresses.
ALTER TABLE sign_in_failure DROP CONSTRAINT sign_in_failure_kind_check;
ALTER TABLE sign_in_failure ADD CONSTRAINT sign_in_failure_kind_check
    CHECK (kind IN ('email', 'address', 'email_at_address', 'sign_in'));
CREATE INDEX sign_in_failure_age ON sign_in_failure (last_failed_at);

-- What is handed out once, holds for a while and is used once: links to set a password, sign-ins whose password was right
-- and whose code is awaited, invitations. Only src/access reads it.
CREATE TABLE one_time_token (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    purpose text NOT NULL CHECK (purpose IN ('password_reset', 'sign_in', 'invitation')),
    account_id uuid NOT NULL REFERENCES account (id),
    org_id uuid NOT NULL,
    staff_id uuid NOT NULL,
    tries integer NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    FOREIGN KEY (org_id, staff_id) REFERENCES staff (org_id, id)
);
CREATE INDEX one_time_token_account ON one_time_token (account_id);
CREATE INDEX one_time_token_staff ON one_time_token (org_id, staff_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON one_time_token TO clinic_app;

-- When somebody was last invited, and when they accepted: their account has its place from then on. Whoever is here
-- already was never asked.
ALTER TABLE staff ADD COLUMN invited_at timestamptz;
ALTER TABLE staff ADD COLUMN joined_at timestamptz;
ALTER TABLE staff NO FORCE ROW LEVEL SECURITY;
UPDATE staff SET joined_at = created_at;
ALTER TABLE staff FORCE ROW LEVEL SECURITY;

-- A sign-in by another name than its token's hash, so that it can be shown and ended; what it came from; when its owner
-- last proved who they are (password or code), and whether with a second factor.
ALTER TABLE sign_in ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid();
ALTER TABLE sign_in ADD COLUMN client text NOT NULL DEFAULT '';
ALTER TABLE sign_in ADD COLUMN from_address text NOT NULL DEFAULT '';
ALTER TABLE sign_in ADD COLUMN by_cookie boolean NOT NULL DEFAULT false;
ALTER TABLE sign_in ADD COLUMN proved_at timestamptz;
ALTER TABLE sign_in ADD COLUMN second_factor boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX sign_in_id ON sign_in (id);

-- --- Service accounts -----------------------------------------------------------------------------------------------

CREATE TABLE service_account (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    scopes text[] NOT NULL,
    active boolean NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, name)
);
CREATE INDEX service_account_by_creation ON service_account (org_id, created_at, id);
CREATE INDEX service_account_by_update ON service_account (org_id, updated_at, id);
ALTER TABLE service_account ENABLE ROW LEVEL SECURITY;
ALTER TABLE service_account FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON service_account USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON service_account TO clinic_app;

CREATE TABLE api_key (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    service_account_id uuid NOT NULL,
    prefix text NOT NULL,
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    allowed_addresses text[] NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, secret_hash),
    FOREIGN KEY (org_id, service_account_id) REFERENCES service_account (org_id, id)
);
CREATE INDEX api_key_account ON api_key (org_id, service_account_id, created_at, id);
CREATE INDEX api_key_by_creation ON api_key (org_id, created_at, id);
CREATE INDEX api_key_by_update ON api_key (org_id, updated_at, id);
ALTER TABLE api_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_key FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON api_key USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON api_key TO clinic_app;

-- Whose key it is, before a tenant is known; and when it was last used, which is no part of the record. Only src/access
-- reads it.
CREATE TABLE api_key_use (
    secret_hash bytea PRIMARY KEY CHECK (octet_length(secret_hash) = 32),
    org_id uuid NOT NULL,
    key_id uuid NOT NULL,
    last_used_at timestamptz,
    last_used_from text,
    FOREIGN KEY (org_id, key_id) REFERENCES api_key (org_id, id)
);
CREATE INDEX api_key_use_key ON api_key_use (org_id, key_id);
GRANT SELECT, INSERT, UPDATE ON api_key_use TO clinic_app;

-- What was spent of a limit in its window, by all processes: each takes a part of it at a time.
CREATE TABLE rate_budget (
    kind text NOT NULL,
    key_hash bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    window_start timestamptz NOT NULL,
    taken bigint NOT NULL,
    PRIMARY KEY (kind, key_hash)
);
CREATE INDEX rate_budget_age ON rate_budget (window_start);
GRANT SELECT, INSERT, UPDATE, DELETE ON rate_budget TO clinic_app;

-- --- Restricted patients, emergency access --------------------------------------------------------------------------

CREATE TABLE patient_restriction (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    reason text NOT NULL,
    placed_at timestamptz NOT NULL,
    placed_by uuid,
    lifted_at timestamptz,
    lifted_by uuid,
    lift_reason text,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    CHECK ((lifted_at IS NULL) = (lift_reason IS NULL))
);
-- Not unique: two charts that are merged may both be restricted, and each keeps its own if they are taken apart.
CREATE INDEX patient_restriction_standing ON patient_restriction (org_id, patient_id) WHERE lifted_at IS NULL;
CREATE INDEX patient_restriction_patient ON patient_restriction (org_id, patient_id, created_at, id);
CREATE INDEX patient_restriction_by_creation ON patient_restriction (org_id, created_at, id);
CREATE INDEX patient_restriction_by_update ON patient_restriction (org_id, updated_at, id);
ALTER TABLE patient_restriction ENABLE ROW LEVEL SECURITY;
ALTER TABLE patient_restriction FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON patient_restriction USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON patient_restriction TO clinic_app;

CREATE TABLE emergency_access (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    staff_id uuid NOT NULL,
    reason text NOT NULL,
    begun_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    ended_at timestamptz,
    alerted_at timestamptz,
    reviewed_at timestamptz,
    reviewed_by uuid,
    review_note text,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, patient_id) REFERENCES patient (org_id, id),
    FOREIGN KEY (org_id, staff_id) REFERENCES staff (org_id, id),
    CHECK (ends_at > begun_at),
    CHECK ((reviewed_at IS NULL) = (review_note IS NULL))
);
CREATE INDEX emergency_access_staff ON emergency_access (org_id, staff_id, ends_at);
CREATE INDEX emergency_access_patient ON emergency_access (org_id, patient_id, created_at, id);
CREATE INDEX emergency_access_by_creation ON emergency_access (org_id, created_at, id);
CREATE INDEX emergency_access_by_update ON emergency_access (org_id, updated_at, id);
ALTER TABLE emergency_access ENABLE ROW LEVEL SECURITY;
ALTER TABLE emergency_access FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON emergency_access USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON emergency_access TO clinic_app;

CREATE OR REPLACE FUNCTION patient_tables() RETURNS TABLE (place integer, name text, hangs_on text[])
    LANGUAGE sql IMMUTABLE
    AS $$
    VALUES
        (1, 'health_entry', '{}'::text[]),
        (2, 'consultation', '{}'),
        (3, 'treatment_plan', '{consultation_id}'),
        (4, 'treatment_session', '{plan_id}'),
        (5, 'aftercare_note', '{session_id}'),
        (6, 'consent', '{}'),
        (7, 'adverse_event', '{session_id,aftercare_note_id}'),
        (8, 'photo', '{session_id,aftercare_note_id,adverse_event_id}'),
        (9, 'outcome_assessment', '{plan_id,session_id,compared_with_photo_id,photo_id}'),
        (10, 'recall', '{plan_id,after_session_id,done_by_session_id}'),
        (11, 'addendum', '{record_id}'),
        (12, 'legal_hold', '{}'),
        (13, 'patient_restriction', '{}'),
        (14, 'emergency_access', '{}')
$$;

-- Which restricted patients are closed to a transaction to which these are open, with who was merged into them. While it
-- looks, nobody is closed to it: the policy on patients asks it.
CREATE FUNCTION closed_but_for(opened text) RETURNS uuid[]
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    closed uuid[];
BEGIN
    IF opened = 'all' THEN
        RETURN '{}';
    END IF;
    PERFORM set_config('app.opened', 'all', true);
    WITH r AS (
        SELECT t.patient_id AS id FROM patient_restriction t
        WHERE t.org_id = current_org() AND t.lifted_at IS NULL
        AND t.patient_id <> ALL (string_to_array(opened, ',')::uuid[])
    ) SELECT coalesce(array_agg(c.id), '{}') INTO closed FROM (
        SELECT r.id FROM r
        UNION SELECT p.id FROM r JOIN patient p ON p.org_id = current_org() AND p.merged_into = r.id) AS c;
    PERFORM set_config('app.opened', opened, true);
    RETURN closed;
END
$$;

-- Which restricted patients are closed to the running transaction. `app.opened` says which are open: 'all' (a reason was
-- stated, the organisation has none, or it is the program itself), or a list of ids (emergency access). Not set: none is.
CREATE FUNCTION closed_patients() RETURNS uuid[]
    LANGUAGE sql STABLE
    AS $$ SELECT closed_but_for(coalesce(current_setting('app.opened', true), '')) $$;

-- Whose a record that was not found is, if it is that of a restricted patient: then it is there for who says why.
CREATE FUNCTION restricted_patient(kind text, record uuid) RETURNS uuid
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    opened text := coalesce(current_setting('app.opened', true), '');
    answer uuid;
BEGIN
    PERFORM set_config('app.opened', 'all', true);
    answer := (SELECT p.id FROM ledger l JOIN patient p ON p.org_id = l.org_id AND p.id = l.patient_id
        JOIN patient_restriction r ON r.org_id = p.org_id AND r.patient_id IN (p.id, p.merged_into) AND r.lifted_at IS NULL
        WHERE l.org_id = current_org() AND l.record_id = record AND l.record_kind = kind LIMIT 1);
    PERFORM set_config('app.opened', opened, true);
    RETURN answer;
END
$$;

-- The patient with a chart number, or into whom they were merged; a restricted one too, by id alone.
CREATE FUNCTION patient_with_number(number text) RETURNS uuid
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    opened text := coalesce(current_setting('app.opened', true), '');
    answer uuid;
BEGIN
    PERFORM set_config('app.opened', 'all', true);
    answer := (SELECT coalesce(p.merged_into, p.id) FROM patient p WHERE p.org_id = current_org() AND p.chart_number = number);
    PERFORM set_config('app.opened', opened, true);
    RETURN answer;
END
$$;

-- The only patients whose clinical records the running transaction may see (`app.only_patients`): those of the emergency
-- access of somebody who has no right to clinical records else. Not set: no such bound.
CREATE FUNCTION only_patients() RETURNS uuid[]
    LANGUAGE sql STABLE
    AS $$ SELECT string_to_array(NULLIF(current_setting('app.only_patients', true), ''), ',')::uuid[] $$;

-- The first half of each condition is asked once for a statement and spares the second, for nearly everybody.
CREATE POLICY open_patients ON patient AS RESTRICTIVE
    USING ((SELECT current_setting('app.opened', true)) = 'all' OR id <> ALL ((SELECT closed_patients())::uuid[]));
DO $$
DECLARE
    owned text;
BEGIN
    FOR owned IN SELECT name FROM patient_tables() WHERE name NOT IN ('patient_restriction', 'emergency_access') LOOP
        EXECUTE format('CREATE POLICY open_patients ON %I AS RESTRICTIVE USING (
            (SELECT current_setting(''app.opened'', true)) = ''all'' OR patient_id <> ALL ((SELECT closed_patients())::uuid[]))',
            owned);
        IF owned NOT IN ('recall', 'legal_hold') THEN
            EXECUTE format('CREATE POLICY only_patients ON %I AS RESTRICTIVE USING (
                coalesce((SELECT current_setting(''app.only_patients'', true)), '''') = ''''
                OR patient_id = ANY ((SELECT only_patients())::uuid[]))', owned);
        END IF;
    END LOOP;
END
$$;
-- A merge tells of both charts.
CREATE POLICY open_patients ON patient_merge AS RESTRICTIVE USING (
    (SELECT current_setting('app.opened', true)) = 'all'
    OR (from_id <> ALL ((SELECT closed_patients())::uuid[]) AND into_id <> ALL ((SELECT closed_patients())::uuid[])));
-- Reading only: appending needs no look at what is there.
CREATE POLICY open_patients ON ledger AS RESTRICTIVE FOR SELECT
    USING ((SELECT current_setting('app.opened', true)) = 'all' OR patient_id IS NULL
        OR patient_id <> ALL ((SELECT closed_patients())::uuid[]));
CREATE POLICY only_patients ON ledger AS RESTRICTIVE FOR SELECT
    USING (coalesce((SELECT current_setting('app.only_patients', true)), '') = '' OR patient_id IS NULL
        OR record_kind IN ('patient', 'recall', 'emergency_access') OR patient_id = ANY ((SELECT only_patients())::uuid[]));

-- --- The access log -------------------------------------------------------------------------------------------------

-- Why, where it was said. Part of the digest where it is there.
ALTER TABLE access_log ADD COLUMN reason text;
-- The words of events are the program's (src/ledger/access_log.rs).
ALTER TABLE access_log DROP CONSTRAINT access_log_event_check;

-- Which entries of the access log are about a patient: row-level security keeps an index on the array from being used.
CREATE TABLE access_log_patient (
    org_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (org_id, patient_id, seq, at)
) PARTITION BY RANGE (at);
ALTER TABLE access_log_patient ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_log_patient FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON access_log_patient FOR SELECT USING (org_id = (SELECT current_org()));
CREATE POLICY tenant_append ON access_log_patient FOR INSERT WITH CHECK (org_id = (SELECT current_org()));
GRANT SELECT, INSERT ON access_log_patient TO clinic_app;

CREATE OR REPLACE FUNCTION ensure_month_partitions(first_month date, last_month date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
DECLARE
    parent text;
    month date;
    partition text;
    made integer := 0;
BEGIN
    IF last_month > first_month + interval '40 years' THEN
        RAISE EXCEPTION 'at most 40 years of partitions at a time';
    END IF;
    FOREACH parent IN ARRAY ARRAY['ledger', 'access_log', 'access_log_patient'] LOOP
        month := date_trunc('month', first_month)::date;
        WHILE month <= last_month LOOP
            partition := parent || to_char(month, '_YYYY_MM');
            IF to_regclass('public.' || partition) IS NULL THEN
                EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
                    partition, parent, month::text || ' 00:00:00+00', (month + interval '1 month')::date::text || ' 00:00:00+00');
                EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', partition);
                EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', partition);
                made := made + 1;
            END IF;
            month := (month + interval '1 month')::date;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$;
-- The months that the log has already, and what it holds about whom.
ALTER TABLE access_log NO FORCE ROW LEVEL SECURITY;
ALTER TABLE access_log_patient NO FORCE ROW LEVEL SECURITY;
DO $$
DECLARE
    month date;
BEGIN
    FOR month IN SELECT to_date(substring(c.relname from '[0-9]{4}_[0-9]{2}$'), 'YYYY_MM')
        FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'access_log'::regclass LOOP
        PERFORM ensure_month_partitions(month, month);
    END LOOP;
    INSERT INTO access_log_patient (org_id, patient_id, seq, at)
        SELECT DISTINCT l.org_id, p, l.seq, l.at FROM access_log l CROSS JOIN unnest(l.patient_ids) AS p WHERE p IS NOT NULL;
END
$$;
ALTER TABLE access_log_patient FORCE ROW LEVEL SECURITY;
ALTER TABLE access_log FORCE ROW LEVEL SECURITY;
