//! Where a lot was used: its sessions and patients, their adverse events, and who has been informed, in one query.

use crate::access::Scope;
use crate::adverse_event::AdverseEvent;
use crate::call_back::store::{self, LotUse, MOST_USES, Trail};
use crate::call_back::{Attempt, CallBack};
use crate::catalogue::{Product, ProductLot};
use crate::error::{Code, Error, Faults};
use crate::ids;
use crate::operation::{AtOnce, Running, plain};
use crate::page::{Connection, Direction, Key, Listed, Order, PageArguments, Window, counter, listing};
use crate::patient::{Patient, loader as patients};
use crate::session::TreatmentSession;
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, Object, Result};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// Where a lot was used.
pub struct LotTrace {
    lot: Option<ProductLot>,
    lot_number: String,
    product: Option<String>,
    found: Arc<Found>,
}

/// What a trace found: its uses, the latest first, and the safety notices about it.
struct Found {
    lots: Vec<Uuid>,
    uses: Vec<LotUse>,
    notices: HashMap<Uuid, Vec<CallBack>>,
}

/// A patient who received a lot.
#[derive(Clone)]
pub struct LotTracePatient {
    /// The latest of their uses.
    latest: LotUse,
    found: Arc<Found>,
}

impl Listed for LotTracePatient {
    const NAME: &'static str = "LotTracePatient";
    fn whose(&self) -> Option<uuid::Uuid> {
        Some(self.latest.patient_id)
    }
}

impl Found {
    fn notices_of(&self, patient: Uuid) -> &[CallBack] {
        self.notices.get(&patient).map(Vec::as_slice).unwrap_or_default()
    }

    fn has_contact(&self, patient: Uuid) -> bool {
        self.notices_of(patient).iter().any(CallBack::has_contact)
    }

    /// Each patient once, by their latest use.
    fn patients(&self) -> Vec<LotUse> {
        let mut seen = BTreeSet::new();
        self.uses.iter().filter(|it| seen.insert(it.patient_id)).copied().collect()
    }
}

/// The order of what a trace lists: the latest use first.
fn order(name: &str) -> Order {
    Order {
        name: format!("{name}:Desc"),
        column: "started_at",
        id: "id",
        direction: Direction::Desc,
        sample: Key::Time(0),
    }
}

fn place(it: &LotUse, id: Uuid) -> (i64, Uuid) {
    (it.started_at.timestamp_micros(), id)
}

/// The part of a list, the latest first, that a window shows, plus one: what a store would fetch.
fn fetched(mut uses: Vec<LotUse>, window: &Window, id: fn(&LotUse) -> Uuid) -> Vec<LotUse> {
    uses.sort_by_key(|it| std::cmp::Reverse(place(it, id(it))));
    if let Some((Key::Time(time), from)) = &window.from {
        let from = (*time, *from);
        uses.retain(|it| if window.backward { place(it, id(it)) > from } else { place(it, id(it)) < from });
    }
    if window.backward {
        uses.reverse();
    }
    uses.truncate(usize::try_from(window.limit + 1).unwrap_or(0));
    uses
}

