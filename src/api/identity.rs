//! Second factor, password, and your own sign-ins.

use super::organisation::staff::SIGN_IN;
use super::sign_in::{current, note, proof, refused, renewed};
use crate::access::invitation::Answer;
use crate::access::one_time::Bearer;
use crate::access::reset::{self, Reset};
use crate::access::{password, token};
use crate::error::{Code, Error};
use crate::ids;
use crate::ledger::Event;
use crate::operation::Running;
use crate::organisation::store;
use crate::page::global_id;
use crate::scalars::DateTime;
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Result of `beginSecondFactor`. The second factor takes effect once one of its codes has been confirmed.
#[derive(SimpleObject)]
pub struct BeginSecondFactorPayload {
    /// The secret in base 32, to type into an app that can't scan a picture. It is shown only this once.
    secret: String,
    /// The secret as a URI, `otpauth://totp/…`
    uri: String,
    /// The secret as a QR code to scan: a PNG, as `data:image/png;base64,…`
    qr_code: String,
}

/// Input of `confirmSecondFactor`: a code of the second factor being set up.
#[derive(InputObject)]
pub struct ConfirmSecondFactorInput {
    /// The six digits that the app shows now.
    #[graphql(secret)]
    code: String,
}

/// Result of `confirmSecondFactor`. The second factor is now in effect.
#[derive(SimpleObject)]
pub struct ConfirmSecondFactorPayload {
    /// Ten recovery codes in case the app is lost, shown only this once. Each works once in place of a code from the
    /// app.
    recovery_codes: Vec<String>,
    /// The new token of this sign-in; every other sign-in of the account has ended. Null when the token is in the
    /// cookie.
    token: Option<String>,
    /// When the sign-in ends at the latest; unchanged.
    expires_at: DateTime,
}

/// Input of `removeSecondFactor`: a password or a code, exactly one of them.
#[derive(InputObject)]
pub struct RemoveSecondFactorInput {
    /// The password of the account that is signed in.
    #[graphql(secret)]
    password: Option<String>,
    /// A code of the second factor, or a recovery code.
    #[graphql(secret)]
    code: Option<String>,
}

/// Result of `removeSecondFactor`. The account has no second factor now.
#[derive(SimpleObject)]
pub struct RemoveSecondFactorPayload {
    /// The new token of this sign-in; every other sign-in of the account has ended. Null when the token is in the
    /// cookie.
    token: Option<String>,
    /// When the sign-in ends at the latest; unchanged.
    expires_at: DateTime,
}

/// Result of `regenerateRecoveryCodes`.
#[derive(SimpleObject)]
pub struct RegenerateRecoveryCodesPayload {
    /// Ten recovery codes, shown only this once. The earlier ones no longer work.
    recovery_codes: Vec<String>,
}

/// Input of `changePassword`, for your own account.
#[derive(InputObject)]
pub struct ChangePasswordInput {
    /// The current password.
    #[graphql(secret)]
    current: String,
    /// The new password, at least 12 characters and hard to guess.
    #[graphql(secret)]
    new: String,
}

/// Result of `changePassword`.
#[derive(SimpleObject)]
pub struct ChangePasswordPayload {
    /// The new token of this sign-in; every other sign-in of the account has ended. Null when the token is in the
    /// cookie.
    token: Option<String>,
    /// When the sign-in ends at the latest; unchanged.
    expires_at: DateTime,
}

/// Input of `resetPassword`, with a one-time link.
#[derive(InputObject)]
pub struct ResetPasswordInput {
    /// The token that `createPasswordResetLink` returned.
    #[graphql(secret)]
    token: String,
    /// The new password, at least 12 characters and hard to guess.
    #[graphql(secret)]
    new_password: String,
}

/// Result of `resetPassword`.
#[derive(SimpleObject)]
pub struct ResetPasswordPayload {
    /// Always true. Now sign in with the new password. Every sign-in of the account has ended; its second factor stays.
    reset: bool,
}

/// Input of `acceptInvitation`.
#[derive(InputObject)]
pub struct AcceptInvitationInput {
    /// The token that `addStaff` or `createInvitationLink` returned.
    #[graphql(secret)]
    token: String,
    /// The e-mail that was invited.
    email: String,
    /// A new account: the password to set, at least 12 characters and hard to guess. An account that is a member of an
    /// organisation already: its present password.
    #[graphql(secret)]
    password: String,
}

/// Result of `acceptInvitation`.
#[derive(SimpleObject)]
pub struct AcceptInvitationPayload {
    /// Always true. Now sign in as usual, second factor included: accepting does not sign you in.
    accepted: bool,
    /// `organisation_…`, for `signIn` if the account works in several organisations.
    organisation_id: ID,
}

/// Ends one of your own sign-ins.
#[derive(InputObject)]
pub struct RevokeSignInInput {
    /// `sign_in_…`
    id: ID,
}

