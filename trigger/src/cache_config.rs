//! `--cache FILE`: Wasmtime's cache configuration, as far as it concerns our cache of compiled code.
//!
//! The public file says how Wasmtime's own cache works. Ours keeps whole components, uncompressed so that they can be
//! mapped, and never cleans up behind another process, so most of its keys mean nothing here. They are accepted: a file
//! that was written for one machine's Wasmtime shall do for spin too.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use spin_app_model::document::{self, Invalid, Report, Table};

use crate::error::Error;

const KEYS: &[&str] = &[
    "enabled",
    "directory",
    // Without effect.
    "worker-event-queue-size",
    "baseline-compression-level",
    "optimized-compression-level",
    "optimized-compression-usage-counter-threshold",
    "cleanup-interval",
    "optimizing-compression-task-timeout",
    "allowed-clock-drift-for-files-from-future",
    "file-count-soft-limit",
    "files-total-size-soft-limit",
    "file-count-limit-percent-if-deleting",
    "files-total-size-limit-percent-if-deleting",
];

/// The folder that the file at `path` chooses for compiled code; none if it turns the cache off.
///
/// # Errors
/// When the file can't be read, with everything that is wrong in it.
pub(crate) fn folder(path: &Path) -> Result<Option<PathBuf>, Error> {
    let bytes = std::fs::read(path)
        .map_err(|error| Error::new("trigger::cache-file", format!("--cache {}: {error}", path.display())))?;
    let folder = String::from_utf8(bytes)
        .map_err(|error| Invalid::not_utf8(path, &error))
        .and_then(|text| parse(&text, path))
        .map_err(|invalid| Error::new("trigger::cache-file", invalid))?;
    Ok(folder.map(made))
}

/// The folder by its real name: it must be known before mounts are compared with it, whatever links and `..` lead to it.
/// One that can't be made costs time at every start, and nothing else.
fn made(folder: PathBuf) -> PathBuf {
    // Only we may look in: whoever could write here could run code as us.
    let _ = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    folder.canonicalize().unwrap_or(folder)
}

fn parse(text: &str, path: &Path) -> Result<Option<PathBuf>, Invalid> {
    let report = Report::new(text);
    let folder = document::parse(text, &report).and_then(|fields| {
        let document = Table::document(&fields, &report, "the cache configuration");
        document.expect_only(&["cache"], &[]);
        match document.table("cache", || "[cache]".to_owned()) {
            Some(table) => read(&table, path),
            None => spin_component_runtime::app::cache_folder(),
        }
    });
    match report.into_error(path) {
        Some(invalid) => Err(invalid),
        None => Ok(folder),
    }
}

/// What the table `[cache]` chooses.
fn read(table: &Table<'_, '_>, path: &Path) -> Option<PathBuf> {
    table.expect_only(KEYS, &[]);
    let directory = table.text("directory");
    if let Some(empty) = directory.as_ref().filter(|directory| directory.value.is_empty()) {
        let help = "leave the key out for the usual folder".to_owned();
        table.report.add(empty.at, "`directory` in [cache] names no folder".to_owned(), Some(help));
    }
    let beside = path.parent().unwrap_or(Path::new(""));
    let folder = directory.map(|directory| beside.join(directory.value));
    match table.flag("enabled") {
        Some(false) => None,
        // A relative folder would be another one for whoever works elsewhere.
        _ => folder
            .map(|folder| std::path::absolute(&folder).unwrap_or(folder))
            .or_else(spin_component_runtime::app::cache_folder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Option<PathBuf>, String> {
        parse(text, Path::new("/etc/cache.toml")).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn the_folder_is_the_one_named_the_usual_one_or_none() {
        let usual = spin_component_runtime::app::cache_folder();
        let rows = [
            ("", usual.clone()),
            ("[cache]", usual.clone()),
            ("[cache]\nenabled = true\ncleanup-interval = '1d'\nbaseline-compression-level = 3", usual),
            ("[cache]\ndirectory = '/var/cache/x'", Some("/var/cache/x".into())),
            ("[cache]\ndirectory = 'x'", Some("/etc/x".into())),
            ("[cache]\nenabled = false\ndirectory = '/x'", None),
        ];
        for (text, folder) in rows {
            assert_eq!(parsed(text), Ok(folder), "{text}");
        }
    }

    #[test]
    fn everything_wrong_is_named_with_its_place() {
        let text = "[cache]\nenabled = 'yes'\ndirectori = '/x'\ndirectory = ''\n[other]\n";
        let expected = "\
/etc/cache.toml:2:11: `enabled` in [cache] must be true or false, not a text
/etc/cache.toml:3:1: unknown key `directori` in [cache]
  help: did you mean `directory`?
/etc/cache.toml:4:13: `directory` in [cache] names no folder
  help: leave the key out for the usual folder
/etc/cache.toml:5:2: unknown key `other` in the cache configuration
  help: known keys are cache";
        assert_eq!(parsed(text), Err(expected.to_owned()));
    }
}
