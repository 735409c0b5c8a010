//! What a [`PluginManager`](crate::PluginManager) is told from outside. Nothing here is read from the environment.

use std::path::PathBuf;

use semver::Version;
use spin_catalogue::{CompatibilityCheck, Host, Platform};
use tokio::process::Command;

use crate::source::CatalogueSource;
use crate::web::Credential;

/// Where plugins are kept, where they come from, and what they shall run on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder of spin. The store is `plugin-store/v1` in it; `plugins` in it is the public Spin's.
    pub data_dir: PathBuf,
    /// The catalogues, the most trusted first: the first one with a release that fits decides.
    pub catalogues: Vec<CatalogueSource>,
    /// The public Spin version that `spinCompatibility` is compared with.
    pub spin: Version,
    /// The platform that plugins shall run on.
    pub platform: Platform,
    /// Trigger protocols that the host speaks. Protocol 0 is always spoken and need not be listed.
    pub protocols: Vec<u32>,
    /// Whether the network may be used.
    pub network: Network,
    /// What the user may show to which servers.
    pub credentials: Vec<Credential>,
    /// What binds a program that is started here to this process.
    pub tie: Tie,
}

/// What is done with a command so that it ends with this process, however that ends. The default does nothing: then a
/// process that is killed leaves what it started to itself.
#[derive(Clone, Copy, Debug)]
pub struct Tie(pub fn(&mut Command));

impl Default for Tie {
    fn default() -> Self {
        Self(|_| {})
    }
}

/// Whether the network may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Where it is needed.
    Online,
    /// Not at all: what is not on this machine is an error.
    Offline,
}

impl Settings {
    /// The host in the words of the catalogue.
    pub(crate) fn host(&self, compatibility: CompatibilityCheck) -> Host<'_> {
        Host { spin: &self.spin, platform: self.platform, protocols: &self.protocols, compatibility }
    }
}
