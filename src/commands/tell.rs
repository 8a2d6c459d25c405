//! What a command prints. Names and messages come from outside, and a terminal obeys what it is sent: every line goes through
//! here, and what would act instead of being seen is written as its code.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use crate::characters::shown;
use std::io::{self, Write};

/// Prints a line.
pub(super) fn line(text: impl AsRef<str>) {
    println!("{}", shown(text.as_ref()));
}

/// Prints cells of a table, with tabs between them: a tab in a cell makes no cell.
pub(super) fn cells(cells: &[&str]) {
    println!("{}", cells.iter().map(|cell| shown(cell)).collect::<Vec<_>>().join("\t"));
}

/// Prints a line on standard error.
pub(super) fn complain(text: impl AsRef<str>) {
    eprintln!("{}", shown(text.as_ref()));
}

/// Prints the program's own text as it is: the schema, a key, the greeting.
pub(super) fn own(text: &str) {
    print!("{text}");
    let _ = io::stdout().flush();
}

/// Where the text log goes: standard error, one line for each event whatever it holds. Of the escapes of a terminal only
/// colours are left, and those only where the formatter makes them.
pub(super) struct Log {
    /// Whether it does.
    pub(super) colours: bool,
}

impl Log {
    fn line(&self, event: &str) -> String {
        let mut parts = event.split('\u{1b}');
        let mut line = shown(parts.next().unwrap_or_default()).into_owned();
        for part in parts {
            let code = part.strip_prefix('[').and_then(|part| part.split_once('m'));
            let colour = code.is_some_and(|(code, _)| code.bytes().all(|it| it.is_ascii_digit() || it == b';'));
            line.push_str(if self.colours && colour { "\u{1b}" } else { "\\u{1b}" });
            line.push_str(&shown(part));
        }
        line
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line = self.line(text.strip_suffix('\n').unwrap_or(&text));
        io::stderr().lock().write_all(format!("{line}\n").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_and_bends_nothing() {
        let event = "\u{1b}[32m INFO\u{1b}[0m clinic: signed in name=A\n ERROR clinic: forged\u{1b}[2K\u{202e}";
        let plain = "\\u{1b}[32m INFO\\u{1b}[0m clinic: signed in name=A\\n ERROR clinic: forged\\u{1b}[2K\\u{202e}";
        assert_eq!(Log { colours: false }.line(event), plain);
        let coloured = plain.replace("\\u{1b}[32m", "\u{1b}[32m").replace("\\u{1b}[0m", "\u{1b}[0m");
        assert_eq!(Log { colours: true }.line(event), coloured);
    }
}
