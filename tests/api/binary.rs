//! The built program, as its owner runs it: started, killed, started again, stopped, and its command line.

use crate::retries::PATIENT;
use crate::support::*;
use clinic::db::embedded::{EmbeddedPostgres, Options};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(120);

/// The program, without the settings that are lying about where the tests run.
pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clinic"));
    for (name, _) in std::env::vars()
        .filter(|(name, _)| name.starts_with("CLINIC_") && name != "CLINIC_POSTGRES_BIN" || name == "DATABASE_URL")
    {
        command.env_remove(name);
    }
    // Photos and keys go where nobody looks, unless the test says a data folder. Checkpoints go where nobody else's are:
    // every copy of the template has the same two organisations.
    if !arguments.contains(&"--data-dir") {
        static PLACES: std::sync::LazyLock<TempDir> =
            std::sync::LazyLock::new(|| tempfile::tempdir().expect("a folder"));
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        command.env("CLINIC_OBJECT_STORE", std::env::temp_dir().join("clinic-tests-photos"));
        command.env("CLINIC_CHECKPOINT_STORE", PLACES.path().join(number.to_string()));
        command.env("CLINIC_KEY_DIR", PLACES.path().join("keys"));
    }
    command.env("CLINIC_RATE_LIMIT_ADDRESS", "0").env("CLINIC_RATE_LIMIT_ACCOUNT", "0");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// What a command that ends came to.
#[derive(Debug)]
pub struct Ended {
    pub success: bool,
    pub out: String,
    pub err: String,
}

impl Ended {
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.success, "{self:?}");
        self.out
    }

    /// The one line a failed command says.
    #[track_caller]
    pub fn complaint(&self) -> &str {
        assert!(!self.success, "{self:?}");
        let lines: Vec<_> = self.err.lines().filter(|line| !line.starts_with('{')).collect();
        assert_eq!(lines.len(), 1, "one line: {self:?}");
        lines[0].strip_prefix("clinic: ").expect("who says it")
    }
}

pub async fn run_with(mut command: Command, input: &str) -> Ended {
    let mut child = command.spawn().expect("clinic");
    // It may end without reading.
    let _ = child.stdin.take().expect("stdin").write_all(input.as_bytes()).await;
    let ended = timeout(LONG, child.wait_with_output()).await.expect("an end").expect("output");
    Ended {
        success: ended.status.success(),
        out: String::from_utf8(ended.stdout).expect("text"),
        err: String::from_utf8(ended.stderr).expect("text"),
    }
}

pub async fn run(arguments: &[&str], input: &str) -> Ended {
    run_with(program(arguments), input).await
}

/// The ledger of every organisation in a database is whole.
pub async fn verify(database_url: &str) {
    let said = run(&["audit", "--database-url", database_url, "verify"], "").await.ok();
    assert!(
        ["north", "south"].iter().all(|name| said.contains(&format!("{name}: the ledger is whole\n")))
            && !said.contains("broken"),
        "{said}"
    );
}

/// A running `clinic serve`.
pub struct Service {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Service {
    /// Starts it with these arguments, and waits until it listens.
    pub async fn start(arguments: &[&str]) -> Self {
        let mut command = program(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat());
        let mut child = command.spawn().expect("clinic");
        let log = Arc::new(Mutex::new(String::new()));
        let (mut stderr, heard) = (child.stderr.take().expect("stderr"), Arc::clone(&log));
        tokio::spawn(async move {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut part).await {
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&part[..length]));
            }
        });
        let mut said = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let first = timeout(LONG, said.next_line()).await.expect("a word").expect("stdout");
        let first = first.unwrap_or_else(|| panic!("no start: {}", log.lock().unwrap()));
        let address = first.strip_prefix("clinic listens on http").and_then(|rest| rest.split_once("/graphql"));
        let address = address.map(|(rest, more)| (rest.trim_start_matches(['s', ':', '/']), more));
        let address = address.unwrap_or_else(|| panic!("no address in {first}")).0.parse().expect("an address");
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        Self { child, address, log }
    }

    pub async fn on(folder: &Path) -> Self {
        Self::start(&["--data-dir", folder.to_str().unwrap()]).await
    }

    /// Somebody at its door.
    pub fn door(&self) -> Anonymous {
        Anonymous::at(self.address)
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id().expect("running")
    }

    pub fn signal(&self, name: &str) {
        send_signal(name, self.id());
    }

    /// Stops it as its owner would; it ends well.
    pub async fn stop(&mut self) {
        self.signal("TERM");
        assert!(self.end().await, "{}", self.log());
    }

    async fn end(&mut self) -> bool {
        timeout(LONG, self.child.wait()).await.expect("an end").expect("a status").success()
    }

    pub async fn sign_in(&self, email: &str) -> Caller {
        let answer = self.door().sign_in(email, PASSWORD).await.ok();
        self.door().with_token(answer["signIn"]["token"].as_str().expect("a token"))
    }
}

