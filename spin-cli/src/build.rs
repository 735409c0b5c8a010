//! Building an app: the build commands of its components, one after the other.
//!
//! Files on disk: `<app>/.spin/last-build.txt`, the profile of the last build. It is only written for apps that have
//! been built with a profile at least once: all others have nothing to mix up.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use spin_app_model::document::quoted;
use spin_app_model::manifest::{Build, Draft};
use spin_app_model::{ComponentId, Manifest, ManifestError};

use crate::report::Report;
use crate::selection::{Selection, UnknownComponents};
use crate::supervise::signal::{Stop, StopSignals};
use crate::ui::Ui;
use command::Ended;

mod command;
mod order;

/// What stands for no profile in the file.
const ANONYMOUS: &str = "<anonymous>";

/// Why an app was not built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    UnknownComponents(#[from] UnknownComponents),
    #[error("the build command of component `{component}` failed with {}", told(*status))]
    Failed { component: ComponentId, command: String, status: ExitStatus },
    #[error("the build was stopped by a signal while component `{component}` was built")]
    Stopped { component: ComponentId, stop: Stop },
    #[error("cannot run the build command of component `{component}` in \"{}\"", workdir.display())]
    Start { component: ComponentId, workdir: PathBuf, source: io::Error },
    #[error("cannot listen to signals")]
    Signals(#[source] io::Error),
    #[error("cannot note in \"{}\" which profile was built", path.display())]
    Mark { path: PathBuf, source: io::Error },
}

impl From<BuildError> for Report {
    fn from(error: BuildError) -> Self {
        let report = Self::of(&error);
        match error {
            BuildError::Manifest(error) => report.code(error.code()),
            BuildError::UnknownComponents(error) => error.into(),
            BuildError::Failed { command, .. } => {
                report.code("build::failed").help(format!("what it has to say is above; the command is `{command}`"))
            }
            BuildError::Stopped { stop, .. } => report.code("build::stopped").exit(stop.exit()),
            BuildError::Start { .. } => report.code("build::start").help("check `workdir` in the build table"),
            BuildError::Signals(_) => report.code("environment::signals"),
            BuildError::Mark { .. } => report.code("build::mark"),
        }
    }
}

/// Builds the selected components in the directory of the manifest. A manifest that has problems is no obstacle as long as
/// none concerns building: its author may need to build in order to see what the problem is.
pub(crate) async fn build(draft: &Draft, app_dir: &Path, only: &Selection, ui: &Ui) -> Result<(), BuildError> {
    let components = draft.to_build()?;
    only.check(components.iter().copied())?;
    let components =
        order::in_order(components, app_dir).into_iter().filter(|component| only.has(component.id.value.as_str()));
    let builds = components.filter_map(|component| Some((component, component.build.as_ref()?)));
    let builds: Vec<_> = builds.collect();
    if builds.is_empty() {
        let whose = if *only == Selection::All { "the components" } else { "the chosen components" };
        ui.remark(&format!("None of {whose} has a build command: there is nothing to build"));
        return Ok(());
    }
    // One listener for all: a signal between two commands must not be lost.
    let mut signals = StopSignals::listen().map_err(BuildError::Signals)?;
    for (component, build) in builds {
        run(&component.id.value, build, app_dir, &mut signals, ui).await?;
    }
    mark(&draft.manifest, app_dir)?;
    ui.remark("Finished building all Spin components");
    Ok(())
}

/// Says that what is about to run was built with another profile, if it was.
pub(crate) fn other_profile(manifest: &Manifest, app_dir: &Path) -> Option<String> {
    // Anybody may have written into the folder; a pipe there would never be opened.
    const LONGEST: u64 = 1024;
    let mut built = String::new();
    let mark = mark_of(app_dir);
    fs::metadata(&mark).ok().filter(fs::Metadata::is_file)?;
    fs::File::open(mark).ok()?.take(LONGEST).read_to_string(&mut built).ok()?;
    let built = built.trim();
    let wanted = manifest.profile.as_deref().unwrap_or(ANONYMOUS);
    let name = |profile: &str| match profile {
        ANONYMOUS => "without a profile".to_owned(),
        name => format!("with the profile {}", quoted(name)),
    };
    (built != wanted).then(|| {
        format!("the last build was {}, and this run is {}; build again with --build", name(built), name(wanted))
    })
}

async fn run(
    id: &ComponentId,
    build: &Build,
    app_dir: &Path,
    signals: &mut StopSignals,
    ui: &Ui,
) -> Result<(), BuildError> {
    let commands = build.command.commands();
    match commands {
        [command] => ui.remark(&format!("Building component {id} with `{command}`")),
        several => ui.remark(&format!("Building component {id} ({} commands)", several.len())),
    }
    let workdir = match &build.workdir {
        Some(workdir) => {
            let workdir = app_dir.join(workdir);
            ui.remark(&format!("Working directory: \"{}\"", workdir.display()));
            workdir
        }
        None => app_dir.to_owned(),
    };
    for (index, command) in commands.iter().enumerate() {
        if commands.len() > 1 {
            let (step, of) = (index + 1, commands.len());
            ui.remark(&format!("Running build step {step}/{of} for component {id} with '{command}'"));
        }
        let failed = |source| BuildError::Start { component: id.clone(), workdir: workdir.clone(), source };
        match command::run(command, &workdir, signals).await.map_err(failed)? {
            Ended::ByItself(status) if status.success() => {}
            Ended::ByItself(status) => {
                return Err(BuildError::Failed { component: id.clone(), command: command.clone(), status });
            }
            Ended::Stopped(stop) => return Err(BuildError::Stopped { component: id.clone(), stop }),
        }
    }
    Ok(())
}

fn mark(manifest: &Manifest, app_dir: &Path) -> Result<(), BuildError> {
    let path = mark_of(app_dir);
    if manifest.profile.is_none() && !path.exists() {
        return Ok(());
    }
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(app_dir))?;
        fs::write(&path, manifest.profile.as_deref().unwrap_or(ANONYMOUS))
    };
    write().map_err(|source| BuildError::Mark { path: path.clone(), source })
}

fn mark_of(app_dir: &Path) -> PathBuf {
    app_dir.join(".spin/last-build.txt")
}

fn told(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    }
}

#[cfg(test)]
mod tests;
