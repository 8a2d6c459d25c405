//! `clinic staff`.

use super::{organisations, tell};
use crate::access::{Scope, password};
use crate::characters::fault_of_line;
use crate::config::{StaffArguments, StaffCommand};
use crate::db::{Database, Pool};
use crate::equip;
use crate::ids;
use crate::organisation::{Staff, store};
use crate::record::Stamp;
use crate::vocabulary::StaffRole;
use std::io::{BufRead, IsTerminal};
use uuid::Uuid;

/// A password from the terminal, asked twice and not shown; or the first line of standard input.
fn ask_password(about: &[&str]) -> Result<String, String> {
    let password = if std::io::stdin().is_terminal() {
        let ask = |prompt| rpassword::prompt_password(prompt).map_err(|error| format!("no password was read: {error}"));
        let first = ask("Password (at least 12 characters): ")?;
        if first != ask("Again: ")? {
            return Err("the two passwords differ".to_owned());
        }
        first
    } else {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map_err(|error| format!("no password was read: {error}"))?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    match password::fault(&password, about) {
        Some(fault) => Err(format!("the password {fault}")),
        None => Ok(password),
    }
}

/// Refuses a name that could not be read, as every name that comes in.
fn readable(flag: &str, text: &str) -> Result<(), String> {
    let fault = if text.trim().is_empty() { Some("is empty".to_owned()) } else { fault_of_line(text) };
    fault.map_or(Ok(()), |fault| Err(format!("{flag} {fault}")))
}

pub(super) async fn run(arguments: StaffArguments) -> Result<(), String> {
    let StaffArguments { database, command } = arguments;
    // What needs no database is checked before one is started.
    if let StaffCommand::Add { email, name, .. } = &command {
        readable("--email", email)?;
        readable("--name", name)?;
    }
    let password = match &command {
        StaffCommand::Add { role, .. } if StaffRole::parse(role).is_none() => {
            return Err(format!("--role {role}: must be admin, practitioner, front_desk or auditor"));
        }
        StaffCommand::Add { email, .. } if !email.contains('@') => return Err(format!("--email {email}: has no @")),
        StaffCommand::Add { email, name, .. } => Some(ask_password(&[email, name])?),
        StaffCommand::ResetPassword { email } => Some(ask_password(&[email])?),
        StaffCommand::List | StaffCommand::Disable { .. } | StaffCommand::RemoveSecondFactor { .. } => None,
    };
    let mut database = Database::reach(&database).await?;
    let done = manage(&database, command, password).await;
    database.close().await;
    done
}

/// The staff member with an e-mail, if they have their place here: who is invited only has nothing to change yet.
async fn joined(scope: &mut Scope, email: &str) -> Result<Option<Staff>, String> {
    let found = store::staff_by_email(scope, email).await.map_err(|error| error.operator_message())?;
    Ok(found.filter(|member| member.joined_at.is_some()))
}

fn plain(error: crate::error::Error) -> String {
    error.operator_message()
}

async fn manage(database: &Database, command: StaffCommand, password: Option<String>) -> Result<(), String> {
    let pool = database.small_pool()?;
    let known = organisations(database).await?;
    let password = password.unwrap_or_default();
    match command {
        StaffCommand::Add { email, name, role, organisation } => {
            let role = StaffRole::parse(&role).ok_or("--role: unknown")?;
            let hash = password::hash(password).await.map_err(plain)?;
            add(&pool, &known, (&email, name, role), &organisation, &hash).await
        }
        StaffCommand::List => list(&pool, known).await,
        StaffCommand::Disable { email } => disable(&pool, known, &email).await,
        StaffCommand::RemoveSecondFactor { email } => remove_second_factor(&pool, known, &email).await,
        StaffCommand::ResetPassword { email } => reset_password(&pool, known, &email, password).await,
    }
}

/// Gives somebody a place in an organisation, which is founded if there is none of that name.
async fn add(
    pool: &Pool,
    known: &[(Uuid, String)],
    (email, name, role): (&str, String, StaffRole),
    organisation: &str,
    hash: &str,
) -> Result<(), String> {
    let organisation = organisation.split_whitespace().collect::<Vec<_>>().join(" ");
    let org = known.iter().find(|(_, known)| *known == organisation).map(|(id, _)| *id);
    let mut scope = Scope::program(pool, org.unwrap_or_else(ids::new_id)).await.map_err(plain)?;
    if org.is_none() {
        readable("--organisation", &organisation)?;
        store::found(&mut scope, &organisation).await.map_err(plain)?;
        equip::equip(&mut scope).await.map_err(plain)?;
    }
    let member = Staff {
        id: ids::new_id(),
        account_id: Uuid::nil(),
        email: email.trim().to_lowercase(),
        role,
        display_name: name,
        licence_number: None,
        active: true,
        ends_on: None,
        location_ids: Vec::new(),
        invited_at: None,
        joined_at: None,
        stamp: Stamp::new(None, ids::now()),
    };
    let (member, _) = store::add_staff(&mut scope, member, hash, store::Joining::AtOnce).await.map_err(plain)?;
    scope.commit().await.map_err(plain)?;
    tell::line(format!("{} is {} of {organisation}", member.email, member.role.words()));
    Ok(())
}

/// Tells who works in every organisation.
async fn list(pool: &Pool, known: Vec<(Uuid, String)>) -> Result<(), String> {
    for (id, organisation) in known {
        let mut scope = Scope::program(pool, id).await.map_err(plain)?;
        let staff = store::all_staff(&mut scope).await.map_err(plain)?;
        scope.rollback().await;
        for member in staff {
            let state = match (member.active, member.joined_at) {
                (true, Some(_)) => "active",
                (true, None) => "invited",
                (false, _) => "disabled",
            };
            tell::cells(&[&organisation, &member.email, member.role.as_str(), state, &member.display_name]);
        }
    }
    Ok(())
}

/// Lets somebody sign in no more.
async fn disable(pool: &Pool, known: Vec<(Uuid, String)>, email: &str) -> Result<(), String> {
    let email = email.trim().to_lowercase();
    let mut done = 0;
    for (id, organisation) in known {
        let mut scope = Scope::program(pool, id).await.map_err(plain)?;
        if let Some(member) = store::staff_by_email(&mut scope, &email).await.map_err(plain)?.filter(|it| it.active) {
            let stamp = member.stamp.changed(None, ids::now());
            let after = Staff { active: false, stamp, ..member.clone() };
            store::save_rights(&mut scope, &member, &after, member.stamp.version).await.map_err(plain)?;
            scope.commit().await.map_err(plain)?;
            tell::line(format!("{email} can't sign in to {organisation} any more"));
            done += 1;
        } else {
            scope.rollback().await;
        }
    }
    if done == 0 { Err(format!("nobody active signs in with {email}")) } else { Ok(()) }
}

/// Takes a second factor away.
async fn remove_second_factor(pool: &Pool, known: Vec<(Uuid, String)>, email: &str) -> Result<(), String> {
    let email = email.trim().to_lowercase();
    for (id, _) in known {
        let mut scope = Scope::program(pool, id).await.map_err(plain)?;
        if let Some(member) = joined(&mut scope, &email).await? {
            store::drop_second_factor(&mut scope, &member).await.map_err(plain)?;
            scope.commit().await.map_err(plain)?;
            tell::line(format!("{email} signs in without a second factor from now on"));
            return Ok(());
        }
        scope.rollback().await;
    }
    Err(format!("nobody signs in with {email}"))
}

/// Sets a password and ends the sign-ins.
async fn reset_password(pool: &Pool, known: Vec<(Uuid, String)>, email: &str, password: String) -> Result<(), String> {
    let email = email.trim().to_lowercase();
    let hash = password::hash(password).await.map_err(plain)?;
    for (id, _) in known {
        let mut scope = Scope::program(pool, id).await.map_err(plain)?;
        if let Some(member) = joined(&mut scope, &email).await? {
            store::set_password(&mut scope, &member, &hash).await.map_err(plain)?;
            scope.commit().await.map_err(plain)?;
            tell::line(format!("the password of {email} is set; every sign-in of theirs has ended"));
            return Ok(());
        }
        scope.rollback().await;
    }
    Err(format!("nobody signs in with {email}"))
}
