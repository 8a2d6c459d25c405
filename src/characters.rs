//! Characters that can't be seen: which of them a text may hold, and how a text from outside is printed. What is what comes
//! from Unicode's own tables.

mod unicode;

use icu_properties::CodePointSetData;
use icu_properties::props::{BidiControl, JoinControl};
use std::borrow::Cow;
use std::fmt::Write;
use unicode::{
    chooses, ends_line, is_blank, is_invisible, is_mark, is_nothing, is_seen, is_space, is_virama, says_something,
};

/// How many marks one letter may bear. A letter of Tibetan bears up to eight; a heap of more runs over the lines around it.
const MOST_MARKS: usize = 8;

/// A character where it stands.
struct Place {
    before: Option<char>,
    character: char,
    after: Option<char>,
    /// How many marks the letter bears so far, with this one. What nobody sees makes no new letter.
    marks: usize,
}

/// The characters of a text, each where it stands.
fn places(text: &str) -> impl Iterator<Item = Place> {
    let mut characters = text.chars().peekable();
    let (mut before, mut marks) = (None, 0_usize);
    std::iter::from_fn(move || {
        let character = characters.next()?;
        if is_mark(character) {
            marks += 1;
        } else if is_seen(character) || is_space(character) {
            marks = 0;
        }
        let place = Place { before, character, after: characters.peek().copied(), marks };
        before = Some(character);
        Some(place)
    })
}

impl Place {
    /// Whether an invisible character shapes the letters or the sign beside it: a joiner between two of them, as Persian
    /// and emoji have it, or after a virama, as Malayalam ends words; or what chooses the look of the one before.
    fn shapes(&self) -> bool {
        if CodePointSetData::new::<JoinControl>().contains(self.character) {
            return self.before.is_some_and(|it| is_seen(it) || chooses(it)) && self.after.is_some_and(is_seen)
                || self.before.is_some_and(is_virama);
        }
        chooses(self.character) && self.before.is_some_and(is_seen)
    }

    /// A mark that sits on nothing, or on whatever is printed before the text.
    fn sits_outside(&self) -> bool {
        is_mark(self.character) && self.before.is_none_or(char::is_control)
    }

    fn is_one_mark_too_many(&self) -> bool {
        is_mark(self.character) && self.marks > MOST_MARKS
    }

    /// Why a text of one line can't have this character here.
    fn fault_in_line(&self) -> Option<&'static str> {
        if self.character.is_control() || ends_line(self.character) {
            Some("a control character")
        } else if CodePointSetData::new::<BidiControl>().contains(self.character) {
            Some("which turns the direction of writing")
        } else if is_nothing(self.character) {
            Some("to which Unicode gives no meaning")
        } else if is_invisible(self.character) && !self.shapes() {
            Some("which nobody sees")
        } else if self.sits_outside() {
            Some("a mark with no letter before it")
        } else if self.is_one_mark_too_many() {
            Some("one mark too many on its letter")
        } else {
            None
        }
    }

    /// Whether a terminal or a log would obey it, hide it or draw it over something else.
    fn acts(&self) -> bool {
        !is_blank(self.character) && self.fault_in_line().is_some()
    }
}

/// What keeps a text from being read as what it is, as a client reads it: which character, at which place.
fn fault(text: &str, wrong: impl Fn(&Place) -> Option<&'static str>) -> Option<String> {
    let mut found = places(text).enumerate();
    let first = found.find_map(|(i, place)| wrong(&place).map(|kind| (i + 1, u32::from(place.character), kind)));
    if let Some((place, code, kind)) = first {
        return Some(format!("has U+{code:04X} as character {place}, {kind}: take it out"));
    }
    let blank = !text.is_empty() && !text.chars().any(says_something);
    blank.then(|| "holds nothing that can be seen".to_owned())
}

/// What is wrong with a text of one line, such as a name: control characters, those that turn the direction of what follows,
/// those that nobody sees, unless they shape a letter, codes without a meaning, heaps of marks, and a text without a letter,
/// number, punctuation mark or symbol. None if nothing is.
pub fn fault_of_line(text: &str) -> Option<String> {
    fault(text, Place::fault_in_line)
}

/// What is wrong with a text of several lines, such as a note or a reason: control characters other than line breaks and
/// tabs, and a text of which nothing can be seen. None if nothing is.
pub fn fault_of_prose(text: &str) -> Option<String> {
    fault(text, |place| {
        let breaks = matches!(place.character, '\n' | '\r' | '\t');
        (place.character.is_control() && !breaks).then_some("a control character")
    })
}

