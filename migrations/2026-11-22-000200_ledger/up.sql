-- Every write leaves one row in the ledger, every look at a patient one in the access log. Both are append-only,
-- numbered without a gap in each organisation, chained by hash, and partitioned by month.
--
--   digest = SHA-256(salt || the entry's canonical text)        (src/ledger/entry.rs)
--   hash   = SHA-256(hash of the entry before || seq as 8 bytes, big-endian || digest)
--
-- The content is JSON, kept as text because the digest is over its letters. Erasing it (salt and content to NULL) leaves the digest, so the chain still verifies.

CREATE TABLE ledger_head (
    org_id uuid PRIMARY KEY REFERENCES organisation (org_id),
    seq bigint NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);
ALTER TABLE ledger_head ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_head FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ledger_head USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON ledger_head TO clinic_app;

CREATE TABLE ledger (
    org_id uuid NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    actor_id uuid,
    request_id text NOT NULL,
    action text NOT NULL,
    record_kind text NOT NULL,
    record_id uuid NOT NULL,
    patient_id uuid,
    version integer NOT NULL,
    content text,
    salt bytea,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (org_id, seq, at)
) PARTITION BY RANGE (at);
CREATE INDEX ledger_record ON ledger (org_id, record_id, seq);
CREATE INDEX ledger_patient ON ledger (org_id, patient_id, seq);
ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON ledger FOR SELECT USING (org_id = (SELECT current_org()));
CREATE POLICY tenant_append ON ledger FOR INSERT WITH CHECK (org_id = (SELECT current_org()));
GRANT SELECT, INSERT ON ledger TO clinic_app;

CREATE TABLE access_log_head (
    org_id uuid PRIMARY KEY REFERENCES organisation (org_id),
    seq bigint NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);
ALTER TABLE access_log_head ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_log_head FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON access_log_head USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON access_log_head TO clinic_app;

CREATE TABLE access_log (
    org_id uuid NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    actor_id uuid,
    request_id text NOT NULL,
    event text NOT NULL CHECK (event IN ('read', 'refused', 'signed_in', 'sign_in_refused', 'signed_out')),
    operation text NOT NULL,
    from_address text NOT NULL,
    patient_ids uuid[] NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (org_id, seq, at)
) PARTITION BY RANGE (at);
ALTER TABLE access_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_log FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON access_log FOR SELECT USING (org_id = (SELECT current_org()));
CREATE POLICY tenant_append ON access_log FOR INSERT WITH CHECK (org_id = (SELECT current_org()));
GRANT SELECT, INSERT ON access_log TO clinic_app;

-- The month partitions from one month to another, both included. The service calls it at start and once a day; the
-- application role owns nothing, so it runs with the owner's rights. Partitions are reached through their parent only:
-- no role is granted anything on them.
CREATE FUNCTION ensure_month_partitions(first_month date, last_month date) RETURNS integer
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
    FOREACH parent IN ARRAY ARRAY['ledger', 'access_log'] LOOP
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
REVOKE ALL ON FUNCTION ensure_month_partitions(date, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_month_partitions(date, date) TO clinic_app;

-- What a retried write already did: the ledger entry that the first try made. Kept for 24 hours.
CREATE TABLE idempotency (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    staff_id uuid NOT NULL,
    key text NOT NULL,
    field text NOT NULL,
    request_digest bytea NOT NULL CHECK (octet_length(request_digest) = 32),
    ledger_seq bigint,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, staff_id, key, field)
);
CREATE INDEX idempotency_age ON idempotency (org_id, created_at);
ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON idempotency USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency TO clinic_app;
