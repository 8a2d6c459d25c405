//! The code list: what an entry of a health history is about, by its code or by its words. The list is data
//! (`codes.json`), with a version: names, brands and other codes in several languages, each with its source.

use super::{HealthEntry, HealthEntryKind};
use crate::folding::fold;
use crate::health_term::HealthTerm;
use crate::vocabulary::{Modality, vocabulary};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

vocabulary! {
    /// Where in an entry a code of the list was found. Words can deny what they name ("no reaction to lidocaine"); a code
    /// can't.
    #[graphql(name = "HealthCodeFoundIn")]
    FoundIn {
        /// In its words.
        Text = "text",
        /// In its kind.
        Kind = "kind",
        /// In its code.
        Code = "code",
    }
}

vocabulary! {
    /// How long something of the health history counts.
    HealthCourse {
        /// Until its end; without an end, it lasts.
        State = "state",
        /// For good: it has no end, whatever the entry says.
        Tendency = "tendency",
        /// From the day it happened.
        Event = "event",
    }
}

/// Why something is to be weighed before a treatment where no protocol has a rule about it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HealthConcern {
    /// The kinds of treatment.
    pub modalities: Vec<Modality>,
    /// For so many days after its end.
    pub look_back_days: i32,
    /// The source.
    pub source: String,
}

/// A code of the list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HealthCode {
    /// The code, such as `isotretinoin`.
    pub code: String,
    /// Its name.
    pub label: String,
    /// The kinds of entry in whose words it is looked for.
    pub kinds: Vec<HealthEntryKind>,
    /// Other codes for the same.
    #[serde(default)]
    pub codes: Vec<String>,
    /// Codes of rules that it meets beside its own.
    #[serde(default)]
    pub meets: Vec<String>,
    /// How long it counts.
    #[serde(default = "state")]
    pub course: HealthCourse,
    /// Its names by language, and `brand` names. A `*` stands for the rest of a word.
    names: BTreeMap<String, Vec<String>>,
    /// Why it is to be weighed where no protocol has a rule about it.
    #[serde(default)]
    pub concerns: Vec<HealthConcern>,
    /// Where it is from.
    pub source: String,
    /// Whether it is a clinic's own: nobody has judged it then, unless a protocol has a rule about it.
    #[serde(skip)]
    pub own: bool,
    /// The names, cut into folded words.
    #[serde(skip)]
    phrases: Vec<Vec<Word>>,
    /// The code and the other codes, folded.
    #[serde(skip)]
    folded: Vec<String>,
}

fn state() -> HealthCourse {
    HealthCourse::State
}

/// A word of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    text: String,
    /// Whether anything may follow.
    open: bool,
}

/// The list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct CodeList {
    /// Its version, a day.
    pub version: String,
    /// For so many days after its end a medicine counts that nobody can place.
    pub unknown_look_back_days: i32,
    /// Where that number is from.
    pub unknown_source: String,
    codes: Vec<HealthCode>,
}

static LIST: LazyLock<CodeList> = LazyLock::new(|| {
    // A list that can't be read is empty: then nothing is known, and every rule says so. A test holds it to be whole.
    let mut list: CodeList = serde_json::from_str(include_str!("codes.json")).unwrap_or_default();
    for code in &mut list.codes {
        code.phrases = code.names.values().flatten().map(|name| phrase(name)).filter(|it| !it.is_empty()).collect();
        code.folded = code.codes.iter().chain([&code.code]).map(|it| fold(it)).collect();
    }
    list
});

/// The list that is in force.
pub fn code_list() -> &'static CodeList {
    &LIST
}

/// A code of the list that an entry is about.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchedCode {
    /// The code.
    pub code: Cow<'static, HealthCode>,
    /// Where it was found; the surest place if there are several.
    pub found_in: FoundIn,
}

fn phrase(name: &str) -> Vec<Word> {
    let words = name.split_whitespace();
    let words = words.map(|it| Word { text: fold(it.trim_end_matches('*')), open: it.ends_with('*') });
    words.filter(|it| !it.text.is_empty()).collect()
}

fn is_word(word: &Word, text: &str) -> bool {
    if word.open { text.starts_with(&word.text) } else { text == word.text }
}

/// Whether a phrase stands somewhere in these words.
fn stands_in(phrase: &[Word], words: &[&str]) -> bool {
    words.windows(phrase.len().max(1)).any(|some| is_all_of(phrase, some))
}

/// Whether a phrase is all of these words.
fn is_all_of(phrase: &[Word], words: &[&str]) -> bool {
    phrase.len() == words.len() && phrase.iter().zip(words).all(|(word, text)| is_word(word, text))
}

