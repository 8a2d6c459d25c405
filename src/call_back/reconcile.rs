//! What brings the recalls of a plan in line with what it asks for.

use super::{CallBack, CallBackReason, CallBackStatus};
use chrono::NaiveDate;
use std::collections::BTreeSet;
use uuid::Uuid;

/// A recall that a plan asks for, as its rules compute it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Why the patient is recalled.
    pub reason: CallBackReason,
    /// The plan.
    pub plan_id: Uuid,
    /// The session that it follows.
    pub after_session_id: Option<Uuid>,
    /// The first due day.
    pub due_from: NaiveDate,
    /// The last due day.
    pub due_until: NaiveDate,
    /// The rule that computed it, in one sentence.
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
pub fn reconcile(recalls: &[CallBack], wanted: &[Wanted], answered_by: Option<Uuid>) -> Vec<Change> {
    let settled = |wanted: &Wanted| {
        recalls.iter().any(|recall| {
            let by_somebody = match recall.status {
                CallBackStatus::Dismissed => true,
                // What a session answered is asked for again only if that session no longer counts.
                CallBackStatus::Done => {
                    recall.done_by_session_id.is_none() || recall.reason == CallBackReason::ResultsReview
                }
                CallBackStatus::Open | CallBackStatus::Snoozed | CallBackStatus::Superseded => false,
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
        let answers = matches!(recall.reason, CallBackReason::NextSession | CallBackReason::Maintenance);
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

impl CallBack {
    fn is_of(&self, wanted: &Wanted) -> bool {
        self.plan_id == Some(wanted.plan_id) && self.reason == wanted.reason
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{day, of, wanted, with};
    use super::*;
    use proptest::prelude::*;

    /// What the store makes of changes.
    fn applied(mut recalls: Vec<CallBack>, changes: Vec<Change>) -> Vec<CallBack> {
        for change in changes {
            let (id, status) = match &change {
                Change::Keep(_) => continue,
                Change::Open(wanted) => {
                    recalls.push(of(wanted));
                    continue;
                }
                Change::Done(id, _) => (*id, CallBackStatus::Done),
                Change::Supersede(id) => (*id, CallBackStatus::Superseded),
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
    fn recalls_follow_what_the_plan_asks_for() {
        use CallBackReason::{Maintenance, NextSession, ResultsReview};
        use CallBackStatus::{Dismissed, Done, Snoozed, Superseded};
        let (next, later, second) = (wanted(NextSession, 1, 5), wanted(NextSession, 1, 9), wanted(NextSession, 2, 20));
        let (review, keep) = (wanted(ResultsReview, 1, 8), wanted(Maintenance, 1, 9));
        let open = of(&next);
        let new = Some(Uuid::from_u128(2));
        let snoozed = CallBack { status: Snoozed, snoozed_until: Some(day(9)), ..open.clone() };
        let reviewed = of(&review);
        type Case<'c> = (&'c str, Vec<CallBack>, Vec<Wanted>, Option<Uuid>, Vec<Change>);
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
            ..wanted(CallBackReason::ALL[reason], after, from)
        })
    }

    proptest! {
        #[test]
        fn reconciling_twice_changes_nothing_and_there_are_never_two(
            before in prop::collection::vec((any_wanted(), 0_usize..5, prop::option::of(1_u128..3)), 0..6),
            asked in prop::collection::vec(any_wanted(), 0..6),
            answered_by in prop::option::of((1_u128..3).prop_map(Uuid::from_u128)),
        ) {
            let before: Vec<CallBack> = before
                .into_iter()
                .map(|(wanted, status, session)| with(CallBackStatus::ALL[status], session, of(&wanted)))
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
