//! The private folders of a running `spin`: made, locked while it lives, removed after, also after a kill.
//!
//! A folder is `<base>/spinup-<random>`, mode 0700, holding a lock file that this process keeps locked. The kernel
//! drops the lock when the process ends, however it ends; so a folder of this naming that is owned by us and whose
//! lock file is free was left by a `spin` that could not clean up, and the next start removes it. A folder without
//! the lock file is somebody else's (the public Spin names its folders alike) and is never touched.
//!
//! Inside the working directory:
//!
//! ```text
//! .lock                 locked while alive
//! spin.lock             link to the lock file of the current generation
//! gen-1/spin.lock       what SPIN_LOCKED_URL names; SPIN_WORKING_DIR is gen-1
//! gen-1/assets/…        copies of the files of components, one folder for each
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::report::Report;

const PREFIX: &str = "spinup-";
const LOCK: &str = ".lock";
/// The generation that is written at start. Reloading adds more.
const GENERATION: &str = "gen-1";
const LOCKED_APP: &str = "spin.lock";
const ASSETS: &str = "assets";

/// A folder of this process alone; removed when dropped, unless it is to be kept.
#[derive(Debug)]
pub(crate) struct PrivateDir {
    path: PathBuf,
    /// Open, hence locked, for as long as the folder is ours.
    _lock: File,
    /// Removes the folder when dropped; `None` for a folder that the user named, which is kept.
    _temporary: Option<tempfile::TempDir>,
}

/// Why a private folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkDirError {
    #[error("cannot create the working directory \"{}\"", path.display())]
    Create { path: PathBuf, source: io::Error },
    #[error("the working directory \"{}\" is in use by another spin", path.display())]
    InUse { path: PathBuf },
    #[error("cannot write \"{}\"", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl From<WorkDirError> for Report {
    fn from(error: WorkDirError) -> Self {
        let report = Self::of(&error);
        match error {
            WorkDirError::Create { .. } => report.code("workdir::create").help("name another one with --temp DIR"),
            WorkDirError::InUse { .. } => {
                report.code("workdir::in-use").help("end that one, or name another with --temp DIR")
            }
            WorkDirError::Write { .. } => report.code("workdir::write"),
        }
    }
}

impl PrivateDir {
    /// A fresh folder under `base`, after removing what killed processes left there.
    pub(crate) fn create(base: &Path) -> Result<Self, WorkDirError> {
        remove_abandoned(base);
        let failed = |source| WorkDirError::Create { path: base.to_owned(), source };
        // Between making the lock file and locking it, a starting neighbour may take the folder for abandoned and
        // remove it. Then the lock cannot be had or the file is gone, and another folder is made.
        for _ in 0..16 {
            let folder = tempfile::Builder::new()
                .prefix(PREFIX)
                .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
                .tempdir_in(base)
                .map_err(failed)?;
            let path = folder.path().canonicalize().map_err(failed)?;
            if let Some(lock) = lock(&path).map_err(failed)? {
                return Ok(Self { path, _lock: lock, _temporary: Some(folder) });
            }
        }
        Err(failed(io::Error::other("every folder made was taken away at once")))
    }

    /// The folder that the user named: made if it is missing, and kept.
    pub(crate) fn named(path: &Path) -> Result<Self, WorkDirError> {
        let failed = |source| WorkDirError::Create { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        match lock(&path).map_err(failed)? {
            Some(lock) => Ok(Self { path, _lock: lock, _temporary: None }),
            None => Err(WorkDirError::InUse { path }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder of the first generation, points `spin.lock` at it, and says where it is.
    pub(crate) fn generation(&self) -> Result<PathBuf, WorkDirError> {
        let folder = self.path.join(GENERATION);
        let made = match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => adopt(&folder),
            other => other,
        };
        made.map_err(|source| WorkDirError::Write { path: folder.clone(), source })?;
        self.point_at(Path::new(GENERATION))?;
        Ok(folder)
    }

    /// Swaps the link in one step, so that a reader finds the old generation or the new one.
    fn point_at(&self, generation: &Path) -> Result<(), WorkDirError> {
        let link = self.path.join(LOCKED_APP);
        let fresh = self.path.join(".spin.lock.new");
        let swap = || {
            match fs::remove_file(&fresh) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            std::os::unix::fs::symlink(generation.join(LOCKED_APP), &fresh)?;
            fs::rename(&fresh, &link)
        };
        swap().map_err(|source| WorkDirError::Write { path: link.clone(), source })
    }
}

/// Where the lock file of a generation is.
pub(crate) fn locked_app(generation: &Path) -> PathBuf {
    generation.join(LOCKED_APP)
}

/// Where the copied files of a generation's components are.
pub(crate) fn assets(generation: &Path) -> PathBuf {
    generation.join(ASSETS)
}

/// A generation's folder that an earlier run left in a kept working directory: taken over if it is a folder of ours.
fn adopt(folder: &Path) -> io::Result<()> {
    let meta = fs::symlink_metadata(folder)?;
    if !meta.is_dir() || meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it exists and is not a folder of ours"));
    }
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))
}

