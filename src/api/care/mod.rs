//! What the care rules say, in the API.

pub mod mutation;

use super::session::request::LogSessionInput;
use crate::aftercare::{self, AftercareNote};
use crate::care::loader::Aftercare;
use crate::care::{Basis, CheckInState, Estimate, InForce, store};
use crate::consultation::{self, Consultation};
use crate::error::{Error, Fault};
use crate::ids;
use crate::operation::Running;
use crate::organisation::{Staff, loader as people};
use crate::page::{global_id, listing};
use crate::protocol::ProtocolVersion;
use crate::scalars::{Date, DateTime};
use crate::session::{
    self, CheckRule, CheckVerdict, KeptCheck, Override, SessionCheck, TreatmentSession, store as sessions,
};
use crate::vocabulary::RecordKind;
use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};

/// Going on in spite of a check: it stays on the record.
#[Object(name = "CheckOverride")]
impl Override {
    /// Why.
    async fn reason(&self) -> &str {
        &self.reason
    }
    /// Who.
    async fn by(&self, ctx: &Context<'_>) -> Result<Staff> {
        people::staff_of_record(ctx, self.by).await
    }
    /// The supervising prescriber who signed a BLOCK off.
    async fn supervisor(&self, ctx: &Context<'_>) -> Option<Result<Staff>> {
        people::opt_staff(ctx, self.supervisor_id).await
    }
    /// When.
    async fn at(&self) -> DateTime {
        DateTime(self.at)
    }
}

/// What a care rule said of a session.
#[Object]
impl SessionCheck {
    /// Its id: the same as long as rule, verdict, record, cause with its values and version of the protocol are the same.
    /// `checkId` of an override takes it.
    async fn id(&self) -> ID {
        ID(self.kept.id(self.session))
    }
    /// The rule.
    async fn rule(&self) -> CheckRule {
        self.kept.rule
    }
    /// Its answer.
    async fn verdict(&self) -> CheckVerdict {
        self.kept.verdict
    }
    /// Why, in a sentence.
    async fn cause(&self) -> &str {
        &self.kept.cause
    }
    /// The record that triggered it: `node(id:)` shows it.
    async fn record_id(&self) -> Option<ID> {
        self.kept.record_kind.zip(self.kept.record_id).map(|(kind, id)| global_id(kind, id))
    }
    /// The kind of that record.
    async fn record_kind(&self) -> Option<RecordKind> {
        self.kept.record_kind
    }
    /// The version of the protocol whose rule it is.
    async fn protocol_version(&self, ctx: &Context<'_>) -> Option<Result<ProtocolVersion>> {
        listing::linked(ctx, self.kept.protocol_version_id).await
    }
    /// Who went on all the same, why and on whose sign-off.
    #[graphql(name = "override")]
    async fn overridden(&self) -> Option<&Override> {
        self.kept.overridden.as_ref()
    }
    /// Whether it passes, or was overridden as its verdict asks: a WARN with a reason, a BLOCK by a supervising prescriber.
    async fn settled(&self) -> bool {
        self.kept.is_settled()
    }
}

/// What the care rules say of a session before it is logged.
#[derive(SimpleObject)]
pub struct SessionChecks {
    /// The strictest of the answers.
    verdict: CheckVerdict,
    /// The version of the protocol whose rules they are.
    protocol_version: ProtocolVersion,
    /// One answer at least for each rule.
    checks: Vec<SessionCheck>,
}

/// An instruction with the time it is in force.
#[Object(name = "AftercareInstructionInForce")]
impl InForce {
    /// Its code, such as `no_direct_sun`.
    async fn code(&self) -> &str {
        &self.code
    }
    /// In words, for the patient.
    async fn text(&self) -> &str {
        &self.text
    }
    /// From this moment.
    async fn starts_at(&self) -> DateTime {
        DateTime(self.starts_at)
    }
    /// Until this moment.
    async fn ends_at(&self) -> DateTime {
        DateTime(self.ends_at)
    }
}

