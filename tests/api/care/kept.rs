//! Checks as rows of their session: as fixed as it is, in the order of the rules, and come from where they were kept before.

use super::{checked_session, ready};
use crate::ledger::broken;
use crate::schema::revert_down_to;
use crate::statements::counted;
use crate::support::*;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The migration that made rows of them.
const MOVED: &str = "20261130000200";

/// Everything that the API shows of the checks of a patient's sessions.
const SHOWN: &str = "query ($patient: ID!) { sessions(filter: {patientId: $patient}) { nodes { id version signature { contentHash }
    checks { id rule verdict cause recordId recordKind protocolVersion { id } settled override { reason at by { id } supervisor { id } } } } } }";

/// A patient with a session before, a signed one that came too soon, and a draft that is blocked.
async fn chart(anna: &SignedIn) -> (Made, Made, Made) {
    let (patient, _) = ready(anna).await;
    checked_session(anna, &patient).await;
    let signed = anna.sign_session(&checked_session(anna, &patient).await).await;
    let pill =
        json!({"patientId": patient.id, "kind": "MEDICATION", "code": "isotretinoin", "text": "Isotretinoin 20 mg"});
    anna.make("addHealthEntry", "healthEntry", pill).await;
    let draft = checked_session(anna, &patient).await;
    (patient, signed, draft)
}

/// The rows of a session's checks as the JSON that the ledger has of them.
async fn as_content(sql: &Sql, session: Uuid) -> String {
    let or_null = |column: &str| format!("coalesce(to_json({column})::text, 'null')");
    let [kind, record, version, supervisor] =
        ["record_kind", "record_id", "protocol_version_id", "override_supervisor_id"].map(or_null);
    let at =
        "regexp_replace(to_char(override_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '(\\.000)?000$', '')";
    let done = format!(
        "concat('{{\"reason\":', to_json(override_reason), ',\"by\":', to_json(override_by), ',\"supervisor_id\":', {supervisor}, \
         ',\"at\":\"', {at}, 'Z\"}}')"
    );
    let params = "(SELECT string_agg(concat(to_json(key), ':', to_json(value)), ',' ORDER BY key COLLATE \"C\") \
                  FROM jsonb_each_text(params))";
    let coded = format!(
        "CASE WHEN code IS NOT NULL THEN concat(',\"code\":', to_json(code)) END, \
         CASE WHEN params IS NOT NULL THEN concat(',\"params\":{{', {params}, '}}') END"
    );
    sql.one(&format!(
        "SELECT '[' || string_agg(concat('{{\"rule\":', to_json(rule), ',\"verdict\":', to_json(verdict), ',\"cause\":', \
         to_json(cause), {coded}, ',\"record_kind\":', {kind}, ',\"record_id\":', {record}, ',\"protocol_version_id\":', {version}, \
         ',\"override\":', CASE WHEN override_at IS NULL THEN 'null' ELSE {done} END, '}}'), ',' ORDER BY position) || ']' \
         FROM session_check WHERE session_id = '{session}'"
    ))
    .await
}

/// The text between two others, and the whole with something else in its place.
fn replaced(text: &str, after: &str, before: &str, new: &str) -> (String, String) {
    let start = text.find(after).expect("a beginning") + after.len();
    let end = start + text[start..].find(before).expect("an end");
    (text[start..end].to_owned(), format!("{}{new}{}", &text[..start], &text[end..]))
}

