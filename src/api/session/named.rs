//! Whom and what a session names: people, place, plan, and what the catalogue has.

use crate::access::Scope;
use crate::catalogue::{Device, Product, ProductLot};
use crate::error::{Code, Error, Faults, Flaw};
use crate::organisation::{store as people, unfit};
use crate::page::listing;
use crate::plan::{TreatmentPlan, TreatmentPlanStatus};
use crate::protocol::{ProtocolVersion, VersionStatus};
use crate::session::{DeviceUse, Parts, TreatmentSession};
use crate::vocabulary::StaffRole;
use uuid::Uuid;

/// Uses the protocol of the plan, or checks the one given.
pub(super) async fn follow_plan(scope: &mut Scope, session: &mut TreatmentSession) -> crate::error::Result<()> {
    let given = session.protocol_version_id;
    if let Some(id) = session.plan_id {
        let plan = listing::by_ids::<TreatmentPlan>(scope, &[id]).await?.pop();
        let plan = plan.filter(|plan| plan.patient_id == session.patient_id);
        let plan = plan.ok_or_else(|| Error::input("input.planId", Flaw::not_found("plan of this patient")))?;
        if plan.status != TreatmentPlanStatus::Active {
            let message = format!("is {}: take it up again first (changeTreatmentPlanStatus)", plan.status.words());
            return Err(Error::input("input.planId", Code::WrongState.says(message)));
        }
        if given.is_some_and(|given| given != plan.protocol_version_id) {
            let message = "is not the plan's: leave it out, or change the plan's course (changeTreatmentCourse)";
            return Err(Error::input("input.protocolVersionId", Code::Mismatch.says(message).with("other", "planId")));
        }
        session.protocol_version_id = Some(plan.protocol_version_id);
    } else if let Some(given) = given {
        let version = listing::by_ids::<ProtocolVersion>(scope, &[given]).await?.pop();
        if version.is_none_or(|version| version.status != VersionStatus::Published) {
            return Err(Error::input("input.protocolVersionId", Flaw::not_found("published version of a protocol")));
        }
    }
    Ok(())
}

/// The people and the location that a session names.
pub(super) fn links(session: &TreatmentSession) -> (Uuid, Option<Uuid>, Uuid) {
    (session.practitioner_id, session.supervisor_id, session.location_id)
}

/// Checks the people and the location that a session names, and reports every fault at once.
pub(super) async fn check_links(
    scope: &mut Scope,
    session: &TreatmentSession,
    prefix: &str,
) -> crate::error::Result<()> {
    let mut faults = Faults::default();
    let mut wanted = vec![session.practitioner_id];
    wanted.extend(session.supervisor_id);
    let staff = people::staff(scope, &wanted).await?;
    let people_of = [(Some(session.practitioner_id), "practitionerId"), (session.supervisor_id, "supervisorId")];
    for (id, path) in people_of.into_iter().filter_map(|(id, path)| Some((id?, path))) {
        let member = staff.iter().find(|member| member.id == id);
        if let Some(why) = unfit(member, Some(StaffRole::Practitioner)) {
            faults.add(format!("input.{prefix}{path}"), Code::WrongPerson.says(why));
        } else if path == "practitionerId" && member.is_some_and(|it| !it.works_at(session.location_id)) {
            faults.add(format!("input.{prefix}{path}"), Code::WrongPerson.says("does not work at this location"));
        }
    }
    if session.supervisor_id == Some(session.practitioner_id) {
        faults.add(
            format!("input.{prefix}supervisorId"),
            Code::Same.says("is the practitioner: nobody supervises themselves").with("other", "practitionerId"),
        );
    }
    let location = people::locations(scope, &[session.location_id]).await?.into_iter().next();
    if !location.is_some_and(|location| location.active) {
        faults.add(
            format!("input.{prefix}locationId"),
            Code::NotFound.says("is not an active location of this organisation"),
        );
    }
    faults.into_result()
}

/// Fills in the catalogue's data of a device and of lots that the input named by id. What is already described stays.
pub(super) async fn fill_from_catalogue(
    scope: &mut Scope,
    session: &mut TreatmentSession,
    parts: Option<&mut Parts>,
    prefix: &str,
) -> crate::error::Result<()> {
    let mut faults = Faults::default();
    if let Some((id, device)) = session.device_id.zip(session.device.as_mut()).filter(|(_, it)| it.model.is_empty()) {
        match listing::by_ids::<Device>(scope, &[id]).await?.into_iter().next() {
            Some(found) => *device = DeviceUse { model: found.model, serial: found.serial, kind: found.kind },
            None => {
                faults.add(format!("input.{prefix}device.deviceId"), Flaw::not_found("device of this organisation"))
            }
        }
    }
    let products = parts.map(|parts| parts.products.as_mut_slice()).unwrap_or_default();
    let wanted: Vec<Uuid> = products.iter().filter(|it| it.product.is_empty()).filter_map(|it| it.lot_id).collect();
    if !wanted.is_empty() {
        let lots = listing::by_ids::<ProductLot>(scope, &wanted).await?;
        let of: Vec<Uuid> = lots.iter().map(|lot| lot.product_id).collect();
        let catalogue = listing::by_ids::<Product>(scope, &of).await?;
        for (i, used) in products.iter_mut().enumerate().filter(|(_, used)| used.product.is_empty()) {
            let lot = lots.iter().find(|lot| Some(lot.id) == used.lot_id);
            match lot.and_then(|lot| Some((lot, catalogue.iter().find(|product| product.id == lot.product_id)?))) {
                Some((lot, product)) => {
                    used.product.clone_from(&product.name);
                    used.manufacturer.clone_from(&product.manufacturer);
                    used.lot = Some(lot.lot.clone());
                    used.expires_on = lot.expires_on;
                    used.intradermal_use = product.intradermal_use;
                }
                None => {
                    faults.add(format!("input.{prefix}products.{i}.lotId"), Flaw::not_found("lot of this organisation"))
                }
            }
        }
    }
    faults.into_result()
}
