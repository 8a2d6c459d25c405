//! Signing in and out, and confirming your identity again.

use crate::access::second_factor::Proof;
use crate::access::sign_in::{Attempt, Credentials, Entered, Outcome, Rotated, SignedIn};
use crate::access::{Viewer, token};
use crate::error::{Code, Error, NotSignedIn};
use crate::ids;
use crate::ledger::Event;
use crate::operation::{CallerToken, Operation, Running};
use crate::organisation::{Staff, store};
use crate::scalars::DateTime;
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use uuid::Uuid;

const NOT_AT_HOME: &str = "the cookie is set at this service's own address (--public-url) only, for its pages and those of \
                           --allowed-origins: sign in from one of them";

/// Input of `signIn`.
#[derive(InputObject)]
pub struct SignInInput {
    /// E-mail of the account.
    email: String,
    /// The password of the account.
    #[graphql(secret)]
    password: String,
    /// A code of the second factor, or a recovery code, if there is a second factor and the code is at hand. No
    /// challenge is needed then.
    #[graphql(secret)]
    code: Option<String>,
    /// `organisation_…`, for an account that works in several organisations. It also accepts membership in an
    /// organisation to which the account was added with a password and that it has not joined yet.
    organisation_id: Option<ID>,
    /// For browsers: put the token into a cookie that no script can read, instead of the payload.
    #[graphql(default)]
    cookie: bool,
}

/// Result of `signIn`: a sign-in, or what is still needed for one.
#[derive(SimpleObject)]
pub struct SignInPayload {
    /// The token: send it as `Authorization: Bearer …`. It is shown only this once. Null when a code is needed, or when
    /// the token is in the cookie.
    token: Option<String>,
    /// When the sign-in ends at the latest; it ends sooner if it is not used. Null when a code is needed.
    expires_at: Option<DateTime>,
    /// The staff member who is signed in. Null when a code is needed.
    staff: Option<Staff>,
    /// True: the password was right. Now send `challenge` with a code to `completeSignIn`.
    second_factor_needed: bool,
    /// Send it to `completeSignIn` with a code within 5 minutes; 5 codes may be tried. Null when no code is needed.
    challenge: Option<String>,
    /// True: the role must have a second factor and the account has none. Until it has one, only `me`, `signOut` and
    /// the fields that set it up are answered.
    enrolment_only: bool,
}

/// Input of `completeSignIn`: a code for a sign-in whose password was right.
#[derive(InputObject)]
pub struct CompleteSignInInput {
    /// The challenge that `signIn` returned.
    #[graphql(secret)]
    challenge: String,
    /// Six digits of the authenticator app, or a recovery code. Each works once.
    #[graphql(secret)]
    code: String,
    /// For browsers: put the token into a cookie that no script can read, instead of the payload.
    #[graphql(default)]
    cookie: bool,
}

/// Result of `completeSignIn`.
#[derive(SimpleObject)]
pub struct CompleteSignInPayload {
    /// The token: send it as `Authorization: Bearer …`. It is shown only this once. Null when it is in the cookie.
    token: Option<String>,
    /// When the sign-in ends at the latest; it ends sooner if it is not used.
    expires_at: DateTime,
    /// The staff member who is signed in.
    staff: Staff,
}

/// Result of `signOut`.
#[derive(SimpleObject)]
pub struct SignOutPayload {
    /// Always true: the token is no longer valid.
    signed_out: bool,
}

/// Input of `confirmIdentity`: a password or a code, exactly one of them.
#[derive(InputObject)]
pub struct ConfirmIdentityInput {
    /// The password of the account that is signed in.
    #[graphql(secret)]
    password: Option<String>,
    /// A code of the second factor, or a recovery code.
    #[graphql(secret)]
    code: Option<String>,
}

/// Result of `confirmIdentity`. The sign-in continues under a new token. The old token can still read for 30 seconds,
/// and can change nothing.
#[derive(SimpleObject)]
pub struct ConfirmIdentityPayload {
    /// The new token, shown only this once. Null when it is in the cookie.
    token: Option<String>,
    /// When the sign-in ends at the latest; unchanged.
    expires_at: DateTime,
}

/// Signing in and out.
#[derive(Default)]
pub struct SignInMutation;

/// Exactly one of a password and a code.
pub(super) fn proof(password: Option<String>, code: Option<String>) -> crate::error::Result<(Proof, &'static str)> {
    match (password, code) {
        (Some(password), None) => Ok((Proof::Password(password), "input.password")),
        (None, Some(code)) => Ok((Proof::Code(code), "input.code")),
        _ => Err(Error::input("input", Code::NotTogether.says("takes a password or a code, one of them"))),
    }
}

