//! Managing the organisation, its locations and its staff.

use super::input::{
    AddStaffInput, AddStaffPayload, ChangeStaffEmailInput, ChangeStaffEmailPayload, CreateInvitationLinkInput,
    CreateInvitationLinkPayload, CreatePasswordResetLinkInput, CreatePasswordResetLinkPayload, RevokeStaffSignInsInput,
    RevokeStaffSignInsPayload, UpdateOrganisationInput, UpdateOrganisationPayload, UpdateStaffInput,
    UpdateStaffPayload,
};
use crate::access::one_time::OneTimeToken;
use crate::access::{Scope, password};
use crate::error::{Code, Error, Flaw, at_version};
use crate::ids;
use crate::ledger::Event;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::organisation::Staff;
use crate::organisation::store::{self, Joining};
use crate::record::Stamp;
use crate::scalars::DateTime;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, Object, Result};
use futures::future::BoxFuture;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

/// The mutations of this module.
#[derive(Default)]
pub struct OrganisationMutation;

#[Object]
impl OrganisationMutation {
    /// Renames the organisation, or sets which roles must have a second factor.
    async fn update_organisation(
        &self,
        ctx: &Context<'_>,
        input: UpdateOrganisationInput,
    ) -> Result<UpdateOrganisationPayload> {
        let mut inputs = Inputs::new();
        let name = input.name.as_deref().map(|name| inputs.text("name", name, 200));
        let roles = input.second_factor_roles.map(|roles| BTreeSet::from_iter(roles).into_iter().collect());
        inputs.finish()?;
        let operation = ctx.operation()?;
        let organisation = operation
            .mutate(
                operation.retry(ctx, None)?,
                transaction(|scope| Box::pin(store::change(scope, name, roles, input.expected_version))),
            )
            .await?;
        Ok(UpdateOrganisationPayload { organisation })
    }

    /// Adds somebody to the staff. Unless a password was given, they are not a member and their account is unchanged
    /// until they accept the invitation (`acceptInvitation`). The result is the same whether or not the e-mail has an
    /// account.
    async fn add_staff(&self, ctx: &Context<'_>, input: AddStaffInput) -> Result<AddStaffPayload> {
        let operation = ctx.operation()?;
        // Checked before any expensive work, such as judging a password.
        operation.reader().await?.viewer().check(Action::Create, RecordKind::Staff)?;
        operation.close_reader().await;
        let mut inputs = Inputs::new();
        let id = inputs.new_id(RecordKind::Staff, input.id.as_ref());
        let email = inputs.email("email", Some(&input.email));
        let display_name = inputs.text("displayName", &input.display_name, 200);
        let licence_number = inputs.opt_text("licenceNumber", input.licence_number.as_deref(), 100);
        let joining = if input.password.is_some() { Joining::WithPassword } else { Joining::ByInvitation };
        let password = input.password.unwrap_or_else(password::generate);
        let about = vec![input.email.clone(), display_name.clone()];
        if let Some(fault) = password::judge(password.clone(), about).await? {
            inputs.fault("password", Code::WeakPassword.says(fault));
        }
        let Some(email) = email else {
            inputs.fault("email", Flaw::empty());
            inputs.finish()?;
            return Err(Error::input("input.email", Flaw::empty()).into());
        };
        inputs.finish()?;
        let hash = password::hash(password).await?;
        let made = Arc::new(OnceLock::new());
        let keep = Arc::clone(&made);
        let staff = operation
            .mutate(
                operation.retry(ctx, input.id.as_ref())?,
                transaction(move |scope| {
                    Box::pin(async move {
                        let member = Staff {
                            id,
                            account_id: uuid::Uuid::nil(),
                            email,
                            role: input.role,
                            display_name,
                            licence_number,
                            active: true,
                            ends_on: None,
                            location_ids: Vec::new(),
                            invited_at: None,
                            joined_at: None,
                            stamp: Stamp::new(scope.viewer().staff, ids::now()),
                        };
                        let (member, invitation) = store::add_staff(scope, member, &hash, joining).await?;
                        if let Some(invitation) = invitation {
                            let _ = keep.set(invitation);
                        }
                        Ok(member)
                    })
                }),
            )
            .await?;
        let invitation = made.get();
        Ok(AddStaffPayload {
            staff,
            invitation_token: invitation.map(|it| it.token.clone()),
            invitation_expires_at: invitation.map(|it| DateTime(it.expires_at)),
        })
    }

