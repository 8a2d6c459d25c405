//! Runs one operation for somebody who stays: a query or a mutation once, a subscription until it ends.
//!
//! A subscription is a row of looks. Each is an operation of its own: it asks whose token it is and what they may, reads the
//! feed from where the last one ended, and is in the access log before anything of it is sent. Between looks it waits for
//! the ledger to go on (`feed::Tail`) and holds nothing.

use super::{COME_AGAIN, ENDED, Judged, Out, Sender, Told, ended, errors_of};
use crate::error::Error;
use crate::feed::{Course, Reached, Waiter};
use crate::gate::Admitted;
use crate::http::request::Parameters;
use crate::http::response::{self, Shaped};
use crate::http::run::{Turn, failed, payer, refusals};
use crate::http::watched::Watched;
use crate::operation::{Operation, batches, whole_paths};
use crate::watch::trace;
use async_graphql::parser::types::OperationType;
use async_graphql::{Response, ServerError, Value};
use futures::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The shortest time from one look to the next, so that a ledger is read in pieces and not entry by entry: after a quiet
/// time, and after a busy one.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long a subscription waits for a database that does not answer, and how long between tries.
const PATIENCE: Duration = Duration::from_secs(60);
const TRY_AGAIN: Duration = Duration::from_secs(1);

const BY_POST: &str = "what signs somebody in, or is sent with the cookie and changes something, may set a cookie, and can't \
                       here: send it with POST";

/// Runs an operation. `alone` says that nobody else watches over the sign-in meanwhile.
pub(super) async fn carry(sender: Sender, (one, outcome): Judged, out: Out, alone: bool) {
    let app = &sender.app;
    let payer = if outcome.is_ok() { payer(app, &sender.facts).await } else { None };
    let (facts, why_none) = (&sender.facts, sender.why_none);
    let mut turn = Turn { app, facts, why_none, payer, by_address: None, standing: None };
    match outcome {
        Ok(admitted) if admitted.kind() == OperationType::Subscription => {
            let outcome = Ok(admitted.clone());
            let watched = Watched::begin(app, &one, &outcome);
            let begun = match turn.charge(&outcome).await {
                Err(refused) => Err(refused.errors),
                Ok(paid) => {
                    let mut following = Following::new(&sender, one, admitted);
                    let first = following.begin().await;
                    turn.settle(paid, first.as_ref().err().map_or(&[], Vec::as_slice)).await;
                    match first {
                        // Counted by who it is, as more sign-ins are no more people.
                        Ok(first) => match app.service.tail.follow(first.who) {
                            Some(place) => Ok((following, first, place)),
                            None => Err(errors_of(Error::RateLimited { retry_after: COME_AGAIN })),
                        },
                        Err(errors) => Err(errors),
                    }
                }
            };
            watched.answered(&match &begun {
                Ok(_) => Response::default(),
                Err(errors) => Response::from_errors(errors.clone()),
            });
            match begun {
                Ok((following, first, _place)) => following.go_on(first, &out, alone).await,
                Err(errors) => {
                    out.tell(Told::failed(errors)).await;
                }
            }
        }
        outcome => {
            let answer = match &outcome {
                Ok(admitted) if !sender.sets_cookies && sets_cookies(&sender, admitted) => {
                    failed(Error::Forbidden(BY_POST.to_owned()))
                }
                _ => turn.take(one, outcome, None).await,
            };
            out.tell(Told::Next(Box::new(Shaped::of(answer)))).await;
        }
    }
    out.end().await;
}

/// Whether an operation may want to set a cookie.
fn sets_cookies(sender: &Sender, admitted: &Admitted) -> bool {
    admitted.kind() == OperationType::Mutation
        && (sender.facts.by_cookie || (admitted.is_public() && !admitted.introspects()))
}

/// A subscription under way.
struct Following<'a> {
    sender: &'a Sender,
    one: Parameters,
    admitted: Admitted,
    course: Arc<Course>,
    looked_at: Instant,
    pause: Duration,
}

impl<'a> Following<'a> {
    fn new(sender: &'a Sender, one: Parameters, admitted: Admitted) -> Self {
        Self { sender, one, admitted, course: Arc::default(), looked_at: Instant::now(), pause: PAUSE }
    }

    /// Takes the first look, which says whether the subscription may be.
    async fn begin(&mut self) -> Result<Look, Vec<ServerError>> {
        if self.sender.facts.token.is_none() {
            let (reason, why) = self.sender.why_none;
            return Err(errors_of(Error::Unauthenticated(reason, why)));
        }
        self.look().await
    }

