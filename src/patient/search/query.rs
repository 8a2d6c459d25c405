//! What a text looks for: its words, and the rows that each may be.

use super::keys::{Kind, chart_key, email_key, number_key, reversed_digits, squeezed};
use super::pieces::{inner_pieces, pieces_of_word};
use crate::folding::{fold, spelled_out};
use crate::phone::{self, Countries};
use std::collections::BTreeSet;

/// The longest query that is looked at, in characters.
pub const LONGEST_QUERY: usize = 100;

/// How well a row answers a word, 0 to 110. A patient's rank is that of their worst word first, then that of all of them,
/// so whoever is found by exact words stands before whoever is found by the starts of words, and these before the rest.
pub mod quality {
    /// A whole chart number, phone or e-mail.
    pub const SAME: i32 = 110;
    /// All digits of a chart number.
    pub const DIGITS: i32 = 105;
    /// A whole word of the legal or preferred name.
    pub const NAME: i32 = 100;
    /// A whole word of a middle or former name.
    pub const OTHER_NAME: i32 = 95;
    /// The chart number without the zeros before it.
    pub const CHART: i32 = 95;
    /// The start or the end of a chart number or a phone, the start of an e-mail.
    pub const PART: i32 = 85;
    /// The start of a word of the legal or preferred name.
    pub const START: i32 = 80;
    /// The start of a word of a middle or former name.
    pub const OTHER_START: i32 = 75;
    /// Inside a word of a name.
    pub const INSIDE: i32 = 60;
    /// The start of an e-mail that is no name, or of its domain.
    pub const EMAIL: i32 = 50;
    /// A word that is like it, at best.
    pub const ALIKE: i32 = 40;
}

/// Rows from a text on: all that begin with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// What the rows begin with.
    pub start: String,
    /// How well they answer.
    pub quality: i32,
    /// Rows that have nothing but zeros behind it, as chart numbers have before, answer so well; null if that is nothing.
    pub with_zeros: Option<i32>,
    /// Whether rows with more than zeros behind it count at all.
    pub longer: bool,
}

/// The rows that a word may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// Whole rows, with how well each answers.
    pub rows: Vec<(String, i32)>,
    /// Starts of rows.
    pub ranges: Vec<Range>,
}

/// A word that is sought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// What answers it exactly or as a start.
    pub exact: Way,
    /// What answers it otherwise; names that are like it come to these.
    pub loose: Way,
    /// The folded spellings of a name, if it may be one.
    pub names: Vec<String>,
}

/// What a search looks for: the whole text as a chart number, phone or e-mail, or all of its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The text as a whole.
    pub whole: Way,
    /// Its words. Each must be answered.
    pub words: Vec<Word>,
}

impl Query {
    /// Whether nothing is looked for but whole rows and starts of rows: a number, say.
    pub fn is_exact(&self) -> bool {
        self.words.iter().all(|word| word.names.is_empty() && word.loose == Way::default())
    }
}

/// The fewest digits that are looked for at the end of a phone.
const PHONE_END: usize = 4;
/// The fewest digits that are looked for inside a chart number.
const CHART_END: usize = 3;
/// The fewest digits that a phone is looked for by from its start.
const PHONE_START: usize = 3;

fn range(start: String, quality: i32) -> Range {
    Range { start, quality, with_zeros: None, longer: true }
}

/// Digits that may be a phone's or a chart number's, as people group them.
fn number(text: &str, countries: &Countries) -> Way {
    let mut way = Way::default();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let meant = phone::meant(text, countries);
    way.rows.extend(meant.iter().map(|number| (number_key(number), quality::SAME)));
    // Digits of another grouping, of a country that is not known, or with a trunk prefix.
    let bare = digits.trim_start_matches('0');
    if bare.len() >= PHONE_END {
        way.ranges.push(range(Kind::PhoneEnd.key(&reversed_digits(bare)), quality::PART));
    }
    let starts = if phone::is_international(text) { vec![digits.as_str()] } else { vec![digits.as_str(), bare] };
    for start in BTreeSet::from_iter(starts) {
        if start.len() >= PHONE_START {
            way.ranges.push(range(Kind::Phone.key(start), quality::PART));
        }
    }
    way.rows.push((Kind::ChartEnd.key(&reversed_digits(&digits)), quality::DIGITS));
    if !bare.is_empty() {
        let start = Kind::ChartEnd.key(&reversed_digits(bare));
        let longer = digits.len() >= CHART_END;
        way.ranges.push(Range { start, quality: quality::PART, with_zeros: Some(quality::CHART), longer });
    }
    way.rows.push((chart_key(text), quality::SAME));
    way
}

