//! Collecting garbage: versions that nobody uses any more, and what unfinished work has left.
//!
//! A version is kept if it is the one that is used, or the one that was chosen even if it does not fit at the moment, or
//! if it was installed or started within the last thirty days: apps may be pinned to versions that are not active.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use spin_catalogue::{PluginName, ReleaseVersion};

use crate::install::lock;
use crate::manager::PluginManager;
use crate::progress::Progress;
use crate::remove;
use crate::resolve::in_use;
use crate::store::{Record, Release, StoreError};

/// How long a version that is not active is kept after it was last started.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Whether garbage is removed or only looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collection {
    /// It is removed.
    Remove,
    /// It is looked for. What another `spin` is working on this very moment is taken for garbage.
    DryRun,
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Garbage {
    /// Versions that nobody uses, by name.
    pub releases: Vec<Unused>,
    /// Files and folders that no record knows.
    pub leftovers: Vec<PathBuf>,
    /// The bytes of all of it.
    pub bytes: u64,
}

/// A version that nobody uses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unused {
    /// The plugin.
    pub name: PluginName,
    /// The version.
    pub version: ReleaseVersion,
    /// When it was installed or last started, up to a day too early.
    pub last_used: jiff::Timestamp,
    /// The bytes of its files.
    pub bytes: u64,
}

/// Collects the garbage of all plugins.
pub(crate) async fn collect(
    manager: &PluginManager,
    collection: Collection,
    progress: &dyn Progress,
) -> Result<Garbage, StoreError> {
    let store = &manager.store;
    let mut garbage = Garbage::default();
    let names: BTreeSet<_> = store.names()?.into_iter().chain(store.folders()?).collect();
    for name in names {
        // Only a plugin that has garbage is locked.
        let found = of_plugin(manager, &store.record(&name)?)?;
        if found == Garbage::default() {
            continue;
        }
        let found = match collection {
            Collection::DryRun => found,
            Collection::Remove => {
                let lock = lock(store, &name, progress).await?;
                let manager = manager.clone();
                let task = tokio::task::spawn_blocking(move || {
                    let mut record = manager.store.record(&name)?;
                    // Again, for somebody may have changed it while we waited.
                    let found = of_plugin(&manager, &record)?;
                    let unused = |held: &Release| found.releases.iter().any(|unused| unused.version == held.version);
                    match record.remove(unused).is_empty() {
                        true => remove::sweep(&manager.store, &lock, &record)?,
                        false => remove::replace(&manager.store, &lock, &record)?,
                    }
                    Ok::<_, StoreError>(found)
                });
                task.await.map_err(|error| StoreError::Aborted(error.to_string()))??
            }
        };
        garbage.releases.extend(found.releases);
        garbage.leftovers.extend(found.leftovers);
        garbage.bytes += found.bytes;
    }
    Ok(garbage)
}

fn of_plugin(manager: &PluginManager, record: &Record) -> Result<Garbage, StoreError> {
    let PluginManager { settings, store, .. } = manager;
    let now = SystemTime::from(store.now());
    // Where nothing fits, the version that would be tried first is still worth more than nothing.
    let active = in_use(settings, record).or(record.by_preference().first().copied());
    let mut garbage = Garbage { leftovers: remove::leftovers(store, record)?, ..Garbage::default() };
    garbage.bytes = garbage.leftovers.iter().map(|path| size(path)).sum();
    for release in &record.releases {
        let started = store.last_start(&record.name, release);
        let last_used = started.into_iter().fold(SystemTime::from(release.installed), SystemTime::max);
        let old = now.duration_since(last_used).is_ok_and(|age| age > KEPT);
        let chosen = record.active.as_ref() == Some(&release.version);
        if old && !chosen && active.is_none_or(|active| active.version != release.version) {
            let bytes = size(&store.release_dir(&record.name, &release.version, &release.archive));
            let last_used = jiff::Timestamp::try_from(last_used).unwrap_or(release.installed);
            let (name, version) = (record.name.clone(), release.version.clone());
            garbage.releases.push(Unused { name, version, last_used, bytes });
            garbage.bytes += bytes;
        }
    }
    Ok(garbage)
}

