//! Records, made through the API as their clients make them. A maker that is refused fails the test.

use super::{Caller, PASSWORD, Role, SignedIn, StaffMember};
use chrono::{DateTime, Days, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

/// A record as it was made or changed: what the next edit needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Typed id.
    pub id: String,
    /// Its version.
    pub version: i64,
}

impl Made {
    /// Reads `{ id version }`.
    pub fn of(value: &Value) -> Self {
        let id = value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned();
        Self { id, version: value["version"].as_i64().unwrap_or(1) }
    }

    /// `{id, expectedVersion}`: what every edit starts with.
    pub fn edit(&self) -> Value {
        json!({"id": self.id, "expectedVersion": self.version})
    }

    /// `edit`, with more fields.
    pub fn edit_with(&self, more: Value) -> Value {
        merged(self.edit(), more)
    }
}

/// A protocol and the version of it that is in force.
#[derive(Debug, Clone)]
pub struct Ruleset {
    /// `protocol_…`
    pub id: String,
    /// `protocol_version_…`
    pub version: String,
}

/// A drawn signature: a PNG of one pixel, in base64.
pub const SIGNATURE_PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A published text that patients agree to.
#[derive(Debug, Clone)]
pub struct ConsentText {
    /// The template.
    pub template: Made,
    /// Its published version.
    pub version: Made,
    /// The hash of what it says.
    pub hash: String,
}

impl ConsentText {
    /// A typed signature of a patient under this text, with more fields.
    pub fn signing(&self, more: Value) -> Value {
        let typed = json!({"signer": "PATIENT", "signerName": "Zoë Ramírez", "typedName": "Zoë Ramírez", "textHash": self.hash});
        merged(typed, more)
    }

    /// The input of `recordConsent` with a typed signature of the patient, with more fields of the signature.
    pub fn record(&self, patient: &Made, more: Value) -> Value {
        json!({"patientId": patient.id, "templateVersionId": self.version.id, "signing": self.signing(more)})
    }
}

fn merged(mut fields: Value, more: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (fields.as_object_mut(), more) {
        fields.extend(more);
    }
    fields
}

