//! The variables that an operation declares, and where each stands.

use std::collections::{BTreeMap, HashMap, HashSet};

use apollo_compiler::{
    ExecutableDocument, Name, Node, Schema,
    ast::{Argument, DirectiveList, InputValueDefinition, Type, VariableDefinition},
    executable::{Operation, Selection, SelectionSet},
};
use async_graphql::{Pos, Variables};

use super::{
    super::Refusal,
    DeclaredBy, MOST_TOLD, directive_argument, offset, place, places,
    values::{Given, MOST_FAULTS, Reader, Use, missing},
};
use crate::error::Fault;

/// A variable of an operation.
#[derive(Debug, Clone)]
pub struct Declared {
    name: String,
    wanted: Type,
    has_default: bool,
    /// The path from the arguments down at which it stands first: faults are named there.
    path: String,
    /// The field in whose arguments that is.
    at: Pos,
    /// Whether it stands anywhere where null can't.
    needed: bool,
}

/// What one operation or fragment holds: the variables in its own arguments, and the fragments that it spreads.
#[derive(Default)]
struct Part {
    uses: Vec<(Use, usize)>,
    spreads: Vec<Name>,
}

struct Walk<'a> {
    schema: &'a Schema,
    part: Part,
    /// The faults of literals, by where their field begins.
    faults: BTreeMap<usize, Vec<Fault>>,
}

impl Walk<'_> {
    fn set(&mut self, set: &SelectionSet) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    let definition = |name: &str| field.definition.argument_by_name(name).map(|it| &**it);
                    self.arguments(&field.arguments, offset(field), definition);
                    self.directives(&field.directives);
                    self.set(&field.selection_set);
                }
                Selection::InlineFragment(fragment) => {
                    self.directives(&fragment.directives);
                    self.set(&fragment.selection_set);
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.directives);
                    self.part.spreads.push(spread.fragment_name.clone());
                }
            }
        }
    }

    fn directives(&mut self, directives: &DirectiveList) {
        let schema = self.schema;
        for directive in directives.iter() {
            let definition = |name: &str| directive_argument(schema, directive, name);
            self.arguments(&directive.arguments, offset(directive), definition);
        }
    }

    fn arguments<'t>(
        &mut self,
        arguments: &[Node<Argument>],
        at: usize,
        definition: impl Fn(&str) -> Option<&'t InputValueDefinition>,
    ) {
        let mut reader = Reader::new(self.schema);
        for argument in arguments {
            if let Some(definition) = definition(&argument.name) {
                reader.read_for(&argument.name, definition, Given::Literal(&argument.value));
            }
        }
        self.take(reader, at);
    }

    fn take(&mut self, reader: Reader<'_>, at: usize) {
        self.part.uses.extend(reader.uses.into_iter().map(|it| (it, at)));
        if !reader.faults.is_empty() {
            self.faults.entry(at).or_default().extend(reader.faults);
        }
    }

    fn defaults(&mut self, operation: &Operation) {
        for variable in &operation.variables {
            let Some(default) = &variable.default_value else { continue };
            let mut reader = Reader::new(self.schema);
            reader.read(&format!("${}", variable.name), &variable.ty, false, Given::Literal(default));
            self.take(reader, offset(variable));
        }
    }
}

/// What the arguments of a document hold.
pub struct Arguments {
    /// The variables of each operation.
    pub declared: DeclaredBy,
    /// A refusal for each variable that stands where its type can't.
    pub misplaced: Vec<Refusal>,
    /// A refusal for each field with a literal that its type does not take.
    pub faulty: Vec<Refusal>,
}

/// Reads the arguments of a document.
pub fn of(text: &str, schema: &Schema, document: &ExecutableDocument) -> Arguments {
    let mut walk = Walk { schema, part: Part::default(), faults: BTreeMap::new() };
    let mut fragments = HashMap::new();
    for (name, fragment) in &document.fragments {
        walk.directives(&fragment.directives);
        walk.set(&fragment.selection_set);
        fragments.insert(name.clone(), std::mem::take(&mut walk.part));
    }
    let (mut declared, mut misplaced) = (Vec::new(), Vec::new());
    for operation in document.operations.iter() {
        walk.directives(&operation.directives);
        walk.defaults(operation);
        walk.set(&operation.selection_set);
        let own = std::mem::take(&mut walk.part);
        let name = operation.name.as_ref().map(ToString::to_string);
        declared.push((name, variables(text, operation, &own, &fragments, &mut misplaced)));
    }
    let faulty =
        walk.faults.into_iter().take(MOST_TOLD).map(|(at, faults)| Refusal::of_faults(faults, Some(place(text, at))));
    Arguments { declared, misplaced, faulty: faulty.collect() }
}

