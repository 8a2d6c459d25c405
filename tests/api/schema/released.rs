//! What of the API breaks a client of the last release is told in the changelog, by its name.

use super::checkout;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{InputValueDefinition, TypeKind, TypeSystemDefinition};
use std::collections::{BTreeMap, BTreeSet};

/// A schema, as far as clients hang on it.
type Api = BTreeMap<String, Kind>;

#[derive(Debug, PartialEq)]
enum Kind {
    Scalar,
    /// Objects and interfaces: the names they implement, and their fields.
    Fields(BTreeSet<String>, BTreeMap<String, Output>),
    Union(BTreeSet<String>),
    Enum(BTreeSet<String>),
    Input(BTreeMap<String, Input>),
}

#[derive(Debug, PartialEq)]
struct Output {
    ty: String,
    arguments: BTreeMap<String, Input>,
}

#[derive(Debug, PartialEq)]
struct Input {
    ty: String,
    default: bool,
}

impl Input {
    fn of(it: &InputValueDefinition) -> (String, Self) {
        (it.name.node.to_string(), Self { ty: it.ty.node.to_string(), default: it.default_value.is_some() })
    }

    fn required(&self) -> bool {
        self.ty.ends_with('!') && !self.default
    }
}

fn read(sdl: &str) -> Api {
    let outputs = |fields: &[async_graphql::Positioned<async_graphql::parser::types::FieldDefinition>]| {
        let each = fields.iter().map(|it| {
            let arguments = it.node.arguments.iter().map(|it| Input::of(&it.node)).collect();
            (it.node.name.node.to_string(), Output { ty: it.node.ty.node.to_string(), arguments })
        });
        each.collect::<BTreeMap<_, _>>()
    };
    let names = |names: &[async_graphql::Positioned<async_graphql::Name>]| {
        names.iter().map(|it| it.node.to_string()).collect::<BTreeSet<_>>()
    };
    let types =
        parse_schema(sdl).expect("a schema").definitions.into_iter().filter_map(|definition| match definition {
            TypeSystemDefinition::Type(ty) => Some(ty.node),
            _ => None,
        });
    let each = types.map(|ty| {
        let kind = match &ty.kind {
            TypeKind::Scalar => Kind::Scalar,
            TypeKind::Object(it) => Kind::Fields(names(&it.implements), outputs(&it.fields)),
            TypeKind::Interface(it) => Kind::Fields(names(&it.implements), outputs(&it.fields)),
            TypeKind::Union(it) => Kind::Union(names(&it.members)),
            TypeKind::Enum(it) => Kind::Enum(it.values.iter().map(|it| it.node.value.node.to_string()).collect()),
            TypeKind::InputObject(it) => Kind::Input(it.fields.iter().map(|it| Input::of(&it.node)).collect()),
        };
        (ty.name.node.to_string(), kind)
    });
    each.collect()
}

/// Whether a value of `narrow` is always one of `wide`: the same but for marks that something is never null.
fn within(narrow: &str, wide: &str) -> bool {
    match (narrow.strip_suffix('!'), wide.strip_suffix('!')) {
        (Some(narrow), Some(wide)) => within(narrow, wide),
        (Some(narrow), None) => within(narrow, wide),
        (None, Some(_)) => false,
        (None, None) => {
            let inside = |ty: &'_ str| ty.strip_prefix('[').and_then(|ty| ty.strip_suffix(']')).map(str::to_owned);
            match (inside(narrow), inside(wide)) {
                (Some(narrow), Some(wide)) => within(&narrow, &wide),
                (None, None) => narrow == wide,
                _ => false,
            }
        }
    }
}

/// A change that breaks a client: what is changed, and how.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Break {
    path: String,
    how: &'static str,
}

const NULLABLE: &str = "may be null now";

fn gone(before: &BTreeSet<String>, after: &BTreeSet<String>, of: &str, how: &'static str, found: &mut Vec<Break>) {
    found.extend(before.difference(after).map(|it| Break { path: format!("{of}.{it}"), how }));
}

