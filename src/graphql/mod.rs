//! The schema's roots, and the gate in front of the executor.

mod addendum;
pub mod gate;
mod node;
mod sign_in;

use crate::adverse_event::{graphql::AdverseEventQuery, mutation::AdverseEventMutation};
use crate::aftercare::{graphql::AftercareQuery, mutation::AftercareMutation};
use crate::care::{graphql::CareQuery, mutation::CareMutation};
use crate::catalogue::{graphql::CatalogueQuery, mutation::CatalogueMutation};
use crate::chart::graphql::ChartQuery;
use crate::consent::{graphql::ConsentQuery, mutation::ConsentMutation, template_mutation::ConsentTemplateMutation};
use crate::consultation::{graphql::ConsultationQuery, mutation::ConsultationMutation};
use crate::custody::{graphql::CustodyQuery, mutation::CustodyMutation};
use crate::health::{graphql::HealthQuery, mutation::HealthMutation};
use crate::merge::{graphql::MergeQuery, mutation::MergeMutation};
use crate::organisation::{graphql::OrganisationQuery, mutation::OrganisationMutation};
use crate::outcome::{graphql::OutcomeQuery, mutation::OutcomeMutation};
use crate::patient::{graphql::PatientQuery, mutation::PatientMutation};
use crate::photo::{graphql::PhotoQuery, mutation::PhotoMutation};
use crate::plan::{graphql::PlanQuery, mutation::PlanMutation};
use crate::privacy::{access_log::AccessLogQuery, graphql::PrivacyQuery, mutation::PrivacyMutation};
use crate::protocol::{graphql::ProtocolQuery, mutation::ProtocolMutation};
use crate::recall::{graphql::RecallQuery, mutation::RecallMutation, trace::LotTraceQuery};
use crate::session::{graphql::SessionQuery, mutation::SessionMutation};
use crate::signing::graphql::SigningQuery;
use async_graphql::{EmptySubscription, MergedObject};

/// Everything that can be asked.
#[derive(MergedObject, Default)]
pub struct Query(
    node::NodeQuery,
    OrganisationQuery,
    PatientQuery,
    HealthQuery,
    ConsultationQuery,
    SessionQuery,
    AftercareQuery,
    SigningQuery,
    CatalogueQuery,
    ProtocolQuery,
    PlanQuery,
    CareQuery,
    ConsentQuery,
    OutcomeQuery,
    AdverseEventQuery,
    RecallQuery,
    LotTraceQuery,
    MergeQuery,
    ChartQuery,
    CustodyQuery,
    PrivacyQuery,
    AccessLogQuery,
    PhotoQuery,
);

/// Everything that can be done. Each field is one transaction: it happens whole, with its ledger entry, or not at all.
#[derive(MergedObject, Default)]
pub struct Mutation(
    sign_in::SignInMutation,
    OrganisationMutation,
    PatientMutation,
    HealthMutation,
    ConsultationMutation,
    SessionMutation,
    AftercareMutation,
    CatalogueMutation,
    ProtocolMutation,
    PlanMutation,
    CareMutation,
    ConsentTemplateMutation,
    ConsentMutation,
    OutcomeMutation,
    AdverseEventMutation,
    RecallMutation,
    MergeMutation,
    CustodyMutation,
    PrivacyMutation,
    PhotoMutation,
    addendum::AddendumMutation,
);

/// The schema.
pub type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// Builds the schema. With introspection off, `__schema` and `__type` are refused.
pub fn schema(introspection: bool) -> Schema {
    let builder = Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .register_output_type::<node::ClinicalRecord>();
    if introspection { builder.finish() } else { builder.disable_introspection().finish() }
}

/// The schema as SDL: what `schema.graphql` holds.
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new().sorted_enum_items().prefer_single_line_descriptions();
    let sdl = schema(true).sdl_with_options(options);
    format!("{}\n", sdl.trim_end())
}
