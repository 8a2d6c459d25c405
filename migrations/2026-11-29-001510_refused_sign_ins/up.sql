-- Refused tries to sign in, until they are in the access logs of the organisations that the account works in. One row each,
-- the same for an e-mail that nobody has. No foreign keys: to look one up is work that such an e-mail does not cause.
CREATE TABLE refused_sign_in (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    account_id uuid,
    by_org uuid,
    by_staff uuid,
    request_id text NOT NULL,
    operation text NOT NULL,
    from_address text NOT NULL
);
CREATE INDEX refused_sign_in_age ON refused_sign_in (at, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON refused_sign_in TO clinic_app;

-- What the address of a sign-in is counted by: an IPv4 address, and of IPv6 the network of 64 bits. Null for those from before.
ALTER TABLE sign_in ADD COLUMN network bytea;
CREATE INDEX sign_in_network ON sign_in (network, created_at);
CREATE INDEX sign_in_without_network ON sign_in (created_at) WHERE network IS NULL;
