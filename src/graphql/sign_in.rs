//! Signing in and out.

use crate::error::Error;
use crate::ids;
use crate::ledger::Event;
use crate::operation::Running;
use crate::organisation::{Staff, store};
use crate::scalars::DateTime;
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

/// Who wants to sign in.
#[derive(InputObject)]
pub struct SignInInput {
    /// E-mail of the account.
    email: String,
    /// Its password.
    #[graphql(secret)]
    password: String,
    /// `organisation_…`, for an account that works in several.
    organisation_id: Option<ID>,
}

/// A sign-in.
#[derive(SimpleObject)]
pub struct SignInPayload {
    /// Send it as `Authorization: Bearer …`. It is shown this once.
    token: String,
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

/// Signing in and out.
#[derive(Default)]
pub struct SignInMutation;

#[Object]
impl SignInMutation {
    /// Signs in with e-mail and password. UNAUTHENTICATED says the same for an unknown e-mail and a wrong password;
    /// RATE_LIMITED says how long to wait after failures.
    async fn sign_in(&self, ctx: &Context<'_>, input: SignInInput) -> Result<SignInPayload> {
        let operation = ctx.operation()?;
        let organisation = match &input.organisation_id {
            Some(id) => Some(ids::argument("input.organisationId", RecordKind::Organisation, id)?),
            None => None,
        };
        let address = &operation.facts().address;
        let doorkeeper = &operation.service().doorkeeper;
        let attempt = doorkeeper.sign_in(&input.email, input.password, organisation, address).await?;
        let signed_in = match attempt.outcome {
            Ok(signed_in) => signed_in,
            Err(error) => {
                for (org, staff) in attempt.places {
                    operation.log(org, Some(staff), Event::SignInRefused, Vec::new()).await?;
                }
                return Err(error.into());
            }
        };
        let viewer = signed_in.viewer;
        operation.log(viewer.org, viewer.staff, Event::SignedIn, Vec::new()).await?;
        operation.continue_as(signed_in.token.clone()).await;
        let staff = store::staff_member(&mut *operation.reader().await?, viewer.author()?).await?;
        Ok(SignInPayload { token: signed_in.token, expires_at: DateTime(signed_in.expires_at), staff })
    }

    /// Ends this sign-in: the token holds no more, from the next request on.
    async fn sign_out(&self, ctx: &Context<'_>) -> Result<SignOutPayload> {
        let operation = ctx.operation()?;
        let viewer = operation.reader().await?.viewer();
        let token = operation.token().await.ok_or(Error::Unauthenticated("there is no sign-in to end"))?;
        operation.service().doorkeeper.sign_out(&token).await?;
        operation.log(viewer.org, viewer.staff, Event::SignedOut, Vec::new()).await?;
        Ok(SignOutPayload { signed_out: true })
    }
}
