//! One digest for all files of a release beside its executable, so that a changed, added or missing asset is found.
//!
//! What counts is which files there are, which of them may be executed, and what is in them. Folders count by what is
//! in them.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use spin_catalogue::Sha256;

use crate::hash::{Hashing, of_reader};

/// The digest of everything in `folder` but its executable, which has a digest of its own.
pub(crate) fn digest(folder: &Path, executable: &str) -> io::Result<Sha256> {
    let mut hashing = Hashing::default();
    add(folder, "", executable, &mut hashing)?;
    Ok(hashing.finish())
}

/// Adds what lies in the folder `path` below `root`, in an order that depends on the names alone.
fn add(root: &Path, path: &str, executable: &str, hashing: &mut Hashing) -> io::Result<()> {
    let mut names = Vec::new();
    for item in fs::read_dir(root.join(path))? {
        names.push(item?.file_name());
    }
    names.sort_unstable();
    for name in names {
        // We unpack names of plain ASCII only, so what is something else was added later; that it is there suffices.
        let name = name.to_string_lossy();
        let below = if path.is_empty() { name.into_owned() } else { format!("{path}/{name}") };
        let full = root.join(&below);
        let metadata = fs::symlink_metadata(&full)?;
        if metadata.is_dir() {
            add(root, &below, executable, hashing)?;
        } else if below != executable {
            // Anything but a file is nothing we would have unpacked, and is not read: it may be a pipe.
            let line = match metadata.is_file() {
                true => {
                    let mode = if metadata.permissions().mode() & 0o100 == 0 { "file" } else { "executable" };
                    format!("{mode} {} {below}\0", of_reader(File::open(&full)?)?.0)
                }
                false => format!("{:o} {below}\0", metadata.mode()),
            };
            hashing.update(line.as_bytes());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Does something.
    type Act<'a> = &'a dyn Fn();

    #[test]
    fn every_change_beside_the_executable_changes_the_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("share/deep")).unwrap();
        fs::write(path("demo"), "one").unwrap();
        fs::write(path("share/a"), "a").unwrap();
        fs::write(path("share/deep/b"), "b").unwrap();
        let now = || digest(folder.path(), "demo").unwrap();
        let before = now();
        fs::write(path("demo"), "two").unwrap();
        assert_eq!(now(), before, "the executable is not among them");
        let changes: [(Act<'_>, Act<'_>); 5] = [
            (&|| fs::write(path("share/a"), "A").unwrap(), &|| fs::write(path("share/a"), "a").unwrap()),
            (&|| fs::write(path("more"), "").unwrap(), &|| fs::remove_file(path("more")).unwrap()),
            (&|| fs::rename(path("share/deep/b"), path("b")).unwrap(), &|| {
                fs::rename(path("b"), path("share/deep/b")).unwrap();
            }),
            (&|| fs::set_permissions(path("share/a"), PermissionsExt::from_mode(0o755)).unwrap(), &|| {
                fs::set_permissions(path("share/a"), PermissionsExt::from_mode(0o644)).unwrap();
            }),
            (&|| std::os::unix::fs::symlink("/etc/passwd", path("link")).unwrap(), &|| {
                fs::remove_file(path("link")).unwrap();
            }),
        ];
        for (number, (change, undo)) in changes.iter().enumerate() {
            change();
            assert_ne!(now(), before, "change {number}");
            undo();
            assert_eq!(now(), before, "change {number} undone");
        }
    }
}
