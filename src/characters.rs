//! Characters that can't be seen: which of them a text may hold, and how a text from outside is printed. What is what comes
//! from Unicode's own tables.

use icu_properties::CodePointSetData;
use icu_properties::props::{BidiControl, DefaultIgnorableCodePoint, JoinControl, VariationSelector, WhiteSpace};
use std::borrow::Cow;
use std::fmt::Write;

/// A character that shows nothing by itself and is not the space between words. The blank pattern of Braille is a symbol to
/// Unicode; nobody sees it.
fn is_invisible(character: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character) || character == '\u{2800}'
}

fn is_space(character: char) -> bool {
    CodePointSetData::new::<WhiteSpace>().contains(character)
}

fn is_seen(character: char) -> bool {
    !character.is_control() && !is_invisible(character) && !is_space(character)
}

/// Ends a line, as a control character or not.
fn ends_line(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}')
}

/// Whether an invisible character shapes the letters or the sign beside it: a joiner between two of them, as Persian and
/// emoji have it, or what chooses the look of the one before.
fn shapes(before: Option<char>, character: char, after: Option<char>) -> bool {
    let chooses = |it: char| CodePointSetData::new::<VariationSelector>().contains(it);
    let joins = CodePointSetData::new::<JoinControl>().contains(character);
    if joins {
        return before.is_some_and(|it| is_seen(it) || chooses(it)) && after.is_some_and(is_seen);
    }
    chooses(character) && before.is_some_and(is_seen)
}

/// What keeps a text from being read as what it is, as a client reads it: which character, at which place.
fn fault(text: &str, wrong: impl Fn(Option<char>, char, Option<char>) -> Option<&'static str>) -> Option<String> {
    let characters: Vec<char> = text.chars().collect();
    let around = |i: usize| (i.checked_sub(1).and_then(|i| characters.get(i)).copied(), characters.get(i + 1).copied());
    let first = characters.iter().enumerate().find_map(|(i, character)| {
        let (before, after) = around(i);
        wrong(before, *character, after).map(|kind| (i + 1, *character, kind))
    });
    if let Some((place, character, kind)) = first {
        let code = u32::from(character);
        return Some(format!("has U+{code:04X} as character {place}, {kind}: take it out"));
    }
    let blank = !characters.is_empty() && !characters.iter().any(|it| is_seen(*it));
    blank.then(|| "holds nothing that can be seen".to_owned())
}

/// What is wrong with a text of one line, such as a name: control characters, those that turn the direction of what follows,
/// those that nobody sees, unless they shape a letter. None if nothing is.
pub fn fault_of_line(text: &str) -> Option<String> {
    fault(text, |before, character, after| {
        if character.is_control() || ends_line(character) {
            Some("a control character")
        } else if CodePointSetData::new::<BidiControl>().contains(character) {
            Some("which turns the direction of writing")
        } else if is_invisible(character) && !shapes(before, character, after) {
            Some("which nobody sees")
        } else {
            None
        }
    })
}

/// What is wrong with a text of several lines, such as a note: control characters other than line breaks and tabs, and a text
/// of which nothing can be seen. None if nothing is.
pub fn fault_of_prose(text: &str) -> Option<String> {
    fault(text, |_, character, _| {
        let breaks = matches!(character, '\n' | '\r' | '\t');
        (character.is_control() && !breaks).then_some("a control character")
    })
}

/// A text from outside as a terminal or a log may show it, in one line: what would act instead of being seen is written as
/// its code.
pub fn shown(text: &str) -> Cow<'_, str> {
    let acts = |before, character: char, after| {
        character.is_control()
            || ends_line(character)
            || CodePointSetData::new::<BidiControl>().contains(character)
            || is_invisible(character) && character != '\u{2800}' && !shapes(before, character, after)
    };
    let mut characters = text.chars().peekable();
    let mut written = String::with_capacity(text.len());
    let mut before = None;
    while let Some(character) = characters.next() {
        if acts(before, character, characters.peek().copied()) {
            let _ = match character {
                '\n' | '\r' | '\t' => write!(written, "{}", character.escape_default()),
                _ => write!(written, "{}", character.escape_unicode()),
            };
        } else {
            written.push(character);
        }
        before = Some(character);
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
        ] {
            let fault = fault_of_line(name).unwrap_or_default();
            assert!(fault.contains(&format!("as character {place},")), "{name:?}: {fault}");
        }
        assert_eq!(fault_of_line("\u{a0}").as_deref(), Some("holds nothing that can be seen"));
        assert_eq!(
            fault_of_line("A\u{1b}").as_deref(),
            Some("has U+001B as character 2, a control character: take it out")
        );
    }

    #[test]
    fn a_note_has_lines_and_directions_and_no_control_characters() {
        for text in ["One\r\n\ttwo\n", "שלום \u{200f}(ok)", "Zero\u{200b}width"] {
            assert_eq!(fault_of_prose(text), None, "{text:?}");
        }
        for text in ["\u{1b}[2K", "a\u{0}", "a\u{9b}31m", "\u{200b}\u{2060}", "\n\u{3164}\n"] {
            assert!(fault_of_prose(text).is_some(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_bends_no_terminal(text in any::<String>()) {
            let shown = shown(&text);
            prop_assert!(!shown.chars().any(|it| it.is_control() || ends_line(it)));
            prop_assert!(!shown.chars().any(|it| CodePointSetData::new::<BidiControl>().contains(it)));
        }

        #[test]
        fn a_line_that_is_taken_is_shown_as_it_is(text in "\\PC*") {
            if fault_of_line(&text).is_none() {
                prop_assert_eq!(shown(&text), text.as_str());
            }
        }
    }
}
