//! What holds of every kind, field and argument of the API, read from `schema.graphql`.

use super::checkout;
use crate::support::*;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeDefinition, TypeKind, TypeSystemDefinition};
use std::collections::{BTreeMap, BTreeSet};

/// A field, an argument or a field of an input.
struct Part {
    ty: String,
    name: String,
    /// `Type.field` or `Type.field(argument)`.
    path: String,
    description: String,
}

impl Part {
    fn named_type(&self) -> &str {
        self.ty.trim_matches(['[', ']', '!'])
    }
}

/// Every type of `schema.graphql`, with its parts.
struct Sdl {
    types: BTreeMap<String, TypeDefinition>,
}

impl Sdl {
    fn read() -> Self {
        let text = std::fs::read_to_string(checkout("schema.graphql")).expect("schema.graphql");
        let definitions = parse_schema(text).expect("a schema").definitions;
        let types = definitions.into_iter().filter_map(|definition| match definition {
            TypeSystemDefinition::Type(ty) => Some((ty.node.name.node.to_string(), ty.node)),
            _ => None,
        });
        Self { types: types.collect() }
    }

    /// The fields of a type with their arguments, as parts of their own.
    fn parts(&self, name: &str) -> Vec<Part> {
        let mut parts = Vec::new();
        let text = |it: &Option<async_graphql::Positioned<String>>| it.as_ref().map(|it| it.node.clone());
        match &self.types[name].kind {
            TypeKind::Object(async_graphql::parser::types::ObjectType { fields, .. })
            | TypeKind::Interface(async_graphql::parser::types::InterfaceType { fields, .. }) => {
                for field in fields {
                    let (path, field) = (format!("{name}.{}", field.node.name.node), &field.node);
                    for argument in &field.arguments {
                        let it = &argument.node;
                        parts.push(Part {
                            ty: it.ty.node.to_string(),
                            name: it.name.node.to_string(),
                            path: format!("{path}({})", it.name.node),
                            description: text(&it.description).unwrap_or_default(),
                        });
                    }
                    parts.push(Part {
                        ty: field.ty.node.to_string(),
                        name: field.name.node.to_string(),
                        path,
                        description: text(&field.description).unwrap_or_default(),
                    });
                }
            }
            TypeKind::InputObject(input) => {
                parts.extend(input.fields.iter().map(|it| Part {
                    ty: it.node.ty.node.to_string(),
                    name: it.node.name.node.to_string(),
                    path: format!("{name}.{}", it.node.name.node),
                    description: text(&it.node.description).unwrap_or_default(),
                }));
            }
            _ => {}
        }
        parts
    }

    fn part(&self, path: &str) -> Option<Part> {
        let ty = path.split('.').next()?;
        self.parts(ty).into_iter().find(|part| part.path == path)
    }

    /// The kinds of records.
    fn kinds(&self) -> Vec<&str> {
        let of = |ty: &TypeDefinition| matches!(&ty.kind, TypeKind::Object(it) if it.implements.iter().any(|it| it.node == "Node"));
        self.types.iter().filter(|(_, ty)| of(ty)).map(|(name, _)| name.as_str()).collect()
    }

    /// The list of all records of a kind, a field of Query.
    fn list_of(&self, kind: &str) -> Option<Part> {
        let list = format!("{kind}Connection");
        self.parts("Query").into_iter().find(|part| part.named_type() == list)
    }

    /// The input by which the list of all records of a kind is filtered.
    fn filter_of(&self, kind: &str) -> Option<String> {
        let root = self.list_of(kind)?;
        Some(self.part(&format!("{}(filter)", root.path))?.named_type().to_owned())
    }

    fn has_value(&self, ty: &str, value: &str) -> bool {
        match self.types.get(ty).map(|ty| &ty.kind) {
            Some(TypeKind::Enum(it)) => it.values.iter().any(|it| it.node.value.node == value),
            _ => false,
        }
    }
}

