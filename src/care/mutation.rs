//! Going on in spite of a check: with a reason, or on a supervising prescriber's sign-off.

use crate::access::Scope;
use crate::error::{self, Error};
use crate::ids;
use crate::operation::{Inputs, Running, transaction};
use crate::organisation::store as people;
use crate::page::listing;
use crate::session::{CheckRule, CheckVerdict, Override, TreatmentSession, store as sessions};
use crate::signing;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use uuid::Uuid;

/// Overrides the answers of one rule on a session that is not signed.
#[derive(InputObject)]
pub struct OverrideSessionCheckInput {
    /// `session_…`
    session_id: ID,
    /// The version that was read.
    expected_version: i32,
    /// The rule.
    rule: CheckRule,
    /// Only the answer that this record triggered; all of the rule's when absent.
    record_id: Option<ID>,
    /// Why, at most 2,000 characters.
    reason: String,
}

/// The session with the override.
#[derive(SimpleObject)]
pub struct SessionCheckPayload {
    /// It.
    session: TreatmentSession,
}

struct Wanted {
    session: Uuid,
    expected: i32,
    rule: CheckRule,
    record: Option<Uuid>,
    reason: String,
}

impl OverrideSessionCheckInput {
    fn read(self) -> error::Result<Wanted> {
        let mut inputs = Inputs::new();
        let record = self.record_id.as_ref().map(|id| ids::parse_any(id).map(|(_, record)| record));
        if record == Some(None) {
            inputs.fault("recordId", "is not an id of this service");
        }
        let wanted = Wanted {
            session: inputs.id("sessionId", RecordKind::TreatmentSession, &self.session_id),
            expected: self.expected_version,
            rule: self.rule,
            record: record.flatten(),
            reason: inputs.text("reason", &self.reason, 2000),
        };
        inputs.finish()?;
        Ok(wanted)
    }
}

/// Overrides what of a rule's answers is of one verdict.
async fn override_checks(scope: &mut Scope, wanted: Wanted, verdict: CheckVerdict) -> error::Result<TreatmentSession> {
    scope.viewer().check(Action::Update, RecordKind::TreatmentSession)?;
    let by = scope.viewer().author()?;
    let mut session: TreatmentSession = listing::one(scope, wanted.session).await?;
    signing::editable("treatment session", session.signature.as_ref(), session.stamp.version, wanted.expected)?;
    let supervisor_id = match verdict {
        CheckVerdict::Block => {
            let prescriber = prescriber(scope, by, &session).await?;
            // It is a signature too.
            scope.viewer().proved_lately()?;
            Some(prescriber)
        }
        _ => None,
    };
    let of_rule = |it: &&mut crate::session::KeptCheck| {
        it.rule == wanted.rule && wanted.record.is_none_or(|record| it.record_id == Some(record))
    };
    let (mut done, mut other) = (false, None);
    for check in session.checks.iter_mut().filter(of_rule) {
        if check.verdict == verdict {
            let at = ids::now();
            check.overridden = Some(Override { reason: wanted.reason.clone(), by, supervisor_id, at });
            done = true;
        } else {
            other = Some(check.verdict);
        }
    }
    if !done {
        let message = match other {
            Some(CheckVerdict::Block) => "blocks: a supervising prescriber signs it off with signOffSessionCheck",
            Some(CheckVerdict::Warn) => "only warns: override it with overrideSessionCheck",
            Some(CheckVerdict::Pass) => "passes: there is nothing to override",
            None => "said nothing about this record of this session",
        };
        return Err(Error::input("input.rule", message));
    }
    session.stamp = session.stamp.changed(Some(by), ids::now());
    sessions::save(scope, Action::Update, &session, wanted.expected, None).await?;
    Ok(session)
}

/// Who may sign a block off: a practitioner with a licence number who is not the one treating.
async fn prescriber(scope: &mut Scope, by: Uuid, session: &TreatmentSession) -> error::Result<Uuid> {
    let member = people::staff_member(scope, by).await?;
    if by == session.practitioner_id {
        let message = "you are the practitioner of this session: another one, a prescriber, signs a block off";
        return Err(Error::Forbidden(message.to_owned()));
    }
    if member.licence_number.is_none() {
        let message = "only a prescriber signs a block off: a practitioner with a licence number (updateStaff)";
        return Err(Error::Forbidden(message.to_owned()));
    }
    Ok(by)
}

/// The mutations of this slice.
#[derive(Default)]
pub struct CareMutation;

#[Object]
impl CareMutation {
    /// Goes on in spite of what a rule WARNs of, with a reason that stays on the record.
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

    /// Signs off what a rule BLOCKs: by a supervising prescriber, that is another practitioner, with a licence number.
    /// FORBIDDEN for anybody else; REAUTHENTICATION_REQUIRED when the password or a code was given too long ago.
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