fn send_signal(name: &str, pid: u32) {
    let sent = std::process::Command::new("/bin/sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid.to_string()])
        .status();
    assert!(sent.expect("kill").success(), "{name} to {pid}");
}

fn runs(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    state.is_ok_and(|state| !state.contains(") Z "))
}

fn postmaster(folder: &Path) -> Option<u32> {
    std::fs::read_to_string(folder.join("postgres/data/postmaster.pid")).ok()?.lines().next()?.parse().ok()
}

/// Waits for something that has no event to wait for.
pub async fn until(what: &str, mut there: impl AsyncFnMut() -> bool) {
    let waited = timeout(LONG, async {
        while !there().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{what} never came"));
}

pub fn data_folder() -> TempDir {
    tempfile::Builder::new().prefix("clinic-binary-").tempdir().expect("a folder")
}

pub fn add<'a>(place: &[&'a str], email: &'a str, role: &'a str) -> Vec<&'a str> {
    let mut arguments = vec!["staff"];
    arguments.extend(place);
    arguments.extend(["add", "--email", email, "--name", "Somebody", "--role", role, "--organisation", "Clinic"]);
    arguments
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

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_no_word_of_a_patient() {
    const WORD: &str = "Xantippequark";
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
    for query in [
        format!("{{ patients(search: \"{WORD}\") {{ nodes {{ displayName }} }} }}"),
        format!("{{ patients(search: \"{WORD}\" {{"),
        format!("{{ {WORD} }}"),
        format!("{{ {WORD}: patients {{ {WORD} }} }}"),
        format!("query {WORD} {{ patients(orderBy: {{field: {WORD}}}) {{ totalCount }} }}"),
        format!("query {WORD} {{ node(id: \"{WORD}\") {{ id }} }}"),
        format!("query ($x: {WORD}) {{ me {{ id }} }}"),
        format!("mutation {{ signIn(input: {{email: \"{WORD}@example.com\", password: \"{WORD}\"}}) {{ token }} }}"),
    ] {
        ask(anna.prepare(&query, json!({}))).await;
    }
    ask(anna.prepare(
        "mutation ($input: RegisterPatientInput!) { registerPatient(input: $input) { patient { id } } }",
        json!({"input": {"birthDate": WORD}}),
    ))
    .await;
    ask(anna.prepare(
        "mutation ($input: RegisterPatientInput!) { registerPatient(input: $input) { patient { id } } }",
        json!({"input": input}),
    ))
    .await;
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
    ask(anna.prepare(
        "mutation ($input: RegisterPatientInput!) { registerPatient(input: $input) { patient { id } } }",
        json!({"input": unlucky}),
    ))
    .await;
    sql.run(&format!("UPDATE patient SET address = '{{\"{WORD}\": \"{WORD}\"}}'")).await;
    ask(anna
        .prepare("query ($id: ID!) { patient(id: $id) { displayName } }", json!({"id": patient.id}))
        .header("x-request-id", "the-last-one"))
    .await;
    assert_eq!(codes.iter().filter(|code| *code == "INTERNAL").count(), 2, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| *code == "ok").count(), 11, "{codes:?}");
    until("the log of the last request", async || service.log().contains("the-last-one")).await;
    service.signal("TERM");
    assert!(service.end().await);
    let log = service.log();
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "a JSON object a line");
    let postgres = std::fs::read_to_string(clinic.database.server_log()).expect("the server's log");
    for (whose, text) in [("the service", &log), ("Postgres", &postgres)] {
        let told = text.lines().find(|line| line.to_lowercase().contains(&WORD.to_lowercase()));
        assert_eq!(told, None, "in the log of {whose}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_are_managed_at_the_command_line() {
    let database = Database::empty().await;
    let url = database.url();
    let place = ["--database-url", url.as_str()];
    let staff = async |command: &[&str], input: &str| run(&[&["staff"], &place[..], command].concat(), input).await;
    // What is refused without looking at a database.
    for (email, role, password, why) in [
        ("a@x.example", "admin", "elevenchars\n", "the password must have at least 12 characters"),
        ("a@x.example", "admin", "", "the password must have at least 12 characters"),
        ("a@x.example", "owner", "long enough to do\n", "--role owner"),
        ("nobody", "admin", "long enough to do\n", "--email nobody"),
        ("a\u{1b}[2K@x.example", "admin", "long enough to do\n", "--email has U+001B as character 2"),
    ] {
        let ended = run(&add(&["--database-url", "postgres://u@127.0.0.1:1/x"], email, role), password).await;
        assert!(ended.complaint().contains(why), "{ended:?}");
        assert!(password.is_empty() || !ended.err.contains(password.trim()), "{ended:?}");
    }
    let mut argument = add(&place, "a@x.example", "admin");
    argument.extend(["--password", "never as an argument"]);
    let ended = run(&argument, "").await;
    assert!(!ended.success && ended.err.contains("unexpected argument"), "{ended:?}");

    for (email, role) in
        [("Admin@X.example", "admin"), ("anna@x.example", "practitioner"), ("desk@x.example", "front_desk")]
    {
        let said = run(&add(&place, email, role), "long enough to do\nand no more\n").await.ok();
        assert!(said.contains(&email.to_lowercase()) && !said.contains("long enough"), "{said}");
    }
    let twice = run(&add(&place, "anna@x.example", "admin"), "long enough to do\n").await;
    assert!(twice.complaint().contains("works here already"), "{twice:?}");
    let listed = staff(&["list"], "").await.ok();
    let mut lines: Vec<_> = listed.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "Clinic\tadmin@x.example\tadmin\tactive\tSomebody",
            "Clinic\tanna@x.example\tpractitioner\tactive\tSomebody",
            "Clinic\tdesk@x.example\tfront_desk\tactive\tSomebody",
        ]
    );

    let service = Service::start(&["--database-url", &url, "--pool-size", "4"]).await;
    let sign_in = async |password: &str| service.door().sign_in("anna@x.example", password).await;
    let anna = sign_in("long enough to do").await.ok();
    let anna = service.door().with_token(anna["signIn"]["token"].as_str().unwrap());
    anna.ask("{ me { id } }").await;
    let short = staff(&["reset-password", "--email", "anna@x.example"], "short\n").await;
    assert!(short.complaint().contains("at least 12 characters"));
    staff(&["reset-password", "--email", "ANNA@x.example"], "another long one\r\n").await.ok();
    assert_eq!(anna.graphql("{ me { id } }", json!({})).await.code(), "UNAUTHENTICATED", "every sign-in has ended");
    assert_eq!(sign_in("long enough to do").await.code(), "UNAUTHENTICATED");
    let anna = sign_in("another long one").await.ok();
    let anna = service.door().with_token(anna["signIn"]["token"].as_str().unwrap());
    let said = staff(&["disable", "--email", "anna@x.example"], "").await.ok();
    assert!(said.contains("can't sign in to Clinic any more"), "{said}");
    assert_eq!(anna.graphql("{ me { id } }", json!({})).await.code(), "UNAUTHENTICATED", "from the next request on");
    assert_eq!(sign_in("another long one").await.code(), "UNAUTHENTICATED");
    assert!(staff(&["list"], "").await.ok().contains("anna@x.example\tpractitioner\tdisabled"));
    for (command, why) in [
        (&["disable", "--email", "anna@x.example"][..], "nobody active signs in with anna@x.example"),
        (&["disable", "--email", "nobody@x.example"], "nobody active"),
        (&["disable", "--email", "admin@x.example"], "last active admin"),
        (&["reset-password", "--email", "nobody@x.example"], "nobody signs in with nobody@x.example"),
    ] {
        let ended = staff(command, "long enough to do\n").await;
        assert!(ended.complaint().contains(why), "{ended:?}");
    }
    let said = run(&[&["audit"], &place[..], &["verify"]].concat(), "").await.ok();
    assert!(said.contains("Clinic: the ledger is whole\n"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_bends_what_a_command_prints() {
    const BENT: &str =
        "Dr\u{1b}]0;bent\u{7}\u{1b}[1A\u{1b}[2K\nOther Clinic\tforged@x.example\tadmin\tactive\u{202e}Nobody";
    let clinic = Clinic::start().await;
    // Rows of before names were looked at.
    let sql = clinic.database.superuser().await;
    for change in ["UPDATE staff SET display_name = $$BENT$$", "UPDATE organisation SET name = $$BENT$$ || org_id"] {
        sql.run(&change.replace("BENT", BENT)).await;
    }
    let url = clinic.database.url();
    let listed = run(&["staff", "--database-url", &url, "list"], "").await;
    let verified = run(&["audit", "--database-url", &url, "verify"], "").await;
    for (ended, lines) in [(listed, 8), (verified, 0)] {
        let text = format!("{}{}", ended.out, ended.err);
        let bent = text.chars().find(|it| it.is_control() && !"\n\t".contains(*it) || *it == '\u{202e}');
        assert_eq!(bent, None, "{text}");
        assert!(!text.lines().any(|line| line.starts_with("Other Clinic")), "{text}");
        assert!(lines == 0 || ended.out.lines().all(|line| line.matches('\t').count() == 4), "{text}");
        assert!(text.contains("\\u{1b}[2K\\n"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_ledger_is_told() {
    let clinic = Clinic::start().await;
    clinic.practitioner().patient("Ada", "Lovelace").await;
    let url = clinic.database.url();
    verify(&url).await;
    clinic
        .database
        .superuser()
        .await
        .run("UPDATE ledger SET content = replace(content, 'Lovelace', 'Byron') WHERE record_kind = 'patient'")
        .await;
    let ended = run(&["audit", "--database-url", &url, "verify"], "").await;
    assert!(!ended.success && ended.out.contains("is broken: its content is not what was sealed"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_can_be_run_again() {
    let database = Database::empty().await;
    for _ in 0..2 {
        assert_eq!(run(&["migrate", "--database-url", &database.url()], "").await.ok(), "the database is up to date\n");
    }
    let tables = database
        .superuser()
        .await
        .one("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename = 'patient'")
        .await;
    assert_eq!(tables, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_has_its_help() {
    let commands = [
        "",
        "serve",
        "migrate",
        "schema",
        "staff",
        "staff add",
        "staff list",
        "staff disable",
        "staff remove-second-factor",
        "staff reset-password",
        "demo",
        "audit",
        "audit verify",
        "documents",
        "documents check",
        "audit key",
        "audit export",
        "backup",
        "restore",
        "export",
    ];
    for command in commands {
        let mut help = program(&command.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>());
        help.arg("--help")
            .env("DATABASE_URL", "postgres://u:s3cret@h/d")
            .env("CLINIC_DEMO_PASSWORD", "s3cret")
            .env("CLINIC_APP_DATABASE_URL", "s3cret");
        let ended = run_with(help, "").await;
        assert!(ended.success && ended.out.contains("Usage: clinic"), "{command}: {ended:?}");
        assert!(!ended.out.contains("s3cret"), "{command} shows a secret");
    }
    assert!(run(&["--version"], "").await.ok().starts_with("clinic "));
    assert!(run(&["schema"], "").await.ok().contains("type Query {"));
    for wrong in [&[][..], &["dance"], &["serve", "--pool-size", "0"], &["serve", "--listen", "here"]] {
        assert!(!run(wrong, "").await.success, "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn persisted_documents_are_checked_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("documents.json");
    let path = file.to_str().unwrap();
    std::fs::write(&file, json!({"one": "{ me { id } }", "two": "query Q { staff { totalCount } }"}).to_string())
        .unwrap();
    assert_eq!(run(&["documents", "check", path], "").await.ok(), "2 documents fit this schema\n");
    std::fs::write(&file, json!({"one": "{ me { nothing } }", "two": "{", "three": "{ me { id } }"}).to_string())
        .unwrap();
    let ended = run(&["documents", "check", path], "").await;
    assert!(!ended.success && ended.err.contains("\"one\" does not fit the schema"), "{ended:?}");
    assert!(ended.err.contains("\"two\" is refused") && ended.err.contains("2 faults"), "{ended:?}");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", folder.path().to_str().unwrap()];
    let ended = run(&[&serve[..], &["--persisted-documents", path]].concat(), "").await;
    assert!(ended.complaint().contains("the entry \"one\""), "{ended:?}");
    let ended = run(&[&serve[..], &["--persisted-documents", "/nowhere.json"]].concat(), "").await;
    assert!(ended.complaint().contains("/nowhere.json can't be read"), "{ended:?}");
    let ended = run(&[&serve[..], &["--only-persisted-documents"]].concat(), "").await;
    assert!(ended.complaint().contains("goes with --persisted-documents"), "{ended:?}");
    assert!(!folder.path().join("postgres").exists(), "no database was started for it");
}
