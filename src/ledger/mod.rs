//! The ledger: one append-only, chained row for every write, in the transaction of the write. Its sibling, the access
//! log, has one row for every access to a patient, every sign-in and every refusal.

mod absent;
mod access_entry;
mod chain;
mod entry;
mod history;
mod moment;
mod packed;
mod retry;

pub use absent::{absent, all_in_sight, in_sight_at, restricted};
pub use access_entry::{AccessEvent, AccessLog, CONNECTIONS as ACCESS_LOG_CONNECTIONS, Event, UnderWay};
pub(crate) use chain::{Sealed, first_hash, hash_fields, next_hash};
pub use entry::{Record, append, content_hash, open_organisation};
pub(crate) use history::kind_named_by;
pub use history::{Change, RecordVersion, counts as version_counts, page as versions, shown_content};
pub use moment::{Entry, NewEntry, append_all, history_of, looks_at, newest, shown_at};
pub(crate) use packed::{Kept, KeptSql, content_of, kept};
#[doc(hidden)]
pub use packed::{Unreadable, pack, unpack};
pub use retry::{Claim, Retry, claim, replay, settle};
