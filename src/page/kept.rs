//! Adding and changing stored records, each with its ledger entry.

use super::{Stored, select};
use crate::access::Scope;
use crate::error::{Error, Result};
use crate::ledger;
use crate::vocabulary::{Action, RecordKind};

/// Adds a record: its row, the note of whose data is shown, and its ledger entry.
pub async fn add<T: Stored>(scope: &mut Scope, new: &T) -> Result<()> {
    add_with(scope, T::KIND, new).await
}

/// The same by the right to make a record of another kind, of which this one is a part.
pub async fn add_with<T: Stored>(scope: &mut Scope, right: RecordKind, new: &T) -> Result<()> {
    let door = scope.write(Action::Create, right)?;
    new.insert(door.org, door.connection).await??;
    scope.show(new.tells_of());
    ledger::append(scope, Action::Create, new, new).await
}

/// Saves a change. `after` has the new version; `expected` is the version that the edit was made for.
///
/// # Errors
///
/// `CONFLICT` with the current version if the record has another by now, `RECORD_SIGNED` if it was signed.
pub async fn save<T: Stored>(scope: &mut Scope, action: Action, after: &T, expected: i32) -> Result<()> {
    change(scope, action, after, expected).await?;
    scope.show(after.tells_of());
    ledger::append(scope, action, after, after).await
}

/// The same without its ledger entry, for callers that write more than one row first.
pub async fn change<T: Stored>(scope: &mut Scope, action: Action, after: &T, expected: i32) -> Result<()> {
    let door = scope.write(action, T::KIND)?;
    if after.update(door.org, expected, door.connection).await?? > 0 {
        return Ok(());
    }
    let current = select::one::<T>(scope, after.id()).await?;
    let words = T::KIND.words();
    if current.is_signed() {
        return Err(Error::signed(&words));
    }
    Err(Error::stale(&words, expected, current.version()))
}
