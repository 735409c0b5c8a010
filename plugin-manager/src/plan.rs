//! Deciding what an installation would do, before anything is done: [`InstallRequest`] → [`InstallPlan`].
//!
//! Reads catalogues and manifests; downloads nothing and writes nothing.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use semver::VersionReq;
use spin_catalogue::directory::resolve_below;
use spin_catalogue::resolve::obstacle;
use spin_catalogue::{
    CompatibilityCheck, Directory, PackageLocation, PluginManifest, PluginName, Query, Reason, Release, ReleaseVersion,
    Sha256, entry,
};
use url::Url;

use crate::error::InstallError;
use crate::hash;
use crate::installed::Origin;
use crate::pins::Pin;
use crate::settings::Settings;
use crate::source::{self, Offer};
use crate::store::Store;

/// What the user asks to be installed.
#[derive(Clone, Debug)]
pub struct InstallRequest {
    /// Which plugin.
    pub what: What,
    /// Install it even if it says that it does not work with this Spin.
    pub override_compatibility: bool,
}

/// How a plugin is named in an [`InstallRequest`].
#[derive(Clone, Debug)]
pub enum What {
    /// From the catalogues.
    ByName {
        /// The plugin.
        name: PluginName,
        /// The versions that will do; `None` for the highest that fits. For exactly one, see [`exactly`].
        version: Option<VersionReq>,
    },
    /// The release that this manifest file describes.
    ManifestFile(PathBuf),
    /// The release that an app is pinned to, from the catalogue of its pin and no other.
    Pinned {
        /// The plugin.
        name: PluginName,
        /// Which release of it.
        pin: Pin,
    },
}

impl InstallRequest {
    /// The highest release of `name` that fits.
    pub fn by_name(name: PluginName) -> Self {
        Self { what: What::ByName { name, version: None }, override_compatibility: false }
    }

    /// The release that the manifest file at `path` describes.
    pub fn manifest_file(path: impl Into<PathBuf>) -> Self {
        Self { what: What::ManifestFile(path.into()), override_compatibility: false }
    }
}

/// The requirement that only `version` fulfils. (`1.2.3` alone would mean "compatible with 1.2.3".)
pub fn exactly(version: &semver::Version) -> VersionReq {
    let comparator = semver::Comparator {
        op: semver::Op::Exact,
        major: version.major,
        minor: Some(version.minor),
        patch: Some(version.patch),
        pre: version.pre.clone(),
    };
    VersionReq { comparators: vec![comparator] }
}

/// What [`install`](crate::PluginManager::install) will do. Made by [`plan`](crate::PluginManager::plan) only.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InstallPlan {
    /// The plugin.
    pub name: PluginName,
    /// Its version.
    pub version: ReleaseVersion,
    /// Its licence, as its author wrote it.
    pub license: String,
    /// What it is for, in the author's words.
    pub description: Option<String>,
    /// Where the archive is.
    pub package: PackageSource,
    /// The digest that the archive must have.
    pub sha256: Sha256,
    /// Where the manifest came from.
    pub origin: Origin,
    /// Whether exactly this is installed already, so that nothing needs to be done.
    pub already: bool,
    /// A higher version that is installed and will stay the one that is used.
    pub newer_installed: Option<ReleaseVersion>,
    /// Set if the plugin does not fit and is installed only because the user said so.
    pub overridden: Option<Reason>,
    pub(crate) protocols: Vec<u32>,
    pub(crate) spin_compatibility: String,
}

/// Where an archive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageSource {
    /// On this machine.
    File(PathBuf),
    /// On the web.
    Web(Url),
}

impl fmt::Display for PackageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Web(url) => write!(f, "{url}"),
        }
    }
}

/// A manifest with what is known about the place it came from.
struct Found {
    manifest: PluginManifest,
    origin: Origin,
    /// The folder that relative URLs start from.
    folder: PathBuf,
}

