//! Making a package: an executable, and the files it needs beside it, become an archive, a manifest and a row of the index in a catalogue folder.
//!
//! The same files give the same bytes, whoever packs them and whenever.

mod archive;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use spin_catalogue::directory::DirectoryError;
use spin_catalogue::entry::{Package, TriggerTable};
use spin_catalogue::{
    Directory, Index, Platform, PluginManifest, PluginName, RelativePath, ReleaseVersion, Sha256, layout,
};

use crate::hash;
use crate::store::{StoreError, write_durably};
use crate::unpack::Limits;

/// What to pack, and where to.
#[derive(Clone, Debug)]
pub struct PackRequest<'a> {
    /// The plugin.
    pub name: PluginName,
    /// Its version.
    pub version: semver::Version,
    /// The executable. It is named after the plugin in the archive, whatever it is called here.
    pub executable: &'a Path,
    /// A folder whose content goes beside the executable.
    pub assets: Option<&'a Path>,
    /// What it is for.
    pub description: &'a str,
    /// Its licence.
    pub license: &'a str,
    /// Where to read more.
    pub homepage: Option<&'a str>,
    /// Versions of Spin that it works with, such as `>=4.0, <5`.
    pub spin_compatibility: &'a str,
    /// Trigger protocols that it speaks; empty if it is no trigger or knows only protocol 0.
    pub protocols: &'a [u32],
    /// The platform that the executable is for.
    pub platform: Platform,
    /// The catalogue to add it to. Made if it does not exist.
    pub catalogue_dir: &'a Path,
}

/// What packing made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packed {
    /// The archive.
    pub archive: PathBuf,
    /// The manifest of this version.
    pub manifest: PathBuf,
    /// The digest of the archive.
    pub sha256: Sha256,
}

/// Packs an executable and adds it to a catalogue.
///
/// Written are the archive and the manifest of this version, the manifest of the latest version if this is it, and
/// the index. Packages of the same version for other platforms stay; one for this platform is replaced.
pub fn pack(request: &PackRequest<'_>) -> Result<Packed, PackError> {
    let PackRequest { name, platform, .. } = request;
    if name.is_reserved() {
        return Err(PackError::Reserved { name: name.clone() });
    }
    semver::VersionReq::parse(request.spin_compatibility)
        .map_err(|source| PackError::Compatibility { requirement: request.spin_compatibility.to_owned(), source })?;
    let archive = archive::archive(request)?;
    let sha256 = hash::of(&archive);

    let version = ReleaseVersion::from(request.version.clone());
    let root = request.catalogue_dir;
    let folder = layout::plugin_folder(name).below(root);
    fs::create_dir_all(&folder).map_err(|error| StoreError::io("make", &folder, error))?;
    let _alone = alone(root)?;
    let directory = Directory::open(root)?;

    let url = layout::archive_name(name, &version, *platform);
    let path = layout::release_manifest(name, &version);
    let package = Package { platform: *platform, url: url.to_string(), sha256 };
    let manifest = describe(request, &version, packages(&directory, request, &version, package)?);
    let json = manifest.to_json();
    let mut index = match directory.index() {
        Some(index) => index.clone(),
        None => index_of(&directory)?,
    };
    index.add(&manifest, hash::of(json.as_bytes()));

    // In this order, so that a reader never finds a name before the file it stands for.
    put(root, &path.beside(&url), &archive)?;
    put(root, &path, json.as_bytes())?;
    if latest(&index, name) == Some(&version) {
        put(root, &layout::latest_manifest(name), json.as_bytes())?;
    }
    put(root, &layout::index(), index.to_json().as_bytes())?;
    Ok(Packed { archive: path.beside(&url).below(root), manifest: path.below(root), sha256 })
}

/// Keeps others from changing the catalogue in `root`, for manifest and index are read, changed and written. Holds as long
/// as the file is open.
pub(crate) fn alone(root: &Path) -> Result<File, StoreError> {
    let handle = File::open(root).map_err(|error| StoreError::io("open", root, error))?;
    handle.lock().map_err(|error| StoreError::io("lock", root, error))?;
    Ok(handle)
}

