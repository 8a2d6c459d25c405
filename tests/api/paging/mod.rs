//! Paging: every list, every order, both ways: every row once, whatever it is sorted by and whatever comes in meanwhile.

mod every;
mod told;

use crate::support::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::HashSet;

const PAGE: usize = 7;
const ROWS: usize = 24;

/// A list to walk.
struct List {
    /// Around the field, `patient(id: "…") { $ }`; `$` for a root field.
    around: String,
    field: &'static str,
    /// Its arguments besides those of paging.
    arguments: String,
    /// What tells its rows apart.
    key: &'static str,
}

impl List {
    fn new(around: &str, field: &'static str, arguments: String) -> Self {
        Self { around: around.to_owned(), field, arguments, key: "id" }
    }

    /// The list in each of these orders, in both directions.
    fn in_orders(around: &str, field: &'static str, orders: &[&str]) -> Vec<(Self, Self)> {
        let one = |order: &str, direction: &str| {
            Self::new(around, field, format!("orderBy: {{field: {order}, direction: {direction}}}"))
        };
        orders.iter().map(|order| (one(order, "ASC"), one(order, "DESC"))).collect()
    }

    fn forward_only(around: &str, field: &'static str, key: &'static str) -> Self {
        Self { key, ..Self::new(around, field, String::new()) }
    }

    /// Its name in the schema, `Patient.consents`, and the word that it is sorted by.
    fn of_type(&self) -> (String, String) {
        let around = self.around.split(['(', ' ']).next().unwrap_or_default();
        let ty = match around {
            "$" => "Query".to_owned(),
            "session" => "TreatmentSession".to_owned(),
            other => other[..1].to_uppercase() + &other[1..],
        };
        let order = self.arguments.split("field: ").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default();
        (format!("{ty}.{}", self.field), order.to_owned())
    }

    fn query(&self, paging: &str, selection: &str) -> String {
        let arguments = format!("{} {paging}", self.arguments);
        let arguments = if arguments.trim().is_empty() { String::new() } else { format!("({arguments})") };
        self.around.replace('$', &format!("{}{arguments} {{ {selection} }}", self.field))
    }

    fn shown(&self) -> String {
        format!("{} {}({})", self.around, self.field, self.arguments)
    }

    /// The connection in an answer.
    fn of<'a>(&self, data: &'a Value) -> &'a Value {
        let mut value = data;
        while value.get(self.field).is_none() {
            value = value.as_object().and_then(|fields| fields.values().next()).expect("the field");
        }
        &value[self.field]
    }

    async fn page(&self, by: &Caller, paging: &str) -> Value {
        let selection = format!(
            "edges {{ cursor node {{ {} }} }} nodes {{ {} }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}",
            self.key, self.key
        );
        let answer = by.graphql(&format!("{{ {} }}", self.query(paging, &selection)), json!({})).await;
        assert!(answer.errors.is_empty(), "{}: {}", self.shown(), answer.text);
        self.of(&answer.data).clone()
    }

    /// Walks the whole list; `between` runs between two pages. The keys of the rows in the order they came.
    async fn walk(&self, by: &Caller, forward: bool, between: impl AsyncFn()) -> Vec<String> {
        let (size, from, more, before, edge) = if forward {
            ("first", "after", "hasNextPage", "hasPreviousPage", "endCursor")
        } else {
            ("last", "before", "hasPreviousPage", "hasNextPage", "startCursor")
        };
        let mut keys = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let paging = cursor
                .as_ref()
                .map_or(format!("{size}: {PAGE}"), |cursor| format!("{size}: {PAGE}, {from}: \"{cursor}\""));
            let page = self.page(by, &paging).await;
            let (info, edges) = (&page["pageInfo"], page["edges"].as_array().unwrap());
            let nodes: Vec<&Value> = edges.iter().map(|edge| &edge["node"]).collect();
            assert_eq!(
                nodes,
                page["nodes"].as_array().unwrap().iter().collect::<Vec<_>>(),
                "nodes and edges are the same rows"
            );
            assert_eq!(info[before], cursor.is_some(), "{}: {before}", self.shown());
            assert_eq!(
                (info["startCursor"].as_str(), info["endCursor"].as_str()),
                (
                    edges.first().and_then(|edge| edge["cursor"].as_str()),
                    edges.last().and_then(|edge| edge["cursor"].as_str())
                )
            );
            let found = nodes.iter().map(|node| node[self.key].to_string());
            if forward {
                keys.extend(found)
            } else {
                keys.extend(found.rev())
            }
            if info[more] != true {
                return keys;
            }
            assert_eq!(edges.len(), PAGE, "a page before the last one is full");
            cursor = info[edge].as_str().map(str::to_owned);
            between().await;
        }
    }
}