    /// Invites a staff member who has not accepted yet again, with a new one-time link. It is valid for 7 days and
    /// replaces the earlier one. BAD_USER_INPUT for somebody who has accepted or is not active.
    async fn create_invitation_link(
        &self,
        ctx: &Context<'_>,
        input: CreateInvitationLinkInput,
    ) -> Result<CreateInvitationLinkPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("staffId", RecordKind::Staff, &input.staff_id);
        inputs.finish()?;
        let (link, staff) = one_time_link(ctx, move |scope| {
            Box::pin(async move {
                scope.viewer().check(Action::Update, RecordKind::Staff)?;
                store::invite_again(scope, id).await
            })
        })
        .await?;
        Ok(CreateInvitationLinkPayload { token: link.token, expires_at: DateTime(link.expires_at), staff })
    }

    /// Changes the e-mail that a staff member signs in with. All their sign-ins, invitations and password links end; their
    /// password and second factor stay. FORBIDDEN for an account that works in other organisations too, CONFLICT for an
    /// e-mail that another account has. REAUTHENTICATION_REQUIRED when the password or a code was given too long ago.
    async fn change_staff_email(
        &self,
        ctx: &Context<'_>,
        input: ChangeStaffEmailInput,
    ) -> Result<ChangeStaffEmailPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Staff, &input.id);
        let email = inputs.email("email", Some(&input.email));
        if email.is_none() {
            inputs.fault("email", Flaw::empty());
        }
        inputs.finish()?;
        let email = email.unwrap_or_default();
        let operation = ctx.operation()?;
        let work = transaction(move |scope| {
            Box::pin(async move {
                scope.viewer().check(Action::Update, RecordKind::Staff)?;
                let before = store::staff_member(scope, id).await?;
                at_version("staff member", before.stamp.version, input.expected_version)?;
                if before.email == email {
                    return Err(Error::input("input.email", Code::Same.says("is their e-mail already")));
                }
                store::change_email(scope, &before, email).await
            })
        });
        Ok(ChangeStaffEmailPayload { staff: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Changes a staff member's role, name, licence or access.
    async fn update_staff(&self, ctx: &Context<'_>, input: UpdateStaffInput) -> Result<UpdateStaffPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Staff, &input.id);
        let display_name = input.display_name.as_deref().map(|name| inputs.text("displayName", name, 200));
        let licence = inputs.patch_text("licenceNumber", input.licence_number, 100);
        let ends_on = input.ends_on.map_value(|day| day.0);
        let locations = input.location_ids.map(|ids| read_locations(&mut inputs, &ids));
        inputs.finish()?;
        let operation = ctx.operation()?;
        let staff = operation
            .mutate(
                operation.retry(ctx, None)?,
                transaction(move |scope| {
                    Box::pin(async move {
                        let before = store::staff_member(scope, id).await?;
                        if before.stamp.version != input.expected_version {
                            return Err(Error::stale("staff member", input.expected_version, before.stamp.version));
                        }
                        let after = Staff {
                            display_name: display_name.unwrap_or_else(|| before.display_name.clone()),
                            role: input.role.unwrap_or(before.role),
                            licence_number: patched(licence, before.licence_number.clone()),
                            active: input.active.unwrap_or(before.active),
                            ends_on: patched(ends_on, before.ends_on),
                            location_ids: locations.unwrap_or_else(|| before.location_ids.clone()),
                            stamp: before.stamp.changed(scope.viewer().staff, ids::now()),
                            ..before.clone()
                        };
                        check_locations(scope, &before, &after).await?;
                        let place = |it: &Staff| (it.role, it.ends_on, it.location_ids.clone());
                        if place(&after) != place(&before) || !after.active || !before.active {
                            store::save_rights(scope, &before, &after, input.expected_version).await?;
                        } else {
                            store::save_staff(scope, &after, input.expected_version).await?;
                        }
                        Ok(after)
                    })
                }),
            )
            .await?;
        Ok(UpdateStaffPayload { staff })
    }

    /// Makes a one-time link with which a staff member sets a new password that nobody else learns. The link is valid
    /// for an hour and replaces earlier ones; sign-ins and second factor stay until it is used. FORBIDDEN for an
    /// account that works in other organisations too, because the password would open them as well. BAD_USER_INPUT for
    /// somebody who has not accepted their invitation or is not active.
    async fn create_password_reset_link(
        &self,
        ctx: &Context<'_>,
        input: CreatePasswordResetLinkInput,
    ) -> Result<CreatePasswordResetLinkPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("staffId", RecordKind::Staff, &input.staff_id);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let (member, org) = {
            let mut scope = operation.reader().await?;
            scope.viewer().check(Action::Update, RecordKind::Staff)?;
            (store::staff_member(&mut scope, id).await?, scope.org())
        };
        operation.close_reader().await;
        // This is checked again when the link is used.
        let active_in = operation.service().doorkeeper.active_in(member.account_id).await?;
        store::may_have_password_link(&member, org, &active_in)?;
        let (link, staff) = one_time_link(ctx, move |scope| {
            Box::pin(async move {
                scope.viewer().check(Action::Update, RecordKind::Staff)?;
                let member = store::staff_member(scope, id).await?;
                store::make_password_link(scope, &member).await
            })
        })
        .await?;
        Ok(CreatePasswordResetLinkPayload { token: link.token, expires_at: DateTime(link.expires_at), staff })
    }

    /// Ends all sign-ins of a staff member to this organisation, from their next request on.
    async fn revoke_staff_sign_ins(
        &self,
        ctx: &Context<'_>,
        input: RevokeStaffSignInsInput,
    ) -> Result<RevokeStaffSignInsPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("staffId", RecordKind::Staff, &input.staff_id);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| {
            Box::pin(async move {
                scope.viewer().check(Action::Update, RecordKind::Staff)?;
                let member = store::staff_member(scope, id).await?;
                store::end_sign_ins(scope, &member).await
            })
        });
        let staff = operation.mutate(operation.retry(ctx, None)?, work).await?;
        let viewer = operation.reader().await.map(|reader| reader.viewer());
        // Admins who sign themselves out can no longer be checked; their sign-in is forgotten with the refusal.
        if let Ok(viewer) = viewer {
            operation.log(viewer.org, viewer.staff, Event::SignInRevoked, Vec::new()).await?;
        }
        Ok(RevokeStaffSignInsPayload { staff })
    }
}

