//! Whether the database is behind what checkpoints say of it: then an old copy was put back, or somebody cut its end off.

use super::checkpoint::{Checkpoint, Last, Mark, Writer, bytes_of};
use super::failed;
use super::log::Log;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use tokio_postgres::{Client, SimpleQueryMessage};
use uuid::Uuid;

/// A chain that is not as far as its newest checkpoint, or has another entry there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// The organisation.
    pub organisation: Uuid,
    /// Which chain; none if the whole organisation is not there.
    pub log: Option<Log>,
    /// How far it comes.
    pub database: i64,
    /// How far the checkpoint says that it came.
    pub checkpoint: i64,
    /// When that was written.
    pub at: DateTime<Utc>,
}

impl Behind {
    /// In a sentence, for who operates the service.
    pub fn told(&self) -> String {
        let Self { organisation, log, database, checkpoint, at } = self;
        let at = at.format("%Y-%m-%d %H:%M:%S UTC");
        match log {
            None => {
                format!("organisation {organisation} is not in the database, and there is a checkpoint of {at} of it")
            }
            Some(log) if database < checkpoint => format!(
                "the {} of organisation {organisation} ends at {database}, the checkpoint of {at} has {checkpoint}",
                log.words()
            ),
            Some(log) => format!(
                "entry {checkpoint} of the {} of organisation {organisation} is not what the checkpoint of {at} signed",
                log.words()
            ),
        }
    }
}

impl Writer {
    /// Reads the newest checkpoint of every organisation that the store has any of.
    pub async fn read_newest(&mut self) -> Result<(), String> {
        let plain = |error: crate::error::Error| error.operator_message();
        let mut newest: BTreeMap<Uuid, String> = BTreeMap::new();
        for name in self.store.names("", None).await.map_err(plain)? {
            let org = name.split_once('/').and_then(|(folder, _)| folder.parse().ok());
            if let Some(org) = org.filter(|_| name.ends_with(".json")) {
                // They come in order.
                newest.insert(org, name);
            }
        }
        for (org, name) in newest {
            let bytes = self.store.whole(&name).await.map_err(plain)?.unwrap_or_default();
            self.last.insert(org, Last::of(&Checkpoint::parse(&name, &String::from_utf8_lossy(&bytes))?));
        }
        Ok(())
    }

    /// Every chain of the database that is behind the newest checkpoint that this process read or wrote.
    pub async fn behind(&self, client: &Client) -> Result<Vec<Behind>, String> {
        let mut found = Vec::new();
        for (org, last) in &self.last {
            let behind =
                |log, database, checkpoint| Behind { organisation: *org, log, database, checkpoint, at: last.at };
            let Some(there) = chains(client, *org, last).await? else {
                found.push(behind(None, 0, last.ledger.seq));
                continue;
            };
            let marks = [(Log::Ledger, &last.ledger), (Log::Access, &last.access_log)];
            for ((log, mark), (seq, hash)) in marks.into_iter().zip(there) {
                // Before the first entry there is none whose hash could be looked at.
                let other = mark.seq > 0 && hash.as_ref() != Some(&mark.hash);
                if seq < mark.seq || other {
                    found.push(behind(Some(log), seq, mark.seq));
                }
            }
        }
        found.sort_by_key(|it| (it.organisation, it.log.map(Log::words)));
        Ok(found)
    }
}

/// How far a chain comes, and the hash of the entry that a checkpoint marks.
type Chain = (i64, Option<Vec<u8>>);

/// Both chains, in one picture of the database; none if the organisation is not there.
async fn chains(client: &Client, org: Uuid, last: &Last) -> Result<Option<[Chain; 2]>, String> {
    let hash = |table: &str, mark: &Mark| {
        format!(
            "(SELECT encode(e.hash, 'hex') FROM public.{table} e WHERE e.org_id = '{org}' AND e.seq = {} LIMIT 1)",
            mark.seq
        )
    };
    let ask = format!(
        "BEGIN READ ONLY; SET LOCAL app.org_id = '{org}'; SET LOCAL app.opened = 'all'; SELECT l.seq, {}, a.seq, {} \
         FROM public.ledger_head l JOIN public.access_log_head a ON a.org_id = l.org_id WHERE l.org_id = '{org}'; COMMIT",
        hash("ledger", &last.ledger),
        hash("access_log", &last.access_log)
    );
    let answer = client.simple_query(&ask).await.map_err(|error| failed("asked", &error))?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let Some(row) = row else { return Ok(None) };
    let chain = |column: usize| {
        let seq = row.get(column).and_then(|text| text.parse().ok());
        seq.map(|seq| (seq, row.get(column + 1).and_then(bytes_of))).ok_or_else(|| "a head can't be read".to_owned())
    };
    Ok(Some([chain(0)?, chain(2)?]))
}
