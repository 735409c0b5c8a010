//! Uninstalling: the record forgets, then the files go. See [`remove`] for what a kill in between leaves.

use spin_catalogue::{PluginName, ReleaseVersion};

use crate::install::lock;
use crate::manager::PluginManager;
use crate::progress::Progress;
use crate::public_layout;
use crate::remove;
use crate::resolve::installed_of;
use crate::store::{Release, StoreError};

/// What uninstalling came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Uninstalled {
    /// The versions that were there and are gone, the lowest first.
    pub versions: Vec<ReleaseVersion>,
    /// The version that is used from now on, if any is left that fits.
    pub active: Option<ReleaseVersion>,
    /// The version that the public Spin has installed. It owns it, so it is still there.
    pub public: Option<ReleaseVersion>,
}

/// Uninstalls one version of `name`, or all.
pub(crate) async fn uninstall(
    manager: &PluginManager,
    name: &PluginName,
    version: Option<&ReleaseVersion>,
    progress: &dyn Progress,
) -> Result<Uninstalled, StoreError> {
    let store = &manager.store;
    let mut versions = Vec::new();
    // In a store that knows nothing of it no lock is made either.
    if !store.record(name)?.releases.is_empty() || store.plugin_dir(name).exists() {
        let lock = lock(store, name, progress).await?;
        let mut record = store.record(name)?;
        versions = record.remove(|held: &Release| version.is_none_or(|version| held.version == *version));
        let (store, changed) = (store.clone(), !versions.is_empty());
        // The lock moves into the task: should our caller give up meanwhile, it is held until the task is done.
        let task = tokio::task::spawn_blocking(move || match changed {
            true => remove::replace(&store, &lock, &record),
            false => remove::sweep(&store, &lock, &record),
        });
        task.await.map_err(|error| StoreError::Aborted(error.to_string()))??;
    }
    let active = installed_of(manager, name)?.into_iter().find(|held| held.active).map(|held| held.version);
    let public = public_layout::find(&manager.settings, name)?.map(|public| public.version);
    let public = public.filter(|public| version.is_none_or(|version| version == public));
    Ok(Uninstalled { versions, active, public })
}

#[cfg(test)]
mod tests;
