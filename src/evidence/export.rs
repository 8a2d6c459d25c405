//! An organisation's evidence as one file, with a small program that verifies it without ours.

use super::checkpoint::{Checkpoint, Mark};
use super::copied::{copy_rows, line_of, lines_with_content, rows_of};
use super::failed;
use super::log::Log;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use tokio_postgres::{Client, SimpleQueryMessage};
use uuid::Uuid;

/// The program that verifies it.
const PROGRAM: &str = include_str!("verify.py");

const README: &str = "\
Evidence of a clinic's record

ledger.ndjson       every write, in order: what was done, by whom, when, to which record
access_log.ndjson   every look at a patient's data, every sign-in, every refusal
checkpoints.ndjson  signed statements of how far both had come
public-key.pem      what the signatures are checked with
evidence.json       whose it is, when it was made, and the heads of both chains
verify.py           checks all of it

    python3 verify.py --public-key KEY-YOU-HAD-BEFORE.pem

needs Python 3 and the openssl command, no network and nothing of the clinic's. Read it: it is short.

How it hangs together. Every entry has a digest: SHA-256 over its fields, each led by its length as 8 bytes, big-endian.
Every entry has a hash: SHA-256 over the hash before it, its number as 8 bytes, and its digest. The first hash before any
is SHA-256 of the organisation's id. So no entry can be changed, taken out, put in or moved without breaking what follows.
Who rewrites all that follows is found by a checkpoint: it is signed with a key that is not in the database.

What this can't show: a rewrite of entries that are newer than the newest checkpoint you hold; what was never written
down; and what an erased entry said. Of an erased entry only its digest and its place are left.

This file holds patients' data unless it was made with --without-content: keep it as such.
";

/// What to write.
pub struct Evidence<'e> {
    /// Whose it is.
    pub organisation: Uuid,
    /// Its name.
    pub name: &'e str,
    /// Its checkpoints.
    pub checkpoints: &'e [Checkpoint],
    /// The PEM text of the public keys.
    pub public_key: &'e str,
    /// Whether what records say is left out.
    pub without_content: bool,
    /// When it was exported.
    pub at: DateTime<Utc>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct About<'e> {
    format: &'static str,
    organisation_id: Uuid,
    organisation: &'e str,
    made_at: DateTime<Utc>,
    without_content: bool,
    heads: Heads,
}

#[derive(Serialize)]
struct Heads {
    ledger: Mark,
    access_log: Mark,
}

impl Evidence<'_> {
    /// The rows of a chain as JSON, in Postgres' own words: times as microseconds, bytes as hexadecimal text.
    fn rows(&self, log: Log) -> String {
        let org = self.organisation;
        let micros = "(extract(epoch FROM at) * 1000000)::bigint AS \"atMicros\"";
        let seal = "encode(digest, 'hex') AS digest, encode(hash, 'hex') AS hash";
        match log {
            Log::Ledger => {
                let (kept, salt) = if self.without_content {
                    ("NULL::text AS content, NULL::bytea AS packed", "NULL::text")
                } else {
                    ("content, packed", "encode(salt, 'hex')")
                };
                let columns = "actor_id, request_id, action, record_kind, record_id, patient_id, version";
                let rows = format!(
                    "SELECT seq, at, {columns}, {kept}, {salt} AS salt, digest, hash FROM public.ledger \
                     WHERE org_id = '{org}' ORDER BY seq"
                );
                let before = format!(
                    "seq, {micros}, actor_id AS \"actorId\", request_id AS \"requestId\", action, record_kind AS \"recordKind\", \
                     record_id AS \"recordId\", patient_id AS \"patientId\", version"
                );
                lines_with_content(&before, &format!("salt, {seal}"), &rows)
            }
            Log::Access => format!(
                "SELECT convert_to(row_to_json(r)::text, 'UTF8') FROM (SELECT seq, {micros}, actor_id AS \"actorId\", \
                 request_id AS \"requestId\", event, operation, from_address AS \"fromAddress\", patient_ids AS \"patientIds\", \
                 reason, {seal} FROM public.access_log WHERE org_id = '{org}' ORDER BY seq) AS r"
            ),
        }
    }

    async fn heads(&self, client: &Client) -> Result<Heads, String> {
        let mark = async |log: &str| {
            let ask = format!(
                "SELECT seq, encode(hash, 'hex') FROM public.{log}_head WHERE org_id = '{}'",
                self.organisation
            );
            let answer = client.simple_query(&ask).await.map_err(|error| failed("asked", &error))?;
            let mark = answer.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some(Mark { seq: row.get(0)?.parse().ok()?, hash: super::checkpoint::bytes_of(row.get(1)?)? })
                }
                _ => None,
            });
            mark.ok_or_else(|| "the organisation has lost its ledger's head".to_owned())
        };
        Ok(Heads { ledger: mark("ledger").await?, access_log: mark("access_log").await? })
    }
}

