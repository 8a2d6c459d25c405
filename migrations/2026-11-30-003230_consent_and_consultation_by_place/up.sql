-- From which age patients decide alone, and how they must have been seen before a treatment: each place by its own law.

ALTER TABLE location ADD COLUMN age_of_consent smallint NOT NULL DEFAULT 18 CHECK (age_of_consent BETWEEN 12 AND 21);
ALTER TABLE location ADD COLUMN consultation_in_person boolean NOT NULL DEFAULT false;
