//! One GraphQL operation, whichever way it came: who sends it and who pays for it, whether it may begin, and its answer.

use super::as_of::{as_of, text_of};
use super::request::{self, Parameters, RequestRefusal};
use super::response::code;
use super::watched::{Watched, at_gate};
use super::{App, limits};
use crate::access::api_key::looks_like;
use crate::access::rate::{Charge, Payer, Standing};
use crate::access::{Caller, SignInMark};
use crate::config::Introspection;
use crate::error::{Error, NotSignedIn};
use crate::gate::{Admitted, Refusal};
use crate::operation::{Operation, RefusedAt, RequestFacts, batches, whole_paths};
use crate::vocabulary::StaffRole;
use crate::watch::trace;
use actix_web::{HttpRequest, HttpResponse, web};
use async_graphql::parser::types::OperationType;
use async_graphql::{Name, Response, ServerError, Value};
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

const SIGN_IN_FIRST: (NotSignedIn, &str) =
    (NotSignedIn::Unknown, "sign in first: send Authorization: Bearer <token> (mutation signIn gives one)");

/// What nobody pays for from an account counts on its address as one request for so many points. Ten introspections in one
/// document take a third of a second of a processor, and 50,000 points.
const POINTS_A_REQUEST: u64 = 100;

/// Says in an answer where its sender stands with the limits, and in the log that it was given.
pub(super) fn told(
    answer: &mut HttpResponse,
    standing: Option<&Standing>,
    (id, http, begun): (&str, &HttpRequest, Instant),
    face: &'static str,
) {
    if let Some(standing) = standing {
        limits::tell(answer.status(), answer.headers_mut(), standing);
    }
    let millis = begun.elapsed().as_secs_f64() * 1000.0;
    let (trace, status) = (trace::current(), answer.status().as_u16());
    tracing::info!(request = id, trace, method = %http.method(), status, millis, "{face}");
}

/// What is known of a request before anything runs; and why it is nobody's, where it is.
pub(super) fn facts_of(
    http: &HttpRequest,
    app: &App,
    id: &str,
    address: String,
) -> Result<(RequestFacts, (NotSignedIn, &'static str)), RequestRefusal> {
    let bearer = request::bearer_token(http.headers())?.map(str::to_owned);
    // With both, the header counts: a cookie comes by itself, a header is sent on purpose.
    let cookie = if bearer.is_some() { Ok(None) } else { request::cookie_token(http, &app.home) };
    let by_cookie = matches!(&cookie, Ok(Some(_)));
    let (token, why_none) = match cookie {
        Ok(token) => (bearer.or(token), SIGN_IN_FIRST),
        Err(why) => (None, why),
    };
    Ok((
        RequestFacts {
            id: id.to_owned(),
            address,
            token,
            by_cookie,
            foreign: !app.home.takes(http),
            client: request::client(http.headers()),
            enrolling: false,
            changes: false,
            background: request::background(http.headers())?,
            idempotency_key: request::idempotency_key(http.headers())?.map(str::to_owned),
            reason: request::access_reason(http.headers())?,
            name: String::new(),
            cost: 0,
        },
        why_none,
    ))
}

/// What the gate says of a request.
pub(super) fn at_the_gate(app: &App, one: &Parameters) -> Result<Admitted, Refusal> {
    at_gate(app, || {
        document(app, one).and_then(|text| app.gate.admit(text, one.operation_name.as_deref(), &one.variables))
    })
}

/// The text of a request: its own, or that of the persisted document it names.
fn document<'a>(app: &'a App, one: &'a Parameters) -> Result<&'a str, Refusal> {
    match &one.document_id {
        Some(id) => app.persisted.find(id).ok_or_else(Refusal::not_persisted),
        None if app.only_persisted => Err(Refusal::persisted_only()),
        None => Ok(&one.query),
    }
}

/// The operations of one sender, one after another: each is charged, run and counted.
pub(super) struct Turn<'a> {
    pub(super) app: &'a web::Data<App>,
    pub(super) facts: &'a RequestFacts,
    /// Why the sender is nobody, where they are.
    pub(super) why_none: (NotSignedIn, &'static str),
    /// The account that pays.
    pub(super) payer: Option<Uuid>,
    /// Where the address stands.
    pub(super) by_address: Option<Standing>,
    /// Where the sender stands after the last operation.
    pub(super) standing: Option<Standing>,
}

/// What an account paid.
pub(super) struct Paid(Option<(Uuid, Charge)>);

impl Turn<'_> {
    /// Charges an operation, runs it, and gives its answer.
    pub(super) async fn take(
        &mut self,
        one: Parameters,
        outcome: Result<Admitted, Refusal>,
        place: Option<usize>,
    ) -> Response {
        let watched = Watched::begin(self.app, &one, &outcome);
        let answer = match self.charge(&outcome).await {
            Err(refused) => *refused,
            Ok(paid) => {
                let running = execute(self.app, one, outcome, (self.facts, self.why_none), place);
                let answer = watched.around(running).await;
                self.settle(paid, &answer.errors).await;
                answer
            }
        };
        watched.answered(&answer);
        match &self.standing {
            Some(standing) => answer.extension("rateLimit", limits::extension(standing)),
            None => answer,
        }
    }

    /// Charges an operation on the account, or on the address if no account pays.
    ///
    /// # Errors
    /// The refusal, where there is not enough.
    pub(super) async fn charge(&mut self, outcome: &Result<Admitted, Refusal>) -> Result<Paid, Box<Response>> {
        let cost = outcome.as_ref().map_or(0, Admitted::cost);
        // A thief of the token may have spent the account's points, and that must not prevent the owner from ending the
        // sign-in.
        let own = outcome.as_ref().is_ok_and(Admitted::is_own_sign_in);
        let paid = match self.payer.filter(|_| outcome.is_ok() && !own) {
            Some(payer) => self.app.rates.charge(Payer::Account(payer), cost).await.map(|charge| (payer, charge)),
            None => None,
        };
        let unpaid = if self.payer.is_none() { charge_address(self.app, self.facts, cost).await } else { None };
        let charged = paid.map(|(_, charge)| charge).or(unpaid);
        self.standing = charged.map_or(self.standing, |charge| Some(charge.standing));
        match charged.filter(|charge| !charge.passed) {
            Some(charge) => Err(Box::new(too_dear(cost, &charge))),
            None => Ok(Paid(paid)),
        }
    }

    /// Gives back what an account paid for an operation that was refused because the sign-in had ended within the last
    /// seconds: whose it was has nothing to do with it.
    pub(super) async fn settle(&mut self, paid: Paid, errors: &[ServerError]) {
        if let Paid(Some((account, charge))) = paid
            && errors.iter().any(|error| code(error) == Some("UNAUTHENTICATED"))
            && !self.app.service.doorkeeper.is_payer(caller(self.facts))
        {
            self.app.rates.give_back(Payer::Account(account), &charge).await;
            (self.payer, self.standing) = (None, self.by_address);
        }
    }
}

