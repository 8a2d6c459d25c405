//! Why a care rule answers as it does: a code that programs act on and translate, its parameters, and the sentence for people.

use crate::vocabulary::vocabulary;
use std::collections::BTreeMap;
use std::fmt::Display;

/// The parameters of a code, by their names: what its sentence names.
pub type Params = BTreeMap<String, String>;

/// Declares the codes with the parameters that each may have.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $word:literal [$($param:literal),*],)+) => {
        vocabulary! {
            /// Why a care rule answers as it does: for programs that translate the answer or act on it. `params` has what
            /// the sentence names.
            CheckCode { $($(#[doc = $doc])+ $variant = $word,)+ }
        }

        impl CheckCode {
            /// The names of the parameters that it may have.
            pub fn params(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($param),*],)+ }
            }
        }
    };
}

codes! {
    /// Nothing speaks against it. `notJudged` is the number of entries of the health history that nobody could place.
    Passed = "passed" ["notJudged"],
    /// The same skin was treated too few days before: `places`, `days` before on `on`, with `minDays` asked for, so from
    /// `from`; `askedBy` is THIS_SESSION or OTHER_SESSION, whose protocol asks for it.
    TreatedTooSoon = "treated_too_soon" ["places", "days", "on", "minDays", "from", "askedBy"],
    /// The same skin is treated again too few days after: `places`, `days` after on `on`, with `minDays` asked for.
    TreatedAgainTooSoon = "treated_again_too_soon" ["places", "days", "on", "minDays", "askedBy"],
    /// The depth in mm is over what the device can be set to.
    DepthOverDevice = "depth_over_device" ["area", "side", "depthMm", "maxMm", "device"],
    /// The depth in mm is over what the protocol allows for the area and the skin type.
    DepthOverProtocol = "depth_over_protocol" ["area", "side", "depthMm", "maxMm"],
    /// An entry of the health history meets a contraindication of a protocol; `readFrom` is CODE or TEXT.
    Contraindicated = "contraindicated" ["contraindication", "label", "entry", "severity", "lookBackDays", "lastOn", "readFrom"],
    /// The entry itself says that it is a contraindication.
    NotedAsContraindication = "noted_as_contraindication" ["entry", "severity"],
    /// No protocol has a rule about the entry, and the list of codes says that it is to be weighed.
    ToBeWeighed = "to_be_weighed" ["label", "entry", "lastOn", "source"],
    /// No rule and no list knows what the entry is.
    EntryNotJudged = "entry_not_judged" ["entry", "entryCode"],
    /// There is no consent to this kind of treatment.
    ConsentMissing = "consent_missing" ["modality"],
    /// The patient refused the consent.
    ConsentRefused = "consent_refused" ["modality"],
    /// The consent was withdrawn.
    ConsentWithdrawn = "consent_withdrawn" ["modality", "on"],
    /// The consent expired.
    ConsentExpired = "consent_expired" ["modality", "on"],
    /// A guardian gave the consent, and the patient has come of age since.
    ConsentOutgrown = "consent_outgrown" ["modality"],
    /// A guardian gave the consent for a patient who was of age.
    ConsentByGuardianOfAdult = "consent_by_guardian_of_adult" ["modality"],
    /// A patient under age gave the consent; a guardian gives it.
    ConsentByMinor = "consent_by_minor" ["modality"],
    /// The maker recalled the lot.
    LotRecalled = "lot_recalled" ["product", "lot", "reason"],
    /// The lot is past its last day, `expiresOn`.
    LotExpired = "lot_expired" ["product", "lot", "expiresOn"],
    /// The maker recalled the device.
    DeviceRecalled = "device_recalled" ["device", "reason"],
    /// The device is out of use.
    DeviceOutOfUse = "device_out_of_use" ["device"],
    /// The protocol is for another kind of treatment than the session.
    ProtocolOfOtherModality = "protocol_of_other_modality" ["protocolModality", "modality"],
    /// There is no consultation before the session.
    ConsultationMissing = "consultation_missing" [],
    /// The consultation held until `validUntil`, before the session.
    ConsultationOutdated = "consultation_outdated" ["heldOn", "validUntil"],
    /// The consultation is not signed.
    ConsultationUnsigned = "consultation_unsigned" ["heldOn"],
    /// The consultation did not find the patient suitable; without `candidacy` it did not decide.
    NotFoundSuitable = "not_found_suitable" ["heldOn", "candidacy"],
    /// The consultation was held by telehealth, and the location asks for one face to face.
    ConsultationNotFaceToFace = "consultation_not_face_to_face" ["heldOn"],
    /// The consultation was about another part of the body than what is treated: `part` is HAIR or SKIN.
    ConsultationOfOtherPart = "consultation_of_other_part" ["heldOn", "part"],
    /// The protocol is not for this skin type (Fitzpatrick, 1 to 6).
    SkinTypeNotCovered = "skin_type_not_covered" ["skinType"],
    /// The skin type is not assessed, and the protocol is not for every one.
    SkinTypeUnknown = "skin_type_unknown" [],
    /// The numbing cream was on for too few or too many minutes.
    AnaestheticMinutes = "anaesthetic_minutes" ["minutes", "minMinutes", "maxMinutes"],
    /// It is one session more than the plan has.
    OverPlannedSessions = "over_planned_sessions" ["number", "planned"],
    /// The area is not one of the plan's.
    AreaNotPlanned = "area_not_planned" ["area", "side"],
    /// The product is not approved for use within the skin, and needles carry it there.
    ProductNotIntradermal = "product_not_intradermal" ["product"],
    /// The session names no protocol; `published` is the number of published ones of its kind.
    ProtocolMissing = "protocol_missing" ["modality", "published"],
    /// More g of a licensed numbing cream than its label allows.
    DoseGrams = "dose_grams" ["grams", "maxGrams"],
    /// A licensed numbing cream was on for longer than its label allows.
    DoseMinutes = "dose_minutes" ["minutes", "maxMinutes"],
    /// The numbing cream covered more cm² than its label allows.
    DoseArea = "dose_area" ["areaCm2", "maxAreaCm2"],
    /// More mg of lidocaine than the label allows, in all (`maxMg`) or for the patient's weight (`maxMgByWeight`).
    DoseLidocaine = "dose_lidocaine" ["mg", "maxMg", "maxMgByWeight", "weightKg"],
    /// The dose could not be judged: strengths, grams or covered area are missing, or the agent has no figure.
    DoseNotJudged = "dose_not_judged" [],
    /// The patient is younger than the protocol is for.
    TooYoung = "too_young" ["age", "minAge"],
    /// The patient is older than the protocol is for.
    TooOld = "too_old" ["age", "maxAge"],
    /// Nobody reviewed the health history on the day of the session or `withinDays` before; the last review was on `lastOn`.
    HistoryNotReviewed = "history_not_reviewed" ["withinDays", "lastOn"],
    /// The review of `reviewedOn` leaves parts of the history unknown.
    HistoryIncomplete = "history_incomplete" ["reviewedOn", "parts"],
    /// No prescriber's clearance is in force, and the location asks for one.
    ClearanceMissing = "clearance_missing" ["modality"],
    /// The clearance was not given face to face, as the location asks.
    ClearanceNotFaceToFace = "clearance_not_face_to_face" ["modality"],
    /// The clearance does not cover these areas.
    ClearanceNotForArea = "clearance_not_for_area" ["modality", "areas"],
}

