//! [`InstallError`]: why nothing was installed.

use std::io;
use std::path::PathBuf;

use spin_catalogue::directory::DirectoryError;
use spin_catalogue::location::LocationError;
use spin_catalogue::{PluginName, Reason, ReleaseVersion, Sha256};
use url::Url;

use super::{looked_text, nearest_text, version_text};
use crate::fetch::FetchError;
use crate::pins::PinnedFrom;
use crate::source::CatalogueError;
use crate::store::StoreError;
use crate::trust::SignatureError;
use crate::unpack::UnpackError;
use crate::web::WebError;

/// Why a plugin was not installed. Whatever was installed before still is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// `spin` has a command of this name.
    #[error("a plugin cannot be named '{name}': spin has a command of that name")]
    Reserved {
        /// The name.
        name: PluginName,
    },
    /// No catalogue has it.
    #[error("there is no plugin '{name}'; {}{}", looked_text(catalogues), nearest_text(nearest.as_ref()))]
    Unknown {
        /// The name that was asked for.
        name: PluginName,
        /// The name that was probably meant.
        nearest: Option<PluginName>,
        /// The catalogues that were searched.
        catalogues: Vec<String>,
    },
    /// It exists, but not in a version for this host.
    #[error("plugin '{name}'{} {reason}{}", version_text(version.as_ref()), advice(name, reason, instead.as_ref()))]
    Refused {
        /// The plugin.
        name: PluginName,
        /// The release that came closest.
        version: Option<ReleaseVersion>,
        /// Why that one does not fit.
        reason: Box<Reason>,
        /// A release that would be installed if no particular version were asked for.
        instead: Option<ReleaseVersion>,
    },
    /// A pin names a catalogue that this user does not have.
    #[error(
        "plugin '{name}' is pinned to catalogue '{catalogue}', which is not among yours; nothing was installed from \
         elsewhere: add it with `spin plugins catalogue add {catalogue} PLACE` if you trust it"
    )]
    CatalogueNotConfigured {
        /// The plugin.
        name: PluginName,
        /// The catalogue that the pin names.
        catalogue: String,
    },
    /// There is no release of the version that is pinned, where it should be.
    #[error("{from} has no version {version} of plugin '{name}', to which this app is pinned")]
    PinnedUnknown {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: ReleaseVersion,
        /// Where the pin says that it is from.
        from: PinnedFrom,
    },
    /// There is another archive of the version that is pinned.
    #[error(
        "{from} has another archive of plugin '{name}' {version} (SHA-256 {offered}) than this app is \
         pinned to ({pinned}); nothing was installed: ask its keeper why it was replaced"
    )]
    PinnedOther {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: ReleaseVersion,
        /// Where the pin says that it is from.
        from: PinnedFrom,
        /// The digest in the pin.
        pinned: Box<Sha256>,
        /// The digest that is named there.
        offered: Box<Sha256>,
    },
    /// A catalogue cannot be used.
    #[error("could not use catalogue '{catalogue}': {source}")]
    Catalogue {
        /// The catalogue.
        catalogue: String,
        /// What is wrong.
        source: Box<CatalogueError>,
    },
    /// Index and manifest contradict each other.
    #[error(
        "the {what} of {} is not what the index of catalogue '{catalogue}' says; refresh the catalogue or tell its keeper",
        path.display()
    )]
    IndexMismatch {
        /// The catalogue.
        catalogue: String,
        /// The manifest.
        path: PathBuf,
        /// The property that differs.
        what: &'static str,
    },
    /// The manifest file cannot be read.
    #[error("could not read the manifest {}: {source}", path.display())]
    ManifestFile {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The manifest file is a folder, a pipe or a device.
    #[error("{} is not a file; name the manifest of a plugin", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The manifest file is too large to be one.
    #[error("{} is larger than {limit} bytes, so it is not the manifest of a plugin", path.display())]
    ManifestTooLarge {
        /// The file.
        path: PathBuf,
        /// The bytes it may have.
        limit: u64,
    },
    /// The manifest file is not a manifest.
    #[error("{} is not the manifest of a plugin: {source}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<serde_json::Error>,
    },
    /// The `url` of the package says no place we would read from.
    #[error("the manifest has a package that cannot be fetched: {0}")]
    Location(#[from] LocationError),
    /// The archive that the manifest names is not beside it.
    #[error("the manifest names the package {}, which cannot be used: {source}", path.display())]
    Package {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        source: Box<DirectoryError>,
    },
    /// A catalogue names a file outside of itself.
    #[error("{origin} names the local file {} as a package; only a manifest file given by you may do that", path.display())]
    LocalFileFromCatalogue {
        /// The file.
        path: PathBuf,
        /// Where the manifest came from.
        origin: String,
    },
    /// The manifest cannot be had from the web.
    #[error("could not get the manifest: {0}")]
    ManifestUrl(#[source] WebError),
    /// What was had from the web is not a manifest.
    #[error("what is at {url} is not the manifest of a plugin: {source}")]
    NotAManifest {
        /// Where it is.
        url: Box<Url>,
        /// What is wrong with it.
        source: Box<serde_json::Error>,
    },
    /// The address of a manifest is none that is asked.
    #[error("{url} cannot be asked for a manifest: {problem}")]
    BadManifestUrl {
        /// The address.
        url: Box<Url>,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The archive, or its manifest, is not signed as its catalogue must be.
    #[error("nothing was installed: {0}")]
    Signature(#[from] SignatureError),
    /// The signature of the archive cannot be had.
    #[error("could not get the signature of {of}: {source}")]
    SignatureFile {
        /// The archive.
        of: String,
        /// What went wrong.
        source: Box<FetchError>,
    },
    /// Getting the archive failed.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The archive is not the one that the manifest describes.
    #[error(
        "the package from {from} has SHA-256 {found}, the manifest says {wanted}; nothing was installed. \
         it was changed or damaged on its way: try again, then tell the author"
    )]
    DigestMismatch {
        /// Where the archive came from.
        from: String,
        /// The digest in the manifest.
        wanted: Sha256,
        /// The digest of what arrived.
        found: Sha256,
    },
    /// The archive is not one that we unpack.
    #[error("the package of '{name}' {version} was refused: {source}")]
    Unpack {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: ReleaseVersion,
        /// Why.
        source: Box<UnpackError>,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl InstallError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Reserved { .. } => "plugin::reserved-name",
            Self::Unknown { .. } => "plugin::unknown",
            Self::Refused { reason, .. } => reason.code(),
            Self::CatalogueNotConfigured { .. } => "pins::catalogue-not-configured",
            Self::PinnedUnknown { .. } => "pins::unknown-version",
            Self::PinnedOther { .. } => "pins::other-archive",
            Self::Catalogue { source, .. } => source.code(),
            Self::IndexMismatch { .. } => "catalogue::index-mismatch",
            Self::ManifestFile { .. } | Self::NotAFile { .. } => "plugin::unreadable-manifest",
            Self::Manifest { .. } | Self::ManifestTooLarge { .. } => "plugin::bad-manifest",
            Self::Location(_) => "plugin::bad-package-url",
            Self::Package { .. } => "plugin::package-missing",
            Self::LocalFileFromCatalogue { .. } => "plugin::local-file-from-catalogue",
            Self::ManifestUrl(error) => error.code(),
            Self::NotAManifest { .. } => "plugin::bad-manifest",
            Self::BadManifestUrl { .. } => "plugin::bad-manifest-url",
            Self::Signature(error) => error.code(),
            Self::SignatureFile { source, .. } => source.code(),
            Self::Fetch(error) => error.code(),
            Self::DigestMismatch { .. } => "plugin::digest-mismatch",
            Self::Unpack { source, .. } => source.code(),
            Self::Store(error) => error.code(),
        }
    }
}

fn advice(name: &PluginName, reason: &Reason, instead: Option<&ReleaseVersion>) -> String {
    let override_it = "install it anyway with --override-compatibility-check";
    let by_reason = match (reason, reason.remedy()) {
        (Reason::Version { .. }, _) if instead.is_none() => {
            Some(format!("`spin plugins show {name}` lists the versions that there are"))
        }
        (_, Some(remedy)) if reason.can_be_overridden() => Some(format!("{remedy}, or {override_it}")),
        (_, None) if reason.can_be_overridden() => Some(override_it.to_owned()),
        (_, remedy) => remedy.map(str::to_owned),
    };
    let by_version = instead.map(|version| format!("version {version} fits"));
    by_version.into_iter().chain(by_reason).map(|advice| format!("; {advice}")).collect()
}
