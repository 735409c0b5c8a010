//! Choosing a release: which one fits this host, and if none does, a true reason.
//!
//! Pure functions over [`Release`]s; where those come from is not known here.

use std::fmt;

use semver::{Comparator, Op, Version, VersionReq};

use crate::compat::{self, Compatibility};
use crate::name::shown;
use crate::{Platform, Release, ReleaseVersion};

/// Whether `spinCompatibility` is obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompatibilityCheck {
    /// A plugin that says it does not work with this Spin is refused.
    Enforced,
    /// The user asked for it all the same (`--override-compatibility-check`).
    Overridden,
}

/// The host that a plugin shall run on.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    /// The public Spin version we are compatible with.
    pub spin: &'a Version,
    /// The platform to run on.
    pub platform: Platform,
    /// Trigger protocols that the host speaks; protocol 0 is always spoken and need not be listed.
    pub protocols: &'a [u32],
    /// Whether `spinCompatibility` is obeyed.
    pub compatibility: CompatibilityCheck,
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The versions that will do; `None` for the highest that is not a pre-release.
    pub version: Option<&'a VersionReq>,
    /// Where it shall run.
    pub host: Host<'a>,
}

/// Why a release does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Another version was asked for.
    Version {
        /// The requirement of the user.
        wanted: String,
    },
    /// A pre-release, and none was asked for.
    PreRelease,
    /// Withdrawn by its publisher.
    Yanked,
    /// There is no package for this platform.
    Platform {
        /// The platform of the host.
        wanted: Platform,
        /// The platforms there are packages for.
        offered: Vec<String>,
    },
    /// No trigger protocol in common.
    Protocol {
        /// Protocols of the plugin.
        offered: Vec<u32>,
        /// Protocols of the host.
        supported: Vec<u32>,
    },
    /// Made for another Spin.
    Compatibility {
        /// The plugin's `spinCompatibility`.
        requirement: String,
        /// The version of Spin we are compatible with.
        actual: Version,
    },
    /// `spinCompatibility` cannot be read.
    Unreadable {
        /// The plugin's `spinCompatibility`.
        requirement: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Reason {
    /// What would make the release fit, as a clause that stands by itself; `None` if nothing the user does would.
    ///
    /// It is about this reason only. That another release fits is for the caller to say, who knows the others (see
    /// [`Refusal::instead`]), and so is [overriding](Self::can_be_overridden).
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Version { .. } | Self::Yanked | Self::Unreadable { .. } => None,
            Self::PreRelease => Some("name its version to get it"),
            Self::Platform { .. } => Some("ask its author for such a package"),
            Self::Protocol { offered, supported } if offered.iter().max() > supported.iter().max() => {
                Some("update spin")
            }
            Self::Protocol { .. } => Some("ask its author for a version that speaks a newer one"),
            Self::Compatibility { requirement, actual } => wants_newer(requirement, actual).then_some("update spin"),
        }
    }

    /// Whether it is about `spinCompatibility`, which [`CompatibilityCheck::Overridden`] passes over.
    pub fn can_be_overridden(&self) -> bool {
        matches!(self, Self::Compatibility { .. } | Self::Unreadable { .. })
    }

    /// The stable code of this reason.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Version { .. } => "plugin::no-such-version",
            Self::PreRelease => "plugin::only-pre-release",
            Self::Yanked => "plugin::yanked",
            Self::Platform { .. } => "plugin::no-package-for-platform",
            Self::Protocol { .. } => "plugin::no-common-protocol",
            Self::Compatibility { .. } => "plugin::incompatible",
            Self::Unreadable { .. } => "plugin::bad-compatibility",
        }
    }
}

/// Continues a sentence that starts with the plugin and its version: "trigger-x 1.0.0 …".
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { wanted } => write!(f, "is not a version that matches {wanted}"),
            Self::PreRelease => write!(f, "is a pre-release"),
            Self::Yanked => write!(f, "was withdrawn by its publisher"),
            Self::Platform { wanted, offered } if offered.is_empty() => {
                write!(f, "has no package for {wanted}, nor for any other platform")
            }
            Self::Platform { wanted, offered } => {
                write!(f, "has no package for {wanted}, only for {}", shown(&offered.join(", ")))
            }
            Self::Protocol { offered, supported } => {
                write!(f, "speaks trigger protocol {}, this spin speaks {}", list(offered), list(supported))
            }
            Self::Compatibility { requirement, actual } => write!(f, "requires Spin {requirement}, this is {actual}"),
            Self::Unreadable { requirement, problem } => {
                write!(f, "has a spinCompatibility that cannot be read ({requirement:?}: {problem})")
            }
        }
    }
}

