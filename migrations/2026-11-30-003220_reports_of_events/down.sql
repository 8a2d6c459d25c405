-- An earlier program does not know the later kinds: they become `other`, and the description says what they were.
ALTER TABLE adverse_event NO FORCE ROW LEVEL SECURITY;
UPDATE adverse_event SET kind = 'other', description = concat_ws(': ', replace(kind, '_', ' '), description)
    WHERE kind IN ('vasovagal_reaction', 'local_anaesthetic_toxicity', 'anaphylaxis');
ALTER TABLE adverse_event FORCE ROW LEVEL SECURITY;
ALTER TABLE adverse_event DROP CONSTRAINT adverse_event_kind_check;
ALTER TABLE adverse_event ADD CONSTRAINT adverse_event_kind_check CHECK (kind IN ('erythema', 'oedema', 'pain', 'dryness',
    'pinpoint_crusting', 'post_inflammatory_hyperpigmentation', 'tram_track_scarring', 'granuloma', 'infection',
    'herpes_reactivation', 'burn', 'fat_loss', 'nerve_injury', 'allergic_reaction', 'other'));
ALTER TABLE adverse_event DROP COLUMN reports;
ALTER TABLE adverse_event DROP COLUMN device_serial;
ALTER TABLE adverse_event DROP COLUMN device_model;
ALTER TABLE adverse_event DROP COLUMN device_id;
