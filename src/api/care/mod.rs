//! What the care rules say, in the API.

pub mod mutation;

use super::session::request::LogSessionInput;
use crate::aftercare::{self, AftercareNote};
use crate::care::loader::Aftercare;
use crate::care::{Basis, CheckInState, Estimate, InForce, store};
use crate::consultation::{self, Consultation};
use crate::error::{Code, Error, Fault};
use crate::ids;
use crate::operation::{AtOnce, Running, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{global_id, listing};
use crate::protocol::ProtocolVersion;
use crate::scalars::{Date, DateTime};
use crate::session::{
    self, CheckCode, CheckParam, CheckRule, CheckVerdict, KeptCheck, Override, SessionCheck, TreatmentSession,
    store as sessions,
};
use crate::vocabulary::RecordKind;
use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};

/// An override of a check. It stays on the record.
#[Object(name = "CheckOverride")]
impl Override {
    /// Why the check was overridden.
    async fn reason(&self) -> &str {
        &self.reason
    }
    /// Who overrode the check.
    async fn by(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        people::staff_of_record(ctx, self.by).await
    }
    /// The supervising prescriber who signed off a BLOCK.
    async fn supervisor(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.supervisor_id).await
    }
    /// When the check was overridden.
    async fn at(&self) -> DateTime {
        DateTime(self.at)
    }
}

/// The answer of a care rule about a session.
#[Object]
impl SessionCheck {
    /// Its id. It stays the same as long as the rule, the verdict, the record, the cause with its values and the
    /// version of the protocol stay the same. Pass it as `checkId` to an override.
    async fn id(&self) -> ID {
        ID(self.kept.id(self.session))
    }
    /// The rule of the protocol that was checked.
    async fn rule(&self) -> CheckRule {
        self.kept.rule
    }
    /// What the rule answers: PASS, WARN or BLOCK.
    async fn verdict(&self) -> CheckVerdict {
        self.kept.verdict
    }
    /// The reason, in one sentence.
    async fn cause(&self) -> &str {
        &self.kept.cause
    }
    /// The reason, for programs: docs/care.md lists the codes. Null for an answer that was kept before there were codes.
    async fn code(&self) -> Option<CheckCode> {
        self.kept.code
    }
    /// What `cause` names, for messages of your own: the parameters that docs/care.md lists for the code.
    async fn params(&self) -> Vec<CheckParam> {
        self.kept.named_params()
    }
    /// The record that triggered it; `node(id:)` returns it.
    async fn record_id(&self) -> Option<ID> {
        self.kept.record_kind.zip(self.kept.record_id).map(|(kind, id)| global_id(kind, id))
    }
    /// The kind of that record.
    async fn record_kind(&self) -> Option<RecordKind> {
        self.kept.record_kind
    }
    /// The version of the protocol that the rule belongs to.
    async fn protocol_version(&self, ctx: &Context<'_>) -> Option<Result<ProtocolVersion>> {
        listing::linked(ctx, self.kept.protocol_version_id).await
    }
    /// The override, if there is one: who made it, why, and who signed it off.
    #[graphql(name = "override")]
    async fn overridden(&self) -> Option<&Override> {
        self.kept.overridden.as_ref()
    }
    /// Whether it passes, or was overridden as its verdict requires: a WARN with a reason, a BLOCK by a supervising
    /// prescriber.
    async fn settled(&self) -> bool {
        self.kept.is_settled()
    }
}

plain!(SessionCheck: id, rule, verdict, cause, code, record_id, record_kind, settled);

/// The answers of the care rules about a session that is not logged yet.
#[derive(SimpleObject)]
pub struct SessionChecks {
    /// The strictest of the answers.
    verdict: CheckVerdict,
    /// The version of the protocol that the rules belong to.
    protocol_version: ProtocolVersion,
    /// At least one answer for each rule; CLEARANCE answers only where the location asks for one.
    checks: Vec<SessionCheck>,
}

/// An instruction with the time it is in force.
#[Object(name = "AftercareInstructionInForce")]
impl InForce {
    /// Its code, such as `no_direct_sun`.
    async fn code(&self) -> &str {
        &self.code
    }
    /// The text of the instruction, for the patient.
    async fn text(&self) -> &str {
        &self.text
    }
    /// When it takes effect.
    async fn starts_at(&self) -> DateTime {
        DateTime(self.starts_at)
    }
    /// When it ceases to apply.
    async fn ends_at(&self) -> DateTime {
        DateTime(self.ends_at)
    }
}

