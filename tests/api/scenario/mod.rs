//! A year with one patient, as a front end lives it: GraphQL and the photo addresses of the built program over HTTP.
//! What happened is back-dated, so that the plan's windows, the reviews and the maintenance of a whole year come out of
//! the service by themselves; what was known when is noted as it goes and asked for at the end.

mod afterwards;
mod beginning;
mod course;
mod results;
mod stormy;

use crate::binary::{Service, verify};
use crate::support::*;
use afterwards::{a_duplicate, as_it_was_known, the_export, the_photo_consent_is_withdrawn};
use beginning::{before_the_first_session, photos_need_a_consent};
use chrono::{DateTime, Days, NaiveDate, SecondsFormat, Utc};
use course::{a_rash, a_session_too_soon, two_sessions};
use reqwest::Method;
use results::results_and_maintenance;
use std::collections::BTreeMap;

/// Days before today on which things happened.
const CONSULTED: i64 = 395;

const SESSIONS: [i64; 5] = [380, 352, 342, 314, 101];

/// What the chart held at a moment.
struct Moment {
    what: &'static str,
    at: String,
    kinds: BTreeMap<String, usize>,
    /// Sessions with the hash they were signed with.
    sessions: BTreeMap<String, Value>,
}

/// The clinic, its people and what was made so far.
struct Story {
    service: Service,
    anna: SignedIn,
    desk: SignedIn,
    admin: SignedIn,
    auditor: SignedIn,
    today: NaiveDate,
    patient: Made,
    plan: String,
    /// By kind: how many records the chart has.
    kinds: BTreeMap<String, usize>,
    sessions: BTreeMap<String, Value>,
    moments: Vec<Moment>,
}

