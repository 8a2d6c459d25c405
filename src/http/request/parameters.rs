//! The parameters of GraphQL requests, from a body or from a query string.

use std::fmt;

use async_graphql::Variables;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Value, error::Category};
use url::form_urlencoded;

use super::{Parameters, RequestRefusal};
use crate::api::persisted::hash_of;

/// As JSON gives them: any type, checked afterwards so that the message can say which member is wrong. Unknown members
/// are skipped, a member given twice is refused.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    query: Option<Value>,
    document_id: Option<Value>,
    operation_name: Option<Value>,
    variables: Option<Value>,
    extensions: Option<Value>,
}

impl Raw {
    fn check(self) -> Result<Parameters, RequestRefusal> {
        let wrong = |what: &str| Err(RequestRefusal::bad_request(what));
        let query = match self.query {
            None => None,
            Some(Value::String(query)) => Some(query),
            Some(_) => return wrong("query must be a string"),
        };
        let document_id = match self.document_id {
            None => None,
            Some(Value::String(id)) => Some(id).filter(|id| !id.is_empty()),
            Some(_) => return wrong("documentId must be a string"),
        };
        let hash = persisted_hash(self.extensions.as_ref())?;
        let (query, document_id) = match (query, document_id, hash) {
            // Relay's clients send an empty query beside the id.
            (None, Some(id), _) => (String::new(), Some(id)),
            (Some(query), Some(id), _) if query.is_empty() => (String::new(), Some(id)),
            (Some(_), Some(_), _) => return wrong("send query or documentId, not both"),
            (None, None, Some(hash)) => (String::new(), Some(hash)),
            // Apollo's clients send both to register a document, which can't be done here: the text counts.
            (Some(query), None, Some(hash)) => {
                if !hash_of(&query).eq_ignore_ascii_case(&hash) {
                    return wrong("extensions.persistedQuery.sha256Hash is not the SHA-256 of query");
                }
                (query, None)
            }
            (Some(query), None, None) => (query, None),
            (None, None, None) => return wrong("query is missing: send a GraphQL document as a string"),
        };
        let operation_name = match self.operation_name {
            None => None,
            Some(Value::String(name)) => Some(name).filter(|name| !name.is_empty()),
            Some(_) => return wrong("operationName must be a string or null"),
        };
        let variables = match self.variables {
            None => Variables::default(),
            Some(map @ Value::Object(_)) => Variables::from_json(map),
            Some(_) => return wrong("variables must be an object or null"),
        };
        match self.extensions {
            None | Some(Value::Object(_)) => Ok(Parameters { query, document_id, operation_name, variables }),
            Some(_) => wrong("extensions must be an object or null"),
        }
    }
}

/// The hash of a persisted document, as Apollo's clients name it: `persistedQuery: {version: 1, sha256Hash}`.
fn persisted_hash(extensions: Option<&Value>) -> Result<Option<String>, RequestRefusal> {
    let Some(named) = extensions.and_then(|extensions| extensions.get("persistedQuery")) else { return Ok(None) };
    match (named.get("version").and_then(Value::as_u64), named.get("sha256Hash")) {
        (Some(1), Some(Value::String(hash))) if !hash.is_empty() => Ok(Some(hash.clone())),
        _ => Err(RequestRefusal::bad_request("extensions.persistedQuery must be {version: 1, sha256Hash: \"…\"}")),
    }
}

/// `Raw` from an object only: by itself it would take an array for its members in their order.
struct Object(Raw);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a request")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object, A::Error> {
                Raw::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// The requests in a body, and whether they are a batch.
pub(super) fn from_body(body: &[u8], most: usize) -> Result<(Vec<Parameters>, bool), RequestRefusal> {
    let text = std::str::from_utf8(body).map_err(|_| RequestRefusal::bad_request("the body is not UTF-8"))?;
    let mut json = serde_json::Deserializer::from_str(text);
    let is_batch = text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('[');
    let raw = if is_batch {
        Batch { most }.deserialize(&mut json)
    } else {
        Object::deserialize(&mut json).map(|Object(only)| vec![only])
    };
    let raw = raw.and_then(|raw| json.end().map(|()| raw)).map_err(|error| malformed(&error))?;
    if is_batch && raw.is_empty() {
        return Err(RequestRefusal::bad_request("the batch is empty: send at least one request in it"));
    }
    if raw.len() > most {
        let message = format!("the batch has more than the allowed {most} requests: send them in smaller batches");
        return Err(RequestRefusal { code: "QUERY_TOO_LARGE", ..RequestRefusal::bad_request(message) });
    }
    let requests = raw.into_iter().map(Raw::check).collect::<Result<_, _>>()?;
    Ok((requests, is_batch))
}

/// Decoded pairs of a query string.
pub(super) fn query_pairs(text: &str) -> Result<Vec<(String, String)>, RequestRefusal> {
    let pairs: Vec<_> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
    // Decoding puts this sign where the bytes were not UTF-8.
    if pairs.iter().any(|(name, value)| name.contains('\u{fffd}') || value.contains('\u{fffd}')) {
        return Err(RequestRefusal::bad_request("the query string is not UTF-8"));
    }
    Ok(pairs)
}

/// The request in a query string. An empty optional parameter is an absent one, as the draft has it.
pub(super) fn from_query(pairs: Vec<(String, String)>) -> Result<Parameters, RequestRefusal> {
    let mut raw = Raw::default();
    for (name, value) in pairs {
        let (slot, is_json) = match name.as_str() {
            "query" => (&mut raw.query, false),
            "documentId" => (&mut raw.document_id, false),
            "operationName" => (&mut raw.operation_name, false),
            "variables" => (&mut raw.variables, true),
            "extensions" => (&mut raw.extensions, true),
            _ => continue,
        };
        if slot.is_some() {
            return Err(RequestRefusal::bad_request(format!("{name} is given twice")));
        }
        *slot = match (is_json, value.as_str()) {
            (true, "" | "null") => None,
            (true, json) => Some(serde_json::from_str(json).map_err(|error| {
                let (line, column) = (error.line(), error.column());
                RequestRefusal::bad_request(format!("{name} is not valid JSON at line {line}, column {column}"))
            })?),
            (false, _) => Some(Value::String(value)),
        };
    }
    raw.check()
}

/// Gives only the position, because the parser's own message can quote the body.
fn malformed(error: &serde_json::Error) -> RequestRefusal {
    let at = format!("at line {}, column {}", error.line(), error.column());
    RequestRefusal::bad_request(match error.classify() {
        Category::Data => format!(
            "a request is a JSON object with the members query (or documentId), operationName, variables and extensions, each at most \
             once: there is something else {at}"
        ),
        Category::Eof | Category::Syntax | Category::Io => format!("the body is not valid JSON {at}"),
    })
}

/// Reads an array, keeping one request more than allowed and stepping over the rest.
struct Batch {
    most: usize,
}

impl<'de> DeserializeSeed<'de> for Batch {
    type Value = Vec<Raw>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Batch {
    type Value = Vec<Raw>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a batch of requests")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut requests = Vec::new();
        while requests.len() <= self.most {
            match items.next_element()? {
                Some(Object(request)) => requests.push(request),
                None => return Ok(requests),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(requests)
    }
}
