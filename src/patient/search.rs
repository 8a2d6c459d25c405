//! Finding a patient by part of a name, phone, e-mail or chart number, misspelt a little.
//!
//! Every word that a patient may be found by is cut into three-letter pieces (trigrams), each packed into a whole number,
//! as `pg_trgm` does with text. A query finds the patients that have enough of its pieces.

use super::Patient;
use std::collections::BTreeSet;

/// The longest query that is looked at, in characters.
pub const LONGEST_QUERY: usize = 100;

/// Lower case, without accents, letters and digits only; anything else is a space.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for character in text.chars() {
        for lower in character.to_lowercase() {
            match plain(lower) {
                Some(letters) => folded.push_str(letters),
                None if lower.is_alphanumeric() => folded.push(lower),
                None if lower == '\'' || lower == '’' => {}
                None => folded.push(' '),
            }
        }
    }
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The unaccented form of the accented letters of European names.
fn plain(character: char) -> Option<&'static str> {
    Some(match character {
        'á' | 'à' | 'â' | 'ä' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'é' | 'è' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'í' | 'ì' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => "i",
        'ó' | 'ò' | 'ô' | 'ö' | 'õ' | 'ø' | 'ō' | 'ő' => "o",
        'ú' | 'ù' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' | 'ų' => "u",
        'ñ' | 'ń' | 'ň' => "n",
        'ç' | 'ć' | 'č' => "c",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'ź' | 'ż' | 'ž' => "z",
        'ý' | 'ÿ' => "y",
        'ł' | 'ĺ' | 'ľ' => "l",
        'ř' | 'ŕ' => "r",
        'ť' | 'ţ' | 'ț' => "t",
        'ď' | 'đ' => "d",
        'ğ' => "g",
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ð' => "d",
        // Combining marks of decomposed text.
        '\u{300}'..='\u{36f}' => "",
        _ => return None,
    })
}

