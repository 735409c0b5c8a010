//! [`CatalogueError`]: why a catalogue cannot be used or refreshed. Messages continue a sentence that names it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use spin_catalogue::directory::DirectoryError;
use spin_catalogue::index::IndexError;

use crate::store::StoreError;
use crate::trust::SignatureError;
use crate::web::WebError;

/// A catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// The folder, or a file in it, cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// What came from its place is no index.
    #[error("what is at {place} is no catalogue: {source}")]
    Received {
        /// The place.
        place: String,
        /// What is wrong.
        source: Box<IndexError>,
    },
    /// It lies elsewhere and there is no copy of it.
    #[error("nothing is known of it yet; run `spin plugins update`")]
    NeverFetched,
    /// The note about the local copy cannot be used.
    #[error("{} is not what spin keeps there ({problem}); `spin plugins update` makes it anew", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// It must be signed, and without an index there is nothing that could be.
    #[error("it has no index.json, so nothing of it is signed, and it is configured with require_signature")]
    NothingSigned,
    /// A manifest must be covered by the signature of the index and is not.
    #[error("its index says no digest for {path}, so its signature does not cover that manifest")]
    NotCovered {
        /// The manifest.
        path: String,
    },
    /// The signature of the index is not good.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The index says itself that it is no longer to be used.
    #[error("its index expired at {0}; refresh it with `spin plugins update`, or tell its keeper")]
    Expired(Timestamp),
    /// The index is an older one than was seen before.
    #[error(
        "its index has serial {found}, and serial {seen} was seen before: an older one is being served, by mistake or to \
         bring back a release that was withdrawn; tell its keeper"
    )]
    Older {
        /// The serial of the index.
        found: u64,
        /// The highest that was seen.
        seen: u64,
    },
    /// The web could not give it.
    #[error(transparent)]
    Web(#[from] WebError),
    /// The network must not be used.
    #[error("the network is not used: --offline or SPIN_OFFLINE says so")]
    Offline,
    /// There is no `git`.
    #[error("it is a git repository and the program git cannot be started ({0}); install git")]
    NoGit(#[source] io::Error),
    /// `git` failed.
    #[error("git {what} failed: {said}")]
    Git {
        /// What it was to do.
        what: &'static str,
        /// The end of what it said.
        said: String,
    },
    /// `git` took too long.
    #[error("git {what} took longer than {} s and was ended", limit.as_secs())]
    GitTime {
        /// What it was to do.
        what: &'static str,
        /// How long it may take.
        limit: Duration,
    },
    /// The repository is larger than a catalogue may be.
    #[error("the repository has more than {limit} bytes, which is no catalogue; git was ended and nothing was kept")]
    GitSize {
        /// The bytes it may have.
        limit: u64,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CatalogueError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Directory(error) => error.code(),
            Self::Received { .. } => "catalogue::bad-index",
            Self::NeverFetched => "catalogue::never-fetched",
            Self::State { .. } => "catalogue::bad-state",
            Self::NothingSigned => "signature::missing",
            Self::NotCovered { .. } => "signature::not-covered",
            Self::Signature(error) => error.code(),
            Self::Expired(_) => "catalogue::expired",
            Self::Older { .. } => "catalogue::older-index",
            Self::Web(error) => error.code(),
            Self::Offline => "web::offline",
            Self::NoGit(_) => "catalogue::no-git",
            Self::Git { .. } => "catalogue::git-failed",
            Self::GitTime { .. } => "catalogue::git-timeout",
            Self::GitSize { .. } => "catalogue::too-large",
            Self::Store(error) => error.code(),
        }
    }
}
