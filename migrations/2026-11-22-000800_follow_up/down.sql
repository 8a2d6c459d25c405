DROP INDEX treatment_session_anaesthetic_lot, product_use_lot_number;
ALTER TABLE photo DROP CONSTRAINT photo_adverse_event_fkey;
DROP TABLE recall, adverse_event, outcome_assessment, photo;
