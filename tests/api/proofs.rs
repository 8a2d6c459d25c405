//! Whatever signs, and whatever gives power or data away, asks for a proof of who one is that is at most ten minutes old.

use crate::access::{MUTATIONS, PUBLIC, chart, input_of};
use crate::support::*;

/// What asks for a proof. All else goes on with an old one.
const PROVED: [&str; 41] = [
    "signConsultation",
    "signSession",
    "signAftercareNote",
    "signOffSessionCheck",
    "updateOrganisation",
    "addStaff",
    "updateStaff",
    "createInvitationLink",
    "createPasswordResetLink",
    "revokeStaffSignIns",
    "createServiceAccount",
    "updateServiceAccount",
    "createApiKey",
    "rotateApiKey",
    "revokeApiKey",
    "addWebhook",
    "updateWebhook",
    "rotateWebhookSecret",
    "pauseWebhook",
    "resumeWebhook",
    "replayWebhook",
    "testWebhook",
    "endWebhook",
    "reviewEmergencyAccess",
    "publishProtocolVersion",
    "publishConsentTemplateVersion",
    "mergePatients",
    "unmergePatients",
    "exportPatient",
    "erasePatient",
    "liftLegalHold",
    "restrictPatient",
    "liftPatientRestriction",
    "changeStaffEmail",
    "addCredential",
    "updateCredential",
    "countersignRecord",
    "retractSignedRecord",
    "agreeSupervision",
    "updateSupervisionAgreement",
    "giveClearance",
];

/// Makes every proof so old.
async fn age(sql: &Sql, minutes: &str) {
    sql.run(&format!("UPDATE sign_in SET proved_at = now() - interval '{minutes} min'")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gives_power_or_data_away_asks_for_a_fresh_proof_and_nothing_else_does() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let sql = clinic.database.superuser().await;
    let entries = format!("SELECT seq FROM ledger_head WHERE org_id = '{}'", clinic.north.uuid);
    let mut wrong = Vec::new();
    for (mutation, rights) in MUTATIONS.iter().filter(|(name, _)| !PUBLIC.contains(name)) {
        age(&sql, "0").await;
        let input = input_of(&chart, mutation).await;
        let before = sql.one(&entries).await;
        age(&sql, "10.1").await;
        let proved = PROVED.contains(mutation);
        let mut first = None;
        for role in Role::ALL {
            let who = clinic.of(&clinic.north, role).because("The tables");
            let may = rights[role as usize] == "ok";
            if may && first.is_none() {
                first = Some(who.clone());
            }
            // What is done without a proof is done once.
            if may && !proved {
                continue;
            }
            let expected = if may { "REAUTHENTICATION_REQUIRED" } else { rights[role as usize] };
            let answer = who.does(mutation, input.clone(), "__typename").await;
            if answer.outcome() != expected {
                wrong.push(format!("{role:?} {mutation}: {} instead of {expected}", answer.text));
            }
        }
        if sql.one(&entries).await != before {
            wrong.push(format!("{mutation} left an entry"));
        }
        let first = first.expect("somebody who may");
        age(&sql, if proved { "9" } else { "10.1" }).await;
        let answer = first.does(mutation, input, "__typename").await;
        if answer.outcome() != "ok" {
            wrong.push(format!("{mutation}, proved or not asked to: {}", answer.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for name in PROVED {
        assert!(MUTATIONS.iter().any(|(mutation, _)| *mutation == name), "there is no {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_runs_and_reads_ask_for_no_proof() {
    let clinic = Clinic::start().await;
    let (admin, anna) = (clinic.admin(), clinic.practitioner());
    let (from, into) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Zoe", "Ramirez").await);
    age(&clinic.database.superuser().await, "10.1").await;
    let dry = json!({"fromId": from.id, "intoId": into.id, "expectedVersions": {"from": 1, "into": 1}, "reason": "One person",
        "dryRun": true});
    anna.does("mergePatients", dry, "conflicts { field }").await.ok();
    admin.ask("{ accessLog(first: 1) { nodes { event } } patients(first: 1) { nodes { displayName } } }").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_before_the_proof_is_asked_for() {
    let clinic = Clinic::start().await;
    let (admin, anna) = (clinic.admin(), clinic.practitioner());
    let patient = anna.patient("Zoë", "Ramírez").await;
    let lacking = anna.started_session(&patient).await;
    let sql = clinic.database.superuser().await;
    age(&sql, "10.1").await;
    assert_eq!(anna.does("signSession", lacking.edit(), "__typename").await.outcome(), "BAD_USER_INPUT");
    let mut erasing = json!({"patientId": patient.id, "expectedVersion": 1, "reason": "Asked", "authority": "Art. 17",
        "confirmChartNumber": "another"});
    assert_eq!(admin.does("erasePatient", erasing.clone(), "__typename").await.faults(), ["input.confirmChartNumber"]);
    let query = "query ($id: ID!) { patient(id: $id) { chartNumber } }";
    let chart = anna.graphql(query, json!({"id": patient.id})).await.ok()["patient"]["chartNumber"].clone();
    erasing["confirmChartNumber"] = chart;
    assert_eq!(admin.does("erasePatient", erasing.clone(), "__typename").await.code(), "REAUTHENTICATION_REQUIRED");
    // Whoever may not learns nothing of it, and is not asked for a password in vain.
    assert_eq!(anna.does("erasePatient", erasing.clone(), "__typename").await.code(), "FORBIDDEN");
    // Another role is proved anew.
    age(&sql, "0").await;
    let bo = json!({"email": "bo@north.example", "displayName": "Bo", "role": "AUDITOR", "password": PASSWORD});
    let bo = admin.make("addStaff", "staff", bo).await;
    let signed_in = clinic.anonymous().sign_in("bo@north.example", PASSWORD).await.ok()["signIn"]["token"].clone();
    admin.make("updateStaff", "staff", bo.edit_with(json!({"role": "ADMIN"}))).await;
    let bo = clinic.anonymous().with_token(signed_in.as_str().expect("a token"));
    assert_eq!(bo.does("erasePatient", erasing, "__typename").await.code(), "REAUTHENTICATION_REQUIRED");
}
