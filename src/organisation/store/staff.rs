//! The SQL of staff.

use crate::access::invitation::{self, Acceptance};
use crate::access::one_time::{Bearer, OneTimeToken};
use crate::access::{Scope, account, reset, second_factor, sign_in};
use crate::db::Sql;
use crate::db::tables::staff;
use crate::error::{Code, Error, Result};
use crate::ids;
use crate::ledger;
use crate::organisation::Staff;
use crate::organisation::filter::{PlaceFilter, PlaceOrder};
use crate::page::{Stored, listing, stored};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind, StaffRole};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

stored! {
    Staff = staff;
    repeats: true;
    always: account_id, role, display_name, active;
    asked: email, licence_number, ends_on, invited_at, joined_at;
    words: location_ids;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
    light: "credentials";
}

listing!(Staff, PlaceFilter, PlaceOrder, {});

/// Staff by id.
pub async fn staff(scope: &mut Scope, wanted: &[Uuid]) -> Result<Vec<Staff>> {
    listing::by_ids(scope, wanted).await
}

/// One staff member, or NOT_FOUND.
pub async fn staff_member(scope: &mut Scope, id: Uuid) -> Result<Staff> {
    let found = staff(scope, &[id]).await?.into_iter().next();
    found.ok_or_else(|| Error::not_found("staff member", ids::show(RecordKind::Staff, id)))
}

/// The staff member with an e-mail.
pub async fn staff_by_email(scope: &mut Scope, email: &str) -> Result<Option<Staff>> {
    let door = scope.read(RecordKind::Staff)?;
    let columns = Staff::all_columns();
    let mut sql = Sql::new(format!("SELECT {columns} FROM staff WHERE org_id = ")).bind(door.org);
    sql.push(" AND email = ").push_bind(email);
    Ok(listing::load(sql, door.connection).await?.into_iter().next())
}

/// How a new staff member's account gets its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joining {
    /// At once, whoever they are: for the command line, whose user can do everything anyway.
    AtOnce,
    /// Shown as joined. At once, with this password, if it is the account's first place anywhere; else once its owner signs
    /// in to this organisation by name. Nobody can tell which from the answer.
    WithPassword,
    /// By invitation, whether or not there is an account: nobody can tell from the answer.
    ByInvitation,
}

fn bearer(org: Uuid, member: &Staff) -> Bearer {
    Bearer { account: member.account_id, org, staff: member.id }
}

/// Adds a staff member and gives their e-mail an account, with this password if it is a new one. Until they accept their
/// invitation the account has no place here, and is elsewhere as it was.
pub async fn add_staff(
    scope: &mut Scope,
    mut member: Staff,
    password_hash: &str,
    joining: Joining,
) -> Result<(Staff, Option<OneTimeToken>)> {
    let door = scope.write(Action::Create, RecordKind::Staff)?;
    let (account, _) = account::find_or_create(door.connection, &member.email, password_hash).await?;
    let invited = joining == Joining::ByInvitation;
    member.account_id = account;
    member.joined_at = (!invited).then_some(member.stamp.created_at);
    member.invited_at = invited.then_some(member.stamp.created_at);
    member.insert(door.org, door.connection).await?.map_err(|error| {
        use diesel::result::{DatabaseErrorKind::UniqueViolation, Error::DatabaseError};
        match error {
            DatabaseError(UniqueViolation, _) => Error::Conflict {
                message: "somebody with this e-mail works here already: change their role with updateStaff".to_owned(),
                current_version: None,
            },
            other => other.into(),
        }
    })?;
    let invitation = match joining {
        Joining::AtOnce => {
            account::join(door.connection, member.account_id, door.org, member.id).await?;
            None
        }
        Joining::WithPassword => {
            account::join_first(door.connection, member.account_id, (door.org, member.id), password_hash).await?;
            None
        }
        Joining::ByInvitation => Some(invitation::make(door.connection, bearer(door.org, &member)).await?),
    };
    ledger::append(scope, Action::Create, &member, &member).await?;
    Ok((member, invitation))
}

/// Invites somebody again who has not accepted: the earlier invitation ends.
pub async fn invite_again(scope: &mut Scope, id: Uuid) -> Result<(OneTimeToken, Staff)> {
    let member = staff_member(scope, id).await?;
    let door = scope.write(Action::Update, RecordKind::Staff)?;
    let invitation = invitation::make(door.connection, bearer(door.org, &member)).await?;
    // Read again under the account's lock: they may have accepted meanwhile.
    let member = staff_member(scope, id).await?;
    if member.joined_at.is_some() {
        return Err(Error::input(
            "input.staffId",
            Code::Done.says("has accepted already and signs in with their own password"),
        ));
    }
    if !member.active {
        return Err(Error::input(
            "input.staffId",
            Code::Inactive.says("is not active: make them active with updateStaff first"),
        ));
    }
    let now = ids::now();
    let stamp = member.stamp.changed(scope.viewer().staff, now);
    let after = Staff { stamp, invited_at: Some(now), ..member.clone() };
    save_staff(scope, &after, member.stamp.version).await?;
    Ok((invitation, after))
}

