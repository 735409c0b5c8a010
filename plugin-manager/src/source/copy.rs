//! [`LocalCopy`]: what is kept on this machine of a catalogue that lies elsewhere.
//!
//! ```text
//! <data>/plugin-store/v1/
//!   catalogues/NAME/state.json     where the copy is from, since when, and which tree counts
//!   catalogues/NAME/tree-N/        the catalogue's files; its index never changes once it has this name
//!   catalogues/NAME/manifests/     manifests from the web that were needed once, each under its digest
//!   catalogues/NAME/.incoming/     a refresh that is under way, or was killed
//!   catalogue-locks/NAME           locked while the copy is refreshed; never deleted
//! ```
//!
//! Replacing `state.json` is what makes a new tree count, so index and signature change together and a killed refresh
//! leaves the old knowledge. Reading takes no lock: the tree before the current one is kept for those who read it yet.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::CatalogueError;
use super::place::Place;
use crate::store::{Lock, Locking, Store, StoreError, make_dir, sync_dir, write_durably};

/// The newest schema that is read, and the one that is written.
const SCHEMA: u64 = 1;

/// The largest state that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

const STATE: &str = "state.json";
const INCOMING: &str = ".incoming";

/// What is known about a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    schema: u64,
    /// The place it is a copy of. A copy of another place is none.
    place: String,
    /// The number of the tree that counts.
    tree: u64,
    /// When it was last known to be what the place has.
    pub(crate) fetched: Timestamp,
    /// What the server called this version of the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) etag: Option<String>,
    /// When the server said that the index was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_modified: Option<String>,
    /// The commit that the tree is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<String>,
    /// The highest serial that the index ever had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) serial: Option<u64>,
}

/// How a version of a catalogue is recognised without getting it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    pub(crate) revision: Option<String>,
}

impl State {
    /// The same, known to be what the place has `now`.
    pub(crate) fn confirmed(self, now: Timestamp) -> Self {
        Self { fetched: now, ..self }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { etag: self.etag.clone(), last_modified: self.last_modified.clone(), revision: self.revision.clone() }
    }
}

/// The copy of one catalogue.
#[derive(Clone, Debug)]
pub(crate) struct LocalCopy {
    folder: PathBuf,
    lock: PathBuf,
    place: String,
}

impl LocalCopy {
    /// The copy of the catalogue at `place`; `None` if it is read where it is. Touches no file.
    pub(crate) fn of(store: &Store, place: &Place) -> Option<Self> {
        let copy = match place {
            Place::Directory(_) => return None,
            Place::Web { copy, .. } | Place::Git { copy, .. } => copy,
        };
        let folder = store.root().join("catalogues").join(copy.as_str());
        let lock = store.root().join("catalogue-locks").join(copy.as_str());
        Some(Self { folder, lock, place: place.to_string() })
    }

    /// What is known about the copy; `None` if there is none of this place.
    pub(crate) fn state(&self) -> Result<Option<State>, CatalogueError> {
        // The number is read first: everything else may differ in a newer schema.
        #[derive(Deserialize)]
        struct Probe {
            schema: u64,
        }
        let path = self.folder.join(STATE);
        let failed = |error| StoreError::io("read", &path, error);
        let mut json = Vec::new();
        match fs::File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?.take(MAX_BYTES).read_to_end(&mut json).map_err(failed)?,
        };
        let bad = |problem: String| CatalogueError::State { path: path.clone(), problem };
        let Probe { schema } = serde_json::from_slice(&json).map_err(|error| bad(error.to_string()))?;
        if schema != SCHEMA {
            return Err(bad(format!("it has schema {schema}, and this version of spin knows schema {SCHEMA}")));
        }
        let state: State = serde_json::from_slice(&json).map_err(|error| bad(error.to_string()))?;
        Ok((state.place == self.place).then_some(state))
    }

    /// The folder with the files of the catalogue.
    pub(crate) fn tree(&self, state: &State) -> PathBuf {
        self.tree_of(state.tree)
    }

    /// The folder of manifests that were needed once.
    pub(crate) fn manifests(&self) -> PathBuf {
        self.folder.join("manifests")
    }

    fn tree_of(&self, number: u64) -> PathBuf {
        self.folder.join(format!("tree-{number}"))
    }

    /// Waits until nobody else refreshes the copy.
    pub(crate) async fn lock(&self) -> Result<Lock, StoreError> {
        make_dir(self.lock.parent().unwrap_or(&self.lock))?;
        match Lock::begin(self.lock.clone())? {
            Locking::Held(lock) => Ok(lock),
            Locking::Busy(waiting) => {
                let task = tokio::task::spawn_blocking(move || waiting.wait());
                task.await.map_err(|error| StoreError::Aborted(error.to_string()))?
            }
        }
    }

    /// An empty folder for the files of a new version.
    pub(crate) fn stage(&self, _lock: &Lock) -> Result<Staged, StoreError> {
        let folder = self.folder.join(INCOMING);
        make_dir(&self.folder)?;
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove", &folder, error));
            }
            _ => {}
        }
        make_dir(&folder)?;
        Ok(Staged(folder))
    }

    /// Makes the files in `staged` the ones that count.
    pub(crate) fn commit(
        &self,
        lock: &Lock,
        staged: Staged,
        before: Option<&State>,
        (mark, serial, now): (Mark, Option<u64>, Timestamp),
    ) -> Result<State, StoreError> {
        let numbers = self.trees()?;
        let tree = numbers.iter().max().map_or(1, |highest| highest + 1);
        let folder = self.tree_of(tree);
        fs::rename(&staged.0, &folder).map_err(|error| StoreError::io("make", &folder, error))?;
        sync_dir(&self.folder)?;
        let Mark { etag, last_modified, revision } = mark;
        let place = self.place.clone();
        let state = State { schema: SCHEMA, place, tree, fetched: now, etag, last_modified, revision, serial };
        self.write(lock, &state)?;
        let previous = before.map(|before| before.tree);
        for old in numbers.into_iter().filter(|number| Some(*number) != previous) {
            // Best effort: the next refresh tries again.
            let _ = fs::remove_dir_all(self.tree_of(old));
        }
        Ok(state)
    }

    /// Replaces the state.
    pub(crate) fn write(&self, _lock: &Lock, state: &State) -> Result<(), StoreError> {
        let mut json = serde_json::to_string_pretty(state).expect("a state is plain data");
        json.push('\n');
        write_durably(&self.folder, STATE, json.as_bytes())
    }

    /// The numbers of all trees.
    fn trees(&self) -> Result<Vec<u64>, StoreError> {
        let failed = |error| StoreError::io("list", &self.folder, error);
        let mut numbers = Vec::new();
        for item in fs::read_dir(&self.folder).map_err(failed)? {
            let name = item.map_err(failed)?.file_name();
            numbers.extend(name.to_str().and_then(|name| name.strip_prefix("tree-")?.parse::<u64>().ok()));
        }
        Ok(numbers)
    }
}

