//! Restricted patients, emergency access, and who looked at whom.

use crate::access::{QUERIES, chart, erasing, merging, query};
use crate::support::*;
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use uuid::Uuid;

const SIGHT: &str = "query ($id: ID!) { patient(id: $id) { displayName restricted } }";
const CLOSED: &str = "REASON_REQUIRED";
const NO: &str = "FORBIDDEN";

async fn restrict(clinic: &Clinic, patient: &Made) -> Made {
    let input = json!({"patientId": patient.id, "reason": "Works here"});
    clinic.admin().because("To restrict it").make("restrictPatient", "restriction", input).await
}

async fn begin(by: &SignedIn, patient: &Made) -> Answer {
    let input = json!({"patientId": patient.id, "reason": "Unconscious at the door"});
    by.does("beginEmergencyAccess", input, "emergencyAccess { id version patientId open begunAt endsAt }").await
}

async fn sees(by: &SignedIn, patient: &Made) -> String {
    by.graphql(SIGHT, json!({"id": patient.id})).await.outcome()
}

/// The newest rows of the north's access log: event, operation, reason, actor, patients.
async fn looks(clinic: &Clinic, newest: usize) -> Vec<Vec<String>> {
    let sql = clinic.database.superuser().await;
    let rows = format!(
        "SELECT event, operation, reason, actor_id, array_to_string(patient_ids, ' ') FROM access_log \
        WHERE org_id = '{}' ORDER BY seq DESC LIMIT {newest}",
        clinic.north.uuid
    );
    sql.rows(&rows).await.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_error_tells_of_a_patient_is_a_look() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let (patient, other) = (anna.patient("Ada", "Lovelace").await, anna.patient("Eve", "Lovelace").await);
    let medicine = json!({"patientId": patient.id, "kind": "MEDICATION", "code": "isotretinoin", "text": "20 mg"});
    anna.make("addHealthEntry", "healthEntry", medicine).await;
    let protocol = anna.protocol().await.version;
    let blocked = json!({"patientId": patient.id, "locationId": anna.location, "modality": "MICRONEEDLING",
        "protocolVersionId": protocol.clone()});
    let session = anna.session_with(&patient, json!({"protocolVersionId": protocol})).await;
    let signed = anna.signed_session(&patient).await;
    let begun = anna.started_session(&patient).await;
    let mut input = blocked.clone();
    input["status"] = json!("PREPARATION");
    let prepared = anna.make("startSession", "session", input).await;
    let both = [&patient, &other];
    let told = [
        (&anna, "startSession", blocked, "PROTOCOL_BLOCKED", &both[..1]),
        (
            &anna,
            "updateSession",
            prepared.edit_with(json!({"patch": {"status": "IN_PROGRESS"}})),
            "PROTOCOL_BLOCKED",
            &both[..1],
        ),
        (&anna, "signSession", session.edit(), "PROTOCOL_BLOCKED", &both[..1]),
        (&anna, "signSession", begun.edit(), "BAD_USER_INPUT", &both[..1]),
        (&anna, "updateSession", signed.edit_with(json!({"patch": {"note": "x"}})), "RECORD_SIGNED", &both[..1]),
        (
            &anna,
            "updatePatient",
            json!({"id": patient.id, "expectedVersion": 99, "patch": {"phone": "+34600000009"}}),
            "CONFLICT",
            &both[..1],
        ),
        (&admin, "mergePatients", merging(&patient, &other, json!({})), "BAD_USER_INPUT", &both[..]),
    ];
    let sql = clinic.database.superuser().await;
    let rows = async || sql.one("SELECT count(*) FROM access_log").await.parse::<i64>().expect("a number");
    for (who, mutation, input, code, whose) in told {
        let before = rows().await;
        let answer = who.does(mutation, input, "__typename").await;
        assert_eq!(answer.outcome(), code, "{mutation} {}", answer.text);
        assert_eq!(rows().await, before + 1, "{mutation} {code}");
        let look = looks(&clinic, 1).await.remove(0);
        let expected = ["read".to_owned(), mutation.to_owned(), String::new(), uuid_of(who.id()).to_string()];
        assert_eq!(look[..4], expected, "{mutation} {code}");
        let named: BTreeSet<&str> = look[4].split(' ').collect();
        let whose: Vec<String> = whose.iter().map(|it| uuid_of(&it.id).to_string()).collect();
        assert_eq!(named, whose.iter().map(String::as_str).collect(), "{mutation} {code}");
    }
    // What tells of nobody leaves no look.
    let before = rows().await;
    let faulty = json!({"legalName": {"given": "", "family": ""}, "birthDate": "2999-01-01"});
    assert_eq!(anna.does("registerPatient", faulty, "__typename").await.code(), "BAD_USER_INPUT");
    let absent = json!({"id": new_id("session"), "expectedVersion": 1});
    assert_eq!(anna.does("signSession", absent, "__typename").await.code(), "NOT_FOUND");
    let foreign = clinic.of(&clinic.south, Role::Practitioner);
    assert_ne!(foreign.does("signSession", session.edit(), "__typename").await.outcome(), "ok");
    assert_eq!(rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_list_goes_on_is_a_look_at_who_comes_next() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (ada, eve) = (anna.patient("Ada", "Lovelace").await, anna.patient("Eve", "Lovelace").await);
    for patient in [&ada, &eve] {
        anna.health_entry(patient).await;
    }
    let (ada_row, eve_row) = (uuid_of(&ada.id).to_string(), uuid_of(&eve.id).to_string());
    let lists = [
        (
            "healthEntries",
            "{ pageInfo { hasNextPage } }",
            format!("first: 0, filter: {{patientId: \"{}\"}}", ada.id),
            vec![&ada_row],
        ),
        (
            "healthEntries",
            "{ pageInfo { hasPreviousPage } }",
            format!("last: 0, filter: {{patientId: \"{}\"}}", eve.id),
            vec![&eve_row],
        ),
        (
            "healthEntries",
            "{ nodes { id } pageInfo { hasPreviousPage } }",
            "first: 2".to_owned(),
            vec![&ada_row, &eve_row],
        ),
        ("patients", "{ pageInfo { hasNextPage } }", "first: 0".to_owned(), vec![&ada_row]),
        ("patients", "{ nodes { id } pageInfo { hasNextPage } }", "first: 1".to_owned(), vec![&ada_row, &eve_row]),
        // Whoever does not ask whether it goes on is told of the page alone.
        ("patients", "{ nodes { id } pageInfo { hasPreviousPage } }", "first: 1".to_owned(), vec![&ada_row]),
    ];
    for (list, selection, arguments, expected) in lists {
        anna.ask(&format!("{{ {list}({arguments}) {selection} }}")).await;
        let row = looks(&clinic, 1).await.remove(0);
        let named: BTreeSet<&str> = row[4].split_whitespace().collect();
        assert_eq!((row[0].as_str(), row[1].as_str()), ("read", list));
        assert_eq!(named, expected.iter().map(|it| it.as_str()).collect(), "{list}({arguments}) {selection}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_about_one_patient_names_them() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (patient, without) = (anna.patient("Ada", "Lovelace").await, anna.patient("Eve", "Lovelace").await);
    anna.health_entry(&patient).await;
    let session = anna.session(&patient).await;
    anna.note(&session).await;
    let consultation = anna.consultation(&patient).await;
    anna.outcome(&patient, "2", 1, json!({})).await;
    anna.addendum(&anna.sign_session(&session).await).await;
    for list in ["healthEntries", "sessions", "aftercareNotes", "consultations", "outcomeAssessments", "addenda"] {
        for (about, count) in [(&patient, 1), (&without, 0)] {
            let query = format!("query ($id: ID!) {{ {list}(filter: {{patientId: $id}}, first: 0) {{ totalCount }} }}");
            let answer = anna.graphql(&query, json!({"id": about.id})).await.ok();
            assert_eq!(answer[list]["totalCount"], count, "{list}");
            let look = looks(&clinic, 1).await.remove(0);
            let named = if count > 0 { uuid_of(&about.id).to_string() } else { String::new() };
            assert_eq!((look[1].as_str(), &look[4]), (list, &named), "{list} {count}");
        }
    }
    // So does a number about one of their records, and one of the looks at them.
    let plan = anna.plan(&consultation, &anna.protocol().await).await;
    let treated = anna.session_with(&patient, json!({"planId": plan.id})).await;
    anna.note(&treated).await;
    let named = uuid_of(&patient.id).to_string();
    let auditor = clinic.auditor();
    for (who, list, filter, of) in [
        (&anna, "sessions", "planId", &plan),
        (&anna, "aftercareNotes", "sessionId", &treated),
        (&anna, "addenda", "recordId", &session),
        (&auditor, "accessLog", "patientId", &patient),
    ] {
        let query = format!("query ($id: ID!) {{ {list}(filter: {{{filter}: $id}}, first: 0) {{ totalCount }} }}");
        let answer = who.graphql(&query, json!({"id": of.id})).await.ok();
        assert!(answer[list]["totalCount"].as_i64() >= Some(1), "{list} {answer}");
        let look = looks(&clinic, 1).await.remove(0);
        assert_eq!((look[1].as_str(), &look[4]), (list, &named), "{list}");
    }
    // What tells of patients and names nobody is a look all the same.
    for (who, list) in [(&anna, "recalls"), (&auditor, "emergencyAccesses")] {
        who.graphql(&format!("{{ {list}(first: 0) {{ totalCount }} }}"), json!({})).await.ok();
        assert_eq!(looks(&clinic, 1).await.remove(0)[1], list);
    }
}

/// A selection of everything below a type that says of which record or patient it is.
fn ids_of(schema: &Schema, ty: &str, depth: usize) -> String {
    const BELOW: [&str; 9] =
        ["nodes", "patient", "sessions", "patients", "from", "into", "record", "healthHistory", "adverseEvents"];
    let ty = schema.get(ty);
    let mut selection = "__typename ".to_owned();
    for field in &ty.fields {
        let name = field.name.as_str();
        if ["id", "patientId", "patientIds", "recordId"].contains(&name) {
            selection += &format!("{name} ");
        } else if depth > 0
            && ty.name != "Patient"
            && BELOW.contains(&name)
            && schema.get(field.named_type()).kind == "OBJECT"
        {
            selection += &format!("{name} {{ {} }} ", ids_of(schema, field.named_type(), depth - 1));
        }
    }
    selection
}

/// A query of the table: its name, its arguments, its text with the ids of what it shows, and who may ask it.
type Asked = (&'static str, &'static str, String, &'static [&'static str; 4]);

async fn queries(clinic: &Clinic) -> Vec<Asked> {
    let schema = Schema::ask(&clinic.anonymous()).await;
    let each = QUERIES.iter().map(|(name, arguments, rights)| {
        let root = schema.get("Query").fields.iter().find(|field| field.name == *name).expect("a root field");
        let selection = match *name {
            "node" | "nodes" => "id ... on TreatmentSession { patient { id } }".to_owned(),
            _ => ids_of(&schema, root.named_type(), 3),
        };
        (*name, *arguments, query(&format!("{name}{arguments} {{ {selection} }}")), rights)
    });
    each.collect()
}

/// Whose each record is, by its bare id; patients too.
async fn owners(sql: &Sql) -> BTreeMap<Uuid, Uuid> {
    let mut owners = BTreeMap::new();
    for table in sql.column("SELECT name FROM patient_tables()").await {
        for row in sql.rows(&format!("SELECT id, patient_id FROM {table}")).await {
            let [Some(id), Some(patient)] = row.as_slice() else { panic!("{row:?}") };
            owners.insert(id.parse().unwrap(), patient.parse().unwrap());
        }
    }
    owners.extend(sql.column("SELECT id FROM patient").await.iter().map(|id| {
        let id: Uuid = id.parse().unwrap();
        (id, id)
    }));
    owners
}

fn ids_in(value: &Value, found: &mut BTreeSet<Uuid>) {
    match value {
        Value::Object(fields) => fields.values().for_each(|value| ids_in(value, found)),
        Value::Array(items) => items.iter().for_each(|value| ids_in(value, found)),
        Value::String(text) if text.rsplit_once('_').is_some_and(|(_, digits)| digits.len() == 26) => {
            found.insert(uuid_of(text));
        }
        _ => {}
    }
}

// --- Restricted ------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_patient_is_hidden_on_every_path_until_a_reason_is_stated() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let sql = clinic.database.superuser().await;
    let patient = Made { id: chart.ids["patient"].as_str().expect("id").to_owned(), version: 1 };
    let other = clinic.practitioner().patient("Ian", "Smith").await;
    clinic.practitioner().session(&other).await;
    let number = sql.one(&format!("SELECT chart_number FROM patient WHERE id = '{}'", uuid_of(&patient.id))).await;
    let counts = format!(
        "{{ patients {{ totalCount }} recalls {{ totalCount }} found: patients(search: \"{number}\") {{ totalCount }} }}"
    );
    let before = clinic.front_desk().ask(&counts).await;
    let restriction = restrict(&clinic, &patient).await;
    // Who was merged into them is as hidden.
    let double = sql.one(&format!("SELECT id FROM patient WHERE merged_into = '{}'", uuid_of(&patient.id))).await;
    let double = Made { id: typed("patient", double.parse().unwrap()), version: 2 };
    let hidden: BTreeSet<Uuid> = {
        let closed = [uuid_of(&patient.id), uuid_of(&double.id)];
        owners(&sql).await.into_iter().filter(|(_, owner)| closed.contains(owner)).map(|(id, _)| id).collect()
    };
    assert!(hidden.len() > 20, "{}", hidden.len());
    // What tells of the restriction and of emergency access is for those who look after it.
    let open = ["emergencyAccesses", "accessLog"];
    for (name, arguments, text, rights) in queries(&clinic).await {
        for role in Role::ALL.into_iter().filter(|role| rights[*role as usize] == "ok" && !open.contains(&name)) {
            let who = clinic.of(&clinic.north, role);
            let answer = who.graphql(&text, chart.ids.clone()).await;
            let mut shown = BTreeSet::new();
            ids_in(&answer.data, &mut shown);
            let shown: Vec<&Uuid> = shown.intersection(&hidden).collect();
            assert!(shown.is_empty(), "{role:?} {name} {}", answer.text);
            assert!(["ok", CLOSED].contains(&answer.outcome().as_str()), "{role:?} {name} {}", answer.text);
            let one = [
                "$patient",
                "$session",
                "$consultation",
                "$note",
                "$health",
                "$addendum",
                "$photo",
                "$plan",
                "$consent",
                "$outcome",
                "$event",
                "$recall",
                "$draft",
            ];
            let about = one.iter().any(|id| arguments.contains(id));
            assert_eq!(answer.outcome() == CLOSED, about, "{role:?} {name} {}", answer.text);
            let reasoned = who.because("She asked me to").graphql(&text, chart.ids.clone()).await;
            assert_eq!(reasoned.outcome(), "ok", "{role:?} {name} {}", reasoned.text);
        }
    }
    let after = clinic.front_desk().ask(&counts).await;
    let count = |answer: &Value, list: &str| answer[list]["totalCount"].as_i64().expect("a count");
    assert_eq!(count(&after, "patients"), count(&before, "patients") - 1);
    assert!(count(&after, "recalls") < count(&before, "recalls"));
    // Numbers that are much alike may be found as well.
    assert_eq!(count(&after, "found"), count(&before, "found") - 1);

    // By every id, by any role, and in one query beside others.
    let anna = clinic.practitioner();
    for kind in [
        "patient",
        "session",
        "consultation",
        "note",
        "health",
        "event",
        "recall",
        "consent",
        "outcome",
        "plan",
        "photo",
        "addendum",
        "merge",
        "hold",
    ] {
        let answer = anna.graphql(&query("node(id: $id) { id }"), json!({"id": chart.ids[kind]})).await;
        assert_eq!(answer.outcome(), CLOSED, "{kind} {}", answer.text);
        assert!(answer.text.contains("Access-Reason"), "{}", answer.text);
    }
    let text = "query ($a: ID!, $b: ID!, $c: ID!) { nodes(ids: [$a, $b, $c]) { id } }";
    let unknown = new_id("patient");
    let answer = anna.graphql(text, json!({"a": patient.id, "b": other.id, "c": unknown})).await;
    assert_eq!((answer.codes(), &answer.data["nodes"][1]["id"]), (vec![CLOSED, "NOT_FOUND"], &json!(other.id)));
    for (text, id) in [
        ("chart(patientId: $id) { asOf }", &double.id),
        ("possibleDuplicates(patientId: $id) { score }", &patient.id),
        ("patient(id: $id) { id }", &double.id),
    ] {
        assert_eq!(anna.graphql(&query(text), json!({"id": id})).await.outcome(), CLOSED, "{text}");
    }
    // The restriction itself is there, its patient is a clean null.
    let text = "node(id: $id) { ... on PatientRestriction { patientId reason patient { id } } }";
    let answer = anna.graphql(&query(text), json!({"id": restriction.id})).await;
    assert_eq!(
        (answer.code(), &answer.data["node"]["patientId"], &answer.data["node"]["patient"]),
        (CLOSED, &json!(patient.id), &Value::Null)
    );
    // No statement of the application shows it, whatever it asks.
    let app = clinic.database.app(Some(clinic.north.uuid)).await;
    for table in sql
        .column("SELECT name FROM patient_tables() WHERE name NOT IN ('patient_restriction', 'emergency_access')")
        .await
    {
        let count = format!("SELECT count(*) FROM {table} WHERE patient_id = '{}'", uuid_of(&patient.id));
        assert_eq!((app.one(&count).await.as_str(), sql.one(&count).await == "0"), ("0", false), "{table}");
    }
    let ledger = format!(
        "SELECT count(*) FROM ledger WHERE patient_id IN ('{}', '{}')",
        uuid_of(&patient.id),
        uuid_of(&double.id)
    );
    assert_eq!(app.one(&ledger).await, "0");

    // Another organisation learns nothing, with a reason or without.
    for who in [clinic.stranger(), clinic.stranger().because("Curious")] {
        assert_eq!(sees(&who, &patient).await, "NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_a_restricted_record_needs_a_reason_too_and_the_log_says_which() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient("Zoë", "Ramírez").await;
    let (session, double) = (anna.session(&patient).await, anna.patient("Zoë", "Ramírez").await);
    let lot = anna.lot(&anna.product("Serum").await, "L-1").await;
    anna.session_with_lot(&patient, &lot).await;
    let erase = erasing(&admin, &patient).await;
    let restriction = restrict(&clinic, &patient).await;
    let again = json!({"patientId": patient.id, "reason": "Works here"});
    let twice = admin.because("Again").does("restrictPatient", again.clone(), "__typename").await;
    assert_eq!(twice.faults(), ["input.patientId"]);
    let sql = clinic.database.superuser().await;
    let entries = sql.one("SELECT count(*) FROM ledger").await;
    let entry = json!({"patientId": patient.id, "kind": "ALLERGY", "text": "Latex"});
    for (who, mutation, input) in [
        (&anna, "addHealthEntry", entry.clone()),
        (&anna, "updatePatient", patient.edit_with(json!({"patch": {"gender": "woman"}}))),
        (&anna, "updateSession", session.edit_with(json!({"patch": {"note": "x"}}))),
        (&anna, "addAftercareNote", json!({"sessionId": session.id, "kind": "CHECK_IN", "redness": 2})),
        (&anna, "mergePatients", merging(&double, &patient, json!({}))),
        (&anna, "mergePatients", merging(&patient, &double, json!({}))),
        (&anna, "createSafetyRecall", json!({"lotId": lot.id, "reason": "Particles", "dueUntil": day(3)})),
        (&admin, "exportPatient", json!({"patientId": patient.id})),
        (&admin, "erasePatient", erase.clone()),
        (&admin, "restrictPatient", again),
        (&admin, "liftPatientRestriction", restriction.edit_with(json!({"reason": "Left"}))),
        (&admin, "placeLegalHold", json!({"patientId": patient.id, "reason": "Case 12"})),
    ] {
        let answer = who.does(mutation, input, "__typename").await;
        assert_eq!(answer.outcome(), CLOSED, "{mutation} {}", answer.text);
        let row = looks(&clinic, 1).await.remove(0);
        assert_eq!((row[0].as_str(), row[1].as_str()), ("refused", mutation));
    }
    assert_eq!(sql.one("SELECT count(*) FROM ledger").await, entries);
    // With one it goes, and the row has it.
    let because = anna.because("Her own wish");
    because.make("addHealthEntry", "healthEntry", entry).await;
    let row = looks(&clinic, 1).await.remove(0);
    let patient_id = uuid_of(&patient.id).to_string();
    assert_eq!(row[..3], ["read", "addHealthEntry", "Her own wish"].map(str::to_owned));
    assert_eq!(row[4], patient_id);
    because.make("mergePatients", "merge", merging(&double, &patient, json!({}))).await;
    assert_eq!(sees(&anna, &double).await, CLOSED);
    let export = admin.because("A court's order");
    export.does("exportPatient", json!({"patientId": patient.id}), "export { sha256 }").await.ok();
    // A retry of what was done answers who states a reason, and no other.
    let keyed = |by: &SignedIn| {
        let text = "mutation ($input: AddHealthEntryInput!) { addHealthEntry(input: $input) { healthEntry { text } } }";
        let input = json!({"input": {"patientId": patient.id, "kind": "ALLERGY", "text": "Iodine"}});
        Answer::to(by.prepare(text, input).header("Idempotency-Key", "k-1"))
    };
    keyed(&because).await.ok();
    assert_eq!(keyed(&anna).await.outcome(), CLOSED);
    keyed(&because).await.ok();
    // Lifted: everybody sees it again.
    admin
        .because("To lift it")
        .make("liftPatientRestriction", "restriction", restriction.edit_with(json!({"reason": "Left"})))
        .await;
    assert_eq!((sees(&anna, &patient).await.as_str(), sees(&anna, &double).await.as_str()), ("ok", "ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_restricted_charts_are_merged_and_taken_apart_with_their_restrictions() {
    let clinic = Clinic::start().await;
    let (anna, because) = (clinic.practitioner(), clinic.practitioner().because("The same person"));
    let (from, into) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Zoë", "Ramírez").await);
    restrict(&clinic, &from).await;
    restrict(&clinic, &into).await;
    let merge = because.make("mergePatients", "merge", merging(&from, &into, json!({}))).await;
    assert_eq!((sees(&anna, &from).await.as_str(), sees(&anna, &into).await.as_str()), (CLOSED, CLOSED));
    because.does("unmergePatients", json!({"mergeId": merge.id, "reason": "Twins"}), "merge { id }").await.ok();
    assert_eq!((sees(&anna, &from).await.as_str(), sees(&anna, &into).await.as_str()), (CLOSED, CLOSED));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_an_upload_asks_for_the_reason_of_a_patient_who_is_restricted_meanwhile() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    let input = json!({"id": new_id("photo"), "patientId": patient.id, "phase": "BEFORE", "view": "FRONTAL", "area": "CHEEK", "side": "LEFT"});
    let asked = async |by: &SignedIn| {
        let asked = by.does("requestPhotoUpload", input.clone(), "photo { id } uploadUrl").await;
        asked.ok()["requestPhotoUpload"]["uploadUrl"].as_str().expect("an address").to_owned()
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(8, 8).write_to(&mut bytes, image::ImageFormat::Png).expect("a picture");
    let upload = async |address: &str| {
        let upload = clinic.anonymous().request(reqwest::Method::PUT, address).body(bytes.get_ref().clone());
        upload.send().await.expect("an answer").status().as_u16()
    };
    let before = asked(&anna).await;
    restrict(&clinic, &patient).await;
    assert_eq!(upload(&before).await, 403);
    let row = looks(&clinic, 1).await.remove(0);
    assert_eq!(row[..3], ["refused", "photoUpload", ""].map(str::to_owned));
    assert_eq!(row[4], uuid_of(&patient.id).to_string());
    // Asked for again with a reason, it is the same photo, and takes its bytes.
    assert_eq!(upload(&asked(&anna.because("To treat")).await).await, 200);
    let row = looks(&clinic, 1).await.remove(0);
    assert_eq!(row[..3], ["read", "photoUpload", "stated when the link was asked for"].map(str::to_owned));
    let link = query("photo(id: $id) { status }");
    let photo = json!({"id": input["id"]});
    assert_eq!(anna.graphql(&link, photo.clone()).await.outcome(), CLOSED);
    assert_eq!(anna.because("To treat").graphql(&link, photo).await.ok()["photo"]["status"], "STORED");
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_chart_number_is_taken_by_a_restricted_patient_leaves_a_row() {
    let clinic = Clinic::start().await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let (patient, other) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Ian", "Smith").await);
    let plain = anna.patient("Ada", "Lovelace").await;
    restrict(&clinic, &patient).await;
    let sql = clinic.database.superuser().await;
    let of = async |who: &Made| {
        sql.one(&format!("SELECT chart_number FROM patient WHERE id = '{}'", uuid_of(&who.id))).await
    };
    let (hidden, open) = (of(&patient).await, of(&plain).await);
    let register = |number: &str| json!({"legalName": {"given": "New", "family": "New"}, "birthDate": "1980-01-01", "chartNumber": number});
    let refused =
        format!("SELECT count(*) FROM access_log WHERE org_id = '{}' AND event = 'refused'", clinic.north.uuid);
    let change = |number: &str| other.edit_with(json!({"patch": {"chartNumber": number}}));
    for (mutation, input) in [("registerPatient", register(&hidden)), ("updatePatient", change(&hidden))] {
        let before: u32 = sql.one(&refused).await.parse().expect("a number");
        assert_eq!(desk.does(mutation, input, "__typename").await.outcome(), "CONFLICT", "{mutation}");
        let row = looks(&clinic, 1).await.remove(0);
        let expected = ["refused", mutation, "", &uuid_of(desk.id()).to_string(), &uuid_of(&patient.id).to_string()];
        assert_eq!(row, expected.map(str::to_owned));
        assert_eq!(sql.one(&refused).await, (before + 1).to_string());
    }
    // Of one who is not restricted, or with a reason, it is a mistake like any other.
    let before = sql.one(&refused).await;
    for (by, mutation, input) in [
        (&desk, "registerPatient", register(&open)),
        (&desk, "updatePatient", change(&open)),
        (&desk.because("Her card"), "registerPatient", register(&hidden)),
    ] {
        assert_eq!(by.does(mutation, input, "__typename").await.outcome(), "CONFLICT", "{mutation}");
    }
    assert_eq!(sql.one(&refused).await, before);
}

// --- Emergency -------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn in_an_emergency_the_front_desk_reads_that_patient_alone_until_the_clock_ends_it() {
    let clinic = Clinic::start().await;
    let (anna, desk, sql) = (clinic.practitioner(), clinic.front_desk(), clinic.database.superuser().await);
    let (patient, other) = (
        anna.patient_with("Zoë", "Ramírez", json!({"chartNumber": "P-000001"})).await,
        anna.patient("Ian", "Smith").await,
    );
    let (session, others) = (anna.signed_session(&patient).await, anna.session(&other).await);
    anna.health_entry(&patient).await;
    anna.health_entry(&other).await;
    anna.recall(&other).await;
    restrict(&clinic, &patient).await;
    assert_eq!(sees(&desk, &patient).await, CLOSED);
    // Found by the chart number, which the patient has on a card: nothing but the id is shown before it is begun.
    let asked = json!({"chartNumber": "P-000001", "reason": "Unconscious at the door", "minutes": 30});
    let begun =
        desk.does("beginEmergencyAccess", asked, "emergencyAccess { id patientId open begunAt endsAt reason }").await;
    let begun = begun.ok()["beginEmergencyAccess"]["emergencyAccess"].clone();
    assert_eq!((&begun["patientId"], &begun["open"]), (&json!(patient.id), &json!(true)));
    let text = "query ($a: ID!, $b: ID!, $s: ID!) { \
        sessions(filter: {patientId: $a}) { totalCount nodes { id } } healthEntries(filter: {patientId: $a}) { totalCount } \
        mine: patient(id: $a) { displayName healthHistory { text } sessions { totalCount } timeline { totalCount } history { totalCount } } \
        session(id: $s) { areas { area } history { totalCount } } chart(patientId: $a) { asOf } \
        other: patient(id: $b) { displayName recalls { totalCount } history { totalCount } } }";
    let asked = json!({"a": patient.id, "b": other.id, "s": session.id});
    let seen = desk.graphql(text, asked.clone()).await.ok();
    assert_eq!(seen["sessions"], json!({"totalCount": 1, "nodes": [{"id": session.id}]}));
    assert_eq!(seen["healthEntries"]["totalCount"], 1);
    assert_eq!(seen["mine"]["healthHistory"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&seen["mine"]["history"]["totalCount"], &seen["session"]["history"]["totalCount"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(
        seen["other"],
        json!({"displayName": "Ian Smith", "recalls": {"totalCount": 1}, "history": {"totalCount": 1}})
    );
    // Each look has the reason of the emergency.
    let row = looks(&clinic, 1).await.remove(0);
    assert_eq!((row[0].as_str(), row[2].as_str()), ("read", "emergency: Unconscious at the door"));
    assert!(row[4].contains(&uuid_of(&patient.id).to_string()), "{row:?}");
    desk.because("Called").graphql(SIGHT, json!({"id": patient.id})).await.ok();
    assert_eq!(looks(&clinic, 1).await[0][2], "emergency: Unconscious at the door; Called");
    sees(&desk, &other).await;
    assert_eq!(looks(&clinic, 1).await[0][2], "", "a look at somebody else is none in the emergency");
    // Reading only, clinical records only, and nobody else's.
    // It is never as if the others had none: who reads of no allergies must know that they have none.
    let unknown = new_id("session");
    for (text, id) in [
        ("node(id: $id) { id }", &others.id),
        ("nodes(ids: [$id]) { id }", &others.id),
        ("node(id: $id) { id }", &unknown),
        ("session(id: $id) { id }", &others.id),
        ("chart(patientId: $id) { sessions { id } }", &other.id),
        ("chart(patientId: $id) { records { id } }", &other.id),
        ("patient(id: $id) { healthHistory { text } }", &other.id),
        ("patient(id: $id) { sessions(first: 0) { totalCount } }", &other.id),
        ("patient(id: $id) { timeline { totalCount } }", &other.id),
        ("patient(id: $id) { aftercare { at } }", &other.id),
        ("patient(id: $id) { photoPairs { area } }", &other.id),
        ("patient(id: $id) { outcomeSeries(scale: \"gais\") { points { score } } }", &other.id),
        ("healthEntries(filter: {patientId: $id}) { totalCount }", &other.id),
        ("addenda(filter: {patientId: $id}) { nodes { id } }", &other.id),
    ] {
        let answer = desk.graphql(&query(text), json!({"id": id})).await;
        assert_eq!(answer.outcome(), NO, "{text} {}", answer.text);
        assert!(answer.text.contains("beginEmergencyAccess"), "{text} {}", answer.text);
    }
    for text in [
        "{ sessions { totalCount } }",
        "{ sessions(first: 0) { totalCount } }",
        "{ healthEntries { nodes { id } } }",
        "{ consultations { nodes { id } } }",
        "{ addenda { nodes { id } } }",
        "{ photos { nodes { id } } }",
        "{ lotTrace(lot: \"L-1\") { sessionCount } }",
        "{ patients(filter: {hasSessionSince: \"2020-01-01T00:00:00Z\"}) { totalCount } }",
    ] {
        let answer = desk.graphql(text, json!({})).await;
        assert_eq!(answer.outcome(), NO, "{text} {}", answer.text);
        assert!(answer.text.contains("beginEmergencyAccess"), "{text} {}", answer.text);
    }
    // Others beside the patient are refused one by one.
    let both = "query ($a: ID!, $b: ID!) { a: patient(id: $a) { healthHistory { text } } b: patient(id: $b) { healthHistory { text } } }";
    let answer = desk.graphql(both, json!({"a": patient.id, "b": other.id})).await;
    assert_eq!(
        (answer.outcome().as_str(), answer.data["a"]["healthHistory"].as_array().map(Vec::len), &answer.data["b"]),
        (NO, Some(1), &json!({"healthHistory": null}))
    );
    for (mutation, input) in [
        ("addHealthEntry", json!({"patientId": patient.id, "kind": "ALLERGY", "text": "Latex"})),
        ("updateSession", session.edit_with(json!({"patch": {"note": "x"}}))),
    ] {
        assert_eq!(desk.does(mutation, input, "__typename").await.outcome(), NO, "{mutation}");
    }
    for field in [
        "merges { id }",
        "legalHolds { id }",
        "restrictions { id }",
        "emergencyAccesses { id }",
        "accessLog { totalCount }",
    ] {
        let answer = desk.graphql(&query(&format!("patient(id: $id) {{ {field} }}")), json!({"id": patient.id})).await;
        assert_eq!(answer.outcome(), NO, "{field}");
    }
    assert_eq!(sees(&anna, &patient).await, CLOSED, "an emergency of one is none of another");
    // The clock ends it, and nothing has to act.
    sql.run("UPDATE emergency_access SET begun_at = now() - interval '2 h', ends_at = now() - interval '1 ms'").await;
    let late = desk.graphql(text, asked).await;
    assert_eq!(late.outcome(), format!("{NO} {CLOSED}"), "{}", late.text);
    assert!(late.data["mine"].is_null() && late.data["sessions"].is_null());
    let ended = desk.does("endEmergencyAccess", json!({"id": begun["id"]}), "__typename").await;
    assert_eq!(ended.faults(), ["input.id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn emergency_access_opens_one_restricted_patient_and_no_other() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (patient, other) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Ian", "Smith").await);
    restrict(&clinic, &patient).await;
    restrict(&clinic, &other).await;
    let begun = begin(&anna, &patient).await.ok()["beginEmergencyAccess"]["emergencyAccess"].clone();
    assert_eq!((sees(&anna, &patient).await.as_str(), sees(&anna, &other).await.as_str()), ("ok", CLOSED));
    assert_eq!(anna.ask("{ patients { totalCount } }").await["patients"]["totalCount"], 1);
    anna.health_entry(&patient).await;
    // Two at a time open both.
    begin(&anna, &other).await.ok();
    assert_eq!((sees(&anna, &patient).await.as_str(), sees(&anna, &other).await.as_str()), ("ok", "ok"));
    // One's own is ended by oneself, anybody's by an admin, nobody's by others.
    let end = json!({"id": begun["id"]});
    assert_eq!(clinic.front_desk().does("endEmergencyAccess", end.clone(), "__typename").await.outcome(), "NOT_FOUND");
    let foreign = clinic.of(&clinic.south, Role::Admin);
    assert_eq!(foreign.does("endEmergencyAccess", end.clone(), "__typename").await.outcome(), "NOT_FOUND");
    anna.does("endEmergencyAccess", end, "emergencyAccess { endedAt }").await.ok();
    assert_eq!((sees(&anna, &patient).await.as_str(), sees(&anna, &other).await.as_str()), (CLOSED, "ok"));
    let open = clinic.admin().ask("{ emergencyAccesses { nodes { id open } } }").await;
    let open =
        open["emergencyAccesses"]["nodes"].as_array().expect("a list").iter().find(|it| it["open"] == true).cloned();
    let open = open.expect("an open one");
    clinic.admin().does("endEmergencyAccess", json!({"id": open["id"]}), "emergencyAccess { open }").await.ok();
    assert_eq!(sees(&anna, &other).await, CLOSED);
    // What is asked for is checked.
    for (input, path) in [
        (json!({"patientId": patient.id, "reason": "Too short"}), "input.reason"),
        (json!({"patientId": patient.id, "reason": "Unconscious at the door", "minutes": 4}), "input.minutes"),
        (json!({"patientId": patient.id, "reason": "Unconscious at the door", "minutes": 241}), "input.minutes"),
        (json!({"reason": "Unconscious at the door"}), "input.patientId"),
        (
            json!({"patientId": patient.id, "chartNumber": "P-000001", "reason": "Unconscious at the door"}),
            "input.chartNumber",
        ),
    ] {
        assert_eq!(anna.does("beginEmergencyAccess", input, "__typename").await.faults(), [path]);
    }
    let unknown = json!({"chartNumber": "P-999999", "reason": "Unconscious at the door"});
    assert_eq!(anna.does("beginEmergencyAccess", unknown, "__typename").await.outcome(), "NOT_FOUND");
    assert_eq!(begin(&clinic.stranger(), &patient).await.outcome(), "NOT_FOUND");
    assert_eq!(begin(&clinic.auditor(), &patient).await.outcome(), NO);
}

#[tokio::test(flavor = "multi_thread")]
async fn emergency_access_that_is_begun_many_times_at_once_is_begun_once() {
    let clinic = Clinic::with(&[
        "--pool-wait",
        "20s",
        "--lock-timeout",
        "20s",
        "--statement-timeout",
        "25s",
        "--request-deadline",
        "30s",
        "--shutdown-timeout",
        "35s",
    ])
    .await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    restrict(&clinic, &patient).await;
    let answers = join_all((0..12).map(|_| begin(&anna, &patient))).await;
    let mut outcomes: Vec<String> = answers.iter().map(Answer::outcome).collect();
    outcomes.sort();
    assert_eq!(
        (outcomes[11].as_str(), outcomes[..11].iter().all(|it| it == "BAD_USER_INPUT")),
        ("ok", true),
        "{outcomes:?}"
    );
    assert_eq!(clinic.database.superuser().await.one("SELECT count(*) FROM emergency_access").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn emergency_access_is_listed_and_reviewed_by_another_admin() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let (patient, other) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Ian", "Smith").await);
    restrict(&clinic, &patient).await;
    let hers = Made::of(&begin(&anna, &patient).await.ok()["beginEmergencyAccess"]["emergencyAccess"]);
    let own = Made::of(&begin(&admin, &other).await.ok()["beginEmergencyAccess"]["emergencyAccess"]);
    let waiting = "{ me { unreviewedEmergencyAccess } }";
    assert_eq!(admin.ask(waiting).await["me"]["unreviewedEmergencyAccess"], 1, "one's own is for another");
    assert_eq!(anna.ask(waiting).await["me"]["unreviewedEmergencyAccess"], Value::Null);
    let list = "query ($f: EmergencyAccessFilter) { emergencyAccesses(filter: $f) { totalCount nodes { id staff { id } patientId alertedAt } } }";
    let listed = async |by: &SignedIn, filter: Value| by.graphql(list, json!({"f": filter})).await;
    let all = listed(&clinic.auditor(), json!({})).await.ok();
    assert_eq!(all["emergencyAccesses"]["totalCount"], 2);
    assert_eq!(all["emergencyAccesses"]["nodes"][0]["alertedAt"], Value::Null, "there is no mail server");
    for (filter, count) in [
        (json!({"staffId": anna.id()}), 1),
        (json!({"patientId": other.id}), 1),
        (json!({"reviewed": false}), 2),
        (json!({"reviewed": true}), 0),
    ] {
        assert_eq!(listed(&admin, filter).await.ok()["emergencyAccesses"]["totalCount"], count);
    }
    assert_eq!(listed(&anna, json!({})).await.outcome(), NO);
    // A restricted patient in it is a clean null for who has no reason.
    let nested = "{ emergencyAccesses(filter: {reviewed: false}) { nodes { id patient { displayName } } } }";
    let answer = admin.graphql(nested, json!({})).await;
    assert_eq!(
        (answer.codes(), answer.data["emergencyAccesses"]["nodes"].as_array().map(Vec::len)),
        (vec![CLOSED], Some(2))
    );
    admin.because("To review it").graphql(nested, json!({})).await.ok();
    let note = json!({"note": "As it should be"});
    let refused = admin.does("reviewEmergencyAccess", own.edit_with(note.clone()), "__typename").await;
    assert_eq!(refused.faults(), ["input.id"]);
    assert_eq!(anna.does("reviewEmergencyAccess", hers.edit_with(note.clone()), "__typename").await.outcome(), NO);
    let reviewed = admin.make("reviewEmergencyAccess", "emergencyAccess", hers.edit_with(note.clone())).await;
    assert_eq!(
        admin.does("reviewEmergencyAccess", reviewed.edit_with(note), "__typename").await.faults(),
        ["input.id"]
    );
    assert_eq!(admin.ask(waiting).await["me"]["unreviewedEmergencyAccess"], 0);
    let text =
        query("patient(id: $id) { emergencyAccesses { id reviewNote reviewedBy { id } history { totalCount } } }");
    let shown = clinic.auditor().because("Audit").graphql(&text, json!({"id": patient.id})).await.ok();
    let expected = json!({"id": hers.id, "reviewNote": "As it should be", "reviewedBy": {"id": admin.id()}, "history": {"totalCount": 2}});
    assert_eq!(shown["patient"]["emergencyAccesses"], json!([expected]));
}

// --- Mail ------------------------------------------------------------------------------------------------------------

/// A mail server on loopback that takes everything: its address, and what it took, each as recipient and text.
async fn mail_server() -> (String, Arc<Mutex<Vec<(String, String)>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("smtp://{}", listener.local_addr().expect("an address"));
    let taken = Arc::new(Mutex::new(Vec::new()));
    let mails = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mails = Arc::clone(&mails);
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                write.write_all(b"220 test ESMTP\r\n").await.ok()?;
                let (mut to, mut text, mut in_data) = (String::new(), String::new(), false);
                while let Ok(Some(line)) = lines.next_line().await {
                    let answer = if in_data {
                        if line != "." {
                            text += &line;
                            text.push('\n');
                            continue;
                        }
                        in_data = false;
                        mails.lock().expect("a list").push((std::mem::take(&mut to), std::mem::take(&mut text)));
                        "250 taken"
                    } else if line.starts_with("EHLO") {
                        "250 test"
                    } else if line.starts_with("RCPT TO:") {
                        to = line.trim_start_matches("RCPT TO:<").split('>').next().unwrap_or_default().to_owned();
                        "250 fine"
                    } else if line == "DATA" {
                        in_data = true;
                        "354 go on"
                    } else if line == "QUIT" {
                        "221 bye"
                    } else {
                        "250 fine"
                    };
                    write.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
                }
                Some(())
            });
        }
    });
    (address, taken)
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !done().await {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_are_told_by_mail_and_what_could_not_be_sent_is_sent_later() {
    let mut clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let more = |email: &str| json!({"email": email, "displayName": "Bo", "role": "ADMIN", "password": PASSWORD});
    admin.make("addStaff", "staff", more("second@north.example")).await;
    let invited = json!({"email": "invited@north.example", "displayName": "Bo", "role": "ADMIN"});
    admin.make("addStaff", "staff", invited).await;
    let left = admin.make("addStaff", "staff", more("left@north.example")).await;
    admin.make("updateStaff", "staff", left.edit_with(json!({"active": false}))).await;
    let patient = anna.patient_with("Zoë", "Ramírez", json!({"chartNumber": "P-000001"})).await;
    let other = anna.patient_with("Ian", "Smith", json!({"chartNumber": "P-000002"})).await;
    restrict(&clinic, &patient).await;
    begin(&anna, &patient).await.ok();
    let sql = clinic.database.superuser().await;
    let untold = "SELECT count(*) FROM emergency_access WHERE alerted_at IS NULL";
    assert_eq!(sql.one(untold).await, "1");
    // A server that takes no mail: it waits.
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    clinic.restart(&["--smtp-url", &format!("smtp://{nobody}"), "--mail-from", "clinic@north.example"]).await;
    begin(&clinic.practitioner(), &other).await.ok();
    assert_eq!(sql.one(untold).await, "2");
    let (address, taken) = mail_server().await;
    clinic.restart(&["--smtp-url", &address, "--mail-from", "Clinic <clinic@north.example>"]).await;
    until("both are told", async || sql.one(untold).await == "0").await;
    let mails = taken.lock().expect("a list").clone();
    let told: BTreeSet<&str> = mails.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!((mails.len(), told), (4, BTreeSet::from(["admin@north.example", "second@north.example"])));
    let text = mails.iter().map(|(_, text)| text.as_str()).collect::<String>();
    for word in [
        "P-000001",
        "P-000002",
        "NORTH practitioner",
        "emergency_access_",
        "reviewEmergencyAccess",
        "From: Clinic <clinic@north.example>",
    ] {
        assert!(text.contains(word), "{word} {text}");
    }
    for word in ["Ram", "Zo", "Smith", "Unconscious", "patient_0"] {
        assert!(!text.contains(word), "{word} {text}");
    }
    // And at once, where the server takes it.
    let third = clinic.practitioner().patient("Ada", "Lovelace").await;
    begin(&clinic.front_desk(), &third).await.ok();
    until("the third is told", async || taken.lock().expect("a list").len() == 6).await;
    until("it is noted", async || sql.one(untold).await == "0").await;
    let list = clinic.admin().ask("{ emergencyAccesses { nodes { alertedAt version } } }").await;
    assert!(
        list["emergencyAccesses"]["nodes"].as_array().expect("a list").iter().all(|it| it["alertedAt"].is_string())
    );
    assert_eq!(crate::ledger::broken(&sql, "ledger", clinic.north.uuid).await, None);
}

// --- Who looked ------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn every_query_that_shows_patients_leaves_one_row_that_names_exactly_them() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    clinic.practitioner().session(&clinic.practitioner().patient("Ian", "Smith").await).await;
    let sql = clinic.database.superuser().await;
    let owners = owners(&sql).await;
    let north = clinic.north.uuid;
    let newest = format!("SELECT coalesce(max(seq), 0) FROM access_log WHERE org_id = '{north}'");
    let (mut wrong, mut looks, mut refusals) = (Vec::new(), 0, 0);
    for (name, arguments, text, rights) in queries(&clinic).await {
        for role in Role::ALL {
            let who = clinic.of(&clinic.north, role);
            let before = sql.one(&newest).await;
            let answer = who.graphql(&text, chart.ids.clone()).await;
            let rows = sql
                .rows(&format!(
                    "SELECT event, operation, array_to_string(patient_ids, ' '), actor_id FROM access_log \
                    WHERE org_id = '{north}' AND seq > {before} ORDER BY seq"
                ))
                .await;
            let rows: Vec<Vec<String>> =
                rows.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect();
            // What it shows, and what it was asked about.
            let mut shown = BTreeSet::new();
            ids_in(&answer.data, &mut shown);
            for (kind, id) in chart.ids.as_object().expect("ids") {
                if answer.outcome() == "ok" && arguments.contains(&format!("${kind}")) {
                    shown.insert(uuid_of(id.as_str().expect("id")));
                }
            }
            let patients: BTreeSet<String> =
                shown.iter().filter_map(|id| owners.get(id)).map(ToString::to_string).collect();
            let refused = rights[role as usize] != "ok";
            let read = !patients.is_empty() || (name == "accessLog" && !refused);
            (looks, refusals) = (looks + usize::from(read), refusals + usize::from(refused));
            let expected: Vec<(&str, BTreeSet<String>)> =
                [(read, "read", patients), (refused, "refused", BTreeSet::new())]
                    .into_iter()
                    .filter_map(|(is, event, patients)| is.then_some((event, patients)))
                    .collect();
            let actor = uuid_of(who.id()).to_string();
            let found: Vec<(&str, BTreeSet<String>)> = rows
                .iter()
                .filter(|row| row[1] == name && row[3] == actor)
                .map(|row| (row[0].as_str(), row[2].split_whitespace().map(str::to_owned).collect()))
                .collect();
            if rows.len() != found.len() || found != expected {
                wrong.push(format!("{role:?} {name}: {rows:?} instead of {expected:?} {}", answer.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(looks > 60 && refusals > 25, "{looks} looks, {refusals} refusals");
    // Signing in, being refused at it, signing out: one row each.
    let door = clinic.anonymous();
    let events = async |count: usize| {
        let rows = self::looks(&clinic, count).await;
        rows.into_iter().map(|row| row[0].clone()).rev().collect::<Vec<_>>()
    };
    let before: i64 = sql.one(&newest).await.parse().expect("a number");
    let again = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    door.sign_in("practitioner@north.example", "a wrong password").await;
    clinic.refusals_logged().await;
    again.ask("mutation { signOut { signedOut } }").await;
    assert_eq!(events(3).await, ["signed_in", "sign_in_refused", "signed_out"]);
    assert_eq!(sql.one(&newest).await, (before + 3).to_string());
    assert_eq!(crate::ledger::broken(&sql, "access_log", north).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_shown_something_and_refused_something_leaves_a_row_for_each() {
    let clinic = Clinic::start().await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let (patient, other) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Ian", "Smith").await);
    let session = anna.session(&other).await;
    let uuid = |made: &Made| uuid_of(&made.id).to_string();
    let (anna_id, desk_id) = (uuid_of(anna.id()).to_string(), uuid_of(desk.id()).to_string());
    let sql = clinic.database.superuser().await;
    let newest = format!("SELECT coalesce(max(seq), 0) FROM access_log WHERE org_id = '{}'", clinic.north.uuid);
    // Everything since a number, oldest first: event, actor, patients.
    let since = async |before: &str| {
        let rows = sql
            .rows(&format!(
                "SELECT event, actor_id, array_to_string(patient_ids, ' ') FROM access_log \
                 WHERE org_id = '{}' AND seq > {before} ORDER BY seq",
                clinic.north.uuid
            ))
            .await;
        let text = |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>();
        rows.into_iter().map(text).collect::<Vec<_>>()
    };
    let row = |event: &str, actor: &str, patients: &str| [event, actor, patients].map(str::to_owned).to_vec();

    let before = sql.one(&newest).await;
    let text = "query ($id: ID!) { patient(id: $id) { displayName } sessions { totalCount } again: healthEntries { totalCount } }";
    assert_eq!(desk.graphql(text, json!({"id": patient.id})).await.outcome(), NO);
    assert_eq!(since(&before).await, [row("read", &desk_id, &uuid(&patient)), row("refused", &desk_id, "")]);

    // One who is closed is in the row of the refusal, and not in that of the look.
    restrict(&clinic, &other).await;
    let before = sql.one(&newest).await;
    let text = "query ($a: ID!, $b: ID!, $s: ID!) { a: patient(id: $a) { displayName } b: patient(id: $b) { displayName } \
        c: session(id: $s) { id } d: nodes(ids: [$b, $a]) { id } }";
    let ids = json!({"a": patient.id, "b": other.id, "s": session.id});
    assert_eq!(anna.graphql(text, ids).await.outcome(), CLOSED);
    let looks = [row("read", &anna_id, &uuid(&patient)), row("refused", &anna_id, &uuid(&other))];
    assert_eq!(since(&before).await, looks);

    // With a sign-in midway each refusal is on the name of who was refused, whoever was shown something.
    let change =
        |version: i32, gender: &str| json!({"id": patient.id, "expectedVersion": version, "patch": {"gender": gender}});
    let credentials = |who: &SignedIn| json!({"email": who.member.email, "password": PASSWORD});
    let text = "mutation ($one: UpdatePatientInput!, $who: SignInInput!, $two: UpdatePatientInput!) { \
        updatePatient(input: $one) { patient { displayName sessions { totalCount } } } signIn(input: $who) { staff { id } } \
        again: updatePatient(input: $two) { patient { displayName sessions { totalCount } } } }";
    for (first, second, versions) in [(&desk, &anna, (1, 2)), (&anna, &desk, (3, 4))] {
        let before = sql.one(&newest).await;
        let sent = json!({"one": change(versions.0, "a"), "who": credentials(second), "two": change(versions.1, "b")});
        let answer = first.graphql(text, sent).await;
        assert_eq!(answer.code(), NO, "{}", answer.text);
        let mut rows = since(&before).await;
        rows.sort();
        let mut expected = vec![
            row("read", &anna_id, &uuid(&patient)),
            row("read", &desk_id, &uuid(&patient)),
            row("refused", &desk_id, ""),
            row("signed_in", &uuid_of(second.id()).to_string(), ""),
        ];
        expected.sort();
        assert_eq!(rows, expected);
    }
    // The error that ends the answer is of who came last; who signs in and out and in again has one row.
    let text = "mutation ($who: SignInInput!, $them: SignInInput!, $two: AddHealthEntryInput!) { \
        a: signIn(input: $who) { staff { id } } b: signIn(input: $them) { staff { id } } c: signIn(input: $who) { staff { id } } \
        addHealthEntry(input: $two) { healthEntry { text } } }";
    let entry = json!({"patientId": patient.id, "kind": "ALLERGY", "text": "Latex"});
    let before = sql.one(&newest).await;
    let sent = json!({"who": credentials(&desk), "them": credentials(&anna), "two": entry});
    assert_eq!(anna.graphql(text, sent).await.outcome(), NO);
    let refused: Vec<_> = since(&before).await.into_iter().filter(|row| row[0] != "signed_in").collect();
    assert_eq!(refused, [row("refused", &desk_id, "")]);
    assert_eq!(crate::ledger::broken(&sql, "access_log", clinic.north.uuid).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_logged_is_not_shown() {
    let clinic = Clinic::start().await;
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    let patient = anna.patient("Zoë", "Ramírez").await;
    for table in ["access_log", "access_log_patient"] {
        sql.run(&format!("REVOKE INSERT ON {table} FROM clinic_app")).await;
        for text in ["patient(id: $id) { displayName }", "node(id: $id) { id }", "chart(patientId: $id) { asOf }"] {
            let answer = anna.graphql(&query(text), json!({"id": patient.id})).await;
            assert_eq!(
                (answer.code(), &answer.data, answer.status.as_u16()),
                ("UNAVAILABLE", &Value::Null, 503),
                "{text}"
            );
            assert!(!answer.text.contains("Zo"), "{}", answer.text);
        }
        sql.run(&format!("GRANT INSERT ON {table} TO clinic_app")).await;
        assert_eq!(sees(&anna, &patient).await, "ok");
    }
    // Nor is a sign-in given that can't be written down.
    sql.run("REVOKE INSERT ON access_log FROM clinic_app").await;
    assert_eq!(clinic.anonymous().sign_in("admin@north.example", PASSWORD).await.outcome(), "UNAVAILABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_is_shown_to_who_looks_after_it() {
    let clinic = Clinic::start().await;
    let (anna, admin, auditor) = (clinic.practitioner(), clinic.admin(), clinic.auditor());
    let (patient, double) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Zoë", "Ramírez").await);
    sees(&clinic.front_desk().because("Telephone"), &double).await;
    anna.make("mergePatients", "merge", merging(&double, &patient, json!({}))).await;
    sees(&anna, &patient).await;
    let text = "query ($id: ID!, $n: Int, $after: String, $f: PatientAccessFilter) { patient(id: $id) { accessLog(first: $n, after: $after, filter: $f) \
        { totalCount pageInfo { hasNextPage endCursor } nodes { sequence at event operation reason requestId fromAddress patientIds \
        actor { __typename ... on Staff { id } } } } } }";
    let log = async |who: &SignedIn, more: Value| {
        let mut variables = json!({"id": patient.id});
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        who.graphql(text, variables).await
    };
    let shown = log(&auditor, json!({})).await.ok()["patient"]["accessLog"].clone();
    // Two registrations, a look at the one who was merged away, the merge, a look: none twice.
    let nodes = shown["nodes"].as_array().expect("a list");
    let operations: Vec<&str> = nodes.iter().filter_map(|it| it["operation"].as_str()).collect();
    assert_eq!(operations, ["patient", "mergePatients", "patient", "registerPatient", "registerPatient"]);
    assert_eq!(shown["totalCount"], 5);
    assert_eq!(nodes[2]["reason"], "Telephone");
    assert_eq!(nodes[2]["actor"], json!({"__typename": "Staff", "id": clinic.front_desk().id()}));
    assert_eq!((&nodes[0]["event"], &nodes[0]["fromAddress"]), (&json!("READ"), &json!("127.0.0.1")));
    assert_eq!(nodes[0]["patientIds"], json!([patient.id]));
    // Asking was a look: it comes next.
    let again = log(&admin, json!({"n": 2})).await.ok()["patient"]["accessLog"].clone();
    assert_eq!(again["nodes"][0]["actor"]["id"], json!(auditor.id()));
    let after =
        log(&admin, json!({"n": 2, "after": again["pageInfo"]["endCursor"]})).await.ok()["patient"]["accessLog"]
            .clone();
    assert_eq!(after["nodes"][0]["operation"], "mergePatients");
    let filtered = log(&admin, json!({"f": {"actorId": clinic.front_desk().id()}})).await.ok();
    assert_eq!(filtered["patient"]["accessLog"]["totalCount"], 1);
    let later = log(&admin, json!({"f": {"since": "2999-01-01T00:00:00Z"}})).await.ok();
    assert_eq!(later["patient"]["accessLog"]["totalCount"], 0);
    for who in [&anna, &clinic.front_desk()] {
        let answer = log(who, json!({})).await;
        assert_eq!((answer.outcome().as_str(), &answer.data["patient"]["accessLog"]), (NO, &Value::Null));
        assert_eq!(who.graphql("{ accessLog { totalCount } }", json!({})).await.outcome(), NO);
    }
    // The organisation's: refusals and sign-ins too, and nothing of another organisation.
    clinic.anonymous().sign_in("admin@north.example", "a wrong password").await;
    clinic.refusals_logged().await;
    let root = "query ($f: AccessLogFilter) { accessLog(first: 100, filter: $f) { totalCount nodes { event operation actor { ... on Staff { id } } } } }";
    let refused =
        admin.graphql(root, json!({"f": {"event": ["REFUSED", "SIGN_IN_REFUSED"]}})).await.ok()["accessLog"].clone();
    assert_eq!(refused["nodes"][0]["event"], "SIGN_IN_REFUSED");
    assert_eq!(refused["nodes"][0]["actor"]["id"], json!(admin.id()));
    assert_eq!(refused["totalCount"], 5);
    let about =
        admin.graphql(root, json!({"f": {"patientId": patient.id, "event": ["READ"]}})).await.ok()["accessLog"].clone();
    assert!(about["totalCount"].as_i64().expect("a count") >= 5);
    let row = self::looks(&clinic, 1).await.remove(0);
    assert_eq!((row[0].as_str(), row[1].as_str()), ("read", "accessLog"), "asking is a look too, whatever it finds");
    let south = clinic.of(&clinic.south, Role::Auditor);
    let theirs = south.graphql(root, json!({"f": {"patientId": patient.id}})).await.ok();
    assert_eq!(theirs["accessLog"]["totalCount"], 0);
    assert_eq!(log(&south, json!({})).await.outcome(), "NOT_FOUND");
    // An export has the looks with their reasons.
    let export = admin.does("exportPatient", json!({"patientId": patient.id}), "export { content }").await.ok();
    let history = export["exportPatient"]["export"]["content"]["accessHistory"].as_array().expect("looks").clone();
    assert!(history.iter().any(|look| look["reason"] == "Telephone"), "{history:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_are_left_out_of_the_log_on_loopback_only_and_only_for_measuring() {
    let clinic = Clinic::with(&["--unsafe-no-access-log"]).await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    sees(&anna, &patient).await;
    let sql = clinic.database.superuser().await;
    let rows = format!("SELECT count(*) FROM access_log WHERE org_id = '{}' AND event = 'read'", clinic.north.uuid);
    let before = sql.one(&rows).await;
    sees(&anna, &patient).await;
    assert_eq!(sql.one(&rows).await, before);
    anna.graphql("{ accessLog { totalCount } }", json!({})).await;
    assert_eq!(looks(&clinic, 1).await[0][0], "refused", "refusals are written all the same");
    let refused = std::process::Command::new(env!("CARGO_BIN_EXE_clinic"))
        .args(["serve", "--listen", "0.0.0.0:0", "--unsafe-no-access-log", "--database-url", &clinic.database.url()])
        .output()
        .expect("clinic serve");
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("loopback"));
}
