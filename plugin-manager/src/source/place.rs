//! Where a catalogue is: [`CatalogueSource`] and the types that its places are parsed into.
//!
//! A text that came from a configuration file or a command line is taken apart here, once. What is accepted can be
//! handed to a client or to the program `git` without a second look: it is no option, no other program to run, and it
//! does not travel where everybody on the way can change it, unless signatures are required.

mod git;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use spin_catalogue::{PluginName, RelativePath};
use url::Url;

pub use git::{GitBranch, GitUrl};

use crate::trust::Trust;
use crate::web::is_protected;

/// A catalogue that the user has configured.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatalogueSource {
    /// What messages, records and pins call it.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// Which signatures it must have.
    pub trust: Trust,
}

/// Where a catalogue is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a folder of this machine, which is read as it is.
    Directory(PathBuf),
    /// On the web. Its index and the manifests that were needed are kept in a local copy.
    Web {
        /// Where its `index.json` lies.
        root: WebRoot,
        /// What the copy is called.
        copy: CatalogueName,
    },
    /// On a branch of a git repository. Its files are kept in a local copy.
    Git {
        /// The repository.
        url: GitUrl,
        /// The branch; `None` for the one that the repository names as its own.
        branch: Option<GitBranch>,
        /// What the copy is called.
        copy: CatalogueName,
    },
}

impl CatalogueSource {
    /// A catalogue in a folder. Folders need no name of their own; any text will do.
    pub fn directory(name: impl Into<String>, path: impl Into<PathBuf>, trust: Trust) -> Self {
        Self { name: name.into(), place: Place::Directory(path.into()), trust }
    }

    /// A catalogue on the web.
    ///
    /// # Errors
    ///
    /// If anybody on the way could change it, and signatures are not required.
    pub fn web(name: CatalogueName, root: WebRoot, trust: Trust) -> Result<Self, PlaceError> {
        protected(&root.0, &trust)?;
        Ok(Self { name: name.to_string(), place: Place::Web { root, copy: name }, trust })
    }

    /// A catalogue in a git repository.
    ///
    /// # Errors
    ///
    /// If anybody on the way could change it, and signatures are not required.
    pub fn git(name: CatalogueName, url: GitUrl, branch: Option<GitBranch>, trust: Trust) -> Result<Self, PlaceError> {
        if let GitUrl::Url(url) = &url
            && !matches!(url.scheme(), "ssh" | "file")
        {
            protected(url, &trust)?;
        }
        Ok(Self { name: name.to_string(), place: Place::Git { url, branch, copy: name }, trust })
    }
}

fn protected(url: &Url, trust: &Trust) -> Result<(), PlaceError> {
    match trust.require_signature || is_protected(url) {
        true => Ok(()),
        false => Err(PlaceError::Unprotected(url.to_string())),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Web { root, .. } => write!(f, "{root}"),
            Self::Git { url, branch: None, .. } => write!(f, "{url}"),
            Self::Git { url, branch: Some(branch), .. } => write!(f, "{url} (branch {branch})"),
        }
    }
}

/// The name of a catalogue that has a local copy. The rules are those of plugin names, so that it can be a folder's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueName(PluginName);

impl CatalogueName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for CatalogueName {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        text.parse().map(Self).map_err(|error: spin_catalogue::name::NameError| PlaceError::Name(error.problem))
    }
}

impl fmt::Display for CatalogueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The folder of the web that a catalogue's `index.json` lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebRoot(Url);

impl WebRoot {
    /// A file of the catalogue.
    pub(crate) fn file(&self, path: &RelativePath) -> Url {
        beside(&self.0, path)
    }
}

/// The place of `path`, seen from the file or folder at `url`.
pub(crate) fn beside(url: &Url, path: &RelativePath) -> Url {
    // Only letters, digits and `@._+-/` are in it, and it does not begin with `/`: it can name no other server.
    url.join(path.as_str()).expect("a path of safe parts can be joined to any http url")
}

impl FromStr for WebRoot {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let mut url = Url::parse(text).map_err(|error| PlaceError::Url(error.to_string()))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(PlaceError::Scheme { scheme: url.scheme().to_owned(), known: "https" });
        }
        no_secrets(&url)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(PlaceError::Url("it must end with its path, without '?' and '#'".to_owned()));
        }
        // Who names the index means its folder.
        let path = url.path().strip_suffix("index.json").unwrap_or(url.path()).trim_end_matches('/');
        url.set_path(&format!("{path}/"));
        Ok(Self(url))
    }
}