/// Writes the file. The connection is in a transaction that sees the organisation.
pub async fn write_evidence(client: &Client, evidence: &Evidence<'_>, output: &Path) -> Result<(), String> {
    let plain = |error: std::io::Error| format!("{} can't be written: {error}", output.display());
    let folder = output.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut tar = tar::Builder::new(BufWriter::new(create(output).map_err(plain)?));
    let about = About {
        format: "clinic.evidence/1",
        organisation_id: evidence.organisation,
        organisation: evidence.name,
        made_at: evidence.at,
        without_content: evidence.without_content,
        heads: evidence.heads(client).await?,
    };
    let about = serde_json::to_string_pretty(&about).map_err(|error| error.to_string())?;
    let checkpoints: String = evidence.checkpoints.iter().map(|one| format!("{}\n", one.text)).collect();
    for (name, text) in [
        ("README.txt", README),
        ("evidence.json", &format!("{about}\n")),
        ("checkpoints.ndjson", &checkpoints),
        ("public-key.pem", evidence.public_key),
        ("verify.py", PROGRAM),
    ] {
        let mut header = header(u64::try_from(text.len()).unwrap_or(0), evidence.at);
        tar.append_data(&mut header, name, text.as_bytes()).map_err(plain)?;
    }
    for (log, name) in [(Log::Ledger, "ledger.ndjson"), (Log::Access, "access_log.ndjson")] {
        // A tar says the size of a file before the file. It lies beside the output, closed to others, and goes by itself.
        let beside = folder.join(format!(".{name}-{}", crate::ids::new_id()));
        let file = create(&beside).map_err(plain)?;
        let written = copy_lines(client, &evidence.rows(log), file).await;
        let appended = written.and_then(|size| {
            let file = File::open(&beside).map_err(plain)?;
            tar.append_data(&mut header(size, evidence.at), name, file).map_err(plain)
        });
        let _ = std::fs::remove_file(&beside);
        appended?;
    }
    let mut file = tar.into_inner().map_err(plain)?;
    file.flush().map_err(plain)?;
    file.get_ref().sync_all().map_err(plain)
}

/// A new file for its owner alone.
fn create(path: &Path) -> std::io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn header(size: u64, at: DateTime<Utc>) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(u64::try_from(at.timestamp()).unwrap_or(0));
    header
}

/// Writes each row as a line; how many bytes in all.
async fn copy_lines(client: &Client, query: &str, file: File) -> Result<u64, String> {
    let plain = |error: std::io::Error| format!("the file can't be written: {error}");
    let mut file = BufWriter::new(file);
    let mut size = 0;
    let mut pieces = copy_rows(client, query).await?;
    while let Some(piece) = pieces.next().await {
        for row in rows_of(&piece?)? {
            let line = line_of(&row)?;
            file.write_all(&line).and_then(|()| file.write_all(b"\n")).map_err(plain)?;
            size += u64::try_from(line.len() + 1).unwrap_or(0);
        }
    }
    file.flush().map_err(plain)?;
    Ok(size)
}
