//! Two charts of one person: found, made one without losing anything, and taken apart again.

use crate::access::merging;
use crate::ledger::{append, broken, enter};
use crate::support::*;
use std::collections::BTreeSet;
use uuid::Uuid;

pub const MERGE: &str = "merge { id version moved { kind count } conflicts { field from into taken } } patient { id version chartNumber email \
    status healthHistory { text } } moved { kind count } conflicts { field from into taken }";

/// A row in every table whose rows are a patient's, those of kinds without a maker by SQL, with a marker in their texts.
pub async fn everything(clinic: &Clinic, patient: &Made, marker: &str) {
    let (anna, sql, org) = (clinic.practitioner(), clinic.database.superuser().await, clinic.north.uuid);
    let entry = json!({"patientId": patient.id, "kind": "ALLERGY", "text": format!("Latex {marker}")});
    anna.make("addHealthEntry", "healthEntry", entry).await;
    let consultation = anna.consultation_with(patient, json!({"goals": marker})).await;
    let consultation = anna.sign_consultation(&consultation).await;
    anna.consultation(patient).await;
    let session = anna.session_with(patient, json!({"note": marker})).await;
    let session = anna.sign_session(&session).await;
    anna.session(patient).await;
    let note = json!({"sessionId": session.id, "kind": "INSTRUCTIONS_GIVEN", "text": marker});
    let note = anna.make("addAftercareNote", "aftercareNote", note).await;
    let note = anna.sign_note(&note).await;
    anna.make("addAddendum", "addendum", json!({"recordId": note.id, "reason": marker, "text": marker})).await;
    let hold = clinic.admin();
    let hold_input = json!({"patientId": patient.id, "reason": marker});
    let placed = hold.make("placeLegalHold", "legalHold", hold_input).await;
    hold.make("liftLegalHold", "legalHold", placed.edit_with(json!({"reason": marker}))).await;
    let restriction = json!({"patientId": patient.id, "reason": marker});
    let placed = hold.make("restrictPatient", "restriction", restriction).await;
    let lifting = placed.edit_with(json!({"reason": marker}));
    hold.because("To lift it").make("liftPatientRestriction", "restriction", lifting).await;
    // Its reason goes into the access log, which an erasure leaves: docs/privacy.md asks for reasons that name nobody.
    let emergency = json!({"patientId": patient.id, "reason": "Unconscious at the door"});
    let begun = hold.make("beginEmergencyAccess", "emergencyAccess", emergency).await;
    hold.make("endEmergencyAccess", "emergencyAccess", json!({"id": begun.id})).await;
    let (patient, consultation, session) = (uuid_of(&patient.id), uuid_of(&consultation.id), uuid_of(&session.id));
    let id = Uuid::now_v7;
    let (protocol, protocol_version, template, template_version) = (id(), id(), id(), id());
    let (plan, consent, photo, event, outcome, recall) = (id(), id(), id(), id(), id(), id());
    let stamp = "1, now(), now()";
    let stamps = "version, created_at, updated_at";
    for statement in [
        format!(
            "INSERT INTO protocol (org_id, id, name, active, {stamps}) VALUES ('{org}', '{protocol}', '{protocol}', true, {stamp})"
        ),
        format!(
            "INSERT INTO protocol_version (org_id, id, protocol_id, number, status, modality, indications, rules, {stamps}) \
            VALUES ('{org}', '{protocol_version}', '{protocol}', 1, 'draft', 'prp', '{{}}', '{{}}', {stamp})"
        ),
        format!(
            "INSERT INTO treatment_plan (org_id, id, patient_id, consultation_id, protocol_version_id, concerns, areas, planned_sessions, \
            status, note, started_on, earlier_courses, {stamps}) VALUES ('{org}', '{plan}', '{patient}', '{consultation}', \
            '{protocol_version}', '{{}}', '[]', 4, 'active', '{marker}', '2026-01-01', '[]', {stamp})"
        ),
        format!(
            "INSERT INTO consent_template (org_id, id, name, kind, active, {stamps}) VALUES ('{org}', '{template}', '{template}', 'data', true, {stamp})"
        ),
        format!(
            "INSERT INTO consent_template_version (org_id, id, template_id, number, status, text, text_hash, language, modalities, {stamps}) \
            VALUES ('{org}', '{template_version}', '{template}', 1, 'draft', 'I agree', sha256('x'), 'en', '{{}}', {stamp})"
        ),
        format!(
            "INSERT INTO consent (org_id, id, patient_id, template_version_id, kind, modalities, text_hash, status, note, {stamps}) \
            VALUES ('{org}', '{consent}', '{patient}', '{template_version}', 'data', '{{}}', sha256('x'), 'draft', '{marker}', {stamp})"
        ),
        format!(
            "INSERT INTO consent_signature (org_id, consent_id, media_type, image) VALUES ('{org}', '{consent}', 'image/png', '{marker}')"
        ),
        format!(
            "INSERT INTO adverse_event (org_id, id, patient_id, session_id, kind, description, onset_at, severity, serious, expectedness, \
            outcome, follow_ups, entered_in_error, {stamps}) VALUES ('{org}', '{event}', '{patient}', '{session}', 'pain', '{marker}', now(), 'mild', \
            false, 'expected', 'ongoing', '[]', false, {stamp})"
        ),
        format!(
            "INSERT INTO photo (org_id, id, patient_id, session_id, adverse_event_id, status, taken_at, phase, view, area, side, note, stored_at, \
            content_hash, media_type, byte_size, width, height, {stamps}) VALUES ('{org}', '{photo}', '{patient}', '{session}', '{event}', 'stored', \
            now(), 'before', 'frontal', 'nose', 'midline', '{marker}', now(), sha256('{patient}'), 'image/png', 1, 1, 1, {stamp})"
        ),
        format!(
            "INSERT INTO outcome_assessment (org_id, id, patient_id, plan_id, photo_id, scale, scale_version, score, rater_role, assessed_at, note, \
            entered_in_error, {stamps}) VALUES ('{org}', '{outcome}', '{patient}', '{plan}', '{photo}', 'gais', '1', 2, 'patient', now(), '{marker}', false, {stamp})"
        ),
        format!(
            "INSERT INTO recall (org_id, id, patient_id, reason, plan_id, due_from, due_until, status, basis, attempts, {stamps}) \
            VALUES ('{org}', '{recall}', '{patient}', 'maintenance', '{plan}', '2026-01-01', '2026-02-01', 'open', '{marker}', '[]', {stamp})"
        ),
    ] {
        sql.run(&statement).await;
    }
    for (kind, record) in [
        ("treatment_plan", plan),
        ("consent", consent),
        ("photo", photo),
        ("adverse_event", event),
        ("outcome_assessment", outcome),
        ("recall", recall),
    ] {
        let content = json!({"id": record, "patient_id": patient, "note": marker, "version": 1});
        append(&sql, org, (kind, record), patient, &content).await;
    }
}