/// Refuses to set a cookie that the browser would not accept from the requesting page.
fn may_set_cookie(operation: &Operation, wanted: bool) -> crate::error::Result<()> {
    let refused = Error::Unauthenticated(NotSignedIn::Origin, NOT_AT_HOME);
    if wanted && operation.facts().foreign { Err(refused) } else { Ok(()) }
}

/// Logs what a person did with their own sign-in.
pub(super) async fn note(operation: &Operation, viewer: Viewer, event: Event) -> crate::error::Result<()> {
    operation.log(viewer.org, viewer.staff, event, Vec::new()).await
}

/// Logs a wrong password or code, and returns an error that says which it was.
pub(super) async fn refused(operation: &Operation, viewer: Viewer, at: &str) -> Error {
    let (event, what) = match at {
        "input.code" => (Event::SecondFactorRefused, "is wrong, or was used already: each code works once"),
        _ => (Event::IdentityRefused, "is wrong"),
    };
    match note(operation, viewer, event).await {
        Ok(()) => Error::input(at, Code::WrongSecret.says(what)),
        Err(error) => error,
    }
}

/// The viewer and their sign-in. No connection is held while passwords are hashed.
pub(super) async fn current(operation: &Operation) -> crate::error::Result<(Viewer, Uuid, CallerToken)> {
    let viewer = operation.reader().await?.viewer();
    operation.close_reader().await;
    let person = || Error::Forbidden("this is for people who have signed in".to_owned());
    Ok((viewer, viewer.sign_in.ok_or_else(person)?.id, operation.token().await))
}

/// Returns a token in the payload or in the cookie, and continues the operation with it.
pub(super) async fn hand_over(
    ctx: &Context<'_>,
    operation: &Operation,
    token: String,
    by_cookie: bool,
) -> Option<String> {
    let errors = ctx.query_env.errors.lock().map_or(0, |errors| errors.len());
    operation.continue_with(token.clone(), by_cookie, errors).await;
    if !by_cookie {
        return Some(token);
    }
    ctx.append_http_header("set-cookie", token::cookie(Some(&token)));
    None
}

/// `hand_over` for a sign-in that continues.
pub(super) async fn renewed(ctx: &Context<'_>, operation: &Operation, rotated: Rotated) -> (Option<String>, DateTime) {
    let token = hand_over(ctx, operation, rotated.token, rotated.by_cookie).await;
    (token, DateTime(rotated.expires_at))
}

/// Records that a person accepted a pending membership.
async fn enter(operation: &Operation, viewer: Viewer) -> crate::error::Result<()> {
    let (org, staff) = (viewer.org, viewer.author()?);
    let mut scope = operation.service().doorkeeper.open_scope_to_join((org, staff), &operation.facts().id).await?;
    match store::enter(&mut scope, staff).await {
        Ok(true) => {
            scope.commit().await?;
            operation.log(org, Some(staff), Event::InvitationAccepted, Vec::new()).await
        }
        Ok(false) => {
            scope.rollback().await;
            Ok(())
        }
        Err(error) => {
            scope.rollback().await;
            Err(error)
        }
    }
}

/// The sign-in or the challenge that an attempt led to; the result is logged.
async fn judged(operation: &Operation, attempt: Attempt) -> Result<Outcome> {
    match attempt.outcome {
        Ok(Outcome::SignedIn(signed_in)) => {
            let viewer = signed_in.viewer;
            if signed_in.enters {
                enter(operation, viewer).await?;
            }
            operation.log(viewer.org, viewer.staff, Event::SignedIn, Vec::new()).await?;
            Ok(Outcome::SignedIn(signed_in))
        }
        Ok(needed) => Ok(needed),
        Err(error) => {
            let event = if attempt.code_refused { Event::SecondFactorRefused } else { Event::SignInRefused };
            for (org, staff) in attempt.places {
                operation.log(org, Some(staff), event, Vec::new()).await?;
            }
            if let Some(tried) = attempt.unproved {
                operation.note_refused(tried).await?;
            }
            Err(error.into())
        }
    }
}

/// The staff member who has just signed in, with the token if the payload shows it.
async fn welcome(
    ctx: &Context<'_>,
    operation: &Operation,
    signed_in: SignedIn,
    by_cookie: bool,
) -> Result<(Option<String>, DateTime, Staff)> {
    let token = hand_over(ctx, operation, signed_in.token, by_cookie).await;
    let staff = store::staff_member(&mut *operation.reader().await?, signed_in.viewer.author()?).await?;
    Ok((token, DateTime(signed_in.expires_at), staff))
}

