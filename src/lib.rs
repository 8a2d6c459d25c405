//! The clinical record of a medical-aesthetics organisation: a GraphQL service over Postgres. One line for each module.

mod vocabulary; // closed lists of words, and what they are called in the database and the API

mod access; // who may do what: accounts, sign-in, the policy, and the one door to the data
mod adverse_event; // adverse events, and what notes propose
mod aftercare; // aftercare notes
mod api; // the GraphQL face of every record, the schema's roots, node, sign-in
mod backup; // everything in one file and back, and the canonical export
mod call_back; // who is to be called back, and where a lot went
mod care; // care rules: checks of a session, aftercare, estimates
mod catalogue; // devices, products and their lots
mod characters; // what can't be seen: refused in names, told by its code on a terminal
mod chart; // one timeline over all kinds, and the chart as it was known
mod clearance; // a prescriber's direction that a patient may be treated
mod commands; // what each command of the command line does
pub mod config; // every setting
mod consent; // texts that patients agree to, and consents
mod consultation; // consultations
mod credential; // what the staff are registered as, and what that allows
mod custody; // legal holds, exports, erasure
pub mod db; // connections, transactions, migrations, the embedded Postgres
mod demo; // a believable clinic, made by the program
mod equip; // what every organisation starts with
mod error; // the only error type
pub mod evidence; // the chains verified, signed checkpoints of them, evidence for outsiders
mod feed; // what changed, in order: the ledger as a feed, and its end for whoever waits
mod folding; // how names are compared: without case and accents
#[doc(hidden)]
pub mod fuzzing; // what the fuzz targets run
mod gate; // what a GraphQL document costs, measured before anything runs
mod health; // the health history
mod health_review; // that the health history was asked, and what was said
mod health_term; // a clinic's own words for the code list
mod http; // the HTTP face
mod ids; // typed ids
mod keys; // secrets outside the database
#[doc(hidden)]
pub mod kinds; // the table of the kinds of records: ids, rights, scopes
mod ledger; // what was done and who saw what: append, chain, history, retries
mod mail; // sends mail
mod merge; // two charts of one person: found, made one, taken apart
mod network; // networks, and which addresses are of the public internet
mod objects; // the object store, and signed links to what is in it
mod operation; // one GraphQL operation: its picture, its transactions, its batches
mod organisation; // the tenant, its locations and its staff
mod outbound; // requests to addresses that people name, and to no closed network
mod outcome; // scales and outcome assessments
mod page; // keyset cursors and connections
mod patient; // patients
mod phone; // phone numbers, as people write them and in E.164
mod photo; // photos: upload, consent, pairs
mod plan; // treatment plans
mod privacy; // restricted patients, emergency access, who looked
mod protocol; // protocols: care rules as data
mod record; // what every record carries
mod scalars; // Date, DateTime, Decimal, JSON
pub mod server; // the service as a value
mod service_account; // programs as users, and their keys
mod session; // treatment sessions
mod signing; // signatures and addenda
mod supervision; // who reads part of whose signed records
mod watch; // what is counted, timed and traced of the running service
mod webhook; // receivers that are told of changes as they happen

pub use commands::{run, start};
