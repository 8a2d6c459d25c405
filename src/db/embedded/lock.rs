//! One service for each data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::StartError;

/// Locks the data folder until dropped. The kernel releases the lock when the process dies, however it dies.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes `<data_dir>/lock`, or says that another service has it.
    pub(super) fn take(data_dir: &Path) -> Result<Self, StartError> {
        let path = data_dir.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| StartError::at(&path, "opened", &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                let folder = data_dir.display();
                let refusal = StartError::new(format!(
                    "another clinic service is using the data folder {folder}; stop it or give another with --data-dir"
                ));
                Err(StartError { in_use: true, ..refusal })
            }
            Err(TryLockError::Error(error)) => Err(StartError::at(&path, "locked", &error)),
        }
    }
}
