//! The gate in front of the executor: a document is measured, and refused if it is too large, before the engine's own
//! parser and validator spend time on it.
//!
//! The engine's limits apply only after fragments are expanded (811 bytes kept it busy for 1.8 s). Here a linear scan
//! of the text comes first (`scan`), then one parse, then a measure with memoised fragments (`cost`), then validation
//! against the schema (`rules`), for which the engine's own is switched off. Accepted documents are cached parsed
//! (`document`), so that the next request with the same text costs one look-up, and the reading of its variables.

mod cost;
mod document;
mod rules;
mod scan;
mod subscription;

use async_graphql::{ErrorExtensionValues, Pos, Response, ServerError, parser::types::OperationType};

pub use cost::Measure;
pub use document::{Admitted, DocumentCache};

use crate::error::{Error, Fault};

/// The `extensions.code` of refusals by the gate.
pub mod codes {
    /// The text is not GraphQL.
    pub const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
    /// The text is GraphQL, but not a document that can be executed.
    pub const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
    /// A limit was exceeded.
    pub const QUERY_TOO_LARGE: &str = "QUERY_TOO_LARGE";
    /// A variable is missing or of the wrong shape.
    pub const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
    /// This service does not reveal its schema.
    pub const INTROSPECTION_DISABLED: &str = "INTROSPECTION_DISABLED";
    /// No persisted document has this id. Apollo's clients know this code.
    pub const PERSISTED_QUERY_NOT_FOUND: &str = "PERSISTED_QUERY_NOT_FOUND";
    /// This service accepts only persisted documents.
    pub const PERSISTED_DOCUMENT_REQUIRED: &str = "PERSISTED_DOCUMENT_REQUIRED";
}

/// How much one request may ask for.
#[derive(Debug, Clone)]
pub struct DocumentLimits {
    /// Bytes of query text: 100 KiB. The introspection query has 2, the largest query sent by a generated client about
    /// 20.
    pub document_bytes: usize,
    /// Lexical tokens of a document: 5,000. The introspection query has about 300.
    pub tokens: usize,
    /// Nested brackets of any kind: 60, just under the 64 selection sets at which the engine's parser gives up.
    pub brackets: usize,
    /// Bytes of a name: 256. The engine compares an unknown argument, letter by letter, with every known one.
    pub name_bytes: usize,
    /// Nested selection sets, including those of fragments: 30, under the engine's own limit of 32, whose refusal says
    /// neither what nor why.
    pub nesting: u64,
    /// Nested fields: 15. From patient to session to area to product to practitioner and back through three connections
    /// takes 13.
    pub depth: u64,
    /// Nested fields under `__schema` or `__type`: 20. The introspection query with nine `ofType` has 15.
    pub introspection_depth: u64,
    /// Nested lists of fields or types under `__schema`: 2. The introspection query has 1; each further one multiplies
    /// the response by the size of the schema. The same limit as in graphql-js.
    pub introspection_lists: u64,
    /// Root fields of a query: 20, a page of widgets.
    pub query_fields: u64,
    /// Root fields of a mutation: 10. Each is its own transaction.
    pub mutation_fields: u64,
    /// Aliases, fragments expanded: 100.
    pub aliases: u64,
    /// Directives, fragments expanded: 50.
    pub directives: u64,
    /// Fields and fragments after expansion, summed over a document's operations: 2,000. The engine's validator
    /// traverses all operations of a document, not just the requested one.
    pub selections: u64,
    /// The cost of an operation, roughly the number of fields in its largest response: 50,000. A page of 100 patients
    /// with 20 sessions of 20 fields each costs 40,000.
    pub cost: u64,
}

impl DocumentLimits {
    /// The number of rows of a connection when none is given.
    pub const PAGE: u64 = 20;
    /// The maximum number of rows of a connection.
    pub const LARGEST_PAGE: u64 = 100;

