//! A subscription as the engine reads it: its root field written out. The engine looks for fields there, and sees no
//! fragments.

use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, Selection,
};
use async_graphql::{Name, Positioned};
use std::collections::HashMap;

type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

/// Writes out the root of an operation: fields instead of fragments, those of one key as one.
pub(super) fn write_out(document: &mut ExecutableDocument, name: Option<&Name>) {
    let operation = match (&mut document.operations, name) {
        (DocumentOperations::Single(only), _) => Some(only),
        (DocumentOperations::Multiple(several), Some(name)) => several.get_mut(name),
        (DocumentOperations::Multiple(_), None) => None,
    };
    let Some(operation) = operation else { return };
    let set = &mut operation.node.selection_set.node;
    let mut fields = Vec::new();
    expand(&set.items, &[], &document.fragments, &mut fields);
    let written_out = fields.into_iter().map(|field| {
        let pos = field.pos;
        Positioned::new(Selection::Field(field), pos)
    });
    set.items = written_out.collect();
}

/// The fields among these, with the directives of the fragments that they are in.
fn expand(
    items: &[Positioned<Selection>],
    of_fragments: &[Positioned<Directive>],
    fragments: &Fragments,
    fields: &mut Vec<Positioned<Field>>,
) {
    for item in items {
        let (set, directives) = match &item.node {
            Selection::Field(field) => {
                let mut field = field.clone();
                field.node.directives.extend_from_slice(of_fragments);
                let key = field.node.response_key().node.clone();
                match fields.iter_mut().find(|there| there.node.response_key().node == key) {
                    Some(there) => there.node.selection_set.node.items.extend(field.node.selection_set.node.items),
                    None => fields.push(field),
                }
                continue;
            }
            Selection::InlineFragment(inline) => (&inline.node.selection_set, &inline.node.directives),
            Selection::FragmentSpread(spread) => match fragments.get(&spread.node.fragment_name.node) {
                Some(fragment) => (&fragment.node.selection_set, &spread.node.directives),
                None => continue,
            },
        };
        let directives = [of_fragments, directives].concat();
        expand(&set.node.items, &directives, fragments, fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;

    #[test]
    fn fragments_at_the_root_are_written_out() {
        let text = "subscription S { ...F ... on Subscription @include(if: true) { a: day { c } } } query Q { ...F } \
                    fragment F on Subscription { ...G } fragment G on Subscription { a: day { b } }";
        let mut document = parse_query(text).expect("a document");
        write_out(&mut document, Some(&Name::new("S")));
        let operation = |name: &str| {
            let found = document.operations.iter().find(|(found, _)| found.is_some_and(|found| found == name));
            &found.expect("an operation").1.node.selection_set.node.items
        };
        let [Positioned { node: Selection::Field(field), .. }] = operation("S").as_slice() else { panic!("one field") };
        assert_eq!((field.node.name.node.as_str(), field.node.selection_set.node.items.len()), ("day", 2));
        assert!(matches!(operation("Q").as_slice(), [Positioned { node: Selection::FragmentSpread(_), .. }]));
    }
}
