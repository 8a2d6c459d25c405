//! Placing and lifting legal holds, exporting and erasing.

use crate::access::Scope;
use crate::custody::{Export, LegalHold, PatientErasure, export, remains, store};
use crate::error::{self, Code, Error};
use crate::ids;
use crate::ledger;
use crate::objects::{Pass, Reading, Reason, Use};
use crate::operation::{Inputs, Running, transaction};
use crate::page::{kept, listing};
use crate::patient::{Patient, PatientStatus, store as patients};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How long the links in an export open its photos.
const EXPORT_LINKS: chrono::TimeDelta = chrono::TimeDelta::minutes(15);

/// Places a legal hold on a patient's record.
#[derive(InputObject)]
pub struct PlaceLegalHoldInput {
    /// An id made by the client, which makes a retry safe: `hold_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    id: Option<ID>,
    /// `patient_…`
    patient_id: ID,
    /// Why: the case, the authority.
    reason: String,
}

/// Result of `placeLegalHold`.
#[derive(SimpleObject)]
pub struct PlaceLegalHoldPayload {
    /// The new legal hold.
    legal_hold: LegalHold,
}

/// Lifts a legal hold.
#[derive(InputObject)]
pub struct LiftLegalHoldInput {
    /// `hold_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// Why it is lifted.
    reason: String,
}

/// Result of `liftLegalHold`.
#[derive(SimpleObject)]
pub struct LiftLegalHoldPayload {
    /// The lifted legal hold.
    legal_hold: LegalHold,
}

/// Exports everything of one patient.
#[derive(InputObject)]
pub struct ExportPatientInput {
    /// `patient_…`
    patient_id: ID,
}

/// Result of `exportPatient`.
#[derive(SimpleObject)]
pub struct ExportPatientPayload {
    /// The document.
    export: Export,
    /// The patient whose record was exported.
    patient: Patient,
}

/// Erases everything of one patient. It cannot be undone.
#[derive(InputObject)]
pub struct ErasePatientInput {
    /// `patient_…`
    patient_id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// Why the record is erased. The reason is kept: write nothing that identifies the patient.
    reason: String,
    /// Who or what required the erasure, such as the number of a request or a law. It is kept: write no names.
    authority: String,
    /// The patient's chart number, to confirm that it is the right patient.
    confirm_chart_number: String,
}

/// Result of `erasePatient`.
#[derive(SimpleObject)]
pub struct ErasePatientPayload {
    /// The record of the erasure, with the numbers of rows erased.
    erasure: PatientErasure,
}

async fn place(scope: &mut Scope, mut hold: LegalHold) -> error::Result<LegalHold> {
    scope.viewer().check(Action::Create, RecordKind::LegalHold)?;
    let patient = patients::patient(scope, hold.patient_id).await?;
    if patient.status == PatientStatus::Merged {
        return Err(Error::input(
            "input.patientId",
            Code::Merged.says("was merged into another patient: hold that one (mergedInto)"),
        ));
    }
    (hold.placed_by, hold.placed_at) = (scope.viewer().staff, ids::now());
    hold.stamp = Stamp::new(hold.placed_by, hold.placed_at);
    kept::add(scope, &hold).await?;
    Ok(hold)
}

async fn lift(scope: &mut Scope, id: Uuid, expected: i32, reason: String) -> error::Result<LegalHold> {
    scope.viewer().check(Action::Update, RecordKind::LegalHold)?;
    let mut hold: LegalHold = listing::one(scope, id).await?;
    error::at_version("legal hold", hold.stamp.version, expected)?;
    if hold.lifted_at.is_some() {
        return Err(Error::input("input.id", Code::Done.says("is lifted already")));
    }
    let now = ids::now();
    (hold.lifted_at, hold.lifted_by, hold.lift_reason) = (Some(now), scope.viewer().staff, Some(reason));
    hold.stamp = hold.stamp.changed(hold.lifted_by, now);
    kept::save(scope, Action::Update, &hold, expected).await?;
    Ok(hold)
}

/// Checks the right to export a record: the right to export, and to read every kind of record in it.
async fn give_out(scope: &mut Scope, id: Uuid) -> error::Result<Patient> {
    scope.viewer().check(Action::Export, RecordKind::Patient)?;
    let patient = patients::patient(scope, id).await?;
    if patient.status == PatientStatus::Merged {
        return Err(Error::input(
            "input.patientId",
            Code::Merged.says("was merged into another patient: export that one (mergedInto)"),
        ));
    }
    scope.reason_stated(&[patient.id])?;
    store::note_export(scope, &patient).await?;
    Ok(patient)
}