/// A check-in that the clinic owes the patient after a session.
#[Object(name = "AftercareCheckIn")]
impl CheckInState {
    /// Its code, such as `day_1`.
    async fn code(&self) -> &str {
        &self.code
    }
    /// The name of the check-in, in words.
    async fn label(&self) -> &str {
        &self.label
    }
    /// Due from this moment.
    async fn due_from(&self) -> DateTime {
        DateTime(self.due_from)
    }
    /// Overdue from this moment.
    async fn due_until(&self) -> DateTime {
        DateTime(self.due_until)
    }
}

/// The window of an instruction in local time.
#[derive(SimpleObject)]
pub struct LocalWindow {
    /// The code of the instruction in the protocol.
    code: String,
    /// Its start by the clock of the location, with its offset (RFC 3339), such as `2026-03-28T23:50:00+01:00`.
    starts: String,
    /// Its end by the clock of the location.
    ends: String,
}

/// The aftercare of a session at a moment: what is in force, what comes next, which check-ins are due.
#[Object]
impl Aftercare {
    /// The session after which this holds.
    async fn session(&self) -> &TreatmentSession {
        &self.session
    }
    /// The moment for which this was asked.
    async fn at(&self) -> DateTime {
        DateTime(self.at)
    }
    /// The IANA time zone of the session's location.
    async fn time_zone(&self) -> &str {
        self.zone.name()
    }
    /// Instructions in force, the first to end first.
    async fn in_force(&self) -> &[InForce] {
        &self.situation.in_force
    }
    /// Instructions that begin later.
    async fn upcoming(&self) -> &[InForce] {
        &self.situation.upcoming
    }
    /// The same instructions by the clock of the location.
    async fn local_windows(&self) -> Vec<LocalWindow> {
        let local = |time: chrono::DateTime<chrono::Utc>| time.with_timezone(&self.zone).to_rfc3339();
        let instructions = self.situation.in_force.iter().chain(&self.situation.upcoming);
        instructions
            .map(|it| LocalWindow { code: it.code.clone(), starts: local(it.starts_at), ends: local(it.ends_at) })
            .collect()
    }
    /// Check-ins that are due and not done.
    async fn check_ins_due(&self) -> &[CheckInState] {
        &self.situation.check_ins_due
    }
    /// Check-ins that are overdue.
    async fn check_ins_overdue(&self) -> &[CheckInState] {
        &self.situation.check_ins_overdue
    }
    /// Check-ins that come later.
    async fn check_ins_upcoming(&self) -> &[CheckInState] {
        &self.situation.check_ins_upcoming
    }
}

/// An estimate of when maintenance will be needed. It is not a promise.
#[Object(name = "MaintenanceEstimate")]
impl Estimate {
    /// The earliest day of the interval.
    async fn from(&self) -> Date {
        Date(self.from)
    }
    /// The most likely day; null when the estimate rests on the protocol alone.
    async fn likely(&self) -> Option<Date> {
        self.likely.map(Date)
    }
    /// The last day of the interval.
    async fn until(&self) -> Date {
        Date(self.until)
    }
    /// What the estimate is based on.
    async fn basis(&self) -> Basis {
        self.basis
    }
    /// The number of the patient's own results that were used.
    async fn points(&self) -> usize {
        self.points
    }
    /// How the estimate was made, in one sentence.
    async fn explanation(&self) -> &str {
        &self.explanation
    }
}

/// The consequence of a missing item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum CompletenessCost {
    /// The record can't be signed.
    CantSign,
    /// It can be signed once a reason is given.
    CanSignWithReason,
}

/// Something missing from a record.
#[derive(SimpleObject)]
pub struct CompletenessItem {
    /// The field, named as an error of signing would name it.
    field: String,
    /// What is missing and what to do.
    message: String,
    /// What it costs if the item stays missing.
    cost: CompletenessCost,
    /// The id of the unsettled answer of a care rule, for `checkId` of an override.
    check_id: Option<ID>,
}

/// What is missing from a record before it can be signed.
#[derive(SimpleObject)]
pub struct ChartCompleteness {
    /// Whether it could be signed as it is.
    ready: bool,
    /// Whether it is signed already.
    signed: bool,
    /// Everything that is missing.
    items: Vec<CompletenessItem>,
}

