//! Signing sessions.

use super::{WHOLE, session_of, update, with};
use crate::staff::colleague;
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn signing_tells_all_that_is_missing() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let cases = [
        (json!({"endedAt": null}), vec!["status"]),
        (json!({"device": null, "areas": []}), vec!["device", "areas"]),
        (
            json!({"areas": [{"area": "CHIN", "passes": 1}, {"area": "NOSE", "needleDepthMm": "1"}]}),
            vec!["areas.0.needleDepthMm", "areas.1.passes"],
        ),
        (
            json!({"modality": "RF_MICRONEEDLING", "overrides": [
                {"rule": "INTERVAL", "reason": "Well"}, {"rule": "SKIN_TYPE", "reason": "Well"}, {"rule": "CONSULTATION", "reason": "Well"},
                {"rule": "HISTORY", "reason": "Well"},
            ]}),
            vec!["areas.0.rfEnergyMj", "areas.1.rfEnergyMj", "checks.1", "checks.2"],
        ),
        (json!({"modality": "OTHER", "note": null, "device": null, "areas": []}), vec!["note"]),
        (
            json!({"modality": "TOPICAL_GROWTH_SERUM", "note": null, "device": null, "areas": [], "products": []}),
            vec!["products", "areas"],
        ),
        (
            json!({"modality": "TOPICAL_GROWTH_SERUM", "note": null, "device": null, "areas": [{"area": "CHEEK"}],
                "products": [{"role": "GROWTH_SERUM", "product": "Follia"}]}),
            vec![],
        ),
    ];
    for (more, missing) in cases {
        let session = anna.session_with(&patient, more.clone()).await;
        let answer = anna.does("signSession", session.edit(), WHOLE).await;
        assert_eq!(answer.faults(), missing, "{more}");
        assert_eq!(answer.outcome(), if missing.is_empty() { "ok" } else { "BAD_USER_INPUT" });
    }
    let mut reopened = anna.session(&anna.patient("Grace", "Hopper").await).await;
    update(&anna, &reopened, json!({"device": null})).await.ok();
    reopened.version = 2;
    let answer = anna.does("signSession", reopened.edit_with(json!({"meaning": "SUPERVISOR"})), WHOLE).await;
    assert_eq!(answer.faults(), ["device", "input.meaning"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_sign_a_session_as_what() {
    let clinic = Clinic::start().await;
    let (anna, bob, eve) = (clinic.practitioner(), colleague(&clinic, "Bob").await, colleague(&clinic, "Eve").await);
    let patient = anna.patient("Ada", "Lovelace").await;
    for (signer, meaning, outcome) in [
        (&anna, "AUTHOR", "ok"),
        (&anna, "SUPERVISOR", "BAD_USER_INPUT"),
        (&anna, "REVIEWER", "BAD_USER_INPUT"),
        (&bob, "SUPERVISOR", "BAD_USER_INPUT"),
        (&bob, "AUTHOR", "BAD_USER_INPUT"),
        (&bob, "REVIEWER", "BAD_USER_INPUT"),
        (&eve, "REVIEWER", "BAD_USER_INPUT"),
        (&eve, "SUPERVISOR", "BAD_USER_INPUT"),
        (&eve, "AUTHOR", "BAD_USER_INPUT"),
        (&clinic.admin(), "REVIEWER", "FORBIDDEN"),
    ] {
        let session = anna.session_with(&patient, json!({"supervisorId": bob.id()})).await;
        let answer = signer.does("signSession", session.edit_with(json!({"meaning": meaning})), WHOLE).await;
        assert_eq!(answer.outcome(), outcome, "{} as {meaning}", signer.member.email);
        if outcome == "BAD_USER_INPUT" {
            assert_eq!(answer.faults(), ["input.meaning"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_session_takes_no_change_by_any_mutation() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.session(&patient).await;
    let signed = session_of(anna.does("signSession", session.edit(), WHOLE).await, "signSession");
    assert_eq!((&signed["version"], &signed["signature"]["signedBy"]["id"]), (&json!(2), &json!(anna.id())));
    assert_eq!(signed["signature"]["contentHash"].as_str().unwrap().len(), 64);
    for version in [1, 2, 3] {
        let edit = |more: Value| with(json!({"id": session.id, "expectedVersion": version}), more);
        for (mutation, input) in [
            ("updateSession", edit(json!({"patch": {"note": "x"}}))),
            ("updateSession", edit(json!({"patch": {"areas": []}}))),
            ("updateSession", edit(json!({"patch": {"status": "ENTERED_IN_ERROR"}}))),
            ("completeSession", edit(json!({}))),
            ("stopSession", edit(json!({"reason": "x"}))),
            ("signSession", edit(json!({}))),
            ("signSession", edit(json!({"meaning": "REVIEWER"}))),
        ] {
            assert_eq!(
                anna.does(mutation, input, "session { id }").await.code(),
                "RECORD_SIGNED",
                "{mutation} at {version}"
            );
        }
    }
    let query = format!("query ($id: ID!) {{ {} }}", WHOLE.replacen("session {", "session(id: $id) {", 1));
    assert_eq!(anna.graphql(&query, json!({"id": session.id})).await.ok()["session"], signed);
}
