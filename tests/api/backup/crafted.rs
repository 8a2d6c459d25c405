//! Backups that somebody made or planted something in.

use super::{Place, file, nothing_but, reader, walk};
use crate::binary::{data_folder, program, run_with};
use crate::support::*;
use std::path::Path;

/// A name in a backup, and its bytes.
type Entry = (String, Vec<u8>);

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

/// What is no plain file.
const KINDS: [tar::EntryType; 11] = [
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
];

/// A try to restore into a folder that nothing may be written to.
struct Tried<'p> {
    around: &'p Path,
    work: &'p Path,
}

impl Tried<'_> {
    async fn refused(&self, what: &str, bytes: &[u8], more: &[&str], why: &str) {
        let bent = self.work.join("bent").display().to_string();
        std::fs::write(&bent, bytes).unwrap();
        let into = Place::folder(&self.around.join("r/data"));
        let refused = into.run("restore", &[&["--input", bent.as_str()], more].concat()).await;
        assert!(refused.complaint().contains(why), "{what}: {refused:?}");
        nothing_but(self.around, &[]);
    }
}

/// With a manifest and a signature that are right, of whoever made it: names that lead elsewhere, or to what is not ours.
async fn no_such_name_is_taken(tried: &Tried<'_>, whole: &[Entry], stranger: &ed25519_dalek::SigningKey) {
    let absolute = tried.around.join("planted").display().to_string();
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
        let forged = plain(&forged(whole, &[(name, b"x\n")], stranger));
        tried.refused(name, &forged, &[], "no backup of this program does").await;
    }
}

/// What is no plain file, though its name is one of the list's.
async fn no_such_kind_is_taken(tried: &Tried<'_>, whole: &[Entry]) {
    for kind in KINDS {
        let bent = whole.iter().map(|(name, bytes)| (name.as_str(), &bytes[..], tar::EntryType::Regular));
        let bent = packed(std::iter::once(("keys/checkpoint", &b""[..], kind)).chain(bent));
        tried.refused(&format!("{kind:?}"), &bent, &[], "is no plain file").await;
    }
}

/// Twice, too large, after the manifest, in another order, changed, without its signature, of another form.
async fn nothing_bent_is_taken(tried: &Tried<'_>, whole: &[Entry], known: &str, stranger: &ed25519_dalek::SigningKey) {
    let twice = [&whole[..1], whole].concat();
    tried.refused("twice", &plain(&twice), &[], "twice").await;
    let large = forged(whole, &[("keys/checkpoint", &[0; 33])], stranger);
    tried.refused("a large key", &plain(&large), &[], "is too large").await;
    let late = [whole, &[("keys/checkpoint".to_owned(), vec![0; 32])]].concat();
    tried.refused("late", &plain(&late), &[], "is not where it belongs").await;
    let mut swapped = whole.to_vec();
    swapped.swap(0, 1);
    tried.refused("another order", &plain(&swapped), &[], "is damaged").await;
    let bend = |name: &str, bend: &dyn Fn(&[u8]) -> Vec<u8>| {
        let bent = whole.iter().map(|(it, bytes)| (it.clone(), if it == name { bend(bytes) } else { bytes.clone() }));
        plain(&bent.collect::<Vec<_>>())
    };
    let manifest =
        |from: &str, to: &str| bend("manifest.json", &|it| String::from_utf8_lossy(it).replace(from, to).into());
    tried.refused("manifest", &manifest("\"place\": 0", "\"place\": 00"), &[], "manifest that can't be read").await;
    tried
        .refused("manifest", &manifest("\"version\": \"", "\"version\": \"9"), &[], "its signature does not hold")
        .await;
    tried.refused("form", &manifest("clinic.backup/2", "clinic.backup/3"), &[], "of another version").await;
    tried.refused("form", &manifest("clinic.backup/2", "clinic.backup/1"), &["--unsigned"], "have no signature").await;
    tried
        .refused(
            "database",
            &bend("database/000000", &|it| [it, b"x"].concat()),
            &[],
            "is damaged: \"database/000000\"",
        )
        .await;
    let unsigned = plain(&whole[..whole.len() - 1]);
    tried.refused("no signature", &unsigned, &[], "is not signed").await;
    tried.refused("no signature", &unsigned, &["--public-key", known], "is not signed").await;
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
    let tried = Tried { around: around.path(), work: work.path() };
    no_such_name_is_taken(&tried, &whole, &stranger).await;
    no_such_kind_is_taken(&tried, &whole).await;
    nothing_bent_is_taken(&tried, &whole, &known, &stranger).await;
    // Another's signature, however right, is not that of a key that is known.
    let other = plain(&forged(&whole, &[], &stranger));
    tried.refused("another key", &other, &["--public-key", &known], "is signed with another key").await;
    let old = of_the_old_form(&whole, &[]);
    tried.refused("the old form", &plain(&old), &[], "is not signed").await;
    tried.refused("the old form", &plain(&old), &["--public-key", &known], "is not signed").await;
    let old = of_the_old_form(&whole, &[("keys/../../planted", b"x")]);
    tried.refused("the old form", &plain(&old), &["--unsigned"], "no backup of this program does").await;
    tried.refused("no keys in it", &bytes, &["--include-keys"], "holds no keys").await;

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
