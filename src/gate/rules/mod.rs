//! Whether a document is one that the schema can answer, by the rules of the GraphQL specification; and whether the values
//! of a request's variables are what their types take.
//!
//! `apollo-compiler` judges by the rules, once for each document, and sees only what the gate's scan let through: its
//! time and its stack depend on the text. What it lets pass, or does not tell well enough, is looked at here. `text` finds
//! fields that stand twice in one input, and what asks for an answer in parts, which the service does not give. `values`
//! reads every value, of a literal and of a variable, and names each fault at its path in the arguments, as resolvers
//! name theirs. `declared` holds variables to the types of their places, within inputs and lists too.

mod declared;
mod text;
mod values;
mod words;

use std::collections::HashMap;

use apollo_compiler::{Schema, ast, parser::Parser, validation::Valid};
use async_graphql::{Pos, Variables};

use super::{DocumentLimits, Refusal};

pub use declared::Declared;

/// The most errors that are told of one document.
const MOST_TOLD: usize = 20;

/// What the engine tells of its schema and the compiler does not know of (1.33): tools ask for it.
const INTROSPECTED_TOO: &str = "extend type __Type { isOneOf: Boolean }";

/// The schema, read once.
#[derive(Debug)]
pub struct Rules {
    schema: Valid<Schema>,
}

/// The variables of an operation, by the operation's name.
pub type DeclaredBy = Vec<(Option<String>, Vec<Declared>)>;

impl Rules {
    /// The rules of a schema.
    ///
    /// # Errors
    ///
    /// The first complaint when `sdl` is not a schema.
    pub fn new(sdl: &str) -> Result<Self, String> {
        let sdl = format!("{sdl}\n{INTROSPECTED_TOO}");
        let schema = Schema::parse_and_validate(sdl, "schema.graphql").map_err(|refused| {
            let first = refused.errors.iter().next().map(|it| it.error.to_string());
            first.unwrap_or_else(|| "not a schema".to_owned())
        })?;
        Ok(Self { schema })
    }

    /// Judges a document that the scan let through. Gives the variables that each of its operations declares.
    ///
    /// # Errors
    ///
    /// `GRAPHQL_PARSE_FAILED`; `GRAPHQL_VALIDATION_FAILED`, of which the first twenty are told; `BAD_USER_INPUT` with the
    /// paths of all values that their types don't take, one for each field.
    pub fn check(&self, text: &str, limits: &DocumentLimits) -> Result<DeclaredBy, Refusal> {
        // Brackets are what makes the parser recurse: the scan held them to fewer.
        let mut parser = Parser::new().recursion_limit(limits.brackets.saturating_mul(4)).token_limit(usize::MAX);
        let document = parser.parse_ast(text, "query").map_err(|refused| words::syntax(text, &refused.errors))?;
        let mut told = text::faults(text, &document);
        let judged = document.to_executable_validate(&self.schema);
        let (executable, diagnostics) = match judged {
            Ok(valid) => (valid.into_inner(), None),
            Err(refused) => (refused.partial, Some(refused.errors)),
        };
        let arguments = declared::of(text, &self.schema, &executable);
        let (misplaced, faulty) = (!arguments.misplaced.is_empty(), !arguments.faulty.is_empty());
        if let Some(diagnostics) = &diagnostics {
            told.extend(words::told(text, diagnostics, misplaced, faulty).take(MOST_TOLD));
        }
        told.extend(arguments.misplaced);
        told.extend(arguments.faulty);
        told.truncate(MOST_TOLD);
        let mut told = told.into_iter();
        match told.next() {
            None => Ok(arguments.declared),
            Some(first) => Err(Refusal { more: told.collect(), ..first }),
        }
    }

    /// Reads the values of one operation's variables.
    ///
    /// # Errors
    ///
    /// `BAD_USER_INPUT` with the paths of all that their types don't take.
    pub fn read(&self, declared: &[Declared], variables: &Variables) -> Result<(), Refusal> {
        declared::read(&self.schema, declared, variables)
    }
}

/// The place of a byte in a text: line and column from 1, in characters.
fn place(text: &str, offset: usize) -> Pos {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Pos { line, column }
}

/// The places of many bytes, in one pass over the text.
fn places(text: &str, mut offsets: Vec<usize>) -> HashMap<usize, Pos> {
    offsets.sort_unstable();
    offsets.dedup();
    let (mut found, mut from, mut at) = (HashMap::new(), 0, Pos { line: 1, column: 1 });
    for offset in offsets {
        let between = place(text.get(from..).unwrap_or_default(), offset.saturating_sub(from));
        at.column = if between.line == 1 { at.column + between.column - 1 } else { between.column };
        at.line += between.line - 1;
        from = offset;
        found.insert(offset, at);
    }
    found
}

/// Where a node of the document begins.
fn offset<T>(node: &apollo_compiler::Node<T>) -> usize {
    node.location().map_or(0, |span| span.offset())
}

/// The definition of an argument of a directive.
fn directive_argument<'a>(
    schema: &'a Schema,
    directive: &ast::Directive,
    name: &str,
) -> Option<&'a ast::InputValueDefinition> {
    schema.directive_definitions.get(&directive.name)?.argument_by_name(name).map(|definition| &**definition)
}

#[cfg(test)]
mod tests;
