//! The queries of `docs/queries`, on one small chart: each answers what stands beside it, in as many SQL statements as
//! its index says. `UPDATE=1` writes the answers anew.

use crate::statements::counted;
use crate::support::*;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Each query with its SQL statements, all told: BEGIN with the tenant and whose token it is, its own, COMMIT, and the row
/// of the access log. What is reached at the same time shares a statement, so that where the same people stand at
/// several places there is a range.
const QUERIES: [(&str, RangeInclusive<usize>); 13] = [
    ("day-list", 11..=11),
    ("patient-search", 9..=11),
    ("chart", 22..=26),
    ("timeline", 16..=17),
    ("plan", 18..=19),
    ("session", 32..=43),
    ("session-checks", 26..=28),
    ("photo-pairs", 10..=10),
    ("outcome-series", 9..=9),
    ("recalls", 10..=10),
    ("lot-trace", 13..=13),
    ("review-queue", 11..=11),
    ("chart-as-of", 8..=8),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/queries")
}

fn with(mut input: Value, more: Value) -> Value {
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

/// A day of 2025 with an hour (UTC): what is told of lies there, so that the answers are the same whenever they are asked.
fn at(day: &str, hour: u32) -> String {
    format!("2025-{day}T{hour:02}:00:00Z")
}

/// What the queries are asked about.
struct SmallChart {
    patient: Made,
    lot: Made,
    plan: Made,
    open_session: Made,
    known_at: String,
    /// Whose signed records Anna reads.
    sam: SignedIn,
}

fn session(patient: &Made, by: &SignedIn, day: &str, more: Value) -> Value {
    with(session_to_sign(patient, &by.location), with(json!({"startedAt": at(day, 10), "endedAt": at(day, 11)}), more))
}

/// A patient with two sessions of a plan, the second too soon, and another patient who got the same lot.
async fn small_chart(clinic: &Clinic) -> SmallChart {
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let patient = desk
        .patient_with(
            "Zoë",
            "Ramírez",
            json!({"phone": "+34600123456", "email": "zoe@mail.example", "chartNumber": "P-000001"}),
        )
        .await;
    let other = desk.patient_with("Ada", "Lovelace", json!({"phone": "+34600654321", "chartNumber": "P-000002"})).await;
    anna.health_entry(&patient).await;
    let held = json!({"heldAt": at("01-07", 10)});
    let consultation = anna.consultation_with(&patient, held).await;
    let consultation = anna.sign_consultation(&consultation).await;
    let given = json!({"givenAt": at("01-07", 11)});
    let before = json!({"takenAt": at("01-07", 12), "distanceCm": 40, "lighting": "Ring light", "makeUpFree": true});
    for kind in ["TREATMENT", "CLINICAL_PHOTO"] {
        let text = anna.consent_text(kind, json!({"name": kind, "text": "I agree."})).await;
        anna.consent(&patient, &text, given.clone()).await;
    }
    anna.photo_with(&patient, before.clone()).await;
    let device = anna.device("Derma Pen 4").await;
    let product = anna.product("Hyaluronic serum").await;
    let lot = json!({"productId": product.id, "lot": "HA-7", "expiresOn": "2026-01-31"});
    let lot = anna.make("addProductLot", "productLot", lot).await;
    let rules = anna.protocol().await;
    let plan = json!({"consultationId": consultation.id, "protocolVersionId": rules.version, "plannedSessions": 4,
        "areas": [{"area": "CHEEK", "side": "LEFT"}], "startedOn": "2025-01-10"});
    let plan = anna.make("createTreatmentPlan", "treatmentPlan", plan).await;
    let used = json!({"planId": plan.id, "device": {"deviceId": device.id}, "products": [{"role": "SERUM", "lotId": lot.id, "quantity": "2.5", "unit": "mL"}]});
    let noted = json!({"sessionId": "", "kind": "CHECK_IN", "redness": 5, "swelling": 1, "pain": 0, "notedAt": at("01-22", 12)});
    let overridden = json!({"rule": "CONTRAINDICATION", "reason": "Another cream is used"});
    let first = session(&patient, &anna, "01-13", with(used.clone(), json!({"overrides": [overridden]})));
    let first = anna.make("logSession", "session", first).await;
    let first = anna.sign_session(&first).await;
    anna.addendum(&first).await;
    let note = anna.make("addAftercareNote", "aftercareNote", with(noted, json!({"sessionId": first.id}))).await;
    let event = json!({"aftercareNoteId": note.id, "kind": "ERYTHEMA", "severity": "MODERATE", "onsetAt": at("01-22", 12), "area": "CHEEK"});
    let event = anna.make("reportAdverseEvent", "adverseEvent", event).await;
    let gone = json!({"at": at("01-26", 12), "outcome": "RESOLVED", "text": "Gone"});
    anna.make("addAdverseEventFollowUp", "adverseEvent", event.edit_with(gone)).await;
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    let known_at = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    let second = session(&patient, &anna, "01-27", with(used, json!({"overrides": [overridden]})));
    let second = anna.make("logSession", "session", second).await;
    let plain = session(
        &other,
        &anna,
        "01-13",
        json!({"startedAt": at("01-13", 12), "endedAt": at("01-13", 13), "products": [{"role": "SERUM", "lotId": lot.id}]}),
    );
    anna.make("logSession", "session", plain).await;
    let after = json!({"phase": "FOLLOW_UP", "takenAt": at("02-24", 12), "sessionId": first.id});
    anna.photo_with(&patient, with(before, after)).await;
    for (day, score) in [("02-10", "3"), ("02-24", "2")] {
        anna.outcome(&patient, score, 1, json!({"assessedAt": at(day, 12), "planId": plan.id, "area": "CHEEK"})).await;
    }
    let query = "{ recalls(filter: {state: [OVERDUE], reason: [NEXT_SESSION]}) { nodes { id version } } }";
    let recall = Made::of(&desk.ask(query).await["recalls"]["nodes"][0]);
    let tried = json!({"channel": "PHONE", "outcome": "LEFT_MESSAGE", "at": at("03-27", 9), "note": "With her sister"});
    desk.make("logRecallAttempt", "recall", recall.edit_with(tried)).await;
    let sam = new_colleague(&clinic.admin(), "Sam").await;
    supervised(&clinic.admin(), anna.id(), sam.id()).await;
    sam.sign_consultation(&sam.consultation_with(&other, json!({"heldAt": at("01-07", 10)})).await).await;
    SmallChart { patient, lot, plan, open_session: second, known_at, sam }
}

/// More of everything that the queries list.
async fn grow(clinic: &Clinic, chart: &SmallChart) {
    let anna = clinic.practitioner();
    for i in 0..5 {
        let text = json!({"assessedAt": at(&format!("03-{:02}", i + 10), 12), "planId": chart.plan.id});
        anna.outcome(&chart.patient, "2", 1, text).await;
        let hour = json!({"startedAt": at("01-13", 13 + i), "endedAt": at("01-13", 14 + i), "planId": chart.plan.id,
            "products": [{"role": "SERUM", "lotId": chart.lot.id}]});
        let more = anna.make("logSession", "session", session(&chart.patient, &anna, "01-13", hour.clone())).await;
        let noted = json!({"sessionId": more.id, "kind": "CHECK_IN", "redness": 1, "notedAt": at("01-22", 13)});
        anna.make("addAftercareNote", "aftercareNote", noted).await;
        anna.adverse_event_with(&more, json!({"onsetAt": at("01-22", 13)})).await;
        for (phase, hour) in [("BEFORE", 13), ("FOLLOW_UP", 14)] {
            let view = ["OBLIQUE_LEFT", "OBLIQUE_RIGHT", "LATERAL_LEFT", "LATERAL_RIGHT"][i as usize % 4];
            let area = if i < 4 { "LEFT" } else { "RIGHT" };
            let taken = json!({"phase": phase, "view": view, "side": area, "takenAt": at("01-14", hour)});
            anna.photo_with(&chart.patient, taken).await;
        }
        anna.health_entry(&chart.patient).await;
        anna.consultation_with(&chart.patient, json!({"heldAt": at("01-08", 10)})).await;
        let namesake = anna.patient("Ana", "Ramírez").await;
        let without_plan = with(session(&namesake, &anna, "01-13", hour), json!({"planId": null}));
        anna.make("logSession", "session", without_plan).await;
        chart.sam.signed_consultation(&namesake).await;
        let recall = anna.recall(&namesake).await;
        let tried = json!({"channel": "SMS", "outcome": "LEFT_MESSAGE"});
        anna.make("logRecallAttempt", "recall", recall.edit_with(tried)).await;
    }
}

/// Puts a word in the place of what differs from run to run.
#[derive(Default)]
struct Redaction {
    ids: BTreeMap<String, String>,
    counts: BTreeMap<String, usize>,
}

impl Redaction {
    fn value(&mut self, key: &str, value: &Value) -> Value {
        match value {
            Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), self.value(key, value))).collect(),
            Value::Array(items) => items.iter().map(|item| self.value(key, item)).collect(),
            Value::String(text) => Value::String(self.text(key, text)),
            other => other.clone(),
        }
    }

    fn text(&mut self, key: &str, text: &str) -> String {
        let is_id = |digits: &str| {
            digits.len() == 26 && digits.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
        };
        if let Some((kind, digits)) = text.rsplit_once('_').filter(|(_, digits)| is_id(digits)) {
            let count = self.counts.entry(kind.to_owned()).or_default();
            return self
                .ids
                .entry(digits.to_owned())
                .or_insert_with(|| {
                    *count += 1;
                    format!("{kind}_{count}")
                })
                .clone();
        }
        let is_moment = chrono::DateTime::parse_from_rfc3339(text).is_ok();
        match key {
            "endCursor" => "<cursor>".to_owned(),
            "url" => "<link>".to_owned(),
            "dueOn" => "<day>".to_owned(),
            // What is told of has whole hours; what the service noted itself has microseconds.
            _ if is_moment && (text.contains('.') || key == "expiresAt") => "<time>".to_owned(),
            _ if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => "<hash>".to_owned(),
            _ => text.to_owned(),
        }
    }
}

