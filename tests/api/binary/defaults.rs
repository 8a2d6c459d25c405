//! `clinic defaults`: what an earlier program published is replaced, what the clinic did stays.

use super::{add, run};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn later_defaults_are_shown_then_brought_and_a_clinic_s_own_stay() {
    let database = Database::empty().await;
    let url = database.url();
    let place = ["--database-url", url.as_str()];
    run(&add(&place, "admin@x.example", "admin"), "long enough to do\n").await.ok();
    let update = async |more: &[&str]| run(&[&["defaults"], &place[..], &["update"], more].concat(), "").await;
    assert_eq!(update(&["--dry-run"]).await.ok(), "Clinic:\n  nothing to bring\n");
    let sql = database.superuser().await;
    // As an earlier program left them; one is the clinic's own, one is out of use, one is gone.
    let rules = "UPDATE protocol_version SET rules = jsonb_set(rules, '{interval_min_days}', '5')";
    sql.run(rules).await;
    let of = |name: &str| format!("(SELECT id FROM protocol WHERE name = '{name}')");
    let theirs = of("Platelet-rich plasma");
    sql.run(&format!(
        "UPDATE protocol_version SET published_by = (SELECT id FROM staff LIMIT 1) WHERE protocol_id = {theirs}"
    ))
    .await;
    sql.run("UPDATE protocol SET active = false WHERE name = 'LED light therapy'").await;
    sql.run("UPDATE consent_template_version SET text = 'Yes.', text_hash = sha256('Yes.') WHERE text LIKE '# Consent to microneedling\n%'")
        .await;
    let counts =
        "SELECT (SELECT count(*) FROM protocol_version) || ' ' || (SELECT count(*) FROM consent_template_version)";
    let before = sql.one(counts).await;
    let told = update(&["--dry-run"]).await.ok();
    for line in [
        "protocol \"RF microneedling\": would be replaced by version 2",
        "    interval min days: 5 -> 28",
        "protocol \"Platelet-rich plasma\": stays: the clinic published a version of its own",
        "protocol \"LED light therapy\": stays out of use",
        "consent text \"Microneedling\": would be replaced by version 2",
        "paragraphs are new or changed, 1 gone",
        "  7 would change; without --dry-run they do",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    assert_eq!(sql.one(counts).await, before, "a dry run changes nothing");
    let nobody = update(&["--organisation", "Elsewhere"]).await;
    assert!(nobody.complaint().contains("--organisation Elsewhere: there is none with this name"), "{nobody:?}");
    let done = update(&[]).await.ok();
    assert!(done.contains("  7 changed; plans and sessions keep the versions they began with"), "{done}");
    let published = "SELECT string_agg(v.number || ' ' || (v.rules ->> 'interval_min_days'), ',' ORDER BY v.number) \
        FROM protocol_version v JOIN protocol p ON p.id = v.protocol_id WHERE v.status = 'published' AND p.name = ";
    for (name, expected) in
        [("RF microneedling", "2 28"), ("Platelet-rich plasma", "1 5"), ("LED light therapy", "1 5")]
    {
        assert_eq!(sql.one(&format!("{published}'{name}'")).await, expected, "{name}");
    }
    let noted = "SELECT count(*) FROM ledger WHERE record_kind = 'protocol_version' AND action = 'create'";
    assert_eq!(sql.one(noted).await, "14", "8 at first, 6 later");
    let again = update(&[]).await.ok();
    assert!(again.ends_with("  nothing to bring\n"), "{again}");
}
