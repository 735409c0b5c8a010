//! What is to be made ready: the files of a component, and the key under which its compiled code is kept.

use std::any::Any;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use spin_app_model::ComponentId;
use spin_app_model::lock::{LockedApp, LockedComponent, LockedDependency, LockedSource};

use crate::aot::hex;
use crate::component::PrepareError;
use crate::compose::{self, ComposeError};
use crate::sources::Facts;

/// The part of the cache's key that stands for what is done to the files in [`prepare`](super), in [`crate::adapt`] and in
/// [`crate::compose`]: a change there that makes other components out of the same files has to change this, and one of what
/// is noted about files too ([`crate::sources`]). What [`compose::rules`] says is a part of the key by itself.
pub(crate) const RECIPE: &str = concat!("spin ", env!("CARGO_PKG_VERSION"), " recipe 4");

/// One component to make ready.
pub(crate) struct Job<'a> {
    pub(crate) component: &'a LockedComponent,
    /// The size of all its files together, in bytes.
    size: u64,
    pub(super) path: PathBuf,
    dependencies: Vec<Part<'a>>,
}

/// One dependency of a component.
pub(super) struct Part<'a> {
    pub(super) name: &'a str,
    pub(super) locked: &'a LockedDependency,
    pub(super) path: PathBuf,
}

impl<'a> Job<'a> {
    /// What is to be done for the components `ids` of an app, the largest first: so none of the processors is left with a
    /// long one at the end.
    ///
    /// # Errors
    /// The first component that the app doesn't have, or whose files are not there.
    pub(crate) fn of(app: &'a LockedApp, ids: &[ComponentId]) -> Result<Vec<Self>, PrepareError> {
        let unknown = |id: &ComponentId| PrepareError::Unknown { id: id.clone() };
        let jobs = ids.iter().map(|id| Self::new(app.component(id).ok_or_else(|| unknown(id))?));
        let mut jobs = jobs.collect::<Result<Vec<_>, _>>()?;
        jobs.sort_by_key(|job| std::cmp::Reverse(job.size));
        Ok(jobs)
    }

    /// # Errors
    /// When a file is not there.
    fn new(component: &'a LockedComponent) -> Result<Self, PrepareError> {
        let id = || component.id.clone();
        let path = file(&component.source).map_err(|found| PrepareError::Source { id: id(), found })?;
        let dependencies = component.dependencies.iter().map(|(name, locked)| {
            let path = file(&locked.source).map_err(|found| PrepareError::Compose {
                id: id(),
                source: ComposeError::Source { dependency: name.clone(), found },
            })?;
            Ok(Part { name, locked, path })
        });
        let dependencies = dependencies.collect::<Result<Vec<_>, PrepareError>>()?;
        let mut size = 0;
        for path in std::iter::once(&path).chain(dependencies.iter().map(|part| &part.path)) {
            let found = std::fs::metadata(path);
            size += found.map_err(|source| PrepareError::Read { id: id(), path: path.clone(), source })?.len();
        }
        Ok(Self { component, size, path, dependencies })
    }

    pub(super) fn panicked(&self, panic: &(dyn Any + Send)) -> PrepareError {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let what = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason is known");
        let dependencies = self.dependencies.iter().map(|part| part.name.to_owned()).collect();
        PrepareError::Panicked { id: self.component.id.clone(), dependencies, what: what.to_owned() }
    }

    /// Where its files are.
    pub(super) fn paths(&self) -> Files<'_, &Path> {
        let parts = self.dependencies.iter().map(|part| (part, part.path.as_path()));
        Files { own: &self.path, parts: parts.collect() }
    }

    /// Names all that decides which component comes out.
    pub(super) fn key(&self, files: &Files<'_, Facts>) -> String {
        // What has no dependencies is not composed.
        let rules = if files.parts.is_empty() { String::new() } else { compose::rules() };
        key(&rules, &self.path, files)
    }

    pub(super) fn unreadable(&self, path: &Path, source: std::io::Error) -> PrepareError {
        PrepareError::Read { id: self.component.id.clone(), path: path.to_owned(), source }
    }
}

/// What there is for each file of a component.
pub(super) struct Files<'a, T> {
    pub(super) own: T,
    pub(super) parts: Vec<(&'a Part<'a>, T)>,
}

impl<'a, T> Files<'a, T> {
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.own).chain(self.parts.iter().map(|(_, part)| part))
    }

    pub(super) fn map<U>(&self, each: impl Fn(&T) -> U) -> Files<'a, U> {
        Files { own: each(&self.own), parts: self.parts.iter().map(|(part, file)| (*part, each(file))).collect() }
    }

    pub(super) fn try_map<U>(self, each: impl Fn(T) -> Result<U, PrepareError>) -> Result<Files<'a, U>, PrepareError> {
        let own = each(self.own)?;
        let parts = self.parts.into_iter().map(|(part, file)| Ok((part, each(file)?)));
        Ok(Files { own, parts: parts.collect::<Result<_, PrepareError>>()? })
    }
}

/// The file that a source stands for, or what it is instead.
fn file(source: &LockedSource) -> Result<PathBuf, String> {
    let source = source.content.source.as_deref();
    source
        .and_then(|source| url::Url::parse(source).ok())
        .and_then(|url| url.to_file_path().ok())
        .ok_or_else(|| source.unwrap_or("(none)").to_owned())
}

/// Whether a file is text, by its name.
pub(super) fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wat")
}

/// Names all that decides which component comes out, of a file at `path` with its dependencies. Every piece is of a known
/// length or has its length before it, so that no two different inputs read the same.
fn key(rules: &str, path: &Path, files: &Files<'_, Facts>) -> String {
    fn text(sum: &mut Sha256, text: &str) {
        sum.update((text.len() as u64).to_le_bytes());
        sum.update(text);
    }
    fn code(sum: &mut Sha256, path: &Path, facts: &Facts) {
        sum.update([u8::from(is_text(path))]);
        sum.update(facts.digest);
    }
    let mut sum = Sha256::new();
    text(&mut sum, RECIPE);
    code(&mut sum, path, &files.own);
    if !files.parts.is_empty() {
        text(&mut sum, rules);
    }
    for (part, facts) in &files.parts {
        text(&mut sum, part.name);
        // An absent export and one without a name are not the same.
        text(&mut sum, &format!("{:?}", part.locked.export));
        text(&mut sum, &format!("{:?}", part.locked.inherit));
        code(&mut sum, &part.path, facts);
    }
    hex(&sum.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_rules_compose_other_components() {
        let app = r#"{ "spin_lock_version": 1, "triggers": [], "components": [{ "id": "c", "source": { "content_type": "application/wasm" },
            "dependencies": { "a:b": { "source": { "content_type": "application/wasm" } } } }] }"#;
        let app = LockedApp::from_json(app.as_bytes()).expect("a lock");
        let (name, locked) = app.components[0].dependencies.iter().next().expect("one");
        let part = Part { name, locked, path: "b.wasm".into() };
        let [own, file] = [b"a", b"b"].map(|bytes| Facts::of(bytes));
        let of = |rules: &str| key(rules, Path::new("a.wasm"), &Files { own, parts: vec![(&part, file)] });
        assert_ne!(of("a"), of("b"));
        assert_eq!(of("a"), of("a"));
        let alone = |rules: &str| key(rules, Path::new("a.wasm"), &Files { own, parts: Vec::new() });
        assert_eq!(alone("a"), alone("b"), "what has no dependencies is not composed");
    }
}
