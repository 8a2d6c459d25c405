//! The SQL of consultations.

use super::filter::Condition;
use super::{Candidacy, Concern, Consultation, ConsultationMode, ScarType};
use crate::access::Scope;
use crate::db::tables::consultation;
use crate::error::{Error, Result};
use crate::ledger;
use crate::page::listing;
use crate::record::Stamp;
use crate::signing;
use crate::vocabulary::{Action, RecordKind, SignatureMeaning};
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

crate::page::listing!(Consultation, consultation, Row, Condition, super::OrderBy, {
    "patient_id" => |it| Some(it.patient_id),
});

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = consultation, treat_none_as_null = true)]
struct Row {
    org_id: Uuid,
    id: Uuid,
    patient_id: Uuid,
    practitioner_id: Uuid,
    location_id: Option<Uuid>,
    held_at: DateTime<Utc>,
    mode: ConsultationMode,
    concerns: Vec<Option<Concern>>,
    goals: Option<String>,
    findings: Option<String>,
    scar_types: Vec<Option<ScarType>>,
    prior_procedures: Option<String>,
    expectations_discussed: Option<bool>,
    candidacy: Option<Candidacy>,
    candidacy_reasons: Option<String>,
    recommended_plan: Option<String>,
    patch_test: Option<serde_json::Value>,
    valid_until: Option<NaiveDate>,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Uuid,
    updated_at: DateTime<Utc>,
    updated_by: Uuid,
    signed_at: Option<DateTime<Utc>>,
    signed_by: Option<Uuid>,
    signature_meaning: Option<SignatureMeaning>,
    content_hash: Option<Vec<u8>>,
}

impl TryFrom<Row> for Consultation {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            patient_id: row.patient_id,
            practitioner_id: row.practitioner_id,
            location_id: row.location_id,
            held_at: row.held_at,
            mode: row.mode,
            concerns: row.concerns.into_iter().flatten().collect(),
            goals: row.goals,
            findings: row.findings,
            scar_types: row.scar_types.into_iter().flatten().collect(),
            prior_procedures: row.prior_procedures,
            expectations_discussed: row.expectations_discussed,
            candidacy: row.candidacy,
            candidacy_reasons: row.candidacy_reasons,
            recommended_plan: row.recommended_plan,
            patch_test: row.patch_test.map(serde_json::from_value).transpose()?,
            valid_until: row.valid_until,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: Some(row.created_by),
                updated_at: row.updated_at,
                updated_by: Some(row.updated_by),
            },
            signature: signing::from_columns((row.signed_at, row.signed_by, row.signature_meaning, row.content_hash)),
        })
    }
}

impl Row {
    fn of(org_id: Uuid, author: Uuid, consultation: &Consultation) -> Result<Self> {
        let (signed_at, signed_by, signature_meaning, content_hash) =
            signing::to_columns(consultation.signature.as_ref());
        Ok(Self {
            org_id,
            id: consultation.id,
            patient_id: consultation.patient_id,
            practitioner_id: consultation.practitioner_id,
            location_id: consultation.location_id,
            held_at: consultation.held_at,
            mode: consultation.mode,
            concerns: consultation.concerns.iter().copied().map(Some).collect(),
            goals: consultation.goals.clone(),
            findings: consultation.findings.clone(),
            scar_types: consultation.scar_types.iter().copied().map(Some).collect(),
            prior_procedures: consultation.prior_procedures.clone(),
            expectations_discussed: consultation.expectations_discussed,
            candidacy: consultation.candidacy,
            candidacy_reasons: consultation.candidacy_reasons.clone(),
            recommended_plan: consultation.recommended_plan.clone(),
            patch_test: consultation.patch_test.as_ref().map(serde_json::to_value).transpose()?,
            valid_until: consultation.valid_until,
            version: consultation.stamp.version,
            created_at: consultation.stamp.created_at,
            created_by: consultation.stamp.created_by.unwrap_or(author),
            updated_at: consultation.stamp.updated_at,
            updated_by: consultation.stamp.updated_by.unwrap_or(author),
            signed_at,
            signed_by,
            signature_meaning,
            content_hash,
        })
    }
}

/// Consultations by id.
pub async fn consultations(scope: &mut Scope, wanted: &[Uuid]) -> Result<Vec<Consultation>> {
    listing::by_ids(scope, wanted).await
}

/// One consultation, or NOT_FOUND.
pub async fn consultation(scope: &mut Scope, id: Uuid) -> Result<Consultation> {
    listing::one(scope, id).await
}

/// Adds a consultation.
pub async fn add(scope: &mut Scope, new: &Consultation) -> Result<()> {
    let author = scope.viewer().author()?;
    let door = scope.write(Action::Create, RecordKind::Consultation)?;
    let row = Row::of(door.org, author, new)?;
    diesel::insert_into(consultation::table).values(&row).execute(door.connection).await?;
    scope.show([new.patient_id]);
    ledger::append(scope, Action::Create, new, new).await
}

/// Saves a changed draft; `after` has the version after the change.
pub async fn save(scope: &mut Scope, action: Action, after: &Consultation, expected: i32) -> Result<()> {
    let author = scope.viewer().author()?;
    let door = scope.write(action, RecordKind::Consultation)?;
    let target = consultation::table
        .find((door.org, after.id))
        .filter(consultation::version.eq(expected))
        .filter(consultation::signed_at.is_null());
    let row = Row::of(door.org, author, after)?;
    let changed = diesel::update(target).set(&row).execute(door.connection).await?;
    if changed == 0 {
        let current = self::consultation(scope, after.id).await?;
        signing::editable("consultation", current.signature.as_ref(), current.stamp.version, expected)?;
        return Err(Error::stale("consultation", expected, current.stamp.version));
    }
    scope.show([after.patient_id]);
    ledger::append(scope, action, after, after).await
}
