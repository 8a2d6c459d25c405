//! The drill: a busy clinic backed up, brought back into nothing, and the same.

mod crafted;

use crate::access::erasing;
use crate::binary::{Ended, Service, data_folder, program, run_with};
use crate::support::*;
use reqwest::Method;
use std::path::{Path, PathBuf};

/// A place of a clinic: the arguments that every command on it takes.
struct Place {
    arguments: Vec<String>,
    reader: Option<String>,
}

impl Place {
    fn of(clinic: &Clinic, reader: &str) -> Self {
        let evidence = clinic.evidence().display().to_string();
        let arguments = [
            "--database-url",
            &clinic.database.url(),
            "--key-dir",
            &evidence,
            "--object-store",
            &clinic.objects().display().to_string(),
            "--checkpoint-store",
            &evidence,
        ];
        Self { arguments: arguments.map(str::to_owned).to_vec(), reader: Some(reader.to_owned()) }
    }

    fn folder(folder: &Path) -> Self {
        Self { arguments: vec!["--data-dir".to_owned(), folder.display().to_string()], reader: None }
    }

    fn database(database: &Database, folder: &Path) -> Self {
        let arguments =
            ["--database-url".to_owned(), database.url(), "--data-dir".to_owned(), folder.display().to_string()];
        Self { arguments: arguments.to_vec(), reader: None }
    }

    async fn run(&self, command: &str, more: &[&str]) -> Ended {
        let mut line = vec![command];
        let wanted = |flag: &str| match command {
            "export" => flag != "--checkpoint-store",
            _ => true,
        };
        for pair in self.arguments.chunks(2) {
            if wanted(&pair[0]) {
                line.extend(pair.iter().map(String::as_str));
            }
        }
        line.extend(more);
        let mut command = program(&line);
        if let Some(reader) = &self.reader {
            command.env("CLINIC_BACKUP_DATABASE_URL", reader);
        }
        run_with(command, "").await
    }

    /// The canonical export.
    async fn export(&self, folder: &Path, name: &str) -> Vec<u8> {
        let file = folder.join(name);
        self.run("export", &["--output", file.to_str().unwrap()]).await.ok();
        std::fs::read(file).expect("an export")
    }
}

/// A role that sees every row, and no more than that.
async fn reader(database: &Database) -> String {
    let sql = database.superuser().await;
    sql.run(
        "DO $$ BEGIN CREATE ROLE clinic_backup LOGIN BYPASSRLS PASSWORD 'backup'; GRANT pg_read_all_data TO clinic_backup;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
    )
    .await;
    database.url_of("clinic_backup", "backup")
}

fn file(folder: &Path, name: &str, content: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, content).expect("a file");
    file
}

fn nothing_but(folder: &Path, names: &[&str]) {
    let there = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    let odd: Vec<String> = there.filter(|name| !names.contains(&name.as_str())).collect();
    assert_eq!(odd, [""; 0], "left behind");
}

/// Who can't see every row is refused; so are other mistakes, each in one line.
async fn mistakes_are_refused(place: &Place, output: &str, there: &str) {
    let owner = Place { reader: None, arguments: place.arguments.clone() };
    let refused = owner.run("backup", &["--output", output]).await;
    assert!(refused.complaint().contains("does not see every row") && refused.err.contains("BYPASSRLS"), "{refused:?}");
    let refused = place.run("backup", &["--output", output, "--include-keys"]).await;
    assert!(refused.complaint().contains("only into an encrypted backup"), "{refused:?}");
    let refused = place.run("backup", &["--output", output, "--recipient", "age1x"]).await;
    assert!(refused.complaint().contains("is not a key such as age1"), "{refused:?}");
    let refused = place.run("backup", &["--output", there]).await;
    assert!(refused.complaint().contains("is there already"), "{refused:?}");
}

/// What can't be restored says so, and leaves nothing. `work` has the passphrase and a wrong one.
async fn damaged_ones_are_refused(bytes: &[u8], work: &Path, fresh: &Path) {
    let into = Place::folder(fresh);
    let path = |name: &str| work.join(name).display().to_string();
    let passphrase = path("passphrase");
    let flip = |at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    let cases: [(&str, Vec<u8>, &[&str], &str); 7] = [
        (
            "wrong passphrase",
            bytes.to_vec(),
            &["--passphrase-file", &path("wrong")],
            "the passphrase or the key is another one",
        ),
        ("no passphrase", bytes.to_vec(), &[], "is encrypted with a passphrase"),
        ("cut", bytes[..bytes.len() - 100].to_vec(), &["--passphrase-file", &passphrase], "is damaged or cut off"),
        (
            "cut in half",
            bytes[..bytes.len() / 2].to_vec(),
            &["--passphrase-file", &passphrase],
            "is damaged or cut off",
        ),
        ("flipped", flip(bytes.len() / 2), &["--passphrase-file", &passphrase], "is damaged or cut off"),
        ("flipped at the end", flip(bytes.len() - 3), &["--passphrase-file", &passphrase], "is damaged or cut off"),
        ("something else", b"PK\x03\x04 hello".to_vec(), &[], "is no backup of this program"),
    ];
    for (what, content, more, why) in cases {
        std::fs::write(path("bad"), content).unwrap();
        let bad = path("bad");
        let refused = into.run("restore", &[&["--input", bad.as_str()], more].concat()).await;
        assert!(refused.complaint().contains(why), "{what}: {refused:?}");
        assert!(!fresh.exists(), "{what}: nothing was made");
    }
}

