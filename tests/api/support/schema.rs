//! The schema, by introspection over HTTP.

use super::Caller;
use serde_json::Value;

/// Everything that the tests of the schema look at.
pub struct Schema {
    /// Every type, without the introspection's own.
    pub types: Vec<Type>,
}

/// A type.
#[derive(Debug, Clone)]
pub struct Type {
    pub name: String,
    pub kind: String,
    pub description: String,
    pub fields: Vec<Field>,
    pub input_fields: Vec<Field>,
    pub enum_values: Vec<Field>,
    /// The types of a union or an interface.
    pub possible: Vec<String>,
}

/// A field, an argument, an input field or an enum value.
#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub description: String,
    /// As in SDL: `[Patient!]!`.
    pub ty: String,
    pub arguments: Vec<Field>,
}

impl Field {
    /// The name of the type without its brackets and marks.
    pub fn named_type(&self) -> &str {
        self.ty.trim_matches(['[', ']', '!'])
    }
}

const QUERY: &str = "{ __schema { types { name kind description
    fields(includeDeprecated: true) { name description type { ...T } args(includeDeprecated: true) { name description type { ...T } } }
    inputFields { name description type { ...T } }
    enumValues(includeDeprecated: true) { name description } possibleTypes { name } } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

impl Schema {
    /// Asks for it.
    pub async fn ask(caller: &Caller) -> Self {
        let answer = caller.graphql(QUERY, Value::Null).await.ok();
        let types = answer["__schema"]["types"].as_array().expect("types").iter().map(|it| Type {
            name: text(&it["name"]),
            kind: text(&it["kind"]),
            description: text(&it["description"]),
            fields: fields(&it["fields"]),
            input_fields: fields(&it["inputFields"]),
            enum_values: fields(&it["enumValues"]),
            possible: fields(&it["possibleTypes"]).into_iter().map(|ty| ty.name).collect(),
        });
        Self { types: types.filter(|it| !it.name.starts_with("__")).collect() }
    }

    /// A type by its name.
    pub fn get(&self, name: &str) -> &Type {
        self.types.iter().find(|it| it.name == name).unwrap_or_else(|| panic!("no type {name}"))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn fields(value: &Value) -> Vec<Field> {
    let each = value.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|it| Field {
        name: text(&it["name"]),
        description: text(&it["description"]),
        ty: type_of(&it["type"]),
        arguments: fields(&it["args"]),
    });
    each.collect()
}

fn type_of(value: &Value) -> String {
    match value["kind"].as_str() {
        Some("NON_NULL") => format!("{}!", type_of(&value["ofType"])),
        Some("LIST") => format!("[{}]", type_of(&value["ofType"])),
        _ => text(&value["name"]),
    }
}

/// What one list has and the other lacks, with what to do about it; nothing if they are alike.
pub fn difference<T: Ord + std::fmt::Debug>(
    found: impl IntoIterator<Item = T>,
    listed: impl IntoIterator<Item = T>,
    advice: &str,
) -> String {
    let found: std::collections::BTreeSet<T> = found.into_iter().collect();
    let listed: std::collections::BTreeSet<T> = listed.into_iter().collect();
    let missing = found.difference(&listed).map(|it| format!("  missing: {it:?}\n"));
    let extra = listed.difference(&found).map(|it| format!("  there is no: {it:?}\n"));
    let lines: String = missing.chain(extra).collect();
    if lines.is_empty() { lines } else { format!("{advice}\n{lines}") }
}
