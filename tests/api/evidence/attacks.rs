//! Whatever a superuser does to a chain is found.

use super::{busy, checkpoints, copied, rechain, superuser};
use crate::support::*;
use clap::Parser;
use clinic::config::{CommandLine, DatabaseSettings};
use clinic::evidence::{KeyRing, begin, verify_organisation};
use uuid::Uuid;

/// A clinic that has been busy, with checkpoints on the way: its two chains have more entries than this.
const ENTRIES: i64 = 60;

/// The settings that a command on this clinic's keys has.
fn settings(clinic: &Clinic) -> DatabaseSettings {
    let place = clinic.evidence().to_str().expect("text");
    let line = CommandLine::try_parse_from(["clinic", "migrate", "--key-dir", place]).expect("flags");
    let clinic::config::Command::Migrate(settings) = line.command else { panic!("migrate") };
    settings
}

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }
}

/// A chain of the database.
struct Chain {
    table: &'static str,
    /// How far it goes, and how far the newest checkpoint.
    last: i64,
    marked: i64,
    /// Of which the salt is gone: nothing but the digest vouches for them.
    empty: Vec<i64>,
}

/// What of a chain an edit may be made to.
fn columns(table: &str) -> &'static [(&'static str, &'static str)] {
    match table {
        "ledger" => &[
            ("at", "at + interval '1 microsecond'"),
            ("actor_id", "gen_random_uuid()"),
            ("request_id", "request_id || 'x'"),
            ("action", "CASE action WHEN 'create' THEN 'update' ELSE 'create' END"),
            ("record_kind", "record_kind || 's'"),
            ("record_id", "gen_random_uuid()"),
            ("patient_id", "gen_random_uuid()"),
            ("version", "version + 1"),
            ("content", "coalesce(content || ' ', 'x')"),
            ("content", "overlay(coalesce(content, '{}') placing 'x' from 3)"),
            ("content", "NULL, packed = NULL"),
            ("packed", "'\\x01'"),
            ("packed", "coalesce(packed || '\\x00', '\\x01')"),
            ("packed", "substr(coalesce(packed, '\\x0101'), 1, length(coalesce(packed, '\\x0101')) - 1)"),
            ("packed", "coalesce(packed || packed, '\\x')"),
            ("salt", "sha256(salt)"),
            ("salt", "NULL"),
            ("digest", "sha256(digest)"),
            ("hash", "sha256(hash)"),
            ("seq", "-seq"),
            ("org_id", "gen_random_uuid()"),
        ],
        _ => &[
            ("at", "at + interval '1 microsecond'"),
            ("actor_id", "gen_random_uuid()"),
            ("request_id", "'x' || request_id"),
            ("event", "event || 's'"),
            ("operation", "operation || 'x'"),
            ("from_address", "'10.0.0.1'"),
            ("patient_ids", "patient_ids || gen_random_uuid()"),
            ("patient_ids", "patient_ids || NULL::uuid"),
            ("reason", "coalesce(reason || 'x', '')"),
            ("digest", "sha256(digest)"),
            ("hash", "sha256(hash)"),
            ("seq", "-seq"),
            ("org_id", "gen_random_uuid()"),
        ],
    }
}

