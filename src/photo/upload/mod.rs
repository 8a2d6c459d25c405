//! The bytes of photos, in and out, for who holds a signed address. Whether they may still is asked at each use.

mod open;
mod receive;
mod refused;
mod sweep;

pub use receive::Stored;
pub use refused::Refused;
pub use sweep::sweep;

use super::intake::Intake;
use super::{Photo, PhotoPurpose, PhotoStatus, store};
use crate::access::Scope;
use crate::access::rate::{Payer, Rates};
use crate::error::Error;
use crate::ids;
use crate::ledger::{AccessEvent, Event};
use crate::objects::{Pass, Use};
use crate::operation::{Service, reason_of};
use crate::page::listing;
use crate::vocabulary::{Action, RecordKind};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One use of an address.
#[derive(Clone)]
pub struct Bearer {
    /// The service.
    pub service: Arc<Service>,
    /// Places, memory and files for uploads.
    pub intake: Arc<Intake>,
    /// The limits by the minute.
    pub rates: Arc<Rates>,
    /// The request's id.
    pub request_id: String,
    /// The network address it came from.
    pub address: String,
}

type Outcome<T> = Result<T, Refused>;

impl Bearer {
    fn pass(&self, token: &str) -> Outcome<Pass> {
        let pass = self.service.links.read(token).ok_or_else(Refused::unknown)?;
        if pass.until <= ids::now() {
            return Err(Refused::new(410, "LINK_EXPIRED", "this address has run out: ask for a new one"));
        }
        Ok(pass)
    }

    /// The data as the holder of the address sees them now. That the address holds no more is in the access log, and counts
    /// on where it was tried from: its owner pays nothing for it.
    async fn scope(&self, pass: &Pass, writable: bool) -> Outcome<Scope> {
        match self.service.doorkeeper.open_scope_of(&pass.holder, &self.request_id, writable).await {
            Err(error @ Error::Forbidden(_)) => {
                self.charge(Payer::Address(&self.address), 1).await?;
                self.log(pass, Event::Refused, BTreeSet::new(), None).await?;
                Err(error.into())
            }
            opened => Ok(opened?),
        }
    }

    /// The photo, if its holder sees it now: role, restriction and emergency access are those of this moment; and for new
    /// bytes, if its patient agrees to photos now. A refusal is in the access log, with whose it is.
    async fn photo(&self, pass: &Pass, scope: &mut Scope) -> Outcome<Photo> {
        let found: crate::error::Result<Photo> = match scope.viewer().check(wanted(pass), RecordKind::Photo) {
            Ok(()) => listing::one(scope, pass.record).await,
            Err(error) => Err(error),
        };
        match found {
            Err(error @ (Error::Forbidden(_) | Error::ReasonRequired)) => {
                self.log(pass, Event::Refused, scope.take_refused(), None).await?;
                Err(error.into())
            }
            found => {
                let photo = found?;
                if pass.purpose == Use::Upload
                    && let Err(refused) = agrees_to_bytes(scope, &photo).await
                {
                    let (whose, why) = why(scope, pass, &photo);
                    self.log(pass, Event::Refused, whose, why).await?;
                    return Err(refused);
                }
                Ok(photo)
            }
        }
    }

    async fn log(
        &self,
        pass: &Pass,
        event: Event,
        patients: BTreeSet<uuid::Uuid>,
        reason: Option<String>,
    ) -> Outcome<()> {
        let operation = if pass.purpose == Use::Upload { "photoUpload" } else { "photo" };
        let event = AccessEvent {
            org: pass.holder.org,
            actor: Some(pass.holder.staff),
            request_id: self.request_id.clone(),
            event,
            operation: operation.to_owned(),
            from_address: self.address.clone(),
            reason,
            patients: patients.into_iter().collect(),
        };
        Ok(self.service.access_log.write(event).await?)
    }

    /// Takes points from the account that an address was given to.
    async fn pay(&self, pass: &Pass, points: u64) -> Outcome<()> {
        self.charge(Payer::Account(pass.holder.staff), points).await
    }

    async fn charge(&self, payer: Payer<'_>, points: u64) -> Outcome<()> {
        match self.rates.charge(payer, points).await {
            Some(charge) if !charge.passed => Err(Error::RateLimited { retry_after: charge.standing.resets_in }.into()),
            _ => Ok(()),
        }
    }
}

/// What the holder of an address is about to do.
fn wanted(pass: &Pass) -> Action {
    if pass.purpose == Use::Upload { Action::Create } else { Action::Read }
}

/// Refuses bytes of a photo that none have come for yet, unless its patient agrees to photos now. Bytes that are kept already
/// stay, and are answered for.
async fn agrees_to_bytes(scope: &mut Scope, photo: &Photo) -> Outcome<()> {
    if photo.status != PhotoStatus::AwaitingUpload
        || store::agrees(scope, photo.patient_id, PhotoPurpose::ClinicalRecord).await?
    {
        return Ok(());
    }
    let message = "the patient does not agree to clinical photos, or not any more; nothing was kept";
    Err(Refused::new(403, "NO_CONSENT", message))
}

/// Whose picture it is, and why it is looked at: the emergency access that the address is used in, and that a reason was
/// stated for it. The words of that are with the look that gave the address out.
fn why(scope: &Scope, pass: &Pass, photo: &Photo) -> (BTreeSet<uuid::Uuid>, Option<String>) {
    let patients = BTreeSet::from([photo.patient_id]);
    let stated = pass.holder.reasoned.then_some("stated when the link was asked for");
    let why = reason_of(&patients, scope.emergencies(), stated);
    (patients, why)
}
