//! Versions of releases. Nearly all are semantic versions; two published manifests hold others ("0.1"), so those
//! are kept as text and rank below every semantic version.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest version text, in bytes.
pub const MAX_LEN: usize = 128;

/// The version of a release: `[A-Za-z0-9][A-Za-z0-9.+_-]*` without `..`, so that it is safe in a file name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseVersion {
    text: String,
    // Boxed because versions travel in errors, which should be small.
    semver: Option<Box<semver::Version>>,
}

impl ReleaseVersion {
    /// The version as its author wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The version as a semantic version, if it is one.
    pub fn semver(&self) -> Option<&semver::Version> {
        self.semver.as_deref()
    }

    /// Whether this is a semantic pre-release such as `1.0.0-rc.1`.
    pub fn is_prerelease(&self) -> bool {
        self.semver.as_ref().is_some_and(|version| !version.pre.is_empty())
    }
}

impl FromStr for ReleaseVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '_' | '-');
        let safe = text.len() <= MAX_LEN
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(allowed)
            && !text.contains("..")
            && !text.ends_with('.');
        if !safe {
            return Err(VersionError { text: crate::name::shown(text) });
        }
        Ok(Self { text: text.to_owned(), semver: text.parse().ok().map(Box::new) })
    }
}

impl From<semver::Version> for ReleaseVersion {
    /// A semantic version consists of path-safe characters only, so this cannot fail.
    fn from(version: semver::Version) -> Self {
        Self { text: version.to_string(), semver: Some(Box::new(version)) }
    }
}

impl TryFrom<String> for ReleaseVersion {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<ReleaseVersion> for String {
    fn from(version: ReleaseVersion) -> Self {
        version.text
    }
}

impl AsRef<str> for ReleaseVersion {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ReleaseVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

// `semver` orders build metadata too, so its order agrees with equality of the text.
impl Ord for ReleaseVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.semver.cmp(&other.semver).then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for ReleaseVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ReleaseVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ReleaseVersion {}

impl PartialEq<str> for ReleaseVersion {
    fn eq(&self, other: &str) -> bool {
        self.text == other
    }
}

impl PartialEq<&str> for ReleaseVersion {
    fn eq(&self, other: &&str) -> bool {
        self.text == *other
    }
}

/// A text that cannot be a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a version; use letters, digits, '.', '+', '_' and '-', as in 1.2.3")]
pub struct VersionError {
    text: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> ReleaseVersion {
        text.parse().unwrap()
    }

    #[test]
    fn ranks_numerically_and_puts_other_text_last() {
        let mut versions: Vec<_> = ["0.10.0", "0.1", "0.9.0", "1.0.0-rc.1", "1.0.0", "zulu"].map(version).into();
        versions.sort();
        let texts: Vec<_> = versions.iter().map(ReleaseVersion::as_str).collect();
        assert_eq!(texts, ["0.1", "zulu", "0.9.0", "0.10.0", "1.0.0-rc.1", "1.0.0"]);
    }

    #[test]
    fn refuses_text_that_is_not_safe_in_a_path() {
        let long = "1".repeat(129);
        for text in ["", ".", "..", "1..2", "1/2", "1\\2", "-1", ".1", "1.", "1 2", "1\0", &long, "１"] {
            assert!(text.parse::<ReleaseVersion>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_accepted_version_is_one_safe_path_component(text in "\\PC{0,20}|[A-Za-z0-9.+_/-]{0,20}") {
            if let Ok(version) = text.parse::<ReleaseVersion>() {
                let path = std::path::Path::new(version.as_str());
                prop_assert_eq!(path.components().count(), 1);
                prop_assert!(matches!(path.components().next(), Some(std::path::Component::Normal(_))));
            }
        }

        #[test]
        fn order_agrees_with_equality(a in "[0-2][.][0-2][.][0-2](-rc)?([+]b)?|[0-2]", b in "[0-2][.][0-2][.][0-2](-rc)?([+]b)?|[0-2]") {
            prop_assert_eq!(version(&a) == version(&b), a == b);
        }
    }
}
