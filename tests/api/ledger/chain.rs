//! The chain, computed a second time, from what the migration says of it.

use crate::access::chart;
use crate::support::*;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// SHA-256 of fields, each after its length as 8 bytes, big-endian.
pub fn hash_fields(fields: &[Vec<u8>]) -> Vec<u8> {
    let mut hasher = Sha256::new();
    for field in fields {
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field);
    }
    hasher.finalize().to_vec()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[i * 2..i * 2 + 2], 16).expect("hexadecimal")).collect()
}

fn uuid(text: &str) -> Vec<u8> {
    if text.is_empty() { Vec::new() } else { text.parse::<Uuid>().expect("a UUID").as_bytes().to_vec() }
}

const LEDGER: &str = "SELECT seq, digest_hex, hash_hex, salt IS NULL AND content IS NULL AND packed IS NULL, encode(salt, 'hex'), org_id, \
    micros, actor_id, request_id, action, record_kind, record_id, patient_id, version, content, encode(packed, 'hex')";

const ACCESS_LOG: &str = "SELECT seq, digest_hex, hash_hex, false, org_id, micros, actor_id, request_id, event, operation, from_address, \
    array_to_string(patient_ids, ' '), reason";

/// The number of the first broken entry of an organisation's chain, or none.
pub async fn broken(sql: &Sql, table: &str, org: Uuid) -> Option<i64> {
    let columns = if table == "ledger" { LEDGER } else { ACCESS_LOG };
    let rows = sql
        .rows(&format!(
            "{columns} FROM (SELECT *, encode(digest, 'hex') AS digest_hex, encode(hash, 'hex') AS hash_hex, \
        (extract(epoch FROM at) * 1000000)::bigint AS micros FROM {table}) AS t WHERE org_id = '{org}' ORDER BY seq"
        ))
        .await;
    let (mut last, mut hash) = (0, Sha256::digest(org.as_bytes()).to_vec());
    for row in rows {
        let text = |i: usize| row[i].clone().unwrap_or_default();
        let number = |i: usize| text(i).parse::<i64>().expect("a number");
        let fields = if table == "ledger" {
            let start = vec![bytes(&text(4)), uuid(&text(5)), number(6).to_be_bytes().to_vec(), uuid(&text(7))];
            let words = (8..11).map(|i| text(i).into_bytes());
            let version = i32::try_from(number(13)).expect("a version").to_be_bytes().to_vec();
            // A content that is kept twice, or packed otherwise than the program does it, is none that was sealed.
            let content = match (&row[14], &row[15]) {
                (content, None) => content.clone().unwrap_or_default(),
                (None, Some(packed)) => unpacked(packed).unwrap_or_default(),
                (Some(_), Some(_)) => String::new(),
            };
            start
                .into_iter()
                .chain(words)
                .chain([uuid(&text(11)), uuid(&text(12)), version, content.into_bytes()])
                .collect::<Vec<_>>()
        } else {
            let start = vec![uuid(&text(4)), number(5).to_be_bytes().to_vec(), uuid(&text(6))];
            let patients = text(11).split_whitespace().flat_map(uuid).collect();
            let reason = row[12].clone().map(String::into_bytes);
            start.into_iter().chain((7..11).map(|i| text(i).into_bytes())).chain([patients]).chain(reason).collect()
        };
        let erased = text(3) == "t";
        let digest = bytes(&text(1));
        hash = Sha256::new()
            .chain_update(&hash)
            .chain_update((last + 1_i64).to_be_bytes())
            .chain_update(&digest)
            .finalize()
            .to_vec();
        if number(0) != last + 1 || hash != bytes(&text(2)) || (!erased && hash_fields(&fields) != digest) {
            return Some(last + 1);
        }
        last += 1;
    }
    let head =
        sql.rows(&format!("SELECT seq, encode(hash, 'hex') FROM {table}_head WHERE org_id = '{org}'")).await.remove(0);
    let fits = head[0] == Some(last.to_string()) && head[1].as_deref().map(bytes) == Some(hash);
    (!fits).then_some(last + 1)
}

