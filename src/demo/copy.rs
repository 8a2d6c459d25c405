//! Rows as the text that COPY reads: a line for each, fields parted by tabs, `\N` for null.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use std::fmt::Write;
use uuid::Uuid;

/// Rows for one table.
#[derive(Default)]
pub(super) struct Rows {
    text: String,
    begun: bool,
    count: usize,
}

/// A value as COPY reads it.
pub(super) trait Field {
    /// Appends it.
    fn put(&self, text: &mut String);
}

impl Rows {
    /// Appends a field to the row.
    pub(super) fn put(&mut self, field: impl Field) -> &mut Self {
        if self.begun {
            self.text.push('\t');
        }
        self.begun = true;
        field.put(&mut self.text);
        self
    }

    /// Ends the row.
    pub(super) fn end(&mut self) {
        self.text.push('\n');
        self.begun = false;
        self.count += 1;
    }

    /// Ends the row with fields that were put before, line end and all.
    pub(super) fn line(&mut self, fields: &str) {
        self.text.push('\t');
        self.text.push_str(fields);
        self.begun = false;
        self.count += 1;
    }

    /// Whether there is no row.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The rows in the order of their first columns.
    pub(super) fn in_order(self) -> Self {
        let mut lines: Vec<&str> = self.text.split_inclusive('\n').collect();
        lines.sort_unstable();
        Self { text: lines.concat(), ..self }
    }

    /// The text of all rows.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

// Writing to a String does not fail.
macro_rules! displayed {
    ($($type:ty),+) => { $(impl Field for $type { fn put(&self, text: &mut String) { let _ = write!(text, "{self}"); } })+ };
}
displayed!(i16, i32, i64, Decimal, NaiveDate, Uuid);

impl Field for bool {
    fn put(&self, text: &mut String) {
        text.push(if *self { 't' } else { 'f' });
    }
}

impl Field for DateTime<Utc> {
    fn put(&self, text: &mut String) {
        let _ = write!(text, "{}", self.format("%Y-%m-%d %H:%M:%S%.f+00"));
    }
}

impl Field for &str {
    fn put(&self, text: &mut String) {
        // Most texts need no escape: one look, one copy.
        if !self.contains(['\\', '\n', '\r', '\t']) {
            return text.push_str(self);
        }
        for character in self.chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                other => text.push(other),
            }
        }
    }
}

impl Field for &String {
    fn put(&self, text: &mut String) {
        self.as_str().put(text);
    }
}

/// bytea
impl Field for &[u8] {
    fn put(&self, text: &mut String) {
        text.push_str("\\\\x");
        for byte in *self {
            let _ = write!(text, "{byte:02x}");
        }
    }
}

/// text[] of words that need no quotes.
impl Field for Vec<&'static str> {
    fn put(&self, text: &mut String) {
        let _ = write!(text, "{{{}}}", self.join(","));
    }
}

impl<F: Field> Field for Option<F> {
    fn put(&self, text: &mut String) {
        match self {
            Some(field) => field.put(text),
            None => text.push_str("\\N"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_in_the_order_of_their_first_columns() {
        let mut rows = Rows::default();
        for (name, number) in [("b", 2), ("a\n", 3), ("a", 4), ("b", 1)] {
            rows.put(name).put(number).end();
        }
        assert_eq!(rows.in_order().into_text(), "a\t4\na\\n\t3\nb\t1\nb\t2\n");
    }

    #[test]
    fn what_parts_fields_and_rows_is_escaped() {
        let mut rows = Rows::default();
        rows.put("a\tb\\c\nd").put(None::<&str>).put([1_u8, 255].as_slice()).put(vec!["x", "y"]).put(true).end();
        assert_eq!(rows.into_text(), "a\\tb\\\\c\\nd\t\\N\t\\\\x01ff\t{x,y}\tt\n");
    }
}
