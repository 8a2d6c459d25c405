//! Evidence that holds: the two chains walked and held to checkpoints that are signed with a key outside the database and
//! kept outside of it; and all of it as a file that an outsider verifies without us.

mod behind;
mod catalogue;
mod checkpoint;
mod copied;
mod digests;
mod emptied;
mod export;
mod follow;
mod log;
mod verify;

#[doc(hidden)]
pub use crate::ledger::{pack as pack_content, unpack as unpack_content};
pub use behind::Behind;
pub use catalogue::hold_catalogue;
pub use checkpoint::{Checkpoint, KeyRing, Mark, Seal, Writer, open_store, read_checkpoints};
pub(crate) use checkpoint::{public_key, sign};
pub(crate) use copied::{copy_rows, line_of, lines_with_content, rows_of};
pub use export::{Evidence, write_evidence};
pub use log::{Broken, Log};
pub use verify::{Findings, Walk, verify_organisation};

use uuid::Uuid;

/// Opens one consistent picture of an organisation on a connection of the application role, closed to nobody: every check
/// runs in it. It ends with `ROLLBACK`. No setting of the role's own and no name beside Postgres' own has a say in it.
pub async fn begin(client: &tokio_postgres::Client, org: Uuid) -> Result<(), String> {
    let begin = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL app.org_id = '{org}'; SET LOCAL app.opened = 'all'; \
         SET LOCAL app.only_patients = ''; SET LOCAL search_path = pg_catalog, pg_temp; \
         SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
    );
    client.batch_execute(&begin).await.map_err(|error| failed("asked", &error))
}

/// Why the database did not do it, in one line.
fn failed(done: &str, error: &tokio_postgres::Error) -> String {
    let why = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
    format!("the database can't be {done}: {why}")
}
