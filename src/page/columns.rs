//! Which columns a field of the API needs: those that its selection names.

use super::stored::{Columns, Stored};
use async_graphql::{Context, SelectionField};

/// The columns that a selection of a record's fields needs. A field not known to need few columns needs all of them.
fn of_fields<'f, T: Stored>(fields: impl Iterator<Item = &'f str>) -> Columns {
    let mut bits = 0;
    for field in fields {
        if ALWAYS_LIGHT.contains(&field) {
            continue;
        }
        let mut known = T::ALWAYS.iter().chain(T::LIGHT).any(|name| is_named(field, name));
        let needs = |(name, columns): &(&str, &[&str])| {
            is_named(field, name) || columns.iter().any(|column| is_named(field, column))
        };
        for (place, _) in T::ASKED.iter().enumerate().filter(|(_, asked)| needs(asked)) {
            bits |= 1 << place;
            known = true;
        }
        if !known {
            return Columns::all();
        }
    }
    Columns(bits)
}

/// The columns that the current field selects of the record it returns.
pub fn of_record<T: Stored>(ctx: &Context<'_>) -> Columns {
    let field = ctx.field();
    let fields: Vec<SelectionField<'_>> = field.selection_set().collect();
    of_fields::<T>(fields.iter().map(SelectionField::name))
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
            let fields: Vec<SelectionField<'_>> = node.selection_set().collect();
            bits |= of_fields::<T>(fields.iter().map(SelectionField::name)).0;
        }
    }
    Columns(bits)
}

/// Fields that every record has, from its id and its stamp.
const ALWAYS_LIGHT: [&str; 7] = ["__typename", "id", "version", "createdAt", "createdBy", "updatedAt", "history"];

/// Whether a field of the API corresponds to a column: `skinPreparation` to `skin_preparation`, `plan` and `planId` to
/// `plan_id`.
fn is_named(field: &str, column: &str) -> bool {
    let own = |column: &str| {
        let mut letters = column.bytes();
        let mut raised = false;
        for letter in field.bytes() {
            let mut expected = letters.next();
            if expected == Some(b'_') {
                expected = letters.next();
                raised = true;
            }
            let expected = expected.map(|it| if raised { it.to_ascii_uppercase() } else { it });
            raised = false;
            if expected != Some(letter) {
                return false;
            }
        }
        letters.next().is_none()
    };
    own(column) || column.strip_suffix("_id").is_some_and(own)
}

#[cfg(test)]
mod tests {
    use super::is_named;

    #[test]
    fn a_field_is_known_by_its_column() {
        for (field, column) in
            [("note", "note"), ("skinPreparation", "skin_preparation"), ("plan", "plan_id"), ("planId", "plan_id")]
        {
            assert!(is_named(field, column), "{field} of {column}");
        }
        for (field, column) in [("not", "note"), ("notes", "note"), ("plans", "plan_id"), ("skin_preparation", "skin")]
        {
            assert!(!is_named(field, column), "{field} of {column}");
        }
    }
}
