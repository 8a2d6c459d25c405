-- Every report of an adverse event is kept, and the device that was in use; three more kinds of events.

ALTER TABLE adverse_event ADD COLUMN device_id uuid;
ALTER TABLE adverse_event ADD COLUMN device_model text;
ALTER TABLE adverse_event ADD COLUMN device_serial text;
ALTER TABLE adverse_event ADD COLUMN reports jsonb NOT NULL DEFAULT '[]';
ALTER TABLE adverse_event ADD FOREIGN KEY (org_id, device_id) REFERENCES device (org_id, id);
CREATE INDEX adverse_event_device ON adverse_event (org_id, device_id) WHERE device_id IS NOT NULL;

ALTER TABLE adverse_event NO FORCE ROW LEVEL SECURITY;
UPDATE adverse_event SET reports = jsonb_build_array(jsonb_build_object('to', reported_to, 'at', reported_at,
    'reference', report_reference)) WHERE reported_to IS NOT NULL AND reported_at IS NOT NULL;
ALTER TABLE adverse_event FORCE ROW LEVEL SECURITY;

ALTER TABLE adverse_event DROP CONSTRAINT adverse_event_kind_check;
ALTER TABLE adverse_event ADD CONSTRAINT adverse_event_kind_check CHECK (kind IN ('erythema', 'oedema', 'pain', 'dryness',
    'pinpoint_crusting', 'post_inflammatory_hyperpigmentation', 'tram_track_scarring', 'granuloma', 'infection',
    'herpes_reactivation', 'burn', 'fat_loss', 'nerve_injury', 'allergic_reaction', 'vasovagal_reaction',
    'local_anaesthetic_toxicity', 'anaphylaxis', 'other'));