    /// Tells what was found, and looks again whenever the ledger went on, until the subscription ends.
    async fn go_on(mut self, first: Look, out: &Out, alone: bool) {
        let service = &self.sender.app.service;
        let _counted = service.watch.live.subscription();
        let token = self.sender.facts.token.as_deref().unwrap_or_default();
        let mut stay = alone.then(|| service.vigil.keep(token, first.org));
        let mut waiter = service.tail.watch(first.org);
        if !out.tell(Told::Begun).await {
            return;
        }
        let mut found = first.found;
        loop {
            service.watch.live.told(found.len());
            let telling = async {
                for event in found {
                    if !out.tell(Told::Next(Box::new(Shaped::of(event)))).await {
                        return false;
                    }
                }
                true
            };
            let step = async {
                if !telling.await {
                    return Some(None);
                }
                let goes_on = self.wait(&mut waiter).await;
                (!goes_on).then_some(Some(Told::Cut))
            };
            let last = tokio::select! {
                step = step => step,
                () = ended(&mut stay) => Some(Some(Told::failed(errors_of(Error::Unauthenticated(ENDED.0, ENDED.1))))),
            };
            let next = match last {
                Some(Some(last)) => Err(last),
                // Nobody is there any more.
                Some(None) => return,
                None => self.look_patiently().await.map_err(Told::failed),
            };
            match next {
                Ok(look) => found = look.found,
                Err(last) => {
                    out.tell(last).await;
                    return;
                }
            }
        }
    }

    /// Waits until there is more to read, and some time since the last look has passed; false if the service stops.
    async fn wait(&mut self, waiter: &mut Waiter) -> bool {
        let Some(Reached { end, more }) = self.course.reached() else { return true };
        if more {
            return true;
        }
        let goes_on = waiter.beyond(end.seq).await;
        if goes_on {
            let quiet = self.looked_at.elapsed() > LONGEST_PAUSE;
            self.pause = if quiet { PAUSE } else { (self.pause * 2).min(LONGEST_PAUSE) };
            tokio::time::sleep_until(self.looked_at + self.pause).await;
        }
        goes_on
    }

    /// Looks; and while the database does not answer, looks again for some time.
    async fn look_patiently(&mut self) -> Result<Look, Vec<ServerError>> {
        let patient_until = Instant::now() + PATIENCE;
        loop {
            let looked = self.look().await;
            let unavailable = |errors: &Vec<ServerError>| {
                errors.iter().all(|error| matches!(response::code(error), Some("UNAVAILABLE")))
            };
            if !looked.as_ref().is_err_and(unavailable) || Instant::now() >= patient_until {
                return looked;
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// One look: an operation of its own, logged before it is told.
    async fn look(&mut self) -> Result<Look, Vec<ServerError>> {
        self.looked_at = Instant::now();
        let before = self.course.reached();
        let app = &self.sender.app;
        let _turn = app.service.tail.turn().await;
        let mut facts = self.sender.facts.clone();
        facts.name = self.admitted.root_field().to_owned();
        facts.cost = self.admitted.cost();
        // Nobody sits before it.
        facts.background = true;
        let operation = Arc::new(Operation::new(Arc::clone(&app.service), facts));
        let looking = trace::carried(self.found(Arc::clone(&operation)));
        let looked = tokio::time::timeout(app.deadline, looking).await;
        looked.unwrap_or_else(|_| Err(errors_of(Error::Unavailable))).inspect_err(|_| self.course.go_back(before))
    }

    async fn found(&self, operation: Arc<Operation>) -> Result<Look, Vec<ServerError>> {
        let request = self.admitted.request(self.one.variables.clone());
        let request =
            request.data(Arc::clone(&operation)).data(batches(Arc::clone(&operation))).data(Arc::clone(&self.course));
        let mut found: Vec<Response> = self.sender.app.schema.execute_stream(request).collect().await;
        found.iter_mut().for_each(whole_paths);
        let refused = found.iter().find(|answer| answer.data == Value::Null && !answer.errors.is_empty());
        let at = refused.map(refusals).unwrap_or_default();
        operation.finish(&at).await.map_err(errors_of)?;
        if let Some(refused) = refused {
            return Err(refused.errors.clone());
        }
        if self.course.reached().is_none() {
            let nothing = "this subscription asks for nothing: ask for one of its fields";
            return Err(errors_of(Error::input("query", crate::error::Code::Required.says(nothing))));
        }
        let org = operation.org().await.map_err(errors_of)?;
        let who = self.course.who().unwrap_or(org);
        Ok(Look { org, who, found })
    }
}

/// What a look found.
struct Look {
    org: Uuid,
    /// The person or the program that looked.
    who: Uuid,
    found: Vec<Response>,
}
