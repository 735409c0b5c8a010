//! Deciding what an installation would do, before anything is done: [`InstallRequest`] → [`InstallPlan`].
//!
//! Reads catalogues, manifests and signatures, and changes nothing. What of these is on the web and was never needed
//! before is downloaded; archives are not.

pub(crate) mod package;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::VersionReq;
use spin_catalogue::resolve::obstacle;
use spin_catalogue::{
    CompatibilityCheck, PluginManifest, PluginName, Query, Reason, Release, ReleaseVersion, Sha256, entry,
};
use url::Url;

pub use package::PackageSource;

use crate::error::InstallError;
use crate::installed::Origin;
use crate::manager::PluginManager;
use crate::pins::{Pin, PinnedFrom};
use crate::source::{self, Base, Manifest, Offer, Opened};
use crate::trust::{Claim, KeyId, Trust};
use crate::web::{Credential, Secret, Web, is_protected};

/// How long a manifest or a signature may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

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
    /// The release that an app is pinned to, from the place that its pin names and no other. Which installed version is
    /// used otherwise does not change by it.
    Pinned {
        /// The plugin.
        name: PluginName,
        /// Which release of it.
        pin: Pin,
    },
    /// The release that the manifest at this address describes.
    ManifestUrl {
        /// Where the manifest is.
        url: Url,
        /// What its server wants to see in the `Authorization` header. It is shown to no other server.
        authorization: Option<Secret>,
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
    /// The key that has signed the archive, if its catalogue asks for signatures.
    /// [`install`](crate::PluginManager::install) compares the signature with the archive.
    pub signed_by: Option<KeyId>,
    /// Set if the plugin does not fit and is installed only because the user said so.
    pub overridden: Option<Reason>,
    /// Whether the version that is used stays the one that it was, although this one may be higher.
    pub(crate) keeps_choice: bool,
    pub(crate) protocols: Vec<u32>,
    pub(crate) spin_compatibility: String,
    pub(crate) claim: Option<Claim>,
    /// The way to the archive, with what its server wants to see.
    pub(crate) web: Web,
}

/// A manifest with what is known about the place it came from.
pub(crate) struct Found {
    pub(crate) manifest: PluginManifest,
    pub(crate) origin: Origin,
    /// Where its relative paths start.
    pub(crate) base: Base,
    /// Which signature the archive must have.
    pub(crate) trust: Trust,
    pub(crate) web: Web,
}

/// Decides what installing `request` would do.
pub(crate) async fn plan(manager: &PluginManager, request: &InstallRequest) -> Result<InstallPlan, InstallError> {
    let PluginManager { settings, store, .. } = manager;
    let compatibility = match request.override_compatibility {
        true => CompatibilityCheck::Overridden,
        false => CompatibilityCheck::Enforced,
    };
    let found = match &request.what {
        What::ByName { name, version } => by_name(manager, name, version.as_ref(), compatibility).await?,
        What::ManifestFile(path) => from_file(manager, path)?,
        What::ManifestUrl { url, authorization } => from_url(manager, url, authorization.as_ref()).await?,
        What::Pinned { name, pin } => pinned(manager, name, pin).await?,
    };
    let Found { manifest, origin, base, trust, web } = found;
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
    let source = package::locate(&package.url, &origin, &base)?;
    let sha256 = package.sha256;

    let releases = store.record(&manifest.name)?.releases;
    let already = releases.iter().any(|held| {
        held.version == manifest.version && held.archive == sha256 && store.verify_all(&manifest.name, held).is_ok()
    });
    // What is installed was checked when it came.
    let claim = if already { None } else { package::claim(&trust, &source, store.now(), &web).await? };
    Ok(InstallPlan {
        version: manifest.version.clone(),
        license: manifest.license.clone(),
        description: manifest.description.clone(),
        package: source,
        sha256,
        origin,
        already,
        signed_by: claim.as_ref().map(Claim::key),
        overridden,
        keeps_choice: matches!(request.what, What::Pinned { .. }),
        protocols: manifest.protocols().to_vec(),
        spin_compatibility: manifest.spin_compatibility.clone(),
        claim,
        web,
        name: manifest.name,
    })
}

async fn by_name(
    manager: &PluginManager,
    name: &PluginName,
    version: Option<&VersionReq>,
    compatibility: CompatibilityCheck,
) -> Result<Found, InstallError> {
    if name.is_reserved() {
        return Err(InstallError::Reserved { name: name.clone() });
    }
    let query = Query { version, host: manager.settings.host(compatibility) };
    let Offer { catalogue, opened, release } =
        source::offer(&manager.store, &manager.settings.catalogues, name, &query)
            .map_err(|none| InstallError::from((name.clone(), none)))?;
    of_catalogue(manager, name, catalogue, &opened, &release).await
}

/// The release that an app is pinned to.
async fn pinned(manager: &PluginManager, name: &PluginName, pin: &Pin) -> Result<Found, InstallError> {
    let found = exactly_that(manager, name, &pin.version, &pin.from).await?;
    let platform = manager.settings.platform;
    // A pin without an archive for this platform was refused before anything was to be installed.
    let (Some(package), Some(pinned)) = (found.manifest.package(platform), pin.archive(platform)) else {
        return Ok(found);
    };
    if package.sha256 != pinned {
        let (version, from) = (pin.version.clone(), pin.from.clone());
        let (pinned, offered) = (Box::new(pinned), Box::new(package.sha256));
        return Err(InstallError::PinnedOther { name: name.clone(), version, from, pinned, offered });
    }
    Ok(found)
}

