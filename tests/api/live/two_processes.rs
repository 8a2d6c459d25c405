//! Two processes over one database, each killed and started again at random, with somebody on each who follows what happens
//! in every way that there is, and receivers of webhooks.

use super::{CHANGED, Events, Heard, Socket, init};
use crate::binary::Service;
use crate::changes::now;
use crate::support::*;
use crate::webhooks::{PATIENT, Receiver, hook};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Where a process listens now.
type Place = Arc<Mutex<SocketAddr>>;

/// What a reader was told of, and when to stop.
struct Reader {
    token: String,
    at: Place,
    seen: Vec<Value>,
    after: Value,
    /// How many there are once all was written.
    all: Arc<AtomicUsize>,
}

impl Reader {
    fn has_all(&self) -> bool {
        let all = self.all.load(Ordering::Relaxed);
        all > 0 && self.seen.len() >= all
    }

    fn caller(&self) -> Caller {
        Anonymous::at(*self.at.lock().unwrap()).with_token(&self.token)
    }

    fn take(&mut self, mut change: Value) {
        let cursor = change.as_object_mut().expect("a change").remove("cursor").expect("a cursor");
        self.after = cursor;
        self.seen.push(change["sequence"].clone());
    }

    /// By WebSocket, until it breaks.
    async fn socket(&mut self) -> Option<()> {
        let address = *self.at.lock().unwrap();
        let mut socket = Socket::ask(address, &[("sec-websocket-protocol", "graphql-transport-ws")]).await.ok()?;
        socket.try_say(&init(&self.token)).await?;
        socket.try_hear().await?;
        let payload = json!({"query": CHANGED, "variables": {"after": self.after}});
        socket.try_say(&json!({"type": "subscribe", "id": "1", "payload": payload})).await?;
        while !self.has_all() {
            let message = socket.try_hear().await?;
            let Some(change) = message.pointer("/payload/data/recordChanged") else { panic!("{message}") };
            self.take(change.clone());
        }
        Some(())
    }

    /// As events, until it breaks.
    async fn events(&mut self) -> Option<()> {
        let caller = self.caller();
        let body = json!({"query": CHANGED, "variables": {"after": self.after}});
        let request =
            caller.request(reqwest::Method::POST, "/graphql").header("accept", "text/event-stream").json(&body);
        let answer = request.send().await.ok().filter(|answer| answer.status() == 200)?;
        let mut events = Events { answer, rest: String::new() };
        while !self.has_all() {
            let next = tokio::time::timeout(Duration::from_secs(2), events.next()).await.ok()??;
            let result: Value = serde_json::from_str(&next.1).expect("JSON");
            self.take(result.pointer("/data/recordChanged")?.clone());
        }
        Some(())
    }

    /// As lines, request by request.
    async fn lines(&mut self) -> Option<()> {
        let caller = self.caller();
        let path = format!("/changes?wait=2&after={}", self.after.as_str().unwrap());
        let answer = caller.request(reqwest::Method::GET, &path).send().await.ok().filter(|it| it.status() == 200)?;
        let text = answer.text().await.ok()?;
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).ok()?;
            if line.get("endCursor").is_none() {
                self.take(line);
            }
        }
        Some(())
    }
}

impl Socket {
    async fn try_say(&mut self, message: &Value) -> Option<()> {
        use futures::SinkExt;
        self.0.send(tokio_tungstenite::tungstenite::Message::text(message.to_string())).await.ok()
    }

