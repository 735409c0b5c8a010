//! Mirroring: what the catalogues offer becomes a catalogue in a folder, archives included, for machines without a network.
//!
//! For every platform it holds what [`plan`](crate::PluginManager::plan) would choose there. A folder that is a catalogue
//! already is added to, as by [`pack()`](crate::pack()): what it holds stays, and a release never changes in it. Archives come
//! first and the index last, so that the index names nothing that isn't there yet; killed at any point, the folder is the
//! old catalogue or the new one, with files at most that no index names.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use semver::VersionReq;
use spin_catalogue::directory::DirectoryError;
use spin_catalogue::{
    CompatibilityCheck, Directory, Host, Index, Platform, PluginManifest, PluginName, Query, Reason, Release,
    ReleaseVersion, Sha256, entry, layout,
};

use crate::error::InstallError;
use crate::fetch::{self, fetch};
use crate::hash;
use crate::manager::PluginManager;
use crate::pack::{alone, index_of, latest, put};
use crate::plan::{Found, PackageSource, of_catalogue, package};
use crate::progress::Progress;
use crate::source::{self, Offer};
use crate::store::{StoreError, sync_dir};
use crate::trust::{ENDING, Trust};
use crate::web::Web;

/// What to mirror, and where to.
#[derive(Clone, Debug)]
pub struct MirrorRequest<'a> {
    /// The catalogue folder. Made if it does not exist.
    pub to: &'a Path,
    /// The plugins, each with the versions that will do; none for all that the catalogues have.
    pub plugins: Vec<(PluginName, Option<VersionReq>)>,
    /// The platforms.
    pub platforms: Vec<Platform>,
}

/// What is in the mirror now.
#[derive(Debug)]
#[non_exhaustive]
pub struct Mirror {
    /// The packages that were asked for, all of which are there.
    pub packages: Vec<MirroredPackage>,
    /// What has no package that fits, if everything was to be mirrored.
    pub passed_over: Vec<PassedOver>,
}

/// One package of a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MirroredPackage {
    /// The plugin.
    pub name: PluginName,
    /// Its version.
    pub version: ReleaseVersion,
    /// The platform that the package is for.
    pub platform: Platform,
    /// The catalogue that it is from.
    pub catalogue: String,
    /// The archive.
    pub archive: PathBuf,
    /// The digest of the archive.
    pub sha256: Sha256,
    /// Whether the signature of the archive lies beside it.
    pub signed: bool,
    /// Whether the mirror did not have it before.
    pub new: bool,
}

/// A plugin that is not mirrored.
#[derive(Debug)]
#[non_exhaustive]
pub struct PassedOver {
    /// The plugin.
    pub name: PluginName,
    /// The release that came closest.
    pub version: Option<ReleaseVersion>,
    /// The platform in question.
    pub platform: Platform,
    /// Why that one does not fit there.
    pub reason: Reason,
}

/// A release to mirror for one platform.
struct Wanted {
    name: PluginName,
    platform: Platform,
    offer: Offer,
    found: Found,
}

/// Mirrors what `request` names.
pub(crate) async fn mirror(
    manager: &PluginManager,
    request: &MirrorRequest<'_>,
    progress: &dyn Progress,
) -> Result<Mirror, MirrorError> {
    // All are looked up before the first is fetched: a mistyped name should cost nothing.
    let (wanted, passed_over) = choose(manager, request).await?;
    let root = request.to;
    let manifests = root.join(layout::MANIFESTS);
    fs::create_dir_all(&manifests).map_err(|error| StoreError::io("make", &manifests, error))?;
    let _alone = alone(root)?;
    let mut index = current(root)?;
    let mut packages = Vec::new();
    for wanted in wanted {
        let manifest = beside(&wanted.found.manifest);
        let release = row(root, &index, &wanted, &manifest)?;
        packages.push(take(manager, root, &wanted, progress).await?);
        add(root, &mut index, &manifest, release)?;
    }
    let json = index.to_json();
    if Directory::index_bytes(root)?.as_deref() != Some(json.as_bytes()) {
        put(root, &layout::index(), json.as_bytes())?;
    }
    Ok(Mirror { packages, passed_over })
}

