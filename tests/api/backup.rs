//! The drill: a busy clinic backed up, brought back into nothing, and the same.

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

#[tokio::test(flavor = "multi_thread")]
async fn what_was_backed_up_comes_back_the_same() {
    let mut clinic = Clinic::with(&["--checkpoint-interval", "300ms"]).await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient("Zoë", "Ramírez").await;
    let text = anna_consents(&clinic, &patient).await;
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
    let wrong = file(work.path(), "wrong", "another one\n").display().to_string();
    let place = Place::of(&clinic, &reader(&clinic.database).await);

    // Who can't see every row is refused; so are other mistakes, each in one line.
    let owner = Place { reader: None, arguments: place.arguments.clone() };
    let refused = owner.run("backup", &["--output", &at("a")]).await;
    assert!(refused.complaint().contains("does not see every row") && refused.err.contains("BYPASSRLS"), "{refused:?}");
    let refused = place.run("backup", &["--output", &at("a"), "--include-keys"]).await;
    assert!(refused.complaint().contains("only into an encrypted backup"), "{refused:?}");
    let refused = place.run("backup", &["--output", &at("a"), "--recipient", "age1x"]).await;
    assert!(refused.complaint().contains("is not a key such as age1"), "{refused:?}");
    let refused = place.run("backup", &["--output", &passphrase]).await;
    assert!(refused.complaint().contains("is there already"), "{refused:?}");

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

    // What can't be restored says so, and leaves nothing.
    let target = data_folder();
    let fresh = target.path().join("never");
    let into = Place::folder(&fresh);
    let flip = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    let cases: [(&str, Vec<u8>, &[&str], &str); 7] = [
        ("wrong passphrase", bytes.clone(), &["--passphrase-file", &wrong], "the passphrase or the key is another one"),
        ("no passphrase", bytes.clone(), &[], "is encrypted with a passphrase"),
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
        std::fs::write(at("bad"), content).unwrap();
        let bad = at("bad");
        let refused = into.run("restore", &[&["--input", bad.as_str()], more].concat()).await;
        assert!(refused.complaint().contains(why), "{what}: {refused:?}");
        assert!(!fresh.exists(), "{what}: nothing was made");
    }
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
    let ask = "query ($id: ID!) { photo(id: $id) { link(purpose: CLINICAL_RECORD, size: ORIGINAL) { url withheld } } }";
    let link = anna.graphql(ask, json!({"id": photo.id})).await.ok();
    let url = link["photo"]["link"]["url"].as_str().unwrap_or_else(|| panic!("{link} {text}"));
    let shown = anna.request(Method::GET, url).send().await.expect("an answer");
    let (status, bytes) = (shown.status(), shown.bytes().await.unwrap());
    assert!(status.is_success(), "{status} of {url}: {}", String::from_utf8_lossy(&bytes));
    let originals = walk(clinic.objects()).into_iter().filter(|it| it.ends_with("original"));
    let originals: Vec<Vec<u8>> = originals.map(|it| std::fs::read(it).unwrap()).collect();
    assert_eq!(originals, [bytes.to_vec()], "the very bytes");

    // Beside the running service, which is left running: staff, verify, export, backup; and back into a server.
    let listed = into.run("staff", &["list"]).await.ok();
    assert!(listed.contains("practitioner@north.example"), "{listed}");
    let said = run_with(program(&["audit", "--data-dir", fresh.to_str().unwrap(), "verify"]), "").await.ok();
    assert!(said.contains("north: the ledger is whole\n"), "{said}");
    let identity = run_with(program(&["audit", "--data-dir", fresh.to_str().unwrap(), "key"]), "").await.ok();
    assert!(identity.contains("PUBLIC KEY"), "{identity}");
    let plain = at("plain");
    let said = into.run("backup", &["--output", &plain]).await.ok();
    assert!(said.contains("in plain text"), "{said}");
    let served = into.export(work.path(), "served").await;
    anna.ask("{ me { id } }").await;
    service.stop().await;
    let (database, folder) = (Database::empty().await, tempfile::tempdir().unwrap());
    let other = Place { reader: Some(reader(&database).await), ..Place::database(&database, folder.path()) };
    let mut damaged = std::fs::read(&plain).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(at("bad"), damaged).unwrap();
    let refused = other.run("restore", &["--input", &at("bad")]).await;
    assert!(refused.complaint().contains("damaged"), "{refused:?}");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(database.superuser().await.one(tables).await, "0");
    // Another photo in the way: everything is taken back.
    let stray = walk(clinic.objects()).into_iter().find(|it| it.ends_with("original")).expect("a photo");
    let stray = folder.path().join("objects").join(stray.strip_prefix(clinic.objects()).unwrap());
    std::fs::create_dir_all(stray.parent().unwrap()).unwrap();
    std::fs::write(&stray, "another").unwrap();
    let refused = other.run("restore", &["--input", &plain]).await;
    assert!(refused.complaint().contains("nothing was restored"), "{refused:?}");
    assert_eq!(database.superuser().await.one(tables).await, "0");
    assert_eq!(std::fs::read(&stray).unwrap(), b"another");
    std::fs::remove_file(&stray).unwrap();
    let said = other.run("restore", &["--input", &plain]).await.ok();
    assert!(said.contains("nobody vouches for this backup"), "{said}");
    nothing_but(&folder.path().join("objects"), &[&clinic.north.uuid.to_string(), "incoming"]);
    assert!(other.export(work.path(), "third").await == served, "byte for byte");
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
async fn anna_consents(clinic: &Clinic, patient: &Made) -> String {
    let (admin, anna) = (clinic.admin(), clinic.practitioner());
    let text = admin.consent_text("CLINICAL_PHOTO", json!({})).await;
    anna.consent(patient, &text, json!({})).await;
    text.template.id
}

/// A backup as its entries.
fn entries(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let tar = zstd::decode_all(bytes).expect("zstd");
    let mut tar = tar::Archive::new(&tar[..]);
    let each = tar.entries().expect("entries").map(|entry| {
        let mut entry = entry.expect("an entry");
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).expect("bytes");
        (entry.path().expect("a name").to_str().expect("text").to_owned(), bytes)
    });
    each.collect()
}

