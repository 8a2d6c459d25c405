//! How far somebody who follows the feed has come.

use super::{From, Page, Position};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use uuid::Uuid;

/// How far somebody who follows the feed has come, from look to look.
#[derive(Debug, Default)]
pub struct Course {
    reached: Mutex<Option<Reached>>,
    who: OnceLock<Uuid>,
}

/// The end of what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The place after which the next look begins.
    pub end: Position,
    /// Whether the ledger went on after it.
    pub more: bool,
}

impl Course {
    /// Where to go on: from the place that was reached, at first from where the follower wants to begin.
    pub fn go_on(&self, begin: From) -> From {
        self.reached().map_or(begin, |reached| From::After(reached.end))
    }

    /// Notes that a page was read.
    pub fn read(&self, page: &Page) {
        *self.held() = Some(Reached { end: page.end, more: page.more });
    }

    /// Notes who looks: the person or the program.
    pub fn looks(&self, who: Option<Uuid>) {
        if let Some(who) = who {
            // It stays who it is.
            let _ = self.who.set(who);
        }
    }

    /// Who looks, once that is known.
    pub fn who(&self) -> Option<Uuid> {
        self.who.get().copied()
    }

    /// The end of what was read; none before the first look.
    pub fn reached(&self) -> Option<Reached> {
        *self.held()
    }

    /// Goes back to a place, as what was read after it did not arrive.
    pub fn go_back(&self, to: Option<Reached>) {
        *self.held() = to;
    }

    fn held(&self) -> MutexGuard<'_, Option<Reached>> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