/// Decides what installing `request` would do.
pub(crate) fn plan(settings: &Settings, store: &Store, request: &InstallRequest) -> Result<InstallPlan, InstallError> {
    let compatibility = match request.override_compatibility {
        true => CompatibilityCheck::Overridden,
        false => CompatibilityCheck::Enforced,
    };
    let found = match &request.what {
        What::ByName { name, version } => by_name(settings, name, version.as_ref(), compatibility)?,
        What::ManifestFile(path) => from_file(path)?,
        What::Pinned { name, pin } => pinned(settings, name, pin)?,
    };
    let Found { manifest, origin, folder } = found;
    if manifest.name.is_reserved() {
        return Err(InstallError::Reserved { name: manifest.name });
    }
    let refused = |reason| InstallError::Refused {
        name: manifest.name.clone(),
        version: Some(manifest.version.clone()),
        reason: Box::new(reason),
        instead: None,
    };
    let package = manifest.package(settings.platform).ok_or_else(|| {
        let offered = manifest.platforms().map(|platform| platform.to_string()).collect();
        refused(Reason::Platform { wanted: settings.platform, offered })
    })?;
    // Checked on the manifest itself, so that a wrong index cannot talk us into anything.
    let of_manifest = |check| obstacle(&manifest.spin_compatibility, manifest.protocols(), &settings.host(check));
    if let Some(reason) = of_manifest(compatibility) {
        return Err(refused(reason));
    }
    let overridden = of_manifest(CompatibilityCheck::Enforced);
    let source = package_source(&package.url, &origin, &folder)?;
    let sha256 = package.sha256;

    let releases = store.record(&manifest.name)?.releases;
    let already = releases.iter().any(|held| {
        held.version == manifest.version && held.archive == sha256 && store.verify_all(&manifest.name, held).is_ok()
    });
    let newer_installed =
        releases.iter().map(|held| &held.version).max().filter(|held| **held > manifest.version).cloned();
    Ok(InstallPlan {
        version: manifest.version.clone(),
        license: manifest.license.clone(),
        description: manifest.description.clone(),
        package: source,
        sha256,
        origin,
        already,
        newer_installed,
        overridden,
        protocols: manifest.protocols().to_vec(),
        spin_compatibility: manifest.spin_compatibility.clone(),
        name: manifest.name,
    })
}

fn by_name(
    settings: &Settings,
    name: &PluginName,
    version: Option<&VersionReq>,
    compatibility: CompatibilityCheck,
) -> Result<Found, InstallError> {
    if name.is_reserved() {
        return Err(InstallError::Reserved { name: name.clone() });
    }
    let query = Query { version, host: settings.host(compatibility) };
    let Offer { catalogue, directory, release } =
        source::offer(&settings.catalogues, name, &query).map_err(|none| InstallError::from((name.clone(), none)))?;
    of_catalogue(name, catalogue, &directory, &release)
}

/// The release of a catalogue that an app is pinned to.
fn pinned(settings: &Settings, name: &PluginName, pin: &Pin) -> Result<Found, InstallError> {
    let found = exactly_that(settings, name, &pin.version, &pin.catalogue)?;
    // A pin without an archive for this platform was refused before anything was to be installed.
    let (Some(package), Some(pinned)) = (found.manifest.package(settings.platform), pin.archive(settings.platform))
    else {
        return Ok(found);
    };
    if package.sha256 != pinned {
        let (version, catalogue, offered) = (pin.version.clone(), pin.catalogue.clone(), package.sha256);
        return Err(InstallError::PinnedOther { name: name.clone(), version, catalogue, pinned, offered });
    }
    Ok(found)
}

/// The manifest of one version in one catalogue, even if it was withdrawn: who is pinned to it goes on using it.
pub(crate) fn manifest_of(
    settings: &Settings,
    name: &PluginName,
    version: &ReleaseVersion,
    catalogue: &str,
) -> Result<PluginManifest, InstallError> {
    Ok(exactly_that(settings, name, version, catalogue)?.manifest)
}