/// The file of entries, each of a type of tar's; names as they are given.
fn packed<'e>(entries: impl IntoIterator<Item = (&'e str, &'e [u8], tar::EntryType)>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes, kind) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().expect("gnu").name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name("/etc/passwd").expect("a link");
        }
        header.set_cksum();
        tar.append(&header, bytes).expect("an entry");
    }
    zstd::encode_all(&tar.into_inner().expect("a tar")[..], 1).expect("zstd")
}

fn plain(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    packed(entries.iter().map(|(name, bytes)| (name.as_str(), &bytes[..], tar::EntryType::Regular)))
}

/// The same backup with these entries at its front, its manifest right, and signed with somebody's own key.
fn forged(
    whole: &[(String, Vec<u8>)],
    more: &[(&str, &[u8])],
    key: &ed25519_dalek::SigningKey,
) -> Vec<(String, Vec<u8>)> {
    use ed25519_dalek::Signer;
    use ed25519_dalek::pkcs8::{EncodePublicKey, spki::der::pem::LineEnding};
    use sha2::{Digest, Sha256};
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let pem = key.verifying_key().to_public_key_pem(LineEnding::LF).expect("a key");
    let mut entries: Vec<(String, Vec<u8>)> =
        more.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    entries.extend(whole.iter().filter(|(name, _)| !name.starts_with("manifest")).cloned());
    for (name, bytes) in &mut entries {
        if name == "public-key.pem" {
            *bytes = pem.clone().into_bytes();
        }
    }
    let (_, manifest) = whole.iter().find(|(name, _)| name == "manifest.json").expect("a manifest");
    let mut manifest: Value = serde_json::from_slice(manifest).expect("JSON");
    manifest["entries"] = entries
        .iter()
        .enumerate()
        .map(|(place, (name, bytes))| {
            (name.clone(), json!({"place": place, "size": bytes.len(), "sha256": hex(&Sha256::digest(bytes))}))
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    let manifest = serde_json::to_vec(&manifest).expect("JSON");
    let signature = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key.sign(&manifest).to_bytes());
    let id: String = hex(&Sha256::digest(key.verifying_key().as_bytes())).chars().take(16).collect();
    entries.push(("manifest.json".to_owned(), manifest));
    entries.push(("manifest.sig".to_owned(), json!({"key": id, "signature": signature}).to_string().into_bytes()));
    entries
}

/// The same backup as the version before signed ones wrote it.
fn of_the_old_form(whole: &[(String, Vec<u8>)], more: &[(&str, &[u8])]) -> Vec<(String, Vec<u8>)> {
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let (_, theirs) = whole.iter().find(|(name, _)| name == "public-key.pem").expect("a key");
    let mut entries = forged(whole, more, &key);
    entries.pop();
    let (_, text) = entries.pop().expect("a manifest");
    let mut manifest: Value = serde_json::from_slice(&text).expect("JSON");
    manifest["format"] = json!("clinic.backup/1");
    for (name, bytes) in &mut entries {
        manifest["entries"][name.as_str()].as_object_mut().expect("an entry").remove("place");
        if name == "public-key.pem" {
            *bytes = theirs.clone();
            let sha256 =
                sha2::Digest::finalize(sha2::Digest::chain_update(<sha2::Sha256 as sha2::Digest>::new(), theirs));
            let sha256: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
            manifest["entries"][name.as_str()] = json!({"size": theirs.len(), "sha256": sha256});
        }
    }
    entries.push(("manifest.json".to_owned(), serde_json::to_vec(&manifest).expect("JSON")));
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crafted_backup_is_refused_and_writes_nowhere() {
    let clinic = Clinic::with(&["--checkpoint-interval", "300ms"]).await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    anna.photo_with(&patient, json!({})).await;
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    let work = tempfile::tempdir().unwrap();
    let at = |name: &str| work.path().join(name).display().to_string();
    let place = Place::of(&clinic, &reader(&clinic.database).await);
    place.run("backup", &["--output", &at("whole")]).await.ok();
    let bytes = std::fs::read(at("whole")).unwrap();
    let whole = entries(&bytes);
    let names: Vec<&str> = whole.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[names.len() - 2..], ["manifest.json", "manifest.sig"]);
    let known = run_with(program(&["audit", "--key-dir", clinic.evidence().to_str().unwrap(), "key"]), "").await.ok();
    let known = file(work.path(), "known.pem", &known).display().to_string();
    let stranger = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);

    let around = data_folder();
    let into = Place::folder(&around.path().join("r/data"));
    let refused = async |what: &str, bytes: &[u8], more: &[&str], why: &str| {
        std::fs::write(at("bent"), bytes).unwrap();
        let bent = at("bent");
        let refused = into.run("restore", &[&["--input", bent.as_str()], more].concat()).await;
        assert!(refused.complaint().contains(why), "{what}: {refused:?}");
        nothing_but(around.path(), &[]);
    };
    // With a manifest and a signature that are right, of whoever made it: names that lead elsewhere, or to what is not ours.
    let absolute = around.path().join("planted").display().to_string();
    let under_keys = format!("keys/{absolute}");
    for name in [
        "keys/../../../planted",
        &under_keys,
        &absolute,
        "../planted",
        "planted",
        "keys/authorized_keys",
        "keys/.hidden/x",
        "objects/../planted",
        "checkpoints/../../planted.json",
        "database/../planted",
        "link/../planted",
    ] {
        let forged = plain(&forged(&whole, &[(name, b"x\n")], &stranger));
        refused(name, &forged, &[], "no backup of this program does").await;
    }
    // What is no plain file, though its name is one of the list's.
    for kind in [
        tar::EntryType::Symlink,
        tar::EntryType::Link,
        tar::EntryType::Directory,
        tar::EntryType::Fifo,
        tar::EntryType::Char,
        tar::EntryType::Block,
        tar::EntryType::Continuous,
        tar::EntryType::GNUSparse,
        tar::EntryType::GNULongName,
        tar::EntryType::XHeader,
        tar::EntryType::XGlobalHeader,
    ] {
        let bent = whole.iter().map(|(name, bytes)| (name.as_str(), &bytes[..], tar::EntryType::Regular));
        let bent = packed(std::iter::once(("keys/checkpoint", &b""[..], kind)).chain(bent));
        refused(&format!("{kind:?}"), &bent, &[], "is no plain file").await;
    }
    // Twice, too large, after the manifest, in another order, changed, without its signature, of another form.
    let twice = [&whole[..1], &whole[..]].concat();
    refused("twice", &plain(&twice), &[], "twice").await;
    let large = forged(&whole, &[("keys/checkpoint", &[0; 33])], &stranger);
    refused("a large key", &plain(&large), &[], "is too large").await;
    let late = [&whole[..], &[("keys/checkpoint".to_owned(), vec![0; 32])]].concat();
    refused("late", &plain(&late), &[], "is not where it belongs").await;
    let mut swapped = whole.clone();
    swapped.swap(0, 1);
    refused("another order", &plain(&swapped), &[], "is damaged").await;
    let bend = |name: &str, bend: &dyn Fn(&[u8]) -> Vec<u8>| {
        let bent = whole.iter().map(|(it, bytes)| (it.clone(), if it == name { bend(bytes) } else { bytes.clone() }));
        plain(&bent.collect::<Vec<_>>())
    };
    let manifest =
        |from: &str, to: &str| bend("manifest.json", &|it| String::from_utf8_lossy(it).replace(from, to).into());
    refused("manifest", &manifest("\"place\": 0", "\"place\": 00"), &[], "manifest that can't be read").await;
    refused("manifest", &manifest("\"version\": \"", "\"version\": \"9"), &[], "its signature does not hold").await;
    refused("form", &manifest("clinic.backup/2", "clinic.backup/3"), &[], "of another version").await;
    refused("form", &manifest("clinic.backup/2", "clinic.backup/1"), &["--unsigned"], "have no signature").await;
    refused("database", &bend("database/000000", &|it| [it, b"x"].concat()), &[], "is damaged: \"database/000000\"")
        .await;
    let unsigned = plain(&whole[..whole.len() - 1]);
    refused("no signature", &unsigned, &[], "is not signed").await;
    refused("no signature", &unsigned, &["--public-key", &known], "is not signed").await;
    // Another's signature, however right, is not that of a key that is known.
    let other = plain(&forged(&whole, &[], &stranger));
    refused("another key", &other, &["--public-key", &known], "is signed with another key").await;
    let old = of_the_old_form(&whole, &[]);
    refused("the old form", &plain(&old), &[], "is not signed").await;
    refused("the old form", &plain(&old), &["--public-key", &known], "is not signed").await;
    let old = of_the_old_form(&whole, &[("keys/../../planted", b"x")]);
    refused("the old form", &plain(&old), &["--unsigned"], "no backup of this program does").await;
    refused("no keys in it", &bytes, &["--include-keys"], "holds no keys").await;

    // A backup of before is restored when that is said, without keys, and without what lay about.
    let old = of_the_old_form(&whole, &[("keys/checkpoint", &[1; 32]), ("keys/checkpoint.old", b"x")]);
    std::fs::write(at("old"), plain(&old)).unwrap();
    let said = into.run("restore", &["--input", &at("old"), "--unsigned"]).await.ok();
    assert!(said.contains("nobody vouches for this backup"), "{said}");
    assert!(said.contains("its keys are left in it, --include-keys takes them: keys/checkpoint\n"), "{said}");
    assert!(said.contains("north: the ledger is whole\n"), "{said}");
    assert!(!around.path().join("r/data/keys").exists(), "no key was planted");
    assert_eq!(walk(&around.path().join("r/data/objects")).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_application_role_planted_is_told_and_spoils_no_backup() {
    let mut clinic = Clinic::with(&["--checkpoint-interval", "300ms"]).await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    anna.photo_with(&patient, json!({})).await;
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    let app = clinic.database.app(None).await;
    app.run(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO clinic_owner; \
         ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC; \
         DO $$ BEGIN EXECUTE format('COMMENT ON LARGE OBJECT %s IS %L', lo_from_bytea(0, 'mine'), 'mine'); END $$",
    )
    .await;
    // What the line that tells of it says an administrator may do; a dump takes that along too.
    let superuser = clinic.database.superuser().await;
    superuser
        .run("REVOKE EXECUTE ON FUNCTION lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea) FROM PUBLIC")
        .await;
    superuser.run("CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert')").await;

    let work = tempfile::tempdir().unwrap();
    let at = |name: &str| work.path().join(name).display().to_string();
    let place = Place::of(&clinic, &reader(&clinic.database).await);
    let said = place.run("backup", &["--output", &at("whole")]).await.ok();
    for what in [
        "ALTER DEFAULT PRIVILEGES FOR ROLE clinic_app IN SCHEMA public REVOKE ALL ON TABLES FROM clinic_owner",
        "SELECT lo_unlink(oid) FROM pg_largeobject_metadata",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    let before = place.export(work.path(), "before").await;
    clinic.stop().await;

    // Into a server where the owner is no superuser, and into a folder.
    let (database, folder, fresh) = (Database::empty().await, tempfile::tempdir().unwrap(), data_folder());
    let server = Place { reader: Some(reader(&database).await), ..Place::database(&database, folder.path()) };
    for (into, name) in [(server, "server"), (Place::folder(&fresh.path().join("data")), "folder")] {
        let said = into.run("restore", &["--input", &at("whole")]).await.ok();
        assert!(said.contains("north: the ledger is whole\n"), "{said}");
        assert!(into.export(work.path(), name).await == before, "{name}: byte for byte");
    }
    let planted = "SELECT (SELECT count(*) FROM pg_default_acl) + (SELECT count(*) FROM pg_largeobject_metadata) \
                   + (SELECT count(*) FROM pg_publication)";
    assert_eq!(database.superuser().await.one(planted).await, "0");
}
