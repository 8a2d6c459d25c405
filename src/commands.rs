//! What each command of the command line does.

mod audit;
mod progress;
mod safekeeping;
mod tell;

use crate::access::{Scope, account, password};
use crate::api;
use crate::api::persisted::Persisted;
use crate::characters::fault_of_line;
use crate::config::{
    Command, CommandLine, DatabaseSettings, DemoSettings, DocumentsArguments, DocumentsCommand, LogFormat,
    ServeSettings, StaffArguments, StaffCommand,
};
use crate::db::Database;
use crate::demo::{self, Demo};
use crate::equip;
use crate::ids;
use crate::objects::Objects;
use crate::organisation::{Staff, store};
use crate::record::Stamp;
use crate::server::{Prepared, Server, documents};
use crate::vocabulary::StaffRole;
use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;
use uuid::Uuid;

/// Runs a command; a failure is one line on standard error and a non-zero exit.
pub fn run(line: CommandLine) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("no threads: {error}")),
    };
    let outcome = runtime.block_on(async {
        match line.command {
            Command::Serve(settings) => serve(*settings).await,
            Command::Migrate(settings) => migrate(settings).await,
            Command::Schema => {
                tell::own(&api::sdl());
                Ok(())
            }
            Command::Staff(arguments) => staff(arguments).await,
            Command::Demo(settings) => fill_demo(settings).await,
            Command::Documents(arguments) => check_documents(arguments).await,
            Command::Audit(arguments) => audit::run(arguments).await,
            Command::Backup(settings) => safekeeping::backup(*settings).await,
            Command::Restore(settings) => safekeeping::restore(*settings).await,
            Command::Export(settings) => safekeeping::export(*settings).await,
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(&message),
    }
}

fn fail(message: &str) -> ExitCode {
    tell::complain(format!("clinic: {message}"));
    ExitCode::FAILURE
}

fn start_log(filter: &str, format: LogFormat) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("--log: {error}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    let colours = std::io::stderr().is_terminal();
    let started = match format {
        LogFormat::Json => log.with_writer(std::io::stderr).json().flatten_event(true).try_init(),
        LogFormat::Text => log.with_ansi(colours).with_writer(move || tell::Log { colours }).try_init(),
    };
    started.map_err(|error| format!("the log can't start: {error}"))
}

async fn serve(settings: ServeSettings) -> Result<(), String> {
    start_log(&settings.log, settings.log_format)?;
    let stop = stop_signal()?;
    tokio::pin!(stop);
    let (server, demo) = tokio::select! {
        started = start(&settings) => started?,
        () = &mut stop => return Ok(()),
    };
    greet(&server, demo.as_ref());
    stop.await;
    tracing::info!("stopping: requests under way end first");
    server.stop().await;
    Ok(())
}

/// Starts the service, with the demo clinic in its database if that was asked for.
async fn start(settings: &ServeSettings) -> Result<(Server, Option<Demo>), String> {
    let prepared = Prepared::open(settings).await?;
    if !settings.demo {
        return Ok((prepared.serve().await?, None));
    }
    let password = settings.demo_password.as_ref().map(|password| password.expose().to_owned());
    let (database, objects) = prepared.stores();
    match demo::ensure(database, objects, password).await {
        Ok(demo) => Ok((prepared.serve().await?, Some(demo))),
        Err(message) => {
            prepared.close().await;
            Err(message)
        }
    }
}

/// Resolves at the first Ctrl-C or SIGTERM.
fn stop_signal() -> Result<impl Future<Output = ()>, String> {
    use tokio::signal::unix::{SignalKind, signal};
    let signal = |kind| signal(kind).map_err(|error| format!("signals can't be listened to: {error}"));
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {},
            _ = terminate.recv() => {},
        }
    })
}

fn greet(server: &Server, demo: Option<&Demo>) {
    use std::fmt::Write;
    let (url, mut text) = (server.url(), String::new());
    let _ = writeln!(text, "clinic listens on {url}/graphql (open it in a browser for the explorer)");
    if let Some(demo) = demo {
        text.push('\n');
        let _ = writeln!(
            text,
            "The demo clinic has admin@, practitioner@, frontdesk@ and auditor@demo.clinic, all with the password"
        );
        let _ = writeln!(text, "  {}", demo.password);
        text.push('\n');
        let _ = writeln!(text, "Sign in:");
        let _ = writeln!(text, "  TOKEN=$(curl -s {url}/graphql -H 'content-type: application/json' \\");
        let _ = writeln!(
            text,
            "    -d '{{\"query\":\"mutation {{ signIn(input: {{email: \\\"practitioner@demo.clinic\\\", password: \\\"{}\\\"}}) {{ token }} }}\"}}' \\",
            demo.password
        );
        let _ = writeln!(text, "    | sed 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/')");
        let _ = writeln!(text, "Ask:");
        let _ = writeln!(
            text,
            "  curl -s {url}/graphql -H 'content-type: application/json' -H \"authorization: Bearer $TOKEN\" \\"
        );
        let _ = writeln!(
            text,
            "    -d '{{\"query\":\"{{ patients(first: 3) {{ nodes {{ displayName birthDate sessions(first: 1) {{ nodes {{ startedAt modality status practitioner {{ displayName }} }} }} }} }} }}\"}}'"
        );
    }
    tell::own(&text);
}

