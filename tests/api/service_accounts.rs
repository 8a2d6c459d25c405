//! Programs as users: what their keys open, and when they stop.

use crate::support::*;
use std::time::{Duration, Instant};

const WHO: &str = "{ viewer { kind serviceAccountId scopes staff { id } } }";

/// A service account of the north with one key, and who calls with it.
async fn program(clinic: &Clinic, scopes: &[&str], key: Value) -> (Made, Made, Caller) {
    let admin = clinic.admin();
    let service = admin.service_account(&format!("Program {}", uuid::Uuid::now_v7()), scopes).await;
    let (made, secret) = admin.api_key(&service, key).await;
    (service, made, clinic.anonymous().with_token(&secret))
}

/// Asks until the answer is as wanted: for what the service does beside a request.
async fn until(sql: &Sql, question: &str, wanted: &str) {
    let start = Instant::now();
    while sql.one(question).await != wanted {
        assert!(start.elapsed() < Duration::from_secs(20), "{question} is not {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const SCOPES: [&str; 5] = ["PATIENTS_READ", "CLINICAL_READ", "CATALOGUE_READ", "ORGANISATION_READ", "AUDIT_READ"];

/// Queries, each with the scope that it needs.
const EVERYTHING: [(&str, &str); 9] = [
    ("{ patients { nodes { displayName } } }", "PATIENTS_READ"),
    ("{ recalls { totalCount } }", "PATIENTS_READ"),
    ("{ sessions { nodes { status } } }", "CLINICAL_READ"),
    ("{ healthEntries { totalCount } }", "CLINICAL_READ"),
    ("{ photos { totalCount } }", "CLINICAL_READ"),
    ("{ devices { totalCount } protocols { totalCount } consentTemplates { totalCount } }", "CATALOGUE_READ"),
    ("{ organisation { name } staff { totalCount } locations { totalCount } }", "ORGANISATION_READ"),
    ("{ patientErasures { totalCount } }", "PATIENTS_READ"),
    (
        "{ legalHolds { totalCount } serviceAccounts { nodes { name keys { totalCount } } } apiKeys { totalCount } }",
        "AUDIT_READ",
    ),
];

/// The log is filtered by programs as by people.
async fn the_log_is_filtered_by(clinic: &Clinic, service: &Made, patient: &Made) {
    let text = "query ($f: AccessLogFilter) { accessLog(filter: $f) { totalCount nodes { actor { ... on ServiceAccount { id } } } } }";
    let theirs = clinic.admin().graphql(text, json!({"f": {"actorId": service.id}})).await.ok()["accessLog"].clone();
    let nodes = theirs["nodes"].as_array().expect("a list");
    assert!(!nodes.is_empty() && nodes.iter().all(|it| it["actor"]["id"] == json!(service.id)), "{theirs}");
    let own = "query ($id: ID!, $f: PatientAccessFilter) { patient(id: $id) { accessLog(filter: $f) { totalCount } } }";
    for (actor, some) in [(service.id.as_str(), true), (clinic.auditor().id(), false)] {
        let asked = json!({"id": patient.id, "f": {"actorId": actor}});
        let count = clinic.admin().graphql(own, asked).await.ok()["patient"]["accessLog"]["totalCount"].clone();
        assert_eq!(count != json!(0), some, "{actor}");
    }
    for wrong in [patient.id.as_str(), "staff_x", "service_account_", "x"] {
        let answer = clinic.admin().graphql(text, json!({"f": {"actorId": wrong}})).await;
        assert_eq!(answer.faults(), ["filter.actorId"], "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_what_its_scopes_say_and_writes_nothing() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    anna.session(&patient).await;
    let (service, _, patients) = program(&clinic, &["PATIENTS_READ"], json!({})).await;
    let expected = json!({"viewer": {"kind": "SERVICE_ACCOUNT", "serviceAccountId": service.id, "scopes": ["PATIENTS_READ"], "staff": null}});
    assert_eq!(patients.ask(WHO).await, expected);
    assert_eq!(
        anna.ask(WHO).await["viewer"],
        json!({"kind": "STAFF", "serviceAccountId": null, "scopes": [], "staff": {"id": anna.id()}})
    );

    for scope in SCOPES {
        let (_, _, caller) = program(&clinic, &[scope], json!({})).await;
        for (query, needed) in EVERYTHING {
            let wanted = if scope == needed { "ok" } else { "FORBIDDEN" };
            assert_eq!(caller.graphql(query, json!({})).await.outcome(), wanted, "{scope} {query}");
        }
    }
    let answer = patients.graphql("{ sessions { totalCount } }", json!({})).await;
    assert!(answer.text.contains("clinical:read"), "the scope that is missing is named: {}", answer.text);

    // `me` is a person, and the answer says so.
    let answer = patients.graphql("{ me { id } }", json!({})).await;
    assert!(answer.code() == "FORBIDDEN" && answer.text.contains("for people"), "{}", answer.text);

    // Nothing is written, whatever the scopes, and also not by a mutation that asks for no right.
    let (service, _, reader) = program(&clinic, &SCOPES, json!({})).await;
    let sql = clinic.database.superuser().await;
    let before = sql.one("SELECT count(*) FROM ledger").await;
    let input = json!({"legalName": {"given": "New", "family": "New"}, "birthDate": "1980-01-01"});
    assert_eq!(reader.does("registerPatient", input, "patient { id }").await.code(), "FORBIDDEN");
    let wrong = json!({"legalName": {"given": "", "family": ""}, "birthDate": "2980-01-01"});
    assert_eq!(reader.does("registerPatient", wrong, "patient { id }").await.code(), "FORBIDDEN");
    assert_eq!(reader.graphql("mutation { signOut { signedOut } }", json!({})).await.code(), "FORBIDDEN");
    assert_eq!(sql.one("SELECT count(*) FROM ledger").await, before);

    // What it looked at is in the access log under its id, and so is what it was refused.
    let log = |event| {
        format!("SELECT count(*) > 0 FROM access_log WHERE event = '{event}' AND actor_id = '{}'", uuid_of(&service.id))
    };
    assert_eq!(sql.one(&log("refused")).await, "t");
    reader.ask("{ patients { nodes { displayName sessions { nodes { practitioner { displayName } history { nodes { by { id } } } } } } } }").await;
    assert_eq!(sql.one(&log("read")).await, "t");

    the_log_is_filtered_by(&clinic, &service, &patient).await;

    // Another organisation's records are not there.
    let answer = reader.graphql("query ($id: ID!) { patient(id: $id) { id } }", json!({"id": patient.id})).await;
    assert_eq!(answer.outcome(), "ok");
    let theirs = clinic.stranger().patient("Ada", "South").await;
    let answer = reader.graphql("query ($id: ID!) { patient(id: $id) { id } }", json!({"id": theirs.id})).await;
    assert_eq!(answer.code(), "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_kept_as_its_hash() {
    let clinic = Clinic::start().await;
    let admin = clinic.admin();
    let service = admin.service_account("Reader", &["PATIENTS_READ", "PATIENTS_READ"]).await;
    let (key, secret) = admin.api_key(&service, json!({"allowedAddresses": ["127.0.0.0/8", "::1"]})).await;
    assert!(secret.starts_with("clinic_key_") && secret.len() == 70, "{secret}");
    clinic.anonymous().with_token(&secret).ask(WHO).await;
    let query = "query ($id: ID!) { serviceAccount(id: $id) { scopes version keys { nodes {
        id prefix allowedAddresses expiresAt holds revokedAt lastUsedFrom createdBy { id } history { nodes { changes { field } } } } } } }";
    let sql = clinic.database.superuser().await;
    until(&sql, "SELECT count(*) FROM api_key_use WHERE last_used_at IS NOT NULL", "1").await;
    let shown = clinic.auditor().graphql(query, json!({"id": service.id})).await;
    assert!(!shown.text.contains(&secret), "{}", shown.text);
    let shown = shown.ok()["serviceAccount"].clone();
    assert_eq!(shown["scopes"], json!(["PATIENTS_READ"]));
    let found = &shown["keys"]["nodes"][0];
    assert_eq!((&found["id"], found["prefix"].as_str()), (&json!(key.id), secret.get(..19)));
    assert_eq!(found["allowedAddresses"], json!(["127.0.0.0/8", "::1/128"]));
    assert_eq!((&found["holds"], &found["revokedAt"]), (&json!(true), &json!(null)));
    assert_eq!((&found["lastUsedFrom"], &found["createdBy"]["id"]), (&json!("127.0.0.1"), &json!(admin.id())));
    assert_eq!(sql.one("SELECT round(extract(epoch FROM expires_at - created_at) / 86400) FROM api_key").await, "90");
    let tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')";
    for table in sql.column(tables).await {
        let found = format!("SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%{}%'", &secret[20..63]);
        assert_eq!(sql.one(&found).await, "0", "{table}");
    }
    // A retry makes no second key, and can't show the first one again.
    let input = json!({"id": new_id("api_key"), "serviceAccountId": service.id});
    let first = admin.does("createApiKey", input.clone(), "apiKey { id prefix } secret").await.ok();
    let again = admin.does("createApiKey", input, "apiKey { id prefix } secret").await.ok();
    assert!(first["createApiKey"]["secret"].is_string() && again["createApiKey"]["secret"].is_null());
    assert_eq!(first["createApiKey"]["apiKey"], again["createApiKey"]["apiKey"]);
    assert_eq!(sql.one("SELECT count(*) FROM api_key").await, "2");
}

/// What a key gets from an address.
async fn from(caller: &Caller, address: &str) -> Answer {
    Answer::to(caller.prepare(WHO, json!({})).header("X-Forwarded-For", address)).await
}

/// Why a key is refused.
async fn says(caller: &Caller, words: &str) {
    let answer = from(caller, "192.0.2.9").await;
    assert!(answer.code() == "UNAUTHENTICATED" && answer.text.contains(words), "{words}: {}", answer.text);
}

/// A slip is told without a look into the database; a whole key that nobody has is not.
async fn a_slip_is_told(clinic: &Clinic, secret: &str) {
    let nobody = clinic.anonymous();
    let mut slip = secret.to_owned();
    slip.replace_range(40..41, if &secret[40..41] == "a" { "b" } else { "a" });
    says(&nobody.with_token(&slip), "mistyped or cut").await;
    says(&nobody.with_token(&secret[..69]), "mistyped or cut").await;
    says(&nobody.with_token("clinic_key_"), "mistyped or cut").await;
    clinic.database.superuser().await.run("DELETE FROM api_key_use WHERE last_used_at IS NULL").await;
    says(&nobody.with_token(secret), "nobody has").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_when_it_is_revoked_expired_mistyped_closed_or_elsewhere() {
    let mut clinic = Clinic::with(&["--trust-proxy"]).await;
    let admin = clinic.admin();
    let (service, key, caller) =
        program(&clinic, &["PATIENTS_READ"], json!({"allowedAddresses": ["192.0.2.0/24"]})).await;
    let sql = clinic.database.superuser().await;
    let refusals =
        format!("SELECT count(*) FROM access_log WHERE event = 'refused' AND actor_id = '{}'", uuid_of(&service.id));
    assert_eq!(from(&caller, "192.0.2.9").await.outcome(), "ok");
    let answer = from(&caller, "198.51.100.1").await;
    assert_eq!((answer.code(), answer.status.as_u16()), ("UNAUTHENTICATED", 401));
    assert!(answer.text.contains("network address"), "{}", answer.text);
    assert_eq!(sql.one(&refusals).await, "1", "a line in the access log");
    assert_eq!(sql.one("SELECT from_address FROM access_log WHERE event = 'refused'").await, "198.51.100.1");

    let set = async |what: &str| assert_eq!(sql.run(&format!("UPDATE {what}")).await, 1);
    set("api_key SET expires_at = now()").await;
    says(&caller, "expired").await;
    set("api_key SET expires_at = now() + interval '1 day'").await;
    assert_eq!(from(&caller, "192.0.2.9").await.outcome(), "ok");
    let closed =
        admin.make("updateServiceAccount", "serviceAccount", service.edit_with(json!({"active": false}))).await;
    says(&caller, "closed").await;
    let input = json!({"serviceAccountId": service.id});
    assert_eq!(admin.does("createApiKey", input, "secret").await.faults(), ["input.serviceAccountId"]);
    let opened = closed.edit_with(json!({"active": true, "scopes": ["AUDIT_READ"]}));
    let opened = admin.make("updateServiceAccount", "serviceAccount", opened).await;
    says(&caller, "revoked").await;
    let input = json!({"id": key.id});
    assert_eq!(admin.does("rotateApiKey", input, "secret").await.faults(), ["input.id"], "it has no successor");
    // Nor is a key revived that closing did not revoke.
    let closed = admin.make("updateServiceAccount", "serviceAccount", opened.edit_with(json!({"active": false}))).await;
    set(&format!("api_key SET revoked_at = NULL WHERE id = '{}'", uuid_of(&key.id))).await;
    let opened = admin.make("updateServiceAccount", "serviceAccount", closed.edit_with(json!({"active": true}))).await;
    says(&caller, "revoked").await;
    let entries = "SELECT count(*) FROM ledger WHERE record_kind = 'api_key' AND action = 'update'";
    assert_eq!(sql.one(entries).await, "2", "each with its entry");
    // A new key opens it, and a change of the scopes ends none.
    let (key, secret) = admin.api_key(&opened, json!({"allowedAddresses": ["192.0.2.0/24"]})).await;
    let caller = clinic.anonymous().with_token(&secret);
    let same = opened.edit_with(json!({"active": true, "scopes": ["PATIENTS_READ"]}));
    admin.make("updateServiceAccount", "serviceAccount", same).await;
    assert_eq!(
        from(&caller, "192.0.2.9").await.ok()["viewer"]["scopes"],
        json!(["PATIENTS_READ"]),
        "from the next request on"
    );
    admin.does("revokeApiKey", json!({"id": key.id}), "apiKey { holds revokedAt }").await.ok();
    says(&caller, "revoked").await;
    assert_eq!(admin.does("revokeApiKey", json!({"id": key.id}), "apiKey { id }").await.faults(), ["input.id"]);
    assert_eq!(admin.does("rotateApiKey", json!({"id": key.id}), "secret").await.faults(), ["input.id"]);

    let (_, secret) = admin.api_key(&service, json!({})).await;
    clinic.restart(&["--trust-proxy"]).await;
    a_slip_is_told(&clinic, &secret).await;
    let nobody = clinic.anonymous();
    // Signing in is for people: a key that comes along changes nothing.
    let input = json!({"email": "admin@north.example", "password": PASSWORD});
    let answer = nobody.with_token(&secret).does("signIn", input, "token").await;
    assert_eq!(answer.code(), "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_holds_for_the_overlap_and_the_new_one_like_it() {
    let clinic = Clinic::start().await;
    let admin = clinic.admin();
    let more = json!({"expiresInDays": 30, "allowedAddresses": ["127.0.0.0/8"]});
    let (service, key, old) = program(&clinic, &["PATIENTS_READ"], more).await;
    let sql = clinic.database.superuser().await;
    let hours = |id: &str| {
        format!("SELECT round(extract(epoch FROM expires_at - now()) / 3600) FROM api_key WHERE id = '{}'", uuid_of(id))
    };
    let select = "apiKey { id allowedAddresses serviceAccount { id } } secret";
    let rotated = admin.does("rotateApiKey", json!({"id": key.id}), select).await.ok()["rotateApiKey"].clone();
    let new = rotated["apiKey"]["id"].as_str().expect("an id");
    assert_eq!(rotated["apiKey"]["allowedAddresses"], json!(["127.0.0.0/8"]));
    assert_eq!(rotated["apiKey"]["serviceAccount"]["id"], json!(service.id));
    assert_eq!((sql.one(&hours(&key.id)).await, sql.one(&hours(new)).await), ("24".to_owned(), "720".to_owned()));
    let entries = "SELECT action || ' ' || version FROM ledger WHERE record_kind = 'api_key' ORDER BY seq";
    assert_eq!(sql.column(entries).await, ["create 1", "update 2", "create 1"], "the old one's end, then the new one");
    let caller = clinic.anonymous().with_token(rotated["secret"].as_str().expect("a key"));
    caller.ask(WHO).await;
    old.ask(WHO).await;
    // Without an overlap the old one ends at once, and it is not made longer by one.
    admin.does("rotateApiKey", json!({"id": new, "overlapHours": 0}), "secret").await.ok();
    assert_eq!(caller.graphql(WHO, json!({})).await.code(), "UNAUTHENTICATED");
    admin.does("rotateApiKey", json!({"id": key.id, "overlapHours": 720}), "secret").await.ok();
    assert_eq!(sql.one(&hours(&key.id)).await, "24");
    for (input, path) in [
        (json!({"id": key.id, "overlapHours": 721}), "input.overlapHours"),
        (json!({"id": key.id, "overlapHours": -1}), "input.overlapHours"),
        (json!({"id": new}), "input.id"),
    ] {
        assert_eq!(admin.does("rotateApiKey", input, "secret").await.faults(), [path]);
    }
    let wrong = json!({"serviceAccountId": service.id, "expiresInDays": 366, "allowedAddresses": ["10.0.0.1/8", "x"]});
    let faults = ["input.expiresInDays", "input.allowedAddresses.0", "input.allowedAddresses.1"];
    assert_eq!(admin.does("createApiKey", wrong, "secret").await.faults(), faults);
    let nothing = json!({"name": " ", "scopes": []});
    let answer = admin.does("createServiceAccount", nothing, "serviceAccount { id }").await;
    assert_eq!(answer.faults(), ["input.name", "input.scopes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn restricted_patients_are_closed_to_programs_that_say_no_reason() {
    let clinic = Clinic::start().await;
    let patient = clinic.practitioner().patient("Zoë", "Ramírez").await;
    clinic.practitioner().patient("Ada", "Lovelace").await;
    let (_, _, caller) = program(&clinic, &["PATIENTS_READ"], json!({})).await;
    let sql = clinic.database.superuser().await;
    sql.run(&format!(
        "INSERT INTO patient_restriction (org_id, id, patient_id, reason, placed_at, version, created_at, updated_at) \
         VALUES ('{}', gen_random_uuid(), '{}', 'x', now(), 1, now(), now())",
        clinic.north.uuid,
        uuid_of(&patient.id)
    ))
    .await;
    let query = "{ patients { totalCount } }";
    assert_eq!(caller.ask(query).await["patients"]["totalCount"], json!(1));
    let stated = caller.prepare(query, json!({})).header("Access-Reason", "Nightly copy to the archive");
    assert_eq!(Answer::to(stated).await.ok()["patients"]["totalCount"], json!(2));
}
