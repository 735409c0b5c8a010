//! The versions of an app that its triggers run: each a lock file in a folder of its own.

use std::collections::BTreeSet;
use std::path::PathBuf;

use spin_app_model::launch::{Reload, env};
use url::Url;

use crate::environment::ChildEnvironment;
use crate::report::Report;

/// One version of an app, loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generation {
    /// 1 at the start of the app, and rising.
    pub(crate) id: u64,
    /// Where its lock file is.
    pub(crate) locked_url: Url,
    /// Its folder, absolute.
    pub(crate) working_dir: PathBuf,
}

/// What makes new generations of an app, and has their folders.
pub(crate) trait Loader {
    /// Reads the app again, into a new folder. On failure there may be such a folder.
    async fn load(&self, id: u64) -> Result<Generation, Report>;

    /// Takes note of which generation is served from now on.
    fn make_current(&self, id: u64) -> Result<(), Report>;

    /// Removes the folder of a generation, if there is one.
    fn remove(&self, id: u64);
}

impl Generation {
    /// Tells a trigger that is started about it.
    pub(super) fn put_into(&self, environment: &mut ChildEnvironment) {
        environment.set(env::LOCKED_URL, self.locked_url.as_str());
        environment.set(env::WORKING_DIR, &self.working_dir);
    }

    /// Tells a trigger that runs about it.
    pub(super) fn message(&self) -> Reload {
        Reload::new(self.id, self.locked_url.as_str(), self.working_dir.to_string_lossy())
    }
}

/// Which generation is served, and which others are still in use.
#[derive(Debug)]
pub(super) struct Generations {
    current: Generation,
    last_id: u64,
    others: Vec<Other>,
}

/// A generation that is not served any more, or never was.
#[derive(Debug)]
struct Other {
    id: u64,
    /// The generation that came after it, if it was served.
    replaced_by: Option<u64>,
    /// The triggers that have not said that they are done with it.
    users: BTreeSet<usize>,
}

impl Generations {
    pub(super) fn new(first: Generation) -> Self {
        Self { last_id: first.id, current: first, others: Vec::new() }
    }

    /// What a trigger that is started now runs.
    pub(super) fn current(&self) -> &Generation {
        &self.current
    }

    /// A number that no generation had before.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The highest number so far.
    pub(super) fn last_id(&self) -> u64 {
        self.last_id
    }

    /// Those whose folders are still there, but for the current one.
    pub(super) fn others(&self) -> Vec<u64> {
        self.others.iter().map(|other| other.id).collect()
    }

    /// From now on `next` is served. `users` run the one before. Gives those whose folders can go, as all below.
    pub(super) fn replace(&mut self, next: Generation, users: BTreeSet<usize>) -> Vec<u64> {
        let replaced_by = Some(next.id);
        let old = std::mem::replace(&mut self.current, next);
        self.others.push(Other { id: old.id, replaced_by, users });
        self.unused()
    }

    /// Generation `id` will not be served; these triggers are at work on it, and have not heard of that.
    pub(super) fn abandon(&mut self, id: u64, users: BTreeSet<usize>) -> Vec<u64> {
        self.others.push(Other { id, replaced_by: None, users });
        self.unused()
    }

    /// A trigger is done with the generation that `by` replaced.
    pub(super) fn retired(&mut self, trigger: usize, by: u64) -> Vec<u64> {
        self.done(trigger, |other| other.replaced_by == Some(by))
    }

    /// A trigger has said what it thinks of generation `id`, which matters if that was abandoned.
    pub(super) fn answered(&mut self, trigger: usize, id: u64) -> Vec<u64> {
        self.done(trigger, |other| other.id == id && other.replaced_by.is_none())
    }

    /// The process of a trigger has ended.
    pub(super) fn ended(&mut self, trigger: usize) -> Vec<u64> {
        self.done(trigger, |_| true)
    }

    fn done(&mut self, trigger: usize, with: impl Fn(&Other) -> bool) -> Vec<u64> {
        for other in self.others.iter_mut().filter(|other| with(other)) {
            other.users.remove(&trigger);
        }
        self.unused()
    }

    fn unused(&mut self) -> Vec<u64> {
        self.others.extract_if(.., |other| other.users.is_empty()).map(|other| other.id).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const NONE: [u64; 0] = [];

    fn generation(id: u64) -> Generation {
        let working_dir = PathBuf::from(format!("/gen-{id}"));
        Generation { id, locked_url: Url::from_file_path(working_dir.join("spin.lock")).unwrap(), working_dir }
    }

    #[test]
    fn a_folder_goes_when_every_trigger_that_ran_it_is_done_with_it() {
        let mut generations = Generations::new(generation(1));
        assert_eq!((generations.next_id(), generations.next_id()), (2, 3), "2 was aborted");
        assert_eq!(generations.replace(generation(3), BTreeSet::from([0, 1])), NONE);
        assert_eq!(generations.current().id, 3);
        assert_eq!(generations.retired(0, 3), NONE);
        assert_eq!(generations.retired(0, 3), NONE, "twice is once");
        assert_eq!(generations.retired(1, 2), NONE, "there was no such one");
        assert_eq!(generations.retired(1, 3), [1]);
        assert_eq!(generations.retired(1, 3), NONE);
    }

    #[test]
    fn an_event_may_outlast_several_generations() {
        let mut generations = Generations::new(generation(1));
        generations.replace(generation(2), BTreeSet::from([0, 1]));
        generations.replace(generation(3), BTreeSet::from([0, 1]));
        assert_eq!((generations.retired(0, 3), generations.retired(1, 3)), (vec![], vec![2]));
        assert_eq!((generations.retired(0, 2), generations.retired(1, 2)), (vec![], vec![1]));
    }

    #[test]
    fn a_trigger_that_has_ended_uses_nothing() {
        let mut generations = Generations::new(generation(1));
        generations.replace(generation(2), BTreeSet::from([0]));
        assert_eq!(generations.ended(0), [1]);
        assert_eq!(generations.replace(generation(3), BTreeSet::new()), [2], "nobody ran it");
    }

    #[test]
    fn an_abandoned_folder_goes_when_nobody_works_on_it_any_more() {
        let mut generations = Generations::new(generation(1));
        assert_eq!(generations.abandon(2, BTreeSet::from([0, 1])), NONE);
        assert_eq!((generations.answered(0, 3), generations.retired(0, 2)), (vec![], vec![]));
        assert_eq!((generations.answered(0, 2), generations.ended(1)), (vec![], vec![2]));
        assert_eq!(generations.abandon(3, BTreeSet::new()), [3]);
        generations.replace(generation(4), BTreeSet::from([0]));
        assert_eq!(generations.answered(0, 1), NONE, "that one was served");
        assert_eq!(generations.others(), [1]);
    }
}