/// How long a text is to whoever reads it: what nobody sees counts nothing, the space between two words one.
pub fn length_seen(text: &str) -> usize {
    let words = text.split_whitespace().map(|word| word.chars().filter(|it| is_seen(*it)).count());
    words.filter(|seen| *seen > 0).fold(0, |length, seen| if length == 0 { seen } else { length + 1 + seen })
}

/// A text from outside that is nobody's to correct, without the characters that a text of one line can't have.
pub fn legible(text: &str) -> String {
    places(text).filter(|place| place.fault_in_line().is_none()).map(|place| place.character).collect()
}

/// A text from outside as a terminal or a log may show it, in one line: what would act instead of being seen is written as
/// its code.
pub fn shown(text: &str) -> Cow<'_, str> {
    let mut written = String::with_capacity(text.len());
    for place in places(text) {
        let character = place.character;
        if place.acts() {
            let _ = match character {
                '\n' | '\r' | '\t' => write!(written, "{}", character.escape_default()),
                _ => write!(written, "{}", character.escape_unicode()),
            };
        } else {
            written.push(character);
        }
    }
    if written == text { Cow::Borrowed(text) } else { Cow::Owned(written) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_the_world_are_names() {
        for name in [
            "Ada",
            "می\u{200c}نا",
            "محمد",
            "Trần",
            "Tra\u{302}\u{300}n",
            "Ķēniņš",
            "山田 太郎",
            "김민준",
            "שרה",
            "O’Brien",
            "क्\u{200d}ष",
            "Clinic ❤\u{fe0f}",
            "👩\u{200d}⚕\u{fe0f} Vet",
            "ไทย",
            "Jean\u{a0}Luc",
            "東京\u{3000}大学",
            "مُحَمَّد",
            "خانه\u{200c}ی",
            "שָׂרָה",
            "น้ำฝน",
            "தமிழ்ச்செல்வி",
            "ශ්\u{200d}රී",
            "മോഹന്\u{200d}",
            "အောင်ဆန်း",
            "ܡܪ\u{70f}ܝ",
            "\u{f67}\u{f90}\u{fb5}\u{fa8}\u{fb3}\u{fba}\u{fbc}\u{fbb}\u{f82}",
            "𠮷野",
            "\u{30edd}",
            "葛\u{e0100}飾",
            "Ḥāfiẓ",
            "ʻAbd al-ʻAzīz",
            "Dostoevskii\u{306}",
            "I\u{fe20}U\u{fe21}lii\u{fe20}a\u{fe21}",
            "T\u{361}Svetaeva",
            "👩\u{1f3fd}\u{200d}🔬",
            "Room 1\u{fe0f}\u{20e3}",
            "Ø 12½ % №3",
        ] {
            assert_eq!(fault_of_line(name), None, "{name}");
            assert_eq!(fault_of_prose(name), None, "{name}");
            assert_eq!(shown(name), name);
        }
    }

    #[test]
    fn what_is_not_seen_is_no_name() {
        for (name, place) in [
            ("\u{3164}", 1),
            ("\u{200b}", 1),
            ("\u{200e}", 1),
            ("\u{2800}", 1),
            ("An\u{7}na", 3),
            ("An\u{1b}[31mna", 3),
            ("A\nB", 2),
            ("A\tB", 2),
            ("A\u{85}B", 2),
            ("A\u{2028}B", 2),
            ("A\u{202e}B", 2),
            ("A\u{2066}B", 2),
            ("A\u{ad}B", 2),
            ("\u{200c}A", 1),
            ("A\u{200d}", 2),
            ("A \u{200d}B", 3),
            ("A\u{200d}\u{200d}B", 2),
            ("\u{fe0f}A", 1),
            ("A\u{feff}", 2),
            ("A\u{e0041}", 2),
            ("\u{ffa0}", 1),
            ("\u{115f}\u{1160}", 1),
            ("\u{1d159}", 1),
            ("\u{13441}", 1),
            ("A\u{fffc}", 2),
            ("A \u{fff9}x \u{fffa}B", 3),
            ("\u{13430}", 1),
            ("\u{ffff}", 1),
            ("A\u{378}", 2),
            ("\u{e000}", 1),
            ("A\u{10fffd}", 2),
            ("\u{301}", 1),
            ("\u{301}Anna", 1),
        ] {
            let fault = fault_of_line(name).unwrap_or_default();
            assert!(fault.contains(&format!("as character {place},")), "{name:?}: {fault}");
        }
        for blank in ["\u{a0}", " \u{301}", "\u{3000}\u{301}\u{302}", " \u{93f}"] {
            assert_eq!(fault_of_line(blank).as_deref(), Some("holds nothing that can be seen"), "{blank:?}");
        }
        assert_eq!(
            fault_of_line("A\u{1b}").as_deref(),
            Some("has U+001B as character 2, a control character: take it out")
        );
    }

    #[test]
    fn a_letter_bears_eight_marks() {
        let heap = |marks: usize| format!("A{}n", "\u{301}".repeat(marks));
        assert_eq!(fault_of_line(&heap(8)), None);
        assert_eq!(shown(&heap(8)), heap(8));
        for marks in [9, 90] {
            let fault = fault_of_line(&heap(marks)).unwrap_or_default();
            assert!(fault.starts_with("has U+0301 as character 10, one mark too many"), "{marks}: {fault}");
        }
        let kept = "\u{301}".repeat(8);
        assert_eq!(shown(&heap(9)), format!("A{kept}\\u{{301}}n"));
        // A joiner between two marks begins no new letter.
        assert!(fault_of_line(&format!("A{}", "\u{301}\u{200d}".repeat(9) + "\u{301}B")).is_some());
        assert_eq!(fault_of_line(&format!("A{kept}n{kept}")), None);
        assert_eq!(fault_of_prose(&heap(90)), None);
    }

    #[test]
    fn what_was_kept_before_draws_over_nothing() {
        assert_eq!(shown("\u{301}"), "\\u{301}");
        assert_eq!(shown("A \u{fff9}x"), "A \\u{fff9}x");
        assert_eq!(shown("\u{e000}"), "\\u{e000}");
        assert_eq!(shown("\u{2800}⠁"), "\u{2800}⠁");
    }

    #[test]
    fn a_length_is_that_of_what_is_seen() {
        for (text, length) in [
            ("", 0),
            ("\u{3164}\u{3164}\u{3164}", 0),
            ("a\u{200b}\u{200b}\u{200b}", 1),
            ("a \u{2800} \u{2800} \u{2800}", 1),
            (" a \u{a0}\n b ", 3),
            ("Collapsed", 9),
            ("山田さん", 4),
            ("क्\u{200d}ष", 3),
        ] {
            assert_eq!(length_seen(text), length, "{text:?}");
        }
    }

    #[test]
    fn what_nobody_can_correct_is_made_legible() {
        for (text, legible_text) in [
            ("Anna's tablet", "Anna's tablet"),
            ("A\u{202e}b\u{200b}c\u{9b}d\u{e000}", "Abcd"),
            ("\u{301}A\u{3164}", "A"),
            ("👩\u{200d}⚕\u{fe0f} 1.0", "👩\u{200d}⚕\u{fe0f} 1.0"),
        ] {
            assert_eq!(legible(text), legible_text, "{text:?}");
        }
        assert_eq!(legible(&format!("A{}", "\u{301}".repeat(90))).chars().count(), 9);
    }

    #[test]
    fn a_note_has_lines_and_directions_and_no_control_characters() {
        for text in [
            "One\r\n\ttwo\n",
            "שלום \u{200f}(ok)",
            "Zero\u{200b}width",
            "Soft\u{ad}hyphen",
            "See \u{fffc}",
            "ok \u{e000}",
        ] {
            assert_eq!(fault_of_prose(text), None, "{text:?}");
        }
        let blank = [
            "\u{200b}\u{2060}",
            "\n\u{3164}\n",
            "\u{ad}\u{ad}\u{ad}",
            "\u{2800} \u{2800}",
            "\u{fffc}",
            "\u{1d159}",
            "\u{e000}\u{ffff}",
            "\u{301}\n\u{302}",
            "\u{202e}\u{2066}",
        ];
        for text in blank {
            assert_eq!(fault_of_prose(text).as_deref(), Some("holds nothing that can be seen"), "{text:?}");
        }
        for text in ["\u{1b}[2K", "a\u{0}", "a\u{9b}31m"] {
            assert!(fault_of_prose(text).is_some(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_bends_no_terminal(text in any::<String>()) {
            let shown = shown(&text);
            prop_assert!(!shown.chars().any(|it| it.is_control() || ends_line(it)));
            prop_assert!(!shown.chars().any(|it| CodePointSetData::new::<BidiControl>().contains(it)));
            prop_assert!(places(&shown).all(|it| !it.is_one_mark_too_many() && !it.sits_outside()));
        }

        #[test]
        fn a_line_that_is_taken_is_shown_as_it_is(text in "\\PC*") {
            if fault_of_line(&text).is_none() {
                prop_assert_eq!(shown(&text), text.as_str());
            }
        }
    }
}