/// Files of a catalogue that do not count yet. Dropping them removes them.
#[derive(Debug)]
pub(crate) struct Staged(PathBuf);

impl Staged {
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a commit there is nothing of this name. Else best effort: the next refresh removes what is left.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::Trust;
    use crate::source::CatalogueSource;
    use crate::testing::{World, runtime};

    const GOLDEN: &str = include_str!("../../tests/data/formats/v1/catalogue-state.json");

    fn copy(world: &World, url: &str) -> LocalCopy {
        let source = CatalogueSource::web("demo".parse().unwrap(), url.parse().unwrap(), Trust::default()).unwrap();
        LocalCopy::of(&world.manager().store, &source.place).unwrap()
    }

    #[test]
    fn the_golden_state_is_read_and_written_byte_for_byte() {
        let world = World::new();
        let copy = copy(&world, "https://example.org/catalogue");
        assert_eq!(copy.state().unwrap(), None);
        fs::create_dir_all(&copy.folder).unwrap();
        fs::write(copy.folder.join(STATE), GOLDEN).unwrap();
        let state = copy.state().unwrap().unwrap();
        assert_eq!((state.tree, state.serial), (3, Some(7)));
        let lock = runtime().block_on(copy.lock()).unwrap();
        copy.write(&lock, &state).unwrap();
        assert_eq!(fs::read_to_string(copy.folder.join(STATE)).unwrap(), GOLDEN);
    }

    #[test]
    fn a_copy_of_another_place_is_none_and_a_bad_state_is_named() {
        let world = World::new();
        let copy = copy(&world, "https://other.example/catalogue");
        fs::create_dir_all(&copy.folder).unwrap();
        fs::write(copy.folder.join(STATE), GOLDEN).unwrap();
        assert_eq!(copy.state().unwrap(), None);
        for bad in ["", "{}", r#"{"schema":2}"#, "[]"] {
            fs::write(copy.folder.join(STATE), bad).unwrap();
            let error = copy.state().unwrap_err();
            assert_eq!(error.code(), "catalogue::bad-state", "{bad}");
            assert!(error.to_string().contains("state.json"), "{error}");
        }
    }

    #[test]
    fn a_new_tree_counts_at_once_and_the_one_before_stays_for_its_readers() {
        let world = World::new();
        let copy = copy(&world, "https://example.org/catalogue");
        let lock = runtime().block_on(copy.lock()).unwrap();
        let mut before = None;
        for number in 1..=4 {
            let staged = copy.stage(&lock).unwrap();
            fs::write(staged.folder().join("index.json"), number.to_string()).unwrap();
            let news = (Mark::default(), Some(number), Timestamp::UNIX_EPOCH);
            before = Some(copy.commit(&lock, staged, before.as_ref(), news).unwrap());
        }
        let state = copy.state().unwrap().unwrap();
        assert_eq!(fs::read_to_string(copy.tree(&state).join("index.json")).unwrap(), "4");
        let mut trees = copy.trees().unwrap();
        trees.sort_unstable();
        assert_eq!(trees, [3, 4]);
        // What is given up leaves nothing.
        drop(copy.stage(&lock).unwrap());
        assert!(!copy.folder.join(INCOMING).exists());
    }
}
