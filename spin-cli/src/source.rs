//! What to run: a manifest, a folder with one, a bare component, or whatever is found upwards of here.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use crate::report::{Exit, Report};
use crate::ui::Ui;

/// The name of a manifest that nobody named.
pub(crate) const MANIFEST: &str = "spin.toml";

/// How far upwards a manifest is looked for.
const LEVELS: usize = 19;

/// What was asked to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A manifest.
    Manifest(PathBuf),
    /// A component without a manifest.
    Wasm(PathBuf),
}

/// A source and how it was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) source: Source,
    /// Which directory it was found in, if it is not the current one: "parent", "grandparent", …
    pub(crate) above: Option<String>,
}

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("\"{}\" does not exist", path.display())]
    Missing { path: PathBuf },
    #[error("directory \"{}\" does not contain a file named \"{MANIFEST}\"", path.display())]
    NoManifestIn { path: PathBuf },
    #[error("\"{}\" is neither a file nor a directory", path.display())]
    Special { path: PathBuf },
    #[error("cannot look at \"{}\"", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("\"{MANIFEST}\" not found, neither here nor in the directories above")]
    NotFound { did_you_mean: Option<String> },
}

impl From<SourceError> for Report {
    fn from(error: SourceError) -> Self {
        let report = Self::of(&error);
        match error {
            SourceError::Missing { .. } => {
                report.code("source::missing").help("name a manifest, a directory with one, or a .wasm file; references to a registry are not in this version")
            }
            SourceError::NoManifestIn { .. } => report.code("source::no-manifest"),
            SourceError::Special { .. } => report.code("source::special-file"),
            SourceError::Io { .. } => report.code("source::unreadable"),
            SourceError::NotFound { did_you_mean: Some(path) } => {
                report.code("source::not-found").help(format!("did you mean: spin up -f {path}"))
            }
            SourceError::NotFound { did_you_mean: None } => {
                report.code("source::not-found").help("name the app with -f; all flags are in spin up --help")
            }
        }
        .exit(Exit::ERROR)
    }
}

/// Finds what to run: `named` if the user named something, else the manifest of the current directory or of the
/// nearest above it. `stray` is the first argument that looks as if it should have been the name.
pub(crate) fn find(named: Option<&Path>, current_dir: &Path, stray: Option<&OsStr>) -> Result<Found, SourceError> {
    if let Some(path) = named {
        return Ok(Found { source: at(&current_dir.join(path), path)?, above: None });
    }
    if current_dir.join(MANIFEST).is_file() {
        return Ok(Found { source: Source::Manifest(current_dir.join(MANIFEST)), above: None });
    }
    if let Some(stray) = stray {
        return Err(SourceError::NotFound { did_you_mean: Some(stray.to_string_lossy().into_owned()) });
    }
    upwards(current_dir).ok_or(SourceError::NotFound { did_you_mean: None })
}

/// Says which manifest is used, if nobody named it and it is not the one of the current directory.
pub(crate) fn announce(found: &Found, ui: &Ui) {
    if let (Some(above), Source::Manifest(path)) = (&found.above, &found.source) {
        let directory = path.parent().unwrap_or(path).display();
        let name = MANIFEST;
        ui.notice(&format!("No '{name}' in current directory. Using '{name}' from {above} directory ({directory})"));
    }
}

/// What a path stands for; `shown` is the path as the user wrote it.
fn at(path: &Path, shown: &Path) -> Result<Source, SourceError> {
    let shown = || shown.to_owned();
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SourceError::Missing { path: shown() }),
        Err(source) => return Err(SourceError::Io { path: shown(), source }),
    };
    if meta.is_dir() {
        let manifest = path.join(MANIFEST);
        return if manifest.is_file() {
            Ok(Source::Manifest(manifest))
        } else {
            Err(SourceError::NoManifestIn { path: shown() })
        };
    }
    if !meta.is_file() {
        return Err(SourceError::Special { path: shown() });
    }
    let is_wasm = path.extension().is_some_and(|extension| extension == "wasm" || extension == "wat");
    Ok(if is_wasm { Source::Wasm(path.to_owned()) } else { Source::Manifest(path.to_owned()) })
}

/// The nearest manifest above a directory. The search ends behind the root of a git repository: what lies above it
/// belongs to something else.
fn upwards(current_dir: &Path) -> Option<Found> {
    for (level, folder) in current_dir.ancestors().enumerate().skip(1).take(LEVELS) {
        let manifest = folder.join(MANIFEST);
        if manifest.is_file() {
            return Some(Found { source: Source::Manifest(manifest), above: Some(relation(level)) });
        }
        if folder.join(".git").is_dir() {
            return None;
        }
    }
    None
}

/// "parent", "grandparent", "great-grandparent", …
fn relation(level: usize) -> String {
    match level {
        1 => "parent".to_owned(),
        more => format!("{}grandparent", "great-".repeat(more - 2)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use super::*;

    #[test]
    fn a_name_stands_for_a_file_a_directory_or_a_component() {
        let dir = tempfile::tempdir().unwrap();
        let here = dir.path();
        fs::create_dir_all(here.join("app")).unwrap();
        fs::create_dir_all(here.join("empty")).unwrap();
        for file in ["app/spin.toml", "other.toml", "x.wasm", "y.wat"] {
            fs::write(here.join(file), "").unwrap();
        }
        let find = |name: &str| find(Some(Path::new(name)), here, None).map(|found| found.source);
        assert_eq!(find("app").unwrap(), Source::Manifest(here.join("app/spin.toml")));
        assert_eq!(find("other.toml").unwrap(), Source::Manifest(here.join("other.toml")));
        assert_eq!(find("x.wasm").unwrap(), Source::Wasm(here.join("x.wasm")));
        assert_eq!(find("y.wat").unwrap(), Source::Wasm(here.join("y.wat")));
        assert!(matches!(find("empty"), Err(SourceError::NoManifestIn { .. })));
        assert!(matches!(find("ghcr.io/x/y:1"), Err(SourceError::Missing { .. })));
        assert!(matches!(find("/dev/null"), Err(SourceError::Special { .. })));
    }

    #[test]
    fn without_a_name_the_nearest_manifest_is_found_up_to_the_root_of_the_repository() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let deep = root.join("repo/a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::write(root.join(MANIFEST), "").unwrap();
        let above = |level: &str, folder: &Path| Found {
            source: Source::Manifest(folder.join(MANIFEST)),
            above: Some(level.to_owned()),
        };
        assert_eq!(find(None, &deep, None).unwrap(), above("great-grandparent", root));

        fs::create_dir(root.join("repo/.git")).unwrap();
        assert!(matches!(find(None, &deep, None), Err(SourceError::NotFound { did_you_mean: None })));
        fs::write(root.join("repo").join(MANIFEST), "").unwrap();
        assert_eq!(find(None, &deep, None).unwrap(), above("grandparent", &root.join("repo")));

        fs::write(deep.join(MANIFEST), "").unwrap();
        let here = find(None, &deep, Some(OsStr::new("x"))).unwrap();
        assert_eq!(here, Found { source: Source::Manifest(deep.join(MANIFEST)), above: None });
    }

    #[test]
    fn a_stray_argument_is_offered_as_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let error = find(None, dir.path(), Some(OsStr::new("my-app"))).unwrap_err();
        let report = Report::from(error);
        assert_eq!(report.advice(), ["did you mean: spin up -f my-app"]);
    }
}