/// A check-in that the clinic owes the patient.
#[Object(name = "AftercareCheckIn")]
impl CheckInState {
    /// Its code, such as `day_1`.
    async fn code(&self) -> &str {
        &self.code
    }
    /// In words.
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

/// An instruction or a check-in as the patient's clock has it.
#[derive(SimpleObject)]
pub struct LocalWindow {
    /// Its code.
    code: String,
    /// Its start by the clock of the location, with its offset (RFC 3339), such as `2026-03-28T23:50:00+01:00`.
    starts: String,
    /// Its end by the clock of the location.
    ends: String,
}

/// The aftercare of a session at a moment: what is in force, what comes next, which check-ins are due.
#[Object]
impl Aftercare {
    /// The session.
    async fn session(&self) -> &TreatmentSession {
        &self.session
    }
    /// The moment.
    async fn at(&self) -> DateTime {
        DateTime(self.at)
    }
    /// The IANA time zone of the session's location.
    async fn time_zone(&self) -> &str {
        self.zone.name()
    }
    /// Instructions in force, those that end first leading.
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
    /// Check-ins that should have been done.
    async fn check_ins_overdue(&self) -> &[CheckInState] {
        &self.situation.check_ins_overdue
    }
    /// Check-ins that come later.
    async fn check_ins_upcoming(&self) -> &[CheckInState] {
        &self.situation.check_ins_upcoming
    }
}

/// When maintenance will be wanted: an estimate, never a promise.
#[Object(name = "MaintenanceEstimate")]
impl Estimate {
    /// The earliest day of the interval.
    async fn from(&self) -> Date {
        Date(self.from)
    }
    /// The most likely day; null where only the protocol speaks.
    async fn likely(&self) -> Option<Date> {
        self.likely.map(Date)
    }
    /// The last day of the interval.
    async fn until(&self) -> Date {
        Date(self.until)
    }
    /// What it rests on.
    async fn basis(&self) -> Basis {
        self.basis
    }
    /// How many of the patient's own results it used.
    async fn points(&self) -> usize {
        self.points
    }
    /// How it came about, in a sentence.
    async fn explanation(&self) -> &str {
        &self.explanation
    }
}

/// What a lack costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum CompletenessCost {
    /// The record can't be signed.
    CantSign,
    /// It can be signed once a reason is given.
    CanSignWithReason,
}

/// Something that a record lacks.
#[derive(SimpleObject)]
pub struct CompletenessItem {
    /// The field, as a fault of signing would name it.
    field: String,
    /// What is missing and what to do.
    message: String,
    /// What it costs.
    cost: CompletenessCost,
    /// The answer of a care rule that is not settled: `checkId` of an override takes it.
    check_id: Option<ID>,
}

/// What a record lacks before it can be signed.
#[derive(SimpleObject)]
pub struct ChartCompleteness {
    /// Whether it could be signed as it is.
    ready: bool,
    /// Whether it is signed already.
    signed: bool,
    /// Everything it lacks.
    items: Vec<CompletenessItem>,
}

fn lacks(faults: Vec<Fault>) -> Vec<CompletenessItem> {
    let item = |it: Fault| CompletenessItem {
        field: it.path,
        message: it.message,
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
            // As signing will ask them; who may not read what the rules look at is told what was kept.
            let asks = record.signature.is_none() && store::may_evaluate(&scope);
            let checks = if asks { store::evaluate(&mut scope, &record, &parts).await? } else { record.checks.clone() };
            items.extend(of_checks(id, &checks));
            (record.signature.is_some(), items)
        }
        _ => {
            return Err(Error::input(
                "id",
                "must be the id of a consultation, a treatment session or an aftercare note",
            ));
        }
    };
    // What is signed lacks nothing that could still be asked of it.
    let items = if signed { Vec::new() } else { items };
    Ok(ChartCompleteness { ready: items.is_empty() && !signed, signed, items })
}

/// The queries of this slice.
#[derive(Default)]
pub struct CareQuery;

#[Object]
impl CareQuery {
    /// What the care rules would say of a session, before anything is done: the input is that of `logSession`. Without a
    /// plan and a protocol version, the one published protocol of that kind of treatment is taken. Null with FORBIDDEN
    /// for roles that write no sessions.
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
            if session.protocol_version_id.is_none() {
                session.protocol_version_id = Some(store::only_published(&mut scope, session.modality).await?.id);
            }
            let checks = store::evaluate(&mut scope, &session, &parts).await?;
            let version = listing::one(&mut scope, session.protocol_version_id.unwrap_or_default()).await?;
            let verdict = checks.iter().map(|it| it.verdict).max().unwrap_or(CheckVerdict::Pass);
            Ok(SessionChecks { verdict, protocol_version: version, checks: SessionCheck::all(session.id, &checks) })
        };
        Some(found.await)
    }

    /// What a consultation, a session or an aftercare note lacks before it can be signed, and what each lack costs. Null
    /// with FORBIDDEN for roles that see no clinical record.
    async fn chart_completeness(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`consultation_…`, `session_…` or `note_…`")] record_id: ID,
    ) -> Option<Result<ChartCompleteness>> {
        Some(completeness(ctx, &record_id).await.map_err(Into::into))
    }
}
