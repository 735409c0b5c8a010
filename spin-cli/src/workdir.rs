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
//! gen-1/.made-by-spin   says that the folder is ours
//! gen-1/spin.lock       what SPIN_LOCKED_URL names; SPIN_WORKING_DIR is gen-1
//! gen-1/assets/…        copies of the files of components, one folder for each
//! gen-2/…               the same after a reload; the folder before goes when no trigger uses it any more
//! ```
//!
//! A working directory that the user named may hold other things, and may lie within the app: nothing is replaced or
//! removed there that no `spin` made, and what one made is no file of an app, because a lock file holds secrets.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::report::Report;

const PREFIX: &str = "spinup-";
pub(crate) const LOCK: &str = ".lock";
/// What the folders of generations are called, in front of their numbers.
const GENERATION: &str = "gen-";
const MARKER: &str = ".made-by-spin";
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
    #[error("\"{}\" is in the way of the working directory: spin did not make it", path.display())]
    InTheWay { path: PathBuf },
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
            WorkDirError::InTheWay { .. } => report
                .code("workdir::in-the-way")
                .help("name another working directory with --temp DIR, or move it away"),
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

    /// Makes the folder of the first generation, makes it the current one, and says where it is. Those that an earlier
    /// run left in a kept folder go.
    pub(crate) fn first_generation(&self) -> Result<PathBuf, WorkDirError> {
        const FIRST: u64 = 1;
        for folder in generations(&self.path).filter(|folder| *folder != self.folder_of(FIRST)) {
            // What cannot be removed is in nobody's way until a reload needs the name.
            drop(fs::remove_dir_all(folder));
        }
        let folder = self.generation(FIRST)?;
        self.make_current(FIRST)?;
        Ok(folder)
    }

    /// Makes the folder of a generation, and says where it is.
    pub(crate) fn generation(&self, id: u64) -> Result<PathBuf, WorkDirError> {
        let folder = self.folder_of(id);
        let failed = |source| WorkDirError::Write { path: folder.clone(), source };
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => adopt(&folder)?,
            made => made.map_err(failed)?,
        }
        OpenOptions::new().append(true).create(true).mode(0o600).open(folder.join(MARKER)).map_err(failed)?;
        Ok(folder)
    }

    /// Removes the folder of a generation that nobody uses. One that cannot be removed stays until the next start.
    pub(crate) fn remove_generation(&self, id: u64) {
        let folder = self.folder_of(id);
        if is_marked(&folder) {
            drop(fs::remove_dir_all(folder));
        }
    }

    fn folder_of(&self, id: u64) -> PathBuf {
        self.path.join(format!("{GENERATION}{id}"))
    }

    /// Points `spin.lock` at a generation, in one step, so that a reader finds the old one or the new one.
    pub(crate) fn make_current(&self, id: u64) -> Result<(), WorkDirError> {
        let target = Path::new(&format!("{GENERATION}{id}")).join(LOCKED_APP);
        let (link, fresh) = (self.path.join(LOCKED_APP), self.path.join(".spin.lock.new"));
        for path in [&link, &fresh] {
            let replaceable = match fs::read_link(path) {
                Ok(found) => is_lock_of_generation(&found),
                Err(error) => error.kind() == io::ErrorKind::NotFound,
            };
            if !replaceable {
                return Err(WorkDirError::InTheWay { path: path.clone() });
            }
        }
        let swap = || {
            match fs::remove_file(&fresh) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            std::os::unix::fs::symlink(target, &fresh)?;
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

/// Whether some `spin` made this and keeps it in its working directory: something of a generation, reached by a link or
/// not, or the lock file beside one.
pub(crate) fn made_by_spin(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let is_lock = path.file_name().is_some_and(|name| name == LOCK);
    path.ancestors().any(is_marked)
        || is_lock && path.parent().is_some_and(|folder| generations(folder).next().is_some())
}

/// The folders of generations in a working directory.
fn generations(workdir: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(workdir).into_iter().flatten().flatten();
    let named = entries.filter(|entry| is_generation(&entry.file_name()));
    named
        .map(|entry| entry.path())
        .filter(|folder| folder.symlink_metadata().is_ok_and(|meta| meta.is_dir()) && is_marked(folder))
}

/// Whether a name is one that we give to folders of generations.
fn is_generation(name: &OsStr) -> bool {
    let number = name.to_str().and_then(|name| name.strip_prefix(GENERATION));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a link is one of ours to a lock file.
fn is_lock_of_generation(target: &Path) -> bool {
    target.file_name().is_some_and(|name| name == LOCKED_APP)
        && target.parent().is_some_and(|folder| is_generation(folder.as_os_str()))
}

fn is_marked(folder: &Path) -> bool {
    fs::symlink_metadata(folder.join(MARKER)).is_ok_and(|meta| meta.is_file())
}

/// A generation's folder that an earlier run left in a kept working directory: taken over if it is a folder of ours.
fn adopt(folder: &Path) -> Result<(), WorkDirError> {
    let failed = |source| WorkDirError::Write { path: folder.to_owned(), source };
    let meta = fs::symlink_metadata(folder).map_err(failed)?;
    let is_ours = meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw();
    // A run that was killed between making and marking left it empty.
    if !is_ours || !is_marked(folder) && fs::read_dir(folder).map_err(failed)?.next().is_some() {
        return Err(WorkDirError::InTheWay { path: folder.to_owned() });
    }
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(failed)
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
        fs::create_dir(folder.join("gen-1")).unwrap();
        fs::write(folder.join("gen-1").join(LOCKED_APP), "{}").unwrap();
        folder
    }

    #[test]
    fn a_working_directory_is_private_and_goes_with_its_owner() {
        let base = tempfile::tempdir().unwrap();
        let dir = PrivateDir::create(base.path()).unwrap();
        assert_eq!(mode(dir.path()), 0o700);
        assert_eq!(mode(&dir.path().join(LOCK)), 0o600);

        let generation = dir.first_generation().unwrap();
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
        fs::write(locked_app(&dir.first_generation().unwrap()), "1").unwrap();
        assert!(matches!(PrivateDir::named(&path), Err(WorkDirError::InUse { .. })));
        drop(dir);

        let again = PrivateDir::named(&path).unwrap();
        let generation = again.first_generation().unwrap();
        assert_eq!(fs::read_to_string(locked_app(&generation)).unwrap(), "1");
    }

    #[test]
    fn a_new_generation_is_current_when_it_is_made_so_and_the_old_one_goes_on_demand() {
        let base = tempfile::tempdir().unwrap();
        let dir = PrivateDir::named(base.path()).unwrap();
        let current = || fs::read_link(base.path().join("spin.lock")).unwrap();
        let first = dir.first_generation().unwrap();
        let second = dir.generation(2).unwrap();
        assert_eq!(mode(&second), 0o700);
        assert_eq!(current(), Path::new("gen-1/spin.lock"));
        dir.make_current(2).unwrap();
        assert_eq!(current(), Path::new("gen-2/spin.lock"));
        dir.remove_generation(1);
        assert!(!first.exists() && second.exists());
        assert!(made_by_spin(&base.path().join(".lock")));

        // Another run in the same folder begins from one again; what is called like a generation and isn't, stays.
        fs::create_dir_all(base.path().join("gen-3/mine")).unwrap();
        drop(dir);
        let dir = PrivateDir::named(base.path()).unwrap();
        dir.first_generation().unwrap();
        assert_eq!(current(), Path::new("gen-1/spin.lock"));
        assert!(!second.exists() && base.path().join("gen-3/mine").exists());
        dir.remove_generation(3);
        assert!(base.path().join("gen-3/mine").exists());
    }

    #[test]
    fn what_no_spin_made_is_left_as_it_is() {
        let base = tempfile::tempdir().unwrap();
        for (name, in_the_way) in
            [("full", "gen-1"), ("linked", "gen-1"), ("locked", "spin.lock"), ("new", ".spin.lock.new")]
        {
            let folder = base.path().join(name);
            fs::create_dir(&folder).unwrap();
            let path = folder.join(in_the_way);
            match name {
                "full" => fs::create_dir_all(path.join("assets/c")).unwrap(),
                "linked" => std::os::unix::fs::symlink(base.path(), &path).unwrap(),
                _ => fs::write(&path, "mine").unwrap(),
            }
            let error = PrivateDir::named(&folder).unwrap().first_generation().unwrap_err();
            assert!(matches!(&error, WorkDirError::InTheWay { path: told } if *told == path), "{name}: {error}");
            assert!(path.exists() && (name != "full" || path.join("assets/c").exists()), "{name}");
        }
        let folder = base.path().join("empty");
        fs::create_dir_all(folder.join("gen-1")).unwrap();
        PrivateDir::named(&folder).unwrap().first_generation().expect("nothing is lost");
    }

    #[test]
    fn what_a_spin_made_is_known_by_any_way_to_it() {
        let base = tempfile::tempdir().unwrap();
        let dir = PrivateDir::named(base.path()).unwrap();
        let generation = dir.first_generation().unwrap();
        fs::write(locked_app(&generation), "{}").unwrap();
        fs::create_dir(base.path().join("sub")).unwrap();
        fs::write(base.path().join("sub/.lock"), "").unwrap();
        std::os::unix::fs::symlink("../gen-1", base.path().join("sub/link")).unwrap();
        for (path, expected) in [
            ("gen-1", true),
            ("gen-1/spin.lock", true),
            ("spin.lock", true),
            (".lock", true),
            ("sub/link", true),
            ("sub", false),
            ("sub/.lock", false),
            ("", false),
        ] {
            assert_eq!(made_by_spin(&base.path().join(path)), expected, "{path}");
        }
    }
}
