//! With whose rights a webhook is told, who may change one, and what is left of it in the access log.

use super::{Got, Receiver, SOON, change, hook, standing, until};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_told_of_what_its_account_may_read_and_of_no_more() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let (all, catalogue, some) = (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    hook(&admin, &all, &["PATIENTS_READ", "CLINICAL_READ", "CATALOGUE_READ"], &[]).await;
    hook(&admin, &catalogue, &["CATALOGUE_READ"], &[]).await;
    let narrow =
        hook(&admin, &some, &["PATIENTS_READ", "CLINICAL_READ", "CATALOGUE_READ"], &["PATIENT", "DEVICE"]).await;
    clinic.stranger().patient("Not", "Ours").await;
    let patient = anna.patient("Ada", "Lovelace").await;
    anna.session(&patient).await;
    anna.device("Dermapen 4").await;
    let kinds = |got: Vec<Got>| got.iter().map(Got::kind).collect::<Vec<_>>();
    assert_eq!(kinds(all.until_got(3).await), ["patient.created", "treatment_session.created", "device.created"]);
    assert_eq!(kinds(catalogue.until_got(1).await), ["device.created"]);
    assert_eq!(kinds(some.until_got(2).await), ["patient.created", "device.created"]);
    // Scopes that are taken away end what they opened, and the rest goes on.
    let service = Made { version: 1, ..narrow.service.clone() };
    admin
        .make("updateServiceAccount", "serviceAccount", service.edit_with(json!({"scopes": ["CATALOGUE_READ"]})))
        .await;
    anna.patient("Grace", "Hopper").await;
    anna.device("Dermapen 5").await;
    assert_eq!(kinds(some.until_got(3).await)[2..], ["device.created"]);
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;
    assert_eq!((some.got().len(), catalogue.got().len(), all.got().len()), (3, 2, 5));
    // What the account may not read is not taken either.
    let input = |kinds: &[&str]| json!({"serviceAccountId": narrow.service.id, "url": some.url, "kinds": kinds});
    let answer = admin.does("addWebhook", input(&["DEVICE", "PATIENT"]), "secret").await;
    assert_eq!((answer.code(), answer.faults()), ("BAD_USER_INPUT", vec!["input.kinds.0"]), "{}", answer.text);
    let now = Made::of(&standing(&admin, &narrow).await);
    let answer = admin.does("updateWebhook", now.edit_with(json!({"kinds": ["PHOTO"]})), "webhook { id }").await;
    assert_eq!(answer.faults(), ["input.kinds.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn restricted_patients_are_left_out_and_each_look_is_logged() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin().because("The tables"));
    let restricted = anna.patient("Hidden", "Person").await;
    let restriction = json!({"patientId": restricted.id, "reason": "Works here"});
    let restriction = admin.make("restrictPatient", "restriction", restriction).await;
    let receiver = Receiver::start().await;
    let hook = hook(&admin, &receiver, &["PATIENTS_READ", "CLINICAL_READ"], &[]).await;
    anna.because("She asked me to").session(&restricted).await;
    let open = anna.patient("Ada", "Lovelace").await;
    let got = receiver.until_got(1).await;
    assert_eq!((got[0].change().1, got.len()), (open.id.clone(), 1));
    // The page was a look at whom it showed, under the account's name, and the log has no word of the other.
    let sql = clinic.database.superuser().await;
    let looks = "SELECT actor_id || ' ' || event || ' ' || from_address || ' ' || array_to_string(patient_ids, ' ') FROM access_log WHERE operation = 'webhook'";
    let account = uuid_of(&hook.service.id);
    assert_eq!(sql.column(looks).await, [format!("{account} read 127.0.0.1 {}", uuid_of(&open.id))]);
    assert_eq!(crate::ledger::broken(&sql, "access_log", clinic.north.uuid).await, None);
    let shown = admin.graphql("query ($id: ID!) { patient(id: $id) { accessLog(first: 5) { nodes { operation actor { ... on ServiceAccount { id } } } } } }", json!({"id": open.id})).await.ok();
    let looks = shown["patient"]["accessLog"]["nodes"].as_array().expect("looks").clone();
    assert!(looks.contains(&json!({"operation": "webhook", "actor": {"id": hook.service.id}})), "{looks:?}");
    // Once the restriction is lifted the receiver is told that there is more to read.
    admin.make("liftPatientRestriction", "restriction", restriction.edit_with(json!({"reason": "Left"}))).await;
    let told = receiver.until_got(2).await[1].body()["data"].clone();
    assert_eq!((&told["recordId"], &told["mark"]), (&json!(restricted.id), &json!("REOPENED")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_account_ends_deliveries() {
    let clinic = Clinic::with(SOON).await;
    let (anna, admin, receiver) = (clinic.practitioner(), clinic.admin(), Receiver::start().await);
    let hook = hook(&admin, &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    let close = hook.service.edit_with(json!({"active": false}));
    let closed = admin.make("updateServiceAccount", "serviceAccount", close).await;
    let missed = anna.patient("Ada", "Lovelace").await;
    until("it is disabled", async || standing(&admin, &hook).await["status"] == "DISABLED").await;
    let stands = standing(&admin, &hook).await;
    assert_eq!((&stands["reason"], receiver.got().len()), (&json!("ACCOUNT_CLOSED"), 0));
    let again = Made::of(&stands).edit();
    let answer = admin.does("resumeWebhook", again.clone(), "webhook { id }").await;
    assert_eq!(answer.code(), "BAD_USER_INPUT", "its account is closed");
    let input = json!({"serviceAccountId": hook.service.id, "url": receiver.url});
    assert_eq!(admin.does("addWebhook", input, "secret").await.faults(), ["input.serviceAccountId"]);
    admin.make("updateServiceAccount", "serviceAccount", closed.edit_with(json!({"active": true}))).await;
    admin.make("resumeWebhook", "webhook", again).await;
    assert_eq!(receiver.until_took(1).await[0].change().1, missed.id, "nothing was lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_change_webhooks_and_auditors_see_them() {
    let clinic = Clinic::start().await;
    let (admin, receiver) = (clinic.admin(), Receiver::start().await);
    let hook = hook(&admin, &receiver, &["PATIENTS_READ"], &[]).await;
    let input = json!({"serviceAccountId": hook.service.id, "url": "https://looked-up-for-nobody.invalid/"});
    for role in [Role::Practitioner, Role::FrontDesk, Role::Auditor] {
        let who = clinic.of(&clinic.north, role);
        // Refused before any name is looked up: that would be a fault of the input.
        assert_eq!(who.does("addWebhook", input.clone(), "secret").await.code(), "FORBIDDEN", "{role:?}");
        assert_eq!(
            who.does("testWebhook", json!({"id": hook.made.id}), "delivered").await.code(),
            "FORBIDDEN",
            "{role:?}"
        );
    }
    assert_eq!(clinic.anonymous().does("addWebhook", input, "secret").await.code(), "UNAUTHENTICATED");
    let list = clinic.auditor().ask("{ webhooks { totalCount nodes { id url } } }").await;
    assert_eq!(
        (&list["webhooks"]["totalCount"], &list["webhooks"]["nodes"][0]["id"]),
        (&json!(1), &json!(hook.made.id))
    );
    let theirs = clinic.of(&clinic.south, Role::Admin);
    assert_eq!(theirs.ask("{ webhooks { totalCount } }").await["webhooks"]["totalCount"], 0);
    let ended = theirs.does("endWebhook", hook.made.edit(), "webhook { id }").await;
    assert_eq!(ended.code(), "NOT_FOUND");
    let stranger = json!({"serviceAccountId": hook.service.id, "url": receiver.url});
    assert_eq!(theirs.does("addWebhook", stranger, "secret").await.faults(), ["input.serviceAccountId"]);
    change(&admin, "pauseWebhook", &hook, json!({})).await;
}
