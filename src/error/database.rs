//! What is read off the database's errors.

use super::{Code, Error};
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

impl From<DieselError> for Error {
    /// Maps the kind of the failure, never the name of a constraint (it is unknown behind some poolers and Citus).
    /// Stores turn the expected ones (a unique name, a missing parent) into field faults before they get here.
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::Conflict {
                message: "a record with this id or name exists already".to_owned(),
                current_version: None,
            },
            DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _)
            | DieselError::DatabaseError(DatabaseErrorKind::UnableToSendCommand, _)
            | DieselError::BrokenTransactionManager => Self::Unavailable,
            DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => Self::Conflict {
                message: "another change of the same records came first: send the request again".to_owned(),
                current_version: None,
            },
            // Only an erasure deletes rows: it happened between reading that row and inserting this one.
            DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => Self::Conflict {
                message: "a record that this one names was erased just now: read again".to_owned(),
                current_version: None,
            },
            DieselError::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _) => {
                Self::Internal("a write in a read-only transaction".to_owned())
            }
            DieselError::DatabaseError(_, info) => Self::of_database(info.as_ref()),
            DieselError::DeserializationError(cause) => Self::Internal(format!("a row that can't be read: {cause}")),
            DieselError::SerializationError(cause) => Self::Internal(format!("a value that can't be sent: {cause}")),
            other => Self::Internal(format!("{other:?}")),
        }
    }
}

/// The beginnings of messages from a server that can't serve at the moment: timeouts, shutdown, recovery, out of
/// connections, disk full. The next attempt may succeed.
const PASSING: &[&str] = &[
    "canceling statement",
    "terminating connection",
    "the database system is",
    "connection closed",
    "too many connections",
    "sorry, too many clients",
    "remaining connection slots",
    "deadlock detected",
    "could not extend file",
    "could not write",
    "could not create file",
    "No space left",
    "File too large",
    "out of memory",
    "communicating with the server",
];

/// The beginnings of messages about a value that no column can hold. The value came from the client and passed the
/// checks of its field.
const UNFIT: &[&str] = &["invalid byte sequence", "timestamp out of range", "date out of range", "value out of range"];

impl Error {
    fn of_database(info: &dyn DatabaseErrorInformation) -> Self {
        let text = info.message();
        if PASSING.iter().any(|start| text.contains(start)) {
            tracing::warn!(text, "the database refused");
            Self::Unavailable
        } else if UNFIT.iter().any(|start| text.contains(start)) {
            let message = "holds a value that can't be kept: a NUL character, or a time out of range";
            Self::input("input", Code::BadCharacter.says(message))
        } else {
            Self::Internal(format!("database error in table {:?}: {}", info.table_name(), redact(text)))
        }
    }
}

/// Removes quoted values from a database message before it is logged.
fn redact(text: &str) -> String {
    text.split('"').enumerate().map(|(i, part)| if i % 2 == 0 { part } else { "…" }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_values_are_cut_from_the_log() {
        assert_eq!(redact("invalid input syntax for type uuid: \"Anna\""), "invalid input syntax for type uuid: …");
    }
}
