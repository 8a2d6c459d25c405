//! The random passwords of the two roles that the service uses in its own Postgres.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::StartError;

/// Kept in `<data_dir>/passwords`, mode 0600, so that psql may be used too.
pub(super) struct Passwords {
    /// Of `postgres`, the superuser.
    pub(super) superuser: String,
    /// Of `clinic_owner`.
    pub(super) owner: String,
    /// Whether they were made just now, so that an existing cluster does not know them.
    pub(super) new: bool,
}

impl Passwords {
    /// Reads them, or makes them at the first start.
    pub(super) fn open(data_dir: &Path) -> Result<Self, StartError> {
        let path = data_dir.join("passwords");
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).ok_or_else(|| {
                StartError::new(format!("{} is damaged; delete it and start again for new ones", path.display()))
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let made = Self { superuser: random_hex(24), owner: random_hex(24), new: true };
                made.write(data_dir).map_err(|error| StartError::at(&path, "written", &error))?;
                Ok(made)
            }
            Err(error) => Err(StartError::at(&path, "read", &error)),
        }
    }

    /// Reads those of a folder that another process started, without making any.
    pub(super) fn read(data_dir: &Path) -> Result<Self, StartError> {
        let path = data_dir.join("passwords");
        let text = fs::read_to_string(&path).map_err(|error| StartError::at(&path, "read", &error))?;
        Self::parse(&text).ok_or_else(|| StartError::new(format!("{} is damaged", path.display())))
    }

    fn parse(text: &str) -> Option<Self> {
        let of = |role: &str| {
            let password = text.lines().find_map(|line| line.strip_prefix(role)?.strip_prefix('='))?;
            let is_ours = password.len() == 48 && password.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_ours.then(|| password.to_owned())
        };
        Some(Self { superuser: of("postgres")?, owner: of("clinic_owner")?, new: false })
    }

    /// Writes the file completely or not at all, even if the power fails.
    fn write(&self, data_dir: &Path) -> std::io::Result<()> {
        let half = data_dir.join("passwords.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
        file.write_all(format!("postgres={}\nclinic_owner={}\n", self.superuser, self.owner).as_bytes())?;
        file.sync_all()?;
        fs::rename(&half, data_dir.join("passwords"))?;
        File::open(data_dir)?.sync_all()
    }
}

/// This many random bytes as hexadecimal digits, which need no quoting in SQL or in a URL.
pub(super) fn random_hex(bytes: usize) -> String {
    (0..bytes).map(|_| format!("{:02x}", rand::random::<u8>())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn passwords_are_made_once_and_for_one_reader() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (Passwords::open(dir.path()).unwrap(), Passwords::open(dir.path()).unwrap());
        assert!(first.new && !second.new);
        assert_eq!((first.superuser, first.owner), (second.superuser, second.owner));
        let mode = fs::metadata(dir.path().join("passwords")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(dir.path().join("passwords"), "postgres=x'; DROP\nclinic_owner=y\n").unwrap();
        assert!(Passwords::open(dir.path()).is_err());
    }
}
