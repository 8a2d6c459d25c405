//! A consent's signature: how it is read, and whether it may stand.

use crate::access::Scope;
use crate::consent::{
    Consent, ConsentSignatureMethod, ConsentSigner, ConsentStatus, ConsentTemplateVersion, Given, SignatureImage,
    hash_of, image_type, is_minor_on, is_under,
};
use crate::error::{self, Code, Error, Faults, Flaw};
use crate::ids;
use crate::operation::Inputs;
use crate::organisation::{store as people, unfit};
use crate::patient::Patient;
use crate::record::hex;
use crate::scalars::DateTime;
use crate::vocabulary::RecordKind;
use async_graphql::{ID, InputObject};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;

/// The maximum size of a drawn signature, in bytes.
const LARGEST_IMAGE: usize = 256 * 1024;

/// A signature: who signed which text, how, and before which witness.
#[derive(InputObject)]
pub struct ConsentSigningInput {
    /// Who signs. A guardian signs for a patient who is under 18 on the day.
    signer: ConsentSigner,
    /// Their name, at most 200 characters.
    signer_name: String,
    /// The relationship of a guardian to the patient, such as `mother`; required for GUARDIAN, at most 100 characters.
    relationship: Option<String>,
    /// The name as typed by the signer; it must equal `signerName`. Send this or `signatureImage`.
    typed_name: Option<String>,
    /// The drawn signature, a PNG or JPEG of at most 256 KB, in base64 or as a `data:` URL. Send this or `typedName`.
    signature_image: Option<String>,
    /// The `textHash` of the text shown to the signer; CONFLICT if it does not match.
    text_hash: String,
    /// The staff member who witnessed it, `staff_…`. Send this or `witnessName`, or neither.
    witness_id: Option<ID>,
    /// Another person who witnessed it, at most 200 characters.
    witness_name: Option<String>,
    /// When it was signed, not in the future; now when absent.
    given_at: Option<DateTime>,
}

/// A signature as read from the input. It is checked against the patient and the text later.
pub(super) struct Signing {
    pub(super) given: Given,
    pub(super) image: Option<SignatureImage>,
    pub(super) text_hash: String,
}

/// Reads a drawn signature.
fn read_image(inputs: &mut Inputs, path: &str, text: &str) -> Option<SignatureImage> {
    let text = text.trim();
    let base64 = match text.strip_prefix("data:") {
        Some(url) => url.split_once(";base64,").map_or("", |(_, base64)| base64),
        None => text,
    };
    let Ok(bytes) = STANDARD.decode(base64) else {
        inputs.fault(path, Code::WrongForm.says("must be base64, or a data: URL with ;base64,"));
        return None;
    };
    if bytes.len() > LARGEST_IMAGE {
        inputs.fault(
            path,
            Code::TooLarge
                .says(format!("has {} bytes; at most {LARGEST_IMAGE} are kept", bytes.len()))
                .with("value", bytes.len())
                .with("max", LARGEST_IMAGE)
                .with("unit", "bytes"),
        );
        return None;
    }
    let Some(media_type) = image_type(&bytes) else {
        inputs.fault(path, Code::WrongForm.says("is neither a whole PNG nor a whole JPEG file"));
        return None;
    };
    Some(SignatureImage { media_type, bytes })
}