/// Appends an entry as the program would: for a record that a test made in SQL.
pub async fn append(sql: &Sql, org: Uuid, (kind, record): (&str, Uuid), patient: Uuid, content: &Value) {
    let (content, salt, at) = (content.to_string(), vec![7; 16], 1_700_000_000_000_000_i64);
    let fields = [
        salt.clone(),
        org.as_bytes().to_vec(),
        at.to_be_bytes().to_vec(),
        Vec::new(),
        b"test".to_vec(),
        b"create".to_vec(),
        kind.as_bytes().to_vec(),
        record.as_bytes().to_vec(),
        patient.as_bytes().to_vec(),
        1_i32.to_be_bytes().to_vec(),
        content.clone().into_bytes(),
    ];
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let digest = hex(&hash_fields(&fields));
    sql.run("SELECT ensure_month_partitions('2023-11-01', '2023-11-01')").await;
    sql.run(&format!(
        "WITH head AS (UPDATE ledger_head SET seq = seq + 1, hash = sha256(hash || int8send(seq + 1) || '\\x{digest}') \
        WHERE org_id = '{org}' RETURNING seq, hash) INSERT INTO ledger (org_id, seq, at, request_id, action, record_kind, record_id, \
        patient_id, version, content, salt, digest, hash) SELECT '{org}', seq, to_timestamp({}), 'test', 'create', '{kind}', '{record}', \
        '{patient}', 1, '{}', '\\x{}', '\\x{digest}', hash FROM head",
        at / 1_000_000,
        content.replace('\'', "''"),
        hex(&salt),
    ))
    .await;
}

/// Appends an entry in the transaction that is open, by a digest of nothing: what functions of the database go by is what
/// an entry says. Its number.
pub async fn enter(
    sql: &Sql,
    org: Uuid,
    (action, kind, record): (&str, &str, Uuid),
    patient: Option<Uuid>,
    content: &Value,
) -> i64 {
    let patient = patient.map_or("NULL".to_owned(), |it| format!("'{it}'"));
    let content = content.to_string().replace('\'', "''");
    let seq = sql
        .one(&format!(
            "WITH head AS (UPDATE ledger_head SET seq = seq + 1, hash = sha256(hash || int8send(seq + 1) || sha256('')) \
            WHERE org_id = '{org}' RETURNING seq, hash) INSERT INTO ledger (org_id, seq, at, request_id, action, record_kind, record_id, \
            patient_id, version, content, salt, digest, hash) SELECT '{org}', seq, now(), 'test', '{action}', '{kind}', '{record}', \
            {patient}, 1, '{content}', '', sha256(''), hash FROM head RETURNING seq"
        ))
        .await;
    seq.parse().expect("a number")
}

