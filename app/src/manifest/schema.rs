//! A manifest as data: the tables of version 2, after reading.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::problem::{Located, Position, Problem};
use crate::names::{ComponentId, TriggerType};

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
    /// Everything else, for the trigger to interpret.
    pub config: Map<String, Value>,
}

/// A table `[component.ID]`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Component {
    /// Its id.
    pub id: Located<ComponentId>,
    /// The wasm file, relative to the manifest.
    pub source: Located<PathBuf>,
    /// What it is for; may be empty.
    pub description: String,
    /// Environment variables of the guest. Not templates.
    pub environment: BTreeMap<String, String>,
    /// The component's own variables: name to template.
    pub variables: BTreeMap<String, Located<String>>,
    /// Where it may connect to; templates.
    pub allowed_outbound_hosts: Vec<Located<String>>,
    /// Where it may send HTTP requests, in the deprecated form.
    pub allowed_http_hosts: Vec<Located<String>>,
    /// Labels of the key-value stores it may use.
    pub key_value_stores: Vec<String>,
    /// Labels of the SQLite databases it may use.
    pub sqlite_databases: Vec<String>,
    /// The AI models it may use.
    pub ai_models: Vec<String>,
    /// How it is built.
    pub build: Option<Build>,
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

impl Manifest {
    /// The component of this id.
    #[must_use]
    pub fn component(&self, id: &ComponentId) -> Option<&Component> {
        self.components.iter().find(|component| component.id.value == *id)
    }
}

impl Component {
    /// A component that has code and nothing else.
    pub(super) fn new(id: Located<ComponentId>, source: Located<PathBuf>) -> Self {
        Self {
            id,
            source,
            description: String::new(),
            environment: BTreeMap::new(),
            variables: BTreeMap::new(),
            allowed_outbound_hosts: Vec::new(),
            allowed_http_hosts: Vec::new(),
            key_value_stores: Vec::new(),
            sqlite_databases: Vec::new(),
            ai_models: Vec::new(),
            build: None,
        }
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
