//! A component and its dependencies as one component.
//!
//! A dependency is another component whose exports are what the main component imports. It runs inside the main one's
//! instance, with its own memory, and sees of the host only what it inherits: everything else it gets from
//! an adapter that denies (`deny`).

mod answer;
mod deny;
mod inherit;

use std::collections::BTreeMap;

use spin_app_model::lock::Inherit;
use wac_graph::types::{ItemKind, Package, are_semver_compatible};
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

use wasmparser::{Parser, Validator};

use crate::adapt::pre_release;
use crate::{engine, interface};

/// One dependency of a component.
pub(crate) struct Dependency<'a> {
    /// The key in the manifest: which imports it is for.
    pub(crate) name: &'a str,
    /// Its component.
    pub(crate) bytes: Vec<u8>,
    /// The export to use, if it isn't called as the import is.
    pub(crate) export: Option<&'a str>,
    /// What it may do.
    pub(crate) inherit: &'a Inherit,
}

/// Why a component can't be composed with its dependencies.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// The lock says nothing of where a dependency is, or something that is no file URL.
    #[error("the source {found} of its dependency \"{dependency}\" is not a file URL")]
    Source {
        /// The dependency.
        dependency: String,
        /// What was found.
        found: String,
    },
    /// The component has no use for a dependency.
    #[error("its dependency \"{dependency}\" matches none of its imports, which are: {imports}")]
    NoImport {
        /// The dependency.
        dependency: String,
        /// What the component imports.
        imports: String,
    },
    /// Two dependencies are for one import.
    #[error("its dependencies \"{first}\" and \"{second}\" are both for its import {import}; remove one of them")]
    Conflict {
        /// One of them.
        first: String,
        /// The other.
        second: String,
        /// The import.
        import: String,
    },
    /// A dependency lacks what it is for.
    #[error(
        "its dependency \"{dependency}\" does not export {wanted}, but: {exports}; if one of these is meant, name it with \
         `export`"
    )]
    NoExport {
        /// The dependency.
        dependency: String,
        /// What it should export.
        wanted: String,
        /// What it does export.
        exports: String,
    },
    /// What a dependency exports is not what the component imports.
    #[error("the export {export} of its dependency \"{dependency}\" does not fit its import {import}: {reason}")]
    Mismatch {
        /// The dependency.
        dependency: String,
        /// Its export.
        export: String,
        /// The component's import.
        import: String,
        /// What is different.
        reason: String,
    },
    /// A dependency's component can't be read, or nothing can be put in place of what it may not use.
    #[error("its dependency \"{dependency}\" can't be used: {reason}")]
    Unusable {
        /// The dependency.
        dependency: String,
        /// Why.
        reason: String,
    },
    /// The main component can't be read, or the whole can't be put together.
    #[error("it can't be composed with its dependencies: {0}")]
    Whole(String),
}

/// What is fixed here and decides what is composed, as a text: which interfaces belong to which key, and what is answered
/// when they are denied.
pub(crate) fn rules() -> String {
    format!("{:?} {:?}", inherit::SETS, answer::CASES)
}

/// Composes `main` with what it depends on.
///
/// # Errors
/// When a dependency is for nothing that `main` imports, or doesn't export that, or something else; and when one of them is
/// no component that the engine would take.
pub(crate) fn compose(main: Vec<u8>, dependencies: Vec<Dependency<'_>>) -> Result<Vec<u8>, ComposeError> {
    check(&main).map_err(ComposeError::Whole)?;
    for Dependency { name, bytes, .. } in &dependencies {
        check(bytes).map_err(|reason| ComposeError::Unusable { dependency: (*name).to_owned(), reason })?;
    }
    let mut graph = CompositionGraph::new();
    let socket = register(&mut graph, "main", pre_release::rename_candidate(main)).map_err(ComposeError::Whole)?;
    let plan = plan(&imports(&graph, socket), &dependencies)?;
    let instance = graph.instantiate(socket);
    for (dependency, imports) in dependencies.into_iter().zip(plan) {
        plug(&mut graph, instance, dependency, &imports)?;
    }
    for name in exports(&graph, socket) {
        let whole = |reason: String| ComposeError::Whole(reason);
        let export = graph.alias_instance_export(instance, &name).map_err(|error| whole(chain(&error)))?;
        graph.export(export, &name).map_err(|error| whole(chain(&error)))?;
    }
    let composed = graph.encode(EncodeOptions { validate: false, ..EncodeOptions::default() });
    // The engine validates what it compiles.
    composed.map_err(|error| ComposeError::Whole(chain(&error)))
}