/// Some work of every kind in both organisations, some of it at once.
async fn busy(clinic: &Clinic) {
    for organisation in [&clinic.north, &clinic.south] {
        let chart = chart(clinic, organisation).await;
        let patients = (0..20).map(|i| {
            let anna = &chart.anna;
            async move { anna.patient("Zoë", &format!("Ramírez {i}")).await }
        });
        futures::future::join_all(patients).await;
        let reads = (0..20).map(|_| chart.anna.ask("{ patients { nodes { displayName } } }"));
        futures::future::join_all(reads).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_logs_are_gapless_and_chained_in_each_organisation() {
    let clinic = Clinic::with(&["--pool-wait", "10s"]).await;
    busy(&clinic).await;
    let sql = clinic.database.superuser().await;
    for org in [clinic.north.uuid, clinic.south.uuid] {
        for table in ["ledger", "access_log"] {
            let gaps = sql
                .one(&format!(
                    "SELECT count(*) >= 30 AND max(seq) = count(*) AND min(seq) = 1 FROM {table} WHERE org_id = '{org}'"
                ))
                .await;
            assert_eq!(gaps, "t", "{table}");
            assert_eq!(broken(&sql, table, org).await, None, "{table}");
        }
    }
}

/// What a superuser does to a chain: the table, the entry that is told (-1 for any), and how it is done.
fn attacks(org: Uuid) -> Vec<(&'static str, i64, String)> {
    let at = |seq: &str| format!("org_id = '{org}' AND seq = {seq}");
    let last = |table: &str| format!("(SELECT max(seq) FROM {table} WHERE org_id = '{org}')");
    let swap = |table: &str, columns: &str| {
        let set: Vec<String> = columns.split(' ').map(|column| format!("{column} = o.{column}")).collect();
        format!(
            "UPDATE {table} t SET {} FROM {table} o WHERE t.org_id = '{org}' AND o.org_id = t.org_id AND ((t.seq, o.seq) IN ((9, 10), (10, 9)))",
            set.join(", ")
        )
    };
    let mut attacks = vec![
        ("ledger", 5, format!("UPDATE ledger SET content = replace(content, 'a', 'e') WHERE {}", at("5"))),
        (
            "ledger",
            5,
            format!(
                "UPDATE ledger SET content = replace(content, 'a', 'e'), digest = sha256(content::bytea) WHERE {}",
                at("5")
            ),
        ),
        (
            "ledger",
            6,
            format!(
                "UPDATE ledger SET packed = (SELECT o.packed FROM ledger o WHERE o.org_id = '{org}' AND o.seq = 8) WHERE {}",
                at("6")
            ),
        ),
        ("ledger", 6, format!("UPDATE ledger SET content = NULL, packed = NULL WHERE {}", at("6"))),
        ("ledger", 5, format!("UPDATE ledger SET actor_id = gen_random_uuid() WHERE {}", at("5"))),
        ("ledger", 5, format!("UPDATE ledger SET patient_id = gen_random_uuid() WHERE {}", at("5"))),
        ("ledger", 5, format!("UPDATE ledger SET action = 'read' WHERE {}", at("5"))),
        ("ledger", 5, format!("UPDATE ledger SET version = version + 1 WHERE {}", at("5"))),
        ("ledger", 5, format!("UPDATE ledger SET salt = NULL WHERE {}", at("5"))),
        (
            "ledger",
            9,
            swap(
                "ledger",
                "at actor_id request_id action record_kind record_id patient_id version content packed salt digest",
            ),
        ),
        (
            "ledger",
            9,
            swap(
                "ledger",
                "at actor_id request_id action record_kind record_id patient_id version content packed salt digest hash",
            ),
        ),
        ("access_log", 5, format!("UPDATE access_log SET patient_ids = '{{}}', operation = 'me' WHERE {}", at("5"))),
        ("access_log", 5, format!("UPDATE access_log SET from_address = '10.0.0.1' WHERE {}", at("5"))),
    ];
    for table in ["ledger", "access_log"] {
        attacks.push((table, 5, format!("UPDATE {table} SET at = at + interval '1 us' WHERE {}", at("5"))));
        attacks.push((table, 5, format!("UPDATE {table} SET request_id = 'x' WHERE {}", at("5"))));
        attacks.push((table, 5, format!("DELETE FROM {table} WHERE {}", at("5"))));
        attacks.push((
            table,
            5,
            format!(
                "DELETE FROM {table} WHERE {}; UPDATE {table} SET seq = seq - 1 WHERE org_id = '{org}' AND seq > 5",
                at("5")
            ),
        ));
        // The head knows the end of the chain.
        attacks.push((table, -1, format!("DELETE FROM {table} WHERE {}", at(&last(table)))));
        attacks.push((table, -1, format!("UPDATE {table}_head SET seq = seq - 1 WHERE org_id = '{org}'")));
    }
    attacks
}

#[tokio::test(flavor = "multi_thread")]
async fn tampering_by_a_superuser_is_found() {
    let clinic = Clinic::with(&["--pool-wait", "10s"]).await;
    busy(&clinic).await;
    let sql = clinic.database.superuser().await;
    let org = clinic.north.uuid;
    // Half of the entries are as they were before contents were packed.
    sql.plain_ledger("seq % 2 = 1").await;
    assert_eq!(broken(&sql, "ledger", org).await, None);
    for (table, place, attack) in attacks(org) {
        sql.run(&format!("BEGIN; {attack}")).await;
        let found = broken(&sql, table, org).await;
        sql.run("ROLLBACK").await;
        assert!(found.is_some() && (place < 0 || found == Some(place)), "{found:?} of {place}: {attack}");
        assert_eq!(broken(&sql, table, org).await, None, "rolled back");
    }
    // What the law wants forgotten may go: its digest stays, and with it the chain.
    let forget = "UPDATE ledger SET content = NULL, packed = NULL, salt = NULL";
    sql.run(&format!("{forget} WHERE org_id = '{org}' AND seq IN (5, 6)")).await;
    assert_eq!(broken(&sql, "ledger", org).await, None);
}
