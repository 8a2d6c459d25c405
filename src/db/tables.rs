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
        reason -> Nullable<Text>,
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
    access_log_patient (org_id, patient_id, seq, at) {
        org_id -> Uuid,
        patient_id -> Uuid,
        seq -> Int8,
        at -> Timestamptz,
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
        totp_secret -> Nullable<Bytea>,
        totp_confirmed_at -> Nullable<Timestamptz>,
        totp_last_step -> Nullable<Int8>,
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
        moved_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    adverse_event (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        session_id -> Nullable<Uuid>,
        aftercare_note_id -> Nullable<Uuid>,
        lot_id -> Nullable<Uuid>,
        kind -> Text,
        description -> Nullable<Text>,
        onset_at -> Timestamptz,
        area -> Nullable<Text>,
        severity -> Text,
        serious -> Bool,
        expectedness -> Text,
        suspected_cause -> Nullable<Text>,
        causality -> Nullable<Text>,
        action_taken -> Nullable<Text>,
        outcome -> Text,
        resolved_at -> Nullable<Timestamptz>,
        reported_to -> Nullable<Text>,
        reported_at -> Nullable<Timestamptz>,
        report_reference -> Nullable<Text>,
        follow_ups -> Jsonb,
        entered_in_error -> Bool,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
        device_id -> Nullable<Uuid>,
        device_model -> Nullable<Text>,
        device_serial -> Nullable<Text>,
        reports -> Jsonb,
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
        signature_reason -> Nullable<Text>,
    }
}

