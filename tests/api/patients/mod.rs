//! Patients: registering, changing, archiving, finding.

mod finding;

use crate::support::*;
use std::collections::BTreeSet;

const WHOLE: &str = "patient { id version chartNumber displayName legalName { given middle family } preferredName birthDate
    sexAtBirth gender pronouns email phone address { lines city region postalCode country }
    emergencyContact { name relationship phone } fitzpatrickType skinType { fitzpatrickType assessedOn assessedBy { id } }
    status statusReason mergedInto { id } createdBy { id } updatedBy { id } }";

fn whole() -> Value {
    json!({
        "chartNumber": "OLD-17",
        "legalName": {"given": "Zoë", "middle": "Inés", "family": "Ramírez"},
        "preferredName": "Zo", "birthDate": "1988-02-29", "sexAtBirth": "FEMALE", "gender": "woman", "pronouns": "she/her",
        "email": "Zoe.Ramirez@Correo.Example", "phone": "+34 600 123-456",
        "address": {"lines": ["Calle Mayor 1", "2º B"], "city": "Madrid", "region": "Madrid", "postalCode": "28013", "country": "es"},
        "emergencyContact": {"name": "Luis Ramírez", "relationship": "brother", "phone": "+34600999888"},
        "skinType": {"fitzpatrickType": "III", "assessedOn": "2024-01-31"},
    })
}

