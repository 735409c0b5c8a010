//! What the dependencies of a component come to: who inherits what, which code is meant, and what contradicts itself.

use std::collections::{BTreeMap, HashMap};

use semver::Version;

use super::schema::{Component, Dependency, DependencyName, DependencySource, Manifest, Package, SourceRef};
use crate::document::{Located, Position, quoted};
use crate::lock::Inherit;
use crate::names::ComponentId;

/// A dependency whose code and rights are known.
pub(super) struct Resolved {
    /// The key in the manifest.
    pub(super) name: DependencyName,
    /// Where its code is.
    pub(super) source: Located<SourceRef>,
    /// The export to use.
    pub(super) export: Option<String>,
    /// What it may do.
    pub(super) inherit: Inherit,
}

/// Somebody who is told what is wrong: where, what, and what to do.
pub(super) type Tell<'a> = dyn FnMut(Position, String, Option<String>) + 'a;

/// All components of a manifest, to look up those that are dependencies of others.
pub(super) struct Resolver<'m> {
    components: HashMap<&'m ComponentId, &'m Component>,
}

impl<'m> Resolver<'m> {
    pub(super) fn new(manifest: &'m Manifest) -> Self {
        Self { components: manifest.components.iter().map(|component| (&component.id.value, component)).collect() }
    }

    /// The dependencies of a component, with whatever is wrong with them told.
    pub(super) fn resolve(&self, component: &Component, tell: &mut Tell<'_>) -> Vec<Resolved> {
        check_inheritance(component, tell);
        let mut resolved = Vec::new();
        for dependency in &component.dependencies {
            let Some(source) = self.source(dependency, tell) else {
                continue;
            };
            check_export(dependency, tell);
            resolved.push(Resolved {
                name: dependency.name.value.clone(),
                source: Located { value: source, at: dependency.source.at },
                export: dependency.export.as_ref().map(|export| export.value.clone()),
                inherit: inherit(component, dependency),
            });
        }
        check_conflicts(component, tell);
        resolved
    }

    /// The dependencies of a component whose mistakes are told elsewhere.
    pub(super) fn resolvable(&self, component: &Component) -> Vec<Resolved> {
        self.resolve(component, &mut |_, _, _| {})
    }

    fn source(&self, dependency: &Dependency, tell: &mut Tell<'_>) -> Option<SourceRef> {
        let (registry, package, version) = match &dependency.source.value {
            DependencySource::File(path) => return Some(SourceRef::File(path.clone())),
            DependencySource::Download(download) => return Some(SourceRef::Download(download.clone())),
            DependencySource::Component(id) => return self.other_component(dependency, id, tell),
            DependencySource::Version(version) => (None, None, version),
            DependencySource::Package { registry, package, version } => (registry.clone(), package.clone(), version),
        };
        let own = match &dependency.name.value {
            DependencyName::Package { package, .. } => Some(package.clone()),
            DependencyName::Plain(_) => None,
        };
        let Some(name) = package.or(own) else {
            let name = quoted(&dependency.name.value.to_string());
            let message = format!("dependency {name} must specify a package name");
            let help = "write `{ package = \"namespace:name\", version = \"…\" }`".to_owned();
            tell(dependency.source.at, message, Some(help));
            return None;
        };
        Some(SourceRef::Package(Package { registry, name, version: version.clone() }))
    }

    /// The code of another component. It runs with the rights of its dependent, so it may have none of its own.
    fn other_component(&self, dependency: &Dependency, id: &ComponentId, tell: &mut Tell<'_>) -> Option<SourceRef> {
        let Some(component) = self.components.get(id) else {
            tell(dependency.source.at, does_not_exist(id), Some(declare(id)));
            return None;
        };
        let own = own_resources(component);
        if !own.is_empty() {
            let message = format!(
                "component {} is a dependency and may not have its own resources or permissions",
                quoted(id.as_str())
            );
            tell(dependency.source.at, message, Some(format!("remove from it: {}", own.join(", "))));
            return None;
        }
        Some(component.source.value.clone())
    }
}

/// What is said of a dependency that is a component which is not declared.
pub(super) fn does_not_exist(id: &ComponentId) -> String {
    format!("dependency {} does not exist: no component of this id is declared", quoted(id.as_str()))
}

/// What to do about a component that is not declared.
pub(super) fn declare(id: &ComponentId) -> String {
    format!("declare it: `[component.{id}]`")
}

