//! `extensions.asOf`: since when to ask the next time what changed.

use super::request::Parameters;
use crate::gate::Admitted;
use crate::operation::Operation;
use async_graphql::Value;
use chrono::{DateTime, SecondsFormat, Utc};

/// For a query of what changed since a moment, the moment to send next: taken before anything is read (`feed::Watermark`).
pub async fn as_of(operation: &Operation, admitted: &Admitted, one: &Parameters) -> Option<DateTime<Utc>> {
    if !admitted.asks_since(&one.variables) {
        return None;
    }
    // Where the schema was asked about too, a snapshot is open already.
    operation.close_reader().await;
    operation.service().watermark.read().await
}

/// A moment as the API tells it.
pub fn text_of(moment: DateTime<Utc>) -> Value {
    Value::from(moment.to_rfc3339_opts(SecondsFormat::Micros, true))
}
