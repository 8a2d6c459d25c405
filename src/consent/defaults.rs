//! The texts that a new organisation starts with. They are data: a clinic changes them as it likes.

use super::{ConsentKind, ConsentTemplate, ConsentTemplateVersion, ConsentTemplateVersionStatus, hash_of, store};
use crate::access::Scope;
use crate::error::Result;
use crate::ids;
use crate::page::listing;
use crate::record::Stamp;
use crate::vocabulary::Modality;
use serde::Deserialize;
use uuid::Uuid;

/// A text, as `defaults.json` has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefaultText {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub kind: ConsentKind,
    /// BCP 47 tag of its language.
    pub language: String,
    /// The treatments it covers; all when there is none.
    pub modalities: Vec<Modality>,
    /// For how many days a consent to it is valid; no limit when absent.
    pub valid_days: Option<i32>,
    /// Its wording, in Markdown.
    pub paragraphs: Vec<String>,
}

impl DefaultText {
    /// The whole wording.
    pub fn words(&self) -> String {
        self.paragraphs.join("\n\n")
    }

    /// It as a published version of a text.
    pub fn version(self, template: Uuid, number: i32, stamp: Stamp) -> ConsentTemplateVersion {
        let words = self.words();
        ConsentTemplateVersion {
            id: ids::new_id(),
            template_id: template,
            number,
            status: ConsentTemplateVersionStatus::Published,
            text_hash: hash_of(words.as_bytes()),
            text: words,
            language: self.language,
            modalities: self.modalities,
            valid_days: self.valid_days,
            published_at: Some(stamp.created_at),
            published_by: stamp.created_by,
            stamp,
        }
    }
}

/// The texts of the file.
pub fn texts() -> Result<Vec<DefaultText>> {
    Ok(serde_json::from_str(include_str!("defaults.json"))?)
}

/// Gives an organisation that has no text at all the ones it starts with, published.
pub async fn install_defaults(scope: &mut Scope) -> Result<()> {
    if listing::count::<ConsentTemplate>(scope, &super::TemplateCondition::default()).await? > 0 {
        return Ok(());
    }
    for text in texts()? {
        add(scope, text).await?;
    }
    Ok(())
}

/// Adds a default text, published.
pub async fn add(scope: &mut Scope, text: DefaultText) -> Result<()> {
    let stamp = Stamp::new(scope.viewer().staff, ids::now());
    let template = ConsentTemplate {
        id: ids::new_id(),
        name: text.name.clone(),
        kind: text.kind,
        active: true,
        stamp: stamp.clone(),
    };
    let version = text.version(template.id, 1, stamp);
    store::add_template(scope, &template, &version).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_and_every_treatment_has_a_text() {
        let texts = texts().expect("defaults.json");
        for kind in ConsentKind::ALL {
            assert!(texts.iter().any(|text| text.kind == *kind), "{kind:?}");
        }
        for modality in Modality::ALL.iter().filter(|it| **it != Modality::Other) {
            let covers =
                |text: &&DefaultText| text.kind == ConsentKind::Treatment && text.modalities.contains(modality);
            assert_eq!(texts.iter().filter(covers).count(), 1, "{modality:?}");
        }
        let names: BTreeSet<&str> = texts.iter().map(|text| text.name.as_str()).collect();
        assert_eq!(names.len(), texts.len(), "names are unique");
        for text in &texts {
            let words = text.paragraphs.join("\n\n");
            assert!(words.trim() == words && words.chars().count() <= 50_000, "{}", text.name);
            assert!(text.kind == ConsentKind::Treatment || text.modalities.is_empty(), "{}", text.name);
            assert!(words.matches(". ").count() >= 8, "{} says little", text.name);
            assert!(text.valid_days.is_none_or(|days| (1..=36_500).contains(&days)), "{}", text.name);
        }
    }

    #[test]
    fn the_texts_name_what_a_patient_must_hear_of() {
        let texts = texts().expect("defaults.json");
        let words = |name: &str| {
            let text = texts.iter().find(|text| text.name == name).expect("a text");
            text.paragraphs.join("\n\n")
        };
        for text in texts.iter().filter(|text| text.kind == ConsentKind::Treatment) {
            let words = words(&text.name);
            assert!(words.contains("alternatives") && words.contains("do nothing"), "{}", text.name);
        }
        for name in ["Microneedling", "RF microneedling", "Platelet-rich plasma (PRP)"] {
            let words = words(name);
            for risk in ["bleeding", "faint", "numb lips", "emergency number"] {
                assert!(words.contains(risk), "{name}: {risk}");
            }
        }
        assert!(words("Personal data").contains("Article 9(2)(h)"), "the record does not rest on consent");
    }
}
