//! Merging two charts of one person, and taking that back.

use super::{MovedRecords, moved};
use crate::access::Scope;
use crate::chart::store as chart;
use crate::error::{self, Code, Error, Faults, Flaw};
use crate::health::{self, HealthEntry, are_alike};
use crate::health_term;
use crate::ids;
use crate::ledger;
use crate::merge::{Identities, IdentityField, MergeConflict, MergeSide, PatientMerge, store};
use crate::operation::{Inputs, Running, transaction};
use crate::patient::{Patient, PatientStatus, store as patients};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The versions of the two patients that you read.
#[derive(InputObject, Clone, Copy)]
pub struct MergeVersions {
    /// The version of the patient who is merged away.
    from: i32,
    /// The version of the patient who stays.
    into: i32,
}

/// How one conflict is decided.
#[derive(InputObject, Clone, Copy)]
pub struct MergeResolution {
    /// The field in conflict.
    field: IdentityField,
    /// Which chart's value is kept.
    take: MergeSide,
}

/// Merges a patient into another.
#[derive(InputObject)]
pub struct MergePatientsInput {
    /// An id made by the client, which makes a retry safe: `merge_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    id: Option<ID>,
    /// `patient_…`: the chart that is merged away. It can still be read, with `mergedInto`.
    from_id: ID,
    /// `patient_…`: the chart that stays and gets every record of the other.
    into_id: ID,
    /// The versions that you read.
    expected_versions: MergeVersions,
    /// Why they are one person.
    reason: String,
    /// True: nothing is written; the result shows what would happen.
    #[graphql(default = false)]
    dry_run: bool,
    /// A decision for each field in which the charts differ.
    #[graphql(default)]
    resolution: Vec<MergeResolution>,
}

/// Result of `mergePatients`: the merge, or a preview of it.
pub struct MergePatientsPayload {
    merge: Option<PatientMerge>,
    patient: Patient,
    from: Uuid,
    moved: Vec<MovedRecords>,
    conflicts: Vec<MergeConflict>,
}

/// Two entries of the health history, one of each chart, that look like duplicates.
#[derive(SimpleObject)]
pub struct DuplicateHealthEntries {
    /// The entry that moved or would move.
    moved: HealthEntry,
    /// The entry of the patient who stays.
    already: HealthEntry,
}

/// Result of `mergePatients`: the merge, or a preview of it.
#[Object]
impl MergePatientsPayload {
    /// The merge; null after a dry run.
    async fn merge(&self) -> Option<&PatientMerge> {
        self.merge.as_ref()
    }
    /// The patient who stays; unchanged after a dry run.
    async fn patient(&self) -> &Patient {
        &self.patient
    }
    /// What moved or would move, by kind.
    async fn moved(&self) -> &[MovedRecords] {
        &self.moved
    }
    /// The fields in which the two charts differ. Use their names in `resolution`.
    async fn conflicts(&self) -> &[MergeConflict] {
        &self.conflicts
    }
    /// Entries in force of the health history that both charts seem to have: of the same kind, with the same code or about
    /// the same code of the list, or in the same words. Both are kept.
    async fn possible_duplicates(&self, ctx: &Context<'_>) -> Result<Vec<DuplicateHealthEntries>> {
        let entries = health::loader::of_patient(ctx, self.patient.id, false).await?;
        let (moved, already): (Vec<HealthEntry>, Vec<HealthEntry>) = match &self.merge {
            Some(merge) => {
                let came = merge.moved.get(RecordKind::HealthEntry.as_str());
                entries.into_iter().partition(|it| came.is_some_and(|came| came.contains(&it.id)))
            }
            None => (health::loader::of_patient(ctx, self.from, false).await?, entries),
        };
        let (today, terms) = (ids::now().date_naive(), health_term::loader::in_use(ctx).await?);
        let pairs = moved.iter().flat_map(|moved| {
            let alike = already.iter().filter(|it| are_alike(moved, it, today, &terms));
            alike.map(move |it| DuplicateHealthEntries { moved: moved.clone(), already: it.clone() })
        });
        let pairs: Vec<DuplicateHealthEntries> = pairs.collect();
        ctx.operation()?.lead_to(pairs.len().saturating_mul(2))?;
        Ok(pairs)
    }
}

/// Takes a merge back.
#[derive(InputObject)]
pub struct UnmergePatientsInput {
    /// `merge_…`
    merge_id: ID,
    /// Why they are two persons after all.
    reason: String,
}

/// Result of `unmergePatients`.
#[derive(SimpleObject)]
pub struct UnmergePatientsPayload {
    /// The merge that was taken back; `kept` names the fields that were changed since and are left so.
    merge: PatientMerge,
    /// The patient who is active again, with their records back.
    from: Patient,
    /// The patient whom they had been merged into.
    into: Patient,
}