/// Gives an account its place here, by its owner's yes.
pub async fn join(scope: &mut Scope, acceptance: &Acceptance) -> Result<Staff> {
    let door = scope.write(Action::Update, RecordKind::Staff)?;
    invitation::accept(door.connection, acceptance).await?;
    let member = staff_member(scope, acceptance.bearer.staff).await?;
    if !member.active || member.joined_at.is_some() {
        return Err(invitation::spent());
    }
    let now = ids::now();
    let after = Staff { stamp: member.stamp.changed(Some(member.id), now), joined_at: Some(now), ..member.clone() };
    save_staff(scope, &after, member.stamp.version).await?;
    Ok(after)
}

/// Gives an account a place here that waited for its owner, who has signed in to it by name. False: it has it already.
pub async fn enter(scope: &mut Scope, id: Uuid) -> Result<bool> {
    let member = staff_member(scope, id).await?;
    let door = scope.write(Action::Update, RecordKind::Staff)?;
    if !invitation::enter(door.connection, bearer(door.org, &member)).await? {
        return Ok(false);
    }
    let after = Staff { stamp: member.stamp.changed(Some(id), ids::now()), ..member.clone() };
    save_staff(scope, &after, member.stamp.version).await.map(|()| true)
}

/// Saves a changed staff member; holds from their next request on.
pub async fn save_staff(scope: &mut Scope, member: &Staff, expected: i32) -> Result<()> {
    if !member.active || member.role != StaffRole::Admin || member.ends_on.is_some() {
        keep_one_admin(scope, member.id).await?;
    }
    let door = scope.write(Action::Update, RecordKind::Staff)?;
    let changed = member.update(door.org, expected, door.connection).await??;
    if changed == 0 {
        let current = staff_member(scope, member.id).await?.stamp.version;
        return Err(Error::stale("staff member", expected, current));
    }
    ledger::append(scope, Action::Update, member, member).await
}

/// Saves a staff member whose role or access changes: whoever is signed in proves anew who they are before they sign a
/// record. With a place that is closed everything ends that opens it; and once more when it is opened again, for what was
/// made between and for places that were closed before this was so.
pub async fn save_rights(scope: &mut Scope, before: &Staff, member: &Staff, expected: i32) -> Result<()> {
    let door = scope.write(Action::Update, RecordKind::Staff)?;
    if !member.active || !before.active {
        sign_in::end_of_place(door.connection, member.account_id, door.org, member.id).await?;
    }
    sign_in::forget_proofs(door.connection, door.org, member.id).await?;
    save_staff(scope, member, expected).await
}

/// An organisation without an active admin could not manage itself any more. Who has not accepted is none yet; nor is who
/// was added with a password and has never signed in: their account may be somebody's who never will. The admins' rows are
/// locked, so that two who leave at the same moment don't both see the other.
async fn keep_one_admin(scope: &mut Scope, leaving: Uuid) -> Result<()> {
    let door = scope.read(RecordKind::Staff)?;
    let admins: Vec<(Uuid, Option<DateTime<Utc>>)> = staff::table
        .select((staff::id, staff::invited_at))
        .filter(staff::org_id.eq(door.org))
        .filter(staff::role.eq(StaffRole::Admin))
        .filter(staff::active)
        .filter(staff::ends_on.is_null())
        .filter(staff::joined_at.is_not_null())
        .order(staff::id)
        .for_update()
        .load(door.connection)
        .await?;
    if admins.iter().all(|(id, _)| *id != leaving) {
        return Ok(());
    }
    let added: Vec<Uuid> = admins.iter().filter(|(_, invited)| invited.is_none()).map(|(id, _)| *id).collect();
    let signed_in = sign_in::ever_signed_in(door.connection, door.org, &added).await?;
    let stays =
        |(id, invited): &(Uuid, Option<DateTime<Utc>>)| *id != leaving && (invited.is_some() || signed_in.contains(id));
    if admins.iter().any(stays) {
        return Ok(());
    }
    let message = "is the last active admin: make somebody else admin first, who signs in once before this one leaves";
    Err(Error::input("input.id", Code::NotAllowed.says(message)))
}

