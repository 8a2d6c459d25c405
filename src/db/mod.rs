//! The database: connections, transactions, migrations and the embedded Postgres. Only `access` opens transactions;
//! everybody else is handed one.

pub mod embedded;
mod migrate;
mod pool;
mod roles;
mod sql;
pub(crate) mod tables;

pub use migrate::{MigrationOutcome, connect, migrate};
pub(crate) use pool::{Pool, PoolSettings, Transaction};
pub(crate) use roles::application_config;
pub(crate) use sql::{Bind, Sql, columns};
