//! Second factor, password, and the sign-ins that one has.

use super::organisation::staff::SIGN_IN;
use super::sign_in::{current, note, proof, refused, renewed};
use crate::access::invitation::Answer;
use crate::access::one_time::Bearer;
use crate::access::reset::{self, Reset};
use crate::access::{password, token};
use crate::error::Error;
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

/// A second factor that is begun. It holds once a code of it was confirmed.
#[derive(SimpleObject)]
pub struct BeginSecondFactorPayload {
    /// The secret in base 32, to type into an app that takes no picture. It is shown this once.
    secret: String,
    /// The same as `otpauth://totp/…`
    uri: String,
    /// The same as a QR code to scan: a PNG, as `data:image/png;base64,…`
    qr_code: String,
}

/// A code of the second factor that was begun.
#[derive(InputObject)]
pub struct ConfirmSecondFactorInput {
    /// The six digits that the app shows now.
    #[graphql(secret)]
    code: String,
}

/// A second factor that holds.
#[derive(SimpleObject)]
pub struct ConfirmSecondFactorPayload {
    /// Ten codes for the day the app is lost, shown this once. Each works once in place of a code of the app.
    recovery_codes: Vec<String>,
    /// The sign-in's new token; every other sign-in of the account has ended. Null when it is in the cookie.
    token: Option<String>,
    /// When the sign-in ends at the latest: as before.
    expires_at: DateTime,
}

/// A proof of who one is: a password or a code, one of them.
#[derive(InputObject)]
pub struct RemoveSecondFactorInput {
    /// The password.
    #[graphql(secret)]
    password: Option<String>,
    /// A code of the second factor, or a recovery code.
    #[graphql(secret)]
    code: Option<String>,
}

/// An account without a second factor.
#[derive(SimpleObject)]
pub struct RemoveSecondFactorPayload {
    /// The sign-in's new token; every other sign-in of the account has ended. Null when it is in the cookie.
    token: Option<String>,
    /// When the sign-in ends at the latest: as before.
    expires_at: DateTime,
}

/// New recovery codes.
#[derive(SimpleObject)]
pub struct RegenerateRecoveryCodesPayload {
    /// Ten codes, shown this once. The earlier ones work no more.
    recovery_codes: Vec<String>,
}

/// A new password for one's own account.
#[derive(InputObject)]
pub struct ChangePasswordInput {
    /// The password of now.
    #[graphql(secret)]
    current: String,
    /// The new one, at least 12 characters and hard to guess.
    #[graphql(secret)]
    new: String,
}

/// A changed password.
#[derive(SimpleObject)]
pub struct ChangePasswordPayload {
    /// The sign-in's new token; every other sign-in of the account has ended. Null when it is in the cookie.
    token: Option<String>,
    /// When the sign-in ends at the latest: as before.
    expires_at: DateTime,
}

/// A new password by a one-time link.
#[derive(InputObject)]
pub struct ResetPasswordInput {
    /// What createPasswordResetLink gave.
    #[graphql(secret)]
    token: String,
    /// The new password, at least 12 characters and hard to guess.
    #[graphql(secret)]
    new_password: String,
}

/// A password that was set by a link.
#[derive(SimpleObject)]
pub struct ResetPasswordPayload {
    /// True: sign in with the new password. Every sign-in of the account has ended; its second factor stays.
    reset: bool,
}

/// A yes to an invitation.
#[derive(InputObject)]
pub struct AcceptInvitationInput {
    /// What addStaff or createInvitationLink gave.
    #[graphql(secret)]
    token: String,
    /// The e-mail that was invited.
    email: String,
    /// The password of its account. For whom this is the first place anywhere, the one that they choose: at least 12
    /// characters and hard to guess.
    #[graphql(secret)]
    password: String,
}

/// A place that was accepted.
#[derive(SimpleObject)]
pub struct AcceptInvitationPayload {
    /// True: sign in as ever, second factor included; this is no sign-in.
    accepted: bool,
    /// `organisation_…`, for signIn where the account works in several.
    organisation_id: ID,
}

/// Ends one of one's own sign-ins.
#[derive(InputObject)]
pub struct RevokeSignInInput {
    /// `sign_in_…`
    id: ID,
}