/// Rows of which more than a page share everything they could be sorted by: clones of one that the API made.
async fn ties(clinic: &Clinic) -> (SignedIn, Made, Made) {
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.signed_session(&patient).await;
    anna.consultation(&patient).await;
    anna.note(&session).await;
    for _ in 0..ROWS {
        anna.addendum(&session).await;
    }
    let sql = clinic.database.superuser().await;
    let clone = async |table: &str, changes: &str| {
        let clones = ROWS - 1;
        sql.run(&format!(
            "INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(t) || jsonb_build_object('id', gen_random_uuid() {changes}))).* \
             FROM (SELECT * FROM {table} WHERE org_id = '{}' ORDER BY id LIMIT 1) t, generate_series(1, {clones}) n",
            clinic.north.uuid
        ))
        .await
    };
    anna.health_entry(&patient).await;
    let text = anna.consent_text("DATA", json!({})).await;
    anna.consent(&patient, &text, json!({})).await;
    for kind in PLAIN {
        kind.make(&anna, &patient, "Said at the visit").await;
    }
    clone("consent_template", ", 'name', 'Text ' || n").await;
    anna.make("addHealthTerm", "healthTerm", json!({"code": "house-1", "term": "House mixture"})).await;
    clone("health_term", ", 'term', 'Term ' || n").await;
    for number in 2..=ROWS {
        let version = anna
            .make("draftConsentTemplateVersion", "consentTemplateVersion", json!({"templateId": text.template.id}))
            .await;
        if number < ROWS {
            anna.make("publishConsentTemplateVersion", "consentTemplateVersion", version.edit()).await;
        }
    }
    sql.run("UPDATE consent_template_version SET created_at = (SELECT max(created_at) FROM consent_template_version)")
        .await;
    let sam = new_colleague(&clinic.admin(), "Sam").await;
    sam.make("countersignRecord", "countersignature", json!({"recordId": session.id, "meaning": "REVIEWER"})).await;
    clinic.admin().make("addCredential", "credential", credential_of(sam.id())).await;
    supervised(&clinic.admin(), anna.id(), sam.id()).await;
    let theirs = sam.signed_consultation(&patient).await;
    sql.run(&format!("DELETE FROM consultation WHERE id = '{}'", uuid_of(&theirs.id))).await;
    let wrong = anna.sign_consultation(&anna.consultation(&patient).await).await;
    anna.make("retractSignedRecord", "retraction", json!({"id": wrong.id, "reason": "Another patient's"})).await;
    sql.run(&format!("DELETE FROM consultation WHERE id = '{}'", uuid_of(&wrong.id))).await;
    clone("chart_review", ", 'record_id', gen_random_uuid()").await;
    clone("retraction", ", 'record_id', gen_random_uuid()").await;
    clone("countersignature", ", 'record_id', gen_random_uuid()").await;
    let others = [
        "consultation",
        "treatment_session",
        "aftercare_note",
        "health_entry",
        "consent",
        "credential",
        "supervision_agreement",
    ];
    for table in others.into_iter().chain(PLAIN.iter().map(|kind| kind.table)) {
        assert_eq!(clone(table, "").await, ROWS as u64 - 1);
    }
    sql.run("UPDATE addendum SET added_at = (SELECT max(added_at) FROM addendum)").await;
    // Chart numbers, names of places and accounts are unique; names, birthdays and times of people are not.
    clone("patient", ", 'chart_number', 'T-' || n").await;
    sql.run("INSERT INTO patient_search SELECT DISTINCT p.org_id, s.word, p.id FROM patient p, patient_search s WHERE p.chart_number LIKE 'T-%'").await;
    clone("location", ", 'name', 'Place ' || n").await;
    sql.run(&format!(
        "INSERT INTO account SELECT (jsonb_populate_record(NULL::account, to_jsonb(a) || jsonb_build_object('id', gen_random_uuid(), 'email', 'tie' || n || '@x.example'))).* \
         FROM (SELECT * FROM account LIMIT 1) a, generate_series(1, {ROWS}) n; \
         INSERT INTO staff SELECT (jsonb_populate_record(NULL::staff, to_jsonb(s) || jsonb_build_object('id', gen_random_uuid(), 'account_id', a.id, 'email', a.email))).* \
         FROM (SELECT * FROM staff WHERE org_id = '{}' LIMIT 1) s, account a WHERE a.email LIKE 'tie%'",
        clinic.north.uuid
    ))
    .await;
    (anna, patient, session)
}

