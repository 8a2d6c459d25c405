//! Finding a patient: by a name, a phone, an e-mail or a chart number, or a part of one; names misspelt a little.
//!
//! Each patient has some ten short texts that they are found by (`keys`), each a row of `patient_search` whose first
//! letter says what it is. A text that is sought becomes words (`query`), and each word the rows it may be. Names are also
//! kept once for all, cut in pieces of three letters (`pieces`), so that a misspelt one leads to those that are like it.

mod keys;
mod pieces;
mod query;

pub use keys::{FoundBy, Kind, chart_key, email_key, keys_of, name_pieces_of, name_words, number_key, reached_by};
pub use pieces::{likeness, pieces_of_word};
pub use query::{LONGEST_QUERY, Names, Query, Way, alike, needs_countries, query};