    /// Checks an operation's measure against the limits.
    ///
    /// # Errors
    ///
    /// `QUERY_TOO_LARGE`, which names the limit exceeded.
    pub fn check(&self, kind: OperationType, measure: &Measure) -> Result<(), Refusal> {
        let root_fields = match kind {
            OperationType::Mutation => self.mutation_fields,
            OperationType::Query | OperationType::Subscription => self.query_fields,
        };
        let held = [
            (measure.selections, self.selections, "fields, fragments expanded", "ask for fewer fields"),
            (measure.fields, root_fields, "root fields", "split the request"),
            (measure.depth, self.depth, "nested fields", "nest less deeply"),
            (measure.introspection_depth, self.introspection_depth, "nested introspection fields", "nest less"),
            (
                measure.introspection_lists,
                self.introspection_lists,
                "nested introspection lists",
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

/// Why a document was refused: a GraphQL request error, so nothing was executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One of `codes`.
    pub code: &'static str,
    /// What is wrong and what to do about it.
    pub message: String,
    /// The position in the text, if there is one.
    pub at: Option<Pos>,
    /// Further positions.
    pub also_at: Box<[Pos]>,
    /// The values that are wrong, with their paths.
    pub faults: Box<[Fault]>,
    /// What else is wrong with the document.
    pub more: Vec<Refusal>,
}

impl Refusal {
    fn new(code: &'static str, message: String, at: Option<Pos>) -> Self {
        Self { code, message, at, also_at: Box::default(), faults: Box::default(), more: Vec::new() }
    }

    /// A limit is exceeded by a known amount.
    fn too_large(what: &str, found: u64, limit: u64, advice: &str) -> Self {
        let message = format!("this document has {found} {what}; at most {limit} are allowed: {advice}");
        Self::new(codes::QUERY_TOO_LARGE, message, None)
    }

    /// A limit is exceeded; counting stopped there.
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

    fn invalid_at(message: String, at: Pos) -> Self {
        Self::new(codes::VALIDATION_FAILED, message, Some(at))
    }

    /// Values that their types don't take: told as a resolver tells faults of an input.
    fn of_faults(faults: Vec<Fault>, at: Option<Pos>) -> Self {
        let message = Fault::summary(&faults);
        Self { faults: faults.into(), ..Self::new(codes::BAD_USER_INPUT, message, at) }
    }

    /// A query of the schema where that is not allowed.
    pub fn introspection() -> Self {
        let message = "this service does not tell its schema: `clinic schema` prints it, for who has the program";
        Self::new(codes::INTROSPECTION_DISABLED, message.to_owned(), None)
    }

    /// An id that no persisted document has. The message is the one that Apollo's clients look for.
    pub fn not_persisted() -> Self {
        Self::new(codes::PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound".to_owned(), None)
    }

    /// A query text where only persisted documents are accepted.
    pub fn persisted_only() -> Self {
        let message = "this service takes persisted documents only: send documentId, or extensions.persistedQuery, \
                       without query";
        Self::new(codes::PERSISTED_DOCUMENT_REQUIRED, message.to_owned(), None)
    }

    /// The GraphQL response for this refusal.
    pub fn into_response(mut self) -> Response {
        let more = std::mem::take(&mut self.more);
        Response::from_errors(std::iter::once(self).chain(more).map(Self::into_error).collect())
    }

    fn into_error(self) -> ServerError {
        let mut error = ServerError::new(self.message, self.at);
        error.locations.extend(self.also_at);
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", self.code);
        if !self.faults.is_empty() {
            extensions.set("fields", Fault::fields(&self.faults));
        }
        error.extensions = Some(extensions);
        error
    }
}

impl From<Refusal> for Error {
    /// For callers that use the crate's own error; the position in the text is lost.
    fn from(refusal: Refusal) -> Self {
        match refusal.code {
            codes::QUERY_TOO_LARGE => Self::QueryTooLarge(refusal.message),
            _ => Self::input("query", crate::error::Code::WrongForm.says(refusal.message)),
        }
    }
}

#[cfg(test)]
mod tests;
