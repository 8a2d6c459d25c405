-- What the clinic treats with: devices, products and their lots.

CREATE TABLE device (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    model text NOT NULL,
    manufacturer text,
    serial text,
    kind text NOT NULL CHECK (kind IN ('manual', 'motorised_pen', 'rf', 'other')),
    depth_min_mm numeric(4, 2) CHECK (depth_min_mm >= 0),
    depth_max_mm numeric(4, 2) CHECK (depth_max_mm > 0),
    depth_step_mm numeric(4, 2) CHECK (depth_step_mm > 0),
    location_id uuid,
    active boolean NOT NULL,
    recalled_at timestamptz,
    recall_reason text,
    note text,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, location_id) REFERENCES location (org_id, id),
    CHECK (depth_min_mm <= depth_max_mm),
    CHECK ((recalled_at IS NULL) = (recall_reason IS NULL))
);
CREATE UNIQUE INDEX device_serial ON device (org_id, model, serial) WHERE serial IS NOT NULL;
CREATE INDEX device_location ON device (org_id, location_id) WHERE location_id IS NOT NULL;
CREATE INDEX device_by_name ON device (org_id, model COLLATE "C", id);
CREATE INDEX device_by_creation ON device (org_id, created_at, id);
CREATE INDEX device_by_update ON device (org_id, updated_at, id);
ALTER TABLE device ENABLE ROW LEVEL SECURITY;
ALTER TABLE device FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON device USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON device TO clinic_app;

CREATE TABLE product (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    name text NOT NULL,
    manufacturer text,
    role text NOT NULL CHECK (role IN ('cartridge', 'serum', 'prp', 'growth_serum', 'anaesthetic', 'other')),
    intradermal_use text NOT NULL CHECK (intradermal_use IN ('yes', 'no', 'unknown')),
    strength text,
    active boolean NOT NULL,
    note text,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, name)
);
CREATE INDEX product_by_name ON product (org_id, name COLLATE "C", id);
CREATE INDEX product_by_creation ON product (org_id, created_at, id);
CREATE INDEX product_by_update ON product (org_id, updated_at, id);
ALTER TABLE product ENABLE ROW LEVEL SECURITY;
ALTER TABLE product FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON product USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON product TO clinic_app;

CREATE TABLE product_lot (
    org_id uuid NOT NULL REFERENCES organisation (org_id),
    id uuid NOT NULL,
    product_id uuid NOT NULL,
    lot text NOT NULL,
    expires_on date,
    received_on date,
    recalled_at timestamptz,
    recall_reason text,
    recall_reference text,
    note text,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, product_id, lot),
    FOREIGN KEY (org_id, product_id) REFERENCES product (org_id, id),
    CHECK ((recalled_at IS NULL) = (recall_reason IS NULL))
);
CREATE INDEX product_lot_by_lot ON product_lot (org_id, lot COLLATE "C", id);
CREATE INDEX product_lot_by_creation ON product_lot (org_id, created_at, id);
CREATE INDEX product_lot_by_update ON product_lot (org_id, updated_at, id);
ALTER TABLE product_lot ENABLE ROW LEVEL SECURITY;
ALTER TABLE product_lot FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON product_lot USING (org_id = (SELECT current_org()));
GRANT SELECT, INSERT, UPDATE ON product_lot TO clinic_app;
