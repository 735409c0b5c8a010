//! The locked application: everything a trigger process reads about the application it runs.
//!
//! * [`LockedApp`] and its parts (`lock/model.rs`): the data, and questions about it;
//! * reading (`lock/read.rs`): versions 0 and 1, with the place of whatever is wrong;
//! * writing (`lock/write.rs`): canonical bytes, the same on every machine and with every build.
//!
//! The format is public Spin's, byte for byte, so that any host and any trigger can be combined. Fields that this
//! version does not know are kept when an application is read and written again; fields that an application says *must*
//! be understood, and are not, make reading fail.
//!
//! ```
//! use spin_app_model::LockedApp;
//!
//! let json = br#"{
//!   "spin_lock_version": 0,
//!   "metadata": { "name": "old", "trigger": { "type": "http", "base": "/" } },
//!   "triggers": [
//!     { "id": "trigger--hello", "trigger_type": "http",
//!       "trigger_config": { "component": "hello", "route": "/..." } }
//!   ],
//!   "components": [
//!     { "id": "hello", "source": { "content_type": "application/wasm", "source": "file:///hello.wasm" } }
//!   ]
//! }"#;
//! let app = LockedApp::from_json(json)?;
//! assert_eq!(app.trigger_settings("http"), Some(serde_json::json!({ "base": "/" })));
//! assert_eq!(app.components_of("http").next().map(|component| component.id.as_str()), Some("hello"));
//! # Ok::<(), spin_app_model::LockError>(())
//! ```

pub(crate) mod canonical;
mod fields;
mod model;
mod read;
mod requirements;
mod write;

use std::io;
use std::path::PathBuf;

pub use model::{
    ContentRef, Inherit, LockedApp, LockedComponent, LockedDependency, LockedFile, LockedSource, LockedTrigger,
    LockedVariable, WASM_CONTENT_TYPE,
};
pub use requirements::{
    COMPONENT_HOST_REQUIREMENTS, HOST_REQUIREMENTS, LOCAL_SERVICE_CHAINING, UnavailableRequirements,
};

/// The highest version of the format that this crate reads.
pub const MAX_LOCK_VERSION: u64 = 1;

/// Why a locked application cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// The file cannot be read.
    #[error("cannot read the locked application {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the locked application {path:?}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The text is not JSON.
    #[error("the locked application is not JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    /// A field is missing or of the wrong kind.
    #[error("the locked application is malformed: {at}: {message}")]
    Malformed {
        /// Where, for example `components[0].source.content_type`.
        at: String,
        /// What is wrong there.
        message: String,
    },
    /// The version of the format is not known.
    #[error(
        "invalid spin_lock_version {found}: this version reads 0 to {MAX_LOCK_VERSION}; \
         the application was locked by a newer spin, use one that is at least as new"
    )]
    Version {
        /// The version as found.
        found: String,
    },
    /// The application insists on a part of the format that this version does not know.
    #[error(
        "the application requires \"{name}\" to be understood, which this version of spin does not support; \
         use the spin that locked it, or a newer one"
    )]
    MustUnderstand {
        /// The name as found in `must_understand`.
        name: String,
    },
    /// The application requires abilities of the host that this version does not know.
    #[error(
        "this version of Spin does not support the following features required by this application: {}",
        .names.join(", ")
    )]
    HostRequirements {
        /// The names of the unknown requirements, sorted.
        names: Vec<String>,
    },
    /// Two components have the same id.
    #[error("the locked application has two components with the id \"{id}\"")]
    DuplicateComponent {
        /// The id.
        id: String,
    },
}

impl LockError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "lock::read",
            Self::Write { .. } => "lock::write",
            Self::NotJson(_) => "lock::not-json",
            Self::Malformed { .. } => "lock::malformed",
            Self::Version { .. } => "lock::version",
            Self::MustUnderstand { .. } => "lock::must-understand",
            Self::HostRequirements { .. } => "lock::host-requirements",
            Self::DuplicateComponent { .. } => "lock::duplicate-component",
        }
    }
}

#[cfg(test)]
mod properties;
