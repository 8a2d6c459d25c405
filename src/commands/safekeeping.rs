//! `clinic backup`, `clinic restore`, `clinic export`.

use super::audit::{self, verify_all};
use super::progress::Progress;
use super::tell;
use crate::backup::{self, Checked, Lock, Sources, Targets, Told, Trust, Unlock};
use crate::config::{BackupSettings, ExportSettings, ReaderSettings, RestoreSettings};
use crate::db::Database;
use crate::evidence::{self, KeyRing};
use crate::objects::Objects;
use std::sync::Arc;

pub(super) async fn backup(settings: BackupSettings) -> Result<(), String> {
    settings.objects.check_with(&settings.checkpoints)?;
    let lock = Lock::of(&settings.recipient, settings.passphrase_file.as_deref())?;
    let objects = Objects::open(&settings.objects, &settings.database.data_dir)?;
    let checkpoints = evidence::open_store(&settings.checkpoints, &settings.objects, &settings.database)?;
    let is_open = lock.is_open();
    let mut database = Database::reach(&settings.database).await?;
    let taken = async {
        let reader = backup::reader(&database, &settings.reader).await?;
        let sources = Sources {
            database: &settings.database,
            reader: &reader,
            objects: &objects,
            checkpoints: &checkpoints,
            include_keys: settings.include_keys,
        };
        let bar = Progress::bytes(0);
        let told = |what, done, total| {
            bar.say(what);
            bar.at(done, total);
        };
        backup::take(&sources, lock, &settings.output, &told).await
    }
    .await;
    database.close().await;
    let taken = taken?;
    tell::line(format!(
        "{} holds {} rows and {} photo files ({} bytes){}",
        settings.output.display(),
        taken.rows,
        taken.objects,
        taken.size,
        if is_open { ", in plain text: keep it as you keep the record" } else { ", encrypted" }
    ));
    match &taken.signed {
        Some(key) => tell::line(format!("it is signed with the key of checkpoints ({key})")),
        None => {
            tell::line("it is not signed: there is no key of checkpoints in the keys' folder, give it with --key-dir")
        }
    }
    for planted in &taken.planted {
        tell::line(format!("the backup leaves out what is nobody's record: {planted}"));
    }
    say_missing(&taken.missing)
}

/// A backup without every photo is written, and is a failure all the same: somebody must look.
fn say_missing(missing: &[String]) -> Result<(), String> {
    let Some(first) = missing.first() else { return Ok(()) };
    Err(format!("{} photo files are not in the object store as they should be, the first is {first}", missing.len()))
}

pub(super) async fn restore(settings: RestoreSettings) -> Result<(), String> {
    settings.objects.check_with(&settings.checkpoints)?;
    let unlock = Arc::new(Unlock::of(settings.identity.as_deref(), settings.passphrase_file.as_deref())?);
    let bar = Progress::bytes(0);
    let told: Told = Arc::new(move |what, done, total| {
        bar.say(what);
        bar.at(done, total);
    });
    // The file first: what can't be read is told before a database is made for nothing.
    let trust = match &settings.public_key {
        Some(file) => Trust::Keys(KeyRing::open(Some(file), &settings.database)?),
        None => Trust::Nobody { unsigned: settings.unsigned },
    };
    let checked = backup::check(&settings.input, &unlock, &trust, Arc::clone(&told)).await?;
    say_whose(&settings, &checked)?;
    let mut database = Database::reach_as_is(&settings.database).await?;
    let restored = async {
        let objects = Objects::open(&settings.objects, &settings.database.data_dir)?;
        let checkpoints = evidence::open_store(&settings.checkpoints, &settings.objects, &settings.database)?;
        let targets = Targets {
            settings: &settings.database,
            owner: &database.owner,
            objects: &objects,
            checkpoints: &checkpoints,
            include_keys: settings.include_keys,
        };
        let restored = backup::restore(&targets, &settings.input, &unlock, checked, told).await?;
        // Only a role that sees every row can count them; with a Postgres of your own that need not be here.
        let reader = backup::reader(&database, &ReaderSettings { backup_database_url: None }).await;
        if let Ok(reader) = reader {
            restored.same_rows(&reader).await.map_err(|why| format!("it was restored, and {why}"))?;
        }
        let keys = match (&settings.public_key, &restored.public_key) {
            (None, Some(pem)) => KeyRing::parse(pem)?,
            (file, _) => KeyRing::open(file.as_deref(), &settings.database)?,
        };
        let verified = verify_all(&database, &audit::Trust::with(checkpoints, keys)).await;
        verified.map_err(|why| format!("it was restored, and {why}"))?;
        Ok::<_, String>(restored)
    }
    .await;
    database.close().await;
    let restored = restored?;
    tell::line(format!(
        "the backup of {} is restored: {} rows, {} photo files",
        restored.at.format("%Y-%m-%d %H:%M:%S UTC"),
        restored.rows,
        restored.objects
    ));
    say_missing(&restored.missing)
}

/// Says who vouches for a backup, and what becomes of its keys, before anything is written.
fn say_whose(settings: &RestoreSettings, checked: &Checked) -> Result<(), String> {
    match &checked.vouched {
        Some(key) => tell::line(format!("the backup is signed with a key of yours ({key})")),
        None => tell::line(
            "nobody vouches for this backup: whoever made it chose what the database will hold and what runs in it; give \
             --public-key a key that you know to be the service's",
        ),
    }
    let keys = checked.keys.join(", ");
    match (keys.as_str(), settings.include_keys) {
        ("", true) => Err("--include-keys: the backup holds no keys".to_owned()),
        ("", false) => Ok(()),
        (_, true) => {
            tell::line(format!("its keys come too: {keys}"));
            Ok(())
        }
        (_, false) => {
            tell::line(format!("its keys are left in it, --include-keys takes them: {keys}"));
            Ok(())
        }
    }
}

pub(super) async fn export(settings: ExportSettings) -> Result<(), String> {
    settings.objects.check()?;
    if settings.output.exists() {
        return Err(format!("--output: {} is there already", settings.output.display()));
    }
    let objects = Objects::open(&settings.objects, &settings.database.data_dir)?;
    let mut database = Database::reach(&settings.database).await?;
    let written = async {
        let reader = backup::reader(&database, &settings.reader).await?;
        let bar = Progress::of(0, "{msg} [{bar:30}] {pos}/{len}");
        bar.say("tables and photos");
        backup::export(&reader, &objects, &settings.output, &|done, total| bar.at(done, total)).await
    }
    .await;
    database.close().await;
    tell::line(format!("{} has {} lines", settings.output.display(), written?));
    Ok(())
}
