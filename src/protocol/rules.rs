//! The rules of a protocol, as data. Numbers that sources disagree about are here, where a clinic can edit them, and
//! never in code.

use crate::scalars::Decimal;
use crate::vocabulary::{BodyArea, ContraindicationSeverity, FitzpatrickType, vocabulary};
use async_graphql::{InputObject, SimpleObject};
use serde::{Deserialize, Serialize};

vocabulary! {
    /// What a contraindication applies to.
    ContraindicationScope {
        /// The treatment.
        Treatment = "treatment",
        /// The numbing cream only.
        Anaesthetic = "anaesthetic",
    }
}

/// The greatest needle depth for an area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, SimpleObject, InputObject)]
#[graphql(input_name = "DepthLimitInput")]
pub struct DepthLimit {
    /// The area of the body.
    pub area: BodyArea,
    /// The limit, mm, 0 to 8.
    pub max_mm: Decimal,
    /// The skin types that it is for; empty for all, and for a patient whose type is not known.
    #[graphql(default)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skin_types: Vec<FitzpatrickType>,
    /// Where the number comes from.
    pub source: Option<String>,
}

impl DepthLimit {
    /// Whether it is a limit for this area of a patient of this skin type.
    pub fn is_for(&self, area: BodyArea, skin: Option<FitzpatrickType>) -> bool {
        self.area == area && (self.skin_types.is_empty() || skin.is_some_and(|it| self.skin_types.contains(&it)))
    }
}

/// A contraindication: something in the health history that argues against a treatment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, SimpleObject, InputObject)]
#[graphql(input_name = "ContraindicationInput")]
pub struct Contraindication {
    /// The code that an entry of the health history carries, such as `isotretinoin`.
    pub code: String,
    /// The name, in words for people.
    pub label: String,
    /// ABSOLUTE blocks, RELATIVE and CAUTION warn.
    pub severity: ContraindicationSeverity,
    /// For how many days after its end or the last dose it still counts; 0 for only while it lasts.
    #[graphql(default)]
    pub look_back_days: i32,
    /// What it contraindicates.
    #[graphql(default_with = "ContraindicationScope::Treatment")]
    pub applies_to: ContraindicationScope,
    /// The source, and what is disputed.
    pub source: Option<String>,
}

