//! One pass over the text of a document before any parser sees it.
//!
//! The time and stack of the parser and the validator behind the gate depend on what the text contains; the time of
//! this pass depends only on its length in bytes. It knows just enough of GraphQL's lexical grammar not to be misled by
//! brackets inside strings and comments. Wherever it and the parser could read a text differently (an unterminated
//! string), it refuses.

use async_graphql::Pos;

use super::{DocumentLimits, Refusal};

/// Counts the tokens of `text` and checks it against the limits on bytes, tokens, bracket depth and the length of a
/// name.
///
/// # Errors
///
/// `QUERY_TOO_LARGE` beyond a limit, `GRAPHQL_PARSE_FAILED` for an unterminated string.
pub fn scan(text: &str, limits: &DocumentLimits) -> Result<usize, Refusal> {
    if text.len() > limits.document_bytes {
        return Err(Refusal::too_large(
            "bytes of query text",
            text.len() as u64,
            limits.document_bytes as u64,
            "ask for less at once, or say repeated parts once in a fragment",
        ));
    }
    let mut lexer = Lexer { text, bytes: text.as_bytes(), at: 0 };
    let (mut tokens, mut depth) = (0_usize, 0_usize);
    while let Some(token) = lexer.next_token()? {
        tokens += 1;
        if tokens > limits.tokens {
            return Err(Refusal::limit("tokens", limits.tokens as u64, "ask for fewer fields in one document"));
        }
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Name(length) if length > limits.name_bytes => {
                return Err(Refusal::limit("characters in a name", limits.name_bytes as u64, "use shorter names"));
            }
            Token::Name(_) | Token::Other => {}
        }
        if depth > limits.brackets {
            return Err(Refusal::limit("nested brackets", limits.brackets as u64, "nest less deeply"));
        }
    }
    Ok(tokens)
}

enum Token {
    Open,
    Close,
    /// With its length in bytes.
    Name(usize),
    Other,
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn follows(&self, mark: &[u8]) -> bool {
        self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(mark))
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
    }

    fn next_token(&mut self) -> Result<Option<Token>, Refusal> {
        while let Some(byte) = self.peek() {
            let start = self.at;
            self.at += 1;
            return Ok(Some(match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b',' => continue,
                b'#' => {
                    self.skip_while(|byte| byte != b'\n' && byte != b'\r');
                    continue;
                }
                b'{' | b'(' | b'[' => Token::Open,
                b'}' | b')' | b']' => Token::Close,
                b'"' => {
                    self.string(start)?;
                    Token::Other
                }
                b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                    self.skip_while(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
                    Token::Name(self.at - start)
                }
                // A number, or a spread's three dots: one token each, right or wrong; the parser says which.
                b'0'..=b'9' | b'-' | b'.' => {
                    self.skip_while(|byte| byte == b'.' || byte.is_ascii_digit());
                    Token::Other
                }
                _ => Token::Other,
            }));
        }
        Ok(None)
    }

    /// Reads the rest of a string whose first quote, at `start`, has been read.
    fn string(&mut self, start: usize) -> Result<(), Refusal> {
        self.at = start;
        if self.follows(b"\"\"\"") {
            self.at += 3;
            while self.at < self.bytes.len() {
                if self.follows(b"\"\"\"") {
                    self.at += 3;
                    return Ok(());
                }
                self.at += if self.follows(b"\\\"\"\"") { 4 } else { 1 };
            }
            return Err(self.unterminated(start));
        }
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                None | Some(b'\n' | b'\r') => return Err(self.unterminated(start)),
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
            }
        }
    }

    fn unterminated(&self, start: usize) -> Refusal {
        let before = self.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let position = Pos {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        };
        Refusal::syntax("this string does not end", Some(position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::codes;

    fn outcome(text: &str) -> Result<usize, &'static str> {
        scan(text, &DocumentLimits::default()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn tokens_are_counted_as_graphql_counts_them() {
        let cases: &[(&str, usize)] = &[
            ("", 0),
            (" ,\t\r\n", 0),
            ("# { \" (\n", 0),
            ("# a comment ends at a carriage return\r{a}", 3),
            ("{a}", 3),
            ("{ a: b(c: -1.5, d: \"{{{\") @skip(if: $x) { ...F } }", 25),
            ("\"\"\" { \" \\\"\"\" [ \"\"\"", 1),
            ("\"\"", 1),
            ("\"\\\"\"", 1),
            ("\"# not a comment\" a", 2),
            ("...", 1),
            ("\0é", 3),
        ];
        for (text, tokens) in cases {
            assert_eq!(outcome(text), Ok(*tokens), "{text:?}");
        }
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let hidden = "{".repeat(1000);
        assert_eq!(outcome(&format!("{{ a(b: \"{hidden}\") }}")), Ok(8));
        assert_eq!(outcome(&format!("{{ a(b: \"\"\"{hidden}\"\"\") #{hidden}\n }}")), Ok(8));
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let deep = |open: &str, n: usize| open.repeat(n);
        let cases = [
            deep("{", 61),
            deep("[", 61),
            deep("{a(b:[", 21),
            "{".repeat(1 << 20),
            "a ".repeat(5001),
            "a".repeat(257),
            "#".repeat(200_000),
        ];
        for text in cases {
            assert_eq!(outcome(&text), Err(codes::QUERY_TOO_LARGE), "{} bytes", text.len());
        }
        for text in [deep("{", 60), "a ".repeat(5000), "a".repeat(256), "}".repeat(5000), "{}".repeat(2500)] {
            assert!(outcome(&text).is_ok(), "{} bytes", text.len());
        }
    }

    #[test]
    fn strings_that_do_not_end_are_refused_where_they_begin() {
        for text in [
            "{ a(b: \"",
            "{ a(b: \"x\\",
            "{ a(b: \"x\ny\")}",
            "{ a(b: \"\"\"x",
            "{ a(b: \"\"\"x\\\"\"\"",
            "{ a(b: \"\"\"\"",
        ] {
            let refusal = scan(text, &DocumentLimits::default()).unwrap_err();
            assert_eq!((refusal.code, refusal.at), (codes::PARSE_FAILED, Some(Pos { line: 1, column: 8 })), "{text:?}");
        }
        let refusal = scan("{\n  é\"", &DocumentLimits::default()).unwrap_err();
        assert_eq!(refusal.at, Some(Pos { line: 2, column: 4 }));
    }

    #[test]
    fn the_refusal_names_the_limit_and_what_to_do() {
        let refusal = scan(&"a ".repeat(6000), &DocumentLimits::default()).unwrap_err();
        assert_eq!(
            refusal.message,
            "this document has more than the allowed 5000 tokens: ask for fewer fields in one document"
        );
    }
}
