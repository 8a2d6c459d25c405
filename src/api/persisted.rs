//! Persisted documents: the queries that a front end registers when it is built, and names instead of sending.
//!
//! Read once, at the start: each must be a document that the gate lets through and the schema knows.

use crate::gate::{DocumentCache, Refusal};
use crate::record::hex;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The format name of Apollo's manifest.
const APOLLO: &str = "apollo-persisted-query-manifest";
/// The maximum length of an id, in characters.
const LONGEST_ID: usize = 256;

/// The documents, by their ids and by the SHA-256 of their text.
#[derive(Debug, Default)]
pub struct Persisted {
    texts: HashMap<String, Arc<str>>,
    count: usize,
}

/// The entries of a file: id and text.
fn entries(json: &str) -> Result<Vec<(String, String)>, String> {
    let wrong = "is neither a map of ids to documents nor Apollo's manifest";
    let file: Value = serde_json::from_str(json)
        .map_err(|error| format!("is not valid JSON at line {}, column {}", error.line(), error.column()))?;
    let Value::Object(file) = file else { return Err(wrong.to_owned()) };
    let text = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    let found: Option<Vec<(String, String)>> = match file.get("format") {
        Some(format) if format == APOLLO => {
            let operations = file.get("operations").and_then(Value::as_array);
            operations.and_then(|all| all.iter().map(|it| text(it, "id").zip(text(it, "body"))).collect())
        }
        _ => file.into_iter().map(|(id, text)| text.as_str().map(|text| (id, text.to_owned()))).collect(),
    };
    match found {
        None => Err(wrong.to_owned()),
        Some(found) if found.is_empty() => Err("has no documents".to_owned()),
        Some(found) => Ok(found),
    }
}

/// An id with the letters of a hash in lower case, as they are compared.
fn plain(id: &str) -> String {
    let hash = id.strip_prefix("sha256:").unwrap_or(id);
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { id.to_ascii_lowercase() } else { id.to_owned() }
}

/// The SHA-256 in an id, if the id has the form of one.
fn claimed_hash(id: &str) -> Option<&str> {
    let hash = id.strip_prefix("sha256:");
    hash.or_else(|| Some(id).filter(|id| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())))
}

/// The SHA-256 of a text, in hexadecimal.
pub fn hash_of(text: &str) -> String {
    hex::text(&Sha256::digest(text.as_bytes()))
}

impl Persisted {
    /// Reads a file and checks each entry. Every complaint names its entry.
    pub fn read(file: &Path, gate: &DocumentCache) -> Result<Self, Vec<String>> {
        let json = std::fs::read_to_string(file)
            .map_err(|error| vec![format!("{} can't be read: {error}", file.display())])?;
        Self::of(&json, gate).map_err(|complaints| {
            complaints.into_iter().map(|complaint| format!("{}: {complaint}", file.display())).collect()
        })
    }