/// The bytes of the files at and below `path`, as far as they can be read.
fn size(path: &Path) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            fs::read_dir(path).into_iter().flatten().flatten().map(|item| size(&item.path())).sum()
        }
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::Silent;
    use crate::testing::{World, install, name, runtime};
    use crate::{InstallRequest, What};

    const DAY: i64 = 24 * 60 * 60;

    fn day<const NUMBER: i64>() -> jiff::Timestamp {
        jiff::Timestamp::from_second(NUMBER * DAY).unwrap()
    }

    fn on<const NUMBER: i64>(world: &World) -> PluginManager {
        PluginManager::with_clock(world.settings(), day::<NUMBER>)
    }

    fn collect(manager: &PluginManager, collection: Collection) -> Vec<String> {
        let garbage = runtime().block_on(manager.collect_garbage(collection, &Silent)).unwrap();
        garbage.releases.iter().map(|unused| format!("{} {}", unused.name, unused.version)).collect()
    }

    fn world() -> World {
        let world = World::new();
        for version in ["1.0.0", "1.1.0", "1.2.0"] {
            world.pack("trigger-demo", version, "*", &[]);
            install(&on::<1>(&world), &InstallRequest::by_name(name("trigger-demo"))).unwrap();
        }
        world
    }

    fn activate(world: &World, version: &str) {
        let (manager, version) = (world.manager(), version.parse().unwrap());
        runtime().block_on(manager.activate(&name("trigger-demo"), &version, &Silent)).unwrap();
    }

    #[test]
    fn what_is_not_used_for_thirty_days_goes_and_the_active_version_never() {
        let world = world();
        assert!(collect(&on::<31>(&world), Collection::Remove).is_empty(), "it was installed thirty days ago");
        let dry = collect(&on::<32>(&world), Collection::DryRun);
        assert_eq!(dry, ["trigger-demo 1.0.0", "trigger-demo 1.1.0"]);
        assert_eq!(world.manager().installed().unwrap().len(), 3, "nothing was removed");
        assert_eq!(collect(&on::<32>(&world), Collection::Remove), dry);
        assert_eq!(world.store().len(), 2, "{:?}", world.store());
        assert_eq!(world.manager().resolve(&name("trigger-demo")).unwrap().version, "1.2.0");
        assert!(collect(&on::<90>(&world), Collection::Remove).is_empty());
    }

    #[test]
    fn a_start_keeps_a_version_for_thirty_days_more() {
        let world = world();
        activate(&world, "1.0.0");
        on::<20>(&world).resolve(&name("trigger-demo")).unwrap();
        activate(&world, "1.2.0");
        assert_eq!(collect(&on::<40>(&world), Collection::Remove), ["trigger-demo 1.1.0"]);
        assert_eq!(collect(&on::<51>(&world), Collection::Remove), ["trigger-demo 1.0.0"]);
    }

    #[test]
    fn a_start_is_written_down_once_a_day() {
        let world = world();
        let marked = || {
            let marks = fs::read_dir(world.path("data/plugin-store/v1/started/trigger-demo")).unwrap();
            let mark = marks.map(|mark| mark.unwrap()).next().unwrap();
            jiff::Timestamp::try_from(mark.metadata().unwrap().modified().unwrap()).unwrap()
        };
        let start = |clock: crate::Clock| {
            PluginManager::with_clock(world.settings(), clock).resolve(&name("trigger-demo")).unwrap();
            marked()
        };
        assert_eq!(start(day::<5>), day::<5>());
        assert_eq!(start(|| jiff::Timestamp::from_second(6 * DAY - 1).unwrap()), day::<5>());
        assert_eq!(start(day::<6>), day::<6>());
        assert_eq!(start(day::<3>), day::<3>(), "the clock was wrong before");
    }

    #[test]
    fn a_chosen_version_stays_though_another_is_used() {
        let world = world();
        world.pack("trigger-demo", "1.3.0", "<4", &[]);
        let what = What::ByName { name: name("trigger-demo"), version: Some("=1.3.0".parse().unwrap()) };
        install(&on::<1>(&world), &InstallRequest { what, override_compatibility: true }).unwrap();
        activate(&world, "1.3.0");
        assert_eq!(collect(&on::<90>(&world), Collection::Remove), ["trigger-demo 1.0.0", "trigger-demo 1.1.0"]);
    }

    #[test]
    fn leftovers_go_whatever_they_are() {
        let world = world();
        let store = world.path("data/plugin-store/v1/store");
        fs::create_dir_all(store.join("trigger-demo/.incoming/files")).unwrap();
        fs::write(store.join("trigger-demo/.incoming/package.tar.gz"), "half").unwrap();
        fs::create_dir_all(store.join("trigger-gone/1.0.0-abc")).unwrap();
        fs::write(store.join("trigger-gone/1.0.0-abc/trigger-gone"), "gone").unwrap();
        let collect = |how| runtime().block_on(on::<1>(&world).collect_garbage(how, &Silent)).unwrap();
        let garbage = collect(Collection::Remove);
        assert_eq!((garbage.leftovers.len(), garbage.bytes), (2, 8));
        assert!(!store.join("trigger-gone").exists());
        assert_eq!(world.store().len(), 4, "{:?}", world.store());
        assert_eq!(collect(Collection::Remove), Garbage::default());
    }
}
