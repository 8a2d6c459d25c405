//! Recalls: whom the clinic asks back, why and by when; worked through as a list.

pub mod due;
mod filter;
pub mod store;

pub use filter::{RecallCondition, RecallFilter, RecallOrder};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{RecordKind, vocabulary};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

vocabulary! {
    /// Why somebody is asked back.
    RecallReason {
        /// The next session of a course.
        NextSession = "next_session",
        /// A look at the results.
        ResultsReview = "results_review",
        /// A session that keeps the result.
        Maintenance = "maintenance",
        /// A notice about a lot that was used.
        SafetyNotice = "safety_notice",
    }
}

vocabulary! {
    /// How a recall is kept.
    RecallStatus {
        /// To be worked on.
        Open = "open",
        /// Put off until a day; open again from that day on.
        Snoozed = "snoozed",
        /// Answered.
        Done = "done",
        /// Given up, with a reason.
        Dismissed = "dismissed",
        /// Another has taken its place, or the plan asks for it no more.
        Superseded = "superseded",
    }
}

vocabulary! {
    /// How a recall stands today.
    RecallState {
        /// To be worked on, and its last day is not over.
        Open = "open",
        /// To be worked on, and its last day is over.
        Overdue = "overdue",
        /// Put off until a day that has not come.
        Snoozed = "snoozed",
        /// Answered.
        Done = "done",
        /// Given up.
        Dismissed = "dismissed",
        /// Another has taken its place, or the plan asks for it no more.
        Superseded = "superseded",
    }
}

vocabulary! {
    /// How somebody was tried.
    ContactChannel {
        /// By telephone.
        Phone = "phone",
        /// By e-mail.
        Email = "email",
        /// By text message.
        Sms = "sms",
        /// By letter.
        Letter = "letter",
        /// Face to face.
        InPerson = "in_person",
    }
}

vocabulary! {
    /// What came of it.
    ContactOutcome {
        /// Nobody answered.
        NoAnswer = "no_answer",
        /// A message was left or sent.
        LeftMessage = "left_message",
        /// They know.
        Reached = "reached",
        /// They have an appointment.
        Booked = "booked",
        /// They know, and do not want to come.
        Declined = "declined",
    }
}

impl ContactOutcome {
    /// Whether the patient knows now. A message that was left is not enough.
    pub fn is_contact(self) -> bool {
        matches!(self, Self::Reached | Self::Booked | Self::Declined)
    }
}

/// One try to reach the patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its id.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// Who tried.
    pub by: Uuid,
    /// How.
    pub channel: ContactChannel,
    /// What came of it.
    pub outcome: ContactOutcome,
    /// Remarks.
    pub note: Option<String>,
}

/// A recall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub patient_id: Uuid,
    /// Why.
    pub reason: RecallReason,
    /// The plan that asks for it.
    pub plan_id: Option<Uuid>,
    /// The session that it follows.
    pub after_session_id: Option<Uuid>,
    /// The lot that it is about.
    pub lot_id: Option<Uuid>,
    /// The first day to come.
    pub due_from: NaiveDate,
    /// The last.
    pub due_until: NaiveDate,
    /// How it is kept.
    pub status: RecallStatus,
    /// Until when it is put off.
    pub snoozed_until: Option<NaiveDate>,
    /// Why it was closed.
    pub closed_reason: Option<String>,
    /// The session that answered it.
    pub done_by_session_id: Option<Uuid>,
    /// Which rule computed it, or who asked for it why.
    pub basis: String,
    /// Tries, oldest first.
    pub attempts: Vec<Attempt>,
    /// Version and times.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for Recall {
    const KIND: RecordKind = RecordKind::Recall;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        self.stamp.version
    }
    fn patient_id(&self) -> Option<Uuid> {
        Some(self.patient_id)
    }
}

impl Recall {
    /// Whether it is still worked on, now or after a pause.
    pub fn is_live(&self) -> bool {
        matches!(self.status, RecallStatus::Open | RecallStatus::Snoozed)
    }

    /// How it stands on a day.
    pub fn state_on(&self, today: NaiveDate) -> RecallState {
        match self.status {
            RecallStatus::Done => RecallState::Done,
            RecallStatus::Dismissed => RecallState::Dismissed,
            RecallStatus::Superseded => RecallState::Superseded,
            RecallStatus::Snoozed if self.snoozed_until.is_some_and(|until| today < until) => RecallState::Snoozed,
            RecallStatus::Open | RecallStatus::Snoozed if today > self.due_until => RecallState::Overdue,
            RecallStatus::Open | RecallStatus::Snoozed => RecallState::Open,
        }
    }

    /// Whether the patient knows what it is about.
    pub fn has_contact(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.outcome.is_contact())
    }

    fn is_of(&self, wanted: &Wanted) -> bool {
        self.plan_id == Some(wanted.plan_id) && self.reason == wanted.reason
    }
}