/// The two patients of a merge, in the order of the ids, either locked until the transaction ends or only read.
async fn pair(scope: &mut Scope, ids: (Uuid, Uuid), hold: bool) -> error::Result<(Patient, Patient)> {
    let wanted = [ids.0, ids.1];
    let mut found =
        if hold { patients::held(scope, &wanted).await? } else { patients::patients(scope, &wanted).await? };
    let mut take = |id: Uuid| {
        let at = found.iter().position(|patient| patient.id == id)?;
        Some(found.swap_remove(at))
    };
    let mut faults = Faults::default();
    let pair = (take(ids.0), take(ids.1));
    let missing = [(&pair.0, ids.0), (&pair.1, ids.1)];
    let missing = missing.into_iter().filter(|(found, _)| found.is_none()).map(|(_, id)| (RecordKind::Patient, id));
    if !ledger::restricted(scope, &missing.collect::<Vec<_>>()).await?.is_empty() {
        return Err(Error::ReasonRequired);
    }
    for (patient, path) in [(&pair.0, "input.fromId"), (&pair.1, "input.intoId")] {
        if patient.is_none() {
            faults.add(path, Flaw::not_found("patient of this organisation"));
        }
    }
    faults.into_result()?;
    pair.0.zip(pair.1).ok_or_else(|| Error::Internal("a patient that was there".to_owned()))
}

/// What a merge finds before it begins.
struct Plan {
    from: Patient,
    into: Patient,
    conflicts: Vec<MergeConflict>,
}

async fn plan(scope: &mut Scope, ids: (Uuid, Uuid), versions: MergeVersions, hold: bool) -> error::Result<Plan> {
    scope.viewer().check(Action::Merge, RecordKind::PatientMerge)?;
    let (from, into) = pair(scope, ids, hold).await?;
    scope.reason_stated(&[from.id, into.id])?;
    error::at_version("patient", from.stamp.version, versions.from)?;
    error::at_version("patient", into.stamp.version, versions.into)?;
    crate::merge::may_merge(&from, &into)?;
    let mut faults = Faults::default();
    for (a, b) in store::shared_photos(scope, from.id, into.id).await? {
        let show = |id| ids::show(RecordKind::Photo, id);
        faults.add(
            "input.fromId",
            Code::Duplicate.says(format!(
                "{} and {} are the same picture: mark one as entered in error first",
                show(a),
                show(b)
            )),
        );
    }
    faults.into_result()?;
    let conflicts = crate::merge::conflicts(&from, &into)?;
    Ok(Plan { from, into, conflicts })
}

async fn merge(
    scope: &mut Scope,
    (id, reason): (Uuid, String),
    ids: (Uuid, Uuid),
    versions: MergeVersions,
    choices: Vec<(IdentityField, MergeSide)>,
) -> error::Result<PatientMerge> {
    let Plan { from, into, mut conflicts } = plan(scope, ids, versions, true).await?;
    crate::merge::resolve(&mut conflicts, &choices)?;
    let (by, now) = (scope.viewer().staff, ids::now());
    let stamp = into.stamp.changed(by, now);
    let merged = Patient { stamp, ..crate::merge::merged(&from, &into, &conflicts)? };
    for of in [&from, &into] {
        chart::refuse_birth_after_records(scope, of, merged.birth_date, "input.resolution").await?;
    }
    let away = Patient {
        status: PatientStatus::Merged,
        status_reason: Some(reason.clone()),
        merged_into: Some(into.id),
        stamp: from.stamp.changed(by, now),
        ..from.clone()
    };
    let merge = PatientMerge {
        id,
        from_id: from.id,
        into_id: into.id,
        merged_at: now,
        merged_by: by,
        reason,
        moved: BTreeMap::new(),
        conflicts,
        undone_at: None,
        undone_by: None,
        undo_reason: None,
        kept: Vec::new(),
        before: None,
        stamp: Stamp::new(by, now),
    };
    store::merge(scope, merge, Identities { from, into, merged }, &away).await
}