/// Everybody of the organisation, by name: for the command line.
pub async fn all_staff(scope: &mut Scope) -> Result<Vec<Staff>> {
    let door = scope.read(RecordKind::Staff)?;
    let columns = Staff::all_columns();
    let sql = Sql::new(format!("SELECT {columns} FROM staff WHERE org_id = ")).bind(door.org);
    listing::load(sql.text(" ORDER BY display_name, id"), door.connection).await
}

/// Those of the staff who have their place: not who is invited, nor whose place waits for them.
pub async fn members(scope: &mut Scope) -> Result<Vec<Uuid>> {
    let door = scope.read(RecordKind::Staff)?;
    account::members(door.connection, door.org).await
}

/// The e-mails of the active admins.
pub async fn admin_mails(scope: &mut Scope) -> Result<Vec<String>> {
    let (everybody, members) = (all_staff(scope).await?, members(scope).await?);
    let works = |it: &Staff| it.works() && it.role == StaffRole::Admin && members.contains(&it.id);
    Ok(everybody.into_iter().filter(works).map(|it| it.email).collect())
}

/// Sets the password of a staff member's account and ends its sign-ins: for the command line.
pub async fn set_password(scope: &mut Scope, member: &Staff, password_hash: &str) -> Result<Staff> {
    let door = scope.write(Action::Update, RecordKind::Staff)?;
    account::set_password(door.connection, member.account_id, password_hash).await?;
    touch(scope, member).await
}

/// Takes the second factor of a staff member's account away: for the command line, and somebody who lost app and codes.
pub async fn drop_second_factor(scope: &mut Scope, member: &Staff) -> Result<Staff> {
    let door = scope.write(Action::Update, RecordKind::Staff)?;
    second_factor::drop_second_factor(door.connection, member.account_id).await?;
    touch(scope, member).await
}

/// Whether an admin may make a link to set a staff member's password, by the organisations where the account is active.
pub fn may_have_password_link(member: &Staff, org: Uuid, active_in: &[Uuid]) -> Result<()> {
    if member.joined_at.is_none() {
        return Err(Error::input(
            "input.staffId",
            Code::WrongState
                .says("has not accepted yet: createInvitationLink makes another invitation, by which they come in"),
        ));
    }
    if !member.active {
        return Err(Error::input(
            "input.staffId",
            Code::Inactive.says("is not active: make them active with updateStaff first"),
        ));
    }
    // A place that waits for its owner is not told apart: the link sets no password, as the account is active elsewhere.
    if active_in.contains(&org) && active_in.iter().any(|other| *other != org) {
        return Err(Error::Forbidden(
            "this account works in other organisations too: only its owner may change its password".to_owned(),
        ));
    }
    Ok(())
}

/// Makes a link to set a new password.
pub async fn make_password_link(scope: &mut Scope, member: &Staff) -> Result<(OneTimeToken, Staff)> {
    let door = scope.write(Action::Update, RecordKind::Staff)?;
    let link = reset::make_link(door.connection, bearer(door.org, member)).await?;
    Ok((link, touch(scope, member).await?))
}

/// Gives a staff member's account another e-mail to sign in with. Every sign-in, invitation and password link of it ends; the
/// password and the second factor stay. FORBIDDEN for an account that has a place elsewhere too.
pub async fn change_email(scope: &mut Scope, member: &Staff, email: String) -> Result<Staff> {
    let door = scope.write(Action::Update, RecordKind::Staff)?;
    account::change_email(door.connection, member.account_id, door.org, &email).await?;
    sign_in::end_of_place(door.connection, member.account_id, door.org, member.id).await?;
    let stamp = member.stamp.changed(scope.viewer().staff, ids::now());
    let after = Staff { email, stamp, ..member.clone() };
    save_staff(scope, &after, member.stamp.version).await?;
    Ok(after)
}

/// Ends a staff member's sign-ins in this organisation.
pub async fn end_sign_ins(scope: &mut Scope, member: &Staff) -> Result<Staff> {
    let door = scope.write(Action::Update, RecordKind::Staff)?;
    sign_in::end_of_staff(door.connection, door.org, member.id).await?;
    touch(scope, member).await
}

/// A new version of a staff member whose account was changed: the ledger says who did it, and to whom.
async fn touch(scope: &mut Scope, member: &Staff) -> Result<Staff> {
    let after = Staff { stamp: member.stamp.changed(scope.viewer().staff, ids::now()), ..member.clone() };
    save_staff(scope, &after, member.stamp.version).await?;
    Ok(after)
}
