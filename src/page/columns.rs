//! Which columns a field of the API needs: those that its selection names.

use super::filter::camel;
use super::stored::{Columns, Stored};
use async_graphql::{Context, SelectionField};
use std::collections::HashMap;

/// What each field of a record in the API needs: of the columns that a look-up may leave out, one bit for each.
pub struct Needs(HashMap<String, u64>);

impl Needs {
    /// The needs of a record's fields. A field goes by the name of its column: `skinPreparation` needs
    /// `skin_preparation`, and both `plan` and `planId` need `plan_id`.
    pub fn of<T: Stored>() -> Self {
        let mut needs = HashMap::new();
        let mut note = |name: &str, bits: u64| {
            for name in [Some(name), name.strip_suffix("_id")].into_iter().flatten() {
                *needs.entry(camel(name)).or_default() |= bits;
            }
        };
        for name in T::ALWAYS.iter().chain(T::LIGHT).chain(&ALWAYS_LIGHT) {
            note(name, 0);
        }
        for (place, (name, columns)) in T::ASKED.iter().enumerate() {
            for name in columns.iter().chain([name]) {
                note(name, 1 << place);
            }
        }
        Self(needs)
    }

    /// The columns that a selection of fields needs. A field not known to need few columns needs all of them.
    fn of_fields<'f>(&self, mut fields: impl Iterator<Item = SelectionField<'f>>) -> Columns {
        let needed = fields.try_fold(0, |bits, field| Some(bits | self.0.get(field.name())?));
        needed.map_or(Columns::all(), Columns)
    }
}

/// The columns that the current field selects of the record it returns.
pub fn of_record<T: Stored>(ctx: &Context<'_>) -> Columns {
    T::needs().of_fields(ctx.field().selection_set())
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
            bits |= T::needs().of_fields(node.selection_set()).0;
        }
    }
    Columns(bits)
}

/// Fields that every record has, from its id and its stamp.
const ALWAYS_LIGHT: [&str; 7] = ["__typename", "id", "version", "createdAt", "createdBy", "updatedAt", "history"];

#[cfg(test)]
mod tests {
    use super::{Columns, Needs};
    use crate::session::TreatmentSession;

    #[test]
    fn a_field_is_known_by_its_column() {
        let Needs(needs) = Needs::of::<TreatmentSession>();
        for (field, same) in [("plan", "planId"), ("practitioner", "practitionerId")] {
            assert!(needs.contains_key(field) && needs.get(field) == needs.get(same), "{field}");
        }
        assert_eq!(needs.get("version"), Some(&0));
        assert!(needs.get("skinPreparation").is_some_and(|bits| bits.count_ones() == 1));
        assert_ne!(needs.get("skinPreparation"), needs.get("note"));
        for field in ["skin_preparation", "skin", "notes", "plans"] {
            assert!(!needs.contains_key(field), "{field}");
        }
        assert_eq!(Needs::of::<TreatmentSession>().of_fields(std::iter::empty()), Columns(0));
    }
}
