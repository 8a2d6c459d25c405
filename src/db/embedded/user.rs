//! The user that Postgres runs as. It refuses to run as root, so root starts it as another user. Everything inside its
//! folder is done as that user too, so that root never writes where somebody else could have placed a link.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::StartError;

/// The operating-system user of Postgres and of all that touches its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// The user who runs the service.
    Ourselves,
    /// Another, because the service runs as root.
    Other {
        /// Its numeric id.
        uid: u32,
        /// Its main group.
        gid: u32,
    },
}

impl User {
    /// The user to give a new folder to, when root starts the service: `postgres` where the system has it.
    pub(super) fn for_root() -> Result<Self, StartError> {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        ["postgres", "_postgres", "nobody"].iter().find_map(|name| find_in(&passwd, name)).ok_or_else(|| {
            StartError::new(
                "Postgres does not run as root, and there is no user postgres or nobody to run it as; start clinic as \
                 an ordinary user",
            )
        })
    }

    /// A command run as this user, in its own process group (Ctrl-C in the terminal does not reach it), with an
    /// environment free of `PG…` variables and of the service's secrets.
    pub(super) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").current_dir("/").process_group(0);
        for name in ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        if let Self::Other { uid, gid } = self {
            // Given a user and no groups, std also drops root's supplementary groups.
            command.gid(gid).uid(uid);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A shell script run as this user; the files it makes are accessible only to this user.
    pub(super) fn shell(self, script: &str) -> Command {
        let mut command = self.command(Path::new("/bin/sh"));
        command.arg("-c").arg(format!("umask 077\n{script}")).arg("sh");
        command
    }
}

/// Whether the service itself runs as root. std has no safe function for it.
pub(super) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Runs a command to its end with `input` on its standard input. Returns its output, or in one line why it failed.
pub(super) fn run(command: &mut Command, input: &str) -> Result<String, String> {
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that failed before reading says why itself.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = complaint(&String::from_utf8_lossy(&output.stderr));
    Err(if said.is_empty() { output.status.to_string() } else { said })
}

/// Why a Postgres program failed: the most severe of its messages, or else the last.
pub(super) fn complaint(said: &str) -> String {
    const GRAVE: [&str; 3] = ["FATAL: ", "PANIC: ", "error: "];
    let grave =
        |line: &'_ str| GRAVE.iter().find_map(|mark| line.split_once(mark).map(|(_, why)| why.trim().to_owned()));
    let mut grave: Vec<String> = said.lines().filter_map(grave).collect();
    grave.dedup();
    if grave.is_empty() { one_line(said, 3) } else { one_line(&grave.join("\n"), 3) }
}

/// The last few lines of a text, joined into one.
fn one_line(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("; ")
}

fn find_in(passwd: &str, name: &str) -> Option<User> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    let uid = fields.next()?.parse().ok().filter(|uid| *uid != 0)?;
    Some(User::Other { uid, gid: fields.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd = "postgres2:x:7:7::/:/bin/sh\npostgres:x:101:104:,,,:/var:/bin/bash\nnobody:*:-2:-2::/:/x\n";
        assert_eq!(find_in(passwd, "postgres"), Some(User::Other { uid: 101, gid: 104 }));
        assert_eq!(find_in(passwd, "nobody"), None, "ids below zero are not ours to guess");
        assert_eq!(find_in(passwd, "root"), None);
    }

    #[test]
    fn the_last_lines_become_one() {
        assert_eq!(one_line("a\n\n b\nc \n", 2), "b; c");
        assert_eq!(one_line("", 2), "");
    }

    #[test]
    fn the_gravest_words_are_the_reason() {
        let said = "running bootstrap script ... \n2026 UTC [7] FATAL:  no space left on device\nAborted\n";
        assert_eq!(complaint(said), "no space left on device");
        assert_eq!(complaint("initdb: error: invalid locale name \"x\"\n"), "invalid locale name \"x\"");
        assert_eq!(complaint("sh: not found"), "sh: not found");
    }

    #[test]
    fn a_failure_says_what_the_command_said() {
        assert_eq!(run(&mut User::Ourselves.shell("echo no room >&2; exit 3"), ""), Err("no room".to_owned()));
        assert_eq!(run(&mut User::Ourselves.shell("cat"), "told"), Ok("told".to_owned()));
    }
}
