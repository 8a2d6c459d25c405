//! The health history.

use crate::support::*;

const ENTRY: &str = "healthEntry { id version kind code text severity onsetOn endedOn lastDoseOn source verifiedBy { id } enteredInError patient { id } }";

fn isotretinoin(patient: &Made) -> Value {
    json!({
        "patientId": patient.id, "kind": "MEDICATION", "code": "isotretinoin", "text": "Isotretinoin 20 mg", "severity": "ABSOLUTE",
        "onsetOn": "2024-01-01", "endedOn": "2024-06-30", "lastDoseOn": "2024-06-29", "source": "letter", "verified": true,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_added_and_changed() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let added =
        anna.does("addHealthEntry", isotretinoin(&patient), ENTRY).await.ok()["addHealthEntry"]["healthEntry"].clone();
    let mut expected = json!({
        "id": added["id"], "version": 1, "kind": "MEDICATION", "code": "isotretinoin", "text": "Isotretinoin 20 mg",
        "severity": "ABSOLUTE", "onsetOn": "2024-01-01", "endedOn": "2024-06-30", "lastDoseOn": "2024-06-29", "source": "letter",
        "verifiedBy": {"id": anna.id()}, "enteredInError": false, "patient": {"id": patient.id},
    });
    assert_eq!(added, expected);
    let update = async |version: i64, patch: Value| {
        let input = json!({"id": added["id"], "expectedVersion": version, "patch": patch});
        anna.does("updateHealthEntry", input, ENTRY).await
    };
    let same = update(1, json!({})).await.ok();
    expected["version"] = json!(2);
    assert_eq!(same["updateHealthEntry"]["healthEntry"], expected);
    let nulls = json!({"code": null, "severity": null, "onsetOn": null, "endedOn": null, "lastDoseOn": null, "source": null, "verified": false});
    let cleared = update(2, nulls).await.ok()["updateHealthEntry"]["healthEntry"].clone();
    for field in ["code", "severity", "onsetOn", "endedOn", "lastDoseOn", "source", "verifiedBy"] {
        assert_eq!(cleared[field], Value::Null, "{field}");
    }
    assert_eq!(cleared["text"], "Isotretinoin 20 mg");
    let stale = update(2, json!({"text": "x"})).await;
    assert_eq!((stale.code(), &stale.errors[0]["extensions"]["currentVersion"]), ("CONFLICT", &json!(3)));
    let gone = json!({"id": new_id("health"), "expectedVersion": 1, "patch": {}});
    assert_eq!(anna.does("updateHealthEntry", gone, ENTRY).await.code(), "NOT_FOUND");
    let query = "query ($id: ID!) { node(id: $id) { ... on HealthEntry { history { nodes { version action changes { field before after } } } } } }";
    let history = anna.graphql(query, json!({"id": added["id"]})).await.ok();
    let last = history.pointer("/node/history/nodes/0").unwrap();
    assert_eq!((&last["version"], &last["action"]), (&json!(3), &json!("UPDATE")));
    assert!(
        last["changes"]
            .as_array()
            .unwrap()
            .contains(&json!({"field": "onsetOn", "before": "2024-01-01", "after": null}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_told_at_once() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let faulty = json!({
        "id": new_id("patient"), "patientId": new_id("session"), "kind": "ALLERGY", "code": "x".repeat(101), "text": " ",
        "onsetOn": "2024-06-30", "endedOn": "2024-01-01", "lastDoseOn": day(3), "source": "x".repeat(201),
    });
    let answer = anna.does("addHealthEntry", faulty, ENTRY).await;
    let mut told = answer.faults();
    told.sort_unstable();
    told.dedup();
    let expected = ["code", "endedOn", "id", "lastDoseOn", "patientId", "source", "text"];
    assert_eq!(told, expected.map(|path| format!("input.{path}")));
    let made = Made::of(
        &anna.does("addHealthEntry", isotretinoin(&patient), ENTRY).await.ok()["addHealthEntry"]["healthEntry"],
    );
    let allergy = anna.health_entry(&patient).await;
    // A patch is checked against what stays.
    for (entry, patch, paths) in [
        (&made, json!({"endedOn": "2023-12-31"}), vec!["input.patch.endedOn"]),
        (&made, json!({"onsetOn": "2024-07-01"}), vec!["input.patch.endedOn", "input.patch.lastDoseOn"]),
        (&allergy, json!({"lastDoseOn": "2024-01-01"}), vec!["input.patch.lastDoseOn"]),
        (&allergy, json!({"text": ""}), vec!["input.patch.text"]),
        (&allergy, json!({"onsetOn": day(3)}), vec!["input.patch.onsetOn"]),
    ] {
        let answer = anna.does("updateHealthEntry", entry.edit_with(json!({"patch": patch})), ENTRY).await;
        assert_eq!((answer.code(), answer.faults()), ("BAD_USER_INPUT", paths), "{patch}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_entered_in_error_is_kept_out_of_sight() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let (first, second) = (anna.health_entry(&patient).await, anna.health_entry(&patient).await);
    let listed = async |arguments: &str| {
        let query = format!("query ($id: ID!) {{ patient(id: $id) {{ healthHistory{arguments} {{ id }} }} }}");
        let data = anna.graphql(&query, json!({"id": patient.id})).await.ok();
        let entries = data["patient"]["healthHistory"].as_array().unwrap().clone();
        entries.iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, [second.id.clone(), first.id.clone()], "newest first");
    anna.does("updateHealthEntry", first.edit_with(json!({"patch": {"enteredInError": true}})), ENTRY).await.ok();
    assert_eq!(listed("").await, std::slice::from_ref(&second.id));
    assert_eq!(listed("(includeEnteredInError: true)").await, [second.id, first.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (ada, eve) = (anna.patient("Ada", "A").await, anna.patient("Eve", "E").await);
    let first = anna.make("addHealthEntry", "healthEntry", isotretinoin(&ada)).await;
    let second = anna.health_entry(&eve).await;
    let third = anna.health_entry(&eve).await;
    anna.does("updateHealthEntry", third.edit_with(json!({"patch": {"enteredInError": true}})), ENTRY).await.ok();
    let ids = [&first.id, &second.id, &third.id];
    let cases: &[(Value, &[usize])] = &[
        (json!({}), &[1, 0]),
        (json!({"patientId": eve.id}), &[1]),
        (json!({"kind": ["MEDICATION", "CONDITION"]}), &[0]),
        (json!({"severity": ["RELATIVE"]}), &[1]),
        (json!({"code": "isotretinoin"}), &[0]),
        (json!({"includeEnteredInError": true}), &[2, 1, 0]),
        (json!({"includeEnteredInError": false}), &[1, 0]),
        (json!({"updatedSince": "2999-01-01T00:00:00Z"}), &[]),
    ];
    let query = "query ($f: HealthEntryFilter) { healthEntries(filter: $f) { totalCount nodes { id } } }";
    for (filter, expected) in cases {
        let data = anna.graphql(query, json!({"f": filter})).await.ok();
        let nodes = data["healthEntries"]["nodes"].as_array().unwrap();
        let nodes: Vec<_> = nodes.iter().map(|node| node["id"].as_str().unwrap()).collect();
        assert_eq!(nodes, expected.iter().map(|i| ids[*i]).collect::<Vec<_>>(), "{filter}");
        assert_eq!(data["healthEntries"]["totalCount"], nodes.len(), "{filter}");
    }
    assert_eq!(anna.graphql(query, json!({"f": {"patientId": "x"}})).await.faults(), ["filter.patientId"]);
    assert_eq!(clinic.front_desk().graphql(query, json!({})).await.code(), "FORBIDDEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_kept_as_exactly_as_they_are_known() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient_with("Ada", "Lovelace", json!({"birthDate": "1990-05-17"})).await;
    let shown = "healthEntry { id version onsetOn onsetPrecision endedOn endedPrecision lastDoseOn lastDosePrecision }";
    let add = async |more: Value| {
        let mut input = json!({"patientId": patient.id, "kind": "MEDICATION", "text": "Isotretinoin"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        anna.does("addHealthEntry", input, shown).await
    };
    let known =
        json!({"onsetOn": "2019-06-15", "onsetPrecision": "YEAR", "endedOn": "2019-02-10", "endedPrecision": "MONTH"});
    let added = add(known).await.ok()["addHealthEntry"]["healthEntry"].clone();
    let days = |onset: Value, ended: Value| {
        json!({"id": added["id"], "onsetOn": onset[0], "onsetPrecision": onset[1], "endedOn": ended[0],
            "endedPrecision": ended[1], "lastDoseOn": null, "lastDosePrecision": "DAY"})
    };
    let mut expected = days(json!(["2019-01-01", "YEAR"]), json!(["2019-02-01", "MONTH"]));
    expected["version"] = json!(1);
    assert_eq!(added, expected, "an end in February of the year of the onset can be");
    for (name, more, faults) in [
        (
            "an end in the year before",
            json!({"onsetOn": "2019-01-01", "onsetPrecision": "YEAR", "endedOn": "2018-01-01", "endedPrecision": "YEAR"}),
            vec!["input.endedOn"],
        ),
        (
            "a dose in the month before",
            json!({"onsetOn": "2019-06-15", "lastDoseOn": "2019-05-01", "lastDosePrecision": "MONTH"}),
            vec!["input.lastDoseOn"],
        ),
        (
            "a dose in the month",
            json!({"onsetOn": "2019-06-15", "lastDoseOn": "2019-06-01", "lastDosePrecision": "MONTH"}),
            vec![],
        ),
        ("the year of birth", json!({"onsetOn": "1990-01-01", "onsetPrecision": "YEAR"}), vec![]),
        (
            "the month before the birth",
            json!({"onsetOn": "1990-04-01", "onsetPrecision": "MONTH"}),
            vec!["input.onsetOn"],
        ),
        (
            "this year, with a day to come",
            json!({"onsetOn": format!("{}-12-31", &day(0)[..4]), "onsetPrecision": "YEAR"}),
            vec![],
        ),
    ] {
        assert_eq!(add(more).await.faults(), faults, "{name}");
    }
    let update = async |version: i64, patch: Value| {
        let input = json!({"id": added["id"], "expectedVersion": version, "patch": patch});
        let answer = anna.does("updateHealthEntry", input, shown).await.ok();
        answer["updateHealthEntry"]["healthEntry"].clone()
    };
    let month = update(1, json!({"onsetOn": "2019-01-20", "onsetPrecision": "MONTH"})).await;
    assert_eq!((&month["onsetOn"], &month["onsetPrecision"]), (&json!("2019-01-01"), &json!("MONTH")));
    let exact = update(2, json!({"onsetOn": "2019-01-20"})).await;
    assert_eq!(
        (&exact["onsetOn"], &exact["onsetPrecision"]),
        (&json!("2019-01-20"), &json!("DAY")),
        "a day sent alone"
    );
    let year = update(3, json!({"onsetPrecision": "YEAR"})).await;
    assert_eq!((&year["onsetOn"], &year["onsetPrecision"]), (&json!("2019-01-01"), &json!("YEAR")));
    let none = update(4, json!({"onsetOn": null, "text": "x"})).await;
    assert_eq!((&none["onsetOn"], &none["onsetPrecision"]), (&Value::Null, &json!("DAY")));
    assert_eq!((&none["endedOn"], &none["endedPrecision"]), (&json!("2019-02-01"), &json!("MONTH")), "as they were");
    let early = json!({"id": added["id"], "expectedVersion": 5, "patch": {"endedOn": "1980-01-01"}});
    assert_eq!(anna.does("updateHealthEntry", early, shown).await.faults(), ["input.patch.endedOn"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_entered_twice_is_told_and_not_refused() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (ada, eve) = (anna.patient("Ada", "Lovelace").await, anna.patient("Ada", "Lovelace").await);
    let add = async |patient: &Made, kind: &str, text: &str, code: Option<&str>| {
        let input = json!({"patientId": patient.id, "kind": kind, "text": text, "code": code});
        let added =
            anna.does("addHealthEntry", input, "healthEntry { id version } possibleDuplicates { id text }").await.ok();
        let told = added["addHealthEntry"]["possibleDuplicates"].as_array().unwrap().clone();
        let told: Vec<String> = told.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
        (Made::of(&added["addHealthEntry"]["healthEntry"]), told)
    };
    let (first, told) = add(&ada, "ALLERGY", "Lidocaine: hives", None).await;
    assert_eq!(told, [""; 0]);
    let (second, told) = add(&ada, "ALLERGY", "Local anaesthetic", Some("lignocaine")).await;
    assert_eq!(told, std::slice::from_ref(&first.id), "by another name");
    assert_eq!(add(&ada, "MEDICATION", "Lidocaine: hives", None).await.1, [""; 0], "of another kind");
    let (theirs, told) = add(&eve, "ALLERGY", "lidocaine - HIVES", None).await;
    assert_eq!(told, [""; 0], "of another patient");
    let error = second.edit_with(json!({"patch": {"enteredInError": true}}));
    anna.make("updateHealthEntry", "healthEntry", error).await;
    // A merge tells them too, beforehand and after.
    let pairs = "possibleDuplicates { moved { id } already { id } }";
    let told = json!([{"moved": {"id": theirs.id}, "already": {"id": first.id}}]);
    for dry in [true, false] {
        let input = crate::access::merging(&eve, &ada, json!({"dryRun": dry}));
        let merged = anna.does("mergePatients", input, pairs).await.ok();
        assert_eq!(merged["mergePatients"]["possibleDuplicates"], told, "a dry run: {dry}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_logged_twice_is_told_and_not_refused() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let log = async |patient: &Made, at: &str| {
        let mut input = session_to_sign(patient, &anna.location);
        (input["startedAt"], input["endedAt"]) = (json!(at), json!("2026-03-01T12:00:00Z"));
        let logged = anna.does("logSession", input, "session { id version } possibleDuplicates { id }").await.ok();
        let told = logged["logSession"]["possibleDuplicates"].clone();
        (Made::of(&logged["logSession"]["session"]), told)
    };
    let (first, told) = log(&patient, "2026-03-01T10:00:00Z").await;
    assert_eq!(told, json!([]));
    let (second, told) = log(&patient, "2026-03-01T10:15:00Z").await;
    assert_eq!(told, json!([{"id": first.id}]));
    assert_eq!(log(&patient, "2026-03-01T10:31:00Z").await.1, json!([]), "16 minutes after the second");
    assert_eq!(log(&anna.patient("Eve", "E").await, "2026-03-01T10:00:00Z").await.1, json!([]), "another patient");
    let error = second.edit_with(json!({"patch": {"status": "ENTERED_IN_ERROR"}}));
    anna.make("updateSession", "session", error).await;
    assert_eq!(log(&patient, "2026-03-01T09:50:00Z").await.1, json!([{"id": first.id}]), "not the one in error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clinic_s_own_terms_are_matched_and_checked_as_those_of_the_list() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient("Ada", "Lovelace").await;
    let shown = "healthEntry { id version matched { code label foundIn source } }";
    let entry = json!({"patientId": patient.id, "kind": "MEDICATION", "text": "Akneblocker 20 mg"});
    let before = anna.does("addHealthEntry", entry.clone(), shown).await.ok();
    assert_eq!(before["addHealthEntry"]["healthEntry"]["matched"], json!([]));
    let add = |by: &SignedIn, code: &str, term: &str| {
        let (by, input) = (by.clone(), json!({"code": code, "term": term, "language": "de"}));
        async move { by.does("addHealthTerm", input, "healthTerm { id version code term language active }").await }
    };
    let term = add(&admin, "isotretinoin", "Akneblocker").await.ok()["addHealthTerm"]["healthTerm"].clone();
    assert_eq!((&term["language"], &term["active"]), (&json!("de"), &json!(true)));
    assert_eq!(add(&anna, "isotretinoin", "Akneblocker").await.faults(), ["input.term"], "twice");
    assert_eq!(add(&anna, "a", "!").await.faults(), ["input.code", "input.term"]);
    assert_eq!(add(&clinic.front_desk(), "isotretinoin", "X-1").await.code(), "FORBIDDEN");
    let added = anna.does("addHealthEntry", entry.clone(), shown).await.ok()["addHealthEntry"]["healthEntry"].clone();
    let matched = &added["matched"][0];
    assert_eq!((&matched["code"], &matched["foundIn"]), (&json!("isotretinoin"), &json!("TEXT")), "{added}");
    let about = async || {
        let input = json!({"patientId": patient.id, "locationId": anna.location, "modality": "MICRONEEDLING",
            "protocolVersionId": anna.protocol().await.version, "startedAt": hours_ago(2), "endedAt": hours_ago(1)});
        let query = "query ($input: LogSessionInput!) { sessionChecks(input: $input) { checks { rule verdict cause recordId } } }";
        let found = anna.graphql(query, json!({"input": input})).await.ok()["sessionChecks"]["checks"].clone();
        found.as_array().unwrap().iter().find(|it| it["recordId"] == added["id"]).cloned().unwrap_or_default()
    };
    let told = about().await["cause"].as_str().unwrap().to_owned();
    assert!(told.contains("Isotretinoin") || told.contains("isotretinoin"), "{told}");
    // Out of use it is not looked for; what nobody can place is told as such.
    let edit = Made::of(&term).edit_with(json!({"patch": {"active": false, "language": null}}));
    anna.make("updateHealthTerm", "healthTerm", edit).await;
    let told = about().await["cause"].as_str().unwrap().to_owned();
    assert!(told.contains("was not judged"), "{told}");
    // A code of the clinic's own that no protocol has a rule about was judged by nobody.
    add(&anna, "house-7", "Akneblocker").await.ok();
    let own = anna.does("addHealthEntry", entry, shown).await.ok()["addHealthEntry"]["healthEntry"]["matched"].clone();
    assert_eq!((&own[0]["code"], &own[0]["label"]), (&json!("house-7"), &json!("Akneblocker")));
    let told = about().await["cause"].as_str().unwrap().to_owned();
    assert!(told.contains("was not judged"), "{told}");
    let foreign = clinic.stranger();
    assert_eq!(foreign.ask("{ healthTerms { totalCount } }").await["healthTerms"]["totalCount"], 0);
}
