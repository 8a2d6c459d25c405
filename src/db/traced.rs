//! The statements of a connection, for traces: their verbs and tables, and nothing that is bound.

use crate::watch::{StatementSpan, Watch};
use diesel::connection::{Instrumentation, InstrumentationEvent};
use std::collections::VecDeque;
use std::sync::Arc;

/// The statements that a connection has under way: two at most, as a transaction is opened with its first.
pub(super) struct Traced {
    watch: Arc<Watch>,
    under_way: VecDeque<StatementSpan>,
}

impl Traced {
    /// For a connection of a service that traces.
    pub(super) fn new(watch: Arc<Watch>) -> Self {
        Self { watch, under_way: VecDeque::new() }
    }
}

impl Instrumentation for Traced {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { query, .. } => {
                let traces = self.watch.traces.as_ref();
                self.under_way.extend(traces.and_then(|traces| traces.statement(|| query.to_string())));
            }
            // Postgres answers a connection in the order of its questions.
            InstrumentationEvent::FinishQuery { error, .. } => {
                if let Some(first) = self.under_way.pop_front() {
                    first.ended(error.is_some());
                }
            }
            _ => {}
        }
    }
}