/// Whether a version of Spin above `actual` is what a requirement that `actual` does not fulfil asks for.
fn wants_newer(requirement: &str, actual: &Version) -> bool {
    let above = |part: &Comparator| {
        // `>4` means above every 4.x, and the others begin at 4.0.0.
        let absent = if part.op == Op::Greater { u64::MAX } else { 0 };
        let least = (part.major, part.minor.unwrap_or(absent), part.patch.unwrap_or(absent));
        !matches!(part.op, Op::Less | Op::LessEq) && least >= (actual.major, actual.minor, actual.patch)
    };
    let refused = |part: &&Comparator| !part.matches(actual);
    VersionReq::parse(requirement).is_ok_and(|wanted| wanted.comparators.iter().filter(refused).all(above))
}

fn list(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// No release fits. Names the one that came closest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The release that came closest; `None` if there was none at all.
    pub version: Option<ReleaseVersion>,
    /// Why that one does not fit.
    pub reason: Reason,
    /// The highest release that would fit if no particular version were asked for. Only set if one was.
    pub instead: Option<ReleaseVersion>,
}

/// Why a plugin with these properties does not run on `host`; `None` if it does.
///
/// `protocols` is empty if the plugin names none, which means the protocol without a channel, 0. That one is
/// always acceptable.
pub fn obstacle(spin_compatibility: &str, protocols: &[u32], host: &Host<'_>) -> Option<Reason> {
    let common = |protocol: &u32| *protocol == 0 || host.protocols.contains(protocol);
    if !protocols.is_empty() && !protocols.iter().any(common) {
        let mut supported = host.protocols.to_vec();
        supported.push(0);
        supported.sort_unstable();
        supported.dedup();
        return Some(Reason::Protocol { offered: protocols.to_vec(), supported });
    }
    if host.compatibility == CompatibilityCheck::Overridden {
        return None;
    }
    let requirement = spin_compatibility.to_owned();
    match compat::compare(spin_compatibility, host.spin) {
        Compatibility::Fits | Compatibility::PreRelease => None,
        Compatibility::Differs => Some(Reason::Compatibility { requirement, actual: host.spin.clone() }),
        Compatibility::Unreadable(problem) => Some(Reason::Unreadable { requirement, problem }),
    }
}

/// Why `release` does not answer `query`; `None` if it does. The order of the checks is the order of nearness:
/// a release that fails late came closer than one that fails early.
pub fn refuse(release: &Release, query: &Query<'_>) -> Option<Reason> {
    match query.version {
        // A version that is no semantic version matches no requirement.
        Some(wanted) if !release.version.semver().is_some_and(|version| wanted.matches(version)) => {
            return Some(Reason::Version { wanted: wanted.to_string() });
        }
        None if release.version.is_prerelease() => return Some(Reason::PreRelease),
        _ => {}
    }
    unfit(release, &query.host)
}

/// Why `release` is nothing for `host`, whichever version is asked for; `None` if it is fine.
pub fn unfit(release: &Release, host: &Host<'_>) -> Option<Reason> {
    if release.yanked {
        return Some(Reason::Yanked);
    }
    let wanted = host.platform;
    if !release.supports(wanted) {
        return Some(Reason::Platform { wanted, offered: release.platforms.clone() });
    }
    obstacle(&release.spin_compatibility, &release.protocols, host)
}

/// How far a release came before it was refused.
fn nearness(reason: &Reason) -> u8 {
    match reason {
        Reason::Version { .. } => 0,
        Reason::PreRelease => 1,
        Reason::Yanked => 2,
        Reason::Platform { .. } => 3,
        Reason::Protocol { .. } => 4,
        Reason::Compatibility { .. } | Reason::Unreadable { .. } => 5,
    }
}

/// The highest release that answers `query`, or why the one that came closest does not.
pub fn choose<'a>(releases: &'a [Release], query: &Query<'_>) -> Result<&'a Release, Box<Refusal>> {
    let mut nearest: Option<(u8, &Release, Reason)> = None;
    let mut best: Option<&Release> = None;
    for release in releases {
        match refuse(release, query) {
            None if best.is_none_or(|best| release.version > best.version) => best = Some(release),
            None => {}
            Some(reason) => {
                let near = nearness(&reason);
                let closer =
                    nearest.as_ref().is_none_or(|(other, held, _)| (near, &release.version) > (*other, &held.version));
                if closer {
                    nearest = Some((near, release, reason));
                }
            }
        }
    }
    let refusal = match (best, nearest) {
        (Some(best), _) => return Ok(best),
        (None, Some((_, release, reason))) => {
            let instead = query.version.and_then(|_| choose(releases, &Query { version: None, ..*query }).ok());
            let instead = instead.map(|release| release.version.clone());
            Refusal { version: Some(release.version.clone()), reason, instead }
        }
        (None, None) => {
            let wanted = query.version.map_or_else(|| "*".to_owned(), VersionReq::to_string);
            Refusal { version: None, reason: Reason::Version { wanted }, instead: None }
        }
    };
    Err(Box::new(refusal))
}

#[cfg(test)]
mod tests;
