//! The access matrix, generated from the schema and the tables of `access`: every field, asked as every role of the own
//! organisation, of another one, signed out, disabled and expired; directly, through fragments, through `node`, and nested
//! in every other record that leads there.

mod programs;

use crate::access::{
    Chart, FIELDS, MUTATIONS, NO, QUERIES, Rights, called, chart, ids_in, input_of, outcome, path_of, query, reach,
    selection,
};
use crate::support::*;
use std::collections::{BTreeMap, BTreeSet};

type Row = (&'static str, &'static str, Rights, &'static str);

/// A question about a row of FIELDS: the document, where in the answer the fields are, and what stands on the way there.
struct Question {
    shape: String,
    document: String,
    path: String,
    way: Option<Rights>,
}

/// The rows of each type, each type's first way to it.
fn way_to(ty: &str) -> Option<&'static Row> {
    FIELDS.iter().find(|row| row.0 == ty)
}

fn fragment(ty: &str, fields: &str) -> String {
    format!(" fragment Asked on {ty} {{ {fields} }}")
}

/// The ways of asking for a row's fields.
fn questions(schema: &Schema, row: &Row, chart: &Chart) -> Vec<Question> {
    let (ty, path, _, names) = *row;
    let fields = selection(schema, ty, names);
    let mut found = vec![
        Question { shape: "direct".to_owned(), document: reach(path, &fields), path: path.to_owned(), way: None },
        Question {
            shape: "fragment".to_owned(),
            document: reach(path, "...Asked") + &fragment(ty, &fields),
            path: path.to_owned(),
            way: None,
        },
        Question {
            shape: "inline fragment".to_owned(),
            document: reach(path, &format!("... on {ty} {{ ... {{ {fields} }} }}")),
            path: path.to_owned(),
            way: None,
        },
    ];
    // Through `node`, for what is a record with an id of its own that the chart knows.
    let root = path.split('/').next().unwrap_or_default();
    let arguments = QUERIES.iter().find(|(name, ..)| *name == root).map_or("", |row| row.1);
    let id = arguments.strip_prefix("(id: $").and_then(|rest| rest.strip_suffix(')'));
    if let (Some(id), true) = (id, path == root) {
        assert!(chart.ids[id].is_string(), "the chart has no {id}");
        found.push(Question {
            shape: "node".to_owned(),
            document: query(&format!("node(id: ${id}) {{ ... on {ty} {{ {fields} }} }}")),
            path: "node".to_owned(),
            way: None,
        });
        found.push(Question {
            shape: "nodes".to_owned(),
            document: query(&format!("nodes(ids: [${id}]) {{ ... on {ty} {{ {fields} }} }}")),
            path: "nodes/0".to_owned(),
            way: None,
        });
    }
    // One's own alone: who is nested in a record may be somebody else. `sign_in::own` holds them to that.
    if names.contains("signIns") {
        return found;
    }
    // Nested in whatever else has a field of this type.
    for owner in schema.types.iter().filter(|owner| owner.kind == "OBJECT") {
        let Some((_, way, ..)) = way_to(&owner.name) else { continue };
        for field in owner.fields.iter().filter(|field| field.named_type() == ty) {
            let rights = FIELDS
                .iter()
                .find(|(of, _, _, names)| *of == owner.name && names.split_whitespace().any(|name| name == field.name));
            let Some((_, _, rights, _)) = rights else { continue };
            let list = if field.ty.starts_with('[') { "/0" } else { "" };
            found.push(Question {
                shape: format!("nested in {}.{}", owner.name, field.name),
                document: reach(way, &format!("{} {{ {fields} }}", called(&field.name))),
                path: format!("{way}/{}{list}", field.name),
                way: Some(*rights),
            });
        }
    }
    found
}