/// The tables that the catalog says have a patient's rows.
async fn tables_of_patients(sql: &Sql) -> BTreeSet<String> {
    let tables = "SELECT relname FROM pg_class c JOIN pg_attribute ON attrelid = c.oid WHERE attname = 'patient_id' AND relkind IN ('r', 'p') \
        AND NOT relispartition AND relnamespace = 'public'::regnamespace";
    // The ledger's entries stay where they were made, an erasure is of nobody, and what is searched for is the patient's
    // own: the erasing function names it.
    // The access log keeps whom it was about, of who was erased too.
    let apart = ["ledger", "patient_erasure", "patient_search", "access_log_patient"];
    sql.column(tables).await.into_iter().filter(|table| !apart.contains(&table.as_str())).collect()
}

/// What moving and erasing would forget: tables, parts of them, links between them.
async fn forgotten(sql: &Sql) -> Vec<String> {
    let known: BTreeSet<String> = sql.column("SELECT name FROM patient_tables()").await.into_iter().collect();
    let mut missing: Vec<String> = tables_of_patients(sql).await.symmetric_difference(&known).cloned().collect();
    let references = sql
        .rows(
            "SELECT f.relname, t.relname, (SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[array_length(conkey, 1)]) \
            FROM pg_constraint o JOIN pg_class f ON f.oid = conrelid JOIN pg_class t ON t.oid = confrelid WHERE contype = 'f'",
        )
        .await;
    let linked = sql.column("SELECT name || '.' || unnest(hangs_on) FROM patient_tables() UNION SELECT name || '.' || by_column FROM patient_parts()").await;
    for row in references {
        let [Some(child), Some(parent), Some(column)] = row.as_slice() else { panic!("{row:?}") };
        let link = format!("{child}.{column}");
        if known.contains(parent) && !linked.contains(&link) {
            missing.push(link);
        }
    }
    missing
}