    fn of(json: &str, gate: &DocumentCache) -> Result<Self, Vec<String>> {
        let entries = entries(json).map_err(|complaint| vec![complaint])?;
        let (mut read, mut complaints) = (Self { texts: HashMap::new(), count: entries.len() }, Vec::new());
        for (id, text) in entries {
            let id = plain(&id);
            let shown: String = id.chars().take(80).collect();
            match fault(gate, &id, &text) {
                Some(complaint) => complaints.push(format!("the entry {shown:?} {complaint}")),
                None => {
                    let (hash, text): (String, Arc<str>) = (hash_of(&text), text.into());
                    if read.texts.get(&id).is_some_and(|known| *known != text) {
                        complaints.push(format!("the entry {shown:?} is there twice, with two texts"));
                    }
                    for name in [id, format!("sha256:{hash}"), hash] {
                        read.texts.insert(name, Arc::clone(&text));
                    }
                }
            }
        }
        if complaints.is_empty() { Ok(read) } else { Err(complaints) }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The document with an id, or with a hash.
    pub fn find(&self, id: &str) -> Option<&str> {
        self.texts.get(&plain(id)).map(AsRef::as_ref)
    }
}

/// What is wrong with an entry.
fn fault(gate: &DocumentCache, id: &str, text: &str) -> Option<String> {
    let visible = |id: &str| (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    if !visible(id) {
        return Some(format!("has an id that is not of 1 to {LONGEST_ID} visible ASCII characters"));
    }
    let hash = hash_of(text);
    if claimed_hash(id).is_some_and(|claimed| claimed != hash) {
        return Some(format!("has a text with another SHA-256: {hash}"));
    }
    let refusal = gate.check(text).err()?;
    let told = |refusal: &Refusal| {
        let at = refusal.at.map(|at| format!(" (line {}, column {})", at.line, at.column)).unwrap_or_default();
        format!("{}{at}", refusal.message)
    };
    let all: Vec<String> = std::iter::once(&refusal).chain(&refusal.more).map(told).collect();
    Some(format!("is refused: {}", all.join("; ")))
}

/// For the fuzz targets: reads a text as the file of documents and checks that every accepted document is found again.
pub(crate) fn fuzz(json: &str, gate: &DocumentCache) {
    if let Ok(read) = Persisted::of(json, gate) {
        assert!(
            read.texts.iter().all(|(id, text)| read.find(id) == Some(text) && read.find(&hash_of(text)) == Some(text))
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::DocumentLimits;
    use serde_json::json;

    fn read(file: Value) -> Result<Persisted, Vec<String>> {
        let gate = DocumentCache::new(DocumentLimits::default(), &crate::api::schema().sdl()).expect("a gate");
        Persisted::of(&file.to_string(), &gate)
    }

    #[test]
    fn maps_and_manifests_are_read() {
        let (one, two) = (
            "query One { me { id } }",
            "query Two($n: Int!, $id: ID!) { staff(first: $n) { nodes { id } } patient(id: $id) { id } }",
        );
        let map = read(json!({hash_of(one): one, "an-opaque-id": two})).expect("a map");
        let manifest = json!({"format": APOLLO, "version": 1, "operations": [
            {"id": hash_of(one), "name": "One", "type": "query", "body": one}, {"id": "an-opaque-id", "body": two}]});
        for found in [map, read(manifest).expect("a manifest")] {
            assert_eq!(found.count(), 2);
            for name in [hash_of(one), hash_of(one).to_uppercase(), format!("sha256:{}", hash_of(one))] {
                assert_eq!(found.find(&name), Some(one), "{name}");
            }
            assert_eq!(found.find("an-opaque-id"), Some(two));
            assert_eq!(found.find(&hash_of(two)), Some(two), "by its hash as well");
            assert_eq!((found.find("AN-OPAQUE-ID"), found.find("")), (None, None));
        }
    }

    #[test]
    fn complaints_name_their_entries() {
        let good = "{ me { id } }";
        let cases = [
            (json!([]), "is neither a map"),
            (json!({}), "has no documents"),
            (json!({"a": 1}), "is neither a map"),
            (json!({"format": APOLLO, "operations": [{"id": "a"}]}), "is neither a map"),
            (json!({"a b": good}), "visible ASCII"),
            (json!({hash_of("x"): good}), "another SHA-256"),
            (json!({"sha256:abc": good}), "another SHA-256"),
            (json!({"a": "{ me { id }"}), "the entry \"a\" is refused: the query is not GraphQL"),
            (json!({"a": "{ me { nothing } }"}), "is refused: type `Staff` does not have a field `nothing`"),
            (json!({"a": "query ($x: Nothing) { __typename }"}), "cannot find type `Nothing`"),
            (json!({"a": "fragment F on Staff { id }"}), "is refused"),
            (json!({"a": "query A { me { id } } query B { me { no } }"}), "does not have a field `no`"),
            (
                json!({"a": "{ patients(first: 100) { nodes { sessions(first: 100) { nodes { areas { area side passes endpoint note needleDepthMm } } } } } }"}),
                "points of cost",
            ),
            (
                json!({"format": APOLLO, "operations": [{"id": "a", "body": good}, {"id": "a", "body": "{ me { email } }"}]}),
                "is there twice",
            ),
        ];
        for (file, complaint) in cases {
            let found = read(file.clone()).expect_err("a complaint");
            assert!(found.len() == 1 && found[0].contains(complaint), "{file} {found:?}");
        }
        let both = read(json!({"a": "{", "b": good, "c": "{ no }"})).expect_err("two complaints");
        assert_eq!(both.len(), 2, "{both:?}");
    }
}