fn inputs(
    before: &BTreeMap<String, Input>,
    after: &BTreeMap<String, Input>,
    path: &dyn Fn(&str) -> String,
    found: &mut Vec<Break>,
) {
    for (name, was) in before {
        let how = match after.get(name) {
            None => "is gone",
            Some(is) if is.required() && !was.required() => "is required now",
            Some(is) if !within(&was.ty, &is.ty) => "takes another type",
            Some(_) => continue,
        };
        found.push(Break { path: path(name), how });
    }
    let new = after.iter().filter(|(name, is)| is.required() && !before.contains_key(*name));
    found.extend(new.map(|(name, _)| Break { path: path(name), how: "is new and required" }));
}

fn fields(of: &str, before: &BTreeMap<String, Output>, after: &BTreeMap<String, Output>, found: &mut Vec<Break>) {
    for (name, was) in before {
        let path = format!("{of}.{name}");
        let Some(is) = after.get(name) else {
            found.push(Break { path, how: "is gone" });
            continue;
        };
        if !within(&is.ty, &was.ty) {
            let loosened = is.ty.replace('!', "") == was.ty.replace('!', "");
            found.push(Break { path: path.clone(), how: if loosened { NULLABLE } else { "has another type" } });
        }
        inputs(&was.arguments, &is.arguments, &|argument| format!("{path}({argument})"), found);
    }
}

/// What breaks a client of the one schema that meets the other.
fn breaks(before: &str, after: &str) -> Vec<Break> {
    let (before, after) = (read(before), read(after));
    let mut found = Vec::new();
    for (name, was) in &before {
        match (was, after.get(name)) {
            (_, None) => found.push(Break { path: name.clone(), how: "is gone" }),
            (Kind::Scalar, Some(Kind::Scalar)) => {}
            (Kind::Fields(faces, was), Some(Kind::Fields(kept, is))) => {
                gone(faces, kept, name, "is no interface of it any more", &mut found);
                fields(name, was, is, &mut found);
            }
            (Kind::Union(was), Some(Kind::Union(is))) => gone(was, is, name, "is no part of it any more", &mut found),
            (Kind::Enum(was), Some(Kind::Enum(is))) => gone(was, is, name, "is gone", &mut found),
            (Kind::Input(was), Some(Kind::Input(is))) => {
                inputs(was, is, &|field| format!("{name}.{field}"), &mut found);
            }
            (_, Some(_)) => found.push(Break { path: name.clone(), how: "is of another kind" }),
        }
    }
    found.sort();
    found
}

/// The breaks that no entry of the changelog names, as `` `Type.field` ``. Where all fields of a type may be null now, one
/// entry with the word "nullable" tells it as `` `Type.*` ``.
fn untold<'b>(breaks: &'b [Break], changelog: &str) -> Vec<&'b Break> {
    let lines: Vec<String> = changelog.split("\n- ").map(|entry| entry.replace("\n ", " ")).collect();
    let told = |it: &&Break| {
        let all = it.path.split('.').next().map(|ty| format!("`{ty}.*`"));
        lines.iter().any(|line| {
            line.contains(&format!("`{}`", it.path))
                || (it.how == NULLABLE
                    && line.contains("nullable")
                    && all.as_ref().is_some_and(|all| line.contains(all.as_str())))
        })
    };
    breaks.iter().filter(|it| !told(it)).collect()
}

/// The newest schema in `schema/`, with its version.
fn last_release() -> (String, String) {
    let version = |name: &str| -> Option<Vec<u32>> {
        let numbers = name.strip_prefix('v')?.strip_suffix(".graphql")?.split('.');
        numbers.map(|number| number.parse().ok()).collect()
    };
    let files = std::fs::read_dir(checkout("schema")).expect("schema/");
    let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a name"));
    let name = names.max_by_key(|name| version(name).unwrap_or_else(|| panic!("{name} is no v1.2.3.graphql")));
    let name = name.expect("the schema of a release");
    let sdl = std::fs::read_to_string(checkout("schema").join(&name)).expect("a schema");
    (name.trim_start_matches('v').trim_end_matches(".graphql").to_owned(), sdl)
}

#[test]
fn what_breaks_a_client_of_the_last_release_is_in_the_changelog() {
    let (version, before) = last_release();
    let after = std::fs::read_to_string(checkout("schema.graphql")).expect("schema.graphql");
    let changelog = std::fs::read_to_string(checkout("CHANGELOG.md")).expect("CHANGELOG.md");
    // What was told before that release is of no use.
    let since = changelog.split(&format!("\n## [{version}]")).next().unwrap_or_default();
    let breaks = breaks(&before, &after);
    let untold: Vec<String> =
        untold(&breaks, since).into_iter().map(|Break { path, how }| format!("`{path}` {how}")).collect();
    assert!(
        untold.is_empty(),
        "this breaks clients of version {version}: keep it, or name each in CHANGELOG.md and say what to do:\n{}",
        untold.join("\n")
    );
}

