//! The program that fills the database, fed as the file is read.

use super::{OF_THE_SERVER, environment, last_words, tool};
use crate::db::Address;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;

/// How the entries begin that a dump may have and a plain owner can't make, in the words of `pg_restore --list`. Any role
/// sets default privileges of its own and makes large objects, and then only that role could restore them; what is in the
/// system's schemas is a superuser's. The migrations make none of these.
const LEFT_OUT: [&str; 7] = [
    "DEFAULT ACL ",
    "BLOB ",
    "BLOBS ",
    "ACL - LARGE OBJECT",
    "COMMENT - LARGE OBJECT",
    "ACL pg_catalog ",
    "ACL information_schema ",
];
/// Parts of a dump in which its list must end: 128 MiB. The list of a database of forty years is in the first.
const MOST_HELD: usize = 16;

/// A dump on its way. Its first parts are held until the list of what is in it, which it begins with, is whole.
#[derive(Default)]
pub(super) struct Arriving {
    held: Vec<Vec<u8>>,
    /// Why there is no list yet.
    why: Option<String>,
    restoring: Option<Restoring>,
}

impl Arriving {
    /// Takes the next part in.
    pub(super) async fn take_in(&mut self, program: &Path, owner: &Address, part: Vec<u8>) -> Result<(), String> {
        if let Some(restoring) = &mut self.restoring {
            return restoring.feed(part).await;
        }
        self.held.push(part);
        match list(program, &self.held).await {
            Ok(list) => {
                let restoring = self.restoring.insert(Restoring::start(program, owner, &list)?);
                for part in std::mem::take(&mut self.held) {
                    restoring.feed(part).await?;
                }
                Ok(())
            }
            Err(why) if self.held.len() >= MOST_HELD => Err(why),
            Err(why) => {
                self.why = Some(why);
                Ok(())
            }
        }
    }

    /// What restores it, or why nothing does.
    pub(super) fn under_way(self) -> Result<Restoring, String> {
        self.restoring.ok_or_else(|| self.why.unwrap_or_else(|| "the backup holds no database".to_owned()))
    }
}

/// What is restored of a dump that begins with these parts, as `pg_restore --use-list` reads it.
async fn list(program: &Path, parts: &[Vec<u8>]) -> Result<String, String> {
    let mut command = tool(program);
    command.arg("--list").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let cannot = |error: std::io::Error| format!("pg_restore can't be run: {error}");
    let mut child = command.spawn().map_err(cannot)?;
    let mut input = child.stdin.take().ok_or("pg_restore has no input")?;
    let feeding = async move {
        for part in parts {
            // It reads no further than the list.
            if input.write_all(part).await.is_err() {
                break;
            }
        }
        drop(input);
    };
    let ((), ended) = tokio::join!(feeding, child.wait_with_output());
    let ended = ended.map_err(cannot)?;
    if !ended.status.success() {
        return Err(format!("pg_restore can't read the database of the backup: {}", last_words(&ended.stderr)));
    }
    Ok(kept(&String::from_utf8_lossy(&ended.stdout)))
}

/// The lines of a list without those of what is left out. One is `3369; 0 0 ACL public TABLE patient clinic_owner`.
fn kept(list: &str) -> String {
    let is_kept = |line: &&str| {
        let what = line.split_once("; ").and_then(|(_, rest)| rest.splitn(3, ' ').nth(2)).unwrap_or_default();
        !LEFT_OUT.iter().any(|start| what.starts_with(start))
    };
    list.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect()
}

/// pg_restore. It works in one transaction, and commits once it has read the last table of the dump, whether or not its
/// input has ended. So the last part of the dump is kept back until everything else is in its place.
pub(super) struct Restoring {
    child: tokio::process::Child,
    input: tokio::process::ChildStdin,
    said: tokio::task::JoinHandle<Vec<u8>>,
    /// The last part that came.
    last: Vec<u8>,
    /// What it restores; the file goes when this does.
    _list: tempfile::TempPath,
}

