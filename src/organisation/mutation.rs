//! Managing the organisation, its locations and its staff.

use super::graphql::AddressInput;
use super::{Location, Organisation, Staff, is_time_zone, store};
use crate::access::password;
use crate::error::Error;
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind, StaffRole};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};

/// Changes the organisation.
#[derive(InputObject)]
pub struct UpdateOrganisationInput {
    /// The version that was read.
    expected_version: i32,
    /// Its new name.
    name: String,
}

/// The changed organisation.
#[derive(SimpleObject)]
pub struct UpdateOrganisationPayload {
    /// It, after the change.
    organisation: Organisation,
}

/// Adds a clinic.
#[derive(InputObject)]
pub struct AddLocationInput {
    /// An id the client made (`location_…` of a UUIDv7): makes a retry safe.
    id: Option<ID>,
    /// Its name, unique in the organisation.
    name: String,
    /// IANA time zone, such as Europe/Madrid.
    time_zone: String,
    /// Where it is.
    address: Option<AddressInput>,
    /// E.164 number.
    phone: Option<String>,
}

/// The added clinic.
#[derive(SimpleObject)]
pub struct AddLocationPayload {
    /// It.
    location: Location,
}

/// Changes a clinic. An absent field stays, null clears.
#[derive(InputObject)]
pub struct UpdateLocationInput {
    /// `location_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// Its new name.
    name: Option<String>,
    /// Its new IANA time zone.
    time_zone: Option<String>,
    /// Where it is.
    address: MaybeUndefined<AddressInput>,
    /// E.164 number.
    phone: MaybeUndefined<String>,
    /// Whether new records may name it.
    active: Option<bool>,
}

/// The changed clinic.
#[derive(SimpleObject)]
pub struct UpdateLocationPayload {
    /// It, after the change.
    location: Location,
}

/// Gives somebody a place in the organisation.
#[derive(InputObject)]
pub struct AddStaffInput {
    /// An id the client made (`staff_…` of a UUIDv7): makes a retry safe.
    id: Option<ID>,
    /// The e-mail they sign in with.
    email: String,
    /// The name others see.
    display_name: String,
    /// What they may do.
    role: StaffRole,
    /// Professional licence.
    licence_number: Option<String>,
    /// Their first password, at least 12 characters. Somebody who has an account already keeps theirs.
    password: String,
}

/// The added staff member.
#[derive(SimpleObject)]
pub struct AddStaffPayload {
    /// They.
    staff: Staff,
}

/// Changes a staff member. An absent field stays, null clears. Holds from their next request on.
#[derive(InputObject)]
pub struct UpdateStaffInput {
    /// `staff_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// The name others see.
    display_name: Option<String>,
    /// What they may do.
    role: Option<StaffRole>,
    /// Professional licence.
    licence_number: MaybeUndefined<String>,
    /// Whether they may sign in.
    active: Option<bool>,
}

/// The changed staff member.
#[derive(SimpleObject)]
pub struct UpdateStaffPayload {
    /// They, after the change.
    staff: Staff,
}

/// Sets a staff member's password and signs them out everywhere.
#[derive(InputObject)]
pub struct ResetStaffPasswordInput {
    /// `staff_…`
    id: ID,
    /// The new password, at least 12 characters.
    password: String,
}

/// The staff member with the new password.
#[derive(SimpleObject)]
pub struct ResetStaffPasswordPayload {
    /// They.
    staff: Staff,
}

/// The mutations of this slice.
#[derive(Default)]
pub struct OrganisationMutation;

#[Object]
impl OrganisationMutation {
    /// Renames the organisation.
    async fn update_organisation(
        &self,
        ctx: &Context<'_>,
        input: UpdateOrganisationInput,
    ) -> Result<UpdateOrganisationPayload> {
        let mut inputs = Inputs::new();
        let name = inputs.text("name", &input.name, 200);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let organisation = operation
            .mutate(
                operation.retry(ctx, None)?,
                transaction(|scope| Box::pin(store::rename(scope, name, input.expected_version))),
            )
            .await?;
        Ok(UpdateOrganisationPayload { organisation })
    }

    /// Adds a clinic to the organisation.
    async fn add_location(&self, ctx: &Context<'_>, input: AddLocationInput) -> Result<AddLocationPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.new_id(RecordKind::Location, input.id.as_ref());
        let name = inputs.text("name", &input.name, 200);
        check_time_zone(&mut inputs, &input.time_zone);
        let address = input.address.as_ref().map(|address| address.read(&mut inputs, "address"));
        let phone = inputs.phone("phone", input.phone.as_deref());
        inputs.finish()?;
        let operation = ctx.operation()?;
        let location = operation
            .mutate(
                operation.retry(ctx, input.id.as_ref())?,
                transaction(|scope| {
                    Box::pin(async move {
                        let stamp = Stamp::new(scope.viewer().staff, ids::now());
                        let location =
                            Location { id, name, time_zone: input.time_zone, address, phone, active: true, stamp };
                        store::add_location(scope, &location).await?;
                        Ok(location)
                    })
                }),
            )
            .await?;
        Ok(AddLocationPayload { location })
    }