/// Where a lot was used.
#[Object]
impl LotTrace {
    /// The lot in the catalogue; null if the number is not in it, or belongs to several products.
    async fn lot(&self) -> Option<&ProductLot> {
        self.lot.as_ref()
    }
    /// The number of the lot, as it was asked for.
    async fn lot_number(&self) -> &str {
        &self.lot_number
    }
    /// The product, as the catalogue or the query names it.
    async fn product(&self) -> Option<&str> {
        self.product.as_deref()
    }
    /// The number of sessions in which it was used; at most 10,000 are counted.
    async fn session_count(&self) -> i64 {
        i64::try_from(self.found.uses.len()).unwrap_or(MOST_USES)
    }
    /// The number of patients who received it.
    async fn patient_count(&self) -> i64 {
        i64::try_from(self.found.patients().len()).unwrap_or(MOST_USES)
    }
    /// The number of them who have been informed: an attempt of a safety notice about this lot ended with REACHED,
    /// BOOKED or DECLINED.
    async fn contacted_count(&self) -> i64 {
        let known = self.found.patients().iter().filter(|it| self.found.has_contact(it.patient_id)).count();
        i64::try_from(known).unwrap_or(MOST_USES)
    }
    /// The number of them who have not been informed.
    async fn not_contacted_count(&self) -> i64 {
        let unknown = self.found.patients().iter().filter(|it| !self.found.has_contact(it.patient_id)).count();
        i64::try_from(unknown).unwrap_or(MOST_USES)
    }
    /// The sessions in which it was used, the latest first, without those entered in error.
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Result<Connection<TreatmentSession>> {
        let order = order("lotSession");
        let window = PageArguments { first, after, last, before }.window::<TreatmentSession>(ctx, &order).await?;
        let page = window.page(fetched(self.found.uses.clone(), &window, |it| it.session_id));
        let wanted = page.rows.iter().map(|it| it.session_id);
        let rows = listing::linked_many(ctx, wanted).await?;
        let next = page.beyond.map(|it| it.patient_id);
        let page = crate::page::Page {
            rows,
            has_next: page.has_next,
            has_previous: page.has_previous,
            backward: page.backward,
            beyond: None,
        };
        let all = i64::try_from(self.found.uses.len()).unwrap_or(MOST_USES);
        let key = |session: &TreatmentSession| (Key::time(session.started_at), session.id);
        Ok(Connection::new(page, &order, key, counter(move |_| async move { Ok(all) })).going_on_with(next))
    }
    /// The patients who received it, the latest use first.
    #[allow(clippy::too_many_arguments)]
    async fn patients(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "True: only patients who know. False: only patients who do not.")] contacted: Option<bool>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Result<Connection<LotTracePatient>> {
        let order = order("lotPatient");
        let window = PageArguments { first, after, last, before }.window::<LotTracePatient>(ctx, &order).await?;
        let mut uses = self.found.patients();
        uses.retain(|it| contacted.is_none_or(|wanted| self.found.has_contact(it.patient_id) == wanted));
        let all = i64::try_from(uses.len()).unwrap_or(MOST_USES);
        let page = window
            .page(fetched(uses, &window, |it| it.patient_id))
            .map(|latest| LotTracePatient { latest, found: Arc::clone(&self.found) });
        let key = |it: &LotTracePatient| (Key::time(it.latest.started_at), it.latest.patient_id);
        Ok(Connection::new(page, &order, key, counter(move |_| async move { Ok(all) })))
    }
}

/// A patient who received a lot.
#[Object]
impl LotTracePatient {
    /// The patient on whom the lot was used.
    async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.latest.patient_id).await
    }
    /// The sessions in which they received it, the latest first.
    async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<TreatmentSession>> {
        let theirs = self.found.uses.iter().filter(|it| it.patient_id == self.latest.patient_id);
        listing::linked_many(ctx, theirs.map(|it| it.session_id)).await
    }
    /// Their adverse events that name the lot as suspected or followed one of these sessions, newest report first,
    /// without those entered in error.
    async fn adverse_events(&self, ctx: &Context<'_>) -> Result<Vec<AdverseEvent>> {
        let patient = self.latest.patient_id;
        let mut events = listing::whole::<AdverseEvent>(ctx, ("patient_id", patient)).await?;
        let used = |session: Uuid| self.found.uses.iter().any(|it| it.session_id == session);
        events.retain(|event| {
            !event.entered_in_error
                && (event.lot_id.is_some_and(|lot| self.found.lots.contains(&lot))
                    || event.session_id.is_some_and(used))
        });
        Ok(events)
    }
    /// Whether they have been informed: an attempt of a safety notice about this lot ended with REACHED, BOOKED or
    /// DECLINED.
    async fn contacted(&self) -> bool {
        self.found.has_contact(self.latest.patient_id)
    }
    /// The attempts to reach them, from all safety notices about this lot, oldest first.
    async fn contacts(&self, ctx: &Context<'_>) -> Result<Vec<Attempt>> {
        let notices = self.found.notices_of(self.latest.patient_id);
        let mut contacts: Vec<Attempt> = notices.iter().flat_map(|notice| notice.attempts.clone()).collect();
        contacts.sort_by_key(|contact| contact.at);
        ctx.operation()?.lead_to(contacts.len())?;
        Ok(contacts)
    }
    /// The live safety notice about this lot.
    async fn open_recall(&self) -> Option<&CallBack> {
        self.found.notices_of(self.latest.patient_id).iter().find(|notice| notice.is_live())
    }
}

plain!(LotTracePatient: contacted);

/// What is traced: the lot in the catalogue, if it is there, the names, and the trail of its uses.
struct Wanted {
    lot: Option<ProductLot>,
    product: Option<String>,
    trail: Trail,
}

async fn by_id(scope: &mut Scope, id: Uuid) -> crate::error::Result<Wanted> {
    let lot: ProductLot = listing::one(scope, id).await?;
    let product: Product = listing::one(scope, lot.product_id).await?;
    let trail = Trail::of(&lot, &product);
    Ok(Wanted { lot: Some(lot), product: Some(product.name), trail })
}