impl HealthCode {
    /// A code that a clinic has added.
    fn of_clinic(term: &HealthTerm) -> Self {
        Self {
            code: term.code.clone(),
            label: term.term.clone(),
            kinds: HealthEntryKind::ALL.to_vec(),
            codes: Vec::new(),
            meets: Vec::new(),
            course: HealthCourse::State,
            names: BTreeMap::new(),
            concerns: Vec::new(),
            source: "the clinic's own code list".to_owned(),
            own: true,
            phrases: Vec::new(),
            folded: vec![fold(&term.code)],
        }
    }

    /// Whether a rule about this code is about it.
    pub fn meets(&self, code: &str) -> bool {
        self.code.eq_ignore_ascii_case(code) || self.meets.iter().any(|it| it.eq_ignore_ascii_case(code))
    }

    fn found_in(&self, entry: Read<'_>) -> Option<FoundIn> {
        let coded = entry.code.is_some_and(|code| {
            let words: Vec<&str> = code.split(' ').collect();
            self.folded.iter().any(|it| it == code) || self.phrases.iter().any(|it| is_all_of(it, &words))
        });
        if coded {
            return Some(FoundIn::Code);
        }
        if entry.kind == HealthEntryKind::PregnancyOrNursing && self.code == "pregnancy_or_nursing" {
            return Some(FoundIn::Kind);
        }
        let read = self.kinds.contains(&entry.kind) && self.phrases.iter().any(|it| stands_in(it, entry.words));
        read.then_some(FoundIn::Text)
    }
}

/// An entry, folded.
#[derive(Clone, Copy)]
struct Read<'e> {
    kind: HealthEntryKind,
    code: Option<&'e str>,
    words: &'e [&'e str],
}

/// What a clinic's own term finds in an entry: the code of the list that it stands for, or the clinic's own.
fn found_by(term: &HealthTerm, entry: Read<'_>) -> Option<MatchedCode> {
    let (phrase, folded) = (phrase(&term.term), fold(&term.code));
    if phrase.is_empty() {
        return None;
    }
    let known = LIST.codes.iter().find(|it| it.folded.contains(&folded));
    let coded =
        entry.code.is_some_and(|code| code == folded || is_all_of(&phrase, &code.split(' ').collect::<Vec<_>>()));
    let read = known.is_none_or(|known| known.kinds.contains(&entry.kind)) && stands_in(&phrase, entry.words);
    let found_in = if coded { FoundIn::Code } else { read.then_some(FoundIn::Text)? };
    let code = known.map_or_else(|| Cow::Owned(HealthCode::of_clinic(term)), Cow::Borrowed);
    Some(MatchedCode { code, found_in })
}

/// What an entry is about, by its code, its kind and its words, in the list and in the clinic's own terms: the surest first,
/// each code once.
pub fn matched(entry: &HealthEntry, terms: &[HealthTerm]) -> Vec<MatchedCode> {
    let (code, text) = (entry.code.as_deref().map(fold), fold(&entry.text));
    let words: Vec<&str> = text.split(' ').collect();
    let read = Read { kind: entry.kind, code: code.as_deref().filter(|it| !it.is_empty()), words: &words };
    let listed = LIST
        .codes
        .iter()
        .filter_map(|code| Some(MatchedCode { found_in: code.found_in(read)?, code: Cow::Borrowed(code) }));
    let mut all: Vec<MatchedCode> = listed.chain(terms.iter().filter_map(|term| found_by(term, read))).collect();
    all.sort_by_key(|it| std::cmp::Reverse(it.found_in));
    let mut found: Vec<MatchedCode> = Vec::new();
    for it in all {
        if !found.iter().any(|other| other.code.folded == it.code.folded) {
            found.push(it);
        }
    }
    found
}

