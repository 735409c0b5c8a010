//! From a source to a locked app, and the app's lock file.

use std::path::{Path, PathBuf};

use spin_app_model::manifest::{LockOptions, Needs, Position, Problem, Resolved};
use spin_app_model::{LockError, LockedApp, Manifest, ManifestError};
use url::Url;

use crate::report::Report;
use crate::source::Source;
use crate::workdir;

/// An app, ready to be locked.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) app: LockedApp,
    /// The directory of the manifest; a bare component has none.
    pub(crate) local_dir: Option<PathBuf>,
    /// What is not wrong but should be changed, with its place.
    pub(crate) warnings: Vec<String>,
}

/// Why an app cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("cannot load \"{}\"", path.display())]
    Path { path: PathBuf, source: std::io::Error },
    #[error("{}", not_in_this_version(path, needs))]
    NotInThisVersion { path: PathBuf, needs: Needs },
    #[error("the application in \"{}\" has no triggers", path.display())]
    NoTriggers { path: PathBuf },
    #[error("cannot write the lock file")]
    Lock(#[from] LockError),
    #[error("\"{}\" cannot be written as a URL", path.display())]
    NoUrl { path: PathBuf },
}

impl From<LoadError> for Report {
    fn from(error: LoadError) -> Self {
        let report = Self::of(&error);
        match &error {
            LoadError::Manifest(error) => report.code(error.code()),
            LoadError::Path { .. } => report.code("source::unreadable"),
            LoadError::NotInThisVersion { .. } => report
                .code("app::not-in-this-version")
                .help("put the code beside the manifest and name its file; build files into the component"),
            LoadError::NoTriggers { .. } => {
                report.code("app::no-triggers").help("add a [[trigger.TYPE]] table that names a component")
            }
            LoadError::Lock(error) => report.code(error.code()),
            LoadError::NoUrl { .. } => report.code("workdir::no-url"),
        }
    }
}

/// Reads and locks an app; `env` goes to every component.
pub(crate) fn load(source: &Source, env: &[(String, String)], current_dir: &Path) -> Result<Loaded, LoadError> {
    let (Source::Manifest(path) | Source::Wasm(path)) = source;
    let failed = |source| LoadError::Path { path: path.to_owned(), source };
    let (manifest, options, local_dir) = match source {
        Source::Manifest(_) => {
            let options = LockOptions::for_manifest(path).map_err(failed)?;
            let local_dir = options.base_dir().to_owned();
            (Manifest::read(path)?, options, Some(local_dir))
        }
        Source::Wasm(_) => (Manifest::for_wasm(path), LockOptions::in_directory(current_dir).map_err(failed)?, None),
    };
    let options = options.with_env(env.iter().cloned());
    let needs = manifest.needs();
    if !needs.is_empty() {
        return Err(LoadError::NotInThisVersion { path: path.clone(), needs });
    }
    manifest.check_sources(options.base_dir())?;
    let app = manifest.lock(&options, &Resolved::default())?;
    if app.triggers.is_empty() {
        return Err(LoadError::NoTriggers { path: path.clone() });
    }
    let warnings = manifest.warnings.iter().map(|problem| located(path, problem)).collect();
    Ok(Loaded { app, local_dir, warnings })
}

/// Writes the lock file into the folder of a generation, and gives its URL.
pub(crate) fn write(app: &LockedApp, generation: &Path) -> Result<Url, LoadError> {
    let path = workdir::locked_app(generation);
    app.write(&path)?;
    Url::from_file_path(&path).map_err(|()| LoadError::NoUrl { path })
}

fn not_in_this_version(path: &Path, needs: &Needs) -> String {
    let described = needs.described().map(|(Position { line, column }, what)| {
        format!("{}:{line}:{column}: not supported by this version of spin: {what}", path.display())
    });
    described.collect::<Vec<_>>().join("\n")
}

fn located(path: &Path, problem: &Problem) -> String {
    let Problem { line, column, message, help, .. } = problem;
    let help = help.as_ref().map(|help| format!("\n  help: {help}")).unwrap_or_default();
    format!("{}:{line}:{column}: {message}{help}", path.display())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const MANIFEST: &str = "spin_manifest_version = 2\n[application]\nname = \"demo\"\n\
        [[trigger.zzz]]\ncomponent = \"a\"\n[component.a]\nsource = \"a.wasm\"\n";

    fn app(manifest: &str) -> (tempfile::TempDir, Source) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("spin.toml"), manifest).unwrap();
        fs::write(dir.path().join("a.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
        let source = Source::Manifest(dir.path().join("spin.toml"));
        (dir, source)
    }

    #[test]
    fn a_manifest_becomes_a_lock_file_that_only_we_can_read() {
        let (dir, source) = app(MANIFEST);
        let loaded = load(&source, &[("K".to_owned(), "V".to_owned())], Path::new("/")).unwrap();
        assert_eq!(loaded.local_dir.as_deref(), Some(dir.path()));
        assert_eq!(loaded.app.components[0].env["K"], "V");

        let url = write(&loaded.app, dir.path()).unwrap();
        let path = url.to_file_path().unwrap();
        assert_eq!(path, dir.path().join("spin.lock"));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(LockedApp::read(&path).unwrap().name(), Some("demo"));
    }

    #[test]
    fn a_bare_component_has_no_directory_of_its_own() {
        let (dir, _) = app(MANIFEST);
        let loaded = load(&Source::Wasm(dir.path().join("a.wasm")), &[], dir.path()).unwrap();
        assert_eq!(loaded.local_dir, None);
        assert_eq!(loaded.app.triggers.len(), 1);
    }

    #[test]
    fn an_app_that_cannot_run_is_refused() {
        let (_dir, source) = app("spin_manifest_version = 2\n[application]\nname = \"demo\"\n[trigger]\n");
        let error = load(&source, &[], Path::new("/")).unwrap_err();
        assert!(matches!(error, LoadError::NoTriggers { .. }), "{error}");
        let (_dir, source) = app(&format!("{MANIFEST}files = [\"a\"]\n"));
        let report = Report::from(load(&source, &[], Path::new("/")).unwrap_err());
        assert!(report.message().ends_with(":8:10: not supported by this version of spin: the files of component `a`"));
        let (dir, source) = app(MANIFEST);
        fs::remove_file(dir.path().join("a.wasm")).unwrap();
        let report = Report::from(load(&source, &[], Path::new("/")).unwrap_err());
        assert!(report.message().contains("a.wasm"), "{report:?}");
    }
}
