//! Signed checkpoints: how far the two chains of an organisation had come at a moment. One object each, never changed.

use super::failed;
use crate::config::{CheckpointSettings, DatabaseSettings, ObjectSettings};
use crate::ids;
use crate::objects::Objects;
use crate::record::hex;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePublicKey, EncodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;
use tokio_postgres::{Client, SimpleQueryMessage};
use uuid::Uuid;

/// The name of the form, which a reader can go by.
const FORMAT: &str = "clinic.checkpoint/1";

/// How far a chain had come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The number of its newest entry; 0 for none.
    pub seq: i64,
    /// That entry's hash.
    #[serde(with = "hex")]
    pub hash: Vec<u8>,
}

/// What is signed. Its text is canonical: these fields, in this order, as compact JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    format: String,
    organisation: Uuid,
    at: DateTime<Utc>,
    ledger: Mark,
    access_log: Mark,
    /// SHA-256 of the statement of the checkpoint before.
    previous: Option<String>,
    /// The id of the key.
    key: String,
}

/// As it is kept: the statement's text, to the letter, and its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    checkpoint: String,
    signature: String,
}

/// A checkpoint that was read.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The name of its object.
    pub name: String,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// How far the ledger had come.
    pub ledger: Mark,
    /// How far the access log had come.
    pub access_log: Mark,
    /// The object's whole text.
    pub text: String,
    organisation: Uuid,
    previous: Option<String>,
    key: String,
    signed: String,
    signature: Vec<u8>,
}

impl Checkpoint {
    /// Reads an object.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let unread = || format!("the checkpoint {name} can't be read: it was changed");
        let kept: Kept = serde_json::from_str(text).map_err(|_| unread())?;
        let said: Statement = serde_json::from_str(&kept.checkpoint).map_err(|_| unread())?;
        if said.format != FORMAT {
            return Err(format!("the checkpoint {name} is of another version of this program"));
        }
        Ok(Self {
            name: name.to_owned(),
            at: said.at,
            ledger: said.ledger,
            access_log: said.access_log,
            text: text.trim_end().to_owned(),
            organisation: said.organisation,
            previous: said.previous,
            key: said.key,
            signature: STANDARD.decode(&kept.signature).map_err(|_| unread())?,
            signed: kept.checkpoint,
        })
    }

    /// What the next one names it by.
    fn hash(&self) -> String {
        hash_of(&self.signed)
    }
}

fn hash_of(statement: &str) -> String {
    hex::text(&Sha256::digest(statement.as_bytes()))
}

/// Public keys that checkpoints may be signed with.
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    keys: HashMap<String, VerifyingKey>,
}

impl KeyRing {
    /// The keys of a PEM file, or the one of the keys' folder, if it was ever made.
    pub fn open(file: Option<&Path>, database: &DatabaseSettings) -> Result<Self, String> {
        match file {
            Some(file) => {
                let text = std::fs::read_to_string(file)
                    .map_err(|error| format!("--public-key: {} can't be read: {error}", file.display()))?;
                Self::parse(&text).map_err(|why| format!("--public-key: {} {why}", file.display()))
            }
            None if database.keys().file("checkpoint").exists() => {
                let key = signing_key(database)?.verifying_key();
                Ok(Self { keys: HashMap::from([(key_id(&key), key)]) })
            }
            None => Ok(Self::default()),
        }
    }

    /// The keys of a text with one PEM block or several.
    pub fn parse(text: &str) -> Result<Self, String> {
        const END: &str = "-----END PUBLIC KEY-----";
        let blocks =
            text.split_inclusive(END).filter_map(|block| block.find("-----BEGIN").and_then(|at| block.get(at..)));
        let keys = blocks
            .map(|block| VerifyingKey::from_public_key_pem(block).map(|key| (key_id(&key), key)))
            .collect::<Result<HashMap<_, _>, _>>()
            .map_err(|_| "is no Ed25519 public key (PEM)".to_owned())?;
        if keys.is_empty() { Err("has no public key (PEM)".to_owned()) } else { Ok(Self { keys }) }
    }