/// Whether a text, such as the name of a product, has a name of this code in it.
pub fn names(code: &str, text: &str) -> bool {
    let text = fold(text);
    let words: Vec<&str> = text.split(' ').collect();
    let known = LIST.codes.iter().find(|it| it.code == code);
    known.is_some_and(|code| code.phrases.iter().any(|it| stands_in(it, &words)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;
    use crate::record::Stamp;
    use HealthEntryKind::{Allergy, Condition, Medication, PregnancyOrNursing, PriorProcedure};

    fn entry(kind: HealthEntryKind, code: Option<&str>, text: &str) -> HealthEntry {
        HealthEntry::saying(ids::new_id(), kind, code, text, Stamp::new(None, ids::now()))
    }

    #[test]
    fn the_list_is_whole() {
        let list: CodeList = serde_json::from_str(include_str!("codes.json")).expect("codes.json");
        assert!(list.codes.len() > 60 && list.version.len() == 10 && list.unknown_look_back_days > 0);
        let mut seen = std::collections::BTreeSet::new();
        for code in &code_list().codes {
            assert!(!code.source.is_empty() && !code.phrases.is_empty() && !code.kinds.is_empty(), "{}", code.code);
            assert!(code.concerns.iter().all(|it| !it.source.is_empty() && !it.modalities.is_empty()), "{}", code.code);
            for name in &code.folded {
                assert!(seen.insert(name.clone()), "{name} stands for two codes");
            }
        }
    }

    #[test]
    fn an_entry_is_matched_by_its_code_its_kind_and_its_words() {
        let table = [
            ("Roaccutane 40 mg daily, taking now", Medication, None, "isotretinoin", FoundIn::Text),
            ("Roaccutane 40 mg daily", Medication, Some("Roaccutane"), "isotretinoin", FoundIn::Code),
            ("Lidocaine: anaphylaxis 2019", Allergy, None, "lidocaine", FoundIn::Text),
            ("Lidocainallergie", Allergy, None, "lidocaine", FoundIn::Text),
            ("Lignocaine", Allergy, Some("lignocaine"), "lidocaine", FoundIn::Code),
            ("Implanted defibrillator", Condition, Some("icd"), "pacemaker", FoundIn::Code),
            ("Type 1", Condition, Some("diabetes_type_1"), "diabetes_type_1", FoundIn::Code),
            ("Type 1", Condition, Some("Diabetes type 1"), "diabetes_type_1", FoundIn::Code),
            ("Méthotrexate 15 mg", Medication, None, "immunosuppression", FoundIn::Text),
            ("Chéloïde à l'oreille", Condition, None, "keloid_tendency", FoundIn::Text),
            ("Blutverdünner", Medication, None, "anticoagulant", FoundIn::Text),
            ("Morpheus8, cheeks", PriorProcedure, None, "energy_device", FoundIn::Text),
            ("Tatuaż na szyi", Condition, None, "tattoo", FoundIn::Text),
            ("12 weeks", PregnancyOrNursing, None, "pregnancy_or_nursing", FoundIn::Kind),
        ];
        for (text, kind, code, expected, found_in) in table {
            let found = matched(&entry(kind, code, text), &[]);
            let found: Vec<_> = found.iter().map(|it| (it.code.code.as_str(), it.found_in)).collect();
            assert_eq!(found.first(), Some(&(expected, found_in)), "{text}: {found:?}");
        }
        assert!(matched(&entry(Condition, Some("diabetes_type_1"), "x"), &[])[0].code.meets("diabetes_type_2"));
    }

    #[test]
    fn words_are_looked_for_where_they_mean_it() {
        for (text, kind, code) in [
            ("Lidocaine plaster for the back", Medication, None),
            ("Melasma after pregnancy", Condition, Some("melasma")),
            ("ICD-10 L40", Condition, None),
            ("Nichts", Allergy, None),
        ] {
            let found = matched(&entry(kind, code, text), &[]);
            assert!(found.iter().all(|it| it.found_in == FoundIn::Code), "{text}: {found:?}");
        }
        assert!(names("lidocaine", "EMLA 5 %") && names("lidocaine", "LMX4") && !names("lidocaine", "Vitamin C 20 %"));
        let filler = matched(&entry(PriorProcedure, Some("filler"), "Filler, cheeks"), &[]);
        assert_eq!(filler[0].code.course, HealthCourse::Event);
    }

    #[test]
    fn a_clinic_s_own_terms_are_found_as_those_of_the_list() {
        let term = |code: &str, term: &str| HealthTerm {
            id: ids::new_id(),
            code: code.to_owned(),
            term: term.to_owned(),
            language: None,
            active: true,
            stamp: Stamp::new(None, ids::now()),
        };
        let terms = [term("isotretinoin", "Akneblocker"), term("House-7", "Kräuter*"), term("House-7", "Hausmix")];
        let found = |kind, code, text: &str| {
            let found = matched(&entry(kind, code, text), &terms);
            found.into_iter().map(|it| (it.code.code.clone(), it.found_in, it.code.own)).collect::<Vec<_>>()
        };
        let isotretinoin = |found_in| vec![("isotretinoin".to_owned(), found_in, false)];
        assert_eq!(found(Medication, None, "AkneBlocker 20 mg"), isotretinoin(FoundIn::Text));
        assert_eq!(found(Medication, Some("akneblocker"), "20 mg"), isotretinoin(FoundIn::Code));
        assert_eq!(found(Medication, None, "Akneblocker (Isotretinoin)"), isotretinoin(FoundIn::Text), "once");
        let own = |found_in| vec![("House-7".to_owned(), found_in, true)];
        assert_eq!(found(Allergy, None, "Kräutertee und Hausmix"), own(FoundIn::Text));
        assert_eq!(found(Allergy, Some("house 7"), "x"), own(FoundIn::Code));
        assert_eq!(found(Allergy, None, "Zzyzx"), []);
    }
}