    async fn try_hear(&mut self) -> Option<Value> {
        match tokio::time::timeout(Duration::from_secs(2), self.next()).await.ok()? {
            Heard::Message(message) => Some(message),
            Heard::Closed(..) | Heard::Gone => None,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_killed_at_random_lose_nothing_and_tell_nothing_twice() {
    let changes = if std::env::var_os("CLINIC_SOAK").is_some() { 10_000 } else { 400 };
    let mut clinic = Clinic::with(PATIENT).await;
    let (anna, auditor, admin) = (clinic.practitioner(), clinic.auditor(), clinic.admin());
    let receivers = [Receiver::start().await, Receiver::start().await];
    for receiver in &receivers {
        hook(&admin, receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    }
    let begin = now(&auditor).await;
    let (url, keys) = (clinic.database.url(), clinic.evidence().to_str().expect("text").to_owned());
    // Only the two.
    clinic.stop().await;
    let flags =
        ["--database-url", &url, "--pool-size", "4", "--key-dir", &keys, "--webhook-allow-network", "127.0.0.0/8"];
    let flags = [&flags[..], PATIENT].concat();
    let start = async || Service::start(&flags).await;
    let mut services = vec![start().await, start().await];
    let places: Vec<Place> = services.iter().map(|service| Arc::new(Mutex::new(service.address))).collect();
    let (all, done) = (Arc::new(AtomicUsize::new(0)), AtomicBool::new(false));
    let reader = |place: &Place| Reader {
        token: auditor.token().to_owned(),
        at: Arc::clone(place),
        seen: Vec::new(),
        after: begin.clone(),
        all: Arc::clone(&all),
    };
    let reading =
        places.iter().flat_map(|place| (0..3).map(|way| (way, reader(place)))).map(|(way, mut reader)| async move {
            while !reader.has_all() {
                let went_on = match way {
                    0 => reader.socket().await,
                    1 => reader.events().await,
                    _ => reader.lines().await,
                };
                if went_on.is_none() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            (way, reader.seen)
        });
    // Writers go to whoever is there, and try again with the same id.
    let writing = async {
        let each = (0..4).map(|writer| {
            let (anna, places) = (&anna, &places);
            async move {
                for n in 0..changes / 4 {
                    let id = new_id("patient");
                    let name = json!({"given": "Ada", "family": "Lovelace"});
                    let input = json!({"id": id, "legalName": name, "birthDate": "1990-01-02"});
                    for tries in 0.. {
                        let address = *places[(writer + n + tries) % 2].lock().unwrap();
                        let there = Anonymous::at(address).with_token(anna.token());
                        let query = "mutation ($input: RegisterPatientInput!) { registerPatient(input: $input) { patient { id } } }";
                        let sent = there.prepare(query, json!({"input": input})).send().await;
                        if let Ok(answer) = sent
                            && answer.text().await.is_ok_and(|text| text.contains(&id))
                        {
                            break;
                        }
                        assert!(tries < 500, "nobody answers");
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            }
        });
        futures::future::join_all(each).await;
        all.store(changes / 4 * 4, Ordering::Relaxed);
        // The last one wakes whoever has everything but does not know.
        done.store(true, Ordering::Relaxed);
    };
    let killing = async {
        let mut kills = 0;
        while !done.load(Ordering::Relaxed) {
            let random = uuid::Uuid::new_v4().as_u128();
            tokio::time::sleep(Duration::from_millis(300 + (random % 900) as u64)).await;
            let victim = usize::from(random & (1 << 40) > 0);
            services[victim].signal("KILL");
            kills += 1;
            services[victim] = start().await;
            *places[victim].lock().unwrap() = services[victim].address;
        }
        kills
    };
    let ((), kills, read) = futures::join!(writing, killing, futures::future::join_all(reading));
    assert!(kills >= 2, "{kills} kills only");
    for (way, seen) in &read {
        let numbers: Vec<i64> = seen.iter().map(|number| number.as_i64().unwrap()).collect();
        assert!(numbers.is_sorted_by(|a, b| b - a == 1), "not each, in order, once, by {way}: {numbers:?}");
        assert_eq!(numbers.len(), changes / 4 * 4, "by {way}");
    }
    // The receivers drop what comes again by its id, as they are told to.
    let numbers: Vec<&Value> = read[0].1.iter().collect();
    for receiver in receivers {
        let mut ids = HashSet::new();
        // For as long as more comes.
        let (mut had, mut since) = (0, Instant::now());
        while had < numbers.len() {
            let has = receiver.took().iter().map(|got| &got.id).collect::<HashSet<_>>().len();
            if has > had {
                (had, since) = (has, Instant::now());
            }
            assert!(since.elapsed() < Duration::from_secs(60), "{had} of {} came", numbers.len());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut took = receiver.took();
        took.retain(|got| ids.insert(got.id.clone()));
        let told: Vec<Value> = took.iter().map(|got| json!(got.change().0)).collect();
        assert_eq!(told.iter().collect::<Vec<_>>(), numbers);
    }
    for mut service in services {
        service.stop().await;
    }
}
