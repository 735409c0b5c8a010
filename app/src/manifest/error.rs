//! Why there is no manifest.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::needs::Needs;
use crate::document::{Invalid, Position, Problem, did_you_mean, quoted};

/// How many profiles are named to somebody who asked for one that is not there.
const PROFILES_NAMED: usize = 20;

/// Why there is no manifest.
///
/// Printed, what is wrong with the text is one line `PATH:LINE:COLUMN: MESSAGE` for each problem.
#[derive(Debug)]
#[non_exhaustive]
pub enum ManifestError {
    /// The file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file can be read and is not a valid manifest.
    Invalid(Invalid),
    /// It is asked for a profile that no component has.
    UnknownProfile {
        /// The file.
        path: PathBuf,
        /// The profile asked for.
        profile: String,
        /// The profiles that there are.
        known: Vec<String>,
    },
    /// It needs code or files that nobody has got for it.
    Unresolved {
        /// The file.
        path: PathBuf,
        /// What is missing.
        needs: Needs,
    },
}

impl ManifestError {
    /// The manifest in question.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Invalid(invalid) => &invalid.path,
            Self::Read { path, .. } | Self::UnknownProfile { path, .. } | Self::Unresolved { path, .. } => path,
        }
    }

    /// Everything that is wrong with the text; empty if something else is wrong.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Invalid(invalid) => &invalid.problems,
            _ => &[],
        }
    }

    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "manifest::read",
            Self::Invalid(_) => "manifest::invalid",
            Self::UnknownProfile { .. } => "manifest::unknown-profile",
            Self::Unresolved { .. } => "manifest::unresolved",
        }
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, .. } => write!(f, "cannot read the manifest {path:?}"),
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::UnknownProfile { path, profile, known } => {
                write!(f, "{}: no component has a profile {}", path.display(), quoted(profile))?;
                match did_you_mean(profile, known.iter().map(String::as_str)) {
                    Some(help) => write!(f, "\n  help: {help}"),
                    None if known.is_empty() => write!(f, "\n  help: leave the profile out; there are none"),
                    None => {
                        let more = if known.len() > PROFILES_NAMED { " and others" } else { "" };
                        let known: Vec<_> = known.iter().take(PROFILES_NAMED).map(|name| quoted(name)).collect();
                        write!(f, "\n  help: the profiles are {}{more}", known.join(", "))
                    }
                }
            }
            Self::Unresolved { path, needs } => {
                for (index, (at, what)) in needs.described().enumerate() {
                    let separator = if index == 0 { "" } else { "\n" };
                    let Position { line, column } = at;
                    write!(f, "{separator}{}:{line}:{column}: {what} must be got before locking", path.display())?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ManifestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<Invalid> for ManifestError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}
