//! The SQL of health reviews.

use super::{Answers, HealthReview, HealthReviewCondition, HealthReviewOrder, ReviewAnswer};
use crate::error::Result;
use crate::page::{listing, stored};
use crate::record::Stamp;

stored! {
    HealthReview = health_review;
    always: patient_id, reviewed_at, reviewed_by, entered_in_error;
    asked: note, error_reason;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
    asked_parts {
        answers(allergies, medicines, conditions, pregnancy) = answers_of, answers_columns;
    }
}
listing!(HealthReview, HealthReviewCondition, HealthReviewOrder, {
    "patient_id" => |it| Some(it.patient_id),
});

/// An answer's column.
type Column = Option<ReviewAnswer>;

fn answers_of(allergies: Column, medicines: Column, conditions: Column, pregnancy: Column) -> Result<Answers> {
    Ok(Answers { allergies, medicines, conditions, pregnancy })
}

fn answers_columns(it: &Answers) -> Result<(Column, Column, Column, Column)> {
    Ok((it.allergies, it.medicines, it.conditions, it.pregnancy))
}