impl Restoring {
    fn start(program: &Path, owner: &Address, list: &str) -> Result<Self, String> {
        use tokio::io::AsyncReadExt;
        let environment = environment(owner);
        let database = environment.iter().find(|(name, _)| *name == "PGDATABASE").map(|(_, value)| value.clone());
        let cannot = |error: std::io::Error| format!("the list for pg_restore can't be written: {error}");
        let mut file = tempfile::NamedTempFile::new().map_err(cannot)?;
        file.write_all(list.as_bytes()).map_err(cannot)?;
        let list = file.into_temp_path();
        let mut command = tool(program);
        // The schema itself is there; what is in it is the owner's.
        command.args(["--no-owner", "--exit-on-error", "--single-transaction", "--no-password"]);
        command.args(OF_THE_SERVER).arg("--use-list").arg(&*list);
        command.arg(format!("--dbname={}", database.unwrap_or_default())).envs(environment);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("pg_restore can't be run: {error}"))?;
        let (input, mut err) = (child.stdin.take().ok_or("pg_restore has no input")?, child.stderr.take());
        let said = tokio::spawn(async move {
            let mut said = Vec::new();
            if let Some(err) = &mut err {
                let _ = err.read_to_end(&mut said).await;
            }
            said
        });
        Ok(Self { child, input, said, last: Vec::new(), _list: list })
    }

    async fn feed(&mut self, part: Vec<u8>) -> Result<(), String> {
        let before = std::mem::replace(&mut self.last, part);
        self.input.write_all(&before).await.map_err(|error| format!("pg_restore stopped ({error})"))
    }

    /// Gives it the last part; it commits.
    pub(super) async fn end(mut self) -> Result<(), String> {
        // Where this fails it has stopped, and says why itself.
        let _ = self.input.write_all(&self.last).await;
        drop(self.input);
        let ended = self.child.wait().await.map_err(|error| format!("pg_restore: {error}"))?;
        let said = self.said.await.unwrap_or_default();
        if ended.success() { Ok(()) } else { Err(format!("pg_restore failed: {}", last_words(&said))) }
    }

    /// Ends it before it has the last part, so that it does not commit; why it went wrong, in its own words if it has any.
    pub(super) async fn give_up(mut self, why: String) -> String {
        let ended = tokio::time::timeout(std::time::Duration::from_millis(200), self.child.wait()).await;
        let _ = self.child.kill().await;
        let said = self.said.await.unwrap_or_default();
        match ended {
            Ok(_) if !said.is_empty() => format!("pg_restore failed: {}", last_words(&said)),
            _ => why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_owner_can_not_make_is_left_out_of_the_list() {
        let stays = ";     dbname: a\n;\n228; 1255 16404 FUNCTION public f() clinic_owner\n\
            3370; 0 0 ACL public TABLE patient clinic_owner\n3369; 0 0 COMMENT public TABLE patient clinic_owner\n\
            3371; 2604 1 DEFAULT public patient id clinic_owner\n3356; 0 16390 TABLE DATA public patient clinic_owner\n";
        let goes = "3358; 2613 16409 BLOB - 16409 clinic_app\n3359; 2613 16409 BLOB METADATA - 16409..16411 clinic_app\n\
            3361; 0 0 BLOBS - BLOBS \n3371; 0 0 COMMENT - LARGE OBJECT 16411 clinic_app\n\
            3372; 0 0 ACL - LARGE OBJECTS 16409..16411 clinic_app\n\
            3373; 0 0 ACL pg_catalog FUNCTION lo_creat(integer) postgres\n\
            2043; 826 16405 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES clinic_app\n\
            2045; 826 16407 DEFAULT ACL - DEFAULT PRIVILEGES FOR TYPES clinic_app\n";
        assert_eq!(kept(&format!("{stays}{goes}")), stays);
        assert_eq!(kept(goes), "");
    }
}
