//! Checks that need the file system: whether what a manifest names is there.

use std::path::Path;

use super::dependencies::Resolver;
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
        for component in &self.components {
            problems.extend(missing_code(component, base_dir));
            for dependency in resolver.resolvable(component) {
                let missing = missing_dependency(&dependency.name.to_string(), &dependency.source, base_dir);
                problems.extend(missing);
            }
            problems.extend(component.files.iter().filter_map(|file| missing_mount(file, base_dir)));
        }
        problems
    }
}

fn missing_code(component: &Component, base_dir: &Path) -> Option<Problem> {
    let SourceRef::File(path) = &component.source.value else {
        return None;
    };
    if absolute_source(base_dir, path).is_file() {
        return None;
    }
    let id = &component.id.value;
    let message = format!("the wasm file of component `{id}` does not exist: {}", quoted(&path.to_string_lossy()));
    let help = match &component.build {
        Some(_) => "build it first: `spin build`, or `spin up --build`",
        None => "correct the path, which is relative to the manifest",
    };
    Some(Problem::new(component.source.at, message).help(help))
}

fn missing_dependency(name: &str, source: &Located<SourceRef>, base_dir: &Path) -> Option<Problem> {
    let SourceRef::File(path) = &source.value else {
        return None;
    };
    if absolute_source(base_dir, path).is_file() {
        return None;
    }
    let path = quoted(&path.to_string_lossy());
    let message = format!("the wasm file of dependency {} does not exist: {path}", quoted(name));
    Some(Problem::new(source.at, message).help("correct the path, which is relative to the manifest"))
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