fn with(mut input: Value, more: Value) -> Value {
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_is_registered_with_every_field_and_with_few() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let got = anna.does("registerPatient", whole(), WHOLE).await.ok();
    let by = json!({"id": anna.id()});
    assert_eq!(
        got["registerPatient"]["patient"],
        json!({
            "id": got["registerPatient"]["patient"]["id"], "version": 1, "chartNumber": "OLD-17", "displayName": "Zo Ramírez",
            "legalName": {"given": "Zoë", "middle": "Inés", "family": "Ramírez"}, "preferredName": "Zo",
            "birthDate": "1988-02-29", "sexAtBirth": "FEMALE", "gender": "woman", "pronouns": "she/her",
            "email": "zoe.ramirez@correo.example", "phone": "+34600123456",
            "address": {"lines": ["Calle Mayor 1", "2º B"], "city": "Madrid", "region": "Madrid", "postalCode": "28013", "country": "ES"},
            "emergencyContact": {"name": "Luis Ramírez", "relationship": "brother", "phone": "+34600999888"},
            "fitzpatrickType": "III",
            "skinType": {"fitzpatrickType": "III", "assessedOn": "2024-01-31", "assessedBy": by},
            "status": "ACTIVE", "statusReason": null, "mergedInto": null, "createdBy": by, "updatedBy": by,
        })
    );
    let few = json!({"legalName": {"given": " Al ", "family": "Day"}, "birthDate": "2001-01-01", "email": " ", "fitzpatrickType": "VI"});
    let got = clinic.front_desk().does("registerPatient", few, WHOLE).await.ok();
    let got = &got["registerPatient"]["patient"];
    assert_eq!(got["displayName"], "Al Day");
    assert!(got["chartNumber"].as_str().is_some_and(|number| number.starts_with("P-0000")), "{}", got["chartNumber"]);
    assert_eq!(got["skinType"]["assessedOn"], json!(day(0)));
    for empty in ["preferredName", "sexAtBirth", "gender", "pronouns", "email", "phone", "address", "emergencyContact"]
    {
        assert_eq!(got[empty], Value::Null, "{empty}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_an_input_is_told_at_once_with_its_path() {
    let clinic = Clinic::start().await;
    let long = |characters: usize| "x".repeat(characters);
    let faulty = json!({
        "id": new_id("session"),
        "chartNumber": long(41),
        "legalName": {"given": " ", "middle": long(101), "family": ""},
        "preferredName": long(101), "birthDate": day(3), "gender": long(61), "pronouns": "\u{0}",
        "email": "nobody", "phone": "0034600123456",
        "address": {"lines": ["", "2", "3", "4", "5"], "postalCode": long(21), "country": "Spain"},
        "emergencyContact": {"name": "", "phone": ""},
        "fitzpatrickType": "I", "skinType": {"fitzpatrickType": "II", "assessedOn": day(3)},
    });
    let answer = clinic.practitioner().does("registerPatient", faulty, "patient { id }").await;
    assert_eq!(answer.code(), "BAD_USER_INPUT");
    let told: BTreeSet<&str> = answer.faults().into_iter().collect();
    let expected = "id chartNumber legalName.given legalName.middle legalName.family preferredName birthDate gender pronouns email \
        phone address.lines address.lines.0 address.postalCode address.country emergencyContact.name emergencyContact.phone \
        fitzpatrickType skinType.assessedOn";
    let expected: Vec<String> = expected.split(' ').map(|path| format!("input.{path}")).collect();
    assert_eq!(told, expected.iter().map(String::as_str).collect());
    assert_eq!(told.len(), answer.faults().len(), "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_fault_is_named() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let v4 = typed("patient", uuid::Uuid::from_u128(0x0123_4567_89ab_4cde_8123_4567_89ab_cdef));
    let name = |given: &str, family: &str| json!({"given": given, "family": family});
    for (more, path) in [
        (json!({"id": v4}), "input.id"),
        (json!({"id": "patient_0"}), "input.id"),
        (json!({"birthDate": "1879-12-31"}), "input.birthDate"),
        (json!({"email": "a@b"}), "input.email"),
        (json!({"email": "a b@example.com"}), "input.email"),
        (json!({"email": "a@@example.com"}), "input.email"),
        (json!({"phone": "+0123456789"}), "input.phone"),
        (json!({"phone": "+12345678901234567"}), "input.phone"),
        (json!({"phone": "+34 six hundred"}), "input.phone"),
        (json!({"legalName": name("\t\n", "x")}), "input.legalName.given"),
        (json!({"legalName": name("x", &"é".repeat(101))}), "input.legalName.family"),
        (json!({"address": {"lines": [], "country": "ES"}}), "input.address.lines"),
    ] {
        let answer = anna
            .does("registerPatient", with(with(whole(), json!({"chartNumber": null})), more.clone()), "patient { id }")
            .await;
        assert_eq!((answer.code(), answer.faults()), ("BAD_USER_INPUT", vec![path]), "{more}");
    }
    for wrong in [
        json!({"birthDate": "2023-02-30"}),
        json!({"birthDate": 1990}),
        json!({"sexAtBirth": "OTHER"}),
        json!({"nickname": "x"}),
    ] {
        let answer = anna.does("registerPatient", with(whole(), wrong.clone()), "patient { id }").await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{wrong}");
    }
    assert_eq!(anna.ask("{ patients { totalCount } }").await["patients"]["totalCount"], 0, "nothing was saved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_number_is_given_or_the_next_and_never_taken_twice() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let register = async |more: Value| {
        let input = with(json!({"legalName": {"given": "A", "family": "B"}, "birthDate": "1990-01-01"}), more);
        anna.does("registerPatient", input, "patient { id chartNumber }").await
    };
    let number = |answer: Answer| answer.ok()["registerPatient"]["patient"]["chartNumber"].as_str().unwrap().to_owned();
    assert_eq!(number(register(json!({"chartNumber": " X 9 "})).await), "X 9");
    assert_eq!(register(json!({"chartNumber": "X 9"})).await.code(), "CONFLICT");
    let given = async |more: Value| {
        let given = number(register(more).await);
        given.strip_prefix("P-").and_then(|digits| digits.parse::<u64>().ok()).expect("P- and digits")
    };
    let first = given(json!({"chartNumber": ""})).await;
    assert!((1..1000).contains(&first), "{first}");
    // An older system numbered in the same way: its numbers are passed over.
    let taken: Vec<String> = (1..40).map(|step| format!("P-{:06}", first + step)).collect();
    for taken in &taken {
        assert_eq!(&number(register(json!({"chartNumber": taken})).await), taken);
    }
    assert!(given(json!({})).await > first + 39);
    let together = futures::future::join_all((0..12).map(|_| register(json!({})))).await;
    let numbers: std::collections::BTreeSet<String> = together.into_iter().map(number).collect();
    assert_eq!(numbers.len(), 12);
    // A patch can't take a number either.
    let other = anna.patient("C", "D").await;
    let answer =
        anna.does("updatePatient", other.edit_with(json!({"patch": {"chartNumber": "X 9"}})), "patient { id }").await;
    assert_eq!(answer.code(), "CONFLICT");
    // The same number in another organisation is another chart.
    let south = clinic.stranger().patient_with("E", "F", json!({"chartNumber": "X 9"})).await;
    assert_eq!(south.version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_field_stays_and_null_clears() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let before = anna.does("registerPatient", whole(), WHOLE).await.ok();
    let before = before["registerPatient"]["patient"].clone();
    let patient = Made::of(&before);
    let update = async |version: i64, patch: Value| {
        let input = json!({"id": patient.id, "expectedVersion": version, "patch": patch});
        anna.does("updatePatient", input, WHOLE).await
    };
    let same = update(1, json!({})).await.ok()["updatePatient"]["patient"].clone();
    assert_eq!(same, with(before.clone(), json!({"version": 2})));
    let optional = [
        "preferredName",
        "sexAtBirth",
        "gender",
        "pronouns",
        "email",
        "phone",
        "address",
        "emergencyContact",
        "skinType",
    ];
    let nulls: serde_json::Map<String, Value> =
        optional.iter().map(|field| ((*field).to_owned(), Value::Null)).collect();
    let cleared = update(2, Value::Object(nulls.clone())).await.ok()["updatePatient"]["patient"].clone();
    let expected = with(
        with(before, Value::Object(nulls)),
        json!({"version": 3, "fitzpatrickType": null, "displayName": "Zoë Ramírez"}),
    );
    assert_eq!(cleared, expected);
    let changed =
        update(3, json!({"legalName": {"given": "Ana", "family": "Sol"}, "birthDate": "1989-01-01", "gender": "x"}))
            .await
            .ok();
    let changed = &changed["updatePatient"]["patient"];
    assert_eq!(changed["legalName"], json!({"given": "Ana", "middle": null, "family": "Sol"}));
    assert_eq!((&changed["displayName"], &changed["birthDate"]), (&json!("Ana Sol"), &json!("1989-01-01")));

    let faults = update(4, json!({"legalName": {"given": "", "family": ""}, "email": "x", "phone": "1", "birthDate": day(3), "chartNumber": ""})).await;
    let mut paths = faults.faults();
    paths.sort_unstable();
    let expected = ["birthDate", "chartNumber", "email", "legalName.family", "legalName.given", "phone"];
    assert_eq!(paths, expected.map(|path| format!("input.patch.{path}")));
    let stale = update(3, json!({"gender": "y"})).await;
    assert_eq!((stale.code(), &stale.errors[0]["extensions"]["currentVersion"]), ("CONFLICT", &json!(4)));
    let nobody = json!({"id": new_id("patient"), "expectedVersion": 1, "patch": {}});
    assert_eq!(anna.does("updatePatient", nobody, "patient { id }").await.code(), "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_patient_takes_no_new_record_until_restored() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let mut patient = anna.patient("Ada", "Old").await;
    let session = anna.session(&patient).await;
    let archive = |version: i64, reason: &str| json!({"id": patient.id, "expectedVersion": version, "reason": reason});
    let said = "patient { id version status statusReason }";
    assert_eq!(anna.does("archivePatient", archive(1, " "), said).await.faults(), ["input.reason"]);
    assert_eq!(anna.does("archivePatient", archive(7, "moved"), said).await.code(), "CONFLICT");
    let archived = anna.does("archivePatient", archive(1, "moved away"), said).await.ok();
    let expected = json!({"id": patient.id, "version": 2, "status": "ARCHIVED", "statusReason": "moved away"});
    assert_eq!(archived["archivePatient"]["patient"], expected);
    assert_eq!(anna.does("archivePatient", archive(2, "again"), said).await.faults(), ["input.id"]);

    let started = json!({"patientId": patient.id, "locationId": anna.location, "modality": "MICRONEEDLING"});
    let records = [
        (
            "addHealthEntry",
            json!({"patientId": patient.id, "kind": "ALLERGY", "text": "Latex"}),
            "healthEntry",
            "patientId",
        ),
        ("recordConsultation", json!({"patientId": patient.id, "mode": "IN_PERSON"}), "consultation", "patientId"),
        ("logSession", session_to_sign(&patient, &anna.location), "session", "patientId"),
        ("startSession", started, "session", "patientId"),
        (
            "addAftercareNote",
            json!({"sessionId": session.id, "kind": "CHECK_IN", "pain": 1}),
            "aftercareNote",
            "sessionId",
        ),
    ];
    for (mutation, input, payload, path) in &records {
        let answer = anna.does(mutation, input.clone(), &format!("{payload} {{ id }}")).await;
        assert_eq!(
            (answer.code(), answer.faults()),
            ("BAD_USER_INPUT", vec![format!("input.{path}").as_str()]),
            "{mutation}"
        );
    }
    patient.version = 2;
    let restored = anna.does("restorePatient", patient.edit_with(json!({"reason": "back"})), said).await.ok();
    let expected = json!({"id": patient.id, "version": 3, "status": "ACTIVE", "statusReason": "back"});
    assert_eq!(restored["restorePatient"]["patient"], expected);
    patient.version = 3;
    assert_eq!(anna.does("restorePatient", patient.edit(), said).await.faults(), ["input.id"]);
    for (mutation, input, payload, _) in records {
        anna.does(mutation, input, &format!("{payload} {{ id }}")).await.ok();
    }
    let query =
        "query ($id: ID!) { patient(id: $id) { history { nodes { version action by { id } changes { field } } } } }";
    let history = anna.graphql(query, json!({"id": patient.id})).await.ok();
    let nodes = history.pointer("/patient/history/nodes").unwrap().as_array().unwrap();
    let actions: Vec<_> =
        nodes.iter().map(|node| (node["version"].as_i64().unwrap(), node["action"].as_str().unwrap())).collect();
    assert_eq!(actions, [(3, "RESTORE"), (2, "ARCHIVE"), (1, "CREATE")]);
    assert_eq!(nodes[1]["changes"], json!([{"field": "status"}, {"field": "statusReason"}]));
    assert!(nodes.iter().all(|node| node["by"]["id"] == anna.id()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_chart_number_looks_like_any_other_gap() {
    let clinic = Clinic::start().await;
    let desk = clinic.front_desk();
    let mut numbers: Vec<i64> = Vec::new();
    for _ in 0..60 {
        let input = json!({"legalName": {"given": "A", "family": "B"}, "birthDate": "1990-01-01"});
        let made = desk.does("registerPatient", input, "patient { chartNumber }").await.ok();
        let number = made["registerPatient"]["patient"]["chartNumber"].as_str().expect("a number").to_owned();
        numbers.push(number.trim_start_matches("P-").parse().expect("digits"));
    }
    let steps: Vec<i64> = numbers.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // None follows the one before it at once, and how far it is has no pattern.
    assert!(steps.iter().all(|step| *step >= 2), "{steps:?}");
    let each: std::collections::BTreeSet<&i64> = steps.iter().collect();
    assert!(each.len() >= 6, "{steps:?}");
    // Without one of them, the gap is such as others have who miss nobody between them.
    let gaps = numbers.windows(3).map(|three| three[2] - three[0]);
    let usual = gaps.filter(|gap| steps.iter().any(|step| step >= gap)).count();
    assert!(usual >= 30, "{usual} of 58 gaps are no longer than a step: {steps:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_phones_language_and_identifiers_are_kept_and_found() {
    let clinic = Clinic::start().await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let shown = "patient { id version displayName legalName { given middle family } formerNames { given family }
        otherPhones { number label } language needsInterpreter identifiers { system value } }";
    let input = json!({
        "legalName": {"given": "Suharto"}, "birthDate": "1990-05-17",
        "formerNames": [{"given": "Zoë", "family": "Ramírez"}], "otherPhones": [{"number": "+34 600 99 99 99", "label": "work"}],
        "language": "id", "needsInterpreter": true, "identifiers": [{"system": "hospital", "value": " 4711 "}],
    });
    let made = desk.does("registerPatient", input, shown).await.ok()["registerPatient"]["patient"].clone();
    let expected = json!({
        "id": made["id"], "version": 1, "displayName": "Suharto", "legalName": {"given": "Suharto", "middle": null, "family": null},
        "formerNames": [{"given": "Zoë", "family": "Ramírez"}], "otherPhones": [{"number": "+34600999999", "label": "work"}],
        "language": "id", "needsInterpreter": true, "identifiers": [{"system": "hospital", "value": "4711"}],
    });
    assert_eq!(made, expected);
    let found = async |arguments: &str| {
        let found =
            desk.ask(&format!("{{ patients({arguments}) {{ nodes {{ id }} }} }}")).await["patients"]["nodes"].clone();
        found.as_array().unwrap().iter().map(|it| it["id"].clone()).collect::<Vec<_>>()
    };
    for search in ["suharto", "ramirez", "600999999"] {
        assert_eq!(found(&format!("search: \"{search}\"")).await, [made["id"].clone()], "{search}");
    }
    let by = |value: &str| format!("filter: {{identifier: {{system: \"hospital\", value: \"{value}\"}}}}");
    assert_eq!(found(&by("4711")).await, [made["id"].clone()]);
    assert_eq!(found(&by("4712")).await, [Value::Null; 0]);
    // An identifier is of one patient, by whichever way, and of nobody elsewhere.
    let same = json!({"identifiers": [{"system": "hospital", "value": "4711"}]});
    let name = json!({"legalName": {"given": "Eve", "family": "E"}, "birthDate": "1990-01-01"});
    let twice = desk.does("registerPatient", with(name.clone(), same.clone()), "patient { id }").await;
    assert!(twice.code() == "CONFLICT" && twice.text.contains("4711"), "{}", twice.text);
    let eve = desk.patient("Eve", "E").await;
    let patch = |of: &Made, patch: Value| of.edit_with(json!({"patch": patch}));
    assert_eq!(desk.does("updatePatient", patch(&eve, same.clone()), "patient { id }").await.code(), "CONFLICT");
    clinic.stranger().does("registerPatient", with(name, same.clone()), "patient { id }").await.ok();
    let made = Made::of(&made);
    let (a, b) = tokio::join!(
        desk.does(
            "updatePatient",
            patch(&eve, json!({"identifiers": [{"system": "x", "value": "1"}]})),
            "patient { id }"
        ),
        desk.does(
            "updatePatient",
            patch(&made, json!({"identifiers": [{"system": "x", "value": "1"}]})),
            "patient { id }"
        ),
    );
    let mut outcomes = [a.outcome(), b.outcome()];
    outcomes.sort();
    assert_eq!(outcomes, ["CONFLICT", "ok"], "at the same time");
    // What is left out stays; a list is sent whole; null clears.
    let now = desk.graphql("query ($id: ID!) { patient(id: $id) { id version } }", json!({"id": made.id})).await.ok();
    let now = Made::of(&now["patient"]);
    let change = json!({"language": null, "otherPhones": [], "identifiers": []});
    let changed = desk.does("updatePatient", patch(&now, change), shown).await.ok()["updatePatient"]["patient"].clone();
    assert_eq!((&changed["language"], &changed["otherPhones"]), (&Value::Null, &json!([])));
    assert_eq!((&changed["needsInterpreter"], &changed["formerNames"]), (&json!(true), &expected["formerNames"]));
    assert_eq!(found(&by("4711")).await, [Value::Null; 0], "given up");
    let faulty = json!({
        "formerNames": [{"given": ""}], "otherPhones": [{"number": "1"}, {"number": ""}], "language": "?",
        "identifiers": [{"system": "", "value": "1"}, {"system": "a", "value": "b"}, {"system": "a", "value": "b"}],
    });
    let answer = desk.does("updatePatient", patch(&Made::of(&changed), faulty), "patient { id }").await;
    let told: BTreeSet<&str> = answer.faults().into_iter().collect();
    let expected = [
        "formerNames.0.given",
        "otherPhones.0.number",
        "otherPhones.1.number",
        "language",
        "identifiers.0.system",
        "identifiers.2",
    ];
    let expected: Vec<String> = expected.iter().map(|path| format!("input.patch.{path}")).collect();
    assert_eq!(told, expected.iter().map(String::as_str).collect());
    // A merge keeps the names and phones of both, and the identifier finds who stayed.
    let ivy = json!({"identifiers": [{"system": "hospital", "value": "9"}], "formerNames": [{"given": "Iv", "family": "Old"}],
        "otherPhones": [{"number": "+34600111111"}]});
    let (ivy, ida) = (
        anna.patient_with("Ivy", "Sol", ivy).await,
        anna.patient_with("Ivy", "Sol", json!({"otherPhones": [{"number": "+34600222222"}]})).await,
    );
    let merged = anna.does("mergePatients", crate::access::merging(&ivy, &ida, json!({})), shown).await.ok();
    let merged = &merged["mergePatients"]["patient"];
    assert_eq!(merged["formerNames"], json!([{"given": "Iv", "family": "Old"}]));
    assert_eq!(merged["otherPhones"].as_array().map(Vec::len), Some(2), "{merged}");
    assert_eq!(found(&by("9")).await, [json!(ida.id)]);
    // Erased with the patient.
    let input = crate::access::erasing(&clinic.admin(), &ida).await;
    clinic.admin().does("erasePatient", input, "__typename").await.ok();
    assert_eq!(
        clinic.database.superuser().await.one("SELECT count(*) FROM patient_identifier WHERE value = '9'").await,
        "0"
    );
}
