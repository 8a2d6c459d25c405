//! The direction of imports, and who may touch SQL, the pool and accounts: read from the source itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

/// From the ground up. A file may use what is on its own floor or below. `*` stands for a slice, `api::*` for its face.
const FLOORS: &[&[&str]] = &[
    &["characters", "folding", "watch"],
    &["vocabulary", "error", "config", "scalars", "keys", "phone", "network"],
    &["kinds"],
    &["ids", "record", "gate"],
    &["db", "objects", "mail", "outbound"],
    &["access"],
    &["ledger"],
    &["evidence"],
    &["feed"],
    &["operation"],
    &["page"],
    &[
        "*",
        "patient::search",
        "patient::search::keys",
        "patient::search::pieces",
        "patient::search::query",
        "patient::details",
        "photo::clean",
        "photo::clean::cleaned",
        "photo::clean::jpeg",
        "photo::clean::png",
        "photo::clean::webp",
        "photo::clean::frame",
        "photo::clean::huffman",
        "photo::clean::profile",
        "photo::clean::whole",
        "photo::picture",
        "photo::picture::colour",
        "photo::picture::content",
        "photo::picture::heic",
        "photo::picture::read",
        "photo::picture::shrink",
        "photo::picture::write",
        "photo::intake",
        "photo::turned",
        "merge::likeness",
        "chart::kinds",
        "adverse_event::proposal",
        "adverse_event::words",
        "consent::image",
        "signing::retraction",
        "care::checks::clearance",
        "consent::rules",
        "outcome::scale",
        "outcome::series",
        "protocol::rules",
        "plan::progress",
        "session::checks",
        "session::content",
        "session::cream",
        "session::kinds",
        "session::missing",
        "session::reason",
        "call_back::reconcile",
        "care::checks",
        "care::checks::facts",
        "care::checks::answers",
        "care::checks::interval",
        "care::checks::depth",
        "care::checks::contraindication",
        "care::checks::consent",
        "care::checks::lot",
        "care::checks::device",
        "care::checks::consultation",
        "care::checks::skin_type",
        "care::checks::age",
        "care::checks::agents",
        "care::checks::anaesthetic",
        "care::checks::dose",
        "care::checks::course",
        "care::checks::product",
        "care::checks::protocol",
        "care::checks::history",
        "care::uses",
        "care::consents",
        "health::codes",
        "health::alike",
        "health::precision",
        "care::aftercare",
        "care::estimate",
        "webhook::event",
        "webhook::schedule",
    ],
    &["*::filter"],
    &[
        "*::store",
        "organisation::store::organisation",
        "organisation::store::places",
        "organisation::store::staff",
        "patient::store::list",
        "patient::store::found",
        "patient::store::identifiers",
        "chart::store::earliest",
        "session::parts",
        "session::check_rows",
        "privacy::looks",
        "webhook::log",
    ],
    &[
        "*::loader",
        "consent::defaults",
        "protocol::defaults",
        "call_back::due",
        "custody::export",
        "custody::remains",
        "privacy::alert",
        "photo::upload",
        "photo::upload::receive",
        "photo::upload::open",
        "photo::upload::refused",
        "photo::upload::sweep",
        "webhook::deliver",
        "webhook::notice",
        "webhook::worker",
    ],
    &["api::duplicates", "api::history", "api::lists", "api::stamp"],
    &["api::*"],
    &["api"],
    &["http", "equip"],
    &["server"],
    &["demo"],
    &["backup"],
    &["commands", "fuzzing"],
    &["lib", "main"],
];

/// The slices, each with what it stands on before it: as ARCHITECTURE.md lists them after "Between slices:".
static SLICES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let (_, rest) = include_str!("../../ARCHITECTURE.md").split_once("\nBetween slices: ").expect("the list of slices");
    let (list, _) = rest.split_once(';').expect("its end");
    list.split(',').map(str::trim).collect()
});

/// Modules whose parent and children use each other: one thing in several files.
const OF_ONE_PIECE: [&str; 10] = [
    "db::embedded",
    "http",
    "http::request",
    "gate",
    "gate::rules",
    "patient",
    "evidence",
    "backup",
    "commands",
    "api",
];