/// One setting for all dependencies and settings of their own exclude each other.
fn check_inheritance(component: &Component, tell: &mut Tell<'_>) {
    let Some(all) = &component.dependencies_inherit_configuration else {
        return;
    };
    for inherit in component.dependencies.iter().filter_map(|dependency| dependency.inherit.as_ref()) {
        let message = "`inherit_configuration` and `dependencies_inherit_configuration` exclude each other".to_owned();
        tell(inherit.at, message, Some(format!("remove one of the two; the other one is in line {}", all.at.line)));
    }
}

fn inherit(component: &Component, dependency: &Dependency) -> Inherit {
    let all = component.dependencies_inherit_configuration.as_ref().is_some_and(|all| all.value);
    match (&dependency.source.value, &dependency.inherit) {
        // A mere version has no place for rights, and gets none.
        (DependencySource::Version(_), _) => Inherit::Nothing,
        (_, Some(inherit)) => inherit.value.clone(),
        (_, None) if all => Inherit::All,
        (_, None) => Inherit::Nothing,
    }
}

fn own_resources(component: &Component) -> Vec<&'static str> {
    let resources = [
        ("ai_models", component.ai_models.is_empty()),
        ("allowed_http_hosts", component.allowed_http_hosts.is_empty()),
        ("allowed_outbound_hosts", component.allowed_outbound_hosts.is_empty()),
        ("dependencies", component.dependencies.is_empty()),
        ("environment", component.environment.is_empty()),
        ("files", component.files.is_empty()),
        ("key_value_stores", component.key_value_stores.is_empty()),
        ("sqlite_databases", component.sqlite_databases.is_empty()),
        ("variables", component.variables.is_empty()),
    ];
    resources.into_iter().filter(|(_, is_empty)| !is_empty).map(|(name, _)| name).collect()
}

/// An export replaces one interface, so there must be one.
fn check_export(dependency: &Dependency, tell: &mut Tell<'_>) {
    let whole_package = matches!(dependency.name.value, DependencyName::Package { interface: None, .. });
    let by_package_or_file =
        matches!(dependency.source.value, DependencySource::Package { .. } | DependencySource::File(_));
    if let Some(export) = dependency.export.as_ref().filter(|_| whole_package && by_package_or_file) {
        let name = quoted(&dependency.name.value.to_string());
        let message = format!("`export` is not permitted in dependency {name}, which is a whole package");
        tell(export.at, message, Some("name one interface: `namespace:package/interface`".to_owned()));
    }
}

/// Two dependencies that would satisfy the same imports.
fn check_conflicts(component: &Component, tell: &mut Tell<'_>) {
    // The first of each interface, and of each of its versions: comparing all with all would take a manifest of many
    // megabytes minutes.
    let (mut of_interface, mut of_version) = (BTreeMap::new(), BTreeMap::new());
    for dependency in &component.dependencies {
        let DependencyName::Package { package, interface, version } = &dependency.name.value else {
            continue;
        };
        let interface = (package, interface);
        let version = version.as_ref().map(compatible);
        // No version does for any.
        let first = match version {
            None => of_interface.get(&interface),
            Some(_) => of_version.get(&(interface, version.clone())).or_else(|| of_version.get(&(interface, None))),
        };
        if let Some(first) = first.copied() {
            let [this, other] = [dependency, first].map(|dependency| quoted(&dependency.name.value.to_string()));
            let message = format!("dependency {this} conflicts with {other}");
            let help = "they must differ in the interface or in an incompatible version".to_owned();
            tell(dependency.name.at, message, Some(help));
        }
        of_interface.entry(interface).or_insert(dependency);
        of_version.entry((interface, version)).or_insert(dependency);
    }
}

/// What all versions that do for each other have in common: the numbers up to the first that counts. A pre-release does
/// for nothing but itself.
fn compatible(version: &Version) -> Version {
    match *version {
        _ if !version.pre.is_empty() => version.clone(),
        Version { major: 0, minor: 0, patch, .. } => Version::new(0, 0, patch),
        Version { major: 0, minor, .. } => Version::new(0, minor, 0),
        Version { major, .. } => Version::new(major, 0, 0),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    #[test]
    fn versions_are_compatible_up_to_the_first_number_that_counts() {
        let compatible =
            |one: &str, other: &str| compatible(&one.parse().unwrap()) == compatible(&other.parse().unwrap());
        for (one, other) in [("1.0.0", "1.9.9"), ("0.1.0", "0.1.9"), ("0.0.1", "0.0.1"), ("1.0.0-a", "1.0.0-a")] {
            assert!(compatible(one, other), "{one} {other}");
        }
        for (one, other) in
            [("1.0.0", "2.0.0"), ("0.1.0", "0.2.0"), ("0.0.1", "0.0.2"), ("0.1.0", "1.1.0"), ("1.0.0-a", "1.0.0")]
        {
            assert!(!compatible(one, other), "{one} {other}");
        }
    }
}
