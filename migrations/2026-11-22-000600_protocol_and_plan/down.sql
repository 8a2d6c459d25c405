ALTER TABLE product_use DROP COLUMN lot_id;
ALTER TABLE treatment_session DROP COLUMN checks, DROP COLUMN device_id, DROP COLUMN protocol_version_id,
    DROP COLUMN plan_id;
DROP TABLE treatment_plan, protocol_version, protocol;