/// A recall that a plan asks for, as its rules compute it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Why.
    pub reason: RecallReason,
    /// The plan.
    pub plan_id: Uuid,
    /// The session that it follows.
    pub after_session_id: Option<Uuid>,
    /// The first day to come.
    pub due_from: NaiveDate,
    /// The last.
    pub due_until: NaiveDate,
    /// Which rule computed it, in a sentence.
    pub basis: String,
}

/// What brings the recalls of a plan in line with what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This one stays as it is.
    Keep(Uuid),
    /// This one was answered by a session.
    Done(Uuid, Uuid),
    /// This one is asked for no more.
    Supersede(Uuid),
    /// A new one.
    Open(Wanted),
}

/// What brings the recalls of a plan in line with what it asks for: closings first, so that there are never two live
/// ones of the same plan and reason. `recalls` are those of the plan: live ones, and closed ones, which say what is
/// settled: a recall that somebody dismissed or completed is not opened again after the same session. `answered_by` is
/// the session that was just logged: it answers the next session or maintenance that is asked for no more.
pub fn reconcile(recalls: &[Recall], wanted: &[Wanted], answered_by: Option<Uuid>) -> Vec<Change> {
    let settled = |wanted: &Wanted| {
        recalls.iter().any(|recall| {
            let by_somebody = match recall.status {
                RecallStatus::Dismissed => true,
                // What a session answered is asked for again only if that session no longer counts.
                RecallStatus::Done => {
                    recall.done_by_session_id.is_none() || recall.reason == RecallReason::ResultsReview
                }
                RecallStatus::Open | RecallStatus::Snoozed | RecallStatus::Superseded => false,
            };
            by_somebody && recall.is_of(wanted) && recall.after_session_id == wanted.after_session_id
        })
    };
    // One of each plan and reason: the first that is not settled.
    let mut asked = BTreeSet::new();
    let mut wanted: Vec<&Wanted> =
        wanted.iter().filter(|it| !settled(it) && asked.insert((it.plan_id, it.reason))).collect();
    let mut changes = Vec::new();
    for recall in recalls.iter().filter(|recall| recall.is_live()) {
        let same = wanted.iter().position(|wanted| {
            recall.is_of(wanted)
                && recall.after_session_id == wanted.after_session_id
                && (recall.due_from, recall.due_until) == (wanted.due_from, wanted.due_until)
        });
        let answers = matches!(recall.reason, RecallReason::NextSession | RecallReason::Maintenance);
        changes.push(match (same, answered_by.filter(|_| answers)) {
            (Some(place), _) => {
                wanted.remove(place);
                Change::Keep(recall.id)
            }
            (None, Some(session)) => Change::Done(recall.id, session),
            (None, None) => Change::Supersede(recall.id),
        });
    }
    changes.extend(wanted.into_iter().cloned().map(Change::Open));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;
    use proptest::prelude::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, day).expect("a day")
    }

    fn of(wanted: &Wanted) -> Recall {
        Recall {
            id: ids::new_id(),
            patient_id: Uuid::nil(),
            reason: wanted.reason,
            plan_id: Some(wanted.plan_id),
            after_session_id: wanted.after_session_id,
            lot_id: None,
            due_from: wanted.due_from,
            due_until: wanted.due_until,
            status: RecallStatus::Open,
            snoozed_until: None,
            closed_reason: None,
            done_by_session_id: None,
            basis: wanted.basis.clone(),
            attempts: Vec::new(),
            stamp: Stamp::new(None, ids::now()),
        }
    }

    fn wanted(reason: RecallReason, after: u128, from: u32) -> Wanted {
        Wanted {
            reason,
            plan_id: Uuid::from_u128(7),
            after_session_id: (after > 0).then(|| Uuid::from_u128(after)),
            due_from: day(from),
            due_until: day(from + 3),
            basis: "Interval of the protocol".to_owned(),
        }
    }

    fn with(status: RecallStatus, session: Option<u128>, recall: Recall) -> Recall {
        Recall { status, done_by_session_id: session.map(Uuid::from_u128), ..recall }
    }

    /// What the store makes of changes.
    fn applied(mut recalls: Vec<Recall>, changes: Vec<Change>) -> Vec<Recall> {
        for change in changes {
            let (id, status) = match &change {
                Change::Keep(_) => continue,
                Change::Open(wanted) => {
                    recalls.push(of(wanted));
                    continue;
                }
                Change::Done(id, _) => (*id, RecallStatus::Done),
                Change::Supersede(id) => (*id, RecallStatus::Superseded),
            };
            for recall in recalls.iter_mut().filter(|recall| recall.id == id) {
                recall.status = status;
                if let Change::Done(_, session) = &change {
                    recall.done_by_session_id = Some(*session);
                }
            }
        }
        recalls
    }

    #[test]
    fn a_snoozed_recall_is_open_again_from_its_day() {
        let it = of(&wanted(RecallReason::NextSession, 1, 10));
        let snoozed = Recall { status: RecallStatus::Snoozed, snoozed_until: Some(day(12)), ..it.clone() };
        let cases = [
            (&it, 9, RecallState::Open),
            (&it, 13, RecallState::Open),
            (&it, 14, RecallState::Overdue),
            (&snoozed, 11, RecallState::Snoozed),
            (&snoozed, 12, RecallState::Open),
            (&snoozed, 14, RecallState::Overdue),
        ];
        for (recall, today, state) in cases {
            assert_eq!(recall.state_on(day(today)), state, "{:?} {today}", recall.status);
        }
        for (status, state) in [
            (RecallStatus::Done, RecallState::Done),
            (RecallStatus::Dismissed, RecallState::Dismissed),
            (RecallStatus::Superseded, RecallState::Superseded),
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

    #[test]
    fn recalls_follow_what_the_plan_asks_for() {
        use RecallReason::{Maintenance, NextSession, ResultsReview};
        use RecallStatus::{Dismissed, Done, Snoozed, Superseded};
        let (next, later, second) = (wanted(NextSession, 1, 5), wanted(NextSession, 1, 9), wanted(NextSession, 2, 20));
        let (review, keep) = (wanted(ResultsReview, 1, 8), wanted(Maintenance, 1, 9));
        let open = of(&next);
        let new = Some(Uuid::from_u128(2));
        let snoozed = Recall { status: Snoozed, snoozed_until: Some(day(9)), ..open.clone() };
        let reviewed = of(&review);
        type Case<'c> = (&'c str, Vec<Recall>, Vec<Wanted>, Option<Uuid>, Vec<Change>);
        let cases: Vec<Case<'_>> = vec![
            ("nothing", vec![], vec![], None, vec![]),
            ("the first", vec![], vec![next.clone()], None, vec![Change::Open(next.clone())]),
            ("the same", vec![open.clone()], vec![next.clone()], new, vec![Change::Keep(open.id)]),
            ("a snoozed one stays", vec![snoozed.clone()], vec![next.clone()], None, vec![Change::Keep(snoozed.id)]),
            (
                "the dates moved",
                vec![open.clone()],
                vec![later.clone()],
                None,
                vec![Change::Supersede(open.id), Change::Open(later)],
            ),
            (
                "the session came",
                vec![open.clone(), reviewed.clone()],
                vec![second.clone()],
                new,
                vec![
                    Change::Done(open.id, Uuid::from_u128(2)),
                    Change::Supersede(reviewed.id),
                    Change::Open(second.clone()),
                ],
            ),
            ("the plan ended", vec![open.clone()], vec![], None, vec![Change::Supersede(open.id)]),
            ("asked for twice", vec![], vec![keep.clone(), keep.clone()], None, vec![Change::Open(keep)]),
            ("dismissed by somebody", vec![with(Dismissed, None, open.clone())], vec![next.clone()], None, vec![]),
            ("completed by somebody", vec![with(Done, None, open.clone())], vec![next.clone()], None, vec![]),
            ("reviewed in a session", vec![with(Done, Some(4), reviewed)], vec![review], None, vec![]),
            (
                "its session counts no more",
                vec![with(Done, Some(2), open.clone())],
                vec![next.clone()],
                None,
                vec![Change::Open(next.clone())],
            ),
            (
                "dismissed after another session",
                vec![with(Dismissed, None, open.clone())],
                vec![second.clone()],
                None,
                vec![Change::Open(second)],
            ),
            ("once superseded", vec![with(Superseded, None, open)], vec![next.clone()], None, vec![Change::Open(next)]),
        ];
        for (name, recalls, wanted, answered_by, changes) in cases {
            assert_eq!(reconcile(&recalls, &wanted, answered_by), changes, "{name}");
        }
    }

    fn any_wanted() -> impl Strategy<Value = Wanted> {
        (0_usize..3, 0_u128..3, 1_u32..5, 6_u128..8).prop_map(|(reason, after, from, plan)| Wanted {
            plan_id: Uuid::from_u128(plan),
            ..wanted(RecallReason::ALL[reason], after, from)
        })
    }

    proptest! {
        #[test]
        fn reconciling_twice_changes_nothing_and_there_are_never_two(
            before in prop::collection::vec((any_wanted(), 0_usize..5, prop::option::of(1_u128..3)), 0..6),
            asked in prop::collection::vec(any_wanted(), 0..6),
            answered_by in prop::option::of((1_u128..3).prop_map(Uuid::from_u128)),
        ) {
            let before: Vec<Recall> = before
                .into_iter()
                .map(|(wanted, status, session)| with(RecallStatus::ALL[status], session, of(&wanted)))
                .collect();
            let once = applied(before.clone(), reconcile(&before, &asked, answered_by));
            let again = reconcile(&once, &asked, answered_by);
            prop_assert!(again.iter().all(|change| matches!(change, Change::Keep(_))), "{again:?}");
            let mut live = BTreeSet::new();
            for recall in once.iter().filter(|recall| recall.is_live()) {
                prop_assert!(live.insert((recall.plan_id, recall.reason)), "two live ones");
                prop_assert!(asked.iter().any(|wanted| recall.is_of(wanted)), "asked for by nobody");
            }
            // Nothing that was closed by somebody changes.
            for recall in before.iter().filter(|recall| !recall.is_live()) {
                prop_assert!(once.contains(recall));
            }
        }
    }
}
