//! One lock a plugin, held while its releases or its record change. The kernel frees it when its holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::StoreError;

/// The lock of a plugin. Dropping it frees it; the file stays, since deleting it would let two hold "the" lock.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// The outcome of asking for a lock without waiting.
#[derive(Debug)]
pub(crate) enum Locking {
    /// It is ours.
    Held(Lock),
    /// Another holds it.
    Busy(Waiting),
}

/// A lock that another holds.
#[derive(Debug)]
pub(crate) struct Waiting {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock at `path` if nobody holds it.
    pub(crate) fn begin(path: PathBuf) -> Result<Locking, StoreError> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| StoreError::io("open", &path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Locking::Held(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(Locking::Busy(Waiting { file, path })),
            Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &path, error)),
        }
    }
}

impl Waiting {
    /// Blocks until the lock is ours.
    pub(crate) fn wait(self) -> Result<Lock, StoreError> {
        let Self { file, path } = self;
        loop {
            match file.lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StoreError::io("lock", &path, error)),
            }
        }
    }
}
