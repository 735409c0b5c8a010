//! An application as data.
//!
//! This crate is what the program `spin` and its triggers have in common: the manifest that a person writes, the
//! locked application that a trigger runs, and the contract by which the one starts the other. It reads and writes
//! the files it is given the paths of; it opens no connection, starts no process, prints nothing, and knows nothing of
//! WebAssembly engines.
//!
//! # Map
//!
//! | Module | Concern |
//! |---|---|
//! | [`ComponentId`], [`TriggerType`] | names that are safe in paths and commands |
//! | [`document`] | TOML that a person wrote: all problems at once, each with its place |
//! | [`manifest`] | `spin.toml`, versions 1 and 2: reading with all problems at once, checking, locking |
//! | [`hosts`] | `allowed_outbound_hosts`: the grammar, and what an entry allows |
//! | [`lock`] | `spin.lock`: the locked application, versions 0 and 1, canonical bytes |
//! | [`compiled`] | compiled code on disk: names, notes |
//! | [`launch`] | environment variables, control channel, messages, negotiation |
//! | [`paths`] | paths by text alone |
//! | [`Template`] | `{{ variable }}` in text |
//!
//! # Files on disk
//!
//! | File | Read by | Written by |
//! |---|---|---|
//! | `spin.toml` | [`Manifest::read`] | people |
//! | `spin.lock` | [`LockedApp::read`] | [`LockedApp::write`] |
//! | the cache of compiled code ([`compiled`]) | triggers, `spin cache` | triggers |
//!
//! # Three version numbers
//!
//! The release of this program is the crate's version and the host's business. [`SPIN_COMPAT_VERSION`] says which
//! public Spin we are compatible with. [`launch::PROTOCOL`] is the trigger protocol. They are never compared with each
//! other.
//!
//! # From manifest to lock
//!
//! ```
//! use std::path::Path;
//! use spin_app_model::Manifest;
//! use spin_app_model::manifest::{LockOptions, Resolved};
//!
//! let text = r#"
//! spin_manifest_version = 2
//!
//! [application]
//! name = "greeter"
//!
//! [[trigger.http]]
//! route = "/..."
//! component = "hello"
//!
//! [component.hello]
//! source = "hello.wasm"
//! "#;
//! let path = Path::new("/srv/greeter/spin.toml");
//! let app = Manifest::parse(text, path)?.lock(&LockOptions::for_manifest(path)?, &Resolved::default())?;
//!
//! assert_eq!(app.name(), Some("greeter"));
//! assert_eq!(app.trigger_types().len(), 1);
//! let source = app.components[0].source.content.source.as_deref();
//! assert_eq!(source, Some("file:///srv/greeter/hello.wasm"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

pub mod compiled;
pub mod document;
mod expression;
pub mod hosts;
pub mod launch;
pub mod lock;
pub mod manifest;
mod names;
pub mod paths;

pub use expression::{Part, Template, TemplateError, check_variable_name};
pub use lock::{LockError, LockedApp};
pub use manifest::{Manifest, ManifestError};
pub use names::{ComponentId, HTTP, InvalidName, TriggerType};

/// The version of public Spin whose manifests, lock files and process contract this crate implements.
///
/// It alone is compared with a plugin's `spinCompatibility`, and it is what `SPIN_VERSION` tells a plugin.
pub const SPIN_COMPAT_VERSION: &str = "4.0.2";
