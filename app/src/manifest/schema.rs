//! A manifest as data: the tables of version 2, after reading. Version 1 is converted while it is read.
//!
//! Trigger ids are assigned and components written inside triggers have become components of their own; profiles and
//! dependencies are as written.
//!
//! The attributes `schemars(…)` say how a field is written where that differs from how it is kept: the JSON schema of the
//! format is derived from these types, and what stands at their fields is shown by editors.

mod component;
mod dependency;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde_json::{Map, Value};
use url::Url;

use super::json_schema::{self, CommandLine, TargetName, VariableName, WebAddress, Workdir};
use super::parse::Reference;
use crate::document::{Located, Position, Problems};
use crate::names::{ComponentId, TriggerType};

pub use component::{Component, Download, FileMount, Package, Profile, SourceRef};
pub use dependency::{Dependency, DependencyName, DependencySource};

/// A manifest that has been read and checked.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(
    title = "spin.toml",
    description = "The manifest of an application, in version 2 of the format.",
    deny_unknown_fields,
    transform = json_schema::add_version
)]
#[non_exhaustive]
pub struct Manifest {
    /// Where it is from.
    #[schemars(skip)]
    pub path: PathBuf,
    /// `[application]`.
    pub application: Application,
    /// `[variables]`: values that are known when the application is started.
    #[schemars(default, with = "BTreeMap<VariableName, Variable>")]
    pub variables: BTreeMap<String, Variable>,
    /// `[[trigger.TYPE]]`: by type in the order of first appearance, then in the order of the list.
    #[schemars(rename = "trigger", with = "BTreeMap<TriggerType, Vec<Trigger>>")]
    pub triggers: Vec<Trigger>,
    /// `[component.ID]`, in the order of the text.
    #[schemars(default, rename = "component", with = "BTreeMap<ComponentId, Component>")]
    pub components: Vec<Component>,
    /// The profile that has been applied, by [`with_profile`](Self::with_profile).
    #[schemars(skip)]
    pub profile: Option<String>,
    /// What is not wrong but should be changed, in the order of the text.
    #[schemars(skip)]
    pub warnings: Problems,
}

/// The table `[application]`.
#[derive(Debug, Clone, PartialEq, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct Application {
    /// The name.
    pub name: String,
    /// The version, a free text; may be empty.
    #[schemars(default)]
    pub version: String,
    /// What it is for; may be empty.
    #[schemars(default)]
    pub description: String,
    /// Who wrote it.
    #[schemars(default)]
    pub authors: Vec<String>,
    /// Where components are meant to run, unless they say otherwise.
    #[schemars(default)]
    pub targets: Vec<Target>,
    /// `[application.tool]`: what other programs keep here. Dates are texts.
    #[schemars(default)]
    pub tool: Map<String, Value>,
    /// `[application.trigger.TYPE]`: settings for all triggers of a type.
    #[schemars(default, rename = "trigger")]
    pub trigger_settings: BTreeMap<TriggerType, Map<String, Value>>,
}

/// An entry of `[variables]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, JsonSchema)]
#[schemars(default, deny_unknown_fields, extend("oneOf" = json_schema::required_or_default()))]
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
    #[schemars(skip)]
    pub at: Position,
}

/// An entry of `[[trigger.TYPE]]`.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[non_exhaustive]
pub struct Trigger {
    /// Its id; assigned if none is written.
    #[schemars(default)]
    pub id: Located<String>,
    /// Its type.
    #[schemars(skip)]
    pub trigger_type: TriggerType,
    /// The component that its events run.
    #[schemars(with = "Option<Reference>")]
    pub component: Option<Located<ComponentId>>,
    /// Further components in named groups.
    #[schemars(default, schema_with = "json_schema::groups")]
    pub components: BTreeMap<String, Vec<Located<ComponentId>>>,
    /// Everything else, for the trigger to interpret.
    #[schemars(flatten)]
    pub config: Map<String, Value>,
}

/// The table `[component.ID.build]`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct Build {
    /// What to run.
    pub command: BuildCommand,
    /// Where to run it, relative to the manifest.
    #[schemars(with = "Option<Workdir>")]
    pub workdir: Option<String>,
    /// Which files to watch, as globs relative to `workdir`.
    #[schemars(default)]
    pub watch: Vec<String>,
}

/// One build command or several, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub enum BuildCommand {
    /// A text.
    One(#[schemars(with = "CommandLine")] String),
    /// A list, run one after another.
    Several(#[schemars(length(min = 1), with = "Vec<CommandLine>")] Vec<String>),
}

/// An environment that a component is meant to run in.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[non_exhaustive]
pub enum Target {
    /// A definition at a URL.
    #[schemars(rename = "url", with = "WebAddress")]
    Url(Url),
    /// A definition in a file, relative to the manifest.
    #[schemars(rename = "path")]
    File(PathBuf),
    /// `NAME:VERSION` or `NAME@VERSION`, as listed in a catalogue of environments.
    #[schemars(untagged, with = "TargetName")]
    Named {
        /// The name.
        name: String,
        /// The version, if one is given.
        version: Option<String>,
    },
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
