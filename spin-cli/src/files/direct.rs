//! Direct mounts: folders of the application as they are.

use std::path::{Path, PathBuf};

use spin_app_model::manifest::{ComponentFiles, FileMount};

use super::{Findings, clean, stays_inside};
use crate::mistake::Mistake;

/// One folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Where it is, absolute if the base is.
    pub(super) folder: PathBuf,
    /// Where the guest sees it, as it was written.
    pub(super) guest: String,
}

/// Lists the mounts that the entries of a component come to. Every entry must be a folder of the application: there is
/// no way to show a guest some files of a folder and not the others.
pub(super) fn plan(of: &ComponentFiles, base: &Path, findings: &mut Findings) -> Vec<Mount> {
    const HELP: &str = "leave --direct-mounts out to copy files";
    if let Some(first) = of.exclude.first() {
        let message = "with --direct-mounts nothing can be excluded from what a component sees";
        findings.mistakes.push(Mistake::new(first.at, message).help(HELP));
    }
    let mut mounts = Vec::new();
    for entry in &of.files {
        let (source, guest) = match &entry.value {
            FileMount::Pattern(text) => (text, text),
            FileMount::Placed { source, destination } => (source, destination),
            _ => continue,
        };
        let path = clean(Path::new(source));
        let folder = base.join(&path);
        let problem = if !stays_inside(&path) {
            "is outside of the folder of the manifest"
        } else if folder.is_dir() {
            mounts.push(Mount { folder, guest: guest.clone() });
            continue;
        } else {
            "is not a folder"
        };
        let message = format!("`{source}` {problem}; with --direct-mounts every entry of `files` must be a folder");
        findings.mistakes.push(Mistake::new(entry.at, message).help(HELP));
    }
    mounts
}
