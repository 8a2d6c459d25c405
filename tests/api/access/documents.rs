//! Documents that ask for fields, and what came of it.

use super::{QUERIES, called};
use crate::support::*;
use std::collections::BTreeSet;

/// `query (…) { … }` with the variables it uses, all of them ids.
pub fn query(body: &str) -> String {
    let words =
        body.split('$').skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default());
    let used: BTreeSet<&str> = words.collect();
    let declared: Vec<String> = used.iter().map(|name| format!("${name}: ID!")).collect();
    if declared.is_empty() { format!("{{ {body} }}") } else { format!("query ({}) {{ {body} }}", declared.join(", ")) }
}

pub fn is_object(schema: &Schema, field: &Field) -> bool {
    matches!(schema.get(field.named_type()).kind.as_str(), "OBJECT" | "INTERFACE" | "UNION")
}

/// The named fields of a type, each with a selection if it needs one.
pub fn selection(schema: &Schema, ty: &str, names: &str) -> String {
    let fields = names.split_whitespace().map(|name| {
        let field = schema
            .get(ty)
            .fields
            .iter()
            .find(|field| field.name == name)
            .unwrap_or_else(|| panic!("{ty} has no {name}"));
        let name = called(name);
        if is_object(schema, field) { format!("{name} {{ __typename }} ") } else { format!("{name} ") }
    });
    fields.collect()
}

/// The root query that reaches a path such as `session/areas/0`.
pub fn reach(path: &str, selection: &str) -> String {
    let mut steps = path.split('/').filter(|step| step.parse::<usize>().is_err());
    let root = steps.next().expect("a root field");
    let (_, arguments, _) = QUERIES
        .iter()
        .find(|(name, ..)| *name == root)
        .unwrap_or_else(|| panic!("{path}: QUERIES of tests/api/access/roots.rs has no {root}"));
    let steps: Vec<&str> = steps.collect();
    let inner =
        steps.iter().rev().fold(format!("{{ {selection} }}"), |inner, step| format!("{{ {} {inner} }}", called(step)));
    query(&format!("{root}{arguments} {inner}"))
}

pub fn path_of(error: &Value) -> Vec<String> {
    let steps = error["path"].as_array().map(Vec::as_slice).unwrap_or_default();
    steps.iter().map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned)).collect()
}

/// What came of a field below a path: `ok`, its own error's code, or that of an error on the way to it.
pub fn outcome(answer: &Answer, path: &str, field: &str) -> String {
    let steps: Vec<&str> = path.split('/').collect();
    for (error, code) in answer.errors.iter().zip(answer.codes()) {
        let at = path_of(error);
        let own = at.len() > steps.len() && at[steps.len()] == field;
        if at.len() <= steps.len() || own {
            return code.to_owned();
        }
    }
    let pointer = format!("/{path}");
    assert!(
        answer.data.pointer(&pointer).is_some_and(Value::is_object),
        "nothing at {path} to look at: {}",
        answer.text
    );
    "ok".to_owned()
}

/// Where the typed ids of an input are, as JSON pointers.
pub fn ids_in(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| ids_in(value, &format!("{at}/{name}"), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| ids_in(value, &format!("{at}/{i}"), found))
        }
        Value::String(text) if text.rsplit_once('_').is_some_and(|(_, digits)| digits.len() == 26) => {
            found.push(at.to_owned())
        }
        _ => {}
    }
}