fn variables(clinic: &Clinic, chart: &SmallChart) -> Value {
    let third = session(&chart.patient, &clinic.practitioner(), "02-03", json!({"planId": chart.plan.id}));
    json!({
        "from": "2025-01-13T00:00:00+01:00", "before": "2025-01-14T00:00:00+01:00", "text": "ramirez", "patient": chart.patient.id,
        "plan": chart.plan.id, "on": "2025-03-25", "session": chart.open_session.id, "input": third,
        "area": "CHEEK", "scale": "gais", "lot": chart.lot.id, "at": Value::Null, "me": clinic.practitioner().id(),
    })
}

/// The variables that a query declares, of those there are.
fn used(text: &str, all: &Value, chart: &SmallChart) -> Value {
    let header = text.lines().find(|line| line.starts_with("query ")).expect("a query");
    let declared = |name: &str| header.contains(&format!("${name}:"));
    let mut used: serde_json::Map<String, Value> = all
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| declared(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if declared("at") {
        used.insert("at".to_owned(), if declared("session") { json!(at("01-28", 6)) } else { json!(chart.known_at) });
    }
    Value::Object(used)
}

#[tokio::test(flavor = "multi_thread")]
async fn documented_queries_answer_what_stands_beside_them() {
    let clinic = Clinic::logging_statements().await;
    let chart = small_chart(&clinic).await;
    let anna = clinic.practitioner();
    let variables = variables(&clinic, &chart);
    let (folder, update) = (folder(), std::env::var_os("UPDATE").is_some());
    let index = std::fs::read_to_string(folder.join("README.md")).expect("the index");
    let mut files: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder")
        .flatten()
        .map(|it| it.file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut wanted: Vec<String> =
        QUERIES.iter().flat_map(|(name, _)| [format!("{name}.graphql"), format!("{name}.json")]).collect();
    wanted.push("README.md".to_owned());
    wanted.sort();
    let mut wrong = Vec::new();
    let mut few = Vec::new();
    let read = |name: &str| std::fs::read_to_string(folder.join(format!("{name}.graphql"))).expect(name);
    for (name, expected) in &QUERIES {
        let text = read(name);
        let (data, ran) = counted(&clinic, &anna, &text, used(&text, &variables, &chart)).await;
        if !expected.contains(&ran.len()) {
            wrong.push(format!(
                "{name}: {} statements instead of {expected:?}:\n    {}",
                ran.len(),
                ran.join("\n    ")
            ));
        }
        few.push((data.to_string().len(), ran.len()));
        let answer = json!({"data": Redaction::default().value("", &data)});
        let shown = serde_json::to_string_pretty(&answer).expect("JSON") + "\n";
        let file = folder.join(format!("{name}.json"));
        if update {
            std::fs::write(&file, &shown).expect("the answer");
        } else if std::fs::read_to_string(&file).expect("an answer") != shown {
            wrong.push(format!(
                "{name}: another answer than docs/queries/{name}.json (UPDATE=1 writes it anew):\n{shown}"
            ));
        }
        let count = if expected.start() == expected.end() {
            expected.start().to_string()
        } else {
            format!("{} to {}", expected.start(), expected.end())
        };
        let listed = index.lines().any(|line| {
            line.starts_with(&format!("| [{name}]({name}.graphql) |")) && line.ends_with(&format!(" | {count} |"))
        });
        if !listed {
            wrong.push(format!("{name}: docs/queries/README.md does not list it with {count} statements"));
        }
    }
    // With more rows of everything, each takes as many statements as before.
    grow(&clinic, &chart).await;
    for ((name, expected), (size, short)) in QUERIES.iter().zip(few) {
        let text = read(name);
        let (data, ran) = counted(&clinic, &anna, &text, used(&text, &variables, &chart)).await;
        let as_of_then = ["session", "session-checks", "chart-as-of"].contains(name);
        assert!(as_of_then || data.to_string().len() > size, "{name} did not grow: no test");
        if !expected.contains(&ran.len()) {
            wrong.push(format!(
                "{name}: {short} statements for few rows, {} for more, instead of {expected:?}:\n    {}",
                ran.len(),
                ran.join("\n    ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        if update { wanted.clone() } else { files },
        wanted,
        "each query has its answer and stands in the table"
    );
}
