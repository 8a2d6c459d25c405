//! Any record by its typed id.

use crate::adverse_event::AdverseEvent;
use crate::aftercare::AftercareNote;
use crate::call_back::CallBack;
use crate::catalogue::{Device, Product, ProductLot};
use crate::clearance::Clearance;
use crate::consent::{Consent, ConsentTemplate, ConsentTemplateVersion};
use crate::consultation::Consultation;
use crate::credential::Credential;
use crate::custody::{LegalHold, PatientErasure};
use crate::error::{Code, Error};
use crate::health::HealthEntry;
use crate::health_review::HealthReview;
use crate::health_term::HealthTerm;
use crate::ids;
use crate::ledger::{self, RecordVersion};
use crate::merge::PatientMerge;
use crate::operation::{AtOnce, Reader, Running};
use crate::organisation::{self, Location, Organisation, Staff};
use crate::outcome::OutcomeAssessment;
use crate::page::{Connection, listing, parse_any_id};
use crate::patient::Patient;
use crate::photo::Photo;
use crate::plan::TreatmentPlan;
use crate::privacy::{EmergencyAccess, PatientRestriction};
use crate::protocol::{Protocol, ProtocolVersion};
use crate::record::Signature;
use crate::scalars::DateTime;
use crate::service_account::{ApiKey, ServiceAccount};
use crate::session::TreatmentSession;
use crate::signing::{Addendum, Countersignature, Retraction};
use crate::supervision::{ChartReview, SupervisionAgreement};
use crate::vocabulary::RecordKind;
use crate::webhook::Webhook;
use async_graphql::{Context, ID, Interface, Object, Result};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// What `node` and `nodes` find: a row for each kind of record.
macro_rules! nodes {
    ($($(#[$meta:meta])* $kind:ident),+ $(,)?) => {
        /// Anything with a typed id.
        #[derive(Interface, Clone)]
        #[graphql(field(name = "id", ty = "ID", desc = "Typed id: the kind, an underscore, and a UUIDv7 as 26 digits of Crockford's base 32 in lower case (a TypeID), such as `patient_01k9v6s3dqf0r8y0m4h6t2x5wz`."))]
        pub enum Node {
            /// The organisation.
            Organisation(Organisation),
            $($(#[$meta])* $kind($kind),)+
        }

        /// Records of one kind, in one statement.
        async fn load(
            scope: &mut Reader<'_>,
            kind: RecordKind,
            ids: &[Uuid],
        ) -> crate::error::Result<Vec<(Uuid, Node)>> {
            Ok(match kind {
                RecordKind::Organisation => {
                    let own = organisation::store::organisation(scope).await?;
                    ids.iter().filter(|id| **id == own.id).map(|id| (*id, Node::Organisation(own.clone()))).collect()
                }
                $(RecordKind::$kind => {
                    let found = listing::by_ids::<$kind>(scope, ids).await?;
                    found.into_iter().map(|record| (record.id, Node::$kind(record))).collect()
                })+
            })
        }

        /// The fields that each kind says need few columns.
        #[cfg(test)]
        fn light() -> Vec<(&'static str, &'static [&'static str])> {
            vec![$((<$kind as crate::page::Listed>::NAME, <$kind as crate::page::Stored>::LIGHT)),+]
        }

        /// The size in bytes of the future of a field of each kind.
        #[cfg(test)]
        fn field_sizes() -> Vec<(&'static str, usize)> {
            vec![$((<$kind as crate::page::Listed>::NAME, tests::field_size::<$kind>())),+]
        }
    };
}

nodes! {
    /// A clinic.
    Location,
    /// A staff member.
    Staff,
    /// A credential of a staff member.
    Credential,
    /// A service account: an account of a program.
    ServiceAccount,
    /// A key of a service account.
    ApiKey,
    /// A webhook.
    Webhook,
    /// A patient.
    Patient,
    /// An entry of a health history.
    HealthEntry,
    /// A review of the health history.
    HealthReview,
    /// A clinic's own name or code of the code list.
    HealthTerm,
    /// A consultation.
    Consultation,
    /// A treatment session.
    TreatmentSession,
    /// An aftercare note.
    AftercareNote,
    /// A photo.
    Photo,
    /// An addendum.
    Addendum,
    /// A further signature on a signed record.
    Countersignature,
    /// The retraction of a signed record.
    Retraction,
    /// An agreement of supervision.
    SupervisionAgreement,
    /// The review of a signed record.
    ChartReview,
    /// A device.
    Device,
    /// A merge of two patients.
    PatientMerge,
    /// A legal hold.
    LegalHold,
    /// What remains of an erased patient.
    PatientErasure,
    /// A restriction of a patient's record.
    PatientRestriction,
    /// Emergency access to a patient's record.
    EmergencyAccess,
    /// An adverse event.
    AdverseEvent,
    /// A recall.
    CallBack,
    /// A product.
    Product,
    /// A text that patients agree to.
    ConsentTemplate,
    /// A version of such a text.
    ConsentTemplateVersion,
    /// A consent.
    Consent,
    /// An outcome assessment.
    OutcomeAssessment,
    /// A clearance.
    Clearance,
    /// A lot.
    ProductLot,
    /// A treatment plan.
    TreatmentPlan,
    /// A protocol.
    Protocol,
    /// A version of a protocol.
    ProtocolVersion,
}

/// The fields that every kind of signable record has.
#[allow(clippy::duplicated_attributes)] // each field of an interface says its own
#[derive(Interface)]
#[graphql(
    field(name = "id", ty = "ID", desc = "Typed id."),
    field(name = "patient", ty = "Result<AtOnce<Patient>>", desc = "The patient whose record it is."),
    field(name = "version", ty = "i32", desc = "The version number: 1 at first, increased by 1 with each change."),
    field(name = "created_at", ty = "DateTime", desc = "When the record was created."),
    field(name = "updated_at", ty = "DateTime", desc = "When the record was last changed."),
    field(name = "signature", ty = "Option<Signature>", desc = "The first signature; null while it is a draft."),
    field(
        name = "addenda",
        ty = "Result<Connection<Addendum>>",
        desc = "The addenda to the signed record, oldest first.",
        arg(
            name = "first",
            ty = "Option<i32>",
            desc = "At most this many records from the start of the list, up to 100."
        ),
        arg(name = "after", ty = "Option<String>", desc = "Only records after this cursor.")
    ),
    field(
        name = "history",
        ty = "Result<Connection<RecordVersion>>",
        desc = "Every version of this record, newest first.",
        arg(
            name = "first",
            ty = "Option<i32>",
            desc = "At most this many records from the start of the list, up to 100."
        ),
        arg(name = "after", ty = "Option<String>", desc = "Only records after this cursor.")
    )
)]
pub enum ClinicalRecord {
    /// A consultation.
    Consultation(Consultation),
    /// A treatment session.
    TreatmentSession(TreatmentSession),
    /// An aftercare note.
    AftercareNote(AftercareNote),
}

/// The maximum number of ids in one `nodes` query.
const MOST_NODES: usize = 100;

/// The queries by typed id.
#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any record by its typed id; null with NOT_FOUND if there is none.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "Any typed id.")] id: ID) -> Option<Result<Node>> {
        let found = async {
            let (kind, record) = parse_any_id("id", &id)?;
            let mut scope = ctx.operation()?.reader().await?;
            let found = load(&mut scope, kind, &[record]).await?.into_iter().next();
            match found {
                Some((_, node)) => Ok(node),
                None => Err(ledger::absent(&mut scope, kind, record).await.into()),
            }
        };
        Some(found.await)
    }

    /// Records by their typed ids, in the order of the ids; null with an error where there is none.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Any typed ids, at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Result<Node>>>> {
        if ids.len() > MOST_NODES {
            return Err(Error::input(
                "ids",
                Code::TooMany
                    .says(format!("has {} ids; at most {MOST_NODES} are looked up", ids.len()))
                    .with("count", ids.len())
                    .with("max", MOST_NODES),
            )
            .into());
        }
        let mut wanted: BTreeMap<RecordKind, Vec<Uuid>> = BTreeMap::new();
        for (kind, id) in ids.iter().filter_map(|id| ids::parse_any(id)) {
            wanted.entry(kind).or_default().push(id);
        }
        let mut found: HashMap<Uuid, Node> = HashMap::new();
        let mut failed: HashMap<RecordKind, Arc<Error>> = HashMap::new();
        if !wanted.is_empty() {
            let mut scope = ctx.operation()?.reader().await?;
            for (kind, records) in wanted {
                match load(&mut scope, kind, &records).await {
                    Ok(nodes) => found.extend(nodes),
                    Err(error) => {
                        failed.insert(kind, Arc::new(error));
                    }
                }
            }
        }
        let parsed = ids.iter().filter_map(|id| ids::parse_any(id));
        let missing: Vec<(RecordKind, Uuid)> =
            parsed.filter(|(kind, id)| !found.contains_key(id) && !failed.contains_key(kind)).collect();
        for (kind, _) in &missing {
            if let Err(error) = ctx.operation()?.in_emergency_of(*kind, None) {
                failed.insert(*kind, Arc::new(error));
            }
        }
        let restricted = match missing.as_slice() {
            [] => BTreeSet::new(),
            missing => ledger::restricted(&mut *ctx.operation()?.reader().await?, missing).await?,
        };
        let nodes = ids.iter().enumerate().map(|(place, id)| {
            Some(match ids::parse_any(id) {
                None => Err(Error::input(
                    format!("ids.{place}"),
                    Code::NotAnId.says(format!(
                        "{} is not an id of this service",
                        id.as_str().chars().take(60).collect::<String>()
                    )),
                )
                .into()),
                Some((kind, record)) => match (found.get(&record), failed.get(&kind)) {
                    (Some(node), _) => Ok(node.clone()),
                    (None, Some(error)) => Err(async_graphql::Error::from(error.as_ref())),
                    (None, None) if restricted.contains(&record) => Err(Error::ReasonRequired.into()),
                    (None, None) => Err(Error::not_found(&kind.words(), id.as_str()).into()),
                },
            })
        });
        Ok(nodes.collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::page::{Connection, PageInfo};
    use crate::patient::Patient;
    use async_graphql::{ContainerType, Context};

    fn size_of_future<A, B, F: Future>(_: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }

    /// The size of the future that answers a field of a type. Each field of each record of an answer allocates one,
    /// whatever the field, so it must not carry what only the largest field needs.
    pub(super) fn field_size<T: ContainerType + 'static>() -> usize {
        size_of_future(|record: &'static T, ctx: &'static Context<'static>| record.resolve_field(ctx))
    }

    #[test]
    fn a_field_is_a_small_future() {
        let mut sizes = super::field_sizes();
        sizes.push(("PageInfo", field_size::<PageInfo>()));
        sizes.push(("PatientConnection", field_size::<Connection<Patient>>()));
        let large: Vec<_> = sizes.iter().filter(|(_, bytes)| *bytes > LARGEST_FIELD).collect();
        assert!(large.is_empty(), "box what these await, or load it by `ctx.load`: {large:?}");
    }

    const LARGEST_FIELD: usize = 1_600;

    #[test]
    fn what_needs_few_columns_is_a_field() {
        let sdl = crate::api::sdl();
        for (ty, names) in super::light() {
            let (_, after) = sdl.split_once(&format!("\ntype {ty} ")).expect(ty);
            let fields = after.split("\n}").next().unwrap_or_default();
            for name in names.iter().filter(|name| **name != "stamp") {
                let field = crate::page::camel(name);
                let there = fields.contains(&format!("\t{field}:")) || fields.contains(&format!("\t{field}("));
                assert!(there, "{ty} has no {field}");
            }
        }
    }
}
