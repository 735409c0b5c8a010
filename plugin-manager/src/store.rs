//! [`Store`]: where plugins are kept, and the only way to a path in it.
//!
//! ```text
//! <data>/plugin-store/v1/
//!   store/NAME/VERSION-SHA256/     the files of one release; never changed once it has this name
//!   store/NAME/.incoming/          an installation that is under way, or was killed
//!   installed/NAME.json            the record: which releases are installed
//!   started/NAME/VERSION-SHA256    empty; its time of modification is the day on which the release was last started
//!   noticed                        when somebody was told last that there are newer versions
//!   locks/NAME                     locked while NAME is installed; never deleted
//!   catalogues/, catalogue-locks/  local copies of catalogues; see `source::copy`
//! ```
//!
//! Every path is joined from parsed types only ([`PluginName`], [`ReleaseVersion`], [`Sha256`]).

mod durable;
mod lock;
mod record;

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use spin_catalogue::{Platform, PluginName, ReleaseVersion, Sha256};

pub(crate) use durable::{sync_dir, write as write_durably};
pub(crate) use lock::{Lock, Locking};
pub(crate) use record::{FileFacts, Record, Release};

use crate::contents;

/// How exactly it is known when a release was last started: to write it down at every start would cost too much.
const STARTED_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

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

    /// The folder of everything that is kept.
    pub(crate) fn root(&self) -> &Path {
        &self.root
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
        self.plugin_dir(name).join(release_name(version, archive))
    }

    /// The folder of the marks that tell when the releases of a plugin were last started.
    pub(crate) fn started_dir(&self, name: &PluginName) -> PathBuf {
        self.root.join("started").join(name.as_str())
    }

    /// The names of plugins that have a folder of releases or of marks, whether they have a record or not.
    pub(crate) fn folders(&self) -> Result<Vec<PluginName>, StoreError> {
        let (releases, marks) = (file_names(&self.root.join("store"))?, file_names(&self.root.join("started"))?);
        Ok(releases.iter().chain(&marks).filter_map(|name| name.parse().ok()).collect())
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
        let files = file_names(&self.records_dir())?;
        Ok(files.iter().filter_map(|file| file.strip_suffix(".json")?.parse().ok()).collect())
    }

    /// The record of a plugin; one without releases if it is not installed.
    pub(crate) fn record(&self, name: &PluginName) -> Result<Record, StoreError> {
        Record::read(&self.record_path(name), name)
    }

    /// Replaces the record of a plugin; removes it if there is nothing in it. The caller holds the lock.
    pub(crate) fn write_record(&self, _lock: &Lock, record: &Record) -> Result<(), StoreError> {
        let folder = self.records_dir();
        make_dir(&folder)?;
        if record.releases.is_empty() {
            let path = self.record_path(&record.name);
            return match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(StoreError::io("remove", &path, error)),
                Ok(()) => sync_dir(&folder),
            };
        }
        write_durably(&folder, &format!("{}.json", record.name), record.to_json().as_bytes())
    }

    /// Begins to take the lock of a plugin.
    pub(crate) fn lock(&self, name: &PluginName) -> Result<Locking, StoreError> {
        let folder = self.root.join("locks");
        make_dir(&folder)?;
        Lock::begin(folder.join(name.as_str()))
    }

    /// Notes that a release is about to be started. A store that cannot be written to is no reason not to start it.
    pub(crate) fn note_start(&self, name: &PluginName, release: &Release) {
        let now = SystemTime::from(self.now());
        // A mark of the future is of a clock that was wrong.
        let recent = |last: SystemTime| now.duration_since(last).is_ok_and(|age| age < STARTED_EVERY);
        if self.last_start(name, release).is_some_and(recent) {
            return;
        }
        let folder = self.started_dir(name);
        let mark = || {
            make_dir(&folder).ok()?;
            let path = folder.join(release_name(&release.version, &release.archive));
            let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o644).open(path).ok()?;
            file.set_modified(now).ok()
        };
        _ = mark();
    }

    /// When a release was last started, up to a day too early; `None` if it never was.
    pub(crate) fn last_start(&self, name: &PluginName, release: &Release) -> Option<SystemTime> {
        let mark = self.started_dir(name).join(release_name(&release.version, &release.archive));
        fs::symlink_metadata(mark).and_then(|metadata| metadata.modified()).ok()
    }

    /// Whether a release is exactly what was installed: its executable, and the files beside it.
    pub(crate) fn verify_all(&self, name: &PluginName, release: &Release) -> Result<(), VerifyError> {
        self.verify(name, release, Verification::Always)?;
        let Some(expected) = release.contents else { return Ok(()) };
        let folder = self.release_dir(name, &release.version, &release.archive);
        match contents::digest(&folder, &self.executable_name(name)) {
            Ok(found) if found == expected => Ok(()),
            Ok(_) => Err(VerifyError::Contents(folder)),
            Err(error) => Err(VerifyError::Store(StoreError::io("read", &folder, error))),
        }
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

/// What the files of a release are called.
pub(crate) fn release_name(version: &ReleaseVersion, archive: &Sha256) -> String {
    format!("{version}-{archive}")
}

/// The names of what lies in `folder`, sorted; none if there is no such folder. What is not UTF-8 is none of ours.
fn file_names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let failed = |source| StoreError::io("list", folder, source);
    let mut names = Vec::new();
    let items = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
        items => items.map_err(failed)?,
    };
    for item in items {
        names.extend(item.map_err(failed)?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
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
    /// The files beside it, in this folder, are not those that were installed.
    Contents(PathBuf),
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