#[test]
fn a_copy_can_ask_what_changed_of_every_kind() {
    let sdl = Sdl::read();
    let kinds = sdl.kinds();
    assert!(kinds.len() >= 37, "{kinds:?}");
    // There is one, and `organisation` gives it with its version.
    let lacking: Vec<&str> = kinds
        .into_iter()
        .filter(|kind| *kind != "Organisation")
        .filter(|kind| {
            let since = sdl.filter_of(kind).and_then(|filter| sdl.part(&format!("{filter}.updatedSince")));
            since.is_none_or(|since| since.ty != "DateTime")
        })
        .collect();
    assert_eq!(lacking, [""; 0], "each needs a list of its own in Query, whose filter has updatedSince");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_keeps_what_changed_at_that_moment_or_later() {
    let clinic = Clinic::start().await;
    let (anna, admin, auditor) = (clinic.practitioner(), clinic.admin(), clinic.auditor());
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.signed_session(&patient).await;
    anna.addendum(&session).await;
    anna.health_entry(&patient).await;
    anna.lot(&anna.product("Serum").await, "L-1").await;
    admin.make("placeLegalHold", "legalHold", json!({"patientId": patient.id, "reason": "A claim"})).await;
    let sdl = Sdl::read();
    let lists: Vec<String> = sdl.kinds().iter().filter_map(|kind| sdl.list_of(kind)).map(|list| list.name).collect();
    let mut with_some = 0;
    for lists in lists.chunks(9) {
        let ask = async |since: &str| {
            let fields = lists.iter().map(|list| {
                let filter =
                    if since.is_empty() { String::new() } else { format!("(filter: {{updatedSince: \"{since}\"}})") };
                format!("{list}: {list}{filter} {{ totalCount }} ")
            });
            auditor.ask(&format!("{{ {} }}", fields.collect::<String>())).await
        };
        let (all, old, future) = (ask("").await, ask("2000-01-01T00:00:00Z").await, ask("2999-01-01T00:00:00Z").await);
        assert_eq!(all, old);
        assert!(future.as_object().unwrap().values().all(|list| list["totalCount"] == 0), "{future}");
        with_some += all.as_object().unwrap().values().filter(|list| list["totalCount"] != 0).count();
    }
    assert!(lists.len() >= 36 && with_some >= 12, "{} lists, {with_some} with something in them", lists.len());
}

#[test]
fn entered_in_error_is_said_in_one_way() {
    let sdl = Sdl::read();
    let (mut kinds, mut wrong) = (0, Vec::new());
    for kind in sdl.kinds() {
        let part = |name: &str| sdl.part(&format!("{kind}.{name}"));
        let by_status = part("status").is_some_and(|it| sdl.has_value(it.named_type(), "ENTERED_IN_ERROR"));
        if !by_status && part("enteredInError").is_none() {
            continue;
        }
        kinds += 1;
        if part("enteredInError").is_none_or(|it| it.ty != "Boolean!") {
            wrong.push(format!("{kind} needs `enteredInError: Boolean!`"));
        }
        let filter = sdl.filter_of(kind).unwrap_or_default();
        if sdl.part(&format!("{filter}.includeEnteredInError")).is_none_or(|it| it.ty != "Boolean") {
            wrong.push(format!("{filter} of {kind} needs `includeEnteredInError: Boolean`"));
        }
    }
    assert!(kinds >= 9, "{kinds}");
    // No other name says the same: it is asked for by the one, and told by the other.
    for name in sdl.types.keys().filter(|name| *name != "Mutation") {
        for part in sdl.parts(name).into_iter().filter(|it| it.name.to_lowercase().contains("inerror")) {
            let asks = part.path.contains('(') || name.ends_with("Filter");
            let expected = if asks { "includeEnteredInError" } else { "enteredInError" };
            if part.name != expected {
                wrong.push(format!("{} is not named {expected}", part.path));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn the_page_about_caches_lists_the_types_without_an_id() {
    let sdl = Sdl::read();
    let frame = |name: &str| {
        ["Connection", "Edge", "Payload"].iter().any(|end| name.ends_with(end))
            || ["Query", "Mutation", "Subscription", "PageInfo"].contains(&name)
    };
    let is_object = |ty: &TypeDefinition| matches!(ty.kind, TypeKind::Object(_));
    let without: BTreeSet<String> = (sdl.types.iter())
        .filter(|(name, ty)| is_object(ty) && !frame(name) && sdl.part(&format!("{name}.id")).is_none())
        .map(|(name, _)| name.clone())
        .collect();
    let page = std::fs::read_to_string(checkout("docs/api.md")).expect("docs/api.md");
    let (_, list) = page.split_once("the types without `id`:").expect("the list");
    let (list, _) = list.trim_start().split_once("\n\n").expect("its end");
    let told: BTreeSet<String> = list.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(told, without);
}

#[test]
fn a_refused_mutation_is_null_alone() {
    let sdl = Sdl::read();
    let fields: Vec<Part> = sdl.parts("Mutation").into_iter().filter(|it| !it.path.contains('(')).collect();
    assert!(fields.len() > 100);
    let never: Vec<&str> = fields.iter().filter(|it| it.ty.ends_with('!')).map(|it| it.path.as_str()).collect();
    assert_eq!(never, [""; 0], "the refusal of one would take the payloads of the others along");
}

/// Words that name nothing.
const EMPTY: &str = " a an and are at been by for from had has have how in is it its of on one or that the their them these \
    they this those to was were what when where which who whom whose with ";

/// The words of a name or a text, in small letters.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in text.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().expect("a word").extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A description of two words, or three after a pronoun, none of which says more than the name: `status` "Its status." Or
/// one of pronouns alone.
fn says_nothing(name: &str, description: &str) -> bool {
    // The form of an id, as `patient_…`, is news.
    if description.contains('`') {
        return false;
    }
    let (named, said) = (words(name), words(description));
    let empty = |word: &&String| EMPTY.contains(&format!(" {word} "));
    let new = said.iter().filter(|word| !empty(word) && !named.contains(word)).count();
    let points =
        said.first().is_some_and(|word| ["it", "its", "their", "this", "which", "whose"].contains(&word.as_str()));
    new == 0 && (said.len() <= if points { 3 } else { 2 } || said.iter().all(|word| empty(&word)))
}

#[test]
fn a_description_says_more_than_the_name() {
    for (name, description, nothing) in [
        ("status", "Its status.", true),
        ("keep", "Which to keep.", true),
        ("merge", "It.", true),
        ("patient", "Whose.", true),
        ("patch", "The patch.", true),
        ("by", "Who it was.", true),
        ("status", "How far it is.", false),
        ("revokedAt", "When it was revoked.", false),
        ("patientId", "`patient_…`", false),
        ("lot", "Lot number.", false),
    ] {
        assert_eq!(says_nothing(name, description), nothing, "{name}: {description}");
    }
    let sdl = Sdl::read();
    let (mut empty, mut shared) = (Vec::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for name in sdl.types.keys() {
        for part in sdl.parts(name) {
            if part.path.starts_with("Mutation.") && part.name == "input" {
                continue;
            }
            if says_nothing(&part.name, &part.description) {
                empty.push(format!("{}: {}", part.path, part.description));
            }
            // A filter's part says of what the records are: "Of this patient." is all there is to say.
            if !name.ends_with("Filter") {
                shared.entry(part.description).or_default().insert(part.name);
            }
        }
    }
    assert!(shared.len() > 1_000, "{} descriptions", shared.len());
    assert_eq!(empty, [""; 0], "these say no more than the name");
    let shared: Vec<String> = shared
        .into_iter()
        .filter(|(description, names)| names.len() >= 4 && words(description).len() <= 4)
        .map(|(description, names)| format!("{description} {names:?}"))
        .collect();
    assert_eq!(shared, [""; 0], "these are said of so many that they say too little of each");
}