/// Circles that are known, as `a <-> b`, each with why. The list may only shrink.
const KNOWN_CIRCLES: &[(&str, &str)] =
    &[("http::request::headers <-> http::request::refusal", "a refusal carries the request id, reading it may refuse")];

/// What of another record's API may be named: inputs that several share.
const SHARED_INPUTS: &[(&str, &str)] = &[
    ("api::organisation::AddressInput", "patients and locations have the same address"),
    ("api::signing::SignRecordInput", "every kind is signed with the same words"),
    ("api::session::mutation::complete", "sessionChecks completes a session as logging does"),
    ("api::session::request::LogSessionInput", "sessionChecks takes what logSession takes"),
    ("api::privacy::access_log", "who looked at a patient is a field of the patient"),
];

/// A source file: its module, its text without comments and tests, and what it uses.
struct File {
    module: String,
    text: String,
    /// Full paths as written, `organisation::graphql::AddressInput`.
    paths: BTreeSet<String>,
    /// The files those are in, through re-exports.
    uses: BTreeSet<String>,
}

fn read(folder: &Path, module: &[String], found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("src") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let mut inner = module.to_vec();
        if path.is_dir() && stem != "tests" {
            inner.push(stem);
            read(&path, &inner, found);
        } else if path.extension().is_some_and(|it| it == "rs") && stem != "tests" {
            if stem != "mod" {
                inner.push(stem);
            }
            found.push((inner.join("::"), code_of(&std::fs::read_to_string(&path).expect("text"))));
        }
    }
}

/// Without comments and without the file's own tests.
fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).map(|line| format!("{line}\n")).collect()
}

/// The imports of a tree: `a::{b, c as d, self}` is (a::b, b), (a::c, d), (a, a).
fn imports(tree: &str) -> Vec<(String, String)> {
    let tree = tree.trim();
    let Some((before, rest)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").unwrap_or((tree, tree.rsplit("::").next().unwrap_or_default()));
        return vec![(path.trim().to_owned(), alias.trim().to_owned())];
    };
    let before = before.trim().trim_end_matches("::");
    let inside = &rest[..rest.rfind('}').expect("a closing brace")];
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for letter in inside.chars() {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        match letter {
            ',' if depth == 0 => parts.push(String::new()),
            _ => parts.last_mut().expect("a part").push(letter),
        }
    }
    let last = before.rsplit("::").next().unwrap_or_default();
    let each = parts.iter().filter(|part| !part.trim().is_empty()).flat_map(|part| imports(part));
    each.map(|(path, alias)| match path.as_str() {
        "self" => (before.to_owned(), if alias == "self" { last.to_owned() } else { alias }),
        _ if before.is_empty() => (path, alias),
        _ => (format!("{before}::{path}"), alias),
    })
    .collect()
}

/// The statements `use …;` of a text: is it public, and its tree. And the text without them.
fn use_statements(text: &str) -> (Vec<(bool, String)>, String) {
    let (mut found, mut rest, mut left) = (Vec::new(), String::new(), text);
    while let Some(at) = left.find("use ") {
        let line = left[..at].rfind('\n').map_or(0, |it| it + 1);
        let before = left[line..at].trim();
        let end = left[at..].find(';').map_or(left.len(), |it| at + it);
        if before.is_empty()
            || before.starts_with("pub") && !before.contains(['(', ' '])
            || before == "pub(crate)"
            || before == "pub(super)"
        {
            rest.push_str(&left[..line]);
            found.push((!before.is_empty(), left[at + 4..end].to_owned()));
            left = &left[(end + 1).min(left.len())..];
        } else {
            rest.push_str(&left[..at + 4]);
            left = &left[at + 4..];
        }
    }
    (found, rest + left)
}

/// The paths `name::a::b` that a text has after `name`, where `name` stands alone.
fn paths_after<'t>(text: &'t str, name: &str) -> impl Iterator<Item = String> + 't {
    let name = format!("{name}::");
    let length = name.len();
    let places: Vec<usize> = text.match_indices(&name).map(|(at, _)| at).collect();
    places.into_iter().filter_map(move |at| {
        let alone = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let path: String =
            text[at + length..].chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect();
        alone.then(|| path.trim_end_matches(':').to_owned())
    })
}

