//! What each command of the command line does.

mod audit;
mod defaults;
mod progress;
mod safekeeping;
mod staff;
mod tell;

use crate::access::{Scope, account};
use crate::api;
use crate::api::persisted::Persisted;
use crate::config::{
    Command, CommandLine, DatabaseSettings, DemoSettings, DocumentsArguments, DocumentsCommand, LogFormat,
    ServeSettings,
};
use crate::db::Database;
use crate::demo::{self, Demo};
use crate::objects::Objects;
use crate::organisation::store;
use crate::server::{Prepared, Server, documents};
use std::io::IsTerminal;
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
            Command::Staff(arguments) => staff::run(arguments).await,
            Command::Demo(settings) => fill_demo(settings).await,
            Command::Documents(arguments) => check_documents(arguments).await,
            Command::Defaults(arguments) => defaults::run(arguments).await,
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
pub async fn start(settings: &ServeSettings) -> Result<(Server, Option<Demo>), String> {
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
    match Persisted::read(&file, &gate) {
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
