//! Rows as Postgres copies them out, in its binary form: the fastest way to read a million of them.

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
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
}
