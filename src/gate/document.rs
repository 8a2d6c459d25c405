//! Parsed documents: parsed once, measured once, and cached by their text.

use std::{collections::HashSet, sync::Arc};

use async_graphql::{
    Name, Request, Value, Variables,
    parser::{
        self, parse_query,
        types::{ExecutableDocument, OperationType, Selection},
    },
};
use moka::sync::Cache;

use crate::watch::{Looks, Watch};

use super::{
    DocumentLimits, Measure, Refusal,
    cost::{Measurer, short},
    rules::{Declared, DeclaredBy, Rules},
    scan::scan,
    subscription::write_out,
};

/// The maximum size of the cache: 16 MiB, some thousands of documents. Clients that send literals instead of variables
/// make a new document each time; the least used are evicted first.
const CACHE_BYTES: u64 = 16 << 20;
/// The part of a filter that asks what changed since a moment.
const SINCE: &str = "updatedSince";
/// Bytes a token takes when parsed: a field of one token is 184, an argument's three are 160.
const TOKEN_BYTES: usize = 120;

/// A document that may be executed, and what is known about it.
#[derive(Debug)]
struct Document {
    parsed: ExecutableDocument,
    operations: Vec<Operation>,
    bytes: usize,
    /// Whether its text names `updatedSince`.
    since: bool,
}

#[derive(Debug)]
struct Operation {
    name: Option<Name>,
    kind: OperationType,
    measure: Measure,
    variables: Vec<Declared>,
}

/// The gate: lets documents through to the executor, and keeps them parsed.
#[derive(Debug)]
pub struct DocumentCache {
    limits: DocumentLimits,
    /// None in tests of measuring alone, whose documents fit no schema.
    rules: Option<Rules>,
    kept: Cache<String, Arc<Document>>,
    looks: Looks,
}

impl DocumentCache {
    /// A gate with an empty cache. `sdl` is the printed schema, by which documents are validated.
    ///
    /// # Errors
    ///
    /// The first complaint when `sdl` is not a schema.
    pub fn new(limits: DocumentLimits, sdl: &str) -> Result<Self, String> {
        Rules::new(sdl).map(|rules| Self::with(limits, Some(rules)))
    }

    /// A gate that measures documents and does not validate them.
    #[cfg(test)]
    pub(super) fn measuring(limits: DocumentLimits) -> Self {
        Self::with(limits, None)
    }

    fn with(limits: DocumentLimits, rules: Option<Rules>) -> Self {
        let kept = Cache::builder()
            .max_capacity(CACHE_BYTES)
            // The text counts twice, because its strings are in the document as well.
            .weigher(|text: &String, document: &Arc<Document>| {
                u32::try_from(text.len().saturating_mul(2).saturating_add(document.bytes)).unwrap_or(u32::MAX)
            })
            .build();
        Self { limits, rules, kept, looks: Looks::default() }
    }

    /// The same, which counts in this service's meters whether it had a document.
    pub fn watched(self, watch: &Watch) -> Self {
        Self { looks: watch.caches.looks("documents"), ..self }
    }

    /// Admits one request, or says why not.
    ///
    /// # Errors
    ///
    /// `QUERY_TOO_LARGE`, `GRAPHQL_PARSE_FAILED`, `GRAPHQL_VALIDATION_FAILED` (what the schema can't answer) or
    /// `BAD_USER_INPUT` (values that their types don't take, of literals and of variables).
    pub fn admit(&self, text: &str, operation_name: Option<&str>, variables: &Variables) -> Result<Admitted, Refusal> {
        if let Some(document) = self.looks.found(self.kept.get(text)) {
            return self.select(document, operation_name, variables);
        }
        let (mut document, tokens) = self.read(text)?;
        // What is over a limit is refused before it is validated.
        self.hold(&document, operation_name, variables)?;
        self.validate(text, &mut document)?;
        document.bytes = tokens.saturating_mul(TOKEN_BYTES);
        let document = Arc::new(document);
        // Whatever its variables: who is told of their faults sends the same document again.
        self.kept.insert(text.to_owned(), Arc::clone(&document));
        self.select(document, operation_name, variables)
    }

    /// Checks everything about a document that can be checked without variables, for each of its operations.
    ///
    /// # Errors
    ///
    /// As for `admit`, except for variables.
    pub fn check(&self, text: &str) -> Result<(), Refusal> {
        let (mut document, _) = self.read(text)?;
        for operation in &document.operations {
            self.limits.check(operation.kind, &operation.measure)?;
        }
        self.validate(text, &mut document)
    }