/// The very bytes of the photo are shown.
async fn the_photo_opens(clinic: &Clinic, anna: &Caller, photo: &Made) {
    let ask = "query ($id: ID!) { photo(id: $id) { link(purpose: CLINICAL_RECORD, size: ORIGINAL) { url withheld } } }";
    let link = anna.graphql(ask, json!({"id": photo.id})).await.ok();
    let url = link["photo"]["link"]["url"].as_str().unwrap_or_else(|| panic!("{link}"));
    let shown = anna.request(Method::GET, url).send().await.expect("an answer");
    let (status, bytes) = (shown.status(), shown.bytes().await.unwrap());
    assert!(status.is_success(), "{status} of {url}: {}", String::from_utf8_lossy(&bytes));
    let originals = walk(clinic.objects()).into_iter().filter(|it| it.ends_with("original"));
    let originals: Vec<Vec<u8>> = originals.map(|it| std::fs::read(it).unwrap()).collect();
    assert_eq!(originals, [bytes.to_vec()], "the very bytes");
}

/// Back into an empty database of a server, once nothing is in the way.
async fn into_a_server(clinic: &Clinic, work: &Path, plain: &str, served: &[u8]) {
    let (database, folder) = (Database::empty().await, tempfile::tempdir().unwrap());
    let other = Place { reader: Some(reader(&database).await), ..Place::database(&database, folder.path()) };
    let mut damaged = std::fs::read(plain).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let bad = work.join("bad").display().to_string();
    std::fs::write(&bad, damaged).unwrap();
    let refused = other.run("restore", &["--input", &bad]).await;
    assert!(refused.complaint().contains("damaged"), "{refused:?}");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(database.superuser().await.one(tables).await, "0");
    // Another photo in the way: everything is taken back.
    let stray = walk(clinic.objects()).into_iter().find(|it| it.ends_with("original")).expect("a photo");
    let stray = folder.path().join("objects").join(stray.strip_prefix(clinic.objects()).unwrap());
    std::fs::create_dir_all(stray.parent().unwrap()).unwrap();
    std::fs::write(&stray, "another").unwrap();
    let refused = other.run("restore", &["--input", plain]).await;
    assert!(refused.complaint().contains("nothing was restored"), "{refused:?}");
    assert_eq!(database.superuser().await.one(tables).await, "0");
    assert_eq!(std::fs::read(&stray).unwrap(), b"another");
    std::fs::remove_file(&stray).unwrap();
    let said = other.run("restore", &["--input", plain]).await.ok();
    assert!(said.contains("nobody vouches for this backup"), "{said}");
    nothing_but(&folder.path().join("objects"), &[&clinic.north.uuid.to_string(), "incoming"]);
    assert!(other.export(work, "third").await == served, "byte for byte");
}