/// A word with letters and digits, or with an `@`: a chart number or an e-mail, or a name like no other.
fn mixed(text: &str) -> Way {
    let mut way = Way::default();
    let chart = squeezed(text);
    if !chart.is_empty() {
        way.rows.push((chart_key(text), quality::SAME));
        way.ranges.push(range(Kind::Chart.key(&chart), quality::PART));
    }
    way.rows.push((email_key(text), quality::SAME));
    way.ranges.push(range(email_key(text), quality::PART));
    way
}

fn is_number(text: &str) -> bool {
    let signs = |it: char| it.is_ascii_digit() || "+＋()./-\u{2010}\u{2011}".contains(it);
    text.chars().all(signs) && text.chars().any(|it| it.is_ascii_digit())
}

/// The words that a part of the text may be as names.
fn name(text: &str) -> Vec<Word> {
    let spelled = spelled_out(text).unwrap_or_default();
    let spelled: Vec<&str> = spelled.split(' ').collect();
    let folded = fold(text);
    let words = folded.split(' ').filter(|word| !word.is_empty());
    let words = words.enumerate().map(|(i, word)| {
        let mut names = vec![word.to_owned()];
        names.extend(spelled.get(i).filter(|it| !it.is_empty() && **it != word).map(|it| (*it).to_owned()));
        let mut exact = Way::default();
        let mut loose = Way::default();
        for name in &names {
            exact.rows.push((Kind::Name.key(name), quality::NAME));
            exact.rows.push((Kind::OtherName.key(name), quality::OTHER_NAME));
            exact.ranges.push(range(Kind::Name.key(name), quality::START));
            exact.ranges.push(range(Kind::OtherName.key(name), quality::OTHER_START));
            if name.chars().count() > 2 {
                loose.ranges.push(range(Kind::Email.key(name), quality::EMAIL));
            }
        }
        Word { exact, loose, names }
    });
    words.collect()
}

/// Reads a query. `None` when it has no letter and no digit.
pub fn query(text: &str, countries: &Countries) -> Option<Query> {
    let text = text.trim();
    if fold(text).is_empty() {
        return None;
    }
    let mut whole = Way::default();
    let mut words = Vec::new();
    let mut digits = String::new();
    for part in text.split_whitespace() {
        if is_number(part) {
            digits.push_str(part);
            digits.push(' ');
        } else if part.contains('@') || part.chars().any(|it| it.is_ascii_digit()) {
            let mut exact = mixed(part);
            exact.rows.push((Kind::Name.key(&squeezed(part)), quality::NAME));
            words.push(Word { exact, loose: Way::default(), names: Vec::new() });
        } else {
            words.extend(name(part));
        }
    }
    if !digits.is_empty() {
        words.push(Word { exact: number(digits.trim(), countries), loose: Way::default(), names: Vec::new() });
    }
    // `P 000123`, and a number that spaces part.
    if words.len() > 1 && text.chars().any(|it| it.is_ascii_digit()) {
        whole.rows.push((chart_key(text), quality::SAME));
        whole.rows.extend(phone::meant(text, countries).iter().map(|it| (number_key(it), quality::SAME)));
    }
    (!words.is_empty()).then_some(Query { whole, words })
}

/// Whether a text may be a phone without its country code, so that the clinic's countries must be known.
pub fn needs_countries(text: &str) -> bool {
    let digits: String = text.split_whitespace().filter(|part| is_number(part)).collect();
    digits.chars().filter(char::is_ascii_digit).count() >= PHONE_END && !phone::is_international(text.trim())
}

/// How names that are like the ones sought are found: by their pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The pieces of the name that is sought.
    pub pieces: Vec<i32>,
    /// A name with so many of them may be like it.
    pub enough: i64,
    /// The pieces of its inside: a name with all of them may have it inside.
    pub inner: Vec<i32>,
}

impl Names {
    /// What leads to names like this one. A name of less than three letters is not misspelt.
    pub fn like(sought: &str) -> Option<Self> {
        let inner: Vec<i32> = inner_pieces(sought).into_iter().collect();
        let pieces: Vec<i32> = pieces_of_word(sought).into_iter().collect();
        let enough = i64::try_from(pieces.len() / 2 + 1).unwrap_or(i64::MAX);
        (!inner.is_empty()).then_some(Self { pieces, enough, inner })
    }
}