fn lacks(faults: Vec<Fault>) -> Vec<CompletenessItem> {
    let item = |it: Fault| CompletenessItem {
        field: it.path,
        message: it.flaw.message().to_owned(),
        cost: CompletenessCost::CantSign,
        check_id: None,
    };
    faults.into_iter().map(item).collect()
}

fn of_checks(session: uuid::Uuid, checks: &[KeptCheck]) -> impl Iterator<Item = CompletenessItem> + '_ {
    checks.iter().enumerate().filter(|(_, check)| !check.is_settled()).map(move |(i, check)| {
        let (cost, what) = match check.verdict {
            CheckVerdict::Block => {
                (CompletenessCost::CantSign, "a supervising prescriber signs it off with signOffSessionCheck")
            }
            _ => (CompletenessCost::CanSignWithReason, "give a reason with overrideSessionCheck"),
        };
        CompletenessItem {
            field: format!("checks.{i}"),
            message: format!("{}: {what}", check.cause),
            cost,
            check_id: Some(ID(check.id(session))),
        }
    })
}

async fn completeness(ctx: &Context<'_>, id: &ID) -> crate::error::Result<ChartCompleteness> {
    let mut scope = ctx.operation()?.reader().await?;
    let (signed, items) = match ids::parse_any(id) {
        Some((RecordKind::Consultation, id)) => {
            let record: Consultation = listing::one(&mut scope, id).await?;
            (record.signature.is_some(), lacks(consultation::missing(&record).faults()))
        }
        Some((RecordKind::AftercareNote, id)) => {
            let record: AftercareNote = listing::one(&mut scope, id).await?;
            (record.signature.is_some(), lacks(aftercare::missing(&record).faults()))
        }
        Some((RecordKind::TreatmentSession, id)) => {
            let record: TreatmentSession = listing::one(&mut scope, id).await?;
            let parts = sessions::parts(&mut scope, id).await?;
            let mut items = lacks(session::missing(&record, &parts).faults());
            // Asked as signing will ask them. A viewer who may not read what the rules look at gets the stored answers.
            let asks = record.signature.is_none() && store::may_evaluate(&scope);
            let checks = if asks { store::evaluate(&mut scope, &record, &parts).await? } else { parts.checks };
            items.extend(of_checks(id, &checks));
            (record.signature.is_some(), items)
        }
        _ => {
            return Err(Error::input(
                "id",
                Code::WrongKind.says("must be the id of a consultation, a treatment session or an aftercare note"),
            ));
        }
    };
    // Nothing more can be required of a signed record.
    let items = if signed { Vec::new() } else { items };
    Ok(ChartCompleteness { ready: items.is_empty() && !signed, signed, items })
}

/// The queries of this module.
#[derive(Default)]
pub struct CareQuery;

#[Object]
impl CareQuery {
    /// What the care rules would say about a session before it takes place. The input is that of `logSession`. Without
    /// a plan and a protocol version, the only published protocol for that kind of treatment is used. Null with
    /// FORBIDDEN for roles that write no sessions.
    async fn session_checks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session as it would be logged.")] input: LogSessionInput,
    ) -> Option<Result<SessionChecks>> {
        let found = async {
            let (mut session, mut parts, _) = input.read()?;
            let mut scope = ctx.operation()?.reader().await?;
            scope.viewer().check(crate::vocabulary::Action::Create, RecordKind::TreatmentSession)?;
            super::session::mutation::complete(&mut scope, &mut session, &mut parts).await?;
            let Some(version) = session.protocol_version_id else {
                let published = store::only_published(&mut scope, session.modality).await?;
                return Err(store::protocol_needed(session.modality, published.err().unwrap_or(1)).into());
            };
            let checks = store::evaluate(&mut scope, &session, &parts).await?;
            let version = listing::one(&mut scope, version).await?;
            let verdict = checks.iter().map(|it| it.verdict).max().unwrap_or(CheckVerdict::Pass);
            Ok(SessionChecks { verdict, protocol_version: version, checks: SessionCheck::all(session.id, checks) })
        };
        Some(found.await)
    }

    /// What is missing from a consultation, a session or an aftercare note before it can be signed, and the consequence
    /// of each missing item. Null with FORBIDDEN for roles that see no clinical record.
    async fn chart_completeness(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`consultation_…`, `session_…` or `note_…`")] record_id: ID,
    ) -> Option<Result<ChartCompleteness>> {
        Some(completeness(ctx, &record_id).await.map_err(Into::into))
    }
}
