ALTER TABLE patient DROP COLUMN deceased_on;