/// A signed session's content, with its checks as the rows have them, has the hash that was signed.
async fn verifies(sql: &Sql, session: Uuid) {
    sql.plain_ledger("true").await;
    let signed = format!("SELECT content FROM ledger WHERE record_id = '{session}' AND action = 'sign'");
    let content = sql.one(&signed).await;
    let rows = as_content(sql, session).await;
    let (kept, content) = replaced(&content, "\"checks\":", ",\"version\":", &rows);
    assert_eq!(rows, kept);
    let (_, sealed) = replaced(&content, "\"signature\":", ",\"areas\":", "null");
    let hash: String = Sha256::digest(sealed.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let stored = format!("SELECT encode(content_hash, 'hex') FROM treatment_session WHERE id = '{session}'");
    assert_eq!(hash, sql.one(&stored).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checks_of_a_signed_session_are_as_fixed_as_the_session() {
    let clinic = Clinic::start().await;
    let (_, signed, draft) = chart(&clinic.practitioner()).await;
    let (signed, draft) = (uuid_of(&signed.id), uuid_of(&draft.id));
    let (north, south, sql) = (clinic.north.uuid, clinic.south.uuid, clinic.database.superuser().await);
    let rows = format!("SELECT t::text FROM session_check t WHERE session_id = '{signed}' ORDER BY position");
    let before = sql.column(&rows).await;
    assert!(before.len() >= 9 && before.iter().any(|row| row.contains("Flies on Monday")), "{before:?}");
    let app = clinic.database.app(Some(north)).await;
    app.run("SET app.opened = 'all'").await;
    let add = |session: Uuid| {
        format!(
            "INSERT INTO session_check (org_id, session_id, position, rule, verdict, cause) VALUES ('{north}', '{session}', 90, 'lot', 'pass', 'x')"
        )
    };
    let refused = app.try_run(&add(signed)).await.expect_err("a check more");
    assert!(refused.starts_with("42501 new row violates row-level security"), "{refused}");
    for change in ["verdict = 'pass'".to_owned(), "override_reason = 'x'".to_owned(), format!("session_id = '{draft}'")]
    {
        let refused = app.try_run(&format!("UPDATE session_check SET {change}")).await.expect_err(&change);
        assert!(refused.starts_with("42501 permission denied"), "{change}: {refused}");
    }
    assert_eq!(app.run(&format!("DELETE FROM session_check WHERE session_id = '{signed}'")).await, 0);
    // The owner is no way round.
    let owner = clinic.database.owner().await;
    owner.run(&format!("SET app.org_id = '{north}'; SET app.opened = 'all'")).await;
    assert_eq!(owner.run(&format!("DELETE FROM session_check WHERE session_id = '{signed}'")).await, 0);
    assert_eq!(owner.run("UPDATE session_check SET verdict = 'pass'").await, 0);
    assert!(owner.try_run(&add(signed)).await.expect_err("a check more").starts_with("42501"));
    // Another organisation sees none and takes none away.
    let other = clinic.database.app(Some(south)).await;
    assert_eq!(other.one("SELECT count(*) FROM session_check").await, "0");
    assert_eq!(other.run("DELETE FROM session_check").await, 0);
    assert_eq!(sql.column(&rows).await, before);
    // Those of a draft are replaced as a whole.
    assert_eq!(app.run(&add(draft)).await, 1);
    assert!(app.run(&format!("DELETE FROM session_check WHERE session_id = '{draft}'")).await >= 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_are_read_when_they_are_asked_for_and_in_their_order() {
    let clinic = Clinic::logging_statements().await;
    let anna = clinic.practitioner();
    let (patient, ..) = chart(&anna).await;
    let about = |ran: Vec<String>| ran.iter().filter(|it| it.contains("session_check")).count();
    let query = |fields: &str| {
        format!(
            "query ($patient: ID!) {{ sessions(filter: {{patientId: $patient}}) {{ nodes {{ id note device {{ model }} {fields} }} }} }}"
        )
    };
    let variables = json!({"patient": patient.id});
    let (_, ran) = counted(&clinic, &anna, &query(""), variables.clone()).await;
    assert_eq!(about(ran), 0);
    let (data, ran) = counted(&clinic, &anna, &query("checks { rule cause }"), variables).await;
    assert_eq!(about(ran), 1, "one statement for all sessions");
    // The ledger has them as the rules gave them.
    let sql = clinic.database.superuser().await;
    sql.plain_ledger("true").await;
    let sessions = data["sessions"]["nodes"].as_array().expect("sessions");
    assert_eq!(sessions.len(), 3);
    for session in sessions {
        let id = uuid_of(session["id"].as_str().expect("an id"));
        let newest = format!("SELECT content FROM ledger WHERE record_id = '{id}' ORDER BY seq DESC LIMIT 1");
        let content: Value = serde_json::from_str(&sql.one(&newest).await).expect("JSON");
        let causes = |of: &Value| {
            of["checks"].as_array().expect("checks").iter().map(|it| it["cause"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(causes(session), causes(&content));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worklist_of_checks_goes_by_an_index() {
    let clinic = Clinic::start().await;
    chart(&clinic.practitioner()).await;
    let app = clinic.database.app(Some(clinic.north.uuid)).await;
    // A table this small would be read whole.
    app.run("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off").await;
    let org = clinic.north.uuid;
    let of_a_rule = "SELECT session_id FROM session_check WHERE org_id = $1 AND rule = $2 AND verdict = $3 AND verdict <> 'pass' \
        ORDER BY session_id DESC LIMIT 20";
    let overridden = "SELECT session_id FROM session_check WHERE org_id = $1 AND override_at IS NOT NULL ORDER BY override_at DESC, session_id DESC";
    app.run(&format!("PREPARE of_a_rule (uuid, text, text) AS {of_a_rule}; PREPARE overridden (uuid) AS {overridden}"))
        .await;
    for (ask, index) in [
        (format!("of_a_rule ('{org}', 'contraindication', 'block')"), "session_check_answer"),
        (format!("overridden ('{org}')"), "session_check_override"),
    ] {
        let plan = app.column(&format!("EXPLAIN EXECUTE {ask}")).await.join("\n");
        assert!(plan.contains(&format!("Scan Backward using {index}")) && !plan.contains("Sort"), "{plan}");
        assert!(!app.column(&format!("EXECUTE {ask}")).await.is_empty(), "{ask}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_before_checks_were_rows_verifies_after() {
    let clinic = Clinic::start().await;
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    let (patient, signed, draft) = chart(&anna).await;
    let other = anna.session(&anna.patient("Grace", "Hopper").await).await;
    let shown = async || anna.graphql(SHOWN, json!({"patient": patient.id})).await.ok();
    let before = shown().await;
    verifies(&sql, uuid_of(&signed.id)).await;

    // As they were kept before, without codes: what the ledger has, in one column, also of what is signed.
    revert_down_to(&clinic.database, MOVED).await;
    let differ = "SELECT count(*) FROM treatment_session s WHERE coalesce(s.checks, '[]') IS DISTINCT FROM \
        (SELECT (SELECT coalesce(jsonb_agg(c.v - 'code' - 'params' ORDER BY c.n), '[]') FROM jsonb_array_elements(jsonb_path_query_array(l.content::jsonb, '$.checks[*] ? (@.rule != \"course\" && @.rule != \"product\" && \
        @.rule != \"protocol\" && @.rule != \"dose\" && @.rule != \"age\" && @.rule != \"history\" && @.rule != \"clearance\")')) WITH ORDINALITY AS c (v, n)) FROM ledger l WHERE l.record_id = s.id ORDER BY l.seq DESC LIMIT 1)";
    assert_eq!(sql.one(differ).await, "0");
    assert_eq!(sql.one("SELECT count(*) FROM treatment_session WHERE checks IS NOT NULL").await, "4");
    let check = |cause: &str, at: &str| {
        json!({"rule": "lot", "verdict": "block", "cause": cause, "record_kind": "product_lot", "record_id": Uuid::now_v7(),
            "protocol_version_id": null, "override": {"reason": "„Ünlü“ \\ 5 %", "by": Uuid::now_v7(), "supervisor_id": Uuid::now_v7(), "at": at}})
    };
    let bare = json!({"rule": "skin_type", "verdict": "pass", "cause": "", "record_kind": null, "record_id": null,
        "protocol_version_id": null, "override": null});
    let odd = json!([
        check("z", "2025-01-02T03:04:05Z"),
        check("a", "2025-01-02T03:04:05.100Z"),
        bare,
        bare,
        check("m", "2025-12-31T23:59:59.999999Z")
    ]);
    let literal = odd.to_string().replace('\'', "''");
    sql.run(&format!("UPDATE treatment_session SET checks = '{literal}' WHERE id = '{}'", uuid_of(&other.id))).await;
    let column = "SELECT id || ' ' || checks::text FROM treatment_session WHERE checks IS NOT NULL ORDER BY id";
    let old = sql.column(column).await;

    clinic::db::migrate(&clinic.database.address()).await.expect("up");
    assert_eq!(shown().await, before);
    verifies(&sql, uuid_of(&signed.id)).await;
    assert_eq!(broken(&sql, "ledger", clinic.north.uuid).await, None);
    let forced = "SELECT relname FROM pg_class WHERE relname IN ('treatment_session', 'session_check') AND relforcerowsecurity ORDER BY 1";
    assert_eq!(sql.column(forced).await, ["session_check", "treatment_session"]);
    // The answers of later rules were put aside on the way down, and are back.
    let order = format!(
        "SELECT cause FROM session_check WHERE session_id = '{}' AND rule NOT IN ('course', 'product', 'protocol', 'history', \
         'clearance', 'dose', 'age') ORDER BY position",
        uuid_of(&other.id)
    );
    assert_eq!(sql.column(&order).await, ["z", "a", "", "", "m"]);
    // A draft from before goes on with its reasons: an edit of its note changes nothing but what HISTORY says, as the reviews
    // are in a table that the way down has dropped.
    let edit = draft.edit_with(json!({"patch": {"note": "Went well"}}));
    anna.does("updateSession", edit, "session { history(first: 1) { nodes { changes { field } } } }").await.ok();
    let history = "query ($id: ID!) { session(id: $id) { history(first: 1) { nodes { changes { field } } } } }";
    let newest = anna.graphql(history, json!({"id": draft.id})).await.ok();
    assert_eq!(newest["session"]["history"]["nodes"][0]["changes"], json!([{"field": "checks"}, {"field": "note"}]));
    let told = "query ($id: ID!) { session(id: $id) { checks { rule verdict settled } } }";
    let told = anna.graphql(told, json!({"id": draft.id})).await.ok()["session"]["checks"].clone();
    let interval = told.as_array().unwrap().iter().find(|it| it["rule"] == "INTERVAL").unwrap();
    assert_eq!((&interval["verdict"], &interval["settled"]), (&json!("WARN"), &json!(true)), "{told}");

    // Nothing is lost on the way back either.
    sql.plain_ledger("true").await;
    revert_down_to(&clinic.database, MOVED).await;
    assert_eq!(sql.column(column).await, old);
    clinic::db::migrate(&clinic.database.address()).await.expect("up again");
    verifies(&sql, uuid_of(&signed.id)).await;
}
