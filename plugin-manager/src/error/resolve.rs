//! [`ResolveError`]: why nothing can be started.

use std::path::PathBuf;

use spin_catalogue::{Platform, PluginName, Reason, ReleaseVersion, Sha256};

use super::{again_text, looked_text, nearest_text, version_text};
use crate::installed::Origin;
use crate::pins::PinnedFrom;
use crate::source::CatalogueError;
use crate::store::StoreError;

/// Why no executable can be given for a plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// A catalogue has a release that fits, but it is not installed.
    #[error(
        "plugin '{name}' is not installed; version {version} is available from catalogue '{catalogue}': \
         run `spin plugins install {name}`"
    )]
    Available {
        /// The plugin.
        name: PluginName,
        /// The version that would be installed.
        version: ReleaseVersion,
        /// The catalogue that has it.
        catalogue: String,
    },
    /// The plugin exists, installed or in a catalogue, but no release of it fits this host.
    #[error("plugin '{name}'{} {reason}{}", version_text(version.as_ref()), fits_text(name, reason, fits.as_ref()))]
    Incompatible {
        /// The plugin.
        name: PluginName,
        /// The release that came closest.
        version: Option<ReleaseVersion>,
        /// Why that one does not fit.
        reason: Box<Reason>,
        /// A release in a catalogue that would fit.
        fits: Option<ReleaseVersion>,
    },
    /// No such plugin, neither installed nor in a catalogue.
    #[error("there is no plugin '{name}'; {}{}", looked_text(catalogues), nearest_text(nearest.as_ref()))]
    Unknown {
        /// The name that was asked for.
        name: PluginName,
        /// The name that was probably meant.
        nearest: Option<PluginName>,
        /// The catalogues that were searched.
        catalogues: Vec<String>,
    },
    /// The executable is not what was installed.
    #[error(
        "{} is not the file that was installed as '{name}' {version}; it was changed or damaged, \
         run `{}` to repair it",
        path.display(),
        again_text(name, version, origin)
    )]
    Tampered {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: ReleaseVersion,
        /// Where it came from.
        origin: Origin,
        /// The executable.
        path: PathBuf,
    },
    /// The executable is gone.
    #[error(
        "{} is missing, the executable of '{name}' {version}; run `{}` to repair it",
        path.display(),
        again_text(name, version, origin)
    )]
    Missing {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: ReleaseVersion,
        /// Where it came from.
        origin: Origin,
        /// The executable.
        path: PathBuf,
    },
    /// The app is pinned to a release that is not installed.
    #[error(
        "this app is pinned to version {version} of plugin '{name}', which is not installed; {}",
        obtain_text(from)
    )]
    PinnedMissing {
        /// The plugin.
        name: PluginName,
        /// The version that it is pinned to.
        version: ReleaseVersion,
        /// Where the pin says that it is from.
        from: PinnedFrom,
    },
    /// The version that the app is pinned to is installed from another archive.
    #[error(
        "this app is pinned to version {version} of plugin '{name}' from the archive with SHA-256 {pinned}, \
         and installed is that version from another one ({found}); if you trust that one, `spin plugins lock` pins it"
    )]
    PinnedOther {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: ReleaseVersion,
        /// The digest in the pin.
        pinned: Sha256,
        /// The digest of what is installed.
        found: Sha256,
    },
    /// The pinned release has no archive for this platform.
    #[error(
        "this app is pinned to version {version} of plugin '{name}', which has no package for {platform}; \
         `spin plugins lock` pins one that has"
    )]
    PinnedPlatform {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: ReleaseVersion,
        /// This platform.
        platform: Platform,
    },
    /// The pinned release does not run here.
    #[error(
        "this app is pinned to version {version} of plugin '{name}', which {reason}; \
         `spin plugins lock` pins one that fits, if there is one"
    )]
    PinnedIncompatible {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: ReleaseVersion,
        /// Why it does not fit.
        reason: Box<Reason>,
    },
    /// A catalogue that was needed cannot be used.
    #[error("could not look for plugin '{name}' in catalogue '{catalogue}': {source}")]
    Catalogue {
        /// The plugin.
        name: PluginName,
        /// The catalogue.
        catalogue: String,
        /// What is wrong.
        source: Box<CatalogueError>,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ResolveError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Available { .. } => "plugin::not-installed",
            Self::Incompatible { reason, .. } => reason.code(),
            Self::Unknown { .. } => "plugin::unknown",
            Self::Tampered { .. } => "plugin::tampered",
            Self::Missing { .. } => "plugin::executable-missing",
            Self::PinnedMissing { .. } => "pins::not-installed",
            Self::PinnedOther { .. } => "pins::other-archive",
            Self::PinnedPlatform { .. } => "pins::no-package-for-platform",
            Self::PinnedIncompatible { .. } => "pins::incompatible",
            Self::Catalogue { source, .. } => source.code(),
            Self::Store(error) => error.code(),
        }
    }
}

fn obtain_text(from: &PinnedFrom) -> String {
    match from {
        PinnedFrom::Catalogue(_) => format!("`spin up --yes` installs it from {from}"),
        PinnedFrom::Manifest(url) => {
            let argument = shell_word(url.as_str());
            format!("it is in no catalogue: if you trust {url}, run `spin plugins install --url {argument}`")
        }
    }
}

/// A text that came with an app, as it can be pasted into a shell.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/@%+=,".contains(c);
    match text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

fn fits_text(name: &PluginName, reason: &Reason, fits: Option<&ReleaseVersion>) -> String {
    match (fits, reason.remedy()) {
        (Some(version), _) => format!("; version {version} fits: run `spin plugins install {name}`"),
        (None, Some(remedy)) => format!("; no other version that fits was found: {remedy}"),
        (None, None) => "; no other version that fits was found".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_shown_runs_nothing_else() {
        assert_eq!(shell_word("https://example.com/a-1.0/x.json"), "https://example.com/a-1.0/x.json");
        assert_eq!(shell_word("http://a/?x=$(id);'"), r"'http://a/?x=$(id);'\'''");
    }
}
