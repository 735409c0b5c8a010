//! Writing a file so that after a crash it is the old one or the new one: temp file, fsync, rename, fsync of the folder.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::StoreError;
use crate::step::{Step, reached};

/// Puts `bytes` at `folder`/`name`. The caller holds a lock that keeps other writers of that name out, so the temp
/// file has a fixed name: what a killed writer left is overwritten.
pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let temp = folder.join(format!(".{name}.new"));
    let target = folder.join(name);
    let put = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&temp)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        reached(Step::RecordWritten);
        fs::rename(&temp, &target)
    };
    if let Err(error) = put() {
        // Best effort: the next writer overwrites it.
        let _ = fs::remove_file(&temp);
        return Err(StoreError::io("write", &target, error));
    }
    sync_dir(folder)
}

/// Makes the names in `folder` last.
pub(crate) fn sync_dir(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| StoreError::io("sync", folder, error))
}
