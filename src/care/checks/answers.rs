//! The answers as they are collected, and words that several rules use.

use super::facts::Facts;
use crate::session::{CheckCode, CheckRule, CheckVerdict, KeptCheck, Reason};
use crate::vocabulary::RecordKind;
use chrono::NaiveDate;
use uuid::Uuid;

/// Collects the answers to one rule.
pub(super) struct Answers<'f> {
    pub(super) facts: &'f Facts<'f>,
    pub(super) found: Vec<KeptCheck>,
}

impl Answers<'_> {
    /// An answer by the session's own protocol, or by none.
    pub(super) fn add(
        &mut self,
        rule: CheckRule,
        verdict: CheckVerdict,
        reason: Reason,
        record: Option<(RecordKind, Uuid)>,
    ) {
        let version = self.facts.own.as_ref().map(|it| it.version);
        self.put(version, rule, verdict, reason, record);
    }

    /// An answer by one of the protocols that the session is held to.
    pub(super) fn add_of(
        &mut self,
        version: Uuid,
        rule: CheckRule,
        verdict: CheckVerdict,
        reason: Reason,
        record: Option<(RecordKind, Uuid)>,
    ) {
        self.put(Some(version), rule, verdict, reason, record);
    }

    fn put(
        &mut self,
        version: Option<Uuid>,
        rule: CheckRule,
        verdict: CheckVerdict,
        reason: Reason,
        record: Option<(RecordKind, Uuid)>,
    ) {
        let answer = KeptCheck {
            rule,
            verdict,
            code: Some(reason.code),
            params: reason.params,
            cause: reason.cause,
            record_kind: record.map(|(kind, _)| kind),
            record_id: record.map(|(_, id)| id),
            protocol_version_id: version,
            overridden: None,
        };
        if !self.found.iter().any(|it| it.is_same(&answer)) {
            self.found.push(answer);
        }
    }

    /// A pass, if nothing was said against it.
    pub(super) fn pass(&mut self, rule: CheckRule, cause: &str) {
        self.pass_for(rule, CheckCode::Passed.says(cause));
    }

    /// A pass for a reason of its own, if nothing was said against it.
    pub(super) fn pass_for(&mut self, rule: CheckRule, reason: Reason) {
        if !self.found.iter().any(|check| check.rule == rule) {
            self.add(rule, CheckVerdict::Pass, reason, None);
        }
    }

    /// A pass of a rule that only a protocol can judge: without one it says nothing.
    pub(super) fn pass_by_protocol(&mut self, rule: CheckRule, cause: &str) {
        if self.facts.own.is_some() {
            self.pass(rule, cause);
        }
    }
}

pub(super) fn verdict(blocks: bool) -> CheckVerdict {
    if blocks { CheckVerdict::Block } else { CheckVerdict::Warn }
}

/// Several words as the value of a code: as the API writes them, with a comma between.
pub(super) fn words_of(words: impl Iterator<Item = &'static str>) -> String {
    words.map(str::to_uppercase).collect::<Vec<_>>().join(", ")
}

/// So many days before a day, as a cause tells it; nothing for the day itself and for what is still to come. An answer
/// that depends on the time since something says that time: settling it settles no other.
pub(super) fn before(day: NaiveDate, last: NaiveDate) -> String {
    match (day - last).num_days() {
        1 => ", 1 day before".to_owned(),
        days if days > 1 => format!(", {days} days before"),
        _ => String::new(),
    }
}
