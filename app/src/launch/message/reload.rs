//! The messages of a reload: a new generation of the app is prepared by every trigger before any of them uses it.
//!
//! The host announces a generation with [`Reload`]. Each trigger says `prepared` or [`Rejected`]; the host then says
//! `commit` or `abort` to all. After a commit a trigger says `committed` when new events are served by the new
//! generation, and `retired` when the last event of the old one has ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The feature of [`Hello`](super::Hello) that stands for these messages.
pub const RELOAD: &str = "reload";

/// The host has a new generation of the app: prepare it, and use it after a commit only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Reload {
    /// The number of the generation, higher than that of every earlier one. The one that a trigger is started with
    /// has no number that it is told.
    pub id: u64,
    /// `file:` URL of its locked app, as in [`LOCKED_URL`](crate::launch::env::LOCKED_URL).
    pub locked_url: String,
    /// Absolute path of its folder, as in [`WORKING_DIR`](crate::launch::env::WORKING_DIR).
    pub working_dir: String,
}

/// A generation of the app, in the messages that say no more: `commit`, `abort`, `prepared`, `committed`, `retired`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Generation {
    /// The number that its [`Reload`] has.
    pub id: u64,
}

/// A trigger can't run a new generation; it goes on with the one it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Rejected {
    /// The number of the generation.
    pub id: u64,
    /// A stable code, as in [`Failed`](super::Failed).
    pub code: String,
    /// What is wrong with it, where, and what to do next.
    pub message: String,
}

impl Reload {
    /// The generation `id`, whose lock and folder are at these places.
    #[must_use]
    pub fn new(id: u64, locked_url: impl Into<String>, working_dir: impl Into<String>) -> Self {
        Self { id, locked_url: locked_url.into(), working_dir: working_dir.into() }
    }
}

impl Generation {
    /// The generation of this number.
    #[must_use]
    pub fn new(id: u64) -> Self {
        Self { id }
    }
}

impl Rejected {
    /// Generation `id` can't be run; an enormous message is cut.
    #[must_use]
    pub fn new(id: u64, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { id, code: code.into(), message: super::cut(message.into()) }
    }
}
