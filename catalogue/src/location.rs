//! Where a package or a manifest may lie: a relative path made of safe parts, or an absolute URL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

/// A path below some folder, written with `/`: every part is `[A-Za-z0-9][A-Za-z0-9@._+-]*`, never `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelativePath(String);

impl RelativePath {
    /// The path as text, with `/` between its parts.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts of the path; there is at least one.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// This path below `folder`.
    pub fn below(&self, folder: &Path) -> PathBuf {
        self.parts().fold(folder.to_owned(), |path, part| path.join(part))
    }

    /// `other`, seen from the folder that this path's file lies in.
    pub fn beside(&self, other: &RelativePath) -> RelativePath {
        match self.0.rsplit_once('/') {
            Some((folder, _)) => Self(format!("{folder}/{other}")),
            None => other.clone(),
        }
    }
}

impl FromStr for RelativePath {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let safe = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '@' | '.' | '_' | '+' | '-'))
                && !part.contains("..")
                && !part.ends_with('.')
        };
        if text.len() > 1024 || !text.split('/').all(safe) {
            return Err(LocationError::Path(crate::name::shown(text)));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for RelativePath {
    type Error = LocationError;

    fn try_from(text: String) -> Result<Self, LocationError> {
        text.parse()
    }
}

impl From<RelativePath> for String {
    fn from(path: RelativePath) -> Self {
        path.0
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The `url` of a package: absolute, or relative to the folder of the manifest that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageLocation {
    /// `https:` or `http:`.
    Web(Url),
    /// `file:`, an absolute path on this machine.
    File(PathBuf),
    /// Below the folder of the manifest.
    Relative(RelativePath),
}

impl FromStr for PackageLocation {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let url = match Url::parse(text) {
            Err(url::ParseError::RelativeUrlWithoutBase) => return Ok(Self::Relative(text.parse()?)),
            Err(error) => return Err(LocationError::Url(crate::name::shown(text), error)),
            Ok(url) => url,
        };
        match url.scheme() {
            "https" | "http" if !url.username().is_empty() || url.password().is_some() => {
                Err(LocationError::Credentials(url.host_str().unwrap_or_default().to_owned()))
            }
            "https" | "http" => Ok(Self::Web(url)),
            // Also refuses `file://host/…`, which would be a network share.
            "file" => url.to_file_path().map(Self::File).map_err(|()| LocationError::Path(crate::name::shown(text))),
            other => Err(LocationError::Scheme(crate::name::shown(other))),
        }
    }
}

/// A text that says no place we would read from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
    /// Not a safe path.
    #[error(
        "'{0}' is not a path inside the catalogue; write parts of letters, digits and '@._+-' joined by '/', without '..'"
    )]
    Path(String),
    /// Not a URL.
    #[error("'{0}' is not a url: {1}")]
    Url(String, #[source] url::ParseError),
    /// A scheme that packages cannot have.
    #[error("packages cannot be fetched by '{0}:'; use https:, http:, file: or a path beside the manifest")]
    Scheme(String),
    /// A URL with user name or password.
    #[error("the url of a package must not hold a user name or password (host '{0}')")]
    Credentials(String),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn package_locations() {
        let parse = |text: &str| text.parse::<PackageLocation>();
        assert!(matches!(parse("https://example.org/a.tar.gz"), Ok(PackageLocation::Web(_))));
        assert_eq!(parse("file:///tmp/a.tar.gz").unwrap(), PackageLocation::File("/tmp/a.tar.gz".into()));
        assert!(matches!(parse("a-1.0.0+b.tar.gz"), Ok(PackageLocation::Relative(_))));
        for text in [
            "",
            "/abs",
            "../up",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "a\\b",
            "ftp://x/y",
            "javascript:1",
            "data:,x",
            "//host/x",
            "https://user:pass@example.org/x",
            "file://host/share",
            "https://",
            "a?b",
            "a#b",
            "a%2e%2e/b",
        ] {
            assert!(parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn a_path_beside_another() {
        let manifest: RelativePath = "manifests/x/x.json".parse().unwrap();
        let beside = manifest.beside(&"x.tar.gz".parse().unwrap());
        assert_eq!(beside.as_str(), "manifests/x/x.tar.gz");
        assert_eq!(beside.below(Path::new("/c")), Path::new("/c/manifests/x/x.tar.gz"));
    }

    proptest! {
        #[test]
        fn an_accepted_path_never_leaves_its_folder(text in "\\PC{0,40}|[a-z./@\\\\]{0,12}") {
            if let Ok(path) = text.parse::<RelativePath>() {
                let below = path.below(Path::new("/root/folder"));
                prop_assert!(below.components().all(|part| !matches!(part, std::path::Component::ParentDir)));
                prop_assert!(below.starts_with("/root/folder") && below != Path::new("/root/folder"));
            }
        }
    }
}
