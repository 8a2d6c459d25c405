//! Care rules: what a protocol and a patient's history say of a session, before and after. Pure functions over facts;
//! `store.rs` gathers the facts, nothing here looks anything up.

mod aftercare;
mod checks;
mod estimate;
pub mod loader;
pub mod store;

pub use aftercare::{CheckInState, InForce, Situation, situation};
pub use checks::{
    AreaFact, ConsentFact, ConsultationFact, CreamFact, EarlierSession, Facts, LotFact, checks, keep_overrides,
};
pub use estimate::{Basis, Estimate, Point, Scale, estimate};