    /// Their PEM text.
    pub fn pem(&self) -> Result<String, String> {
        self.keys.values().map(pem_of).collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What is wrong with an organisation's checkpoints themselves, if anything is: a signature, or one that is missing.
    pub fn fault(&self, org: Uuid, checkpoints: &[Checkpoint]) -> Option<String> {
        if self.is_empty() && !checkpoints.is_empty() {
            return Some(
                "its checkpoints can't be verified without their public key: give it with --public-key".to_owned(),
            );
        }
        let known: std::collections::HashSet<String> = checkpoints.iter().map(Checkpoint::hash).collect();
        checkpoints.iter().find_map(|one| {
            let name = &one.name;
            let Some(key) = self.keys.get(&one.key) else {
                return Some(format!("the checkpoint {name} is signed with another key ({})", one.key));
            };
            let holds = Signature::from_slice(&one.signature)
                .is_ok_and(|signature| key.verify_strict(one.signed.as_bytes(), &signature).is_ok());
            if !holds {
                return Some(format!("the checkpoint {name} was changed: its signature does not hold"));
            }
            if one.organisation != org {
                return Some(format!("the checkpoint {name} is another organisation's"));
            }
            let missing = one.previous.as_ref().is_some_and(|previous| !known.contains(previous));
            missing.then(|| format!("the checkpoint before {name} is missing"))
        })
    }
}

/// A signature of something else than a checkpoint, with the same key: of what begins with a form of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The id of the key.
    pub key: String,
    /// In base64.
    signature: String,
}

impl KeyRing {
    /// Whether a seal on this text is of one of these keys.
    pub fn holds(&self, text: &[u8], seal: &Seal) -> Result<(), String> {
        let Some(key) = self.keys.get(&seal.key) else {
            return Err(format!("is signed with another key ({:?})", seal.key));
        };
        let signature = STANDARD.decode(&seal.signature).unwrap_or_default();
        let holds =
            Signature::from_slice(&signature).is_ok_and(|signature| key.verify_strict(text, &signature).is_ok());
        if holds { Ok(()) } else { Err("was changed: its signature does not hold".to_owned()) }
    }
}

/// Seals a text with the key of the keys' folder, if there is one: none is made for this, nobody would know it.
pub(crate) fn sign(database: &DatabaseSettings, text: &[u8]) -> Result<Option<Seal>, String> {
    if !database.keys().file("checkpoint").exists() {
        return Ok(None);
    }
    let key = signing_key(database)?;
    let signature = STANDARD.encode(key.sign(text).to_bytes());
    Ok(Some(Seal { key: key_id(&key.verifying_key()), signature }))
}

fn key_id(key: &VerifyingKey) -> String {
    hex::text(&Sha256::digest(key.as_bytes())).chars().take(16).collect()
}

fn pem_of(key: &VerifyingKey) -> Result<String, String> {
    key.to_public_key_pem(LineEnding::LF).map_err(|error| format!("the public key can't be written: {error}"))
}

fn signing_key(database: &DatabaseSettings) -> Result<SigningKey, String> {
    Ok(SigningKey::from_bytes(&database.keys().key("checkpoint")?))
}

/// The public key of the keys' folder, made if there is none: its id and its PEM text.
pub(crate) fn public_key(database: &DatabaseSettings) -> Result<(String, String), String> {
    let key = signing_key(database)?.verifying_key();
    Ok((key_id(&key), pem_of(&key)?))
}

/// Opens the store of checkpoints.
pub fn open_store(
    settings: &CheckpointSettings,
    objects: &ObjectSettings,
    database: &DatabaseSettings,
) -> Result<Objects, String> {
    let folder = database.data_dir.join("checkpoints");
    Objects::open_at(settings.checkpoint_store.as_deref(), "--checkpoint-store", objects, &folder)
}

/// Reads every checkpoint of an organisation, in order.
pub async fn read_checkpoints(store: &Objects, org: Uuid) -> Result<Vec<Checkpoint>, String> {
    let names = store.names(&org.to_string(), None).await.map_err(|error| error.operator_message())?;
    let read = futures::stream::iter(names.into_iter().filter(|name| name.ends_with(".json")).map(|name| async move {
        let bytes = store.whole(&name).await.map_err(|error| error.operator_message())?.unwrap_or_default();
        Checkpoint::parse(&name, &String::from_utf8_lossy(&bytes))
    }));
    read.buffered(16).try_collect().await
}

/// How far an organisation's chains had come when this process last looked.
#[derive(Debug, Clone)]
pub(super) struct Last {
    name: String,
    pub(super) at: DateTime<Utc>,
    pub(super) ledger: Mark,
    pub(super) access_log: Mark,
    hash: String,
}

impl Last {
    pub(super) fn of(checkpoint: &Checkpoint) -> Self {
        Self {
            name: checkpoint.name.clone(),
            at: checkpoint.at,
            ledger: checkpoint.ledger.clone(),
            access_log: checkpoint.access_log.clone(),
            hash: checkpoint.hash(),
        }
    }
}

/// Writes checkpoints.
pub struct Writer {
    pub(super) store: Objects,
    key: SigningKey,
    pub(super) last: HashMap<Uuid, Last>,
}

impl Writer {
    /// Opens the store, and the key, which is made at the first start.
    pub fn open(
        settings: &CheckpointSettings,
        objects: &ObjectSettings,
        database: &DatabaseSettings,
    ) -> Result<Self, String> {
        Ok(Self { store: open_store(settings, objects, database)?, key: signing_key(database)?, last: HashMap::new() })
    }

