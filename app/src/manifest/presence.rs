//! Checks that need the file system: whether what a manifest names is there.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::dependencies::{Resolved, Resolver};
use super::locking::absolute_source;
use super::patterns::is_glob;
use super::schema::{Component, FileMount, Manifest, SourceRef};
use crate::document::{Located, Problem, quoted};

impl Manifest {
    /// Looks for the files that the manifest names: the code of components and of their dependencies, and what `files`
    /// names without a glob. Gives a problem for each that is not there.
    ///
    /// Not part of reading, because a manifest is also read in order to build what it names. `base_dir` is the directory
    /// of the manifest.
    #[must_use]
    pub fn missing_files(&self, base_dir: &Path) -> Vec<Problem> {
        let mut problems = Vec::new();
        let resolver = Resolver::new(self);
        let built: HashSet<_> =
            self.components.iter().filter_map(|component| built_file(component, base_dir)).collect();
        for component in &self.components {
            problems.extend(missing_code(component, base_dir));
            for dependency in resolver.resolvable(component) {
                let missing = missing_dependency(&dependency, base_dir, &built);
                problems.extend(missing);
            }
            problems.extend(component.files.iter().filter_map(|file| missing_mount(file, base_dir)));
        }
        problems
    }
}

/// The file that the build of a component makes, if it has a build.
fn built_file(component: &Component, base_dir: &Path) -> Option<PathBuf> {
    match (&component.source.value, &component.build) {
        (SourceRef::File(path), Some(_)) => Some(absolute_source(base_dir, path)),
        _ => None,
    }
}

fn missing_code(component: &Component, base_dir: &Path) -> Option<Problem> {
    let whose = format!("component `{}`", component.id.value);
    missing_file(&whose, &component.source, base_dir, |_| component.build.is_some())
}

fn missing_dependency(dependency: &Resolved, base_dir: &Path, built: &HashSet<PathBuf>) -> Option<Problem> {
    let whose = format!("dependency {}", quoted(&dependency.name.to_string()));
    missing_file(&whose, &dependency.source, base_dir, |file| built.contains(file))
}

fn missing_file(
    whose: &str,
    source: &Located<SourceRef>,
    base_dir: &Path,
    is_built: impl FnOnce(&Path) -> bool,
) -> Option<Problem> {
    let SourceRef::File(path) = &source.value else {
        return None;
    };
    let file = absolute_source(base_dir, path);
    if file.is_file() {
        return None;
    }
    let path = quoted(&path.to_string_lossy());
    if file.is_dir() {
        let message = format!("the wasm file of {whose} is a folder: {path}");
        return Some(Problem::new(source.at, message).help("name a file in it"));
    }
    let help = match is_built(&file) {
        true => "build it first: `spin build`, or `spin up --build`",
        false => "correct the path, which is relative to the manifest",
    };
    Some(Problem::new(source.at, format!("the wasm file of {whose} does not exist: {path}")).help(help))
}

fn missing_mount(file: &Located<FileMount>, base_dir: &Path) -> Option<Problem> {
    match &file.value {
        FileMount::Pattern(pattern) => {
            if is_glob(pattern) || absolute_source(base_dir, Path::new(pattern)).exists() {
                return None;
            }
            let message = format!("{} in `files` does not exist and is not a glob", quoted(pattern));
            Some(Problem::new(file.at, message).help("correct the path, which is relative to the manifest"))
        }
        FileMount::Placed { source, destination } => {
            let path = absolute_source(base_dir, Path::new(source));
            if !path.exists() {
                let message = format!("the file or directory {} in `files` does not exist", quoted(source));
                return Some(
                    Problem::new(file.at, message).help("correct the path, which is relative to the manifest"),
                );
            }
            let name = destination.rsplit('/').next().unwrap_or_default();
            if path.is_file() && matches!(name, "" | "." | "..") {
                let message = format!("{} in `files` is not a valid destination file name", quoted(destination));
                return Some(Problem::new(file.at, message).help("end it with the name of the file"));
            }
            None
        }
    }
}
