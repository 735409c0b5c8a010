//! Copies: which file goes where, and making them.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use spin_app_model::ComponentId;
use spin_app_model::document::quoted;
use spin_app_model::manifest::{ComponentFiles, FileMount, Position, Problem};
use spin_app_model::paths::{clean, stays_inside};

use super::expand::{Excluded, ExpandError, Glob, below, check};
use super::{FilesError, Findings};

/// One file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) from: PathBuf,
    /// Relative to the folder of the component.
    pub(super) to: PathBuf,
}

/// What goes where: the target, relative, to the source and the entry that says so.
type Targets = BTreeMap<PathBuf, (PathBuf, Position)>;

/// Lists the copies that the entries of a component come to. Where two name one target, the later entry counts.
pub(super) fn plan(of: &ComponentFiles, base: &Path, findings: &mut Findings) -> Vec<Copy> {
    let mut excluded = Excluded::default();
    for glob in &of.exclude {
        if let Err(error) = excluded.add(&glob.value) {
            findings.problems.push(Problem::new(glob.at, format!("{} is not a glob: {error}", quoted(&glob.value))));
        }
    }
    let mut targets = Targets::new();
    for entry in &of.files {
        let (source, found) = match &entry.value {
            FileMount::Pattern(text) => (text, pattern(text, base, &excluded, entry.at, findings)),
            FileMount::Placed { source, destination } => (source, placed(source, destination, base, &excluded)),
            // Kinds of entries that this version does not know come to nothing.
            _ => continue,
        };
        match found {
            Ok(found) => targets.extend(found.into_iter().map(|(to, from)| (to, (from, entry.at)))),
            Err(error) => {
                let message = format!("the files of {} can't be listed: {error}", quoted(source));
                findings.problems.push(Problem::new(entry.at, message).help(error.help()));
            }
        }
    }
    for (from, at) in targets.values() {
        if !from.is_file() {
            let message = format!("\"{}\" is neither a file nor a folder, and can't be copied", from.display());
            findings.problems.push(
                Problem::new(*at, message)
                    .help("don't name it, or leave it out of a folder or glob with `exclude_files`"),
            );
        }
    }
    for (to, (_, at)) in &targets {
        let file = to.ancestors().skip(1).find(|above| targets.contains_key(*above));
        if let Some(file) = file {
            let message = format!("the guest would see \"{}\" both as a file and as a folder", file.display());
            findings.problems.push(Problem::new(*at, message).help("give one of them another destination"));
        }
    }
    targets.into_iter().map(|(to, (from, _))| Copy { from, to }).collect()
}

/// Pairs of target and source.
type Found = Result<Vec<(PathBuf, PathBuf)>, ExpandError>;

fn pattern(text: &str, base: &Path, excluded: &Excluded, at: Position, findings: &mut Findings) -> Found {
    let path = clean(Path::new(text));
    let full = base.join(&path);
    if !stays_inside(&path) {
        let message = format!("{} is outside of the folder of the manifest", quoted(text));
        findings.problems.push(Problem::new(at, message));
        return Ok(Vec::new());
    }
    if full.exists() && !full.is_dir() {
        check(&full)?;
        // Named in person, so no glob takes it away.
        return Ok(vec![(path, full)]);
    }
    let files = if full.is_dir() {
        below(base, &path)?
    } else {
        match Glob::parse(text) {
            Ok(glob) => {
                let files = glob.files(base)?;
                if files.is_empty() && text.contains(['*', '?', '[']) {
                    findings.warnings.push(nothing_found(text, &glob, at));
                }
                files
            }
            Err(error) => {
                findings.problems.push(Problem::new(at, format!("{} is not a glob: {error}", quoted(text))));
                return Ok(Vec::new());
            }
        }
    };
    let files = files.into_iter().filter(|file| !excluded.has(file));
    Ok(files.map(|file| (file.clone(), base.join(file))).collect())
}

fn nothing_found(text: &str, glob: &Glob, at: Position) -> Problem {
    let warning = Problem::new(at, format!("no file matches {}", quoted(text)));
    if glob.only_folders() {
        warning.help(format!(
            "write {} for the files of all folders",
            quoted(&format!("{}/*", text.trim_end_matches('/')))
        ))
    } else {
        warning
    }
}

fn placed(source: &str, destination: &str, base: &Path, excluded: &Excluded) -> Found {
    let path = clean(Path::new(source));
    let target = clean(Path::new(destination.trim_start_matches('/')));
    let full = base.join(&path);
    if full.exists() && !full.is_dir() {
        check(&full)?;
        // A target without a name is a mistake that the manifest's own check reports.
        return Ok(if target.as_os_str().is_empty() { Vec::new() } else { vec![(target, full)] });
    }
    if !full.is_dir() {
        return Ok(Vec::new());
    }
    let files = below(base, &path)?.into_iter().filter(|file| !excluded.has(file));
    let moved = files.map(|file| {
        let name = file.strip_prefix(&path).unwrap_or(&file);
        (target.join(name), base.join(&file))
    });
    Ok(moved.collect())
}

/// Makes the copies in `folder`, which is empty afterwards but for them. Who asks it to end by dropping it waits for a
/// small part of one file at most.
pub(super) async fn carry_out(
    component: &ComponentId,
    copies: &[Copy],
    folder: &Path,
    copied: &mut dyn FnMut(),
) -> Result<(), FilesError> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(FilesError::Folder { path: folder.to_owned(), source });
        }
        _ => {}
    }
    make(folder)?;
    for Copy { from, to } in copies {
        let to = folder.join(to);
        make(to.parent().unwrap_or(folder))?;
        copy(from, &to).await.map_err(|source| FilesError::Copy {
            component: component.clone(),
            path: from.clone(),
            source,
        })?;
        copied();
    }
    Ok(())
}

fn make(folder: &Path) -> Result<(), FilesError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| FilesError::Folder { path: folder.to_owned(), source })
}

/// A copy is a file of its own, even of a file that may not be written: the guest may be allowed to change it.
async fn copy(from: &Path, to: &Path) -> io::Result<()> {
    /// How many bytes are copied at a time.
    const PART: u64 = 16 << 20;
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let source = File::open(from)?;
    loop {
        let copied = io::copy(&mut (&source).take(PART), &mut target)?;
        // This thread is the only one: without a pause nobody would hear of a signal.
        tokio::task::yield_now().await;
        if copied < PART {
            return Ok(());
        }
    }
}
