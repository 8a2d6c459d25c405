//! The database: connections, transactions, migrations and the embedded Postgres. Only `access` opens transactions; all
//! other code is given one.

mod address;
pub(crate) mod cell;
mod database;
pub mod embedded;
mod migrate;
mod pool;
mod roles;
mod sql;
pub(crate) mod tables;
mod tls;
mod traced;

pub use address::Address;
pub use database::Database;
pub use migrate::{MigrationOutcome, connect, migrate, refuse_outdated};
pub(crate) use migrate::{is_empty, make_roles};
pub(crate) use pool::{Moments, Pool, PoolSettings, Transaction, take_a_share};
pub(crate) use roles::planted;
pub use roles::{application_address, loose_ends};
pub(crate) use sql::{Bind, Sql};
