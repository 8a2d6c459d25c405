//! The cluster's files while no server runs on them: creating them, and clearing up after a service that was killed.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Command;

use super::StartError;
use super::find::Binaries;
use super::home::Home;
use super::passwords::{Passwords, random_hex};
use super::user::{User, run};

/// Creates the cluster unless there is one. A half-made one, from a start that was killed, is never mistaken for a
/// cluster, because it gets its name last.
pub(super) fn make(home: &Home, binaries: &Binaries, passwords: &Passwords, durable: bool) -> Result<(), StartError> {
    let cluster = home.cluster();
    if cluster.join("PG_VERSION").exists() {
        return if passwords.new { set_superuser_password(home, binaries, passwords) } else { Ok(()) };
    }
    tracing::info!(folder = %home.path.display(), "making the database, once");
    let mut why = String::new();
    for locale in locales(binaries.major) {
        // The name is new each time: an initdb that outlived its service may still write into an older one.
        let half = home.path.join(format!("data.new-{}", random_hex(4)));
        let script = r#"
            rm -rf "$1"/data.new-*
            half=$2 initdb=$3
            shift 3
            # A pipe of its own: the one from root is not this user's to open by name.
            cat | "$initdb" -D "$half" --username=postgres --pwfile=/dev/stdin "$@""#;
        let mut command = home.user.shell(script);
        command.arg(&home.path).arg(&half).arg(binaries.program("initdb"));
        command.args(["--encoding=UTF8", "--auth=scram-sha-256", "--data-checksums"]);
        command.args(["--locale=C", "--text-search-config=simple"]).args(locale);
        if !durable {
            command.arg("--no-sync");
        }
        match run(&mut command, &format!("{}\n", passwords.superuser)) {
            Ok(_) => return keep(home, &half).map_err(|error| StartError::at(&cluster, "made", &error)),
            Err(error) => why = error,
        }
        if !["locale", "encoding"].iter().any(|word| why.contains(word)) {
            break;
        }
    }
    Err(StartError::new(format!("the database could not be made in {}: {why}", home.path.display())))
}

/// Gives the complete cluster its final name. Only a live service that holds the lock gets here.
fn keep(home: &Home, half: &Path) -> io::Result<()> {
    std::fs::rename(half, home.cluster())?;
    File::open(&home.path)?.sync_all()
}

/// The locales to try, best first. Sorting is by bytes, which is fast and the same on every system; character classes
/// and case follow Unicode, so that searching a name with an accent works. The first locale known to the system is
/// used.
fn locales(major: u32) -> Vec<Vec<&'static str>> {
    let mut all = Vec::new();
    if major >= 17 {
        all.push(vec!["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--lc-ctype=C.UTF-8"]);
        all.push(vec!["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
    }
    all.extend([vec!["--lc-ctype=C.UTF-8"], vec!["--lc-ctype=en_US.UTF-8"], vec![]]);
    all
}

/// For a cluster whose password file is lost. Whoever may run `postgres` on the files needs no password.
fn set_superuser_password(home: &Home, binaries: &Binaries, passwords: &Passwords) -> Result<(), StartError> {
    tracing::warn!("the database's password file was lost: setting new passwords");
    let sql = format!("ALTER ROLE postgres PASSWORD '{}'\n", passwords.superuser);
    let mut command = home.user.command(&binaries.program("postgres"));
    command.args(["--single", "-j", "-c", "password_encryption=scram-sha-256", "-D"]).arg(home.cluster());
    run(command.arg("postgres"), &sql.replace('\n', "\n\n"))
        .map(drop)
        .map_err(|why| StartError::new(format!("new passwords could not be set: {why}")))
}

/// Stops a server of this cluster that outlived its service, and makes sure that the `postmaster.pid` of a dead one,
/// whose process id may be in use again, does not prevent the next start.
pub(super) fn clear(home: &Home, binaries: &Binaries) -> Result<(), StartError> {
    let cluster = home.cluster();
    let pid_file = cluster.join("postmaster.pid");
    let Ok(text) = std::fs::read_to_string(&pid_file) else {
        return Ok(());
    };
    let pid: Option<u32> = text.lines().next().and_then(|line| line.trim().parse().ok());
    if pid.is_some_and(|pid| is_server_of(pid, &cluster)) {
        tracing::info!(pid, "stopping the Postgres that an earlier clinic service left running");
        let mut command = home.user.command(&binaries.program("pg_ctl"));
        command.args(["stop", "-m", "fast", "-w", "-t", "120", "-D"]).arg(&cluster);
        return run(&mut command, "").map(drop).map_err(|why| {
            StartError::new(format!("the Postgres that an earlier clinic service left running does not stop: {why}"))
        });
    }
    // The file also names the shared memory by which Postgres knows that no orphan still works on the files, so it
    // stays. Only the dead number goes: our own is the new server's parent, which Postgres takes for no rival. An
    // empty file, left by a crash between its making and its filling, Postgres would not start over.
    let script = r#"if [ -s "$1" ]; then cat >"$1"; else rm -f "$1"; fi"#;
    let rest: String = text.lines().skip(1).map(|line| format!("{line}\n")).collect();
    run(home.user.shell(script).arg(&pid_file), &format!("{}\n{rest}", std::process::id()))
        .map(drop)
        .map_err(|why| StartError::new(format!("{} can't be corrected: {why}", pid_file.display())))
}

/// Whether a process is the server of this cluster: Postgres works in its cluster's folder and names it with `-D`.
fn is_server_of(pid: u32, cluster: &Path) -> bool {
    let proc = Path::new("/proc").join(pid.to_string());
    if Path::new("/proc/self/cmdline").exists() {
        let command = std::fs::read(proc.join("cmdline")).unwrap_or_default();
        let named = command.split(|byte| *byte == 0).any(|word| word == cluster.as_os_str().as_encoded_bytes());
        return named || std::fs::read_link(proc.join("cwd")).is_ok_and(|folder| folder == cluster);
    }
    let mut ps: Command = User::Ourselves.command(Path::new("/bin/ps"));
    run(ps.args(["-ww", "-o", "command=", "-p", &pid.to_string()]), "")
        .is_ok_and(|command| command.contains("postgres") && command.contains(&cluster.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_is_no_postgres() {
        assert!(!is_server_of(std::process::id(), Path::new("/srv/clinic/postgres/data")));
    }

    #[test]
    fn a_process_in_the_folder_is_its_server() {
        let here = std::env::current_dir().unwrap_or_default();
        assert!(!Path::new("/proc/self/cwd").exists() || is_server_of(std::process::id(), &here));
    }
}