#[test]
fn each_kind_of_break_is_seen_and_nothing_else() {
    const BEFORE: &str = "type Query { a(x: Int, y: Int! = 1): A b: [A!]! c: S u: U i: I }
        type A implements I { id: ID! name: String! } interface I { id: ID! } union U = A | B type B { n: Int }
        enum E { ONE TWO } scalar S input In { a: Int b: Int! = 1 c: [Int!] }";
    let cases: &[(&str, &str, &[&str])] = &[
        ("c: S ", "", &["Query.c is gone"]),
        ("name: String!", "name: String", &["A.name may be null now"]),
        ("b: [A!]!", "b: [A]!", &["Query.b may be null now"]),
        ("b: [A!]!", "b: A!", &["Query.b has another type"]),
        ("name: String!", "name: Int!", &["A.name has another type"]),
        ("a(x: Int, ", "a(", &["Query.a(x) is gone"]),
        ("x: Int,", "x: Int!,", &["Query.a(x) is required now"]),
        ("x: Int,", "x: Float,", &["Query.a(x) takes another type"]),
        ("y: Int! = 1", "y: Int!", &["Query.a(y) is required now"]),
        ("y: Int! = 1", "y: Int! = 1, z: Int!", &["Query.a(z) is new and required"]),
        ("type A implements I {", "type A {", &["A.I is no interface of it any more"]),
        ("U = A | B", "U = A", &["U.B is no part of it any more"]),
        ("ONE TWO", "ONE", &["E.TWO is gone"]),
        ("scalar S", "enum S { X }", &["S is of another kind"]),
        ("c: S u", "c: Int u", &["Query.c has another type"]),
        ("type B { n: Int }", "type C { n: Int }", &["B is gone"]),
        ("In { a: Int", "In {", &["In.a is gone"]),
        ("In { a: Int", "In { a: Int!", &["In.a is required now"]),
        ("c: [Int!]", "c: [Int!] d: Int!", &["In.d is new and required"]),
        ("c: [Int!]", "c: [Int!]!", &["In.c is required now"]),
        // What no client minds.
        ("c: [Int!]", "c: [Int]", &[]),
        ("b: Int! = 1", "b: Int = 1", &[]),
        ("c: S ", "c: S! ", &[]),
        ("y: Int! = 1", "y: Int! = 1, z: Int, w: Int! = 2", &[]),
        ("ONE TWO", "ONE TWO THREE", &[]),
        ("n: Int", "n: Int! m: Int", &[]),
        ("x: Int,", "\"\"\"In words.\"\"\" x: Int,", &[]),
    ];
    for (part, instead, expected) in cases {
        assert_eq!(BEFORE.matches(part).count(), 1, "{part}");
        let found = breaks(BEFORE, &BEFORE.replace(part, instead));
        let found: Vec<String> = found.iter().map(|it| format!("{} {}", it.path, it.how)).collect();
        assert_eq!(found, *expected, "{part} -> {instead}");
    }
    assert_eq!(breaks(BEFORE, BEFORE), []);
}

#[test]
fn only_an_entry_that_names_it_tells_of_a_break() {
    let of = |path: &str, how: &'static str| Break { path: path.to_owned(), how };
    let found = [of("A.name", NULLABLE), of("A.size", "is gone"), of("B.name", NULLABLE)];
    let rest = |changelog: &str| untold(&found, changelog).into_iter().map(|it| it.path.as_str()).collect::<Vec<_>>();
    assert_eq!(rest("- Names."), ["A.name", "A.size", "B.name"]);
    assert_eq!(rest("- `A.size`: use\n  `A.length`.\n- `B.name` is nullable."), ["A.name"]);
    assert_eq!(rest("- Every field of\n  `A.*` is nullable."), ["A.size", "B.name"]);
    assert_eq!(rest("- `A.*` are new.\n- `B.names` is nullable, `A.siz` too."), ["A.name", "A.size", "B.name"]);
}
