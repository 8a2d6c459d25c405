//! The only error type. What a client may see of a failure is decided here and nowhere else.
//!
//! `Error` deliberately has no `Display`, because `async_graphql` publishes the text of anything that has one.

mod database;
mod flaw;
mod graphql;

pub use flaw::{Code, Flaw, Param};
pub use graphql::SharedError;

/// `Result` with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// One fault in an input: where it is and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Path from the arguments down, e.g. `input.areas.0.needleDepthMm`.
    pub path: String,
    /// What is wrong and what would be valid.
    pub flaw: Flaw,
}

impl Fault {
    /// What faults say together: the only one itself, or how many there are.
    pub fn summary(faults: &[Self]) -> String {
        match faults {
            [only] => format!("{}: {}", only.path, only.flaw.message()),
            many => format!("{} faults in the input; extensions.fields names each", many.len()),
        }
    }
}

/// Collects every fault of an input, so that all are reported at once.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Notes a fault at a path.
    pub fn add(&mut self, path: impl Into<String>, flaw: Flaw) {
        self.0.push(Fault { path: path.into(), flaw });
    }

    /// `Ok` when no fault was noted, else `BAD_USER_INPUT` with all of them.
    pub fn into_result(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::BadUserInput(self.0)) }
    }
}

/// Refuses an edit made for a version other than the record's present one.
pub fn at_version(what: &str, current: i32, expected: i32) -> Result<()> {
    if current == expected { Ok(()) } else { Err(Error::stale(what, expected, current)) }
}

/// A check because of which a protocol refuses a session, as shown to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedCheck {
    /// The id of the answer, for `checkId` of an override.
    pub id: String,
    /// The rule, as the API names it.
    pub rule: String,
    /// WARN or BLOCK.
    pub verdict: String,
    /// The code of the reason, as the API names it.
    pub code: Option<String>,
    /// Its parameters, by name.
    pub params: std::collections::BTreeMap<String, String>,
    /// The reason, in one sentence.
    pub cause: String,
    /// The typed id of the record that triggered it.
    pub record_id: Option<String>,
}

/// Why a request is unauthenticated, as given in `extensions.reason`. It reveals nothing about a token to anybody who
/// does not hold it: only for a token that is in the database does it say that the token was once valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSignedIn {
    /// The sign-in or the key has expired.
    Expired,
    /// The sign-in was not used for too long.
    Idle,
    /// It was ended, its account was closed, or a newer token replaced it.
    Revoked,
    /// There is no token, or it is unknown. At `signIn` and similar mutations: the credentials are wrong.
    Unknown,
    /// The cookie came without the header that a foreign page can't send.
    Csrf,
    /// It came from a place that is not accepted: the cookie from a page of another origin, or a key from another
    /// network address.
    Origin,
    /// A code of the second factor is still required, or a second factor must be set up first.
    SecondFactor,
}

impl NotSignedIn {
    /// The word sent to clients.
    pub fn word(self) -> &'static str {
        match self {
            Self::Expired => "EXPIRED",
            Self::Idle => "IDLE",
            Self::Revoked => "REVOKED",
            Self::Unknown => "UNKNOWN",
            Self::Csrf => "CSRF",
            Self::Origin => "ORIGIN",
            Self::SecondFactor => "SECOND_FACTOR",
        }
    }
}

/// Every kind of failure, named as in the contract with clients.
#[derive(Debug)]
pub enum Error {
    /// The request has no valid sign-in; with the reason for programs and for people.
    Unauthenticated(NotSignedIn, &'static str),
    /// The role must have a second factor and the account has none. Little is allowed until it has one.
    SecondFactorMissing,
    /// The signed-in person's role does not allow it.
    Forbidden(String),
    /// The action requires a more recent proof of identity.
    ReauthenticationRequired,
    /// There is no such record, or the viewer may not know of it.
    NotFound(String),
    /// The patient's record is restricted and no reason was stated.
    ReasonRequired,
    /// The input has faults.
    BadUserInput(Vec<Fault>),
    /// Somebody else changed the record first; its current version, where known.
    Conflict {
        /// What happened and what to do.
        message: String,
        /// The version that the record has now.
        current_version: Option<i32>,
    },
    /// The record is signed: it takes addenda, not edits.
    RecordSigned(String),
    /// A care rule blocks it.
    ProtocolBlocked {
        /// What blocks, and what to do.
        message: String,
        /// The checks that do not pass.
        checks: Vec<RefusedCheck>,
    },
    /// An idempotency key was used again for another request.
    IdempotencyMismatch,
    /// Too many attempts; with the seconds to wait.
    RateLimited {
        /// Whole seconds until the next attempt can succeed.
        retry_after: u64,
    },
    /// The request is larger than this service accepts.
    QueryTooLarge(String),
    /// The database can't serve the request now.
    Unavailable,
    /// An internal error; the text is for the log only.
    Internal(String),
}

impl Error {
    /// A single fault as an error.
    pub fn input(path: impl Into<String>, flaw: Flaw) -> Self {
        Self::BadUserInput(vec![Fault { path: path.into(), flaw }])
    }

