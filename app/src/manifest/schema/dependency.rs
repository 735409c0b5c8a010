//! What a component is composed with.

use std::fmt;
use std::path::PathBuf;

use semver::{Version, VersionReq};

use super::super::names::PackageName;
use super::Download;
use crate::document::Located;
use crate::lock::Inherit;
use crate::names::ComponentId;

/// An entry of `[component.ID.dependencies]`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Dependency {
    /// Which imports it satisfies.
    pub name: Located<DependencyName>,
    /// Where its code is.
    pub source: Located<DependencySource>,
    /// The export to use, if it is not found by the name of the import.
    pub export: Option<Located<String>>,
    /// What it may do, if that is said.
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
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DependencySource {
    /// Written as a mere version: the package of the dependency's own name, from the default registry.
    Version(VersionReq),
    /// In a registry.
    Package {
        /// The registry; `None` is the user's default for the package.
        registry: Option<String>,
        /// Which package; `None` is that of the dependency's own name.
        package: Option<PackageName>,
        /// Which versions would do.
        version: VersionReq,
    },
    /// In a file, relative to the manifest.
    File(PathBuf),
    /// At a URL.
    Download(Download),
    /// That of another component of the application.
    Component(ComponentId),
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
