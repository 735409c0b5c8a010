//! From a source to a locked app, and the app's lock file.
//!
//! In steps, so that everything that is wrong is known before anything is done: [`open`] reads the manifest,
//! [`Opened::prepare`] compares it with the disk, [`Prepared::fetch`] gets the code that is elsewhere, and
//! [`Prepared::lock`] puts the files in their place and locks the app.

use std::path::{Path, PathBuf};

use serde_json::Value;
use spin_app_model::manifest::{
    ComponentFiles, Download, Draft, Located, LockOptions, Problem, Problems, Resolved, SourceRef,
};
use spin_app_model::{LockError, LockedApp, Manifest, ManifestError, TriggerType};
use url::Url;

use crate::download::{self, DownloadError};
use crate::files::{self, FilesError, Placing};
use crate::report::Report;
use crate::selection::{Selection, UnknownComponents};
use crate::source::Source;
use crate::ui::Ui;
use crate::workdir;

/// A manifest that was read, as far as it can be.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) draft: Draft,
    options: LockOptions,
    /// The directory of the manifest; a bare component has none.
    pub(crate) local_dir: Option<PathBuf>,
}

/// How an app is to be run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) placing: Placing,
    pub(crate) selection: Selection,
}

/// An app that is known to be right.
#[derive(Debug)]
pub(crate) struct Prepared {
    manifest: Manifest,
    options: LockOptions,
    files: Vec<files::Plan>,
    downloads: Vec<Located<Download>>,
    selection: Selection,
    /// The directory of the manifest; a bare component has none.
    pub(crate) local_dir: Option<PathBuf>,
    /// What is not wrong but should be changed, with its place.
    pub(crate) warnings: Vec<String>,
}

