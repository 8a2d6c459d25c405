//! Names that can't be read are refused wherever one is given, and say which character it is.

use crate::support::*;

/// Faulty, and how the fault begins.
const WRONG: &[(&str, &str)] = &[
    ("\u{3164}", "has U+3164 as character 1,"),
    ("\u{200b}", "has U+200B as character 1,"),
    ("\u{200e}", "has U+200E as character 1,"),
    ("An\u{7}na", "has U+0007 as character 3,"),
    ("An\u{1b}[31mna", "has U+001B as character 3,"),
    ("Anna\u{202e}annA", "has U+202E as character 5,"),
    ("Anna\nAdmin", "has U+000A as character 5,"),
    ("\u{2060}\u{2060}", "has U+2060 as character 1,"),
    ("\u{1d159}", "has U+1D159 as character 1,"),
    ("A \u{fff9}x \u{fffa}B", "has U+FFF9 as character 3,"),
    ("\u{ffff}", "has U+FFFF as character 1,"),
    ("\u{e000}", "has U+E000 as character 1,"),
    ("An\u{fffc}na", "has U+FFFC as character 3,"),
    ("\u{301}", "has U+0301 as character 1,"),
    ("A\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}", "has U+0301 as character 10,"),
];

/// Read as they are.
const RIGHT: &[&str] = &[
    "می\u{200c}نا",
    "क्\u{200d}ष",
    "Tra\u{302}\u{300}n",
    "김민준",
    "山田\u{3000}太郎",
    "שרה",
    "Ana ❤\u{fe0f}",
    "مُحَمَّد",
    "שָׂרָה",
    "น้ำฝน",
    "தமிழ்ச்செல்வி",
    "മോഹന്\u{200d}",
    "𠮷野",
    "I\u{fe20}U\u{fe21}lii\u{fe20}a\u{fe21}",
];

