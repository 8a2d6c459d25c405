//! The SQL of consents, of their texts and of their drawn signatures.

use super::{
    Consent, ConsentCondition, ConsentKind, ConsentOrder, ConsentSignatureMethod, ConsentSigner, ConsentStatus,
    ConsentTemplate, ConsentTemplateVersion, ConsentTemplateVersionStatus, Given, SignatureImage, TemplateCondition,
    TemplateOrder, VersionCondition, VersionOrder,
};
use crate::access::Scope;
use crate::db::Sql;
use crate::db::tables::{consent, consent_signature, consent_template, consent_template_version};
use crate::error::{Error, Result};
use crate::ledger;
use crate::page::listing;
use crate::record::Stamp;
use crate::vocabulary::{Action, Modality, RecordKind};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

listing::listing!(ConsentTemplate, consent_template, TemplateRow, TemplateCondition, TemplateOrder, {});
listing::listing!(ConsentTemplateVersion, consent_template_version, VersionRow, VersionCondition, VersionOrder, {
    "template_id" => |it| Some(it.template_id),
});
listing::listing!(Consent, consent, ConsentRow, ConsentCondition, ConsentOrder, {
    "patient_id" => |it| Some(it.patient_id),
    "template_version_id" => |it| Some(it.template_version_id),
});

/// Changing texts; they are added with their first version.
#[allow(dead_code)]
pub mod templates {
    crate::page::kept!(super::ConsentTemplate, consent_template, super::TemplateRow);
}

/// Adding and changing versions of texts.
pub mod versions {
    crate::page::kept!(super::ConsentTemplateVersion, consent_template_version, super::VersionRow);
}

/// Adds a text with its first version; the ledger has the version first, then the text.
pub async fn add_template(scope: &mut Scope, new: &ConsentTemplate, first: &ConsentTemplateVersion) -> Result<()> {
    let door = scope.write(Action::Create, RecordKind::ConsentTemplate)?;
    let row = TemplateRow::of(door.org, new)?;
    diesel::insert_into(consent_template::table).values(&row).execute(door.connection).await?;
    versions::add(scope, first).await?;
    ledger::append(scope, Action::Create, new, new).await
}

async fn add_signature(scope: &mut Scope, consent: Uuid, image: &SignatureImage) -> Result<()> {
    let door = scope.write(Action::Create, RecordKind::Consent)?;
    let row = SignatureRow {
        org_id: door.org,
        consent_id: consent,
        media_type: image.media_type.to_owned(),
        image: image.bytes.clone(),
    };
    diesel::insert_into(consent_signature::table).values(&row).execute(door.connection).await?;
    Ok(())
}

/// Adds a consent, with its drawn signature if it has one.
pub async fn add(scope: &mut Scope, new: &Consent, image: Option<&SignatureImage>) -> Result<()> {
    let door = scope.write(Action::Create, RecordKind::Consent)?;
    let row = ConsentRow::of(door.org, new);
    diesel::insert_into(consent::table).values(&row).execute(door.connection).await?;
    if let Some(image) = image {
        add_signature(scope, new.id, image).await?;
    }
    scope.show([new.patient_id]);
    ledger::append(scope, Action::Create, new, new).await
}

/// Saves a change of a consent, with the drawn signature that comes with it.
pub async fn save(scope: &mut Scope, after: &Consent, expected: i32, image: Option<&SignatureImage>) -> Result<()> {
    let door = scope.write(Action::Update, RecordKind::Consent)?;
    let target = consent::table.find((door.org, after.id)).filter(consent::version.eq(expected));
    let row = ConsentRow::of(door.org, after);
    if diesel::update(target).set(&row).execute(door.connection).await? == 0 {
        let current = listing::one::<Consent>(scope, after.id).await?;
        return Err(Error::stale("consent", expected, current.stamp.version));
    }
    if let Some(image) = image {
        add_signature(scope, after.id, image).await?;
    }
    scope.show([after.patient_id]);
    ledger::append(scope, Action::Update, after, after).await
}

/// The drawn signatures of consents, with their media types.
pub async fn signatures(scope: &mut Scope, consents: &[Uuid]) -> Result<Vec<(Uuid, String, Vec<u8>)>> {
    let door = scope.read(RecordKind::Consent)?;
    let mut sql = Sql::<consent_signature::SqlType>::new(
        "SELECT org_id, consent_id, media_type, image FROM consent_signature WHERE org_id = ",
    );
    sql.push_bind(door.org).push(" AND consent_id = ANY (").push_bind(consents.to_vec()).push(")");
    let rows: Vec<SignatureRow> = sql.load(door.connection).await?;
    Ok(rows.into_iter().map(|row| (row.consent_id, row.media_type, row.image)).collect())
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = consent_signature)]
struct SignatureRow {
    org_id: Uuid,
    consent_id: Uuid,
    media_type: String,
    image: Vec<u8>,
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = consent_template, treat_none_as_null = true)]
struct TemplateRow {
    org_id: Uuid,
    id: Uuid,
    name: String,
    kind: ConsentKind,
    active: bool,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl TryFrom<TemplateRow> for ConsentTemplate {
    type Error = Error;
    fn try_from(row: TemplateRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            kind: row.kind,
            active: row.active,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        })
    }
}

