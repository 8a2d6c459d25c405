//! Follows a chain, row after row.

use super::checkpoint::Checkpoint;
use super::digests::{Found, Seal};
use super::emptied::Emptied;
use super::log::{Broken, Log, moment};
use crate::ledger::{first_hash, next_hash};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Follows a chain.
pub(super) struct Follower<'c> {
    pub(super) log: Log,
    pub(super) last: i64,
    hash: [u8; 32],
    /// What checkpoints say of an entry.
    marks: BTreeMap<i64, Vec<(&'c Checkpoint, &'c [u8])>>,
    pub(super) emptied: Emptied,
}

impl<'c> Follower<'c> {
    pub(super) fn new(org: Uuid, log: Log, checkpoints: &'c [Checkpoint]) -> Self {
        let mut marks: BTreeMap<i64, Vec<_>> = BTreeMap::new();
        for one in checkpoints {
            let mark = match log {
                Log::Ledger => &one.ledger,
                Log::Access => &one.access_log,
            };
            marks.entry(mark.seq).or_default().push((one, mark.hash.as_slice()));
        }
        Self { log, last: 0, hash: first_hash(org), marks, emptied: Emptied::default() }
    }

    pub(super) fn broken(&self, seq: i64, why: impl Into<String>) -> Broken {
        Broken { log: self.log, seq, why: why.into() }
    }

    /// Takes the next row.
    pub(super) fn follow(&mut self, row: &Found) -> Result<(), Broken> {
        let next = self.last + 1;
        if row.seq < next {
            let why = if row.seq < 1 { "it has a number that no entry has" } else { "it is there twice" };
            return Err(self.broken(row.seq, why));
        }
        if row.seq > next {
            return Err(self.broken(next, "it is missing"));
        }
        match &row.sealed {
            Seal::Wrong => return Err(self.broken(next, "its content is not what was sealed")),
            Seal::EmptyErasure => return Err(self.broken(next, "it is an erasure, and is empty itself")),
            Seal::Empty => self.emptied.empty.push(next),
            Seal::Erasure(erasure) => self.emptied.erasures.push(erasure.clone()),
            Seal::Whole => {}
        }
        if next_hash(&self.hash, next, &row.digest) != row.hash {
            return Err(self.broken(next, "its hash does not follow from the entry before it"));
        }
        (self.last, self.hash) = (next, row.hash);
        self.held_to_checkpoints()
    }

    pub(super) fn held_to_checkpoints(&self) -> Result<(), Broken> {
        let marks = self.marks.get(&self.last).into_iter().flatten();
        match marks.into_iter().find(|(_, hash)| *hash != self.hash) {
            Some((one, _)) => {
                Err(self.broken(self.last, format!("it is not what the checkpoint of {} signed", moment(one.at))))
            }
            None => Ok(()),
        }
    }

    /// The rows are at their end.
    pub(super) fn end(&self, head: Option<(i64, Vec<u8>)>) -> Result<(), Broken> {
        let (next, words) = (self.last + 1, self.log.words());
        if let Some((seq, one)) =
            self.marks.range(next..).next().and_then(|(seq, ones)| ones.first().map(|it| (seq, it.0)))
        {
            let why = format!("the {words} ends at {}, the checkpoint of {} has {seq}", self.last, moment(one.at));
            return Err(self.broken(next, why));
        }
        match head {
            None => return Err(self.broken(next, format!("the {words} has lost its head"))),
            Some((seq, _)) if seq != self.last => {
                return Err(self.broken(next, format!("the {words} ends at {}, its head has {seq}", self.last)));
            }
            Some((_, hash)) if hash != self.hash => {
                return Err(self.broken(self.last, "the head has another hash"));
            }
            Some(_) => {}
        }
        match self.emptied.fault() {
            Some((seq, why)) => Err(self.broken(seq, why)),
            None => Ok(()),
        }
    }
}
