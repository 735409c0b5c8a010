//! A manifest that may have problems, as far as it could be read.
//!
//! Who only runs applications asks for a [`Manifest`] and gets all of it or an error. But an application can be built
//! although its manifest has a problem elsewhere, and who checks one wants to know at once what is wrong with the text
//! and what is missing on the disk.

use std::fs;
use std::path::Path;

use super::check;
use super::error::ManifestError;
use super::parse::{self, Parsed};
use super::schema::{Component, Manifest};
use crate::document::{Invalid, Problem, Report};

/// What could be read of a manifest, and what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Draft {
    /// What could be read. The manifest, if there is no problem.
    pub manifest: Manifest,
    /// Components that have an id and a table, but nothing in it that says where their code is. Their source is a
    /// stand-in.
    pub without_code: Vec<Component>,
    /// What is wrong, in the order of the text: everything, or the first hundred things found.
    pub problems: Vec<Problem>,
    /// How many more problems there are.
    pub omitted: usize,
}

impl From<Manifest> for Draft {
    /// The draft of a manifest that has no problem.
    fn from(manifest: Manifest) -> Self {
        Self { manifest, without_code: Vec::new(), problems: Vec::new(), omitted: 0 }
    }
}

impl Draft {
    /// Reads a manifest file as far as it can be read.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Read`] when the file cannot be read, else as [`parse`](Self::parse).
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let bytes = fs::read(path).map_err(|source| ManifestError::Read { path: path.to_owned(), source })?;
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(&text, path),
            Err(error) => Err(Invalid::not_utf8(path, &error).into()),
        }
    }

    /// Reads the text of a manifest as far as it can be read. `path` is where it is from: it appears in messages and is
    /// not opened.
    ///
    /// ```
    /// use std::path::Path;
    /// use spin_app_model::manifest::Draft;
    ///
    /// let text = "
    /// spin_manifest_version = 2
    /// application = { name = \"demo\", verison = \"1\" }
    /// trigger = {}
    /// [component.hello]
    /// source = \"hello.wasm\"
    /// ";
    /// let draft = Draft::parse(text, Path::new("spin.toml"))?;
    /// assert_eq!(draft.problems.len(), 1);
    /// assert_eq!(draft.manifest.components.len(), 1);
    /// assert!(draft.finished().is_err());
    /// # Ok::<(), spin_app_model::ManifestError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ManifestError::Invalid`] for a text that is not TOML or of no known version: nothing can be said of its parts.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ManifestError> {
        let report = Report::new(text);
        let Some(mut parsed) = parse::document(text, path, &report) else {
            return Err(report.into_error(path).expect("a document that cannot be read has a problem").into());
        };
        check::cross_check(&parsed, &report);
        parsed.manifest.warnings = report.take_warnings();
        let Parsed { manifest, without_code, .. } = parsed;
        let (problems, omitted) = report.into_problems();
        Ok(Self { manifest, without_code, problems, omitted })
    }

    /// The manifest, if nothing is wrong with it.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Invalid`] with everything that is wrong.
    pub fn finished(self) -> Result<Manifest, ManifestError> {
        match Invalid::of(&self.manifest.path, self.problems, self.omitted) {
            None => Ok(self.manifest),
            Some(invalid) => Err(invalid.into()),
        }
    }

    /// Every component that can be built, in the order of the text: also those of which nobody knows where the code is.
    pub fn buildable(&self) -> impl Iterator<Item = &Component> {
        let mut components: Vec<_> = self.manifest.components.iter().chain(&self.without_code).collect();
        components.sort_by_key(|component| component.id.at);
        components.into_iter()
    }
}
