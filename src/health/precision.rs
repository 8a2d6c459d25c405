//! Days that are known to the month or to the year only.

use crate::vocabulary::vocabulary;
use chrono::{Datelike, Months, NaiveDate};

vocabulary! {
    /// How exactly a day is known.
    #[derive(Default)]
    DatePrecision {
        /// To the day.
        #[default]
        Day = "day",
        /// To the month: the day kept is its first.
        Month = "month",
        /// To the year: the day kept is its first.
        Year = "year",
    }
}

impl DatePrecision {
    /// Whether it is to the day.
    #[allow(clippy::trivially_copy_pass_by_ref)] // as serde asks
    pub fn is_day(&self) -> bool {
        *self == Self::Day
    }

    /// The earliest day that a day can be.
    pub fn first(self, day: NaiveDate) -> NaiveDate {
        let first = match self {
            Self::Day => Some(day),
            Self::Month => day.with_day(1),
            Self::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1),
        };
        first.unwrap_or(day)
    }

    /// The latest day that a day can be.
    pub fn last(self, day: NaiveDate) -> NaiveDate {
        let months = match self {
            Self::Day => return day,
            Self::Month => 1,
            Self::Year => 12,
        };
        let next = self.first(day).checked_add_months(Months::new(months));
        next.and_then(|next| next.pred_opt()).unwrap_or(day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_and_a_year_are_from_their_first_day_to_their_last() {
        let of = |text: &str| text.parse::<NaiveDate>().expect("a day");
        for (precision, day, first, last) in [
            (DatePrecision::Day, "2024-02-17", "2024-02-17", "2024-02-17"),
            (DatePrecision::Month, "2024-02-17", "2024-02-01", "2024-02-29"),
            (DatePrecision::Month, "2023-12-31", "2023-12-01", "2023-12-31"),
            (DatePrecision::Year, "2024-02-17", "2024-01-01", "2024-12-31"),
        ] {
            assert_eq!(
                (precision.first(of(day)), precision.last(of(day))),
                (of(first), of(last)),
                "{precision:?} {day}"
            );
        }
    }
}
