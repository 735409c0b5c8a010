//! The manifest, `spin.toml`: what a person writes about an application.
//!
//! * [`Manifest`] and its parts (`manifest/schema.rs` and below): the data, after reading;
//! * reading (`manifest/parse.rs` and below): TOML to data, all problems at once, each with line and column;
//! * [`Draft`] (`manifest/draft.rs`): what could be read of a manifest that has problems;
//! * checking (`manifest/check.rs`): what only shows when parts are seen together;
//! * looking (`manifest/presence.rs`): whether the files are there that it names;
//! * profiles (`manifest/profile.rs`) and dependencies (`manifest/dependencies.rs`): what the parts come to;
//! * [`Needs`] and [`Resolved`] (`manifest/needs.rs`): what somebody else must get, and what came of it;
//! * [`schema_json`] (`manifest/json_schema.rs`): what can be written, for editors;
//! * locking (`manifest/locking.rs`): data to a [`LockedApp`](crate::LockedApp).
//!
//! Versions 2 and 1 of the format are read; version 1 is converted to the form of version 2. Normalising follows the
//! order of public Spin: ids of triggers, components written inside triggers, the profile, what dependencies inherit,
//! dependencies that are other components.
//!
//! ```
//! use std::path::Path;
//! use spin_app_model::Manifest;
//!
//! let text = r#"spin_manifest_version = 2
//!
//! [application]
//! name = "demo"
//!
//! [[trigger.http]]
//! route = "/..."
//! component = "helo"
//!
//! [component.hello]
//! sorce = "hello.wasm"
//! "#;
//! let error = Manifest::parse(text, Path::new("spin.toml")).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "\
//! spin.toml:8:13: no component `helo` is declared
//!   help: did you mean `hello`?
//! spin.toml:10:12: the key `source` is missing in component `hello`
//!   help: name the component's wasm file: `source = \"hello.wasm\"`
//! spin.toml:11:1: unknown key `sorce` in component `hello`
//!   help: did you mean `source`?",
//! );
//! ```

mod bare;
mod check;
mod dependencies;
mod draft;
mod error;
mod http_hosts;
mod ids;
mod json;
mod json_schema;
mod locking;
mod names;
mod needs;
mod parse;
mod patterns;
mod presence;
mod profile;
mod schema;

use std::path::Path;

pub use crate::document::{Located, Position, Problem, Problems};
pub use draft::Draft;
pub use error::ManifestError;
pub use json_schema::schema_json;
pub use locking::LockOptions;
pub use names::{Digest, PackageName};
pub use needs::{ComponentFiles, Needs, Resolved};
pub use schema::{
    Application, Build, BuildCommand, Component, Dependency, DependencyName, DependencySource, Download, FileMount,
    Manifest, Package, Profile, SourceRef, Target, Trigger, Variable,
};

/// The usual name of a manifest.
pub const FILE_NAME: &str = "spin.toml";

impl Manifest {
    /// Reads a manifest file.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Read`] when the file cannot be read, else as [`parse`](Self::parse).
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        Draft::read(path, None)?.finished()
    }

    /// Reads the text of a manifest. `path` is where it is from: it appears in messages and is not opened.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Invalid`], listing everything that is wrong with it.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ManifestError> {
        Draft::parse(text, path, None)?.finished()
    }
}