/// The packages of the manifest: `package`, and those for other platforms that a manifest of this version has already.
fn packages(
    directory: &Directory,
    request: &PackRequest<'_>,
    version: &ReleaseVersion,
    package: Package,
) -> Result<Vec<Package>, PackError> {
    let held = match directory.manifest(&request.name, &layout::release_manifest(&request.name, version)) {
        Ok((manifest, _)) => manifest.packages,
        Err(DirectoryError::Read(_, error)) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let mut packages: Vec<_> = held.into_iter().filter(|held| held.platform != package.platform).collect();
    packages.push(package);
    packages.sort_by_key(|package| package.platform);
    Ok(packages)
}

fn describe(request: &PackRequest<'_>, version: &ReleaseVersion, packages: Vec<Package>) -> PluginManifest {
    let trigger = (!request.protocols.is_empty()).then(|| TriggerTable { protocols: request.protocols.to_vec() });
    PluginManifest {
        name: request.name.clone(),
        description: Some(request.description.to_owned()),
        homepage: request.homepage.map(str::to_owned),
        version: version.clone(),
        spin_compatibility: request.spin_compatibility.to_owned(),
        license: request.license.to_owned(),
        packages,
        trigger,
    }
}

/// An index of what a catalogue without one holds already, so that adding one hides nothing.
pub(crate) fn index_of(directory: &Directory) -> Result<Index, DirectoryError> {
    let mut index = Index::default();
    for name in directory.names()? {
        let mut releases = directory.releases(&name)?.releases;
        for release in &mut releases {
            release.sha256 = Some(hash::of(&directory.manifest(&name, &release.path)?.1));
        }
        releases.sort_by(|a, b| b.version.cmp(&a.version));
        if !releases.is_empty() {
            index.plugins.insert(name, releases);
        }
    }
    Ok(index)
}

/// The version that readers without an index shall get: the highest that is no pre-release, if there is one.
pub(crate) fn latest<'a>(index: &'a Index, name: &PluginName) -> Option<&'a ReleaseVersion> {
    let versions = || index.releases(name).iter().filter(|release| !release.yanked).map(|release| &release.version);
    versions().filter(|version| !version.is_prerelease()).max().or_else(|| versions().max())
}

/// Puts a file of the catalogue in its place. The caller is [`alone`].
pub(crate) fn put(root: &Path, path: &RelativePath, bytes: &[u8]) -> Result<(), StoreError> {
    let full = path.below(root);
    let folder = full.parent().unwrap_or(root);
    let name = path.parts().next_back().unwrap_or_default();
    write_durably(folder, name, bytes)
}

/// Why a file cannot go beside the executable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssetProblem {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// A link, a pipe or a device.
    #[error("it is neither a file nor a folder; packages hold nothing else")]
    Kind,
    /// A name that cannot be in a package.
    #[error("names in packages consist of letters, digits and '@._+-', and begin with a letter or a digit")]
    Name,
    /// A path that does not fit into the header of an archive.
    #[error("its path is too long for an archive")]
    TooLong,
    /// The executable has that name, or another file has, were it not for upper and lower case.
    #[error("there would be two of that name; case does not count")]
    Twice,
    /// More than a package may hold.
    #[error("a package holds at most {} files and {} bytes", Limits::DEFAULT.entries, Limits::DEFAULT.total)]
    TooMuch,
}

/// Why nothing was packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// `spin` has a command of this name.
    #[error("a plugin cannot be named '{name}': spin has a command of that name")]
    Reserved {
        /// The name.
        name: PluginName,
    },
    /// The executable cannot be read.
    #[error("could not read the executable {}: {source}", path.display())]
    Executable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// It cannot be an executable.
    #[error("{} is not a file of 1 to {limit} bytes, so it is not an executable to pack", path.display())]
    NotAnExecutable {
        /// The path.
        path: PathBuf,
        /// The bytes it may have.
        limit: u64,
    },
    /// A file beside it cannot be packed.
    #[error("{} cannot be packed: {problem}", path.display())]
    Asset {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: AssetProblem,
    },
    /// `spinCompatibility` cannot be read.
    #[error("'{requirement}' is not a requirement on the version of spin ({source}); write one such as '>=4.0, <5'")]
    Compatibility {
        /// The requirement.
        requirement: String,
        /// What is wrong with it.
        source: semver::Error,
    },
    /// The catalogue cannot be used.
    #[error(transparent)]
    Catalogue(#[from] DirectoryError),
    /// The catalogue cannot be written.
    #[error(transparent)]
    Write(#[from] StoreError),
}

impl PackError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Reserved { .. } => "plugin::reserved-name",
            Self::Executable { .. } | Self::NotAnExecutable { .. } => "pack::executable",
            Self::Asset { .. } => "pack::asset",
            Self::Compatibility { .. } => "plugin::bad-compatibility",
            Self::Catalogue(error) => error.code(),
            Self::Write(error) => error.code(),
        }
    }
}

#[cfg(test)]
mod tests;
