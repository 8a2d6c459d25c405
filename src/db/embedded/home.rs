//! Where Postgres lives: `<data_dir>/postgres`, which belongs to the user it runs as.
//!
//! Started by an ordinary user, everything is that user's. Started by root, the folder belongs to `postgres` or
//! `nobody` (or to whoever owned it before), and the data folder itself lets others pass through, though not look.
//! Where that user can't come (a checkout under /root), the folder is made in /var/lib/clinic instead, and
//! `<data_dir>/postgres` is a link to it: the link decides at every later start.
//!
//! Inside: `data` (the cluster), `run` (the socket), `server.log`.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use super::StartError;
use super::passwords::random_hex;
use super::user::{User, is_root, run};

/// The longest path of a Unix socket on every system (macOS has 103 bytes, Linux 107).
const SOCKET_PATH_MAX: usize = 103;
const SOCKET_NAME: &str = "/.s.PGSQL.5432";

/// Postgres' folder, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Home {
    /// The folder itself, all links resolved.
    pub(super) path: PathBuf,
    /// Its owner, who runs Postgres.
    pub(super) user: User,
}

/// Creates the data folder if there is none, and returns its full path.
pub(super) fn make_data_dir(data_dir: &Path) -> Result<PathBuf, StartError> {
    let above = data_dir.parent().map_or(Ok(()), fs::create_dir_all);
    above.and_then(|()| make(data_dir)).map_err(|error| StartError::at(data_dir, "made", &error))
}

impl Home {
    /// Finds or makes the folder.
    pub(super) fn open(data_dir: &Path, durable: bool) -> Result<Self, StartError> {
        let link = data_dir.join("postgres");
        if !is_root() {
            let path = make(&link).map_err(|error| StartError::at(&link, "made", &error))?;
            return Ok(Self { path, user: User::Ourselves });
        }
        let place = fs::read_link(&link).unwrap_or_else(|_| link.clone());
        if place == link {
            let mode = fs::metadata(data_dir).map_err(|error| StartError::at(data_dir, "read", &error))?.mode();
            fs::set_permissions(data_dir, Permissions::from_mode(mode | 0o011))
                .map_err(|error| StartError::at(data_dir, "opened to Postgres", &error))?;
        }
        let home = Self::make_for_other(&place)?;
        if home.is_reachable() {
            return Ok(home);
        }
        if place != link || home.cluster().exists() {
            return Err(StartError::new(format!(
                "Postgres can't run as root, and the user it runs as can't reach {}; open the folders above it \
                 (chmod o+x) or give another with --data-dir",
                home.path.display()
            )));
        }
        let away = if durable { Path::new("/var/lib/clinic").join(random_hex(8)) } else { away_for_tests() };
        fs::remove_dir(&link)
            .and_then(|()| symlink(&away, &link))
            .map_err(|error| StartError::at(&link, "linked", &error))?;
        let home = Self::make_for_other(&away)?;
        tracing::info!(folder = %home.path.display(), "Postgres can't reach the data folder: its files are kept here");
        if home.is_reachable() {
            return Ok(home);
        }
        Err(StartError::new(format!("the user Postgres runs as can't write in {}", home.path.display())))
    }

    fn make_for_other(place: &Path) -> Result<Self, StartError> {
        let failed = |error: io::Error| StartError::at(place, "made", &error);
        if let Some(above) = place.parent() {
            DirBuilder::new().recursive(true).mode(0o755).create(above).map_err(failed)?;
        }
        let path = make(place).map_err(failed)?;
        let owner = fs::metadata(&path).map_err(failed)?;
        if owner.uid() != 0 {
            return Ok(Self { path, user: User::Other { uid: owner.uid(), gid: owner.gid() } });
        }
        let user = User::for_root()?;
        if let User::Other { uid, gid } = user {
            // If the owner of files can't be changed, the user can't reach them either, and that is checked next.
            let _ = chown(&path, Some(uid), Some(gid));
        }
        Ok(Self { path, user })
    }

    fn is_reachable(&self) -> bool {
        let script = r#"cd "$1" && : >.reached && rm .reached"#;
        run(self.user.shell(script).arg(&self.path), "").is_ok()
    }

    /// The cluster (`PGDATA`).
    pub(super) fn cluster(&self) -> PathBuf {
        self.path.join("data")
    }

    /// The log file of Postgres.
    pub(super) fn log(&self) -> PathBuf {
        self.path.join("server.log")
    }

    /// The major version that made the cluster; none before the first start.
    pub(super) fn made_by(&self) -> Option<u32> {
        fs::read_to_string(self.cluster().join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// A folder that belongs to the user, with a path short enough for a socket, cleared of an earlier server's files.
    /// Call it only when no server of this cluster runs.
    pub(super) fn socket_dir(&self) -> Result<PathBuf, StartError> {
        let mut places = vec![self.path.join("run")];
        for short in [std::env::temp_dir(), PathBuf::from("/tmp")] {
            places.push(short.join(format!("clinic-{}", short_hash(&self.path))));
            places.push(short.join(format!("clinic-{}", random_hex(6))));
        }
        places.retain(|place| fits_a_socket(place));
        let script = r#"
            if mkdir "$1" 2>/dev/null || { [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ]; }; then
                chmod 700 "$1" && rm -f "$1"/.s.PGSQL.*
            else
                echo "$1 can't be made, or belongs to somebody else" >&2; exit 1
            fi"#;
        let mut why = format!("the path of {} is too long for a Unix socket", self.path.display());
        for place in places {
            match run(self.user.shell(script).arg(&place), "") {
                Ok(_) => return Ok(place),
                Err(error) => why = error,
            }
        }
        Err(StartError::new(format!("no folder for Postgres' socket: {why}")))
    }
}

/// Creates a folder accessible only to its owner, unless there is one.
fn make(path: &Path) -> io::Result<PathBuf> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => path.canonicalize(),
    }
}

/// Not for real records: the system may empty it.
fn away_for_tests() -> PathBuf {
    std::env::temp_dir().join(format!("clinic-{}", random_hex(8)))
}

/// A comma would end a host's name in a URL, and what is not Unicode can't be in one.
fn fits_a_socket(dir: &Path) -> bool {
    dir.to_str().is_some_and(|dir| dir.len() + SOCKET_NAME.len() <= SOCKET_PATH_MAX && !dir.contains(','))
}

/// The same for the same path, on one machine and build; a name, not a secret.
fn short_hash(path: &Path) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    format!("{:012x}", hasher.finish() & 0xffff_ffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_needs_a_short_plain_path() {
        assert!(fits_a_socket(Path::new("/srv/clinic/postgres/run")));
        assert!(!fits_a_socket(&Path::new("/srv").join("x".repeat(90))));
        assert!(!fits_a_socket(Path::new("/srv/a,b")));
    }
}
