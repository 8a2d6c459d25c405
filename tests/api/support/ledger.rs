//! Contents of the ledger, which the service keeps compressed, for tests that read or forge them in SQL.

use super::database::Sql;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal")).collect()
}

/// The content that the hexadecimal text of a packed one holds, or why it can't be read.
pub fn unpacked(hex: &str) -> Result<String, String> {
    clinic::evidence::unpack_content(&bytes(hex)).map_err(|why| format!("{why:?}"))
}

/// A packed content as a literal of SQL.
pub fn packed(content: &str) -> String {
    let packed = clinic::evidence::pack_content(content).expect("packed");
    let hex: String = packed.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("'\\x{hex}'::bytea")
}

impl Sql {
    /// Rewrites packed contents as the text that they are, in the entries of a condition. This is the form of before
    /// contents were packed, and as valid. To be called as the superuser.
    pub async fn plain_ledger(&self, condition: &str) {
        let packed = format!(
            "SELECT org_id, seq, at, encode(packed, 'hex') FROM ledger WHERE packed IS NOT NULL AND ({condition})"
        );
        let rows = self.rows(&packed).await;
        for some in rows.chunks(500) {
            let values: Vec<String> = some
                .iter()
                .map(|row| {
                    let text = |column: usize| row[column].as_deref().expect("a value");
                    let content = unpacked(text(3)).expect("a content").replace('\'', "''");
                    format!("('{}'::uuid, {}::bigint, '{}'::timestamptz, '{content}')", text(0), text(1), text(2))
                })
                .collect();
            self.run(&format!(
                "UPDATE ledger l SET content = v.content, packed = NULL FROM (VALUES {}) AS v (org_id, seq, at, content) \
                 WHERE l.org_id = v.org_id AND l.seq = v.seq AND l.at = v.at",
                values.join(", ")
            ))
            .await;
        }
    }
}