    /// A document from its text, measured; and its tokens, counted.
    fn read(&self, text: &str) -> Result<(Document, usize), Refusal> {
        let tokens = scan(text, &self.limits)?;
        let parsed = parse_query(text).map_err(|error| syntax(&error))?;
        let operations = self.measure(&parsed)?;
        Ok((Document { parsed, operations, bytes: 0, since: text.contains(SINCE) }, tokens))
    }

    /// Holds a document to the rules, and notes the variables of its operations.
    fn validate(&self, text: &str, document: &mut Document) -> Result<(), Refusal> {
        let Some(rules) = &self.rules else { return Ok(()) };
        let mut declared: DeclaredBy = rules.check(text, &self.limits)?;
        for operation in &mut document.operations {
            let name = operation.name.as_ref().map(Name::as_str);
            let found = declared.iter_mut().find(|(found, _)| found.as_deref() == name);
            operation.variables = found.map(|(_, variables)| std::mem::take(variables)).unwrap_or_default();
        }
        Ok(())
    }

    /// Measures every operation, and the fragments that none uses: validation walks them all.
    fn measure(&self, parsed: &ExecutableDocument) -> Result<Vec<Operation>, Refusal> {
        let none = Variables::default();
        let mut met = HashSet::new();
        let mut selections = 0_u64;
        let mut operations = Vec::new();
        for (name, definition) in parsed.operations.iter() {
            let mut measurer = Measurer::new(parsed, Some(&definition.node), &none, &self.limits);
            let measure = measurer.operation(&definition.node)?;
            met.extend(parsed.fragments.keys().filter(|fragment| measurer.has_met(fragment)));
            selections = self.hold_selections(selections, &measure)?;
            let kind = definition.node.ty;
            operations.push(Operation { name: name.cloned(), kind, measure, variables: Vec::new() });
        }
        let mut measurer = Measurer::new(parsed, None, &none, &self.limits);
        for fragment in parsed.fragments.keys().filter(|fragment| !met.contains(fragment)) {
            let measure = measurer.fragment(fragment, 1)?;
            selections = self.hold_selections(selections, &measure)?;
        }
        Ok(operations)
    }

    fn hold_selections(&self, sum: u64, measure: &Measure) -> Result<u64, Refusal> {
        let sum = sum.saturating_add(measure.selections);
        if sum > self.limits.selections {
            let advice = "ask for fewer fields";
            return Err(Refusal::too_large("fields, fragments expanded", sum, self.limits.selections, advice));
        }
        Ok(sum)
    }

    fn select(
        &self,
        document: Arc<Document>,
        operation_name: Option<&str>,
        variables: &Variables,
    ) -> Result<Admitted, Refusal> {
        let (index, cost) = self.hold(&document, operation_name, variables)?;
        if let (Some(rules), Some(operation)) = (&self.rules, document.operations.get(index)) {
            rules.read(&operation.variables, variables)?;
        }
        Ok(Admitted { document, index, cost })
    }

    /// Chooses the operation, and holds it to the limits. Gives its place and its cost.
    fn hold(
        &self,
        document: &Document,
        operation_name: Option<&str>,
        variables: &Variables,
    ) -> Result<(usize, u64), Refusal> {
        let index = position(&document.operations, operation_name)?;
        let Some(operation) = document.operations.get(index) else {
            return Err(Refusal::invalid("the document has no operation".to_owned()));
        };
        let definition = document.parsed.operations.iter().find(|(name, _)| *name == operation.name.as_ref());
        let mut measure = operation.measure;
        if let Some((_, definition)) = definition.filter(|_| measure.dynamic) {
            let mut measurer = Measurer::new(&document.parsed, Some(&definition.node), variables, &self.limits);
            measure = measurer.operation(&definition.node)?;
        }
        self.limits.check(operation.kind, &measure)?;
        Ok((index, measure.cost()))
    }
}

/// A document with its operation chosen, ready for the executor.
#[derive(Debug, Clone)]
pub struct Admitted {
    document: Arc<Document>,
    index: usize,
    cost: u64,
}

impl Admitted {
    fn operation(&self) -> Option<&Operation> {
        self.document.operations.get(self.index)
    }

