//! Folders and globs to the files below them: symbolic links are followed, folders themselves are nothing, names that
//! start with a dot are names like others.
//!
//! The meaning of a glob is that of the crate `glob`: `*`, `?` and `[…]` stay within one part of a path, `**` is any
//! number of folders. The walk is our own, because it must end where links lead in circles. A name need not be UTF-8:
//! to a glob, what is not is a character that only a wildcard matches.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};
use spin_app_model::paths::clean;

use crate::workdir;

const WITHIN_A_PART: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// How many entries of folders one walk looks at. Links to folders above multiply what is below them, so a handful of
/// them can stand for more files than any disk has. Tests have no time for so many.
const MOST_ENTRIES: usize = if cfg!(test) { 100_000 } else { 2_000_000 };

/// Why a walk did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExpandError {
    #[error("cannot look at \"{}\": {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("there are more than {MOST_ENTRIES} files and folders in it, links followed")]
    TooMany,
    #[error("it is part of a working directory of spin")]
    WorkingDirectory,
}

impl ExpandError {
    /// What can be done about it.
    pub(super) fn help(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "make it readable, or name only what is",
            Self::TooMany => "name the folders that are needed one by one, without links that lead to folders above",
            Self::WorkingDirectory => "name files of the application",
        }
    }
}

/// A glob.
#[derive(Debug)]
pub(super) struct Glob {
    /// The folder in front of the first part that is no plain name.
    start: PathBuf,
    pattern: Pattern,
    /// How many folders below `start` can matter; `None` is all.
    depth: Option<usize>,
}

impl Glob {
    /// Reads a glob that is relative to the directory of the manifest.
    pub(super) fn parse(text: &str) -> Result<Self, glob::PatternError> {
        let path = clean(Path::new(text));
        let is_plain = |part: &&std::ffi::OsStr| !part.to_string_lossy().contains(['*', '?', '[']);
        let start: PathBuf = path.iter().take_while(is_plain).collect();
        let rest = path.iter().skip(start.iter().count());
        let depth = if rest.clone().any(|part| part == "**") { None } else { Some(rest.count().saturating_sub(1)) };
        Ok(Self { start, pattern: Pattern::new(&path.to_string_lossy())?, depth })
    }

    /// Whether it is about folders only: `**` at the end stands for folders, and folders are nothing.
    pub(super) fn only_folders(&self) -> bool {
        self.pattern.as_str().rsplit('/').next() == Some("**")
    }

    /// Everything that matches and is no folder, relative to `base` and sorted.
    pub(super) fn files(&self, base: &Path) -> Result<Vec<PathBuf>, ExpandError> {
        if self.only_folders() || !base.join(&self.start).is_dir() {
            return Ok(Vec::new());
        }
        let mut files = walk(base, &self.start, self.depth)?;
        files.retain(|file| self.pattern.matches_with(&file.to_string_lossy(), WITHIN_A_PART));
        Ok(files)
    }
}

/// Everything below a folder that is no folder itself, relative to `base` as the folder is, and sorted.
pub(super) fn below(base: &Path, folder: &Path) -> Result<Vec<PathBuf>, ExpandError> {
    walk(base, folder, None)
}

/// Refuses what a `spin` keeps in its working directory, and with it the secrets in lock files.
pub(super) fn check(path: &Path) -> Result<(), ExpandError> {
    if workdir::made_by_spin(path) { Err(ExpandError::WorkingDirectory) } else { Ok(()) }
}

fn walk(base: &Path, start: &Path, depth: Option<usize>) -> Result<Vec<PathBuf>, ExpandError> {
    check(&base.join(start))?;
    let mut walk =
        Walk { base, left: MOST_ENTRIES, above: Vec::new(), made_by_spin: BTreeMap::new(), files: Vec::new() };
    walk.visit(start, depth)?;
    walk.files.sort();
    Ok(walk.files)
}

struct Walk<'a> {
    base: &'a Path,
    /// How many entries may still be looked at.
    left: usize,
    /// Every folder that we are in, by device and number: a link back to one of them is not followed.
    above: Vec<(u64, u64)>,
    /// What is known of who made a file or folder, by device and number: many links may lead to it.
    made_by_spin: BTreeMap<(u64, u64), bool>,
    files: Vec<PathBuf>,
}

impl Walk<'_> {
    fn visit(&mut self, folder: &Path, depth: Option<usize>) -> Result<(), ExpandError> {
        let path = self.base.join(folder);
        let failed = |source| ExpandError::Folder { path: path.clone(), source };
        let meta = fs::metadata(&path).map_err(failed)?;
        let identity = (meta.dev(), meta.ino());
        if self.above.contains(&identity) {
            return Ok(());
        }
        self.above.push(identity);
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            self.left = self.left.checked_sub(1).ok_or(ExpandError::TooMany)?;
            // A link that leads nowhere is not a file.
            let Ok(meta) = fs::metadata(entry.path()) else { continue };
            // What is named in person is refused; what is met by chance is none of the app's.
            let is_plain = entry.file_type().is_ok_and(|kind| kind.is_file()) && entry.file_name() != workdir::LOCK;
            let made_by_spin = || workdir::made_by_spin(&entry.path());
            if !is_plain && *self.made_by_spin.entry((meta.dev(), meta.ino())).or_insert_with(made_by_spin) {
                continue;
            }
            let relative = folder.join(entry.file_name());
            if !meta.is_dir() {
                self.files.push(relative);
            } else if depth != Some(0) {
                self.visit(&relative, depth.map(|depth| depth - 1))?;
            }
        }
        self.above.pop();
        Ok(())
    }
}

/// Globs of files that are left out.
#[derive(Debug, Default)]
pub(super) struct Excluded(Vec<Pattern>);

impl Excluded {
    /// Adds a glob. Unlike the globs of `files`, its `*` stands for slashes too.
    pub(super) fn add(&mut self, text: &str) -> Result<(), glob::PatternError> {
        self.0.push(Pattern::new(text.strip_prefix("./").unwrap_or(text))?);
        Ok(())
    }

    /// Whether a file is left out.
    pub(super) fn has(&self, file: &Path) -> bool {
        let file = file.to_string_lossy();
        self.0.iter().any(|pattern| pattern.matches(&file))
    }
}
