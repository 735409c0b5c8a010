//! Where the archive of a release is, and what the signature beside it claims.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use spin_catalogue::PackageLocation;
use spin_catalogue::directory::resolve_below;
use url::Url;

use super::PATIENCE;
use crate::error::InstallError;
use crate::fetch::FetchError;
use crate::installed::Origin;
use crate::source::{self, Base};
use crate::trust::{self, Claim, Trust};
use crate::web::Web;

/// Where an archive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageSource {
    /// On this machine.
    File(PathBuf),
    /// On the web.
    Web(Url),
}

impl fmt::Display for PackageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Web(url) => write!(f, "{url}"),
        }
    }
}

/// Where the archive is that a manifest calls `url`.
pub(crate) fn locate(url: &str, origin: &Origin, base: &Base) -> Result<PackageSource, InstallError> {
    match (url.parse::<PackageLocation>()?, base) {
        (PackageLocation::Web(url), _) => Ok(PackageSource::Web(url)),
        (PackageLocation::Relative(path), Base::Web(manifest)) => {
            Ok(PackageSource::Web(source::beside(manifest, &path)))
        }
        (PackageLocation::Relative(path), Base::Folder(folder)) => {
            let found = resolve_below(folder, &path)
                .map_err(|error| InstallError::Package { path: path.below(folder), source: Box::new(error) })?;
            Ok(PackageSource::File(found))
        }
        // A catalogue may be a clone of someone else's repository; it has no say in which local files are read.
        (PackageLocation::File(path), _) if !matches!(origin, Origin::ManifestFile(_)) => {
            Err(InstallError::LocalFileFromCatalogue { path, origin: origin.to_string() })
        }
        (PackageLocation::File(path), _) => Ok(PackageSource::File(path)),
    }
}

/// What the signature beside an archive claims, if signatures matter.
pub(super) async fn claim(
    trust: &Trust,
    package: &PackageSource,
    now: Timestamp,
    web: &Web,
) -> Result<Option<Claim>, InstallError> {
    if !trust.asks() {
        return Ok(None);
    }
    let file = signature(package, web).await?;
    Ok(trust.claim(&format!("the package {package}"), file.as_deref(), now)?)
}

/// The bytes of the signature beside an archive; `None` if there is none.
pub(crate) async fn signature(package: &PackageSource, web: &Web) -> Result<Option<Vec<u8>>, InstallError> {
    let failed = |error: FetchError| InstallError::SignatureFile { of: package.to_string(), source: Box::new(error) };
    match package {
        PackageSource::File(path) => {
            let mut beside = path.clone().into_os_string();
            beside.push(trust::ENDING);
            read_if_any(Path::new(&beside)).map_err(|error| failed(FetchError::Read(PathBuf::from(&beside), error)))
        }
        PackageSource::Web(url) => {
            let mut beside = url.clone();
            beside.set_path(&format!("{}{}", url.path(), trust::ENDING));
            web.bytes_if_any(&beside, trust::MAX_BYTES, PATIENCE).await.map_err(|error| failed(error.into()))
        }
    }
}

/// The bytes of a small file that is no link; `None` if there is no such file. Of a longer one a part will do: it is no
/// signature, whole or not.
fn read_if_any(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata?,
    };
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(trust::MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
