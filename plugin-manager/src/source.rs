//! Asking the configured catalogues for a plugin.
//!
//! They are asked in order and the first one with a release that fits decides: a name in a private catalogue must
//! not be taken over by a higher version in a public one. For the same reason one that cannot be read is an error
//! and not a reason to go on to the next.
//!
//! Asking uses no network. Catalogues that lie elsewhere are read from local copies.
//!
//! | module | what |
//! |---|---|
//! | `place` | [`CatalogueSource`]: what a catalogue is called, where it is, who must have signed it |
//! | `open` | opening it: copy, signature, expiry; its manifests |
//! | `copy` | what is kept of it on this machine |
//! | `refresh` | bringing copies up to date, by `index` from the web and by `git` from repositories |
//! | `status` | what is known of each |
//! | `error` | [`CatalogueError`] |

mod copy;
mod error;
mod git;
mod index;
mod open;
mod place;
mod refresh;
mod status;

use spin_catalogue::nearest::nearest;
use spin_catalogue::resolve::choose;
use spin_catalogue::{PluginName, Query, Refusal, Release};

pub use error::CatalogueError;
pub(crate) use open::{Base, Manifest, Opened, open};
pub(crate) use place::beside;
pub use place::{CatalogueName, CatalogueSource, GitBranch, GitUrl, Place, PlaceError, WebRoot};
pub(crate) use refresh::refresh;
pub use refresh::{News, Refreshed};
pub(crate) use status::status;
pub use status::{Catalogue, Knowledge};

use crate::error::InstallError;
use crate::store::Store;

/// A release that fits, and where it was found.
pub(crate) struct Offer {
    /// The name of the catalogue.
    pub(crate) catalogue: String,
    /// The catalogue.
    pub(crate) opened: Opened,
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
    Broken { catalogue: String, source: Box<CatalogueError> },
}

/// Looks for `name` in `catalogues`.
pub(crate) fn offer(
    store: &Store,
    catalogues: &[CatalogueSource],
    name: &PluginName,
    query: &Query<'_>,
) -> Result<Offer, NoOffer> {
    let mut refusal = None;
    let mut others = Vec::new();
    for source in catalogues {
        let broken = |error| NoOffer::Broken { catalogue: source.name.clone(), source: Box::new(error) };
        let opened = open(store, source).map_err(broken)?;
        let mut listing = opened.directory.releases(name).map_err(|error| broken(error.into()))?;
        match choose(&listing.releases, query) {
            Ok(release) => {
                return Ok(Offer { catalogue: source.name.clone(), release: release.clone(), opened });
            }
            Err(why) if why.version.is_some() => refusal = refusal.or(Some(why)),
            // There are manifests, and not one can be read: that is not "unknown".
            Err(_) if !listing.skipped.is_empty() => return Err(broken(listing.skipped.swap_remove(0).into())),
            Err(_) => {}
        }
        others.push(opened);
    }
    match refusal {
        Some(refusal) => Err(NoOffer::Refused(refusal)),
        None => {
            let known: Vec<_> = others.iter().filter_map(|opened| opened.directory.names().ok()).flatten().collect();
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

#[cfg(test)]
mod tests;