async fn migrate(settings: DatabaseSettings) -> Result<(), String> {
    let mut database = Database::open(&settings).await?;
    database.close().await;
    tell::line("the database is up to date");
    Ok(())
}

async fn fill_demo(settings: DemoSettings) -> Result<(), String> {
    settings.objects.check()?;
    let mut database = Database::reach(&settings.database).await?;
    let password = settings.demo_password.as_ref().map(|password| password.expose().to_owned());
    let filled = match Objects::open(&settings.objects, &settings.database.data_dir) {
        Ok(objects) => demo::fill(&database, &objects, settings.patients, settings.seed, password).await,
        Err(message) => Err(message),
    };
    database.close().await;
    let demo = filled?;
    tell::line("The demo accounts admin@, practitioner@, frontdesk@ and auditor@demo.clinic have the password");
    tell::line(format!("  {}", demo.password));
    Ok(())
}

/// Says each wrong entry of a file on standard error; nothing but the count if all are right.
async fn check_documents(arguments: DocumentsArguments) -> Result<(), String> {
    let DocumentsCommand::Check { file, max_cost } = arguments.command;
    let (gate, _) = documents(max_cost, None).await?;
    match Persisted::read(&file, &gate).await {
        Ok(read) => {
            tell::line(format!("{} documents fit this schema", read.count()));
            Ok(())
        }
        Err(complaints) => {
            for complaint in &complaints {
                tell::complain(complaint);
            }
            Err(format!("{} faults in {}", complaints.len(), file.display()))
        }
    }
}

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

async fn staff(arguments: StaffArguments) -> Result<(), String> {
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
    let done = manage_staff(&database, command, password).await;
    database.close().await;
    done
}

/// Organisations that anybody works in: (id, name).
pub async fn organisations(database: &Database) -> Result<Vec<(Uuid, String)>, String> {
    let pool = database.small_pool()?;
    let mut found = Vec::new();
    for id in account::organisations(&pool).await.map_err(|error| error.operator_message())? {
        let mut scope = Scope::program(&pool, id).await.map_err(|error| error.operator_message())?;
        let name = store::organisation(&mut scope).await.map_err(|error| error.operator_message())?.name;
        scope.rollback().await;
        found.push((id, name));
    }
    found.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(found)
}

/// The staff member with an e-mail, if they have their place here: who is invited only has nothing to change yet.
async fn joined(scope: &mut Scope, email: &str) -> Result<Option<Staff>, String> {
    let found = store::staff_by_email(scope, email).await.map_err(|error| error.operator_message())?;
    Ok(found.filter(|member| member.joined_at.is_some()))
}

async fn manage_staff(database: &Database, command: StaffCommand, password: Option<String>) -> Result<(), String> {
    let plain = |error: crate::error::Error| error.operator_message();
    let pool = database.small_pool()?;
    let known = organisations(database).await?;
    match command {
        StaffCommand::Add { email, name, role, organisation } => {
            let role = StaffRole::parse(&role).ok_or("--role: unknown")?;
            let hash = password::hash(password.unwrap_or_default()).await.map_err(plain)?;
            let organisation = organisation.split_whitespace().collect::<Vec<_>>().join(" ");
            let org = known.iter().find(|(_, known)| *known == organisation).map(|(id, _)| *id);
            let mut scope = Scope::program(&pool, org.unwrap_or_else(ids::new_id)).await.map_err(plain)?;
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
                invited_at: None,
                joined_at: None,
                stamp: Stamp::new(None, ids::now()),
            };
            let (member, _) =
                store::add_staff(&mut scope, member, &hash, store::Joining::AtOnce).await.map_err(plain)?;
            scope.commit().await.map_err(plain)?;
            tell::line(format!("{} is {} of {organisation}", member.email, member.role.words()));
            Ok(())
        }
        StaffCommand::List => {
            for (id, organisation) in known {
                let mut scope = Scope::program(&pool, id).await.map_err(plain)?;
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
        StaffCommand::Disable { email } => {
            let email = email.trim().to_lowercase();
            let mut done = 0;
            for (id, organisation) in known {
                let mut scope = Scope::program(&pool, id).await.map_err(plain)?;
                if let Some(member) =
                    store::staff_by_email(&mut scope, &email).await.map_err(plain)?.filter(|it| it.active)
                {
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
        StaffCommand::RemoveSecondFactor { email } => {
            let email = email.trim().to_lowercase();
            for (id, _) in known {
                let mut scope = Scope::program(&pool, id).await.map_err(plain)?;
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
        StaffCommand::ResetPassword { email } => {
            let email = email.trim().to_lowercase();
            let hash = password::hash(password.unwrap_or_default()).await.map_err(plain)?;
            for (id, _) in known {
                let mut scope = Scope::program(&pool, id).await.map_err(plain)?;
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
    }
}
