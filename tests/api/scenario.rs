//! A year with one patient, as a front end lives it: GraphQL and the photo addresses of the built program over HTTP.
//! What happened is back-dated, so that the plan's windows, the reviews and the maintenance of a whole year come out of
//! the service by themselves; what was known when is noted as it goes and asked for at the end.

use crate::binary::{Service, verify};
use crate::support::*;
use chrono::{DateTime, Days, Months, NaiveDate, SecondsFormat, TimeDelta, Utc};
use reqwest::Method;
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

/// The first call and the consultation, up to the plan.
async fn before_the_first_session(story: &mut Story) {
    let input = json!({"legalName": {"given": "Zoë", "family": "Ramírez"}, "birthDate": "1990-05-17", "phone": "+34 600 123 456",
        "email": "zoe@mail.example"});
    story.patient = story.desk.make("registerPatient", "patient", input).await;
    story.note("the first call").await;
    let hidden = story
        .desk
        .graphql(
            "query ($id: ID!) { patient(id: $id) { displayName healthHistory { text } } }",
            json!({"id": story.patient.id}),
        )
        .await;
    assert_eq!(
        (hidden.outcome().as_str(), &hidden.data["patient"]["displayName"]),
        ("FORBIDDEN", &json!("Zoë Ramírez"))
    );

    let taken = json!({"patientId": story.patient.id, "kind": "MEDICATION", "code": "isotretinoin", "text": "Isotretinoin, two courses",
        "lastDoseOn": story.day(800).to_string(), "source": "The patient", "verified": true});
    story.make("addHealthEntry", "healthEntry", "HEALTH_ENTRY", taken).await;
    let held = json!({"patientId": story.patient.id, "locationId": story.anna.location, "heldAt": iso(story.at(CONSULTED, 10)), "mode": "IN_PERSON",
        "concerns": ["ACNE_SCARS"], "goals": "Smoother cheeks", "findings": "Rolling scars on both cheeks", "scarTypes": ["ROLLING"]});
    let consultation = story.make("recordConsultation", "consultation", "CONSULTATION", held).await;
    let lacks = story.completeness(&consultation).await;
    let fields: Vec<&Value> = list(&lacks["items"]).iter().map(|it| &it["field"]).collect();
    assert_eq!((&lacks["ready"], fields), (&json!(false), vec![&json!("expectationsDiscussed"), &json!("candidacy")]));
    let refused = story.anna.does("signConsultation", consultation.edit(), "__typename").await;
    assert_eq!(refused.faults(), ["expectationsDiscussed", "candidacy"], "as was said before");
    let patch = json!({"expectationsDiscussed": true, "candidacy": "SUITABLE", "recommendedPlan": "Four sessions, four weeks apart"});
    let consultation =
        story.anna.make("updateConsultation", "consultation", consultation.edit_with(json!({"patch": patch}))).await;
    assert_eq!(story.completeness(&consultation).await, json!({"ready": true, "signed": false, "items": []}));
    story.anna.sign_consultation(&consultation).await;
    assert_eq!(story.completeness(&consultation).await["signed"], true);
    story.note("the consultation").await;

    let query = "{ protocols(filter: {modality: [MICRONEEDLING], indication: ACNE_SCARS, active: true}) { nodes { publishedVersion { id rules { intervalMinDays sessionsMin } } } } }";
    let protocols = story.anna.ask(query).await["protocols"]["nodes"].clone();
    assert_eq!(protocols.as_array().map(Vec::len), Some(1), "{protocols}");
    let rules = protocols[0]["publishedVersion"]["id"].clone();

    // Without a consent nothing may begin.
    let planned = with(story.visit(SESSIONS[0]), json!({"protocolVersionId": rules}));
    let (verdict, told) = story.checks(planned).await;
    assert_eq!((verdict, told.len(), &told[0]["rule"]), (json!("BLOCK"), 1, &json!("CONSENT")));
    story.consent("TREATMENT", Some("MICRONEEDLING"), story.at(CONSULTED - 1, 10)).await;

    let plan = json!({"consultationId": consultation.id, "protocolVersionId": rules, "plannedSessions": 4,
        "areas": [{"area": "CHEEK", "side": "LEFT"}, {"area": "CHEEK", "side": "RIGHT"}], "startedOn": story.day(390).to_string()});
    story.plan = story.make("createTreatmentPlan", "treatmentPlan", "TREATMENT_PLAN", plan).await.id;
    let fresh = story.progress(story.day(390)).await;
    let start = story.day(390);
    assert_eq!(
        fresh,
        json!({"done": 0, "remaining": 4, "lastSession": null, "resultsReview": null, "maintenance": null, "overdue": false,
            "nextSession": {"from": start.to_string(), "target": start.to_string(), "until": (start + Days::new(56)).to_string()}})
    );
    assert_eq!(story.recall_for("NEXT_SESSION").await["patient"]["phone"], "+34600123456", "the desk can call");
}

