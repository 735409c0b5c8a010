//! Choosing which installed version is used: one line of the record.

use spin_catalogue::{PluginName, ReleaseVersion};

use crate::install::lock;
use crate::manager::PluginManager;
use crate::progress::Progress;
use crate::store::StoreError;

/// Writes down that `version` was chosen.
pub(crate) async fn activate(
    manager: &PluginManager,
    name: &PluginName,
    version: &ReleaseVersion,
    progress: &dyn Progress,
) -> Result<(), ActivateError> {
    let store = &manager.store;
    // Before the lock, which cannot be taken in a store that must not be written to.
    if store.record(name)?.active.as_ref() == Some(version) {
        return Ok(());
    }
    let lock = lock(store, name, progress).await?;
    let mut record = store.record(name)?;
    if !record.releases.iter().any(|held| held.version == *version) {
        return Err(ActivateError::NotInstalled { name: name.clone(), version: version.clone() });
    }
    record.active = Some(version.clone());
    Ok(store.write_record(&lock, &record)?)
}

/// Why the version that is used is still the one that it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActivateError {
    /// Our store does not have that version.
    #[error("version {version} of '{name}' is not installed; run `spin plugins install {name}@{version}`")]
    NotInstalled {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: ReleaseVersion,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ActivateError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotInstalled { .. } => "plugin::not-installed",
            Self::Store(error) => error.code(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::testing::{World, name, runtime};
    use crate::{InstallRequest, Silent, What};

    fn world() -> World {
        let world = World::new();
        for version in ["1.0.0", "1.1.0"] {
            world.pack("trigger-demo", version, ">=4", &[]);
            world.install("trigger-demo").unwrap();
        }
        world
    }

    fn activate(world: &World, version: &str) -> Result<(), ActivateError> {
        runtime().block_on(world.manager().activate(&name("trigger-demo"), &version.parse().unwrap(), &Silent))
    }

    fn active(world: &World) -> String {
        let executable = world.manager().resolve(&name("trigger-demo")).unwrap();
        let installed = world.manager().installed().unwrap();
        let marked: Vec<_> = installed.iter().filter(|held| held.active).collect();
        assert_eq!(marked.len(), 1);
        assert_eq!(marked[0].version, executable.version, "what is shown as active is what is started");
        executable.version.to_string()
    }

    #[test]
    fn without_a_choice_the_highest_is_used_and_a_choice_holds() {
        let world = world();
        assert_eq!(active(&world), "1.1.0");
        activate(&world, "1.0.0").unwrap();
        assert_eq!(active(&world), "1.0.0");
        // Installing adds and does not choose.
        world.pack("trigger-demo", "1.2.0", ">=4", &[]);
        world.install("trigger-demo").unwrap();
        assert_eq!(active(&world), "1.0.0");
        activate(&world, "1.2.0").unwrap();
        assert_eq!(active(&world), "1.2.0");
    }

    #[test]
    fn a_choice_that_does_not_fit_any_more_is_passed_over() {
        let world = world();
        world.pack("trigger-demo", "1.2.0", "<4", &[]);
        let version = Some("=1.2.0".parse().unwrap());
        let what = What::ByName { name: name("trigger-demo"), version };
        world.carry_out(&InstallRequest { what, override_compatibility: true }).unwrap();
        activate(&world, "1.2.0").unwrap();
        assert_eq!(active(&world), "1.1.0");
    }

    #[test]
    fn what_is_not_installed_cannot_be_chosen() {
        let world = world();
        let before = world.store();
        let error = activate(&world, "9.0.0").unwrap_err();
        assert_eq!((error.code(), active(&world).as_str()), ("plugin::not-installed", "1.1.0"));
        assert_eq!(world.store(), before);
    }
}
