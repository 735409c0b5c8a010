//! Asking the configured catalogues for a plugin.
//!
//! They are asked in order and the first one with a release that fits decides: a name in a private catalogue must
//! not be taken over by a higher version in a public one. For the same reason one that cannot be read is an error
//! and not a reason to go on to the next.

use spin_catalogue::directory::DirectoryError;
use spin_catalogue::nearest::nearest;
use spin_catalogue::resolve::choose;
use spin_catalogue::{Directory, PluginName, Query, Refusal, Release};

use crate::error::InstallError;
use crate::settings::CatalogueSource;

/// A release that fits, and where it was found.
pub(crate) struct Offer {
    /// The name of the catalogue.
    pub(crate) catalogue: String,
    /// The catalogue.
    pub(crate) directory: Directory,
    /// The release.
    pub(crate) release: Release,
}

/// Why there is no [`Offer`].
pub(crate) enum NoOffer {
    /// No catalogue has a plugin of this name.
    Unknown { nearest: Option<PluginName>, catalogues: Vec<String> },
    /// There are releases, but none that fits.
    Refused(Box<Refusal>),
    /// A catalogue cannot be used.
    Broken { catalogue: String, source: Box<DirectoryError> },
}

/// Looks for `name` in `catalogues`.
pub(crate) fn offer(catalogues: &[CatalogueSource], name: &PluginName, query: &Query<'_>) -> Result<Offer, NoOffer> {
    let mut refusal = None;
    let mut opened = Vec::new();
    for source in catalogues {
        let broken = |error| NoOffer::Broken { catalogue: source.name.clone(), source: Box::new(error) };
        let directory = Directory::open(&source.path).map_err(broken)?;
        let mut listing = directory.releases(name).map_err(broken)?;
        match choose(&listing.releases, query) {
            Ok(release) => {
                return Ok(Offer { catalogue: source.name.clone(), release: release.clone(), directory });
            }
            Err(why) if why.version.is_some() => refusal = refusal.or(Some(why)),
            // There are manifests, and not one can be read: that is not "unknown".
            Err(_) if !listing.skipped.is_empty() => return Err(broken(listing.skipped.swap_remove(0))),
            Err(_) => {}
        }
        opened.push(directory);
    }
    match refusal {
        Some(refusal) => Err(NoOffer::Refused(refusal)),
        None => {
            let known: Vec<_> = opened.iter().filter_map(|directory| directory.names().ok()).flatten().collect();
            let nearest = nearest(name.as_str(), known.iter().map(PluginName::as_str));
            let nearest = nearest.and_then(|found| known.iter().find(|name| name.as_str() == found)).cloned();
            let catalogues = catalogues.iter().map(|source| source.name.clone()).collect();
            Err(NoOffer::Unknown { nearest, catalogues })
        }
    }
}

impl From<(PluginName, NoOffer)> for InstallError {
    fn from((name, none): (PluginName, NoOffer)) -> Self {
        match none {
            NoOffer::Unknown { nearest, catalogues } => Self::Unknown { name, nearest, catalogues },
            NoOffer::Refused(refusal) => {
                let Refusal { version, reason, instead, .. } = *refusal;
                Self::Refused { name, version, reason: Box::new(reason), instead }
            }
            NoOffer::Broken { catalogue, source } => Self::Catalogue { catalogue, source },
        }
    }
}
