//! The service: started, killed, started again, stopped.

use super::{Service, add, data_folder, program, run, run_with, send_signal, until, verify};
use crate::retries::PATIENT;
use crate::support::*;
use clinic::db::embedded::{EmbeddedPostgres, Options};
use std::net::TcpListener;
use std::path::Path;

fn runs(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    state.is_ok_and(|state| !state.contains(") Z "))
}

fn postmaster(folder: &Path) -> Option<u32> {
    std::fs::read_to_string(folder.join("postgres/data/postmaster.pid")).ok()?.lines().next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = data_folder();
    let place = ["--data-dir", folder.path().to_str().unwrap()];
    let mut service = Service::on(folder.path()).await;
    for again in [&["serve", "--listen", "127.0.0.1:0"][..], &["migrate"]] {
        let second = run(&[again, &place].concat(), "").await;
        assert!(second.complaint().contains("another clinic service is using the data folder"), "{second:?}");
    }
    service.signal("INT");
    assert!(service.end().await, "Ctrl-C is a good end: {}", service.log());
    run(&add(&place, "admin@clinic.example", "admin"), &format!("{PASSWORD}\n")).await.ok();

    let mut service = Service::on(folder.path()).await;
    let admin = service.sign_in("admin@clinic.example").await;
    let member =
        json!({"email": "anna@clinic.example", "displayName": "Anna", "role": "PRACTITIONER", "password": PASSWORD});
    admin.does("addStaff", member, "staff { id }").await.ok();
    let place_id =
        admin.does("addLocation", json!({"name": "Main", "timeZone": "Europe/Madrid"}), "location { id }").await.ok();
    let place_id = place_id["addLocation"]["location"]["id"].as_str().unwrap();
    let anna = service.sign_in("anna@clinic.example").await;
    let input = json!({"legalName": {"given": "Zoë", "family": "Ramírez"}, "birthDate": "1990-01-01"});
    let patient = Made::of(
        &anna.does("registerPatient", input, "patient { id version }").await.ok()["registerPatient"]["patient"],
    );
    let session = anna.does("logSession", session_to_sign(&patient, place_id), "session { id version }").await.ok();
    let session = Made::of(&session["logSession"]["session"]);
    anna.does("signSession", session.edit(), "session { id }").await.ok();
    let note = json!({"sessionId": session.id, "kind": "CHECK_IN", "redness": 2});
    anna.does("addAftercareNote", note, "aftercareNote { id }").await.ok();
    let chart = "query ($id: ID!) { patient(id: $id) { displayName chartNumber history { nodes { version action } } sessions { nodes {
        version status startedAt location { name timeZone } areas { area side needleDepthMm passes } products { product lot quantity unit }
        signature { signedAt contentHash signedBy { displayName } } history { nodes { version action ledgerSequence } }
        aftercareNotes { nodes { kind redness author { displayName } } } } } } }";
    let before = anna.graphql(chart, json!({"id": patient.id})).await.ok();

    let postgres = postmaster(folder.path()).expect("a Postgres");
    service.signal("KILL");
    assert!(!service.end().await);
    let mut service = Service::on(folder.path()).await;
    assert!(!runs(postgres), "the orphan is gone");
    let anna = service.door().with_token(anna_token(&anna));
    assert_eq!(anna.graphql(chart, json!({"id": patient.id})).await.ok(), before, "with the same sign-in");
    let refused = anna
        .does(
            "updateSession",
            json!({"id": session.id, "expectedVersion": 2, "patch": {"note": "x"}}),
            "session { id }",
        )
        .await;
    assert_eq!(refused.code(), "RECORD_SIGNED");

    let postgres = postmaster(folder.path()).expect("a Postgres");
    service.signal("TERM");
    assert!(service.end().await, "{}", service.log());
    assert!(!runs(postgres) && postmaster(folder.path()).is_none(), "Postgres is gone when the service is");
    let said = run(&[&["audit"], &place[..], &["verify"]].concat(), "").await.ok();
    assert!(said.contains("Clinic: the ledger is whole\n"), "{said}");
}

