ALTER TABLE idempotency DROP COLUMN rights;
