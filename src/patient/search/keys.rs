//! What a patient is found by.

use super::pieces::pieces_of_word;
use crate::folding::{fold, is_unspaced, spelled_out};
use crate::patient::{Patient, PatientDetails, PersonName};
use crate::phone;
use std::collections::BTreeSet;

/// What a row of `patient_search` is; its letter begins the row's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A word of the legal or the preferred name.
    Name,
    /// A word of a middle or a former name.
    OtherName,
    /// The chart number: letters and digits only.
    Chart,
    /// The last digits of the chart number, from its end to its start.
    ChartEnd,
    /// The e-mail, and its domain.
    Email,
    /// A phone number in E.164 without the `+`, and once more without the country code.
    Phone,
    /// A phone number with its country code, from its end to its start.
    PhoneEnd,
}

impl Kind {
    /// The letter that the texts of this kind begin with.
    pub fn letter(self) -> char {
        match self {
            Self::Name => 'n',
            Self::OtherName => 'o',
            Self::Chart => 'c',
            Self::ChartEnd => 'd',
            Self::Email => 'e',
            Self::Phone => 'p',
            Self::PhoneEnd => 'r',
        }
    }

    /// A text of this kind, as it is kept.
    pub fn key(self, text: &str) -> String {
        let mut key = String::with_capacity(text.len() + 1);
        key.push(self.letter());
        // A name may be long; nobody types so much of one, and an index has its limits.
        key.extend(text.chars().take(LONGEST_KEY));
        key
    }
}

/// The longest text of a key, in characters. The longest e-mail has 254.
const LONGEST_KEY: usize = 254;

/// A chart number with nothing but its letters and digits, folded.
pub(super) fn squeezed(text: &str) -> String {
    fold(text).replace(' ', "")
}

/// The row of exactly this chart number.
pub fn chart_key(number: &str) -> String {
    Kind::Chart.key(&squeezed(number))
}

/// The row of exactly this e-mail.
pub fn email_key(email: &str) -> String {
    Kind::Email.key(&email.trim().to_lowercase())
}

/// The row of exactly this number in E.164.
pub fn number_key(e164: &str) -> String {
    Kind::PhoneEnd.key(&reversed_digits(e164))
}

/// The digits of a text, from its end to its start.
pub(super) fn reversed_digits(text: &str) -> String {
    text.chars().rev().filter(char::is_ascii_digit).collect()
}

/// The words of a name: what spaces part, what other signs part, and what these signs join: `garcia`, `pena` and
/// `garciapena`; `o`, `hara` and `ohara`.
fn parts(name: &str, into: &mut BTreeSet<String>) {
    for word in name.split_whitespace() {
        // An apostrophe is nothing when it is folded, and parts `d` and `sa` for whoever types a space in its place.
        let folded = fold(word);
        let apart = fold(&word.chars().map(|it| if it.is_alphanumeric() { it } else { ' ' }).collect::<String>());
        into.extend(folded.split(' ').chain(apart.split(' ')).filter(|it| !it.is_empty()).map(str::to_owned));
        let joined = folded.replace(' ', "");
        if !joined.is_empty() {
            into.insert(joined);
        }
    }
}

/// The words that a name is found by, with those of its spelling without umlauts.
pub fn name_words(name: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    parts(name, &mut words);
    if let Some(spelled) = spelled_out(name) {
        parts(&spelled, &mut words);
    }
    words
}

/// Family and given name without a space between, in the scripts that write them so.
fn unspaced(name: &PersonName, into: &mut BTreeSet<String>) {
    let Some(family) = name.family.as_deref().filter(|family| is_unspaced(family) && is_unspaced(&name.given)) else {
        return;
    };
    into.insert(fold(&format!("{family}{}", name.given)).replace(' ', ""));
}

/// What of a patient they are found by.
pub struct FoundBy<'p> {
    /// The legal name.
    pub legal_name: &'p PersonName,
    /// What they want to be called.
    pub preferred_name: Option<&'p str>,
    /// E-mail.
    pub email: Option<&'p str>,
    /// E.164.
    pub phone: Option<&'p str>,
    /// The chart number.
    pub chart_number: &'p str,
    /// Former names and other phones.
    pub details: &'p PatientDetails,
}

