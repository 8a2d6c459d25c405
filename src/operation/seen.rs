//! Whose data an operation showed to whom, and what was refused in it: for the access log.

use super::{Operation, Shown};
use crate::access::refusal::{self, RefusedTry, Tried};
use crate::access::{Emergency, Scope};
use crate::error::{Error, Result};
use crate::ledger::{AccessEvent, Event};
use std::collections::BTreeSet;
use uuid::Uuid;

/// A refusal, and its position in the operation. Fields of a mutation run one after another, and a sign-in among them
/// changes the viewer of those that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedAt {
    /// A refusal of a field, with the index of the error, from 0.
    Field(usize),
    /// The error that ended the operation, or one that concerns it as a whole.
    Last,
}

impl Operation {
    /// Records that the viewer learned about one more patient whose record is not itself in the result: knowing that a
    /// list continues reveals that there is a next record.
    pub fn show(&self, patient: Uuid) {
        self.note_seen(BTreeSet::from([patient]), BTreeSet::new());
    }

    pub(super) fn note_viewer(&self, scope: &Scope) {
        self.standing.asks(scope.org(), scope.emergency_only());
        let turn = self.changes.lock().map_or(0, |changes| changes.len());
        if let Ok(mut shown) = self.shown.lock() {
            let viewer = (scope.org(), scope.viewer().actor());
            // The entry of the present viewer comes last.
            match shown.iter().position(|shown| shown.viewer == viewer) {
                Some(place) => {
                    let current = shown.remove(place);
                    shown.push(current);
                }
                None => shown.push(Shown {
                    viewer,
                    turns: BTreeSet::new(),
                    patients: BTreeSet::new(),
                    refused: BTreeSet::new(),
                    emergencies: Vec::new(),
                    looked: false,
                }),
            }
            let Some(shown) = shown.last_mut() else { return };
            shown.turns.insert(turn);
            let known = shown.emergencies.clone();
            shown.emergencies.extend(scope.emergencies().iter().filter(|it| !known.contains(it)).cloned());
            shown.looked |= scope.looked();
        }
    }

    pub(super) fn note_seen(&self, patients: BTreeSet<Uuid>, refused: BTreeSet<Uuid>) {
        if let Ok(mut shown) = self.shown.lock()
            && let Some(shown) = shown.last_mut()
        {
            shown.patients.extend(patients);
            shown.refused.extend(refused);
        }
    }

    /// Ends the operation: closes the snapshot and writes to the access log, before anything is sent, which patients
    /// were shown and what was refused: one row for each viewer who saw something, and one for each who was refused
    /// something. If this fails, nothing may be sent.
    pub async fn finish(&self, refusals: &[RefusedAt]) -> Result<()> {
        if let Some(scope) = self.reader.lock().await.as_mut() {
            self.note_viewer(scope);
            self.note_seen(scope.take_seen(), scope.take_refused());
        }
        let refused = self.refused_turns(refusals);
        let shown = match self.shown.lock() {
            Ok(mut shown) => std::mem::take(&mut *shown),
            Err(_) => return Err(Error::Internal("the list of shown patients is lost".to_owned())),
        };
        let log = async {
            let mut rows = Vec::new();
            for Shown { viewer, turns, patients, refused: closed, emergencies, looked } in shown {
                if !patients.is_empty() || looked {
                    rows.push((viewer, Event::Read, patients, emergencies.clone()));
                }
                if !closed.is_empty() || !turns.is_disjoint(&refused) {
                    rows.push((viewer, Event::Refused, closed, emergencies));
                }
            }
            // Written concurrently, so that they share a write, and in order, because they are queued one after
            // another.
            let writes = rows.into_iter().map(|((org, actor), event, patients, emergencies)| {
                let reason = reason_of(&patients, &emergencies, self.facts.reason.as_deref());
                self.write_down(org, actor, event, patients.into_iter().collect(), reason)
            });
            futures::future::try_join_all(writes).await.map(|_| ())
        };
        let ((), logged) = futures::join!(self.close_reader(), log);
        logged
    }

    /// The turns in which something was refused: the number of sign-ins made in the operation before each error.
    fn refused_turns(&self, refusals: &[RefusedAt]) -> BTreeSet<usize> {
        let changes = self.changes.lock().map(|changes| changes.clone()).unwrap_or_default();
        let turn = |refusal: &RefusedAt| match refusal {
            RefusedAt::Field(place) => changes.iter().filter(|errors| *errors <= place).count(),
            RefusedAt::Last => changes.len(),
        };
        refusals.iter().map(turn).collect()
    }

    /// Records a failed sign-in. It reaches the access logs a little later (`access::refusal`).
    pub async fn note_refused(&self, tried: Tried) -> Result<()> {
        let refusal = RefusedTry {
            tried,
            request_id: self.facts.id.clone(),
            operation: self.facts.name.clone(),
            from_address: self.facts.address.clone(),
        };
        refusal::note(self.service.doorkeeper.pool(), refusal).await?;
        self.service.refused.notify_one();
        Ok(())
    }

    /// Writes to the access log.
    pub async fn log(&self, org: Uuid, actor: Option<Uuid>, event: Event, patients: Vec<Uuid>) -> Result<()> {
        self.write_down(org, actor, event, patients, self.facts.reason.clone()).await
    }

    async fn write_down(
        &self,
        org: Uuid,
        actor: Option<Uuid>,
        event: Event,
        patients: Vec<Uuid>,
        reason: Option<String>,
    ) -> Result<()> {
        self.service
            .access_log
            .write(AccessEvent {
                org,
                actor,
                request_id: self.facts.id.clone(),
                event,
                operation: self.facts.name.clone(),
                from_address: self.facts.address.clone(),
                reason,
                patients,
            })
            .await
    }
}

/// The reason recorded in the access log for showing these patients: the emergency access that was open to one of them,
/// and the stated reason.
pub fn reason_of(patients: &BTreeSet<Uuid>, emergencies: &[Emergency], stated: Option<&str>) -> Option<String> {
    let open = emergencies.iter().filter(|it| patients.contains(&it.patient));
    let mut reasons: Vec<String> = open.map(|it| format!("emergency: {}", it.reason)).collect();
    reasons.extend(stated.map(str::to_owned));
    (!reasons.is_empty()).then(|| reasons.join("; "))
}
