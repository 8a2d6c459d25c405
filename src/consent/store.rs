//! The SQL of consents, of their texts and of their drawn signatures.

use super::{
    Consent, ConsentCondition, ConsentOrder, ConsentSignatureMethod, ConsentSigner, ConsentTemplate,
    ConsentTemplateVersion, Given, SignatureImage, TemplateCondition, TemplateOrder, VersionCondition, VersionOrder,
};
use crate::access::Scope;
use crate::db::Sql;
use crate::db::tables::consent_signature;
use crate::error::{Error, Result};
use crate::ledger;
use crate::page::{Stored, kept, listing, stored};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

stored! {
    ConsentTemplate = consent_template;
    always: name, kind, active;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(ConsentTemplate, TemplateCondition, TemplateOrder, {});
stored! {
    ConsentTemplateVersion = consent_template_version;
    always: template_id, number, status;
    asked: text, text_hash, language, valid_days, published_at, published_by;
    words: modalities;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(ConsentTemplateVersion, VersionCondition, VersionOrder, {
    "template_id" => |it| Some(it.template_id),
});
stored! {
    Consent = consent;
    always: patient_id, template_version_id, kind, status;
    asked: text_hash, expires_at, ended_at, ended_reason, note;
    words: modalities;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
    asked_parts {
        given(given_at, signer, signer_name, signer_relationship, signature_method, signature_hash, witness_id, witness_name) = given_of, given_columns;
    }
    light: "enteredInError";
}
listing!(Consent, ConsentCondition, ConsentOrder, {
    "patient_id" => |it| Some(it.patient_id),
    "template_version_id" => |it| Some(it.template_version_id),
});

/// Adds a text with its first version; the ledger has the version first, then the text.
pub async fn add_template(scope: &mut Scope, new: &ConsentTemplate, first: &ConsentTemplateVersion) -> Result<()> {
    let door = scope.write(Action::Create, RecordKind::ConsentTemplate)?;
    new.insert(door.org, door.connection).await??;
    kept::add(scope, first).await?;
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
    new.insert(door.org, door.connection).await??;
    if let Some(image) = image {
        add_signature(scope, new.id, image).await?;
    }
    scope.show([new.patient_id]);
    ledger::append(scope, Action::Create, new, new).await
}

/// Saves a change of a consent, with the drawn signature that comes with it.
pub async fn save(scope: &mut Scope, after: &Consent, expected: i32, image: Option<&SignatureImage>) -> Result<()> {
    kept::change(scope, Action::Update, after, expected).await?;
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

#[allow(clippy::too_many_arguments)] // its columns
fn given_of(
    at: Option<DateTime<Utc>>,
    signer: Option<ConsentSigner>,
    name: Option<String>,
    relationship: Option<String>,
    method: Option<ConsentSignatureMethod>,
    signature_hash: Option<Vec<u8>>,
    witness_id: Option<Uuid>,
    witness_name: Option<String>,
) -> Result<Option<Given>> {
    match (at, signer, name, method, signature_hash) {
        (Some(at), Some(signer), Some(name), Some(method), Some(signature_hash)) => {
            Ok(Some(Given { at, signer, name, relationship, method, signature_hash, witness_id, witness_name }))
        }
        (None, None, None, None, None) => Ok(None),
        _ => Err(Error::Internal("a consent with half a signature".to_owned())),
    }
}

type GivenColumns = (
    Option<DateTime<Utc>>,
    Option<ConsentSigner>,
    Option<String>,
    Option<String>,
    Option<ConsentSignatureMethod>,
    Option<Vec<u8>>,
    Option<Uuid>,
    Option<String>,
);

fn given_columns(given: &Option<Given>) -> Result<GivenColumns> {
    let given = given.as_ref();
    Ok((
        given.map(|it| it.at),
        given.map(|it| it.signer),
        given.map(|it| it.name.clone()),
        given.and_then(|it| it.relationship.clone()),
        given.map(|it| it.method),
        given.map(|it| it.signature_hash.clone()),
        given.and_then(|it| it.witness_id),
        given.and_then(|it| it.witness_name.clone()),
    ))
}