/// The token a caller has, as it goes out.
fn anna_token(caller: &Caller) -> &'static str {
    let request = caller.request(reqwest::Method::GET, "/").build().expect("a request");
    let token = request.headers()["authorization"].to_str().expect("text").trim_start_matches("Bearer ").to_owned();
    Box::leak(token.into_boxed_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_what_is_under_way_end() {
    const WRITES: usize = 120;
    let clinic = Clinic::start().await;
    let mut service =
        Service::start(&[&["--database-url", &clinic.database.url(), "--pool-size", "6"], PATIENT].concat()).await;
    let anna = service.door().with_token(&clinic.practitioner().member.token);
    let (done, mut acknowledgements) = tokio::sync::mpsc::unbounded_channel();
    let writes = (0..WRITES).map(|i| {
        let (anna, done) = (anna.clone(), done.clone());
        tokio::spawn(async move {
            let number = format!("D-{i:03}");
            let input = json!({"chartNumber": number, "legalName": {"given": "A", "family": "B"}, "birthDate": "1990-01-01"});
            let query = "mutation ($input: RegisterPatientInput!) { registerPatient(input: $input) { patient { chartNumber } } }";
            let sent = anna.prepare(query, json!({"input": input})).send().await;
            let Ok(response) = sent else { return None };
            let body: Value = response.json().await.ok()?;
            let got = body.pointer("/data/registerPatient/patient/chartNumber").and_then(Value::as_str);
            assert!(got == Some(&number) || body.pointer("/errors/0/extensions/code") == Some(&json!("UNAVAILABLE")), "{body}");
            let _ = done.send(());
            got.map(str::to_owned)
        })
    });
    let writes: Vec<_> = writes.collect();
    for _ in 0..5 {
        acknowledgements.recv().await;
    }
    service.signal("TERM");
    assert!(service.end().await, "{}", service.log());
    let mut acknowledged = Vec::new();
    for write in writes {
        acknowledged.extend(write.await.unwrap());
    }
    assert!(acknowledged.len() >= 5);
    let sql = clinic.database.superuser().await;
    let kept = sql.column("SELECT chart_number FROM patient ORDER BY chart_number").await;
    assert_eq!(kept, acknowledged, "acknowledged and there, or refused and not there");
    assert_eq!(sql.one("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'clinic' AND state LIKE 'idle in%'").await, "0");
    verify(&clinic.database.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_can_not_be_says_why_in_one_line() {
    let database = Database::copy().await;
    let newer = Database::copy().await;
    newer.superuser().await.run("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')").await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let (good, newer) = (database.url(), newer.url());
    let free = ["--listen", "127.0.0.1:0"];
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (vec!["--listen", &port, "--database-url", &good], "can't be listened on"),
        (vec!["--database-url", "postgres:/s3cret"], "DATABASE_URL"),
        (vec!["--database-url", "s3cret"], "DATABASE_URL is not a Postgres address"),
        (vec!["--database-url", "mysql://u:s3cret@localhost/x"], "DATABASE_URL is not a Postgres address"),
        (vec!["--database-url", "postgres://u:s3cret@127.0.0.1:1/x"], "the database can't be reached"),
        (vec!["--database-url", "postgres://u:s3cret@no-such-host.invalid/x"], "the database can't be reached"),
        (vec!["--database-url", &newer], "this database is newer than this program"),
        (vec!["--data-dir", "/dev/null/x"], "/dev/null"),
        (vec!["--postgres-bin", "/nowhere", "--data-dir", "/tmp/clinic-never-made"], "/nowhere"),
        (vec!["--database-url", &good, "--statement-timeout", "20s"], "--statement-timeout must be shorter"),
        (vec!["--database-url", &good, "--allowed-origins", "example.com"], "--allowed-origins"),
        (vec!["--database-url", &good, "--app-database-url", "nonsense"], "CLINIC_APP_DATABASE_URL"),
        (vec!["--database-url", &good, "--log", "=="], "--log"),
    ];
    for (arguments, why) in cases {
        let mut line = vec!["serve"];
        line.extend(&arguments);
        if !arguments.contains(&"--listen") {
            line.extend(free);
        }
        let ended = run(&line, "").await;
        assert!(ended.complaint().contains(why), "{arguments:?}: {ended:?}");
        assert!(!ended.err.contains("s3cret") && !ended.out.contains("s3cret"), "{ended:?}");
    }
    let _ = std::fs::remove_dir_all("/tmp/clinic-never-made");
    let mut by_environment = program(&["migrate"]);
    by_environment.env("DATABASE_URL", "nonsense");
    assert!(run_with(by_environment, "").await.complaint().contains("DATABASE_URL"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_follows_the_database_without_a_restart() {
    let folder = data_folder();
    let options = Options { data_dir: folder.path().to_owned(), postgres_bin: None, durable: true };
    let postgres = EmbeddedPostgres::start(options.clone()).await.expect("Postgres");
    let url = postgres.owner_url().to_owned();
    run(&add(&["--database-url", &url], "admin@clinic.example", "admin"), PASSWORD).await.ok();
    let mut service = Service::start(&["--database-url", &url]).await;
    let admin = service.sign_in("admin@clinic.example").await;
    let status =
        async |path: &str| admin.request(reqwest::Method::GET, path).send().await.expect("an answer").status().as_u16();
    assert_eq!(status("/health/ready").await, 200);

    send_signal("KILL", postmaster(folder.path()).expect("a postmaster"));
    until("not ready", async || status("/health/ready").await == 503).await;
    assert_eq!(status("/health/live").await, 200);
    let answer = admin.graphql("{ me { id } }", json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "UNAVAILABLE"));
    let answer = admin.does("addLocation", json!({"name": "Main", "timeZone": "UTC"}), "location { id }").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "UNAVAILABLE"));

    drop(postgres);
    let mut postgres = EmbeddedPostgres::start(options).await.expect("Postgres again");
    assert_eq!(postgres.owner_url(), url);
    until("ready", async || status("/health/ready").await == 200).await;
    admin.ask("{ me { id } }").await;
    admin.does("addLocation", json!({"name": "Main", "timeZone": "UTC"}), "location { id }").await.ok();

    // An orderly stop is the same to the service.
    postgres.stop().await;
    until("not ready", async || status("/health/ready").await == 503).await;
    service.signal("TERM");
    assert!(service.end().await, "it stops without its database too: {}", service.log());
}

/// What no log may have.
const WORD: &str = "Xantippequark";
const REGISTER: &str = "mutation ($input: RegisterPatientInput!) { registerPatient(input: $input) { patient { id } } }";

/// Queries with the word in each place that a query has.
fn queries() -> [String; 8] {
    [
        format!("{{ patients(search: \"{WORD}\") {{ nodes {{ displayName }} }} }}"),
        format!("{{ patients(search: \"{WORD}\" {{"),
        format!("{{ {WORD} }}"),
        format!("{{ {WORD}: patients {{ {WORD} }} }}"),
        format!("query {WORD} {{ patients(orderBy: {{field: {WORD}}}) {{ totalCount }} }}"),
        format!("query {WORD} {{ node(id: \"{WORD}\") {{ id }} }}"),
        format!("query ($x: {WORD}) {{ me {{ id }} }}"),
        format!("mutation {{ signIn(input: {{email: \"{WORD}@example.com\", password: \"{WORD}\"}}) {{ token }} }}"),
    ]
}

/// Neither the service's log nor Postgres's has the word.
fn no_log_has_it(clinic: &Clinic, log: &str) {
    let postgres = std::fs::read_to_string(clinic.database.server_log()).expect("the server's log");
    for (whose, text) in [("the service", log), ("Postgres", postgres.as_str())] {
        let told = text.lines().find(|line| line.to_lowercase().contains(&WORD.to_lowercase()));
        assert_eq!(told, None, "in the log of {whose}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_no_word_of_a_patient() {
    let clinic = Clinic::start().await;
    let mut service =
        Service::start(&["--database-url", &clinic.database.url(), "--log", "debug", "--pool-size", "4"]).await;
    let anna = service.door().with_token(&clinic.practitioner().member.token);
    let input = json!({"legalName": {"given": WORD, "family": WORD}, "birthDate": "1990-01-01", "email": format!("{WORD}@example.com"), "chartNumber": WORD});
    let patient = Made::of(
        &anna.does("registerPatient", input.clone(), "patient { id version }").await.ok()["registerPatient"]["patient"],
    );
    let mut session = session_to_sign(&patient, &clinic.north.location);
    session["note"] = json!(WORD);
    anna.does("logSession", session, "session { id }").await.ok();
    let mut codes = Vec::new();
    let mut ask = async |request: reqwest::RequestBuilder| codes.push(Answer::to(request).await.outcome());
    ask(anna.prepare("query ($s: String) { patients(search: $s) { nodes { displayName } } }", json!({"s": WORD})))
        .await;
    for query in queries() {
        ask(anna.prepare(&query, json!({}))).await;
    }
    ask(anna.prepare(REGISTER, json!({"input": {"birthDate": WORD}}))).await;
    ask(anna.prepare(REGISTER, json!({"input": input}))).await;
    let body = json!({"query": "query A { me { id } }", "operationName": WORD});
    ask(anna.request(reqwest::Method::POST, "/graphql").json(&body)).await;
    ask(anna
        .request(reqwest::Method::GET, &format!("/graphql?query={{me{{{WORD}}}}}&operationName={WORD}&{WORD}={WORD}")))
    .await;
    ask(anna.request(reqwest::Method::GET, &format!("/{WORD}"))).await;
    ask(anna
        .request(reqwest::Method::POST, "/graphql")
        .header("content-type", "application/json")
        .body(format!("{{\"query\": {WORD}")))
    .await;
    let with = |name: &str, value: String| anna.prepare("{ me { id } }", json!({})).header(name, value);
    for name in ["user-agent", "referer", "cookie", "x-forwarded-for", "idempotency-key", "traceparent"] {
        ask(with(name, WORD.to_owned())).await;
    }
    ask(with("x-request-id", format!("{WORD} {WORD}"))).await;
    ask(with("origin", format!("https://{WORD}.example"))).await;
    ask(service.door().with_token(WORD).prepare("{ me { id } }", json!({}))).await;
    // Failures of ours, with the row in the database's own message; and a row that can't be read.
    let sql = clinic.database.superuser().await;
    sql.run("ALTER TABLE patient ADD CHECK (gender <> 'unlucky')").await;
    let mut unlucky = input.clone();
    (unlucky["gender"], unlucky["chartNumber"]) = (json!("unlucky"), json!("U-1"));
    ask(anna.prepare(REGISTER, json!({"input": unlucky}))).await;
    sql.run(&format!("UPDATE patient SET address = '{{\"{WORD}\": \"{WORD}\"}}'")).await;
    ask(anna
        .prepare("query ($id: ID!) { patient(id: $id) { displayName address { city } } }", json!({"id": patient.id}))
        .header("x-request-id", "the-last-one"))
    .await;
    assert_eq!(codes.iter().filter(|code| *code == "INTERNAL").count(), 2, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| *code == "ok").count(), 11, "{codes:?}");
    until("the log of the last request", async || service.log().contains("the-last-one")).await;
    service.signal("TERM");
    assert!(service.end().await);
    let log = service.log();
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "a JSON object a line");
    no_log_has_it(&clinic, &log);
}
