//! What is known about the viewer at this point of an operation, without waiting for the snapshot that other fields
//! read from. A sign-in during the operation changes it.

use crate::access::{EmergencyOnly, SignInMark};
use crate::error::{Error, Result};
use crate::vocabulary::RecordKind;
use std::sync::{Mutex, MutexGuard};
use uuid::Uuid;

/// What is known so far.
#[derive(Default)]
struct Known {
    /// Their organisation.
    org: Option<Uuid>,
    /// The patients to whom emergency access limits the viewer's clinical records.
    emergency_only: EmergencyOnly,
    /// The most recent sign-in of the operation.
    sign_in: Option<SignInMark>,
}

/// The viewer, as far as it has been looked up.
#[derive(Default)]
pub(super) struct Standing(Mutex<Known>);

impl Standing {
    fn known(&self) -> Option<MutexGuard<'_, Known>> {
        self.0.lock().ok()
    }

    /// Records the viewer.
    pub(super) fn asks(&self, org: Uuid, emergency_only: EmergencyOnly) {
        if let Some(mut known) = self.known() {
            (known.org, known.emergency_only) = (Some(org), emergency_only);
        }
    }

    /// Records that the viewer changes here and has not been looked up yet.
    pub(super) fn changes(&self) {
        if let Some(mut known) = self.known() {
            known.org = None;
        }
    }

    /// Records the sign-in with which the operation continues; none once it has ended.
    pub(super) fn signed_in(&self, sign_in: Option<SignInMark>) {
        if let Some(mut known) = self.known() {
            known.sign_in = sign_in;
        }
    }

    /// The organisation of the viewer, if it has been looked up.
    pub(super) fn org(&self) -> Option<Uuid> {
        self.known()?.org
    }

    /// The sign-in, if there is one and it has been looked up.
    pub(super) fn sign_in(&self) -> Option<SignInMark> {
        self.known()?.sign_in
    }

    /// FORBIDDEN for clinical records that the viewer may read only through emergency access, unless the access is open
    /// and covers this patient.
    pub(super) fn in_emergency_of(&self, record: RecordKind, patient: Option<Uuid>) -> Result<()> {
        match self.known() {
            Some(known) => known.emergency_only.check(record, patient),
            None => Err(Error::Internal("whose emergency it is is lost".to_owned())),
        }
    }
}