/// A sign-in that has ended.
#[derive(SimpleObject)]
pub struct RevokeSignInPayload {
    /// True: its token holds no more, from the next request on.
    revoked: bool,
}

/// Ends one's own sign-ins.
#[derive(InputObject)]
pub struct RevokeAllSignInsInput {
    /// Whether the one that asks ends too.
    #[graphql(default)]
    include_current: bool,
}

/// Sign-ins that have ended.
#[derive(SimpleObject)]
pub struct RevokeAllSignInsPayload {
    /// True: their tokens hold no more, from the next request on.
    revoked: bool,
}

/// What one does with one's own account.
#[derive(Default)]
pub struct IdentityMutation;

#[Object]
impl IdentityMutation {
    /// Begins to set up a second factor: codes of an authenticator app. confirmSecondFactor ends it; beginning again
    /// makes another secret. REAUTHENTICATION_REQUIRED when the password was given too long ago.
    async fn begin_second_factor(&self, ctx: &Context<'_>) -> Result<BeginSecondFactorPayload> {
        let operation = ctx.operation()?;
        let (viewer, sign_in, _) = current(operation).await?;
        viewer.proved_lately()?;
        let new = operation.service().doorkeeper.begin_second_factor(sign_in).await?;
        let qr_code = format!("data:image/png;base64,{}", STANDARD.encode(&new.qr));
        Ok(BeginSecondFactorPayload { secret: new.secret, uri: new.uri, qr_code })
    }

    /// Confirms the second factor that was begun with a code of it, and gives the recovery codes. From here on signing in
    /// asks for a code. Every other sign-in of the account ends, and this one gets a new token.
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

    /// Takes one's second factor away, with the password or a code. FORBIDDEN where the role must have one. Every other
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

    /// New recovery codes in place of the earlier ones. REAUTHENTICATION_REQUIRED when the password or a code was given
    /// too long ago.
    async fn regenerate_recovery_codes(&self, ctx: &Context<'_>) -> Result<RegenerateRecoveryCodesPayload> {
        let operation = ctx.operation()?;
        let (viewer, sign_in, pass) = current(operation).await?;
        viewer.proved_lately()?;
        let doorkeeper = &operation.service().doorkeeper;
        let recovery_codes = doorkeeper.renew_recovery_codes(operation.caller(&pass), sign_in).await?;
        note(operation, viewer, Event::RecoveryCodesRenewed).await?;
        Ok(RegenerateRecoveryCodesPayload { recovery_codes })
    }

    /// Changes one's own password. Every other sign-in of the account ends, and this one gets a new token. Wrong current
    /// passwords slow the next ones of this sign-in down.
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
            return Err(Error::input("input.new", fault).into());
        }
        let caller = operation.caller(&pass);
        let changed = doorkeeper.change_password(caller, (&account, sign_in), input.current, input.new).await?;
        let Some(rotated) = changed else { return Err(refused(operation, viewer, "input.current").await.into()) };
        note(operation, viewer, Event::PasswordChanged).await?;
        let (token, expires_at) = renewed(ctx, operation, rotated).await;
        Ok(ChangePasswordPayload { token, expires_at })
    }

    /// Sets a new password by a link of createPasswordResetLink; it works once. For everybody who has the link.
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

    /// Accepts an invitation of addStaff or createInvitationLink: the account has its place in that organisation from then
    /// on. For everybody who has the link and proves the account by its password; it works once and signs nobody in.
    /// BAD_USER_INPUT at `input.token` for a link that holds no more. UNAUTHENTICATED for a wrong e-mail or password, which
    /// counts as a failure at sign-in does.
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

    /// Ends one of one's own sign-ins (`me { signIns { id } }`): it holds from the next request on. NOT_FOUND if there is
    /// none with this id.
    async fn revoke_sign_in(&self, ctx: &Context<'_>, input: RevokeSignInInput) -> Result<RevokeSignInPayload> {
        let id = ids::parse_with(SIGN_IN, &input.id)
            .ok_or_else(|| Error::input("input.id", "is not the id of a sign-in: it starts with sign_in_"))?;
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

    /// Ends one's own sign-ins in all organisations, the one that asks too if that is wanted.
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
