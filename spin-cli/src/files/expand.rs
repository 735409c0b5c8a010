//! Folders and globs to the files below them: symbolic links are followed, folders themselves are nothing, names that
//! start with a dot are names like others.
//!
//! The meaning of a glob is that of the crate `glob`: `*`, `?` and `[…]` stay within one part of a path, `**` is any
//! number of folders. The walk is our own, because it must end where links lead in circles.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::clean;

const WITHIN_A_PART: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// A folder that could not be looked at.
#[derive(Debug, thiserror::Error)]
#[error("cannot look at \"{}\": {source}", path.display())]
pub(super) struct ExpandError {
    path: PathBuf,
    source: io::Error,
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

    /// The files that match, relative to `base` and sorted.
    pub(super) fn files(&self, base: &Path) -> Result<Vec<PathBuf>, ExpandError> {
        if self.only_folders() || !base.join(&self.start).is_dir() {
            return Ok(Vec::new());
        }
        let mut files = walk(base, &self.start, self.depth)?;
        files.retain(|file| self.pattern.matches_path_with(file, WITHIN_A_PART));
        Ok(files)
    }
}

/// All files below a folder, relative to `base` as the folder itself is, and sorted.
pub(super) fn below(base: &Path, folder: &Path) -> Result<Vec<PathBuf>, ExpandError> {
    walk(base, folder, None)
}

fn walk(base: &Path, start: &Path, depth: Option<usize>) -> Result<Vec<PathBuf>, ExpandError> {
    let mut files = Vec::new();
    let mut above = Vec::new();
    visit(base, start, depth, &mut above, &mut files)?;
    files.sort();
    Ok(files)
}

/// `above` is every folder that we are in, by device and number: a link back to one of them is not followed.
fn visit(
    base: &Path,
    folder: &Path,
    depth: Option<usize>,
    above: &mut Vec<(u64, u64)>,
    files: &mut Vec<PathBuf>,
) -> Result<(), ExpandError> {
    let path = base.join(folder);
    let failed = |source| ExpandError { path: path.clone(), source };
    let meta = fs::metadata(&path).map_err(failed)?;
    let identity = (meta.dev(), meta.ino());
    if above.contains(&identity) {
        return Ok(());
    }
    above.push(identity);
    for entry in fs::read_dir(&path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let relative = folder.join(entry.file_name());
        // A link that leads nowhere is not a file.
        let Ok(meta) = fs::metadata(entry.path()) else { continue };
        if meta.is_file() {
            files.push(relative);
        } else if meta.is_dir() && depth != Some(0) {
            visit(base, &relative, depth.map(|depth| depth - 1), above, files)?;
        }
    }
    above.pop();
    Ok(())
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
        self.0.iter().any(|pattern| pattern.matches_path(file))
    }
}