/// Its staff, its ledger and its key, beside the service that serves it.
async fn what_serves_is_looked_at(fresh: &Path) {
    let listed = Place::folder(fresh).run("staff", &["list"]).await.ok();
    assert!(listed.contains("practitioner@north.example"), "{listed}");
    let said = run_with(program(&["audit", "--data-dir", fresh.to_str().unwrap(), "verify"]), "").await.ok();
    assert!(said.contains("north: the ledger is whole\n"), "{said}");
    let identity = run_with(program(&["audit", "--data-dir", fresh.to_str().unwrap(), "key"]), "").await.ok();
    assert!(identity.contains("PUBLIC KEY"), "{identity}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_backed_up_comes_back_the_same() {
    let mut clinic = Clinic::with(&["--checkpoint-interval", "300ms"]).await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient("Zoë", "Ramírez").await;
    anna_consents(&clinic, &patient).await;
    let photo = anna.photo_with(&patient, json!({})).await;
    let session = anna.signed_session(&patient).await;
    anna.note(&session).await;
    let gone = anna.patient("Gone", "Soon").await;
    anna.photo_with(&gone, json!({})).await;
    admin.does("erasePatient", erasing(&admin, &gone).await, "erasure { id }").await.ok();
    clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;

    let work = tempfile::tempdir().unwrap();
    let at = |name: &str| work.path().join(name).display().to_string();
    let passphrase = file(work.path(), "passphrase", "correct horse battery\n").display().to_string();
    file(work.path(), "wrong", "another one\n");
    let place = Place::of(&clinic, &reader(&clinic.database).await);

    mistakes_are_refused(&place, &at("a"), &passphrase).await;

    // While the service serves.
    let sealed = at("sealed");
    let said =
        place.run("backup", &["--output", &sealed, "--passphrase-file", &passphrase, "--include-keys"]).await.ok();
    assert!(said.contains("2 photo files") && said.contains("encrypted"), "{said}");
    assert!(said.contains("it is signed with the key of checkpoints ("), "{said}");
    let before = place.export(work.path(), "before").await;
    assert!(
        before.starts_with(b"{\"format\":\"clinic.export/1\"") || before.windows(15).any(|it| it == b"clinic.export/1")
    );
    let bytes = std::fs::read(&sealed).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1"), "the age command opens it too");
    nothing_but(work.path(), &["passphrase", "wrong", "sealed", "before"]);

    let target = data_folder();
    let fresh = target.path().join("never");
    let into = Place::folder(&fresh);
    damaged_ones_are_refused(&bytes, work.path(), &fresh).await;
    let refused = place.run("restore", &["--input", &sealed, "--passphrase-file", &passphrase]).await;
    assert!(refused.complaint().contains("the database is not empty"), "{refused:?}");
    assert_eq!(place.export(work.path(), "again").await, before, "and nothing happened to it");

    // Into nothing at all.
    let known = run_with(program(&["audit", "--key-dir", clinic.evidence().to_str().unwrap(), "key"]), "").await.ok();
    let known = file(work.path(), "known.pem", &known).display().to_string();
    let trusted = ["--input", &sealed, "--passphrase-file", &passphrase, "--public-key", &known, "--include-keys"];
    let said = into.run("restore", &trusted).await.ok();
    assert!(said.contains("is signed with a key of yours") && said.contains("its keys come too"), "{said}");
    assert!(said.contains("north: the ledger is whole\n") && said.contains("checkpoints hold"), "{said}");
    assert!(into.export(work.path(), "after").await == before, "byte for byte");
    clinic.stop().await;
    let key = |folder: &Path| std::fs::read(folder.join("checkpoint")).expect("a key");
    assert_eq!(key(&fresh.join("keys")), key(clinic.evidence()), "with its keys");

    // It serves: the password still opens, and so does the photo.
    let mut service = Service::on(&fresh).await;
    let anna = service.sign_in("practitioner@north.example").await;
    the_photo_opens(&clinic, &anna, &photo).await;

    // Beside the running service, which is left running: staff, verify, export, backup; and back into a server.
    what_serves_is_looked_at(&fresh).await;
    let plain = at("plain");
    let said = into.run("backup", &["--output", &plain]).await.ok();
    assert!(said.contains("in plain text"), "{said}");
    let served = into.export(work.path(), "served").await;
    anna.ask("{ me { id } }").await;
    service.stop().await;
    into_a_server(&clinic, work.path(), &plain, &served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canonical_export_is_the_same_however_contents_are_kept() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient("Zoë \"Zo\"", "Ramírez").await;
    anna.signed_session(&patient).await;
    let gone = anna.patient("Gone", "Soon").await;
    admin.does("erasePatient", erasing(&admin, &gone).await, "erasure { id }").await.ok();
    let place = Place::of(&clinic, &reader(&clinic.database).await);
    let work = tempfile::tempdir().unwrap();
    let sql = clinic.database.superuser().await;
    let packed = place.export(work.path(), "packed").await;
    sql.plain_ledger("true").await;
    assert!(place.export(work.path(), "plain").await == packed, "byte for byte");
    // Every line of the ledger is what Postgres writes of the row as text, and the words of a search come in their order.
    let text = String::from_utf8(packed).unwrap();
    let lines = |table: &str| {
        let begin = format!("{{\"table\":\"{table}\",\"row\":");
        let rows = text.lines().filter_map(|line| line.strip_prefix(begin.as_str())?.strip_suffix('}'));
        rows.map(str::to_owned).collect::<Vec<_>>()
    };
    let ledger = "SELECT row_to_json(r) FROM (SELECT action, actor_id, at, content, digest, hash, org_id, patient_id, \
                  record_id, record_kind, request_id, salt, seq, version FROM ledger ORDER BY org_id, seq, at) AS r";
    sql.run("SET TimeZone = 'UTC'").await;
    assert_eq!(lines("ledger"), sql.column(ledger).await);
    let search = "SELECT row_to_json(r) FROM (SELECT org_id, patient_id, word FROM patient_search \
                  ORDER BY org_id, word, patient_id) AS r";
    assert_eq!(lines("patient_search"), sql.column(search).await);
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

/// The patient agrees to photos, so that they may be shown.
async fn anna_consents(clinic: &Clinic, patient: &Made) {
    let (admin, anna) = (clinic.admin(), clinic.practitioner());
    let text = admin.consent_text("CLINICAL_PHOTO", json!({})).await;
    anna.consent(patient, &text, json!({})).await;
}
