//! Unpacking an archive by an allow-list: whatever is not known to be harmless is refused, and what we list is what
//! GNU tar and Python would list.
//!
//! The `tar` crate only cuts the stream into raw headers and contents; its own unpacking, its long names and its
//! extended headers are not used. Accepted are regular files and directories with plain ASCII names in `ustar` or
//! GNU headers. Files get mode 0755 or 0644 by the owner's execute bit, directories 0755; owners and times are not
//! taken over.

mod header;
mod tree;

use std::fs::{self, File, Permissions};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use crate::step::{Step, reached};
use header::{HeaderProblem, Kind};
use tree::{PathProblem, Tree};

/// What an archive may hold at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Entries, extended headers among them.
    pub(crate) entries: u64,
    /// Bytes of one file.
    pub(crate) file: u64,
    /// Bytes of everything, unpacked.
    pub(crate) total: u64,
    /// Unpacked bytes for one packed byte. The first [`RATIO_FREE`](Limits::RATIO_FREE) bytes are not counted.
    pub(crate) ratio: u64,
}

impl Limits {
    /// Small archives consist of padding mostly, which packs better than any limit would allow.
    const RATIO_FREE: u64 = 1 << 20;

    /// The limits of every installation.
    pub(crate) const DEFAULT: Self = Self { entries: 10_000, file: 512 << 20, total: 1 << 30, ratio: 200 };
}

/// Unpacks the gzipped tar file `archive` into the new folder `into` and makes it last. The regular file
/// `executable` must be in its root. On an error the caller removes what is there of `into`.
pub(crate) fn unpack(archive: &Path, into: &Path, executable: &str, limits: &Limits) -> Result<(), UnpackError> {
    let unreadable = |error| UnpackError::Read(archive.to_owned(), error);
    let file = File::open(archive).map_err(unreadable)?;
    let packed = file.metadata().map_err(unreadable)?.len();
    let by_ratio = packed.saturating_mul(limits.ratio).max(Limits::RATIO_FREE);
    let mut stream = Capped {
        inner: GzDecoder::new(BufReader::with_capacity(64 << 10, file)),
        left: limits.total.min(by_ratio),
        exceeded: false,
    };
    let mut tree = Tree::new(into)?;
    let outcome = unpack_entries(&mut stream, &mut tree, limits).and_then(|()| check_end(&mut stream));
    if stream.exceeded {
        // Whatever the parser made of the cut: this is the cause.
        return Err(match by_ratio < limits.total {
            true => UnpackError::Ratio { limit: limits.ratio },
            false => UnpackError::TooLarge { limit: limits.total },
        });
    }
    outcome?;
    let mut reader = stream.inner.into_inner();
    if !reader.fill_buf().map_err(UnpackError::Archive)?.is_empty() {
        return Err(UnpackError::TrailingBytes);
    }
    match tree.file_size(executable) {
        None => return Err(UnpackError::NoExecutable(executable.to_owned())),
        Some(0) => return Err(UnpackError::EmptyExecutable(executable.to_owned())),
        Some(_) => {}
    }
    let path = into.join(executable);
    fs::set_permissions(&path, Permissions::from_mode(0o755))
        .and_then(|()| File::open(&path)?.sync_all())
        .map_err(|error| UnpackError::Write(path, error))?;
    tree.sync()
}

fn unpack_entries(stream: &mut impl Read, tree: &mut Tree, limits: &Limits) -> Result<(), UnpackError> {
    let mut archive = tar::Archive::new(stream);
    // Raw: every header as it is, none interpreted.
    let entries = archive.entries().map_err(UnpackError::Archive)?.raw(true);
    let mut count = 0;
    let mut extended = false;
    for entry in entries {
        let mut entry = entry.map_err(UnpackError::Archive)?;
        count += 1;
        if count > limits.entries {
            return Err(UnpackError::TooManyEntries { limit: limits.entries });
        }
        let name = entry.header().path_bytes().into_owned();
        let refused = |problem| UnpackError::Header { name: shown(&name), problem };
        let header = header::read(entry.header()).map_err(refused)?;
        if extended && header.kind == Kind::Extended {
            return Err(refused(HeaderProblem::Stacked));
        }
        match header.kind {
            Kind::Extended => {
                if header.size > header::MAX_EXTENDED {
                    return Err(refused(HeaderProblem::ExtendedTooLarge));
                }
                let mut records = Vec::new();
                entry.read_to_end(&mut records).map_err(UnpackError::Archive)?;
                header::check_extended(&records).map_err(refused)?;
                extended = true;
                continue;
            }
            Kind::Directory => tree.directory(&name)?,
            Kind::File { executable } => {
                if header.size > limits.file {
                    return Err(UnpackError::FileTooLarge { name: shown(&name), limit: limits.file });
                }
                tree.file(&name, executable, header.size, &mut entry)?;
            }
        }
        extended = false;
        reached(Step::Unpacking);
    }
    match extended {
        true => Err(UnpackError::Header { name: "end of the archive".into(), problem: HeaderProblem::Stacked }),
        false => Ok(()),
    }
}

