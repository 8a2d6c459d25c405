//! The access log in the API: who saw which patients, who was refused, who signed in.

use crate::error::Error;
use crate::ledger::Event;
use crate::operation::{AtOnce, Running, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::listing;
use crate::page::{Connection, Direction, FilterIds, Key, Listed, Order, PageArguments, Window, counter, global_id};
use crate::privacy::loader;
use crate::privacy::looks::{self, AccessEntry, LookCondition};
use crate::scalars::DateTime;
use crate::service_account::ServiceAccount;
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, InputObject, Object, Result, Union};
use uuid::Uuid;

impl Listed for AccessEntry {
    const NAME: &'static str = "AccessEntry";
    fn whose(&self) -> Option<uuid::Uuid> {
        None
    }
}

/// Who is behind an entry of the access log.
#[derive(Union)]
pub enum AccessActor {
    /// Somebody who works here.
    Staff(Box<Staff>),
    /// A program.
    ServiceAccount(Box<ServiceAccount>),
}

/// An entry of the access log: an operation that showed patients' data, an operation that was refused something, or a
/// sign-in. An operation that showed data and was refused something has an entry for each.
#[Object]
impl AccessEntry {
    /// The number of the entry in the organisation's access log; numbers start at 1 and have no gaps.
    async fn sequence(&self) -> i64 {
        self.seq
    }
    /// When it happened.
    async fn at(&self) -> DateTime {
        DateTime(self.at)
    }
    /// What was done or refused: patient data was shown, somebody signed in, a password was changed and so on.
    async fn event(&self) -> Event {
        self.event
    }
    /// The staff member or service account behind the entry; null where nobody is known.
    async fn actor(&self, ctx: &Context<'_>) -> Option<Result<AccessActor>> {
        if let Some(staff) = people::opt_staff(ctx, self.actor).await {
            return Some(staff.map(|AtOnce(staff)| AccessActor::Staff(Box::new(staff))));
        }
        let program = listing::linked::<ServiceAccount>(ctx, self.actor).await?;
        Some(program.map(|program| AccessActor::ServiceAccount(Box::new(program))))
    }
    /// The operation: the first field of the query or mutation, or what was done with a photo's bytes.
    async fn operation(&self) -> &str {
        &self.operation
    }
    /// The id of the request, as in the service's log and the ledger.
    async fn request_id(&self) -> &str {
        &self.request_id
    }
    /// The network address it came from.
    async fn from_address(&self) -> &str {
        &self.from_address
    }
    /// The reason stated in the request header `Access-Reason`, if any; `emergency: …` under emergency access.
    async fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
    /// Typed ids of the patients whose data was shown; for a refusal, of the patients withheld, where they are known.
    /// The id of a patient erased since finds nothing.
    async fn patient_ids(&self) -> Vec<ID> {
        self.patients.iter().map(|id| global_id(RecordKind::Patient, *id)).collect()
    }
}

plain!(AccessEntry: sequence, at, event, operation, request_id, from_address, reason);

/// Who may be behind an entry.
const ACTORS: [RecordKind; 2] = [RecordKind::Staff, RecordKind::ServiceAccount];

/// Filter for the access log of one patient.
#[derive(InputObject, Default)]
pub struct PatientAccessFilter {
    /// At or after this moment.
    since: Option<DateTime>,
    /// Before this moment, which itself is not meant.
    until: Option<DateTime>,
    /// By this staff member, `staff_…`, or this service account, `service_account_…`.
    actor_id: Option<ID>,
}

impl PatientAccessFilter {
    fn read(self) -> crate::error::Result<LookCondition> {
        let mut ids = FilterIds::default();
        let actor = ids.read_one_of("actorId", &ACTORS, self.actor_id.as_ref());
        ids.finish()?;
        let (since, until) = (self.since.map(|at| at.0), self.until.map(|at| at.0));
        Ok(LookCondition { since, until, actor, ..LookCondition::default() })
    }
}

/// Filter for the access log.
#[derive(InputObject, Default)]
pub struct AccessLogFilter {
    /// At or after this moment.
    since: Option<DateTime>,
    /// Before this moment, which itself is not meant.
    until: Option<DateTime>,
    /// By this staff member, `staff_…`, or this service account, `service_account_…`.
    actor_id: Option<ID>,
    /// Of these events.
    event: Option<Vec<Event>>,
    /// About this patient, `patient_…`, or one who was merged into them.
    patient_id: Option<ID>,
}

impl AccessLogFilter {
    fn read(self) -> crate::error::Result<LookCondition> {
        let mut ids = FilterIds::default();
        let actor = ids.read_one_of("actorId", &ACTORS, self.actor_id.as_ref());
        let patient = ids.read("patientId", RecordKind::Patient, self.patient_id.as_ref());
        ids.finish()?;
        let (since, until) = (self.since.map(|at| at.0), self.until.map(|at| at.0));
        Ok(LookCondition { since, until, actor, events: self.event, patient })
    }
}

/// Newest first, by number.
async fn window(
    ctx: &Context<'_>,
    first: Option<i32>,
    after: Option<String>,
) -> crate::error::Result<(Order, Window, Option<i64>)> {
    let order = Order {
        name: "accessLog".to_owned(),
        column: "seq",
        id: "id",
        direction: Direction::Desc,
        sample: Key::Number(0),
    };
    let window = PageArguments { first, after, ..PageArguments::default() }.window::<AccessEntry>(ctx, &order).await?;
    let before = window.from.as_ref().and_then(|(key, _)| if let Key::Number(seq) = key { Some(*seq) } else { None });
    Ok((order, window, before))
}

/// The access log of a patient: the `accessLog` field of a patient.
pub async fn of_patient(
    ctx: &Context<'_>,
    patient: Uuid,
    filter: PatientAccessFilter,
    first: Option<i32>,
    after: Option<String>,
) -> Result<Connection<AccessEntry>> {
    let condition = filter.read()?;
    let (order, window, before) = window(ctx, first, after).await?;
    let (rows, count) = loader::looks_at(ctx, patient, condition, before, window.limit).await?;
    Ok(Connection::new(window.page(rows), &order, move |entry| (Key::Number(entry.seq), patient), count))
}

/// The query of the access log.
#[derive(Default)]
pub struct AccessLogQuery;

#[Object]
impl AccessLogQuery {
    /// The access log of the organisation, newest first: access to patients, refusals and sign-ins. Reading it is
    /// itself logged. Null with FORBIDDEN for all but admins and auditors.
    async fn access_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<AccessLogFilter>>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Option<Result<Connection<AccessEntry>>> {
        let found = async {
            let condition = filter.unwrap_or_default().read()?;
            let (order, window, before) = window(ctx, first, after).await?;
            let mut scope = ctx.operation()?.reader().await?;
            let rows = looks::page(&mut scope, &condition, before, window.limit + 1).await?;
            let org = scope.org();
            let page = window.page(rows);
            let next = page.beyond.as_ref().and(condition.patient);
            let count = counter(move |operation| {
                let condition = condition.clone();
                async move { looks::count(&mut *operation.reader().await?, &condition).await }
            });
            let key = move |entry: &AccessEntry| (Key::Number(entry.seq), org);
            Ok::<_, Error>(Connection::new(page, &order, key, count).going_on_with(next))
        };
        Some(found.await.map_err(Into::into))
    }
}
