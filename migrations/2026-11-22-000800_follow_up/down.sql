ALTER TABLE photo DROP CONSTRAINT photo_adverse_event_fkey;
DROP TABLE recall, adverse_event, outcome_assessment, photo;
