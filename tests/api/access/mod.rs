//! Who may see and do what: every field of the schema, for every role, in the own and in another organisation, and
//! signed out. A field of the schema without a row here fails the test. Then sign-in itself: `waits` and `ends`.

mod alone;
mod documents;
mod ends;
mod fields;
mod inputs;
mod roots;
mod waits;
mod whole_chart;

use crate::live::rights::SUBSCRIPTIONS;
use crate::support::*;
pub use documents::{ids_in, outcome, path_of, query, reach, selection};
pub use fields::{FIELDS, called};
pub use inputs::input_of;
pub use roots::{IDENTITY, MUTATIONS, PUBLIC, QUERIES};
use std::collections::{BTreeMap, BTreeSet};
pub use whole_chart::{Chart, chart, erasing, merging};

/// What admin, practitioner, front desk and auditor get, in the order of `Role::ALL`.
pub type Rights = [&'static str; 4];

pub const NO: &str = "FORBIDDEN";
pub const ALL: Rights = ["ok"; 4];
pub const CLINICAL: Rights = ["ok", "ok", NO, "ok"];
const ADMIN: Rights = ["ok", NO, NO, NO];
pub const PRACTITIONER: Rights = [NO, "ok", NO, NO];
const REGISTERS: Rights = ["ok", "ok", "ok", NO];
const ARCHIVES: Rights = ["ok", "ok", NO, NO];
const ERASURES: Rights = ["ok", NO, NO, "ok"];

#[tokio::test(flavor = "multi_thread")]
async fn every_field_has_its_row() {
    let clinic = Clinic::start().await;
    let schema = Schema::ask(&clinic.anonymous()).await;
    let names =
        |ty: &str| -> BTreeSet<String> { schema.get(ty).fields.iter().map(|field| field.name.clone()).collect() };
    let add = "a plain kind has its row in tests/api/support/kinds.rs, anything else in tests/api/access/";
    let rows: BTreeSet<String> = QUERIES.iter().map(|row| row.0.to_owned()).collect();
    let mut wrong = difference(names("Query"), rows, &format!("QUERIES and the schema differ; {add}roots.rs:"));
    let rows = MUTATIONS.iter().map(|row| row.0).chain(IDENTITY.iter().copied());
    let rows: BTreeSet<String> = rows.map(str::to_owned).collect();
    wrong += &difference(names("Mutation"), rows, &format!("MUTATIONS and the schema differ; {add}roots.rs:"));
    let rows: BTreeSet<String> = SUBSCRIPTIONS.iter().map(|row| row.0.to_owned()).collect();
    wrong +=
        &difference(names("Subscription"), rows, "SUBSCRIPTIONS of tests/api/live/rights.rs and the schema differ:");
    let mut rows: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (ty, _, _, fields) in FIELDS.iter() {
        rows.entry(*ty).or_default().extend(fields.split_whitespace().map(str::to_owned));
    }
    let is_root = |name: &str| ["Query", "Mutation", "Subscription"].contains(&name);
    for ty in schema.types.iter().filter(|ty| ty.kind == "OBJECT" && !is_root(&ty.name)) {
        let users = |ty: &str| {
            schema
                .types
                .iter()
                .flat_map(|owner| owner.fields.iter().map(move |field| (owner, field)))
                .filter(|(_, field)| field.named_type() == ty)
                .map(|(owner, _)| owner.name.clone())
                .collect::<Vec<_>>()
        };
        if ty.name.ends_with("Payload") {
            let mut users = users(&ty.name);
            users.dedup();
            assert_eq!(users, ["Mutation"], "{} is reached otherwise than by its mutations", ty.name);
            continue;
        }
        // What payloads alone hold is as theirs.
        if users(&ty.name).iter().all(|user| user.ends_with("Payload")) {
            continue;
        }
        let listed = rows.get(ty.name.as_str()).cloned().unwrap_or_default();
        wrong += &difference(
            names(&ty.name),
            listed,
            &format!("FIELDS of {} and the schema differ; {add}fields.rs:", ty.name),
        );
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_reads_what_the_tables_say() {
    let clinic = Clinic::start().await;
    let schema = Schema::ask(&clinic.anonymous()).await;
    let chart = chart(&clinic, &clinic.north).await;
    let mut wrong = Vec::new();
    for role in Role::ALL {
        let who = clinic.of(&clinic.north, role);
        for (name, arguments, rights) in QUERIES.iter() {
            let answer = who.graphql(&query(&format!("{name}{arguments} {{ __typename }}")), chart.ids.clone()).await;
            if answer.outcome() != rights[role as usize] {
                wrong.push(format!("{role:?} {name}: {} instead of {}", answer.text, rights[role as usize]));
            }
        }
        for (ty, path, rights, names) in FIELDS.iter() {
            let answer = who.graphql(&reach(path, &selection(&schema, ty, names)), chart.ids.clone()).await;
            for name in names.split_whitespace() {
                let found = outcome(&answer, path, name);
                if found != rights[role as usize] {
                    wrong.push(format!("{role:?} {ty}.{name}: {found} instead of {}", rights[role as usize]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_does_what_the_table_says() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let mut wrong = Vec::new();
    for (mutation, rights) in MUTATIONS.iter() {
        for role in Role::ALL {
            let who = clinic.of(&clinic.north, role).because("The tables");
            let answer = match *mutation {
                "signOut" => {
                    clinic
                        .sign_in_again(&clinic.north, role)
                        .await
                        .graphql("mutation { signOut { signedOut } }", json!({}))
                        .await
                }
                _ => who.does(mutation, input_of(&chart, mutation).await, "__typename").await,
            };
            if answer.outcome() != rights[role as usize] {
                wrong.push(format!("{role:?} {mutation}: {} instead of {}", answer.text, rights[role as usize]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_out_everything_but_sign_in_is_refused() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let nobody = clinic.anonymous();
    let made_up = nobody.with_token(&format!("clinic_{}", "A".repeat(43)));
    let malformed = nobody.with_token("clinic_short");
    for who in [&*nobody, &made_up, &malformed] {
        for (name, arguments, _) in QUERIES.iter() {
            let answer = who.graphql(&query(&format!("{name}{arguments} {{ __typename }}")), chart.ids.clone()).await;
            // By the GraphQL-over-HTTP draft an answer with data, be it `{"location": null}`, is a 200.
            let status = if answer.data.is_null() { 401 } else { 200 };
            let found = (answer.outcome(), answer.status.as_u16());
            assert_eq!(found, ("UNAUTHENTICATED".to_owned(), status), "{name} {}", answer.text);
            assert!(answer.data.get(name).is_none_or(Value::is_null), "{name} {}", answer.text);
        }
    }
    for (mutation, _) in MUTATIONS.iter().filter(|(name, _)| !PUBLIC.contains(name)) {
        let answer = nobody.does(mutation, input_of(&chart, mutation).await, "__typename").await;
        assert_eq!(
            (answer.outcome().as_str(), answer.status.as_u16()),
            ("UNAUTHENTICATED", 401),
            "{mutation} {}",
            answer.text
        );
    }
    let answer = nobody.graphql("mutation { signOut { signedOut } }", json!({})).await;
    assert_eq!(answer.outcome(), "UNAUTHENTICATED", "signOut");
}

/// An answer's errors, with the id in question taken out.
fn masked(answer: &Answer, id: &str) -> String {
    Value::from(answer.errors.clone()).to_string().replace(id, "…")
}

/// What comes before the digits of a typed id.
fn prefix(id: &str) -> &str {
    id.rsplit_once('_').expect("a typed id").0
}

/// Lists that can be asked for one patient's records, of those that a practitioner may read.
fn of_a_patient(schema: &Schema) -> Vec<String> {
    let lists = schema.get("Query").fields.iter().filter(|list| {
        let filter = list.arguments.iter().find(|argument| argument.name == "filter");
        let by_patient =
            filter.is_some_and(|it| schema.get(it.named_type()).input_fields.iter().any(|it| it.name == "patientId"));
        let rights = QUERIES.iter().find(|(name, ..)| *name == list.name).map(|row| row.2);
        by_patient && rights.is_some_and(|rights| rights[Role::Practitioner as usize] == "ok")
    });
    lists.map(|list| format!("{}(filter: {{patientId: $id}})", list.name)).collect()
}

/// Single look-ups, for every role that may use them, and lists.
async fn no_look_up_tells(clinic: &Clinic, theirs: &Chart, ours: &Chart) {
    for role in Role::ALL {
        let who = clinic.of(&clinic.south, role);
        for (name, arguments, rights) in QUERIES.iter().filter(|(_, arguments, _)| arguments.contains("(id: ")) {
            let kind = arguments.trim_matches(['(', ')']).trim_start_matches("id: $");
            let ask = async |id: &str| {
                who.graphql(&query(&format!("{name}(id: $id) {{ __typename }}")), json!({"id": id})).await
            };
            let id = theirs.ids[kind].as_str().expect("id");
            let (answer, unknown) = (ask(id).await, new_id(prefix(id)));
            let expected = if rights[role as usize] == "ok" { "NOT_FOUND" } else { NO };
            assert_eq!(
                (answer.outcome().as_str(), &answer.data[name]),
                (expected, &Value::Null),
                "{role:?} {name} {}",
                answer.text
            );
            assert_eq!(masked(&answer, id), masked(&ask(&unknown).await, &unknown), "{role:?} {name}");
        }
    }
    for (kind, id) in theirs.ids.as_object().expect("ids") {
        // Who may read the kind at all.
        let south = if ["service", "webhook"].contains(&kind.as_str()) { &ours.admin } else { &ours.anna };
        let id = id.as_str().expect("id");
        for text in ["node(id: $id) { id }", "nodes(ids: [$id]) { id }"] {
            let answer = south.graphql(&query(text), json!({"id": id})).await;
            let unknown = new_id(prefix(id));
            let made_up = south.graphql(&query(text), json!({"id": unknown})).await;
            assert_eq!(
                (answer.code(), masked(&answer, id)),
                ("NOT_FOUND", masked(&made_up, &unknown)),
                "{text} {kind}"
            );
        }
    }
    let lists = of_a_patient(&Schema::ask(&clinic.anonymous()).await);
    assert!(lists.len() >= 11, "{lists:?}");
    for filter in lists {
        let answer = ours
            .anna
            .graphql(&query(&format!("{filter} {{ totalCount }}")), json!({"id": theirs.ids["patient"]}))
            .await
            .ok();
        assert!(answer.to_string().contains(":0}"), "{filter} {answer}");
    }
}

/// Every id of every mutation's input, one at a time: how many there are.
async fn no_input_tells(theirs: &Chart, ours: &Chart) -> usize {
    let mut tried = 0;
    for (mutation, rights) in MUTATIONS.iter().filter(|(name, _)| !PUBLIC.contains(name)) {
        let who = if rights[Role::Practitioner as usize] == "ok" { &ours.anna } else { &ours.admin };
        let (own, foreign) = (input_of(ours, mutation).await, input_of(theirs, mutation).await);
        let mut places = Vec::new();
        ids_in(&own, "", &mut places);
        for place in places {
            let send = async |id: &str| {
                let mut input = own.clone();
                *input.pointer_mut(&place).expect("a place") = json!(id);
                who.does(mutation, input, "__typename").await
            };
            let id = foreign.pointer(&place).and_then(Value::as_str).expect("an id").to_owned();
            let unknown = new_id(prefix(&id));
            let (answer, made_up) = (send(&id).await, send(&unknown).await);
            let main = ["/id", "/patientId", "/sessionId", "/recordId", "/protocolId", "/consultationId", "/staffId"]
                .contains(&place.as_str());
            let expected = if main { "NOT_FOUND" } else { "BAD_USER_INPUT" };
            assert_eq!(answer.outcome(), expected, "{mutation} {place} {}", answer.text);
            assert_eq!(masked(&answer, &id), masked(&made_up, &unknown), "{mutation} {place}");
            tried += 1;
        }
    }
    tried
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisations_ids_are_as_unknown_as_made_up_ones() {
    let clinic = Clinic::start().await;
    let (theirs, ours) = (chart(&clinic, &clinic.north).await, chart(&clinic, &clinic.south).await);
    no_look_up_tells(&clinic, &theirs, &ours).await;
    let tried = no_input_tells(&theirs, &ours).await;
    assert!(tried >= 25, "only {tried} ids were tried");
    // Nothing came of any of it.
    let sql = clinic.database.superuser().await;
    let north = clinic.north.uuid;
    assert_eq!(sql.one(&format!("SELECT count(*) FROM ledger JOIN staff ON staff.id = actor_id WHERE ledger.org_id = '{north}' AND staff.org_id <> '{north}'")).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_field_is_null_and_its_siblings_stay() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let text = query(
        "patient(id: $patient) { displayName sessions { totalCount } healthHistory { id } status } sessions { totalCount } me { role }",
    );
    let answer = clinic.front_desk().graphql(&text, chart.ids).await;
    let patient = json!({"displayName": "Zoë Ramírez", "sessions": null, "healthHistory": null, "status": "ACTIVE"});
    assert_eq!(answer.data, json!({"patient": patient, "sessions": null, "me": {"role": "FRONT_DESK"}}));
    let mut paths: Vec<String> = answer.errors.iter().map(|error| path_of(error).join(".")).collect();
    paths.sort();
    assert_eq!(
        (answer.codes(), paths),
        (vec![NO; 3], ["patient.healthHistory", "patient.sessions", "sessions"].map(str::to_owned).to_vec())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_clinical_can_not_be_guessed_by_filters_or_reached_by_interfaces() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let desk = clinic.front_desk();
    let since = format!("{{ patients(filter: {{hasSessionSince: \"{}\"}}) {{ totalCount }} }}", hours_ago(9));
    assert_eq!(desk.graphql(&since, json!({})).await.outcome(), NO);
    for row in clinic::kinds::KINDS.iter().filter(|row| row.in_emergency) {
        let (kind, mut ids) = (row.kind, chart.ids.as_object().expect("ids").values().filter_map(Value::as_str));
        let id = ids.find(|id| prefix(id) == row.prefix);
        let id = id.unwrap_or_else(|| panic!("the chart of tests/api/access/whole_chart.rs has no {kind:?}"));
        for text in [
            "node(id: $id) { ... on ClinicalRecord { signature { signedAt } history { totalCount } } }",
            "nodes(ids: [$id]) { id }",
        ] {
            let answer = desk.graphql(&query(text), json!({"id": id})).await;
            assert_eq!(answer.outcome(), NO, "{kind:?} {text} {}", answer.text);
        }
    }
    // One refused id leaves the others.
    let answer = desk.graphql(&query("nodes(ids: [$session, $patient, $note]) { __typename }"), chart.ids).await;
    assert_eq!((answer.data, answer.errors.len()), (json!({"nodes": [null, {"__typename": "Patient"}, null]}), 2));
}
