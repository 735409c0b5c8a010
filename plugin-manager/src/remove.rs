//! Taking releases out of the store: the record first, so that it never names what is gone, then the files.
//!
//! Killed in between, a folder is left that no record knows. [`sweep`] removes such folders, and every other trace of
//! work that was not finished; installing, uninstalling and collecting garbage all begin with it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::step::{Step, reached};
use crate::store::{Lock, Record, Store, StoreError, release_name};

/// Makes `record` the record of its plugin, and removes what only the old one knew.
pub(crate) fn replace(store: &Store, lock: &Lock, record: &Record) -> Result<(), StoreError> {
    store.write_record(lock, record)?;
    reached(Step::Forgotten);
    sweep(store, lock, record)
}

/// Removes what is in the folders of a plugin and not in its record.
pub(crate) fn sweep(store: &Store, _lock: &Lock, record: &Record) -> Result<(), StoreError> {
    for path in leftovers(store, record)? {
        let failed = |error| StoreError::io("remove", &path, error);
        let kind = fs::symlink_metadata(&path).map_err(failed)?;
        let removed = if kind.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(failed)?;
    }
    for folder in [store.plugin_dir(&record.name), store.started_dir(&record.name)] {
        // Only if it is empty, which is all the same to anyone else.
        _ = fs::remove_dir(folder);
    }
    Ok(())
}

/// What lies in the folders of a plugin and is not in its record.
pub(crate) fn leftovers(store: &Store, record: &Record) -> Result<Vec<PathBuf>, StoreError> {
    let known: BTreeSet<_> = record.releases.iter().map(|held| release_name(&held.version, &held.archive)).collect();
    let mut found = Vec::new();
    for folder in [store.plugin_dir(&record.name), store.started_dir(&record.name)] {
        let unknown =
            |path: &PathBuf| !path.file_name().and_then(|name| name.to_str()).is_some_and(|name| known.contains(name));
        found.extend(items(&folder)?.into_iter().filter(unknown));
    }
    Ok(found)
}

/// What lies in `folder`, sorted; nothing if there is no such folder.
fn items(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = |error| StoreError::io("list", folder, error);
    let mut found = Vec::new();
    let items = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        items => items.map_err(failed)?,
    };
    for item in items {
        found.push(item.map_err(failed)?.path());
    }
    found.sort_unstable();
    Ok(found)
}