/// The photo from before, withheld until the patient agrees.
async fn photos_need_a_consent(story: &mut Story) -> (Made, Made) {
    let before = story.photo(CONSULTED - 1, "BEFORE", 200, json!({})).await;
    assert_eq!(story.link(&before).await, json!({"url": null, "withheld": "NO_CONSENT"}));
    let consent = story.consent("CLINICAL_PHOTO", None, story.at(CONSULTED - 2, 10)).await;
    let link = story.link(&before).await;
    assert_eq!(link["withheld"], Value::Null);
    assert_eq!(story.get(link["url"].as_str().unwrap()).await, (200, "image/jpeg".to_owned()));
    assert_eq!(
        story.desk.graphql("query ($id: ID!) { photo(id: $id) { id } }", json!({"id": before.id})).await.outcome(),
        "FORBIDDEN"
    );
    (before, consent)
}

/// The first two sessions, by the book, with what follows each.
async fn two_sessions(story: &mut Story) {
    let first = story.treat(SESSIONS[0]).await;
    let consents = story.of_session(&first, "consents { kind neededFor inForce reason }").await;
    assert_eq!(
        consents["consents"],
        json!([{"kind": "TREATMENT", "neededFor": "SESSION", "inForce": true, "reason": null},
            {"kind": "CLINICAL_PHOTO", "neededFor": "PHOTO", "inForce": true, "reason": null}])
    );
    let day = story.day(SESSIONS[0]);
    let window = |from, target, until| json!({"from": (day + Days::new(from)).to_string(), "target": (day + Days::new(target)).to_string(), "until": (day + Days::new(until)).to_string()});
    let progress = story.progress(day + Days::new(56)).await;
    assert_eq!(
        (&progress["done"], &progress["remaining"], &progress["nextSession"], &progress["overdue"]),
        (&json!(1), &json!(3), &window(21, 28, 56), &json!(false))
    );
    assert_eq!(progress["lastSession"]["id"], json!(first.id));
    assert_eq!(story.progress(day + Days::new(57)).await["overdue"], true, "a day later it is");
    let next = story.recall_for("NEXT_SESSION").await;
    assert_eq!(
        (&next["dueFrom"], &next["dueUntil"], &next["state"]),
        (&window(21, 28, 56)["from"], &window(21, 28, 56)["until"], &json!("OVERDUE"))
    );

    // What to tell a patient who calls 20 and 80 hours later, and whom to call.
    let ended = story.at(SESSIONS[0], 11);
    let codes = |list: &Value| {
        list.as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let soon = story.aftercare(&first, ended + TimeDelta::hours(20)).await;
    assert_eq!(
        codes(&soon["inForce"]),
        "no_direct_sun no_make_up no_exfoliants_retinoids_vitamin_c gentle_moisturiser do_not_pick"
    );
    assert_eq!(
        (&soon["inForce"][0]["endsAt"], &soon["timeZone"]),
        (&json!(iso(ended + TimeDelta::hours(24))), &json!("Europe/Madrid"))
    );
    assert_eq!(
        (codes(&soon["checkInsDue"]), codes(&soon["checkInsUpcoming"])),
        ("day_1".to_owned(), "day_7".to_owned())
    );
    let later = story.aftercare(&first, ended + TimeDelta::hours(80)).await;
    assert_eq!(
        (codes(&later["inForce"]), codes(&later["checkInsOverdue"])),
        ("gentle_moisturiser do_not_pick".to_owned(), "day_1".to_owned())
    );
    let call = json!({"sessionId": first.id, "kind": "CHECK_IN", "notedAt": iso(ended + TimeDelta::hours(22)), "redness": 3, "swelling": 1, "pain": 1, "adherence": "FULL"});
    let note = story.make("addAftercareNote", "aftercareNote", "AFTERCARE_NOTE", call).await;
    story.anna.sign_note(&note).await;
    let later = story.aftercare(&first, ended + TimeDelta::hours(80)).await;
    assert_eq!(
        (codes(&later["checkInsOverdue"]), codes(&later["checkInsUpcoming"])),
        (String::new(), "day_7".to_owned()),
        "somebody asked"
    );

    let second = story.treat(SESSIONS[1]).await;
    let addendum = json!({"recordId": second.id, "reason": "Wrong lot", "text": "The lot was C-2."});
    story.make("addAddendum", "addendum", "ADDENDUM", addendum).await;
    let late = story.anna.does("updateSession", second.edit_with(json!({"patch": {"note": "x"}})), "__typename").await;
    assert_eq!(late.code(), "RECORD_SIGNED");
    // Stated again as it is: the recall for this session was answered by it, and the next is asked for.
    let recalls = story.of_patient(&story.anna, "recalls(filter: {reason: [NEXT_SESSION]}, orderBy: {field: DUE_FROM, direction: ASC}) { nodes { state doneBySession { id } } }").await;
    let states: Vec<(&Value, &Value)> =
        list(&recalls["recalls"]["nodes"]).iter().map(|it| (&it["state"], &it["doneBySession"]["id"])).collect();
    let (done, open) = (json!("DONE"), json!("OVERDUE"));
    assert_eq!(states, [(&done, &json!(first.id)), (&done, &json!(second.id)), (&open, &Value::Null)]);
    story.note("two sessions").await;
}

/// The third, ten days after the second: warned of, kept from being signed, overridden.
async fn a_session_too_soon(story: &mut Story) -> Made {
    let input = story.visit(SESSIONS[2]);
    let (verdict, told) = story.checks(input.clone()).await;
    let second = story.sessions.keys().nth(1).unwrap().clone();
    assert_eq!((&verdict, told.len()), (&json!("WARN"), 1), "{told:?}");
    assert_eq!(
        (&told[0]["rule"], &told[0]["verdict"], &told[0]["recordId"]),
        (&json!("INTERVAL"), &json!("WARN"), &json!(second))
    );
    let cause = told[0]["cause"].as_str().unwrap();
    assert!(
        cause.contains("10 days") && cause.contains(&story.day(SESSIONS[1]).to_string()) && cause.contains("21 days"),
        "{cause}"
    );
    // It is logged all the same: what was done was done.
    let session = story.log(input).await;
    let fields = "checks { rule verdict settled override { reason by { id } } protocolVersion { number } }";
    let kept = story.of_session(&session, fields).await["checks"].clone();
    let place = list(&kept).iter().position(|it| it["settled"] == false).expect("not settled");
    assert_eq!((&kept[place]["rule"], &kept[place]["override"]), (&json!("INTERVAL"), &Value::Null));
    story.note("a session too soon, not settled").await;
    let lacks = story.completeness(&session).await;
    assert_eq!((&lacks["ready"], list(&lacks["items"]).len()), (&json!(false), 1));
    assert_eq!(
        (&lacks["items"][0]["field"], &lacks["items"][0]["cost"]),
        (&json!(format!("checks.{place}")), &json!("CAN_SIGN_WITH_REASON"))
    );
    let refused = story.anna.does("signSession", session.edit(), "__typename").await;
    assert_eq!(
        (refused.outcome().as_str(), refused.faults()),
        ("BAD_USER_INPUT", vec![format!("checks.{place}").as_str()])
    );
    let reason = json!({"sessionId": session.id, "expectedVersion": session.version, "rule": "INTERVAL", "recordId": second,
        "reason": "She moves abroad for a month; shallow passes only"});
    let session = story.anna.make("overrideSessionCheck", "session", reason).await;
    let kept = story.of_session(&session, fields).await["checks"][place].clone();
    assert_eq!(
        (&kept["settled"], &kept["verdict"], &kept["override"]["by"]["id"]),
        (&json!(true), &json!("WARN"), &json!(story.anna.id()))
    );
    assert_eq!(story.completeness(&session).await["ready"], true);
    story.sign(&session).await
}

/// The rash after it that lasts.
async fn a_rash(story: &mut Story, session: &Made) {
    let ended = story.at(SESSIONS[2], 11);
    let days = |days: i64| iso(ended + TimeDelta::days(days));
    let call = json!({"sessionId": session.id, "kind": "CHECK_IN", "notedAt": days(9), "redness": 5, "swelling": 0, "pain": 0, "escalate": true});
    let note = story.make("addAftercareNote", "aftercareNote", "AFTERCARE_NOTE", call).await;
    let proposed = async || {
        let query = "query ($id: ID!) { aftercareNote(id: $id) { proposedAdverseEvents { kind severity hoursSinceSession reason already { id } } } }";
        story.anna.graphql(query, json!({"id": note.id})).await.ok()["aftercareNote"]["proposedAdverseEvents"].clone()
    };
    let found = proposed().await;
    assert_eq!(
        found,
        json!([{"kind": "ERYTHEMA", "severity": "MODERATE", "hoursSinceSession": 216, "already": null,
            "reason": "redness of 5 was noted 216 hours after the session; it is usual for 168 hours"}])
    );
    let report = json!({"aftercareNoteId": note.id, "kind": found[0]["kind"], "severity": found[0]["severity"], "onsetAt": days(9), "area": "CHEEK"});
    let event = story.anna.make("reportAdverseEvent", "adverseEvent", report).await;
    assert_eq!(proposed().await[0]["already"]["id"], json!(event.id));
    *story.kinds.entry("ADVERSE_EVENT".to_owned()).or_default() += 1;
    let better = json!({"at": days(12), "outcome": "IMPROVING", "text": "Paler since the cream"});
    let event = story.anna.make("addAdverseEventFollowUp", "adverseEvent", event.edit_with(better)).await;
    let open = async || {
        story.of_patient(&story.anna, "adverseEvents(filter: {open: true}) { nodes { id } }").await["adverseEvents"]["nodes"].clone()
    };
    assert_eq!(open().await, json!([{"id": event.id}]));
    let gone = json!({"at": days(16), "outcome": "RESOLVED", "text": "Gone"});
    story.anna.make("addAdverseEventFollowUp", "adverseEvent", event.edit_with(gone)).await;
    assert_eq!(open().await, json!([]));
    let fields = "adverseEvents { nodes { outcome resolvedAt expectedness followUps { outcome author { id } } aftercareNote { redness } } }";
    assert_eq!(
        story.of_session(session, fields).await["adverseEvents"]["nodes"],
        json!([{"outcome": "RESOLVED", "resolvedAt": days(16), "expectedness": "UNEXPECTED", "aftercareNote": {"redness": 5},
            "followUps": [{"outcome": "IMPROVING", "author": {"id": story.anna.id()}}, {"outcome": "RESOLVED", "author": {"id": story.anna.id()}}]}])
    );
    story.note("the rash is gone").await;
}

/// A score on GAIS, 1 best.
async fn score(story: &mut Story, ago: i64, score: &str, more: Value) {
    let input = json!({"patientId": story.patient.id, "planId": story.plan, "scale": "gais", "scaleVersion": "1-to-5", "score": score,
        "raterRole": "PRACTITIONER", "area": "CHEEK", "assessedAt": iso(story.at(ago, 10))});
    story.make("recordOutcome", "outcomeAssessment", "OUTCOME_ASSESSMENT", with(input, more)).await;
}

/// The desk ticks a review off.
async fn reviewed(story: &Story, from: i64) {
    let recall = story.recall_for("RESULTS_REVIEW").await;
    let day = |days| json!((story.day(from) + Days::new(days)).to_string());
    assert_eq!((&recall["dueFrom"], &recall["dueUntil"]), (&day(28), &day(42)), "four to six weeks after");
    let done = Made::of(&recall).edit_with(json!({"reason": "Scored"}));
    story.desk.make("completeRecall", "recall", done).await;
}

/// The fourth session, the results, and what maintenance there is to be.
async fn results_and_maintenance(story: &mut Story, before: &Made) {
    score(story, SESSIONS[0] - 42, "3", json!({})).await;
    reviewed(story, SESSIONS[0]).await;
    let fourth = story.treat(SESSIONS[3]).await;
    let last = story.day(SESSIONS[3]);
    let six_weeks = SESSIONS[3] - 42;
    let after = story.photo(six_weeks, "FOLLOW_UP", 100, json!({"sessionId": fourth.id})).await;
    score(
        story,
        six_weeks,
        "1",
        json!({"sessionId": fourth.id, "photoId": after.id, "comparedWithPhotoId": before.id}),
    )
    .await;
    reviewed(story, SESSIONS[3]).await;
    score(story, SESSIONS[4] + 9, "2", json!({})).await;
    let fields = "outcomeSeries(scale: \"gais\") { points { score assessedAt } changeSinceFirst better bestPair { before { score } after { score comparedWithPhotoId } change } }
        photoPairs(area: CHEEK) { before { id link(purpose: CLINICAL_RECORD, size: THUMBNAIL) { withheld } } after { id } daysBetween distanceDifferenceCm }";
    let found = story.of_patient(&story.anna, fields).await;
    let scores: Vec<&Value> = list(&found["outcomeSeries"]["points"]).iter().map(|it| &it["score"]).collect();
    assert_eq!(scores, [&json!("3"), &json!("1"), &json!("2")]);
    assert_eq!(
        (&found["outcomeSeries"]["changeSinceFirst"], &found["outcomeSeries"]["better"]),
        (&json!("-1"), &json!(true))
    );
    assert_eq!(
        found["outcomeSeries"]["bestPair"],
        json!({"before": {"score": "3"}, "after": {"score": "1", "comparedWithPhotoId": before.id}, "change": "-2"})
    );
    assert_eq!(
        found["photoPairs"],
        json!([{"before": {"id": before.id, "link": {"withheld": null}}, "after": {"id": after.id}, "daysBetween": CONSULTED - 1 - six_weeks, "distanceDifferenceCm": 0}])
    );

    let (from, until) = (last + Months::new(6), last + Months::new(12));
    let progress = story.progress(last + Months::new(7)).await;
    assert_eq!(
        (&progress["done"], &progress["remaining"], &progress["nextSession"], &progress["overdue"]),
        (&json!(4), &json!(0), &Value::Null, &json!(false))
    );
    assert_eq!(progress["maintenance"], json!({"from": from.to_string(), "until": until.to_string()}));
    assert_eq!(story.progress(until + Days::new(1)).await["overdue"], true);
    let recall = story.recall_for("MAINTENANCE").await;
    let seven = (last + Months::new(7)).to_string();
    assert!(
        recall["dueFrom"].as_str().unwrap() <= seven.as_str() && seven.as_str() <= recall["dueUntil"].as_str().unwrap(),
        "{recall}"
    );
    let state = if story.today > until { "OVERDUE" } else { "OPEN" };
    assert_eq!(
        (&recall["state"], &recall["dueFrom"], &recall["dueUntil"]),
        (&json!(state), &json!(from.to_string()), &json!(until.to_string()))
    );
    assert_eq!(story.worklist().await.len(), 1, "nothing else is to be done for her");
    let query = "query ($id: ID!) { treatmentPlan(id: $id) { maintenanceEstimate { basis from until } } }";
    let estimate =
        story.anna.graphql(query, json!({"id": story.plan})).await.ok()["treatmentPlan"]["maintenanceEstimate"].clone();
    assert_eq!(estimate, json!({"basis": "PROTOCOL", "from": from.to_string(), "until": until.to_string()}));
    story.note("the results").await;

    // Seven months after, the desk calls twice, and the fifth session answers.
    let try_one = json!({"channel": "PHONE", "outcome": "LEFT_MESSAGE", "at": iso(story.at(SESSIONS[4] + 6, 9))});
    let tried = story.desk.make("logRecallAttempt", "recall", Made::of(&recall).edit_with(try_one)).await;
    let booked = json!({"channel": "PHONE", "outcome": "BOOKED", "at": iso(story.at(SESSIONS[4] + 4, 9))});
    story.desk.make("logRecallAttempt", "recall", tried.edit_with(booked)).await;
    let fifth = story.treat(SESSIONS[4]).await;
    let query =
        "query ($id: ID!) { recall(id: $id) { state doneBySession { id } contacted attempts { outcome by { id } } } }";
    let answered = story.anna.graphql(query, json!({"id": recall["id"]})).await.ok()["recall"].clone();
    let by = json!({"id": story.desk.id()});
    assert_eq!(
        answered,
        json!({"state": "DONE", "doneBySession": {"id": fifth.id}, "contacted": true, "attempts": [{"outcome": "LEFT_MESSAGE", "by": by}, {"outcome": "BOOKED", "by": by}]})
    );
    let next = story.recall_for("MAINTENANCE").await;
    assert_eq!(
        next["dueFrom"],
        json!((story.day(SESSIONS[4]) + Months::new(6)).to_string()),
        "and the next one is asked for"
    );
    assert_eq!(story.progress(story.today).await["done"], 5);
}

/// The double that the front desk made by a slip, with an allergy that the first chart does not know.
async fn a_duplicate(story: &mut Story) {
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
async fn the_photo_consent_is_withdrawn(story: &Story, photo: &Made, consent: &Made) {
    let link = story.link(photo).await;
    let url = link["url"].as_str().unwrap();
    assert_eq!(story.get(url).await.0, 200);
    story.anna.make("withdrawConsent", "consent", consent.edit_with(json!({"reason": "She asked for it"}))).await;
    assert_eq!(story.get(url).await, (403, "NO_CONSENT".to_owned()));
    assert_eq!(story.link(photo).await, json!({"url": null, "withheld": "NO_CONSENT"}));
}

/// The chart as it was known at each moment, by the auditor's eyes.
async fn as_it_was_known(story: &Story) {
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
async fn the_export(story: &Story) {
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
