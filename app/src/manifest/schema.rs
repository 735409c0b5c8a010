//! A manifest as data: the tables of version 2, after reading. Version 1 is converted while it is read.
//!
//! Trigger ids are assigned and components written inside triggers have become components of their own; profiles and
//! dependencies are as written.

mod component;
mod dependency;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value};
use url::Url;

use crate::document::{Located, Position, Problem};
use crate::names::{ComponentId, TriggerType};

pub use component::{Component, Download, FileMount, Package, Profile, SourceRef};
pub use dependency::{Dependency, DependencyName, DependencySource};

/// A manifest that has been read and checked.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Manifest {
    /// Where it is from.
    pub path: PathBuf,
    /// `[application]`.
    pub application: Application,
    /// `[variables]`.
    pub variables: BTreeMap<String, Variable>,
    /// `[[trigger.*]]`: by type in the order of first appearance, then in the order of the list.
    pub triggers: Vec<Trigger>,
    /// `[component.*]`, in the order of the text.
    pub components: Vec<Component>,
    /// The profile that has been applied, by [`with_profile`](Self::with_profile).
    pub profile: Option<String>,
    /// What is not wrong but should be changed, in the order of the text.
    pub warnings: Vec<Problem>,
}

/// The table `[application]`.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Application {
    /// The name.
    pub name: String,
    /// The version, a free text; may be empty.
    pub version: String,
    /// What it is for; may be empty.
    pub description: String,
    /// Who wrote it.
    pub authors: Vec<String>,
    /// Where components are meant to run, unless they say otherwise.
    pub targets: Vec<Target>,
    /// `[application.tool]`: what other programs keep here. Dates are texts.
    pub tool: Map<String, Value>,
    /// `[application.trigger.TYPE]`: settings for all triggers of a type.
    pub trigger_settings: BTreeMap<TriggerType, Map<String, Value>>,
}

/// An entry of `[variables]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Variable {
    /// What it is for.
    pub description: Option<String>,
    /// Whether a value must come from outside. Then there is no default, else there is one.
    pub required: bool,
    /// The value if none comes from outside.
    pub default: Option<String>,
    /// Whether the value must be kept out of all output.
    pub secret: bool,
    /// Where it is declared.
    pub at: Position,
}

/// An entry of `[[trigger.TYPE]]`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Trigger {
    /// Its id; assigned if none is written.
    pub id: Located<String>,
    /// Its type.
    pub trigger_type: TriggerType,
    /// The component that its events run.
    pub component: Option<Located<ComponentId>>,
    /// Further components in named groups.
    pub components: BTreeMap<String, Vec<Located<ComponentId>>>,
    /// Everything else, for the trigger to interpret.
    pub config: Map<String, Value>,
}

/// The table `[component.ID.build]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Build {
    /// What to run.
    pub command: BuildCommand,
    /// Where to run it, relative to the manifest.
    pub workdir: Option<String>,
    /// Which files to watch, as globs relative to `workdir`.
    pub watch: Vec<String>,
}

/// One build command or several, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildCommand {
    /// A text.
    One(String),
    /// A list, run one after another.
    Several(Vec<String>),
}

/// An environment that a component is meant to run in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// `NAME:VERSION` or `NAME@VERSION`, as listed in a catalogue of environments.
    Named {
        /// The name.
        name: String,
        /// The version, if one is given.
        version: Option<String>,
    },
    /// A definition at a URL.
    Url(Url),
    /// A definition in a file, relative to the manifest.
    File(PathBuf),
}

impl Manifest {
    /// The component of this id.
    #[must_use]
    pub fn component(&self, id: &ComponentId) -> Option<&Component> {
        self.components.iter().find(|component| component.id.value == *id)
    }
}

impl BuildCommand {
    /// The commands, in order.
    #[must_use]
    pub fn commands(&self) -> &[String] {
        match self {
            Self::One(command) => std::slice::from_ref(command),
            Self::Several(commands) => commands,
        }
    }
}
