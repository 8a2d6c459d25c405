//! What can be told from a document alone, without the schema.

use std::collections::HashSet;

use apollo_compiler::{
    Node,
    ast::{Argument, Definition, DirectiveList, Document, Selection, Value},
};

use super::{super::Refusal, MOST_TOLD, place};

/// The directives with which a client asks for an answer in parts.
pub const IN_PARTS: [&str; 2] = ["defer", "stream"];

/// Fields that stand twice in one input object; `@defer` and `@stream`. The recursion is as deep as brackets are.
pub fn faults(text: &str, document: &Document) -> Vec<Refusal> {
    let mut walk = Walk { text, faults: Vec::new() };
    for definition in &document.definitions {
        match definition {
            Definition::OperationDefinition(operation) => {
                walk.directives(&operation.directives);
                for variable in &operation.variables {
                    walk.directives(&variable.directives);
                    variable.default_value.iter().for_each(|value| walk.value(value));
                }
                walk.selections(&operation.selection_set);
            }
            Definition::FragmentDefinition(fragment) => {
                walk.directives(&fragment.directives);
                walk.selections(&fragment.selection_set);
            }
            _ => {}
        }
    }
    walk.faults
}

struct Walk<'a> {
    text: &'a str,
    faults: Vec<Refusal>,
}

impl Walk<'_> {
    fn fault(&mut self, message: String, offset: usize) {
        if self.faults.len() < MOST_TOLD {
            self.faults.push(Refusal::invalid_at(message, place(self.text, offset)));
        }
    }

    fn selections(&mut self, selections: &[Selection]) {
        for selection in selections {
            match selection {
                Selection::Field(field) => {
                    self.arguments(&field.arguments);
                    self.directives(&field.directives);
                    self.selections(&field.selection_set);
                }
                Selection::FragmentSpread(spread) => self.directives(&spread.directives),
                Selection::InlineFragment(fragment) => {
                    self.directives(&fragment.directives);
                    self.selections(&fragment.selection_set);
                }
            }
        }
    }

    fn directives(&mut self, directives: &DirectiveList) {
        for directive in directives.iter() {
            if IN_PARTS.contains(&directive.name.as_str()) {
                let message = format!(
                    "this service answers at once and streams no parts: take @{} out, and ask for what may come later in \
                     a request of its own",
                    directive.name
                );
                self.fault(message, super::offset(directive));
            }
            self.arguments(&directive.arguments);
        }
    }

    fn arguments(&mut self, arguments: &[Node<Argument>]) {
        arguments.iter().for_each(|argument| self.value(&argument.value));
    }

    fn value(&mut self, value: &Node<Value>) {
        match &**value {
            Value::List(items) => items.iter().for_each(|item| self.value(item)),
            Value::Object(fields) => {
                let mut met = HashSet::new();
                for (name, value) in fields {
                    if !met.insert(name.as_str()) {
                        let at = name.location().map_or_else(|| super::offset(value), |span| span.offset());
                        self.fault(format!("the field `{name}` stands twice in one input: send it once"), at);
                    }
                    self.value(value);
                }
            }
            _ => {}
        }
    }
}