/// Reasons of which nobody sees anything.
const UNSEEN: &[&str] = &[
    "\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}\u{3164}",
    "\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}",
    "\u{2800}\u{2800}\u{2800}\u{2800}\u{2800}\u{2800}\u{2800}\u{2800}\u{2800}\u{2800}",
    "\u{ad}\u{ad}\u{ad}\u{ad}\u{ad}\u{ad}\u{ad}\u{ad}\u{ad}\u{ad}",
    "\u{e000}\u{e000}\u{e000}\u{e000}\u{e000}\u{e000}\u{e000}\u{e000}\u{e000}\u{e000}",
    "\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_name_holds_what_nobody_sees() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let product = anna.product("Serum").await;
    let rules = anna.protocol().await;
    let version = admin.ask("{ organisation { version } }").await["organisation"]["version"].clone();
    let email = || format!("{}@x.example", uuid::Uuid::now_v7());
    let inputs = |name: &str| {
        let legal = json!({"given": name, "family": "Lovelace"});
        let whole = json!({"given": "Ada", "middle": name, "family": "Lovelace"});
        let patient = |more: Value| {
            let mut input = json!({"legalName": {"given": "Ada", "family": "Lovelace"}, "birthDate": "1990-01-01"});
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            input
        };
        vec![
            (&anna, "registerPatient", patient(json!({"legalName": legal})), "legalName.given"),
            (&anna, "registerPatient", patient(json!({"legalName": whole})), "legalName.middle"),
            (&anna, "registerPatient", patient(json!({"preferredName": name})), "preferredName"),
            (
                &anna,
                "registerPatient",
                patient(json!({"emergencyContact": {"name": name, "phone": "+34600123456"}})),
                "emergencyContact.name",
            ),
            (&admin, "addStaff", json!({"email": email(), "displayName": name, "role": "AUDITOR"}), "displayName"),
            (&admin, "updateOrganisation", json!({"expectedVersion": version, "name": name}), "name"),
            (&admin, "addLocation", json!({"name": name, "timeZone": "Europe/Madrid"}), "name"),
            (&admin, "createServiceAccount", json!({"name": name, "scopes": ["CATALOGUE_READ"]}), "name"),
            (&anna, "addDevice", json!({"model": name, "kind": "RF"}), "model"),
            (&anna, "addProduct", json!({"name": name, "role": "SERUM"}), "name"),
            (&anna, "addProductLot", json!({"productId": product.id, "lot": name}), "lot"),
            (&admin, "createProtocol", json!({"name": name, "copyFrom": rules.version}), "name"),
            (
                &anna,
                "createConsentTemplate",
                json!({"name": name, "kind": "TREATMENT", "text": "Yes", "language": "en"}),
                "name",
            ),
        ]
    };
    for (name, fault) in WRONG {
        for (by, mutation, input, path) in inputs(name) {
            let answer = by.does(mutation, input, "__typename").await;
            assert_eq!(answer.faults(), [format!("input.{path}")], "{mutation} {name:?}: {}", answer.text);
            assert!(answer.text.contains(fault), "{mutation} {name:?}: {}", answer.text);
        }
    }
    for name in RIGHT {
        let input = json!({"legalName": {"given": name, "family": "Lovelace"}, "birthDate": "1990-01-01"});
        let made = anna.does("registerPatient", input, "patient { legalName { given } }").await.ok();
        assert_eq!(made["registerPatient"]["patient"]["legalName"]["given"], *name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_has_lines_and_any_writing() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    for note in ["One\n\ttwo\r\nthree", "שלום \u{200f}(ok)", "👩\u{200d}⚕\u{fe0f} 山田"] {
        let session = anna.session_with(&patient, json!({"note": note})).await;
        let query = "query ($id: ID!) { session(id: $id) { note } }";
        assert_eq!(anna.graphql(query, json!({"id": session.id})).await.ok()["session"]["note"], note);
    }
    for note in ["\u{1b}[2K", "bell \u{7}", "\u{200b}\n\u{3164}"] {
        let mut input = session_to_sign(&patient, &anna.location);
        input["note"] = json!(note);
        assert_eq!(anna.does("logSession", input, "__typename").await.faults(), ["input.note"], "{note:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_patient_opens_for_a_reason_that_can_be_seen() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient("Ada", "Lovelace").await;
    let input = json!({"patientId": patient.id, "reason": "Works here"});
    admin.because("To restrict it").make("restrictPatient", "restriction", input).await;
    let query = "query ($id: ID!) { patient(id: $id) { id } }";
    let look = async |reason: &str| anna.because(reason).graphql(query, json!({"id": patient.id})).await;
    for reason in UNSEEN.iter().chain(&["a \u{202e} b", "a\u{200b}\u{200b}b", "two\u{85}lines", "ab"]).copied() {
        let answer = look(reason).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "BAD_REQUEST"), "{reason:?}: {}", answer.text);
        assert!(answer.text.contains("Access-Reason"), "{reason:?}: {}", answer.text);
    }
    for reason in
        ["She asked me to", "مراجعه\u{200c}ی بیمار", "Bác sĩ đi vắng", "她的醫生不在", "👩\u{200d}⚕\u{fe0f} asked"]
    {
        assert_eq!(look(reason).await.ok()["patient"]["id"], patient.id, "{reason:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_shows_something() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let (patient, double) = (anna.patient("Ada", "Lovelace").await, anna.patient("Ada", "Lovelace").await);
    let inputs = |reason: &str| {
        let of = |more: Value| {
            let mut input = json!({"patientId": patient.id, "reason": reason});
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            input
        };
        let erasure =
            json!({"expectedVersion": patient.version, "authority": "Art. 17 GDPR", "confirmChartNumber": "1"});
        let versions = json!({"from": double.version, "into": patient.version});
        let merge = json!({"fromId": double.id, "intoId": patient.id, "expectedVersions": versions, "reason": reason});
        let mut session = session_to_sign(&patient, &anna.location);
        session["overrides"] = json!([{"rule": "INTERVAL", "reason": reason}]);
        vec![
            (&admin, "restrictPatient", of(json!({})), "input.reason"),
            (&admin, "placeLegalHold", of(json!({})), "input.reason"),
            (&admin, "beginEmergencyAccess", of(json!({})), "input.reason"),
            (&admin, "erasePatient", of(erasure), "input.reason"),
            (&admin, "mergePatients", merge, "input.reason"),
            (&anna, "logSession", session, "input.overrides.0.reason"),
        ]
    };
    for reason in UNSEEN {
        for (by, mutation, input, path) in inputs(reason) {
            let answer = by.does(mutation, input, "__typename").await;
            assert_eq!(answer.faults(), [path], "{mutation} {reason:?}: {}", answer.text);
            assert!(answer.text.contains("holds nothing that can be seen"), "{mutation} {reason:?}: {}", answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_is_listed_under_what_can_be_seen() {
    let clinic = Clinic::start().await;
    let (door, anna) = (clinic.anonymous(), clinic.practitioner());
    let query = "mutation ($input: SignInInput!) { signIn(input: $input) { token } }";
    let input = json!({"input": {"email": anna.member.email, "password": PASSWORD}});
    let request = door.prepare(query, input).header("user-agent", "Anna\u{202e}'s\u{200b} tabl\u{e9}t\u{3164}");
    Answer::to(request).await.ok();
    let listed = anna.ask("{ me { signIns { client } } }").await;
    assert_eq!(listed["me"]["signIns"][0]["client"], "Anna's tabl\u{e9}t");
}
