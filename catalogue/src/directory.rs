//! [`Directory`]: a catalogue that lies in a folder, with an index or (as the public repository) without one.
//!
//! Without an index only the folder of the plugin in question is read, so a catalogue of 50 000 manifests costs
//! nothing more. Symbolic links below the root are not followed: a cloned repository must not make us read files
//! that are not its own.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::index::IndexError;
use crate::{Index, PluginManifest, PluginName, RelativePath, Release, entry, index, layout};

/// The most manifests of one plugin that a scan reads.
const MAX_RELEASES: usize = 10_000;

/// A catalogue in a folder.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
    index: Option<Index>,
}

/// What a catalogue says about one plugin.
#[derive(Debug, Default)]
pub struct Listing {
    /// The releases.
    pub releases: Vec<Release>,
    /// Manifests that were passed over because they cannot be used. Always empty if there is an index.
    pub skipped: Vec<DirectoryError>,
}

impl Directory {
    /// Opens the catalogue in `root` and reads its index, if it has one.
    pub fn open(root: &Path) -> Result<Self, DirectoryError> {
        match Self::index_bytes(root)? {
            Some(json) => Self::with_index(root, &json),
            None => Ok(Self::without_index(root)),
        }
    }

    /// The bytes of the index of the catalogue in `root`, for somebody who looks at them before they are believed;
    /// `None` if it has no index.
    pub fn index_bytes(root: &Path) -> Result<Option<Vec<u8>>, DirectoryError> {
        let metadata = fs::metadata(root).map_err(|error| DirectoryError::Read(root.to_owned(), error))?;
        if !metadata.is_dir() {
            return Err(DirectoryError::Read(root.to_owned(), io::ErrorKind::NotADirectory.into()));
        }
        Self::read_if_any(root, &layout::index(), index::MAX_BYTES)
    }