/// After the end mark only zeros may follow: a second archive there would be seen by some programs and not by others.
fn check_end(stream: &mut impl Read) -> Result<(), UnpackError> {
    let mut buffer = vec![0; 32 << 10];
    loop {
        match stream.read(&mut buffer).map_err(UnpackError::Archive)? {
            0 => return Ok(()),
            count if buffer[..count].iter().all(|byte| *byte == 0) => {}
            _ => return Err(UnpackError::TrailingBytes),
        }
    }
}

/// A reader that fails once more than `left` bytes were read.
struct Capped<R> {
    inner: R,
    left: u64,
    exceeded: bool,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => {
                self.exceeded = true;
                return Err(io::Error::other("the archive unpacks to more than is allowed"));
            }
        }
        Ok(count)
    }
}

/// A name from an archive, fit for a message.
fn shown(name: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(name).escape_debug().take(120).collect();
    format!("'{text}'")
}

/// An archive that is not unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The archive cannot be opened.
    #[error("could not read {}: {}", .0.display(), .1)]
    Read(PathBuf, #[source] io::Error),
    /// It is no gzipped tar file, or is damaged.
    #[error("it is not a complete .tar.gz file: {0}")]
    Archive(#[source] io::Error),
    /// Something follows the archive.
    #[error("bytes follow the end of the archive")]
    TrailingBytes,
    /// A header says something that is not allowed.
    #[error("{name} {problem}")]
    Header {
        /// The entry.
        name: String,
        /// What is wrong with it.
        problem: HeaderProblem,
    },
    /// A name that is not allowed.
    #[error("{name} {problem}")]
    Path {
        /// The entry.
        name: String,
        /// What is wrong with it.
        problem: PathProblem,
    },
    /// Too many entries.
    #[error("it has more than {limit} entries")]
    TooManyEntries {
        /// The number that is allowed.
        limit: u64,
    },
    /// One file is too large.
    #[error("{name} is larger than {limit} bytes")]
    FileTooLarge {
        /// The entry.
        name: String,
        /// The bytes that are allowed.
        limit: u64,
    },
    /// All together is too large.
    #[error("it unpacks to more than {limit} bytes")]
    TooLarge {
        /// The bytes that are allowed.
        limit: u64,
    },
    /// It unpacks to so much more than it is that it can only be meant to fill the disk.
    #[error("it unpacks to more than {limit} times its size")]
    Ratio {
        /// The ratio that is allowed.
        limit: u64,
    },
    /// There is nothing to start in it.
    #[error("it has no file '{0}' in its root, which should be the plugin's executable")]
    NoExecutable(String),
    /// What should be started is empty.
    #[error("its executable '{0}' is empty")]
    EmptyExecutable(String),
    /// Writing failed.
    #[error("could not write {}: {}; check that the folder is yours and that the disk is not full", .0.display(), .1)]
    Write(PathBuf, #[source] io::Error),
}

impl UnpackError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read(..) | Self::Write(..) => "store::io",
            Self::Archive(_) => "archive::damaged",
            Self::TrailingBytes => "archive::trailing-bytes",
            Self::Header { problem, .. } => problem.code(),
            Self::Path { problem, .. } => problem.code(),
            Self::TooManyEntries { .. } => "archive::too-many-entries",
            Self::FileTooLarge { .. } | Self::TooLarge { .. } => "archive::too-large",
            Self::Ratio { .. } => "archive::ratio",
            Self::NoExecutable(_) | Self::EmptyExecutable(_) => "archive::no-executable",
        }
    }
}

pub use self::header::HeaderProblem as ArchiveHeaderProblem;
pub use self::tree::PathProblem as ArchivePathProblem;

#[cfg(test)]
mod tests;
