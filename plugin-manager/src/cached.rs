//! A folder of downloads, each under the digest of its content: what is there need not be fetched.
//!
//! Not for plugins, which have a store of their own, but for whatever else is named by an address and a digest. What is
//! there is hashed again before it is given out, so that a damaged or altered file is fetched anew and never used.
//!
//! Files on disk: `<folder>/sha256:<digits>`, as the public Spin names them, and, while fetching,
//! `<folder>/.fetching-<process>-<number>`; what a killed process left of these is removed by a later fetch.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use spin_catalogue::Sha256;
use url::Url;

use crate::fetch::{FetchError, MAX_BYTES, fetch};
use crate::hash::of_reader;
use crate::plan::PackageSource;
use crate::progress::Progress;
use crate::settings::Network;
use crate::web::Web;

const FETCHING: &str = ".fetching-";

/// Twice as long as a fetch may take. Numbers of processes would tell more, but not those of another container that has
/// the same folder.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

/// Something could not be had from the web or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CachedError {
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It is something else than it must be.
    #[error("{url} has the digest sha256:{found}, and must have sha256:{expected}")]
    Mismatch {
        /// Where it is from.
        url: Box<Url>,
        /// What it is.
        found: Sha256,
        /// What it must be.
        expected: Sha256,
    },
    /// The folder cannot be written.
    #[error("could not write {}: {source}", path.display())]
    Write {
        /// The file or folder in question.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The file in `folder` whose content has this digest. If it is not there, it is fetched from `url` first.
///
/// # Errors
///
/// When it cannot be fetched, has another digest, or cannot be kept. Then nothing is left in the folder.
pub async fn cached(url: &Url, digest: Sha256, folder: &Path, progress: &dyn Progress) -> Result<PathBuf, CachedError> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let path = folder.join(format!("sha256:{digest}"));
    if File::open(&path).and_then(of_reader).is_ok_and(|(found, _)| found == digest) {
        return Ok(path);
    }
    let written = |path: &Path| {
        let path = path.to_owned();
        move |source| CachedError::Write { path, source }
    };
    fs::create_dir_all(folder).map_err(written(folder))?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let fresh = Unfinished(folder.join(format!("{FETCHING}{}-{number}", std::process::id())));
    // A process of the same number may have been killed.
    drop(fs::remove_file(&fresh.0));
    remove_abandoned(folder);
    let web = Web::new(Network::Online, Vec::new());
    let found = fetch(&PackageSource::Web(url.clone()), &fresh.0, MAX_BYTES, &web, progress).await?;
    if found != digest {
        return Err(CachedError::Mismatch { url: Box::new(url.clone()), found, expected: digest });
    }
    let kept = File::open(&fresh.0).and_then(|file| file.sync_all()).and_then(|()| fs::rename(&fresh.0, &path));
    kept.map_err(written(&path))?;
    Ok(path)
}

/// Removes what killed processes left. What can't be removed does no harm.
fn remove_abandoned(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(FETCHING.as_bytes())) {
        let age = entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|changed| changed.elapsed().ok());
        if age.is_some_and(|age| age > ABANDONED) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// A file that is removed, unless it has got its final name before.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::Silent;
    use crate::testing::runtime;

    /// Gets something from a server that serves one request.
    fn get(folder: &Path, digest: Sha256) -> Result<PathBuf, CachedError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        runtime().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/a.wasm", listener.local_addr().unwrap()).parse().unwrap();
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 4096]).await.unwrap();
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ncode";
                stream.write_all(answer).await.unwrap();
                stream.shutdown().await.unwrap();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                got = cached(&url, digest, folder, &Silent) => got,
                () = serve => unreachable!("it serves for ever"),
            }
        })
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn what_is_there_is_not_fetched_and_what_is_damaged_is() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("deep/wasm");
        let digest = crate::hash::of(b"code");
        let path = get(&folder, digest).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"code");
        assert_eq!(names(&folder), [format!("sha256:{digest}")]);

        let nowhere = "http://127.0.0.1:1/".parse().unwrap();
        let again = runtime().block_on(cached(&nowhere, digest, &folder, &Silent)).unwrap();
        assert_eq!(again, path);
        fs::write(&path, "c0de").unwrap();
        assert!(runtime().block_on(cached(&nowhere, digest, &folder, &Silent)).is_err());
        get(&folder, digest).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"code");
    }

    #[test]
    fn what_is_something_else_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let error = get(folder.path(), crate::hash::of(b"other")).unwrap_err();
        assert!(matches!(error, CachedError::Mismatch { .. }), "{error}");
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn what_a_killed_process_left_goes_and_what_another_fetches_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        file(".fetching-1-0").set_modified(std::time::SystemTime::now() - 2 * ABANDONED).unwrap();
        file(".fetching-2-0");
        let digest = crate::hash::of(b"code");
        get(folder.path(), digest).unwrap();
        let mut names = names(folder.path());
        names.sort();
        assert_eq!(names, [".fetching-2-0".to_owned(), format!("sha256:{digest}")]);
    }

    #[test]
    fn a_fetch_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        runtime().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/a.wasm", listener.local_addr().unwrap()).parse().unwrap();
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nco").await.unwrap();
                while names(folder.path()).is_empty() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                got = cached(&url, crate::hash::of(b"code"), folder.path(), &Silent) => panic!("{got:?}"),
                () = serve => {}
            }
        });
        assert!(names(folder.path()).is_empty());
    }
}
