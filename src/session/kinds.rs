//! Which kinds of treatment a session is of, and which of them strain the skin alike.

use super::{DeviceUse, TreatmentSession};
use crate::vocabulary::{DeviceKind, Modality};

/// Whether two kinds of treatment strain the skin alike: needles of any kind do; light and serum do not strain it.
pub fn strain_alike(one: Modality, other: Modality) -> bool {
    let needles = |it| matches!(it, Modality::Microneedling | Modality::RfMicroneedling | Modality::Prp);
    one == other || needles(one) && needles(other)
}

impl TreatmentSession {
    /// The kinds of treatment that it is by its own word and by its device, its own word first.
    pub fn kinds(&self) -> impl Iterator<Item = Modality> + use<> {
        let by_device = self.device.as_ref().and_then(|it| of_device(it, self.modality));
        std::iter::once(self.modality).chain(by_device.filter(|it| *it != self.modality))
    }
}

fn of_device(device: &DeviceUse, named: Modality) -> Option<Modality> {
    match device.kind {
        DeviceKind::Rf => Some(Modality::RfMicroneedling),
        // A pen of needles with radiofrequency is noted as either.
        DeviceKind::MotorisedPen | DeviceKind::Manual if named != Modality::RfMicroneedling => {
            Some(Modality::Microneedling)
        }
        _ => None,
    }
}
