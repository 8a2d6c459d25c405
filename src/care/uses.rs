//! The kinds of treatment that a session uses, whatever it calls itself.

use crate::session::{Parts, TreatmentSession};
use crate::vocabulary::{Modality, ProductRole};

/// Every kind of treatment that a session uses, its own first: by its device, and platelet-rich plasma by its products.
pub fn uses(session: &TreatmentSession, parts: &Parts) -> Vec<Modality> {
    let mut found: Vec<Modality> = session.kinds().collect();
    let plasma = parts.products.iter().any(|it| it.role == ProductRole::Prp);
    if plasma && !found.contains(&Modality::Prp) {
        found.push(Modality::Prp);
    }
    found
}