/// Why a rule answers as it does.
#[derive(Debug, Clone)]
pub struct Reason {
    /// What programs act on.
    pub code: CheckCode,
    /// What the sentence names.
    pub params: Params,
    /// The sentence.
    pub cause: String,
}

impl CheckCode {
    /// A reason of this code, in these words.
    pub fn says(self, cause: impl Into<String>) -> Reason {
        Reason { code: self, params: Params::new(), cause: cause.into() }
    }
}

impl Reason {
    /// Adds a parameter: one of `CheckCode::params`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Display) -> Self {
        debug_assert!(self.code.params().contains(&name), "{:?} has no parameter {name}", self.code);
        self.params.insert(name.to_owned(), value.to_string());
        self
    }

    /// Adds a parameter if there is one.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a word of an enum, as the API writes it.
    #[must_use]
    pub fn with_word(self, name: &'static str, word: &str) -> Self {
        self.with(name, word.to_uppercase())
    }
}

/// A value that the code of a check comes with.
#[derive(Debug, Clone, PartialEq, Eq, async_graphql::SimpleObject)]
pub struct CheckParam {
    /// Its name, as docs/care.md lists it for the code, such as `minDays`.
    pub name: String,
    /// The value as text: a number without a unit, a day as YYYY-MM-DD, a word of an enum as the schema has it, several of
    /// them with a comma between.
    pub value: String,
}
