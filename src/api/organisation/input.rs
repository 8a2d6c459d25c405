//! What the mutations of the organisation take and give.

use super::address::AddressInput;
use crate::organisation::{Location, Organisation, Staff};
use crate::scalars::DateTime;
use crate::vocabulary::StaffRole;
use async_graphql::{ID, InputObject, MaybeUndefined, SimpleObject};

/// Changes the organisation. An absent field stays.
#[derive(InputObject)]
pub struct UpdateOrganisationInput {
    /// The version that was read.
    pub(super) expected_version: i32,
    /// Its new name.
    pub(super) name: Option<String>,
    /// The roles that must sign in with a second factor, all of them: from their next request on, who has none may do
    /// nothing but set one up.
    pub(super) second_factor_roles: Option<Vec<StaffRole>>,
}

/// The changed organisation.
#[derive(SimpleObject)]
pub struct UpdateOrganisationPayload {
    /// It, after the change.
    pub(super) organisation: Organisation,
}

/// Adds a clinic.
#[derive(InputObject)]
pub struct AddLocationInput {
    /// An id the client made (`location_…` of a UUIDv7): makes a retry safe.
    pub(super) id: Option<ID>,
    /// Its name, unique in the organisation.
    pub(super) name: String,
    /// IANA time zone, such as Europe/Madrid.
    pub(super) time_zone: String,
    /// Where it is.
    pub(super) address: Option<AddressInput>,
    /// E.164 number.
    pub(super) phone: Option<String>,
}

/// The added clinic.
#[derive(SimpleObject)]
pub struct AddLocationPayload {
    /// It.
    pub(super) location: Location,
}

/// Changes a clinic. An absent field stays, null clears.
#[derive(InputObject)]
pub struct UpdateLocationInput {
    /// `location_…`
    pub(super) id: ID,
    /// The version that was read.
    pub(super) expected_version: i32,
    /// Its new name.
    pub(super) name: Option<String>,
    /// Its new IANA time zone.
    pub(super) time_zone: Option<String>,
    /// Where it is.
    pub(super) address: MaybeUndefined<AddressInput>,
    /// E.164 number.
    pub(super) phone: MaybeUndefined<String>,
    /// Whether new records may name it.
    pub(super) active: Option<bool>,
}

/// The changed clinic.
#[derive(SimpleObject)]
pub struct UpdateLocationPayload {
    /// It, after the change.
    pub(super) location: Location,
}

/// Adds somebody to the staff.
#[derive(InputObject)]
pub struct AddStaffInput {
    /// An id the client made (`staff_…` of a UUIDv7): makes a retry safe.
    pub(super) id: Option<ID>,
    /// The e-mail they sign in with.
    pub(super) email: String,
    /// The name others see.
    pub(super) display_name: String,
    /// What they may do.
    pub(super) role: StaffRole,
    /// Professional licence.
    pub(super) licence_number: Option<String>,
    /// The first password of a new account, at least 12 characters and hard to guess: then they have their place at once.
    /// Absent: they get an invitation and choose their own. Somebody who works elsewhere already keeps theirs, and enters by
    /// signing in with it and with this organisation's id; the answer is the same.
    #[graphql(secret)]
    pub(super) password: Option<String>,
}

/// The added staff member.
#[derive(SimpleObject)]
pub struct AddStaffPayload {
    /// They. `joinedAt` is null until they accept an invitation.
    pub(super) staff: Staff,
    /// For acceptInvitation; it is shown this once. Hand it to them and nobody else. Null where a password was given, and
    /// when a retry finds them added already: createInvitationLink makes another.
    pub(super) invitation_token: Option<String>,
    /// When it holds no more: after 7 days. Null without one.
    pub(super) invitation_expires_at: Option<DateTime>,
}

/// Invites somebody again.
#[derive(InputObject)]
pub struct CreateInvitationLinkInput {
    /// `staff_…`
    pub(super) staff_id: ID,
}

/// An invitation.
#[derive(SimpleObject)]
pub struct CreateInvitationLinkPayload {
    /// For acceptInvitation; it is shown this once. Hand it to them and nobody else.
    pub(super) token: String,
    /// When it holds no more: after 7 days.
    pub(super) expires_at: DateTime,
    /// Whom it invites.
    pub(super) staff: Staff,
}

/// Changes a staff member. An absent field stays, null clears. Holds from their next request on.
#[derive(InputObject)]
pub struct UpdateStaffInput {
    /// `staff_…`
    pub(super) id: ID,
    /// The version that was read.
    pub(super) expected_version: i32,
    /// The name others see.
    pub(super) display_name: Option<String>,
    /// What they may do.
    pub(super) role: Option<StaffRole>,
    /// Professional licence.
    pub(super) licence_number: MaybeUndefined<String>,
    /// Whether they may sign in.
    pub(super) active: Option<bool>,
}

/// The changed staff member.
#[derive(SimpleObject)]
pub struct UpdateStaffPayload {
    /// They, after the change.
    pub(super) staff: Staff,
}

/// Makes a link by which a staff member sets a new password.
#[derive(InputObject)]
pub struct CreatePasswordResetLinkInput {
    /// `staff_…`
    pub(super) staff_id: ID,
}

/// A one-time link to set a new password.
#[derive(SimpleObject)]
pub struct CreatePasswordResetLinkPayload {
    /// For resetPassword; it is shown this once. Hand it to them and nobody else.
    pub(super) token: String,
    /// When it holds no more: after an hour.
    pub(super) expires_at: DateTime,
    /// Whose password it sets.
    pub(super) staff: Staff,
}

/// Signs a staff member out of this organisation everywhere.
#[derive(InputObject)]
pub struct RevokeStaffSignInsInput {
    /// `staff_…`
    pub(super) staff_id: ID,
}

/// The staff member whose sign-ins have ended.
#[derive(SimpleObject)]
pub struct RevokeStaffSignInsPayload {
    /// They.
    pub(super) staff: Staff,
}
