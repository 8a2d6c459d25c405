//! The service as its clients meet it: a real Postgres, a real server, real HTTP. `support` says how to write a test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod access;
mod addenda;
mod adverse_events;
mod aftercare;
mod backup;
mod binary;
mod care;
mod catalogue;
mod charts;
mod conflicts;
mod consents;
mod consultations;
mod custody;
mod demo;
mod evidence;
mod health;
mod http;
mod layers;
mod ledger;
mod merges;
mod outcomes;
mod paging;
mod patients;
mod photos;
mod plans;
mod protocols;
mod queries;
mod recalls;
mod retries;
mod scenario;
mod schema;
mod sessions;
mod staff;
mod statements;
mod support;
