//! Restricted patients, emergency access, and who looked at whom.

mod access_log;
mod emergency;
pub mod mail;
mod restricted;
mod shown;

use crate::access::{QUERIES, query};
use crate::support::*;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const SIGHT: &str = "query ($id: ID!) { patient(id: $id) { displayName restricted } }";
const CLOSED: &str = "REASON_REQUIRED";
const NO: &str = "FORBIDDEN";

async fn restrict(clinic: &Clinic, patient: &Made) -> Made {
    let input = json!({"patientId": patient.id, "reason": "Works here"});
    clinic.admin().because("To restrict it").make("restrictPatient", "restriction", input).await
}

async fn begin(by: &SignedIn, patient: &Made) -> Answer {
    let input = json!({"patientId": patient.id, "reason": "Unconscious at the door"});
    by.does("beginEmergencyAccess", input, "emergencyAccess { id version patientId open begunAt endsAt }").await
}

async fn sees(by: &SignedIn, patient: &Made) -> String {
    by.graphql(SIGHT, json!({"id": patient.id})).await.outcome()
}

/// The newest rows of the north's access log: event, operation, reason, actor, patients.
async fn looks(clinic: &Clinic, newest: usize) -> Vec<Vec<String>> {
    let sql = clinic.database.superuser().await;
    let rows = format!(
        "SELECT event, operation, reason, actor_id, array_to_string(patient_ids, ' ') FROM access_log \
        WHERE org_id = '{}' ORDER BY seq DESC LIMIT {newest}",
        clinic.north.uuid
    );
    sql.rows(&rows).await.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect()
}

/// A selection of everything below a type that says of which record or patient it is.
fn ids_of(schema: &Schema, ty: &str, depth: usize) -> String {
    const BELOW: [&str; 9] =
        ["nodes", "patient", "sessions", "patients", "from", "into", "record", "healthHistory", "adverseEvents"];
    let ty = schema.get(ty);
    let mut selection = "__typename ".to_owned();
    for field in &ty.fields {
        let name = field.name.as_str();
        if ["id", "patientId", "patientIds", "recordId"].contains(&name) {
            selection += &format!("{name} ");
        } else if depth > 0
            && ty.name != "Patient"
            && BELOW.contains(&name)
            && schema.get(field.named_type()).kind == "OBJECT"
        {
            selection += &format!("{name} {{ {} }} ", ids_of(schema, field.named_type(), depth - 1));
        }
    }
    selection
}

/// A query of the table: its name, its arguments, its text with the ids of what it shows, and who may ask it.
type Asked = (&'static str, &'static str, String, &'static [&'static str; 4]);

async fn queries(clinic: &Clinic) -> Vec<Asked> {
    let schema = Schema::ask(&clinic.anonymous()).await;
    let each = QUERIES.iter().map(|(name, arguments, rights)| {
        let root = schema.get("Query").fields.iter().find(|field| field.name == *name).expect("a root field");
        let selection = match *name {
            "node" | "nodes" => "id ... on TreatmentSession { patient { id } }".to_owned(),
            _ => ids_of(&schema, root.named_type(), 3),
        };
        (*name, *arguments, query(&format!("{name}{arguments} {{ {selection} }}")), rights)
    });
    each.collect()
}

/// Whose each record is, by its bare id; patients too.
async fn owners(sql: &Sql) -> BTreeMap<Uuid, Uuid> {
    let mut owners = BTreeMap::new();
    for table in sql.column("SELECT name FROM patient_tables()").await {
        for row in sql.rows(&format!("SELECT id, patient_id FROM {table}")).await {
            let [Some(id), Some(patient)] = row.as_slice() else { panic!("{row:?}") };
            owners.insert(id.parse().unwrap(), patient.parse().unwrap());
        }
    }
    owners.extend(sql.column("SELECT id FROM patient").await.iter().map(|id| {
        let id: Uuid = id.parse().unwrap();
        (id, id)
    }));
    owners
}

fn ids_in(value: &Value, found: &mut BTreeSet<Uuid>) {
    match value {
        Value::Object(fields) => fields.values().for_each(|value| ids_in(value, found)),
        Value::Array(items) => items.iter().for_each(|value| ids_in(value, found)),
        Value::String(text) if text.rsplit_once('_').is_some_and(|(_, digits)| digits.len() == 26) => {
            found.insert(uuid_of(text));
        }
        _ => {}
    }
}
