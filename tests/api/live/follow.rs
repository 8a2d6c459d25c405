//! What subscriptions tell: everything that is wanted, once, in order, to whoever may see it; and what it leaves behind.

use super::{CHANGED, Socket};
use crate::access::merging;
use crate::changes::{all, now};
use crate::support::*;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_connects_anew_after_the_last_cursor_misses_nothing_and_sees_nothing_twice() {
    let clinic = Clinic::start().await;
    let (anna, auditor) = (clinic.practitioner(), clinic.auditor());
    let begin = now(&auditor).await;
    let writing = async {
        futures::future::join_all((0..4).map(|_| async {
            for _ in 0..10 {
                anna.patient("Ada", "Lovelace").await;
            }
        }))
        .await;
    };
    let reading = async {
        let (mut seen, mut after) = (Vec::new(), begin.clone());
        // Connections break at any place: in the middle of a page, before an acknowledgement.
        for breaks_after in [1, 0, 7, 3, 1, 12, 40] {
            let mut socket = Socket::of(&auditor).await;
            socket.subscribe("1", CHANGED, json!({"after": after})).await;
            for _ in 0..breaks_after.min(40 - seen.len()) {
                let change = socket.change("1").await;
                after = change["cursor"].clone();
                seen.push(change);
            }
        }
        seen
    };
    let ((), seen) = futures::join!(writing, reading);
    let (mut told, _) = all(&auditor, &begin, json!({})).await;
    let mut told_live = seen.clone();
    told_live.iter_mut().for_each(|change| drop(change.as_object_mut().unwrap().remove("cursor")));
    told.truncate(seen.len());
    assert_eq!((told_live.len(), &told_live), (40, &told));
    // Every cursor is a place for the other ways to read the feed.
    let rest = all(&auditor, &seen[20]["cursor"], json!({})).await.0;
    assert_eq!(rest.len(), 19);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_keeps_what_is_wanted() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (ada, ian) = (anna.patient("Ada", "Lovelace").await, anna.patient("Ada", "Lovelace").await);
    let session = anna.session(&ada).await;
    let mut socket = Socket::of(&anna).await;
    socket.follow("kind", json!({"filter": {"kinds": ["HEALTH_ENTRY", "CONSULTATION"]}})).await;
    socket.follow("patient", json!({"filter": {"patientId": ada.id}})).await;
    socket.follow("records", json!({"filter": {"recordIds": [session.id, ian.id]}})).await;
    let health = anna.health_entry(&ada).await;
    let note = json!({"patch": {"note": "Mild"}});
    anna.does("updateSession", session.edit_with(note), "session { id }").await.ok();
    anna.make("mergePatients", "merge", merging(&ada, &ian, json!({}))).await;
    let mut told: HashMap<String, Vec<Value>> = HashMap::new();
    let moved = |told: &HashMap<String, Vec<Value>>, id: &str| {
        told.get(id).map_or(0, |seen| seen.iter().filter(|change| change["mark"] == "MOVED").count())
    };
    while moved(&told, "kind") < 1
        || moved(&told, "patient") < 2
        || told.get("records").is_none_or(|seen| seen.len() < 3)
    {
        let next = socket.hear().await.message();
        let change = next["payload"]["data"]["recordChanged"].clone();
        told.entry(next["id"].as_str().unwrap().to_owned()).or_default().push(change);
    }
    let of = |id: &str, field: &str| -> Vec<String> {
        told[id].iter().map(|change| change[field].as_str().unwrap_or("-").to_owned()).collect()
    };
    assert_eq!(of("kind", "recordId"), [health.id.as_str(), health.id.as_str()]);
    assert_eq!(of("kind", "mark"), ["-", "MOVED"]);
    let records: BTreeSet<String> = of("records", "recordId").into_iter().collect();
    assert_eq!(records, [session.id.clone(), ian.id.clone()].into());
    let patient: BTreeSet<String> = of("patient", "recordId").into_iter().collect();
    assert!(patient.is_superset(&[ada.id.clone(), session.id.clone(), health.id.clone()].into()), "{patient:?}");
    let theirs = |change: &Value| [&change["patientId"], &change["movedFromPatientId"]].contains(&&json!(ada.id));
    assert!(told["patient"].iter().all(theirs), "{:?}", told["patient"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_told_at_the_location_where_a_record_is_and_where_it_was() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let annex = admin.make("addLocation", "location", json!({"name": "Annex", "timeZone": "UTC"})).await;
    let patient = anna.patient("Ada", "Lovelace").await;
    let day = "subscription ($at: ID!) { dayChanged(locationId: $at) { kind action recordId } }";
    let mut socket = Socket::of(&anna).await;
    for (id, at) in [("here", &anna.location), ("there", &annex.id)] {
        socket.subscribe(id, day, json!({"at": at})).await;
        socket.is_there(id).await;
    }
    let mut told = async |times: usize| {
        let mut told = BTreeSet::new();
        for _ in 0..times {
            let next = socket.hear().await.message();
            let change = &next["payload"]["data"]["dayChanged"];
            let words = [&next["id"], &change["kind"], &change["action"], &change["recordId"]];
            told.insert(words.map(|word| word.as_str().unwrap().to_owned()).join(" "));
        }
        assert!(socket.is_silent_for(700).await);
        told
    };
    // What is no part of the day: a patient, a health entry.
    anna.health_entry(&patient).await;
    let session = anna.session(&patient).await;
    assert_eq!(told(1).await, [format!("here TREATMENT_SESSION CREATE {}", session.id)].into());
    let consultation = anna.consultation_with(&patient, json!({"locationId": annex.id})).await;
    assert_eq!(told(1).await, [format!("there CONSULTATION CREATE {}", consultation.id)].into());
    let moves = session.edit_with(json!({"patch": {"locationId": annex.id}}));
    anna.does("updateSession", moves, "session { id }").await.ok();
    let both = ["here", "there"].map(|at| format!("{at} TREATMENT_SESSION UPDATE {}", session.id));
    assert_eq!(told(2).await, both.into());
    let version = Made { version: session.version + 1, ..session.clone() };
    anna.does("updateSession", version.edit_with(json!({"patch": {"note": "Mild"}})), "session { id }").await.ok();
    assert_eq!(told(1).await, [format!("there TREATMENT_SESSION UPDATE {}", session.id)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_told_to_whoever_may_do_them() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let tasks = "subscription { tasksChanged { kind action recordId } }";
    let mut socket = Socket::of(&anna).await;
    socket.subscribe("1", tasks, json!({})).await;
    socket.is_there("1").await;
    anna.health_entry(&patient).await;
    anna.product("Serum").await;
    let recall = anna.recall(&patient).await;
    let change = &socket.event("1").await["tasksChanged"];
    assert_eq!(change, &json!({"kind": "RECALL", "action": "CREATE", "recordId": recall.id}));
    let session = anna.signed_session(&patient).await;
    loop {
        let change = &socket.event("1").await["tasksChanged"];
        if *change == json!({"kind": "TREATMENT_SESSION", "action": "SIGN", "recordId": session.id}) {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_told_of_what_they_may_see_and_it_is_logged_once_for_what_came_together() {
    let clinic = Clinic::start().await;
    let (anna, admin, desk) = (clinic.practitioner(), clinic.admin().because("The tables"), clinic.front_desk());
    let sql = clinic.database.superuser().await;
    let (ada, ian) = (anna.patient("Ada", "Lovelace").await, anna.patient("Ian", "Smith").await);
    admin.make("restrictPatient", "restriction", json!({"patientId": ada.id, "reason": "Works here"})).await;
    let mut sockets = Vec::new();
    for who in [&anna, &desk, &clinic.stranger()] {
        let mut socket = Socket::of(who).await;
        socket.follow("1", json!({})).await;
        sockets.push(socket);
    }
    let mut reasoned = Socket::open(anna.address()).await;
    let said = json!({"authorization": format!("Bearer {}", anna.token()), "accessReason": "She called"});
    reasoned.say(&json!({"type": "connection_init", "payload": said})).await;
    reasoned.hear().await.message();
    reasoned.follow("1", json!({})).await;
    let rows = async |more: &str| {
        let rows = "SELECT count(*) FROM access_log WHERE operation = 'recordChanged'";
        sql.one(&format!("{rows} {more}")).await.parse::<usize>().expect("a number")
    };
    assert_eq!(rows("").await, 0, "nothing was shown yet");
    let hidden = anna.because("She asked me to").health_entry(&ada).await;
    let open = anna.health_entry(&ian).await;
    assert_eq!(reasoned.change("1").await["recordId"], json!(hidden.id));
    assert_eq!(reasoned.change("1").await["recordId"], json!(open.id));
    let [mut practitioner, mut front_desk, mut stranger] = sockets.try_into().ok().unwrap();
    assert_eq!(practitioner.change("1").await["recordId"], json!(open.id));
    let changed =
        anna.does("updatePatient", ian.edit_with(json!({"patch": {"preferredName": "Ian"}})), "patient { id }");
    changed.await.ok();
    assert_eq!(front_desk.change("1").await["recordId"], json!(ian.id), "nothing clinical");
    assert!(stranger.is_silent_for(500).await);
    for (query, code) in [
        ("subscription { recordChanged(filter: {kinds: [TREATMENT_SESSION]}) { cursor } }", "FORBIDDEN"),
        ("subscription { dayChanged(locationId: \"LOCATION\") { cursor } }", "FORBIDDEN"),
    ] {
        front_desk.subscribe("2", &query.replace("LOCATION", &desk.location), json!({})).await;
        let refused = front_desk.hear().await.message();
        assert_eq!((&refused["type"], &refused["payload"][0]["extensions"]["code"]), (&json!("error"), &json!(code)));
    }
    assert!(rows("AND event = 'refused'").await >= 1, "a refusal is in the access log");
    // Many changes at once are few looks: one for each look that found something, not one for each change.
    practitioner.change("1").await;
    let before = rows("AND event = 'read' AND reason IS NULL").await;
    let many = futures::future::join_all((0..24).map(|_| anna.health_entry(&ian))).await;
    for _ in &many {
        practitioner.change("1").await;
    }
    let looks = rows("AND event = 'read' AND reason IS NULL").await - before;
    assert!((1..=12).contains(&looks), "{looks} looks for {} changes", many.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn following_does_not_wind_the_idle_clock_and_outlives_a_database_that_is_away() {
    let clinic = Clinic::start().await;
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    sql.run("UPDATE sign_in SET last_seen_at = now() - interval '5 minutes'").await;
    let mut socket = Socket::of(&anna).await;
    socket.subscribe("1", CHANGED, json!({})).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let colleague = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    let patient = colleague.patient("Ada", "Lovelace").await;
    assert_eq!(socket.change("1").await["recordId"], json!(patient.id));
    tokio::time::sleep(Duration::from_millis(300)).await;
    // The colleague's new sign-in is the only one that was used.
    assert_eq!(sql.one("SELECT count(*) FROM sign_in WHERE last_seen_at > now() - interval '4 minutes'").await, "1");
    // All connections of the service are cut, again and again.
    for _ in 0..3 {
        sql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'clinic_app' AND datname = current_database()").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let second = colleague.patient("Ian", "Smith").await;
    assert_eq!(socket.change("1").await["recordId"], json!(second.id));
}
