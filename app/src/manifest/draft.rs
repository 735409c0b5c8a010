//! A manifest that may have problems, as far as it could be read.
//!
//! Who only runs applications asks for a [`Manifest`] and gets all of it or an error. But an application can be built
//! although its manifest has a problem elsewhere, if no problem concerns what is built; and who checks one wants to know
//! at once what is wrong with the text and what is missing on the disk.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::check;
use super::error::ManifestError;
use super::parse::{self, Parsed};
use super::schema::{Component, Manifest};
use crate::document::{Invalid, Position, Problems, Report, quoted};

/// What could be read of a manifest, and what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Draft {
    /// What could be read. The manifest, if there is no problem.
    pub manifest: Manifest,
    /// Components that have an id and a table, but nothing in it that says where their code is. Their source is a
    /// stand-in.
    pub without_code: Vec<Component>,
    /// What is wrong, in the order of the text.
    pub problems: Problems,
    /// Whether no problem makes it doubtful what is built, and how.
    builds_are_right: bool,
}

impl From<Manifest> for Draft {
    /// The draft of a manifest that has no problem.
    fn from(manifest: Manifest) -> Self {
        Self { manifest, without_code: Vec::new(), problems: Problems::default(), builds_are_right: true }
    }
}

/// The largest manifest that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it has more than 64 MiB, so it is no manifest"));
    }
    Ok(bytes)
}

impl Draft {
    /// Reads a manifest file as far as it can be read, as it is in a profile.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Read`] when the file cannot be read, else as [`parse`](Self::parse).
    pub fn read(path: &Path, profile: Option<&str>) -> Result<Self, ManifestError> {
        let bytes = read(path).map_err(|source| ManifestError::Read { path: path.to_owned(), source })?;
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(&text, path, profile),
            Err(error) => Err(Invalid::not_utf8(path, &error).into()),
        }
    }

    /// Reads the text of a manifest as far as it can be read, as it is in a profile. `path` is where it is from: it appears
    /// in messages and is not opened.
    ///
    /// Parts are only checked against each other as they are in this profile: what other profiles come to is of no
    /// concern until somebody asks for them.
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
    /// let draft = Draft::parse(text, Path::new("spin.toml"), None)?;
    /// assert_eq!(draft.problems.len(), 1);
    /// assert_eq!(draft.manifest.components.len(), 1);
    /// assert!(draft.finished().is_err());
    /// # Ok::<(), spin_app_model::ManifestError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ManifestError::Invalid`] for a text that is not TOML or of no known version: nothing can be said of its parts.
    /// [`ManifestError::UnknownProfile`] when no component has the profile and nothing else is wrong.
    pub fn parse(text: &str, path: &Path, profile: Option<&str>) -> Result<Self, ManifestError> {
        let report = Report::new(text);
        let Some(mut parsed) = parse::document(text, path, &report) else {
            return Err(report.into_error(path).expect("a document that cannot be read has a problem").into());
        };
        if let Some(profile) = profile {
            enter_profile(&mut parsed, profile, &report)?;
        }
        check::cross_check(&parsed, &report);
        parsed.manifest.warnings = report.take_warnings();
        let Parsed { manifest, without_code, .. } = parsed;
        let builds_are_right = report.vital_is_right();
        Ok(Self { manifest, without_code, problems: report.into_problems(), builds_are_right })
    }

    /// The manifest, if nothing is wrong with it.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Invalid`] with everything that is wrong.
    pub fn finished(self) -> Result<Manifest, ManifestError> {
        match self.problems.into_error(&self.manifest.path) {
            None => Ok(self.manifest),
            Some(invalid) => Err(invalid.into()),
        }
    }

    /// Every component, in the order of the text, for somebody who runs their build commands: also those of which nobody
    /// knows where the code is.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Invalid`] with everything that is wrong, if anything of it concerns building: a build table, an id,
    /// a profile. Commands other than those that are written would be run, or too few.
    pub fn to_build(&self) -> Result<Vec<&Component>, ManifestError> {
        if !self.builds_are_right
            && let Some(invalid) = self.problems.clone().into_error(&self.manifest.path)
        {
            return Err(invalid.into());
        }
        let mut components: Vec<_> = self.manifest.components.iter().chain(&self.without_code).collect();
        components.sort_by_key(|component| component.id.at);
        Ok(components)
    }
}

/// Makes all that was read as it is in a profile. If no component has the profile, that is a problem like others: it may be
/// in what could not be read.
fn enter_profile(parsed: &mut Parsed<'_>, name: &str, report: &Report<'_>) -> Result<(), ManifestError> {
    let Parsed { manifest, without_code, .. } = parsed;
    let has_profile = |component: &Component| component.profiles.contains_key(name);
    if manifest.components.iter().chain(&*without_code).any(has_profile) {
        manifest.components.iter_mut().chain(without_code).for_each(|component| component.enter_profile(name));
        manifest.profile = Some(name.to_owned());
        return Ok(());
    }
    if report.count() == 0 {
        return Err(manifest.unknown_profile(name));
    }
    let help = report.suggest(name, manifest.profiles());
    let message = format!("no component that can be read has a profile {}", quoted(name));
    report.vital(|| report.add(Position::START, message, help));
    Ok(())
}