fn files() -> Vec<File> {
    let mut sources = Vec::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[], &mut sources);
    let modules: BTreeSet<String> = sources.iter().map(|(module, _)| module.clone()).collect();
    let mut exported: BTreeMap<String, String> = BTreeMap::new();
    let mut imported: Vec<(Vec<(String, String)>, String)> = Vec::new();
    for (module, text) in &sources {
        let own: Vec<&str> =
            if matches!(module.as_str(), "lib" | "main") { Vec::new() } else { module.split("::").collect() };
        let (statements, body) = use_statements(text);
        let mut mine = Vec::new();
        for (public, tree) in statements {
            for (path, alias) in imports(&tree) {
                let parts: Vec<&str> = path.split("::").collect();
                let ups = parts.iter().take_while(|part| **part == "super").count();
                let child = [&own[..], &parts[..1]].concat().join("::");
                let full = match parts[0] {
                    "crate" => parts[1..].join("::"),
                    "super" => [&own[..own.len() - ups], &parts[ups..]].concat().join("::"),
                    "self" => [&own[..], &parts[1..]].concat().join("::"),
                    _ if modules.contains(&child) => [&own[..], &parts[..]].concat().join("::"),
                    _ => continue,
                };
                if public {
                    exported.insert([&own[..], &[alias.as_str()]].concat().join("::"), full);
                } else {
                    mine.push((full, alias));
                }
            }
        }
        // Written out where it is used: `crate::a::b`, `super::b`, and `b::c` of a module's own child.
        mine.extend(paths_after(&body, "crate").map(|path| (path, String::new())));
        let above = own.split_last().map_or(Vec::new(), |(_, above)| above.to_vec());
        mine.extend(
            paths_after(&body, "super").map(|path| ([&above[..], &[path.as_str()]].concat().join("::"), String::new())),
        );
        for child in modules.iter().filter(|child| child.rsplit_once("::").is_some_and(|(parent, _)| parent == module))
        {
            mine.push((child.clone(), child.rsplit("::").next().unwrap_or_default().to_owned()));
        }
        imported.push((mine, body));
    }
    let resolve = |path: &str| {
        let mut path = path.to_owned();
        for _ in 0..5 {
            match exported.get(&path) {
                Some(further) => path.clone_from(further),
                None => break,
            }
        }
        let mut parts: Vec<&str> = path.split("::").collect();
        while !parts.is_empty() && !modules.contains(&parts.join("::")) {
            parts.pop();
        }
        (!parts.is_empty()).then(|| parts.join("::"))
    };
    let each = sources.iter().zip(imported).map(|((module, text), (mine, body))| {
        let mut paths = BTreeSet::new();
        for (path, alias) in &mine {
            let is_child = path.rsplit_once("::").is_some_and(|(parent, _)| parent == module);
            if modules.contains(path) && !alias.is_empty() {
                paths.extend(paths_after(&body, alias).map(|rest| format!("{path}::{rest}")));
            }
            if !(is_child && modules.contains(path)) {
                paths.insert(path.clone());
            }
        }
        let uses = paths.iter().filter_map(|path| resolve(path)).filter(|used| used != module).collect();
        File { module: module.clone(), text: text.clone(), paths, uses }
    });
    each.collect()
}

fn slice_of(module: &str) -> Option<usize> {
    let room = module.split("::").next().unwrap_or_default();
    SLICES.iter().position(|slice| *slice == room)
}

fn floor_of(module: &str) -> Option<usize> {
    let general = slice_of(module).map(|_| match module.split_once("::") {
        Some((_, file)) => format!("*::{file}"),
        None => "*".to_owned(),
    });
    let room = module.split("::").next().unwrap_or_default();
    let floor = |name: &str| FLOORS.iter().position(|floor| floor.contains(&name));
    let general = general.or_else(|| face_of(module).map(|_| "api::*".to_owned()));
    floor(module).or_else(|| general.map_or_else(|| floor(room), |general| floor(&general)))
}

