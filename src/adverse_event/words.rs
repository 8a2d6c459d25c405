//! The words of adverse events: kinds, severities, causes, outcomes.

use crate::vocabulary::vocabulary;

vocabulary! {
    /// The kinds of unwanted effects of a treatment.
    AdverseEventKind {
        /// Redness.
        Erythema = "erythema",
        /// Swelling.
        Oedema = "oedema",
        /// Pain.
        Pain = "pain",
        /// Dry skin.
        Dryness = "dryness",
        /// Pinpoint crusts.
        PinpointCrusting = "pinpoint_crusting",
        /// Dark patches after inflammation.
        PostInflammatoryHyperpigmentation = "post_inflammatory_hyperpigmentation",
        /// Scars in rows, as the needles went.
        TramTrackScarring = "tram_track_scarring",
        /// A granuloma.
        Granuloma = "granuloma",
        /// An infection.
        Infection = "infection",
        /// Herpes that came back.
        HerpesReactivation = "herpes_reactivation",
        /// A burn.
        Burn = "burn",
        /// Loss of fat under the skin.
        FatLoss = "fat_loss",
        /// An injured nerve.
        NerveInjury = "nerve_injury",
        /// An allergic reaction.
        AllergicReaction = "allergic_reaction",
        /// A faint: a vasovagal reaction.
        VasovagalReaction = "vasovagal_reaction",
        /// Systemic toxicity of a local anaesthetic.
        LocalAnaestheticToxicity = "local_anaesthetic_toxicity",
        /// Anaphylaxis.
        Anaphylaxis = "anaphylaxis",
        /// Something else; the description says what.
        Other = "other",
    }
}

impl AdverseEventKind {
    /// Whether it is usual in the first days after needling.
    pub fn is_usual(self) -> bool {
        matches!(self, Self::Erythema | Self::Oedema | Self::Pain | Self::Dryness | Self::PinpointCrusting)
    }
}

vocabulary! {
    /// How bad an adverse event is.
    AdverseEventSeverity {
        /// Noticed, and no hindrance.
        Mild = "mild",
        /// Hinders daily life, or needs treatment.
        Moderate = "moderate",
        /// Disables, or needs treatment at once.
        Severe = "severe",
    }
}

vocabulary! {
    /// Whether an adverse event is one that the treatment is known for.
    Expectedness {
        /// It is, at this time after it.
        Expected = "expected",
        /// It is not.
        Unexpected = "unexpected",
    }
}

vocabulary! {
    /// How likely the treatment caused it, in the words of the WHO-UMC scale.
    Causality {
        /// Certain.
        Certain = "certain",
        /// Probable or likely.
        Probable = "probable",
        /// Possible.
        Possible = "possible",
        /// Unlikely.
        Unlikely = "unlikely",
        /// Conditional or unclassified: more data is on its way.
        Unclassified = "unclassified",
        /// Unassessable: what would be needed can't be had.
        Unassessable = "unassessable",
    }
}

vocabulary! {
    /// How an adverse event went on.
    AdverseEventOutcome {
        /// It is ongoing.
        Ongoing = "ongoing",
        /// It is getting better.
        Improving = "improving",
        /// It is over.
        Resolved = "resolved",
        /// It is over and left something behind.
        ResolvedWithSequelae = "resolved_with_sequelae",
        /// The patient died of it.
        Fatal = "fatal",
        /// Not known.
        Unknown = "unknown",
    }
}

impl AdverseEventOutcome {
    /// Whether it is over and has the moment it was.
    pub fn is_resolved(self) -> bool {
        matches!(self, Self::Resolved | Self::ResolvedWithSequelae)
    }

    /// Whether it still asks for follow-ups.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Ongoing | Self::Improving | Self::Unknown)
    }
}
