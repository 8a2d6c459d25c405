-- Tokens that a newer one took the place of. For some seconds requests under way read with them still; then it can be said
-- for a while what became of them. Only src/access reads it.
CREATE TABLE replaced_token (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    sign_in_id uuid NOT NULL REFERENCES sign_in (id),
    replaced_at timestamptz NOT NULL,
    reads_until timestamptz NOT NULL
);
CREATE INDEX replaced_token_sign_in ON replaced_token (sign_in_id);
CREATE INDEX replaced_token_age ON replaced_token (replaced_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON replaced_token TO clinic_app;
