//! Entries that an erasure emptied.

use super::{audit, outsider, rechain, unpacked};
use crate::access::erasing;
use crate::binary::{program, run_with};
use crate::support::*;
use uuid::Uuid;

/// Two patients with a few entries each, the first of them erased; what that one's entries said is kept in `stash`.
async fn with_an_erasure(clinic: &Clinic) -> [Uuid; 2] {
    let (anna, admin, sql) = (clinic.practitioner(), clinic.admin(), clinic.database.superuser().await);
    let (gone, kept) = (anna.patient("Gone", "Soon").await, anna.patient("Kept", "Sol").await);
    anna.health_entry(&gone).await;
    anna.health_entry(&kept).await;
    anna.health_entry(&gone).await;
    let ids = [uuid_of(&gone.id), uuid_of(&kept.id)];
    let stash = "CREATE TABLE stash AS SELECT org_id, seq, salt, content, packed FROM ledger WHERE patient_id =";
    sql.run(&format!("{stash} '{}'", ids[0])).await;
    admin.does("erasePatient", erasing(&admin, &gone).await, "erasure { id }").await.ok();
    ids
}

/// Rewrites the erasure's own entry as it was written before erasures named what they emptied.
async fn as_of_before(sql: &Sql, org: Uuid) {
    let entry = sql
        .rows(&format!(
            "SELECT seq, encode(salt, 'hex'), (extract(epoch FROM at) * 1000000)::bigint, actor_id, request_id, action, record_kind, record_id, \
             content FROM ledger WHERE org_id = '{org}' AND record_kind = 'patient_erasure' AND version = 1"
        ))
        .await;
    let text = |column: usize| entry[0][column].clone().expect("a value");
    let mut content: serde_json::Map<String, Value> = serde_json::from_str(&text(8)).expect("an object");
    assert!(content.remove("emptied").is_some_and(|it| it.as_array().is_some_and(|it| it.len() >= 2)));
    let content = serde_json::to_string(&content).expect("JSON");
    let salt = (0..text(1).len()).step_by(2).map(|at| u8::from_str_radix(&text(1)[at..at + 2], 16).expect("hex"));
    let id = |column: usize| text(column).parse::<Uuid>().expect("an id").as_bytes().to_vec();
    let fields = [
        salt.collect(),
        org.as_bytes().to_vec(),
        text(2).parse::<i64>().expect("a number").to_be_bytes().to_vec(),
        id(3),
        text(4).into_bytes(),
        text(5).into_bytes(),
        text(6).into_bytes(),
        id(7),
        Vec::new(),
        1_i32.to_be_bytes().to_vec(),
        content.clone().into_bytes(),
    ];
    let digest: String = crate::ledger::hash_fields(&fields).iter().map(|byte| format!("{byte:02x}")).collect();
    let seq = text(0);
    sql.run(&format!(
        "UPDATE ledger SET content = '{}', digest = '\\x{digest}' WHERE org_id = '{org}' AND seq = {seq}; {}",
        content.replace('\'', "''"),
        rechain("ledger", org, seq.parse().expect("a number"))
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_entry_can_not_be_exchanged_for_another() {
    let mut clinic = Clinic::start().await;
    let [gone, kept] = with_an_erasure(&clinic).await;
    clinic.stop().await;
    let (org, sql) = (clinic.north.uuid, clinic.database.superuser().await);
    let work = tempfile::tempdir().unwrap();
    let key = work.path().join("key.pem");
    std::fs::write(&key, audit(&clinic, &["key"]).await.ok()).unwrap();
    let mut round = 0;
    let mut both = async |what: &str| {
        round += 1;
        let tar = work.path().join(format!("{round}.tar"));
        let place = format!("{}", work.path().display());
        // Without checkpoints: it is the erasures that must tell.
        let nowhere = ["--checkpoints", &format!("{place}/none")].map(str::to_owned);
        let verify =
            ["audit", "--database-url", &clinic.database.url(), "--key-dir", clinic.evidence().to_str().unwrap()]
                .map(str::to_owned);
        let line = |more: &[&str]| {
            [verify.to_vec(), more.iter().map(|it| (*it).to_owned()).collect(), nowhere.to_vec()].concat()
        };
        let run =
            async |line: Vec<String>| run_with(program(&line.iter().map(String::as_str).collect::<Vec<_>>()), "").await;
        let ours = run(line(&["verify"])).await;
        run(line(&["export", "--organisation", "north", "--output", tar.to_str().unwrap()])).await;
        let folder = work.path().join(format!("{round}"));
        unpacked(&tar, &folder);
        let (code, theirs) = outsider(&folder, &key);
        assert_eq!(ours.success, code == Some(0), "{what}: {ours:?} {theirs}");
        (ours.success, format!("{}{theirs}", ours.out))
    };
    let unerase = format!(
        "UPDATE ledger l SET salt = s.salt, content = s.content, packed = s.packed FROM stash s WHERE s.org_id = l.org_id AND s.seq = l.seq AND l.org_id = '{org}'"
    );
    let empty = format!("UPDATE ledger SET salt = NULL, content = NULL, packed = NULL WHERE org_id = '{org}' AND");
    let count = sql.one("SELECT count(*) FROM stash").await;
    let others = format!(
        "seq IN (SELECT seq FROM ledger WHERE org_id = '{org}' AND salt IS NOT NULL AND record_kind <> 'patient_erasure' ORDER BY patient_id <> '{kept}', seq DESC LIMIT {count})"
    );
    let attacks = [
        ("one for another", format!("{empty} {others}; {unerase}")),
        ("all of it back", unerase.clone()),
        ("one of them back", format!("{unerase} AND l.seq = (SELECT max(seq) FROM stash)")),
        ("another emptied", format!("{empty} patient_id = '{kept}'")),
        ("the erasure itself", format!("{empty} record_kind = 'patient_erasure' AND version = 1")),
        (
            "the erasure itself, one back",
            format!(
                "{empty} record_kind = 'patient_erasure' AND version = 1; {unerase} AND l.seq = (SELECT max(seq) FROM stash)"
            ),
        ),
    ];
    for old in [false, true] {
        if old {
            as_of_before(&sql, org).await;
        }
        let (whole, said) = both("nothing").await;
        assert!(whole, "old {old}: {said}");
        for (what, how) in &attacks {
            sql.run("CREATE TABLE before AS SELECT * FROM ledger").await;
            sql.run(how).await;
            let (whole, said) = both(what).await;
            sql.run("UPDATE ledger l SET salt = b.salt, content = b.content, packed = b.packed FROM before b WHERE b.org_id = l.org_id AND b.seq = l.seq; DROP TABLE before").await;
            assert!(!whole, "old {old}, not found: {what}\n{said}");
        }
    }
    let erased = format!(
        "SELECT count(*) FROM ledger WHERE patient_id = '{gone}' AND (content IS NOT NULL OR packed IS NOT NULL)"
    );
    assert_eq!(sql.one(&erased).await, "0", "all put back");
}