    /// The bytes of a file of the catalogue in `root`, `limit` at most; `None` if there is no such file.
    pub fn read_if_any(root: &Path, path: &RelativePath, limit: u64) -> Result<Option<Vec<u8>>, DirectoryError> {
        match read_below(root, path, limit) {
            Err(DirectoryError::Read(_, error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// The catalogue in `root`, whose index is this.
    pub fn with_index(root: &Path, json: &[u8]) -> Result<Self, DirectoryError> {
        let index =
            Index::parse(json).map_err(|error| DirectoryError::Index(layout::index().below(root), Box::new(error)))?;
        Ok(Self { root: root.to_owned(), index: Some(index) })
    }

    /// The catalogue in `root`, which has no index.
    pub fn without_index(root: &Path) -> Self {
        Self { root: root.to_owned(), index: None }
    }

    /// The folder of the catalogue.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The index, if the catalogue has one.
    pub fn index(&self) -> Option<&Index> {
        self.index.as_ref()
    }

    /// What the catalogue says about `name`; an empty listing if it does not know it.
    pub fn releases(&self, name: &PluginName) -> Result<Listing, DirectoryError> {
        match &self.index {
            Some(index) => Ok(Listing { releases: index.releases(name).to_vec(), skipped: Vec::new() }),
            None => self.scan(name),
        }
    }

    /// Every name that the catalogue knows, sorted.
    pub fn names(&self) -> Result<Vec<PluginName>, DirectoryError> {
        let mut names: Vec<PluginName> = match &self.index {
            Some(index) => index.plugins.keys().cloned().collect(),
            None => {
                let folder = self.root.join(layout::MANIFESTS);
                file_names(&folder)?.iter().filter_map(|name| name.parse().ok()).collect()
            }
        };
        names.sort_unstable();
        Ok(names)
    }

    /// The bytes of a file of the catalogue, `limit` at most.
    pub fn read(&self, path: &RelativePath, limit: u64) -> Result<Vec<u8>, DirectoryError> {
        read_below(&self.root, path, limit)
    }

    /// Reads the manifest at `path` and checks that it is one of `name`. Gives its bytes too, for their digest.
    pub fn manifest(
        &self,
        name: &PluginName,
        path: &RelativePath,
    ) -> Result<(PluginManifest, Vec<u8>), DirectoryError> {
        let json = self.read(path, entry::MAX_BYTES)?;
        Ok((Self::parse_manifest(&path.below(&self.root), name, &json)?, json))
    }

    /// Reads a manifest that is, or would be, at `at`, and checks that it is one of `name`.
    pub fn parse_manifest(at: &Path, name: &PluginName, json: &[u8]) -> Result<PluginManifest, DirectoryError> {
        let manifest = PluginManifest::parse(json).map_err(|error| DirectoryError::Manifest(at.to_owned(), error))?;
        match manifest.name == *name {
            true => Ok(manifest),
            false => Err(DirectoryError::OtherName { path: at.to_owned(), wanted: name.clone(), found: manifest.name }),
        }
    }

    fn scan(&self, name: &PluginName) -> Result<Listing, DirectoryError> {
        let folder = layout::plugin_folder(name);
        let mut listing = Listing::default();
        let (versioned, latest) = (format!("{name}@"), format!("{name}.json"));
        let mut files = file_names(&folder.below(&self.root))?;
        files.retain(|file| *file == latest || (file.starts_with(&versioned) && file.ends_with(".json")));
        // The file named after a version comes before the one of the latest, so that it wins if both hold the same.
        files.sort_unstable_by_key(|file| *file == latest);
        // Not cut off: which of them would be missing, nobody could tell.
        if files.len() > MAX_RELEASES {
            return Err(DirectoryError::TooMany { path: folder.below(&self.root), limit: MAX_RELEASES });
        }
        for file in &files {
            let Ok(path) = format!("{folder}/{file}").parse::<RelativePath>() else { continue };
            match self.manifest(name, &path) {
                Ok((manifest, _)) if listing.releases.iter().any(|held| held.version == manifest.version) => {}
                Ok((manifest, _)) => listing.releases.push(Release::of(&manifest, path)),
                Err(error) => listing.skipped.push(error),
            }
        }
        Ok(listing)
    }
}

/// The names of what lies in `folder`; none if there is no such folder. Names that are not UTF-8 are no names of ours.
fn file_names(folder: &Path) -> Result<Vec<String>, DirectoryError> {
    let failed = |error| DirectoryError::Read(folder.to_owned(), error);
    // A link in place of the folder is treated like one in place of a file.
    match fs::symlink_metadata(folder) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(DirectoryError::NotRegular(folder.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    }
    let mut names = Vec::new();
    for item in fs::read_dir(folder).map_err(failed)? {
        if let Ok(name) = item.map_err(failed)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Reads the file at `path` below `root`: no part may be a link, and the last must be a regular file.
fn read_below(root: &Path, path: &RelativePath, limit: u64) -> Result<Vec<u8>, DirectoryError> {
    let full = resolve_below(root, path)?;
    let failed = |error| DirectoryError::Read(full.clone(), error);
    let mut bytes = Vec::new();
    fs::File::open(&full).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(DirectoryError::TooLarge { path: full, limit });
    }
    Ok(bytes)
}

/// The path of the regular file at `path` below `root`, none of whose parts is a link.
pub fn resolve_below(root: &Path, path: &RelativePath) -> Result<PathBuf, DirectoryError> {
    let mut full = root.to_owned();
    let last = path.parts().count();
    for (number, part) in path.parts().enumerate() {
        full.push(part);
        let kind = fs::symlink_metadata(&full).map_err(|error| DirectoryError::Read(full.clone(), error))?;
        let expected = if number + 1 == last { kind.is_file() } else { kind.is_dir() };
        if !expected {
            return Err(DirectoryError::NotRegular(full));
        }
    }
    Ok(full)
}

/// A catalogue folder, or a file in it, that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Reading failed.
    #[error("could not read {}: {}", .0.display(), .1)]
    Read(PathBuf, #[source] io::Error),
    /// A link, a device or a folder where a file belongs.
    #[error("{} is not a regular file; links in a catalogue are not followed", .0.display())]
    NotRegular(PathBuf),
    /// More bytes than such a file may have.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bytes it may have.
        limit: u64,
    },
    /// More manifests of one plugin than are read one by one.
    #[error("{} holds more than {limit} manifests; a catalogue of that size needs an index.json", path.display())]
    TooMany {
        /// The folder of the plugin.
        path: PathBuf,
        /// The manifests it may hold.
        limit: usize,
    },
    /// The index cannot be used.
    #[error("could not use {}: {}", .0.display(), .1)]
    Index(PathBuf, #[source] Box<IndexError>),
    /// A manifest cannot be used.
    #[error("{} is not a plugin manifest: {}", .0.display(), .1)]
    Manifest(PathBuf, #[source] serde_json::Error),
    /// A manifest names another plugin than the place it lies in.
    #[error("{} is the manifest of '{found}', not of '{wanted}'", path.display())]
    OtherName {
        /// The manifest.
        path: PathBuf,
        /// The plugin it should be of.
        wanted: PluginName,
        /// The plugin it is of.
        found: PluginName,
    },
}

impl DirectoryError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read(..) => "catalogue::unreadable",
            Self::NotRegular(_) => "catalogue::not-a-file",
            Self::TooLarge { .. } => "catalogue::too-large",
            Self::TooMany { .. } => "catalogue::too-many",
            Self::Index(..) => "catalogue::bad-index",
            Self::Manifest(..) => "catalogue::bad-manifest",
            Self::OtherName { .. } => "catalogue::other-name",
        }
    }
}

#[cfg(test)]
mod tests;
