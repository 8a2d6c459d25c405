//! A replay tells no more than a new request would: the policy of now is asked before it is answered, and what gives data
//! or secrets away is never replayed.

use crate::access::{MUTATIONS, NO, PUBLIC, chart, input_of};
use crate::support::*;

/// What is done again with each try, with a ledger entry of its own: it gives out data, or a secret that is shown once.
const DONE_AGAIN: [&str; 3] = ["exportPatient", "createInvitationLink", "createPasswordResetLink"];

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_asks_the_policy_of_now() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let sql = clinic.database.superuser().await;
    let entries = format!("SELECT seq FROM ledger_head WHERE org_id = '{}'", clinic.north.uuid);
    let (mut wrong, mut cells) = (Vec::new(), 0);
    for (mutation, rights) in MUTATIONS.iter().filter(|(name, _)| !PUBLIC.contains(name)) {
        let input = input_of(&chart, mutation).await;
        let role = [Role::Practitioner, Role::Admin].into_iter().find(|role| rights[*role as usize] == "ok");
        let role = role.expect("somebody who may");
        let who = clinic.of(&clinic.north, role).because("The tables");
        let ask = || who.does_with_key(mutation, mutation, input.clone(), "__typename");
        let first = ask().await;
        if first.outcome() != "ok" {
            wrong.push(format!("{mutation} at first: {}", first.text));
            continue;
        }
        let mut before: i64 = sql.one(&entries).await.parse().expect("a number");
        let set = |change: String| {
            let change = format!("UPDATE staff SET {change} WHERE id = '{}'", uuid_of(who.id()));
            let sql = &sql;
            async move { sql.run(&change).await }
        };
        for now in Role::ALL {
            set(format!("role = '{}'", now.word())).await;
            let answer = ask().await;
            let done_again = i64::from(DONE_AGAIN.contains(mutation) && rights[now as usize] == "ok");
            // Emergency access is one's own, whatever one is now; the tables mean somebody else's.
            let own = *mutation == "endEmergencyAccess" && now == Role::FrontDesk;
            let expected = if own { "ok" } else { rights[now as usize] };
            if answer.outcome() != expected {
                wrong.push(format!(
                    "{mutation} of a {role:?} who is {now:?} now: {} instead of {expected}",
                    answer.text
                ));
            }
            let entry: i64 = sql.one(&entries).await.parse().expect("a number");
            if entry != before + done_again {
                wrong.push(format!("{mutation} by {now:?} left {} entries", entry - before));
            }
            (before, cells) = (entry, cells + 1);
        }
        set(format!("role = '{}', active = false", role.word())).await;
        if ask().await.outcome() != "UNAUTHENTICATED" {
            wrong.push(format!("{mutation} of whose place is closed"));
        }
        set("active = true".to_owned()).await;
    }
    assert!(wrong.is_empty(), "{} of {cells}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells > 250, "only {cells}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_with_an_id_of_the_clients_is_not_replayed_to_who_may_not_see_it() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    let input =
        json!({"id": new_id("health"), "patientId": patient.id, "kind": "CONDITION", "text": "Clinical secret"});
    let ask = || anna.does("addHealthEntry", input.clone(), "healthEntry { id text }");
    let first = ask().await.ok();
    assert_eq!(ask().await.ok(), first, "the first answer again");
    let sql = clinic.database.superuser().await;
    for role in ["front_desk", "admin", "auditor"] {
        sql.run(&format!("UPDATE staff SET role = '{role}' WHERE id = '{}'", uuid_of(anna.id()))).await;
        let answer = ask().await;
        assert_eq!(answer.code(), NO, "{role}");
        assert!(!answer.text.contains("secret"), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_does_not_open_a_restricted_patient() {
    let clinic = Clinic::start().await;
    let (admin, anna) = (clinic.admin(), clinic.practitioner());
    let patient = anna.patient("Zoë", "Ramírez").await;
    let input = json!({"patientId": patient.id, "kind": "CONDITION", "text": "Clinical secret"});
    let ask =
        async |who: &SignedIn| who.does_with_key("k", "addHealthEntry", input.clone(), "healthEntry { text }").await;
    let first = ask(&anna).await.ok();
    let restriction = json!({"patientId": patient.id, "reason": "Works here"});
    let restriction = admin.make("restrictPatient", "restriction", restriction).await;
    let closed = ask(&anna).await;
    assert_eq!(closed.code(), "REASON_REQUIRED");
    assert!(!closed.text.contains("secret"));
    assert_eq!(ask(&anna.because("Treats her")).await.ok(), first);
    // The record goes to another chart, and that one is closed.
    admin
        .because("To merge")
        .make("liftPatientRestriction", "restriction", restriction.edit_with(json!({"reason": "To merge"})))
        .await;
    let into = anna.patient("Zoë", "Ramírez").await;
    anna.make("mergePatients", "merge", crate::access::merging(&patient, &into, json!({}))).await;
    let restriction = json!({"patientId": into.id, "reason": "Works here"});
    admin.make("restrictPatient", "restriction", restriction).await;
    let closed = ask(&anna).await;
    assert_eq!(closed.outcome(), "REASON_REQUIRED", "{}", closed.text);
    assert!(!closed.text.contains("secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_merge_does_not_tell_of_a_chart_that_was_closed_since() {
    let clinic = Clinic::start().await;
    let (admin, anna) = (clinic.admin(), clinic.practitioner());
    let (from, into) =
        (anna.patient_with("Ada", "Secretname", json!({"gender": "x"})).await, anna.patient("Ada", "Known").await);
    let merging =
        crate::access::merging(&from, &into, json!({"resolution": [{"field": "LEGAL_NAME", "take": "INTO"}]}));
    let ask = || {
        anna.does_with_key("k", "mergePatients", merging.clone(), "merge { id conflicts { from } } conflicts { from }")
    };
    let first = ask().await;
    assert!(first.text.contains("Secretname"), "{}", first.text);
    let merge = first.ok()["mergePatients"]["merge"]["id"].clone();
    anna.does("unmergePatients", json!({"mergeId": merge, "reason": "Two people"}), "__typename").await.ok();
    admin.make("restrictPatient", "restriction", json!({"patientId": from.id, "reason": "Works here"})).await;
    let closed = ask().await;
    assert_eq!(closed.outcome(), "REASON_REQUIRED", "{}", closed.text);
    assert!(!closed.text.contains("Secretname"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_made_anew_and_noted_each_time() {
    let clinic = Clinic::start().await;
    let (admin, anna) = (clinic.admin(), clinic.practitioner());
    let patient = anna.patient("Zoë", "Ramírez").await;
    let sql = clinic.database.superuser().await;
    let exports = "SELECT count(*) FROM ledger WHERE action = 'export'";
    for nth in 1..=4 {
        let input = json!({"patientId": patient.id});
        admin.does_with_key("k", "exportPatient", input, "export { sha256 }").await.ok();
        assert_eq!(sql.one(exports).await, nth.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_admin_any_more_is_not_shown_somebody_elses_emergency_access_again() {
    let clinic = Clinic::start().await;
    let (admin, desk) = (clinic.admin(), clinic.front_desk());
    let patient = desk.patient("Zoë", "Ramírez").await;
    let begun = json!({"patientId": patient.id, "reason": "Unconscious at the door"});
    let begin = || desk.does_with_key("k", "beginEmergencyAccess", begun.clone(), "emergencyAccess { id version }");
    let first = begin().await.ok();
    assert_eq!(begin().await.ok(), first, "one's own is shown again");
    let access = Made::of(&first["beginEmergencyAccess"]["emergencyAccess"]);
    let end = || admin.does_with_key("k", "endEmergencyAccess", json!({"id": access.id}), "emergencyAccess { reason }");
    end().await.ok();
    let sql = clinic.database.superuser().await;
    sql.run(&format!("UPDATE staff SET role = 'practitioner' WHERE id = '{}'", uuid_of(admin.id()))).await;
    let answer = end().await;
    assert_eq!(answer.code(), NO);
    assert!(!answer.text.contains("Unconscious"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_shown_once() {
    let clinic = Clinic::start().await;
    let admin = clinic.admin();
    let service = admin.service_account("Sync", &["PATIENTS_READ"]).await;
    let input = json!({"serviceAccountId": service.id});
    let create = || admin.does_with_key("k", "createApiKey", input.clone(), "secret apiKey { id }");
    let (first, second) = (create().await.ok(), create().await.ok());
    assert!(first["createApiKey"]["secret"].is_string() && second["createApiKey"]["secret"].is_null());
    assert_eq!(first["createApiKey"]["apiKey"], second["createApiKey"]["apiKey"]);
    let rotated = json!({"id": first["createApiKey"]["apiKey"]["id"]});
    let rotate = || admin.does_with_key("r", "rotateApiKey", rotated.clone(), "secret");
    assert!(rotate().await.ok()["rotateApiKey"]["secret"].is_string());
    assert!(rotate().await.ok()["rotateApiKey"]["secret"].is_null());
    let invited = json!({"email": "bo@north.example", "displayName": "Bo", "role": "AUDITOR"});
    let add = || admin.does_with_key("s", "addStaff", invited.clone(), "staff { id } invitationToken");
    assert!(add().await.ok()["addStaff"]["invitationToken"].is_string());
    assert!(add().await.ok()["addStaff"]["invitationToken"].is_null());
}