    /// Changes a clinic.
    async fn update_location(&self, ctx: &Context<'_>, input: UpdateLocationInput) -> Result<UpdateLocationPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Location, &input.id);
        let name = input.name.as_deref().map(|name| inputs.text("name", name, 200));
        if let Some(zone) = &input.time_zone {
            check_time_zone(&mut inputs, zone);
        }
        let address = input.address.map_value(|address| address.read(&mut inputs, "address"));
        let phone = inputs.patch("phone", input.phone, |inputs, path, text| inputs.phone(path, Some(&text)));
        inputs.finish()?;
        let operation = ctx.operation()?;
        let location = operation
            .mutate(
                operation.retry(ctx, None)?,
                transaction(move |scope| {
                    Box::pin(async move {
                        let before = store::location(scope, id).await?;
                        let after = Location {
                            id,
                            name: name.unwrap_or(before.name),
                            time_zone: input.time_zone.unwrap_or(before.time_zone),
                            address: patched(address, before.address),
                            phone: patched(phone, before.phone),
                            active: input.active.unwrap_or(before.active),
                            stamp: before.stamp.changed(scope.viewer().staff, ids::now()),
                        };
                        if before.stamp.version != input.expected_version {
                            return Err(Error::stale("location", input.expected_version, before.stamp.version));
                        }
                        store::save_location(scope, &after, input.expected_version).await?;
                        Ok(after)
                    })
                }),
            )
            .await?;
        Ok(UpdateLocationPayload { location })
    }

    /// Gives somebody a place in the organisation, and an account to sign in with.
    async fn add_staff(&self, ctx: &Context<'_>, input: AddStaffInput) -> Result<AddStaffPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.new_id(RecordKind::Staff, input.id.as_ref());
        let email = inputs.email("email", Some(&input.email));
        let display_name = inputs.text("displayName", &input.display_name, 200);
        let licence_number = inputs.opt_text("licenceNumber", input.licence_number.as_deref(), 100);
        if let Some(fault) = password::fault(&input.password) {
            inputs.fault("password", fault);
        }
        let Some(email) = email else {
            inputs.fault("email", "must not be empty");
            inputs.finish()?;
            return Err(Error::input("input.email", "must not be empty").into());
        };
        inputs.finish()?;
        let operation = ctx.operation()?;
        operation.reader().await?.viewer().check(Action::Create, RecordKind::Staff)?;
        let hash = password::hash(input.password).await?;
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
                            stamp: Stamp::new(scope.viewer().staff, ids::now()),
                        };
                        store::add_staff(scope, member, &hash).await
                    })
                }),
            )
            .await?;
        Ok(AddStaffPayload { staff })
    }

    /// Changes a staff member's role, name, licence or access.
    async fn update_staff(&self, ctx: &Context<'_>, input: UpdateStaffInput) -> Result<UpdateStaffPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Staff, &input.id);
        let display_name = input.display_name.as_deref().map(|name| inputs.text("displayName", name, 200));
        let licence = inputs.patch_text("licenceNumber", input.licence_number, 100);
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
                            display_name: display_name.unwrap_or(before.display_name),
                            role: input.role.unwrap_or(before.role),
                            licence_number: patched(licence, before.licence_number),
                            active: input.active.unwrap_or(before.active),
                            stamp: before.stamp.changed(scope.viewer().staff, ids::now()),
                            ..before
                        };
                        store::save_staff(scope, &after, input.expected_version).await?;
                        Ok(after)
                    })
                }),
            )
            .await?;
        Ok(UpdateStaffPayload { staff })
    }

    /// Sets a staff member's password and signs them out everywhere.
    async fn reset_staff_password(
        &self,
        ctx: &Context<'_>,
        input: ResetStaffPasswordInput,
    ) -> Result<ResetStaffPasswordPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Staff, &input.id);
        if let Some(fault) = password::fault(&input.password) {
            inputs.fault("password", fault);
        }
        inputs.finish()?;
        let operation = ctx.operation()?;
        operation.reader().await?.viewer().check(Action::Update, RecordKind::Staff)?;
        let hash = password::hash(input.password).await?;
        let staff = operation
            .mutate(
                operation.retry(ctx, None)?,
                transaction(move |scope| {
                    Box::pin(async move {
                        let member = store::staff_member(scope, id).await?;
                        store::set_password(scope, &member, &hash).await
                    })
                }),
            )
            .await?;
        Ok(ResetStaffPasswordPayload { staff })
    }
}

fn check_time_zone(inputs: &mut Inputs, zone: &str) {
    if !is_time_zone(zone) {
        inputs.fault("timeZone", "is not an IANA time zone: use a name such as Europe/Madrid");
    }
}
