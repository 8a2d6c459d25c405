//! Consents: texts with versions that patients agree to, and who agreed to which, when and on whose signature.

pub mod defaults;
mod filter;
mod image;
pub mod loader;
mod rules;
pub mod store;

pub use filter::{
    ConsentCondition, ConsentFilter, ConsentOrder, TemplateCondition, TemplateFilter, TemplateOrder, VersionCondition,
    VersionFilter, VersionOrder, push_not_outgrown,
};
pub use image::image_type;
pub use rules::{ConsentStep, in_force, is_minor_on, is_under, standing};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{Modality, RecordKind, vocabulary};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

vocabulary! {
    /// What a consent is about.
    ConsentKind {
        /// A treatment.
        Treatment = "treatment",
        /// Photos for the clinical record.
        ClinicalPhoto = "clinical_photo",
        /// Photos shown to others, such as in advertising.
        MarketingPhoto = "marketing_photo",
        /// Keeping and using personal data.
        Data = "data",
    }
}

vocabulary! {
    /// The status of a consent, as in the Consent resource of FHIR R4.
    ConsentStatus {
        /// Being prepared.
        Draft = "draft",
        /// Proposed to the patient, not answered yet.
        Proposed = "proposed",
        /// Signed.
        Active = "active",
        /// The patient said no.
        Rejected = "rejected",
        /// Signed, and withdrawn later.
        Inactive = "inactive",
        /// Entered in error: it is kept, but no rule looks at it.
        EnteredInError = "entered_in_error",
    }
}

vocabulary! {
    /// The state of a consent at a moment: its status, and whether it has expired.
    ConsentState {
        /// Being prepared.
        Draft = "draft",
        /// Proposed to the patient, not answered yet.
        Proposed = "proposed",
        /// Signed and valid.
        Active = "active",
        /// Signed, and expired.
        Expired = "expired",
        /// The patient said no.
        Rejected = "rejected",
        /// Signed, and withdrawn later.
        Withdrawn = "withdrawn",
        /// Entered in error.
        EnteredInError = "entered_in_error",
    }
}

vocabulary! {
    /// Who signed a consent.
    ConsentSigner {
        /// The patient.
        Patient = "patient",
        /// Somebody who decides for the patient, such as a parent.
        Guardian = "guardian",
    }
}

vocabulary! {
    /// How a consent was signed.
    ConsentSignatureMethod {
        /// By typing the name.
        TypedName = "typed_name",
        /// By drawing; the image is kept.
        DrawnImage = "drawn_image",
    }
}

vocabulary! {
    /// The status of a version of a text.
    ConsentTemplateVersionStatus {
        /// Being written; it can be changed.
        Draft = "draft",
        /// In use; it can't be changed.
        Published = "published",
        /// Replaced by a newer version.
        Retired = "retired",
    }
}

vocabulary! {
    /// What a consent is needed for.
    ConsentUse {
        /// A treatment session.
        Session = "session",
        /// A photo for the clinical record.
        Photo = "photo",
        /// Showing a photo to others.
        Marketing = "marketing",
    }
}

/// A text that patients agree to; its wording is in its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentTemplate {
    /// Its id.
    pub id: Uuid,
    /// Name, unique in the organisation.
    pub name: String,
    /// Its kind.
    pub kind: ConsentKind,
    /// Whether it is in use.
    pub active: bool,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// A version of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentTemplateVersion {
    /// Its id.
    pub id: Uuid,
    /// The text it is a version of.
    pub template_id: Uuid,
    /// The number of the version: 1 for the first, increased by 1 with each.
    pub number: i32,
    /// Its status.
    pub status: ConsentTemplateVersionStatus,
    /// The wording, in plain text or Markdown.
    pub text: String,
    /// SHA-256 of the text's UTF-8 bytes.
    #[serde(with = "crate::record::hex")]
    pub text_hash: Vec<u8>,
    /// BCP 47 tag of its language.
    pub language: String,
    /// The treatments it covers; all when there is none.
    pub modalities: Vec<Modality>,
    /// How many days a consent to it is valid; no limit when absent.
    pub valid_days: Option<i32>,
    /// When it was published.
    pub published_at: Option<DateTime<Utc>>,
    /// Who published it; none for the program itself.
    pub published_by: Option<Uuid>,
    /// Version of the row, and who created and changed it when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// The signature on a consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// When it was signed.
    pub at: DateTime<Utc>,
    /// Who signed.
    pub signer: ConsentSigner,
    /// Their name.
    pub name: String,
    /// The relationship of a guardian to the patient.
    pub relationship: Option<String>,
    /// How it was signed.
    pub method: ConsentSignatureMethod,
    /// SHA-256 of the drawn image, or of the typed name.
    #[serde(with = "crate::record::hex")]
    pub signature_hash: Vec<u8>,
    /// The staff member who witnessed it.
    pub witness_id: Option<Uuid>,
    /// Another person who witnessed it.
    pub witness_name: Option<String>,
}

/// A consent of a patient to one version of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Its id.
    pub id: Uuid,
    /// The patient whom the record is about.
    pub patient_id: Uuid,
    /// The version of the text that was agreed to.
    pub template_version_id: Uuid,
    /// Its kind.
    pub kind: ConsentKind,
    /// The treatments it covers; all when there is none.
    pub modalities: Vec<Modality>,
    /// SHA-256 of the text.
    #[serde(with = "crate::record::hex")]
    pub text_hash: Vec<u8>,
    /// Its status.
    pub status: ConsentStatus,
    /// The signature.
    pub given: Option<Given>,
    /// When it expires; never when absent.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was withdrawn, rejected or found to be an error.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it was withdrawn, rejected or marked as an error.
    pub ended_reason: Option<String>,
    /// Remarks.
    pub note: Option<String>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// A drawn signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureImage {
    /// `image/png` or `image/jpeg`.
    pub media_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// The SHA-256 of some bytes.
pub fn hash_of(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

macro_rules! record {
    ($record:ty, $kind:ident, $patient:expr) => {
        impl Record for $record {
            const KIND: RecordKind = RecordKind::$kind;
            fn id(&self) -> Uuid {
                self.id
            }
            fn version(&self) -> i32 {
                self.stamp.version
            }
            fn patient_id(&self) -> Option<Uuid> {
                let of: fn(&$record) -> Option<Uuid> = $patient;
                of(self)
            }
        }
    };
}
record!(ConsentTemplate, ConsentTemplate, |_| None);
record!(ConsentTemplateVersion, ConsentTemplateVersion, |_| None);
record!(Consent, Consent, |it| Some(it.patient_id));