/// Whether a component is valid, except for the code in it, which only the engine reads. Those who read its types here take
/// that for granted, and know proposals that the engine doesn't take.
fn check(component: &[u8]) -> Result<(), String> {
    let mut validator = Validator::new_with_features(engine::FEATURES);
    let mut payloads = Parser::new(0).parse_all(component);
    payloads.try_for_each(|payload| validator.payload(&payload?).map(|_| ())).map_err(|error| error.to_string())
}

/// Which imports each dependency is for, in the order of `dependencies`.
fn plan(imports: &[String], dependencies: &[Dependency<'_>]) -> Result<Vec<Vec<String>>, ComposeError> {
    let mut taken: BTreeMap<&String, &str> = BTreeMap::new();
    let mut plan = vec![Vec::new(); dependencies.len()];
    // One that names an interface comes before one that is for the rest of the package.
    for is_package in [false, true] {
        for (dependency, wanted) in dependencies.iter().zip(&mut plan) {
            if is_package_key(dependency.name) != is_package {
                continue;
            }
            let name = pre_release::candidate_renamed(dependency.name);
            let matching: Vec<_> = imports.iter().filter(|import| Key::of(&name).is_for(import)).collect();
            if matching.is_empty() {
                let imports = list(imports);
                return Err(ComposeError::NoImport { dependency: dependency.name.to_owned(), imports });
            }
            for import in matching {
                match taken.get(import) {
                    Some(first) if is_package_key(first) == is_package => {
                        return Err(ComposeError::Conflict {
                            first: (*first).to_owned(),
                            second: dependency.name.to_owned(),
                            import: import.clone(),
                        });
                    }
                    Some(_) => {}
                    None => {
                        taken.insert(import, dependency.name);
                        wanted.push(import.clone());
                    }
                }
            }
        }
    }
    Ok(plan)
}

/// What the key of a dependency says.
#[derive(Debug, PartialEq, Eq)]
enum Key<'a> {
    Plain(&'a str),
    Interface { interface: &'a str, version: Option<&'a str> },
    Package { package: &'a str, version: Option<&'a str> },
}

impl<'a> Key<'a> {
    fn of(name: &'a str) -> Self {
        let (path, version) = interface::split(name);
        match (path.contains(':'), path.contains('/')) {
            (true, true) => Self::Interface { interface: path, version },
            (true, false) => Self::Package { package: path, version },
            (false, _) => Self::Plain(name),
        }
    }

    fn is_for(&self, import: &str) -> bool {
        let path = interface::path(import);
        let is_version =
            |version: &Option<&str>| version.is_none_or(|version| is_compatible(import, &format!("{path}@{version}")));
        match self {
            Self::Plain(name) => import == *name,
            Self::Interface { interface, version } => path == *interface && is_version(version),
            Self::Package { package, version } => {
                path.split_once('/').is_some_and(|(of, _)| of == *package) && is_version(version)
            }
        }
    }
}

fn is_package_key(name: &str) -> bool {
    matches!(Key::of(name), Key::Package { .. })
}

fn is_compatible(name: &str, other: &str) -> bool {
    name == other || are_semver_compatible(name, other)
}

/// Gives the main component's instance what it imports from a dependency.
fn plug(
    graph: &mut CompositionGraph,
    main: NodeId,
    mut dependency: Dependency<'_>,
    imports: &[String],
) -> Result<(), ComposeError> {
    dependency.bytes = pre_release::rename_candidate(dependency.bytes);
    let name = dependency.name;
    let unusable = |reason: String| ComposeError::Unusable { dependency: name.to_owned(), reason };
    // The name is only to be found in messages of the graph; a key of the manifest may be no name of a package.
    let package = register(graph, &format!("dependency:{name}"), dependency.bytes.clone()).map_err(unusable)?;
    let exports = exports(graph, package);
    let chosen = dependency.export.map(pre_release::candidate_renamed);
    let mut found = Vec::new();
    for import in imports {
        let wanted = chosen.as_ref().unwrap_or(import);
        match export(&exports, wanted) {
            Some(export) => found.push((import, export)),
            // A part of the package may be left to the host, or hold nothing but types.
            None if is_package_key(name) => {}
            None => return Err(no_export(name, wanted, &exports)),
        }
    }
    if found.is_empty() {
        return match imports.first() {
            Some(import) => Err(no_export(name, import, &exports)),
            // Others are for every part of the package.
            None => Ok(()),
        };
    }
    let instance = graph.instantiate(package);
    deny(graph, package, instance, &dependency)?;
    for (import, export) in found {
        let alias = graph.alias_instance_export(instance, export).map_err(|error| unusable(chain(&error)))?;
        graph.set_instantiation_argument(main, import, alias).map_err(|error| ComposeError::Mismatch {
            dependency: name.to_owned(),
            export: export.clone(),
            import: import.clone(),
            reason: chain(&error),
        })?;
    }
    Ok(())
}

fn no_export(dependency: &str, wanted: &str, exports: &[String]) -> ComposeError {
    ComposeError::NoExport { dependency: dependency.to_owned(), wanted: wanted.to_owned(), exports: list(exports) }
}

/// The export that is meant by a name: that one, or one of a compatible version, or of any where the name has none.
fn export<'e>(exports: &'e [String], wanted: &str) -> Option<&'e String> {
    exports.iter().find(|export| *export == wanted).or_else(|| {
        exports.iter().find(|export| are_semver_compatible(export, wanted) || interface::path(export) == wanted)
    })
}

