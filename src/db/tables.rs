// @generated automatically by Diesel CLI.

diesel::table! {
    access_log (org_id, seq, at) {
        org_id -> Uuid,
        seq -> Int8,
        at -> Timestamptz,
        actor_id -> Nullable<Uuid>,
        request_id -> Text,
        event -> Text,
        operation -> Text,
        from_address -> Text,
        patient_ids -> Array<Nullable<Uuid>>,
        digest -> Bytea,
        hash -> Bytea,
    }
}

diesel::table! {
    access_log_head (org_id) {
        org_id -> Uuid,
        seq -> Int8,
        hash -> Bytea,
    }
}

diesel::table! {
    account (id) {
        id -> Uuid,
        email -> Text,
        password_hash -> Text,
        created_at -> Timestamptz,
        password_changed_at -> Timestamptz,
        disabled_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    account_membership (account_id, org_id) {
        account_id -> Uuid,
        org_id -> Uuid,
        staff_id -> Uuid,
    }
}

diesel::table! {
    addendum (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        record_kind -> Text,
        record_id -> Uuid,
        author_id -> Uuid,
        added_at -> Timestamptz,
        reason -> Text,
        text -> Text,
    }
}

diesel::table! {
    aftercare_note (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        session_id -> Uuid,
        author_id -> Uuid,
        kind -> Text,
        noted_at -> Timestamptz,
        text -> Nullable<Text>,
        redness -> Nullable<Int2>,
        swelling -> Nullable<Int2>,
        pain -> Nullable<Int2>,
        adherence -> Nullable<Text>,
        escalate -> Bool,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Uuid,
        updated_at -> Timestamptz,
        updated_by -> Uuid,
        signed_at -> Nullable<Timestamptz>,
        signed_by -> Nullable<Uuid>,
        signature_meaning -> Nullable<Text>,
        content_hash -> Nullable<Bytea>,
    }
}

diesel::table! {
    chart_counter (org_id) {
        org_id -> Uuid,
        next_number -> Int8,
    }
}

diesel::table! {
    consultation (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        practitioner_id -> Uuid,
        location_id -> Nullable<Uuid>,
        held_at -> Timestamptz,
        mode -> Text,
        concerns -> Array<Nullable<Text>>,
        goals -> Nullable<Text>,
        findings -> Nullable<Text>,
        scar_types -> Array<Nullable<Text>>,
        prior_procedures -> Nullable<Text>,
        expectations_discussed -> Nullable<Bool>,
        candidacy -> Nullable<Text>,
        candidacy_reasons -> Nullable<Text>,
        recommended_plan -> Nullable<Text>,
        patch_test -> Nullable<Jsonb>,
        valid_until -> Nullable<Date>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Uuid,
        updated_at -> Timestamptz,
        updated_by -> Uuid,
        signed_at -> Nullable<Timestamptz>,
        signed_by -> Nullable<Uuid>,
        signature_meaning -> Nullable<Text>,
        content_hash -> Nullable<Bytea>,
    }
}

diesel::table! {
    health_entry (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        kind -> Text,
        code -> Nullable<Text>,
        text -> Text,
        severity -> Nullable<Text>,
        onset_on -> Nullable<Date>,
        ended_on -> Nullable<Date>,
        last_dose_on -> Nullable<Date>,
        source -> Nullable<Text>,
        verified_by -> Nullable<Uuid>,
        verified_at -> Nullable<Timestamptz>,
        entered_in_error -> Bool,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Uuid,
        updated_at -> Timestamptz,
        updated_by -> Uuid,
    }
}

diesel::table! {
    idempotency (org_id, staff_id, key, field) {
        org_id -> Uuid,
        staff_id -> Uuid,
        key -> Text,
        field -> Text,
        request_digest -> Bytea,
        ledger_seq -> Nullable<Int8>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    ledger (org_id, seq, at) {
        org_id -> Uuid,
        seq -> Int8,
        at -> Timestamptz,
        actor_id -> Nullable<Uuid>,
        request_id -> Text,
        action -> Text,
        record_kind -> Text,
        record_id -> Uuid,
        patient_id -> Nullable<Uuid>,
        version -> Int4,
        content -> Nullable<Text>,
        salt -> Nullable<Bytea>,
        digest -> Bytea,
        hash -> Bytea,
    }
}

diesel::table! {
    ledger_head (org_id) {
        org_id -> Uuid,
        seq -> Int8,
        hash -> Bytea,
    }
}

diesel::table! {
    location (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        name -> Text,
        time_zone -> Text,
        address -> Nullable<Jsonb>,
        phone -> Nullable<Text>,
        active -> Bool,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    organisation (org_id) {
        org_id -> Uuid,
        name -> Text,
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    patient (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        chart_number -> Text,
        given_name -> Text,
        middle_name -> Nullable<Text>,
        family_name -> Text,
        preferred_name -> Nullable<Text>,
        name_key -> Text,
        birth_date -> Date,
        sex_at_birth -> Nullable<Text>,
        gender -> Nullable<Text>,
        pronouns -> Nullable<Text>,
        email -> Nullable<Text>,
        phone -> Nullable<Text>,
        address -> Nullable<Jsonb>,
        emergency_contact -> Nullable<Jsonb>,
        fitzpatrick_type -> Nullable<Int2>,
        fitzpatrick_assessed_on -> Nullable<Date>,
        fitzpatrick_assessed_by -> Nullable<Uuid>,
        status -> Text,
        status_reason -> Nullable<Text>,
        merged_into -> Nullable<Uuid>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Uuid,
        updated_at -> Timestamptz,
        updated_by -> Uuid,
    }
}

diesel::table! {
    patient_search (org_id, trigram, patient_id) {
        org_id -> Uuid,
        trigram -> Int4,
        patient_id -> Uuid,
    }
}

diesel::table! {
    product_use (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        session_id -> Uuid,
        position -> Int2,
        role -> Text,
        product -> Text,
        manufacturer -> Nullable<Text>,
        lot -> Nullable<Text>,
        expires_on -> Nullable<Date>,
        quantity -> Nullable<Numeric>,
        unit -> Nullable<Text>,
        area -> Nullable<Text>,
        intradermal_use -> Text,
    }
}

diesel::table! {
    session_area (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        session_id -> Uuid,
        position -> Int2,
        area -> Text,
        side -> Text,
        needle_depth_mm -> Nullable<Numeric>,
        passes -> Nullable<Int2>,
        speed_rpm -> Nullable<Int4>,
        rf_energy_mj -> Nullable<Numeric>,
        rf_pulse_width_ms -> Nullable<Numeric>,
        endpoint -> Nullable<Text>,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    sign_in (token_hash) {
        token_hash -> Bytea,
        account_id -> Uuid,
        org_id -> Uuid,
        staff_id -> Uuid,
        created_at -> Timestamptz,
        last_seen_at -> Timestamptz,
        expires_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    sign_in_failure (kind, key_hash) {
        kind -> Text,
        key_hash -> Bytea,
        failures -> Int4,
        last_failed_at -> Timestamptz,
        blocked_until -> Timestamptz,
    }
}

diesel::table! {
    staff (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        account_id -> Uuid,
        email -> Text,
        role -> Text,
        display_name -> Text,
        licence_number -> Nullable<Text>,
        active -> Bool,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    treatment_session (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        practitioner_id -> Uuid,
        supervisor_id -> Nullable<Uuid>,
        location_id -> Uuid,
        status -> Text,
        started_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        modality -> Text,
        device -> Nullable<Jsonb>,
        skin_preparation -> Nullable<Text>,
        glide -> Nullable<Text>,
        anaesthetic -> Nullable<Jsonb>,
        pain_score -> Nullable<Int2>,
        immediate_reaction -> Nullable<Text>,
        note -> Nullable<Text>,
        stop_reason -> Nullable<Text>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Uuid,
        updated_at -> Timestamptz,
        updated_by -> Uuid,
        signed_at -> Nullable<Timestamptz>,
        signed_by -> Nullable<Uuid>,
        signature_meaning -> Nullable<Text>,
        content_hash -> Nullable<Bytea>,
    }
}

diesel::joinable!(access_log_head -> organisation (org_id));
diesel::joinable!(account_membership -> account (account_id));
diesel::joinable!(account_membership -> organisation (org_id));
diesel::joinable!(chart_counter -> organisation (org_id));
diesel::joinable!(idempotency -> organisation (org_id));
diesel::joinable!(ledger_head -> organisation (org_id));
diesel::joinable!(location -> organisation (org_id));
diesel::joinable!(patient -> organisation (org_id));
diesel::joinable!(sign_in -> account (account_id));
diesel::joinable!(staff -> account (account_id));
diesel::joinable!(staff -> organisation (org_id));

diesel::allow_tables_to_appear_in_same_query!(
    access_log,
    access_log_head,
    account,
    account_membership,
    addendum,
    aftercare_note,
    chart_counter,
    consultation,
    health_entry,
    idempotency,
    ledger,
    ledger_head,
    location,
    organisation,
    patient,
    patient_search,
    product_use,
    session_area,
    sign_in,
    sign_in_failure,
    staff,
    treatment_session,
);