/// The slice whose face this file of the API is part of.
fn face_of(module: &str) -> Option<usize> {
    slice_of(module.strip_prefix("api::")?)
}

#[test]
fn the_source_is_read_as_it_is_written() {
    let found = imports("a::{self, b as x, c::{D, self as e}}");
    let found: Vec<(&str, &str)> = found.iter().map(|(path, alias)| (path.as_str(), alias.as_str())).collect();
    assert_eq!(found, [("a", "a"), ("a::b", "x"), ("a::c::D", "D"), ("a::c", "e")]);
    let files = files();
    let uses = |module: &str| &files.iter().find(|file| file.module == module).expect(module).uses;
    assert!(files.len() > 70, "{}", files.len());
    for (from, to) in [
        ("session::store", "access::scope"),    // through `pub use`
        ("api::patient", "session::loader"),    // through `use crate::session::{self}` and `session::loader::…`
        ("organisation", "ledger::entry"),      // a trait
        ("session::loader", "session::filter"), // `use super::Filter`
        ("api::node", "page::select"),
    ] {
        assert!(uses(from).contains(to), "{from} uses {to}: {:?}", uses(from));
    }
}

#[test]
fn every_file_has_its_floor() {
    let lost: Vec<String> =
        files().into_iter().map(|file| file.module).filter(|module| floor_of(module).is_none()).collect();
    assert!(
        lost.is_empty(),
        "A new slice? Put its name where ARCHITECTURE.md says \"Between slices:\", after what it stands on. Any other file, \
        and a slice's file with a name of its own: add it to FLOORS of tests/api/layers.rs. Without a floor: {lost:?}"
    );
    let folders = |name: &&&str| !Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name).is_dir();
    let gone: Vec<&&str> = SLICES.iter().filter(folders).collect();
    assert!(SLICES.len() >= 21 && gone.is_empty(), "slices of ARCHITECTURE.md that have no folder: {gone:?}");
}

