//! What there is: everything in the catalogues and everything that is installed, side by side.
//!
//! Unlike an installation, a listing goes on where a catalogue cannot be used, and says so.

use std::collections::BTreeMap;

use spin_catalogue::nearest::nearest;
use spin_catalogue::resolve::{choose, obstacle, unfit};
use spin_catalogue::{CompatibilityCheck, PluginManifest, PluginName, Query, Reason, Release, ReleaseVersion};

use crate::error::ResolveError;
use crate::installed::Installed;
use crate::manager::PluginManager;
use crate::settings::Settings;
use crate::source::{self, CatalogueError, Opened};
use crate::store::StoreError;

/// Everything there is, or everything there is of one plugin.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// A row for every version of every plugin, by name and then by version.
    pub rows: Vec<Listed>,
    /// What is missing from it.
    pub unusable: Vec<Unusable>,
}

/// A version of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// The plugin.
    pub name: PluginName,
    /// The version.
    pub version: ReleaseVersion,
    /// The first catalogue that has it, if any does.
    pub catalogue: Option<String>,
    /// The installed plugin, if it is installed.
    pub installed: Option<Installed>,
    /// Versions of Spin it says it works with.
    pub spin_compatibility: String,
    /// Trigger protocols it names.
    pub protocols: Vec<u32>,
    /// Why it does not fit this host; `None` if it does.
    pub obstacle: Option<Reason>,
}

/// A catalogue, or a manifest in it, that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("catalogue '{catalogue}' is passed over: {source}")]
pub struct Unusable {
    /// The catalogue.
    pub catalogue: String,
    /// What is wrong.
    pub source: CatalogueError,
}

/// An installed plugin of which a catalogue has a higher version.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outdated {
    /// The plugin.
    pub name: PluginName,
    /// The version that is used.
    pub version: ReleaseVersion,
    /// The version that `spin plugins upgrade` would go to, and its catalogue; `None` if none above fits.
    pub newer: Option<(ReleaseVersion, String)>,
    /// A still higher one, and why it does not fit.
    pub hindered: Option<(ReleaseVersion, Reason)>,
}

/// All about one plugin.
#[derive(Debug)]
#[non_exhaustive]
pub struct Described {
    /// Its manifest in a catalogue: of the version that would be installed, else of the highest.
    pub manifest: Option<PluginManifest>,
    /// The catalogue with that manifest.
    pub catalogue: Option<String>,
    /// Its versions, the lowest first.
    pub versions: Listing,
    /// A version above the one that would be installed, and why it does not fit.
    pub hindered: Option<(ReleaseVersion, Reason)>,
}

/// A catalogue that can be read.
struct Shelf {
    catalogue: String,
    opened: Opened,
}

/// The catalogues that can be read, in their order. The only place of this module that looks for catalogues.
fn shelves(manager: &PluginManager) -> (Vec<Shelf>, Vec<Unusable>) {
    let (mut shelves, mut unusable) = (Vec::new(), Vec::new());
    for source in &manager.settings.catalogues {
        let catalogue = source.name.to_string();
        match source::open(&manager.store, source) {
            Ok(opened) => shelves.push(Shelf { catalogue, opened }),
            Err(source) => unusable.push(Unusable { catalogue, source }),
        }
    }
    (shelves, unusable)
}

/// The names of all plugins in the catalogues, as far as those can be read.
pub(crate) fn names(manager: &PluginManager) -> Vec<PluginName> {
    shelves(manager).0.iter().filter_map(|shelf| shelf.opened.directory.names().ok()).flatten().collect()
}

/// Lists everything, or one plugin.
pub(crate) fn list(manager: &PluginManager, only: Option<&PluginName>) -> Result<Listing, StoreError> {
    let (shelves, mut unusable) = shelves(manager);
    let mut found = BTreeMap::new();
    for shelf in &shelves {
        let (rows, problems) = rows(&manager.settings, shelf, only);
        for row in rows {
            // The first catalogue counts, as when installing.
            found.entry((row.name.clone(), row.version.clone())).or_insert(row);
        }
        let catalogue = &shelf.catalogue;
        unusable.extend(problems.into_iter().map(|source| Unusable { catalogue: catalogue.clone(), source }));
    }
    let installed = match only {
        Some(name) => manager.installed_of(name)?,
        None => manager.installed()?,
    };
    for held in installed {
        let at = (held.name.clone(), held.version.clone());
        let row = found.entry(at).or_insert_with(|| row_of_installed(&manager.settings, &held));
        row.installed = Some(held);
    }
    Ok(Listing { rows: found.into_values().collect(), unusable })
}

/// Lists what is installed, without a look at the catalogues.
pub(crate) fn list_installed(manager: &PluginManager) -> Result<Listing, StoreError> {
    let row = |held: Installed| Listed { installed: Some(held.clone()), ..row_of_installed(&manager.settings, &held) };
    let rows = manager.installed()?.into_iter().map(row).collect();
    Ok(Listing { rows, unusable: Vec::new() })
}

/// A row for every release in a catalogue, or every release of one plugin, and what could not be read.
fn rows(settings: &Settings, shelf: &Shelf, only: Option<&PluginName>) -> (Vec<Listed>, Vec<CatalogueError>) {
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    let names = match only {
        Some(name) => Ok(vec![name.clone()]),
        None => shelf.opened.directory.names(),
    };
    for name in names.map_err(|error| problems.push(error.into())).unwrap_or_default() {
        match shelf.opened.directory.releases(&name) {
            Ok(listing) => rows.extend(listing.releases.iter().map(|release| row(settings, shelf, &name, release))),
            Err(error) => problems.push(error.into()),
        }
    }
    (rows, problems)
}

