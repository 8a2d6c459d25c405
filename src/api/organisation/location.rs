//! Clinics in the API.

use crate::api::history::history;
use crate::ledger::RecordVersion;
use crate::operation::{Running, plain};
use crate::organisation::filter::{PlaceFilter, PlaceOrder};
use crate::organisation::{ClearancePolicy, Location, loader};
use crate::page::{Connection, ListOrder, Listed, PageArguments, batch_counter, global_id};
use crate::record::Address;
use crate::scalars::DateTime;
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, InputObject, Object, Result};

impl Listed for Location {
    const NAME: &'static str = "Location";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A clinic of the organisation.
#[Object]
impl Location {
    /// Typed id, `location_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Location, self.id)
    }
    /// Its name, unique in the organisation.
    async fn name(&self) -> &str {
        &self.name
    }
    /// IANA time zone, such as Europe/Madrid. Windows of care are computed in it.
    async fn time_zone(&self) -> &str {
        &self.time_zone
    }
    /// The postal address of the clinic.
    async fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }
    /// E.164 number.
    async fn phone(&self) -> Option<&str> {
        self.phone.as_deref()
    }
    /// Whether new records may name it.
    async fn active(&self) -> bool {
        self.active
    }
    /// Whether it asks for a prescriber's clearance (rule CLEARANCE).
    async fn clearance(&self) -> ClearancePolicy {
        self.clearance
    }
    /// Whether a missing clearance blocks a session; otherwise it warns.
    async fn clearance_blocks(&self) -> bool {
        self.clearance_blocks
    }
    /// From which age patients decide alone, in years: 18 unless it was set.
    async fn age_of_consent(&self) -> i16 {
        self.age_of_consent
    }
    /// Whether the consultation before a treatment must have been held face to face (rule CONSULTATION).
    async fn consultation_in_person(&self) -> bool {
        self.consultation_in_person
    }
    /// The version number: 1 at first, increased by 1 with each change. Send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.stamp.version
    }
    /// When it was added.
    async fn created_at(&self) -> DateTime {
        DateTime(self.stamp.created_at)
    }
    /// When it was last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.stamp.updated_at)
    }
    /// Every version of this record, newest first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<RecordVersion>> {
        history(ctx, RecordKind::Location, self.id, first, after).await
    }
}

plain!(Location: id, name, time_zone, phone, active, clearance, clearance_blocks, age_of_consent, consultation_in_person, version, created_at, updated_at);

/// A page of locations, for the root field and for the organisation's field.
pub(super) async fn locations(
    ctx: &Context<'_>,
    filter: PlaceFilter,
    order_by: PlaceOrder,
    arguments: PageArguments,
) -> Result<Connection<Location>> {
    let order = ListOrder::<Location>::order(order_by);
    let window = arguments.window::<Location>(ctx, &order).await?;
    let page = ctx.load(loader::LocationPage { filter, order: order_by, window }).await?.unwrap_or_default();
    let count = batch_counter(ctx, loader::LocationsCounted(filter))?;
    Ok(Connection::new(page, &order, |it| order_by.key(it), count))
}

/// Filter for a list of clinics.
#[derive(InputObject, Default)]
pub struct LocationFilter {
    /// True: active ones only. False: inactive ones only.
    pub(super) active: Option<bool>,
    /// Added or changed at or after this moment.
    pub(super) updated_since: Option<DateTime>,
}
