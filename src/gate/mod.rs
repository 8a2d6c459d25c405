//! The gate in front of the executor: a document is measured, and refused when too large, before the engine's own
//! parser and validator spend time on it.
//!
//! The engine's limits run after fragments are expanded (811 bytes kept it busy for 1.8 s). Here a linear scan of the
//! text comes first (`scan`), then one parse, then a measure with memoised fragments (`cost`). What passed is kept
//! parsed (`document`), so that the next request with the same text costs one look-up.

mod cost;
mod document;
mod scan;

use async_graphql::{ErrorExtensionValues, Pos, Response, ServerError, parser::types::OperationType};

pub use cost::Measure;
pub use document::{Admitted, DocumentCache};

use crate::error::Error;

/// `extensions.code` of what is refused here.
pub mod codes {
    /// The text is not GraphQL.
    pub const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
    /// The text is GraphQL, but not a document that can be executed.
    pub const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
    /// Past a limit.
    pub const QUERY_TOO_LARGE: &str = "QUERY_TOO_LARGE";
    /// A variable is missing or of the wrong shape.
    pub const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
    /// This service tells nobody its schema.
    pub const INTROSPECTION_DISABLED: &str = "INTROSPECTION_DISABLED";
    /// No persisted document has this id. Apollo's clients know the word.
    pub const PERSISTED_QUERY_NOT_FOUND: &str = "PERSISTED_QUERY_NOT_FOUND";
    /// This service takes nothing but persisted documents.
    pub const PERSISTED_DOCUMENT_REQUIRED: &str = "PERSISTED_DOCUMENT_REQUIRED";
}

/// How much one request may ask for.
#[derive(Debug, Clone)]
pub struct DocumentLimits {
    /// Bytes of query text: 100 KiB. The introspection query has 2, the largest one a generated client sends about 20.
    pub document_bytes: usize,
    /// Lexical tokens of a document: 5,000. The introspection query has about 300.
    pub tokens: usize,
    /// Brackets of any kind in one another: 60, just under the 64 selection sets at which the engine's parser gives up.
    pub brackets: usize,
    /// Bytes of a name: 256. The engine compares an unknown argument with every known one, letter by letter.
    pub name_bytes: usize,
    /// Selection sets in one another, those of fragments counted: 30, under the engine's own guard of 32, whose refusal
    /// says neither what nor why.
    pub nesting: u64,
    /// Fields in one another: 15. Patient to session to area to product to practitioner and back through three
    /// connections takes 13.
    pub depth: u64,
    /// Fields in one another under `__schema` or `__type`: 20. The introspection query with nine `ofType` has 15.
    pub introspection_depth: u64,
    /// Lists of fields or types in one another under `__schema`: 2. The introspection query has 1; each more multiplies
    /// the answer by the size of the schema. The same bound as in graphql-js.
    pub introspection_lists: u64,
    /// Root fields of a query: 20, a page of widgets.
    pub query_fields: u64,
    /// Root fields of a mutation: 10. Each is a transaction of its own.
    pub mutation_fields: u64,
    /// Aliases, fragments expanded: 100.
    pub aliases: u64,
    /// Directives, fragments expanded: 50.
    pub directives: u64,
    /// Fields and fragments after expansion, summed over a document's operations: 2,000. The engine's validator walks
    /// all operations of a document, not just the one asked for.
    pub selections: u64,
    /// The price of an operation, about the fields in its largest answer: 50,000. A page of 100 patients with 20
    /// sessions of 20 fields each costs 40,000.
    pub cost: u64,
}

impl DocumentLimits {
    /// Rows a connection gives when not told how many.
    pub const PAGE: u64 = 20;
    /// The most rows a connection gives.
    pub const LARGEST_PAGE: u64 = 100;

