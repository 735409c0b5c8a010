//! Getting, verifying, keeping, packing and finding plugins.
//!
//! [`PluginManager`] is the way in. It starts no process and writes nothing to the terminal; it gives out paths of
//! executables that it has compared with what was installed.
//!
//! ```no_run
//! # use spin_plugin_manager::{PluginManager, Settings, InstallRequest, Silent};
//! # async fn example(settings: Settings) -> Result<(), Box<dyn std::error::Error>> {
//! let plugins = PluginManager::new(settings);
//! let name = "trigger-http".parse()?;
//! let plan = plugins.plan(&InstallRequest::by_name(name)).await?;
//! println!("install {} {} ({})?", plan.name, plan.version, plan.license);
//! let installed = plugins.install(&plan, &Silent).await?;
//! let executable = plugins.resolve(&installed.name)?;
//! # Ok(()) }
//! ```
//!
//! # Map
//!
//! | module | what |
//! |---|---|
//! | `manager` | [`PluginManager`], the facade |
//! | `settings` | [`Settings`]: everything that comes from outside |
//! | `source` | catalogues: where they are, their local copies, refreshing them, asking them |
//! | `trust` | signatures and the keys they are made with |
//! | `web` | asking servers: redirects, credentials, limits |
//! | `plan` | [`InstallRequest`] → [`InstallPlan`], before anything is done |
//! | `install` | carrying a plan out, so that a crash leaves the old state or the new |
//! | `fetch` | archives from files and the web, hashed and capped |
//! | `cached` | a folder of downloads, each under its digest |
//! | `pins`, `pinned` | the file that pins an app to releases, and what it means |
//! | `unpack` | the allow-list reader of archives |
//! | `activate` | choosing which installed version is used |
//! | `uninstall`, `remove` | taking releases out of the store, and what unfinished work left |
//! | `gc` | removing what nobody uses |
//! | `listing` | what there is, installed or not |
//! | `notice` | telling of newer versions, once a day |
//! | `mirror` | copying releases into a catalogue folder |
//! | `verify`, `contents` | comparing everything that is installed with its record |
//! | `store` | the layout on disk, locks, records, comparing an executable with its record |
//! | `resolve` | which executable to start, or why none |
//! | `public_layout` | what the public Spin has installed in the same data folder |
//! | `pack` | [`pack()`]: making a package and adding it to a catalogue |
//!
//! # Files
//!
//! Owned: `<data>/plugin-store/v1` (see `store`). Read only: `<data>/plugins` and the catalogues. [`pack()`] and
//! [`PluginManager::mirror`] write into the catalogue that they are told, [`cached()`] into the folder that it is told, and [`Pins`] beside a manifest.

mod activate;
mod cached;
mod contents;
mod error;
mod fetch;
mod gc;
mod hash;
mod install;
mod installed;
mod listing;
mod manager;
mod mirror;
mod notice;
pub mod pack;
mod pinned;
mod pins;
mod plan;
mod progress;
mod public_layout;
mod remove;
mod resolve;
mod settings;
mod source;
mod step;
mod store;
mod trust;
mod uninstall;
mod unpack;
mod verify;
mod web;

pub use activate::ActivateError;
pub use cached::{CachedError, cached};
pub use error::{InstallError, ResolveError};
pub use fetch::FetchError;
pub use gc::{Collection, Garbage, Unused};
pub use installed::{Executable, Installed, Origin};
pub use listing::{Described, Listed, Listing, Outdated, Unusable};
pub use manager::PluginManager;
pub use mirror::{Mirror, MirrorError, MirrorRequest, MirroredPackage, PassedOver};
pub use pack::{AssetProblem, PackError, PackRequest, Packed, pack};
pub use pinned::PinError;
pub use pins::{Pin, PinnedFrom, Pins, PinsError};
pub use plan::{InstallPlan, InstallRequest, PackageSource, What, exactly};
pub use progress::{Progress, Silent};
pub use settings::{Network, Settings, Tie};
pub use source::{
    Catalogue, CatalogueError, CatalogueName, CatalogueSource, GitBranch, GitUrl, Knowledge, News, Place, PlaceError,
    Refreshed, WebRoot,
};
pub use spin_catalogue::{CompatibilityCheck, Platform, PluginName, Reason, ReleaseVersion, Sha256};
pub use store::{Clock, StoreError, Verification};
pub use trust::{KeyError, KeyId, SignatureError, SignatureProblem, Trust, TrustedKey};
pub use uninstall::Uninstalled;
pub use unpack::{ArchiveHeaderProblem, ArchivePathProblem, UnpackError};
pub use verify::{Damage, Verified};
pub use web::{Credential, Secret, WebError};

#[cfg(test)]
mod testing;
