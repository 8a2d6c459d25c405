-- Webhooks: who is told of changes as they happen, how far they have been told, and what was tried.

CREATE TABLE webhook (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    service_account_id uuid NOT NULL,
    url text NOT NULL CHECK (char_length(url) BETWEEN 1 AND 2000),
    description text CHECK (char_length(description) BETWEEN 1 AND 500),
    -- None: all that the service account may read.
    kinds text[] NOT NULL,
    status text NOT NULL CHECK (status IN ('active', 'paused', 'disabled', 'ended')),
    reason text CHECK (reason IN ('failed', 'gone', 'account_closed', 'ledger')),
    status_at timestamptz NOT NULL,
    -- The cursor after which it was last told to begin.
    starts_after text NOT NULL,
    -- Sealed with a key that is not in the database.
    secret bytea NOT NULL,
    secret_fingerprint text NOT NULL,
    old_secret bytea,
    old_secret_until timestamptz,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, service_account_id) REFERENCES service_account (org_id, id),
    CHECK ((reason IS NOT NULL) = (status = 'disabled')),
    CHECK ((old_secret IS NULL) = (old_secret_until IS NULL))
);
CREATE INDEX webhook_account ON webhook (org_id, service_account_id, created_at, id);
CREATE INDEX webhook_by_creation ON webhook (org_id, created_at, id);
CREATE INDEX webhook_by_update ON webhook (org_id, updated_at, id);
ALTER TABLE webhook ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON webhook USING (org_id = (SELECT public.current_org()));
GRANT SELECT, INSERT, UPDATE ON webhook TO clinic_app;

-- How far each webhook has come, and which process delivers for it until when. It is read before a tenant is known, for all
-- organisations at once, so it has no row-level security, and only src/access reads it (as api_key_use). It says nothing of
-- anybody: places of the ledger and times. It moves with every delivery, which is no change of the record.
CREATE TABLE webhook_place (
    org_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    -- The record's own, again.
    status text NOT NULL,
    -- The cursor of the change that was delivered last, its number, and whether there is more of that entry.
    place text NOT NULL,
    seq bigint NOT NULL,
    within boolean NOT NULL,
    -- The lease: its number fences off a process whose lease is over.
    lease bigint NOT NULL,
    holder uuid,
    leased_until timestamptz,
    -- Tries of the change after the place that failed, since when, when the next is due, and of when that change is.
    failures integer NOT NULL CHECK (failures >= 0),
    failing_since timestamptz,
    next_try_at timestamptz,
    oldest_at timestamptz,
    last_success_at timestamptz,
    -- Whether admins are still to be told that it was disabled.
    untold boolean NOT NULL,
    PRIMARY KEY (org_id, webhook_id),
    FOREIGN KEY (org_id, webhook_id) REFERENCES webhook (org_id, id)
);
GRANT SELECT, INSERT, UPDATE ON webhook_place TO clinic_app;

-- What was tried. This is no record: the ledger has each change, and whether it arrived follows from the place. It is for
-- whoever looks for a fault, so rows of more than 30 days are deleted.
CREATE TABLE webhook_delivery (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    event_id text NOT NULL,
    -- None for a test.
    seq bigint,
    event_type text NOT NULL,
    attempt integer NOT NULL CHECK (attempt > 0),
    at timestamptz NOT NULL,
    duration_ms integer NOT NULL CHECK (duration_ms >= 0),
    status_code integer,
    error text CHECK (error IN ('not_allowed', 'dns', 'connect', 'tls', 'timeout', 'protocol', 'status')),
    next_try_at timestamptz,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, webhook_id) REFERENCES webhook (org_id, id)
);
CREATE INDEX webhook_delivery_newest ON webhook_delivery (org_id, webhook_id, at, id);
CREATE INDEX webhook_delivery_by_age ON webhook_delivery (org_id, at);
ALTER TABLE webhook_delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_delivery FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON webhook_delivery USING (org_id = (SELECT public.current_org()));
GRANT SELECT, INSERT, DELETE ON webhook_delivery TO clinic_app;
