//! [`GitUrl`] and [`GitBranch`]: what the program `git` may be told, and nothing that it would take for something else.

use std::fmt;
use std::str::FromStr;

use url::Url;

use super::{PlaceError, no_secrets};

/// A git repository, as the program `git` may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GitUrl {
    /// `https:`, `ssh:`, `file:`, and, where signatures are required, `http:` and `git:`.
    Url(Url),
    /// `user@host:path`, which means ssh.
    Ssh(String),
}

impl GitUrl {
    /// The transport, as `GIT_ALLOW_PROTOCOL` calls it.
    pub(crate) fn protocol(&self) -> &str {
        match self {
            Self::Url(url) => url.scheme(),
            Self::Ssh(_) => "ssh",
        }
    }
}

impl FromStr for GitUrl {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let refused = |problem: &str| Err(PlaceError::Url(problem.to_owned()));
        if text.starts_with('-') {
            return refused("it begins with '-', as options do");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return refused("it has spaces or control characters in it");
        }
        if text.starts_with('/') {
            return Url::from_file_path(text).map(Self::Url).or_else(|()| refused("it is no path"));
        }
        // `ext::…` and its kin run another program.
        let scheme = text.split(':').next().unwrap_or_default();
        if text[scheme.len()..].starts_with("::") {
            return Err(PlaceError::Scheme { scheme: format!("{scheme}:"), known: "https, ssh and file" });
        }
        if text[scheme.len()..].starts_with("://") {
            let url = Url::parse(text).map_err(|error| PlaceError::Url(error.to_string()))?;
            if !matches!(url.scheme(), "https" | "http" | "ssh" | "git" | "file") {
                return Err(PlaceError::Scheme { scheme: url.scheme().to_owned(), known: "https, ssh and file" });
            }
            if url.scheme() == "ssh" {
                // The user's name is no secret there.
                let option = url.username().starts_with('-') || url.host_str().is_none_or(|host| host.starts_with('-'));
                if option || url.password().is_some() {
                    return refused("its user or host begins with '-', or it holds a password");
                }
            } else {
                no_secrets(&url)?;
            }
            if url.scheme() == "file" && url.to_file_path().is_err() {
                return refused("a file: url has three slashes and a path");
            }
            return Ok(Self::Url(url));
        }
        let Some((place, path)) = text.split_once(':') else {
            return refused("it is neither a url nor user@host:path");
        };
        let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
        let plain = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@'))
        };
        if !plain(place) || !plain(host) || path.is_empty() || path.starts_with('-') {
            return refused("it is neither a url nor user@host:path");
        }
        Ok(Self::Ssh(text.to_owned()))
    }
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(f),
            Self::Ssh(text) => text.fmt(f),
        }
    }
}

/// The name of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitBranch(String);

impl GitBranch {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GitBranch {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let part = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-' | '#'))
                && !part.contains("..")
                && !part.ends_with('.')
                && !part.ends_with(".lock")
        };
        match text.len() <= 200 && text.split('/').all(part) {
            true => Ok(Self(text.to_owned())),
            false => Err(PlaceError::Branch),
        }
    }
}

impl fmt::Display for GitBranch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn options_and_other_programs_cannot_be_smuggled_into_git() {
        for good in [
            "https://github.com/spinframework/spin-plugins",
            "ssh://git@example.org:22/a.git",
            "file:///srv/a.git",
            "/srv/a.git",
            "git@example.org:a/b.git",
            "example.org:a.git",
            "git://example.org/a",
        ] {
            assert!(good.parse::<GitUrl>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-",
            "--upload-pack=touch /tmp/x",
            "-uxxx",
            "ext::sh -c touch% /tmp/x",
            "ext::sh",
            "fd::7",
            "transport::address",
            "ftp://example.org/a",
            "rsync://example.org/a",
            "ssh://-oProxyCommand=touch/x",
            "ssh://-l@example.org/x",
            "ssh://git:secret@example.org/x",
            "https://user:secret@example.org/x",
            "https://token@example.org/x",
            "-oProxyCommand=x:y",
            "git@-oProxyCommand=x:y",
            "git@host:-x",
            "host:",
            "a b:c",
            "https://example.org/a b",
            "https://example.org/\n",
            "relative/path",
            "file://host/share",
        ] {
            assert!(bad.parse::<GitUrl>().is_err(), "{bad}");
        }
        for good in ["main", "release/1.x", "fix-#12", "_x"] {
            assert!(good.parse::<GitBranch>().is_ok(), "{good}");
        }
        for bad in ["", "-", "--upload-pack=x", "a..b", "a b", "a/", "/a", "a//b", ".a", "a.lock", "a~1", "a:b", "@{1}"]
        {
            assert!(bad.parse::<GitBranch>().is_err(), "{bad}");
        }
    }
}
