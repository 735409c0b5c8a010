//! What is known on this machine of each configured catalogue.

use std::time::Duration;

use super::error::CatalogueError;
use super::open::open;
use super::place::CatalogueSource;
use crate::manager::PluginManager;
use crate::trust::KeyId;

/// A configured catalogue.
#[derive(Debug)]
#[non_exhaustive]
pub struct Catalogue {
    /// What was configured.
    pub source: CatalogueSource,
    /// What is known of it, or why it cannot be used.
    pub knowledge: Result<Knowledge, CatalogueError>,
}

/// What is known of a catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Knowledge {
    /// For how long nobody has asked whether it changed; `None` if it is read where it is.
    pub age: Option<Duration>,
    /// The serial of its index, if it has an index.
    pub serial: Option<u64>,
    /// The key that has signed its index, if signatures matter.
    pub signed_by: Option<KeyId>,
}

/// Opens every catalogue, without asking anybody.
pub(crate) fn status(manager: &PluginManager) -> Vec<Catalogue> {
    let now = manager.store.now();
    let know = |source: &CatalogueSource| {
        let opened = open(&manager.store, source)?;
        Ok(Knowledge {
            age: opened.fetched.map(|then| now.duration_since(then).unsigned_abs()),
            serial: opened.directory.index().map(|index| index.serial),
            signed_by: opened.index_key,
        })
    };
    let catalogues = manager.settings.catalogues.iter();
    catalogues.map(|source| Catalogue { source: source.clone(), knowledge: know(source) }).collect()
}