#[test]
fn imports_run_one_way() {
    let mut wrong = Vec::new();
    for file in files() {
        let (own, slice) = (floor_of(&file.module), slice_of(&file.module));
        for used in &file.uses {
            if floor_of(used) > own {
                wrong.push(format!("{} uses {used}, which is above it", file.module));
            }
            if slice.zip(slice_of(used)).is_some_and(|(own, other)| other > own) {
                wrong.push(format!("{} uses {used}, a later slice", file.module));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_are_no_circles() {
    let files = files();
    let graph: BTreeMap<&str, &BTreeSet<String>> =
        files.iter().map(|file| (file.module.as_str(), &file.uses)).collect();
    let one_piece = |a: &str, b: &str| {
        OF_ONE_PIECE.iter().any(|whole| {
            [(a, b), (b, a)].iter().any(|(parent, child)| parent == whole && child.starts_with(&format!("{whole}::")))
        })
    };
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(module) = next.pop() {
            for used in graph.get(module.as_str()).into_iter().flat_map(|uses| uses.iter()) {
                if !one_piece(&module, used) && seen.insert(used.clone()) {
                    next.push(used.clone());
                }
            }
        }
        seen.contains(to)
    };
    let mut circles = BTreeSet::new();
    for file in &files {
        for used in file.uses.iter().filter(|used| !one_piece(&file.module, used) && reaches(used, &file.module)) {
            let (a, b) = if file.module < *used { (&file.module, used) } else { (used, &file.module) };
            circles.insert(format!("{a} <-> {b}"));
        }
    }
    let known: BTreeSet<String> = KNOWN_CIRCLES.iter().map(|(circle, _)| (*circle).to_owned()).collect();
    assert_eq!(circles, known, "left: what there is; right: KNOWN_CIRCLES, which may only shrink");
}

/// The files of the slices whose name is one of these.
fn slice_files<'f>(files: &'f [File], names: &'f [&str]) -> impl Iterator<Item = &'f File> {
    files.iter().filter(move |file| {
        let name = file.module.split_once("::").map_or("mod", |(_, name)| name);
        slice_of(&file.module).is_some() && names.contains(&name)
    })
}

/// The lines that have one of these words.
fn lines_with(file: &File, words: &[&str]) -> Vec<String> {
    let lines = file.text.lines().filter(|line| words.iter().any(|word| line.contains(word)));
    lines.map(|line| format!("{}: {}", file.module, line.trim())).collect()
}

#[test]
fn sql_is_in_stores_only() {
    let files = files();
    const SQL: [&str; 7] = ["diesel", "Sql::", "Sql<", "SELECT ", "INSERT ", "UPDATE ", ".connection"];
    let of_api = files.iter().filter(|file| file.module.starts_with("api"));
    let sql: Vec<String> =
        slice_files(&files, &["mod", "loader"]).chain(of_api).flat_map(|it| lines_with(it, &SQL)).collect();
    assert!(sql.is_empty(), "SQL outside of a store:\n{}", sql.join("\n"));
    assert!(slice_files(&files, &["store"]).count() >= SLICES.len() - 1);
}

#[test]
fn a_slice_knows_no_object_of_the_api() {
    let files = files();
    // What is derived (words, filters, simple objects, a protocol's rules) is read by both; a loader is handed the query's
    // context to find its batch.
    const OBJECTS: [&str; 4] = ["#[Object", "ComplexObject", "MergedObject", "MaybeUndefined"];
    const CONTEXT: [&str; 1] = ["Context<"];
    let slices = files.iter().filter(|file| slice_of(&file.module).is_some());
    let objects: Vec<String> = slices
        .flat_map(|file| {
            let mut found = lines_with(file, &OBJECTS);
            if !file.module.ends_with("::loader") {
                found.extend(lines_with(file, &CONTEXT));
            }
            found
        })
        .collect();
    assert!(objects.is_empty(), "belongs to src/api:\n{}", objects.join("\n"));
    assert!(files.iter().filter(|file| face_of(&file.module).is_some()).count() >= SLICES.len());
}

#[test]
fn the_door_is_the_only_way_to_a_connection() {
    let may_name_the_pool = |module: &str| {
        let room = module.split("::").next().unwrap_or_default();
        ["db", "access", "operation", "server", "commands", "demo", "equip"].contains(&room)
            // What they ask is no organisation's: which transactions are open, how far ledgers are.
            || ["ledger::access_entry", "feed::tail", "feed::watermark"].contains(&module)
    };
    let may_read_accounts = |module: &str| module.starts_with("access::");
    let mut wrong = Vec::new();
    for file in files() {
        let words: BTreeSet<&str> = file.text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        if (words.contains("Pool") || words.contains("Transaction")) && !may_name_the_pool(&file.module) {
            wrong.push(format!("{} names the pool", file.module));
        }
        if file.text.contains(".accounts()") && !may_read_accounts(&file.module) {
            wrong.push(format!("{} reads accounts", file.module));
        }
        // Tables without row-level security.
        let tables = [
            "account_membership",
            "api_key_use",
            "one_time_token",
            "password_hash",
            "rate_budget",
            "recovery_code",
            "sign_in_failure",
            "webhook_place",
        ]
        .iter()
        .filter(|table| words.contains(*table));
        let allowed = may_read_accounts(&file.module)
            // The canonical export names what it leaves out.
            || ["db::tables", "organisation::store::staff", "backup::canonical"].contains(&file.module.as_str())
            || file.module == "demo"
            || file.module.starts_with("demo::");
        wrong.extend(tables.filter(|_| !allowed).map(|table| format!("{} names {table}", file.module)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_face_does_not_reach_into_another() {
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for file in files().iter().filter(|file| face_of(&file.module).is_some()) {
        let foreign = |path: &&String| face_of(path).is_some_and(|other| Some(other) != face_of(&file.module));
        for path in file.paths.iter().filter(foreign) {
            match SHARED_INPUTS.iter().find(|(shared, _)| path == shared || path.starts_with(&format!("{shared}::"))) {
                Some((shared, _)) => _ = used.insert(*shared),
                None => wrong.push(format!("{} names {path}", file.module)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let idle: Vec<_> = SHARED_INPUTS.iter().filter(|(shared, _)| !used.contains(shared)).collect();
    assert!(idle.is_empty(), "no longer needed in SHARED_INPUTS: {idle:?}");
}
