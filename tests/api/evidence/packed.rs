//! Contents that are kept packed: what forging one comes to, and that the evidence is the same however they are kept.

use super::{audit, superuser, unpacked};
use crate::access::erasing;
use crate::support::*;
use clinic::evidence::{begin, verify_organisation};

/// What `verify` says of a ledger that was changed so; the change is rolled back.
async fn told_of(clinic: &Clinic, change: &str) -> Result<Option<(i64, String)>, String> {
    let client = superuser(clinic).await;
    begin(&client, clinic.north.uuid).await.expect("a picture");
    client.batch_execute("ROLLBACK; BEGIN").await.expect("a transaction");
    client.batch_execute(change).await.unwrap_or_else(|error| panic!("{error:?}\n{change}"));
    let found = verify_organisation(&client, clinic.north.uuid, &[], &|_, _, _| {}).await;
    found.map(|found| found.broken().next().map(|it| (it.seq, it.why.clone())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_packed_content_is_found() {
    let mut clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let [patient, gone] = [anna.patient("Zoë", "Ramírez").await, anna.patient("Gone", "Soon").await];
    anna.health_entry(&patient).await;
    admin.does("erasePatient", erasing(&admin, &gone).await, "erasure { id }").await.ok();
    clinic.stop().await;
    let (org, sql) = (clinic.north.uuid, clinic.database.superuser().await);
    let seq = sql.one(&format!("SELECT seq FROM ledger WHERE record_id = '{}'", uuid_of(&patient.id))).await;
    let at = format!("WHERE org_id = '{org}' AND seq = {seq}");
    let hex = sql.one(&format!("SELECT encode(packed, 'hex') FROM ledger {at}")).await;
    let content = crate::support::unpacked(&hex).expect("a content");
    assert!(content.contains("Ramírez"), "{content}");
    let number: i64 = seq.parse().expect("a number");
    let wrong = Ok(Some((number, "its content is not what was sealed".to_owned())));

    assert_eq!(told_of(&clinic, "SELECT 1").await, Ok(None));
    let again = format!("UPDATE ledger SET packed = {} {at}", packed(&content));
    assert_eq!(told_of(&clinic, &again).await, Ok(None), "the same content, packed again");
    let free = "ALTER TABLE ledger DROP CONSTRAINT ledger_content_once, DROP CONSTRAINT ledger_content_to_read";
    let other = packed(&content.replace("Ramírez", "Byron"));
    for change in [
        format!("packed = {other}"),
        "packed = NULL".to_owned(),
        "salt = NULL".to_owned(),
        "packed = substr(packed, 1, length(packed) - 1)".to_owned(),
        "packed = packed || '\\x00'".to_owned(),
        "packed = '\\x'".to_owned(),
        format!("content = '{}'", content.replace('\'', "''")),
        format!("content = 'x', packed = {other}"),
    ] {
        let forged = format!("{free}; UPDATE ledger SET {change} {at}");
        assert_eq!(told_of(&clinic, &forged).await, wrong, "{change}");
    }
    // A dictionary that this program does not have: nothing can be said of the content, and verifying fails.
    let unknown = told_of(&clinic, &format!("UPDATE ledger SET packed = set_byte(packed, 0, 9) {at}")).await;
    let why = unknown.expect_err("no verdict");
    assert!(why.starts_with(&format!("entry {seq} of the ledger")) && why.contains("dictionary 9"), "{why}");

    // The database itself keeps a content once, and as text where its functions read it.
    for (change, constraint) in [
        (format!("UPDATE ledger SET content = '{{}}' {at}"), "ledger_content_once"),
        (
            "UPDATE ledger SET packed = '\\x01', content = NULL WHERE record_kind = 'patient_erasure' AND action = 'erase'"
                .to_owned(),
            "ledger_content_to_read",
        ),
    ] {
        let refused = sql.try_run(&change).await.expect_err(&change);
        assert!(refused.contains(constraint), "{change}: {refused}");
    }
    let left = format!(
        "SELECT count(*) FROM ledger WHERE patient_id = '{}' AND (content IS NOT NULL OR packed IS NOT NULL)",
        uuid_of(&gone.id)
    );
    assert_eq!(sql.one(&left).await, "0", "an erasure empties packed contents");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_evidence_is_the_same_however_contents_are_kept() {
    let mut clinic = Clinic::with(&["--checkpoint-interval", "500ms"]).await;
    super::busy(&clinic).await;
    clinic.stop().await;
    let sql = clinic.database.superuser().await;
    let work = tempfile::tempdir().expect("a folder");
    let export = async |name: &str| {
        let said = audit(&clinic, &["verify"]).await.ok();
        assert!(said.contains("north: the ledger is whole\n"), "{name}: {said}");
        let tar = work.path().join(format!("{name}.tar"));
        audit(&clinic, &["export", "--organisation", "north", "--output", tar.to_str().expect("text")]).await.ok();
        let folder = work.path().join(name);
        unpacked(&tar, &folder);
        std::fs::read_to_string(folder.join("ledger.ndjson")).expect("lines")
    };
    let kept = "SELECT count(packed) || ' ' || count(content) FROM ledger";
    assert_ne!(sql.one(kept).await.split(' ').next(), Some("0"));
    let packed = export("packed").await;
    sql.plain_ledger("seq % 2 = 0").await;
    assert!(export("mixed").await == packed, "letter for letter");
    sql.plain_ledger("true").await;
    assert!(sql.one(kept).await.starts_with("0 "));
    assert!(export("plain").await == packed, "letter for letter");
    // The letters are those that Postgres itself writes of the text.
    let line = sql
        .one(&format!(
            "SELECT row_to_json(r) FROM (SELECT version, content FROM ledger WHERE org_id = '{}' AND record_kind = 'patient' \
             AND content IS NOT NULL ORDER BY seq LIMIT 1) AS r",
            clinic.north.uuid
        ))
        .await;
    let inner = line.trim_start_matches('{').trim_end_matches('}');
    assert!(packed.contains(inner), "{inner}");
    // What is damaged is given out as it is, and said.
    let north = clinic.north.uuid;
    sql.run(&format!("UPDATE ledger SET content = NULL, packed = '\\x0102' WHERE org_id = '{north}' AND seq = 2"))
        .await;
    let tar = work.path().join("damaged.tar");
    let output = tar.to_str().expect("text");
    let said = audit(&clinic, &["export", "--organisation", "north", "--output", output]).await.ok();
    assert!(said.contains("entry 2"), "{said}");
    let folder = work.path().join("damaged");
    unpacked(&tar, &folder);
    let lines = std::fs::read_to_string(folder.join("ledger.ndjson")).expect("lines");
    assert_eq!(lines.matches("\"content\":null,\"unreadable\":\"0102\"").count(), 1);
}
