//! What an operation asks for, measured without expanding its fragments.
//!
//! A fragment is measured once and its measure is added wherever it is spread, so the work is linear in the document
//! however large the expansion is: 811 bytes can stand for millions of fields. All sums saturate, and the recursion is
//! at most as deep as `Limits::nesting`.

use std::{collections::HashMap, convert::Infallible};

use async_graphql::{
    Name, Positioned, Value, Variables,
    parser::types::{Directive, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet},
};

use super::{DocumentLimits, Refusal};

/// A `totalCount` makes the database count every match, however few are shown.
const TOTAL_COUNT: u64 = 10;
/// One introspection returns the whole schema, some hundred kilobytes; a request gets at most ten of them.
const INTROSPECTION: u64 = 5_000;

/// The root fields that are answered without a sign-in.
const PUBLIC: &[&str] =
    &["__typename", "__schema", "__type", "signIn", "completeSignIn", "resetPassword", "acceptInvitation"];
/// The root fields allowed before a required second factor is set up.
const ENROLMENT: &[&str] = &["me", "beginSecondFactor", "confirmSecondFactor", "confirmIdentity", "signOut"];
/// The root fields with which people end or confirm their own sign-ins. Having spent all points must not prevent that.
const OWN_SIGN_IN: &[&str] = &["signOut", "revokeSignIn", "revokeAllSignIns", "confirmIdentity", "changePassword"];

/// The size of a selection set, fragments included. Fields are counted as they would be executed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measure {
    /// Fields, spreads and inline fragments.
    pub selections: u64,
    /// Fields of the set itself, without those below them.
    pub fields: u64,
    /// Aliased fields.
    pub aliases: u64,
    /// Directives, anywhere.
    pub directives: u64,
    /// Fields on the longest path down, without introspection.
    pub depth: u64,
    /// The same under `__schema` and `__type`.
    pub introspection_depth: u64,
    /// Nested lists in introspection (`fields { type { fields`): each level multiplies the response by the size of the
    /// schema.
    pub introspection_lists: u64,
    /// Nested selection sets, including those of fragments: the stack that the engine's own traversals need.
    pub nesting: u64,
    /// A number of rows comes from a variable, so the cost applies to one request only.
    pub dynamic: bool,
    /// A field of the set itself requires a sign-in.
    pub private: bool,
    /// A field queries the schema.
    pub introspects: bool,
    /// A field of the set itself is not allowed before a required second factor is set up.
    pub beyond_enrolment: bool,
    /// Whether any root field does more than end or confirm one's own sign-ins.
    pub beyond_own_sign_in: bool,
    lists: u64,
    /// The part of the cost that a page repeats: the set's own `edges` and `nodes`.
    rows: Option<u64>,
    rest: u64,
}

impl Measure {
    /// The cost of the set: roughly the number of fields in its response.
    pub fn cost(&self) -> u64 {
        self.rest.saturating_add(self.rows.unwrap_or(0))
    }

    /// Adds everything that is counted alike for a field's children and for a fragment's.
    fn count(&mut self, other: &Self) {
        self.selections = self.selections.saturating_add(other.selections);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.introspection_depth = self.introspection_depth.max(other.introspection_depth);
        self.introspection_lists = self.introspection_lists.max(other.introspection_lists);
        self.dynamic |= other.dynamic;
        self.introspects |= other.introspects;
    }

    /// Adds a fragment spread here: its fields are the set's own.
    fn absorb(&mut self, fragment: &Self) {
        self.count(fragment);
        self.nesting = self.nesting.max(fragment.nesting.saturating_add(1));
        self.fields = self.fields.saturating_add(fragment.fields);
        self.depth = self.depth.max(fragment.depth);
        self.lists = self.lists.max(fragment.lists);
        self.private |= fragment.private;
        self.beyond_enrolment |= fragment.beyond_enrolment;
        self.beyond_own_sign_in |= fragment.beyond_own_sign_in;
        self.rest = self.rest.saturating_add(fragment.rest);
        if let Some(rows) = fragment.rows {
            self.rows = Some(self.rows.unwrap_or(0).saturating_add(rows));
        }
    }

