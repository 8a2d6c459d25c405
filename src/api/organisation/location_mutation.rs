//! Adding and changing the clinics of an organisation.

use super::address::AddressInput;
use super::input::{AddLocationInput, AddLocationPayload, UpdateLocationInput, UpdateLocationPayload};
use crate::error::{Code, Error};
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::organisation::{AGE_OF_MAJORITY, ClearancePolicy, Location, is_time_zone, store};
use crate::phone::Countries;
use crate::record::Stamp;
use crate::vocabulary::RecordKind;
use async_graphql::{Context, Object, Result};

/// The mutations of locations.
#[derive(Default)]
pub struct LocationMutation;

#[Object]
impl LocationMutation {
    /// Adds a clinic to the organisation.
    async fn add_location(&self, ctx: &Context<'_>, input: AddLocationInput) -> Result<AddLocationPayload> {
        let mut inputs = Inputs::in_countries(Countries::of(input.address.as_ref().map(AddressInput::country)));
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
                        let location = Location {
                            id,
                            name,
                            time_zone: input.time_zone,
                            address,
                            phone,
                            active: true,
                            clearance: ClearancePolicy::None,
                            clearance_blocks: false,
                            age_of_consent: AGE_OF_MAJORITY,
                            consultation_in_person: false,
                            stamp,
                        };
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
        let mut inputs = Inputs::in_countries(Countries::of(input.address.value().map(AddressInput::country)));
        let id = inputs.id("id", RecordKind::Location, &input.id);
        let name = input.name.as_deref().map(|name| inputs.text("name", name, 200));
        if let Some(zone) = &input.time_zone {
            check_time_zone(&mut inputs, zone);
        }
        let address = input.address.map_value(|address| address.read(&mut inputs, "address"));
        let phone = inputs.patch("phone", input.phone, |inputs, path, text| inputs.phone(path, Some(&text)));
        let age_of_consent = inputs.small("ageOfConsent", input.age_of_consent, 12, 21);
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
                            clearance: input.clearance.unwrap_or(before.clearance),
                            clearance_blocks: input.clearance_blocks.unwrap_or(before.clearance_blocks),
                            age_of_consent: age_of_consent.unwrap_or(before.age_of_consent),
                            consultation_in_person: input
                                .consultation_in_person
                                .unwrap_or(before.consultation_in_person),
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
}

fn check_time_zone(inputs: &mut Inputs, zone: &str) {
    if !is_time_zone(zone) {
        inputs.fault("timeZone", Code::WrongForm.says("is not an IANA time zone: use a name such as Europe/Madrid"));
    }
}
