//! What holds for every entry of the catalogue: its id is new, its name is its own.

use crate::access::Scope;
use crate::error::{self, Code, Error};
use crate::operation::Inputs;
use crate::page::{Listing, listing};
use crate::vocabulary::RecordKind;
use async_graphql::ID;
use uuid::Uuid;

/// Turns a clash of names into the fault of a field.
pub(super) fn taken<T>(outcome: error::Result<T>, path: &str, what: &str) -> error::Result<T> {
    outcome.map_err(|error| match error {
        Error::Conflict { current_version: None, .. } => {
            Error::input(path, Code::Taken.says(format!("{what} is in the catalogue already")))
        }
        other => other,
    })
}

/// Checks that an id made by the client is not in use, to tell a clash of names from a clash of ids.
pub(super) async fn fresh<T: Listing>(scope: &mut Scope, id: Uuid) -> error::Result<()> {
    if listing::by_ids::<T>(scope, &[id]).await?.is_empty() {
        return Ok(());
    }
    Err(Error::Conflict { message: "a record with this id exists already".to_owned(), current_version: None })
}

pub(super) fn read_id(kind: RecordKind, id: &ID) -> error::Result<Uuid> {
    let mut inputs = Inputs::new();
    let id = inputs.id("id", kind, id);
    inputs.finish()?;
    Ok(id)
}
