//! `clinic audit`: verify, key, export.

use super::organisations;
use super::progress::Progress;
use super::tell;
use crate::config::{AuditArguments, AuditCommand, DatabaseSettings, EvidenceSettings, VerifySettings};
use crate::db::Database;
use crate::evidence::{self, Checkpoint, Evidence, Findings, KeyRing};
use crate::objects::Objects;
use crate::{db, ids};
use std::collections::BTreeSet;
use tokio_postgres::Client;
use uuid::Uuid;

pub(super) async fn run(arguments: AuditArguments) -> Result<(), String> {
    let settings = &arguments.database;
    match &arguments.command {
        AuditCommand::Key => {
            let (id, pem) = evidence::public_key(settings)?;
            tell::own(&format!("key id: {id}\n{pem}"));
            Ok(())
        }
        AuditCommand::Verify(verify) => {
            let trust = Trust::open(verify, settings)?;
            let mut database = Database::reach(settings).await?;
            let verified = verify_all(&database, &trust).await;
            database.close().await;
            verified
        }
        AuditCommand::Export(wanted) => {
            let trust = Trust::open(&wanted.verify, settings)?;
            if wanted.output.exists() {
                return Err(format!("--output: {} is there already", wanted.output.display()));
            }
            let mut database = Database::reach(settings).await?;
            let written = export(&database, &trust, wanted).await;
            database.close().await;
            written
        }
    }
}

/// What the chains are held to.
pub(super) struct Trust {
    store: Objects,
    keys: KeyRing,
}

impl Trust {
    fn open(settings: &VerifySettings, database: &DatabaseSettings) -> Result<Self, String> {
        settings.objects.check_with(&settings.checkpoints)?;
        let store = evidence::open_store(&settings.checkpoints, &settings.objects, database)?;
        Ok(Self { store, keys: KeyRing::open(settings.public_key.as_deref(), database)? })
    }

    pub(super) fn with(store: Objects, keys: KeyRing) -> Self {
        Self { store, keys }
    }

    /// Organisations that checkpoints tell of.
    async fn organisations(&self) -> Result<BTreeSet<Uuid>, String> {
        let names = self.store.names("", None).await.map_err(|error| error.operator_message())?;
        Ok(names.iter().filter_map(|name| name.split_once('/')?.0.parse().ok()).collect())
    }
}

/// A connection with a picture of the organisation open, in which the tables of the evidence are what they should be.
async fn opened(database: &Database, org: Uuid) -> Result<Client, String> {
    let client = db::connect(&database.application).await?;
    evidence::begin(&client, org).await?;
    evidence::hold_catalogue(&client).await?;
    Ok(client)
}

/// Verifies one organisation and says what came of it; how many chains are broken.
async fn verify_one(database: &Database, trust: &Trust, id: Uuid, name: &str) -> Result<usize, String> {
    // Checkpoints first: the picture of the database that is looked at then holds all that they tell of.
    let checkpoints = match evidence::read_checkpoints(&trust.store, id).await {
        Ok(checkpoints) => checkpoints,
        Err(why) => {
            tell::line(format!("{name}: {why}"));
            return Ok(1);
        }
    };
    let client = opened(database, id).await?;
    let bar = Progress::rows();
    let findings = evidence::verify_organisation(&client, id, &checkpoints, &|log, done, total| {
        if done == 0 {
            bar.say(format!("{name}: {}", log.words()));
        }
        bar.at(done, total);
    })
    .await?;
    drop(bar);
    client.batch_execute("ROLLBACK").await.map_err(|error| error.to_string())?;
    let fault = trust.keys.fault(id, &checkpoints);
    say(name, &findings, &checkpoints, fault.as_deref());
    Ok(findings.broken().count() + usize::from(fault.is_some()))
}

fn say(name: &str, findings: &Findings, checkpoints: &[Checkpoint], fault: Option<&str>) {
    for (words, walk) in [("ledger", &findings.ledger), ("access log", &findings.access_log)] {
        match &walk.broken {
            None => tell::line(format!("{name}: the {words} is whole")),
            Some(broken) => {
                tell::line(format!("{name}: entry {} of the {words} is broken: {}", broken.seq, broken.why))
            }
        }
    }
    match (fault, checkpoints.len()) {
        (Some(fault), _) => tell::line(format!("{name}: {fault}")),
        (None, 0) => tell::line(format!(
            "{name}: there are no checkpoints: a chain rewritten from some entry on would not be noticed"
        )),
        (None, count) => tell::line(format!(
            "{name}: {count} checkpoints hold; {} entries of the ledger and {} of the access log",
            findings.ledger.rows, findings.access_log.rows
        )),
    }
}

/// Verifies every organisation.
pub(super) async fn verify_all(database: &Database, trust: &Trust) -> Result<(), String> {
    let known = organisations(database).await?;
    let mut broken = 0;
    let mut missing = trust.organisations().await?;
    for (id, name) in known {
        missing.remove(&id);
        broken += verify_one(database, trust, id, &name).await?;
    }
    for id in missing {
        tell::line(format!("organisation {id}: there are checkpoints of it, and it is not in the database"));
        broken += 1;
    }
    if broken == 0 { Ok(()) } else { Err(format!("{broken} chains are broken")) }
}

async fn export(database: &Database, trust: &Trust, wanted: &EvidenceSettings) -> Result<(), String> {
    let known = organisations(database).await?;
    let name = &wanted.organisation;
    let org = known.iter().find(|(_, known)| known == name).map(|(id, _)| *id);
    let org = org.ok_or_else(|| format!("--organisation: there is no {name}"))?;
    let checkpoints = evidence::read_checkpoints(&trust.store, org).await?;
    if trust.keys.is_empty() && !checkpoints.is_empty() {
        return Err("the checkpoints' public key is not here: give it with --public-key".to_owned());
    }
    let client = opened(database, org).await?;
    let findings = evidence::verify_organisation(&client, org, &checkpoints, &|_, _, _| {}).await?;
    let public_key = trust.keys.pem()?;
    let evidence = Evidence {
        organisation: org,
        name,
        checkpoints: &checkpoints,
        public_key: &public_key,
        without_content: wanted.without_content,
        at: ids::now(),
    };
    let written = evidence::write_evidence(&client, &evidence, &wanted.output).await;
    if let Err(why) = written {
        let _ = std::fs::remove_file(&wanted.output);
        return Err(why);
    }
    // What is broken is given out too, and said.
    say(name, &findings, &checkpoints, trust.keys.fault(org, &checkpoints).as_deref());
    tell::line(format!("{} holds it; verify it with the verify.py inside", wanted.output.display()));
    Ok(())
}
