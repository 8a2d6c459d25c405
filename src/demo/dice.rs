//! Chance that can be repeated: the same seed and patient give the same throws, in every version of this program.

/// SplitMix64 (Steele, Lea and Flood, 2014). Written out here because `rand` promises no stream across its versions.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// The dice of one patient of a seed.
    pub(super) fn new(seed: u64, patient: u64) -> Self {
        let mut dice = Self(seed ^ 0x636c_696e_6963_0001);
        let spread = dice.next();
        Self(spread ^ patient.wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to `count - 1`; 0 for a count of 0.
    pub(super) fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count).unwrap_or(u64::MAX).min(u64::from(u32::MAX));
        usize::try_from(((self.next() >> 32) * count) >> 32).unwrap_or(0)
    }

    /// From one number to another, both included.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = usize::try_from(most - least + 1).unwrap_or(1);
        least + i64::try_from(self.below(span)).unwrap_or(0)
    }

    /// True in so many of 1,000 throws.
    pub(super) fn chance(&mut self, of_thousand: usize) -> bool {
        self.below(1000) < of_thousand
    }

    /// One of a list.
    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let place = self.below(list.len());
        list.get(place)
    }

    /// One of a list of texts.
    pub(super) fn word<'a>(&mut self, list: &[&'a str]) -> &'a str {
        self.pick(list).copied().unwrap_or_default()
    }

    /// One of the others, each in so many of 1,000 throws, else the usual one.
    pub(super) fn weighted<T: Copy>(&mut self, usual: T, others: &[(usize, T)]) -> T {
        let mut thrown = self.below(1000);
        for (of_thousand, other) in others {
            if thrown < *of_thousand {
                return *other;
            }
            thrown -= of_thousand;
        }
        usual
    }

    /// Bytes, for an id or a salt.
    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for piece in bytes.chunks_mut(8) {
            for (byte, thrown) in piece.iter_mut().zip(self.next().to_be_bytes()) {
                *byte = thrown;
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same_and_another_does_not() {
        let throws = |seed, patient| {
            let mut dice = Dice::new(seed, patient);
            (0..20).map(|_| dice.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(throws(1, 7), throws(1, 7));
        assert_ne!(throws(1, 7), throws(1, 8));
        assert_ne!(throws(1, 7), throws(2, 7));
    }

    #[test]
    fn throws_keep_their_bounds_and_their_weights() {
        let mut dice = Dice::new(3, 3);
        assert!((0..10_000).all(|_| (-2..=4).contains(&dice.between(-2, 4))));
        let heads = (0..10_000).filter(|_| dice.weighted(false, &[(250, true)])).count();
        assert!((2200..2800).contains(&heads), "{heads}");
        assert_eq!((dice.below(0), dice.word(&[])), (0, ""));
    }
}
