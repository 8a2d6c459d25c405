//! The lists of a patient's records of the plain kinds, at the patient and in their chart: a row for each kind. What reads
//! otherwise (the health history, records with parts) is in `patient` and `chart` themselves.

use crate::adverse_event::{AdverseEvent, AdverseEventFilter, AdverseEventOrder};
use crate::call_back::{CallBack, CallBackFilter, CallBackOrder};
use crate::chart::PatientChart;
use crate::clearance::{Clearance, ClearanceFilter, ClearanceOrder};
use crate::consent::{Consent, ConsentFilter, ConsentOrder};
use crate::health_review::{HealthReview, HealthReviewFilter, HealthReviewOrder};
use crate::ledger::{Entry, Record};
use crate::operation::Running;
use crate::outcome::{OutcomeAssessment, OutcomeFilter, OutcomeOrder};
use crate::page::{Connection, PageArguments, listing};
use crate::photo::{Photo, PhotoFilter, PhotoOrder};
use crate::plan::{PlanFilter, PlanOrder, TreatmentPlan};
use async_graphql::{Context, Object, Result};
use uuid::Uuid;

/// The records of one kind in a chart. Each list counts towards the limit on records once for each alias it is asked
/// under.
pub fn of_kind<R: Record>(chart: &PatientChart, ctx: &Context<'_>) -> Result<Vec<R>> {
    let entries = chart.records.iter().rev().filter(|entry| entry.kind == R::KIND);
    ctx.operation()?.lead_to(entries.clone().count())?;
    Ok(entries.map(Entry::record_as).collect::<crate::error::Result<Vec<R>>>()?)
}

macro_rules! lists {
    ($(
        $(#[$meta:meta])*
        $name:ident: $record:ident by $filter:ident, $order:ident;
        $(#[$in_chart:meta])*
        in charts;
    )+) => {
        /// Lists of a patient's records. They appear as the patient's own fields (`#[graphql(flatten)]`).
        pub struct ListsOfPatient(pub Uuid);

        /// Lists of a patient's records.
        #[Object]
        impl ListsOfPatient {
            $(
                $(#[$meta])*
                #[allow(clippy::too_many_arguments)]
                async fn $name(
                    &self,
                    ctx: &Context<'_>,
                    #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<$filter>>,
                    #[graphql(desc = "The sort order.")] order_by: Option<$order>,
                    #[graphql(desc = "At most this many records from the start of the list, up to 100.")]
                    first: Option<i32>,
                    #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
                    #[graphql(desc = "At most this many records from the end of the list, up to 100.")]
                    last: Option<i32>,
                    #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
                ) -> Option<Result<Connection<$record>>> {
                    let condition = filter.unwrap_or_default().read();
                    let window = PageArguments { first, after, last, before };
                    Some(listing::under(ctx, ("patient_id", self.0), condition, order_by, window).await)
                }
            )+
        }

        /// Lists of a chart as it was known. They appear as the chart's own fields (`#[graphql(flatten)]`).
        pub struct ListsInChart<'c>(pub &'c PatientChart);

        /// Lists of a chart as it was known.
        #[Object]
        impl<'c> ListsInChart<'c> {
            $(
                $(#[$in_chart])*
                async fn $name(&self, ctx: &Context<'_>) -> Result<Vec<$record>> {
                    of_kind(self.0, ctx)
                }
            )+
        }
    };
}

lists! {
    /// Reviews of the health history, newest first unless asked otherwise, without those entered in error unless the filter
    /// asks for them. Null with FORBIDDEN for roles that see no clinical record.
    health_reviews: HealthReview by HealthReviewFilter, HealthReviewOrder;
    /// Reviews of the health history, the newest change first.
    in charts;
    /// Treatment plans, the latest first unless asked otherwise. Null with FORBIDDEN for roles that see no clinical record.
    treatment_plans: TreatmentPlan by PlanFilter, PlanOrder;
    /// Treatment plans, the newest change first.
    in charts;
    /// Consents, newest first unless asked otherwise. Null with FORBIDDEN for roles that see no clinical record.
    consents: Consent by ConsentFilter, ConsentOrder;
    /// Consents, the newest change first.
    in charts;
    /// Outcome assessments, newest first unless asked otherwise, without those entered in error unless the filter asks for
    /// them. Null with FORBIDDEN for roles that see no clinical record.
    outcomes: OutcomeAssessment by OutcomeFilter, OutcomeOrder;
    /// Outcome assessments, the newest change first.
    in charts;
    /// Clearances, newest first unless asked otherwise, without those entered in error unless the filter asks for them. Null
    /// with FORBIDDEN for roles that see no clinical record.
    clearances: Clearance by ClearanceFilter, ClearanceOrder;
    /// Clearances, the newest change first.
    in charts;
    /// Adverse events, the latest onset first unless asked otherwise. Null with FORBIDDEN for roles that see no clinical
    /// record.
    adverse_events: AdverseEvent by AdverseEventFilter, AdverseEventOrder;
    /// Adverse events, the newest change first.
    in charts;
    /// Recalls, the first due first unless asked otherwise.
    recalls: CallBack by CallBackFilter, CallBackOrder;
    /// Recalls, the newest change first.
    in charts;
    /// Photos, latest first unless asked otherwise. Null with FORBIDDEN for roles that see no clinical record.
    photos: Photo by PhotoFilter, PhotoOrder;
    /// Photos, without their bytes, the newest change first.
    in charts;
}
