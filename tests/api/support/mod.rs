//! How to write a test.
//!
//! ```ignore
//! #[tokio::test(flavor = "multi_thread")]                       // the service runs on the test's own runtime
//! async fn a_rule_in_a_sentence() {
//!     let clinic = Clinic::start().await;                       // a service on a database of its own
//!     let anna = clinic.practitioner();                         // signed in already; also admin(), front_desk(), auditor()
//!     let patient = anna.patient("Zoë", "Ramírez").await;       // makers give `Made { id, version }`
//!     let answer = anna.graphql("query ($id: ID!) { patient(id: $id) { displayName } }", json!({"id": patient.id})).await;
//!     assert_eq!(answer.ok()["patient"]["displayName"], "Zoë Ramírez");
//!     let answer = clinic.anonymous().graphql("{ me { id } }", json!({})).await;
//!     assert_eq!(answer.code(), "UNAUTHENTICATED");
//! }
//! ```
//!
//! | file | what |
//! |---|---|
//! | `cluster` | one private Postgres for the test process, started at first use, gone with the process |
//! | `template` | the database that every test gets a copy of: two organisations, four roles and a location in each |
//! | `database` | a test's own database, dropped after it; `Sql`: plain SQL as superuser, owner or clinic_app |
//! | `clinic` | a test's own service; `Clinic::with(&["--sign-in-idle", "2s"])` takes any flag of `clinic serve` |
//! | `client` | `Anonymous` and `SignedIn`, and the `Answer` to a request |
//! | `kinds` | the plain kinds of a patient's records, a row each, of which the tables of the tests are made |
//! | `makers` | patients, consultations, sessions, notes, addenda, through the API |
//! | `proxy` | between service and Postgres: takes the tenant filter out of every statement |
//! | `ledger` | contents of the ledger as text, for tests that read or forge them in SQL |
//! | `schema` | the schema by introspection |
//!
//! The two organisations are `clinic.north` and `clinic.south`; `clinic.practitioner()` and the like are of the north,
//! `clinic.of(&clinic.south, Role::Auditor)` is anybody. Their sign-ins were made once, in the template, so a test pays
//! no password hash; `clinic.sign_in_again(&clinic.north, Role::Admin)` makes a fresh one.
//!
//! At most `MOST_CLINICS` services run at a time: a test that starts a second one while it holds the first can wait for
//! ever. Use `clinic.restart(&[…])`.
#![allow(dead_code, unused_imports)]

mod client;
mod clinic;
mod cluster;
mod database;
mod ids;
mod kinds;
mod ledger;
mod makers;
mod proxy;
mod schema;
mod template;

pub use client::{Anonymous, Answer, Caller, SignedIn};
pub use clinic::{Clinic, serve};
pub use database::{Database, Sql};
pub use ids::{new_id, typed, uuid_of};
pub use kinds::{PLAIN, PlainKind};
pub use ledger::{packed, unpacked};
pub use makers::{
    ConsentText, FIXED, Made, NOBODY, Ruleset, SIGNATURE_PNG, credential_of, day, hours_ago, new_colleague, review_due,
    session_to_sign, supervised,
};
pub use proxy::{FilterCutter, cut_filters};
pub use schema::{Field, Schema, Type, difference};
pub use template::{Organisation, PASSWORD, Role, StaffMember, get as world};

pub use serde_json::{Value, json};
