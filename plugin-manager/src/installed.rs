//! What is installed and what may be started: [`Installed`], [`Origin`], [`Executable`].

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use spin_catalogue::{PluginName, ReleaseVersion, Sha256};
use url::Url;

use crate::trust::KeyId;

/// A plugin that is installed. Several versions of one plugin may be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Installed {
    /// The name.
    pub name: PluginName,
    /// The version.
    pub version: ReleaseVersion,
    /// The executable. Not verified: only [`resolve`](crate::PluginManager::resolve) gives what may be started.
    pub executable: PathBuf,
    /// Trigger protocols it names; empty for the one without a channel, 0.
    pub protocols: Vec<u32>,
    /// Versions of Spin it says it works with.
    pub spin_compatibility: String,
    /// Its licence, as its author wrote it.
    pub license: String,
    /// Where it came from.
    pub origin: Origin,
    /// The digest of the archive it was unpacked from; `None` if the public Spin installed it.
    pub archive: Option<Sha256>,
    /// When it was installed; `None` if the public Spin did it.
    pub installed: Option<jiff::Timestamp>,
    /// Whether it is the version that [`resolve`](crate::PluginManager::resolve) gives: the one that was chosen, if it
    /// fits this host, else the highest that fits.
    pub active: bool,
    /// The key that has signed its archive, if its catalogue asks for signatures.
    pub signed_by: Option<KeyId>,
}

/// Where an installed plugin came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Origin {
    /// A catalogue of this name.
    Catalogue(String),
    /// A manifest file.
    ManifestFile(PathBuf),
    /// A manifest on the web.
    ManifestUrl(Box<Url>),
    /// Found in the data folder of the public Spin, which owns it. We neither change nor remove it.
    PublicLayout,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalogue(name) => write!(f, "catalogue '{name}'"),
            Self::ManifestFile(path) => write!(f, "{}", path.display()),
            Self::ManifestUrl(url) => write!(f, "{url}"),
            Self::PublicLayout => write!(f, "installed by the public spin"),
        }
    }
}

/// An executable that was compared with its record just now and may be started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Executable {
    /// The plugin.
    pub name: PluginName,
    /// Its version.
    pub version: ReleaseVersion,
    /// The file to start.
    pub path: PathBuf,
    /// Trigger protocols it names; empty if none, so that no hello is due.
    pub protocols: Vec<u32>,
    /// Where it came from.
    pub origin: Origin,
}
