//! What a timeline can be filtered by.

use super::kinds::{KINDS, Kind};
use crate::error::{Code, Faults, Result};
use crate::page::{Direction, Key, Order};
use crate::scalars::DateTime;
use crate::vocabulary::RecordKind;
use async_graphql::InputObject;

/// Filter for a timeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
pub struct TimelineFilter {
    /// Of these kinds. Absent: all.
    pub kinds: Option<Vec<RecordKind>>,
    /// At or after this moment.
    pub from: Option<DateTime>,
    /// Before this moment, which itself is not meant.
    pub before: Option<DateTime>,
    /// Include records entered in error, and photos that were never uploaded.
    #[graphql(default = false)]
    pub include_entered_in_error: bool,
}

/// A filter that was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TimelineCondition(TimelineFilter);

impl TimelineFilter {
    /// Checks it; all faults at once.
    pub fn read(self) -> Result<TimelineCondition> {
        let mut faults = Faults::default();
        for kind in self.kinds.iter().flatten() {
            if !KINDS.iter().any(|known| known.kind == *kind) {
                faults.add("filter.kinds", Code::NotApplicable.says(format!("{} is not on a timeline", kind.one())));
            }
        }
        if self.from.zip(self.before).is_some_and(|(from, before)| from.0 >= before.0) {
            faults.add(
                "filter.before",
                Code::WrongOrder.says("is not after from: nothing can be between them").with("other", "from"),
            );
        }
        faults.into_result()?;
        Ok(TimelineCondition(self))
    }
}

impl TimelineCondition {
    /// The kinds it keeps.
    pub fn kinds(&self) -> Vec<&'static Kind> {
        let wanted = self.0.kinds.as_ref();
        KINDS.iter().filter(|row| wanted.is_none_or(|wanted| wanted.contains(&row.kind))).collect()
    }

    /// The first moment it keeps.
    pub fn from(&self) -> Option<DateTime> {
        self.0.from
    }

    /// The first moment it no longer keeps.
    pub fn before(&self) -> Option<DateTime> {
        self.0.before
    }

    /// Whether it keeps what was made in error.
    pub fn with_errors(&self) -> bool {
        self.0.include_entered_in_error
    }
}

/// Newest first: how a timeline is sorted, in a table by its own column of time.
pub fn order(column: &'static str, id: &'static str) -> Order {
    Order { name: "timeline".to_owned(), column, id, direction: Direction::Desc, sample: Key::Time(0) }
}
