//! The change feed: what changed in an organisation, in the order in which it became so. It is the ledger, read from a place
//! on by somebody who may see part of it. Whoever follows what happens reads it here: the query `changes`, `GET /changes`.
//!
//! A number of the ledger is taken under the lock of its head, which is held until the commit. So whoever sees an entry sees
//! every one before it, and a place in the ledger never has to be visited twice.

mod position;
mod store;
mod tail;
mod watermark;

pub use position::Position;
pub use store::page;
pub use tail::{Place, Tail, Waiter};
pub use watermark::Watermark;

use crate::access::Scope;
use crate::error::Result;
use crate::vocabulary::{Action, RecordKind, vocabulary};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

vocabulary! {
    /// What a change means for a copy of the record, beyond that it should be read again.
    ChangeMark {
        /// The record was erased: delete it. It finds nothing any more.
        Erased = "erased",
        /// The record is marked as entered in error: it does not count.
        EnteredInError = "entered_in_error",
        /// The record is signed and was retracted: it stays, and does not count.
        Retracted = "retracted",
        /// The record is another patient's now, by a merge or by the undoing of one.
        Moved = "moved",
        /// A restriction of the patient was lifted. What changed while they were restricted was not told to who did not see
        /// them: read all of their record again.
        Reopened = "reopened",
    }
}

/// One change: a thin pointer to a record. What the record says is read as any record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordChange {
    /// The number of its entry in the organisation's ledger.
    pub seq: i64,
    /// Its place in what the entry tells: 0 is the entry's own record, what else is touched by it comes after.
    pub place: u32,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What was done.
    pub action: Action,
    /// The kind of the record.
    pub kind: RecordKind,
    /// The record.
    pub record: Uuid,
    /// The version that the record got; none where the entry is not the record's own.
    pub version: Option<i32>,
    /// The patient whose record it is since.
    pub patient: Option<Uuid>,
    /// The patient whose record it was before it moved, unless they are closed to the viewer.
    pub moved_from: Option<Uuid>,
    /// What it means for a copy.
    pub mark: Option<ChangeMark>,
    /// Who did it; none for the program itself.
    pub actor: Option<Uuid>,
    /// The request that did it.
    pub request_id: String,
    /// The cursor of this change.
    pub position: Position,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With the first entry.
    Start,
    /// With what comes next.
    Now,
    /// After a place.
    After(Position),
}

/// A part of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The changes, in order.
    pub changes: Vec<RecordChange>,
    /// Where the next page begins. It may be further on than the last change: what the viewer may not see, or did not ask
    /// for, was passed.
    pub end: Position,
    /// Whether the ledger goes on after it. What comes may be nothing that the viewer sees.
    pub more: bool,
}

/// The kinds whose changes a viewer is told of: those asked for, or all that they may read.
///
/// # Errors
///
/// `FORBIDDEN` for a kind that they may not read of all patients.
pub fn kinds(scope: &Scope, asked: Option<&[RecordKind]>) -> Result<Vec<RecordKind>> {
    let (viewer, emergency) = (scope.viewer(), scope.emergency_only());
    let may = |kind: &RecordKind| {
        emergency.check(*kind, None)?;
        viewer.check(Action::Read, *kind)
    };
    match asked {
        Some(asked) => {
            asked.iter().try_for_each(may)?;
            Ok(asked.to_vec())
        }
        None => Ok(RecordKind::ALL.iter().copied().filter(|kind| may(kind).is_ok()).collect()),
    }
}

/// The kinds whose entries tell of records of other kinds, with those.
const CARRIERS: &[(RecordKind, Carried)] = &[
    (RecordKind::Retraction, Carried::Any),
    (RecordKind::PatientErasure, Carried::Any),
    (RecordKind::PatientRestriction, Carried::Patients),
];

/// What such entries tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carried {
    /// Records of several kinds.
    Any,
    /// Patients.
    Patients,
}