/// Around the versions of a consent's template.
async fn template_of(anna: &Caller) -> String {
    let template = anna.ask("{ consents(first: 1) { nodes { templateVersion { template { id } } } } }").await;
    let template = template.pointer("/consents/nodes/0/templateVersion/template/id").unwrap().as_str().unwrap();
    format!("consentTemplate(id: \"{template}\") {{ $ }}")
}

/// Every list in every order, up and down.
fn pairs(of_patient: &str, of_session: &str, of_template: &str) -> Vec<(List, List)> {
    let notes = &["NOTED_AT", "CREATED_AT", "UPDATED_AT"];
    let times = |direction: &str| List::new("$", "addenda", format!("direction: {direction}"));
    let mut pairs = vec![(times("ASC"), times("DESC"))];
    pairs.extend(List::in_orders("$", "countersignatures", &["SIGNED_AT"]));
    pairs.extend(List::in_orders("$", "supervisionAgreements", &["CREATED_AT"]));
    pairs.extend(List::in_orders("$", "chartReviews", &["DUE_ON", "CREATED_AT"]));
    pairs.extend(List::in_orders("$", "retractions", &["RETRACTED_AT"]));
    pairs.extend(List::in_orders("$", "credentials", &["CREATED_AT", "EXPIRES_ON"]));
    for field in ["locations", "staff"] {
        pairs.extend(List::in_orders("$", field, &["NAME", "CREATED_AT"]));
    }
    pairs.extend(List::in_orders("$", "healthEntries", &["CREATED_AT", "UPDATED_AT"]));
    pairs.extend(List::in_orders("$", "patients", &["NAME", "CHART_NUMBER", "BIRTH_DATE", "CREATED_AT", "UPDATED_AT"]));
    let found = |direction: &str| {
        List::new(
            "$",
            "patients",
            format!("search: \"lovelace\", orderBy: {{field: RELEVANCE, direction: {direction}}}"),
        )
    };
    pairs.push((found("ASC"), found("DESC")));
    for around in ["$", of_patient] {
        pairs.extend(List::in_orders(around, "consultations", &["HELD_AT", "CREATED_AT", "UPDATED_AT"]));
        pairs.extend(List::in_orders(around, "sessions", &["STARTED_AT", "CREATED_AT", "UPDATED_AT"]));
        pairs.extend(List::in_orders(around, "aftercareNotes", notes));
    }
    pairs.extend(List::in_orders(of_session, "aftercareNotes", notes));
    for kind in PLAIN {
        pairs.extend(List::in_orders("$", kind.list, kind.orders));
        pairs.extend(List::in_orders(of_patient, kind.of_patient, kind.orders));
    }
    for around in ["$", of_patient] {
        pairs.extend(List::in_orders(around, "consents", &["CREATED_AT", "UPDATED_AT"]));
    }
    pairs.extend(List::in_orders("$", "consentTemplates", &["NAME", "CREATED_AT", "UPDATED_AT"]));
    pairs.extend(List::in_orders("$", "healthTerms", &["TERM", "CREATED_AT", "UPDATED_AT"]));
    pairs.extend(List::in_orders(of_template, "versions", &["NUMBER", "CREATED_AT", "UPDATED_AT"]));
    pairs
}

