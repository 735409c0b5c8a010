//! The files that components see: what `files` and `exclude_files` of a manifest come to on this machine.
//!
//! | module | what |
//! |---|---|
//! | [`expand`] | folders and globs to the files below them |
//! | [`copy`] | the usual way: copies below the working directory, one folder for each component |
//! | [`direct`] | the other way: folders of the application themselves |
//!
//! Planning looks at the disk and writes nothing, so that a manifest can be checked; a plan is carried out afterwards.
//! All paths are relative to the directory of the manifest.
//!
//! Files on disk: `<working directory>/gen-1/assets/<component>/…`.

use std::io;
use std::path::{Path, PathBuf};

use spin_app_model::ComponentId;
use spin_app_model::manifest::{ComponentFiles, Problem, Resolved};

use crate::report::Report;

mod copy;
mod direct;
mod expand;

/// How guests come to see files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Placing {
    /// They see copies.
    #[default]
    Copies,
    /// They see the folders of the application themselves.
    DirectMounts,
}

/// What is to be done for the files of one component.
#[derive(Debug)]
pub(crate) struct Plan {
    component: ComponentId,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Copy(Vec<copy::Copy>),
    Mount(Vec<direct::Mount>),
}

/// What planning has to say about the manifest.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
}

/// Why a plan could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    #[error("cannot copy \"{}\" for component `{component}`", path.display())]
    Copy { component: ComponentId, path: PathBuf, source: io::Error },
    #[error("cannot make the folder \"{}\" for the files of a component", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("component `{component}` would see the working directory, and the secrets in it, in \"{}\"", path.display())]
    WorkingDirectory { component: ComponentId, path: PathBuf },
}

impl From<FilesError> for Report {
    fn from(error: FilesError) -> Self {
        let report = Self::of(&error);
        match error {
            FilesError::Copy { .. } => report
                .code("files::copy")
                .help("it must be readable, and the disk of the working directory must have room for it"),
            FilesError::Folder { .. } => {
                report.code("files::folder").help("name another working directory with --temp")
            }
            FilesError::WorkingDirectory { .. } => report
                .code("files::working-directory")
                .help("name a working directory outside of it with --temp, or leave --direct-mounts out"),
        }
    }
}

/// Finds out what is to be done for the files of a component of the application in `base`.
///
/// What is not there at all is no finding: the manifest's own check of its sources says that.
pub(crate) fn plan(of: &ComponentFiles, base: &Path, placing: Placing) -> (Plan, Findings) {
    let mut findings = Findings::default();
    let work = match placing {
        Placing::Copies => Work::Copy(copy::plan(of, base, &mut findings)),
        Placing::DirectMounts => Work::Mount(direct::plan(of, base, &mut findings)),
    };
    (Plan { component: of.component.clone(), work }, findings)
}

impl Plan {
    /// How many files are to be copied.
    pub(crate) fn copies(&self) -> usize {
        match &self.work {
            Work::Copy(copies) => copies.len(),
            Work::Mount(_) => 0,
        }
    }

    /// Puts the files where the plan wants them, below the folder `assets` if they are copied, and notes where that is.
    /// `copied` is told of every file.
    pub(crate) async fn carry_out(
        &self,
        assets: &Path,
        resolved: &mut Resolved,
        copied: &mut dyn FnMut(),
    ) -> Result<(), FilesError> {
        match &self.work {
            Work::Copy(copies) => {
                let folder = assets.join(self.component.as_str());
                copy::carry_out(&self.component, copies, &folder, copied).await?;
                resolved.mount(self.component.clone(), folder, "/");
            }
            Work::Mount(mounts) => {
                for mount in mounts {
                    let (component, path) = (self.component.clone(), &mount.folder);
                    if path.canonicalize().is_ok_and(|folder| assets.starts_with(folder)) {
                        return Err(FilesError::WorkingDirectory { component, path: path.clone() });
                    }
                    resolved.mount(self.component.clone(), &mount.folder, &mount.guest);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