/// Who pays for a request: whose token it is, where accounts are limited. A token that is nobody's, or holds no more, is
/// counted on its address.
pub(super) async fn payer(app: &App, facts: &RequestFacts) -> Option<Uuid> {
    if facts.token.is_none() || !app.rates.limits_accounts() {
        return None;
    }
    app.service.doorkeeper.payer(caller(facts)).await.unwrap_or_else(|error| {
        tracing::warn!(?error, "whose token it is can't be asked: its address alone is counted");
        None
    })
}

/// Charges an operation that no account pays for on its address, beside the one request that it is: what is dear counts as
/// many. Nobody needs an account to introspect.
pub(super) async fn charge_address(app: &App, facts: &RequestFacts, cost: u64) -> Option<Charge> {
    let nobodys = facts.token.is_none() || app.rates.limits_accounts();
    let more = cost / POINTS_A_REQUEST;
    if more == 0 || !nobodys {
        return None;
    }
    app.rates.charge(Payer::Address(&facts.address), more).await
}

fn caller(facts: &RequestFacts) -> Caller<'_> {
    Caller {
        token: facts.token.as_deref(),
        by_cookie: facts.by_cookie,
        enrolling: facts.enrolling,
        changes: facts.changes,
        background: facts.background,
        request_id: &facts.id,
        address: &facts.address,
        reason: facts.reason.as_deref(),
    }
}

/// The refusal of an operation for which an account has not enough.
fn too_dear(cost: u64, charge: &Charge) -> Response {
    let refusal = failed(Error::RateLimited { retry_after: charge.standing.resets_in });
    refusal.extension("cost", Value::from(cost))
}