/// An instruction after a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, SimpleObject, InputObject)]
#[graphql(input_name = "AftercareInstructionInput")]
pub struct AftercareInstruction {
    /// Its code, such as `no_sun`.
    pub code: String,
    /// The text of the instruction, for the patient.
    pub text: String,
    /// Hours after the session's end at which it begins.
    #[graphql(default)]
    pub from_hours: i32,
    /// Hours after the session's end at which it ends.
    pub until_hours: i32,
    /// The source of the rule, such as a guideline or a study.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A check-in that the clinic owes the patient after a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, SimpleObject, InputObject)]
#[graphql(input_name = "CheckInDueInput")]
pub struct CheckInDue {
    /// Its code, such as `day_3`.
    pub code: String,
    /// The name, in words for people.
    pub label: String,
    /// Hours after the session's end at which it falls due.
    pub from_hours: i32,
    /// Hours after the session's end at which it becomes overdue.
    pub until_hours: i32,
    /// The source of the rule, such as a guideline or a study.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// How long the usual signs last, in hours after the session's end. A sign that lasts longer proposes an adverse event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, SimpleObject, InputObject)]
#[graphql(input_name = "SymptomWindowHoursInput")]
pub struct SymptomWindowHours {
    /// How long redness usually lasts, hours.
    pub redness: i32,
    /// How long swelling usually lasts, hours.
    pub swelling: i32,
    /// How long pain usually lasts, hours.
    pub pain: i32,
}

vocabulary! {
    /// A symptom that aftercare notes score.
    Symptom {
        /// Redness.
        Redness = "redness",
        /// Swelling.
        Swelling = "swelling",
        /// Pain.
        Pain = "pain",
    }
}

/// From which score on a symptom is unusual in these hours after the session's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, SimpleObject, InputObject)]
#[graphql(input_name = "SymptomThresholdInput")]
pub struct SymptomThreshold {
    /// The symptom that the threshold is of.
    pub symptom: Symptom,
    /// Hours after the session's end from which it counts.
    #[graphql(default)]
    #[serde(default)]
    pub from_hours: i32,
    /// Hours after the session's end until which it counts.
    pub until_hours: i32,
    /// The score, 1 to 10, from which the symptom is unusual.
    pub score: i32,
    /// The source of the rule, such as a guideline or a study.
    pub source: Option<String>,
}

/// For each rule: false warns, true blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, SimpleObject, InputObject)]
#[graphql(name = "ProtocolBlocks", input_name = "ProtocolBlocksInput")]
#[serde(default)]
pub struct Verdicts {
    /// A session too soon after the last of the same area.
    #[graphql(default)]
    pub interval: bool,
    /// Deeper than the limit of the area.
    #[graphql(default)]
    pub depth_limit: bool,
    /// Deeper than the device can be set to.
    #[graphql(default = true)]
    pub device_range: bool,
    /// A lot past its last day of use.
    #[graphql(default)]
    pub lot_expired: bool,
    /// A lot recalled by its manufacturer.
    #[graphql(default)]
    pub lot_recalled: bool,
    /// No consultation that is still valid.
    #[graphql(default)]
    pub consultation: bool,
    /// A skin type outside the protocol's.
    #[graphql(default)]
    pub skin_type: bool,
    /// A consent that is missing, withdrawn or expired.
    #[graphql(default = true)]
    pub consent: bool,
    /// A patient younger or older than the protocol is for.
    #[graphql(default)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub age: bool,
}

impl Default for Verdicts {
    fn default() -> Self {
        Self {
            interval: false,
            depth_limit: false,
            device_range: true,
            lot_expired: false,
            lot_recalled: false,
            consultation: false,
            skin_type: false,
            consent: true,
            age: false,
        }
    }
}

/// Where the figures of a protocol come from that have no line of their own, and what is disputed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, SimpleObject, InputObject)]
#[graphql(name = "ProtocolSources", input_name = "ProtocolSourcesInput")]
#[serde(default)]
pub struct RuleSources {
    /// The number of sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<String>,
    /// The days between sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// When results are reviewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results: Option<String>,
    /// When the result is maintained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<String>,
    /// How long a consultation is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consultation: Option<String>,
    /// Where the rules for skin types come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skin_types: Option<String>,
    /// How long the usual signs last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symptoms: Option<String>,
    /// The minutes of the numbing cream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anaesthetic: Option<String>,
    /// What the patient may expect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expectations: Option<String>,
}

impl RuleSources {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Each with its name in the API.
    pub fn each(&self) -> [(&'static str, &Option<String>); 9] {
        [
            ("sessions", &self.sessions),
            ("interval", &self.interval),
            ("results", &self.results),
            ("maintenance", &self.maintenance),
            ("consultation", &self.consultation),
            ("skinTypes", &self.skin_types),
            ("symptoms", &self.symptoms),
            ("anaesthetic", &self.anaesthetic),
            ("expectations", &self.expectations),
        ]
    }
}

/// The rules of a protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, SimpleObject, InputObject)]
#[graphql(name = "ProtocolRules", input_name = "ProtocolRulesInput")]
pub struct Rules {
    /// The fewest sessions of a course, 1 to 50.
    pub sessions_min: i32,
    /// The most sessions of a course, 1 to 50.
    pub sessions_max: i32,
    /// Days between two sessions of the same area, at least.
    pub interval_min_days: i32,
    /// Days between two sessions of the same area, as planned.
    pub interval_target_days: i32,
    /// Days after the last session when the next one is overdue.
    pub interval_latest_days: i32,
    /// Weeks after a session from which results are reviewed.
    pub results_from_weeks: i32,
    /// Weeks after a session until which results are reviewed.
    pub results_until_weeks: i32,
    /// Months after the last session at which maintenance falls due; none for a treatment without maintenance.
    pub maintenance_from_months: Option<i32>,
    /// Months after the last session at which maintenance is overdue.
    pub maintenance_until_months: Option<i32>,
    /// The number of days a consultation is valid, if it has no end date of its own.
    #[graphql(default = 365)]
    pub consultation_valid_days: i32,
    /// For so many days before the day of a session, 0 to 365, a review of the health history covers it; 0 for that day only.
    /// 1 if there is no number: a medicine, a pregnancy and an allergy can change from one visit to the next, and a day
    /// leaves room for who is asked by phone on the day before.
    pub history_review_days: Option<i32>,
    /// The depth limits. An area that is not listed has no limit.
    #[graphql(default)]
    pub depth_limits: Vec<DepthLimit>,
    /// The least age it is for, in years; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_min: Option<i32>,
    /// The greatest age it is for, in years; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_max: Option<i32>,
    /// Where the ages come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_source: Option<String>,
    /// The skin types it is for; empty for all.
    #[graphql(default)]
    pub skin_types: Vec<FitzpatrickType>,
    /// What speaks against a treatment, each with how strongly.
    #[graphql(default)]
    pub contraindications: Vec<Contraindication>,
    /// Instructions after a session.
    #[graphql(default)]
    pub aftercare: Vec<AftercareInstruction>,
    /// Check-ins after a session.
    #[graphql(default)]
    pub check_ins: Vec<CheckInDue>,
    /// How long the usual signs last.
    pub symptom_windows: Option<SymptomWindowHours>,
    /// Scores that are unusual even within the usual time. They propose an adverse event.
    #[graphql(default)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub symptom_thresholds: Vec<SymptomThreshold>,
    /// Minutes that the numbing cream stays on, at least.
    pub anaesthetic_min_minutes: Option<i32>,
    /// Minutes that the numbing cream stays on, at most.
    pub anaesthetic_max_minutes: Option<i32>,
    /// What the patient should know about the result before they consent.
    pub expectations: Option<String>,
    /// Where the figures come from that have no line of their own.
    #[graphql(default)]
    #[serde(default, skip_serializing_if = "RuleSources::is_empty")]
    pub sources: RuleSources,
    /// Which rules block instead of warn.
    #[graphql(default)]
    pub blocks: Verdicts,
}
