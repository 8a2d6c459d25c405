//! The schema's roots, and the gate in front of the executor.

mod addendum;
pub mod adverse_event;
pub mod aftercare;
pub mod call_back;
pub mod care;
pub mod catalogue;
pub mod changes;
pub mod chart;
pub mod clearance;
pub mod consent;
pub mod consultation;
mod countersign;
pub mod credential;
pub mod custody;
mod duplicates;
pub mod health;
pub mod health_review;
pub mod health_term;
pub mod history;
mod identity;
pub mod lists;
pub mod live;
pub mod merge;
mod mutations;
mod node;
pub mod organisation;
pub mod outcome;
pub mod patient;
pub mod persisted;
pub mod photo;
pub mod plan;
pub mod privacy;
pub mod protocol;
mod retract;
pub mod service_account;
pub mod session;
mod sign_in;
pub mod signing;
pub mod stamp;
pub mod supervision;
pub mod webhook;

use adverse_event::{AdverseEventQuery, mutation::AdverseEventMutation};
use aftercare::{AftercareQuery, mutation::AftercareMutation};
use async_graphql::{MergedObject, ValidationMode, extensions};
use call_back::{CallBackQuery, lot_trace::LotTraceQuery, mutation::CallBackMutation};
use care::{CareQuery, mutation::CareMutation};
use catalogue::{CatalogueQuery, mutation::CatalogueMutation};
use changes::ChangeQuery;
use chart::ChartQuery;
use clearance::{ClearanceQuery, mutation::ClearanceMutation};
use consent::{ConsentQuery, mutation::ConsentMutation, template_mutation::ConsentTemplateMutation};
use consultation::{ConsultationQuery, mutation::ConsultationMutation};
use credential::{CredentialQuery, mutation::CredentialMutation};
use custody::{CustodyQuery, mutation::CustodyMutation};
use health::{HealthQuery, mutation::HealthMutation};
use health_review::{HealthReviewQuery, mutation::HealthReviewMutation};
use health_term::{HealthTermQuery, mutation::HealthTermMutation};
use merge::{MergeQuery, mutation::MergeMutation};
use mutations::EachAlone;
use organisation::{OrganisationQuery, location_mutation::LocationMutation, mutation::OrganisationMutation};
use outcome::{OutcomeQuery, mutation::OutcomeMutation};
use patient::{mutation::PatientMutation, query::PatientQuery};
use photo::{PhotoQuery, mutation::PhotoMutation};
use plan::{PlanQuery, mutation::PlanMutation};
use privacy::{PrivacyQuery, access_log::AccessLogQuery, mutation::PrivacyMutation};
use protocol::{ProtocolQuery, mutation::ProtocolMutation};
use service_account::{ServiceAccountQuery, mutation::ServiceAccountMutation};
use session::{SessionQuery, mutation::SessionMutation};
use signing::{SigningQuery, retraction::RetractionQuery};
use supervision::{SupervisionQuery, mutation::SupervisionMutation};
use webhook::{WebhookQuery, mutation::WebhookMutation};

/// All queries.
///
/// A query or mutation that fails is null, with an entry in `errors` whose `extensions.code` says why, such as FORBIDDEN,
/// NOT_FOUND or BAD_USER_INPUT (with every fault of the input in `extensions.fields`). Lists hold 20 records unless
/// `first` or `last` says otherwise, and 100 at most. A "sign-in" is somebody's session with this service; a "session" is a
/// treatment.
#[derive(MergedObject, Default)]
pub struct Query(
    node::NodeQuery,
    OrganisationQuery,
    CredentialQuery,
    ServiceAccountQuery,
    WebhookQuery,
    PatientQuery,
    HealthQuery,
    HealthReviewQuery,
    HealthTermQuery,
    ConsultationQuery,
    SessionQuery,
    AftercareQuery,
    SigningQuery,
    RetractionQuery,
    SupervisionQuery,
    CatalogueQuery,
    ProtocolQuery,
    PlanQuery,
    CareQuery,
    ConsentQuery,
    OutcomeQuery,
    ClearanceQuery,
    AdverseEventQuery,
    CallBackQuery,
    LotTraceQuery,
    MergeQuery,
    ChartQuery,
    ChangeQuery,
    CustodyQuery,
    PrivacyQuery,
    AccessLogQuery,
    PhotoQuery,
);

/// All mutations. Each field is one transaction: it either completes, with its ledger entry, or changes nothing.
#[derive(MergedObject, Default)]
pub struct Mutation(
    sign_in::SignInMutation,
    identity::IdentityMutation,
    OrganisationMutation,
    LocationMutation,
    CredentialMutation,
    ServiceAccountMutation,
    WebhookMutation,
    PatientMutation,
    HealthMutation,
    HealthReviewMutation,
    HealthTermMutation,
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
    ClearanceMutation,
    AdverseEventMutation,
    CallBackMutation,
    MergeMutation,
    CustodyMutation,
    PrivacyMutation,
    PhotoMutation,
    addendum::AddendumMutation,
    SupervisionMutation,
    countersign::CountersignMutation,
    retract::RetractMutation,
);

/// The schema.
pub type Schema = async_graphql::Schema<Query, EachAlone<Mutation>, live::Live>;

fn builder() -> async_graphql::SchemaBuilder<Query, EachAlone<Mutation>, live::Live> {
    Schema::build(Query::default(), EachAlone::<Mutation>::default(), live::Live)
        .register_output_type::<node::ClinicalRecord>()
        // The gate validates each document, once; what is left of the engine's own looks for what would break it.
        .validation_mode(ValidationMode::Fast)
        // Where the engine compares an unknown name, it would do so letter by letter with every known one.
        .disable_suggestions()
}

/// Builds the schema. The code in front of it decides who may introspect it.
pub fn schema() -> Schema {
    builder().finish()
}

/// A schema that runs nothing: for the fuzz targets.
pub fn never_run() -> Schema {
    builder().extension(NeverRun).finish()
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
    let options = async_graphql::SDLExportOptions::new()
        .sorted_enum_items()
        .prefer_single_line_descriptions()
        .include_specified_by();
    let sdl = schema().sdl_with_options(options);
    format!("{}\n", sdl.trim_end())
}
