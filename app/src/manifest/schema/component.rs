//! A component and where its code and its files are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use semver::VersionReq;
use serde_json::{Map, Value};
use url::Url;

use super::super::json_schema::{
    self, Destination, EnvironmentName, EnvironmentValue, ExactVersion, FilePath, FilePattern, Glob, HostTemplate,
    HttpHost, Label, Registry, SourcePath, VariableName, WebAddress,
};
use super::super::names::{Digest, PackageName};
use super::{Build, BuildCommand, Dependency, DependencyName, Target};
use crate::document::{Located, Position};
use crate::names::ComponentId;

/// A table `[component.ID]`.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct Component {
    /// Its id.
    #[schemars(skip)]
    pub id: Located<ComponentId>,
    /// Where its code is.
    pub source: Located<SourceRef>,
    /// What it is for; may be empty.
    #[schemars(default)]
    pub description: String,
    /// Environment variables of the guest. Not templates.
    #[schemars(default, with = "BTreeMap<EnvironmentName, EnvironmentValue>")]
    pub environment: BTreeMap<String, String>,
    /// The component's own variables: name to template.
    #[schemars(default, with = "BTreeMap<VariableName, String>")]
    pub variables: BTreeMap<String, Located<String>>,
    /// Files that the guest sees.
    #[schemars(default)]
    pub files: Vec<Located<FileMount>>,
    /// Globs of files that the guest does not see although `files` names them.
    #[schemars(default, with = "Vec<Glob>")]
    pub exclude_files: Vec<Located<String>>,
    /// Where it may connect to; templates.
    #[schemars(default, with = "Vec<HostTemplate>")]
    pub allowed_outbound_hosts: Vec<Located<String>>,
    /// Where it may send HTTP requests, in the deprecated form.
    #[schemars(default, with = "Vec<HttpHost>", extend("deprecated" = true))]
    pub allowed_http_hosts: Vec<Located<String>>,
    /// Labels of the key-value stores it may use.
    #[schemars(default, with = "Vec<Label>")]
    pub key_value_stores: Vec<String>,
    /// Labels of the SQLite databases it may use.
    #[schemars(default, with = "Vec<Label>")]
    pub sqlite_databases: Vec<String>,
    /// The AI models it may use.
    #[schemars(default)]
    pub ai_models: Vec<String>,
    /// Where it is meant to run, if that is not as the application says.
    pub targets: Option<Vec<Target>>,
    /// How it is built.
    pub build: Option<Build>,
    /// What other programs keep here. Dates are texts.
    #[schemars(default)]
    pub tool: Map<String, Value>,
    /// Components that satisfy imports of this one, in the order of the text.
    #[schemars(default, with = "BTreeMap<DependencyName, Dependency>")]
    pub dependencies: Vec<Dependency>,
    /// Whether all of them may do what this component may, if it is said at all.
    pub dependencies_inherit_configuration: Option<Located<bool>>,
    /// What is different in a profile.
    #[schemars(default, rename = "profile")]
    pub profiles: BTreeMap<String, Profile>,
}

/// Where code is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(untagged)]
#[non_exhaustive]
pub enum SourceRef {
    /// In a file, relative to the manifest.
    #[schemars(with = "SourcePath")]
    File(PathBuf),
    /// At a URL.
    Download(Download),
    /// In a registry.
    Package(Package),
}

/// Code at a URL, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(inline, deny_unknown_fields)]
#[non_exhaustive]
pub struct Download {
    /// Where it is.
    #[schemars(with = "WebAddress")]
    pub url: Url,
    /// What it must be.
    pub digest: Digest,
}

/// Code in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(inline, deny_unknown_fields)]
#[non_exhaustive]
pub struct Package {
    /// The registry, if it is not the user's default for the package.
    #[schemars(with = "Option<Registry>")]
    pub registry: Option<String>,
    /// Which package.
    #[schemars(rename = "package")]
    pub name: PackageName,
    /// Which versions would do. For a component's own source it is exactly one, as in `=1.2.3`.
    #[schemars(description = "The version, and no other.", with = "ExactVersion")]
    pub version: VersionReq,
}

/// An entry of `files`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(untagged, deny_unknown_fields)]
#[non_exhaustive]
pub enum FileMount {
    /// Files, folders or globs, relative to the manifest; the guest sees them under the same relative path.
    #[schemars(with = "FilePattern")]
    Pattern(String),
    /// A file or folder that the guest sees somewhere else.
    Placed {
        /// What, relative to the manifest.
        #[schemars(with = "FilePath")]
        source: String,
        /// Where the guest sees it.
        #[schemars(with = "Destination")]
        destination: String,
    },
}

/// A table `[component.ID.profile.NAME]`.
#[derive(Debug, Clone, PartialEq, Default, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Profile {
    /// Other code.
    pub source: Option<Located<SourceRef>>,
    /// More environment variables, stronger than those of the component.
    #[schemars(with = "BTreeMap<EnvironmentName, EnvironmentValue>")]
    pub environment: BTreeMap<String, String>,
    /// More dependencies, stronger than those of the component.
    #[schemars(with = "BTreeMap<DependencyName, Dependency>")]
    pub dependencies: Vec<Dependency>,
    /// Another way to build it.
    #[schemars(rename = "build", schema_with = "json_schema::command_alone")]
    pub build_command: Option<BuildCommand>,
    /// Where it is declared.
    #[schemars(skip)]
    pub at: Position,
}

impl Component {
    /// What stands in for the id and the source of a component that has none, so that the rest of it can be read.
    pub(in super::super) fn stand_in(at: Position) -> Self {
        let id = "stand-in".parse().expect("it is made of safe characters");
        Self::new(Located { value: id, at }, Located { value: SourceRef::File(PathBuf::new()), at })
    }

    /// Whether its source is not a stand-in: nobody can write an empty path.
    pub(in super::super) fn has_code(&self) -> bool {
        self.source.value != SourceRef::File(PathBuf::new())
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