    /// Adds a field whose selection set measures `children`.
    fn add_field(&mut self, field: &Field, children: &Self, rows: Rows) {
        let name = field.name.node.as_str();
        self.count(children);
        self.fields = self.fields.saturating_add(1);
        self.aliases = self.aliases.saturating_add(u64::from(field.alias.is_some()));
        self.private |= !PUBLIC.contains(&name);
        self.beyond_enrolment |= !PUBLIC.contains(&name) && !ENROLMENT.contains(&name);
        self.beyond_own_sign_in |= !OWN_SIGN_IN.contains(&name);
        self.dynamic |= rows.dynamic;
        self.introspects |= matches!(name, "__schema" | "__type");
        let own = match name {
            "__schema" | "__type" => {
                self.introspection_depth = self.introspection_depth.max(children.depth.saturating_add(1));
                self.introspection_lists = self.introspection_lists.max(children.lists);
                INTROSPECTION
            }
            _ => {
                self.depth = self.depth.max(children.depth.saturating_add(1));
                let list = matches!(name, "fields" | "inputFields" | "interfaces" | "possibleTypes");
                self.lists = self.lists.max(children.lists.saturating_add(u64::from(list)));
                if name == "totalCount" { TOTAL_COUNT } else { 1 }
            }
        };
        let under = match (rows.number, children.rows) {
            (number, Some(page)) => {
                page.saturating_mul(number.unwrap_or(DocumentLimits::PAGE)).saturating_add(children.rest)
            }
            (number, None) => children.rest.saturating_mul(number.unwrap_or(1)),
        };
        let cost = own.saturating_add(under);
        if matches!(name, "edges" | "nodes") {
            self.rows = Some(self.rows.unwrap_or(0).saturating_add(cost));
        } else {
            self.rest = self.rest.saturating_add(cost);
        }
    }
}

/// How many rows a field's arguments ask for, where they say.
#[derive(Clone, Copy, Default)]
struct Rows {
    number: Option<u64>,
    dynamic: bool,
}

/// Measures the operations and fragments of one document, for one request's variables.
pub struct Measurer<'a> {
    document: &'a ExecutableDocument,
    operation: Option<&'a OperationDefinition>,
    variables: &'a Variables,
    nesting: u64,
    /// `None` while the fragment is being measured; meeting it then means a cycle.
    fragments: HashMap<&'a str, Option<Measure>>,
}

impl<'a> Measurer<'a> {
    /// Measures for `operation`, whose defaults replace variables missing from `variables`. Without an operation, it
    /// measures a fragment that no operation uses.
    pub fn new(
        document: &'a ExecutableDocument,
        operation: Option<&'a OperationDefinition>,
        variables: &'a Variables,
        limits: &DocumentLimits,
    ) -> Self {
        Self { document, operation, variables, nesting: limits.nesting, fragments: HashMap::new() }
    }

    /// The measure of an operation.
    ///
    /// # Errors
    ///
    /// `GRAPHQL_VALIDATION_FAILED` for an unknown fragment or a cycle of fragments, `QUERY_TOO_LARGE` beyond the
    /// nesting that this traversal allows. `Limits::check` applies the other limits.
    pub fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Measure, Refusal> {
        let mut measure = self.set(&operation.selection_set.node, 1)?;
        let on_variables = operation.variable_definitions.iter().map(|variable| variable.node.directives.len());
        let directives = on_variables.fold(operation.directives.len(), usize::saturating_add);
        measure.directives = measure.directives.saturating_add(directives as u64);
        Ok(measure)
    }

    /// The measure of the fragment called `name`, met at `level` selection sets below the root.
    ///
    /// # Errors
    /// As for `operation`.
    pub fn fragment(&mut self, name: &'a Name, level: u64) -> Result<Measure, Refusal> {
        match self.fragments.get(name.as_str()) {
            Some(Some(known)) => {
                // The traversal below it started from another level.
                self.hold_nesting(level.saturating_add(known.nesting))?;
                return Ok(*known);
            }
            Some(None) => return Err(Refusal::invalid(format!("the fragment {} spreads itself", short(name)))),
            None => {}
        }
        let Some(fragment) = self.document.fragments.get(name.as_str()) else {
            return Err(Refusal::invalid(format!("there is no fragment {}", short(name))));
        };
        self.fragments.insert(name, None);
        let mut measure = self.set(&fragment.node.selection_set.node, level)?;
        measure.directives = measure.directives.saturating_add(fragment.node.directives.len() as u64);
        self.fragments.insert(name, Some(measure));
        Ok(measure)
    }

