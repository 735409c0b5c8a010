//! From a source to a locked app, and the app's lock file.
//!
//! In steps, so that everything that is wrong is known before anything is done: [`open`] reads the manifest,
//! [`Opened::prepare`] compares it with the disk, [`Prepared::fetch`] gets the code that is elsewhere, and
//! [`Prepared::lock`] puts the files in their place and locks the app.

use std::path::{Path, PathBuf};

use spin_app_model::manifest::{Download, Draft, Located, LockOptions, Resolved, SourceRef};
use spin_app_model::{LockError, LockedApp, Manifest, ManifestError, TriggerType};
use url::Url;

use crate::download::{self, DownloadError};
use crate::files::{self, FilesError, Placing};
use crate::mistake::{Mistake, Mistakes};
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
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("cannot load \"{}\"", path.display())]
    Path { path: PathBuf, source: std::io::Error },
    #[error("{}", mistakes.listed(path))]
    Mistakes { path: PathBuf, mistakes: Mistakes },
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
            // What the manifest's own check finds and what is found here are one list to the reader.
            LoadError::Mistakes { .. } => report.code("manifest::invalid"),
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

    /// Compares the app with the disk, and tells of everything that is wrong with it at once. Writes nothing.
    pub(crate) fn prepare(self, wishes: &Wishes) -> Result<Prepared, LoadError> {
        let Self { draft: Draft { mut manifest, problems, omitted, .. }, options, local_dir } = self;
        if problems.is_empty() {
            wishes.selection.check(&manifest.components)?;
        }
        let mut mistakes = Mistakes::of_text(&problems, omitted);
        mistakes.extend(wishes.selection.apply(&mut manifest));
        let path = &manifest.path;
        mistakes.extend(manifest.missing_files(options.base_dir()).iter().map(Mistake::from));
        let needs = manifest.needs();
        let mut downloads = Vec::new();
        for source in &needs.sources {
            if let SourceRef::Download(download) = &source.value {
                downloads.push(Located { value: download.clone(), at: source.at });
                continue;
            }
            let message = format!("not supported by this version of spin: {}", source.value);
            mistakes
                .extend([Mistake::new(source.at, message).help("put the code beside the manifest and name its file")]);
        }
        let mut warnings: Vec<_> = manifest.warnings.iter().map(Mistake::from).collect();
        let mut files = Vec::new();
        for of in &needs.files {
            let (plan, findings) = files::plan(of, options.base_dir(), wishes.placing);
            files.push(plan);
            mistakes.extend(findings.mistakes);
            warnings.extend(findings.warnings);
        }
        if !mistakes.is_empty() {
            return Err(LoadError::Mistakes { path: path.clone(), mistakes });
        }
        if manifest.triggers.is_empty() {
            return Err(LoadError::NoTriggers { path: path.clone(), selection: wishes.selection.clone() });
        }
        let warnings = warnings.iter().map(|warning| warning.located(path)).collect();
        let selection = wishes.selection.clone();
        Ok(Prepared { manifest, options, files, downloads, selection, local_dir, warnings })
    }
}

impl Prepared {
    /// The types of the app's triggers, each once.
    pub(crate) fn trigger_types(&self) -> Vec<TriggerType> {
        trigger_types(&self.manifest)
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
    pub(crate) fn lock(
        self,
        mut resolved: Resolved,
        env: &[(String, String)],
        generation: &Path,
        ui: &Ui,
    ) -> Result<LockedApp, LoadError> {
        self.place_files(&workdir::assets(generation), &mut resolved, ui)?;
        let options = self.options.with_env(env.iter().cloned());
        let mut app = self.manifest.lock(&options, &resolved)?;
        self.selection.finish(&mut app);
        Ok(app)
    }

    fn place_files(&self, assets: &Path, resolved: &mut Resolved, ui: &Ui) -> Result<(), FilesError> {
        let all = self.files.iter().map(files::Plan::copies).sum::<usize>() as u64;
        let mut done = 0;
        let mut copied = || {
            done += 1;
            ui.show_steps("Copying files", done, all);
        };
        self.files.iter().try_for_each(|plan| plan.carry_out(assets, resolved, &mut copied))
    }
}

fn trigger_types(manifest: &Manifest) -> Vec<TriggerType> {
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
