//! The folder that an archive is unpacked into: checks names, creates, and makes everything last.
//!
//! Every file is created anew (`O_EXCL`) in a folder that this module has created itself, so nothing that an
//! archive says can make it write through a link.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{UnpackError, shown};

/// Bytes of a whole name, and folders in it.
const MAX_PATH: usize = 1024;
const MAX_DEPTH: usize = 32;
const MAX_PART: usize = 200;

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    File(u64),
    Directory,
    /// A directory that no entry has named yet, only the path of something in it.
    Implied,
}

/// A folder that grows.
pub(super) struct Tree {
    root: PathBuf,
    /// By the lower-case path, the path as it is spelt and what it is.
    nodes: BTreeMap<String, (String, Node)>,
}

impl Tree {
    /// Makes the new folder `root`.
    pub(super) fn new(root: &Path) -> Result<Self, UnpackError> {
        make_dir(root)?;
        Ok(Self { root: root.to_owned(), nodes: BTreeMap::new() })
    }

    /// Adds a directory.
    pub(super) fn directory(&mut self, name: &[u8]) -> Result<(), UnpackError> {
        let trimmed = name.strip_suffix(b"/").unwrap_or(name);
        // The root itself: "./", as `tar -C folder .` writes it.
        if trimmed == b"." {
            return Ok(());
        }
        let refused = |problem| UnpackError::Path { name: shown(name), problem };
        let parts = split(trimmed).map_err(refused)?;
        self.parents(&parts).map_err(|error| error.named(name))?;
        self.add(&parts, Node::Directory).map_err(|error| error.named(name))
    }

    /// Adds a file of `size` bytes from `content`.
    pub(super) fn file(
        &mut self,
        name: &[u8],
        executable: bool,
        size: u64,
        content: &mut impl Read,
    ) -> Result<(), UnpackError> {
        let parts = split(name).map_err(|problem| UnpackError::Path { name: shown(name), problem })?;
        self.parents(&parts).map_err(|error| error.named(name))?;
        self.add(&parts, Node::File(size)).map_err(|error| error.named(name))?;
        let path = self.path(&parts);
        let failed = |error| UnpackError::Write(path.clone(), error);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        // Reading and writing are told apart, for they mean different things to the user.
        let mut buffer = vec![0; 128 << 10];
        let mut written = 0;
        loop {
            let count = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(UnpackError::Archive(error)),
            };
            io::Write::write_all(&mut file, &buffer[..count]).map_err(failed)?;
            written += count as u64;
        }
        if written != size {
            return Err(UnpackError::Archive(io::ErrorKind::UnexpectedEof.into()));
        }
        let mode = if executable { 0o755 } else { 0o644 };
        file.set_permissions(Permissions::from_mode(mode)).and_then(|()| file.sync_all()).map_err(failed)
    }

    /// The size of the file `name` in the root, if there is such a file.
    pub(super) fn file_size(&self, name: &str) -> Option<u64> {
        match self.nodes.get(&name.to_ascii_lowercase()) {
            Some((spelt, Node::File(size))) if spelt == name => Some(*size),
            _ => None,
        }
    }

    /// Makes all names last. The files themselves already are.
    pub(super) fn sync(&self) -> Result<(), UnpackError> {
        let directories = self.nodes.values().filter(|(_, node)| !matches!(node, Node::File(_)));
        let paths = directories.map(|(spelt, _)| self.root.join(spelt));
        for path in paths.chain([self.root.clone()]) {
            File::open(&path).and_then(|folder| folder.sync_all()).map_err(|error| UnpackError::Write(path, error))?;
        }
        Ok(())
    }

    fn parents(&mut self, parts: &[&str]) -> Result<(), Refused> {
        for end in 1..parts.len() {
            self.add(&parts[..end], Node::Implied)?;
        }
        Ok(())
    }

    /// Notes a path, and makes it if it is a directory that is not there yet.
    fn add(&mut self, parts: &[&str], node: Node) -> Result<(), Refused> {
        let spelt = parts.join("/");
        let folded = spelt.to_ascii_lowercase();
        if let Some((held, there)) = self.nodes.get_mut(&folded) {
            if *held != spelt {
                return Err(Refused::Path(PathProblem::CaseClash(held.clone())));
            }
            return match (*there, node) {
                (Node::Implied | Node::Directory, Node::Implied) => Ok(()),
                (Node::Implied, Node::Directory) => {
                    *there = Node::Directory;
                    Ok(())
                }
                (Node::File(_), Node::Implied) => Err(Refused::Path(PathProblem::BelowFile(spelt))),
                _ => Err(Refused::Path(PathProblem::Duplicate)),
            };
        }
        if !matches!(node, Node::File(_)) {
            make_dir(&self.path(parts)).map_err(Refused::Write)?;
        }
        self.nodes.insert(folded, (spelt, node));
        Ok(())
    }

    fn path(&self, parts: &[&str]) -> PathBuf {
        parts.iter().fold(self.root.clone(), |path, part| path.join(part))
    }
}

