//! An operation's results as server-sent events, by the distinct connections mode of graphql-sse: each operation is a request
//! of its own, answered by `next` events and a last `complete`. A client ends it by hanging up.

use super::{Judged, Out, Sender, Task, Told, WAITING, carry, place};
use crate::error::NotSignedIn;
use crate::feed::Place;
use crate::http::App;
use crate::http::request::{EVENTS, MediaType, REQUEST_ID, RequestRefusal};
use crate::http::response::{self, Shaped};
use crate::operation::RequestFacts;
use crate::watch::{LiveConnection, Transport};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::rt::spawn;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use async_graphql::parser::types::OperationType;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often a line comes that says nothing, so that nobody on the way takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(12);
const NOTHING: &[u8] = b":\n\n";
const COMPLETE: &[u8] = b"event: complete\ndata: \n\n";

/// Answers one operation with its events. Who is not signed in, or over a limit, gets the status that says so.
///
/// # Errors
/// 429 if too many wait already.
pub(in crate::http) async fn answer(
    app: &web::Data<App>,
    (facts, why_none): (RequestFacts, (NotSignedIn, &'static str)),
    judged: Judged,
) -> Result<HttpResponse, RequestRefusal> {
    let follows = judged.1.as_ref().is_ok_and(|admitted| admitted.kind() == OperationType::Subscription);
    let place = if follows && facts.token.is_some() { Some(place(app, &facts)?) } else { None };
    let id = facts.id.clone();
    let (to, mut told) = mpsc::channel(WAITING);
    let sender = Sender { app: app.clone(), facts, why_none, sets_cookies: false };
    let task = Task(spawn(carry::carry(sender, judged, Out { number: 0, to }, true)));
    let first = told.recv().await.map_or(Some(Told::Cut), |(_, first)| first);
    if let Some(Told::Next(shaped) | Told::Failed(shaped)) = &first
        && shaped.status(MediaType::GraphqlResponse) != StatusCode::OK
        && shaped.is_of_sender()
    {
        return Ok(response::send_shaped(shaped, MediaType::GraphqlResponse, &id));
    }
    let _counted = app.service.watch.live.connection(Transport::Events);
    let open = Open { told, first: Some(first), _task: task, _place: place, _counted };
    let events = futures::stream::unfold(Some(open), |open| async move {
        let mut open = open?;
        let (bytes, goes_on) = open.next().await?;
        Some((Ok::<_, actix_web::Error>(bytes), goes_on.then_some(open)))
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, EVENTS))
        .insert_header((CACHE_CONTROL, "no-store"))
        // Compressed, events would wait for others to fill a block; a proxy that collects an answer is told not to.
        .insert_header((CONTENT_ENCODING, "identity"))
        .insert_header(("X-Accel-Buffering", "no"))
        .insert_header((REQUEST_ID, id))
        .streaming(Box::pin(events)))
}

/// An answer that goes on.
struct Open {
    told: mpsc::Receiver<(u64, Option<Told>)>,
    first: Option<Option<Told>>,
    _task: Task,
    _place: Option<Place>,
    _counted: LiveConnection,
}

impl Open {
    /// The next bytes, and whether more may follow; none if it ends here.
    async fn next(&mut self) -> Option<(Bytes, bool)> {
        let told = match self.first.take() {
            Some(first) => first,
            None => match tokio::time::timeout(KEEP_ALIVE, self.told.recv()).await {
                Err(_) => return Some((Bytes::from_static(NOTHING), true)),
                // It ended without a word: it is not complete.
                Ok(None) => return None,
                Ok(Some((_, told))) => told,
            },
        };
        Some(match told {
            // So the head goes out at once.
            Some(Told::Begun) => (Bytes::from_static(NOTHING), true),
            Some(Told::Next(shaped) | Told::Failed(shaped)) => (event(&shaped), true),
            Some(Told::Cut) => return None,
            None => (Bytes::from_static(COMPLETE), false),
        })
    }
}

fn event(shaped: &Shaped) -> Bytes {
    // JSON has no line breaks of its own.
    Bytes::from(format!("event: next\ndata: {}\n\n", serde_json::to_string(shaped).unwrap_or_default()))
}