async fn execute(
    app: &web::Data<App>,
    one: Parameters,
    outcome: Result<Admitted, Refusal>,
    (facts, (reason, why_none)): (&RequestFacts, (NotSignedIn, &'static str)),
    place: Option<usize>,
) -> Response {
    let admitted = match outcome {
        Ok(admitted) => admitted,
        Err(refusal) => return refusal.into_response(),
    };
    if admitted.introspects() && app.introspection == Introspection::None {
        return Refusal::introspection().into_response();
    }
    let public = admitted.is_public() && (!admitted.introspects() || app.introspection == Introspection::All);
    if facts.token.is_none() && !public {
        return failed(Error::Unauthenticated(reason, why_none));
    }
    let mut facts = facts.clone();
    facts.enrolling = admitted.is_enrolment();
    facts.changes = admitted.kind() == OperationType::Mutation;
    facts.name = admitted.root_field().to_owned();
    facts.cost = admitted.cost();
    if let (Some(key), Some(place)) = (&facts.idempotency_key, place) {
        facts.idempotency_key = Some(format!("{key}#{place}"));
    }
    let work = trace::carried(carry_out(app.clone(), one, admitted.clone(), facts));
    if admitted.kind() == OperationType::Mutation {
        // In a task of its own: a client that hangs up can't cut it half-way.
        let task = actix_web::rt::spawn(work);
        match tokio::time::timeout(app.deadline, task).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => failed(Error::Internal("a mutation's task ended early".to_owned())),
            Err(_) => failed(Error::Unavailable),
        }
    } else {
        tokio::time::timeout(app.deadline, work).await.unwrap_or_else(|_| failed(Error::Unavailable))
    }
}

/// Runs an operation, and tells with its answer when the sign-in ends.
async fn carry_out(app: web::Data<App>, one: Parameters, admitted: Admitted, facts: RequestFacts) -> Response {
    let operation = Arc::new(Operation::new(Arc::clone(&app.service), facts));
    let response = carry_through(&app, &operation, one, admitted).await;
    match operation.sign_in() {
        Some(sign_in) => response.extension("session", session(&sign_in)),
        None => response,
    }
}

/// When a sign-in ends: for `extensions.session`.
fn session(sign_in: &SignInMark) -> Value {
    let idle_ends_at = sign_in.idle_ends_at.min(sign_in.ends_at);
    let ends = [("idleEndsAt", idle_ends_at), ("endsAt", sign_in.ends_at)];
    Value::Object(ends.into_iter().map(|(name, moment)| (Name::new(name), text_of(moment))).collect())
}

/// Runs an operation and closes it: what it showed is in the access log before it is answered.
pub(super) async fn carry_through(
    app: &web::Data<App>,
    operation: &Arc<Operation>,
    one: Parameters,
    admitted: Admitted,
) -> Response {
    if let Err(error) = may_begin(app, operation, &admitted).await {
        let refused: &[RefusedAt] =
            if matches!(error, Error::Forbidden(_) | Error::SecondFactorMissing) { &[RefusedAt::Last] } else { &[] };
        return failed(operation.finish(refused).await.err().unwrap_or(error));
    }
    let as_of = as_of(operation, &admitted, &one).await;
    let request = admitted.request(one.variables).data(Arc::clone(operation)).data(batches(Arc::clone(operation)));
    let mut response = app.schema.execute(request).await;
    whole_paths(&mut response);
    // The same refusal in a thousand places is reported once, but what a mutation did is reported.
    let held = || if admitted.kind() == OperationType::Query { operation.held() } else { Ok(()) };
    match operation.finish(&refusals(&response)).await.and_then(|()| held()) {
        Ok(()) => {
            let response = response.extension("cost", Value::from(admitted.cost()));
            as_of.into_iter().fold(response, |response, moment| response.extension("asOf", text_of(moment)))
        }
        Err(error) => failed(error),
    }
}

/// What is refused as a whole, before any field is asked: the schema to who may not see it, and a program's mutation.
async fn may_begin(app: &App, operation: &Operation, admitted: &Admitted) -> crate::error::Result<()> {
    let facts = operation.facts();
    let asks_schema = admitted.introspects() && app.introspection != Introspection::All;
    let changes = admitted.kind() == OperationType::Mutation && facts.token.as_deref().is_some_and(looks_like);
    if !asks_schema && !changes {
        return Ok(());
    }
    let viewer = operation.reader().await?.viewer();
    if changes && viewer.service.is_some() {
        return Err(Error::Forbidden("a service account changes nothing: it only reads".to_owned()));
    }
    match (app.introspection, viewer.role) {
        _ if !asks_schema => Ok(()),
        (_, None) => {
            Err(Error::Forbidden("this service shows its schema only to people: `clinic schema` prints it".to_owned()))
        }
        (Introspection::Admin, Some(role)) if role != StaffRole::Admin => Err(Error::Forbidden(format!(
            "this service shows its schema only to admins, not to the role {}",
            role.words()
        ))),
        _ => Ok(()),
    }
}

/// What was refused in an operation. The errors of fields are in the order in which they came about; the one that took the
/// whole answer with it came last and stands first.
pub(super) fn refusals(response: &Response) -> Vec<RefusedAt> {
    let ended = usize::from(response.data == Value::Null);
    let errors = response.errors.iter().enumerate();
    let refused = errors.filter(|(_, error)| matches!(code(error), Some("FORBIDDEN" | "REASON_REQUIRED")));
    refused.map(|(place, _)| place.checked_sub(ended).map_or(RefusedAt::Last, RefusedAt::Field)).collect()
}

/// An answer without data, about the request as a whole.
pub(super) fn failed(error: Error) -> Response {
    let mut error = async_graphql::Error::from(error).into_server_error(async_graphql::Pos::default());
    error.locations.clear();
    Response::from_errors(vec![error])
}
