//! What a screen can follow: the change feed, as subscriptions.
//!
//! A subscription is carried by many looks, each an operation of its own with its own snapshot, its own question of who
//! asks, and at most one row of the access log (`http::live` makes them). A field here answers one look: it reads the feed
//! from the place that the last one reached (`Course`), and gives what it found.

use super::changes::{ChangeShown, begin};
use crate::access::{Scope, Viewer};
use crate::error::{Code, Error, Faults, Flaw, Result};
use crate::feed::{self, Course, LOCATED, Wanted};
use crate::ids;
use crate::operation::{AtOnce, Running};
use crate::organisation;
use crate::page::LARGEST_PAGE;
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, InputObject, Subscription};
use futures::Stream;
use std::sync::Arc;

/// The kinds of records in which work waits for somebody, or is done.
const TASKS: [RecordKind; 13] = [
    RecordKind::Consultation,
    RecordKind::TreatmentSession,
    RecordKind::AftercareNote,
    RecordKind::Countersignature,
    RecordKind::ChartReview,
    RecordKind::CallBack,
    RecordKind::AdverseEvent,
    RecordKind::Clearance,
    RecordKind::HealthReview,
    RecordKind::OutcomeAssessment,
    RecordKind::Consent,
    RecordKind::Credential,
    RecordKind::EmergencyAccess,
];
/// The most records that one subscription follows by their ids.
const MOST_RECORDS: usize = 100;

/// Which changes are told; each part that is there narrows it.
#[derive(InputObject, Default)]
pub struct RecordChangeFilter {
    /// Of records of these kinds, one at least; of all that you may read without it. FORBIDDEN if you may not read one of
    /// them.
    kinds: Option<Vec<RecordKind>>,
    /// Of this patient and of their records, `patient_…`; also those that moved to or from them.
    patient_id: Option<ID>,
    /// Of these records, by their typed ids, 1 to 100.
    record_ids: Option<Vec<ID>>,
}

impl RecordChangeFilter {
    /// What is wanted, but for the kinds that the viewer may read.
    fn read(&self, faults: &mut Faults) -> Wanted {
        let empty = [
            ("filter.kinds", self.kinds.as_ref().is_some_and(Vec::is_empty)),
            ("filter.recordIds", self.record_ids.as_ref().is_some_and(Vec::is_empty)),
        ];
        for (path, _) in empty.into_iter().filter(|(_, empty)| *empty) {
            faults.add(path, Flaw::empty());
        }
        let patient = self.patient_id.as_ref().and_then(|id| match ids::parse(RecordKind::Patient, id) {
            Ok(id) => Some(id),
            Err(flaw) => {
                faults.add("filter.patientId", flaw);
                None
            }
        });
        let records = self.record_ids.as_ref().map(|given| {
            if given.len() > MOST_RECORDS {
                faults.add("filter.recordIds", Flaw::too_many(given.len(), MOST_RECORDS, "ids"));
            }
            let read = given.iter().take(MOST_RECORDS).enumerate().filter_map(|(place, id)| {
                let found = ids::parse_any(id);
                if found.is_none() {
                    let form = "is not the typed id of a record, such as patient_01k9v6s3dqf0r8y0m4h6t2x5wz";
                    faults.add(format!("filter.recordIds.{place}"), Code::WrongForm.says(form));
                }
                found
            });
            read.collect()
        });
        Wanted { patient, records, ..Wanted::default() }
    }
}

/// The kinds among these that the viewer may read of all patients.
fn readable(scope: &Scope, kinds: &[RecordKind]) -> Result<Vec<RecordKind>> {
    let may = feed::kinds(scope, None)?;
    let found: Vec<_> = kinds.iter().copied().filter(|kind| may.contains(kind)).collect();
    match (found.is_empty(), kinds.first()) {
        // The refusal names why.
        (true, Some(first)) => feed::kinds(scope, Some(&[*first])),
        _ => Ok(found),
    }
}

/// What a look found.
type Found = async_graphql::Result<futures::stream::Iter<std::vec::IntoIter<AtOnce<Arc<ChangeShown>>>>>;

