//! The manifest, `spin.toml`: what a person writes about an application.
//!
//! * [`Manifest`] and its parts (`manifest/schema.rs` and below): the data, after reading;
//! * reading (`manifest/parse.rs` and below): TOML to data, all problems at once, each with line and column;
//! * checking (`manifest/check.rs`): what only shows when parts are seen together;
//! * looking (`manifest/presence.rs`): whether the files are there that it names;
//! * profiles (`manifest/profile.rs`) and dependencies (`manifest/dependencies.rs`): what the parts come to;
//! * [`Needs`] and [`Resolved`] (`manifest/needs.rs`): what somebody else must get, and what came of it;
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
mod error;
mod http_hosts;
mod ids;
mod json;
mod locking;
mod names;
mod needs;
mod parse;
mod patterns;
mod presence;
mod profile;
mod schema;

use std::fs;
use std::path::Path;

use crate::document::{Invalid, Report};

pub use crate::document::{Located, Position, Problem};
pub use error::ManifestError;
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
        let bytes = fs::read(path).map_err(|source| ManifestError::Read { path: path.to_owned(), source })?;
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(&text, path),
            Err(error) => Err(Invalid::not_utf8(path, &error).into()),
        }
    }

    /// Reads the text of a manifest. `path` is where it is from: it appears in messages and is not opened.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Invalid`], listing everything that is wrong with it.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ManifestError> {
        let report = Report::new(text);
        let mut parsed = parse::document(text, path, &report);
        if let Some(parsed) = &mut parsed {
            check::cross_check(parsed, &report);
            parsed.manifest.warnings = report.take_warnings();
        }
        match report.into_error(path) {
            Some(invalid) => Err(invalid.into()),
            None => Ok(parsed.expect("a document that cannot be read has a problem").manifest),
        }
    }
}
