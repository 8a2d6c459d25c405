//! Operations that go on: subscriptions, over WebSocket (`socket.rs`, in the messages of `messages.rs`) and as server-sent
//! events (`events.rs`). `carry.rs` runs one, whichever way it came.

mod carry;
pub(super) mod events;
mod messages;
pub(super) mod socket;

use super::App;
use super::request::{Parameters, RequestRefusal};
use super::response::Shaped;
use crate::access::vigil::Stay;
use crate::error::{Error, NotSignedIn};
use crate::feed::Place;
use crate::gate::{Admitted, Refusal};
use crate::operation::RequestFacts;
use actix_web::http::StatusCode;
use actix_web::rt::task::JoinHandle;
use actix_web::web;
use async_graphql::ServerError;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use uuid::Uuid;

/// When to come again if too many wait, in seconds.
const COME_AGAIN: u64 = 5;
/// Results of a connection that wait to be sent. Beyond them, its operations wait.
const WAITING: usize = 16;

/// The error for somebody whose sign-in ended while they stayed.
const ENDED: (NotSignedIn, &str) =
    (NotSignedIn::Revoked, "sign in again: this sign-in has ended, or its token was replaced by a newer one");

/// One operation, and what the gate says of it.
type Judged = (Parameters, Result<Admitted, Refusal>);

/// Who sends operations, as far as that is known before they run.
#[derive(Clone)]
struct Sender {
    app: web::Data<App>,
    facts: RequestFacts,
    /// Why it is nobody, where it is.
    why_none: (NotSignedIn, &'static str),
    /// Whether cookies can be set in the answers.
    sets_cookies: bool,
}

/// What is told of an operation. When nothing more comes, it is complete.
enum Told {
    /// It was begun, and nothing was wrong with it.
    Begun,
    /// A result.
    Next(Box<Shaped>),
    /// It failed, and ends with this.
    Failed(Box<Shaped>),
    /// It ends because the service stops: it is not complete.
    Cut,
}

/// Where an operation's results go: with the number that it has for who waits for them.
struct Out {
    number: u64,
    to: mpsc::Sender<(u64, Option<Told>)>,
}

impl Out {
    /// Waits until there is room: a client that takes no results makes its operations wait. False if nobody waits for it.
    async fn tell(&self, told: Told) -> bool {
        self.to.send((self.number, Some(told))).await.is_ok()
    }

    /// Tells that nothing more comes.
    async fn end(self) {
        let _ = self.to.send((self.number, None)).await;
    }
}

/// A task that ends with whoever holds this.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The errors of something that failed as a whole.
fn errors_of(error: Error) -> Vec<ServerError> {
    super::run::failed(error).errors
}

impl Told {
    fn failed(errors: Vec<ServerError>) -> Self {
        Self::Failed(Box::new(Shaped::failed(errors)))
    }
}

/// Waits until a sign-in that is watched over ends; for ever where none is.
async fn ended(stay: &mut Option<Stay>) {
    match stay {
        Some(stay) => stay.ended().await,
        None => std::future::pending().await,
    }
}

/// A place among those who wait for what happens, for whose token it is.
pub(super) fn place(app: &App, facts: &RequestFacts) -> Result<Place, RequestRefusal> {
    let token = Sha256::digest(facts.token.as_deref().unwrap_or_default().as_bytes());
    let whose = token.first_chunk::<16>().map_or(Uuid::nil(), |bytes| Uuid::from_bytes(*bytes));
    app.service.tail.place(whose).ok_or_else(|| {
        let message = "too many connections wait for changes already: end some";
        let refusal = RequestRefusal::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message);
        RequestRefusal { retry_after: Some(COME_AGAIN), ..refusal }
    })
}
