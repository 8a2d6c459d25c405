//! Whose work a record is, who answers for it, and who signs it after that.

use crate::staff::colleague;
use crate::support::*;
use futures::future::join_all;

const SIGNED: &str =
    "id version signature { meaning contentHash } signatures { meaning statement reason signedBy { id } contentHash }";

/// The signatures of a record, as `meaning` and who signed.
async fn signatures(by: &SignedIn, record: &Made) -> Vec<(String, String)> {
    let query = format!(
        "query ($id: ID!) {{ node(id: $id) {{ ... on Consultation {{ {SIGNED} }} ... on TreatmentSession {{ {SIGNED} }} ... on AftercareNote {{ {SIGNED} }} }} }}"
    );
    let node = by.graphql(&query, json!({"id": record.id})).await.ok()["node"].clone();
    let all = node["signatures"].as_array().expect("a list");
    assert!(all.iter().all(|it| it["contentHash"] == node["signature"]["contentHash"]), "{node}");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    all.iter().map(|it| (text(&it["meaning"]), text(&it["signedBy"]["id"]))).collect()
}

async fn countersign(by: &SignedIn, record: &Made, meaning: &str) -> Answer {
    by.does("countersignRecord", json!({"recordId": record.id, "meaning": meaning}), "countersignature { id }").await
}

