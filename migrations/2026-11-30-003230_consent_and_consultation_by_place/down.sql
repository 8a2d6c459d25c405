ALTER TABLE location DROP COLUMN consultation_in_person;
ALTER TABLE location DROP COLUMN age_of_consent;
