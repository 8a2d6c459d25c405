//! A moment such that nothing is missed by asking later what changed since it.
//!
//! A record's `updated_at` is taken while its transaction is open, and others may commit in between: the largest one that a
//! reader saw says nothing of what is still to come. But every transaction that this reader does not see was open when the
//! database was asked which are, or began after that; and a change is stamped after its transaction began. So the earliest
//! beginning of those that were open, asked for **before** the reader's snapshot is taken, is before the stamp of everything
//! that the snapshot lacks. It stays so for every later snapshot, so an answer can be used again.
//!
//! The beginning is by the database's clock, and the stamp by the clock of the process that wrote: `CLOCKS_APART` is between
//! them. Each process that is asked compares its own clock with the database's, and says so in its log if it is off.

use crate::db::{Moments, Pool};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How far the clocks of the service's processes and of the database may be apart.
const CLOCKS_APART: TimeDelta = TimeDelta::seconds(2);
/// How far they are when the log says so.
const TOLD_APART: TimeDelta = TimeDelta::seconds(1);
/// How long an answer is used again.
const FRESH: Duration = Duration::from_millis(250);

/// The watermark of this process.
pub struct Watermark {
    pool: Pool,
    last: Mutex<Option<(Instant, DateTime<Utc>)>>,
}

impl Watermark {
    /// Of a database.
    pub fn new(pool: Pool) -> Self {
        Self { pool, last: Mutex::default() }
    }

    /// The moment: call it before the snapshot is taken that it is told beside. None where the database does not say which
    /// transactions are open.
    pub async fn read(&self) -> Option<DateTime<Utc>> {
        let mut last = self.last.lock().await;
        if let Some((_, moment)) = last.filter(|(asked, _)| asked.elapsed() < FRESH) {
            return Some(moment);
        }
        let (asked, before) = (Instant::now(), Utc::now());
        let moments = match self.pool.moments().await {
            Ok(moments) => moments,
            Err(error) => {
                tracing::warn!(?error, "which transactions are open can't be asked: no watermark is told");
                return None;
            }
        };
        let apart = apart(&moments, before, Utc::now());
        if apart > TOLD_APART {
            tracing::error!(
                seconds = apart.num_seconds(),
                "this machine's clock and the database's are apart: whoever copies by updatedSince may miss changes. Set \
                 the clocks"
            );
        }
        let moment = moments.oldest? - CLOCKS_APART;
        *last = Some((asked, moment));
        Some(moment)
    }
}

/// How far the database's clock is from this one, at least: it was asked between these two moments.
fn apart(moments: &Moments, before: DateTime<Utc>, after: DateTime<Utc>) -> TimeDelta {
    (before - moments.now).max(moments.now - after).max(TimeDelta::zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_if_it_can_not_have_been_so_late() {
        let at = |seconds: i64| DateTime::from_timestamp(seconds, 0).expect("a time");
        for (now, expected) in [(10, 0), (12, 0), (14, 0), (9, 1), (17, 3)] {
            let moments = Moments { now: at(now), oldest: None };
            assert_eq!(apart(&moments, at(10), at(14)).num_seconds(), expected, "{now}");
        }
    }
}
