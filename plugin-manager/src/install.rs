//! Carrying out a plan: fetch → compare → check the signature → unpack → fsync → rename → record.
//!
//! Everything happens in `store/NAME/.incoming` until one rename gives the release its name, and one more rename
//! makes the record know it. Killed before the second, the old state holds; [`remove`](crate::remove) tells who removes
//! what is left. An error removes it at once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use spin_catalogue::PluginName;

use crate::contents;
use crate::error::InstallError;
use crate::fetch::{self, fetch};
use crate::installed::Installed;
use crate::manager::PluginManager;
use crate::plan::InstallPlan;
use crate::progress::Progress;
use crate::remove::sweep;
use crate::resolve::{describe, in_use};
use crate::step::{Step, reached};
use crate::store::{FileFacts, Lock, Locking, Release, Store, StoreError, make_dir, sync_dir};
use crate::unpack::{Limits, UnpackError, unpack};

/// Carries out `plan`.
pub(crate) async fn install(
    manager: &PluginManager,
    plan: &InstallPlan,
    progress: &dyn Progress,
) -> Result<Installed, InstallError> {
    let store = &manager.store;
    // Before the lock, which cannot be taken in a store that must not be written to.
    if let Some(installed) = installed(manager, plan)? {
        return Ok(installed);
    }
    let lock = lock(store, &plan.name, progress).await?;
    reached(Step::Locked);
    // Another process may have done it while we waited.
    if let Some(installed) = installed(manager, plan)? {
        return Ok(installed);
    }
    let session = Session::begin(store, &plan.name, lock)?;
    reached(Step::Swept);

    let archive = session.archive();
    let found = fetch(&plan.package, &archive, fetch::MAX_BYTES, &plan.web, progress).await?;
    if found != plan.sha256 {
        return Err(InstallError::DigestMismatch { from: plan.package.to_string(), wanted: plan.sha256, found });
    }
    reached(Step::Fetched);

    progress.start("unpacking", None);
    let (manager, plan) = (manager.clone(), plan.clone());
    // The session moves into the task: should our caller give up meanwhile, the lock is held until the task is done.
    let task = tokio::task::spawn_blocking(move || session.finish(&manager, &plan));
    let installed = task.await.map_err(|error| StoreError::Aborted(error.to_string()))??;
    progress.finish();
    Ok(installed)
}

/// What `plan` would install, if it is installed and intact.
fn installed(manager: &PluginManager, plan: &InstallPlan) -> Result<Option<Installed>, InstallError> {
    let PluginManager { settings, store, .. } = manager;
    let record = store.record(&plan.name)?;
    let same = |held: &&Release| held.version == plan.version && held.archive == plan.sha256;
    let intact = |held: &&Release| store.verify_all(&plan.name, held).is_ok();
    let found = record.releases.iter().find(same).filter(intact);
    Ok(found.map(|held| describe(settings, store, &record, held)))
}

/// Takes the lock of a plugin, waiting for whoever has it.
pub(crate) async fn lock(store: &Store, name: &PluginName, progress: &dyn Progress) -> Result<Lock, StoreError> {
    match store.lock(name)? {
        Locking::Held(lock) => Ok(lock),
        Locking::Busy(waiting) => {
            progress.start("waiting for another spin that changes this plugin", None);
            let task = tokio::task::spawn_blocking(move || waiting.wait());
            let lock = task.await.map_err(|error| StoreError::Aborted(error.to_string()))??;
            progress.finish();
            Ok(lock)
        }
    }
}

/// An installation that is under way. Dropping it removes what is not finished, and then frees the lock.
struct Session {
    workspace: Workspace,
    // After the workspace: fields are dropped in order.
    lock: Lock,
}

/// A folder that is removed when dropped.
struct Workspace(PathBuf);

impl Drop for Workspace {
    fn drop(&mut self) {
        // Best effort: the next installation removes what is left.
        let _ = fs::remove_dir_all(&self.0);
        // The plugin's folder too, if there is no release in it. We still hold the lock.
        let _ = self.0.parent().map(fs::remove_dir);
    }
}

impl Session {
    /// Removes what killed installations left and makes a fresh workspace.
    fn begin(store: &Store, name: &PluginName, lock: Lock) -> Result<Self, StoreError> {
        sweep(store, &lock, &store.record(name)?)?;
        let folder = store.plugin_dir(name);
        make_dir(&folder)?;
        let workspace = Workspace(folder.join(".incoming"));
        make_dir(&workspace.0)?;
        Ok(Self { workspace, lock })
    }

    fn archive(&self) -> PathBuf {
        self.workspace.0.join("package.tar.gz")
    }

    /// Checks the archive's signature, unpacks it and puts it in its place.
    fn finish(self, manager: &PluginManager, plan: &InstallPlan) -> Result<Installed, InstallError> {
        let PluginManager { settings, store, .. } = manager;
        if let Some(claim) = &plan.claim {
            let archive = self.archive();
            let file = fs::File::open(&archive).map_err(|error| StoreError::io("read", &archive, error))?;
            claim.verify(file)?;
        }
        let files = self.workspace.0.join("files");
        let executable = store.executable_name(&plan.name);
        unpack(&self.archive(), &files, &executable, &Limits::DEFAULT).map_err(|error| match error {
            // A full disk is no fault of the package.
            UnpackError::Write(path, source) => StoreError::Io { action: "write", path, source }.into(),
            error => {
                InstallError::Unpack { name: plan.name.clone(), version: plan.version.clone(), source: Box::new(error) }
            }
        })?;
        let path = files.join(&executable);
        let facts = FileFacts::of(&path).map_err(|error| StoreError::io("read", &path, error))?;
        let contents = contents::digest(&files, &executable).map_err(|error| StoreError::io("read", &files, error))?;
        reached(Step::Unpacked);
        self.activate(store, plan, &files)?;
        reached(Step::Renamed);

        let release = Release {
            version: plan.version.clone(),
            archive: plan.sha256,
            executable: facts,
            contents: Some(contents),
            protocols: plan.protocols.clone(),
            spin_compatibility: plan.spin_compatibility.clone(),
            license: plan.license.clone(),
            origin: plan.origin.clone(),
            signed_by: plan.signed_by,
            installed: store.now(),
        };
        let mut record = store.record(&plan.name)?;
        if plan.keeps_choice && record.active.is_none() {
            // Else the highest is used, which may be this one: an app's pin would decide for all others.
            record.active = in_use(settings, &record).map(|used| used.version.clone());
        }
        record.put(release.clone());
        let installed = describe(settings, store, &record, &release);
        // What is left of the work goes first: once the record stands, no later installation would clean up.
        let Self { workspace, lock } = self;
        drop(workspace);
        store.write_record(&lock, &record)?;
        reached(Step::Recorded);
        Ok(installed)
    }

    /// Gives the unpacked files their final name. A folder of that name is there only if an installation was killed
    /// before it was recorded, or if its executable is damaged; either way the fresh one takes its place.
    fn activate(&self, store: &Store, plan: &InstallPlan, files: &Path) -> Result<(), StoreError> {
        let target = store.release_dir(&plan.name, &plan.version, &plan.sha256);
        match fs::rename(&target, self.workspace.0.join("replaced")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io("move away", &target, error)),
            Ok(()) => reached(Step::MovedAway),
        }
        fs::rename(files, &target).map_err(|error| StoreError::io("make", &target, error))?;
        sync_dir(&store.plugin_dir(&plan.name))
    }
}

#[cfg(test)]
mod tests;
