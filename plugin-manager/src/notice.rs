//! Telling that there are newer versions: at most once a day, and from what is known on this machine.
//!
//! The file `noticed` of the store holds the time at which somebody was told last. Where it can't be written nobody is told,
//! for they would be told every time.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use crate::listing::{Outdated, outdated};
use crate::manager::PluginManager;

/// How long one notice lasts.
const EVERY: SignedDuration = SignedDuration::from_hours(24);

/// The plugins to tell about; none if somebody was told lately.
pub(crate) fn due(manager: &PluginManager) -> Vec<Outdated> {
    let store = &manager.store;
    // Without a store nothing is installed, and none is made for this.
    if !store.root().is_dir() || claim(&store.root().join("noticed"), store.now()).is_none() {
        return Vec::new();
    }
    let outdated = outdated(manager).map(|(outdated, _)| outdated).unwrap_or_default();
    outdated.into_iter().filter(|plugin| plugin.newer.is_some()).collect()
}

/// Takes the notice of the day: whoever gets something here is the only one.
fn claim(path: &Path, now: Timestamp) -> Option<()> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).ok()?;
    file.try_lock().ok()?;
    let mut text = String::new();
    (&mut file).take(64).read_to_string(&mut text).ok()?;
    // One of the future is of a clock that was wrong, and what is no time is damaged: both count for nothing.
    if let Ok(last) = text.trim().parse::<Timestamp>()
        && last <= now
        && now.duration_since(last) < EVERY
    {
        return None;
    }
    file.set_len(0).ok()?;
    file.seek(SeekFrom::Start(0)).ok()?;
    writeln!(file, "{now}").ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::fs;

    use super::*;
    use crate::testing::World;

    fn at(world: &World, clock: crate::Clock) -> Vec<String> {
        let manager = PluginManager::with_clock(world.settings(), clock);
        let told = due(&manager).into_iter().map(|plugin| plugin.newer.unwrap().0.to_string());
        told.collect()
    }

    fn hour(hour: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hour * 3600).unwrap()
    }

    #[test]
    fn a_newer_version_is_told_once_a_day() {
        let world = World::new();
        world.pack("demo", "1.0.0", "*", &[]);
        world.install("demo").unwrap();
        assert!(at(&world, || hour(0)).is_empty(), "nothing is newer");
        world.pack("demo", "1.1.0", "*", &[]);
        assert!(at(&world, || hour(23)).is_empty(), "and that was today's look");
        assert_eq!(at(&world, || hour(24)), ["1.1.0"]);
        assert!(at(&world, || hour(47)).is_empty());
        assert_eq!(at(&world, || hour(48)), ["1.1.0"]);
        assert_eq!(at(&world, || hour(1)), ["1.1.0"], "the clock was wrong");
        fs::write(world.path("data/plugin-store/v1/noticed"), "damaged").unwrap();
        assert_eq!(at(&world, || hour(2)), ["1.1.0"]);
    }

    #[test]
    fn where_it_cannot_be_noted_nobody_is_told() {
        let world = World::new();
        assert!(at(&world, || hour(0)).is_empty() && !world.path("data").exists());
        world.pack("demo", "1.0.0", "*", &[]);
        world.install("demo").unwrap();
        world.pack("demo", "1.1.0", "*", &[]);
        fs::create_dir(world.path("data/plugin-store/v1/noticed")).unwrap();
        assert!(at(&world, || hour(0)).is_empty());
    }
}