async fn erase(
    scope: &mut Scope,
    erasure: PatientErasure,
    expected: i32,
    chart: String,
) -> error::Result<PatientErasure> {
    scope.viewer().check(Action::Erase, RecordKind::PatientErasure)?;
    let mut erasure = erasure;
    let id = erasure.patient_id;
    // Locked until the transaction ends, so that nobody adds to the chart or places a hold between the check and the
    // erasure.
    let found = patients::held(scope, &[id]).await?.into_iter().next();
    let Some(patient) = found else { return Err(ledger::absent(scope, RecordKind::Patient, id).await) };
    error::at_version("patient", patient.stamp.version, expected)?;
    if patient.status == PatientStatus::Merged {
        return Err(Error::input(
            "input.patientId",
            Code::Merged.says("was merged into another patient: erase that one (mergedInto)"),
        ));
    }
    if patient.chart_number != chart {
        return Err(Error::input(
            "input.confirmChartNumber",
            Code::Mismatch.says("is not this patient's chart number"),
        ));
    }
    let mut everyone = vec![id];
    everyone.extend(patients::merged_into(scope, id).await?.iter().map(|merged| merged.id));
    // A statement does not erase what is hidden from it.
    ledger::all_in_sight(scope, &everyone).await?;
    scope.reason_stated(&everyone)?;
    let holds: Vec<LegalHold> = listing::all_under(scope, "patient_id", &everyone).await?;
    let standing: Vec<String> = holds
        .iter()
        .filter(|hold| hold.lifted_at.is_none())
        .map(|hold| ids::show(RecordKind::LegalHold, hold.id))
        .collect();
    if !standing.is_empty() {
        let message = format!(
            "is under legal hold ({}): it can be erased once that is lifted (liftLegalHold)",
            standing.join(", ")
        );
        return Err(Error::input("input.patientId", Code::NotAllowed.says(message)));
    }
    (erasure.erased_by, erasure.erased_at) = (scope.viewer().staff, ids::now());
    erasure.stamp = Stamp::new(erasure.erased_by, erasure.erased_at);
    store::erase(scope, erasure).await
}

/// The mutations of this module.
#[derive(Default)]
pub struct CustodyMutation;

#[Object]
impl CustodyMutation {
    /// Places a legal hold. While it is in force, the patient's record can't be erased.
    async fn place_legal_hold(&self, ctx: &Context<'_>, input: PlaceLegalHoldInput) -> Result<PlaceLegalHoldPayload> {
        let mut inputs = Inputs::new();
        let now = ids::now();
        let hold = LegalHold {
            id: inputs.new_id(RecordKind::LegalHold, input.id.as_ref()),
            patient_id: inputs.id("patientId", RecordKind::Patient, &input.patient_id),
            reason: inputs.text("reason", &input.reason, 1000),
            placed_at: now,
            placed_by: None,
            lifted_at: None,
            lifted_by: None,
            lift_reason: None,
            stamp: Stamp::new(None, now),
        };
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(place(scope, hold)));
        let legal_hold = operation.mutate(operation.retry(ctx, input.id.as_ref())?, work).await?;
        Ok(PlaceLegalHoldPayload { legal_hold })
    }

    /// Lifts a legal hold.
    async fn lift_legal_hold(&self, ctx: &Context<'_>, input: LiftLegalHoldInput) -> Result<LiftLegalHoldPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::LegalHold, &input.id);
        let reason = inputs.text("reason", &input.reason, 1000);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(lift(scope, id, input.expected_version, reason)));
        Ok(LiftLegalHoldPayload { legal_hold: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Exports everything of one patient, and of patients merged into them, as one JSON document. Each export is
    /// recorded in the ledger before anything is returned, even with the same `Idempotency-Key`. QUERY_TOO_LARGE beyond
    /// 50,000 ledger entries or accesses.
    async fn export_patient(&self, ctx: &Context<'_>, input: ExportPatientInput) -> Result<ExportPatientPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("patientId", RecordKind::Patient, &input.patient_id);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(give_out(scope, id)));
        // No retry: each export is recorded.
        let patient = operation.mutate(None, work).await?;
        let mut reader = operation.reader().await?;
        let holder = operation.holder(&reader.viewer())?;
        let until = ids::now() + EXPORT_LINKS;
        let purpose = Use::Read(Reading::Original, Reason::Export);
        let link = |record| operation.service().links.address(&Pass { purpose, holder, record, until });
        let export = export::export(&mut reader, &patient, &link).await?;
        drop(reader);
        Ok(ExportPatientPayload { export, patient })
    }

    /// Erases everything of one patient and of patients merged into them: rows, the content of their ledger entries,
    /// and files in the object store. Digests and hashes stay, so the ledger still verifies. Refused under a legal
    /// hold.
    async fn erase_patient(&self, ctx: &Context<'_>, input: ErasePatientInput) -> Result<ErasePatientPayload> {
        let mut inputs = Inputs::new();
        let now = ids::now();
        let erasure = PatientErasure {
            id: ids::new_id(),
            patient_id: inputs.id("patientId", RecordKind::Patient, &input.patient_id),
            erased_at: now,
            erased_by: None,
            reason: inputs.text("reason", &input.reason, 1000),
            authority: inputs.text("authority", &input.authority, 500),
            counts: BTreeMap::new(),
            objects: Vec::new(),
            objects_deleted_at: None,
            emptied: None,
            stamp: Stamp::new(None, now),
        };
        let chart = inputs.text("confirmChartNumber", &input.confirm_chart_number, 40);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(erase(scope, erasure, input.expected_version, chart)));
        let erasure = operation.mutate(operation.retry(ctx, None)?, work).await?;
        // If this fails, housekeeping deletes the rest.
        let org = operation.reader().await?.org();
        let erasure = match remains::take_away(operation.service(), org, erasure.clone()).await {
            Ok(erasure) => erasure,
            Err(error) => {
                tracing::warn!(
                    ?error,
                    "the files of an erased patient were not all deleted: housekeeping will try again"
                );
                erasure
            }
        };
        Ok(ErasePatientPayload { erasure })
    }
}
