//! Sign-ins, and limits by the minute. Whose they were is nobody's business here.

use super::registrar::Registrar;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// How an attempt to sign in may end.
const OUTCOMES: [&str; 5] = ["signed_in", "code_needed", "refused", "throttled", "failed"];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SignIn {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Limited {
    policy: &'static str,
}

/// The meters of sign-ins and limits.
#[derive(Debug)]
pub struct DoorMeters {
    sign_ins: Family<SignIn, Counter>,
    limited: Family<Limited, Counter>,
    alone: Counter,
}

impl DoorMeters {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> Self {
        let meters = Self {
            sign_ins: registrar.family(
                "clinic_sign_ins",
                "Attempts to sign in with a password: signed_in, code_needed, refused, throttled, failed",
                Family::default(),
            ),
            limited: registrar.family(
                "clinic_rate_limit_refusals",
                "Charges that an account's or an address's limit by the minute did not allow",
                Family::default(),
            ),
            alone: registrar.counter(
                "clinic_rate_limit_unshared",
                "Charges for which the limits that all processes share could not be reached",
            ),
        };
        // A series that is there from the start has a rate from its first event on.
        for outcome in OUTCOMES {
            drop(meters.sign_ins.get_or_create(&SignIn { outcome }));
        }
        for policy in ["account", "address"] {
            drop(meters.limited.get_or_create(&Limited { policy }));
        }
        meters
    }

    /// Notes how an attempt to sign in ended.
    pub fn sign_in(&self, outcome: &'static str) {
        self.sign_ins.get_or_create(&SignIn { outcome }).inc();
    }

    /// Notes that a limit refused something.
    pub fn limited(&self, policy: &'static str) {
        self.limited.get_or_create(&Limited { policy }).inc();
    }

    /// Notes that the shared limits could not be reached.
    pub fn alone(&self) {
        self.alone.inc();
    }
}
