//! What a mutation asks for, as a digest: by it a retry with a used key is told from another request.
//!
//! A form that is sent again may leave a field out that was sent as null before, or the other way round, and means the
//! same. Where a record is changed it does not: there null clears what an absent field leaves. All such changes, and
//! nothing else, are mutations called `update…`; tests hold the schema and the inputs to that.

use async_graphql::{Name, Value};
use sha2::{Digest, Sha256};

/// How the mutations in which null and absent differ begin.
const CHANGES: &str = "update";

/// The SHA-256 of a mutation's name and arguments, as the client gave them (variables put in), without the fields that
/// are null where null says nothing.
pub(super) fn digest(mutation: &str, arguments: Vec<(Name, Value)>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(mutation.as_bytes());
    for (name, value) in arguments {
        let value = if mutation.starts_with(CHANGES) { value } else { without_nulls(value) };
        hasher.update([0]);
        hasher.update(name.as_bytes());
        hasher.update([0]);
        hasher.update(value.to_string().as_bytes());
    }
    hasher.finalize().into()
}

/// A value without the null fields of its objects. A null in a list has a place there and stays. As deep as values come,
/// which the parser of JSON and the gate bound.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let given = fields.into_iter().filter(|(_, value)| *value != Value::Null);
            Value::Object(given.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::List(items) => Value::List(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::value;

    fn of(mutation: &str, input: Value) -> [u8; 32] {
        digest(mutation, vec![(Name::new("input"), input)])
    }

    #[test]
    fn null_and_absent_are_one_where_null_clears_nothing() {
        let (absent, null) = (value!({"a": [{"b": 1}]}), value!({"a": [{"b": 1, "c": null}], "d": null}));
        assert_eq!(of("registerPatient", absent.clone()), of("registerPatient", null.clone()));
        assert_ne!(of("updatePatient", absent.clone()), of("updatePatient", null));
        assert_ne!(of("registerPatient", absent.clone()), of("logSession", absent.clone()));
        assert_ne!(of("registerPatient", absent), of("registerPatient", value!({"a": [{"b": 2}]})));
        assert_ne!(of("logSession", value!({"a": [null]})), of("logSession", value!({"a": []})));
    }

    /// Every `patch` is within the input of a mutation called `update…`.
    #[test]
    fn patches_are_sent_to_what_is_called_update() {
        let (mut input, mut patches) = ("", 0);
        for line in include_str!("../../schema.graphql").lines() {
            input = line.strip_prefix("input ").map_or(input, |rest| rest.trim_end_matches(" {"));
            if line.trim().starts_with("patch:") {
                patches += 1;
                assert!(input.starts_with("Update"), "{input} has a patch, and its mutation is not called update…");
            }
        }
        assert!(patches > 10, "{patches} patches");
    }
}