impl TemplateRow {
    fn of(org_id: Uuid, it: &ConsentTemplate) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            name: it.name.clone(),
            kind: it.kind,
            active: it.active,
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = consent_template_version, treat_none_as_null = true)]
struct VersionRow {
    org_id: Uuid,
    id: Uuid,
    template_id: Uuid,
    number: i32,
    status: ConsentTemplateVersionStatus,
    text: String,
    text_hash: Vec<u8>,
    language: String,
    modalities: Vec<Option<Modality>>,
    valid_days: Option<i32>,
    published_at: Option<DateTime<Utc>>,
    published_by: Option<Uuid>,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl TryFrom<VersionRow> for ConsentTemplateVersion {
    type Error = Error;
    fn try_from(row: VersionRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            template_id: row.template_id,
            number: row.number,
            status: row.status,
            text: row.text,
            text_hash: row.text_hash,
            language: row.language,
            modalities: row.modalities.into_iter().flatten().collect(),
            valid_days: row.valid_days,
            published_at: row.published_at,
            published_by: row.published_by,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        })
    }
}

impl VersionRow {
    fn of(org_id: Uuid, it: &ConsentTemplateVersion) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            template_id: it.template_id,
            number: it.number,
            status: it.status,
            text: it.text.clone(),
            text_hash: it.text_hash.clone(),
            language: it.language.clone(),
            modalities: it.modalities.iter().copied().map(Some).collect(),
            valid_days: it.valid_days,
            published_at: it.published_at,
            published_by: it.published_by,
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = consent, treat_none_as_null = true)]
struct ConsentRow {
    org_id: Uuid,
    id: Uuid,
    patient_id: Uuid,
    template_version_id: Uuid,
    kind: ConsentKind,
    modalities: Vec<Option<Modality>>,
    text_hash: Vec<u8>,
    status: ConsentStatus,
    signer: Option<ConsentSigner>,
    signer_name: Option<String>,
    signer_relationship: Option<String>,
    signature_method: Option<ConsentSignatureMethod>,
    signature_hash: Option<Vec<u8>>,
    given_at: Option<DateTime<Utc>>,
    witness_id: Option<Uuid>,
    witness_name: Option<String>,
    expires_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    ended_reason: Option<String>,
    note: Option<String>,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl TryFrom<ConsentRow> for Consent {
    type Error = Error;
    fn try_from(row: ConsentRow) -> Result<Self> {
        let given = match (row.given_at, row.signer, row.signer_name, row.signature_method, row.signature_hash) {
            (Some(at), Some(signer), Some(name), Some(method), Some(signature_hash)) => Some(Given {
                at,
                signer,
                name,
                relationship: row.signer_relationship,
                method,
                signature_hash,
                witness_id: row.witness_id,
                witness_name: row.witness_name,
            }),
            (None, None, None, None, None) => None,
            _ => return Err(Error::Internal("a consent with half a signature".to_owned())),
        };
        Ok(Self {
            id: row.id,
            patient_id: row.patient_id,
            template_version_id: row.template_version_id,
            kind: row.kind,
            modalities: row.modalities.into_iter().flatten().collect(),
            text_hash: row.text_hash,
            status: row.status,
            given,
            expires_at: row.expires_at,
            ended_at: row.ended_at,
            ended_reason: row.ended_reason,
            note: row.note,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        })
    }
}

impl ConsentRow {
    fn of(org_id: Uuid, it: &Consent) -> Self {
        let given = it.given.as_ref();
        Self {
            org_id,
            id: it.id,
            patient_id: it.patient_id,
            template_version_id: it.template_version_id,
            kind: it.kind,
            modalities: it.modalities.iter().copied().map(Some).collect(),
            text_hash: it.text_hash.clone(),
            status: it.status,
            signer: given.map(|given| given.signer),
            signer_name: given.map(|given| given.name.clone()),
            signer_relationship: given.and_then(|given| given.relationship.clone()),
            signature_method: given.map(|given| given.method),
            signature_hash: given.map(|given| given.signature_hash.clone()),
            given_at: given.map(|given| given.at),
            witness_id: given.and_then(|given| given.witness_id),
            witness_name: given.and_then(|given| given.witness_name.clone()),
            expires_at: it.expires_at,
            ended_at: it.ended_at,
            ended_reason: it.ended_reason.clone(),
            note: it.note.clone(),
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        }
    }
}
