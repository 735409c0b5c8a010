//! Direct mounts: folders of the application as they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use spin_app_model::document::quoted;
use spin_app_model::manifest::{ComponentFiles, FileMount, Position, Problem};
use spin_app_model::paths::{clean, stays_inside};

use super::Findings;
use crate::workdir;

/// One folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Where it is, absolute if the base is.
    pub(super) folder: PathBuf,
    /// Where the guest sees it: as it was written, if that is a path that guests find.
    pub(super) guest: String,
}

/// Lists the mounts that the entries of a component come to. Every entry must be a folder of the application: there is
/// no way to show a guest some files of a folder and not the others.
pub(super) fn plan(of: &ComponentFiles, base: &Path, findings: &mut Findings) -> Vec<Mount> {
    const HELP: &str = "leave --direct-mounts out to copy files";
    if let Some(first) = of.exclude.first() {
        let message = "with --direct-mounts nothing can be excluded from what a component sees";
        findings.problems.push(Problem::new(first.at, message).help(HELP));
    }
    let mut mounts = Vec::new();
    let mut taken: BTreeMap<PathBuf, Position> = BTreeMap::new();
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
        } else if !folder.is_dir() {
            "is not a folder"
        } else if workdir::made_by_spin(&folder) {
            "is part of a working directory of spin"
        } else {
            let (at, written) = destination(guest);
            match taken.get(&at) {
                Some(Position { line, column }) => {
                    let message = format!(
                        "{} would be seen at \"/{}\", as is what line {line}, column {column} names",
                        quoted(source),
                        at.display()
                    );
                    let help = "give one of them another destination, or leave --direct-mounts out to have both";
                    findings.problems.push(Problem::new(entry.at, message).help(help));
                }
                None => {
                    taken.insert(at, entry.at);
                    mounts.push(Mount { folder, guest: written });
                }
            }
            continue;
        };
        let message =
            format!("{} {problem}; with --direct-mounts every entry of `files` must be a folder", quoted(source));
        findings.problems.push(Problem::new(entry.at, message).help(HELP));
    }
    mounts
}

/// Where below its root a guest sees a folder, and how that is written into the lock.
///
/// The libraries of guests compare paths by text, so that a folder at `a/../b` would never be found: such a text is
/// replaced by what it means. That none leads out of the root is checked where manifests are read.
fn destination(text: &str) -> (PathBuf, String) {
    let below = text.trim_start_matches('/');
    let at = clean(Path::new(below));
    let is_plain = !below.is_empty() && at.as_os_str() == below;
    let written = if is_plain { text.to_owned() } else { format!("/{}", at.display()) };
    (at, written)
}