fn exactly_that(
    settings: &Settings,
    name: &PluginName,
    version: &ReleaseVersion,
    catalogue: &str,
) -> Result<Found, InstallError> {
    let Some(source) = settings.catalogues.iter().find(|source| source.name == catalogue) else {
        return Err(InstallError::CatalogueNotConfigured { name: name.clone(), catalogue: catalogue.to_owned() });
    };
    let broken = |error| InstallError::Catalogue { catalogue: catalogue.to_owned(), source: Box::new(error) };
    let directory = Directory::open(&source.path).map_err(broken)?;
    let releases = directory.releases(name).map_err(broken)?.releases;
    let Some(release) = releases.iter().find(|release| release.version == *version) else {
        let (version, catalogue) = (version.clone(), catalogue.to_owned());
        return Err(InstallError::PinnedUnknown { name: name.clone(), version, catalogue });
    };
    of_catalogue(name, catalogue.to_owned(), &directory, release)
}

/// The manifest of a release, which must be what the index of its catalogue says.
fn of_catalogue(
    name: &PluginName,
    catalogue: String,
    directory: &Directory,
    release: &Release,
) -> Result<Found, InstallError> {
    let broken = |error| InstallError::Catalogue { catalogue: catalogue.clone(), source: Box::new(error) };
    let (manifest, json) = directory.manifest(name, &release.path).map_err(broken)?;
    let differs = |what: &'static str| InstallError::IndexMismatch {
        catalogue: catalogue.clone(),
        path: release.path.below(directory.root()),
        what,
    };
    if release.sha256.is_some_and(|wanted| wanted != hash::of(&json)) {
        return Err(differs("digest"));
    }
    if manifest.version != release.version {
        return Err(differs("version"));
    }
    if manifest.spin_compatibility != release.spin_compatibility {
        return Err(differs("spinCompatibility"));
    }
    if manifest.protocols() != release.protocols {
        return Err(differs("protocols"));
    }
    let path = release.path.below(directory.root());
    let folder = path.parent().unwrap_or(directory.root()).to_owned();
    Ok(Found { manifest, origin: Origin::Catalogue(catalogue), folder })
}

fn from_file(path: &Path) -> Result<Found, InstallError> {
    let unreadable = |source| InstallError::ManifestFile { path: path.to_owned(), source };
    // Absolute, so that the record still says something when the working directory is another one.
    let path = std::path::absolute(path).map_err(unreadable)?;
    let metadata = fs::metadata(&path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(InstallError::NotAFile { path });
    }
    let mut json = Vec::new();
    fs::File::open(&path)
        .and_then(|file| file.take(entry::MAX_BYTES + 1).read_to_end(&mut json))
        .map_err(unreadable)?;
    if json.len() as u64 > entry::MAX_BYTES {
        return Err(InstallError::ManifestTooLarge { path, limit: entry::MAX_BYTES });
    }
    let manifest = PluginManifest::parse(&json)
        .map_err(|source| InstallError::Manifest { path: path.clone(), source: Box::new(source) })?;
    let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
    Ok(Found { manifest, origin: Origin::ManifestFile(path), folder })
}

/// Where the archive is that a manifest in `folder` calls `url`.
fn package_source(url: &str, origin: &Origin, folder: &Path) -> Result<PackageSource, InstallError> {
    match url.parse::<PackageLocation>()? {
        PackageLocation::Web(url) => Ok(PackageSource::Web(url)),
        PackageLocation::Relative(path) => {
            let found = resolve_below(folder, &path)
                .map_err(|error| InstallError::Package { path: path.below(folder), source: Box::new(error) })?;
            Ok(PackageSource::File(found))
        }
        // A catalogue may be a clone of someone else's repository; it has no say in which local files are read.
        PackageLocation::File(path) if !matches!(origin, Origin::ManifestFile(_)) => {
            Err(InstallError::LocalFileFromCatalogue { path, origin: origin.to_string() })
        }
        PackageLocation::File(path) => Ok(PackageSource::File(path)),
    }
}
