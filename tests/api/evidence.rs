//! Evidence: checkpoints, what tampering with every column comes to, and the file for outsiders.

use crate::access::erasing;
use crate::binary::{program, run_with};
use crate::schema::migrated;
use crate::support::*;
use clap::Parser;
use clinic::config::{CommandLine, DatabaseSettings};
use clinic::evidence::{Checkpoint, KeyRing, begin, hold_catalogue, verify_organisation};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// A clinic that has been busy, with checkpoints on the way: its two chains have more entries than this.
const ENTRIES: i64 = 60;

async fn busy(clinic: &Clinic) {
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let gone = anna.patient("Gone", "Soon").await;
    anna.health_entry(&gone).await;
    for round in 0..3 {
        for i in 0..10 {
            let patient = anna.patient("Zoë", &format!("Ramírez {round} {i}")).await;
            anna.health_entry(&patient).await;
            let look = "query ($id: ID!) { patient(id: $id) { displayName } }";
            anna.graphql(look, json!({"id": patient.id})).await.ok();
        }
        if round == 1 {
            admin.does("erasePatient", erasing(&admin, &gone).await, "erasure { id }").await.ok();
        }
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
}

/// The settings that a command on this clinic's keys has.
fn settings(clinic: &Clinic) -> DatabaseSettings {
    let place = clinic.evidence().to_str().expect("text");
    let line = CommandLine::try_parse_from(["clinic", "migrate", "--key-dir", place]).expect("flags");
    let clinic::config::Command::Migrate(settings) = line.command else { panic!("migrate") };
    settings
}

/// The checkpoints of an organisation, as they lie in the folder.
fn checkpoint_files(clinic: &Clinic, org: Uuid) -> Vec<PathBuf> {
    let folder = clinic.evidence().join(org.to_string());
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().map(|it| it.unwrap().path()).collect();
    files.sort();
    files
}

fn checkpoints(clinic: &Clinic, org: Uuid) -> Vec<Checkpoint> {
    let read = |file: PathBuf| Checkpoint::parse("one", &std::fs::read_to_string(file).expect("text")).expect("one");
    checkpoint_files(clinic, org).into_iter().map(read).collect()
}

async fn superuser(clinic: &Clinic) -> Client {
    // The same database, as whoever may do anything.
    let sql = clinic.database.superuser_config();
    let (client, connection) = sql.connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }
}

/// A chain of the database.
struct Chain {
    table: &'static str,
    /// How far it goes, and how far the newest checkpoint.
    last: i64,
    marked: i64,
    /// Of which the salt is gone: nothing but the digest vouches for them.
    empty: Vec<i64>,
}

/// What of a chain an edit may be made to.
fn columns(table: &str) -> &'static [(&'static str, &'static str)] {
    match table {
        "ledger" => &[
            ("at", "at + interval '1 microsecond'"),
            ("actor_id", "gen_random_uuid()"),
            ("request_id", "request_id || 'x'"),
            ("action", "CASE action WHEN 'create' THEN 'update' ELSE 'create' END"),
            ("record_kind", "record_kind || 's'"),
            ("record_id", "gen_random_uuid()"),
            ("patient_id", "gen_random_uuid()"),
            ("version", "version + 1"),
            ("content", "content || ' '"),
            ("content", "overlay(content placing 'x' from 3)"),
            ("content", "NULL"),
            ("salt", "sha256(salt)"),
            ("salt", "NULL"),
            ("digest", "sha256(digest)"),
            ("hash", "sha256(hash)"),
            ("seq", "-seq"),
            ("org_id", "gen_random_uuid()"),
        ],
        _ => &[
            ("at", "at + interval '1 microsecond'"),
            ("actor_id", "gen_random_uuid()"),
            ("request_id", "'x' || request_id"),
            ("event", "event || 's'"),
            ("operation", "operation || 'x'"),
            ("from_address", "'10.0.0.1'"),
            ("patient_ids", "patient_ids || gen_random_uuid()"),
            ("patient_ids", "patient_ids || NULL::uuid"),
            ("reason", "coalesce(reason || 'x', '')"),
            ("digest", "sha256(digest)"),
            ("hash", "sha256(hash)"),
            ("seq", "-seq"),
            ("org_id", "gen_random_uuid()"),
        ],
    }
}

/// Rewrites a chain from some entry on, digests taken as they are: what follows fits again, and so does the head.
fn rechain(table: &str, org: Uuid, from: i64) -> String {
    format!(
        "DO $$ DECLARE r record; before bytea; n bigint := {from} - 1; BEGIN
            SELECT hash INTO before FROM {table} WHERE org_id = '{org}' AND seq = {from} - 1;
            before := coalesce(before, sha256(uuid_send('{org}')));
            FOR r IN SELECT seq, at, digest FROM {table} WHERE org_id = '{org}' AND seq >= {from} ORDER BY seq LOOP
                n := n + 1;
                before := sha256(before || int8send(n) || r.digest);
                UPDATE {table} SET seq = n, hash = before WHERE org_id = '{org}' AND seq = r.seq AND at = r.at;
            END LOOP;
            UPDATE {table}_head SET seq = n, hash = before WHERE org_id = '{org}';
        END $$"
    )
}

