//! A component and where its code and its files are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use semver::VersionReq;
use serde_json::{Map, Value};
use url::Url;

use super::super::names::{Digest, PackageName};
use super::{Build, BuildCommand, Dependency, Target};
use crate::document::{Located, Position};
use crate::names::ComponentId;

/// A table `[component.ID]`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Component {
    /// Its id.
    pub id: Located<ComponentId>,
    /// Where its code is.
    pub source: Located<SourceRef>,
    /// What it is for; may be empty.
    pub description: String,
    /// Environment variables of the guest. Not templates.
    pub environment: BTreeMap<String, String>,
    /// The component's own variables: name to template.
    pub variables: BTreeMap<String, Located<String>>,
    /// Files that the guest sees.
    pub files: Vec<Located<FileMount>>,
    /// Globs of files that the guest does not see although `files` names them.
    pub exclude_files: Vec<Located<String>>,
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
    /// Where it is meant to run; `None` is as the application says.
    pub targets: Option<Vec<Target>>,
    /// How it is built.
    pub build: Option<Build>,
    /// What other programs keep here. Dates are texts.
    pub tool: Map<String, Value>,
    /// Components that satisfy imports of this one, in the order of the text.
    pub dependencies: Vec<Dependency>,
    /// Whether all of them may do what this component may, if it is said at all.
    pub dependencies_inherit_configuration: Option<Located<bool>>,
    /// What is different in a profile.
    pub profiles: BTreeMap<String, Profile>,
}

/// Where code is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SourceRef {
    /// In a file, relative to the manifest.
    File(PathBuf),
    /// At a URL.
    Download(Download),
    /// In a registry.
    Package(Package),
}

/// Code at a URL, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Download {
    /// Where it is.
    pub url: Url,
    /// What it must be.
    pub digest: Digest,
}

/// Code in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Package {
    /// The registry; `None` is the user's default for the package.
    pub registry: Option<String>,
    /// Which package.
    pub name: PackageName,
    /// Which versions would do. For a component's own source it is exactly one, as in `=1.2.3`.
    pub version: VersionReq,
}

/// An entry of `files`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileMount {
    /// Files, folders or globs, relative to the manifest; the guest sees them under the same relative path.
    Pattern(String),
    /// A file or folder that the guest sees somewhere else.
    Placed {
        /// What, relative to the manifest.
        source: String,
        /// Where the guest sees it.
        destination: String,
    },
}

/// A table `[component.ID.profile.NAME]`.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Profile {
    /// Other code.
    pub source: Option<Located<SourceRef>>,
    /// More environment variables, stronger than those of the component.
    pub environment: BTreeMap<String, String>,
    /// More dependencies, stronger than those of the component.
    pub dependencies: Vec<Dependency>,
    /// Another way to build it.
    pub build_command: Option<BuildCommand>,
    /// Where it is declared.
    pub at: Position,
}

impl Component {
    /// A stand-in for a component that cannot be, so that the rest of it can be read for its problems.
    pub(in super::super) fn nothing() -> Self {
        let id = "nothing".parse().expect("it is made of safe characters");
        let at = Position::START;
        Self::new(Located { value: id, at }, Located { value: SourceRef::File(PathBuf::new()), at })
    }

    /// A component that has code and nothing else.
    pub(in super::super) fn new(id: Located<ComponentId>, source: Located<SourceRef>) -> Self {
        Self {
            id,
            source,
            description: String::new(),
            environment: BTreeMap::new(),
            variables: BTreeMap::new(),
            files: Vec::new(),
            exclude_files: Vec::new(),
            allowed_outbound_hosts: Vec::new(),
            allowed_http_hosts: Vec::new(),
            key_value_stores: Vec::new(),
            sqlite_databases: Vec::new(),
            ai_models: Vec::new(),
            targets: None,
            build: None,
            tool: Map::new(),
            dependencies: Vec::new(),
            dependencies_inherit_configuration: None,
            profiles: BTreeMap::new(),
        }
    }
}
