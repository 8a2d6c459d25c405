use super::*;
use crate::ids;

pub(super) fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).expect("a day")
}

pub(super) fn of(wanted: &Wanted) -> CallBack {
    CallBack {
        id: ids::new_id(),
        patient_id: Uuid::nil(),
        reason: wanted.reason,
        plan_id: Some(wanted.plan_id),
        after_session_id: wanted.after_session_id,
        lot_id: None,
        due_from: wanted.due_from,
        due_until: wanted.due_until,
        status: CallBackStatus::Open,
        snoozed_until: None,
        closed_reason: None,
        done_by_session_id: None,
        basis: wanted.basis.clone(),
        attempts: Vec::new(),
        stamp: Stamp::new(None, ids::now()),
    }
}

pub(super) fn wanted(reason: CallBackReason, after: u128, from: u32) -> Wanted {
    Wanted {
        reason,
        plan_id: Uuid::from_u128(7),
        after_session_id: (after > 0).then(|| Uuid::from_u128(after)),
        due_from: day(from),
        due_until: day(from + 3),
        basis: "Interval of the protocol".to_owned(),
    }
}

pub(super) fn with(status: CallBackStatus, session: Option<u128>, recall: CallBack) -> CallBack {
    CallBack { status, done_by_session_id: session.map(Uuid::from_u128), ..recall }
}

#[test]
fn a_snoozed_recall_is_open_again_from_its_day() {
    let it = of(&wanted(CallBackReason::NextSession, 1, 10));
    let snoozed = CallBack { status: CallBackStatus::Snoozed, snoozed_until: Some(day(12)), ..it.clone() };
    let cases = [
        (&it, 9, CallBackState::Open),
        (&it, 13, CallBackState::Open),
        (&it, 14, CallBackState::Overdue),
        (&snoozed, 11, CallBackState::Snoozed),
        (&snoozed, 12, CallBackState::Open),
        (&snoozed, 14, CallBackState::Overdue),
    ];
    for (recall, today, state) in cases {
        assert_eq!(recall.state_on(day(today)), state, "{:?} {today}", recall.status);
    }
    for (status, state) in [
        (CallBackStatus::Done, CallBackState::Done),
        (CallBackStatus::Dismissed, CallBackState::Dismissed),
        (CallBackStatus::Superseded, CallBackState::Superseded),
    ] {
        assert_eq!(with(status, None, it.clone()).state_on(day(30)), state);
    }
}

#[test]
fn a_message_left_is_no_contact() {
    for outcome in ContactOutcome::ALL {
        let left = matches!(outcome, ContactOutcome::NoAnswer | ContactOutcome::LeftMessage);
        assert_eq!(outcome.is_contact(), !left);
    }
}