/// An operation's variables, with the first place of each in it or in the fragments that it leads to.
fn variables(
    text: &str,
    operation: &Operation,
    own: &Part,
    fragments: &HashMap<Name, Part>,
    misplaced: &mut Vec<Refusal>,
) -> Vec<Declared> {
    let known: HashMap<&str, &VariableDefinition> =
        operation.variables.iter().map(|variable| (variable.name.as_str(), &**variable)).collect();
    let mut uses: HashMap<&str, (&Use, usize, bool)> = HashMap::new();
    let (mut open, mut met) = (vec![own], HashSet::new());
    while let Some(part) = open.pop().filter(|_| !known.is_empty()) {
        for (used, at) in &part.uses {
            let Some(variable) = known.get(used.name.as_str()) else { continue };
            if !may_stand(variable, used) && misplaced.len() < MOST_TOLD {
                misplaced.push(Refusal::invalid_at(
                    format!(
                        "the variable `${}` of type `{}` can't stand at `{}`, which takes `{}`: declare it with that type",
                        used.name, variable.ty, used.path, used.wanted
                    ),
                    place(text, used.offset),
                ));
            }
            let needed = used.wanted.is_non_null();
            uses.entry(used.name.as_str()).or_insert((used, *at, needed)).2 |= needed;
        }
        let next = part.spreads.iter().filter(|name| met.insert((*name).clone()));
        open.extend(next.filter_map(|name| fragments.get(name)));
    }
    let field = |variable: &Node<VariableDefinition>| {
        uses.get(variable.name.as_str()).map_or_else(|| offset(variable), |(_, at, _)| *at)
    };
    let places = places(text, operation.variables.iter().map(field).collect());
    let declared = operation.variables.iter().map(|variable| {
        let name = variable.name.to_string();
        let used = uses.get(name.as_str());
        Declared {
            wanted: (*variable.ty).clone(),
            has_default: variable.default_value.is_some(),
            path: used.map_or_else(|| format!("${name}"), |(used, ..)| used.path.clone()),
            at: places.get(&field(variable)).copied().unwrap_or_default(),
            needed: used.is_some_and(|(.., needed)| *needed),
            name,
        }
    });
    declared.collect()
}

/// Whether a variable's type fits its place: what may be null can stand where null can't if either has a default.
fn may_stand(variable: &VariableDefinition, used: &Use) -> bool {
    let default = variable.default_value.as_ref().is_some_and(|value| !value.is_null());
    if used.wanted.is_non_null() && !variable.ty.is_non_null() && (default || used.has_default) {
        return variable.ty.is_assignable_to(&used.wanted.clone().nullable());
    }
    variable.ty.is_assignable_to(&used.wanted)
}

/// Reads a request's variables: every fault of all of them, at the paths where they stand.
pub fn read(schema: &Schema, declared: &[Declared], variables: &Variables) -> Result<(), Refusal> {
    let mut faults = Vec::new();
    let mut places = Vec::new();
    for variable in declared {
        let mut reader = Reader::new(schema);
        match variables.get(variable.name.as_str()) {
            // With a default the variable may stand where null can't, and null may still be sent for it.
            Some(async_graphql::Value::Null) if variable.needed || variable.wanted.is_non_null() => {
                reader.faults.push(Fault { path: variable.path.clone(), flaw: missing(&variable.wanted) });
            }
            Some(value) => reader.read(&variable.path, &variable.wanted, variable.has_default, Given::Sent(value)),
            None if variable.wanted.is_non_null() && !variable.has_default => {
                reader.faults.push(Fault { path: variable.path.clone(), flaw: missing(&variable.wanted) });
            }
            None => {}
        }
        if !reader.faults.is_empty() && !places.contains(&variable.at) {
            places.push(variable.at);
        }
        faults.extend(reader.faults);
        if faults.len() >= MOST_FAULTS {
            faults.truncate(MOST_FAULTS);
            break;
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let mut places = places.into_iter();
    let first = places.next();
    Err(Refusal { also_at: places.collect(), ..Refusal::of_faults(faults, first) })
}
