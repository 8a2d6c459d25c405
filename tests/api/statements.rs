//! The exact number of SQL statements of the queries that the documentation shows: the same for a few rows and for many.
//!
//! Counted from outside: Postgres writes every statement of the test's database to its log, and the lines of that
//! database's connections are read between two requests.

use crate::support::*;
use std::collections::BTreeSet;

/// How many rows of each kind hang on each row in the two charts that are compared.
const FEW: usize = 3;
const MANY: usize = 60;

/// A page of 20 patients with their 3 latest sessions and who treated.
const PAGE: &str = "{ patients(first: 20) { nodes { id displayName birthDate chartNumber sessions(first: 3) { nodes { id startedAt modality status
    practitioner { displayName } } } } } }";

/// A chart, whole.
const CHART: &str = "query ($patient: ID!) { patient(id: $patient) { displayName birthDate
    healthHistory { text severity verifiedBy { displayName } }
    consultations(first: 10) { nodes { heldAt goals practitioner { displayName } addenda(first: 1) { nodes { text } } } }
    sessions(first: 60) { nodes { startedAt practitioner { displayName } location { name timeZone } signature { signedBy { displayName } }
        areas { area needleDepthMm } products { product lot }
        aftercareNotes(first: 2) { nodes { text author { displayName } addenda(first: 1) { nodes { text } } } }
        addenda(first: 2) { nodes { text author { displayName } } } } } } }";

/// The sessions of a day, as a front page lists them.
const SESSIONS: &str = "{ sessions(first: 100) { totalCount pageInfo { hasNextPage } nodes { id startedAt status patient { displayName chartNumber }
    location { name } practitioner { displayName } } } }";

/// Down from notes to everything above them, and down again.
const UP_AND_DOWN: &str = "{ aftercareNotes(first: 100) { nodes { text session { startedAt patient { displayName sessions(first: 2) { nodes { startedAt
    aftercareNotes(first: 2) { nodes { text session { patient { displayName } } } } } } } } } } }";

/// Records of every kind by their ids.
const NODES: &str = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on TreatmentSession { patient { displayName } areas { area } }
    ... on AftercareNote { session { startedAt } } ... on Patient { displayName } } }";

/// Histories of a page of records.
const HISTORIES: &str = "{ sessions(first: 100) { nodes { history(first: 5) { nodes { version action by { displayName } changes { field } } } } } }";

/// Where a lot went.
const LOT: &str = "{ lotTrace(lot: \"C-1\") { lot { lot } patientCount contactedCount sessions(first: 100) { nodes { startedAt patient { displayName } } }
    patients(first: 100) { nodes { patient { displayName phone } sessions { startedAt } adverseEvents { kind } contacted contacts { outcome } openRecall { state } } } } }";

/// How many statements each query is, all told: BEGIN with the tenant and whose token it is, its own, COMMIT, and the
/// row of the access log. The people of a chart stand at five places in it: those that are reached at the same time
/// share a statement, so that is one to five.
const READING: [(&str, &str, std::ops::RangeInclusive<usize>); 7] = [
    ("page", PAGE, 9..=9),
    ("chart", CHART, 18..=22),
    ("sessions", SESSIONS, 11..=11),
    ("up and down", UP_AND_DOWN, 13..=13),
    ("nodes", NODES, 17..=17),
    ("histories", HISTORIES, 9..=9),
    ("lot", LOT, 14..=14),
];

/// The first words of a statement that is about the operation's transaction, or the whole.
pub fn brief(statement: &str) -> String {
    statement.chars().take(110).collect()
}

/// The statements that the log has from a place on, of the connections to a database.
pub async fn statements(clinic: &Clinic, from: u64) -> Vec<String> {
    let sql = clinic.database.superuser().await;
    let pids: BTreeSet<String> = sql
        .column("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'clinic'")
        .await
        .into_iter()
        .collect();
    let log = std::fs::read(clinic.database.server_log()).expect("the log");
    let text = String::from_utf8_lossy(&log[usize::try_from(from).expect("a place")..]).into_owned();
    let lines = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once(" [")?;
        let (pid, rest) = rest.split_once("] LOG:  ")?;
        let (kind, statement) = rest.split_once(": ")?;
        let ours = pids.contains(pid) && (kind == "statement" || kind.starts_with("execute "));
        ours.then(|| statement.to_owned())
    });
    // A connection that the pool opens just now sets itself up, and webhooks are looked for all the time: that is not the
    // query's.
    lines.filter(|statement| !statement.starts_with("SET ") && !statement.contains("FROM webhook_place")).collect()
}