/// An attack by somebody who may do anything but sign: what it is called, and how it is done.
fn attack(dice: &mut Dice, org: Uuid, chain: &Chain) -> (String, String) {
    let Chain { table, last, marked, empty } = chain;
    let seq = loop {
        let seq = 1 + dice.throw(*last);
        if !empty.contains(&seq) {
            break seq;
        }
    };
    let other = if seq == *last { seq - 1 } else { seq + 1 };
    let place = |seq: i64| format!("org_id = '{org}' AND seq = {seq}");
    let before_mark = 1 + dice.throw(*marked);
    match dice.throw(10) {
        0..4 => {
            let all = columns(table);
            let (column, value) = all[usize::try_from(dice.throw(i64::try_from(all.len()).unwrap())).unwrap()];
            (
                format!("edit {table}.{column} of {seq}"),
                format!("UPDATE {table} SET {column} = {value} WHERE {}", place(seq)),
            )
        }
        4 => (format!("delete {table} {seq}"), format!("DELETE FROM {table} WHERE {}", place(seq))),
        5 => (
            format!("swap {table} {seq} and {other}"),
            format!(
                "UPDATE {table} SET seq = -{seq} WHERE {}; UPDATE {table} SET seq = {seq} WHERE {}; \
                 UPDATE {table} SET seq = {other} WHERE {}",
                place(seq),
                place(other),
                place(-seq)
            ),
        ),
        6 => (format!("double {table} {seq}"), copied(table, org, seq, seq, "at + interval '1 microsecond'")),
        7 => (
            format!("cut {table} after {before_mark}, the head left"),
            format!("DELETE FROM {table} WHERE org_id = '{org}' AND seq >= {before_mark}"),
        ),
        8 => (
            format!("cut {table} from {before_mark} on, the head put back"),
            format!(
                "DELETE FROM {table} WHERE org_id = '{org}' AND seq >= {before_mark}; {}",
                rechain(table, org, before_mark)
            ),
        ),
        _ => (
            format!("take {before_mark} out of {table} and chain what follows anew"),
            format!("DELETE FROM {table} WHERE {}; {}", place(before_mark), rechain(table, org, before_mark)),
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_superuser_does_to_a_chain_is_found() {
    let mut clinic = Clinic::with(&["--checkpoint-interval", "500ms"]).await;
    busy(&clinic).await;
    clinic.stop().await;
    let org = clinic.north.uuid;
    let marks = checkpoints(&clinic, org);
    assert!(marks.len() >= 3, "{}", marks.len());
    let keys = KeyRing::open(None, &settings(&clinic)).expect("keys");
    assert_eq!(keys.fault(org, &marks), None);
    let sql = clinic.database.superuser().await;
    // Half of the entries are as they were before contents were packed, and no CHECK is in the way of the attacks.
    sql.plain_ledger("seq % 2 = 0").await;
    sql.run("ALTER TABLE ledger DROP CONSTRAINT ledger_content_once, DROP CONSTRAINT ledger_content_to_read").await;
    let mut chains = Vec::new();
    for table in ["ledger", "access_log"] {
        let last: i64 = sql.one(&format!("SELECT max(seq) FROM {table} WHERE org_id = '{org}'")).await.parse().unwrap();
        let newest =
            marks.iter().map(|it| if table == "ledger" { it.ledger.seq } else { it.access_log.seq }).max().unwrap();
        assert_eq!(newest, last, "the stop writes a last checkpoint");
        assert!(last >= if table == "ledger" { ENTRIES } else { ENTRIES / 2 }, "{table} {last}");
        let empty = match table {
            "ledger" => sql.column(&format!("SELECT seq FROM ledger WHERE org_id = '{org}' AND salt IS NULL")).await,
            _ => Vec::new(),
        };
        chains.push(Chain { table, last, marked: newest, empty: empty.iter().map(|it| it.parse().unwrap()).collect() });
    }
    assert!(chains[0].empty.len() >= 2, "an erasure is among it");
    let client = superuser(&clinic).await;
    begin(&client, org).await.expect("a picture");
    let whole = verify_organisation(&client, org, &marks, &|_, _, _| {}).await.expect("a walk");
    assert!(whole.broken().next().is_none(), "{whole:?}");
    client.batch_execute("ROLLBACK").await.expect("an end");

    let rounds = if std::env::var_os("CLINIC_SOAK").is_some() { 10_000 } else { 300 };
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    for round in 0..rounds {
        let chain = &chains[usize::try_from(dice.throw(2)).unwrap()];
        let (what, how) = attack(&mut dice, org, chain);
        client.batch_execute("BEGIN").await.expect("a transaction");
        client.batch_execute(&how).await.unwrap_or_else(|error| panic!("{what}: {error:?}\n{how}"));
        let found = verify_organisation(&client, org, &marks, &|_, _, _| {}).await.expect("a walk");
        client.batch_execute("ROLLBACK").await.expect("an end");
        assert!(found.broken().next().is_some(), "round {round}, not found: {what}\n{how}");
    }
    // Emptying an entry as an erasure would, without one; rewriting all of it; hiding who looked.
    let head = format!("WHERE org_id = '{org}'");
    for how in [
        format!("UPDATE ledger SET content = NULL, packed = NULL, salt = NULL {head} AND seq = {}", chains[0].last),
        format!(
            "UPDATE ledger SET digest = sha256(digest), content = NULL, packed = NULL, salt = NULL {head} AND seq = 1; {}",
            rechain("ledger", org, 1)
        ),
        format!("DELETE FROM ledger {head}; DELETE FROM ledger_head {head}"),
        format!("DELETE FROM ledger {head}; {}", rechain("ledger", org, 1)),
        format!("UPDATE access_log_head SET seq = seq + 1 {head}"),
        format!("DELETE FROM access_log_patient {head} AND seq = (SELECT min(seq) FROM access_log_patient {head})"),
    ] {
        client.batch_execute("BEGIN").await.expect("a transaction");
        client.batch_execute(&how).await.unwrap_or_else(|error| panic!("{error:?}\n{how}"));
        let found = verify_organisation(&client, org, &marks, &|_, _, _| {}).await.expect("a walk");
        client.batch_execute("ROLLBACK").await.expect("an end");
        assert!(found.broken().next().is_some(), "not found: {how}");
    }
    // What no checkpoint covers can be rewritten: the documentation says so, and this is that it is true.
    client.batch_execute("BEGIN").await.expect("a transaction");
    let cut =
        format!("DELETE FROM ledger {head} AND seq = {}; {}", chains[0].last, rechain("ledger", org, chains[0].last));
    client.batch_execute(&cut).await.expect("a cut");
    let found = verify_organisation(&client, org, &[], &|_, _, _| {}).await.expect("a walk");
    client.batch_execute("ROLLBACK").await.expect("an end");
    assert!(found.broken().next().is_none(), "{found:?}");
}