impl<'p> From<&'p Patient> for FoundBy<'p> {
    fn from(patient: &'p Patient) -> Self {
        Self {
            legal_name: &patient.legal_name,
            preferred_name: patient.preferred_name.as_deref(),
            email: patient.email.as_deref(),
            phone: patient.phone.as_deref(),
            chart_number: &patient.chart_number,
            details: &patient.details,
        }
    }
}

/// The words of the names that somebody has now, and of middle and former ones.
fn names_of(patient: &FoundBy<'_>) -> (BTreeSet<String>, BTreeSet<String>) {
    let name = patient.legal_name;
    let mut names = BTreeSet::new();
    for text in [Some(name.given.as_str()), name.family.as_deref(), patient.preferred_name].into_iter().flatten() {
        names.append(&mut name_words(text));
    }
    unspaced(name, &mut names);
    let mut others = BTreeSet::new();
    for former in &patient.details.former_names {
        let texts = [Some(&former.given), former.middle.as_ref(), former.family.as_ref()];
        texts.into_iter().flatten().for_each(|text| others.append(&mut name_words(text)));
        unspaced(former, &mut others);
    }
    if let Some(middle) = &name.middle {
        others.append(&mut name_words(middle));
    }
    others.retain(|word| !names.contains(word));
    (names, others)
}

/// The rows that a patient is found by, each once.
pub fn keys_of(patient: &FoundBy<'_>) -> BTreeSet<String> {
    let (names, others) = names_of(patient);
    let mut keys: BTreeSet<String> = names.iter().map(|word| Kind::Name.key(word)).collect();
    keys.extend(others.iter().map(|word| Kind::OtherName.key(word)));
    if let Some(email) = patient.email {
        keys.insert(email_key(email));
        keys.extend(email.split_once('@').map(|(_, domain)| Kind::Email.key(&domain.to_lowercase())));
    }
    let others = patient.details.other_phones.iter().map(|it| it.number.as_str());
    for number in patient.phone.into_iter().chain(others) {
        keys.insert(number_key(number));
        keys.insert(Kind::Phone.key(number.trim_start_matches('+')));
        keys.insert(Kind::Phone.key(&phone::national(number)));
    }
    keys.insert(chart_key(patient.chart_number));
    let end = reversed_digits(patient.chart_number);
    if !end.is_empty() {
        keys.insert(Kind::ChartEnd.key(&end));
    }
    keys
}

/// The rows of exactly the phones and the e-mail of a patient.
pub fn reached_by(patient: &FoundBy<'_>) -> Vec<String> {
    let others = patient.details.other_phones.iter().map(|it| it.number.as_str());
    let numbers = patient.phone.into_iter().chain(others).map(number_key);
    numbers.chain(patient.email.map(email_key)).collect()
}

/// The pieces of every name among the rows of a patient, each with its name.
pub fn name_pieces_of(keys: &BTreeSet<String>) -> (Vec<i32>, Vec<String>) {
    let letters = [Kind::Name.letter(), Kind::OtherName.letter()];
    let words: BTreeSet<&str> = keys.iter().filter_map(|key| key.strip_prefix(letters)).collect();
    let pieces = words.into_iter().flat_map(|word| pieces_of_word(word).into_iter().map(|it| (it, word.to_owned())));
    pieces.unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(name: &str) -> Vec<String> {
        name_words(name).into_iter().collect()
    }

    #[test]
    fn a_name_is_found_by_its_parts_and_by_what_signs_join() {
        assert_eq!(words("García-Peña"), ["garcia", "garciapena", "pena"]);
        assert_eq!(words("D’Sa"), ["d", "dsa", "sa"]);
        assert_eq!(words("Thị Hồng"), ["hong", "thi"]);
        assert_eq!(words("Götz"), ["goetz", "gotz"]);
        assert_eq!(words("van der Berg"), ["berg", "der", "van"]);
    }
}