/// One look: from where the last one ended, or at first after the cursor, at what `wanted` says once the scope is open.
async fn look<W>(ctx: &Context<'_>, from: feed::From, wanted: W) -> Found
where
    W: AsyncFnOnce(&mut Scope) -> Result<Wanted>,
{
    let course =
        ctx.data_opt::<Arc<Course>>().ok_or_else(|| Error::Internal("a look without its course".to_owned()))?;
    let first = usize::try_from(LARGEST_PAGE).unwrap_or(0);
    let (viewer, page): (Viewer, feed::Page) = {
        let mut scope = ctx.operation()?.reader().await?;
        let wanted = wanted(&mut scope).await?;
        let page = feed::page(&mut scope, course.go_on(from), first, &wanted).await?;
        course.looks(scope.viewer().actor());
        (scope.viewer(), page)
    };
    let operation = ctx.operation()?;
    operation.lead_to(page.changes.len())?;
    if course.reached().is_some_and(|reached| !reached.more) {
        let lags = page.changes.iter().filter_map(|change| (ids::now() - change.at).to_std().ok());
        lags.for_each(|lag| operation.service().watch.live.found_after(lag));
    }
    course.read(&page);
    let shown: Vec<_> =
        page.changes.into_iter().map(|change| AtOnce(Arc::new(ChangeShown::to(&viewer, change)))).collect();
    Ok(futures::stream::iter(shown))
}

/// Where a subscription begins.
fn from(after: Option<&str>, mut faults: Faults) -> Result<feed::From> {
    let from = begin(after, feed::From::Now, &mut faults);
    faults.into_result()?;
    Ok(from)
}

/// The subscriptions.
pub struct Live;

/// All subscriptions: over WebSocket (`graphql-transport-ws`) and server-sent events, both at `/graphql`.
///
/// Each event is one change, in the order of the ledger: what happened to which record. What the record says is read as
/// ever, by `node`, `nodes` or the query of the screen. Nothing is missed and nothing comes twice if you subscribe anew after
/// the `cursor` of the last event. A subscription does not wind the idle clock of the sign-in, and ends with it.
#[Subscription(name = "Subscription")]
impl Live {
    /// Every change of the records that you may read, as it happens. Records of restricted patients are left out unless a
    /// reason is stated.
    async fn record_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which changes; all that you may see without it.")] filter: Option<RecordChangeFilter>,
        #[graphql(
            desc = "The cursor of the last change that you got: what came after it is told first, however long ago \
                          that was. `now`, or nothing: what happens from now on."
        )]
        after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = AtOnce<Arc<ChangeShown>>> + use<>> {
        let filter = filter.unwrap_or_default();
        let mut faults = Faults::default();
        let wanted = filter.read(&mut faults);
        let from = from(after.as_deref(), faults)?;
        look(ctx, from, async |scope| Ok(Wanted { kinds: feed::kinds(scope, filter.kinds.as_deref())?, ..wanted }))
            .await
    }

    /// Changes of what is done at a location: its consultations and treatment sessions, those too that moved there or away.
    /// Ask the screen's own query again when one comes.
    async fn day_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The location, `location_…`. NOT_FOUND if there is none.")] location_id: ID,
        #[graphql(desc = "As for `recordChanged`.")] after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = AtOnce<Arc<ChangeShown>>> + use<>> {
        let mut faults = Faults::default();
        let location = ids::parse(RecordKind::Location, &location_id).unwrap_or_else(|flaw| {
            faults.add("locationId", flaw);
            uuid::Uuid::nil()
        });
        let from = from(after.as_deref(), faults)?;
        look(ctx, from, async |scope| {
            let location = organisation::store::location(scope, location).await?.id;
            Ok(Wanted { kinds: readable(scope, &LOCATED)?, location: Some(location), ..Wanted::default() })
        })
        .await
    }

    /// Changes of the records in which work waits for somebody, or is done: drafts to sign, what is to be countersigned or
    /// reviewed, call-backs, adverse events, clearances, consents and credentials that end, emergency access.
    async fn tasks_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As for `recordChanged`.")] after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = AtOnce<Arc<ChangeShown>>> + use<>> {
        let from = from(after.as_deref(), Faults::default())?;
        look(ctx, from, async |scope| Ok(Wanted::of(readable(scope, &TASKS)?))).await
    }
}