fn with(mut input: Value, more: Value) -> Value {
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

impl Story {
    async fn begin(url: &str, objects: &str) -> Self {
        let world = world().await;
        let service = Service::start(&["--database-url", url, "--object-store", objects, "--pool-size", "6"]).await;
        let door = service.door();
        let sign_in = async |role: Role| {
            let mut member = world.north.who(role).clone();
            let answer = door.sign_in(&member.email, PASSWORD).await.ok();
            member.token = answer["signIn"]["token"].as_str().expect("a token").to_owned();
            SignedIn::new(&door, &world.north, member)
        };
        Self {
            anna: sign_in(Role::Practitioner).await,
            desk: sign_in(Role::FrontDesk).await,
            admin: sign_in(Role::Admin).await,
            auditor: sign_in(Role::Auditor).await,
            service,
            today: Utc::now().date_naive(),
            patient: Made { id: String::new(), version: 1 },
            plan: String::new(),
            kinds: BTreeMap::new(),
            sessions: BTreeMap::new(),
            moments: Vec::new(),
        }
    }

    /// The day so many days ago.
    fn day(&self, ago: i64) -> NaiveDate {
        self.today - Days::new(u64::try_from(ago).unwrap())
    }

    /// An hour (UTC) of the day so many days ago.
    fn at(&self, ago: i64, hour: u32) -> DateTime<Utc> {
        self.day(ago).and_hms_opt(hour, 0, 0).unwrap().and_utc()
    }

    /// The practitioner makes a record of the chart.
    async fn make(&mut self, mutation: &str, payload: &str, kind: &str, input: Value) -> Made {
        let made = self.anna.make(mutation, payload, input).await;
        *self.kinds.entry(kind.to_owned()).or_default() += 1;
        made
    }

    /// The answer to a query about the patient, `$id`.
    async fn of_patient(&self, who: &SignedIn, fields: &str) -> Value {
        let query = format!("query ($id: ID!) {{ patient(id: $id) {{ {fields} }} }}");
        who.graphql(&query, json!({"id": self.patient.id})).await.ok()["patient"].clone()
    }

    /// The answer to a query about a session, `$id`.
    async fn of_session(&self, session: &Made, fields: &str) -> Value {
        let query = format!("query ($id: ID!) {{ session(id: $id) {{ {fields} }} }}");
        self.anna.graphql(&query, json!({"id": session.id})).await.ok()["session"].clone()
    }

    /// What a patient is to keep to at a moment after a session, and whom the clinic owes a call.
    async fn aftercare(&self, session: &Made, at: DateTime<Utc>) -> Value {
        let fields =
            "timeZone inForce { code endsAt } checkInsDue { code } checkInsOverdue { code } checkInsUpcoming { code }";
        self.of_session(session, &format!("aftercare(at: \"{}\") {{ {fields} }}", iso(at))).await["aftercare"].clone()
    }

    /// Notes what the chart holds now. What the plan asked for by itself is what the worklist shows.
    async fn note(&mut self, what: &'static str) {
        let recalls = self.of_patient(&self.desk, "recalls(first: 100) { totalCount }").await;
        let recalls = recalls["recalls"]["totalCount"].as_u64().unwrap();
        if recalls > 0 {
            self.kinds.insert("RECALL".to_owned(), usize::try_from(recalls).unwrap());
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        let at = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        self.moments.push(Moment { what, at, kinds: self.kinds.clone(), sessions: self.sessions.clone() });
    }

    /// A session of the plan, 10:00 to 11:00 (UTC).
    fn visit(&self, ago: i64) -> Value {
        let of_day = json!({"startedAt": iso(self.at(ago, 10)), "endedAt": iso(self.at(ago, 11))});
        let input = with(session_to_sign(&self.patient, &self.anna.location), of_day);
        if self.plan.is_empty() { input } else { with(input, json!({"planId": self.plan})) }
    }

    /// Asks what has changed in the health history, at 9:00 (UTC) of a visit.
    async fn ask_history(&mut self, ago: i64) {
        let input = json!({"patientId": self.patient.id, "reviewedAt": iso(self.at(ago, 9)), "allergies": "NONE_KNOWN",
            "medicines": "LISTED", "conditions": "NONE_KNOWN", "pregnancy": "NONE_KNOWN"});
        self.make("recordHealthReview", "healthReview", "HEALTH_REVIEW", input).await;
    }

    /// What the rules say of a session before it is logged: the verdict, and what does not pass.
    async fn checks(&self, input: Value) -> (Value, Vec<Value>) {
        let query = "query ($input: LogSessionInput!) { sessionChecks(input: $input) { verdict checks { rule verdict cause recordId settled } } }";
        let found = self.anna.graphql(query, json!({"input": input})).await.ok()["sessionChecks"].clone();
        let told = list(&found["checks"]).iter().filter(|it| it["verdict"] != "PASS").cloned().collect();
        (found["verdict"].clone(), told)
    }

    async fn completeness(&self, record: &Made) -> Value {
        let query =
            "query ($id: ID!) { chartCompleteness(recordId: $id) { ready signed items { field cost message } } }";
        self.anna.graphql(query, json!({"id": record.id})).await.ok()["chartCompleteness"].clone()
    }

    async fn log(&mut self, input: Value) -> Made {
        let session = self.make("logSession", "session", "TREATMENT_SESSION", input).await;
        self.sessions.insert(session.id.clone(), Value::Null);
        session
    }

    async fn sign(&mut self, session: &Made) -> Made {
        let answer =
            self.anna.does("signSession", session.edit(), "session { id version signature { contentHash } }").await;
        let signed = answer.ok()["signSession"]["session"].clone();
        self.sessions.insert(session.id.clone(), signed["signature"]["contentHash"].clone());
        assert_eq!(signed["signature"]["contentHash"].as_str().map(str::len), Some(64));
        Made::of(&signed)
    }

    /// A session that goes by the book: nothing is warned of, nothing is missing.
    async fn treat(&mut self, ago: i64) -> Made {
        self.ask_history(ago).await;
        let input = self.visit(ago);
        let (verdict, told) = self.checks(input.clone()).await;
        assert_eq!((verdict, told), (json!("PASS"), vec![]), "{ago} days ago");
        let session = self.log(input).await;
        assert_eq!(self.completeness(&session).await, json!({"ready": true, "signed": false, "items": []}));
        self.sign(&session).await
    }

    /// How the plan stands, overdue or not on a day.
    async fn progress(&self, on: NaiveDate) -> Value {
        let query = "query ($id: ID!, $on: Date) { treatmentPlan(id: $id) { progress(on: $on) { done remaining lastSession { id } nextSession { from target until }
            resultsReview { from until } maintenance { from until } overdue } } }";
        let answer = self.anna.graphql(query, json!({"id": self.plan, "on": on.to_string()})).await.ok();
        answer["treatmentPlan"]["progress"].clone()
    }

    /// The recalls to be worked on, as the front desk has them.
    async fn worklist(&self) -> Vec<Value> {
        let query = "{ recalls(filter: {state: [OPEN, OVERDUE]}, first: 100) { nodes { id version reason state dueFrom dueUntil patient { id displayName phone } } } }";
        let recalls = self.desk.ask(query).await["recalls"]["nodes"].clone();
        list(&recalls).to_vec()
    }

    /// The one to be worked on for a reason.
    async fn recall_for(&self, reason: &str) -> Value {
        let found: Vec<Value> = self.worklist().await.into_iter().filter(|it| it["reason"] == reason).collect();
        assert_eq!(found.len(), 1, "{reason}: {found:?}");
        found[0].clone()
    }

    /// A picture of one colour, sent as a front end sends it.
    async fn photo(&mut self, ago: i64, phase: &str, colour: u8, more: Value) -> Made {
        let input = json!({"patientId": self.patient.id, "phase": phase, "view": "FRONTAL", "area": "CHEEK", "side": "LEFT",
            "takenAt": iso(self.at(ago, 9)), "distanceCm": 40, "makeUpFree": true, "lighting": "Ring light"});
        let asked = self.anna.does("requestPhotoUpload", with(input, more), "photo { id status } uploadUrl").await.ok();
        let asked = &asked["requestPhotoUpload"];
        assert_eq!(asked["photo"]["status"], "AWAITING_UPLOAD");
        let mut bytes = std::io::Cursor::new(Vec::new());
        let picture = image::RgbImage::from_pixel(640, 480, image::Rgb([colour, 120, 90]));
        picture.write_to(&mut bytes, image::ImageFormat::Jpeg).expect("a picture");
        let put =
            self.service.door().request(Method::PUT, asked["uploadUrl"].as_str().unwrap()).body(bytes.into_inner());
        let stored: Value = put.send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!((&stored["photoId"], &stored["width"]), (&asked["photo"]["id"], &json!(640)), "{stored}");
        *self.kinds.entry("PHOTO".to_owned()).or_default() += 1;
        Made::of(&asked["photo"])
    }

    async fn link(&self, photo: &Made) -> Value {
        let query = "query ($id: ID!) { photo(id: $id) { status link(purpose: CLINICAL_RECORD) { url withheld } } }";
        self.anna.graphql(query, json!({"id": photo.id})).await.ok()["photo"]["link"].clone()
    }

    /// What a link answers: status, and the media type or the code of the error.
    async fn get(&self, url: &str) -> (u16, String) {
        let answer = self.service.door().request(Method::GET, url).send().await.expect("an answer");
        let status = answer.status().as_u16();
        if status == 200 {
            return (status, answer.headers()["content-type"].to_str().unwrap().to_owned());
        }
        let body: Value = answer.json().await.expect("JSON");
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Lets the patient sign the clinic's own text of a kind on a past day.
    async fn consent(&mut self, kind: &str, modality: Option<&str>, given_at: DateTime<Utc>) -> Made {
        let query = "query ($kind: [ConsentKind!]) { consentTemplates(filter: {kind: $kind, active: true}, first: 100) { nodes { publishedVersion { id text textHash modalities } } } }";
        let texts = self.anna.graphql(query, json!({"kind": [kind]})).await.ok()["consentTemplates"]["nodes"].clone();
        let texts: Vec<&Value> = list(&texts)
            .iter()
            .map(|it| &it["publishedVersion"])
            .filter(|text| modality.is_none_or(|modality| list(&text["modalities"]).contains(&json!(modality))))
            .collect();
        let [text] = texts.as_slice() else { panic!("one text for {kind}: {texts:?}") };
        let input = json!({"patientId": self.patient.id, "templateVersionId": text["id"]});
        let proposed = self.make("proposeConsent", "consent", "CONSENT", input).await;
        let signing = json!({"signer": "PATIENT", "signerName": "Zoë Ramírez", "typedName": "Zoë Ramírez", "textHash": text["textHash"], "givenAt": iso(given_at)});
        self.anna.make("giveConsent", "consent", proposed.edit_with(json!({"signing": signing}))).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_with_one_patient() {
    let database = Database::copy().await;
    let objects = tempfile::tempdir().expect("a folder");
    let mut story = Story::begin(&database.url(), objects.path().to_str().unwrap()).await;
    before_the_first_session(&mut story).await;
    let (before, consent) = photos_need_a_consent(&mut story).await;
    two_sessions(&mut story).await;
    let third = a_session_too_soon(&mut story).await;
    a_rash(&mut story, &third).await;
    results_and_maintenance(&mut story, &before).await;
    a_duplicate(&mut story).await;
    the_photo_consent_is_withdrawn(&story, &before, &consent).await;
    as_it_was_known(&story).await;
    the_export(&story).await;
    story.service.stop().await;
    verify(&database.url()).await;
}
