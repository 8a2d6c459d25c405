//! The service as its clients meet it: a real Postgres, a real server, real HTTP. `support` says how to write a test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod support;

mod access;
mod addenda;
mod aftercare;
mod binary;
mod conflicts;
mod consultations;
mod demo;
mod health;
mod http;
mod layers;
mod ledger;
mod paging;
mod patients;
mod photos;
mod retries;
mod schema;
mod sessions;
mod staff;
mod statements;
