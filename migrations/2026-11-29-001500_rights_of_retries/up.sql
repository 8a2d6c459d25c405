-- What the first try asked the policy for (`update:recall`): asked again before a retry is answered. Null for those from before.
ALTER TABLE idempotency ADD COLUMN rights text[];
