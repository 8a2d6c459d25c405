//! The schema's roots, and the gate in front of the executor.

mod addendum;
pub mod gate;
mod identity;
mod node;
pub mod persisted;
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
use crate::service_account::{graphql::ServiceAccountQuery, mutation::ServiceAccountMutation};
use crate::session::{graphql::SessionQuery, mutation::SessionMutation};
use crate::signing::graphql::SigningQuery;
use async_graphql::{EmptySubscription, MergedObject, extensions};

/// Everything that can be asked.
#[derive(MergedObject, Default)]
pub struct Query(
    node::NodeQuery,
    OrganisationQuery,
    ServiceAccountQuery,
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
    identity::IdentityMutation,
    OrganisationMutation,
    ServiceAccountMutation,
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

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .register_output_type::<node::ClinicalRecord>()
        // For each unknown field the engine would compare its name with every known one, letter by letter, before anybody
        // has signed in: 400 long names took a second.
        .disable_suggestions()
}

/// Builds the schema. Who may introspect it is decided in front of it.
pub fn schema() -> Schema {
    builder().finish()
}

/// A schema that validates and runs nothing: for the fuzz targets.
pub fn never_run() -> Schema {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .register_output_type::<node::ClinicalRecord>()
        .extension(NeverRun)
        .finish()
}

struct NeverRun;

impl extensions::ExtensionFactory for NeverRun {
    fn create(&self) -> std::sync::Arc<dyn extensions::Extension> {
        std::sync::Arc::new(NeverRun)
    }
}

#[async_graphql::async_trait::async_trait]
impl extensions::Extension for NeverRun {
    async fn execute(
        &self,
        _: &extensions::ExtensionContext<'_>,
        _: Option<&str>,
        _: extensions::NextExecute<'_>,
    ) -> async_graphql::Response {
        async_graphql::Response::default()
    }
}

/// The schema as SDL: what `schema.graphql` holds.
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new().sorted_enum_items().prefer_single_line_descriptions();
    let sdl = schema().sdl_with_options(options);
    format!("{}\n", sdl.trim_end())
}
