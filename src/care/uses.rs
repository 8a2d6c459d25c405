//! The kinds of treatment that a session uses, whatever it calls itself.

use crate::session::{Parts, TreatmentSession};
use crate::vocabulary::{DeviceKind, Modality, ProductRole};

/// Every kind of treatment that a session uses, its own first: by its device, and platelet-rich plasma by its products.
pub fn uses(session: &TreatmentSession, parts: &Parts) -> Vec<Modality> {
    let device = session.device.as_ref().and_then(|it| match it.kind {
        DeviceKind::Rf => Some(Modality::RfMicroneedling),
        // A pen of needles with radiofrequency is noted as either.
        DeviceKind::MotorisedPen | DeviceKind::Manual if session.modality != Modality::RfMicroneedling => {
            Some(Modality::Microneedling)
        }
        _ => None,
    });
    let plasma = parts.products.iter().any(|it| it.role == ProductRole::Prp).then_some(Modality::Prp);
    let mut found = vec![session.modality];
    for more in [device, plasma].into_iter().flatten() {
        if !found.contains(&more) {
            found.push(more);
        }
    }
    found
}
