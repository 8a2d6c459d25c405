//! Evidence: checkpoints, what tampering with every column comes to, and the file for outsiders.

mod attacks;
mod behind;
mod emptied;
mod outsiders;
mod packed;
mod planted;

use crate::access::erasing;
use crate::binary::{program, run_with};
use crate::support::*;
use clinic::evidence::{Checkpoint, begin, verify_organisation};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

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

/// The checkpoints of an organisation, as they lie in the folder. One that is being written has another name beside its
/// own for a moment.
fn checkpoint_files(clinic: &Clinic, org: Uuid) -> Vec<PathBuf> {
    let folder = clinic.evidence().join(org.to_string());
    let files = std::fs::read_dir(folder).into_iter().flatten().map(|it| it.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|it| it.extension().is_some_and(|it| it == "json")).collect();
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
            "actor_id, request_id, action, record_kind, record_id, patient_id, version, content, packed, salt, digest, hash"
        }
        _ => "actor_id, request_id, event, operation, from_address, patient_ids, reason, digest, hash",
    };
    format!(
        "INSERT INTO {table} (org_id, seq, at, {names}) SELECT org_id, {as_seq}, {at}, {names} FROM {table} \
         WHERE org_id = '{org}' AND seq = {seq}"
    )
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
    for i in 0..4 {
        let (before, begun) = (checkpoint_files(&clinic, clinic.north.uuid).len(), Instant::now());
        let patient = clinic.practitioner().patient("Zoë", &format!("Number {i}")).await;
        if i == 3 {
            // The newest entry of the ledger is of a patient who is closed.
            let placed = json!({"patientId": patient.id, "reason": "Asked for it"});
            clinic.admin().make("restrictPatient", "restriction", placed).await;
        }
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
