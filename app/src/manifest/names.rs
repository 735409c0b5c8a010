//! Names of code that is elsewhere: digests, packages, and the keys of dependencies.

use std::fmt;
use std::str::FromStr;

use semver::Version;

use super::ids::check_kebab;
use super::schema::DependencyName;

/// How many hexadecimal digits SHA-256 has.
pub(super) const DIGITS: usize = 64;

/// The SHA-256 digest of some bytes, written `sha256:` and 64 hexadecimal digits.
///
/// ```
/// use spin_app_model::manifest::Digest;
///
/// let digest: Digest = format!("sha256:{}", "0A".repeat(32)).parse()?;
/// assert_eq!(digest.hex(), "0a".repeat(32));
/// assert_eq!("abc".parse::<Digest>().unwrap_err(), "it must start with `sha256:`");
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// The digits alone, in lower case: safe as a file name.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("sha256:").ok_or("it must start with `sha256:`")?;
        match digits.len() {
            DIGITS if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => Ok(Self(digits.to_ascii_lowercase())),
            _ => Err(format!("`sha256:` must be followed by {DIGITS} hexadecimal digits")),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

/// The name of a package in a registry, `NAMESPACE:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName {
    namespace: String,
    name: String,
}

impl PackageName {
    /// The part before the colon.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The part behind the colon.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for PackageName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (namespace, name) = text.split_once(':').ok_or("it must have the form `namespace:name`")?;
        for (part, what) in [(namespace, "namespace"), (name, "name")] {
            check_kebab(part).map_err(|reason| format!("in its {what}, {reason}"))?;
        }
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.namespace, self.name)
    }
}

impl FromStr for DependencyName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains([':', '/']) {
            check_kebab(text)?;
            return Ok(Self::Plain(text.to_owned()));
        }
        let (path, version) = text.split_once('@').map_or((text, None), |(path, version)| (path, Some(version)));
        let (package, interface) = path.split_once('/').map_or((path, None), |(package, name)| (package, Some(name)));
        if let Some(interface) = interface {
            check_kebab(interface).map_err(|reason| format!("in its interface, {reason}"))?;
        }
        let version = version.map(|version| {
            Version::parse(version).map_err(|error| format!("its version must be complete, as in `@1.2.3`: {error}"))
        });
        Ok(Self::Package {
            package: package.parse()?,
            interface: interface.map(str::to_owned),
            version: version.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_of_dependencies_have_five_forms() {
        for text in ["acme:sum", "acme:sum@1.2.3", "acme:sum/add", "acme:sum/add@1.2.3-rc.1", "plain-name"] {
            assert_eq!(text.parse::<DependencyName>().unwrap().to_string(), text);
        }
        let reason = |text: &str| text.parse::<DependencyName>().unwrap_err();
        assert_eq!(reason("a_b"), "words must be separated with '-', not '_'");
        assert_eq!(reason("sum/add"), "it must have the form `namespace:name`");
        assert_eq!(reason("acme:"), "in its name, it is empty");
        assert_eq!(reason("acme:sum/"), "in its interface, it is empty");
        assert!(reason("acme:sum@1").starts_with("its version must be complete, as in `@1.2.3`"));
        assert_eq!(reason("a@1.0.0"), "words may only have letters and digits, not '@'");
    }

    #[test]
    fn digests_are_lower_case_whatever_was_written() {
        let digest: Digest = format!("sha256:{}", "AB".repeat(32)).parse().unwrap();
        assert_eq!(digest.to_string(), format!("sha256:{}", "ab".repeat(32)));
        let odd = format!("sha256:{}", "é".repeat(32));
        for text in ["", "sha256", "sha512:00", "sha256:00", &format!("sha256:{}", "g".repeat(64)), &odd] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "[a-z:/@.1-]{0,16}") {
            if let Ok(name) = text.parse::<DependencyName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