async fn by_number(scope: &mut Scope, number: String, product: Option<String>) -> crate::error::Result<Wanted> {
    let lots = store::lots_numbered(scope, &number, product.as_deref()).await?;
    let trail =
        Trail { lots: lots.iter().map(|lot| lot.id).collect(), lot: number, product: product.clone(), by_number: true };
    let lot = match lots.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    };
    Ok(Wanted { lot, product, trail })
}

async fn trace(
    ctx: &Context<'_>,
    lot_id: Option<ID>,
    product: Option<String>,
    lot: Option<String>,
) -> crate::error::Result<LotTrace> {
    let said = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let (product, lot) = (said(product), said(lot));
    let mut faults = Faults::default();
    let id = lot_id.as_ref().map(|id| ids::parse(RecordKind::ProductLot, id));
    match (&id, &lot, &product) {
        (Some(Err(why)), _, _) => faults.add("lotId", why.clone()),
        (Some(Ok(_)), None, None) | (None, Some(_), _) => {}
        (Some(Ok(_)), _, _) => faults.add(
            "lotId",
            Code::NotTogether.says("can't be sent with lot and product: send one or the other").with("other", "lot"),
        ),
        (None, None, _) => faults.add("lot", Code::Required.says("is missing: say which lot, by lotId or by lot")),
    }
    for (path, text) in [("lot", &lot), ("product", &product)] {
        if text.as_ref().is_some_and(|text| text.contains('\0')) {
            faults.add(path, Code::BadCharacter.says("contains a NUL character: take it out"));
        }
    }
    faults.into_result()?;
    let mut scope = ctx.operation()?.reader().await?;
    // Checked before anything about the lot is revealed.
    scope.read_list(RecordKind::TreatmentSession, None)?;
    let Wanted { lot, product, trail } = match (id, lot) {
        (Some(Ok(id)), _) => by_id(&mut scope, id).await?,
        (_, Some(number)) => by_number(&mut scope, number, product).await?,
        _ => return Err(Error::Internal("a trace of nothing".to_owned())),
    };
    let uses = store::uses(&mut scope, &trail).await?;
    let mut notices: HashMap<Uuid, Vec<CallBack>> = HashMap::new();
    for notice in store::safety_notices(&mut scope, &trail.lots).await? {
        notices.entry(notice.patient_id).or_default().push(notice);
    }
    let found = Arc::new(Found { lots: trail.lots, uses, notices });
    let lot_number = lot.as_ref().map_or(trail.lot, |lot| lot.lot.clone());
    Ok(LotTrace { lot, lot_number, product, found })
}

/// The query that traces a lot.
#[derive(Default)]
pub struct LotTraceQuery;

#[Object]
impl LotTraceQuery {
    /// Where a lot was used. The lot is named by its id in the catalogue (then uses typed in by hand with its number
    /// and product count too), or by its number and, optionally, its product, as they were typed in, without regard to
    /// case. Null with NOT_FOUND if there is no lot with this id, with FORBIDDEN for roles that see no sessions.
    async fn lot_trace(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`lot_…`; without `lot` and `product`.")] lot_id: Option<ID>,
        #[graphql(desc = "The product's name; with `lot`.")] product: Option<String>,
        #[graphql(desc = "The lot's number.")] lot: Option<String>,
    ) -> Option<Result<LotTrace>> {
        Some(trace(ctx, lot_id, product, lot).await.map_err(Into::into))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeZone, Utc};
    use proptest::prelude::*;

    fn uses(times: &[i64]) -> Vec<LotUse> {
        let each = times.iter().enumerate().map(|(i, time)| LotUse {
            session_id: Uuid::from_u128(i as u128 + 1),
            patient_id: Uuid::nil(),
            started_at: Utc.timestamp_opt(*time, 0).unwrap(),
        });
        each.collect()
    }

    proptest! {
        #[test]
        fn pages_forward_and_backward_show_every_use_once(
            times in prop::collection::vec(0_i64..5, 0..20), limit in 1_i64..6, backward in any::<bool>()
        ) {
            let all = uses(&times);
            let mut expected = all.clone();
            expected.sort_by_key(|it| std::cmp::Reverse(place(it, it.session_id)));
            let (mut seen, mut from) = (Vec::new(), None);
            loop {
                let window = Window { limit, backward, from };
                let page = window.page(fetched(all.clone(), &window, |it| it.session_id));
                let edge = if backward { page.rows.first() } else { page.rows.last() };
                from = edge.map(|it| (Key::time(it.started_at), it.session_id));
                let more = if backward { page.has_previous } else { page.has_next };
                if backward {
                    seen.splice(0..0, page.rows);
                } else {
                    seen.extend(page.rows);
                }
                if !more {
                    break;
                }
            }
            prop_assert_eq!(seen, expected);
        }
    }
}
