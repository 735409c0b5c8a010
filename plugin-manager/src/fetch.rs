//! Getting an archive: from a file or from the web into a file of the store, hashed on its way and cut off at a cap.
//!
//! Nothing here decides whether the digest is right; the caller compares.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, StatusCode};
use spin_catalogue::Sha256;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::{Host, Url};

use crate::hash::Hashing;
use crate::plan::PackageSource;
use crate::progress::Progress;
use crate::step::{Step, reached};

/// The largest archive that is fetched, in bytes.
pub(crate) const MAX_BYTES: u64 = 512 << 20;

/// A server that sends nothing for so long is given up.
const SILENCE: Duration = Duration::from_secs(30);

/// A whole download may take so long, so that a server that drips a byte now and then does not hold us for ever.
const TOTAL: Duration = Duration::from_secs(30 * 60);

const MAX_REDIRECTS: usize = 5;

/// Copies the archive at `source` to the new file `target`, `limit` bytes at most, and gives its digest.
pub(crate) async fn fetch(
    source: &PackageSource,
    target: &Path,
    limit: u64,
    progress: &dyn Progress,
) -> Result<Sha256, FetchError> {
    let written = |error| FetchError::Write(target.to_owned(), error);
    let file = File::create_new(target).await.map_err(written)?;
    let mut sink = Sink { file, target, hashing: Hashing::default(), total: 0, limit, progress };
    match source {
        PackageSource::File(path) => from_file(path, &mut sink).await?,
        PackageSource::Web(url) => from_web(url, &mut sink).await?,
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

async fn from_web(url: &Url, sink: &mut Sink<'_>) -> Result<(), FetchError> {
    let failed = |error: reqwest::Error| FetchError::Web(url.clone(), Box::new(error.without_url()));
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(FetchError::NoTls);
    }
    let client = Client::builder()
        .user_agent(concat!("spin/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::custom(redirect))
        .connect_timeout(SILENCE)
        .read_timeout(SILENCE)
        .timeout(TOTAL)
        .build()
        .map_err(failed)?;
    let mut response = client.get(url.clone()).send().await.map_err(failed)?;
    // Only the whole thing will do: no part of it (206), no "you have it already" (304).
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(url.clone(), response.status().as_u16()));
    }
    let announced = response.content_length();
    if announced.is_some_and(|length| length > sink.limit) {
        return Err(FetchError::TooLarge { from: url.to_string(), limit: sink.limit });
    }
    sink.progress.start("downloading", announced);
    while let Some(bytes) = response.chunk().await.map_err(failed)? {
        sink.put(&bytes, url).await?;
    }
    Ok(())
}

/// Follows redirects that lead to a place as trustworthy as the one that was asked.
fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let problem = {
        let to = attempt.url();
        let from = attempt.previous().last();
        if attempt.previous().len() > MAX_REDIRECTS {
            Some("too many redirects")
        } else if !matches!(to.scheme(), "http" | "https") {
            Some("redirect to something that is neither http nor https")
        } else if from.is_some_and(|from| from.scheme() == "https") && to.scheme() != "https" {
            Some("redirect from https to http")
        } else if is_local(to) && !from.is_some_and(is_local) {
            Some("redirect to this machine or its local network")
        } else {
            None
        }
    };
    match problem {
        Some(problem) => attempt.error(problem),
        None => attempt.follow(),
    }
}

/// Whether a URL names this machine or a private network by its address or as `localhost`.
fn is_local(url: &Url) -> bool {
    let address = match url.host() {
        None => return true,
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            return name == "localhost" || name.ends_with(".localhost");
        }
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4),
    };
    match address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified()
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
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
    /// The server answered something else.
    #[error("the server answered {1} instead of the package {0}; tell the author of the manifest, or try again later")]
    Status(Url, u16),
    /// The connection failed.
    #[error("could not download {}: {}; check the network and try again", .0, chain(.1.as_ref()))]
    Web(Url, #[source] Box<reqwest::Error>),
    /// The program that uses this library has not chosen an implementation of TLS.
    #[error("this program cannot download packages: it was built without tls")]
    NoTls,
}

/// An error with its causes; those of the network say little in their first line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

impl FetchError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read(..) | Self::NotAFile(_) => "plugin::package-missing",
            Self::Write(..) => "store::io",
            Self::TooLarge { .. } => "plugin::package-too-large",
            Self::Status(..) => "plugin::download-status",
            Self::Web(..) => "plugin::download-failed",
            Self::NoTls => "plugin::no-tls",
        }
    }
}

#[cfg(test)]
mod tests;
