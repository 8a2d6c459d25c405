//! Going on in spite of a check: with a reason, or on a supervising prescriber's sign-off.

use crate::access::Scope;
use crate::care::store as care;
use crate::credential::store::prescribers;
use crate::error::{self, Code, Error, Flaw};
use crate::ids;
use crate::ledger::history_of;
use crate::operation::{Inputs, Running, transaction};
use crate::page::listing;
use crate::session::{
    CheckRule, CheckVerdict, KeptCheck, Override, Parts, SessionStatus, TreatmentSession, answers_changed,
    one_reason_each,
    store::{self as sessions, Replaced},
};
use crate::signing;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use uuid::Uuid;

/// The maximum number of versions of a session searched for earlier practitioners: more than anyone makes by hand.
const MOST_VERSIONS: i64 = 10_000;

/// Overrides the answers of one rule on a session that is not signed.
#[derive(InputObject)]
pub struct OverrideSessionCheckInput {
    /// `session_…`
    session_id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The rule whose WARN or BLOCK is overridden.
    rule: CheckRule,
    /// Override only the answer triggered by this record. A reason settles one answer: if several are meant, name one by
    /// `checkId`.
    record_id: Option<ID>,
    /// Override only the answer with this `id`, as you saw it. CONFLICT if it is no longer the same.
    check_id: Option<ID>,
    /// The reason, at most 2,000 characters.
    reason: String,
}

/// Result of `overrideSessionCheck` and `signOffSessionCheck`.
#[derive(SimpleObject)]
pub struct SessionCheckPayload {
    /// The session, with the override.
    session: TreatmentSession,
}

struct Wanted {
    session: Uuid,
    expected: i32,
    rule: CheckRule,
    record: Option<Uuid>,
    check: Option<String>,
    reason: String,
}

impl Wanted {
    fn names(&self, check: &KeptCheck) -> bool {
        check.rule == self.rule
            && self.record.is_none_or(|record| check.record_id == Some(record))
            && self.check.as_ref().is_none_or(|id| check.id(self.session) == *id)
    }
}

impl OverrideSessionCheckInput {
    fn read(self) -> error::Result<Wanted> {
        let mut inputs = Inputs::new();
        let record = self.record_id.as_ref().map(|id| ids::parse_any(id).map(|(_, record)| record));
        if record == Some(None) {
            inputs.fault("recordId", Flaw::not_an_id());
        }
        let wanted = Wanted {
            session: inputs.id("sessionId", RecordKind::TreatmentSession, &self.session_id),
            expected: self.expected_version,
            rule: self.rule,
            record: record.flatten(),
            check: self.check_id.map(|id| id.to_string()),
            reason: inputs.text("reason", &self.reason, 2000),
        };
        inputs.finish()?;
        Ok(wanted)
    }
}

/// Overrides those answers of a rule that have one verdict.
async fn override_checks(scope: &mut Scope, wanted: Wanted, verdict: CheckVerdict) -> error::Result<TreatmentSession> {
    scope.viewer().check(Action::Update, RecordKind::TreatmentSession)?;
    let by = scope.viewer().author()?;
    let mut session: TreatmentSession = listing::one(scope, wanted.session).await?;
    signing::editable("treatment session", session.signature.as_ref(), session.stamp.version, wanted.expected)?;
    let supervisor_id = match verdict {
        CheckVerdict::Block => {
            let prescriber = prescriber(scope, by, &session).await?;
            // A sign-off is a signature too.
            scope.viewer().proved_lately()?;
            Some(prescriber)
        }
        _ => None,
    };
    let old = sessions::parts(scope, session.id).await?;
    let done = Override { reason: wanted.reason.clone(), by, supervisor_id, at: ids::now() };
    let checks = settle(scope, &session, &old, &wanted, done, verdict).await?;
    session.stamp = session.stamp.changed(Some(by), ids::now());
    let new = Parts { checks, ..old.clone() };
    sessions::save(scope, Action::Update, &session, wanted.expected, Replaced { old: &old, new: &new }).await?;
    Ok(session)
}

