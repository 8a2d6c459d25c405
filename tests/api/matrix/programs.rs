//! The same for programs: every field by every way, for every scope.

use super::{fragment, standing, way_to};
use crate::access::{Chart, FIELDS, IDENTITY, MUTATIONS, NO, QUERIES, called, chart, query, reach, selection};
use crate::support::*;
use futures::StreamExt;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Which scope reads what, by the types of the API: the kinds as docs/service-accounts.md says, and types that are no
/// kinds. A type that is in none is part of the record that it stands in.
static SCOPES: LazyLock<Vec<(&'static str, Vec<&'static str>)>> = LazyLock::new(|| {
    let with = |(scope, kinds): (&'static str, Vec<&'static str>)| {
        let others = NO_KINDS.iter().filter(|(name, _)| *name == scope).flat_map(|(_, types)| types.iter().copied());
        let types: Vec<&'static str> = kinds.into_iter().chain(others).collect();
        (scope, types)
    };
    documented().into_iter().map(with).collect()
});

/// The table of scopes of docs/service-accounts.md.
fn documented() -> Vec<(&'static str, Vec<&'static str>)> {
    let rows = include_str!("../../../docs/service-accounts.md").lines().filter_map(|line| {
        let (scope, kinds) = line.strip_prefix("| `")?.strip_suffix(" |")?.split_once(") | ")?;
        Some((scope.split('`').next()?, kinds.split(", ").collect()))
    });
    rows.collect()
}

#[test]
fn the_documented_scopes_are_those_of_the_kinds() {
    let documented = documented();
    assert_eq!(documented.len(), 5, "{documented:?}");
    let documented =
        documented.iter().flat_map(|(scope, kinds)| kinds.iter().map(move |kind| format!("{scope} {kind}")));
    let kinds = clinic::kinds::KINDS.iter().map(|row| {
        let scope = row.scope.as_str().replace(':', "_").to_uppercase();
        let initial = |word: &str| word[..1].to_uppercase() + &word[1..];
        let ty: String = row.kind.as_str().split('_').map(initial).collect();
        format!("{scope} {ty}")
    });
    let advice = "docs/service-accounts.md, table of scopes, against src/kinds.rs:";
    let wrong = difference(kinds, documented, advice);
    assert!(wrong.is_empty(), "{wrong}");
}

/// Types that are no kinds of record, and what is read by two scopes.
const NO_KINDS: &[(&str, &[&str])] = &[
    // A merge says what two patients were called.
    ("PATIENTS_READ", &["PossibleDuplicate", "PatientMerge"]),
    (
        "CLINICAL_READ",
        &[
            "RequiredConsent",
            "ChartReviewFigure",
            "PhotoPair",
            "OutcomeSeries",
            "TimelineEntry",
            "TimelineRecord",
            "Aftercare",
            "SessionCheck",
            "ChartCompleteness",
        ],
    ),
    // What a protocol makes of a session.
    ("CATALOGUE_READ", &["Aftercare", "MaintenanceEstimate"]),
    ("AUDIT_READ", &["AccessEntry"]),
];

/// Fields that need another scope than their type says, or several, or that no program may ask.
const BESIDES: &[(&str, &str, &[&str])] = &[
    ("Query", "chart", &["PATIENTS_READ", "CLINICAL_READ"]),
    ("Query", "lotTrace", &["CATALOGUE_READ", "CLINICAL_READ"]),
    ("Query", "sessionChecks", &[PEOPLE]),
    ("TreatmentPlan", "progress", &["CATALOGUE_READ", "ORGANISATION_READ"]),
    ("Staff", "secondFactor", &[PEOPLE]),
    ("Staff", "signIns", &[PEOPLE]),
    ("AccessEntry", "actor", &["ORGANISATION_READ"]),
    // A program is nobody of the staff.
    ("Viewer", "staff", &[]),
];

/// No scope has this name: what needs it is for people.
const PEOPLE: &str = "people";

/// The scopes that a field needs beside those of the way to it.
fn needs(schema: &Schema, ty: &str, name: &str) -> BTreeSet<&'static str> {
    if let Some((.., scopes)) = BESIDES.iter().find(|(of, field, _)| (*of, *field) == (ty, name)) {
        return scopes.iter().copied().collect();
    }
    let field = schema.get(ty).fields.iter().find(|field| field.name == name).expect("a field");
    let kind = field.named_type();
    let kind = kind.strip_suffix("Connection").or(kind.strip_suffix("Edge")).unwrap_or(kind);
    SCOPES.iter().filter(|(_, types)| types.contains(&kind)).map(|(scope, _)| *scope).collect()
}