fn row(settings: &Settings, shelf: &Shelf, name: &PluginName, release: &Release) -> Listed {
    Listed {
        name: name.clone(),
        version: release.version.clone(),
        catalogue: Some(shelf.catalogue.clone()),
        installed: None,
        spin_compatibility: release.spin_compatibility.clone(),
        protocols: release.protocols.clone(),
        obstacle: unfit(release, &settings.host(CompatibilityCheck::Enforced)),
    }
}

fn row_of_installed(settings: &Settings, held: &Installed) -> Listed {
    let host = settings.host(CompatibilityCheck::Enforced);
    Listed {
        name: held.name.clone(),
        version: held.version.clone(),
        catalogue: None,
        installed: None,
        spin_compatibility: held.spin_compatibility.clone(),
        protocols: held.protocols.clone(),
        obstacle: obstacle(&held.spin_compatibility, &held.protocols, &host),
    }
}

/// The release that an installation of `name` would take, and the catalogue that has it: the first that has one which
/// fits, as when installing.
fn newest<'a>(settings: &Settings, shelves: &'a [Shelf], name: &PluginName) -> Option<(Release, &'a Shelf)> {
    let query = Query { version: None, host: settings.host(CompatibilityCheck::Enforced) };
    shelves.iter().find_map(|shelf| {
        let releases = shelf.opened.directory.releases(name).ok()?.releases;
        choose(&releases, &query).ok().map(|release| (release.clone(), shelf))
    })
}

/// The highest version in `rows` above `version` that does not fit, and why. Neither a pre-release nor one that was
/// withdrawn is anything to wait for.
fn hindered(rows: &[Listed], version: Option<&ReleaseVersion>) -> Option<(ReleaseVersion, Reason)> {
    let above = rows.iter().filter(|row| version.is_none_or(|version| row.version > *version));
    let awaited = above.filter(|row| !row.version.is_prerelease() && row.obstacle != Some(Reason::Yanked));
    let highest = awaited.max_by(|a, b| a.version.cmp(&b.version))?;
    highest.obstacle.clone().map(|reason| (highest.version.clone(), reason))
}

/// The installed plugins of which there is a higher version.
pub(crate) fn outdated(manager: &PluginManager) -> Result<(Vec<Outdated>, Vec<Unusable>), StoreError> {
    let settings = &manager.settings;
    let (shelves, unusable) = shelves(manager);
    let mut outdated = Vec::new();
    let installed = manager.installed()?;
    for versions in installed.chunk_by(|a, b| a.name == b.name) {
        // Where none fits, the highest.
        let Some(Installed { name, version, .. }) = versions.iter().find(|held| held.active).or(versions.last()) else {
            continue;
        };
        let newer = newest(settings, &shelves, name).filter(|(release, _)| release.version > *version);
        let newer = newer.map(|(release, shelf)| (release.version, shelf.catalogue.clone()));
        let rows: Vec<_> = shelves.iter().flat_map(|shelf| rows(settings, shelf, Some(name)).0).collect();
        let hindered = hindered(&rows, Some(newer.as_ref().map_or(version, |(newer, _)| newer)));
        if newer.is_some() || hindered.is_some() {
            outdated.push(Outdated { name: name.clone(), version: version.clone(), newer, hindered });
        }
    }
    Ok((outdated, unusable))
}

/// All about `name`.
pub(crate) async fn describe(manager: &PluginManager, name: &PluginName) -> Result<Described, ResolveError> {
    let settings = &manager.settings;
    let mut versions = list(manager, Some(name))?;
    if versions.rows.is_empty() {
        let known = names(manager);
        let nearest = nearest(name.as_str(), known.iter().map(PluginName::as_str));
        let nearest = nearest.and_then(|found| known.iter().find(|known| known.as_str() == found)).cloned();
        let catalogues = settings.catalogues.iter().map(|source| source.name.to_string()).collect();
        return Err(ResolveError::Unknown { name: name.clone(), nearest, catalogues });
    }
    let (shelves, _) = shelves(manager);
    let newest = newest(settings, &shelves, name);
    let hindered = hindered(&versions.rows, newest.as_ref().map(|(release, _)| &release.version));
    let shown = newest.or_else(|| highest(&shelves, name));
    let (mut manifest, mut catalogue) = (None, None);
    if let Some((release, shelf)) = shown {
        match shelf.opened.manifest(name, &release, &manager.web).await {
            Ok(read) => (manifest, catalogue) = (Some(read.manifest), Some(shelf.catalogue.clone())),
            Err(source) => versions.unusable.push(Unusable { catalogue: shelf.catalogue.clone(), source }),
        }
    }
    Ok(Described { manifest, catalogue, versions, hindered })
}

/// The highest version of `name` in the first catalogue that has any, whether it fits or not.
fn highest<'a>(shelves: &'a [Shelf], name: &PluginName) -> Option<(Release, &'a Shelf)> {
    shelves.iter().find_map(|shelf| {
        let releases = shelf.opened.directory.releases(name).ok()?.releases;
        Some((releases.into_iter().max_by(|a, b| a.version.cmp(&b.version))?, shelf))
    })
}

#[cfg(test)]
mod tests;
