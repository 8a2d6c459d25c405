//! `clinic defaults`.

use super::{organisations, tell};
use crate::access::Scope;
use crate::config::{DefaultsArguments, DefaultsCommand};
use crate::db::Database;
use crate::equip::update::{Line, Step, update};

pub(super) async fn run(arguments: DefaultsArguments) -> Result<(), String> {
    let DefaultsArguments { database, command } = arguments;
    let DefaultsCommand::Update { dry_run, organisation } = command;
    let mut database = Database::reach(&database).await?;
    let done = bring(&database, dry_run, organisation.as_deref()).await;
    database.close().await;
    done
}

async fn bring(database: &Database, dry_run: bool, only: Option<&str>) -> Result<(), String> {
    let pool = database.small_pool()?;
    let wanted = organisations(database).await?.into_iter().filter(|(_, name)| only.is_none_or(|only| only == name));
    let wanted: Vec<_> = wanted.collect();
    if let Some(only) = only.filter(|_| wanted.is_empty()) {
        return Err(format!("--organisation {only}: there is none with this name"));
    }
    for (id, name) in wanted {
        let mut scope = Scope::program(&pool, id).await.map_err(|error| error.operator_message())?;
        let lines = match update(&mut scope, dry_run).await {
            Ok(lines) => lines,
            Err(error) => {
                scope.rollback().await;
                return Err(format!("{name}: {}; nothing was changed there", error.operator_message()));
            }
        };
        if dry_run {
            scope.rollback().await;
        } else {
            scope.commit().await.map_err(|error| format!("{name}: {}", error.operator_message()))?;
        }
        tell::line(format!("{name}:"));
        lines.iter().for_each(|line| tell_of(line, dry_run));
        let changed = lines.iter().filter(|it| matches!(it.step, Step::Added | Step::Replaced(_))).count();
        tell::line(match (dry_run, changed) {
            (_, 0) => "  nothing to bring".to_owned(),
            (true, _) => format!("  {changed} would change; without --dry-run they do"),
            (false, _) => format!("  {changed} changed; plans and sessions keep the versions they began with"),
        });
    }
    Ok(())
}

fn tell_of(line: &Line, dry_run: bool) {
    let will = if dry_run { "would be " } else { "" };
    let step = match line.step {
        Step::Current => return,
        Step::Added => format!("{will}added"),
        Step::Replaced(number) => format!("{will}replaced by version {number}"),
        Step::Yours => "stays: the clinic published a version of its own".to_owned(),
        Step::OutOfUse => "stays out of use".to_owned(),
    };
    tell::line(format!("  {} \"{}\": {step}", line.what, line.name));
    for change in &line.changes {
        tell::line(format!("    {change}"));
    }
}