/// As many versions of a patient as there are rows.
async fn edit_often(anna: &Caller, patient: &Made) {
    for _ in 0..ROWS {
        let version: i64 = anna
            .graphql("query ($id: ID!) { patient(id: $id) { version } }", json!({"id": patient.id}))
            .await
            .ok()["patient"]["version"]
            .as_i64()
            .unwrap();
        anna.does(
            "updatePatient",
            json!({"id": patient.id, "expectedVersion": version, "patch": {}}),
            "patient { id }",
        )
        .await
        .ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_in_every_order_shows_every_row_once_both_ways() {
    let clinic = Clinic::start().await;
    let (anna, patient, session) = ties(&clinic).await;
    let of_patient = format!("patient(id: \"{}\") {{ $ }}", patient.id);
    let of_session = format!("session(id: \"{}\") {{ $ }}", session.id);
    for (ascending, descending) in pairs(&of_patient, &of_session, &template_of(&anna).await) {
        let up = ascending.walk(&anna, true, async || {}).await;
        let mut down = descending.walk(&anna, true, async || {}).await;
        // Who works there and the texts that an organisation starts with are there already.
        let before = match ascending.field {
            "staff" => 5,
            "credentials" => 1,
            "consentTemplates" => 8,
            _ => 0,
        };
        assert_eq!(up.len(), ROWS + before, "{}", ascending.shown());
        assert_eq!(up.iter().collect::<HashSet<_>>().len(), up.len(), "{}: no row twice", ascending.shown());
        down.reverse();
        assert_eq!(down, up, "{}: the one order is the other's reverse", ascending.shown());
        let mut back = ascending.walk(&anna, false, async || {}).await;
        back.reverse();
        assert_eq!(back, up, "{}: backwards", ascending.shown());
    }
    edit_often(&anna, &patient).await;
    let singles = [
        (List::forward_only("organisation { $ }", "locations", "id"), ROWS),
        (List::forward_only(&of_session, "addenda", "id"), ROWS),
        (List::forward_only(&of_patient, "history", "ledgerSequence"), ROWS + 1),
    ];
    for (list, rows) in singles {
        let there = list.walk(&anna, true, async || {}).await;
        assert_eq!((there.len(), there.iter().collect::<HashSet<_>>().len()), (rows, rows), "{}", list.shown());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_come_in_meanwhile_neither_hide_nor_repeat_any() {
    let clinic = Clinic::start().await;
    let (anna, patient, _) = ties(&clinic).await;
    for (field, orders) in [("patients", &["NAME", "UPDATED_AT"][..]), ("sessions", &["STARTED_AT", "CREATED_AT"][..])]
    {
        for pair in List::in_orders("$", field, orders) {
            for list in [pair.0, pair.1] {
                for forward in [true, false] {
                    let before: HashSet<String> = list.walk(&anna, true, async || {}).await.into_iter().collect();
                    let walked = list.walk(&anna, forward, async || {
                        // Some sort before the cursor, some after it, some beside it.
                        if field == "patients" {
                            for family in ["Aaa", "Lovelace", "Zzz"] {
                                anna.patient("Ada", family).await;
                            }
                        } else {
                            for hours in [90, 2] {
                                anna.session_with(&patient, json!({"startedAt": hours_ago(hours), "endedAt": null, "areas": [], "products": []})).await;
                            }
                        }
                    });
                    let walked = walked.await;
                    let each: HashSet<String> = walked.iter().cloned().collect();
                    assert_eq!(each.len(), walked.len(), "{}: no row twice", list.shown());
                    assert!(each.is_superset(&before), "{}: no row is missed", list.shown());
                    // As many as at first, for the next walk.
                    let sql = clinic.database.superuser().await;
                    sql.run("DELETE FROM session_area WHERE session_id IN (SELECT id FROM treatment_session WHERE ended_at IS NULL); \
                        DELETE FROM session_check WHERE session_id IN (SELECT id FROM treatment_session WHERE ended_at IS NULL); \
                        DELETE FROM treatment_session WHERE ended_at IS NULL; \
                        DELETE FROM patient_search WHERE patient_id IN (SELECT id FROM patient WHERE chart_number LIKE 'P-%' AND chart_number > (SELECT min(chart_number) FROM patient WHERE chart_number LIKE 'P-%')); \
                        DELETE FROM patient WHERE chart_number LIKE 'P-%' AND chart_number > (SELECT min(chart_number) FROM patient WHERE chart_number LIKE 'P-%')").await;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_says_nothing_and_none_is_made_up() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    for given in ["Ada", "Bea"] {
        anna.patient(given, "Xantippequark").await;
    }
    for order in ["NAME", "BIRTH_DATE", "CREATED_AT"] {
        let query = format!(
            "{{ patients(orderBy: {{field: {order}, direction: ASC}}) {{ edges {{ cursor node {{ id }} }} }} }}"
        );
        let edges = anna.ask(&query).await["patients"]["edges"].clone();
        assert_eq!(anna.ask(&query).await["patients"]["edges"], edges, "a page that is read twice is the same");
        let cursor = edges[0]["cursor"].as_str().unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap();
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        for word in ["xantippe", "1990", "time", "text"] {
            assert!(!text.contains(word), "{text}");
        }
        let after = async |cursor: &str| {
            let query = format!(
                "query ($after: String) {{ patients(orderBy: {{field: {order}, direction: ASC}}, after: $after) {{ nodes {{ id }} }} }}"
            );
            anna.graphql(&query, json!({"after": cursor})).await
        };
        let rest = after(cursor).await.ok();
        assert_eq!(rest["patients"]["nodes"], json!([edges[1]["node"]]));
        for place in [0, 15, 16, bytes.len() - 1] {
            bytes[place] ^= 1;
            let refused = after(&URL_SAFE_NO_PAD.encode(&bytes)).await;
            assert!(refused.faults() == ["after"] && refused.text.contains("begin anew"), "{}", refused.text);
            bytes[place] ^= 1;
        }
    }
}
