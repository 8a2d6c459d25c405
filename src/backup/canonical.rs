//! The canonical export: every row as a line, in an order that is the key's, and the hash of every photo. Two databases
//! that hold the same give the same bytes.

use super::{Entry, failed, photo_objects, picture, tables};
use crate::db::Address;
use crate::evidence::{copy_rows, line_of, lines_with_content, rows_of};
use crate::objects::Objects;
use futures::StreamExt;
use std::io::{BufWriter, Write};
use std::path::Path;
use tokio_postgres::Client;

/// Left out: what comes and goes without being anybody's record.
const TABLES_LEFT_OUT: [&str; 8] = [
    "idempotency",
    "one_time_token",
    "rate_budget",
    "refused_sign_in",
    "replaced_token",
    "sign_in_failure",
    "webhook_delivery",
    "webhook_place",
];
/// Columns that change by being used.
const COLUMNS_LEFT_OUT: [(&str, &str); 4] = [
    ("__diesel_schema_migrations", "run_on"),
    ("api_key_use", "last_used_at"),
    ("api_key_use", "last_used_from"),
    ("sign_in", "last_seen_at"),
];

/// Writes it; how many lines.
pub async fn export(
    reader: &Address,
    objects: &Objects,
    output: &Path,
    told: &(dyn Fn(u64, u64) + Sync),
) -> Result<u64, String> {
    let plain = |error: std::io::Error| format!("{} can't be written: {error}", output.display());
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = BufWriter::with_capacity(1 << 20, options.open(output).map_err(plain)?);
    let written = write(reader, objects, &mut file, told).await;
    let outcome = match written {
        Ok(lines) => file.flush().map(|()| lines).map_err(plain),
        Err(why) => Err(why),
    };
    if outcome.is_err() {
        let _ = std::fs::remove_file(output);
    }
    outcome
}

async fn write(
    reader: &Address,
    objects: &Objects,
    file: &mut impl Write,
    told: &(dyn Fn(u64, u64) + Sync),
) -> Result<u64, String> {
    let plain = |error: std::io::Error| format!("the export can't be written: {error}");
    let client = picture(reader).await?;
    let columns: Vec<String> = COLUMNS_LEFT_OUT.iter().map(|(table, column)| format!("{table}.{column}")).collect();
    let left_out: Vec<&str> = TABLES_LEFT_OUT.into_iter().chain(columns.iter().map(String::as_str)).collect();
    let head = serde_json::json!({"format": "clinic.export/1", "leftOut": left_out});
    writeln!(file, "{head}").map_err(plain)?;
    let mut lines = 1;
    let tables: Vec<String> =
        tables(&client).await?.into_iter().filter(|table| !TABLES_LEFT_OUT.contains(&table.as_str())).collect();
    let photos = photo_objects(&client).await?;
    let total = u64::try_from(tables.len() + photos.len()).unwrap_or(0);
    let mut done = 0;
    for table in tables {
        told(done, total);
        done += 1;
        lines += write_table(&client, &table, file).await?;
    }
    for (name, _) in photos {
        told(done, total);
        done += 1;
        let bytes = objects.whole(&name).await.map_err(|error| error.operator_message())?;
        let line = match bytes.map(|bytes| Entry::of(&bytes)) {
            Some(entry) => serde_json::json!({"object": name, "sha256": entry.sha256, "size": entry.size}),
            None => serde_json::json!({"object": name, "missing": true}),
        };
        writeln!(file, "{line}").map_err(plain)?;
        lines += 1;
    }
    Ok(lines)
}

async fn write_table(client: &Client, table: &str, file: &mut impl Write) -> Result<u64, String> {
    let plain = |error: std::io::Error| format!("the export can't be written: {error}");
    // The order is that of the primary key, or else of all columns as the table has them: rows may be alike then.
    let ask = "SELECT a.attname::text, CASE WHEN i.indrelid IS NULL THEN a.attnum::int4 \
               ELSE coalesce(array_position(i.indkey::int2[], a.attnum), -1) END, \
               format_type(a.atttypid, NULL) IN ('text', 'character varying') \
               FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary \
               WHERE a.attrelid = ('public.' || quote_ident($1))::regclass AND a.attnum > 0 AND NOT a.attisdropped \
               ORDER BY a.attname COLLATE \"C\"";
    let rows = client.query(ask, &[&table]).await.map_err(|error| failed(&error))?;
    let columns: Vec<(String, i32, bool)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let mut key: Vec<&(String, i32, bool)> = columns.iter().filter(|(_, place, _)| *place >= 0).collect();
    key.sort_by_key(|(_, place, _)| *place);
    let order: Vec<String> = key
        .iter()
        .map(|(name, _, is_text)| format!("\"{name}\"{}", if *is_text { " COLLATE \"C\"" } else { "" }))
        .collect();
    let names: Vec<&str> = columns.iter().map(|(name, ..)| name.as_str()).collect();
    let mut pieces = copy_rows(client, &lines(table, &names, &order.join(", "))).await?;
    let mut lines = 0;
    while let Some(piece) = pieces.next().await {
        for row in rows_of(&piece?)? {
            let row = line_of(&row)?;
            write!(file, "{{\"table\":\"{table}\",\"row\":").map_err(plain)?;
            file.write_all(&row).and_then(|()| file.write_all(b"}\n")).map_err(plain)?;
            lines += 1;
        }
    }
    Ok(lines)
}

/// The query for a table's rows as lines, with the columns that are shown, in the order of their names. The text of a
/// packed content stands as the content: which form the ledger keeps is not part of the record.
fn lines(table: &str, columns: &[&str], order: &str) -> String {
    let list = |columns: &[&str]| columns.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let shown: Vec<&str> = columns.iter().copied().filter(|name| !COLUMNS_LEFT_OUT.contains(&(table, name))).collect();
    let kept = if table == "ledger" { "content" } else { "" };
    let mut sides = shown.split(|name| *name == kept);
    if let (Some(before), Some(after)) = (sides.next(), sides.next()) {
        let after: Vec<&str> = after.iter().copied().filter(|name| *name != "packed").collect();
        let rows = format!("SELECT * FROM public.\"{table}\" ORDER BY {order}");
        return lines_with_content(&list(before), &list(&after), &rows);
    }
    format!(
        "SELECT convert_to(row_to_json(r)::text, 'UTF8') FROM (SELECT {} FROM public.\"{table}\" ORDER BY {order}) AS r",
        list(&shown)
    )
}
