//! Getting an archive: from a file or from the web into a file of the store, hashed on its way and cut off at a cap.
//!
//! Nothing here decides whether the digest is right; the caller compares.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::HeaderMap;
use spin_catalogue::Sha256;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use crate::hash::Hashing;
use crate::plan::PackageSource;
use crate::progress::Progress;
use crate::step::{Step, reached};
use crate::web::{Web, WebError};

/// The largest archive that is fetched, in bytes.
pub(crate) const MAX_BYTES: u64 = 512 << 20;

/// A whole download may take so long, so that a server that drips a byte now and then does not hold us for ever.
const TOTAL: Duration = Duration::from_secs(30 * 60);

/// Copies the archive at `source` to the new file `target`, `limit` bytes at most, and gives its digest.
pub(crate) async fn fetch(
    source: &PackageSource,
    target: &Path,
    limit: u64,
    web: &Web,
    progress: &dyn Progress,
) -> Result<Sha256, FetchError> {
    let written = |error| FetchError::Write(target.to_owned(), error);
    let file = File::create_new(target).await.map_err(written)?;
    let mut sink = Sink { file, target, hashing: Hashing::default(), total: 0, limit, progress };
    match source {
        PackageSource::File(path) => from_file(path, &mut sink).await?,
        PackageSource::Web(url) => from_web(url, web, &mut sink).await?,
    }
    sink.file.flush().await.map_err(written)?;
    progress.finish();
    Ok(sink.hashing.finish())
}

/// Where the bytes go.
struct Sink<'a> {
    file: File,
    target: &'a Path,
    hashing: Hashing,
    total: u64,
    limit: u64,
    progress: &'a dyn Progress,
}

impl Sink<'_> {
    async fn put(&mut self, bytes: &[u8], from: &(dyn std::fmt::Display + Sync)) -> Result<(), FetchError> {
        self.total += bytes.len() as u64;
        if self.total > self.limit {
            return Err(FetchError::TooLarge { from: from.to_string(), limit: self.limit });
        }
        self.hashing.update(bytes);
        self.file.write_all(bytes).await.map_err(|error| FetchError::Write(self.target.to_owned(), error))?;
        self.progress.advance(bytes.len() as u64);
        reached(Step::Fetching);
        Ok(())
    }
}

async fn from_file(path: &Path, sink: &mut Sink<'_>) -> Result<(), FetchError> {
    let failed = |error| FetchError::Read(path.to_owned(), error);
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let metadata = tokio::fs::metadata(path).await.map_err(failed)?;
    if !metadata.is_file() {
        return Err(FetchError::NotAFile(path.to_owned()));
    }
    sink.progress.start("copying", Some(metadata.len()));
    let mut file = File::open(path).await.map_err(failed)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer).await.map_err(failed)? {
            0 => return Ok(()),
            count => sink.put(&buffer[..count], &path.display()).await?,
        }
    }
}

async fn from_web(url: &Url, web: &Web, sink: &mut Sink<'_>) -> Result<(), FetchError> {
    let mut response = web.get(url, HeaderMap::new(), TOTAL).await?;
    let announced = response.content_length();
    if announced.is_some_and(|length| length > sink.limit) {
        return Err(FetchError::TooLarge { from: url.to_string(), limit: sink.limit });
    }
    sink.progress.start("downloading", announced);
    while let Some(bytes) = response.chunk().await.map_err(|error| WebError::failed(url, error))? {
        sink.put(&bytes, url).await?;
    }
    Ok(())
}

/// An archive could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The archive cannot be read.
    #[error("could not read the package {}: {}; check the url in the manifest", .0.display(), .1)]
    Read(PathBuf, #[source] io::Error),
    /// The archive is a folder, a pipe or a device.
    #[error("the package {} is not a file; check the url in the manifest", .0.display())]
    NotAFile(PathBuf),
    /// The copy cannot be written.
    #[error("could not write {}: {}; check that the folder is yours and that the disk is not full", .0.display(), .1)]
    Write(PathBuf, #[source] io::Error),
    /// More bytes than an archive may have.
    #[error("the package from {from} is larger than {limit} bytes and was not fetched to its end")]
    TooLarge {
        /// Where it came from.
        from: String,
        /// The bytes it may have.
        limit: u64,
    },
    /// It could not be had from the web.
    #[error(transparent)]
    Web(#[from] WebError),
}

impl FetchError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read(..) | Self::NotAFile(_) => "plugin::package-missing",
            Self::Write(..) => "store::io",
            Self::TooLarge { .. } => "plugin::package-too-large",
            Self::Web(error) => error.code(),
        }
    }
}

#[cfg(test)]
mod tests;
