//! Signing in and out, and proving again who one is.

use crate::access::second_factor::Proof;
use crate::access::sign_in::{Attempt, Credentials, Entered, Outcome, Rotated, SignedIn};
use crate::access::{Viewer, token};
use crate::error::{Error, NotSignedIn};
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

/// Who wants to sign in.
#[derive(InputObject)]
pub struct SignInInput {
    /// E-mail of the account.
    email: String,
    /// Its password.
    #[graphql(secret)]
    password: String,
    /// A code of the second factor, or a recovery code, where there is one and the code is at hand: then no challenge is
    /// needed.
    #[graphql(secret)]
    code: Option<String>,
    /// `organisation_…`, for an account that works in several. It is also the yes to a place in an organisation where one was
    /// added with a password and which one has not entered yet.
    organisation_id: Option<ID>,
    /// For browsers: put the token into a cookie that no script can read, instead of the payload.
    #[graphql(default)]
    cookie: bool,
}

/// A sign-in, or what is still needed for it.
#[derive(SimpleObject)]
pub struct SignInPayload {
    /// Send it as `Authorization: Bearer …`. It is shown this once. Null when a code is needed, or when it is in the cookie.
    token: Option<String>,
    /// When it ends at the latest; it ends sooner when it is not used. Null when a code is needed.
    expires_at: Option<DateTime>,
    /// Who is signed in. Null when a code is needed.
    staff: Option<Staff>,
    /// True: the password was right, and completeSignIn takes `challenge` with a code.
    second_factor_needed: bool,
    /// Send it to completeSignIn with a code, within 5 minutes; 5 codes may be tried. Null when none is needed.
    challenge: Option<String>,
    /// True: the role must have a second factor and the account has none. Until there is one, only `me`, `signOut` and
    /// what sets it up are answered.
    enrolment_only: bool,
}

/// A code for a sign-in whose password was right.
#[derive(InputObject)]
pub struct CompleteSignInInput {
    /// What signIn gave.
    #[graphql(secret)]
    challenge: String,
    /// Six digits of the authenticator app, or a recovery code. Each works once.
    #[graphql(secret)]
    code: String,
    /// For browsers: put the token into a cookie that no script can read, instead of the payload.
    #[graphql(default)]
    cookie: bool,
}

/// A sign-in.
#[derive(SimpleObject)]
pub struct CompleteSignInPayload {
    /// Send it as `Authorization: Bearer …`. It is shown this once. Null when it is in the cookie.
    token: Option<String>,
    /// When it ends at the latest; it ends sooner when it is not used.
    expires_at: DateTime,
    /// Who is signed in.
    staff: Staff,
}

/// A sign-out.
#[derive(SimpleObject)]
pub struct SignOutPayload {
    /// True: the token holds no more.
    signed_out: bool,
}

/// A proof of who one is: a password or a code, one of them.
#[derive(InputObject)]
pub struct ConfirmIdentityInput {
    /// The password.
    #[graphql(secret)]
    password: Option<String>,
    /// A code of the second factor, or a recovery code.
    #[graphql(secret)]
    code: Option<String>,
}

/// The sign-in under a new token: the old one reads for 30 seconds more and changes nothing.
#[derive(SimpleObject)]
pub struct ConfirmIdentityPayload {
    /// The new token. It is shown this once. Null when it is in the cookie.
    token: Option<String>,
    /// When it ends at the latest: as before.
    expires_at: DateTime,
}

/// Signing in and out.
#[derive(Default)]
pub struct SignInMutation;

/// One of a password and a code.
pub(super) fn proof(password: Option<String>, code: Option<String>) -> crate::error::Result<(Proof, &'static str)> {
    match (password, code) {
        (Some(password), None) => Ok((Proof::Password(password), "input.password")),
        (None, Some(code)) => Ok((Proof::Code(code), "input.code")),
        _ => Err(Error::input("input", "takes a password or a code, one of them")),
    }
}

/// Refuses to set a cookie that would not be taken where it is asked for.
fn may_set_cookie(operation: &Operation, wanted: bool) -> crate::error::Result<()> {
    let refused = Error::Unauthenticated(NotSignedIn::Origin, NOT_AT_HOME);
    if wanted && operation.facts().foreign { Err(refused) } else { Ok(()) }
}

/// Writes to the access log what somebody did with their own sign-in.
pub(super) async fn note(operation: &Operation, viewer: Viewer, event: Event) -> crate::error::Result<()> {
    operation.log(viewer.org, viewer.staff, event, Vec::new()).await
}

/// Notes a wrong proof, and says which it was.
pub(super) async fn refused(operation: &Operation, viewer: Viewer, at: &str) -> Error {
    let (event, what) = match at {
        "input.code" => (Event::SecondFactorRefused, "is wrong, or was used already: each code works once"),
        _ => (Event::IdentityRefused, "is wrong"),
    };
    match note(operation, viewer, event).await {
        Ok(()) => Error::input(at, what),
        Err(error) => error,
    }
}

/// Who sends the request, and the sign-in it came with. No connection is held while passwords are hashed.
pub(super) async fn current(operation: &Operation) -> crate::error::Result<(Viewer, Uuid, CallerToken)> {
    let viewer = operation.reader().await?.viewer();
    operation.close_reader().await;
    let person = || Error::Forbidden("this is for people who have signed in".to_owned());
    Ok((viewer, viewer.sign_in.ok_or_else(person)?.id, operation.token().await))
}

/// Hands a token over, in the payload or in the cookie, and goes on with it.
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

/// `hand_over` of a sign-in that goes on.
pub(super) async fn renewed(ctx: &Context<'_>, operation: &Operation, rotated: Rotated) -> (Option<String>, DateTime) {
    let token = hand_over(ctx, operation, rotated.token, rotated.by_cookie).await;
    (token, DateTime(rotated.expires_at))
}

/// Writes down that somebody said yes to a place that waited for them.
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

/// The sign-in or the challenge of an attempt; what came of it is in the access log.
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

/// Who has just signed in, with their token where the payload shows it.
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
    /// Signs in with e-mail and password. UNAUTHENTICATED says the same for an unknown e-mail and a wrong password;
    /// RATE_LIMITED says how long to wait after failures. An account with a second factor gets a challenge, unless the
    /// code came along.
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

    /// Ends a sign-in that waits for a code. UNAUTHENTICATED for a wrong or used code, and for a challenge that is over.
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

    /// Ends this sign-in: the token holds no more, from the next request on, and the cookie is taken away.
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

    /// Proves again who one is, with the password or a code: what signing asks for after a while. The sign-in goes on
    /// under a new token. BAD_USER_INPUT for a wrong one, which counts as a failure at sign-in does.
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
