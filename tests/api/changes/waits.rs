//! `GET /changes`: lines of JSON, at once or when there is something to tell.

use super::{all, now};
use crate::support::*;
use reqwest::{Method, StatusCode};
use std::time::{Duration, Instant};

/// What was answered: the changes, and the last line.
struct Lines {
    changes: Vec<Value>,
    end: Value,
    after: Duration,
}

async fn lines(who: &Caller, query: &str) -> Lines {
    let begun = Instant::now();
    let answer = Answer::to(who.request(Method::GET, &format!("/changes?{query}"))).await;
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (StatusCode::OK, &"application/x-ndjson".parse().unwrap()),
        "{}",
        answer.text
    );
    assert!(answer.text.ends_with('\n'));
    let mut changes: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let end = changes.pop().expect("a last line");
    Lines { changes, end, after: begun.elapsed() }
}

fn text(cursor: &Value) -> &str {
    cursor.as_str().expect("a cursor")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_are_the_changes_of_the_query() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let begin = now(&anna).await;
    let patient = anna.patient("Ada", "Lovelace").await;
    anna.session(&patient).await;
    let (changes, end) = all(&anna, &begin, json!({})).await;
    let found = lines(&anna, &format!("after={}", text(&begin))).await;
    assert_eq!(found.end, json!({"endCursor": end, "hasNextPage": false}));
    let mut told = found.changes.clone();
    let cursors: Vec<Value> = told.iter_mut().map(|it| it.as_object_mut().unwrap().remove("cursor").unwrap()).collect();
    assert_eq!(told, changes);
    // Each line is a place to go on from.
    let rest = lines(&anna, &format!("after={}&first=1", text(&cursors[0]))).await;
    assert_eq!((rest.changes.len(), &rest.changes[0]), (1, &found.changes[1]));
    let sessions = lines(&anna, &format!("after={}&kinds=TREATMENT_SESSION,PHOTO", text(&begin))).await;
    assert_eq!((sessions.changes.len(), &sessions.changes[0]["kind"]), (1, &json!("TREATMENT_SESSION")));

    let refused = async |who: &Caller, query: &str| {
        let answer = Answer::to(who.request(Method::GET, &format!("/changes?{query}"))).await;
        (answer.status.as_u16(), answer.code().to_owned())
    };
    let desk = clinic.front_desk();
    for (who, query, expected) in [
        (&*clinic.anonymous(), "", (401, "UNAUTHENTICATED")),
        (&clinic.anonymous().with_token("clinic_short"), "", (401, "UNAUTHENTICATED")),
        (&*desk, "kinds=PHOTO", (403, "FORBIDDEN")),
        (&*desk, "kinds=PLANET", (400, "BAD_USER_INPUT")),
        (&*desk, "after=nowhere", (400, "BAD_USER_INPUT")),
        (&*desk, "wait=31", (400, "BAD_REQUEST")),
        (&*desk, "since=yesterday", (400, "BAD_REQUEST")),
    ] {
        assert_eq!(refused(who, query).await, (expected.0, expected.1.to_owned()), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_any_process_wakes_who_waits_and_nobody_holds_a_connection() {
    let clinic = Clinic::with(&["--pool-size", "3"]).await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let second = serve(&clinic.database.url(), &["--object-store", place, "--checkpoint-store", place]).await;
    let anna = clinic.practitioner();
    let there = SignedIn::new(&Anonymous::at(second.address()), &clinic.north, anna.member.clone());
    // More wait than there are connections, and there is room for others' requests.
    let begin = now(&anna).await;
    let query = format!("after={}&wait=20&kinds=PATIENT", text(&begin));
    for (writer, product) in [(&there, "Serum A"), (&anna, "Serum B")] {
        let begin = now(&anna).await;
        let query = format!("after={}&wait=20&kinds=PATIENT", text(&begin));
        let waiters = (0..8).map(|_| lines(&anna, &query));
        let write = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            // Of no kind that is waited for: they go on waiting.
            anna.product(product).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            (writer.patient("Ada", "Lovelace").await, Instant::now())
        };
        let (found, (patient, _)) = futures::join!(futures::future::join_all(waiters), write);
        for found in found {
            assert_eq!((found.changes.len(), &found.changes[0]["recordId"]), (1, &json!(patient.id)));
            assert!((650..2_500).contains(&found.after.as_millis()), "{:?}", found.after);
        }
    }
    // It is not waited where there is something already.
    assert!(lines(&anna, &query).await.after < Duration::from_secs(1));
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_with_its_time_with_the_service_and_with_the_sign_in() {
    let mut clinic = Clinic::start().await;
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    let begin = now(&anna).await;
    let query = |wait: u8| format!("after={}&wait={wait}", text(&begin));
    // It is nobody's doing, so the idle time of the sign-in goes on.
    sql.run("UPDATE sign_in SET last_seen_at = now() - interval '5 minutes'").await;
    let found = lines(&anna, &query(1)).await;
    assert_eq!((found.changes.len(), &found.end["endCursor"]), (0, &begin));
    assert!((900..2_500).contains(&found.after.as_millis()), "{:?}", found.after);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(sql.one("SELECT count(*) FROM sign_in WHERE last_seen_at > now() - interval '4 minutes'").await, "0");
    // Too many of one sign-in at once are refused, and have to come again.
    let asked = query(2);
    let many = (0..24).map(|_| Answer::to(anna.request(Method::GET, &format!("/changes?{asked}"))));
    let answers = futures::future::join_all(many).await;
    let refused: Vec<&Answer> = answers.iter().filter(|it| it.status == StatusCode::TOO_MANY_REQUESTS).collect();
    assert_eq!((refused.len(), &refused[0].headers["retry-after"]), (4, &"5".parse().unwrap()));
    // Whoever is signed out meanwhile is told nothing more.
    let asked = format!("/changes?{}", query(20));
    let mine = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    let out = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        mine.ask("mutation { signOut { signedOut } }").await;
        anna.patient("Ada", "Lovelace").await;
    };
    let (answer, ()) = futures::join!(Answer::to(mine.request(Method::GET, &asked)), out);
    assert_eq!((answer.status.as_u16(), answer.code()), (401, "UNAUTHENTICATED"));
    let begin = now(&anna).await;
    let (last, begun) = (format!("after={}&wait=30", text(&begin)), Instant::now());
    let waiting = anna.clone();
    let waiting = tokio::spawn(async move { lines(&waiting, &last).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    clinic.stop().await;
    assert_eq!(waiting.await.expect("an answer").end["endCursor"], begin);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