pub fn end_of_log(clinic: &Clinic) -> u64 {
    std::fs::metadata(clinic.database.server_log()).expect("the log").len()
}

/// What one request runs.
pub async fn counted(clinic: &Clinic, who: &SignedIn, query: &str, variables: Value) -> (Value, Vec<String>) {
    let from = end_of_log(clinic);
    let data = who.graphql(query, variables).await.ok();
    (data, statements(clinic, from).await)
}

/// Ids for the copies: so many of each kind.
async fn twins(sql: &Sql, more: usize) {
    sql.run("CREATE TEMP TABLE twin (sort text, nth int, id uuid)").await;
    for (kind, count) in [
        ("patient", more + 1),
        ("session", more),
        ("consultation", more + 1),
        ("note", more + 1),
        ("health", more + 1),
        ("consent", more + 1),
    ] {
        sql.run(&format!(
            "INSERT INTO twin SELECT '{kind}', n, gen_random_uuid() FROM generate_series(1, {count}) AS n"
        ))
        .await;
    }
}

/// A copy of a row under every twin's id, with some of its columns otherwise.
async fn copy(sql: &Sql, table: &str, id: &str, kind: &str, other: &[(&str, &str)]) {
    let columns = sql
        .column(&format!(
            "SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        ))
        .await;
    let values: Vec<String> = columns
        .iter()
        .map(|column| {
            other
                .iter()
                .find(|(name, _)| name == column)
                .map_or_else(|| format!("t.{column}"), |(_, value)| (*value).to_owned())
        })
        .collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    sql.run(&format!(
        "INSERT INTO {table} ({columns}) SELECT {values} FROM {table} t, twin WHERE {id} AND sort = '{kind}'"
    ))
    .await;
}

/// A chart with so many sessions, notes, consultations and addenda, and as many patients with a session each. The rows
/// are copied in SQL: what is counted is reading.
async fn charts(clinic: &Clinic, rows: usize) -> (Made, Vec<String>) {
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    let (session, consultation, health) =
        (anna.session(&patient).await, anna.consultation(&patient).await, anna.health_entry(&patient).await);
    let note = anna.note(&session).await;
    let signed = anna.signed_session(&patient).await;
    let addendum = anna.addendum(&signed).await;
    let text = anna.consent_text("TREATMENT", json!({})).await;
    let drawn = json!({"typedName": null, "signatureImage": SIGNATURE_PNG, "witnessId": anna.id()});
    let consent = anna.consent(&patient, &text, drawn).await;
    let mut of_patients = vec![("consent", consent.clone())];
    for kind in PLAIN {
        let input = (kind.input)(&anna, &patient.id, Some(&session.id), "Said at the visit");
        of_patients.push((kind.table, anna.make(kind.made_with, kind.one, input).await));
    }
    let sql = clinic.database.superuser().await;
    twins(&sql, rows - 2).await;
    let id = |made: &Made| format!("t.id = '{}'", uuid_of(&made.id));
    copy(&sql, "patient", &id(&patient), "patient", &[("id", "twin.id"), ("chart_number", "'T-' || nth")]).await;
    copy(
        &sql,
        "treatment_session",
        &id(&session),
        "session",
        &[("id", "twin.id"), ("started_at", "t.started_at - nth * interval '1 day'")],
    )
    .await;
    copy(
        &sql,
        "treatment_session",
        &id(&session),
        "patient",
        &[("id", "gen_random_uuid()"), ("patient_id", "twin.id")],
    )
    .await;
    let of_session = format!("t.session_id = '{}'", uuid_of(&session.id));
    for table in ["session_area", "product_use"] {
        copy(&sql, table, &of_session, "session", &[("id", "gen_random_uuid()"), ("session_id", "twin.id")]).await;
    }
    copy(&sql, "aftercare_note", &id(&note), "session", &[("id", "gen_random_uuid()"), ("session_id", "twin.id")])
        .await;
    copy(&sql, "consultation", &id(&consultation), "consultation", &[("id", "twin.id")]).await;
    copy(&sql, "consent", &id(&consent), "consent", &[("id", "twin.id")]).await;
    let of_consent = format!("t.consent_id = '{}'", uuid_of(&consent.id));
    copy(&sql, "consent_signature", &of_consent, "consent", &[("consent_id", "twin.id")]).await;
    for (table, made) in &of_patients {
        copy(&sql, table, &id(made), "patient", &[("id", "gen_random_uuid()"), ("patient_id", "twin.id")]).await;
    }
    copy(&sql, "health_entry", &id(&health), "health", &[("id", "twin.id")]).await;
    copy(&sql, "addendum", &id(&addendum), "session", &[("id", "gen_random_uuid()"), ("record_id", "twin.id")]).await;
    let sessions = sql.column("SELECT id FROM twin WHERE sort = 'session' LIMIT 20").await;
    let patients = sql.column("SELECT id FROM twin WHERE sort = 'patient' LIMIT 20").await;
    let mixed = sessions
        .iter()
        .map(|id| typed("session", id.parse().expect("a UUID")))
        .chain(patients.iter().map(|id| typed("patient", id.parse().expect("a UUID"))));
    let ids = mixed
        .chain([consultation.id, note.id, addendum.id, health.id, anna.location.clone(), anna.id().to_owned()])
        .collect();
    (patient, ids)
}

/// How many objects an answer holds.
fn objects(value: &Value) -> usize {
    match value {
        Value::Object(fields) => 1 + fields.values().map(objects).sum::<usize>(),
        Value::Array(items) => items.iter().map(objects).sum(),
        _ => 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documented_queries_take_as_many_statements_for_many_rows_as_for_few() {
    let mut found: Vec<Vec<(usize, Vec<String>)>> = vec![Vec::new(); READING.len()];
    for rows in [FEW, MANY] {
        let clinic = Clinic::logging_statements().await;
        let (patient, ids) = charts(&clinic, rows).await;
        let anna = clinic.practitioner();
        for (place, (_, query, _)) in READING.iter().enumerate() {
            let (data, ran) = counted(&clinic, &anna, query, json!({"patient": patient.id, "ids": ids})).await;
            found[place].push((objects(&data), ran));
        }
    }
    let mut wrong = Vec::new();
    for ((name, _, expected), runs) in READING.iter().zip(&found) {
        let [(few, short), (many, long)] = runs.as_slice() else { panic!("two runs") };
        assert!(*many > *few * 4, "{name}: {few} and {many} objects are no test");
        if ![short, long].iter().all(|ran| expected.contains(&ran.len())) {
            let list: Vec<String> = long.iter().map(|it| brief(it)).collect();
            let (few, many) = (short.len(), long.len());
            wrong.push(format!(
                "{name}: {few} and {many} statements instead of {expected:?}:\n    {}",
                list.join("\n    ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn total_count_is_counted_only_when_it_is_asked_for() {
    let clinic = Clinic::logging_statements().await;
    charts(&clinic, FEW).await;
    let anna = clinic.practitioner();
    let counts = async |query: &str| {
        counted(&clinic, &anna, query, json!({})).await.1.iter().filter(|it| it.contains("count(*)")).count()
    };
    let others = [
        "patients",
        "sessions",
        "consultations",
        "aftercareNotes",
        "healthEntries",
        "addenda",
        "countersignatures",
        "retractions",
        "supervisionAgreements",
        "chartReviews",
        "credentials",
        "locations",
        "staff",
        "consents",
        "consentTemplates",
    ];
    for list in others.into_iter().chain(PLAIN.iter().map(|kind| kind.list)) {
        assert_eq!(counts(&format!("{{ {list} {{ nodes {{ id }} pageInfo {{ hasNextPage }} }} }}")).await, 0, "{list}");
        assert_eq!(counts(&format!("{{ {list} {{ totalCount }} }}")).await, 1, "{list}");
    }
}

/// Fields of the rows of a list, each of which asks the database again.
#[rustfmt::skip]
const NESTED: [(&str, &str); 28] = [
    ("patients", "sessions { totalCount }"),
    ("patients", "consultations { totalCount }"),
    ("patients", "aftercareNotes { totalCount }"),
    ("patients", "history { totalCount }"),
    ("patients", "healthHistory { text }"),
    ("patients", "createdBy { displayName }"),
    ("patients", "mergedInto { id }"),
    ("sessions", "aftercareNotes { totalCount nodes { text } }"),
    ("sessions", "addenda { totalCount nodes { text } }"),
    ("sessions", "signatures { signerName statement }"),
    ("consultations", "signatures { statement }"),
    ("sessions", "retraction { reason by { displayName } } copiedFrom"),
    ("staff", "credentials { profession } locations { name }"),
    ("sessions", "history { totalCount }"),
    ("sessions", "supervisor { displayName }"),
    ("sessions", "practitioner { organisation { name } }"),
    ("sessions", "location { history { nodes { version } } }"),
    ("sessions", "practitioner { organisation { locations { nodes { name } } } }"),
    ("patients", "consents { totalCount nodes { templateVersion { template { publishedVersion { number } } } } }"),
    ("patients", "outcomeSeries(scale: \"gais\") { points { score } }"),
    ("consents", "signature { signatureImage witness { displayName } } patient { displayName } history { totalCount }"),
    ("sessions", "consents { inForce reason consent { signature { signatureImage } } }"),
    ("consultations", "addenda { totalCount } location { name } history { nodes { changes { field } } }"),
    ("patients", "adverseEvents { totalCount nodes { kind lot { lot } session { startedAt } } }"),
    ("patients", "recalls { totalCount nodes { state lot { lot } afterSession { startedAt } } }"),
    ("sessions", "catalogueDevice { model } products { catalogueLot { product { name } } } adverseEvents { totalCount nodes { kind } }"),
    ("aftercareNotes", "proposedAdverseEvents { symptom already { kind } }"),
    ("aftercareNotes", "addenda { totalCount } author { displayName } session { areas { area } }"),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_nested_field_asks_once_for_each_row() {
    let plain = PLAIN.iter().flat_map(|kind| {
        let more = kind.nested;
        [
            (
                "patients",
                format!("{} {{ totalCount nodes {{ createdBy {{ displayName }} {more} }} }}", kind.of_patient),
            ),
            (kind.list, format!("patient {{ displayName }} history {{ totalCount }} {more}")),
        ]
    });
    let nested: Vec<(&str, String)> =
        NESTED.iter().map(|(list, field)| (*list, (*field).to_owned())).chain(plain).collect();
    let mut found: Vec<Vec<usize>> = vec![Vec::new(); nested.len()];
    for rows in [FEW, MANY] {
        let clinic = Clinic::logging_statements().await;
        charts(&clinic, rows).await;
        let anna = clinic.practitioner();
        for (place, (list, field)) in nested.iter().enumerate() {
            let (_, ran) =
                counted(&clinic, &anna, &format!("{{ {list}(first: 100) {{ nodes {{ {field} }} }} }}"), json!({}))
                    .await;
            found[place].push(ran.len());
        }
    }
    let grown: Vec<String> = nested
        .iter()
        .zip(&found)
        .filter(|(_, runs)| runs[0] != runs[1])
        .map(|((list, field), runs)| {
            format!("{list} {{ {field} }}: {} statements for {FEW} rows, {} for {MANY}", runs[0], runs[1])
        })
        .collect();
    assert!(grown.is_empty(), "{}", grown.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_one_read_only_transaction_and_names_the_organisation() {
    let clinic = Clinic::logging_statements().await;
    let (patient, _) = charts(&clinic, FEW).await;
    let anna = clinic.practitioner();
    let (_, ran) = counted(&clinic, &anna, CHART, json!({"patient": patient.id})).await;
    let begin =
        format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL app.org_id = '{}'", clinic.north.uuid);
    assert_eq!(ran.iter().filter(|it| **it == begin).count(), 1, "{ran:#?}");
    let end = ran.iter().position(|it| it == "COMMIT").expect("an end");
    let silent: Vec<&String> = ran[1..end].iter().filter(|it| !it.contains("org_id")).collect();
    assert!(ran[0] == begin && silent.is_empty(), "statements without org_id: {silent:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_a_session_takes_as_many_statements_for_many_parts_as_for_few() {
    let clinic = Clinic::logging_statements().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    let mut found = Vec::new();
    for parts in [1, 20] {
        let areas = vec![json!({"area": "CHEEK", "needleDepthMm": "1.0", "passes": 2}); parts];
        let products = vec![json!({"role": "SERUM", "product": "Hyaluronic serum"}); parts];
        let from = end_of_log(&clinic);
        anna.session_with(&patient, json!({"areas": areas, "products": products})).await;
        found.push(statements(&clinic, from).await.len());
    }
    assert_eq!(found[0], found[1]);
    assert!(found[0] <= 27, "{found:?}");
}
