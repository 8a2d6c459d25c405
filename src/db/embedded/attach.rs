//! Attaches to a server that another process of this program started and holds. Nothing here starts, stops or writes
//! anything.

use std::path::Path;
use std::time::{Duration, Instant};

use super::passwords::Passwords;
use super::{StartError, url_of};

/// How long to wait for a server that is just starting.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// A server that belongs to another process.
pub struct Attached {
    /// URL of the role `clinic_owner` on the database `clinic`.
    pub owner_url: String,
    /// The same for the superuser: only for backups.
    pub superuser_url: String,
}

/// The server that runs on a data folder, once it answers.
///
/// # Errors
///
/// No server answers, or its passwords can't be read; in one line.
pub async fn attach(data_dir: &Path) -> Result<Attached, StartError> {
    let start = Instant::now();
    loop {
        match look(data_dir) {
            Ok(attached) => match tokio_postgres::connect(&attached.owner_url, tokio_postgres::NoTls).await {
                Ok(_) => return Ok(attached),
                Err(error) if start.elapsed() > WAIT_MAX => return Err(silent(data_dir, &error)),
                Err(_) => {}
            },
            Err(why) if start.elapsed() > WAIT_MAX => return Err(why),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn silent(data_dir: &Path, why: &dyn std::fmt::Display) -> StartError {
    let folder = data_dir.display();
    StartError::new(format!(
        "another clinic service is using the data folder {folder}, and its Postgres can't be used: {why}"
    ))
}

fn look(data_dir: &Path) -> Result<Attached, StartError> {
    let failed = |error: std::io::Error| silent(data_dir, &error);
    // Its fifth line is the folder of the socket.
    let about = std::fs::read_to_string(data_dir.join("postgres/data/postmaster.pid")).map_err(failed)?;
    let socket = about.lines().nth(4).filter(|line| line.starts_with('/'));
    let socket = Path::new(socket.ok_or_else(|| silent(data_dir, &"it has no socket"))?);
    let passwords = Passwords::read(data_dir)?;
    Ok(Attached {
        owner_url: url_of("clinic_owner", &passwords.owner, "clinic", socket),
        superuser_url: url_of("postgres", &passwords.superuser, "clinic", socket),
    })
}
