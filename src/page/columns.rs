//! Which columns a field of the API needs: those that its selection names.

use super::stored::{Columns, Stored};
use async_graphql::{Context, SelectionField};

/// The columns that a selection of fields needs. A field not known to need few columns needs all of them.
fn of_fields<'f, T: Stored>(mut fields: impl Iterator<Item = SelectionField<'f>>) -> Columns {
    let needed = fields.try_fold(0, |bits, field| Some(bits | T::needs().of_field(field.name())?.0));
    needed.map_or(Columns::all(), Columns)
}

/// The columns that the current field selects of the record it returns.
pub fn of_record<T: Stored>(ctx: &Context<'_>) -> Columns {
    of_fields::<T>(ctx.field().selection_set())
}

/// The columns that the current field selects of the records in the connection it returns.
pub fn of_connection<T: Stored>(ctx: &Context<'_>) -> Columns {
    let mut bits = 0;
    for part in ctx.field().selection_set() {
        let nodes: Vec<SelectionField<'_>> = match part.name() {
            "nodes" => vec![part],
            "edges" => part.selection_set().filter(|it| it.name() == "node").collect(),
            _ => continue,
        };
        for node in nodes {
            bits |= of_fields::<T>(node.selection_set()).0;
        }
    }
    Columns(bits)
}