    /// Writes one for each of these organisations in which anything happened since its last. How many.
    pub async fn write(&mut self, client: &Client, organisations: &[Uuid]) -> Result<usize, String> {
        let mut written = 0;
        for org in organisations {
            written += usize::from(self.write_one(client, *org).await?);
        }
        Ok(written)
    }

    async fn write_one(&mut self, client: &Client, org: Uuid) -> Result<bool, String> {
        let at = ids::now();
        let Some((ledger, access_log)) = heads(client, org).await? else { return Ok(false) };
        // Nothing new; or one of the two is behind, and a newer checkpoint must not take the place of what it is held to.
        let covers = |last: &Last| {
            let (ledger, access_log) = (ledger.seq - last.ledger.seq, access_log.seq - last.access_log.seq);
            ledger < 0 || access_log < 0 || ledger + access_log == 0
        };
        if (ledger.seq == 0 && access_log.seq == 0) || self.last.get(&org).is_some_and(covers) {
            return Ok(false);
        }
        // Another process may have written one since.
        let plain = |error: crate::error::Error| error.operator_message();
        let after = self.last.get(&org).map(|last| last.name.clone());
        let newest = self.store.names(&org.to_string(), after.as_deref()).await.map_err(plain)?.pop();
        if let Some(name) = newest {
            let bytes = self.store.whole(&name).await.map_err(plain)?.unwrap_or_default();
            self.last.insert(org, Last::of(&Checkpoint::parse(&name, &String::from_utf8_lossy(&bytes))?));
        }
        if self.last.get(&org).is_some_and(covers) {
            return Ok(false);
        }
        let name = format!("{org}/{:019}-{}.json", ledger.seq, at.format("%Y%m%dT%H%M%S%.6fZ"));
        let last = Last {
            name: name.clone(),
            at,
            ledger: ledger.clone(),
            access_log: access_log.clone(),
            hash: String::new(),
        };
        let statement = Statement {
            format: FORMAT.to_owned(),
            organisation: org,
            at,
            ledger,
            access_log,
            previous: self.last.get(&org).map(|last| last.hash.clone()),
            key: key_id(&self.key.verifying_key()),
        };
        let checkpoint = serde_json::to_string(&statement).map_err(|error| error.to_string())?;
        let hash = hash_of(&checkpoint);
        let signature = STANDARD.encode(self.key.sign(checkpoint.as_bytes()).to_bytes());
        let text = serde_json::to_string(&Kept { checkpoint, signature }).map_err(|error| error.to_string())?;
        if !self.store.add(&name, Bytes::from(format!("{text}\n"))).await.map_err(plain)? {
            // Another process, in the same microsecond: the next interval finds it.
            return Ok(false);
        }
        self.last.insert(org, Last { hash, ..last });
        Ok(true)
    }
}

/// The two heads, in one picture of the database, closed to nobody: the newest entry may be of a restricted patient.
async fn heads(client: &Client, org: Uuid) -> Result<Option<(Mark, Mark)>, String> {
    let ask = format!(
        "BEGIN READ ONLY; SET LOCAL app.org_id = '{org}'; SET LOCAL app.opened = 'all'; SELECT l.seq, encode(l.hash, 'hex'), a.seq, encode(a.hash, 'hex'), \
         (l.seq = 0 OR EXISTS (SELECT FROM public.ledger e WHERE e.org_id = l.org_id AND e.seq = l.seq AND e.hash = l.hash)) \
         AND (a.seq = 0 OR EXISTS (SELECT FROM public.access_log e WHERE e.org_id = a.org_id AND e.seq = a.seq AND e.hash = a.hash)) \
         FROM public.ledger_head l JOIN public.access_log_head a ON a.org_id = l.org_id WHERE l.org_id = '{org}'; COMMIT"
    );
    let answer = client.simple_query(&ask).await.map_err(|error| failed("asked", &error))?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let Some(row) = row else { return Ok(None) };
    // What is signed can't be taken back: a head that somebody bent would speak against the chain for ever.
    if row.get(4) != Some("t") {
        return Err(format!(
            "a head of the organisation {org} is not its newest entry, and is not signed: clinic audit verify"
        ));
    }
    let mark = |column: usize| {
        let seq = row.get(column).and_then(|text| text.parse().ok());
        let hash = row.get(column + 1).and_then(bytes_of);
        seq.zip(hash).map(|(seq, hash)| Mark { seq, hash }).ok_or_else(|| "a head can't be read".to_owned())
    };
    Ok(Some((mark(0)?, mark(2)?)))
}

/// The bytes of hexadecimal text.
pub(super) fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