    /// "There is no patient with the id …": also used for records that the viewer may not know of.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::NotFound(format!("there is no {what} with the id {id}"))
    }

    /// Whether its text may contain data that was read: the finding of a check, a conflict of two charts, a version.
    pub fn tells_of_records(&self) -> bool {
        match self {
            // A proof is required only when nothing else is wrong, and that too reveals something.
            Self::BadUserInput(_)
            | Self::Conflict { .. }
            | Self::RecordSigned(_)
            | Self::ProtocolBlocked { .. }
            | Self::ReauthenticationRequired => true,
            Self::Unauthenticated(..)
            | Self::SecondFactorMissing
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::ReasonRequired
            | Self::IdempotencyMismatch
            | Self::RateLimited { .. }
            | Self::QueryTooLarge(_)
            | Self::Unavailable
            | Self::Internal(_) => false,
        }
    }

    /// A lost race on `expectedVersion`.
    pub fn stale(what: &str, expected: i32, current: i32) -> Self {
        Self::Conflict {
            message: format!(
                "this {what} is at version {current}, not {expected}: somebody changed it. Read it again, \
                 bring your change in and send it with expectedVersion {current}"
            ),
            current_version: Some(current),
        }
    }

    /// An edit of a signed record.
    pub fn signed(what: &str) -> Self {
        Self::RecordSigned(format!("this {what} is signed and can't be changed: correct it with addAddendum"))
    }

    /// The stable code a client can act on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated(..) => "UNAUTHENTICATED",
            Self::Forbidden(_) | Self::SecondFactorMissing => "FORBIDDEN",
            Self::ReauthenticationRequired => "REAUTHENTICATION_REQUIRED",
            Self::NotFound(_) => "NOT_FOUND",
            Self::ReasonRequired => "REASON_REQUIRED",
            Self::BadUserInput(_) => "BAD_USER_INPUT",
            Self::Conflict { .. } => "CONFLICT",
            Self::RecordSigned(_) => "RECORD_SIGNED",
            Self::ProtocolBlocked { .. } => "PROTOCOL_BLOCKED",
            Self::IdempotencyMismatch => "IDEMPOTENCY_MISMATCH",
            Self::RateLimited { .. } => "RATE_LIMITED",
            Self::QueryTooLarge(_) => "QUERY_TOO_LARGE",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// The sentence shown to a client. It never contains a cause, a statement or a file name.
    pub fn public_message(&self) -> String {
        match self {
            Self::Unauthenticated(_, why) => (*why).to_owned(),
            Self::SecondFactorMissing => {
                "your role must sign in with a second factor and you have none yet: set it up with beginSecondFactor and \
                 confirmSecondFactor. Until then only me, confirmIdentity and signOut are answered"
                    .to_owned()
            }
            Self::Forbidden(text) | Self::NotFound(text) | Self::RecordSigned(text) | Self::QueryTooLarge(text) => {
                text.clone()
            }
            Self::BadUserInput(faults) => Fault::summary(faults),
            Self::Conflict { message, .. } | Self::ProtocolBlocked { message, .. } => message.clone(),
            Self::ReauthenticationRequired => {
                "this asks for your password or a code again: send confirmIdentity, then this once more with the token it gives"
                    .to_owned()
            }
            Self::ReasonRequired => {
                "this patient's record is restricted: send the header Access-Reason with why you need it".to_owned()
            }
            Self::IdempotencyMismatch => {
                "this Idempotency-Key, or this id of a new record, was used for another request: send a new one"
                    .to_owned()
            }
            Self::RateLimited { retry_after } => format!("too many requests or tries: wait {retry_after} s"),
            Self::Unavailable => "the service can't reach its database right now: try again in a second".to_owned(),
            Self::Internal(_) => {
                "something went wrong on our side; nothing was saved. The request id finds it in the log".to_owned()
            }
        }
    }

    /// The sentence for the operator at the terminal, who may read the cause.
    pub fn operator_message(&self) -> String {
        match self {
            Self::Internal(cause) => cause.clone(),
            other => other.public_message(),
        }
    }

    /// Whether a retry on another connection may help because the first connection was lost.
    pub fn is_lost_connection(&self) -> bool {
        matches!(self, Self::Unavailable)
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(format!("JSON at line {} column {}: {:?}", error.line(), error.column(), error.classify()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_fault_reads_as_a_sentence_and_many_are_counted() {
        assert_eq!(
            Error::input("input.email", Code::NotAnEmail.says("must contain @")).public_message(),
            "input.email: must contain @"
        );
        let mut faults = Faults::default();
        faults.add("a", Flaw::empty());
        faults.add("b", Flaw::too_long(3, 2));
        let error = faults.into_result().expect_err("two faults");
        assert!(error.public_message().starts_with("2 faults"));
    }
}
