//! What a character is, by Unicode's own tables.

use icu_properties::props::{
    CanonicalCombiningClass, DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup,
    PrependedConcatenationMark, VariationSelector, WhiteSpace,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// What says something where it is seen; a mark alone does not.
const SAYING: GeneralCategoryGroup = GeneralCategoryGroup::Letter
    .union(GeneralCategoryGroup::Number)
    .union(GeneralCategoryGroup::Punctuation)
    .union(GeneralCategoryGroup::Symbol);

fn category(character: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(character)
}

/// A letter or symbol to Unicode that is drawn as nothing: the blank pattern of Braille, the place of an object that is
/// not there, a note without a head, blanks of hieroglyphs.
pub(super) fn is_blank(character: char) -> bool {
    matches!(character, '\u{2800}' | '\u{fffc}' | '\u{1d159}' | '\u{13441}' | '\u{13442}')
}

/// A code that is no character, or not yet, or means something to one font only.
pub(super) fn is_nothing(character: char) -> bool {
    matches!(category(character), GeneralCategory::Unassigned | GeneralCategory::PrivateUse)
}

/// A character that shows nothing by itself and is not the space between words. Signs that span the digits after them, as
/// Arabic has, are format characters and seen.
pub(super) fn is_invisible(character: char) -> bool {
    let formats = category(character) == GeneralCategory::Format
        && !CodePointSetData::new::<PrependedConcatenationMark>().contains(character);
    formats
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        || is_nothing(character)
        || is_blank(character)
}

pub(super) fn is_space(character: char) -> bool {
    CodePointSetData::new::<WhiteSpace>().contains(character)
}

pub(super) fn is_seen(character: char) -> bool {
    !character.is_control() && !is_invisible(character) && !is_space(character)
}

pub(super) fn is_mark(character: char) -> bool {
    GeneralCategoryGroup::Mark.contains(category(character))
}

pub(super) fn says_something(character: char) -> bool {
    is_seen(character) && SAYING.contains(category(character))
}

/// Takes the vowel from a letter of an Indian script.
pub(super) fn is_virama(character: char) -> bool {
    CodePointMapData::<CanonicalCombiningClass>::new().get(character) == CanonicalCombiningClass::Virama
}

/// Chooses the look of the character before it.
pub(super) fn chooses(character: char) -> bool {
    CodePointSetData::new::<VariationSelector>().contains(character)
}

/// Ends a line, as a control character or not.
pub(super) fn ends_line(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}')
}
