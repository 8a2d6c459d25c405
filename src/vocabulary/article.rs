//! Words as a sentence needs them.

use super::RecordKind;

/// Words with their article, as a sentence needs them: `a patient`, `an aftercare note`.
pub fn with_article(words: &str) -> String {
    // By the sound: `a unit`, `an SMS`. No word of this service's sounds like that.
    let article = if words.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} {words}")
}

impl RecordKind {
    /// One of the kind, as a sentence needs it: `a staff member`, `an aftercare note`.
    pub fn one(self) -> String {
        match self {
            Self::Staff => "a staff member".to_owned(),
            Self::ApiKey => "an API key".to_owned(),
            other => with_article(&other.words()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_kind_has_its_article() {
        let an: BTreeSet<String> =
            RecordKind::ALL.iter().map(|kind| kind.one()).filter(|it| it.starts_with("an ")).collect();
        let names = [
            "an API key",
            "an addendum",
            "an adverse event",
            "an aftercare note",
            "an emergency access",
            "an organisation",
            "an outcome assessment",
        ];
        assert_eq!(an, BTreeSet::from(names.map(str::to_owned)));
        assert_eq!(RecordKind::Staff.one(), "a staff member");
        assert_eq!(with_article("absolute contraindication"), "an absolute contraindication");
    }
}