/// Evaluates the rules again and settles the answers that were seen: the one named by its id, or those of the session's
/// version that have not changed. New answers stay open. Gives the checks as they are then.
async fn settle(
    scope: &mut Scope,
    session: &TreatmentSession,
    parts: &Parts,
    wanted: &Wanted,
    done: Override,
    verdict: CheckVerdict,
) -> error::Result<Vec<KeptCheck>> {
    let mut now = care::evaluate(scope, session, parts).await?;
    let seen: Vec<KeptCheck> = match wanted.check {
        // The id may come from a refusal, which is newer than the answers stored with the session.
        Some(_) => now.iter().filter(|it| wanted.names(it)).cloned().collect(),
        None => parts.checks.iter().filter(|it| wanted.names(it)).cloned().collect(),
    };
    if seen.is_empty() && wanted.check.is_some() {
        return Err(answers_changed());
    }
    if !seen.iter().any(|it| it.verdict == verdict) {
        let message = match seen.last().map(|it| it.verdict) {
            Some(CheckVerdict::Block) => "blocks: a supervising prescriber signs it off with signOffSessionCheck",
            Some(CheckVerdict::Warn) => "only warns: override it with overrideSessionCheck",
            Some(CheckVerdict::Pass) => "passes: there is nothing to override",
            None => "said nothing about this record of this session",
        };
        return Err(Error::input("input.rule", Code::NotApplicable.says(message)));
    }
    let was_seen = |it: &&mut KeptCheck| it.verdict == verdict && seen.iter().any(|old| old.is_same(it));
    let mut meant: Vec<&mut KeptCheck> = now.iter_mut().filter(was_seen).collect();
    // Those that have their reason already are not meant, unless there is nothing else.
    if meant.iter().any(|it| !it.is_settled()) {
        meant.retain(|it| !it.is_settled());
    }
    if meant.len() > 1 {
        return Err(Error::input(
            "input.checkId",
            Code::TooMany.says(one_reason_each(meant.len())).with("count", meant.len()).with("max", 1),
        ));
    }
    match meant.pop() {
        Some(check) => check.overridden = Some(done),
        None => return Err(answers_changed()),
    }
    Ok(now)
}

/// The prescriber who may sign off a block: another practitioner than the one treating, with a credential that allows to
/// prescribe this kind of treatment, in force today by the clock of the place.
async fn prescriber(scope: &mut Scope, by: Uuid, session: &TreatmentSession) -> error::Result<Uuid> {
    if by == session.practitioner_id {
        let message = "you are the practitioner of this session: another one, a prescriber, signs a block off";
        return Err(Error::Forbidden(message.to_owned()));
    }
    if was_treated_by(scope, session.id, by).await? {
        let message = "you were the practitioner of this session: another one, a prescriber, signs a block off";
        return Err(Error::Forbidden(message.to_owned()));
    }
    let today = care::day_at(scope, session.location_id, ids::now()).await?;
    if prescribers(scope, &[by], &[session.modality], today).await?.is_empty() {
        let message = "only a prescriber signs a block off: a practitioner with a credential in force that allows to prescribe \
                       this kind of treatment (addCredential)";
        return Err(Error::Forbidden(message.to_owned()));
    }
    Ok(by)
}

/// Whether this person was the practitioner of the session in any version after preparation.
async fn was_treated_by(scope: &mut Scope, session: Uuid, by: Uuid) -> error::Result<bool> {
    for entry in history_of(scope, &[session], MOST_VERSIONS).await? {
        let then: TreatmentSession = entry.record_as()?;
        if then.practitioner_id == by && then.status != SessionStatus::Preparation {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The mutations of this module.
#[derive(Default)]
pub struct CareMutation;

#[Object]
impl CareMutation {
    /// Overrides a WARN of a rule, with a reason that stays on the record.
    async fn override_session_check(
        &self,
        ctx: &Context<'_>,
        input: OverrideSessionCheckInput,
    ) -> Result<SessionCheckPayload> {
        let wanted = input.read()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(override_checks(scope, wanted, CheckVerdict::Warn)));
        Ok(SessionCheckPayload { session: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Signs off a BLOCK of a rule. The signer must be a supervising prescriber, that is, another practitioner with a
    /// credential in force that lets them prescribe. FORBIDDEN for anybody else; REAUTHENTICATION_REQUIRED when
    /// the password or a code was given too
    /// long ago.
    async fn sign_off_session_check(
        &self,
        ctx: &Context<'_>,
        input: OverrideSessionCheckInput,
    ) -> Result<SessionCheckPayload> {
        let wanted = input.read()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(override_checks(scope, wanted, CheckVerdict::Block)));
        Ok(SessionCheckPayload { session: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
