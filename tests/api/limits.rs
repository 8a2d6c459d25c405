//! Limits by the minute: shared by processes, told in headers and extensions.

use crate::support::*;
use futures::future::join_all;
use reqwest::header::HeaderMap;
use std::sync::atomic::{AtomicU64, Ordering};

const ME: &str = "{ me { id } }"; // 2 points

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

fn rate_limit(answer: &Answer) -> Value {
    serde_json::from_str::<Value>(&answer.text).unwrap()["extensions"]["rateLimit"].clone()
}

/// Waits for a fresh window if this one is nearly over: a test must not begin in one and end in the next.
async fn enough_of_a_minute(seconds: u64) {
    loop {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() % 60;
        if now + seconds < 60 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_services_on_one_database_let_through_no_more_than_the_limit() {
    let flags =
        ["--rate-limit-account", "400", "--pool-wait", "30s", "--request-deadline", "40s", "--shutdown-timeout", "50s"];
    let clinic = Clinic::with(&flags).await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let flags = [&flags[..], &["--object-store", place, "--checkpoint-store", place, "--pool-size", "4"]].concat();
    let second = serve(&clinic.database.url(), &flags).await;
    enough_of_a_minute(30).await;
    let anna = clinic.practitioner();
    let there = Anonymous::at(second.address()).with_token(&anna.member.token);
    let (passed, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    let clients = (0..32).map(|i| {
        let caller: &Caller = if i % 2 == 0 { &anna } else { &there };
        let (passed, refused) = (&passed, &refused);
        async move {
            for _ in 0..12 {
                let answer = caller.graphql(ME, json!({})).await;
                match answer.outcome().as_str() {
                    "ok" => passed.fetch_add(1, Ordering::Relaxed),
                    "RATE_LIMITED" => {
                        assert_eq!(answer.status.as_u16(), 429);
                        refused.fetch_add(1, Ordering::Relaxed)
                    }
                    other => panic!("{other} {}", answer.text),
                };
            }
        }
    });
    join_all(clients).await;
    // 384 requests of 2 points: 200 fit. What one service has taken and not spent is lost to the other: a twentieth.
    let passed = passed.into_inner();
    assert!((180..=200).contains(&passed) && passed + refused.into_inner() == 384, "{passed} passed");
    assert_eq!(clinic.database.superuser().await.one("SELECT count(*) FROM rate_budget").await, "1");
    // Somebody else has a limit of their own.
    clinic.admin().ask(ME).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_extensions_say_the_same_and_the_usual_request_asks_nobody() {
    let clinic = Clinic::with(&["--rate-limit-account", "1000", "--rate-limit-address", "500"]).await;
    enough_of_a_minute(20).await;
    let anna = clinic.practitioner();
    for spent in [2, 4, 6] {
        let answer = anna.graphql(ME, json!({})).await;
        let told = rate_limit(&answer);
        assert_eq!((told["limit"].as_u64(), told["remaining"].as_u64()), (Some(1000), Some(1000 - spent)), "{told}");
        let resets = told["resetsIn"].as_u64().unwrap();
        assert!((1..=60).contains(&resets), "{resets}");
        assert_eq!(header(&answer.headers, "ratelimit-policy"), "\"account\";q=1000;w=60");
        assert_eq!(header(&answer.headers, "ratelimit"), format!("\"account\";r={};t={resets}", 1000 - spent));
    }
    // A part of the limit was taken at once: 50 of the account's 1000, 25 of the address's 500.
    let sql = clinic.database.superuser().await;
    assert_eq!(
        sql.column("SELECT kind || ' ' || taken FROM rate_budget ORDER BY kind").await,
        ["account 50", "address 25"]
    );
    // A batch pays for each of its requests, and shows how it stands after each.
    let body = json!([{"query": ME}, {"query": "{ organisation { id name version } }"}]);
    let batch = Answer::to(anna.request(reqwest::Method::POST, "/graphql").json(&body)).await;
    let answers: Value = serde_json::from_str(&batch.text).unwrap();
    let left = |i: usize| answers[i]["extensions"]["rateLimit"]["remaining"].as_u64().unwrap();
    assert_eq!((left(0), left(1), answers[1]["extensions"]["cost"].as_u64()), (992, 988, Some(4)));
    assert!(header(&batch.headers, "ratelimit").starts_with("\"account\";r=988;"));
    // Without an account it is the address that is told, also for what is refused.
    let nobody = clinic.anonymous();
    for (query, outcome) in [("{ __typename }", "ok"), (ME, "UNAUTHENTICATED"), ("{", "GRAPHQL_PARSE_FAILED")] {
        let answer = nobody.graphql(query, json!({})).await;
        assert_eq!(answer.outcome(), outcome);
        assert_eq!(header(&answer.headers, "ratelimit-policy"), "\"address\";q=500;w=60", "{query}");
        let left = rate_limit(&answer)["remaining"].as_u64().unwrap();
        assert!(header(&answer.headers, "ratelimit").starts_with(&format!("\"address\";r={left};")), "{query}");
    }
    let refused = nobody.request(reqwest::Method::POST, "/graphql").body("{}").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), header(refused.headers(), "ratelimit").is_empty()), (415, false));
    // Somebody else's token is nobody's: it counts on its address alone.
    let stranger = nobody.with_token(&format!("clinic_{}", "x".repeat(43))).graphql(ME, json!({})).await;
    assert_eq!(
        (stranger.code(), header(&stranger.headers, "ratelimit-policy")),
        ("UNAUTHENTICATED", "\"address\";q=500;w=60")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_spent_its_points_waits_and_a_program_has_its_own() {
    let mut clinic = Clinic::with(&["--rate-limit-account", "10"]).await;
    enough_of_a_minute(30).await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    for _ in 0..5 {
        anna.ask(ME).await;
    }
    let answer = anna.graphql(ME, json!({})).await;
    assert_eq!((answer.code(), answer.status.as_u16()), ("RATE_LIMITED", 429));
    let told = rate_limit(&answer);
    assert_eq!(
        (&told["remaining"], header(&answer.headers, "retry-after")),
        (&json!(0), told["resetsIn"].to_string().as_str())
    );
    assert_eq!(answer.errors[0]["extensions"]["retryAfter"], told["resetsIn"]);
    // Another sign-in of hers is the same account.
    let again = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    assert_eq!(again.graphql(ME, json!({})).await.outcome(), "RATE_LIMITED");
    let service = admin.service_account("Reader", &["PATIENTS_READ"]).await;
    let (_, secret) = admin.api_key(&service, json!({})).await;
    let program = clinic.anonymous().with_token(&secret);
    let spend = async || {
        for _ in 0..5 {
            program.ask("{ viewer { kind } }").await;
        }
        program.graphql("{ viewer { kind } }", json!({})).await.outcome()
    };
    assert_eq!(spend().await, "RATE_LIMITED");
    // The next window gives all of it again. A process that starts anew remembers nothing but the rows.
    clinic.restart(&["--rate-limit-account", "10"]).await;
    let anna = clinic.practitioner();
    assert_eq!(anna.graphql(ME, json!({})).await.outcome(), "RATE_LIMITED", "the rows remember");
    clinic
        .database
        .superuser()
        .await
        .run("UPDATE rate_budget SET window_start = window_start - interval '1 minute'")
        .await;
    clinic.restart(&["--rate-limit-account", "10"]).await;
    assert_eq!(rate_limit(&clinic.practitioner().graphql(ME, json!({})).await)["remaining"], json!(8));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_one_address_is_refused_and_another_address_is_not_touched() {
    let clinic = Clinic::with(&["--rate-limit-address", "20", "--trust-proxy"]).await;
    enough_of_a_minute(20).await;
    let nobody = clinic.anonymous();
    let from = async |address: &str| {
        Answer::to(nobody.prepare("{ __typename }", json!({})).header("X-Forwarded-For", address)).await
    };
    let answers = join_all((0..40).map(|_| from("192.0.2.1"))).await;
    let (passed, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.outcome() == "ok");
    assert_eq!((passed.len(), refused.len()), (20, 20));
    for answer in &refused {
        assert_eq!((answer.code(), answer.status.as_u16()), ("RATE_LIMITED", 429));
        let wait: u64 = header(&answer.headers, "retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait) && answer.errors[0]["extensions"]["retryAfter"] == json!(wait));
        assert_eq!(header(&answer.headers, "ratelimit"), format!("\"address\";r=0;t={wait}"));
    }
    assert_eq!(from("192.0.2.2").await.outcome(), "ok");
    // It is refused before its body is read, whoever says to send it; one network of 64 bits is one address.
    let admin = clinic.admin();
    let big = admin.request(reqwest::Method::POST, "/graphql").header("X-Forwarded-For", "192.0.2.1").body("no JSON");
    assert_eq!(Answer::to(big).await.code(), "RATE_LIMITED");
    for i in 0..20 {
        assert_eq!(from(&format!("2001:db8::{i}")).await.outcome(), "ok");
    }
    assert_eq!(from("2001:db8::ffff").await.outcome(), "RATE_LIMITED");
    // A batch counts as many requests as it has.
    let batch = async |many: usize| {
        let body: Vec<Value> = (0..many).map(|_| json!({"query": "{ __typename }"})).collect();
        let request =
            nobody.request(reqwest::Method::POST, "/graphql").header("X-Forwarded-For", "192.0.2.3").json(&body);
        request.send().await.unwrap().status().as_u16()
    };
    for _ in 0..4 {
        assert_eq!(batch(5).await, 200);
    }
    assert_eq!(batch(1).await, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_or_key_that_holds_no_more_spends_nothing_of_its_account() {
    let clinic = Clinic::with(&["--rate-limit-account", "1000", "--rate-limit-address", "500"]).await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let sql = clinic.database.superuser().await;
    let left =
        async |who: &Caller| rate_limit(&who.graphql("{ viewer { kind } }", json!({})).await)["remaining"].as_u64();
    // Refused, and told of the address: no point of the account is gone.
    let dead = async |who: &Caller, alive: &Caller| {
        enough_of_a_minute(15).await;
        let before = left(alive).await.unwrap();
        let one = before - left(alive).await.unwrap();
        for _ in 0..3 {
            let answer = who.graphql("{ viewer { kind } patients { totalCount } }", json!({})).await;
            let told = header(&answer.headers, "ratelimit-policy");
            assert_eq!(
                (answer.outcome().as_str(), told),
                ("UNAUTHENTICATED", "\"address\";q=500;w=60"),
                "{}",
                answer.text
            );
        }
        let batch = json!([{"query": ME}, {"query": ME}]);
        let batch = Answer::to(who.request(reqwest::Method::POST, "/graphql").json(&batch)).await;
        assert!(header(&batch.headers, "ratelimit").starts_with("\"address\""));
        assert_eq!(left(alive).await.unwrap(), before - 2 * one, "what was asked by who holds one, and nothing else");
    };
    let out = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    out.ask(ME).await;
    out.ask("mutation { signOut { signedOut } }").await;
    dead(&out, &anna).await;
    // Ended by somebody else, within the seconds for which it is taken to hold, and after them.
    for (what, wait) in [("ended_at = now()", 0), ("expires_at = now()", 6)] {
        let ended = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
        ended.ask(ME).await;
        sql.run(&format!("UPDATE sign_in SET {what} WHERE token_hash = sha256('{}')", ended.member.token)).await;
        tokio::time::sleep(std::time::Duration::from_secs(wait)).await;
        dead(&ended, &anna).await;
    }
    let service = admin.service_account("Reader", &["PATIENTS_READ"]).await;
    let (_, secret) = admin.api_key(&service, json!({})).await;
    let (revoked, other) = (admin.api_key(&service, json!({})).await, clinic.anonymous().with_token(&secret));
    let (key, revoked) = (revoked.0, clinic.anonymous().with_token(&revoked.1));
    revoked.ask("{ viewer { kind } }").await;
    admin.does("revokeApiKey", json!({"id": key.id}), "__typename").await.ok();
    dead(&revoked, &other).await;
    // A cookie's token as a bearer's is nobody's, and a wrong password is paid by who is signed in.
    let wrong = json!({"email": anna.member.email, "password": "a wrong password"});
    enough_of_a_minute(10).await;
    let before = left(&anna).await.unwrap();
    let answer = anna.does("signIn", wrong, "token").await;
    assert_eq!(
        (answer.code(), header(&answer.headers, "ratelimit-policy")),
        ("UNAUTHENTICATED", "\"account\";q=1000;w=60")
    );
    assert!(left(&anna).await.unwrap() < before - 1);
}

// --- Lists without pages ---------------------------------------------------------------------------------------------

/// Every list of objects that is given whole: whether its records count against what an operation may lead to, or it is
/// short because an input or the program bounds it. A new list has no row: decide it.
const WHOLE_LISTS: &[(&str, &str, bool)] = &[
    ("AdverseEvent", "followUps", true),
    ("AddHealthEntryPayload", "possibleDuplicates", true),
    ("AdverseEvent", "reports", true),
    ("Aftercare", "inForce", false),
    ("Aftercare", "upcoming", false),
    ("Aftercare", "localWindows", false),
    ("Aftercare", "checkInsDue", false),
    ("Aftercare", "checkInsOverdue", false),
    ("Aftercare", "checkInsUpcoming", false),
    ("AftercareNote", "proposedAdverseEvents", false),
    ("AftercareNote", "signatures", true),
    ("ChartCompleteness", "items", false),
    ("Consultation", "signatures", true),
    ("EarlierCourse", "areas", false),
    ("HealthEntry", "matched", true),
    ("LogSessionPayload", "possibleDuplicates", true),
    ("LotTracePatient", "sessions", true),
    ("LotTracePatient", "adverseEvents", true),
    ("LotTracePatient", "contacts", true),
    ("MergePatientsPayload", "moved", false),
    ("MergePatientsPayload", "conflicts", false),
    ("MergePatientsPayload", "possibleDuplicates", true),
    ("OutcomeScale", "labels", false),
    ("OutcomeSeries", "points", true),
    ("Patient", "healthHistory", true),
    ("Patient", "aftercare", true),
    ("Patient", "formerNames", false),
    ("Patient", "otherPhones", false),
    ("Patient", "identifiers", false),
    ("Patient", "merges", true),
    ("Patient", "legalHolds", true),
    ("Patient", "restrictions", true),
    ("Patient", "emergencyAccesses", true),
    ("Patient", "photoPairs", true),
    ("PatientChart", "healthHistory", true),
    ("PatientChart", "consultations", true),
    ("PatientChart", "sessions", true),
    ("PatientChart", "aftercareNotes", true),
    ("PatientChart", "treatmentPlans", true),
    ("PatientChart", "consents", true),
    ("PatientChart", "photos", true),
    ("PatientChart", "adverseEvents", true),
    ("PatientChart", "recalls", true),
    ("PatientChart", "addenda", true),
    ("PatientChart", "records", true),
    ("PatientErasure", "counts", false),
    ("PatientErasure", "objectsToDelete", true),
    ("PatientMerge", "moved", false),
    ("PatientMerge", "conflicts", false),
    ("PossibleDuplicate", "reasons", false),
    ("ProtocolRules", "depthLimits", false),
    ("ProtocolRules", "contraindications", false),
    ("ProtocolRules", "aftercare", false),
    ("ProtocolRules", "checkIns", false),
    ("ProtocolRules", "symptomThresholds", false),
    ("Query", "chartReviewFigures", false),
    ("Query", "nodes", false),
    ("Query", "outcomeScales", false),
    ("Recall", "attempts", true),
    ("RecordVersion", "changes", false),
    ("SessionCheck", "params", false),
    ("SessionChecks", "checks", false),
    ("Staff", "credentials", true),
    ("Staff", "locations", true),
    ("Staff", "signIns", true),
    ("TopicalAnaesthetic", "agents", false),
    ("TreatmentPlan", "areas", false),
    ("TreatmentPlan", "earlierCourses", true),
    ("TreatmentSession", "areas", true),
    ("TreatmentSession", "products", true),
    ("TreatmentSession", "checks", false),
    ("TreatmentSession", "consents", false),
    ("TreatmentSession", "signatures", true),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_list_that_is_given_whole_is_counted_or_short() {
    let clinic = Clinic::start().await;
    let schema = Schema::ask(&clinic.anonymous()).await;
    let objects = ["OBJECT", "UNION", "INTERFACE"];
    let mut found = std::collections::BTreeSet::new();
    for ty in schema.types.iter().filter(|ty| ty.kind == "OBJECT" && !ty.name.ends_with("Connection")) {
        for field in ty.fields.iter().filter(|field| field.ty.starts_with('[')) {
            let of_objects = objects.contains(&schema.get(field.named_type()).kind.as_str());
            if of_objects && !field.arguments.iter().any(|argument| argument.name == "first") {
                found.insert((ty.name.clone(), field.name.clone()));
            }
        }
    }
    let known = WHOLE_LISTS.iter().map(|(ty, field, _)| ((*ty).to_owned(), (*field).to_owned()));
    let of_charts = PLAIN.iter().map(|kind| ("PatientChart".to_owned(), kind.of_patient.to_owned()));
    let advice = "whole lists: say in WHOLE_LISTS of tests/api/limits.rs which counts (Operation::lead_to):";
    let wrong = difference(found, known.chain(of_charts), advice);
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_given_whole_counts_under_each_of_its_names() {
    let clinic = Clinic::start().await;
    let (anna, sql, org) = (clinic.practitioner(), clinic.database.superuser().await, clinic.north.uuid);
    let patient = anna.patient("Zoë", "Ramírez").await;
    let entry = anna.health_entry(&patient).await;
    sql.plain_ledger("true").await;
    let content = sql.one(&format!("SELECT content FROM ledger WHERE record_id = '{}'", uuid_of(&entry.id))).await;
    let content: Value = serde_json::from_str(&content).expect("JSON");
    for _ in 0..80 {
        let id = uuid::Uuid::now_v7();
        let mut more = content.clone();
        more["id"] = json!(id);
        crate::ledger::append(&sql, org, ("health_entry", id), uuid_of(&patient.id), &more).await;
        let columns = "org_id, patient_id, kind, code, text, severity, onset_on, ended_on, last_dose_on, source, verified_by, \
            verified_at, entered_in_error, version, created_at, created_by, updated_at, updated_by";
        sql.run(&format!(
            "INSERT INTO health_entry (id, {columns}) SELECT '{id}', {columns} FROM health_entry WHERE id = '{}'",
            uuid_of(&entry.id)
        ))
        .await;
    }
    for (list, open, close) in [
        ("records { content }", "chart(patientId: $id) {", "}"),
        ("healthHistory { text }", "chart(patientId: $id) {", "}"),
        ("healthHistory { text }", "patient(id: $id) {", "}"),
    ] {
        let ask = async |times: usize| {
            let lists: String = (0..times).map(|n| format!("a{n}: {list} ")).collect();
            anna.graphql(&format!("query ($id: ID!) {{ {open} {lists} {close} }}"), json!({"id": patient.id})).await
        };
        ask(20).await.ok();
        let refused = ask(99).await;
        assert_eq!((refused.outcome().as_str(), &refused.data), ("QUERY_TOO_LARGE", &Value::Null), "{open} {list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_account_pays_for_counts_on_its_address_by_what_it_costs() {
    let clinic = Clinic::with(&["--rate-limit-address", "200", "--rate-limit-account", "100000"]).await;
    enough_of_a_minute(20).await;
    let door = clinic.anonymous();
    // 5,000 points: 50 requests, and the one that it is.
    let schema = "{ __schema { queryType { name } } }";
    let mut outcomes = Vec::new();
    for _ in 0..6 {
        outcomes.push(door.graphql(schema, json!({})).await.outcome());
    }
    let passed = outcomes.iter().filter(|outcome| *outcome == "ok").count();
    assert!((2..=3).contains(&passed), "{outcomes:?}");
    assert!(outcomes[passed..].iter().all(|outcome| outcome == "RATE_LIMITED"), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_pays_for_counts_once_on_its_address() {
    let clinic = Clinic::with(&["--rate-limit-address", "200", "--rate-limit-account", "100000"]).await;
    enough_of_a_minute(20).await;
    let anna = clinic.practitioner();
    for _ in 0..8 {
        anna.graphql("{ __schema { queryType { name } } }", json!({})).await.ok();
    }
}
