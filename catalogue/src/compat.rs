//! `spinCompatibility`: which versions of Spin a plugin says it works with.
//!
//! The requirement is always compared with the *public* Spin version whose contract we implement, never with the
//! number of our own release.

use semver::{Version, VersionReq};

/// What comparing a requirement with a version of Spin gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compatibility {
    /// The version fulfils the requirement.
    Fits,
    /// The version is a pre-release that the requirement does not name. Pre-releases are let through: semantic
    /// versioning never matches them against an ordinary requirement, and their testers know what they run.
    PreRelease,
    /// The version does not fulfil the requirement.
    Differs,
    /// The requirement cannot be read, for the reason given.
    Unreadable(String),
}

impl Compatibility {
    /// Whether a plugin with this outcome may run.
    pub fn permits(&self) -> bool {
        matches!(self, Self::Fits | Self::PreRelease)
    }
}

/// Compares the `spinCompatibility` of a plugin with a version of Spin.
///
/// ```
/// use spin_catalogue::compat::{Compatibility, compare};
///
/// let spin = semver::Version::new(4, 0, 2);
/// assert_eq!(compare(">=2.0", &spin), Compatibility::Fits);
/// assert_eq!(compare("<4", &spin), Compatibility::Differs);
/// ```
pub fn compare(requirement: &str, spin: &Version) -> Compatibility {
    match VersionReq::parse(requirement) {
        Err(error) => Compatibility::Unreadable(error.to_string()),
        Ok(requirement) if requirement.matches(spin) => Compatibility::Fits,
        Ok(_) if !spin.pre.is_empty() => Compatibility::PreRelease,
        Ok(_) => Compatibility::Differs,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_table_of_the_public_contract() {
        use Compatibility::{Differs, Fits, PreRelease};
        for (spin, requirement, expected) in [
            ("4.0.2", ">=2.2", Fits),
            ("4.0.2", ">=2.0", Fits),
            ("4.0.2", ">=4.0.2", Fits),
            ("4.0.2", "<4", Differs),
            ("4.0.2", ">=5", Differs),
            ("4.0.2", ">=2.2, <6", Fits),
            ("4.0.2", "1.2", Differs),
            ("1.8.0", ">=1.2.3, <1.8.0", Differs),
            ("0.4.9", "=0.4", Fits),
            ("4.1.0-pre0", ">=2.2", PreRelease),
            ("4.1.0-pre0", ">=4.1.0-pre0", Fits),
        ] {
            assert_eq!(compare(requirement, &spin.parse().unwrap()), expected, "{requirement} with {spin}");
        }
    }

    #[test]
    fn an_unreadable_requirement_never_permits() {
        let spin = Version::new(4, 0, 2);
        for requirement in ["v1.2", ">=1 || <0.5", "", ">=1.2.3.4", "anything"] {
            assert!(matches!(compare(requirement, &spin), Compatibility::Unreadable(_)), "{requirement:?}");
        }
        assert!(!compare(">=x", &"4.1.0-pre0".parse().unwrap()).permits());
    }
}
