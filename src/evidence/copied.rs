//! Rows as Postgres copies them out, in its binary form: the fastest way to read a million of them.

use crate::ledger::unpack;
use crate::record::hex;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use std::borrow::Cow;
use tokio_postgres::Client;

/// What stands before the first row: a signature, flags and the length of an extension.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// The columns of a row, in order; none for NULL.
pub type Columns<'r> = Vec<Option<&'r [u8]>>;

/// Copies the rows of a query out. Each item holds one row or a few, for `rows_of`.
pub async fn copy_rows(client: &Client, query: &str) -> Result<BoxStream<'static, Result<Bytes, String>>, String> {
    let copy = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
    let rows = client.copy_out(copy.as_str()).await.map_err(|error| super::failed("read", &error))?;
    Ok(rows.map_err(|error| super::failed("read", &error)).boxed())
}

/// The rows in a piece of the copy.
pub(crate) fn rows_of(piece: &[u8]) -> Result<Vec<Columns<'_>>, String> {
    let mut rest = piece;
    if let Some(after) = rest.strip_prefix(SIGNATURE) {
        let (_flags, after) = after.split_at_checked(4).ok_or_else(cut)?;
        let (extension, after) = long(after)?;
        rest = after.get(usize::try_from(extension).map_err(|_| cut())?..).ok_or_else(cut)?;
    }
    let mut rows = Vec::with_capacity(1);
    while let Some((count, after)) = rest.split_at_checked(2) {
        let count = i16::from_be_bytes(count.try_into().map_err(|_| cut())?);
        rest = after;
        let Ok(count) = usize::try_from(count) else { break };
        let mut columns = Vec::with_capacity(count);
        for _ in 0..count {
            let (length, after) = long(rest)?;
            rest = after;
            columns.push(match usize::try_from(length) {
                Ok(length) => {
                    let (value, after) = rest.split_at_checked(length).ok_or_else(cut)?;
                    rest = after;
                    Some(value)
                }
                Err(_) => None,
            });
        }
        rows.push(columns);
    }
    Ok(rows)
}

/// The query for rows as lines of JSON: one column with the whole line, or for rows of the ledger four columns, of which
/// `line_of` makes the line. `before` and `after` list the columns before and after the content; neither is empty.
pub(crate) fn lines_with_content(before: &str, after: &str, rows: &str) -> String {
    let object =
        |columns: &str| format!("convert_to(row_to_json((SELECT o FROM (SELECT {columns}) AS o))::text, 'UTF8')");
    format!("SELECT {}, r.content, r.packed, {} FROM ({rows}) AS r", object(before), object(after))
}

/// A row as a line of JSON, with the content as text however the ledger keeps it: the letters are those that Postgres'
/// own `row_to_json` would write. A content that can't be unpacked is null, with its bytes as `unreadable`.
pub(crate) fn line_of<'r>(row: &Columns<'r>) -> Result<Cow<'r, [u8]>, String> {
    let (before, content, packed, after) = match row.as_slice() {
        [line] => return Ok(Cow::Borrowed(line.unwrap_or_default())),
        [Some(before), content, packed, Some(after)] => (*before, *content, *packed, *after),
        _ => return Err("a row of the database has another form than this program's".to_owned()),
    };
    let unpacked = packed.map(unpack);
    let content = match (content, &unpacked) {
        (_, Some(unpacked)) => unpacked.as_deref().ok(),
        (Some(content), None) => Some(std::str::from_utf8(content).map_err(|_| "a content is not text")?),
        (None, None) => None,
    };
    let before = before.strip_suffix(b"}").ok_or_else(cut)?;
    let after = after.strip_prefix(b"{").ok_or_else(cut)?;
    let mut line = [before, b",\"content\":"].concat();
    serde_json::to_writer(&mut line, &content).map_err(|error| error.to_string())?;
    if let (Some(packed), Some(Err(_))) = (packed, &unpacked) {
        // What is broken is given out as it is.
        line.extend_from_slice(format!(",\"unreadable\":\"{}\"", hex::text(packed)).as_bytes());
    }
    line.push(b',');
    line.extend_from_slice(after);
    Ok(Cow::Owned(line))
}

fn long(bytes: &[u8]) -> Result<(i32, &[u8]), String> {
    let (number, rest) = bytes.split_at_checked(4).ok_or_else(cut)?;
    Ok((i32::from_be_bytes(number.try_into().map_err(|_| cut())?), rest))
}

fn cut() -> String {
    "the database cut a row in two".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_read_with_and_without_its_beginning() {
        let row = b"\0\x02\0\0\0\x01x\xff\xff\xff\xff";
        let first = [SIGNATURE, &[0; 8], row].concat();
        for piece in [&first[..], row] {
            assert_eq!(rows_of(piece), Ok(vec![vec![Some(&b"x"[..]), None]]));
        }
        assert_eq!(rows_of(b"\xff\xff"), Ok(vec![]), "the end");
        assert_eq!(rows_of(&[SIGNATURE, &[0; 8], b"\xff\xff"].concat()), Ok(vec![]), "none at all");
        assert!(rows_of(&row[..6]).is_err());
    }

    #[test]
    fn a_content_is_the_same_in_a_line_however_it_is_kept() {
        let content = "{\"a\":\"ë \\\" \u{7f}\"}\n\u{1}";
        let packed = crate::ledger::pack(content).expect("packed");
        let line = |content: Option<&[u8]>, packed: Option<&[u8]>| {
            let row = vec![Some(&b"{\"action\":1}"[..]), content, packed, Some(&b"{\"seq\":2}"[..])];
            line_of(&row).map(|line| String::from_utf8_lossy(&line).into_owned())
        };
        let told = line(Some(content.as_bytes()), None).expect("a line");
        assert_eq!(told, "{\"action\":1,\"content\":\"{\\\"a\\\":\\\"ë \\\\\\\" \u{7f}\\\"}\\n\\u0001\",\"seq\":2}");
        assert_eq!(line(None, Some(&packed)), Ok(told));
        assert_eq!(line(None, None).as_deref(), Ok("{\"action\":1,\"content\":null,\"seq\":2}"));
        let cut: String = packed[..9].iter().map(|byte| format!("{byte:02x}")).collect();
        let told = format!("{{\"action\":1,\"content\":null,\"unreadable\":\"{cut}\",\"seq\":2}}");
        assert_eq!(line(None, Some(&packed[..9])), Ok(told));
        assert!(line_of(&vec![None, None]).is_err());
        assert_eq!(line_of(&vec![Some(&b"{}"[..])]).as_deref(), Ok(&b"{}"[..]));
    }
}
