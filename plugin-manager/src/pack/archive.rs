//! The gzipped tar file of a package: no time, no owner, nothing of the machine it was made on; nothing in it that our
//! own reader would refuse.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use spin_catalogue::RelativePath;

use super::{AssetProblem, PackError, PackRequest};
use crate::unpack::Limits;

/// A file that is packed.
struct Entry {
    path: String,
    mode: u32,
    content: Vec<u8>,
}

/// The archive of a package: the executable, then the files beside it by name.
pub(super) fn archive(request: &PackRequest<'_>) -> Result<Vec<u8>, PackError> {
    let mut entries = vec![executable(request)?];
    if let Some(folder) = request.assets {
        let mut assets = Assets { entries: &mut entries, names: BTreeSet::new(), bytes: 0 };
        assets.add_executable();
        assets.add_folder(folder, "")?;
    }
    let gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut tar = tar::Builder::new(gzip);
    for Entry { path, mode, content } in &entries {
        let too_long = |_| PackError::Asset { path: PathBuf::from(path), problem: AssetProblem::TooLong };
        append(&mut tar, path, *mode, content).map_err(too_long)?;
    }
    let packed = tar.into_inner().and_then(GzEncoder::finish);
    Ok(packed.expect("writing to memory does not fail"))
}

/// Appends a file. Memory takes everything, so this can only fail for a path that is too long.
fn append(tar: &mut tar::Builder<impl Write>, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(path)?;
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    header.set_cksum();
    tar.append(&header, content)
}

fn executable(request: &PackRequest<'_>) -> Result<Entry, PackError> {
    let path = request.executable;
    let unreadable = |source| PackError::Executable { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() == 0 || metadata.len() > Limits::DEFAULT.file {
        return Err(PackError::NotAnExecutable { path: path.to_owned(), limit: Limits::DEFAULT.file });
    }
    let mut content = Vec::new();
    File::open(path).and_then(|mut file| file.read_to_end(&mut content)).map_err(unreadable)?;
    Ok(Entry { path: request.platform.executable_name(&request.name), mode: 0o755, content })
}

/// The files of a package, growing.
struct Assets<'a> {
    entries: &'a mut Vec<Entry>,
    /// In lower case: on some systems two names that differ in case only are one.
    names: BTreeSet<String>,
    bytes: u64,
}

impl Assets<'_> {
    fn add_executable(&mut self) {
        self.names.extend(self.entries.iter().map(|entry| entry.path.to_lowercase()));
        self.bytes = self.entries.iter().map(|entry| entry.content.len() as u64).sum();
    }

    /// Adds the content of `folder`, which is `below` the root of the archive.
    fn add_folder(&mut self, folder: &Path, below: &str) -> Result<(), PackError> {
        let refused = |path: &Path, problem| PackError::Asset { path: path.to_owned(), problem };
        let unreadable = |error| refused(folder, AssetProblem::Read(error));
        let items = fs::read_dir(folder).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        let mut paths: Vec<_> = items.iter().map(fs::DirEntry::path).collect();
        paths.sort_unstable();
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let inside = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            inside.parse::<RelativePath>().map_err(|_| refused(&path, AssetProblem::Name))?;
            let metadata = fs::symlink_metadata(&path).map_err(|error| refused(&path, error.into()))?;
            if !metadata.is_file() && !metadata.is_dir() {
                return Err(refused(&path, AssetProblem::Kind));
            }
            if !self.names.insert(inside.to_lowercase()) {
                return Err(refused(&path, AssetProblem::Twice));
            }
            if metadata.is_dir() {
                self.add_folder(&path, &inside)?;
                continue;
            }
            self.bytes += metadata.len();
            let limits = Limits::DEFAULT;
            if metadata.len() > limits.file || self.bytes > limits.total || self.names.len() as u64 > limits.entries {
                return Err(refused(&path, AssetProblem::TooMuch));
            }
            let content = fs::read(&path).map_err(|error| refused(&path, error.into()))?;
            let mode = if metadata.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
            self.entries.push(Entry { path: inside, mode, content });
        }
        Ok(())
    }
}