fn make_dir(path: &Path) -> Result<(), UnpackError> {
    fs::create_dir(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o755)))
        .map_err(|error| UnpackError::Write(path.to_owned(), error))
}

/// A refusal that does not know the entry's name yet.
enum Refused {
    Path(PathProblem),
    Write(UnpackError),
}

impl Refused {
    fn named(self, name: &[u8]) -> UnpackError {
        match self {
            Self::Path(problem) => UnpackError::Path { name: shown(name), problem },
            Self::Write(error) => error,
        }
    }
}

/// The parts of a name. One leading "./" is dropped.
fn split(name: &[u8]) -> Result<Vec<&str>, PathProblem> {
    let name = std::str::from_utf8(name).ok().filter(|name| name.is_ascii()).ok_or(PathProblem::Characters)?;
    if name.len() > MAX_PATH {
        return Err(PathProblem::TooLong);
    }
    if name.starts_with('/') {
        return Err(PathProblem::Absolute);
    }
    if name.bytes().any(|byte| byte.is_ascii_control() || matches!(byte, b'\\' | b':')) {
        return Err(PathProblem::Characters);
    }
    let parts: Vec<_> = name.strip_prefix("./").unwrap_or(name).split('/').collect();
    if parts.len() > MAX_DEPTH {
        return Err(PathProblem::TooLong);
    }
    for part in &parts {
        match *part {
            "" | "." => return Err(PathProblem::EmptyPart),
            ".." => return Err(PathProblem::Parent),
            part if part.len() > MAX_PART => return Err(PathProblem::TooLong),
            // Windows drops these, so two names would become one.
            part if part.ends_with(['.', ' ']) => return Err(PathProblem::Characters),
            _ => {}
        }
    }
    Ok(parts)
}

/// What is wrong with a name. Continues a sentence that starts with the name of the entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathProblem {
    /// Starts with `/`.
    #[error("is an absolute path")]
    Absolute,
    /// Has a part `..`.
    #[error("leaves the folder of the plugin with '..'")]
    Parent,
    /// Has an empty part or `.` in the middle.
    #[error("has an empty part or '.' in its path")]
    EmptyPart,
    /// A character that is not allowed.
    #[error("has a character that is not allowed in a path (printable ASCII without '\\' and ':' is)")]
    Characters,
    /// Too long or too deep.
    #[error("is too long or too deep a path")]
    TooLong,
    /// There are two of it.
    #[error("is in the archive twice")]
    Duplicate,
    /// Differs from another one in case only.
    #[error("differs from '{0}' in upper and lower case only")]
    CaseClash(String),
    /// Lies below something that is a file.
    #[error("lies below '{0}', which is a file")]
    BelowFile(String),
}

impl PathProblem {
    /// The stable code of this problem.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Absolute | Self::Parent => "archive::escaping-path",
            Self::EmptyPart | Self::Characters | Self::TooLong => "archive::bad-path",
            Self::Duplicate | Self::CaseClash(_) | Self::BelowFile(_) => "archive::duplicate-path",
        }
    }
}
