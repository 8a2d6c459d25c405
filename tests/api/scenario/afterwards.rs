//! The duplicate, the consent taken back, and what is asked for at the end.

use super::{Story, list, with};
use crate::support::*;
use std::collections::BTreeMap;

/// The double that the front desk made by a slip, with an allergy that the first chart does not know.
pub(super) async fn a_duplicate(story: &mut Story) {
    let input = json!({"legalName": {"given": "Zoë", "family": "Rmaírez"}, "birthDate": "1990-05-17", "phone": "+34600123456", "email": "zoe@work.example"});
    let double = story.desk.make("registerPatient", "patient", input).await;
    let allergy = json!({"patientId": double.id, "kind": "ALLERGY", "text": "Latex", "severity": "RELATIVE"});
    let allergy = story.anna.make("addHealthEntry", "healthEntry", allergy).await;
    let about_latex = async || {
        let (_, told) = story.checks(story.visit(1)).await;
        told.into_iter()
            .filter(|it| it["rule"] == "CONTRAINDICATION")
            .map(|it| it["recordId"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(about_latex().await, Vec::<Value>::new(), "not known yet");
    let query = "query ($id: ID!) { possibleDuplicates(patientId: $id) { patient { id version } score reasons { field weight } } }";
    let found = story.anna.graphql(query, json!({"id": double.id})).await.ok()["possibleDuplicates"].clone();
    assert_eq!((list(&found).len(), &found[0]["patient"]["id"]), (1, &json!(story.patient.id)), "{found}");
    let fields: Vec<&Value> = list(&found[0]["reasons"]).iter().map(|it| &it["field"]).collect();
    assert!(
        fields.contains(&&json!("LEGAL_NAME"))
            && fields.contains(&&json!("BIRTH_DATE"))
            && fields.contains(&&json!("PHONE")),
        "{found}"
    );
    let merging = |from: i64, into: i64, more: Value| {
        with(
            json!({"fromId": double.id, "intoId": story.patient.id, "reason": "A slip at the desk", "expectedVersions": {"from": from, "into": into}}),
            more,
        )
    };
    const MERGE: &str = "merge { id } patient { id version } moved { kind count } conflicts { field from into taken }";
    let dry =
        story.anna.does("mergePatients", merging(1, 1, json!({"dryRun": true})), MERGE).await.ok()["mergePatients"]
            .clone();
    assert_eq!((&dry["merge"], &dry["moved"]), (&Value::Null, &json!([{"kind": "HEALTH_ENTRY", "count": 1}])));
    let conflicts: Vec<&Value> = list(&dry["conflicts"]).iter().map(|it| &it["field"]).collect();
    assert_eq!(conflicts, [&json!("LEGAL_NAME"), &json!("EMAIL")]);
    assert_eq!(
        story.anna.does("mergePatients", merging(1, 1, json!({})), MERGE).await.faults().len(),
        2,
        "both must be decided"
    );
    let decided = json!({"resolution": [{"field": "LEGAL_NAME", "take": "INTO"}, {"field": "EMAIL", "take": "INTO"}]});
    let done =
        story.anna.does("mergePatients", merging(1, 1, decided.clone()), MERGE).await.ok()["mergePatients"].clone();
    assert_eq!(done["moved"], dry["moved"]);
    let history = async || {
        let found = story.of_patient(&story.anna, "displayName email healthHistory { text }").await;
        let mut texts: Vec<String> =
            list(&found["healthHistory"]).iter().map(|it| it["text"].as_str().unwrap().to_owned()).collect();
        texts.sort();
        assert_eq!((&found["displayName"], &found["email"]), (&json!("Zoë Ramírez"), &json!("zoe@mail.example")));
        texts
    };
    assert_eq!(history().await, ["Isotretinoin, two courses", "Latex"], "no allergy is lost");
    assert_eq!(about_latex().await, [json!(allergy.id)], "from now on it is warned of");
    // Taken back, and done again: nothing is lost on the way.
    let back = json!({"mergeId": done["merge"]["id"], "reason": "Let us look at her passport first"});
    story.anna.does("unmergePatients", back, "merge { id }").await.ok();
    assert_eq!((history().await.len(), about_latex().await.len()), (1, 0));
    story.anna.does("mergePatients", merging(3, 3, decided), MERGE).await.ok();
    assert_eq!((history().await.len(), about_latex().await), (2, vec![json!(allergy.id)]));
    let search = story.desk.ask("{ patients(search: \"Rmaírez\") { nodes { id } } }").await;
    assert_eq!(search["patients"]["nodes"], json!([{"id": story.patient.id}]), "her old name finds her");
    *story.kinds.entry("HEALTH_ENTRY".to_owned()).or_default() += 1;
    story.kinds.insert("PATIENT_MERGE".to_owned(), 2);
    story.note("the merge").await;
}

/// Taking the photo consent back ends the links that are out.
pub(super) async fn the_photo_consent_is_withdrawn(story: &Story, photo: &Made, consent: &Made) {
    let link = story.link(photo).await;
    let url = link["url"].as_str().unwrap();
    assert_eq!(story.get(url).await.0, 200);
    story.anna.make("withdrawConsent", "consent", consent.edit_with(json!({"reason": "She asked for it"}))).await;
    assert_eq!(story.get(url).await, (403, "NO_CONSENT".to_owned()));
    assert_eq!(story.link(photo).await, json!({"url": null, "withheld": "NO_CONSENT"}));
}

/// The chart as it was known at each moment, by the auditor's eyes.
pub(super) async fn as_it_was_known(story: &Story) {
    assert!(story.moments.len() >= 6);
    let query = "query ($id: ID!, $at: DateTime!) { chart(patientId: $id, asOf: $at) { sessions { id signature { contentHash } } records { kind } } }";
    for moment in &story.moments {
        let chart =
            story.auditor.graphql(query, json!({"id": story.patient.id, "at": moment.at})).await.ok()["chart"].clone();
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for record in list(&chart["records"]) {
            *kinds.entry(record["kind"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        assert_eq!(kinds, moment.kinds, "{}", moment.what);
        let sessions: BTreeMap<String, Value> = list(&chart["sessions"])
            .iter()
            .map(|it| (it["id"].as_str().unwrap().to_owned(), it["signature"]["contentHash"].clone()))
            .collect();
        assert_eq!(sessions, moment.sessions, "{}", moment.what);
    }
    // The hashes of then are those of now.
    let now = story.of_patient(&story.anna, "sessions(first: 100) { nodes { id signature { contentHash } } }").await;
    for session in list(&now["sessions"]["nodes"]) {
        assert_eq!(session["signature"]["contentHash"], story.sessions[session["id"].as_str().unwrap()]);
    }
}

/// Everything of hers in one document, with who looked.
pub(super) async fn the_export(story: &Story) {
    let export = "export { format sha256 content }";
    let answer = story.admin.does("exportPatient", json!({"patientId": story.patient.id}), export).await.ok();
    let content = &answer["exportPatient"]["export"]["content"];
    let mut found: BTreeMap<String, usize> = content["records"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(kind, all)| (kind.to_uppercase(), list(all).len()))
        .collect();
    assert_eq!(found.remove("PATIENT"), Some(2), "both charts");
    assert_eq!(found, story.kinds);
    assert_eq!(list(&content["photos"]).len(), 2);
    let looks = list(&content["accessHistory"]);
    for (who, operation) in
        [(&story.anna, "photo"), (&story.anna, "patient"), (&story.auditor, "chart"), (&story.desk, "patient")]
    {
        assert!(
            looks.iter().any(|look| look["by"] == json!(who.id()) && look["operation"] == operation),
            "{operation} by {:?}: {looks:?}",
            who.role()
        );
        assert!(content["staff"][who.id()].is_string(), "by name");
    }
}