/// How well a name of a patient answers one that is sought, if it does: it has it inside, or shares more than half of its
/// pieces, so that one wrong, missing or doubled letter in a word of five still passes.
pub fn alike(sought: &str, name: &str) -> Option<i32> {
    if sought.chars().count() < 3 {
        return None;
    }
    if name.contains(sought) {
        return Some(quality::INSIDE);
    }
    let (wanted, had) = (pieces_of_word(sought), pieces_of_word(name));
    let shared = wanted.intersection(&had).count();
    if shared <= wanted.len() / 2 {
        return None;
    }
    let share = shared * usize::try_from(quality::ALIKE).unwrap_or_default() / wanted.union(&had).count().max(1);
    i32::try_from(share).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Query {
        query(text, &Countries::of(["ES"])).expect("a query")
    }

    /// Every word that is sought as a name, in its spellings.
    fn names(text: &str) -> Vec<Vec<String>> {
        read(text).words.into_iter().map(|word| word.names).filter(|names| !names.is_empty()).collect()
    }

    #[test]
    fn words_are_names_unless_they_have_digits() {
        assert_eq!(names("Peña, Zoë"), [["pena"], ["zoe"]]);
        assert_eq!(names("d sa"), [["d"], ["sa"]]);
        assert_eq!(names("Böhm"), [["bohm", "boehm"]]);
        assert_eq!(names("ana P-000123 600 123 456"), [["ana"]]);
        assert_eq!(names("zoe@x.example"), [[""; 0]; 0]);
    }

    #[test]
    fn numbers_are_read_however_they_are_grouped() {
        for text in ["600 123 456", "+34 600-12-34-56", "0034 600123456", "600.123.456"] {
            let words = read(text).words;
            assert_eq!(words.len(), 1, "{text}");
            assert!(
                words.iter().all(|it| it.exact.rows.contains(&("r65432100643".to_owned(), quality::SAME))),
                "{text}: {words:?}"
            );
        }
        let part = read("91 78 24");
        let starts: Vec<&str> = part.words.iter().flat_map(|it| &it.exact.ranges).map(|it| it.start.as_str()).collect();
        assert_eq!(starts, ["r428719", "p917824", "d428719"]);
        // Two digits are the end of a chart number with nothing but zeros before, or of nothing.
        let short = read("75");
        assert!(
            short.words.iter().flat_map(|it| &it.exact.ranges).all(|it| !it.longer && it.start == "d57"),
            "{short:?}"
        );
    }

    #[test]
    fn a_chart_number_is_sought_as_a_whole_too() {
        for text in ["P-000123", "p000123", "P 000123"] {
            let read = read(text);
            let words = read.words.iter().flat_map(|it| &it.exact.rows);
            let rows: Vec<&String> = words.chain(&read.whole.rows).map(|(row, _)| row).collect();
            assert!(rows.iter().any(|it| *it == "cp000123"), "{text}: {rows:?}");
        }
    }

    #[test]
    fn names_that_are_like_it_answer_less_well() {
        for (sought, name) in [
            ("jonson", "johnson"),
            ("johnsen", "johnson"),
            ("ramires", "ramirez"),
            ("ostergaard", "ostergard"),
            ("hnso", "johnson"),
        ] {
            assert!(alike(sought, name).is_some_and(|it| it < quality::OTHER_START), "{sought} {name}");
            let names = Names::like(sought).expect("pieces");
            let had = pieces_of_word(name);
            let shared =
                |pieces: &[i32]| i64::try_from(pieces.iter().filter(|it| had.contains(it)).count()).unwrap_or(0);
            let all = i64::try_from(names.inner.len()).unwrap_or(0);
            assert!(shared(&names.pieces) >= names.enough || shared(&names.inner) == all, "{sought} {name}");
        }
        for (sought, name) in [("smith", "johnson"), ("jackson", "johnson"), ("peterson", "johnson"), ("mo", "moira")] {
            assert_eq!(alike(sought, name), None, "{sought} {name}");
        }
    }

    #[test]
    fn punctuation_alone_is_no_query() {
        for text in [" -- % ", "", "…", "'"] {
            assert_eq!(query(text, &Countries::default()), None, "{text}");
        }
        assert!(query("%%%a", &Countries::default()).is_some());
    }
}
