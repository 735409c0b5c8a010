//! Verifying everything that is installed: every byte of every release is hashed again.

use std::path::PathBuf;

use spin_catalogue::{PluginName, ReleaseVersion};

use crate::error::again_text;
use crate::manager::PluginManager;
use crate::public_layout;
use crate::store::{StoreError, VerifyError};

/// What verifying an installed release came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Verified {
    /// The plugin.
    pub name: PluginName,
    /// Its version; `None` if its record cannot be read.
    pub version: Option<ReleaseVersion>,
    /// Whether there is something to compare with. There is not for what the public Spin has installed, which keeps no
    /// digests.
    pub recorded: bool,
    /// What is wrong with it; `None` if it is what was installed, or if that is not known.
    pub damage: Option<Damage>,
}

/// What is wrong with an installed release. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The executable is gone.
    #[error("{} is missing; run `{repair}`", path.display())]
    Missing {
        /// The executable.
        path: PathBuf,
        /// The command that installs it again.
        repair: String,
    },
    /// The executable is another.
    #[error("{} was changed or damaged; run `{repair}`", path.display())]
    Executable {
        /// The executable.
        path: PathBuf,
        /// The command that installs it again.
        repair: String,
    },
    /// A file beside the executable was changed or removed, or one was added.
    #[error("the files beside the executable in {} are not those that were installed; run `{repair}`", path.display())]
    Contents {
        /// The folder of the release.
        path: PathBuf,
        /// The command that installs it again.
        repair: String,
    },
    /// It cannot be read.
    #[error(transparent)]
    Store(StoreError),
}

impl Damage {
    /// The stable code of this damage.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "plugin::executable-missing",
            Self::Executable { .. } => "plugin::tampered",
            Self::Contents { .. } => "plugin::contents-changed",
            Self::Store(error) => error.code(),
        }
    }
}

/// Verifies the releases of `names`, of all plugins if there are none.
pub(crate) fn verify(manager: &PluginManager, names: &[PluginName]) -> Result<Vec<Verified>, StoreError> {
    let PluginManager { settings, store, .. } = manager;
    let mut wanted = names.to_vec();
    if wanted.is_empty() {
        wanted = store.names()?;
        wanted.extend(public_layout::installed(settings)?.into_iter().map(|public| public.name));
    }
    wanted.sort_unstable();
    wanted.dedup();
    let mut found = Vec::new();
    for name in wanted {
        match store.record(&name) {
            // One record that cannot be read must not hide what is wrong with other plugins.
            Err(error) => {
                let damage = Some(Damage::Store(error));
                found.push(Verified { name: name.clone(), version: None, recorded: true, damage });
            }
            Ok(record) => found.extend(record.releases.iter().map(|release| {
                let repair = again_text(&name, &release.version, &release.origin);
                let damage = store.verify_all(&name, release).err().map(|error| damage(error, repair));
                Verified { name: name.clone(), version: Some(release.version.clone()), recorded: true, damage }
            })),
        }
        if let Some(public) = public_layout::find(settings, &name)? {
            found.push(Verified { name, version: Some(public.version), recorded: false, damage: None });
        }
    }
    Ok(found)
}

fn damage(error: VerifyError, repair: String) -> Damage {
    match error {
        VerifyError::Missing(path) => Damage::Missing { path, repair },
        VerifyError::Differs(path) => Damage::Executable { path, repair },
        VerifyError::Contents(path) => Damage::Contents { path, repair },
        VerifyError::Store(error) => Damage::Store(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::fs;

    use super::*;
    use crate::InstallRequest;
    use crate::testing::{Tar, World};

    fn codes(world: &World) -> Vec<&'static str> {
        let verified = world.manager().verify(&[]).unwrap();
        verified.iter().map(|one| one.damage.as_ref().map_or("intact", Damage::code)).collect()
    }

    #[test]
    fn whatever_was_touched_is_found_and_installing_again_repairs_it() {
        let world = World::new();
        let archive = Tar::default().file("demo", b"#!/bin/sh\n").file("share/page", b"page").gzipped();
        let manifest = world.manifest_file("demo", &archive);
        let install = || world.carry_out(&InstallRequest::manifest_file(&manifest)).unwrap();
        let executable = install().executable;
        let folder = executable.parent().unwrap();
        assert_eq!(codes(&world), ["intact"]);
        let spoilers: [(&str, &dyn Fn()); 5] = [
            ("plugin::contents-changed", &|| fs::write(folder.join("share/page"), "PAGE").unwrap()),
            ("plugin::contents-changed", &|| fs::write(folder.join("share/more"), "").unwrap()),
            ("plugin::contents-changed", &|| fs::remove_dir_all(folder.join("share")).unwrap()),
            ("plugin::tampered", &|| fs::write(&executable, "#!/bin/zz\n").unwrap()),
            ("plugin::executable-missing", &|| fs::remove_file(&executable).unwrap()),
        ];
        for (code, spoil) in spoilers {
            spoil();
            assert_eq!(codes(&world), [code]);
            let verified = world.manager().verify(&["demo".parse().unwrap()]).unwrap();
            let said = verified[0].damage.as_ref().unwrap().to_string();
            assert!(said.ends_with(&format!("run `spin plugins install --file \"{}\"`", manifest.display())), "{said}");
            install();
            assert_eq!(codes(&world), ["intact"], "after {code}");
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_hides_no_other_plugin() {
        let world = World::new();
        for plugin in ["one", "two"] {
            world.pack(plugin, "1.0.0", "*", &[]);
            world.install(plugin).unwrap();
        }
        fs::write(world.path("data/plugin-store/v1/installed/one.json"), "{").unwrap();
        assert_eq!(codes(&world), ["store::bad-record", "intact"]);
        assert!(world.manager().verify(&["three".parse().unwrap()]).unwrap().is_empty());
    }
}
