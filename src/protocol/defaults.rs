//! The protocols that every organisation starts with: the clinic's own guidance, as data (`defaults.json`).

use super::{Protocol, ProtocolVersion, Rules, VersionStatus, store};
use crate::access::Scope;
use crate::error::Result;
use crate::ids;
use crate::page::kept;
use crate::record::Stamp;
use crate::vocabulary::{Action, Concern, Modality, RecordKind};
use serde::Deserialize;
use uuid::Uuid;

/// A protocol of the file.
#[derive(Debug, Deserialize)]
pub struct Default {
    /// Its name.
    pub name: String,
    /// The kind of treatment.
    pub modality: Modality,
    /// The concerns it is for.
    pub indications: Vec<Concern>,
    /// The rules.
    pub rules: Rules,
}

/// The protocols of the file.
pub fn defaults() -> Result<Vec<Default>> {
    Ok(serde_json::from_str(include_str!("defaults.json"))?)
}

/// Gives an organisation without any protocol the defaults, published, each with its ledger entries.
pub async fn install(scope: &mut Scope) -> Result<()> {
    if store::any(scope).await? {
        return Ok(());
    }
    for default in defaults()? {
        add(scope, default).await?;
    }
    Ok(())
}

/// Adds a default, published, with its ledger entries.
pub async fn add(scope: &mut Scope, default: Default) -> Result<()> {
    scope.viewer().check(Action::Create, RecordKind::Protocol)?;
    let by = scope.viewer().staff;
    let protocol = Protocol {
        id: ids::new_id(),
        name: default.name.clone(),
        copied_from: None,
        active: true,
        stamp: Stamp::new(by, ids::now()),
    };
    let version = default.version(protocol.id, 1, by);
    kept::add(scope, &protocol).await?;
    kept::add(scope, &version).await
}

impl Default {
    /// It as a published version of a protocol.
    pub fn version(self, protocol: Uuid, number: i32, by: Option<Uuid>) -> ProtocolVersion {
        let now = ids::now();
        ProtocolVersion {
            id: ids::new_id(),
            protocol_id: protocol,
            number,
            status: VersionStatus::Published,
            modality: self.modality,
            indications: self.indications,
            rules: self.rules,
            published_at: Some(now),
            published_by: by,
            change_note: None,
            stamp: Stamp::new(by, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Inputs;
    use crate::vocabulary::ContraindicationSeverity;

    #[test]
    fn every_default_is_whole_and_passes_its_own_checks() {
        let found = defaults().expect("defaults.json");
        assert!(found.len() >= 8, "{}", found.len());
        for default in &found {
            let mut inputs = Inputs::new();
            default.rules.check(&mut inputs, "rules");
            assert!(inputs.finish().is_ok(), "{}", default.name);
            assert!(!default.indications.is_empty() && !default.rules.aftercare.is_empty(), "{}", default.name);
        }
    }

    #[test]
    fn every_line_names_its_source_and_a_weak_one_never_blocks() {
        for default in defaults().expect("defaults.json") {
            let rules = &default.rules;
            for limit in &rules.depth_limits {
                assert!(limit.source.is_some(), "{}: {:?}", default.name, limit.area);
            }
            for rule in &rules.contraindications {
                let source = rule.source.as_deref().unwrap_or_default();
                assert!(!source.is_empty(), "{}: {}", default.name, rule.code);
                let weak =
                    ["weak", "Weak", "differ", "Disputed", "no strong source"].iter().any(|it| source.contains(it));
                let blocks = rule.severity == ContraindicationSeverity::Absolute;
                assert!(!(weak && blocks), "{}: {}: {source}", default.name, rule.code);
            }
        }
    }

    #[test]
    fn aftercare_tells_of_sport_water_sun_and_whom_to_call() {
        for default in defaults().expect("defaults.json") {
            let told: String = default.rules.aftercare.iter().map(|it| it.text.to_lowercase() + " ").collect();
            let needles = ["exercise", "sport", "sauna", "swimming"]
                .iter()
                .filter(|_| default.modality != Modality::LedLightTherapy);
            for word in needles.chain(&["sunscreen|spf 50", "call the clinic", "emergency number"]) {
                assert!(word.split('|').any(|it| told.contains(it)), "{}: {word}", default.name);
            }
        }
    }

    #[test]
    fn the_clinic_s_guidance_is_what_the_defaults_say() {
        let found = defaults().expect("defaults.json");
        let acne = found.iter().find(|it| it.indications.contains(&Concern::AcneScars)).expect("acne scars");
        let rules = &acne.rules;
        assert_eq!((rules.sessions_min, rules.sessions_max), (3, 6));
        assert_eq!((rules.interval_min_days, rules.interval_target_days), (21, 28));
        assert_eq!((rules.results_from_weeks, rules.results_until_weeks), (4, 6));
        assert_eq!((rules.maintenance_from_months, rules.maintenance_until_months), (Some(6), Some(12)));
        let hours = |code: &str| {
            rules
                .aftercare
                .iter()
                .find(|it| it.code == code)
                .map(|it| (it.from_hours, it.until_hours))
                .expect("an instruction")
        };
        assert_eq!(hours("no_direct_sun"), (0, 24));
        assert_eq!(hours("no_make_up"), (0, 24));
        assert_eq!(hours("no_exfoliants_retinoids_vitamin_c"), (0, 72));
        assert_eq!(hours("gentle_moisturiser"), (0, 168));
        assert_eq!(hours("do_not_pick"), (0, 168));
    }
}
