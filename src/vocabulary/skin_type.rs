//! Skin phototypes.

use super::vocabulary;

vocabulary! {
    /// Fitzpatrick skin phototype.
    FitzpatrickType {
        /// Always burns, never tans.
        I = "1",
        /// Usually burns, tans minimally.
        Ii = "2",
        /// Sometimes burns mildly, tans uniformly.
        Iii = "3",
        /// Burns minimally, always tans well.
        Iv = "4",
        /// Very rarely burns, tans very easily.
        V = "5",
        /// Never burns.
        Vi = "6",
    }
}

impl FitzpatrickType {
    /// The type as the database keeps it, 1 to 6.
    pub fn number(self) -> i16 {
        self.as_str().parse().unwrap_or(0)
    }

    /// The type of a number.
    pub fn of(number: i16) -> Option<Self> {
        Self::parse(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skin_types_go_by_number() {
        for kind in FitzpatrickType::ALL {
            assert_eq!(FitzpatrickType::of(kind.number()), Some(*kind));
        }
        assert_eq!(FitzpatrickType::of(7), None);
    }
}