#[Object]
impl SignInMutation {
    /// Signs in with e-mail and password. UNAUTHENTICATED does not tell an unknown e-mail from a wrong password;
    /// RATE_LIMITED says how long to wait after failures. An account with a second factor gets a challenge, unless the
    /// code was sent along.
    async fn sign_in(&self, ctx: &Context<'_>, input: SignInInput) -> Result<SignInPayload> {
        let operation = ctx.operation()?;
        let organisation = match &input.organisation_id {
            Some(id) => Some(ids::argument("input.organisationId", RecordKind::Organisation, id)?),
            None => None,
        };
        let facts = operation.facts();
        may_set_cookie(operation, input.cookie)?;
        let entered = Entered { address: &facts.address, client: &facts.client, by_cookie: input.cookie };
        let code = input.code.as_deref();
        let with = Credentials { email: &input.email, password: input.password, code, organisation };
        let attempt = operation.service().doorkeeper.sign_in(with, entered).await?;
        match judged(operation, attempt).await? {
            Outcome::SignedIn(signed_in) => {
                let enrolment_only = signed_in.enrolment_only;
                let (token, expires_at, staff) = welcome(ctx, operation, signed_in, input.cookie).await?;
                Ok(SignInPayload {
                    token,
                    expires_at: Some(expires_at),
                    staff: Some(staff),
                    second_factor_needed: false,
                    challenge: None,
                    enrolment_only,
                })
            }
            Outcome::CodeNeeded(challenge) => Ok(SignInPayload {
                token: None,
                expires_at: None,
                staff: None,
                second_factor_needed: true,
                challenge: Some(challenge),
                enrolment_only: false,
            }),
        }
    }

    /// Completes a sign-in that awaits a code. UNAUTHENTICATED for a wrong or used code, and for a challenge that is
    /// over.
    async fn complete_sign_in(&self, ctx: &Context<'_>, input: CompleteSignInInput) -> Result<CompleteSignInPayload> {
        let operation = ctx.operation()?;
        let facts = operation.facts();
        may_set_cookie(operation, input.cookie)?;
        let entered = Entered { address: &facts.address, client: &facts.client, by_cookie: input.cookie };
        let doorkeeper = &operation.service().doorkeeper;
        let attempt = doorkeeper.complete_sign_in(&input.challenge, &input.code, entered).await?;
        match judged(operation, attempt).await? {
            Outcome::SignedIn(signed_in) => {
                let (token, expires_at, staff) = welcome(ctx, operation, signed_in, input.cookie).await?;
                Ok(CompleteSignInPayload { token, expires_at, staff })
            }
            Outcome::CodeNeeded(_) => Err(Error::Internal("a challenge led to a challenge".to_owned()).into()),
        }
    }

    /// Ends this sign-in: the token is invalid from the next request on, and the cookie is removed.
    async fn sign_out(&self, ctx: &Context<'_>) -> Result<SignOutPayload> {
        let operation = ctx.operation()?;
        let viewer = operation.reader().await?.viewer();
        let pass = operation.token().await;
        let token = pass.token.ok_or(Error::Unauthenticated(NotSignedIn::Unknown, "there is no sign-in to end"))?;
        operation.service().doorkeeper.sign_out(&token).await?;
        operation.forget_sign_in();
        if pass.by_cookie {
            ctx.append_http_header("set-cookie", token::cookie(None));
        }
        operation.log(viewer.org, viewer.staff, Event::SignedOut, Vec::new()).await?;
        Ok(SignOutPayload { signed_out: true })
    }

    /// Confirms your identity again with the password or a code, as signing requires after a while. The sign-in
    /// continues under a new token. BAD_USER_INPUT for a wrong password or code, which counts as a failed sign-in.
    async fn confirm_identity(&self, ctx: &Context<'_>, input: ConfirmIdentityInput) -> Result<ConfirmIdentityPayload> {
        let (proof, at) = proof(input.password, input.code)?;
        let operation = ctx.operation()?;
        let (viewer, sign_in, pass) = current(operation).await?;
        let confirmed =
            operation.service().doorkeeper.confirm_identity(operation.caller(&pass), sign_in, proof).await?;
        let Some(rotated) = confirmed else { return Err(refused(operation, viewer, at).await.into()) };
        note(operation, viewer, Event::IdentityConfirmed).await?;
        let (token, expires_at) = renewed(ctx, operation, rotated).await;
        Ok(ConfirmIdentityPayload { token, expires_at })
    }
}
