//! Care rules: what a protocol and a patient's history say of a session, before and after. Pure functions over facts;
//! `store.rs` gathers the facts, nothing here looks anything up.

mod aftercare;
mod checks;
mod consents;
mod estimate;
pub mod loader;
pub mod store;
mod uses;

pub use aftercare::{CheckInState, InForce, Situation, situation};
pub use checks::{
    AreaFact, ClearanceFact, ConsentFact, ConsultationFact, CreamFact, Facts, Held, LotFact, OtherSession, PlanFact,
    ReviewFact, checks, keep_overrides, read_agents,
};
pub use consents::{Days, consent_at, consultation_before};
pub use estimate::{Basis, Estimate, Point, Scale, estimate};
pub use uses::uses;
