//! Row-level security alone: a service whose every statement has lost its tenant filter shows and changes nothing of
//! another organisation.

use crate::access::{Chart, MUTATIONS, PUBLIC, QUERIES, chart, ids_in, input_of, query};
use crate::support::*;
use std::collections::BTreeSet;

#[test]
fn the_filter_is_cut_and_nothing_else() {
    let (text, cut) = cut_filters(
        "SELECT \"patient\".\"org_id\", x FROM patient AS p JOIN y ON y.org_id = p.org_id WHERE p.org_id = $1 AND \"patient\".\"org_id\"=$12 OR z",
    );
    assert_eq!(
        (text.as_str(), cut),
        (
            "SELECT \"patient\".\"org_id\", x FROM patient AS p JOIN y ON y.org_id = p.org_id WHERE $1::uuid IS NOT NULL AND $12::uuid IS NOT NULL OR z",
            2
        )
    );
    let (text, cut) = cut_filters("UPDATE a SET org_id = $1, b = $2 WHERE (\"a\".\"org_id\" = $3)");
    assert_eq!((text.as_str(), cut), ("UPDATE a SET org_id = $1, b = $2 WHERE ($3::uuid IS NOT NULL)", 1));
}

/// Every typed id in a value, and every id below a chart.
fn ids_of(value: &Value) -> BTreeSet<String> {
    let mut places = Vec::new();
    ids_in(value, "", &mut places);
    places.iter().filter_map(|place| value.pointer(place)?.as_str().map(str::to_owned)).collect()
}

/// The root query with the ids and the names that its records have.
fn wide(name: &str, arguments: &str) -> String {
    // Whatever has an id shows it: the interface takes every record.
    let inner = match name {
        "me" | "organisation" => "{ id }",
        "viewer" => "{ staff { id } }",
        "accessLog" => "{ nodes { patientIds actor { ... on Staff { id } } } }",
        "changes" => "{ nodes { recordId patientId movedFromPatientId actorId } }",
        "outcomeScales" => "{ code }",
        "sessionChecks" => "{ checks { recordId } }",
        "chartCompleteness" => "{ items { field } }",
        "possibleDuplicates" | "possiblePatients" => "{ patient { id } }",
        "chartReviewFigures" => "{ due }",
        "chart" => "{ patient { id } records { recordId } }",
        "lotTrace" => "{ lot { id } patients { nodes { patient { id } } } }",
        _ if arguments.starts_with("(first") => "{ nodes { id } totalCount }",
        _ => "{ id }",
    };
    query(&format!("{name}{arguments} {inner}"))
}

struct Leak {
    asked: usize,
    leaked: Vec<String>,
}

/// Asks everything as the south, with its own ids and with the north's: what came that is the north's.
async fn ask_all(clinic: &Clinic, theirs: &Chart, ours: &Chart, foreign: &BTreeSet<String>) -> Leak {
    let mut leak = Leak { asked: 0, leaked: Vec::new() };
    for role in Role::ALL {
        let who = clinic.of(&clinic.south, role);
        for (name, arguments, rights) in QUERIES.iter() {
            for ids in [&ours.ids, &theirs.ids] {
                let answer = who.graphql(&wide(name, arguments), ids.clone()).await;
                leak.asked += 1;
                let own = ids == &ours.ids;
                let expected = rights[role as usize];
                if own && expected == "ok" {
                    assert_eq!(answer.outcome(), "ok", "{role:?} {name}: its own is there still: {}", answer.text);
                }
                let shown: Vec<_> = ids_of(&answer.data).intersection(foreign).cloned().collect();
                if !shown.is_empty() {
                    leak.leaked.push(format!("{role:?} {name} shows {shown:?}"));
                }
            }
        }
    }
    leak
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_tenant_filter_no_foreign_row_is_shown_or_changed() {
    let mut clinic = Clinic::start().await;
    let (theirs, ours) = (chart(&clinic, &clinic.north).await, chart(&clinic, &clinic.south).await);
    // Everything that the north's auditor sees with a filter is foreign to the south.
    let mut foreign = ids_of(&theirs.ids);
    for (name, arguments, _) in QUERIES.iter() {
        foreign.extend(ids_of(&clinic.auditor().graphql(&wide(name, arguments), theirs.ids.clone()).await.data));
    }
    let own = ids_of(&ours.ids);
    foreign.retain(|id| !own.contains(id));
    assert!(foreign.len() > 30, "{foreign:?}");
    let cutter = FilterCutter::start().await;
    clinic.restart_at(&cutter.url(&clinic.database.name), &[]).await;
    let before = cutter.cut();
    let found = ask_all(&clinic, &theirs, &ours, &foreign).await;
    assert!(found.leaked.is_empty(), "{}", found.leaked.join("\n"));
    assert!(found.asked >= 8 * QUERIES.len() && cutter.cut() > before + 40, "{} filters were cut", cutter.cut());

    // Nor does any write reach a foreign record: the north's content is as it was, to the letter.
    let sql = clinic.database.superuser().await;
    let content = format!(
        "SELECT md5(string_agg(seq || encode(hash, 'hex'), ',' ORDER BY seq)) FROM ledger WHERE org_id = '{}'",
        clinic.north.uuid
    );
    let north = |chart: Chart| Chart {
        admin: clinic.of(&clinic.north, Role::Admin),
        anna: clinic.of(&clinic.north, Role::Practitioner),
        ids: chart.ids,
    };
    let south = (clinic.of(&clinic.south, Role::Admin), clinic.of(&clinic.south, Role::Practitioner));
    let theirs = north(theirs);
    let mut tried = 0;
    for (mutation, rights) in MUTATIONS.iter().filter(|(name, _)| !PUBLIC.contains(name)) {
        let input = input_of(&theirs, mutation).await;
        if ids_of(&input).is_empty() {
            continue;
        }
        let kept = sql.one(&content).await;
        let who = if rights[Role::Practitioner as usize] == "ok" { &south.1 } else { &south.0 };
        let answer = who.does(mutation, input, "__typename").await;
        assert!(["NOT_FOUND", "BAD_USER_INPUT"].contains(&answer.outcome().as_str()), "{mutation} {}", answer.text);
        assert_eq!(sql.one(&content).await, kept, "{mutation} changed the north");
        tried += 1;
    }
    assert!(tried > 50, "{tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_neither_filter_nor_policy_the_same_questions_do_show_foreign_rows() {
    // The test above can fail: with row-level security taken away as well, the north's records come.
    let mut clinic = Clinic::start().await;
    let (theirs, ours) = (chart(&clinic, &clinic.north).await, chart(&clinic, &clinic.south).await);
    let sql = clinic.database.superuser().await;
    for table in ["patient", "treatment_session"] {
        sql.run(&format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")).await;
    }
    let cutter = FilterCutter::start().await;
    clinic.restart_at(&cutter.url(&clinic.database.name), &[]).await;
    let foreign = ids_of(&json!([theirs.ids["patient"], theirs.ids["session"]]));
    let who = clinic.of(&clinic.south, Role::Auditor);
    for text in
        ["patients(first: 50) { nodes { id } }", "sessions(first: 50) { nodes { id } }", "patient(id: $patient) { id }"]
    {
        let answer = who.graphql(&query(text), theirs.ids.clone()).await;
        assert!(!ids_of(&answer.data).is_disjoint(&foreign), "{text} {}", answer.text);
    }
    drop(ours);
}
