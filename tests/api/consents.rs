//! Texts that patients agree to, and consents.

use crate::support::*;
use sha2::{Digest, Sha256};

const WHOLE: &str = "consent { id version status state inForce kind modalities textHash expiresAt endedAt endedReason
    signature { givenAt signer signerName relationship method signatureHash signatureImage witness { id } witnessName } }";

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn does(by: &SignedIn, mutation: &str, input: Value) -> Answer {
    by.does(mutation, input, WHOLE).await
}

/// The consent of an answer that went well.
#[track_caller]
fn consent(answer: Answer) -> Value {
    let data = answer.ok();
    data.as_object().expect("data").values().next().expect("a field")["consent"].clone()
}

async fn world() -> (Clinic, SignedIn, Made) {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    (clinic, anna, patient)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_drafted_published_and_replaced() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let input = json!({"name": "Peel", "kind": "TREATMENT", "text": " I agree. ", "language": "es-MX", "modalities": ["PRP"], "validDays": 90});
    let first = anna.make("createConsentTemplate", "consentTemplate", input.clone()).await;
    assert_eq!(anna.does("createConsentTemplate", input, "__typename").await.faults(), ["input.name"], "taken");
    let read = "query ($id: ID!) { consentTemplate(id: $id) { name kind active publishedVersion { id number }
        draftVersion { id version number status text textHash language modalities validDays publishedAt }
        versions { totalCount nodes { number status } } } }";
    let template = async || anna.graphql(read, json!({"id": first.id})).await.ok()["consentTemplate"].clone();
    let made = template().await;
    let draft = Made::of(&made["draftVersion"]);
    assert_eq!(
        made,
        json!({
            "name": "Peel", "kind": "TREATMENT", "active": true, "publishedVersion": null,
            "draftVersion": {"id": draft.id, "version": 1, "number": 1, "status": "DRAFT", "text": "I agree.",
                "textHash": sha256(b"I agree."), "language": "es-MX", "modalities": ["PRP"], "validDays": 90, "publishedAt": null},
            "versions": {"totalCount": 1, "nodes": [{"number": 1, "status": "DRAFT"}]},
        })
    );
    let of_template = json!({"templateId": first.id});
    let twice = anna.does("draftConsentTemplateVersion", of_template.clone(), "__typename").await;
    assert_eq!(twice.faults(), ["input.templateId"], "one draft at a time");

    let change = async |version: &Made, patch: Value| {
        let input = version.edit_with(json!({"patch": patch}));
        anna.does("updateConsentTemplateVersion", input, "consentTemplateVersion { id version textHash validDays }")
            .await
    };
    let changed = change(&draft, json!({"text": "I agree to it.", "validDays": null})).await.ok();
    let changed = &changed["updateConsentTemplateVersion"]["consentTemplateVersion"];
    assert_eq!((&changed["textHash"], &changed["validDays"]), (&json!(sha256(b"I agree to it.")), &Value::Null));
    assert_eq!(change(&draft, json!({"text": "x"})).await.code(), "CONFLICT", "a stale version");
    let draft = Made::of(changed);
    let published = anna.make("publishConsentTemplateVersion", "consentTemplateVersion", draft.edit()).await;
    for refused in [
        change(&published, json!({"text": "Something else"})).await,
        anna.does("publishConsentTemplateVersion", published.edit(), "__typename").await,
    ] {
        assert_eq!(refused.faults(), ["input.id"]);
        assert!(refused.text.contains("draftConsentTemplateVersion"), "{}", refused.text);
    }
    let second = anna.make("draftConsentTemplateVersion", "consentTemplateVersion", of_template.clone()).await;
    let both = template().await;
    assert_eq!((&both["draftVersion"]["text"], &both["draftVersion"]["number"]), (&json!("I agree to it."), &json!(2)));
    assert_eq!(both["publishedVersion"]["id"], published.id);
    anna.make("publishConsentTemplateVersion", "consentTemplateVersion", second.edit()).await;
    let statuses = json!([{"number": 2, "status": "PUBLISHED"}, {"number": 1, "status": "RETIRED"}]);
    assert_eq!(template().await["versions"]["nodes"], statuses);
    let history = "query ($id: ID!) { consentTemplateVersion(id: $id) { history { nodes { version action } } } }";
    let history = anna.graphql(history, json!({"id": published.id})).await.ok();
    let steps = json!([{"version": 4, "action": "UPDATE"}, {"version": 3, "action": "PUBLISH"}, {"version": 2, "action": "UPDATE"}, {"version": 1, "action": "CREATE"}]);
    assert_eq!(history["consentTemplateVersion"]["history"]["nodes"], steps, "retired with an entry of its own");

    let patient = anna.patient("Zoë", "Ramírez").await;
    anna.make("retireConsentTemplate", "consentTemplate", first.edit()).await;
    let propose = json!({"patientId": patient.id, "templateVersionId": second.id});
    assert_eq!(does(&anna, "proposeConsent", propose).await.faults(), ["input.templateVersionId"], "out of use");
    assert_eq!(
        anna.does("draftConsentTemplateVersion", of_template, "__typename").await.faults(),
        ["input.templateId"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_faults_of_a_text_are_told_at_once() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let input = json!({"name": " ", "kind": "DATA", "text": "x".repeat(50_001), "language": "en_US", "modalities": ["PRP"], "validDays": 0});
    let answer = anna.does("createConsentTemplate", input, "__typename").await;
    let mut told = answer.faults();
    told.sort_unstable();
    let expected = ["input.language", "input.modalities", "input.name", "input.text", "input.validDays"];
    assert_eq!(told, expected, "{}", answer.text);
    let twice = json!({"name": "A", "kind": "TREATMENT", "text": "A", "language": "en", "modalities": ["PRP", "PRP"]});
    assert_eq!(anna.does("createConsentTemplate", twice, "__typename").await.faults(), ["input.modalities"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_publish_at_once_one_wins() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    for _ in 0..6 {
        let draft = anna.consent_draft("DATA", json!({})).await;
        let publish = || anna.does("publishConsentTemplateVersion", draft.version.edit(), "__typename");
        let (a, b) = tokio::join!(publish(), publish());
        let mut outcomes = [a.outcome(), b.outcome()];
        outcomes.sort();
        assert_eq!(outcomes, ["CONFLICT", "ok"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_is_proposed_given_and_withdrawn() {
    let (clinic, anna, patient) = world().await;
    let text = anna.consent_text("TREATMENT", json!({"modalities": ["PRP"], "validDays": 30})).await;
    let proposed = anna.proposed_consent(&patient, &text).await;
    let signing = text.signing(json!({
        "typedName": null, "signatureImage": format!("data:image/png;base64,{SIGNATURE_PNG}"), "witnessId": anna.id(), "givenAt": "2026-01-01T10:00:00Z",
    }));
    let given = consent(does(&anna, "giveConsent", proposed.edit_with(json!({"signing": signing}))).await);
    use base64::Engine;
    let png = base64::engine::general_purpose::STANDARD.decode(SIGNATURE_PNG).unwrap();
    assert_eq!(
        given,
        json!({
            "id": proposed.id, "version": 2, "status": "ACTIVE", "state": "EXPIRED", "inForce": false, "kind": "TREATMENT",
            "modalities": ["PRP"], "textHash": text.hash, "expiresAt": "2026-01-31T10:00:00Z", "endedAt": null, "endedReason": null,
            "signature": {
                "givenAt": "2026-01-01T10:00:00Z", "signer": "PATIENT", "signerName": "Zoë Ramírez", "relationship": null,
                "method": "DRAWN_IMAGE", "signatureHash": sha256(&png), "signatureImage": format!("data:image/png;base64,{SIGNATURE_PNG}"),
                "witness": {"id": anna.id()}, "witnessName": null,
            },
        })
    );
    let given = Made::of(&given);
    assert_eq!(
        does(&anna, "giveConsent", given.edit_with(json!({"signing": text.signing(json!({}))}))).await.faults(),
        ["input.id"],
        "signed already"
    );
    let reason = |more: Value| {
        let mut reason = json!({"reason": "Changed their mind"});
        reason.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        given.edit_with(reason)
    };
    assert_eq!(does(&anna, "rejectConsent", reason(json!({}))).await.faults(), ["input.id"]);
    let early = reason(json!({"at": "2025-12-31T10:00:00Z"}));
    assert_eq!(does(&anna, "withdrawConsent", early).await.faults(), ["input.at"]);
    let late = reason(json!({"at": "2999-12-31T10:00:00Z", "reason": " "}));
    assert_eq!(does(&anna, "withdrawConsent", late).await.faults(), ["input.reason", "input.at"]);
    let stale = json!({"id": given.id, "expectedVersion": 1, "reason": "x"});
    assert_eq!(does(&anna, "withdrawConsent", stale).await.code(), "CONFLICT");
    let withdrawn = consent(does(&anna, "withdrawConsent", reason(json!({"at": "2026-01-05T10:00:00Z"}))).await);
    assert_eq!(
        (&withdrawn["status"], &withdrawn["state"], &withdrawn["endedAt"], &withdrawn["endedReason"]),
        (&json!("INACTIVE"), &json!("WITHDRAWN"), &json!("2026-01-05T10:00:00Z"), &json!("Changed their mind"))
    );
    let twice = Made::of(&withdrawn).edit_with(json!({"reason": "again"}));
    let twice = does(&anna, "withdrawConsent", twice).await;
    assert!(twice.faults() == ["input.id"] && twice.text.contains("withdrawn already"), "{}", twice.text);
    let error = Made::of(&withdrawn).edit_with(json!({"reason": "The wrong patient"}));
    let error = consent(does(&anna, "markConsentEnteredInError", error).await);
    assert_eq!((&error["status"], &error["inForce"]), (&json!("ENTERED_IN_ERROR"), &json!(false)));

    let said_no = anna.proposed_consent(&patient, &text).await;
    let rejected = said_no.edit_with(json!({"reason": "Not now"}));
    let rejected = consent(does(&anna, "rejectConsent", rejected).await);
    assert_eq!((&rejected["state"], &rejected["signature"]), (&json!("REJECTED"), &Value::Null));
    let give = Made::of(&rejected).edit_with(json!({"signing": text.signing(json!({}))}));
    let refused = does(&anna, "giveConsent", give).await;
    assert!(refused.faults() == ["input.id"] && refused.text.contains("proposeConsent"), "{}", refused.text);

    // Where the drawn image is, and that it can't be changed.
    let sql = clinic.database.superuser().await;
    assert_eq!(sql.one("SELECT count(*) FROM consent_signature").await, "1");
    sql.plain_ledger("true").await;
    assert_eq!(sql.one("SELECT count(*) FROM ledger WHERE content LIKE '%iVBORw0%'").await, "0");
    let app = clinic.database.app(Some(clinic.north.uuid)).await;
    assert!(app.try_run("UPDATE consent_signature SET media_type = 'image/jpeg'").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_checked_before_it_counts() {
    let (clinic, anna, patient) = world().await;
    let text = anna.consent_text("CLINICAL_PHOTO", json!({})).await;
    let whole = || text.signing(json!({}));
    let with = |more: Value| {
        let mut signing = whole();
        signing.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        signing
    };
    use base64::Engine;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let mut large = base64::engine::general_purpose::STANDARD.decode(SIGNATURE_PNG).unwrap();
    large.splice(40..40, vec![0; 256 * 1024]);
    let cases = [
        (json!({"signerName": ""}), vec!["signerName", "typedName"]),
        (json!({"typedName": "Somebody else"}), vec!["typedName"]),
        (json!({"typedName": null}), vec![""]),
        (json!({"signatureImage": SIGNATURE_PNG}), vec!["signatureImage"]),
        (json!({"typedName": null, "signatureImage": base64(b"<svg onload=alert(1)></svg>")}), vec!["signatureImage"]),
        (json!({"typedName": null, "signatureImage": "data:image/png;base64,iVBORw0KGgo="}), vec!["signatureImage"]),
        (json!({"typedName": null, "signatureImage": "not base64!"}), vec!["signatureImage"]),
        (json!({"typedName": null, "signatureImage": base64(&large)}), vec!["signatureImage"]),
        (json!({"signer": "GUARDIAN"}), vec!["relationship"]),
        (json!({"relationship": "mother"}), vec!["relationship"]),
        (json!({"textHash": "abc"}), vec!["textHash"]),
        (json!({"witnessId": anna.id(), "witnessName": "Bob"}), vec!["witnessName"]),
        (json!({"witnessId": new_id("staff")}), vec!["witnessId"]),
        (json!({"givenAt": "2999-01-01T00:00:00Z"}), vec!["givenAt"]),
    ];
    for (more, paths) in cases {
        let input =
            json!({"patientId": patient.id, "templateVersionId": text.version.id, "signing": with(more.clone())});
        let answer = does(&anna, "recordConsent", input).await;
        let expected: Vec<String> =
            paths.iter().map(|path| format!("input.signing.{path}").trim_end_matches('.').to_owned()).collect();
        assert_eq!(answer.faults(), expected, "{more} {}", answer.text);
    }
    let record = |version: &str, signing: Value| json!({"patientId": patient.id, "templateVersionId": version, "signing": signing});
    let other = with(json!({"textHash": sha256(b"another text")}));
    let wrong = does(&anna, "recordConsent", record(&text.version.id, other)).await;
    assert!(wrong.code() == "CONFLICT" && wrong.text.contains("textHash"), "{}", wrong.text);
    let upper = with(json!({"textHash": text.hash.to_uppercase()}));
    consent(does(&anna, "recordConsent", record(&text.version.id, upper)).await);

    // Only what is published can be agreed to, and only what is of this organisation.
    let draft = anna.consent_draft("DATA", json!({})).await;
    let theirs = clinic.stranger().consent_text("DATA", json!({})).await;
    for version in [&draft.version.id, &theirs.version.id, &new_id("consent_version")] {
        let propose = json!({"patientId": patient.id, "templateVersionId": version});
        assert_eq!(does(&anna, "proposeConsent", propose).await.faults(), ["input.templateVersionId"]);
        assert_eq!(does(&anna, "recordConsent", record(version, whole())).await.faults(), ["input.templateVersionId"]);
    }
    let archived = anna.patient("Ada", "Lovelace").await;
    anna.make("archivePatient", "patient", archived.edit_with(json!({"reason": "Moved"}))).await;
    assert_eq!(does(&anna, "recordConsent", text.record(&archived, json!({}))).await.faults(), ["input.patientId"]);
    let foreign = clinic.stranger().patient("Eve", "E").await;
    assert_eq!(does(&anna, "recordConsent", text.record(&foreign, json!({}))).await.code(), "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guardian_signs_for_a_minor() {
    let (_clinic, anna, _) = world().await;
    let text = anna.consent_text("DATA", json!({})).await;
    let child = anna.patient_with("Max", "M", json!({"birthDate": "2010-06-15"})).await;
    let alone = does(&anna, "recordConsent", text.record(&child, json!({}))).await;
    assert!(alone.faults() == ["input.signing.signer"] && alone.text.contains("guardian"), "{}", alone.text);
    let proposed = anna.proposed_consent(&child, &text).await;
    let give = proposed.edit_with(json!({"signing": text.signing(json!({}))}));
    assert_eq!(does(&anna, "giveConsent", give).await.faults(), ["input.signing.signer"]);
    let mother = json!({"signer": "GUARDIAN", "relationship": "mother"});
    let given = consent(does(&anna, "recordConsent", text.record(&child, mother)).await);
    assert_eq!((&given["inForce"], &given["signature"]["relationship"]), (&json!(true), &json!("mother")));
    // The day of the signature counts, not today.
    let grown = anna.patient_with("Mia", "M", json!({"birthDate": "2008-01-10"})).await;
    for (at, outcome) in [("2026-01-09T23:59:00Z", "BAD_USER_INPUT"), ("2026-01-10T00:00:00Z", "ok")] {
        let answer = does(&anna, "recordConsent", text.record(&grown, json!({"givenAt": at}))).await;
        assert_eq!(answer.outcome(), outcome, "{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_withdraw_or_sign_at_once_one_wins() {
    let (clinic, anna, patient) = world().await;
    let text = anna.consent_text("DATA", json!({})).await;
    for _ in 0..8 {
        let given = anna.consent(&patient, &text, json!({})).await;
        let withdraw = |why: &str| does(&anna, "withdrawConsent", given.edit_with(json!({"reason": why})));
        let (a, b) = tokio::join!(withdraw("a"), withdraw("b"));
        let mut outcomes = [a.outcome(), b.outcome()];
        outcomes.sort();
        assert_eq!(outcomes, ["CONFLICT", "ok"]);
        let proposed = anna.proposed_consent(&patient, &text).await;
        let signing = text.signing(json!({"typedName": null, "signatureImage": SIGNATURE_PNG}));
        let give = || does(&anna, "giveConsent", proposed.edit_with(json!({"signing": signing})));
        let (a, b) = tokio::join!(give(), give());
        let mut outcomes = [a.outcome(), b.outcome()];
        outcomes.sort();
        assert_eq!(outcomes, ["CONFLICT", "ok"]);
    }
    let sql = clinic.database.superuser().await;
    assert_eq!(sql.one("SELECT count(*) FROM consent_signature").await, "8");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_says_which_consents_it_needs_and_whether_they_are_there() {
    let (_clinic, anna, patient) = world().await;
    let session = anna.session(&patient).await; // microneedling, began two hours ago
    let query = "query ($id: ID!) { session(id: $id) { consents { kind neededFor inForce reason consent { id } } } }";
    let needed = async || {
        let data = anna.graphql(query, json!({"id": session.id})).await.ok();
        data["session"]["consents"].as_array().unwrap().clone()
    };
    let missing = "is missing: none was proposed or signed";
    assert_eq!(
        needed().await,
        [
            json!({"kind": "TREATMENT", "neededFor": "SESSION", "inForce": false, "reason": missing, "consent": null}),
            json!({"kind": "CLINICAL_PHOTO", "neededFor": "PHOTO", "inForce": false, "reason": missing, "consent": null}),
        ]
    );
    let expect = async |at: usize, id: &str, reason: &str| {
        let found = needed().await[at].clone();
        assert_eq!(found["consent"]["id"], id, "{found}");
        let told = found["reason"].as_str().unwrap_or_default();
        assert_eq!(found["inForce"], json!(reason.is_empty()), "{found}");
        assert!(told.starts_with(reason) && told.is_empty() == reason.is_empty(), "{found}");
    };
    let prp = anna.consent_text("TREATMENT", json!({"modalities": ["PRP"]})).await;
    let pen = anna.consent_text("TREATMENT", json!({"modalities": ["MICRONEEDLING"], "validDays": 10})).await;
    let photo = anna.consent_text("CLINICAL_PHOTO", json!({})).await;
    let other = anna.consent(&patient, &prp, json!({"givenAt": hours_ago(30)})).await;
    expect(0, &other.id, "does not cover microneedling").await;
    let proposed = anna.proposed_consent(&patient, &pen).await;
    expect(0, &proposed.id, "is proposed").await;
    let later = anna.consent(&patient, &pen, json!({"givenAt": hours_ago(1)})).await;
    expect(0, &later.id, "was given later").await;
    let expired = anna.consent(&patient, &pen, json!({"givenAt": hours_ago(24 * 10 + 3)})).await;
    expect(0, &expired.id, "expired on").await;
    let withdrawn = anna.consent(&patient, &pen, json!({"givenAt": hours_ago(50)})).await;
    expect(0, &withdrawn.id, "").await;
    let end = withdrawn.edit_with(json!({"reason": "x", "at": hours_ago(3)}));
    consent(does(&anna, "withdrawConsent", end).await);
    expect(0, &withdrawn.id, "was withdrawn on").await;
    // What is withdrawn after the session began was there for it.
    let held = anna.consent(&patient, &pen, json!({"givenAt": hours_ago(40)})).await;
    consent(does(&anna, "withdrawConsent", held.edit_with(json!({"reason": "x", "at": hours_ago(1)}))).await);
    expect(0, &held.id, "").await;
    let photos = anna.consent(&patient, &photo, json!({"givenAt": hours_ago(40)})).await;
    expect(1, &photos.id, "").await;
    consent(does(&anna, "markConsentEnteredInError", photos.edit_with(json!({"reason": "x"}))).await);
    assert_eq!(needed().await[1]["reason"], missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered() {
    let (clinic, anna, patient) = world().await;
    let eve = anna.patient("Eve", "E").await;
    let (data, photo) = (
        anna.consent_text("DATA", json!({"validDays": 1})).await,
        anna.consent_text("CLINICAL_PHOTO", json!({})).await,
    );
    let ids = [
        anna.consent(&patient, &data, json!({"givenAt": hours_ago(48)})).await.id,
        anna.consent(&eve, &photo, json!({"givenAt": hours_ago(36)})).await.id,
        anna.proposed_consent(&eve, &data).await.id,
    ];
    let cases: &[(Value, &[usize])] = &[
        (json!({}), &[2, 1, 0]),
        (json!({"patientId": eve.id}), &[2, 1]),
        (json!({"templateVersionId": data.version.id}), &[2, 0]),
        (json!({"kind": ["CLINICAL_PHOTO", "TREATMENT"]}), &[1]),
        (json!({"status": ["ACTIVE"]}), &[1, 0]),
        (json!({"inForceAt": hours_ago(0)}), &[1]),
        (json!({"inForceAt": hours_ago(30)}), &[1, 0]),
        (json!({"inForceAt": hours_ago(47)}), &[0]),
        (json!({"inForceAt": hours_ago(49)}), &[]),
        (json!({"updatedSince": "2999-01-01T00:00:00Z"}), &[]),
    ];
    let query = "query ($f: ConsentFilter) { consents(filter: $f) { totalCount nodes { id } } }";
    for (filter, expected) in cases {
        let data = anna.graphql(query, json!({"f": filter})).await.ok();
        let nodes: Vec<_> =
            data["consents"]["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
        assert_eq!(nodes, expected.iter().map(|i| ids[*i].as_str()).collect::<Vec<_>>(), "{filter}");
        assert_eq!(data["consents"]["totalCount"], nodes.len(), "{filter}");
    }
    let wrong = json!({"f": {"patientId": "x", "templateVersionId": eve.id}});
    assert_eq!(anna.graphql(query, wrong).await.faults(), ["filter.patientId", "filter.templateVersionId"]);
    let none = clinic.stranger().ask("{ consents { totalCount } consentTemplates { totalCount } }").await;
    assert_eq!(none, json!({"consents": {"totalCount": 0}, "consentTemplates": {"totalCount": 8}}), "its own");
    let texts = anna.ask("{ consentTemplates(filter: {kind: [DATA], active: true}) { nodes { id } } }").await;
    let ours = json!({"id": data.template.id});
    assert!(texts["consentTemplates"]["nodes"].as_array().unwrap().contains(&ours), "{texts}");
    assert_eq!(texts["consentTemplates"]["nodes"].as_array().unwrap().len(), 2, "and the default: {texts}");
}