fn standing(answer: &Answer, path: &str, name: &str) -> Option<String> {
    // Where the chart has nothing at the end of a way there is nothing to be shown, and no error to be told.
    let missing = answer.errors.is_empty() && answer.data.pointer(&format!("/{path}")).is_none_or(Value::is_null);
    if missing { None } else { Some(outcome(answer, path, name)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_by_every_way_for_every_role_of_the_own_organisation() {
    let clinic = Clinic::start().await;
    let schema = Schema::ask(&clinic.anonymous()).await;
    let chart = chart(&clinic, &clinic.north).await;
    let (mut wrong, mut cells) = (Vec::new(), 0);
    let mut ways: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for row in FIELDS.iter() {
        let (ty, _, rights, names) = *row;
        for question in questions(&schema, row, &chart) {
            for role in Role::ALL {
                let answer = clinic.of(&clinic.north, role).graphql(&question.document, chart.ids.clone()).await;
                for name in names.split_whitespace() {
                    let Some(found) = standing(&answer, &question.path, name) else { continue };
                    let blocked = question.way.is_some_and(|way| way[role as usize] != "ok");
                    let expected = if blocked { NO } else { rights[role as usize] };
                    if found != expected {
                        wrong.push(format!("{role:?} {ty}.{name} {}: {found} instead of {expected}", question.shape));
                    }
                    ways.entry(ty).or_default().insert(question.shape.clone());
                    cells += 1;
                }
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{} of {cells}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells > 20_000, "only {cells} cells were looked at");
    // Each type was reached in three ways at least.
    for (ty, ways) in ways {
        assert!(ways.len() >= 3, "{ty} was reached by {ways:?} alone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_of_one_patient_opens_no_field_of_another() {
    let clinic = Clinic::start().await;
    let schema = Schema::ask(&clinic.anonymous()).await;
    let chart = chart(&clinic, &clinic.north).await;
    let (desk, other) = (clinic.front_desk(), clinic.practitioner().patient("Ian", "Smith").await);
    clinic.practitioner().session(&other).await;
    let emergency = json!({"patientId": other.id, "reason": "Unconscious at the door"});
    desk.make("beginEmergencyAccess", "emergencyAccess", emergency).await;
    let (mut wrong, mut cells) = (Vec::new(), 0);
    for row in FIELDS.iter() {
        let (ty, _, rights, names) = *row;
        for question in questions(&schema, row, &chart) {
            let answer = desk.graphql(&question.document, chart.ids.clone()).await;
            for name in names.split_whitespace() {
                let Some(found) = standing(&answer, &question.path, name) else { continue };
                let blocked = question.way.is_some_and(|way| way[Role::FrontDesk as usize] != "ok");
                // As if there were no emergency: refused, and never an empty list or a null.
                let expected = if blocked { NO } else { rights[Role::FrontDesk as usize] };
                if found != expected {
                    wrong.push(format!("{ty}.{name} {}: {found} instead of {expected}", question.shape));
                }
                cells += 1;
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{} of {cells}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells > 5_000, "only {cells} cells were looked at");
}

/// Everything in an answer that looks like a typed id.
fn ids_of(value: &Value) -> BTreeSet<String> {
    let mut places = Vec::new();
    ids_in(value, "", &mut places);
    places.iter().filter_map(|place| value.pointer(place)?.as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_leads_a_stranger_to_a_field() {
    let clinic = Clinic::start().await;
    let schema = Schema::ask(&clinic.anonymous()).await;
    let chart = chart(&clinic, &clinic.north).await;
    // What the north's own see by these ways is the north's.
    let shared = ["OutcomeScale", "OutcomeScaleLabel"];
    let sql = clinic.database.superuser().await;
    // Signed in before they were disabled, or their time ran out.
    let disabled = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    let expired = clinic.sign_in_again(&clinic.north, Role::Admin).await;
    let idle = clinic.sign_in_again(&clinic.north, Role::Auditor).await;
    let closed = clinic.sign_in_again(&clinic.north, Role::FrontDesk).await;
    let of = |who: &SignedIn| format!("token_hash = sha256('{}')", who.member.token);
    sql.run(&format!("UPDATE staff SET active = false WHERE id = '{}'", uuid_of(disabled.id()))).await;
    sql.run(&format!("UPDATE sign_in SET expires_at = now() WHERE {}", of(&expired))).await;
    sql.run(&format!("UPDATE sign_in SET last_seen_at = now() - interval '1 day' WHERE {}", of(&idle))).await;
    sql.run(&format!("UPDATE account SET disabled_at = now() WHERE email = '{}'", closed.member.email)).await;
    let nobody = clinic.anonymous();
    let made_up = nobody.with_token(&format!("clinic_{}", "A".repeat(43)));
    let out: [(&str, &Caller); 6] = [
        ("signed out", &nobody),
        ("made up", &made_up),
        ("disabled", &disabled),
        ("expired", &expired),
        ("idle", &idle),
        ("closed", &closed),
    ];
    let (mut wrong, mut cells) = (Vec::new(), 0);
    for row in FIELDS.iter().filter(|row| !shared.contains(&row.0)) {
        for question in questions(&schema, row, &chart) {
            for (what, who) in out {
                let answer = who.graphql(&question.document, chart.ids.clone()).await;
                let shown = answer.data.as_object().is_some_and(|data| data.values().any(|value| !empty(value)));
                if answer.outcome() != "UNAUTHENTICATED" || shown {
                    wrong.push(format!("{what} {} {}: {}", row.0, question.shape, answer.text));
                }
                cells += 1;
            }
            for role in Role::ALL {
                let answer = clinic.of(&clinic.south, role).graphql(&question.document, chart.ids.clone()).await;
                let foreign = ids_of(&chart.ids);
                let shown: Vec<String> = ids_of(&answer.data).intersection(&foreign).cloned().collect();
                let by_id = question.document.contains(": ID!");
                let refused = ["NOT_FOUND", NO, "FORBIDDEN NOT_FOUND"].contains(&answer.outcome().as_str());
                if !shown.is_empty() || (by_id && !refused) {
                    wrong.push(format!("South's {role:?} {} {}: {}", row.0, question.shape, answer.text));
                }
                cells += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cells}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells > 3_000, "only {cells} cells were looked at");
}

/// Nothing but nulls.
fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().all(empty),
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mutation_runs_for_whom_the_service_knows_no_more() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let sql = clinic.database.superuser().await;
    let (disabled, expired) = (
        clinic.sign_in_again(&clinic.north, Role::Practitioner).await,
        clinic.sign_in_again(&clinic.north, Role::Admin).await,
    );
    sql.run(&format!("UPDATE sign_in SET expires_at = now() WHERE token_hash = sha256('{}')", expired.member.token))
        .await;
    let entries = format!("SELECT seq FROM ledger_head WHERE org_id = '{}'", clinic.north.uuid);
    let practitioner = uuid_of(disabled.id());
    for (mutation, _) in MUTATIONS.iter().filter(|(name, _)| !crate::access::PUBLIC.contains(name)) {
        let input = input_of(&chart, mutation).await;
        let before = sql.one(&entries).await;
        sql.run(&format!("UPDATE staff SET active = false WHERE id = '{practitioner}'")).await;
        for (what, who) in [("disabled", &disabled), ("expired", &expired)] {
            let answer = who.does(mutation, input.clone(), "__typename").await;
            assert_eq!(answer.outcome(), "UNAUTHENTICATED", "{what} {mutation} {}", answer.text);
            assert!(answer.errors.iter().all(|error| path_of(error).len() <= 1), "{mutation}");
        }
        sql.run(&format!("UPDATE staff SET active = true WHERE id = '{practitioner}'")).await;
        assert_eq!(sql.one(&entries).await, before, "{mutation} left an entry");
    }
}