async fn unmerge(scope: &mut Scope, id: Uuid, reason: String) -> error::Result<PatientMerge> {
    scope.viewer().check(Action::Merge, RecordKind::PatientMerge)?;
    let found = store::held(scope, id).await?;
    let Some(mut merge) = found else {
        return Err(match ledger::absent(scope, RecordKind::PatientMerge, id).await {
            Error::NotFound(_) => Error::input("input.mergeId", Flaw::not_found("merge of this organisation")),
            other => other,
        });
    };
    if merge.undone_at.is_some() {
        return Err(Error::input("input.mergeId", Code::Done.says("was taken back already")));
    }
    let (from, into) = pair(scope, (merge.from_id, merge.into_id), true).await?;
    scope.reason_stated(&[from.id, into.id])?;
    if into.status == PatientStatus::Merged {
        let message =
            "was followed by another: the patient who stayed was merged on (mergedInto). Take that merge back first";
        return Err(Error::input("input.mergeId", Code::NotAllowed.says(message)));
    }
    // What the later merge found in the patient who stayed was there because of this merge. If this one were taken back
    // first, it would stay for ever.
    ledger::all_in_sight(scope, &[merge.into_id]).await?;
    if store::is_followed(scope, &merge).await? {
        let message =
            "was followed by another merge into the same patient: take that one back first, and merge it again";
        return Err(Error::input("input.mergeId", Code::NotAllowed.says(message)));
    }
    let before = merge.before.clone().ok_or_else(|| Error::Internal("a merge without its patients".to_owned()))?;
    let identities: Identities = serde_json::from_value(before)?;
    let (by, now) = (scope.viewer().staff, ids::now());
    let back = Patient {
        status: identities.from.status,
        status_reason: identities.from.status_reason.clone(),
        merged_into: None,
        stamp: from.stamp.changed(by, now),
        ..from.clone()
    };
    let (apart, kept) = crate::merge::apart(&identities, &into)?;
    let apart = Patient { stamp: into.stamp.changed(by, now), ..apart };
    merge.kept = kept;
    (merge.undone_at, merge.undone_by, merge.undo_reason) = (Some(now), by, Some(reason));
    merge.stamp = merge.stamp.changed(by, now);
    store::undo(scope, &merge, (&from, &into), (&back, &apart)).await?;
    Ok(merge)
}

/// The mutations of this module.
#[derive(Default)]
pub struct MergeMutation;

#[Object]
impl MergeMutation {
    /// Merges two charts of one person into one. Every record of one chart moves to the other, signed records with
    /// their signatures, and both chart numbers find the patient. BAD_USER_INPUT names every field in which the charts
    /// differ and that `resolution` does not decide; `dryRun` shows them beforehand.
    async fn merge_patients(&self, ctx: &Context<'_>, input: MergePatientsInput) -> Result<MergePatientsPayload> {
        let operation = ctx.operation()?;
        let mut inputs = Inputs::new();
        let id = inputs.new_id(RecordKind::PatientMerge, input.id.as_ref());
        let ids = (
            inputs.id("fromId", RecordKind::Patient, &input.from_id),
            inputs.id("intoId", RecordKind::Patient, &input.into_id),
        );
        let reason = inputs.text("reason", &input.reason, 1000);
        if ids.0 == ids.1 && !ids.0.is_nil() {
            inputs.fault("intoId", Code::Same.says("is the same patient: two are needed").with("other", "fromId"));
        }
        inputs.finish()?;
        if input.dry_run {
            let mut scope = operation.reader().await?;
            let Plan { into, mut conflicts, .. } = plan(&mut scope, ids, input.expected_versions, false).await?;
            for conflict in &mut conflicts {
                conflict.taken =
                    input.resolution.iter().find(|choice| choice.field == conflict.field).map(|choice| choice.take);
            }
            let would_move = store::would_move(&mut scope, ids).await?;
            return Ok(MergePatientsPayload {
                merge: None,
                patient: into,
                from: ids.0,
                moved: moved(&would_move),
                conflicts,
            });
        }
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let choices: Vec<_> = input.resolution.iter().map(|choice| (choice.field, choice.take)).collect();
        let versions = input.expected_versions;
        let work = transaction(move |scope| Box::pin(merge(scope, (id, reason), ids, versions, choices)));
        let merge = operation.mutate(retry, work).await?;
        let patient = patients::patient(&mut *operation.reader().await?, merge.into_id).await?;
        let (moved, conflicts) = (moved(&merge.moved), merge.conflicts.clone());
        Ok(MergePatientsPayload { from: merge.from_id, merge: Some(merge), patient, moved, conflicts })
    }

    /// Takes a merge back. Every record that moved goes back, with what was added to it since; what was added to the
    /// patient who stayed, stays. Both patients are restored to what they were, except for fields changed since
    /// (`merge.kept`). Merges into one patient are taken back newest first: BAD_USER_INPUT for a merge that was
    /// followed by another.
    async fn unmerge_patients(&self, ctx: &Context<'_>, input: UnmergePatientsInput) -> Result<UnmergePatientsPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("mergeId", RecordKind::PatientMerge, &input.merge_id);
        let reason = inputs.text("reason", &input.reason, 1000);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(unmerge(scope, id, reason)));
        let merge = operation.mutate(operation.retry(ctx, None)?, work).await?;
        let (from, into) = pair(&mut *operation.reader().await?, (merge.from_id, merge.into_id), false).await?;
        Ok(UnmergePatientsPayload { merge, from, into })
    }
}
