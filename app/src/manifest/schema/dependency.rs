//! What a component is composed with.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use semver::{Version, VersionReq};

use super::super::json_schema::{self, FilePath, Registry, Requirement};
use super::super::names::PackageName;
use super::Download;
use crate::document::Located;
use crate::lock::Inherit;
use crate::names::ComponentId;

/// An entry of `[component.ID.dependencies]`.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(transform = json_schema::close_forms)]
#[non_exhaustive]
pub struct Dependency {
    /// Which imports it satisfies.
    #[schemars(skip)]
    pub name: Located<DependencyName>,
    /// Where its code is.
    #[schemars(flatten)]
    pub source: Located<DependencySource>,
    /// The export to use, if it is not found by the name of the import.
    pub export: Option<Located<String>>,
    /// What it may do, if that is said.
    #[schemars(rename = "inherit_configuration")]
    pub inherit: Option<Located<Inherit>>,
}

/// Which imports a dependency satisfies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DependencyName {
    /// An import by a plain name.
    Plain(String),
    /// `NAMESPACE:NAME[/INTERFACE][@VERSION]`: one interface of a package, or all.
    Package {
        /// The package.
        package: PackageName,
        /// The interface, if it is only one.
        interface: Option<String>,
        /// The version, if only one will do.
        version: Option<Version>,
    },
}

/// Where the code of a dependency is.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[non_exhaustive]
pub enum DependencySource {
    /// In a file, relative to the manifest.
    #[schemars(rename = "path", with = "FilePath")]
    File(PathBuf),
    /// That of another component of the application.
    #[schemars(rename = "component")]
    Component(ComponentId),
    /// Written as a mere version: the package of the dependency's own name, from the default registry.
    #[schemars(untagged, with = "Requirement")]
    Version(VersionReq),
    /// In a registry.
    #[schemars(untagged)]
    Package {
        /// The registry, if it is not the user's default for the package.
        #[schemars(with = "Option<Registry>")]
        registry: Option<String>,
        /// Which package, if it is not that of the dependency's own name.
        package: Option<PackageName>,
        /// Which versions would do.
        #[schemars(with = "Requirement")]
        version: VersionReq,
    },
    /// At a URL.
    #[schemars(untagged)]
    Download(Download),
}

impl fmt::Display for DependencyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(name) => f.write_str(name),
            Self::Package { package, interface, version } => {
                write!(f, "{package}")?;
                if let Some(interface) = interface {
                    write!(f, "/{interface}")?;
                }
                if let Some(version) = version {
                    write!(f, "@{version}")?;
                }
                Ok(())
            }
        }
    }
}
