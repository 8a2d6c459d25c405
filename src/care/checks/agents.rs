//! The agents of a numbing cream, as texts name them.

use crate::session::{AnaestheticAgent, LocalAnaesthetic};
use rust_decimal::Decimal;

/// Per cent of each agent of the licensed cream; up to so much its figures hold.
pub(super) const LICENSED_PERCENT: Decimal = Decimal::from_parts(25, 0, 0, false, 1);

/// Names of the agents in texts, as people write them.
const NAMES: [(&str, LocalAnaesthetic); 10] = [
    ("lidocain", LocalAnaesthetic::Lidocaine),
    ("lignocain", LocalAnaesthetic::Lidocaine),
    ("lidocaï", LocalAnaesthetic::Lidocaine),
    ("prilocain", LocalAnaesthetic::Prilocaine),
    ("prilocaï", LocalAnaesthetic::Prilocaine),
    ("tetracain", LocalAnaesthetic::Tetracaine),
    ("tétracaï", LocalAnaesthetic::Tetracaine),
    ("amethocain", LocalAnaesthetic::Tetracaine),
    ("benzocain", LocalAnaesthetic::Benzocaine),
    ("benzocaï", LocalAnaesthetic::Benzocaine),
];

/// The agents that a text names, each with its per cent: `lidocaine 2.5 % + prilocaine 2.5 %`, `23% lidocaine, 7% tetracaine`,
/// `lidocaine/prilocaine 2.5/2.5 %`, `EMLA`. Nothing where the two do not go together one by one.
pub fn read_agents(text: &str) -> Vec<AnaestheticAgent> {
    let text = text.to_lowercase();
    let mut named: Vec<(usize, LocalAnaesthetic)> =
        NAMES.iter().flat_map(|(name, agent)| text.match_indices(name).map(|(at, _)| (at, *agent))).collect();
    named.sort_by_key(|(at, _)| *at);
    let numbers: Vec<Decimal> = text
        .split(|it: char| !it.is_ascii_digit() && it != '.' && it != ',')
        .filter_map(|it| it.trim_matches(['.', ',']).replace(',', ".").parse().ok())
        .filter(|it| *it > Decimal::ZERO && *it <= Decimal::ONE_HUNDRED)
        .collect();
    if named.is_empty() && text.split(|it: char| !it.is_alphanumeric()).any(|it| it == "emla") {
        let each = |agent| AnaestheticAgent { agent, percent: LICENSED_PERCENT };
        return vec![each(LocalAnaesthetic::Lidocaine), each(LocalAnaesthetic::Prilocaine)];
    }
    if named.len() != numbers.len() {
        return Vec::new();
    }
    named.into_iter().zip(numbers).map(|((_, agent), percent)| AnaestheticAgent { agent, percent }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agents_are_read_as_people_write_them() {
        let read = |text: &str| {
            read_agents(text).iter().map(|it| format!("{} {}", it.agent.as_str(), it.percent)).collect::<Vec<_>>()
        };
        for (text, expected) in [
            ("lidocaine 5 %", vec!["lidocaine 5"]),
            ("Lignocaine 10,56% gel", vec!["lidocaine 10.56"]),
            ("23% lidocaine, 7% tetracaine", vec!["lidocaine 23", "tetracaine 7"]),
            ("lidocaine/prilocaine 2.5/2.5 %", vec!["lidocaine 2.5", "prilocaine 2.5"]),
            ("Lidocaïne 4 %", vec!["lidocaine 4"]),
            ("EMLA 5 %", vec!["lidocaine 2.5", "prilocaine 2.5"]),
            ("lidocaine", vec![]),
            ("5 %", vec![]),
            ("Numbrella", vec![]),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reading_of_agents(text in "\\PC{0,60}") {
            let _ = read_agents(&text);
        }
    }
}
