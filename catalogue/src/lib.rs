//! Which plugins exist: names, digests, platforms, the catalogue's layout, and choosing a version.
//!
//! This crate knows *what is on offer*. It does not download, install or start anything
//! (`spin-plugin-manager` does) and it writes no files. It is synchronous and depends on no other crate of ours.
//!
//! # Map
//!
//! | module | what |
//! |---|---|
//! | [`name`] | [`PluginName`]: the only way a plugin's name becomes part of a path |
//! | [`digest`] | [`Sha256`] |
//! | [`version`] | [`ReleaseVersion`]: semver where possible, any path-safe text otherwise |
//! | [`platform`] | [`Platform`]: `linux-amd64` and its kin |
//! | [`entry`] | [`PluginManifest`]: one release as its author describes it |
//! | [`location`] | [`PackageLocation`], [`RelativePath`]: where a package may lie |
//! | [`index`] | [`Index`]: the whole catalogue in one file |
//! | [`layout`] | which file of a catalogue lies where |
//! | [`directory`] | [`Directory`]: reading a catalogue from a folder, with or without an index |
//! | [`compat`] | `spinCompatibility` against the Spin version we implement |
//! | [`resolve`] | [`choose`](resolve::choose) a release, or say truthfully why none fits |
//! | [`nearest`] | "did you mean …" |
//!
//! # Files
//!
//! Read: `index.json`, `manifests/NAME/NAME.json`, `manifests/NAME/NAME@VERSION.json`. Written: none.
//!
//! ```
//! use spin_catalogue::{PluginName, Sha256};
//!
//! let name: PluginName = "trigger-http".parse()?;
//! assert_eq!(name, PluginName::for_trigger("http")?);
//! assert!("../up".parse::<PluginName>().is_err());
//! assert!("abc".parse::<Sha256>().is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod compat;
pub mod digest;
pub mod directory;
pub mod entry;
pub mod index;
pub mod layout;
pub mod location;
pub mod name;
pub mod nearest;
pub mod platform;
pub mod resolve;
pub mod version;

pub use digest::Sha256;
pub use directory::Directory;
pub use entry::PluginManifest;
pub use index::{Index, Release};
pub use location::{PackageLocation, RelativePath};
pub use name::PluginName;
pub use platform::{Arch, Os, Platform};
pub use resolve::{CompatibilityCheck, Host, Query, Reason, Refusal};
pub use version::ReleaseVersion;
