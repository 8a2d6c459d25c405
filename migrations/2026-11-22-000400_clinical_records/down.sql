DROP TABLE addendum, aftercare_note, product_use, session_area, treatment_session, consultation;