/// Finds a release for every plugin and platform.
async fn choose(
    manager: &PluginManager,
    request: &MirrorRequest<'_>,
) -> Result<(Vec<Wanted>, Vec<PassedOver>), MirrorError> {
    let everything = request.plugins.is_empty();
    let plugins = if everything { all(manager)? } else { request.plugins.clone() };
    let (mut wanted, mut passed_over) = (Vec::new(), Vec::new());
    for (name, version) in plugins {
        for &platform in &request.platforms {
            let version = version.as_ref();
            let host = Host { platform, ..manager.settings.host(CompatibilityCheck::Enforced) };
            let offer = source::offer(&manager.store, &manager.settings.catalogues, &name, &Query { version, host });
            match offer.map_err(|none| InstallError::from((name.clone(), none))) {
                Ok(offer) => {
                    let catalogue = offer.catalogue.clone();
                    let found = of_catalogue(manager, &name, catalogue, &offer.opened, &offer.release).await?;
                    // Who names a plugin twice gets it once.
                    let again = |held: &Wanted| {
                        (&held.name, held.platform, &held.found.manifest.version)
                            == (&name, platform, &found.manifest.version)
                    };
                    if !wanted.iter().any(again) {
                        wanted.push(Wanted { name: name.clone(), platform, offer, found });
                    }
                }
                Err(InstallError::Refused { name, version, reason, .. }) if everything => {
                    passed_over.push(PassedOver { name, version, platform, reason: *reason });
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok((wanted, passed_over))
}

/// Every plugin of every catalogue.
fn all(manager: &PluginManager) -> Result<Vec<(PluginName, Option<VersionReq>)>, MirrorError> {
    let mut names = BTreeSet::new();
    for source in &manager.settings.catalogues {
        let broken = |error| InstallError::Catalogue { catalogue: source.name.clone(), source: Box::new(error) };
        let opened = source::open(&manager.store, source).map_err(broken)?;
        names.extend(opened.directory.names().map_err(|error| broken(error.into()))?);
    }
    Ok(names.into_iter().filter(|name| !name.is_reserved()).map(|name| (name, None)).collect())
}

/// The index of the catalogue in `root`, which has one afterwards: without it, every manifest that is put there would
/// count at once.
fn current(root: &Path) -> Result<Index, MirrorError> {
    let directory = Directory::open(root)?;
    if let Some(index) = directory.index() {
        return Ok(index.clone());
    }
    let index = index_of(&directory)?;
    put(root, &layout::index(), index.to_json().as_bytes())?;
    Ok(index)
}

/// Puts an archive and its signature into the mirror.
async fn take(
    manager: &PluginManager,
    root: &Path,
    wanted: &Wanted,
    progress: &dyn Progress,
) -> Result<MirroredPackage, MirrorError> {
    let Wanted { name, platform, offer, found: Found { manifest, origin, base, trust, web } } = wanted;
    let package = manifest.package(*platform).ok_or_else(|| {
        let offered = manifest.platforms().map(|platform| platform.to_string()).collect();
        let reason = Box::new(Reason::Platform { wanted: *platform, offered });
        InstallError::Refused { name: name.clone(), version: Some(manifest.version.clone()), reason, instead: None }
    })?;
    let source = package::locate(&package.url, origin, base)?;
    let version = &manifest.version;
    let path = layout::release_manifest(name, version).beside(&layout::archive_name(name, version, *platform));
    let archive = path.below(root);
    let folder = archive.parent().unwrap_or(root);
    let file = path.parts().next_back().unwrap_or_default();
    let signature = folder.join(format!("{file}{ENDING}"));
    let mirrored = |new| MirroredPackage {
        name: name.clone(),
        version: manifest.version.clone(),
        platform: *platform,
        catalogue: offer.catalogue.clone(),
        archive: archive.clone(),
        sha256: package.sha256,
        signed: signature.is_file(),
        new,
    };
    let of = format!("the package {source}");
    if digest_of(&archive)? == Some(package.sha256) && is_trusted(manager, trust, &of, &archive, web).await? {
        return Ok(mirrored(false));
    }

    fs::create_dir_all(folder).map_err(|error| StoreError::io("make", folder, error))?;
    let incoming = Incoming::at(folder.join(format!(".{file}.new")))?;
    let sha256 = fetch(&source, &incoming.0, fetch::MAX_BYTES, web, progress).await.map_err(InstallError::from)?;
    if sha256 != package.sha256 {
        let (from, wanted) = (source.to_string(), package.sha256);
        return Err(InstallError::DigestMismatch { from, wanted, found: sha256 }.into());
    }
    let failed = |error| StoreError::io("write", &archive, error);
    let fetched = File::open(&incoming.0).map_err(failed)?;
    fetched.sync_all().map_err(failed)?;
    // One that nobody asks for is kept if it can be had.
    let beside = match package::signature(&source, web).await {
        Err(error) if trust.asks() => return Err(error.into()),
        other => other.unwrap_or_default(),
    };
    let claim = trust.claim(&of, beside.as_deref(), manager.store.now()).map_err(InstallError::from)?;
    claim.map(|claim| claim.verify(fetched)).transpose().map_err(InstallError::from)?;
    if let Some(beside) = beside {
        crate::store::write_durably(folder, &format!("{file}{ENDING}"), &beside)?;
    }
    fs::rename(&incoming.0, &archive).map_err(failed)?;
    sync_dir(folder)?;
    Ok(mirrored(true))
}

/// Whether an archive that lies in the mirror has the signature that its catalogue asks for.
async fn is_trusted(
    manager: &PluginManager,
    trust: &Trust,
    of: &str,
    archive: &Path,
    web: &Web,
) -> Result<bool, MirrorError> {
    let beside = package::signature(&PackageSource::File(archive.to_owned()), web).await?;
    Ok(match trust.claim(of, beside.as_deref(), manager.store.now()) {
        Ok(Some(claim)) => {
            let held = File::open(archive).map_err(|error| StoreError::io("read", archive, error))?;
            claim.verify(held).is_ok()
        }
        Ok(None) => true,
        // Its publisher may have another one by now.
        Err(_) => false,
    })
}

/// The row of a release in the index of the mirror, which must not have another release under that version.
fn row(root: &Path, index: &Index, wanted: &Wanted, manifest: &PluginManifest) -> Result<Release, MirrorError> {
    let Wanted { name, platform, offer, .. } = wanted;
    let (version, json) = (&manifest.version, manifest.to_json());
    let path = layout::release_manifest(name, version);
    let mut release = Release { path, sha256: Some(hash::of(json.as_bytes())), ..offer.release.clone() };
    release.platforms = vec![platform.to_string()];
    if let Some(held) = index.releases(name).iter().find(|held| held.version == *version) {
        let manifest = Directory::read_if_any(root, &held.path, entry::MAX_BYTES)?;
        if held.path != release.path || manifest.is_some_and(|held| held != json.as_bytes()) {
            let (folder, name, version) = (root.to_owned(), name.clone(), version.clone());
            return Err(MirrorError::OtherRelease { folder, name, version });
        }
        release.platforms.extend(held.platforms.iter().filter(|held| **held != platform.to_string()).cloned());
        release.platforms.sort_unstable();
        release.yanked = held.yanked;
    }
    Ok(release)
}

/// Puts the manifest of a release into the mirror, and its row into the index.
fn add(root: &Path, index: &mut Index, manifest: &PluginManifest, release: Release) -> Result<(), MirrorError> {
    let (name, json) = (&manifest.name, manifest.to_json());
    put(root, &release.path, json.as_bytes())?;
    index.put(name, release);
    if latest(index, name) == Some(&manifest.version) {
        put(root, &layout::latest_manifest(name), json.as_bytes())?;
    }
    Ok(())
}

/// The manifest with its packages beside it. Those that are not mirrored stay in it: the index tells which are there, so that
/// a platform more changes the index and not the manifest. Of several packages for one platform, the first counts.
fn beside(manifest: &PluginManifest) -> PluginManifest {
    let mut manifest = manifest.clone();
    let mut seen = BTreeSet::new();
    manifest.packages.retain(|package| seen.insert(package.platform));
    for package in &mut manifest.packages {
        package.url = layout::archive_name(&manifest.name, &manifest.version, package.platform).to_string();
    }
    manifest
}

/// The digest of a file; `None` if there is none.
fn digest_of(path: &Path) -> Result<Option<Sha256>, StoreError> {
    let failed = |error| StoreError::io("read", path, error);
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => Ok(Some(hash::of_reader(file.map_err(failed)?.take(fetch::MAX_BYTES)).map_err(failed)?.0)),
    }
}

/// An archive on its way, which is removed unless it got its name.
struct Incoming(PathBuf);

impl Incoming {
    /// Makes room for it: a killed mirroring may have left something.
    fn at(path: PathBuf) -> Result<Self, StoreError> {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", &path, error)),
            _ => Ok(Self(path)),
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Best effort: the next one removes what is left.
        let _ = fs::remove_file(&self.0);
    }
}

/// Why nothing, or not everything, was mirrored. The catalogue in the folder is what it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// A plugin cannot be had.
    #[error(transparent)]
    Release(Box<InstallError>),
    /// The folder holds another release under that version.
    #[error(
        "{} holds another release of '{name}' {version} than the catalogue has; a release never changes in a catalogue: \
         mirror into another folder",
        folder.display()
    )]
    OtherRelease {
        /// The folder.
        folder: PathBuf,
        /// The plugin.
        name: PluginName,
        /// The version.
        version: ReleaseVersion,
    },
    /// What is in the folder is no catalogue.
    #[error(transparent)]
    Folder(#[from] DirectoryError),
    /// The folder cannot be written.
    #[error(transparent)]
    Write(#[from] StoreError),
}

impl From<InstallError> for MirrorError {
    fn from(error: InstallError) -> Self {
        Self::Release(Box::new(error))
    }
}

impl MirrorError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Release(error) => error.code(),
            Self::OtherRelease { .. } => "mirror::other-release",
            Self::Folder(error) => error.code(),
            Self::Write(error) => error.code(),
        }
    }
}