/// Result of `revokeSignIn`.
#[derive(SimpleObject)]
pub struct RevokeSignInPayload {
    /// Always true: the token is invalid from the next request on.
    revoked: bool,
}

/// Ends your own sign-ins.
#[derive(InputObject)]
pub struct RevokeAllSignInsInput {
    /// Whether the sign-in that sends this request ends too.
    #[graphql(default)]
    include_current: bool,
}

/// Result of `revokeAllSignIns`.
#[derive(SimpleObject)]
pub struct RevokeAllSignInsPayload {
    /// Always true: the tokens are invalid from the next request on.
    revoked: bool,
}

/// Mutations of your own account.
#[derive(Default)]
pub struct IdentityMutation;

#[Object]
impl IdentityMutation {
    /// Begins to set up a second factor: codes from an authenticator app. `confirmSecondFactor` completes it; beginning
    /// again makes another secret. REAUTHENTICATION_REQUIRED when the password was given too long ago.
    async fn begin_second_factor(&self, ctx: &Context<'_>) -> Result<BeginSecondFactorPayload> {
        let operation = ctx.operation()?;
        let (viewer, sign_in, _) = current(operation).await?;
        viewer.proved_lately()?;
        let new = operation.service().doorkeeper.begin_second_factor(sign_in).await?;
        let qr_code = format!("data:image/png;base64,{}", STANDARD.encode(&new.qr));
        Ok(BeginSecondFactorPayload { secret: new.secret, uri: new.uri, qr_code })
    }

    /// Confirms the second factor being set up, with one of its codes, and returns the recovery codes. From now on
    /// signing in requires a code. Every other sign-in of the account ends, and this one gets a new token.
    async fn confirm_second_factor(
        &self,
        ctx: &Context<'_>,
        input: ConfirmSecondFactorInput,
    ) -> Result<ConfirmSecondFactorPayload> {
        let operation = ctx.operation()?;
        let (viewer, sign_in, pass) = current(operation).await?;
        let doorkeeper = &operation.service().doorkeeper;
        let confirmed = doorkeeper.confirm_second_factor(operation.caller(&pass), sign_in, &input.code).await?;
        let Some((recovery_codes, rotated)) = confirmed else {
            return Err(refused(operation, viewer, "input.code").await.into());
        };
        note(operation, viewer, Event::SecondFactorAdded).await?;
        let (token, expires_at) = renewed(ctx, operation, rotated).await;
        Ok(ConfirmSecondFactorPayload { recovery_codes, token, expires_at })
    }

    /// Removes your second factor, given the password or a code. FORBIDDEN if the role must have one. Every other
    /// sign-in of the account ends, and this one gets a new token.
    async fn remove_second_factor(
        &self,
        ctx: &Context<'_>,
        input: RemoveSecondFactorInput,
    ) -> Result<RemoveSecondFactorPayload> {
        let (proof, at) = proof(input.password, input.code)?;
        let operation = ctx.operation()?;
        let (viewer, sign_in, pass) = current(operation).await?;
        let removed =
            operation.service().doorkeeper.remove_second_factor(operation.caller(&pass), sign_in, proof).await?;
        let Some(rotated) = removed else { return Err(refused(operation, viewer, at).await.into()) };
        note(operation, viewer, Event::SecondFactorRemoved).await?;
        let (token, expires_at) = renewed(ctx, operation, rotated).await;
        Ok(RemoveSecondFactorPayload { token, expires_at })
    }

    /// Replaces the recovery codes with new ones. REAUTHENTICATION_REQUIRED when the password or a code was given too
    /// long ago.
    async fn regenerate_recovery_codes(&self, ctx: &Context<'_>) -> Result<RegenerateRecoveryCodesPayload> {
        let operation = ctx.operation()?;
        let (viewer, sign_in, pass) = current(operation).await?;
        viewer.proved_lately()?;
        let doorkeeper = &operation.service().doorkeeper;
        let recovery_codes = doorkeeper.renew_recovery_codes(operation.caller(&pass), sign_in).await?;
        note(operation, viewer, Event::RecoveryCodesRenewed).await?;
        Ok(RegenerateRecoveryCodesPayload { recovery_codes })
    }

    /// Changes your own password. Every other sign-in of the account ends, and this one gets a new token. Wrong current
    /// passwords delay further attempts in this sign-in.
    async fn change_password(&self, ctx: &Context<'_>, input: ChangePasswordInput) -> Result<ChangePasswordPayload> {
        let operation = ctx.operation()?;
        let (viewer, sign_in, pass) = current(operation).await?;
        let doorkeeper = &operation.service().doorkeeper;
        let account = doorkeeper.owner(sign_in).await?;
        let name = {
            let mut scope = operation.reader().await?;
            store::staff_member(&mut scope, viewer.author()?).await?.display_name
        };
        operation.close_reader().await;
        if let Some(fault) = password::judge(input.new.clone(), vec![account.email.clone(), name]).await? {
            return Err(Error::input("input.new", Code::WeakPassword.says(fault)).into());
        }
        let caller = operation.caller(&pass);
        let changed = doorkeeper.change_password(caller, (&account, sign_in), input.current, input.new).await?;
        let Some(rotated) = changed else { return Err(refused(operation, viewer, "input.current").await.into()) };
        note(operation, viewer, Event::PasswordChanged).await?;
        let (token, expires_at) = renewed(ctx, operation, rotated).await;
        Ok(ChangePasswordPayload { token, expires_at })
    }