    /// Whether a fragment was encountered.
    pub fn has_met(&self, fragment: &Name) -> bool {
        self.fragments.contains_key(fragment.as_str())
    }

    fn hold_nesting(&self, level: u64) -> Result<(), Refusal> {
        if level > self.nesting {
            return Err(Refusal::limit("nested selections", self.nesting, "nest fields and fragments less deeply"));
        }
        Ok(())
    }

    fn set(&mut self, set: &'a SelectionSet, level: u64) -> Result<Measure, Refusal> {
        self.hold_nesting(level)?;
        let mut measure = Measure::default();
        for selection in &set.items {
            measure.selections = measure.selections.saturating_add(1);
            let directives: &[Positioned<Directive>] = selection.node.directives();
            measure.directives = measure.directives.saturating_add(directives.len() as u64);
            match &selection.node {
                Selection::Field(field) if field.node.selection_set.node.items.is_empty() => {
                    measure.add_field(&field.node, &Measure::default(), self.rows(&field.node));
                }
                Selection::Field(field) => {
                    let children = self.set(&field.node.selection_set.node, level + 1)?;
                    measure.nesting = measure.nesting.max(children.nesting.saturating_add(1));
                    measure.add_field(&field.node, &children, self.rows(&field.node));
                }
                Selection::InlineFragment(fragment) => {
                    let inside = self.set(&fragment.node.selection_set.node, level + 1)?;
                    measure.absorb(&inside);
                }
                Selection::FragmentSpread(spread) => {
                    let inside = self.fragment(&spread.node.fragment_name.node, level + 1)?;
                    measure.absorb(&inside);
                }
            }
        }
        Ok(measure)
    }

    /// `first` and `last` count up to the largest page, since more is refused; `ids` counts its elements.
    fn rows(&self, field: &'a Field) -> Rows {
        let mut rows = Rows::default();
        for (name, value) in &field.arguments {
            let bound = match name.node.as_str() {
                "first" | "last" => DocumentLimits::LARGEST_PAGE,
                "ids" => u64::MAX,
                _ => continue,
            };
            // The engine does not export the type of a value with variables in it; this is the way to look inside.
            let mut variable = None;
            let literal = value.node.clone().into_const_with(|name| {
                variable = Some(name);
                Ok::<_, Infallible>(Value::Null)
            });
            let number = match (literal, variable) {
                (Ok(Value::Null), Some(name)) => {
                    rows.dynamic = true;
                    self.variable(&name)
                }
                (Ok(literal), _) => number_of(&literal),
                (Err(never), _) => match never {},
            };
            // At least one: `first: 0` must not make a subtree free.
            rows.number = rows.number.max(number.map(|number| number.clamp(1, bound)));
        }
        rows
    }

    fn variable(&self, name: &Name) -> Option<u64> {
        let default = || {
            let definitions = &self.operation?.variable_definitions;
            let definition = definitions.iter().find(|definition| definition.node.name.node == *name)?;
            definition.node.default_value.as_ref().map(|value| &value.node)
        };
        number_of(self.variables.get(name).or_else(default)?)
    }
}

/// The number of rows that an argument's value asks for. The field itself later refuses a negative or invalid number;
/// here such a number must only not make the rest look cheap.
fn number_of(value: &Value) -> Option<u64> {
    match value {
        Value::Null => None,
        Value::List(items) => Some(items.len() as u64),
        Value::Number(number) => Some(number.as_u64().unwrap_or(1)),
        _ => Some(1),
    }
}

/// The beginning of a client's name, enough to find it again.
pub(super) fn short(name: &str) -> String {
    if name.chars().count() <= 60 {
        format!("{name:?}")
    } else {
        format!("{:?}…", name.chars().take(60).collect::<String>())
    }
}