/// The manifest of one version in one place, even if it was withdrawn: who is pinned to it goes on using it.
pub(crate) async fn manifest_of(
    manager: &PluginManager,
    name: &PluginName,
    version: &ReleaseVersion,
    from: &PinnedFrom,
) -> Result<PluginManifest, InstallError> {
    Ok(exactly_that(manager, name, version, from).await?.manifest)
}

async fn exactly_that(
    manager: &PluginManager,
    name: &PluginName,
    version: &ReleaseVersion,
    from: &PinnedFrom,
) -> Result<Found, InstallError> {
    let unknown = || InstallError::PinnedUnknown { name: name.clone(), version: version.clone(), from: from.clone() };
    let catalogue = match from {
        PinnedFrom::Catalogue(catalogue) => catalogue,
        PinnedFrom::Manifest(url) => {
            // The pin has the digest, so nobody on the way can change what is installed.
            let found = manifest_at(url, manager.web.clone()).await?;
            let is_it = found.manifest.name == *name && found.manifest.version == *version;
            return if is_it { Ok(found) } else { Err(unknown()) };
        }
    };
    let Some(source) = manager.settings.catalogues.iter().find(|source| source.name == *catalogue) else {
        return Err(InstallError::CatalogueNotConfigured { name: name.clone(), catalogue: catalogue.to_owned() });
    };
    let broken = |error| InstallError::Catalogue { catalogue: catalogue.to_owned(), source: Box::new(error) };
    let opened = source::open(&manager.store, source).map_err(broken)?;
    let releases = opened.directory.releases(name).map_err(|error| broken(error.into()))?.releases;
    let Some(release) = releases.iter().find(|release| release.version == *version) else {
        return Err(unknown());
    };
    of_catalogue(manager, name, catalogue.to_owned(), &opened, release).await
}

/// The manifest of a release, which must be what the index of its catalogue says.
pub(crate) async fn of_catalogue(
    manager: &PluginManager,
    name: &PluginName,
    catalogue: String,
    opened: &Opened,
    release: &Release,
) -> Result<Found, InstallError> {
    let broken = |error| InstallError::Catalogue { catalogue: catalogue.clone(), source: Box::new(error) };
    let Manifest { manifest, digest, at, base } = opened.manifest(name, release, &manager.web).await.map_err(broken)?;
    let differs =
        |what: &'static str| InstallError::IndexMismatch { catalogue: catalogue.clone(), path: at.clone(), what };
    if release.sha256.is_some_and(|wanted| wanted != digest) {
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
    let (origin, trust) = (Origin::Catalogue(catalogue), opened.trust.clone());
    Ok(Found { manifest, origin, base, trust, web: manager.web.clone() })
}

fn from_file(manager: &PluginManager, path: &Path) -> Result<Found, InstallError> {
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
    let base = Base::Folder(path.parent().unwrap_or(Path::new("/")).to_owned());
    let (origin, web) = (Origin::ManifestFile(path), manager.web.clone());
    // Whoever names a file vouches for it.
    Ok(Found { manifest, origin, base, trust: Trust::default(), web })
}

async fn from_url(manager: &PluginManager, url: &Url, authorization: Option<&Secret>) -> Result<Found, InstallError> {
    let bad = |problem| InstallError::BadManifestUrl { url: Box::new(without_secrets(url)), problem };
    if !matches!(url.scheme(), "https" | "http") {
        return Err(bad("it is neither https nor http; a file on this machine is named with --file"));
    }
    if !is_protected(url) {
        return Err(bad("whoever is on the way could change it, and no signature would tell; use https"));
    }
    if *url != without_secrets(url) {
        return Err(bad("it holds a user name or password; use --auth-header-value, or a [[credential]] table"));
    }
    let mut web = manager.web.clone();
    if let Some(authorization) = authorization {
        let host = url.host_str().unwrap_or_default();
        if url.scheme() != "https" {
            return Err(bad("an authorization is sent over https only"));
        }
        let host = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
        web = web.with(Credential { host, authorization: authorization.clone() });
    }
    manifest_at(url, web).await
}

/// The release that the manifest at `url` describes, asked for over `web`.
async fn manifest_at(url: &Url, web: Web) -> Result<Found, InstallError> {
    let json = web.bytes(url, entry::MAX_BYTES, PATIENCE).await.map_err(InstallError::ManifestUrl)?;
    let manifest = PluginManifest::parse(&json)
        .map_err(|source| InstallError::NotAManifest { url: Box::new(url.clone()), source: Box::new(source) })?;
    let (origin, base) = (Origin::ManifestUrl(Box::new(url.clone())), Base::Web(url.clone()));
    // Whoever names an address vouches for it.
    Ok(Found { manifest, origin, base, trust: Trust::default(), web })
}

/// The address without user name and password, which must get into no message and no file.
fn without_secrets(url: &Url) -> Url {
    let mut url = url.clone();
    // They fail for addresses that can have neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}