    /// Sets a new password with a link from `createPasswordResetLink`, which works once. Anybody who has the link may
    /// call it.
    async fn reset_password(&self, ctx: &Context<'_>, input: ResetPasswordInput) -> Result<ResetPasswordPayload> {
        let operation = ctx.operation()?;
        let doorkeeper = &operation.service().doorkeeper;
        let address = &operation.facts().address;
        match doorkeeper.reset_password(&input.token, input.new_password, address).await? {
            Reset::Done(org, staff) => operation.log(org, Some(staff), Event::PasswordReset, Vec::new()).await?,
            Reset::Elsewhere(tried) => {
                operation.note_refused(tried).await?;
                return Err(reset::spent().into());
            }
        }
        Ok(ResetPasswordPayload { reset: true })
    }

    /// Accepts an invitation from `addStaff` or `createInvitationLink`: the account is then a member of that
    /// organisation. Anybody who has the link and proves ownership of the account by its password may call it. It works
    /// once and does not sign in. BAD_USER_INPUT at `input.token` for a link that is no longer valid. UNAUTHENTICATED
    /// for a wrong e-mail or password, which counts as a failed sign-in.
    async fn accept_invitation(
        &self,
        ctx: &Context<'_>,
        input: AcceptInvitationInput,
    ) -> Result<AcceptInvitationPayload> {
        let operation = ctx.operation()?;
        let (facts, doorkeeper) = (operation.facts(), &operation.service().doorkeeper);
        let answer = doorkeeper.answer_invitation(&input.token, &input.email, input.password, &facts.address).await?;
        let acceptance = match answer {
            Answer::Proven(acceptance) => acceptance,
            Answer::Refused { error, tried } => {
                operation.note_refused(tried).await?;
                return Err(error.into());
            }
        };
        let Bearer { org, staff, .. } = acceptance.bearer;
        let mut scope = doorkeeper.open_scope_to_join((org, staff), &facts.id).await?;
        match store::join(&mut scope, &acceptance).await {
            Ok(_) => drop(scope.commit().await?),
            Err(error) => {
                scope.rollback().await;
                return Err(error.into());
            }
        }
        operation.log(org, Some(staff), Event::InvitationAccepted, Vec::new()).await?;
        Ok(AcceptInvitationPayload { accepted: true, organisation_id: global_id(RecordKind::Organisation, org) })
    }

    /// Ends one of your own sign-ins (`me { signIns { id } }`), from the next request on. NOT_FOUND if there is none
    /// with this id.
    async fn revoke_sign_in(&self, ctx: &Context<'_>, input: RevokeSignInInput) -> Result<RevokeSignInPayload> {
        let id = ids::parse_with(SIGN_IN, &input.id).ok_or_else(|| {
            Error::input(
                "input.id",
                Code::NotAnId.says("is not the id of a sign-in: it starts with sign_in_").with("prefix", "sign_in"),
            )
        })?;
        let operation = ctx.operation()?;
        let (viewer, sign_in, pass) = current(operation).await?;
        let doorkeeper = &operation.service().doorkeeper;
        let owner = doorkeeper.owner(sign_in).await?;
        if !doorkeeper.revoke(owner.id, id).await? {
            return Err(Error::not_found("sign-in", input.id.as_str()).into());
        }
        if id == sign_in {
            operation.forget_sign_in();
            if pass.by_cookie {
                ctx.append_http_header("set-cookie", token::cookie(None));
            }
        }
        note(operation, viewer, Event::SignInRevoked).await?;
        Ok(RevokeSignInPayload { revoked: true })
    }

    /// Ends your own sign-ins in all organisations, and on request also the sign-in that sends this request.
    async fn revoke_all_sign_ins(
        &self,
        ctx: &Context<'_>,
        input: RevokeAllSignInsInput,
    ) -> Result<RevokeAllSignInsPayload> {
        let operation = ctx.operation()?;
        let (viewer, sign_in, pass) = current(operation).await?;
        let doorkeeper = &operation.service().doorkeeper;
        let owner = doorkeeper.owner(sign_in).await?;
        doorkeeper.revoke_all(operation.caller(&pass), owner.id, input.include_current).await?;
        if input.include_current {
            operation.forget_sign_in();
            if pass.by_cookie {
                ctx.append_http_header("set-cookie", token::cookie(None));
            }
        }
        note(operation, viewer, Event::SignInRevoked).await?;
        Ok(RevokeAllSignInsPayload { revoked: true })
    }
}