/// Locks a folder's lock file. `None` if somebody else holds it, or removed it meanwhile.
fn lock(folder: &Path) -> io::Result<Option<File>> {
    let path = folder.join(LOCK);
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // The lock counts only if it is on the file that the next process would open.
    let ours = file.metadata()?;
    Ok(fs::symlink_metadata(&path)
        .is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
        .then_some(file))
}

/// Removes the folders that killed processes left in `base`. What cannot be removed is left to the next start.
pub(crate) fn remove_abandoned(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    let named = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    for folder in named.map(|entry| entry.path()) {
        if let Some(_lock) = abandoned(&folder) {
            drop(fs::remove_dir_all(&folder));
        }
    }
}

/// The lock of a folder that is ours and that no process uses. Held while the folder is removed.
fn abandoned(folder: &Path) -> Option<File> {
    let meta = fs::symlink_metadata(folder).ok()?;
    if !meta.is_dir() || meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o077 != 0 {
        return None;
    }
    let path = folder.join(LOCK);
    // Opened without creating: a folder without the file is not one of ours.
    if !fs::symlink_metadata(&path).ok()?.is_file() {
        return None;
    }
    let file = OpenOptions::new().write(true).open(&path).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    /// What a `spin` leaves that is killed: the folder, the lock file, no lock.
    fn leave_behind(base: &Path, name: &str) -> PathBuf {
        let folder = base.join(name);
        DirBuilder::new().mode(0o700).create(&folder).unwrap();
        fs::write(folder.join(LOCK), "").unwrap();
        fs::create_dir(folder.join(GENERATION)).unwrap();
        fs::write(folder.join(GENERATION).join(LOCKED_APP), "{}").unwrap();
        folder
    }

    #[test]
    fn a_working_directory_is_private_and_goes_with_its_owner() {
        let base = tempfile::tempdir().unwrap();
        let dir = PrivateDir::create(base.path()).unwrap();
        assert_eq!(mode(dir.path()), 0o700);
        assert_eq!(mode(&dir.path().join(LOCK)), 0o600);

        let generation = dir.generation().unwrap();
        assert_eq!(mode(&generation), 0o700);
        fs::write(locked_app(&generation), "{}").unwrap();
        assert_eq!(fs::read_link(dir.path().join("spin.lock")).unwrap(), Path::new("gen-1/spin.lock"));
        assert_eq!(fs::read_to_string(dir.path().join("spin.lock")).unwrap(), "{}");

        drop(dir);
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_next_start_removes_what_a_killed_one_left() {
        let base = tempfile::tempdir().unwrap();
        let left = leave_behind(base.path(), "spinup-dead");
        let alive = PrivateDir::create(base.path()).unwrap();
        assert!(!left.exists());
        let second = PrivateDir::create(base.path()).unwrap();
        assert!(alive.path().exists() && second.path().exists());
    }

    #[test]
    fn folders_of_others_are_left_alone() {
        let base = tempfile::tempdir().unwrap();
        let other_name = leave_behind(base.path(), "spinner-x");
        let open_to_others = leave_behind(base.path(), "spinup-open");
        fs::set_permissions(&open_to_others, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let without_lock_file = base.path().join("spinup-public");
        DirBuilder::new().mode(0o700).create(&without_lock_file).unwrap();
        let target = leave_behind(base.path(), "target");
        std::os::unix::fs::symlink(&target, base.path().join("spinup-link")).unwrap();

        remove_abandoned(base.path());
        for path in [&other_name, &open_to_others, &without_lock_file, &target, &base.path().join("spinup-link")] {
            assert!(path.exists(), "{}", path.display());
        }
    }

    #[test]
    fn a_named_directory_is_kept_and_serves_one_at_a_time() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("deep/kept");
        let dir = PrivateDir::named(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        fs::write(locked_app(&dir.generation().unwrap()), "1").unwrap();
        assert!(matches!(PrivateDir::named(&path), Err(WorkDirError::InUse { .. })));
        drop(dir);

        let again = PrivateDir::named(&path).unwrap();
        let generation = again.generation().unwrap();
        assert_eq!(fs::read_to_string(locked_app(&generation)).unwrap(), "1");
    }

    #[test]
    fn a_link_in_the_place_of_a_generation_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let elsewhere = base.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let kept = base.path().join("kept");
        fs::create_dir(&kept).unwrap();
        std::os::unix::fs::symlink(&elsewhere, kept.join(GENERATION)).unwrap();
        assert!(PrivateDir::named(&kept).unwrap().generation().is_err());
    }
}