#[tokio::test(flavor = "multi_thread")]
async fn no_table_of_patients_is_forgotten() {
    let database = Database::copy().await;
    let sql = database.superuser().await;
    assert_eq!(forgotten(&sql).await, [""; 0], "give them a row in patient_tables() or patient_parts()");
    assert!(tables_of_patients(&sql).await.len() >= 12);
    sql.run("CREATE TABLE tattoo (org_id uuid, id uuid, patient_id uuid, PRIMARY KEY (org_id, id))").await;
    sql.run("CREATE TABLE ink (org_id uuid, id uuid, session_id uuid, FOREIGN KEY (org_id, session_id) REFERENCES treatment_session (org_id, id))").await;
    assert_eq!(forgotten(&sql).await, ["tattoo", "ink.session_id"], "a forgotten table is noticed");
    // Parents before children, else erasing can't work.
    let order = sql.column("SELECT name FROM patient_tables() ORDER BY place").await;
    let references = sql
        .rows("SELECT DISTINCT conrelid::regclass, confrelid::regclass FROM pg_constraint WHERE contype = 'f'")
        .await;
    let place = |name: &Option<String>| order.iter().position(|table| Some(table) == name.as_ref());
    for row in references {
        if let (Some(child), Some(parent)) = (place(&row[0]), place(&row[1])) {
            assert!(parent < child, "{row:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_two_functions_are_the_applications_and_keep_to_its_organisation() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (from, into) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Zoë", "Ramírez").await);
    let foreign = clinic.stranger().patient("Zoë", "Ramírez").await;
    anna.signed_session(&from).await;
    let [from, into, foreign] = [&from, &into, &foreign].map(|patient| uuid_of(&patient.id));
    // Whatever it enters in its own ledger, an organisation moves and erases nothing of another.
    for (org, sides) in [(clinic.south.uuid, (from, into)), (clinic.north.uuid, (from, foreign))] {
        let app = clinic.database.app(Some(org)).await;
        app.run("SET app.opened = 'all'; BEGIN").await;
        let content = json!({"from_id": sides.0, "into_id": sides.1, "undone_at": null});
        let entry = enter(&app, org, ("merge", "patient_merge", Uuid::now_v7()), Some(sides.1), &content).await;
        let refused = app.try_run(&format!("SELECT move_patient_records({entry}, {entry})")).await;
        assert!(refused.expect_err("another organisation's").starts_with("P0001 no merge of two patients"));
        app.run("ROLLBACK; BEGIN").await;
        let content = json!({"erased_id": foreign, "counts": {}, "objects": [], "emptied": []});
        let erased = if org == clinic.south.uuid { json!({"erased_id": from}) } else { content.clone() };
        let entry = enter(&app, org, ("erase", "patient_erasure", Uuid::now_v7()), None, &erased).await;
        let refused = app.try_run(&format!("SELECT erase_patient_records({entry})")).await;
        assert_eq!(refused.expect_err("another organisation's"), "P0001 no such patient");
        app.run("ROLLBACK").await;
    }
    let app = clinic.database.app(None).await;
    for call in ["move_patient_records(1, 1)", "erase_patient_records(1)"] {
        let refused = app.try_run(&format!("SELECT {call}")).await.expect_err("of no organisation");
        assert!(refused.starts_with("P0001"), "{call}: {refused}");
    }
    let app = clinic.database.app(Some(clinic.north.uuid)).await;
    // The setting that opens the policies is of no use to anybody but the functions.
    app.run(&format!("SET app.moving_patient = '{from}'; SET app.erasing_patients = '{from}'")).await;
    assert_eq!(app.run(&format!("UPDATE treatment_session SET patient_id = '{into}'")).await, 0);
    assert!(app.try_run("DELETE FROM treatment_session").await.expect_err("no right").starts_with("42501"));
    assert!(
        app.try_run("UPDATE ledger SET content = NULL, salt = NULL").await.expect_err("no right").starts_with("42501")
    );
}

/// An entry that a test makes: what was done, to what kind of record, to which, whose it is then, and what it says.
type Told = (&'static str, &'static str, Uuid, Uuid, Value);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_moves_but_what_the_ledger_was_told_in_the_same_transaction() {
    let clinic = Clinic::start().await;
    let (anna, org) = (clinic.practitioner(), clinic.north.uuid);
    let patient = async || anna.patient("Zoë", "Ramírez").await;
    let (from, into, other) = (patient().await, patient().await, patient().await);
    let [session, note] = {
        let session = anna.signed_session(&from).await;
        let note = anna.signed_note(&session).await;
        [session, note].map(|it| uuid_of(&it.id))
    };
    let foreign = uuid_of(&anna.signed_session(&other).await.id);
    let [from, into, other] = [&from, &into, &other].map(|it| uuid_of(&it.id));
    let app = clinic.database.app(Some(org)).await;
    app.run("SET app.opened = 'all'").await;
    let of = |kind: &'static str, record: Uuid| -> Told { ("merge", kind, record, into, json!({"patient_id": into})) };
    let whole = [of("treatment_session", session), of("aftercare_note", note)];
    let with = |at: usize, change: &dyn Fn(&mut Told)| {
        let mut entries = whole.to_vec();
        change(&mut entries[at]);
        entries
    };
    let merge: Told =
        ("merge", "patient_merge", Uuid::now_v7(), into, json!({"from_id": from, "into_id": into, "undone_at": null}));
    let merge_of = |more: Value| {
        let mut merge = merge.clone();
        merge.4.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        merge
    };
    let attempt = async |entries: &[Told], merge: &Told| {
        app.run("BEGIN").await;
        let mut first = None;
        for (action, kind, record, patient, content) in entries.iter().chain([merge]) {
            let seq = enter(&app, org, (*action, *kind, *record), Some(*patient), content).await;
            first = first.or(Some(seq));
        }
        let last = first.expect("an entry") + i64::try_from(entries.len()).expect("a number");
        let done = app.try_run(&format!("SELECT move_patient_records({}, {last})", first.expect("an entry"))).await;
        let owner = match done {
            Ok(_) => app.one(&format!("SELECT patient_id FROM treatment_session WHERE id = '{session}'")).await,
            Err(why) => why,
        };
        app.run("ROLLBACK").await;
        owner
    };
    assert_eq!(attempt(&whole, &merge).await, into.to_string(), "as it should be");
    let wrong: Vec<(&str, Vec<Told>, Told)> = vec![
        ("no entry of the record", vec![], merge.clone()),
        ("one is left behind", whole[..1].to_vec(), merge.clone()),
        ("a record of somebody else", [whole.to_vec(), vec![of("treatment_session", foreign)]].concat(), merge.clone()),
        ("another kind", with(0, &|it| it.1 = "consultation"), merge.clone()),
        ("another action", with(0, &|it| it.0 = "update"), merge.clone()),
        ("another owner", with(0, &|it| it.3 = other), merge.clone()),
        ("another owner in the content", with(0, &|it| it.4 = json!({"patient_id": other})), merge.clone()),
        ("a kind that has no table", with(0, &|it| it.1 = "staff"), merge.clone()),
        ("another merge", whole.to_vec(), merge_of(json!({"from_id": other}))),
        ("the other way round", whole.to_vec(), merge_of(json!({"undone_at": "2026-01-01T00:00:00Z"}))),
        ("into itself", whole.to_vec(), merge_of(json!({"into_id": from}))),
        ("an update of a merge", whole.to_vec(), ("update", merge.1, merge.2, merge.3, merge.4.clone())),
    ];
    for (what, entries, merge) in wrong {
        let refused = attempt(&entries, &merge).await;
        assert!(refused.starts_with("P0001"), "{what}: {refused}");
    }
    // What a transaction before this one entered is of no use.
    app.run("BEGIN").await;
    let first = enter(&app, org, ("merge", "treatment_session", session), Some(into), &whole[0].4).await;
    enter(&app, org, ("merge", "aftercare_note", note), Some(into), &whole[1].4).await;
    app.run("COMMIT; BEGIN").await;
    let last = enter(&app, org, ("merge", "patient_merge", merge.2), Some(into), &merge.4).await;
    let refused = app.try_run(&format!("SELECT move_patient_records({first}, {last})")).await;
    assert!(refused.as_ref().is_err_and(|why| why.starts_with("P0001 entries of this")), "{refused:?}");
    app.run("ROLLBACK; BEGIN").await;
    let last = enter(&app, org, ("merge", "patient_merge", merge.2), Some(into), &merge.4).await;
    app.run("COMMIT").await;
    let refused = app.try_run(&format!("SELECT move_patient_records({last}, {last})")).await;
    assert!(refused.is_err_and(|why| why.starts_with("P0001 no merge of two")));
}

// --- Possible duplicates ---------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn possible_duplicates_are_scored_and_explained() {
    let clinic = Clinic::start().await;
    let desk = clinic.front_desk();
    let born = |day: &str, phone: Option<&str>| json!({"birthDate": day, "phone": phone});
    let zoe = desk.patient_with("Zoë", "Ramírez", born("1990-05-07", Some("+34600123456"))).await;
    let same = desk.patient_with("Zoe", "Ramirez", born("1990-05-07", Some("+34 600 12 34 56"))).await;
    let misspelt = desk.patient_with("Zoe", "Ramires", born("1990-05-07", None)).await;
    let swapped = desk.patient_with("Ramírez", "Zoë", born("1990-07-05", None)).await;
    let married = desk.patient_with("Zoë", "Sol", born("1990-05-07", Some("+34600123456"))).await;
    desk.patient_with("Ian", "Smith", born("1990-05-07", None)).await;
    desk.patient_with("Zoë", "Ramírez", born("1950-11-30", None)).await;
    clinic.stranger().patient_with("Zoë", "Ramírez", born("1990-05-07", Some("+34600123456"))).await;
    let query = "query ($id: ID!, $first: Int) { possibleDuplicates(patientId: $id, first: $first) { score patient { id } reasons { field explanation weight } } }";
    let found = desk.graphql(query, json!({"id": zoe.id})).await.ok()["possibleDuplicates"].clone();
    let found = found.as_array().expect("a list");
    let ids: Vec<&str> = found.iter().filter_map(|it| it["patient"]["id"].as_str()).collect();
    assert_eq!(ids[0], same.id);
    let all: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(all, [&same, &misspelt, &swapped, &married].map(|it| it.id.as_str()).into());
    assert_eq!((&found[0]["score"], found[0]["reasons"].as_array().map(Vec::len)), (&json!(1.0), Some(3)));
    for duplicate in found {
        let reasons = duplicate["reasons"].as_array().expect("reasons");
        let sum: f64 = reasons.iter().filter_map(|it| it["weight"].as_f64()).sum();
        assert!((sum.min(1.0) - duplicate["score"].as_f64().expect("a score")).abs() < 0.001, "{duplicate}");
    }
    let scores: Vec<f64> = found.iter().filter_map(|it| it["score"].as_f64()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    let one = desk.graphql(query, json!({"id": zoe.id, "first": 1})).await.ok();
    assert_eq!(one["possibleDuplicates"].as_array().map(Vec::len), Some(1));
    assert_eq!(desk.graphql(query, json!({"id": zoe.id, "first": 51})).await.outcome(), "BAD_USER_INPUT");
    assert_eq!(clinic.stranger().graphql(query, json!({"id": zoe.id})).await.outcome(), "NOT_FOUND");
}

// --- Merging ---------------------------------------------------------------------------------------------------------

/// Every row of every table that holds something of patients, but for what a merge may leave changed.
async fn rows(sql: &Sql) -> Vec<String> {
    let mut tables = sql.column("SELECT name FROM patient_tables() UNION SELECT name FROM patient_parts()").await;
    tables.push("patient_search".to_owned());
    let mut found = Vec::new();
    for table in tables {
        found.extend(sql.column(&format!("SELECT '{table} ' || t::text FROM {table} AS t ORDER BY 1")).await);
    }
    found.extend(
        sql.column("SELECT (to_jsonb(p) - 'version' - 'updated_at' - 'updated_by')::text FROM patient p ORDER BY id")
            .await,
    );
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_moves_and_everything_goes_back() {
    let clinic = Clinic::start().await;
    let (anna, sql, org) = (clinic.practitioner(), clinic.database.superuser().await, clinic.north.uuid);
    let from = anna
        .patient_with(
            "Zoe",
            "Ramirez",
            json!({"email": "zoe@x.example", "phone": "+34600000001", "chartNumber": "P-000001"}),
        )
        .await;
    let into = anna
        .patient_with("Zoë", "Ramírez", json!({"phone": "+34600000002", "gender": "woman", "chartNumber": "P-000002"}))
        .await;
    everything(&clinic, &from, "first").await;
    everything(&clinic, &into, "second").await;
    let before = rows(&sql).await;
    let hashes = "SELECT string_agg(id || encode(content_hash, 'hex'), ' ' ORDER BY id) FROM treatment_session WHERE signed_at IS NOT NULL";
    let sealed = sql.one(hashes).await;
    let entries = || sql.one("SELECT count(*) FROM ledger");
    let count = entries().await;

    // A dry run shows and writes nothing.
    let dry =
        anna.does("mergePatients", merging(&from, &into, json!({"dryRun": true})), MERGE).await.ok()["mergePatients"]
            .clone();
    assert_eq!((&dry["merge"], entries().await, rows(&sql).await), (&Value::Null, count.clone(), before.clone()));
    let fields: Vec<&str> =
        dry["conflicts"].as_array().expect("a list").iter().filter_map(|it| it["field"].as_str()).collect();
    assert_eq!(fields, ["LEGAL_NAME", "PHONE"]);
    assert_eq!(
        dry["conflicts"][1],
        json!({"field": "PHONE", "from": "+34600000001", "into": "+34600000002", "taken": null})
    );
    // Nothing is merged over the caller's head.
    let refused = anna.does("mergePatients", merging(&from, &into, json!({})), MERGE).await;
    assert_eq!((refused.outcome().as_str(), refused.faults().len()), ("BAD_USER_INPUT", 2), "{}", refused.text);
    assert!(refused.text.contains("phone") && refused.text.contains("legal name"), "{}", refused.text);

    let decided = json!({"resolution": [{"field": "LEGAL_NAME", "take": "INTO"}, {"field": "PHONE", "take": "FROM"}]});
    let done = anna.does("mergePatients", merging(&from, &into, decided), MERGE).await.ok()["mergePatients"].clone();
    assert_eq!(done["moved"], dry["moved"], "as the dry run said");
    assert_eq!(done["moved"].as_array().map(Vec::len), Some(14), "{}", done["moved"]);
    assert_eq!(done["conflicts"][1]["taken"], "FROM");
    assert_eq!((&done["patient"]["id"], &done["patient"]["email"]), (&json!(into.id), &json!("zoe@x.example")));
    let texts: Vec<&str> = done["patient"]["healthHistory"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| it["text"].as_str())
        .collect();
    assert_eq!(texts, ["Latex second", "Latex first"], "no allergy is lost");
    for table in sql.column("SELECT name FROM patient_tables()").await {
        let left = sql.one(&format!("SELECT count(*) FROM {table} WHERE patient_id = '{}'", uuid_of(&from.id))).await;
        assert_eq!(left, "0", "{table}");
    }
    assert_eq!(sql.one(hashes).await, sealed, "what was signed is as it was signed");
    // Each moved record has its entry, under the new patient; the last is the merge's own.
    let moved: i64 = done["moved"].as_array().expect("a list").iter().filter_map(|it| it["count"].as_i64()).sum();
    let added: i64 = entries().await.parse::<i64>().unwrap() - count.parse::<i64>().unwrap();
    assert_eq!(added, moved + 3);
    assert_eq!(broken(&sql, "ledger", org).await, None);
    let stale = "SELECT count(*) FROM ledger l WHERE action = 'merge' AND record_kind NOT IN ('patient', 'patient_merge') AND \
        (content::jsonb ->> 'patient_id') IS DISTINCT FROM patient_id::text";
    assert_eq!(sql.one(stale).await, "0");

    // Both charts can still be read, and both numbers find the patient.
    let query = "query ($id: ID!) { patient(id: $id) { status mergedInto { id } chartNumber merges { id } sessions { totalCount } } }";
    let old = anna.graphql(query, json!({"id": from.id})).await.ok()["patient"].clone();
    assert_eq!(
        (&old["status"], &old["mergedInto"]["id"], &old["sessions"]["totalCount"]),
        (&json!("MERGED"), &json!(into.id), &json!(0))
    );
    let search = "query ($text: String!, $status: [PatientStatus!]) { patients(search: $text, filter: {status: $status}) { totalCount nodes { id } } }";
    for text in ["P-000001", "P-000002", "zoe@x.example"] {
        let found = anna.graphql(search, json!({"text": text})).await.ok();
        assert_eq!(found["patients"]["nodes"], json!([{"id": into.id}]), "{text}");
    }
    let merged = anna.graphql(search, json!({"text": "P-000001", "status": ["MERGED"]})).await.ok();
    assert_eq!(merged["patients"]["nodes"], json!([{"id": from.id}]));

    // A retry gives the same; the other way round there is nothing to merge any more.
    let merge = done["merge"]["id"].clone();
    let undone = anna
        .does(
            "unmergePatients",
            json!({"mergeId": merge, "reason": "Twins"}),
            "merge { undoReason kept } from { status } into { phone }",
        )
        .await;
    let undone = undone.ok()["unmergePatients"].clone();
    assert_eq!(
        undone,
        json!({"merge": {"undoReason": "Twins", "kept": []}, "from": {"status": "ACTIVE"}, "into": {"phone": "+34600000002"}})
    );
    let after = rows(&sql).await;
    let gone: Vec<&String> = before.iter().filter(|row| !after.contains(row)).collect();
    let new: Vec<&String> = after.iter().filter(|row| !before.contains(row)).collect();
    assert!(gone.is_empty() && new.is_empty(), "{gone:#?}\n{new:#?}");
    assert_eq!(sql.one(hashes).await, sealed);
    assert_eq!(broken(&sql, "ledger", org).await, None);
    let again = anna.does("unmergePatients", json!({"mergeId": merge, "reason": "Twins"}), "merge { id }").await;
    assert_eq!(again.outcome(), "BAD_USER_INPUT");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_since_stays_and_what_hangs_on_a_moved_record_goes_back_with_it() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let from = anna.patient_with("Zoë", "Ramírez", json!({"email": "a@x.example"})).await;
    let into = anna.patient("Zoë", "Ramírez").await;
    let session = anna.signed_session(&from).await;
    let merge = anna.make("mergePatients", "merge", merging(&from, &into, json!({}))).await;
    let since = anna.health_entry(&into).await;
    let note = anna.note(&session).await;
    anna.addendum(&session).await;
    let edit = json!({"id": into.id, "expectedVersion": 2, "patch": {"email": "new@x.example"}});
    anna.make("updatePatient", "patient", edit).await;
    let undone =
        anna.does("unmergePatients", json!({"mergeId": merge.id, "reason": "Twins"}), "merge { kept }").await.ok();
    assert_eq!(undone["unmergePatients"]["merge"]["kept"], json!(["EMAIL"]));
    let query = "query ($id: ID!) { patient(id: $id) { email status healthHistory { id } aftercareNotes { nodes { id } } \
        sessions { nodes { id addenda { totalCount } } } } }";
    let of = async |patient: &Made| anna.graphql(query, json!({"id": patient.id})).await.ok()["patient"].clone();
    let (first, second) = (of(&from).await, of(&into).await);
    assert_eq!(
        first,
        json!({"email": "a@x.example", "status": "ACTIVE", "healthHistory": [], "aftercareNotes": {"nodes": [{"id": note.id}]},
        "sessions": {"nodes": [{"id": session.id, "addenda": {"totalCount": 1}}]}})
    );
    assert_eq!(
        second,
        json!({"email": "new@x.example", "status": "ACTIVE", "healthHistory": [{"id": since.id}], "aftercareNotes": {"nodes": []},
        "sessions": {"nodes": []}})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_follow_each_other_and_are_undone_in_turn() {
    let clinic = Clinic::start().await;
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    let mut made = Vec::new();
    for number in ["P-000001", "P-000002", "P-000003"] {
        made.push(anna.patient_with("Zoë", "Ramírez", json!({"chartNumber": number})).await);
    }
    anna.health_entry(&made[0]).await;
    let before = rows(&sql).await;
    let first = anna.make("mergePatients", "merge", merging(&made[0], &made[1], json!({}))).await;
    made[1].version += 1;
    let second = anna.make("mergePatients", "merge", merging(&made[1], &made[2], json!({}))).await;
    let query = "query ($id: ID!) { patient(id: $id) { mergedInto { id } } }";
    for patient in &made[..2] {
        let found = anna.graphql(query, json!({"id": patient.id})).await.ok();
        assert_eq!(found["patient"]["mergedInto"]["id"], json!(made[2].id), "who was merged goes along");
    }
    let found = anna.ask("{ patients(search: \"P-000001\") { nodes { id } } }").await;
    assert_eq!(found["patients"]["nodes"], json!([{"id": made[2].id}]));
    let undo = async |merge: &Made| {
        anna.does("unmergePatients", json!({"mergeId": merge.id, "reason": "x"}), "merge { id }").await
    };
    let early = undo(&first).await;
    assert_eq!((early.outcome().as_str(), early.faults()), ("BAD_USER_INPUT", vec!["input.mergeId"]), "{}", early.text);
    undo(&second).await.ok();
    undo(&first).await.ok();
    assert_eq!(rows(&sql).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_merged_says_why() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (a, b, c) = (anna.patient("A", "Sol").await, anna.patient("A", "Sol").await, anna.patient("A", "Sol").await);
    let send = async |input: Value| anna.does("mergePatients", input, "merge { id }").await;
    let itself = send(merging(&a, &a, json!({}))).await;
    assert_eq!((itself.outcome().as_str(), itself.faults()), ("BAD_USER_INPUT", vec!["input.intoId"]));
    let foreign = clinic.stranger().patient("A", "Sol").await;
    let across = send(merging(&foreign, &a, json!({}))).await;
    assert_eq!((across.outcome().as_str(), across.faults()), ("BAD_USER_INPUT", vec!["input.fromId"]));
    let idle = send(merging(&a, &b, json!({"resolution": [{"field": "PHONE", "take": "FROM"}]}))).await;
    assert_eq!(idle.faults(), ["input.resolution.0.field"]);
    let mut stale = merging(&a, &b, json!({}));
    stale["expectedVersions"]["into"] = json!(7);
    assert_eq!(send(stale).await.outcome(), "CONFLICT");
    send(merging(&a, &b, json!({}))).await.ok();
    let (a, b) = (Made { version: 2, ..a }, Made { version: 2, ..b });
    assert_eq!(send(merging(&a, &b, json!({}))).await.faults(), ["input.fromId"], "merged already");
    assert_eq!(send(merging(&c, &a, json!({}))).await.faults(), ["input.intoId"], "merged already");
    let input = json!({"patientId": a.id, "kind": "ALLERGY", "text": "Latex"});
    assert_eq!(anna.does("addHealthEntry", input, "__typename").await.faults(), ["input.patientId"]);
    // The same picture in both charts.
    let (sql, org) = (clinic.database.superuser().await, clinic.north.uuid);
    for patient in [&b, &c] {
        sql.run(&format!("INSERT INTO photo (org_id, id, patient_id, status, taken_at, phase, view, area, side, stored_at, content_hash, media_type, \
            byte_size, width, height, version, created_at, updated_at) VALUES ('{org}', gen_random_uuid(), '{}', 'stored', now(), 'before', 'frontal', \
            'nose', 'midline', now(), sha256('x'), 'image/png', 1, 1, 1, 1, now(), now())", uuid_of(&patient.id))).await;
    }
    let twice = send(merging(&c, &b, json!({}))).await;
    assert_eq!((twice.faults(), twice.text.contains("the same picture")), (vec!["input.fromId"], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_merges_at_once_one_wins_and_nothing_written_meanwhile_is_lost() {
    let clinic = Clinic::with(&["--pool-wait", "10s"]).await;
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    for round in 0..5 {
        let family = format!("Sol {round}");
        let (a, b, c) =
            (anna.patient("A", &family).await, anna.patient("A", &family).await, anna.patient("A", &family).await);
        let session = anna.session(&a).await;
        let merge = async |from: &Made, into: &Made| {
            anna.does("mergePatients", merging(from, into, json!({})), "merge { id }").await
        };
        let entry = json!({"patientId": a.id, "kind": "ALLERGY", "text": "Latex"});
        let writes =
            futures::future::join_all((0..8).map(|_| anna.does("addHealthEntry", entry.clone(), "healthEntry { id }")));
        let edit = anna.does("updateSession", session.edit_with(json!({"patch": {"note": "x"}})), "session { id }");
        let (one, two, three, written, edited) =
            futures::join!(merge(&a, &b), merge(&a, &c), merge(&b, &a), writes, edit);
        let merges = [one.outcome(), two.outcome(), three.outcome()];
        assert_eq!(merges.iter().filter(|it| *it == "ok").count(), 1, "{merges:?}");
        assert!(merges.iter().all(|it| it == "ok" || it == "CONFLICT"), "{merges:?}");
        for answer in written.iter().chain([&edited]) {
            assert!(["ok", "CONFLICT", "BAD_USER_INPUT"].contains(&answer.outcome().as_str()), "{}", answer.text);
        }
        // Nothing hangs on a chart that is closed.
        for table in ["health_entry", "treatment_session"] {
            let lost = format!(
                "SELECT count(*) FROM {table} t JOIN patient p ON p.id = t.patient_id WHERE p.status = 'merged'"
            );
            assert_eq!(sql.one(&lost).await, "0", "{table} in round {round}");
        }
        let differ = "SELECT count(*) FROM treatment_session s WHERE s.patient_id::text <> (SELECT content::jsonb ->> 'patient_id' FROM ledger l \
            WHERE l.record_id = s.id ORDER BY seq DESC LIMIT 1)";
        assert_eq!(sql.one(differ).await, "0");
    }
    assert_eq!(broken(&sql, "ledger", clinic.north.uuid).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_merge_is_the_first_one_again() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (from, into) = (anna.patient("A", "Sol").await, anna.patient("A", "Sol").await);
    anna.health_entry(&from).await;
    let input = merging(&from, &into, json!({"id": new_id("merge")}));
    let first = anna.does("mergePatients", input.clone(), MERGE).await.ok();
    let entries = clinic.database.superuser().await.one("SELECT count(*) FROM ledger").await;
    assert_eq!(anna.does("mergePatients", input, MERGE).await.ok(), first);
    assert_eq!(clinic.database.superuser().await.one("SELECT count(*) FROM ledger").await, entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_into_one_patient_are_taken_back_the_newest_first() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let first = anna.patient_with("Zoë", "Ramírez", json!({"phone": "+34600000001"})).await;
    let second = anna.patient_with("Zoë", "Ramírez", json!({"phone": "+34600000003"})).await;
    let mut into = anna.patient("Zoë", "Ramírez").await;
    let one = anna.make("mergePatients", "merge", merging(&first, &into, json!({}))).await;
    into.version += 1;
    let taken = json!({"resolution": [{"field": "PHONE", "take": "FROM"}]});
    let two = anna.make("mergePatients", "merge", merging(&second, &into, taken)).await;
    let undo = async |merge: &Made| {
        anna.does("unmergePatients", json!({"mergeId": merge.id, "reason": "x"}), "into { phone }").await
    };
    // The first one's phone would stay with who was merged with them by mistake.
    let early = undo(&one).await;
    assert_eq!((early.outcome().as_str(), early.faults()), ("BAD_USER_INPUT", vec!["input.mergeId"]), "{}", early.text);
    assert_eq!(undo(&two).await.ok()["unmergePatients"]["into"]["phone"], "+34600000001");
    assert_eq!(undo(&one).await.ok()["unmergePatients"]["into"]["phone"], Value::Null);
}