impl fmt::Display for WebRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn no_secrets(url: &Url) -> Result<(), PlaceError> {
    match url.username().is_empty() && url.password().is_none() {
        true => Ok(()),
        false => Err(PlaceError::Secret(url.host_str().unwrap_or_default().to_owned())),
    }
}

/// A text that is no place for a catalogue. Messages continue a sentence that names the key or flag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// Not a name.
    #[error("{}", name_problem(.0))]
    Name(spin_catalogue::name::NameProblem),
    /// Not a URL.
    #[error("{0}")]
    Url(String),
    /// By a way that is not gone.
    #[error("'{scheme}:' cannot be used for a catalogue; use {known}")]
    Scheme {
        /// The scheme.
        scheme: String,
        /// What can be used.
        known: &'static str,
    },
    /// Anybody on the way can change what comes.
    #[error(
        "whoever is on the way can change what comes from {0}; use https, or require signatures with \
         require_signature and keys"
    )]
    Unprotected(String),
    /// A user name or a password in a URL, which ends up in messages and files.
    #[error(
        "the url must not hold a user name or password (host '{0}'); use a [[credential]] table, or git's own helpers"
    )]
    Secret(String),
    /// Not a branch.
    #[error("the name of a branch is made of letters, digits and '._+-#', in parts joined by '/'")]
    Branch,
}

/// The problem in the words of catalogues.
fn name_problem(problem: &spin_catalogue::name::NameProblem) -> String {
    problem.to_string().replace("plugin names are", "names are")
}

impl PlaceError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "catalogue::bad-name",
            Self::Unprotected(_) => "catalogue::unprotected",
            Self::Url(_) | Self::Scheme { .. } | Self::Secret(_) | Self::Branch => "catalogue::bad-place",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_root_on_the_web_ends_with_a_slash() {
        let root = |text: &str| text.parse::<WebRoot>().unwrap().to_string();
        assert_eq!(root("https://example.org"), "https://example.org/");
        assert_eq!(root("https://example.org/a/b"), "https://example.org/a/b/");
        assert_eq!(root("https://example.org/a//"), "https://example.org/a/");
        assert_eq!(root("https://example.org/a/index.json"), "https://example.org/a/");
        let file = "https://example.org/a".parse::<WebRoot>().unwrap().file(&"manifests/x/x.json".parse().unwrap());
        assert_eq!(file.as_str(), "https://example.org/a/manifests/x/x.json");
        for bad in
            ["", "example.org", "ftp://x/", "file:///x", "https://u:p@x/", "https://x/?a", "https://x/#a", "https://"]
        {
            assert!(bad.parse::<WebRoot>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_can_be_changed_on_its_way_must_be_signed() {
        let name = || "x".parse::<CatalogueName>().unwrap();
        let signed = || Trust { require_signature: true, ..Trust::default() };
        let web = |url: &str, trust| CatalogueSource::web(name(), url.parse().unwrap(), trust);
        let git = |url: &str, trust| CatalogueSource::git(name(), url.parse().unwrap(), None, trust);
        assert_eq!(web("http://example.org/", Trust::default()).unwrap_err().code(), "catalogue::unprotected");
        assert!(web("http://example.org/", signed()).is_ok());
        for url in ["http://example.org/x", "git://example.org/x"] {
            assert_eq!(git(url, Trust::default()).unwrap_err().code(), "catalogue::unprotected");
            assert!(git(url, signed()).is_ok());
        }
        for url in ["https://example.org/", "http://127.0.0.1:1/"] {
            assert!(web(url, Trust::default()).is_ok(), "{url}");
        }
        for url in ["https://example.org/x", "a@b:c", "/x", "ssh://a/b"] {
            assert!(git(url, Trust::default()).is_ok(), "{url}");
        }
    }

    #[test]
    fn names_of_catalogues_are_safe_folders() {
        assert!("spin-1.x".parse::<CatalogueName>().is_ok());
        for bad in ["", ".", "..", "a/b", "A", "con", ".hidden", "a..b"] {
            assert_eq!(bad.parse::<CatalogueName>().unwrap_err().code(), "catalogue::bad-name", "{bad}");
        }
        let error = "Spin".parse::<CatalogueName>().unwrap_err().to_string();
        assert_eq!(error, "names are lower case; did you mean 'spin'?");
    }
}
