CREATE OR REPLACE FUNCTION public.patient_tables() RETURNS TABLE (place integer, name text, hangs_on text[])
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
    AS $$
    VALUES
        (0, 'health_review', '{}'::text[]),
        (1, 'health_entry', '{}'::text[]),
        (2, 'consultation', '{}'),
        (3, 'treatment_plan', '{consultation_id}'),
        (4, 'treatment_session', '{plan_id}'),
        (5, 'aftercare_note', '{session_id}'),
        (6, 'consent', '{}'),
        (7, 'adverse_event', '{session_id,aftercare_note_id}'),
        (8, 'photo', '{session_id,aftercare_note_id,adverse_event_id}'),
        (9, 'outcome_assessment', '{plan_id,session_id,compared_with_photo_id,photo_id}'),
        (10, 'recall', '{plan_id,after_session_id,done_by_session_id}'),
        (11, 'addendum', '{record_id}'),
        (12, 'legal_hold', '{}'),
        (13, 'patient_restriction', '{}'),
        (14, 'emergency_access', '{}'),
        (15, 'countersignature', '{record_id}'),
        (16, 'retraction', '{record_id}')
$$;

DROP TABLE chart_review;
DROP TABLE supervision_agreement;