    /// Holds an operation's measure to the limits.
    ///
    /// # Errors
    /// `QUERY_TOO_LARGE`, naming the limit that was passed.
    pub fn check(&self, kind: OperationType, measure: &Measure) -> Result<(), Refusal> {
        let root_fields = match kind {
            OperationType::Mutation => self.mutation_fields,
            OperationType::Query | OperationType::Subscription => self.query_fields,
        };
        let held = [
            (measure.selections, self.selections, "fields, fragments expanded", "ask for fewer fields"),
            (measure.fields, root_fields, "root fields", "split the request"),
            (measure.depth, self.depth, "fields in one another", "nest less deeply"),
            (measure.introspection_depth, self.introspection_depth, "introspection fields in one another", "nest less"),
            (
                measure.introspection_lists,
                self.introspection_lists,
                "introspection lists in one another",
                "ask for types by name",
            ),
            (measure.aliases, self.aliases, "aliases", "split the request"),
            (measure.directives, self.directives, "directives", "use fewer"),
            (measure.cost(), self.cost, "points of cost", "ask for fewer rows (`first`) or fewer fields of each"),
        ];
        for (found, limit, what, advice) in held {
            if found > limit {
                return Err(Refusal::too_large(what, found, limit, advice));
            }
        }
        Ok(())
    }
}

impl Default for DocumentLimits {
    fn default() -> Self {
        Self {
            document_bytes: 100 * 1024,
            tokens: 5_000,
            brackets: 60,
            name_bytes: 256,
            nesting: 30,
            depth: 15,
            introspection_depth: 20,
            introspection_lists: 2,
            query_fields: 20,
            mutation_fields: 10,
            aliases: 100,
            directives: 50,
            selections: 2_000,
            cost: 50_000,
        }
    }
}

/// Why a document was not let through: a request error of GraphQL, nothing was executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One of `codes`.
    pub code: &'static str,
    /// What is wrong and what to do about it.
    pub message: String,
    /// Where in the text, if at one place.
    pub at: Option<Pos>,
}

impl Refusal {
    fn new(code: &'static str, message: String, at: Option<Pos>) -> Self {
        Self { code, message, at }
    }

    /// Past a limit, by how much is known.
    fn too_large(what: &str, found: u64, limit: u64, advice: &str) -> Self {
        let message = format!("this document has {found} {what}; at most {limit} are allowed: {advice}");
        Self::new(codes::QUERY_TOO_LARGE, message, None)
    }

    /// Past a limit; counting stopped there.
    fn limit(what: &str, limit: u64, advice: &str) -> Self {
        let message = format!("this document has more than the allowed {limit} {what}: {advice}");
        Self::new(codes::QUERY_TOO_LARGE, message, None)
    }

    fn syntax(message: impl Into<String>, at: Option<Pos>) -> Self {
        Self::new(codes::PARSE_FAILED, message.into(), at)
    }

    fn invalid(message: String) -> Self {
        Self::new(codes::VALIDATION_FAILED, message, None)
    }

    /// A question about the schema where nobody may ask.
    pub fn introspection() -> Self {
        let message = "this service does not tell its schema: `clinic schema` prints it, for who has the program";
        Self::new(codes::INTROSPECTION_DISABLED, message.to_owned(), None)
    }

    /// An id that no persisted document has. The message is the one that Apollo's clients look for.
    pub fn not_persisted() -> Self {
        Self::new(codes::PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound".to_owned(), None)
    }

    /// A text where only persisted documents are taken.
    pub fn persisted_only() -> Self {
        let message = "this service takes persisted documents only: send documentId, or extensions.persistedQuery, \
                       without query";
        Self::new(codes::PERSISTED_DOCUMENT_REQUIRED, message.to_owned(), None)
    }

    /// The GraphQL response that says so.
    pub fn into_response(self) -> Response {
        let mut error = ServerError::new(self.message, self.at);
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", self.code);
        error.extensions = Some(extensions);
        Response::from_errors(vec![error])
    }
}

impl From<Refusal> for Error {
    /// For callers that refuse in the crate's own words; the place in the text is lost.
    fn from(refusal: Refusal) -> Self {
        match refusal.code {
            codes::QUERY_TOO_LARGE => Self::QueryTooLarge(refusal.message),
            _ => Self::input("query", refusal.message),
        }
    }
}

#[cfg(test)]
mod tests;
