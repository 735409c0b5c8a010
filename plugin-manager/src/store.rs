//! [`Store`]: where plugins are kept, and the only way to a path in it.
//!
//! ```text
//! <data>/plugin-store/v1/
//!   store/NAME/VERSION-SHA256/     the files of one release; never changed once it has this name
//!   store/NAME/.incoming/          an installation that is under way, or was killed
//!   installed/NAME.json            the record: which releases are installed
//!   locks/NAME                     locked while NAME is installed; never deleted
//! ```
//!
//! Every path is joined from parsed types only ([`PluginName`], [`ReleaseVersion`], [`Sha256`]).

mod durable;
mod lock;
mod record;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use spin_catalogue::{Platform, PluginName, ReleaseVersion, Sha256};

pub(crate) use durable::{sync_dir, write as write_durably};
pub(crate) use lock::{Lock, Locking};
pub(crate) use record::{FileFacts, Record, Release};

/// Tells the time. Tests give a clock that stands still.
pub type Clock = fn() -> jiff::Timestamp;

/// When the bytes of an executable are hashed before it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// If size, times, inode or device of the file are not those that were recorded.
    IfTouched,
    /// Always.
    Always,
}

/// The store of one data folder.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: PathBuf,
    platform: Platform,
    clock: Clock,
}

impl Store {
    /// The store in `data_dir`. Touches no file.
    pub(crate) fn new(data_dir: &Path, platform: Platform, clock: Clock) -> Self {
        Self { root: data_dir.join("plugin-store").join("v1"), platform, clock }
    }

    /// The time, for records.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        (self.clock)()
    }

    /// The folder of all releases of a plugin.
    pub(crate) fn plugin_dir(&self, name: &PluginName) -> PathBuf {
        self.root.join("store").join(name.as_str())
    }

    /// The folder of one release.
    pub(crate) fn release_dir(&self, name: &PluginName, version: &ReleaseVersion, archive: &Sha256) -> PathBuf {
        self.plugin_dir(name).join(format!("{version}-{archive}"))
    }

    /// The file name of a plugin's executable.
    pub(crate) fn executable_name(&self, name: &PluginName) -> String {
        self.platform.executable_name(name)
    }

    /// The executable of one release.
    pub(crate) fn executable(&self, name: &PluginName, release: &Release) -> PathBuf {
        self.release_dir(name, &release.version, &release.archive).join(self.executable_name(name))
    }

    fn records_dir(&self) -> PathBuf {
        self.root.join("installed")
    }

    fn record_path(&self, name: &PluginName) -> PathBuf {
        self.records_dir().join(format!("{name}.json"))
    }

    /// The names of the plugins that have a record, sorted. Other files there are none of ours.
    pub(crate) fn names(&self) -> Result<Vec<PluginName>, StoreError> {
        let folder = self.records_dir();
        let failed = |source| StoreError::io("list", &folder, source);
        let mut names = Vec::new();
        let items = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
            items => items.map_err(failed)?,
        };
        for item in items {
            let file = item.map_err(failed)?.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(".json")).and_then(|name| name.parse().ok());
            names.extend(name);
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The record of a plugin; one without releases if it is not installed.
    pub(crate) fn record(&self, name: &PluginName) -> Result<Record, StoreError> {
        Record::read(&self.record_path(name), name)
    }

    /// Replaces the record of a plugin. The caller holds the lock.
    pub(crate) fn write_record(&self, _lock: &Lock, record: &Record) -> Result<(), StoreError> {
        let folder = self.records_dir();
        make_dir(&folder)?;
        write_durably(&folder, &format!("{}.json", record.name), record.to_json().as_bytes())
    }

    /// Begins to take the lock of a plugin.
    pub(crate) fn lock(&self, name: &PluginName) -> Result<Locking, StoreError> {
        let folder = self.root.join("locks");
        make_dir(&folder)?;
        Lock::begin(folder.join(name.as_str()))
    }

    /// Compares the executable of a release with its record, and gives its path if it is the one.
    pub(crate) fn verify(
        &self,
        name: &PluginName,
        release: &Release,
        verification: Verification,
    ) -> Result<PathBuf, VerifyError> {
        let path = self.executable(name, release);
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => VerifyError::Missing(path.clone()),
            _ => VerifyError::Store(StoreError::io("read", &path, error)),
        };
        let metadata = fs::symlink_metadata(&path).map_err(failed)?;
        if !metadata.is_file() || metadata.len() != release.executable.size {
            return Err(VerifyError::Differs(path));
        }
        if verification == Verification::IfTouched && release.executable.untouched(&metadata) {
            return Ok(path);
        }
        let facts = FileFacts::of(&path).map_err(failed)?;
        match facts.sha256 == release.executable.sha256 {
            true => Ok(path),
            false => Err(VerifyError::Differs(path)),
        }
    }
}

/// Makes a folder of the store, and those above it. Whatever the umask is, nobody else may write in them.
pub(crate) fn make_dir(path: &Path) -> Result<(), StoreError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(path);
    made.map_err(|source| StoreError::io("make", path, source))
}

/// Why the executable of a release must not be started.
#[derive(Debug)]
pub(crate) enum VerifyError {
    /// There is no such file.
    Missing(PathBuf),
    /// It is not the file that was installed.
    Differs(PathBuf),
    /// It cannot be read.
    Store(StoreError),
}

/// The store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Something could not be read or written.
    #[error("could not {action} {}: {source}; check that the folder is yours and that the disk is not full", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A record is not one.
    #[error(
        "{} is not the record of an installed plugin ({problem}); remove the file and install the plugin again",
        path.display()
    )]
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A newer version of this program has written the record.
    #[error(
        "{} has schema {found} and this version of spin reads schema {}; it was written by a newer spin: update this one",
        path.display(),
        record::SCHEMA
    )]
    Newer {
        /// The record.
        path: PathBuf,
        /// Its schema.
        found: u64,
    },
    /// A task of the installation did not end in an orderly way.
    #[error("the installation was broken off by the program itself: {0}")]
    Aborted(String),
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "store::io",
            Self::Record { .. } => "store::bad-record",
            Self::Newer { .. } => "store::newer-record",
            Self::Aborted(_) => "store::aborted",
        }
    }
}