/// Runs the work that makes a link for a staff member. There is no retry: a second try makes another link and
/// invalidates the first.
async fn one_time_link(
    ctx: &Context<'_>,
    making: impl for<'s> FnOnce(&'s mut Scope) -> BoxFuture<'s, crate::error::Result<(OneTimeToken, Staff)>>
    + Send
    + 'static,
) -> Result<(OneTimeToken, Staff)> {
    let made = Arc::new(OnceLock::new());
    let keep = Arc::clone(&made);
    let staff = ctx
        .operation()?
        .mutate(
            None,
            transaction(move |scope| {
                Box::pin(async move {
                    let (link, after) = making(scope).await?;
                    let _ = keep.set(link);
                    Ok(after)
                })
            }),
        )
        .await?;
    let link = made.get().ok_or_else(|| Error::Internal("a link that was just made is gone".to_owned()))?;
    Ok((link.clone(), staff))
}

/// The clinics that a place is limited to, each once.
fn read_locations(inputs: &mut Inputs, given: &[ID]) -> Vec<uuid::Uuid> {
    inputs.range("locationIds", Some(given.len()), 0, 100);
    let read = given.iter().enumerate().map(|(i, id)| inputs.id(&format!("locationIds.{i}"), RecordKind::Location, id));
    read.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Checks that the clinics that a place is newly limited to are there.
async fn check_locations(scope: &mut Scope, before: &Staff, after: &Staff) -> crate::error::Result<()> {
    if after.location_ids == before.location_ids {
        return Ok(());
    }
    if store::locations(scope, &after.location_ids).await?.len() < after.location_ids.len() {
        return Err(Error::input(
            "input.locationIds",
            Code::NotFound.says("names a location that is not of this organisation"),
        ));
    }
    Ok(())
}
