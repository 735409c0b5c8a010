//! Bringing the local copies of catalogues up to date. The one part of this crate that asks for news.

use std::time::Duration;

use spin_catalogue::directory::DirectoryError;

use super::copy::{LocalCopy, Staged, State};
use super::error::CatalogueError;
use super::open::examine;
use super::place::{CatalogueSource, Place};
use super::{git, index};
use crate::manager::PluginManager;
use crate::progress::Progress;
use crate::settings::Network;

/// What came of refreshing one catalogue.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refreshed {
    /// The catalogue.
    pub catalogue: String,
    /// What came of it.
    pub outcome: Result<News, CatalogueError>,
    /// How old the knowledge is that there is now; `None` if there is none, or if the catalogue is read where it is.
    pub age: Option<Duration>,
}

/// What a refresh has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum News {
    /// It lies on this machine and is read where it is.
    Local,
    /// The copy is what its place has.
    Unchanged,
    /// The copy is a new one.
    Updated,
}

/// Brings the copies of all catalogues up to date, one after the other.
pub(crate) async fn refresh(manager: &PluginManager, progress: &dyn Progress) -> Vec<Refreshed> {
    let mut all = Vec::new();
    for source in &manager.settings.catalogues {
        let catalogue = source.name.clone();
        let Some(copy) = LocalCopy::of(&manager.store, &source.place) else {
            all.push(Refreshed { catalogue, outcome: Ok(News::Local), age: None });
            continue;
        };
        progress.start(&format!("asking {catalogue} for news"), None);
        let outcome = refresh_copy(manager, source, &copy).await;
        progress.finish();
        let fetched = copy.state().ok().flatten().map(|state| state.fetched);
        let age = fetched.map(|then| manager.store.now().duration_since(then).unsigned_abs());
        all.push(Refreshed { catalogue, outcome, age });
    }
    all
}

async fn refresh_copy(
    manager: &PluginManager,
    source: &CatalogueSource,
    copy: &LocalCopy,
) -> Result<News, CatalogueError> {
    if manager.settings.network == Network::Offline {
        return Err(CatalogueError::Offline);
    }
    let lock = copy.lock().await?;
    // A state that cannot be read is as good as none: everything in it can be had again.
    let known = copy.state().unwrap_or_default();
    let staged = copy.stage(&lock)?;
    let news = ask(manager, source, copy, known.as_ref(), &staged).await?;
    let now = manager.store.now();
    match (news, known) {
        (None, Some(state)) => {
            // It may have expired since.
            examine(&copy.tree(&state), &source.trust, now)?;
            copy.write(&lock, &state.confirmed(now))?;
            Ok(News::Unchanged)
        }
        (None, None) => Err(CatalogueError::NeverFetched),
        (Some(mark), known) => {
            let (directory, _) = examine(staged.folder(), &source.trust, now).map_err(|error| match error {
                // The file that the error names is about to be removed.
                CatalogueError::Directory(DirectoryError::Index(_, error)) => {
                    CatalogueError::Received { place: source.place.to_string(), source: error }
                }
                error => error,
            })?;
            let seen = known.as_ref().and_then(|state| state.serial);
            let found = directory.index().map(|index| index.serial);
            match (found, seen) {
                (Some(found), Some(seen)) if found < seen => return Err(CatalogueError::Older { found, seen }),
                // Without its index, nothing would tell an older catalogue from a newer one.
                (None, Some(seen)) => return Err(CatalogueError::Older { found: 0, seen }),
                _ => {}
            }
            copy.commit(&lock, staged, known.as_ref(), (mark, found, now))?;
            Ok(News::Updated)
        }
    }
}

/// Asks the place of a catalogue whether it has changed. If so, its files are in `staged` afterwards, and what tells
/// this version from the next is the answer.
async fn ask(
    manager: &PluginManager,
    source: &CatalogueSource,
    copy: &LocalCopy,
    known: Option<&State>,
    staged: &Staged,
) -> Result<Option<super::copy::Mark>, CatalogueError> {
    // A tree that somebody has removed is fetched again, whatever the state says.
    let known = known.filter(|state| copy.tree(state).is_dir());
    match &source.place {
        Place::Directory(_) => Ok(None),
        Place::Web { root, .. } => {
            let held = known.map(|state| (state.mark(), copy.tree(state)));
            index::fetch(root, &source.trust, &manager.web, held, staged.folder()).await
        }
        Place::Git { url, branch, .. } => {
            let revision = known.and_then(|state| state.revision.clone());
            git::fetch(url, branch.as_ref(), revision, staged.folder(), manager.settings.tie).await
        }
    }
}