/// Three characters in a whole number: 32 bits of FNV-1a. Two pieces may share a number; a search then finds a little
/// more, never less.
fn pack(characters: &[char]) -> i32 {
    let mut hash: u32 = 0x811c_9dc5;
    for character in characters {
        for byte in u32::from(*character).to_be_bytes() {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    i32::from_be_bytes(hash.to_be_bytes())
}

/// The pieces of a word: with two spaces before and one after it, so that its start counts.
fn pieces_of_word(word: &str, into: &mut BTreeSet<i32>) {
    let padded: Vec<char> = "  ".chars().chain(word.chars()).chain(" ".chars()).collect();
    into.extend(padded.windows(3).map(pack));
}

/// The pieces a patient is found by.
pub fn pieces_of(patient: &Patient) -> Vec<i32> {
    let mut pieces = BTreeSet::new();
    let names = [&patient.legal_name].into_iter().chain(&patient.details.former_names);
    let names = names.flat_map(|it| [Some(it.given.as_str()), it.middle.as_deref(), it.family.as_deref()]);
    let phones = patient.details.other_phones.iter().map(|it| Some(it.number.as_str()));
    let texts = [
        patient.preferred_name.as_deref(),
        patient.email.as_deref(),
        patient.phone.as_deref(),
        Some(patient.chart_number.as_str()),
    ];
    for text in names.chain(phones).chain(texts).flatten() {
        for word in fold(text).split(' ') {
            pieces_of_word(word, &mut pieces);
        }
    }
    pieces.into_iter().collect()
}

/// The pieces of somebody's given, family and preferred names: what a second chart of theirs would share.
pub fn name_pieces(patient: &Patient) -> Vec<i32> {
    let name = &patient.legal_name;
    let mut pieces = BTreeSet::new();
    for text in [Some(&name.given), name.family.as_ref(), patient.preferred_name.as_ref()].into_iter().flatten() {
        for word in fold(text).split(' ').filter(|word| !word.is_empty()) {
            pieces_of_word(word, &mut pieces);
        }
    }
    pieces.into_iter().collect()
}

/// How alike two texts are once they are folded, 0 to 1: the pieces they share among all they have.
pub fn likeness(a: &str, b: &str) -> f64 {
    let pieces = |text: &str| {
        let mut pieces = BTreeSet::new();
        for word in fold(text).split(' ').filter(|word| !word.is_empty()) {
            pieces_of_word(word, &mut pieces);
        }
        pieces
    };
    let (a, b) = (pieces(a), pieces(b));
    let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    let all = a.union(&b).count();
    if all == 0 { 0.0 } else { count(a.intersection(&b).count()) / count(all) }
}

/// What a search looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Pieces of the words, with their starts and ends.
    pub pieces: Vec<i32>,
    /// How many of them a patient must have.
    pub needed: i32,
    /// Pieces from inside the words: who has them all is found too, wherever they stand.
    pub inner: Vec<i32>,
}

/// Reads a query. `None` when it has no letter and no digit.
pub fn query(text: &str) -> Option<Query> {
    let folded = fold(text);
    let (mut exact, mut loose, mut inner) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for word in folded.split(' ').filter(|word| !word.is_empty()) {
        let characters: Vec<char> = word.chars().collect();
        inner.extend(characters.windows(3).map(pack));
        if characters.len() < 3 {
            // Too short to be misspelt: it must start a word.
            let padded: Vec<char> = "  ".chars().chain(word.chars()).collect();
            exact.extend(padded.windows(3).map(pack));
        } else if word.contains(|character: char| character.is_ascii_digit()) {
            // Numbers are not misspelt a little: another digit is another number.
            exact.extend(characters.windows(3).map(pack));
        } else {
            pieces_of_word(word, &mut loose);
        }
    }
    let loose: BTreeSet<i32> = loose.difference(&exact).copied().collect();
    if exact.is_empty() && loose.is_empty() {
        return None;
    }
    // More than half of the pieces: one wrong, missing or doubled letter in a word of five still passes.
    let enough = if loose.is_empty() { 0 } else { loose.len() / 2 + 1 };
    let needed = i32::try_from(exact.len() + enough).unwrap_or(i32::MAX);
    Some(Query { pieces: exact.into_iter().chain(loose).collect(), needed, inner: inner.into_iter().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(query_text: &str, name: &str) -> bool {
        let mut have = BTreeSet::new();
        for word in fold(name).split(' ') {
            pieces_of_word(word, &mut have);
        }
        let query = query(query_text).expect("a query");
        let shared = query.pieces.iter().filter(|piece| have.contains(piece)).count();
        let enough = usize::try_from(query.needed).is_ok_and(|needed| shared >= needed);
        enough || (!query.inner.is_empty() && query.inner.iter().all(|piece| have.contains(piece)))
    }

    #[test]
    fn part_of_a_name_finds_it() {
        for part in ["jo", "john", "johnson", "hnso", "ohns", "anna johnson", "johnson anna"] {
            assert!(finds(part, "Anna Johnson"), "{part}");
        }
    }

    #[test]
    fn a_little_misspelt_finds_it() {
        for misspelt in ["jonson", "johnsen", "johnsson", "ana johnson", "anna jonson"] {
            assert!(finds(misspelt, "Anna Johnson"), "{misspelt}");
        }
        assert!(finds("garcia", "María García-Núñez") && finds("nuñez", "Maria Garcia Nunez"));
    }

    #[test]
    fn another_name_is_not_found() {
        for other in ["smith", "jackson", "mo", "annabelle peterson"] {
            assert!(!finds(other, "Anna Johnson"), "{other}");
        }
    }

    #[test]
    fn phones_are_found_by_their_digits() {
        assert!(finds("600123", "+34600123456") && finds("+34 600", "+34600123456"));
    }

    #[test]
    fn another_number_is_not_found() {
        assert!(finds("P-000002", "P-000002") && !finds("P-000002", "P-000003") && !finds("600124", "+34600123456"));
    }

    #[test]
    fn punctuation_alone_is_no_query() {
        assert_eq!(query(" -- % "), None);
    }
}