/// Why an app cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// Also what is found here: with what the manifest's own check finds it is one list to the reader.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("cannot load \"{}\"", path.display())]
    Path { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    UnknownComponents(#[from] UnknownComponents),
    #[error("the application in \"{}\" has no triggers", path.display())]
    NoTriggers { path: PathBuf, selection: Selection },
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error("cannot write the lock file")]
    Lock(#[from] LockError),
    #[error("\"{}\" cannot be written as a URL", path.display())]
    NoUrl { path: PathBuf },
}

impl From<LoadError> for Report {
    fn from(error: LoadError) -> Self {
        let report = Self::of(&error);
        match error {
            LoadError::Manifest(error) => report.code(error.code()),
            LoadError::Path { .. } => report.code("source::unreadable"),
            LoadError::UnknownComponents(error) => error.into(),
            LoadError::NoTriggers { selection: Selection::Only(_), .. } => {
                report.code("app::no-triggers").help("name a component with -c that a trigger runs")
            }
            LoadError::NoTriggers { selection: Selection::All, .. } => {
                report.code("app::no-triggers").help("add a [[trigger.TYPE]] table that names a component")
            }
            LoadError::Files(error) => error.into(),
            LoadError::Lock(error) => report.code(error.code()),
            LoadError::NoUrl { .. } => report.code("workdir::no-url"),
        }
    }
}

/// Reads what can be read of an app, as it is in a profile, and looks at nothing else. A bare component has no profiles
/// and is the same in all.
pub(crate) fn open(source: &Source, profile: Option<&str>, current_dir: &Path) -> Result<Opened, LoadError> {
    let (Source::Manifest(path) | Source::Wasm(path)) = source;
    let failed = |source| LoadError::Path { path: path.to_owned(), source };
    match source {
        Source::Manifest(_) => {
            let options = LockOptions::for_manifest(path).map_err(failed)?;
            let local_dir = Some(options.base_dir().to_owned());
            Ok(Opened { draft: Draft::read(path, profile)?, options, local_dir })
        }
        Source::Wasm(_) => {
            let options = LockOptions::in_directory(current_dir).map_err(failed)?;
            Ok(Opened { draft: Draft::from(Manifest::for_wasm(path)), options, local_dir: None })
        }
    }
}

impl Opened {
    /// What relative paths are relative to.
    pub(crate) fn app_dir(&self) -> &Path {
        self.options.base_dir()
    }

    /// The types of the app's triggers, each once.
    pub(crate) fn trigger_types(&self) -> Vec<TriggerType> {
        trigger_types(&self.draft.manifest)
    }

    /// Whether nothing is wrong that a build cannot change: with the text, and with what of it is wished for.
    pub(crate) fn is_worth_building(&self, wishes: &Wishes) -> bool {
        self.choose(wishes).is_ok_and(|chosen| chosen.refused().is_none())
    }

    /// Compares the app with the disk, and tells of everything that is wrong with it at once. Writes nothing.
    pub(crate) fn prepare(self, wishes: &Wishes) -> Result<Prepared, LoadError> {
        let mut chosen = self.choose(wishes)?;
        let base_dir = self.options.base_dir();
        chosen.problems.add_further(chosen.manifest.missing_files(base_dir));
        let mut warnings = chosen.manifest.warnings.clone();
        let mut files = Vec::new();
        for of in &chosen.files {
            let (plan, findings) = files::plan(of, base_dir, wishes.placing);
            files.push(plan);
            chosen.problems.add_further(findings.problems);
            warnings.add_further(findings.warnings);
        }
        if let Some(error) = chosen.refused() {
            return Err(error);
        }
        let Chosen { manifest, downloads, selection, .. } = chosen;
        let warnings = listed(&warnings, &manifest.path);
        Ok(Prepared {
            manifest,
            options: self.options,
            files,
            downloads,
            selection,
            local_dir: self.local_dir,
            warnings,
        })
    }

    /// What of the app is wished for, and what is wrong with that.
    fn choose(&self, wishes: &Wishes) -> Result<Chosen, LoadError> {
        let Draft { manifest, problems, .. } = &self.draft;
        if problems.is_empty() {
            wishes.selection.check(&manifest.components)?;
        }
        let (mut manifest, mut problems) = (manifest.clone(), problems.clone());
        problems.add_further(wishes.selection.apply(&mut manifest));
        let needs = manifest.needs();
        let (mut downloads, mut unsupported) = (Vec::new(), Vec::new());
        for Located { value, at } in needs.sources {
            match value {
                SourceRef::Download(value) => downloads.push(Located { value, at }),
                other => unsupported.push(
                    Problem::new(at, format!("not supported by this version of spin: {other}"))
                        .help("put the code beside the manifest and name its file"),
                ),
            }
        }
        problems.add_further(unsupported);
        Ok(Chosen { manifest, problems, files: needs.files, downloads, selection: wishes.selection.clone() })
    }
}

/// What of an app is wished for.
struct Chosen {
    manifest: Manifest,
    /// What is known to be wrong with it.
    problems: Problems,
    files: Vec<ComponentFiles>,
    downloads: Vec<Located<Download>>,
    selection: Selection,
}

impl Chosen {
    /// Why it cannot run, as far as is known.
    fn refused(&self) -> Option<LoadError> {
        let path = &self.manifest.path;
        if let Some(invalid) = self.problems.clone().into_error(path) {
            return Some(ManifestError::from(invalid).into());
        }
        let no_triggers = || LoadError::NoTriggers { path: path.clone(), selection: self.selection.clone() };
        self.manifest.triggers.is_empty().then(no_triggers)
    }
}

/// Warnings as they are printed, the last of them saying how many more there are.
fn listed(warnings: &Problems, path: &Path) -> Vec<String> {
    let omitted = warnings.omitted();
    let more = (omitted > 0).then(|| format!("{}: and {omitted} more warnings", path.display()));
    warnings.clone().sorted().iter().map(|warning| warning.located(path)).chain(more).collect()
}

impl Prepared {
    /// The types of the app's triggers, each once.
    pub(crate) fn trigger_types(&self) -> Vec<TriggerType> {
        trigger_types(&self.manifest)
    }

    /// Where its manifest is, or its only component.
    pub(crate) fn manifest_path(&self) -> &Path {
        &self.manifest.path
    }

    /// A key of `[application.trigger.TYPE]`.
    pub(crate) fn setting(&self, trigger_type: &TriggerType, key: &str) -> Option<&Value> {
        self.manifest.application.trigger_settings.get(trigger_type)?.get(key)
    }

    /// Gets the code that is elsewhere into a cache.
    pub(crate) async fn fetch(&self, cache_dir: &Path, ui: &Ui) -> Result<Resolved, DownloadError> {
        download::fetch(&self.manifest.path, &self.downloads, cache_dir, ui).await
    }

    /// Whether there is code elsewhere.
    pub(crate) fn has_downloads(&self) -> bool {
        !self.downloads.is_empty()
    }

    /// Puts the files of the app into the folder of a generation and locks the app. `resolved` is what was fetched,
    /// and `env` goes to every component.
    pub(crate) async fn lock(
        self,
        mut resolved: Resolved,
        env: &[(String, String)],
        generation: &Path,
        ui: &Ui,
    ) -> Result<LockedApp, LoadError> {
        self.place_files(&workdir::assets(generation), &mut resolved, ui).await?;
        let options = self.options.with_env(env.iter().cloned());
        let mut app = self.manifest.lock(&options, &resolved)?;
        self.selection.finish(&self.manifest, &mut app);
        Ok(app)
    }

    async fn place_files(&self, assets: &Path, resolved: &mut Resolved, ui: &Ui) -> Result<(), FilesError> {
        let all = self.files.iter().map(files::Plan::copies).sum::<usize>() as u64;
        let mut done = 0;
        let mut copied = || {
            done += 1;
            ui.show_steps("Copying files", done, all);
        };
        for plan in &self.files {
            plan.carry_out(assets, resolved, &mut copied).await?;
        }
        Ok(())
    }
}

pub(crate) fn trigger_types(manifest: &Manifest) -> Vec<TriggerType> {
    let mut types: Vec<TriggerType> = Vec::new();
    for trigger in &manifest.triggers {
        if !types.contains(&trigger.trigger_type) {
            types.push(trigger.trigger_type.clone());
        }
    }
    types
}

/// Writes the lock file into the folder of a generation, and gives its URL.
pub(crate) fn write(app: &LockedApp, generation: &Path) -> Result<Url, LoadError> {
    let path = workdir::locked_app(generation);
    app.write(&path)?;
    Url::from_file_path(&path).map_err(|()| LoadError::NoUrl { path })
}

#[cfg(test)]
mod tests;