/// Sessions, consultations and notes of Anna's, each with the mutation that signs one.
async fn drafts(anna: &SignedIn, bob: &SignedIn) -> [(&'static str, &'static str, Made); 3] {
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.session_with(&patient, json!({"supervisorId": bob.id()})).await;
    let noted = anna.session(&patient).await;
    [
        ("signConsultation", "consultation", anna.consultation(&patient).await),
        ("signSession", "session", session),
        ("signAftercareNote", "aftercareNote", anna.note(&noted).await),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn who_did_the_work_signs_first_and_others_after_that() {
    let clinic = Clinic::start().await;
    let (anna, bob, eve) = (clinic.practitioner(), colleague(&clinic, "Bob").await, colleague(&clinic, "Eve").await);
    for (mutation, payload, draft) in drafts(&anna, &bob).await {
        let early = countersign(&bob, &draft, "REVIEWER").await;
        assert_eq!((early.code(), early.faults()), ("BAD_USER_INPUT", vec!["input.recordId"]), "{mutation}");
        for meaning in ["REVIEWER", "SUPERVISOR"] {
            let refused = bob.does(mutation, draft.edit_with(json!({"meaning": meaning})), "__typename").await;
            assert_eq!(refused.faults(), ["input.meaning"], "{mutation} {meaning}");
            assert!(refused.text.contains("countersignRecord"), "{}", refused.text);
        }
        // The reviewer who came first has locked nobody out.
        let signed = match mutation {
            "signSession" => anna.sign_session(&draft).await,
            _ => anna.make(mutation, payload, draft.edit()).await,
        };
        countersign(&bob, &signed, "SUPERVISOR").await.ok();
        countersign(&eve, &signed, "REVIEWER").await.ok();
        assert_eq!(countersign(&eve, &signed, "REVIEWER").await.code(), "CONFLICT", "twice");
        for meaning in ["REVIEWER", "SUPERVISOR", "TAKEN_OVER"] {
            assert_eq!(countersign(&anna, &signed, meaning).await.faults(), ["input.meaning"], "her own {meaning}");
        }
        assert_eq!(countersign(&anna, &signed, "AUTHOR").await.code(), "CONFLICT", "as she did");
        assert_eq!(countersign(&eve, &signed, "AUTHOR").await.faults(), ["input.meaning"]);
        let not_hers = countersign(&eve, &signed, "SUPERVISOR").await;
        assert_eq!(not_hers.outcome(), if mutation == "signSession" { "BAD_USER_INPUT" } else { "ok" }, "{mutation}");
        let mut expected = vec![("AUTHOR", anna.id()), ("SUPERVISOR", bob.id()), ("REVIEWER", eve.id())];
        if mutation != "signSession" {
            expected.push(("SUPERVISOR", eve.id()));
        }
        let expected: Vec<(String, String)> =
            expected.into_iter().map(|(meaning, by)| (meaning.to_owned(), by.to_owned())).collect();
        assert_eq!(signatures(&anna, &signed).await, expected, "{mutation}");
        let other = json!({"recordId": signed.id, "meaning": "REVIEWER", "contentHash": "00".repeat(32)});
        assert_eq!(bob.does("countersignRecord", other, "__typename").await.code(), "CONFLICT", "another content");
        for who in [clinic.admin(), clinic.front_desk(), clinic.auditor()] {
            assert_eq!(countersign(&who, &signed, "REVIEWER").await.code(), "FORBIDDEN", "{:?}", who.role());
        }
        assert_eq!(countersign(&clinic.stranger(), &signed, "REVIEWER").await.code(), "NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_signatures_at_once_none_is_lost_and_none_is_doubled() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let people = join_all((0..4).map(|n| colleague(&clinic, ["Bob", "Eve", "Ian", "Kim"][n]))).await;
    let signed = anna.signed_consultation(&anna.patient("Ada", "Lovelace").await).await;
    let tries = people.iter().flat_map(|who| ["REVIEWER", "SUPERVISOR", "REVIEWER"].map(|meaning| (who, meaning)));
    let answers = join_all(tries.map(|(who, meaning)| countersign(who, &signed, meaning))).await;
    let codes: Vec<String> = answers.iter().map(Answer::outcome).collect();
    assert_eq!(codes.iter().filter(|it| *it == "ok").count(), 8, "{codes:?}");
    assert_eq!(codes.iter().filter(|it| *it == "CONFLICT").count(), 4, "{codes:?}");
    assert_eq!(signatures(&anna, &signed).await.len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleagues_draft_is_taken_over_and_says_so() {
    let clinic = Clinic::start().await;
    let (anna, bob) = (clinic.practitioner(), colleague(&clinic, "Bob").await);
    let patient = anna.patient("Ada", "Lovelace").await;
    // Nobody makes a colleague's work their own.
    for (mutation, draft) in
        [("updateSession", anna.session(&patient).await), ("updateConsultation", anna.consultation(&patient).await)]
    {
        let patch = |to: &SignedIn| draft.edit_with(json!({"patch": {"practitionerId": to.id()}}));
        assert_eq!(bob.does(mutation, patch(&bob), "__typename").await.code(), "FORBIDDEN", "{mutation}");
        anna.does(mutation, patch(&bob), "__typename").await.ok();
    }
    let draft = anna.consultation(&patient).await;
    let sign = |more: Value| {
        bob.does(
            "signConsultation",
            draft.edit_with(more),
            "consultation { practitioner { id } signature { meaning reason statement } }",
        )
    };
    assert_eq!(sign(json!({})).await.faults(), ["input.meaning"]);
    assert_eq!(sign(json!({"meaning": "TAKEN_OVER"})).await.faults(), ["input.reason"], "she works here");
    assert_eq!(sign(json!({"meaning": "TAKEN_OVER", "reason": " "})).await.code(), "BAD_USER_INPUT");
    let own = json!({"meaning": "TAKEN_OVER", "reason": "Mine"});
    assert_eq!(anna.does("signConsultation", draft.edit_with(own), "__typename").await.faults(), ["input.meaning"]);
    let taken = sign(json!({"meaning": "TAKEN_OVER", "reason": "She is on leave"})).await.ok();
    let taken = &taken["signConsultation"]["consultation"];
    assert_eq!(
        (&taken["practitioner"]["id"], &taken["signature"]["reason"]),
        (&json!(anna.id()), &json!("She is on leave"))
    );
    let said = taken["signature"]["statement"].as_str().expect("text");
    assert!(
        said.contains("Signed by Bob") && said.contains("I take over and answer for the work of NORTH practitioner"),
        "{said}"
    );
    let signed = Made { version: 2, ..draft.clone() };
    assert_eq!(countersign(&bob, &signed, "REVIEWER").await.faults(), ["input.meaning"], "he answers for it");
    // Of somebody who has left no reason is asked.
    let left = bob.session(&patient).await;
    let me = Made::of(&bob.ask("{ me { id version } }").await["me"]);
    clinic.admin().make("updateStaff", "staff", me.edit_with(json!({"active": false}))).await;
    let over = left.edit_with(json!({"meaning": "TAKEN_OVER"}));
    let answer = anna.does("signSession", over, "session { signatures { meaning reason } }").await.ok();
    assert_eq!(answer["signSession"]["session"]["signatures"], json!([{"meaning": "TAKEN_OVER", "reason": null}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reviewer_signed_first_is_signed_by_its_author_after_all() {
    let clinic = Clinic::start().await;
    let (anna, bob) = (clinic.practitioner(), colleague(&clinic, "Bob").await);
    let signed = anna.signed_consultation(&anna.patient("Ada", "Lovelace").await).await;
    // As records of earlier releases may be.
    let sql = clinic.database.superuser().await;
    sql.run(&format!(
        "UPDATE consultation SET signature_meaning = 'reviewer', signed_by = '{}' WHERE id = '{}'",
        uuid_of(bob.id()),
        uuid_of(&signed.id)
    ))
    .await;
    assert_eq!(countersign(&bob, &signed, "AUTHOR").await.faults(), ["input.meaning"]);
    countersign(&anna, &signed, "AUTHOR").await.ok();
    let expected = [("REVIEWER", bob.id()), ("AUTHOR", anna.id())].map(|(it, by)| (it.to_owned(), by.to_owned()));
    assert_eq!(signatures(&anna, &signed).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_licence_number_makes_no_prescriber_and_a_credential_does_while_it_holds() {
    let clinic = Clinic::start().await;
    let (anna, bob, admin) = (clinic.practitioner(), colleague(&clinic, "Bob").await, clinic.admin());
    let me = Made::of(&bob.ask("{ me { id version } }").await["me"]);
    admin.make("updateStaff", "staff", me.edit_with(json!({"licenceNumber": "X 1234567"}))).await;
    let sign_off = async || {
        let rules = anna.protocol().await.version;
        let patient = anna.patient("Ada", "Lovelace").await;
        let blocked = anna.session_with(&patient, json!({"protocolVersionId": rules})).await;
        let input = json!({"sessionId": blocked.id, "expectedVersion": blocked.version, "rule": "CONSENT", "reason": "On paper"});
        bob.does("signOffSessionCheck", input, "__typename").await
    };
    let refused = sign_off().await;
    assert!(refused.code() == "FORBIDDEN" && refused.text.contains("addCredential"), "{}", refused.text);
    let more = |more: Value| {
        let mut input = credential_of(bob.id());
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        input
    };
    for (why, fields) in [
        ("no prescriber", json!({"prescriber": false})),
        ("expired", json!({"expiresOn": day(-3)})),
        ("not yet", json!({"validFrom": day(3)})),
        ("of another treatment", json!({"modalities": ["PRP", "LED_LIGHT_THERAPY"]})),
    ] {
        admin.make("addCredential", "credential", more(fields)).await;
        assert_eq!(sign_off().await.code(), "FORBIDDEN", "{why}");
    }
    let nobody =
        admin.does("addCredential", more(json!({"validFrom": day(3), "expiresOn": day(2)})), "__typename").await;
    assert_eq!(nobody.faults(), ["input.expiresOn"]);
    assert_eq!(bob.does("addCredential", more(json!({})), "__typename").await.code(), "FORBIDDEN", "his own");
    let good = admin.make("addCredential", "credential", more(json!({"modalities": ["MICRONEEDLING"]}))).await;
    sign_off().await.ok();
    let withdrawn = good.edit_with(json!({"patch": {"active": false}}));
    admin.make("updateCredential", "credential", withdrawn).await;
    assert_eq!(sign_off().await.code(), "FORBIDDEN", "withdrawn");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_ends_and_may_be_limited_to_clinics() {
    let clinic = Clinic::start().await;
    let (anna, bob, admin) = (clinic.practitioner(), colleague(&clinic, "Bob").await, clinic.admin());
    let patient = anna.patient("Ada", "Lovelace").await;
    let annex = admin.make("addLocation", "location", json!({"name": "Annex", "timeZone": "UTC"})).await;
    let place = async |more: Value| {
        let me = Made::of(
            &admin
                .graphql("query ($id: ID!) { staffMember(id: $id) { id version } }", json!({"id": bob.id()}))
                .await
                .ok()["staffMember"],
        );
        admin.does("updateStaff", me.edit_with(more), "staff { endsOn locations { id } }").await
    };
    let limited = place(json!({"locationIds": [annex.id, annex.id]})).await.ok();
    assert_eq!(limited["updateStaff"]["staff"]["locations"], json!([{"id": annex.id}]));
    let mut elsewhere = session_to_sign(&patient, &bob.location);
    let refused = bob.does("logSession", elsewhere.clone(), "__typename").await;
    assert_eq!(refused.faults(), ["input.practitionerId"], "{}", refused.text);
    elsewhere["locationId"] = json!(annex.id);
    bob.does("logSession", elsewhere, "__typename").await.ok();
    assert_eq!(place(json!({"locationIds": [new_id("location")]})).await.faults(), ["input.locationIds"]);
    place(json!({"locationIds": [], "endsOn": day(0)})).await.ok();
    bob.ask("{ me { id } }").await;
    place(json!({"endsOn": day(-1)})).await.ok();
    assert_eq!(bob.graphql("{ me { id } }", json!({})).await.code(), "UNAUTHENTICATED");
    assert_eq!(bob.sign_in(&bob.member.email, PASSWORD).await.code(), "UNAUTHENTICATED");
    let named = json!({"patientId": patient.id, "mode": "IN_PERSON", "practitionerId": bob.id()});
    let named = anna.does("recordConsultation", named, "__typename").await;
    assert!(named.faults() == ["input.practitionerId"] && named.text.contains("ended"), "{}", named.text);
    let me = Made::of(&admin.ask("{ me { id version } }").await["me"]);
    let last = admin.does("updateStaff", me.edit_with(json!({"endsOn": day(9)})), "__typename").await;
    assert_eq!(last.faults(), ["input.id"], "the last admin");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_gives_somebody_another_e_mail() {
    let clinic = Clinic::start().await;
    let (bob, admin) = (colleague(&clinic, "Bob").await, clinic.admin());
    let me = Made::of(&bob.ask("{ me { id version } }").await["me"]);
    let to = |email: &str| me.edit_with(json!({"email": email}));
    let change =
        async |by: &SignedIn, email: &str| by.does("changeStaffEmail", to(email), "staff { email version }").await;
    assert_eq!(change(&bob, "me@north.example").await.code(), "FORBIDDEN");
    assert_eq!(change(&admin, "no e-mail").await.faults(), ["input.email"]);
    assert_eq!(change(&admin, &bob.member.email).await.faults(), ["input.email"], "it is that");
    assert_eq!(change(&admin, &clinic.auditor().member.email).await.code(), "CONFLICT", "somebody else's");
    let changed = change(&admin, " Robert@North.example ").await.ok();
    assert_eq!(
        changed["changeStaffEmail"]["staff"],
        json!({"email": "robert@north.example", "version": me.version + 1})
    );
    assert_eq!(bob.graphql("{ me { id } }", json!({})).await.code(), "UNAUTHENTICATED", "signed out");
    assert_eq!(bob.sign_in(&bob.member.email, PASSWORD).await.code(), "UNAUTHENTICATED", "the old one");
    bob.sign_in("robert@north.example", PASSWORD).await.ok();
    assert_eq!(change(&admin, "again@north.example").await.code(), "CONFLICT", "an older version");
    // Of an account that works elsewhere too, the e-mail is its owner's.
    let south = clinic.of(&clinic.south, Role::Admin);
    let both = json!({"email": clinic.auditor().member.email, "displayName": "Both", "role": "AUDITOR"});
    let token = south.does("addStaff", both, "invitationToken").await.ok()["addStaff"]["invitationToken"].clone();
    let accepting = json!({"token": token, "email": clinic.auditor().member.email, "password": PASSWORD});
    clinic.anonymous().does("acceptInvitation", accepting, "__typename").await.ok();
    let theirs = Made::of(&clinic.auditor().ask("{ me { id version } }").await["me"]);
    let refused =
        admin.does("changeStaffEmail", theirs.edit_with(json!({"email": "x@north.example"})), "__typename").await;
    assert_eq!(refused.code(), "FORBIDDEN");
}
