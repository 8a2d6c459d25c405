//! Who calls, as types: `Anonymous` and `SignedIn`, and what they are answered.

use super::template::{Organisation, Role, StaffMember};
use reqwest::header::{ACCEPT, HeaderMap};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::ops::Deref;

/// Where to and as whom.
#[derive(Clone)]
pub struct Caller {
    http: Client,
    address: SocketAddr,
    token: Option<String>,
    reason: Option<String>,
}

impl Caller {
    /// The service.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The token; empty for nobody.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// A request to a path, with the token if there is one.
    pub fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("http://{}{path}", self.address));
        let request = match &self.reason {
            Some(reason) => request.header("Access-Reason", reason),
            None => request,
        };
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A GraphQL request, to add headers to: `answer_to` sends it.
    pub fn prepare(&self, query: &str, variables: Value) -> RequestBuilder {
        let body = json!({"query": query, "variables": variables});
        self.request(reqwest::Method::POST, "/graphql").header(ACCEPT, "application/graphql-response+json").json(&body)
    }

    /// Asks.
    pub async fn graphql(&self, query: &str, variables: Value) -> Answer {
        Answer::to(self.prepare(query, variables)).await
    }

    /// Asks for something without variables, that must not fail: its data.
    pub async fn ask(&self, query: &str) -> Value {
        self.graphql(query, json!({})).await.ok()
    }

    /// Does something whose whole argument is `input`: `mutation { name(input: …) { selection } }`. What it answers is
    /// under `/name`.
    pub async fn does(&self, mutation: &str, input: Value, selection: &str) -> Answer {
        self.graphql(&document(mutation, selection), json!({"input": input})).await
    }

    /// The same with an `Idempotency-Key`.
    pub async fn does_with_key(&self, key: &str, mutation: &str, input: Value, selection: &str) -> Answer {
        let request = self.prepare(&document(mutation, selection), json!({"input": input}));
        Answer::to(request.header("Idempotency-Key", key)).await
    }

    /// Tries to sign in.
    pub async fn sign_in(&self, email: &str, password: &str) -> Answer {
        self.does("signIn", json!({"email": email, "password": password}), "token expiresAt staff { id role }").await
    }

    /// The same place, with this token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }
}

/// The document of a mutation whose whole argument is `input`.
fn document(mutation: &str, selection: &str) -> String {
    let kind = match mutation {
        "signConsultation" | "signSession" | "signAftercareNote" => "SignRecord".to_owned(),
        "signOffSessionCheck" => "OverrideSessionCheck".to_owned(),
        "noteDeviceRecall" | "noteLotRecall" => "NoteMakerRecall".to_owned(),
        _ => mutation[..1].to_uppercase() + &mutation[1..],
    };
    format!("mutation ($input: {kind}Input!) {{ {mutation}(input: $input) {{ {selection} }} }}")
}

/// Somebody without a sign-in.
#[derive(Clone)]
pub struct Anonymous(Caller);

impl Anonymous {
    /// Calls a service.
    pub fn at(address: SocketAddr) -> Self {
        // No proxy of the machine's stands between a test and its own service.
        let http = Client::builder().no_proxy().build().expect("a client");
        Self(Caller { http, address, token: None, reason: None })
    }
}

impl Deref for Anonymous {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

/// Somebody with a sign-in.
#[derive(Clone)]
pub struct SignedIn {
    caller: Caller,
    /// Who.
    pub member: StaffMember,
    /// The `location_…` of their organisation.
    pub location: String,
}

impl SignedIn {
    /// A member of an organisation, with their token.
    pub fn new(door: &Caller, organisation: &Organisation, member: StaffMember) -> Self {
        Self { caller: door.with_token(&member.token), member, location: organisation.location.clone() }
    }

    /// Another member of the same organisation.
    pub fn beside(&self, member: StaffMember) -> Self {
        Self { caller: self.with_token(&member.token), member, location: self.location.clone() }
    }

    /// The same person, who states why they look (`Access-Reason`).
    pub fn because(&self, reason: &str) -> Self {
        Self { caller: Caller { reason: Some(reason.to_owned()), ..self.caller.clone() }, ..self.clone() }
    }

    /// What they may do.
    pub fn role(&self) -> Role {
        self.member.role
    }

    /// `staff_…`
    pub fn id(&self) -> &str {
        &self.member.id
    }
}

impl Deref for SignedIn {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// `data`; null also where there was none.
    pub data: Value,
    /// `errors`.
    pub errors: Vec<Value>,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// Sends a request and reads the answer.
    pub async fn to(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("a body");
        let mut body: Value = serde_json::from_str(&text).unwrap_or_default();
        let errors = body.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
        Self { status, headers, data: body.get_mut("data").map(Value::take).unwrap_or_default(), errors, text }
    }

    /// The data of an answer without errors.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.errors.is_empty() && self.status == StatusCode::OK, "{} {}", self.status, self.text);
        self.data
    }

    /// The codes of the errors, in their order.
    pub fn codes(&self) -> Vec<&str> {
        self.errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap_or("no code")).collect()
    }

    /// The code of the one error.
    #[track_caller]
    pub fn code(&self) -> &str {
        assert_eq!(self.errors.len(), 1, "{}", self.text);
        self.codes()[0]
    }

    /// `ok`, or the codes, each once: for tables of who may do what.
    pub fn outcome(&self) -> String {
        let mut codes = self.codes();
        codes.sort_unstable();
        codes.dedup();
        if codes.is_empty() { "ok".to_owned() } else { codes.join(" ") }
    }

    /// The paths of the faults of a BAD_USER_INPUT.
    pub fn faults(&self) -> Vec<&str> {
        let fields = self.errors.iter().filter_map(|error| error["extensions"]["fields"].as_array()).flatten();
        fields.map(|fault| fault["path"].as_str().unwrap_or("no path")).collect()
    }
}