diesel::table! {
    api_key (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        service_account_id -> Uuid,
        prefix -> Text,
        secret_hash -> Bytea,
        allowed_addresses -> Array<Nullable<Text>>,
        expires_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    api_key_use (secret_hash) {
        secret_hash -> Bytea,
        org_id -> Uuid,
        key_id -> Uuid,
        last_used_at -> Nullable<Timestamptz>,
        last_used_from -> Nullable<Text>,
    }
}

diesel::table! {
    chart_counter (org_id) {
        org_id -> Uuid,
        next_number -> Int8,
    }
}

diesel::table! {
    chart_review (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        agreement_id -> Uuid,
        reviewer_id -> Uuid,
        record_kind -> Text,
        record_id -> Uuid,
        signed_by -> Uuid,
        signed_at -> Timestamptz,
        due_on -> Date,
        outcome -> Nullable<Text>,
        note -> Nullable<Text>,
        reviewed_at -> Nullable<Timestamptz>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    clearance (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        prescriber_id -> Uuid,
        modalities -> Array<Nullable<Text>>,
        areas -> Array<Nullable<Text>>,
        in_person -> Bool,
        given_at -> Timestamptz,
        valid_until -> Nullable<Date>,
        note -> Nullable<Text>,
        revoked_at -> Nullable<Timestamptz>,
        revoked_by -> Nullable<Uuid>,
        revoke_reason -> Nullable<Text>,
        entered_in_error -> Bool,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    consent (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        template_version_id -> Uuid,
        kind -> Text,
        modalities -> Array<Nullable<Text>>,
        text_hash -> Bytea,
        status -> Text,
        signer -> Nullable<Text>,
        signer_name -> Nullable<Text>,
        signer_relationship -> Nullable<Text>,
        signature_method -> Nullable<Text>,
        signature_hash -> Nullable<Bytea>,
        given_at -> Nullable<Timestamptz>,
        witness_id -> Nullable<Uuid>,
        witness_name -> Nullable<Text>,
        expires_at -> Nullable<Timestamptz>,
        ended_at -> Nullable<Timestamptz>,
        ended_reason -> Nullable<Text>,
        note -> Nullable<Text>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    consent_signature (org_id, consent_id) {
        org_id -> Uuid,
        consent_id -> Uuid,
        media_type -> Text,
        image -> Bytea,
    }
}

diesel::table! {
    consent_template (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        name -> Text,
        kind -> Text,
        active -> Bool,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    consent_template_version (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        template_id -> Uuid,
        number -> Int4,
        status -> Text,
        text -> Text,
        text_hash -> Bytea,
        language -> Text,
        modalities -> Array<Nullable<Text>>,
        valid_days -> Nullable<Int4>,
        published_at -> Nullable<Timestamptz>,
        published_by -> Nullable<Uuid>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
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
        signature_reason -> Nullable<Text>,
    }
}

diesel::table! {
    countersignature (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        record_kind -> Text,
        record_id -> Uuid,
        signed_at -> Timestamptz,
        signed_by -> Uuid,
        meaning -> Text,
        reason -> Nullable<Text>,
        content_hash -> Bytea,
        moved_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    credential (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        staff_id -> Uuid,
        profession -> Text,
        number -> Text,
        body -> Text,
        jurisdiction -> Text,
        prescriber -> Bool,
        modalities -> Array<Nullable<Text>>,
        valid_from -> Nullable<Date>,
        expires_on -> Nullable<Date>,
        active -> Bool,
        note -> Nullable<Text>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    device (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        model -> Text,
        manufacturer -> Nullable<Text>,
        serial -> Nullable<Text>,
        kind -> Text,
        depth_min_mm -> Nullable<Numeric>,
        depth_max_mm -> Nullable<Numeric>,
        depth_step_mm -> Nullable<Numeric>,
        location_id -> Nullable<Uuid>,
        active -> Bool,
        recalled_at -> Nullable<Timestamptz>,
        recall_reason -> Nullable<Text>,
        note -> Nullable<Text>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    emergency_access (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        staff_id -> Uuid,
        reason -> Text,
        begun_at -> Timestamptz,
        ends_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        alerted_at -> Nullable<Timestamptz>,
        reviewed_at -> Nullable<Timestamptz>,
        reviewed_by -> Nullable<Uuid>,
        review_note -> Nullable<Text>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
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
        onset_precision -> Text,
        ended_precision -> Text,
        last_dose_precision -> Text,
    }
}

diesel::table! {
    health_review (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        reviewed_at -> Timestamptz,
        reviewed_by -> Uuid,
        allergies -> Nullable<Text>,
        medicines -> Nullable<Text>,
        conditions -> Nullable<Text>,
        pregnancy -> Nullable<Text>,
        note -> Nullable<Text>,
        entered_in_error -> Bool,
        error_reason -> Nullable<Text>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    health_term (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        code -> Text,
        term -> Text,
        language -> Nullable<Text>,
        active -> Bool,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
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
        rights -> Nullable<Array<Nullable<Text>>>,
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
        packed -> Nullable<Bytea>,
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
    legal_hold (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        reason -> Text,
        placed_at -> Timestamptz,
        placed_by -> Nullable<Uuid>,
        lifted_at -> Nullable<Timestamptz>,
        lifted_by -> Nullable<Uuid>,
        lift_reason -> Nullable<Text>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
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
        clearance -> Text,
        clearance_blocks -> Bool,
        age_of_consent -> Int2,
        consultation_in_person -> Bool,
    }
}

diesel::table! {
    name_piece (org_id, piece, word) {
        org_id -> Uuid,
        piece -> Int4,
        word -> Text,
    }
}

diesel::table! {
    one_time_token (token_hash) {
        token_hash -> Bytea,
        purpose -> Text,
        account_id -> Uuid,
        org_id -> Uuid,
        staff_id -> Uuid,
        tries -> Int4,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    organisation (org_id) {
        org_id -> Uuid,
        name -> Text,
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        second_factor_roles -> Array<Nullable<Text>>,
    }
}

diesel::table! {
    outcome_assessment (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        plan_id -> Nullable<Uuid>,
        session_id -> Nullable<Uuid>,
        scale -> Text,
        scale_version -> Text,
        area -> Nullable<Text>,
        score -> Numeric,
        rater_role -> Text,
        rater_id -> Nullable<Uuid>,
        assessed_at -> Timestamptz,
        compared_with_photo_id -> Nullable<Uuid>,
        photo_id -> Nullable<Uuid>,
        note -> Nullable<Text>,
        entered_in_error -> Bool,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    patient (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        chart_number -> Text,
        given_name -> Text,
        middle_name -> Nullable<Text>,
        family_name -> Nullable<Text>,
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
        details -> Jsonb,
        deceased_on -> Nullable<Date>,
    }
}

diesel::table! {
    patient_erasure (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        erased_at -> Timestamptz,
        erased_by -> Nullable<Uuid>,
        reason -> Text,
        authority -> Text,
        counts -> Jsonb,
        objects -> Jsonb,
        objects_deleted_at -> Nullable<Timestamptz>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
        emptied -> Nullable<Jsonb>,
    }
}

diesel::table! {
    patient_identifier (org_id, system, value) {
        org_id -> Uuid,
        system -> Text,
        value -> Text,
        patient_id -> Uuid,
    }
}

diesel::table! {
    patient_merge (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        from_id -> Uuid,
        into_id -> Uuid,
        merged_at -> Timestamptz,
        merged_by -> Nullable<Uuid>,
        reason -> Text,
        moved -> Jsonb,
        conflicts -> Jsonb,
        before -> Jsonb,
        undone_at -> Nullable<Timestamptz>,
        undone_by -> Nullable<Uuid>,
        undo_reason -> Nullable<Text>,
        kept -> Jsonb,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    patient_restriction (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        reason -> Text,
        placed_at -> Timestamptz,
        placed_by -> Nullable<Uuid>,
        lifted_at -> Nullable<Timestamptz>,
        lifted_by -> Nullable<Uuid>,
        lift_reason -> Nullable<Text>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    patient_search (org_id, word, patient_id) {
        org_id -> Uuid,
        word -> Text,
        patient_id -> Uuid,
    }
}

diesel::table! {
    photo (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        session_id -> Nullable<Uuid>,
        aftercare_note_id -> Nullable<Uuid>,
        adverse_event_id -> Nullable<Uuid>,
        status -> Text,
        status_reason -> Nullable<Text>,
        taken_at -> Timestamptz,
        phase -> Text,
        view -> Text,
        area -> Text,
        side -> Text,
        lighting -> Nullable<Text>,
        distance_cm -> Nullable<Int2>,
        make_up_free -> Nullable<Bool>,
        note -> Nullable<Text>,
        upload_expires_at -> Nullable<Timestamptz>,
        stored_at -> Nullable<Timestamptz>,
        content_hash -> Nullable<Bytea>,
        media_type -> Nullable<Text>,
        byte_size -> Nullable<Int4>,
        width -> Nullable<Int4>,
        height -> Nullable<Int4>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    product (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        name -> Text,
        manufacturer -> Nullable<Text>,
        role -> Text,
        intradermal_use -> Text,
        strength -> Nullable<Text>,
        active -> Bool,
        note -> Nullable<Text>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    product_lot (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        product_id -> Uuid,
        lot -> Text,
        expires_on -> Nullable<Date>,
        received_on -> Nullable<Date>,
        recalled_at -> Nullable<Timestamptz>,
        recall_reason -> Nullable<Text>,
        recall_reference -> Nullable<Text>,
        note -> Nullable<Text>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
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
        lot_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    protocol (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        name -> Text,
        copied_from -> Nullable<Uuid>,
        active -> Bool,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    protocol_version (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        protocol_id -> Uuid,
        number -> Int4,
        status -> Text,
        modality -> Text,
        indications -> Array<Nullable<Text>>,
        rules -> Jsonb,
        published_at -> Nullable<Timestamptz>,
        published_by -> Nullable<Uuid>,
        change_note -> Nullable<Text>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    rate_budget (kind, key_hash) {
        kind -> Text,
        key_hash -> Bytea,
        window_start -> Timestamptz,
        taken -> Int8,
    }
}

diesel::table! {
    recall (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        reason -> Text,
        plan_id -> Nullable<Uuid>,
        after_session_id -> Nullable<Uuid>,
        lot_id -> Nullable<Uuid>,
        due_from -> Date,
        due_until -> Date,
        status -> Text,
        snoozed_until -> Nullable<Date>,
        closed_reason -> Nullable<Text>,
        done_by_session_id -> Nullable<Uuid>,
        basis -> Text,
        attempts -> Jsonb,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    recovery_code (account_id, code_hash) {
        account_id -> Uuid,
        code_hash -> Bytea,
        created_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    refused_sign_in (id) {
        id -> Uuid,
        at -> Timestamptz,
        account_id -> Nullable<Uuid>,
        by_org -> Nullable<Uuid>,
        by_staff -> Nullable<Uuid>,
        request_id -> Text,
        operation -> Text,
        from_address -> Text,
    }
}

diesel::table! {
    replaced_token (token_hash) {
        token_hash -> Bytea,
        sign_in_id -> Uuid,
        replaced_at -> Timestamptz,
        reads_until -> Timestamptz,
    }
}

diesel::table! {
    retraction (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        record_kind -> Text,
        record_id -> Uuid,
        retracted_at -> Timestamptz,
        retracted_by -> Uuid,
        reason -> Text,
        copy_id -> Nullable<Uuid>,
        moved_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    service_account (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        name -> Text,
        scopes -> Array<Nullable<Text>>,
        active -> Bool,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
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
    session_check (org_id, session_id, position) {
        org_id -> Uuid,
        session_id -> Uuid,
        position -> Int2,
        rule -> Text,
        verdict -> Text,
        cause -> Text,
        record_kind -> Nullable<Text>,
        record_id -> Nullable<Uuid>,
        protocol_version_id -> Nullable<Uuid>,
        override_reason -> Nullable<Text>,
        override_by -> Nullable<Uuid>,
        override_supervisor_id -> Nullable<Uuid>,
        override_at -> Nullable<Timestamptz>,
        code -> Nullable<Text>,
        params -> Nullable<Jsonb>,
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
        id -> Uuid,
        client -> Text,
        from_address -> Text,
        by_cookie -> Bool,
        proved_at -> Nullable<Timestamptz>,
        second_factor -> Bool,
        network -> Nullable<Bytea>,
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
        invited_at -> Nullable<Timestamptz>,
        joined_at -> Nullable<Timestamptz>,
        ends_on -> Nullable<Date>,
        location_ids -> Array<Nullable<Uuid>>,
    }
}

diesel::table! {
    supervision_agreement (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        supervisor_id -> Uuid,
        supervisee_id -> Uuid,
        location_id -> Nullable<Uuid>,
        percent -> Int2,
        within_days -> Int2,
        starts_on -> Date,
        ends_on -> Nullable<Date>,
        note -> Nullable<Text>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    treatment_plan (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        consultation_id -> Uuid,
        protocol_version_id -> Uuid,
        concerns -> Array<Nullable<Text>>,
        areas -> Jsonb,
        planned_sessions -> Int2,
        status -> Text,
        status_reason -> Nullable<Text>,
        note -> Nullable<Text>,
        started_on -> Date,
        earlier_courses -> Jsonb,
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
        plan_id -> Nullable<Uuid>,
        protocol_version_id -> Nullable<Uuid>,
        device_id -> Nullable<Uuid>,
        signature_reason -> Nullable<Text>,
    }
}

diesel::table! {
    webhook (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        service_account_id -> Uuid,
        url -> Text,
        description -> Nullable<Text>,
        kinds -> Array<Nullable<Text>>,
        status -> Text,
        reason -> Nullable<Text>,
        status_at -> Timestamptz,
        starts_after -> Text,
        secret -> Bytea,
        secret_fingerprint -> Text,
        old_secret -> Nullable<Bytea>,
        old_secret_until -> Nullable<Timestamptz>,
        version -> Int4,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    webhook_delivery (org_id, id) {
        org_id -> Uuid,
        id -> Uuid,
        webhook_id -> Uuid,
        event_id -> Text,
        seq -> Nullable<Int8>,
        event_type -> Text,
        attempt -> Int4,
        at -> Timestamptz,
        duration_ms -> Int4,
        status_code -> Nullable<Int4>,
        error -> Nullable<Text>,
        next_try_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    webhook_place (org_id, webhook_id) {
        org_id -> Uuid,
        webhook_id -> Uuid,
        status -> Text,
        place -> Text,
        seq -> Int8,
        within -> Bool,
        lease -> Int8,
        holder -> Nullable<Uuid>,
        leased_until -> Nullable<Timestamptz>,
        failures -> Int4,
        failing_since -> Nullable<Timestamptz>,
        next_try_at -> Nullable<Timestamptz>,
        oldest_at -> Nullable<Timestamptz>,
        last_success_at -> Nullable<Timestamptz>,
        untold -> Bool,
    }
}

diesel::joinable!(access_log_head -> organisation (org_id));
diesel::joinable!(account_membership -> account (account_id));
diesel::joinable!(account_membership -> organisation (org_id));
diesel::joinable!(adverse_event -> organisation (org_id));
diesel::joinable!(api_key -> organisation (org_id));
diesel::joinable!(chart_counter -> organisation (org_id));
diesel::joinable!(consent -> organisation (org_id));
diesel::joinable!(consent_signature -> organisation (org_id));
diesel::joinable!(consent_template -> organisation (org_id));
diesel::joinable!(consent_template_version -> organisation (org_id));
diesel::joinable!(device -> organisation (org_id));
diesel::joinable!(emergency_access -> organisation (org_id));
diesel::joinable!(health_review -> organisation (org_id));
diesel::joinable!(health_term -> organisation (org_id));
diesel::joinable!(idempotency -> organisation (org_id));
diesel::joinable!(ledger_head -> organisation (org_id));
diesel::joinable!(legal_hold -> organisation (org_id));
diesel::joinable!(location -> organisation (org_id));
diesel::joinable!(one_time_token -> account (account_id));
diesel::joinable!(outcome_assessment -> organisation (org_id));
diesel::joinable!(patient -> organisation (org_id));
diesel::joinable!(patient_erasure -> organisation (org_id));
diesel::joinable!(patient_merge -> organisation (org_id));
diesel::joinable!(patient_restriction -> organisation (org_id));
diesel::joinable!(photo -> organisation (org_id));
diesel::joinable!(product -> organisation (org_id));
diesel::joinable!(product_lot -> organisation (org_id));
diesel::joinable!(protocol -> organisation (org_id));
diesel::joinable!(protocol_version -> organisation (org_id));
diesel::joinable!(recall -> organisation (org_id));
diesel::joinable!(recovery_code -> account (account_id));
diesel::joinable!(service_account -> organisation (org_id));
diesel::joinable!(sign_in -> account (account_id));
diesel::joinable!(staff -> account (account_id));
diesel::joinable!(staff -> organisation (org_id));
diesel::joinable!(treatment_plan -> organisation (org_id));

diesel::allow_tables_to_appear_in_same_query!(
    access_log,
    access_log_head,
    access_log_patient,
    account,
    account_membership,
    addendum,
    adverse_event,
    aftercare_note,
    api_key,
    api_key_use,
    chart_counter,
    chart_review,
    clearance,
    consent,
    consent_signature,
    consent_template,
    consent_template_version,
    consultation,
    countersignature,
    credential,
    device,
    emergency_access,
    health_entry,
    health_review,
    health_term,
    idempotency,
    ledger,
    ledger_head,
    legal_hold,
    location,
    name_piece,
    one_time_token,
    organisation,
    outcome_assessment,
    patient,
    patient_erasure,
    patient_identifier,
    patient_merge,
    patient_restriction,
    patient_search,
    photo,
    product,
    product_lot,
    product_use,
    protocol,
    protocol_version,
    rate_budget,
    recall,
    recovery_code,
    refused_sign_in,
    replaced_token,
    retraction,
    service_account,
    session_area,
    session_check,
    sign_in,
    sign_in_failure,
    staff,
    supervision_agreement,
    treatment_plan,
    treatment_session,
    webhook,
    webhook_delivery,
    webhook_place,
);