/// Copies a row under another number.
fn copied(table: &str, org: Uuid, seq: i64, as_seq: i64, at: &str) -> String {
    let names = match table {
        "ledger" => {
            "actor_id, request_id, action, record_kind, record_id, patient_id, version, content, salt, digest, hash"
        }
        _ => "actor_id, request_id, event, operation, from_address, patient_ids, reason, digest, hash",
    };
    format!(
        "INSERT INTO {table} (org_id, seq, at, {names}) SELECT org_id, {as_seq}, {at}, {names} FROM {table} \
         WHERE org_id = '{org}' AND seq = {seq}"
    )
}

/// An attack by somebody who may do anything but sign: what it is called, and how it is done.
fn attack(dice: &mut Dice, org: Uuid, chain: &Chain) -> (String, String) {
    let Chain { table, last, marked, empty } = chain;
    let seq = loop {
        let seq = 1 + dice.throw(*last);
        if !empty.contains(&seq) {
            break seq;
        }
    };
    let other = if seq == *last { seq - 1 } else { seq + 1 };
    let place = |seq: i64| format!("org_id = '{org}' AND seq = {seq}");
    let before_mark = 1 + dice.throw(*marked);
    match dice.throw(10) {
        0..4 => {
            let all = columns(table);
            let (column, value) = all[usize::try_from(dice.throw(i64::try_from(all.len()).unwrap())).unwrap()];
            (
                format!("edit {table}.{column} of {seq}"),
                format!("UPDATE {table} SET {column} = {value} WHERE {}", place(seq)),
            )
        }
        4 => (format!("delete {table} {seq}"), format!("DELETE FROM {table} WHERE {}", place(seq))),
        5 => (
            format!("swap {table} {seq} and {other}"),
            format!(
                "UPDATE {table} SET seq = -{seq} WHERE {}; UPDATE {table} SET seq = {seq} WHERE {}; \
                 UPDATE {table} SET seq = {other} WHERE {}",
                place(seq),
                place(other),
                place(-seq)
            ),
        ),
        6 => (format!("double {table} {seq}"), copied(table, org, seq, seq, "at + interval '1 microsecond'")),
        7 => (
            format!("cut {table} after {before_mark}, the head left"),
            format!("DELETE FROM {table} WHERE org_id = '{org}' AND seq >= {before_mark}"),
        ),
        8 => (
            format!("cut {table} from {before_mark} on, the head put back"),
            format!(
                "DELETE FROM {table} WHERE org_id = '{org}' AND seq >= {before_mark}; {}",
                rechain(table, org, before_mark)
            ),
        ),
        _ => (
            format!("take {before_mark} out of {table} and chain what follows anew"),
            format!("DELETE FROM {table} WHERE {}; {}", place(before_mark), rechain(table, org, before_mark)),
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_superuser_does_to_a_chain_is_found() {
    let mut clinic = Clinic::with(&["--checkpoint-interval", "500ms"]).await;
    busy(&clinic).await;
    clinic.stop().await;
    let org = clinic.north.uuid;
    let marks = checkpoints(&clinic, org);
    assert!(marks.len() >= 3, "{}", marks.len());
    let keys = KeyRing::open(None, &settings(&clinic)).expect("keys");
    assert_eq!(keys.fault(org, &marks), None);
    let sql = clinic.database.superuser().await;
    let mut chains = Vec::new();
    for table in ["ledger", "access_log"] {
        let last: i64 = sql.one(&format!("SELECT max(seq) FROM {table} WHERE org_id = '{org}'")).await.parse().unwrap();
        let newest =
            marks.iter().map(|it| if table == "ledger" { it.ledger.seq } else { it.access_log.seq }).max().unwrap();
        assert_eq!(newest, last, "the stop writes a last checkpoint");
        assert!(last >= if table == "ledger" { ENTRIES } else { ENTRIES / 2 }, "{table} {last}");
        let empty = match table {
            "ledger" => sql.column(&format!("SELECT seq FROM ledger WHERE org_id = '{org}' AND content IS NULL")).await,
            _ => Vec::new(),
        };
        chains.push(Chain { table, last, marked: newest, empty: empty.iter().map(|it| it.parse().unwrap()).collect() });
    }
    assert!(chains[0].empty.len() >= 2, "an erasure is among it");
    let client = superuser(&clinic).await;
    begin(&client, org).await.expect("a picture");
    let whole = verify_organisation(&client, org, &marks, &|_, _, _| {}).await.expect("a walk");
    assert!(whole.broken().next().is_none(), "{whole:?}");
    client.batch_execute("ROLLBACK").await.expect("an end");

    let rounds = if std::env::var_os("CLINIC_SOAK").is_some() { 10_000 } else { 300 };
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    for round in 0..rounds {
        let chain = &chains[usize::try_from(dice.throw(2)).unwrap()];
        let (what, how) = attack(&mut dice, org, chain);
        client.batch_execute("BEGIN").await.expect("a transaction");
        client.batch_execute(&how).await.unwrap_or_else(|error| panic!("{what}: {error:?}\n{how}"));
        let found = verify_organisation(&client, org, &marks, &|_, _, _| {}).await.expect("a walk");
        client.batch_execute("ROLLBACK").await.expect("an end");
        assert!(found.broken().next().is_some(), "round {round}, not found: {what}\n{how}");
    }
    // Emptying an entry as an erasure would, without one; rewriting all of it; hiding who looked.
    let head = format!("WHERE org_id = '{org}'");
    for how in [
        format!("UPDATE ledger SET content = NULL, salt = NULL {head} AND seq = {}", chains[0].last),
        format!(
            "UPDATE ledger SET digest = sha256(digest), content = NULL, salt = NULL {head} AND seq = 1; {}",
            rechain("ledger", org, 1)
        ),
        format!("DELETE FROM ledger {head}; DELETE FROM ledger_head {head}"),
        format!("DELETE FROM ledger {head}; {}", rechain("ledger", org, 1)),
        format!("UPDATE access_log_head SET seq = seq + 1 {head}"),
        format!("DELETE FROM access_log_patient {head} AND seq = (SELECT min(seq) FROM access_log_patient {head})"),
    ] {
        client.batch_execute("BEGIN").await.expect("a transaction");
        client.batch_execute(&how).await.unwrap_or_else(|error| panic!("{error:?}\n{how}"));
        let found = verify_organisation(&client, org, &marks, &|_, _, _| {}).await.expect("a walk");
        client.batch_execute("ROLLBACK").await.expect("an end");
        assert!(found.broken().next().is_some(), "not found: {how}");
    }
    // What no checkpoint covers can be rewritten: the documentation says so, and this is that it is true.
    client.batch_execute("BEGIN").await.expect("a transaction");
    let cut =
        format!("DELETE FROM ledger {head} AND seq = {}; {}", chains[0].last, rechain("ledger", org, chains[0].last));
    client.batch_execute(&cut).await.expect("a cut");
    let found = verify_organisation(&client, org, &[], &|_, _, _| {}).await.expect("a walk");
    client.batch_execute("ROLLBACK").await.expect("an end");
    assert!(found.broken().next().is_none(), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_services_write_one_access_log() {
    let clinic = Clinic::with(&["--pool-wait", "30s"]).await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let flags = ["--pool-wait", "30s", "--object-store", place, "--checkpoint-store", place, "--key-dir", place];
    let second = serve(&clinic.database.url(), &flags).await;
    let (here, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    let there = Anonymous::at(second.address()).with_token(&here.member.token);
    let patient = here.patient("Ada", "Lovelace").await;
    let looks = |caller: Caller, times: usize| {
        let id = patient.id.clone();
        async move {
            for _ in 0..times {
                let query = "query ($id: ID!) { patient(id: $id) { displayName } }";
                caller.graphql(query, json!({"id": id})).await.ok();
            }
        }
    };
    // In turns, so that each goes on from where the other left the chain, and then all at once.
    for _ in 0..2 {
        looks((*here).clone(), 3).await;
        looks(there.clone(), 3).await;
    }
    let clients = (0..24).map(|i| looks(if i % 2 == 0 { (*here).clone() } else { there.clone() }, 10));
    futures::future::join_all(clients).await;
    looks((*here).clone(), 3).await;
    second.stop().await;
    let count = |what: &str| format!("SELECT count({what}) FROM access_log WHERE operation = 'patient'");
    let all = 2 * 6 + 24 * 10 + 3;
    assert_eq!(sql.one(&count("*")).await, all.to_string());
    assert_eq!(sql.one(&count("DISTINCT request_id")).await, all.to_string());
    assert!(sql.one(&count("DISTINCT at")).await.parse::<i32>().unwrap() < all, "many share a write");
    let client = superuser(&clinic).await;
    begin(&client, clinic.north.uuid).await.expect("a picture");
    let found = verify_organisation(&client, clinic.north.uuid, &[], &|_, _, _| {}).await.expect("a walk");
    assert!(found.broken().next().is_none(), "{found:?}");
}

async fn audit(clinic: &Clinic, arguments: &[&str]) -> crate::binary::Ended {
    let place = clinic.evidence().to_str().expect("text");
    let url = clinic.database.url();
    let mut line = vec!["audit", "--database-url", &url, "--key-dir", place];
    line.extend(arguments);
    if arguments[0] != "key" {
        line.extend(["--checkpoints", place]);
    }
    run_with(program(&line), "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_signed_in_order_and_missed() {
    let mut clinic = Clinic::with(&["--checkpoint-interval", "300ms"]).await;
    for i in 0..3 {
        let (before, begun) = (checkpoint_files(&clinic, clinic.north.uuid).len(), Instant::now());
        clinic.practitioner().patient("Zoë", &format!("Number {i}")).await;
        while checkpoint_files(&clinic, clinic.north.uuid).len() <= before {
            assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoint of Number {i}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    // A second process writes to the same place.
    clinic.restart(&["--checkpoint-interval", "300ms"]).await;
    clinic.practitioner().patient("Zoë", "Later").await;
    clinic.stop().await;
    let org = clinic.north.uuid;
    let files = checkpoint_files(&clinic, org);
    assert!(files.len() >= 3, "{files:?}");
    let said = audit(&clinic, &["verify"]).await.ok();
    assert!(said.contains(&format!("north: {} checkpoints hold", files.len())), "{said}");
    assert!(
        said.contains("north: the ledger is whole\n") && said.contains("north: the access log is whole\n"),
        "{said}"
    );

    // Another key, a changed word, one taken away, an organisation taken away.
    let key = audit(&clinic, &["key"]).await.ok();
    assert!(key.starts_with("key id: ") && key.contains("-----BEGIN PUBLIC KEY-----"), "{key}");
    let other = tempfile::tempdir().unwrap();
    let foreign = run_with(program(&["audit", "--key-dir", other.path().to_str().unwrap(), "key"]), "").await.ok();
    let pem = other.path().join("other.pem");
    std::fs::write(&pem, foreign).unwrap();
    let refused = audit(&clinic, &["verify", "--public-key", pem.to_str().unwrap()]).await;
    assert!(!refused.success && refused.out.contains("signed with another key"), "{refused:?}");
    std::fs::write(&pem, &key).unwrap();
    audit(&clinic, &["verify", "--public-key", pem.to_str().unwrap()]).await.ok();

    let text = std::fs::read_to_string(&files[1]).unwrap();
    std::fs::write(&files[1], text.replacen("\\\"seq\\\":", "\\\"seq\\\":1", 1)).unwrap();
    let broken = audit(&clinic, &["verify"]).await;
    assert!(!broken.success && broken.out.contains("its signature does not hold"), "{broken:?}");
    std::fs::write(&files[1], "{}").unwrap();
    let broken = audit(&clinic, &["verify"]).await;
    assert!(!broken.success && broken.out.contains("can't be read"), "{broken:?}");
    std::fs::remove_file(&files[1]).unwrap();
    let broken = audit(&clinic, &["verify"]).await;
    assert!(!broken.success && broken.out.contains("is missing"), "{broken:?}");
    std::fs::write(&files[1], text).unwrap();
    audit(&clinic, &["verify"]).await.ok();

    let sql = clinic.database.superuser().await;
    let last = sql.one(&format!("SELECT max(seq) FROM ledger WHERE org_id = '{org}'")).await;
    sql.run(&format!(
        "DELETE FROM ledger WHERE org_id = '{org}' AND seq = {last}; {}",
        rechain("ledger", org, last.parse().unwrap())
    ))
    .await;
    let broken = audit(&clinic, &["verify"]).await;
    let why = format!("north: entry {last} of the ledger is broken: the ledger ends at");
    assert!(!broken.success && broken.out.contains(&why) && broken.out.contains("the checkpoint of"), "{broken:?}");
    sql.run(&format!("DELETE FROM account_membership WHERE org_id = '{org}'")).await;
    let broken = audit(&clinic, &["verify"]).await;
    assert!(
        !broken.success && broken.out.contains(&format!("organisation {org}: there are checkpoints of it")),
        "{broken:?}"
    );
}

fn unpacked(tar: &Path, folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let done = Command::new("tar").arg("-xf").arg(tar).arg("-C").arg(folder).status().expect("tar");
    assert!(done.success());
}

/// What the program in the file says: its exit code and its words.
fn outsider(folder: &Path, key: &Path) -> (Option<i32>, String) {
    let done = Command::new("python3")
        .arg(folder.join("verify.py"))
        .arg("--public-key")
        .arg(key)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("python3: script/setup brings it");
    let said = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// What is done to the lines of a file.
type Edit<'a> = Box<dyn Fn(Vec<String>) -> Vec<String> + 'a>;

#[tokio::test(flavor = "multi_thread")]
async fn an_outsider_verifies_without_us() {
    let mut clinic = Clinic::with(&["--checkpoint-interval", "500ms"]).await;
    busy(&clinic).await;
    clinic.stop().await;
    let work = tempfile::tempdir().unwrap();
    let key = work.path().join("key.pem");
    std::fs::write(&key, audit(&clinic, &["key"]).await.ok()).unwrap();
    let export = async |name: &str, more: &[&str]| {
        let tar = work.path().join(format!("{name}.tar"));
        let line = [&["export", "--organisation", "north", "--output", tar.to_str().unwrap()], more].concat();
        audit(&clinic, &line).await.ok();
        let folder = work.path().join(name);
        unpacked(&tar, &folder);
        folder
    };
    let whole = export("whole", &[]).await;
    let (code, said) = outsider(&whole, &key);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the ledger is whole:") && said.contains("the access log is whole:"), "{said}");
    assert!(said.contains("checkpoints hold, signed with the key"), "{said}");
    assert!(std::fs::read_to_string(whole.join("ledger.ndjson")).unwrap().contains("Ramírez"));

    let without = export("without", &["--without-content"]).await;
    let (code, said) = outsider(&without, &key);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("digests taken as they are given"), "{said}");
    assert!(!std::fs::read_to_string(without.join("ledger.ndjson")).unwrap().contains("Ramírez"));

    // The folder can't excuse an empty entry by saying that content was left out.
    let about = std::fs::read_to_string(whole.join("evidence.json")).unwrap();
    let mut excused: Value = serde_json::from_str(&about).unwrap();
    excused["withoutContent"] = json!(true);
    std::fs::write(whole.join("evidence.json"), excused.to_string()).unwrap();
    let (code, said) = outsider(&whole, &key);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("says that content was left out, and it has some"), "{said}");
    std::fs::write(whole.join("evidence.json"), about).unwrap();
    let (_, said) = outsider(&without, &key);
    assert!(said.contains("which of them were erased, is not"), "{said}");

    // Each change is found by the outsider too.
    let edit = |file: &str, change: &dyn Fn(Vec<String>) -> Vec<String>| {
        let path = whole.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = change(text.lines().map(str::to_owned).collect());
        std::fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        let (code, said) = outsider(&whole, &key);
        std::fs::write(&path, text).unwrap();
        (code, said)
    };
    let replaced = |lines: Vec<String>, from: &str, to: &str| {
        let at = lines.iter().position(|line| line.contains(from)).expect("a line");
        lines.into_iter().enumerate().map(|(i, line)| if i == at { line.replacen(from, to, 1) } else { line }).collect()
    };
    let cases: Vec<(&str, Edit<'_>, &str)> = vec![
        ("ledger.ndjson", Box::new(|lines| replaced(lines, "Ramírez", "Byron")), "its content is not what was sealed"),
        ("ledger.ndjson", Box::new(|lines| replaced(lines, "\"version\":1", "\"version\":2")), "its content is not"),
        (
            "ledger.ndjson",
            Box::new(|mut lines| {
                lines.remove(10);
                lines
            }),
            "entry 11 of the ledger is broken: it is missing",
        ),
        (
            "ledger.ndjson",
            Box::new(|mut lines| {
                lines.insert(3, lines[2].clone());
                lines
            }),
            "it is there twice",
        ),
        (
            "ledger.ndjson",
            Box::new(|mut lines| {
                lines.pop();
                lines
            }),
            "the ledger ends at",
        ),
        (
            "access_log.ndjson",
            Box::new(|lines| replaced(lines, "\"event\":\"read\"", "\"event\":\"refused\"")),
            "is not what was sealed",
        ),
        (
            "access_log.ndjson",
            Box::new(|mut lines| {
                lines.truncate(5);
                lines
            }),
            "the access log ends at 5",
        ),
        (
            "checkpoints.ndjson",
            Box::new(|lines| replaced(lines, "\\\"seq\\\":", "\\\"seq\\\":1")),
            "its signature does not hold",
        ),
        (
            "checkpoints.ndjson",
            Box::new(|mut lines| {
                lines.remove(0);
                lines
            }),
            "is missing",
        ),
    ];
    for (file, change, why) in cases {
        let (code, said) = edit(file, &change);
        assert_eq!(code, Some(1), "{file}, {why}: {said}");
        assert!(said.contains(why), "{file}, {why}: {said}");
    }
    let other = work.path().join("other.pem");
    let place = work.path().join("other-keys");
    std::fs::write(&other, run_with(program(&["audit", "--key-dir", place.to_str().unwrap(), "key"]), "").await.ok())
        .unwrap();
    let (code, said) = outsider(&whole, &other);
    assert!(code == Some(1) && said.contains("signed with another key"), "{said}");
    assert_eq!(outsider(&whole, &key).0, Some(0), "all put back");
}

/// Two patients with a few entries each, the first of them erased; what that one's entries said is kept in `stash`.
async fn with_an_erasure(clinic: &Clinic) -> [Uuid; 2] {
    let (anna, admin, sql) = (clinic.practitioner(), clinic.admin(), clinic.database.superuser().await);
    let (gone, kept) = (anna.patient("Gone", "Soon").await, anna.patient("Kept", "Sol").await);
    anna.health_entry(&gone).await;
    anna.health_entry(&kept).await;
    anna.health_entry(&gone).await;
    let ids = [uuid_of(&gone.id), uuid_of(&kept.id)];
    let stash = "CREATE TABLE stash AS SELECT org_id, seq, salt, content FROM ledger WHERE patient_id =";
    sql.run(&format!("{stash} '{}'", ids[0])).await;
    admin.does("erasePatient", erasing(&admin, &gone).await, "erasure { id }").await.ok();
    ids
}

/// Rewrites the erasure's own entry as it was written before erasures named what they emptied.
async fn as_of_before(sql: &Sql, org: Uuid) {
    let entry = sql
        .rows(&format!(
            "SELECT seq, encode(salt, 'hex'), (extract(epoch FROM at) * 1000000)::bigint, actor_id, request_id, action, record_kind, record_id, \
             content FROM ledger WHERE org_id = '{org}' AND record_kind = 'patient_erasure' AND version = 1"
        ))
        .await;
    let text = |column: usize| entry[0][column].clone().expect("a value");
    let mut content: serde_json::Map<String, Value> = serde_json::from_str(&text(8)).expect("an object");
    assert!(content.remove("emptied").is_some_and(|it| it.as_array().is_some_and(|it| it.len() >= 2)));
    let content = serde_json::to_string(&content).expect("JSON");
    let salt = (0..text(1).len()).step_by(2).map(|at| u8::from_str_radix(&text(1)[at..at + 2], 16).expect("hex"));
    let id = |column: usize| text(column).parse::<Uuid>().expect("an id").as_bytes().to_vec();
    let fields = [
        salt.collect(),
        org.as_bytes().to_vec(),
        text(2).parse::<i64>().expect("a number").to_be_bytes().to_vec(),
        id(3),
        text(4).into_bytes(),
        text(5).into_bytes(),
        text(6).into_bytes(),
        id(7),
        Vec::new(),
        1_i32.to_be_bytes().to_vec(),
        content.clone().into_bytes(),
    ];
    let digest: String = crate::ledger::hash_fields(&fields).iter().map(|byte| format!("{byte:02x}")).collect();
    let seq = text(0);
    sql.run(&format!(
        "UPDATE ledger SET content = '{}', digest = '\\x{digest}' WHERE org_id = '{org}' AND seq = {seq}; {}",
        content.replace('\'', "''"),
        rechain("ledger", org, seq.parse().expect("a number"))
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_entry_can_not_be_exchanged_for_another() {
    let mut clinic = Clinic::start().await;
    let [gone, kept] = with_an_erasure(&clinic).await;
    clinic.stop().await;
    let (org, sql) = (clinic.north.uuid, clinic.database.superuser().await);
    let work = tempfile::tempdir().unwrap();
    let key = work.path().join("key.pem");
    std::fs::write(&key, audit(&clinic, &["key"]).await.ok()).unwrap();
    let mut round = 0;
    let mut both = async |what: &str| {
        round += 1;
        let tar = work.path().join(format!("{round}.tar"));
        let place = format!("{}", work.path().display());
        // Without checkpoints: it is the erasures that must tell.
        let nowhere = ["--checkpoints", &format!("{place}/none")].map(str::to_owned);
        let verify =
            ["audit", "--database-url", &clinic.database.url(), "--key-dir", clinic.evidence().to_str().unwrap()]
                .map(str::to_owned);
        let line = |more: &[&str]| {
            [verify.to_vec(), more.iter().map(|it| (*it).to_owned()).collect(), nowhere.to_vec()].concat()
        };
        let run =
            async |line: Vec<String>| run_with(program(&line.iter().map(String::as_str).collect::<Vec<_>>()), "").await;
        let ours = run(line(&["verify"])).await;
        run(line(&["export", "--organisation", "north", "--output", tar.to_str().unwrap()])).await;
        let folder = work.path().join(format!("{round}"));
        unpacked(&tar, &folder);
        let (code, theirs) = outsider(&folder, &key);
        assert_eq!(ours.success, code == Some(0), "{what}: {ours:?} {theirs}");
        (ours.success, format!("{}{theirs}", ours.out))
    };
    let unerase = format!(
        "UPDATE ledger l SET salt = s.salt, content = s.content FROM stash s WHERE s.org_id = l.org_id AND s.seq = l.seq AND l.org_id = '{org}'"
    );
    let empty = format!("UPDATE ledger SET salt = NULL, content = NULL WHERE org_id = '{org}' AND");
    let count = sql.one("SELECT count(*) FROM stash").await;
    let others = format!(
        "seq IN (SELECT seq FROM ledger WHERE org_id = '{org}' AND content IS NOT NULL AND record_kind <> 'patient_erasure' ORDER BY patient_id <> '{kept}', seq DESC LIMIT {count})"
    );
    let attacks = [
        ("one for another", format!("{empty} {others}; {unerase}")),
        ("all of it back", unerase.clone()),
        ("one of them back", format!("{unerase} AND l.seq = (SELECT max(seq) FROM stash)")),
        ("another emptied", format!("{empty} patient_id = '{kept}'")),
        ("the erasure itself", format!("{empty} record_kind = 'patient_erasure' AND version = 1")),
        (
            "the erasure itself, one back",
            format!(
                "{empty} record_kind = 'patient_erasure' AND version = 1; {unerase} AND l.seq = (SELECT max(seq) FROM stash)"
            ),
        ),
    ];
    for old in [false, true] {
        if old {
            as_of_before(&sql, org).await;
        }
        let (whole, said) = both("nothing").await;
        assert!(whole, "old {old}: {said}");
        for (what, how) in &attacks {
            sql.run("CREATE TABLE before AS SELECT * FROM ledger").await;
            sql.run(how).await;
            let (whole, said) = both(what).await;
            sql.run("UPDATE ledger l SET salt = b.salt, content = b.content FROM before b WHERE b.org_id = l.org_id AND b.seq = l.seq; DROP TABLE before").await;
            assert!(!whole, "old {old}, not found: {what}\n{said}");
        }
    }
    let erased = format!("SELECT count(*) FROM ledger WHERE patient_id = '{gone}' AND content IS NOT NULL");
    assert_eq!(sql.one(&erased).await, "0", "all put back");
}

/// What `/health/ready` says.
async fn ready(clinic: &Clinic) -> (u16, Value) {
    let answer = clinic.anonymous().request(reqwest::Method::GET, "/health/ready").send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_of_the_database_is_noticed() {
    let mut clinic = Clinic::start().await;
    let (org, sql) = (clinic.north.uuid, clinic.database.superuser().await);
    let anna = clinic.practitioner();
    let look = "query ($id: ID!) { patient(id: $id) { displayName } }";
    let patient = anna.patient("Zoë", "Before").await;
    clinic.stop().await;
    // The copy, and what is written after it.
    for table in ["ledger", "ledger_head", "access_log", "access_log_head", "access_log_patient"] {
        sql.run(&format!("CREATE TABLE copy_of_{table} AS TABLE {table}")).await;
    }
    let put_back = async |tables: &[&str]| {
        for table in tables {
            sql.run(&format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM copy_of_{table}")).await;
        }
    };
    const LEDGER: [&str; 2] = ["ledger", "ledger_head"];
    const ACCESS: [&str; 3] = ["access_log", "access_log_head", "access_log_patient"];
    clinic.restart(&["--refuse-behind-checkpoint"]).await;
    assert_eq!(ready(&clinic).await, (200, json!({"status": "ready"})));
    clinic.practitioner().patient("Zoë", "After").await;
    clinic.practitioner().graphql(look, json!({"id": patient.id})).await.ok();
    clinic.stop().await;

    let refused = async |clinic: &Clinic| {
        let place = clinic.evidence().to_str().expect("text").to_owned();
        let url = clinic.database.url();
        let line = [
            "serve",
            "--database-url",
            &url,
            "--listen",
            "127.0.0.1:0",
            "--key-dir",
            &place,
            "--checkpoint-store",
            &place,
            "--object-store",
            &place,
        ];
        run_with(program(&[&line[..], &["--refuse-behind-checkpoint"]].concat()), "").await.complaint().to_owned()
    };
    put_back(&ACCESS).await;
    let why = refused(&clinic).await;
    assert!(why.contains(&format!("the access log of organisation {org} ends at")), "{why}");
    put_back(&LEDGER).await;
    let why = refused(&clinic).await;
    assert!(why.contains(&format!("the ledger of organisation {org} ends at")), "{why}");
    // Without the flag it serves, and says so; the other organisation is as it was.
    clinic.restart(&["--checkpoint-interval", "300ms"]).await;
    let (status, body) = ready(&clinic).await;
    assert!(
        status == 200 && body["warning"].as_str().is_some_and(|it| it.contains("behind its newest checkpoint")),
        "{body}"
    );
    assert!(!body.to_string().contains(&org.to_string()));
    // It goes on past the checkpoint on another way: from there on there are new ones.
    for i in 0..4 {
        clinic.practitioner().patient("Zoë", &format!("Other {i}")).await;
        clinic.practitioner().graphql(look, json!({"id": patient.id})).await.ok();
    }
    let begun = Instant::now();
    while ready(&clinic).await.1["warning"].is_string() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the warning stays");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let verified = audit(&clinic, &["verify"]).await;
    assert!(!verified.success && verified.out.contains("is not what the checkpoint of"), "{verified:?}");
    // Put back under the running service.
    clinic.restart(&["--checkpoint-interval", "300ms", "--refuse-behind-checkpoint"]).await;
    assert_eq!(ready(&clinic).await.0, 200);
    put_back(&LEDGER).await;
    let begun = Instant::now();
    while ready(&clinic).await.0 != 503 {
        assert!(begun.elapsed() < Duration::from_secs(30), "not noticed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A connection of the role that verifies.
async fn application(config: &tokio_postgres::Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_is_held_to_what_the_migrations_made() {
    let (database, sql) = migrated().await;
    let client = application(&database.application_config()).await;
    let held = async || {
        begin(&client, Uuid::nil()).await.expect("a picture");
        let held = hold_catalogue(&client).await;
        client.batch_execute("ROLLBACK").await.expect("an end");
        held
    };
    assert_eq!(held().await, Ok(()), "write into MADE of src/evidence/catalogue.rs what is in brackets here");
    sql.run(
        "SELECT ensure_month_partitions((now() + interval '13 months')::date, (now() + interval '15 months')::date)",
    )
    .await;
    let months = "SELECT count(*) FROM pg_class WHERE relname ~ (to_char(now() + interval '14 months', '_YYYY_MM') || '$') AND relkind = 'r'";
    assert_eq!(sql.one(months).await, "3");
    assert_eq!(held().await, Ok(()), "new months");
    // A setting of the role's own does not lead it astray.
    sql.run(&format!(
        "ALTER ROLE clinic_app IN DATABASE {} SET search_path = public, pg_catalog; \
         ALTER ROLE clinic_app IN DATABASE {} SET app.only_patients = '{}'",
        database.name,
        database.name,
        Uuid::nil()
    ))
    .await;
    let other = application(&database.application_config()).await;
    begin(&other, Uuid::nil()).await.expect("a picture");
    assert_eq!(hold_catalogue(&other).await, Ok(()));
    let set = other.query_one("SELECT current_setting('app.only_patients')", &[]).await.expect("a setting");
    assert_eq!(set.get::<_, &str>(0), "");
}

/// What an owner or a superuser puts beside the evidence, how it is taken away again, and what is told of it.
fn put_beside(partition: &str, current_org: &str) -> Vec<(String, String, String)> {
    let as_it_was = "(org_id = (SELECT public.current_org()))";
    let plain = [
        (
            "CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; \
             CREATE TRIGGER spy BEFORE INSERT ON ledger_head FOR EACH ROW EXECUTE FUNCTION spy()",
            "DROP TRIGGER spy ON ledger_head; DROP FUNCTION spy()",
            "trigger spy on public.ledger_head is not ours",
        ),
        (
            "CREATE RULE quiet AS ON UPDATE TO access_log_head WHERE false DO INSTEAD NOTHING",
            "DROP RULE quiet ON access_log_head",
            "rule quiet on public.access_log_head is not ours",
        ),
        (
            "CREATE TABLE beside () INHERITS (ledger_head)",
            "DROP TABLE beside",
            "partition public.beside is another (r heap)",
        ),
        (
            "ALTER TABLE access_log_patient RENAME TO put_away; CREATE VIEW access_log_patient AS SELECT * FROM put_away; \
             GRANT SELECT ON access_log_patient TO clinic_app",
            "DROP VIEW access_log_patient; ALTER TABLE put_away RENAME TO access_log_patient",
            "table public.access_log_patient is another (v)",
        ),
        (
            "ALTER POLICY tenant ON ledger_head RENAME TO other",
            "ALTER POLICY other ON ledger_head RENAME TO tenant",
            "policy tenant on public.ledger_head is missing",
        ),
        (
            "ALTER TABLE access_log DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE access_log ENABLE ROW LEVEL SECURITY",
            "table public.access_log is another (p forced)",
        ),
    ];
    let mut all: Vec<(String, String, String)> =
        plain.into_iter().map(|(how, back, told)| (how.to_owned(), back.to_owned(), told.to_owned())).collect();
    all.push((
        format!("ALTER POLICY tenant_read ON access_log USING ({as_it_was} AND current_query() !~ 'history')"),
        format!("ALTER POLICY tenant_read ON access_log USING {as_it_was}"),
        "policy tenant_read on public.access_log is another".to_owned(),
    ));
    all.push((
        format!("CREATE POLICY odd ON {partition} FOR SELECT USING (true)"),
        format!("DROP POLICY odd ON {partition}"),
        format!("policy odd on public.{partition} is not ours"),
    ));
    all.push((
        "CREATE OR REPLACE FUNCTION public.current_org() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS \
         $$ SELECT CASE WHEN current_query() ~ 'nothing' THEN NULL ELSE NULLIF(current_setting('app.org_id', true), '')::uuid END $$"
            .to_owned(),
        current_org.to_owned(),
        "function public.current_org() is another".to_owned(),
    ));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_answers_one_query_with_other_rows_is_refused() {
    let mut clinic = Clinic::with(&["--checkpoint-interval", "300ms"]).await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    anna.health_entry(&patient).await;
    let look = "query ($id: ID!) { patient(id: $id) { displayName } }";
    anna.graphql(look, json!({"id": patient.id})).await.ok();
    clinic.stop().await;
    let (org, sql) = (clinic.north.uuid, clinic.database.superuser().await);
    audit(&clinic, &["verify"]).await.ok();

    let partition = sql
        .one("SELECT min(c.relname) FROM pg_class c WHERE c.relname ~ '^ledger_[0-9]{4}_' AND c.relkind = 'r'")
        .await;
    let current_org = sql.one("SELECT pg_get_functiondef('public.current_org()'::regprocedure)").await;
    for (how, back, told) in put_beside(&partition, &current_org) {
        sql.run(&how).await;
        let refused = audit(&clinic, &["verify"]).await;
        assert!(refused.complaint().contains(&told), "{how}\n{told}\n{refused:?}");
        assert!(!refused.out.contains("whole"), "{how}\n{refused:?}");
        sql.run(&back).await;
    }
    audit(&clinic, &["verify"]).await.ok();

    // A second row beside a true one, and a policy that shows the one to the service and the other to the walk.
    let seq = sql.one(&format!("SELECT max(seq) FROM ledger WHERE org_id = '{org}' AND record_kind = 'patient'")).await;
    let second = copied("ledger", org, seq.parse().unwrap(), seq.parse().unwrap(), "at + interval '1 microsecond'");
    let forge = format!(
        "{second}; UPDATE ledger l SET content = replace(l.content, 'Ramírez', 'Byron') WHERE l.org_id = '{org}' AND \
         l.seq = {seq} AND l.at = (SELECT max(m.at) FROM ledger m WHERE m.org_id = '{org}' AND m.seq = {seq})"
    );
    let lie = |shown: &str| {
        format!("CREATE POLICY lie ON ledger AS RESTRICTIVE FOR SELECT TO clinic_app USING (seq <> {seq} OR {shown})")
    };
    sql.run(&forge).await;
    sql.run(&lie("(content LIKE '%Byron%') = (current_query() !~ '^COPY')")).await;
    let refused = audit(&clinic, &["verify"]).await;
    assert!(refused.complaint().contains("policy lie on public.ledger is not ours (restrictive"), "{refused:?}");
    let tar = tempfile::tempdir().unwrap();
    let tar = tar.path().join("north.tar");
    let export = audit(&clinic, &["export", "--organisation", "north", "--output", tar.to_str().unwrap()]).await;
    assert!(export.complaint().contains("policy lie on public.ledger") && !tar.exists(), "{export:?}");
    // Without it both rows are seen.
    sql.run("DROP POLICY lie ON ledger").await;
    let broken = audit(&clinic, &["verify"]).await;
    let why = format!("north: entry {seq} of the ledger is broken: its content is not what was sealed");
    let twice = format!("north: entry {seq} of the ledger is broken: it is there twice");
    assert!(!broken.success && (broken.out.contains(&why) || broken.out.contains(&twice)), "{broken:?}");
    sql.run(&format!("DELETE FROM ledger WHERE org_id = '{org}' AND seq = {seq} AND content LIKE '%Byron%'")).await;
    audit(&clinic, &["verify"]).await.ok();

    // The walk alone, without a look at the catalogue, counts as well.
    sql.run(&lie("current_query() ~ '^COPY'")).await;
    let client = application(&clinic.database.application_config()).await;
    begin(&client, org).await.expect("a picture");
    let found = verify_organisation(&client, org, &checkpoints(&clinic, org), &|_, _, _| {}).await.expect("a walk");
    let why = found.broken().next().map(|it| it.why.clone()).unwrap_or_default();
    assert!(why.contains("were copied out of the ledger, and a plain query counts"), "{found:?}");
}
