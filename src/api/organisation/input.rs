//! What the mutations of the organisation take and give.

use super::address::AddressInput;
use crate::organisation::{ClearancePolicy, Location, Organisation, Staff};
use crate::scalars::{Date, DateTime};
use crate::vocabulary::StaffRole;
use async_graphql::{ID, InputObject, MaybeUndefined, SimpleObject};

/// Changes the organisation. An absent field stays as it is.
#[derive(InputObject)]
pub struct UpdateOrganisationInput {
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// Its new name.
    pub(super) name: Option<String>,
    /// All the roles that must sign in with a second factor. From their next request on, members of these roles without
    /// one can do nothing but set one up.
    pub(super) second_factor_roles: Option<Vec<StaffRole>>,
}

/// Result of `updateOrganisation`.
#[derive(SimpleObject)]
pub struct UpdateOrganisationPayload {
    /// The organisation after the change.
    pub(super) organisation: Organisation,
}

/// Adds a location: a clinic of the organisation.
#[derive(InputObject)]
pub struct AddLocationInput {
    /// An id made by the client, which makes a retry safe: `location_` and a UUIDv7 in 26 characters (see `Node.id`).
    /// Absent: the service makes one.
    pub(super) id: Option<ID>,
    /// Its name, unique in the organisation.
    pub(super) name: String,
    /// IANA time zone, such as Europe/Madrid.
    pub(super) time_zone: String,
    /// The postal address of the clinic.
    pub(super) address: Option<AddressInput>,
    /// Phone number, as people write it; kept in E.164. Without a country code it is of the country of the address.
    pub(super) phone: Option<String>,
}

/// Result of `addLocation`.
#[derive(SimpleObject)]
pub struct AddLocationPayload {
    /// The new location.
    pub(super) location: Location,
}

/// Changes a clinic. An absent field stays as it is; null clears it.
#[derive(InputObject)]
pub struct UpdateLocationInput {
    /// `location_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// Its new name.
    pub(super) name: Option<String>,
    /// Its new IANA time zone.
    pub(super) time_zone: Option<String>,
    /// The postal address of the clinic.
    pub(super) address: MaybeUndefined<AddressInput>,
    /// Phone number, as people write it; kept in E.164. Without a country code it is of the country of the address in this
    /// input.
    pub(super) phone: MaybeUndefined<String>,
    /// Whether new records may name it.
    pub(super) active: Option<bool>,
    /// Whether it asks for a prescriber's clearance (rule CLEARANCE).
    pub(super) clearance: Option<ClearancePolicy>,
    /// Whether a missing clearance blocks a session; otherwise it warns.
    pub(super) clearance_blocks: Option<bool>,
    /// From which age patients decide alone, in years, 12 to 21 (rule CONSENT).
    pub(super) age_of_consent: Option<i32>,
    /// Whether the consultation before a treatment must have been held face to face (rule CONSULTATION).
    pub(super) consultation_in_person: Option<bool>,
}

/// Result of `updateLocation`.
#[derive(SimpleObject)]
pub struct UpdateLocationPayload {
    /// The location after the change.
    pub(super) location: Location,
}

/// Adds somebody to the staff.
#[derive(InputObject)]
pub struct AddStaffInput {
    /// An id made by the client, which makes a retry safe: `staff_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    pub(super) id: Option<ID>,
    /// The e-mail they sign in with.
    pub(super) email: String,
    /// The name others see.
    pub(super) display_name: String,
    /// What they may do.
    pub(super) role: StaffRole,
    /// The number of the professional licence.
    pub(super) licence_number: Option<String>,
    /// The first password of a new account, at least 12 characters and hard to guess: the staff member is then a member
    /// at once. Absent: they get an invitation and choose their own password. If the e-mail already has an account, its
    /// password stays, and its owner joins by signing in with it and with the id of this organisation; the result looks
    /// the same.
    #[graphql(secret)]
    pub(super) password: Option<String>,
}

/// Result of `addStaff`.
#[derive(SimpleObject)]
pub struct AddStaffPayload {
    /// The new staff member. `joinedAt` is null until they accept an invitation.
    pub(super) staff: Staff,
    /// The token for `acceptInvitation`, shown only this once. Give it to the invited person and to nobody else. Null
    /// where a password was given, and when a retry finds them already added: `createInvitationLink` makes another.
    pub(super) invitation_token: Option<String>,
    /// When the invitation expires: after 7 days. Null if there is none.
    pub(super) invitation_expires_at: Option<DateTime>,
}

/// Invites a staff member again.
#[derive(InputObject)]
pub struct CreateInvitationLinkInput {
    /// `staff_…`
    pub(super) staff_id: ID,
}

/// Result of `createInvitationLink`: a new invitation.
#[derive(SimpleObject)]
pub struct CreateInvitationLinkPayload {
    /// The token for `acceptInvitation`, shown only this once. Give it to the invited person and to nobody else.
    pub(super) token: String,
    /// When the invitation expires: after 7 days.
    pub(super) expires_at: DateTime,
    /// The staff member it invites.
    pub(super) staff: Staff,
}

/// Changes a staff member. An absent field stays as it is; null clears it. The change takes effect with their next
/// request.
#[derive(InputObject)]
pub struct UpdateStaffInput {
    /// `staff_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// The name others see.
    pub(super) display_name: Option<String>,
    /// What they may do.
    pub(super) role: Option<StaffRole>,
    /// The number of the professional licence.
    pub(super) licence_number: MaybeUndefined<String>,
    /// Whether they may sign in.
    pub(super) active: Option<bool>,
    /// The last day on which they work here (in UTC).
    pub(super) ends_on: MaybeUndefined<Date>,
    /// All the clinics that they work at, `location_…`, at most 100; empty for all.
    pub(super) location_ids: Option<Vec<ID>>,
}

/// Changes the e-mail that a staff member signs in with.
#[derive(InputObject)]
pub struct ChangeStaffEmailInput {
    /// `staff_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// The new e-mail.
    pub(super) email: String,
}

/// Result of `changeStaffEmail`.
#[derive(SimpleObject)]
pub struct ChangeStaffEmailPayload {
    /// The staff member after the change.
    pub(super) staff: Staff,
}

/// Result of `updateStaff`.
#[derive(SimpleObject)]
pub struct UpdateStaffPayload {
    /// The staff member after the change.
    pub(super) staff: Staff,
}

/// Makes a link with which a staff member sets a new password.
#[derive(InputObject)]
pub struct CreatePasswordResetLinkInput {
    /// `staff_…`
    pub(super) staff_id: ID,
}

/// Result of `createPasswordResetLink`: a one-time link for setting a new password.
#[derive(SimpleObject)]
pub struct CreatePasswordResetLinkPayload {
    /// The token for `resetPassword`, shown only this once. Give it to the staff member and to nobody else.
    pub(super) token: String,
    /// When the link expires: after an hour.
    pub(super) expires_at: DateTime,
    /// The staff member whose password it sets.
    pub(super) staff: Staff,
}

/// Ends all sign-ins of a staff member to this organisation.
#[derive(InputObject)]
pub struct RevokeStaffSignInsInput {
    /// `staff_…`
    pub(super) staff_id: ID,
}

/// Result of `revokeStaffSignIns`.
#[derive(SimpleObject)]
pub struct RevokeStaffSignInsPayload {
    /// The staff member.
    pub(super) staff: Staff,
}
