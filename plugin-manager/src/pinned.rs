//! Pinned releases: which one a plugin is to be pinned to, and the executable of one that is.

use std::collections::BTreeMap;

use spin_catalogue::resolve::obstacle;
use spin_catalogue::{CompatibilityCheck, PluginManifest, PluginName, ReleaseVersion, Sha256};

use crate::error::{InstallError, ResolveError};
use crate::installed::{Executable, Origin};
use crate::manager::PluginManager;
use crate::pins::{Pin, PinnedFrom};
use crate::plan::manifest_of;
use crate::resolve::start_from_store;
use crate::store::Verification;

/// Why a plugin cannot be pinned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// It would not be started without a pin either.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// It is from this machine, so that nobody else could install it.
    #[error(
        "plugin '{name}' {version} cannot be pinned: it is from no catalogue ({origin}), so nobody else could install it"
    )]
    NotFromCatalogue {
        /// The plugin.
        name: PluginName,
        /// The version that would be started.
        version: ReleaseVersion,
        /// Where it came from.
        origin: Origin,
    },
    /// The place that it came from cannot say what its archives are.
    #[error(transparent)]
    Manifest(#[from] InstallError),
    /// What is installed is not what the catalogue has under that version.
    #[error(
        "plugin '{name}' {version} cannot be pinned: {from} has another archive of that version \
         ({offered}) than the one that was installed ({installed}); install it again"
    )]
    OtherArchive {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: ReleaseVersion,
        /// Where it came from.
        from: PinnedFrom,
        /// The digest that is installed.
        installed: Sha256,
        /// The digest that is named there.
        offered: Sha256,
    },
}

impl PinError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Resolve(error) => error.code(),
            Self::NotFromCatalogue { .. } => "pins::not-from-catalogue",
            Self::Manifest(error) => error.code(),
            Self::OtherArchive { .. } => "pins::other-archive",
        }
    }
}

/// The pin of what would be started now, or, if nothing is installed, of what would be installed.
pub(crate) async fn pin(manager: &PluginManager, name: &PluginName) -> Result<Pin, PinError> {
    let (version, from) = match manager.resolve(name) {
        Ok(Executable { version, origin: Origin::Catalogue(name), .. }) => (version, PinnedFrom::Catalogue(name)),
        Ok(Executable { version, origin: Origin::ManifestUrl(url), .. }) => (version, PinnedFrom::Manifest(url)),
        Ok(Executable { version, origin, .. }) => {
            return Err(PinError::NotFromCatalogue { name: name.clone(), version, origin });
        }
        Err(ResolveError::Available { version, catalogue, .. }) => (version, PinnedFrom::Catalogue(catalogue)),
        Err(error) => return Err(error.into()),
    };
    let manifest = manifest_of(manager, name, &version, &from).await?;
    let pin = of_manifest(&manifest, from);
    let record = manager.store.record(name).map_err(ResolveError::from)?;
    if let Some(held) = record.releases.iter().find(|held| held.version == version)
        && let Some(offered) = pin.archive(manager.settings.platform).filter(|offered| *offered != held.archive)
    {
        let (name, installed, from) = (name.clone(), held.archive, pin.from);
        return Err(PinError::OtherArchive { name, version, from, installed, offered });
    }
    Ok(pin)
}

fn of_manifest(manifest: &PluginManifest, from: PinnedFrom) -> Pin {
    let mut archives = BTreeMap::new();
    for package in &manifest.packages {
        // Of two for one platform the first counts.
        archives.entry(package.platform.to_string()).or_insert(package.sha256);
    }
    Pin { version: manifest.version.clone(), from, archives }
}

/// The executable of a pinned release.
pub(crate) fn resolve(
    manager: &PluginManager,
    name: &PluginName,
    pin: &Pin,
    verification: Verification,
) -> Result<Executable, ResolveError> {
    let (version, platform) = (&pin.version, manager.settings.platform);
    let Some(pinned) = pin.archive(platform) else {
        return Err(ResolveError::PinnedPlatform { name: name.clone(), version: version.clone(), platform });
    };
    let record = manager.store.record(name)?;
    let Some(held) = record.releases.iter().find(|held| held.version == *version) else {
        let (version, from) = (version.clone(), pin.from.clone());
        return Err(ResolveError::PinnedMissing { name: name.clone(), version, from });
    };
    if held.archive != pinned {
        let (version, found) = (version.clone(), held.archive);
        return Err(ResolveError::PinnedOther { name: name.clone(), version, pinned, found });
    }
    let host = manager.settings.host(CompatibilityCheck::Enforced);
    if let Some(reason) = obstacle(&held.spin_compatibility, &held.protocols, &host) {
        let version = version.clone();
        return Err(ResolveError::PinnedIncompatible { name: name.clone(), version, reason: Box::new(reason) });
    }
    start_from_store(manager, name, held, verification)
}
