//! Requests to addresses that people name: events to the receivers of webhooks. No such request reaches a network that the
//! operator did not open.
//!
//! A name is looked up here, once for each connection, and the connection goes to the addresses that were found and
//! checked. So a name whose answers change (DNS rebinding) is checked at each change: what was checked and what is reached
//! is one thing. No proxy of the environment stands between, and no redirect is followed.

mod failure;
mod guard;
mod secret;

pub use failure::Failure;
pub use secret::{SigningSecret, fresh_event_id, sign};

use crate::config::WebhookSettings;
use chrono::{DateTime, Utc};
use guard::{Door, Guard, Refused, SystemNames};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use std::error::Error as _;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use url::{Host, Url};

/// How long a name is looked up for somebody who waits.
const LOOK_UP: Duration = Duration::from_secs(5);
/// How long a connection without a request stays open. Its address was checked when it was opened.
const KEPT_OPEN: Duration = Duration::from_secs(30);
/// Bytes of an answer's body that are read, to use the connection again; beyond that it is closed. They are thrown away.
const BODY: usize = 16 * 1024;
/// How long that may take.
const BODY_PATIENCE: Duration = Duration::from_secs(1);

/// Sends to receivers.
pub struct Outbound {
    guard: Arc<Guard>,
    patience: Duration,
    /// How long an answer is waited for while somebody waits for it.
    probe: Duration,
    /// Opened with the first request, as they read the roots of the system: for `https`, and for `http`.
    clients: [OnceLock<Option<Client>>; 2],
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// Why it counts as failed; none for 200 to 299.
    pub failure: Option<Failure>,
    /// How long the receiver asked to be left alone (`Retry-After` of a 429 or 503).
    pub retry_after: Option<Duration>,
    /// How long it took.
    pub took: Duration,
}

impl Outbound {
    /// One for the settings. Whoever waits for an answer has theirs within `deadline`.
    pub fn open(settings: &WebhookSettings, deadline: Duration) -> Self {
        let outbound =
            Self::new(Guard::new(SystemNames, settings.webhook_allow_network.clone()), settings.webhook_timeout);
        Self { probe: settings.webhook_timeout.min(deadline.mul_f64(0.7)), ..outbound }
    }

    /// One with a guard, which waits so long for an answer.
    fn new(guard: Guard, patience: Duration) -> Self {
        Self { guard: Arc::new(guard), patience, probe: patience, clients: [OnceLock::new(), OnceLock::new()] }
    }

    /// Whether events may be sent to an address now: its form, and what its name leads to.
    ///
    /// # Errors
    ///
    /// `NotAllowed`, `Dns` or `Timeout`.
    pub async fn check(&self, url: &Url) -> Result<(), Failure> {
        let plain = is_plain(url).ok_or(Failure::NotAllowed)?;
        match url.host().ok_or(Failure::NotAllowed)? {
            Host::Ipv4(address) => self.guard.check(address.into(), plain),
            Host::Ipv6(address) => self.guard.check(address.into(), plain),
            Host::Domain(name) => {
                let look_up = timeout(self.patience.min(LOOK_UP), self.guard.look_up(name.to_owned(), plain));
                look_up.await.unwrap_or(Err(Failure::Timeout)).map(|_| ())
            }
        }
    }

    /// Sends a text with these headers, and waits for the answer; less long if somebody waits for it.
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: String, awaited: bool) -> Answer {
        let begun = Instant::now();
        let patience = if awaited { self.probe } else { self.patience };
        let (status, retry_after, failure) = match self.answer(url, headers, body, patience).await {
            Ok(response) => {
                let (status, retry_after) = (response.status(), retry_after(&response));
                let _ = timeout(BODY_PATIENCE, throw_away(response)).await;
                (Some(status.as_u16()), retry_after, (!status.is_success()).then_some(Failure::Status))
            }
            Err(failure) => (None, None, Some(failure)),
        };
        Answer { status, failure, retry_after, took: begun.elapsed() }
    }

    async fn answer(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: String,
        patience: Duration,
    ) -> Result<Response, Failure> {
        let plain = is_plain(url).ok_or(Failure::NotAllowed)?;
        // No name is looked up for these, so the guard of the connection would not see them.
        match url.host().ok_or(Failure::NotAllowed)? {
            Host::Ipv4(address) => self.guard.check(address.into(), plain)?,
            Host::Ipv6(address) => self.guard.check(address.into(), plain)?,
            Host::Domain(_) => {}
        }
        let client = self.client(plain).ok_or(Failure::Tls)?;
        let request = client.post(url.clone()).headers(headers);
        let request =
            request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body).timeout(patience);
        request.send().await.map_err(|error| failure_of(&error))
    }

    fn client(&self, plain: bool) -> Option<&Client> {
        let [secure, open] = &self.clients;
        let place = if plain { open } else { secure };
        let made = place.get_or_init(|| {
            let client = Client::builder()
                .dns_resolver(Door::new(Arc::clone(&self.guard), plain))
                .https_only(!plain)
                .no_proxy()
                .redirect(Policy::none())
                .referer(false)
                .user_agent(concat!("clinic/", env!("CARGO_PKG_VERSION")))
                .timeout(self.patience)
                .pool_idle_timeout(KEPT_OPEN)
                .pool_max_idle_per_host(1)
                .build();
            client.inspect_err(|error| tracing::error!(%error, "webhooks can't be sent")).ok()
        });
        made.as_ref()
    }
}

/// Whether it is plain HTTP; none for a form that is not taken.
fn is_plain(url: &Url) -> Option<bool> {
    let bare = url.username().is_empty() && url.password().is_none();
    match url.scheme() {
        "https" if bare => Some(false),
        "http" if bare => Some(true),
        _ => None,
    }
}

async fn throw_away(mut response: Response) {
    let mut left = BODY;
    while let Ok(Some(chunk)) = response.chunk().await {
        let Some(less) = left.checked_sub(chunk.len()) else { return };
        left = less;
    }
}

/// The `Retry-After` of an answer that may have one: seconds, or a time.
fn retry_after(response: &Response) -> Option<Duration> {
    let asks = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&response.status());
    let text = response.headers().get(RETRY_AFTER).filter(|_| asks)?.to_str().ok()?;
    wait_of(text, Utc::now())
}

fn wait_of(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(text.trim()).ok()?;
    Some((at.with_timezone(&Utc) - now).to_std().unwrap_or_default())
}

/// Whether an error is one of TLS, or holds one: those of input and output do not say what they hold by `source`.
fn is_of_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let within = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || within.is_some_and(|within| is_of_tls(within))
}

/// What went wrong, by the errors within the error.
fn failure_of(error: &reqwest::Error) -> Failure {
    let mut within = error.source();
    while let Some(cause) = within {
        if let Some(Refused(failure)) = cause.downcast_ref() {
            return *failure;
        }
        if is_of_tls(cause) {
            return Failure::Tls;
        }
        within = cause.source();
    }
    match error {
        it if it.is_timeout() => Failure::Timeout,
        it if it.is_connect() => Failure::Connect,
        _ => Failure::Protocol,
    }
}

#[cfg(test)]
mod tests;