/// A moment so many hours ago.
pub fn hours_ago(hours: i64) -> String {
    let time: DateTime<Utc> = Utc::now() - TimeDelta::hours(hours);
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The day so many days from today (in UTC).
pub fn day(days: i64) -> String {
    let today = Utc::now().date_naive();
    let count = Days::new(days.unsigned_abs());
    if days < 0 { today - count } else { today + count }.to_string()
}

/// An address of a receiver at which nobody listens: the port of the discard protocol.
pub const NOBODY: &str = "http://127.0.0.1:9/hook";

/// The records that are never changed: they have no version.
pub const FIXED: [&str; 3] = ["addendum", "countersignature", "retraction"];

/// What `addCredential` is sent for a prescriber.
pub fn credential_of(staff: &str) -> Value {
    json!({"staffId": staff, "profession": "physician", "number": "7000141", "body": "General Medical Council",
        "jurisdiction": "United Kingdom", "prescriber": true})
}

/// Agrees that a supervisor reads every record that a colleague signs.
pub async fn supervised(admin: &SignedIn, supervisor: &str, supervisee: &str) -> Made {
    let input = json!({"supervisorId": supervisor, "superviseeId": supervisee, "percent": 100, "withinDays": 7,
        "startsOn": day(-10)});
    admin.make("agreeSupervision", "supervisionAgreement", input).await
}

/// The one review of a supervisor that is due.
pub async fn review_due(supervisor: &SignedIn) -> Made {
    let query = "query ($id: ID!) { chartReviews(filter: {reviewerId: $id, done: false}) { nodes { id version } } }";
    let found = supervisor.graphql(query, json!({"id": supervisor.id()})).await.ok();
    Made::of(&found["chartReviews"]["nodes"][0])
}

/// Another practitioner of somebody's organisation, signed in, whose licence says nothing.
pub async fn new_colleague(admin: &SignedIn, name: &str) -> SignedIn {
    let email = format!("{}@staff.example", uuid::Uuid::now_v7());
    let input = json!({"email": email, "displayName": name, "role": "PRACTITIONER", "password": PASSWORD});
    let id = admin.make("addStaff", "staff", input).await.id;
    let token = admin.sign_in(&email, PASSWORD).await.ok()["signIn"]["token"].as_str().expect("a token").to_owned();
    admin.beside(StaffMember { role: Role::Practitioner, email, id, token })
}

/// The rules that warn of a session without a protocol, a consent, a signed consultation and a review of the health history,
/// each with its reason.
fn reasons() -> Value {
    let rules = ["PROTOCOL", "CONSENT", "CONSULTATION", "HISTORY"];
    rules.iter().map(|rule| json!({"rule": rule, "reason": "Of no matter to this test"})).collect()
}

/// A session's input with everything that signing asks for.
pub fn session_to_sign(patient: &Made, location: &str) -> Value {
    json!({
        "patientId": patient.id,
        "locationId": location,
        "startedAt": hours_ago(2),
        "endedAt": hours_ago(1),
        "modality": "MICRONEEDLING",
        "device": {"model": "Derma Pen 4", "serial": "DP-77", "kind": "MOTORISED_PEN"},
        "areas": [
            {"area": "CHEEK", "side": "LEFT", "needleDepthMm": "1.25", "passes": 4, "endpoint": "ERYTHEMA"},
            {"area": "CHEEK", "side": "RIGHT", "needleDepthMm": "1.50", "passes": 4, "endpoint": "PINPOINT_BLEEDING"},
        ],
        "products": [
            {"role": "CARTRIDGE", "product": "12-pin cartridge", "lot": "C-1"},
            {"role": "SERUM", "product": "Hyaluronic serum", "lot": "S-9", "quantity": "2.5", "unit": "mL"},
        ],
        "painScore": 3,
        "note": "Tolerated well.",
        "overrides": reasons(),
    })
}

impl Caller {
    /// The patient's consent to clinical photos, unless there is one.
    pub async fn agree_to_photos(&self, patient: &Made) {
        let query = "query ($of: ID!, $now: DateTime!) { consents(filter: {patientId: $of, kind: [CLINICAL_PHOTO], inForceAt: $now}) \
            { totalCount } }";
        let found = self.graphql(query, json!({"of": patient.id, "now": hours_ago(0)})).await.ok();
        if found["consents"]["totalCount"] != 0 {
            return;
        }
        let name = format!("Photos {}", uuid::Uuid::now_v7());
        let input = json!({"name": name, "kind": "CLINICAL_PHOTO", "text": "I agree to photos.", "language": "en"});
        let selection = "consentTemplate { id version draftVersion { id version textHash } }";
        let made = self.does("createConsentTemplate", input, selection).await.ok();
        let template = &made["createConsentTemplate"]["consentTemplate"];
        let (version, hash) = (Made::of(&template["draftVersion"]), &template["draftVersion"]["textHash"]);
        self.does("publishConsentTemplateVersion", version.edit(), "consentTemplateVersion { id }").await.ok();
        let text =
            ConsentText { template: Made::of(template), version, hash: hash.as_str().expect("a hash").to_owned() };
        let input = text.record(patient, json!({"givenAt": hours_ago(1)}));
        self.does("recordConsent", input, "consent { id }").await.ok();
    }
}

impl SignedIn {
    /// Does something, and reads the record of its payload.
    pub async fn make(&self, mutation: &str, payload: &str, input: Value) -> Made {
        let versioned = if FIXED.contains(&payload) { "id" } else { "id version" };
        let answer = self.does(mutation, input, &format!("{payload} {{ {versioned} }}")).await;
        Made::of(&answer.ok()[mutation][payload])
    }

    /// An account of a program, with the names of its scopes.
    pub async fn service_account(&self, name: &str, scopes: &[&str]) -> Made {
        self.make("createServiceAccount", "serviceAccount", json!({"name": name, "scopes": scopes})).await
    }

    /// A webhook with the rights of a service account, of a kind that seldom changes. Nobody listens at its address.
    pub async fn webhook(&self, service: &str, kind: &str) -> Made {
        let input = json!({"serviceAccountId": service, "url": NOBODY, "kinds": [kind]});
        self.make("addWebhook", "webhook", input).await
    }

    /// A key of a service account, and the key itself.
    pub async fn api_key(&self, service: &Made, more: Value) -> (Made, String) {
        let input = merged(json!({"serviceAccountId": service.id}), more);
        let made = self.does("createApiKey", input, "apiKey { id version } secret").await.ok();
        let secret = made["createApiKey"]["secret"].as_str().expect("the key").to_owned();
        (Made::of(&made["createApiKey"]["apiKey"]), secret)
    }

    /// A patient, born in 1990.
    pub async fn patient(&self, given: &str, family: &str) -> Made {
        self.patient_with(given, family, json!({})).await
    }

    /// A patient with more fields of `RegisterPatientInput`.
    pub async fn patient_with(&self, given: &str, family: &str, more: Value) -> Made {
        let input = json!({"legalName": {"given": given, "family": family}, "birthDate": "1990-05-17"});
        self.make("registerPatient", "patient", merged(input, more)).await
    }

    /// A photo with its bytes, agreed to: a picture that nobody else has.
    pub async fn photo_with(&self, patient: &Made, more: Value) -> Made {
        self.agree_to_photos(patient).await;
        let input = json!({
            "patientId": patient.id, "phase": "BEFORE", "view": "FRONTAL", "area": "CHEEK", "side": "LEFT",
        });
        let answer = self.does("requestPhotoUpload", merged(input, more), "photo { id } uploadUrl").await.ok();
        let asked = &answer["requestPhotoUpload"];
        let random = *uuid::Uuid::now_v7().as_bytes();
        let picture = image::RgbImage::from_fn(16, 16, |x, y| image::Rgb([random[x as usize], random[y as usize], 0]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a picture");
        let upload = self.request(reqwest::Method::PUT, asked["uploadUrl"].as_str().expect("an address"));
        let stored = upload.body(bytes.into_inner()).send().await.expect("an answer");
        assert!(stored.status().is_success(), "{}", stored.status());
        Made { id: asked["photo"]["id"].as_str().expect("an id").to_owned(), version: 2 }
    }

    /// An allergy in a patient's history.
    pub async fn health_entry(&self, patient: &Made) -> Made {
        let input = json!({"patientId": patient.id, "kind": "ALLERGY", "text": "Lidocaine", "severity": "RELATIVE"});
        self.make("addHealthEntry", "healthEntry", input).await
    }

    /// A review of the health history so many hours ago, in which nothing is known of any part.
    pub async fn health_review(&self, patient: &Made, hours: i64) -> Made {
        let input = json!({"patientId": patient.id, "reviewedAt": hours_ago(hours), "allergies": "NONE_KNOWN",
            "medicines": "NONE_KNOWN", "conditions": "NONE_KNOWN", "pregnancy": "NONE_KNOWN"});
        self.make("recordHealthReview", "healthReview", input).await
    }

    /// A consultation that lacks nothing to be signed.
    pub async fn consultation(&self, patient: &Made) -> Made {
        self.consultation_with(patient, json!({})).await
    }

    /// A consultation with more fields of `RecordConsultationInput`.
    pub async fn consultation_with(&self, patient: &Made, more: Value) -> Made {
        let input = json!({
            "patientId": patient.id,
            "locationId": self.location,
            "heldAt": hours_ago(72),
            "mode": "IN_PERSON",
            "concerns": ["ACNE_SCARS"],
            "goals": "Smoother cheeks",
            "findings": "Rolling scars on both cheeks",
            "scarTypes": ["ROLLING"],
            "expectationsDiscussed": true,
            "candidacy": "SUITABLE",
            "recommendedPlan": "Four sessions, four weeks apart",
        });
        self.make("recordConsultation", "consultation", merged(input, more)).await
    }

    /// Signs a consultation as its author.
    pub async fn sign_consultation(&self, consultation: &Made) -> Made {
        self.make("signConsultation", "consultation", consultation.edit()).await
    }

    /// A completed session that lacks nothing to be signed.
    pub async fn session(&self, patient: &Made) -> Made {
        self.session_with(patient, json!({})).await
    }

    /// A logged session with more fields of `LogSessionInput`.
    pub async fn session_with(&self, patient: &Made, more: Value) -> Made {
        let input = merged(session_to_sign(patient, &self.location), more);
        self.make("logSession", "session", input).await
    }

    /// A session that is under way.
    pub async fn started_session(&self, patient: &Made) -> Made {
        let input = json!({"patientId": patient.id, "locationId": self.location, "modality": "MICRONEEDLING",
            "overrides": reasons()});
        self.make("startSession", "session", input).await
    }

    /// Signs a session as its author, with a reason for each warning.
    pub async fn sign_session(&self, session: &Made) -> Made {
        let answer = self.does("signSession", session.edit(), "session { id version }").await;
        if answer.outcome() == "ok" {
            return Made::of(&answer.ok()["signSession"]["session"]);
        }
        // What is new is in the refusal; what was there before is in the session.
        let told = match answer.code() {
            "PROTOCOL_BLOCKED" => answer.errors[0]["extensions"]["checks"].clone(),
            _ => {
                let query = "query ($id: ID!) { session(id: $id) { checks { id rule verdict } } }";
                self.graphql(query, json!({"id": session.id})).await.ok()["session"]["checks"].clone()
            }
        };
        let mut session = session.clone();
        for check in told.as_array().expect("checks").iter().filter(|it| it["verdict"] == "WARN") {
            let reason = json!({"sessionId": session.id, "expectedVersion": session.version, "rule": check["rule"],
                "checkId": check["id"], "reason": "Of no matter to this test"});
            session = self.make("overrideSessionCheck", "session", reason).await;
        }
        self.make("signSession", "session", session.edit()).await
    }

    /// A session, signed.
    pub async fn signed_session(&self, patient: &Made) -> Made {
        let session = self.session(patient).await;
        self.sign_session(&session).await
    }

    /// A consultation, signed.
    pub async fn signed_consultation(&self, patient: &Made) -> Made {
        let consultation = self.consultation(patient).await;
        self.sign_consultation(&consultation).await
    }

    /// An aftercare note that lacks nothing to be signed.
    pub async fn note(&self, session: &Made) -> Made {
        let input = json!({"sessionId": session.id, "kind": "INSTRUCTIONS_GIVEN", "text": "No sun for 24 hours."});
        self.make("addAftercareNote", "aftercareNote", input).await
    }

    /// Signs a note as its author.
    pub async fn sign_note(&self, note: &Made) -> Made {
        self.make("signAftercareNote", "aftercareNote", note.edit()).await
    }

    /// A note, signed.
    pub async fn signed_note(&self, session: &Made) -> Made {
        let note = self.note(session).await;
        self.sign_note(&note).await
    }

    /// An addendum to a signed record.
    pub async fn addendum(&self, record: &Made) -> Made {
        let input = json!({"recordId": record.id, "reason": "Forgotten", "text": "The lot was C-2."});
        self.make("addAddendum", "addendum", input).await
    }

    /// A pen of the catalogue.
    pub async fn device(&self, model: &str) -> Made {
        let input = json!({"model": model, "serial": "D-1", "kind": "MOTORISED_PEN", "depthMaxMm": "2.5"});
        self.make("addDevice", "device", input).await
    }

    /// A serum of the catalogue.
    pub async fn product(&self, name: &str) -> Made {
        let input = json!({"name": name, "role": "SERUM", "manufacturer": "Serum Works", "intradermalUse": "YES"});
        self.make("addProduct", "product", input).await
    }

    /// A lot of a product, to be used for another year.
    pub async fn lot(&self, product: &Made, number: &str) -> Made {
        let input = json!({"productId": product.id, "lot": number, "expiresOn": day(365)});
        self.make("addProductLot", "productLot", input).await
    }

    /// A completed session in which a lot of the catalogue was used.
    pub async fn session_with_lot(&self, patient: &Made, lot: &Made) -> Made {
        self.session_with(patient, json!({"products": [{"role": "SERUM", "lotId": lot.id}]})).await
    }

    /// An infection after a session.
    pub async fn adverse_event(&self, session: &Made) -> Made {
        self.adverse_event_with(session, json!({})).await
    }

    /// An adverse event after a session, with more fields of `ReportAdverseEventInput`.
    pub async fn adverse_event_with(&self, session: &Made, more: Value) -> Made {
        let input =
            json!({"sessionId": session.id, "kind": "INFECTION", "onsetAt": hours_ago(1), "severity": "MODERATE"});
        self.make("reportAdverseEvent", "adverseEvent", merged(input, more)).await
    }

    /// A recall made by hand, due from today for a week.
    pub async fn recall(&self, patient: &Made) -> Made {
        let input =
            json!({"patientId": patient.id, "reason": "RESULTS_REVIEW", "dueUntil": day(7), "basis": "Asked for it"});
        self.make("createRecall", "recall", input).await
    }

    /// The default protocol for acne scars, with its published version.
    pub async fn protocol(&self) -> Ruleset {
        let query = "{ protocols(filter: {indication: [ACNE_SCARS], modality: [MICRONEEDLING]}) {
            nodes { id name publishedVersion { id } } } }";
        let found = self.ask(query).await;
        let first = &found["protocols"]["nodes"][0];
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        Ruleset { id: text(&first["id"]), version: text(&first["publishedVersion"]["id"]) }
    }

    /// A plan of four sessions on both cheeks.
    pub async fn plan(&self, consultation: &Made, protocol: &Ruleset) -> Made {
        let input = json!({"consultationId": consultation.id, "protocolVersionId": protocol.version, "plannedSessions": 4,
            "areas": [{"area": "CHEEK"}]});
        self.make("createTreatmentPlan", "treatmentPlan", input).await
    }

    /// A text with its first version, which is a draft.
    pub async fn consent_draft(&self, kind: &str, more: Value) -> ConsentText {
        let name = format!("Text {}", uuid::Uuid::now_v7());
        let input = json!({"name": name, "kind": kind, "text": format!("I agree to {name}."), "language": "en"});
        let selection = "consentTemplate { id version draftVersion { id version textHash } }";
        let made = self.does("createConsentTemplate", merged(input, more), selection).await.ok();
        let template = &made["createConsentTemplate"]["consentTemplate"];
        let draft = &template["draftVersion"];
        let hash = draft["textHash"].as_str().expect("a hash").to_owned();
        ConsentText { template: Made::of(template), version: Made::of(draft), hash }
    }

    /// A text that is published.
    pub async fn consent_text(&self, kind: &str, more: Value) -> ConsentText {
        let draft = self.consent_draft(kind, more).await;
        let edit = draft.version.edit();
        let version = self.make("publishConsentTemplateVersion", "consentTemplateVersion", edit).await;
        ConsentText { version, ..draft }
    }

    /// A consent that is proposed.
    pub async fn proposed_consent(&self, patient: &Made, text: &ConsentText) -> Made {
        let input = json!({"patientId": patient.id, "templateVersionId": text.version.id});
        self.make("proposeConsent", "consent", input).await
    }

    /// A consent that the patient signed, with more fields of the signature.
    pub async fn consent(&self, patient: &Made, text: &ConsentText, more: Value) -> Made {
        self.make("recordConsent", "consent", text.record(patient, more)).await
    }

    /// A score of the patient on GAIS, 1 best, by this practitioner, so many hours ago.
    pub async fn outcome(&self, patient: &Made, score: &str, hours: i64, more: Value) -> Made {
        let input = json!({
            "patientId": patient.id, "scale": "gais", "scaleVersion": "1-to-5", "score": score,
            "raterRole": "PRACTITIONER", "assessedAt": hours_ago(hours),
        });
        self.make("recordOutcome", "outcomeAssessment", merged(input, more)).await
    }
}
