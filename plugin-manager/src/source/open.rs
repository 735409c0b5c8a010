//! Opening a catalogue: where it is read, whether it is signed as it must be, and whether it is still good.
//!
//! Only what is on this machine is opened. The one thing that may ask the web is [`Opened::manifest`], for a manifest
//! of a catalogue on the web that was never needed before.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use spin_catalogue::{Directory, PluginManifest, PluginName, Release, Sha256, entry, layout};
use url::Url;

use super::copy::LocalCopy;
use super::error::CatalogueError;
use super::place::{CatalogueSource, Place, WebRoot};
use crate::hash;
use crate::store::{Store, make_dir};
use crate::trust::{self, KeyId, Trust};
use crate::web::Web;

/// How long a manifest may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A catalogue that can be asked.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    /// Its files on this machine.
    pub(crate) directory: Directory,
    /// Which signatures its archives must have.
    pub(crate) trust: Trust,
    /// The key that has signed its index.
    pub(crate) index_key: Option<KeyId>,
    /// When its copy was last known to be what its place has; `None` if it is read where it is.
    pub(crate) fetched: Option<Timestamp>,
    web: Option<OnTheWeb>,
}

/// What only a catalogue on the web has.
#[derive(Clone, Debug)]
struct OnTheWeb {
    root: WebRoot,
    /// Manifests that were needed before, each under its digest.
    kept: PathBuf,
}

/// A manifest and where its relative paths start.
pub(crate) struct Manifest {
    pub(crate) manifest: PluginManifest,
    pub(crate) digest: Sha256,
    /// The file, for messages.
    pub(crate) at: PathBuf,
    pub(crate) base: Base,
}

/// Where the relative paths of a manifest start.
#[derive(Clone, Debug)]
pub(crate) enum Base {
    /// In this folder.
    Folder(PathBuf),
    /// Beside this file of the web.
    Web(Url),
}

/// Opens a catalogue. Uses no network.
pub(crate) fn open(store: &Store, source: &CatalogueSource) -> Result<Opened, CatalogueError> {
    let (root, fetched, web) = match (&source.place, LocalCopy::of(store, &source.place)) {
        (Place::Directory(path), _) => (path.clone(), None, None),
        (_, None) => return Err(CatalogueError::NeverFetched),
        (place, Some(copy)) => {
            let state = copy.state()?.ok_or(CatalogueError::NeverFetched)?;
            let web = match place {
                Place::Web { root, .. } => Some(OnTheWeb { root: root.clone(), kept: copy.manifests() }),
                _ => None,
            };
            (copy.tree(&state), Some(state.fetched), web)
        }
    };
    let (directory, index_key) = examine(&root, &source.trust, store.now())?;
    Ok(Opened { directory, trust: source.trust.clone(), index_key, fetched, web })
}

/// Reads the index of the catalogue in `root`, checks that it may be used, and gives the key that has signed it.
pub(super) fn examine(
    root: &Path,
    trust: &Trust,
    now: Timestamp,
) -> Result<(Directory, Option<KeyId>), CatalogueError> {
    let Some(json) = Directory::index_bytes(root)? else {
        return match trust.require_signature {
            true => Err(CatalogueError::NothingSigned),
            false => Ok((Directory::without_index(root), None)),
        };
    };
    // Before it is parsed: what is not signed as it must be does not deserve a reader.
    let signature = match trust.asks() {
        true => Directory::read_if_any(root, &layout::index_signature(), trust::MAX_BYTES)?,
        false => None,
    };
    let claim = trust.claim("its index.json", signature.as_deref(), now)?;
    let key = claim.map(|claim| claim.verify(json.as_slice())).transpose()?;
    let directory = Directory::with_index(root, &json)?;
    match directory.index().and_then(|index| index.expires) {
        Some(expires) if expires < now => Err(CatalogueError::Expired(expires)),
        _ => Ok((directory, key)),
    }
}

impl Opened {
    /// The manifest of one of its releases.
    pub(crate) async fn manifest(
        &self,
        name: &PluginName,
        release: &Release,
        web: &Web,
    ) -> Result<Manifest, CatalogueError> {
        if self.trust.require_signature && release.sha256.is_none() {
            return Err(CatalogueError::NotCovered { path: release.path.to_string() });
        }
        let at = release.path.below(self.directory.root());
        let (json, base) = match &self.web {
            Some(place) => {
                let url = place.root.file(&release.path);
                (place.manifest(&url, release, web).await?, Base::Web(url))
            }
            None => {
                let folder = at.parent().unwrap_or(self.directory.root()).to_owned();
                (self.directory.read(&release.path, entry::MAX_BYTES)?, Base::Folder(folder))
            }
        };
        let manifest = Directory::parse_manifest(&at, name, &json)?;
        Ok(Manifest { manifest, digest: hash::of(&json), at, base })
    }
}

impl OnTheWeb {
    /// The bytes of a manifest: from the folder of kept ones if they are the right ones, else from the web.
    async fn manifest(&self, url: &Url, release: &Release, web: &Web) -> Result<Vec<u8>, CatalogueError> {
        let Some(digest) = release.sha256 else {
            // Nothing tells whether a kept one would still be right.
            return Ok(web.bytes(url, entry::MAX_BYTES, PATIENCE).await?);
        };
        let path = self.kept.join(format!("{digest}.json"));
        if let Ok(json) = fs::read(&path)
            && hash::of(&json) == digest
        {
            return Ok(json);
        }
        let json = web.bytes(url, entry::MAX_BYTES, PATIENCE).await?;
        if hash::of(&json) == digest {
            // Best effort: without it, the web is asked again next time.
            let _ = keep(&self.kept, &path, &json);
        }
        Ok(json)
    }
}

/// Puts a file in its place at once. Several processes may do this with the same content.
fn keep(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), CatalogueError> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    make_dir(folder)?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let temp = folder.join(format!(".new-{}-{number}", std::process::id()));
    let put = fs::write(&temp, bytes).and_then(|()| fs::rename(&temp, path));
    if put.is_err() {
        let _ = fs::remove_file(&temp);
    }
    put.map_err(|error| crate::store::StoreError::io("write", path, error).into())
}