/// The scopes that a path such as `session/areas/0` needs.
fn needs_on_the_way(schema: &Schema, path: &str) -> BTreeSet<&'static str> {
    let (mut ty, mut found) = ("Query", BTreeSet::new());
    for step in path.split('/').filter(|step| step.parse::<usize>().is_err()) {
        found.extend(needs(schema, ty, step));
        ty = schema.get(ty).fields.iter().find(|field| field.name == step).expect("a field").named_type();
    }
    found
}

/// A document with what is expected of its fields, all of one type at one path.
struct Probe {
    who: usize,
    document: String,
    path: String,
    expected: Vec<(String, &'static str)>,
    shape: String,
}

/// How a type is asked, with `FIELDS` for the fields, where they are, and what the way needs.
type Way = (String, String, String, BTreeSet<&'static str>);

/// The ways to a type that is reached by a path.
fn ways(schema: &Schema, chart: &Chart, ty: &str, path: &str) -> Vec<Way> {
    let node_needs = SCOPES.iter().filter(|(_, types)| types.contains(&ty)).map(|(scope, _)| *scope);
    let mut ways = vec![
        ("direct".to_owned(), reach(path, "FIELDS"), path.to_owned(), needs_on_the_way(schema, path)),
        (
            "fragment".to_owned(),
            reach(path, "...Asked") + &fragment(ty, "FIELDS"),
            path.to_owned(),
            needs_on_the_way(schema, path),
        ),
    ];
    let root = path.split('/').next().unwrap_or_default();
    let arguments = QUERIES.iter().find(|(name, ..)| *name == root).map_or("", |row| row.1);
    let id = arguments.strip_prefix("(id: $").and_then(|rest| rest.strip_suffix(')'));
    if let (Some(id), true) = (id, path == root) {
        let document = query(&format!("node(id: ${id}) {{ ... on {ty} {{ FIELDS }} }}"));
        assert!(chart.ids[id].is_string());
        ways.push(("node".to_owned(), document, "node".to_owned(), node_needs.collect()));
    }
    for owner in schema.types.iter().filter(|owner| owner.kind == "OBJECT") {
        let Some((_, way, ..)) = way_to(&owner.name) else { continue };
        for field in owner.fields.iter().filter(|field| field.named_type() == ty) {
            let listed = FIELDS
                .iter()
                .any(|(of, _, _, names)| *of == owner.name && names.split_whitespace().any(|name| name == field.name));
            // Whatever names a person asks the same question: once for each type is enough.
            let (by, seen) = (ty == "Staff" || ty == "Patient", &ways);
            let again = by && seen.iter().filter(|way| way.0.starts_with("nested")).count() >= 6;
            if !listed || again {
                continue;
            }
            let list = if field.ty.starts_with('[') { "/0" } else { "" };
            let mut needed = needs_on_the_way(schema, way);
            needed.extend(needs(schema, &owner.name, &field.name));
            ways.push((
                format!("nested in {}.{}", owner.name, field.name),
                reach(way, &format!("{} {{ FIELDS }}", called(&field.name))),
                format!("{way}/{}{list}", field.name),
                needed,
            ));
        }
    }
    ways
}

/// What a program with one scope is asked: the fields that it may see in one document, the others apart, as one that can't
/// be null takes its siblings with it.
fn probes(schema: &Schema, chart: &Chart, who: usize, scope: &str) -> Vec<Probe> {
    let opens = |needed: &BTreeSet<&str>| needed.iter().all(|one| *one == scope);
    let mut found = Vec::new();
    for row in FIELDS.iter() {
        let (ty, path, _, names) = *row;
        let names: Vec<&str> = names.split_whitespace().collect();
        for (shape, document, path, needed) in ways(schema, chart, ty, path) {
            let mut ask = |names: &[&str], expected: &'static str| {
                if !names.is_empty() {
                    let fields = selection(schema, ty, &names.join(" "));
                    found.push(Probe {
                        who,
                        document: document.replace("FIELDS", &fields),
                        path: path.clone(),
                        expected: names.iter().map(|name| ((*name).to_owned(), expected)).collect(),
                        shape: format!("{scope} {ty} {shape}"),
                    });
                }
            };
            if !opens(&needed) {
                ask(&names, NO);
                continue;
            }
            let (open, closed): (Vec<&str>, Vec<&str>) =
                names.iter().copied().partition(|name| opens(&needs(schema, ty, name)));
            ask(&open, "ok");
            let required =
                |name: &&str| schema.get(ty).fields.iter().any(|field| field.name == *name && field.ty.ends_with('!'));
            let (required, nullable): (Vec<&str>, Vec<&str>) = closed.into_iter().partition(required);
            ask(&nullable, NO);
            required.iter().for_each(|name| ask(&[*name], NO));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_by_every_way_for_every_scope_of_a_program() {
    let clinic = Clinic::start().await;
    let schema = Schema::ask(&clinic.anonymous()).await;
    let chart = chart(&clinic, &clinic.north).await;
    let (mut programs, mut questions) = (Vec::new(), Vec::new());
    for (who, (scope, _)) in SCOPES.iter().enumerate() {
        let service = clinic.admin().service_account(scope, &[scope]).await;
        let (_, secret) = clinic.admin().api_key(&service, json!({})).await;
        programs.push(clinic.anonymous().with_token(&secret));
        questions.extend(probes(&schema, &chart, who, scope));
    }
    let asked = futures::stream::iter(questions).map(|probe| {
        let (program, ids) = (&programs[probe.who], chart.ids.clone());
        async move { (program.graphql(&probe.document, ids).await, probe) }
    });
    let (mut wrong, mut cells, mut open) = (BTreeSet::new(), 0, 0);
    let mut answers = asked.buffer_unordered(6);
    while let Some((answer, probe)) = answers.next().await {
        for (name, expected) in &probe.expected {
            let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| standing(&answer, &probe.path, name)));
            let found = found.unwrap_or_else(|_| Some(answer.text.clone()));
            let Some(found) = found else { continue };
            // A link that leads nowhere asks for nothing.
            let nowhere = || answer.data.pointer(&format!("/{}/{name}", probe.path)).is_some_and(Value::is_null);
            if found == "ok" && *expected == NO && nowhere() {
                continue;
            }
            if found != *expected {
                wrong.insert(format!("{} .{name}: {found} instead of {expected}", probe.shape));
            }
            (cells, open) = (cells + 1, open + usize::from(found == "ok"));
        }
    }
    let wrong: Vec<String> = wrong.into_iter().collect();
    assert!(wrong.is_empty(), "{} of {cells}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells > 10_000 && open > 1_500, "only {cells} cells were looked at, {open} of them open");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mutation_runs_for_a_program_whatever_its_scopes() {
    let clinic = Clinic::start().await;
    let all: Vec<&str> = SCOPES.iter().map(|(scope, _)| *scope).collect();
    let sql = clinic.database.superuser().await;
    let mut programs = Vec::new();
    for scopes in SCOPES.iter().map(|(scope, _)| vec![*scope]).chain([all]) {
        let service = clinic.admin().service_account(&scopes.join(" "), &scopes).await;
        let (_, secret) = clinic.admin().api_key(&service, json!({})).await;
        programs.push((scopes, clinic.anonymous().with_token(&secret)));
    }
    let entries = format!("SELECT seq FROM ledger_head WHERE org_id = '{}'", clinic.north.uuid);
    let before = sql.one(&entries).await;
    let whole = json!({"legalName": {"given": "A", "family": "B"}, "birthDate": "1990-01-01"});
    for (scopes, program) in &programs {
        let answer = program.does("registerPatient", whole.clone(), "__typename").await;
        assert_eq!(answer.outcome(), NO, "{scopes:?} {}", answer.text);
        assert!(answer.data.is_null() && answer.text.contains("it only reads"), "{}", answer.text);
    }
    let mut refused = 0;
    for mutation in MUTATIONS.iter().map(|row| row.0).chain(IDENTITY.iter().copied()) {
        for (scopes, program) in &programs {
            let answer = match mutation {
                "signOut" | "beginSecondFactor" | "regenerateRecoveryCodes" => {
                    program.graphql(&format!("mutation {{ {mutation} {{ __typename }} }}"), json!({})).await
                }
                _ => program.does(mutation, json!({}), "__typename").await,
            };
            // What the schema tells everybody is told first: an input lacks what its type requires.
            let lacking = answer.code() == "BAD_USER_INPUT" && !answer.text.contains("\"code\":\"EMPTY\"");
            if !lacking {
                assert_eq!(answer.outcome(), NO, "{scopes:?} {mutation} {}", answer.text);
                assert!(answer.text.contains("it only reads"), "{mutation} {}", answer.text);
                refused += 1;
            }
            assert!(answer.data.is_null(), "{mutation} {}", answer.text);
        }
    }
    assert!(refused >= 3 * programs.len(), "only {refused} were refused for who asks");
    assert_eq!(sql.one(&entries).await, before);
    assert_eq!(
        sql.one(
            "SELECT count(*) FROM access_log WHERE event <> 'refused' AND actor_id IN (SELECT id FROM service_account)"
        )
        .await,
        "0"
    );
}
