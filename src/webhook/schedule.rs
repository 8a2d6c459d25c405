//! When a delivery that failed is tried again.

use chrono::TimeDelta;
use std::time::Duration;

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;

/// The waits between tries of the convention: three days and some in all.
/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#deliverability-and-reliability>
const STANDARD: [u64; 9] =
    [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
/// The longest wait that a receiver may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * HOUR);
/// Waits are longer by up to this part, so that what failed together is not tried together.
const JITTER: f64 = 0.1;

/// The waits between tries: there is one try more than there are waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Vec<Duration>);

impl Default for Schedule {
    fn default() -> Self {
        Self(STANDARD.map(Duration::from_secs).to_vec())
    }
}

impl Schedule {
    /// These waits, or those of the convention if there are none.
    pub fn of(waits: &[Duration]) -> Self {
        if waits.is_empty() { Self::default() } else { Self(waits.to_vec()) }
    }

    /// How long to wait after so many tries failed, if the receiver asked for `asked` and `random` is from 0 to 1; none after
    /// the last.
    pub fn wait(&self, failures: usize, asked: Option<Duration>, random: f64) -> Option<TimeDelta> {
        let planned = self.0.get(failures.checked_sub(1)?)?.mul_f64(1.0 + JITTER * random.clamp(0.0, 1.0));
        let wait = planned.max(asked.unwrap_or_default().min(LONGEST_ASKED));
        Some(TimeDelta::from_std(wait).unwrap_or(TimeDelta::days(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_tries_take_three_days_and_some() {
        let schedule = Schedule::of(&[]);
        let waits: Vec<TimeDelta> = (1..).map_while(|failures| schedule.wait(failures, None, 0.0)).collect();
        assert_eq!(waits.len(), 9);
        assert_eq!(
            (waits[0], waits[1], waits[8]),
            (TimeDelta::seconds(5), TimeDelta::minutes(5), TimeDelta::hours(24))
        );
        let all: TimeDelta = waits.into_iter().sum();
        assert!(all > TimeDelta::days(3) && all < TimeDelta::days(4), "{all}");
        assert_eq!(schedule.wait(10, Some(Duration::from_secs(1)), 0.5), None);
        assert_eq!(schedule.wait(0, None, 0.0), None);
    }

    #[test]
    fn a_wait_is_a_little_longer_than_planned_and_as_long_as_asked() {
        let schedule = Schedule::of(&[Duration::from_secs(100)]);
        let wait = |asked: Option<u64>, random| schedule.wait(1, asked.map(Duration::from_secs), random);
        assert_eq!(wait(None, 0.0), Some(TimeDelta::seconds(100)));
        assert_eq!(wait(None, 1.0), Some(TimeDelta::seconds(110)));
        assert_eq!(wait(Some(99), 0.0), Some(TimeDelta::seconds(100)));
        assert_eq!(wait(Some(500), 1.0), Some(TimeDelta::seconds(500)));
        assert_eq!(wait(Some(u64::MAX), 0.0), Some(TimeDelta::hours(24)), "nobody puts it off for ever");
        assert_eq!(wait(None, 7.0), Some(TimeDelta::seconds(110)));
    }
}
