//! What is known of who asks at this point of an operation, without waiting for the picture that others read from: a sign-in
//! in the midst of it makes another of them.

use crate::access::{EmergencyOnly, SignInMark};
use crate::error::{Error, Result};
use crate::vocabulary::RecordKind;
use std::sync::{Mutex, MutexGuard};
use uuid::Uuid;

/// What is known by now.
#[derive(Default)]
struct Known {
    /// Their organisation.
    org: Option<Uuid>,
    /// Whose clinical records alone they read.
    emergency_only: EmergencyOnly,
    /// The sign-in that the operation went on with last.
    sign_in: Option<SignInMark>,
}

/// Who asks, as far as anybody looked.
#[derive(Default)]
pub(super) struct Standing(Mutex<Known>);

impl Standing {
    fn known(&self) -> Option<MutexGuard<'_, Known>> {
        self.0.lock().ok()
    }

    /// Notes who asks.
    pub(super) fn asks(&self, org: Uuid, emergency_only: EmergencyOnly) {
        if let Some(mut known) = self.known() {
            (known.org, known.emergency_only) = (Some(org), emergency_only);
        }
    }

    /// Notes that somebody else asks from here on, nobody has looked who.
    pub(super) fn changes(&self) {
        if let Some(mut known) = self.known() {
            known.org = None;
        }
    }

    /// Notes with which sign-in the operation goes on; none once it has ended.
    pub(super) fn signed_in(&self, sign_in: Option<SignInMark>) {
        if let Some(mut known) = self.known() {
            known.sign_in = sign_in;
        }
    }

    /// Their organisation, if somebody looked.
    pub(super) fn org(&self) -> Option<Uuid> {
        self.known()?.org
    }

    /// The sign-in, if there is one and somebody looked.
    pub(super) fn sign_in(&self) -> Option<SignInMark> {
        self.known()?.sign_in
    }

    /// FORBIDDEN for clinical records that they read by emergency access alone, unless they are this patient's and it is open
    /// for them.
    pub(super) fn in_emergency_of(&self, record: RecordKind, patient: Option<Uuid>) -> Result<()> {
        match self.known() {
            Some(known) => known.emergency_only.check(record, patient),
            None => Err(Error::Internal("whose emergency it is is lost".to_owned())),
        }
    }
}
