//! That the walks leave out no list that can be sorted, but for those named here.

use super::pairs;
use crate::support::*;

/// Lists that can be sorted and are not walked here, `Type.field`. It may only shrink: a new list is walked. Service accounts
/// and webhooks are not for the practitioner who walks; `webhooks::told` walks those.
const NOT_WALKED: [&str; 21] = [
    "Patient.adverseEvents",
    "Patient.photos",
    "Patient.recalls",
    "Patient.treatmentPlans",
    "Product.lots",
    "Protocol.versions",
    "Query.adverseEvents",
    "Query.devices",
    "Query.emergencyAccesses",
    "Query.patientErasures",
    "Query.photos",
    "Query.productLots",
    "Query.products",
    "Query.protocols",
    "Query.recalls",
    "Query.serviceAccounts",
    "Query.treatmentPlans",
    "TreatmentPlan.sessions",
    "TreatmentSession.adverseEvents",
    "TreatmentSession.photos",
    "Query.webhooks",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_list_that_can_be_sorted_is_walked_in_each_of_its_orders() {
    let clinic = Clinic::start().await;
    let schema = Schema::ask(&clinic.anonymous()).await;
    let (mut sorted, mut orders) = (Vec::new(), Vec::new());
    for ty in schema.types.iter().filter(|ty| ty.kind == "OBJECT") {
        for field in &ty.fields {
            let by = field.arguments.iter().find(|argument| argument.name == "orderBy");
            let Some(by) = by else { continue };
            let name = format!("{}.{}", ty.name, field.name);
            let input = &schema.get(by.named_type()).input_fields;
            let words = input.iter().find(|it| it.name == "field").expect("what to sort by").named_type();
            orders.extend(schema.get(words).enum_values.iter().map(|word| format!("{name} {}", word.name)));
            sorted.push(name);
        }
    }
    let pairs = pairs("patient {$}", "session {$}", "consentTemplate {$}");
    let walked: Vec<(String, String)> = pairs.iter().map(|(list, _)| list.of_type()).collect();
    let names = walked.iter().map(|(name, _)| name.clone()).filter(|name| name != "Query.addenda");
    let advice = "lists with `orderBy`: walk a new one, by its row of tests/api/support/kinds.rs or in pairs() of \
        tests/api/paging/mod.rs:";
    let wrong = difference(sorted, names.chain(NOT_WALKED.map(str::to_owned)), advice);
    assert!(wrong.is_empty(), "{wrong}");
    // Of those that are walked, every word that they can be sorted by.
    let orders =
        orders.into_iter().filter(|order| !NOT_WALKED.iter().any(|name| order.starts_with(&format!("{name} "))));
    let listed =
        walked.iter().filter(|(name, _)| name != "Query.addenda").map(|(name, order)| format!("{name} {order}"));
    let wrong = difference(orders, listed, "what they can be sorted by, against `orders` there and pairs() here:");
    assert!(wrong.is_empty(), "{wrong}");
}