/// The kinds whose entries have to be looked at to tell of these.
fn looked_at(kinds: &[RecordKind]) -> Vec<String> {
    let carriers = CARRIERS.iter().filter(|(carrier, carried)| {
        !kinds.contains(carrier) && (*carried == Carried::Any || kinds.contains(&RecordKind::Patient))
    });
    kinds.iter().chain(carriers.map(|(carrier, _)| carrier)).map(|kind| kind.as_str().to_owned()).collect()
}

/// An entry of the ledger as the feed reads it.
#[derive(Debug, Clone)]
struct Entry {
    seq: i64,
    at: DateTime<Utc>,
    actor: Option<Uuid>,
    request_id: String,
    action: Action,
    kind: RecordKind,
    record: Uuid,
    version: i32,
    patient: Option<Uuid>,
    moved_from: Option<Uuid>,
    /// Whether the record was erased since.
    gone: bool,
    /// Its content, where that matters.
    content: Option<String>,
}

/// What the feed reads of a content.
#[derive(Debug, Default, Deserialize)]
struct Told {
    #[serde(default)]
    entered_in_error: Option<bool>,
    #[serde(default)]
    status: Option<Value>,
    #[serde(default)]
    record_kind: Option<RecordKind>,
    #[serde(default)]
    record_id: Option<Uuid>,
    #[serde(default)]
    lifted_at: Option<Value>,
}

impl Entry {
    /// What its content says; nothing where there is none.
    fn told(&self) -> Result<Told> {
        Ok(self.content.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default())
    }

    /// The change of its own record.
    fn own(&self, told: &Told) -> RecordChange {
        let moved =
            self.action == Action::Merge && self.kind != RecordKind::PatientMerge && self.moved_from != self.patient;
        let status = told.status.as_ref().and_then(Value::as_str);
        let in_error = told.entered_in_error == Some(true) || status == Some(ChangeMark::EnteredInError.as_str());
        let mark = if self.gone {
            Some(ChangeMark::Erased)
        } else if moved && self.kind != RecordKind::Patient {
            Some(ChangeMark::Moved)
        } else {
            in_error.then_some(ChangeMark::EnteredInError)
        };
        RecordChange {
            seq: self.seq,
            place: 0,
            at: self.at,
            action: self.action,
            kind: self.kind,
            record: self.record,
            version: Some(self.version),
            patient: self.patient,
            moved_from: self.moved_from.filter(|_| mark == Some(ChangeMark::Moved)),
            mark,
            actor: self.actor,
            request_id: self.request_id.clone(),
            position: Position { seq: self.seq, at: Some(self.at), place: None },
        }
    }

    /// The change of another record that it tells of.
    fn of_another(&self, place: u32, (kind, record): (RecordKind, Uuid), mark: ChangeMark) -> RecordChange {
        RecordChange {
            place,
            action: if mark == ChangeMark::Erased { Action::Erase } else { Action::Update },
            kind,
            record,
            version: None,
            mark: Some(mark),
            position: Position { seq: self.seq, at: Some(self.at), place: Some(place) },
            ..self.own(&Told::default())
        }
    }

    /// The other record that it tells of, if any; an erasure's are asked for.
    fn beside(&self, told: &Told) -> Option<RecordChange> {
        match (self.kind, self.action) {
            (RecordKind::Retraction, Action::Create) => {
                let record = told.record_kind.zip(told.record_id)?;
                Some(self.of_another(1, record, ChangeMark::Retracted))
            }
            (RecordKind::PatientRestriction, Action::Update) => {
                told.lifted_at.as_ref().filter(|at| !at.is_null())?;
                Some(self.of_another(1, (RecordKind::Patient, self.patient?), ChangeMark::Reopened))
            }
            _ => None,
        }
    }

    /// Its own change, and that of the other record that it tells of.
    fn changes(&self, told: &Told) -> impl Iterator<Item = RecordChange> {
        let (mut own, beside) = (self.own(told), self.beside(told));
        if beside.is_some() || self.is_erasure() {
            own.position.place = Some(own.place);
        }
        std::iter::once(own).chain(beside)
    }

    fn is_erasure(&self) -> bool {
        (self.kind, self.action) == (RecordKind::PatientErasure, Action::Erase)
    }
}

#[cfg(test)]
mod tests;
