//! The program that fills the database, fed as the file is read.

use super::{environment, last_words};
use crate::db::Address;
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;

/// pg_restore. It works in one transaction.
pub(super) struct Restoring {
    child: tokio::process::Child,
    input: tokio::process::ChildStdin,
    said: tokio::task::JoinHandle<Vec<u8>>,
}

impl Restoring {
    pub(super) fn start(program: &Path, owner: &Address) -> Result<Self, String> {
        use tokio::io::AsyncReadExt;
        let environment = environment(owner);
        let database = environment.iter().find(|(name, _)| *name == "PGDATABASE").map(|(_, value)| value.clone());
        let mut command = tokio::process::Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        // The schema itself is there; what is in it is the owner's.
        command.args(["--no-owner", "--exit-on-error", "--single-transaction", "--no-password"]);
        command.arg(format!("--dbname={}", database.unwrap_or_default())).envs(environment);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("pg_restore can't be run: {error}"))?;
        let (input, mut err) = (child.stdin.take().ok_or("pg_restore has no input")?, child.stderr.take());
        let said = tokio::spawn(async move {
            let mut said = Vec::new();
            if let Some(err) = &mut err {
                let _ = err.read_to_end(&mut said).await;
            }
            said
        });
        Ok(Self { child, input, said })
    }

    pub(super) async fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.input.write_all(bytes).await.map_err(|error| format!("pg_restore stopped ({error})"))
    }

    /// Its input ends; it commits.
    pub(super) async fn end(mut self) -> Result<(), String> {
        drop(self.input);
        let ended = self.child.wait().await.map_err(|error| format!("pg_restore: {error}"))?;
        let said = self.said.await.unwrap_or_default();
        if ended.success() { Ok(()) } else { Err(format!("pg_restore failed: {}", last_words(&said))) }
    }

    /// Ends it before its input does, so that it does not commit; why it went wrong, in its own words if it has any.
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