/// Takes from a dependency what it doesn't inherit.
fn deny(
    graph: &mut CompositionGraph,
    package: PackageId,
    instance: NodeId,
    dependency: &Dependency<'_>,
) -> Result<(), ComposeError> {
    let imports = imports(graph, package).into_iter();
    let denied: BTreeMap<_, _> = imports
        .filter_map(|import| inherit::missing_key(&import, dependency.inherit).map(|key| (import, key)))
        .collect();
    if denied.is_empty() {
        return Ok(());
    }
    let name = dependency.name;
    let unusable = |reason: String| ComposeError::Unusable {
        dependency: name.to_owned(),
        reason: format!("nothing can stand for what it does not inherit: {reason}"),
    };
    // The decoder takes for granted what such a name says.
    let world = &graph.types()[graph[package].ty()];
    let mut names = world.imports.iter().chain(&world.exports);
    if let Some((odd, _)) = names.find(|(name, kind)| name.contains(':') && !matches!(kind, ItemKind::Instance(_))) {
        return Err(unusable(format!("{odd} is no interface")));
    }
    let adapter = deny::adapter(name, &dependency.bytes, &denied).map_err(unusable)?;
    let adapter_package = register(graph, &format!("deny:{name}"), adapter.bytes).map_err(unusable)?;
    let denier = graph.instantiate(adapter_package);
    for interface in &adapter.interfaces {
        let alias = graph.alias_instance_export(denier, interface).map_err(|error| unusable(chain(&error)))?;
        graph.set_instantiation_argument(instance, interface, alias).map_err(|error| unusable(chain(&error)))?;
    }
    Ok(())
}

fn register(graph: &mut CompositionGraph, name: &str, bytes: Vec<u8>) -> Result<PackageId, String> {
    let package = Package::from_bytes(name, None, bytes, graph.types_mut()).map_err(|error| format!("{error:#}"))?;
    graph.register_package(package).map_err(|error| chain(&error))
}

fn imports(graph: &CompositionGraph, package: PackageId) -> Vec<String> {
    graph.types()[graph[package].ty()].imports.keys().cloned().collect()
}

fn exports(graph: &CompositionGraph, package: PackageId) -> Vec<String> {
    graph.types()[graph[package].ty()].exports.keys().cloned().collect()
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "(none)".to_owned() } else { names.join(", ") }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
pub(crate) mod tests;