    /// Query, mutation or subscription.
    pub fn kind(&self) -> OperationType {
        self.operation().map_or(OperationType::Query, |operation| operation.kind)
    }

    /// The operation's name, if it has one. A client's text: not for metrics' labels.
    pub fn name(&self) -> Option<&str> {
        self.operation()?.name.as_ref().map(Name::as_str)
    }

    /// Whether every root field is allowed without a sign-in: introspection, `__typename`, `signIn` and similar.
    pub fn is_public(&self) -> bool {
        self.operation().is_some_and(|operation| !operation.measure.private)
    }

    /// Whether it queries the schema.
    pub fn introspects(&self) -> bool {
        self.operation().is_some_and(|operation| operation.measure.introspects)
    }

    /// Whether every root field is allowed before a required second factor is set up.
    pub fn is_enrolment(&self) -> bool {
        self.operation().is_some_and(|operation| !operation.measure.beyond_enrolment)
    }

    /// Whether it only ends or confirms one's own sign-ins.
    pub fn is_own_sign_in(&self) -> bool {
        self.operation().is_some_and(|operation| !operation.measure.beyond_own_sign_in)
    }

    /// Whether it may ask what changed since a moment: a document or a variable that names that part of a filter.
    pub fn asks_since(&self, variables: &Variables) -> bool {
        self.kind() == OperationType::Query && (self.document.since || variables.values().any(names_since))
    }

    /// The operation's first root field, by its name in the schema: what logs call the operation.
    pub fn root_field(&self) -> &str {
        let name = self.operation().and_then(|operation| operation.name.as_ref());
        let definition = self.document.parsed.operations.iter().find(|(found, _)| *found == name);
        let mut selections = definition.map(|(_, definition)| &definition.node.selection_set.node);
        // A fragment may hold the first field, and another fragment in it: the gate has bounded how many there are.
        while let Some(set) = selections {
            selections = match set.items.first().map(|item| &item.node) {
                Some(Selection::Field(field)) => return field.node.name.node.as_str(),
                Some(Selection::InlineFragment(inline)) => Some(&inline.node.selection_set.node),
                Some(Selection::FragmentSpread(spread)) => self
                    .document
                    .parsed
                    .fragments
                    .get(&spread.node.fragment_name.node)
                    .map(|fragment| &fragment.node.selection_set.node),
                None => None,
            };
        }
        ""
    }

    /// The price that was held to `DocumentLimits::cost`.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// The engine's request. The engine takes the document by value and writes in it, so this is a deep copy: 1.5 µs
    /// for 18 fields, where parsing takes 73.
    pub fn request(&self, variables: Variables) -> Request {
        let mut request = Request::new("").variables(variables);
        // A named operation is asked for by name, an anonymous one must not be.
        request.operation_name = self.name().map(str::to_owned);
        let mut parsed = self.document.parsed.clone();
        if self.kind() == OperationType::Subscription {
            let name = self.operation().and_then(|operation| operation.name.as_ref());
            write_out(&mut parsed, name);
        }
        request.set_parsed_query(parsed);
        request
    }
}

/// Whether an input names the part of a filter that asks what changed.
fn names_since(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| name == SINCE || names_since(value)),
        Value::List(items) => items.iter().any(names_since),
        _ => false,
    }
}

/// The operation that is meant: the named one, or the only one.
fn position(operations: &[Operation], wanted: Option<&str>) -> Result<usize, Refusal> {
    let Some(wanted) = wanted.filter(|name| !name.is_empty()) else {
        return match operations.len() {
            1 => Ok(0),
            many => Err(Refusal::invalid(format!("the document has {many} operations: say which with operationName"))),
        };
    };
    let named = |operation: &Operation| operation.name.as_ref().is_some_and(|name| name.as_str() == wanted);
    operations.iter().position(named).ok_or_else(|| {
        Refusal::invalid(format!("the document has no operation {}: check operationName", short(wanted)))
    })
}

/// The parser's complaint without its picture of the line, which is as long as the line.
fn syntax(error: &parser::Error) -> Refusal {
    let text = error.to_string();
    let reason = text.rsplit("\n").map(str::trim).find(|line| !line.is_empty()).unwrap_or("not GraphQL");
    let reason = reason.strip_prefix("= ").unwrap_or(reason);
    let reason: String = reason.chars().take(300).collect();
    Refusal::syntax(format!("the query is not GraphQL: {reason}"), error.positions().next())
}
