//! Words in pieces of three letters, so that a misspelt one shares most of its pieces with the right one.

use crate::folding::{fold, spelled_out};
use std::collections::BTreeSet;

/// Three characters in a whole number: 32 bits of FNV-1a. Two pieces may share a number; a word is then looked at in vain.
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
pub fn pieces_of_word(word: &str) -> BTreeSet<i32> {
    let padded: Vec<char> = "  ".chars().chain(word.chars()).chain(" ".chars()).collect();
    padded.windows(3).map(pack).collect()
}

/// The pieces from inside a word of three letters or more: who has them all may have the word in another one.
pub(super) fn inner_pieces(word: &str) -> BTreeSet<i32> {
    word.chars().collect::<Vec<_>>().windows(3).map(pack).collect()
}

/// How alike two texts are once they are folded, 0 to 1: the pieces they share among all they have.
pub fn likeness(a: &str, b: &str) -> f64 {
    let spellings = |text: &str| -> Vec<BTreeSet<i32>> {
        let pieces =
            |folded: String| folded.split(' ').filter(|word| !word.is_empty()).flat_map(pieces_of_word).collect();
        [fold(text)].into_iter().chain(spelled_out(text)).map(pieces).collect()
    };
    let (one, other) = (spellings(a), spellings(b));
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| share(a, b)));
    pairs.fold(0.0, f64::max)
}

/// What two sets have in common among all they have, 0 to 1.
fn share(a: &BTreeSet<i32>, b: &BTreeSet<i32>) -> f64 {
    let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    let all = a.union(b).count();
    if all == 0 { 0.0 } else { count(a.intersection(b).count()) / count(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_name_are_the_same_name() {
        for (a, b) in [("Götz", "Goetz"), ("Goetz", "GÖTZ"), ("Trần", "Tran"), ("O'Hara", "O’Hara"), ("Zoë", "zoe")]
        {
            assert_eq!(likeness(a, b), 1.0, "{a} {b}");
        }
        assert!(likeness("Mia", "Lea") < 0.4 && likeness("", "Lea") == 0.0);
    }
}