impl ConsentSigningInput {
    pub(super) fn read(self, inputs: &mut Inputs) -> Signing {
        let name = inputs.text("signing.signerName", &self.signer_name, 200);
        let relationship = inputs.opt_text("signing.relationship", self.relationship.as_deref(), 100);
        match self.signer {
            ConsentSigner::Guardian if relationship.is_none() => {
                inputs.fault(
                    "signing.relationship",
                    Code::Required.says("is missing: what is the guardian to the patient?"),
                );
            }
            ConsentSigner::Patient if relationship.is_some() => {
                inputs.fault("signing.relationship", Code::NotApplicable.says("may only be sent with signer GUARDIAN"));
            }
            _ => {}
        }
        let typed = self.typed_name.as_deref().map(str::trim).filter(|typed| !typed.is_empty());
        let image = self.signature_image.as_deref().filter(|image| !image.trim().is_empty());
        let (method, signature_hash, image) = match (typed, image) {
            (Some(typed), None) => {
                if typed != name {
                    inputs.fault(
                        "signing.typedName",
                        Code::Mismatch.says("must be the same as signerName").with("other", "signerName"),
                    );
                }
                (ConsentSignatureMethod::TypedName, hash_of(typed.as_bytes()), None)
            }
            (None, Some(image)) => {
                let image = read_image(inputs, "signing.signatureImage", image);
                let hash = image.as_ref().map(|image| hash_of(&image.bytes)).unwrap_or_default();
                (ConsentSignatureMethod::DrawnImage, hash, image)
            }
            (Some(_), Some(_)) => {
                inputs.fault("signing.signatureImage", Flaw::not_with("typedName"));
                (ConsentSignatureMethod::DrawnImage, Vec::new(), None)
            }
            (None, None) => {
                inputs.fault("signing", Code::Required.says("lacks the signature: send typedName or signatureImage"));
                (ConsentSignatureMethod::TypedName, Vec::new(), None)
            }
        };
        let text_hash = self.text_hash.trim().to_lowercase();
        if text_hash.len() != 64 || !text_hash.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            inputs.fault(
                "signing.textHash",
                Code::WrongForm.says("must be the 64 hexadecimal digits of the text's textHash"),
            );
        }
        let witness_id = inputs.opt_id("signing.witnessId", RecordKind::Staff, self.witness_id.as_ref());
        let witness_name = inputs.opt_text("signing.witnessName", self.witness_name.as_deref(), 200);
        if witness_id.is_some() && witness_name.is_some() {
            inputs.fault("signing.witnessName", Flaw::not_with("witnessId"));
        }
        let at = self.given_at.map_or_else(ids::now, |at| inputs.past_time("signing.givenAt", at.0));
        let signer = self.signer;
        let given = Given { at, signer, name, relationship, method, signature_hash, witness_id, witness_name };
        Signing { given, image, text_hash }
    }
}

/// The consent signed, if the patient may sign and saw the right text.
pub(super) async fn signed(
    scope: &mut Scope,
    consent: Consent,
    patient: &Patient,
    version: &ConsentTemplateVersion,
    signing: &Signing,
) -> error::Result<Consent> {
    let given = &signing.given;
    patient.lived_on(given.at.date_naive(), "input.signing.givenAt")?;
    let mut faults = Faults::default();
    if given.signer == ConsentSigner::Patient && is_minor_on(patient.birth_date, given.at.date_naive()) {
        let least = people::least_age_of_consent(scope).await?;
        if is_under(patient.birth_date, given.at.date_naive(), least) {
            let message = format!("the patient is under {least} on the day: a guardian signs (GUARDIAN)");
            faults.add("input.signing.signer", Code::WrongPerson.says(message));
        }
    }
    if let Some(witness) = given.witness_id
        && let Some(why) = unfit(people::staff(scope, &[witness]).await?.first(), None)
    {
        faults.add("input.signing.witnessId", Code::WrongPerson.says(why));
    }
    faults.into_result()?;
    if signing.text_hash != hex::text(&consent.text_hash) {
        return Err(Error::Conflict {
            message: "the text that was signed is not the text of this consent: show the signer the text of its \
                      templateVersion again and send that one's textHash"
                .to_owned(),
            current_version: None,
        });
    }
    let days = version.valid_days.map(|days| TimeDelta::days(i64::from(days)));
    Ok(Consent {
        status: ConsentStatus::Active,
        expires_at: days.and_then(|days| given.at.checked_add_signed(days)),
        given: Some(given.clone()),
        ..consent
    })
}
