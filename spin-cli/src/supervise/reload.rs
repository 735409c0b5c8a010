//! The phases of a reload: all triggers prepare the new generation, then all use it, or none does. Pure functions.
//!
//! ```text
//! idle ─► loading ─► preparing ─► committing ─► idle
//!            └───────────┴─ refused, rejected, a trigger ended ─► idle
//! ```
//!
//! One at a time: a request that comes meanwhile is remembered, once, for afterwards. What a trigger says that is not
//! due is ignored.

use std::collections::BTreeSet;

/// The reloads of an app.
#[derive(Debug, Default)]
pub(super) struct Reloads {
    is_wanted: bool,
    phase: Phase,
    outcomes: [u64; 3],
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Idle,
    Loading,
    Preparing {
        id: u64,
        triggers: BTreeSet<usize>,
        waiting: BTreeSet<usize>,
    },
    Committing {
        id: u64,
        waiting: BTreeSet<usize>,
    },
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// These triggers are to use the generation.
    Commit(BTreeSet<usize>),
    /// These triggers are to forget the generation. Some of them are still at work on it.
    Abort { triggers: BTreeSet<usize>, at_work: BTreeSet<usize> },
    /// All use it.
    Done,
}

/// How a reload went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Committed,
    /// The new app cannot be loaded, or not without a restart.
    Refused,
    /// A trigger rejected it, or ended.
    Aborted,
}

impl Outcome {
    pub(super) const ALL: [Self; 3] = [Self::Committed, Self::Refused, Self::Aborted];

    /// The word for it in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Refused => "refused",
            Self::Aborted => "aborted",
        }
    }
}

impl Reloads {
    /// Somebody wants a reload.
    pub(super) fn request(&mut self) {
        self.is_wanted = true;
    }

    /// Whether a reload could begin now.
    pub(super) fn is_due(&self) -> bool {
        self.is_wanted && self.is_idle()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// How often a reload went so.
    pub(super) fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }

    /// The triggers that a reload waits for.
    pub(super) fn waits_for(&self) -> impl Iterator<Item = usize> {
        let waiting = match &self.phase {
            Phase::Preparing { waiting, .. } | Phase::Committing { waiting, .. } => Some(waiting),
            Phase::Idle | Phase::Loading => None,
        };
        waiting.into_iter().flatten().copied()
    }

    /// The request is being looked after.
    pub(super) fn begin(&mut self) {
        (self.is_wanted, self.phase) = (false, Phase::Loading);
    }

    /// There is nothing to prepare.
    pub(super) fn refused(&mut self) {
        self.end(Outcome::Refused);
    }

    /// These triggers were asked to prepare generation `id`.
    pub(super) fn prepare(&mut self, id: u64, triggers: BTreeSet<usize>) -> Option<Step> {
        self.phase = Phase::Preparing { id, waiting: triggers.clone(), triggers };
        self.go_on()
    }

    /// A trigger has prepared generation `of`.
    pub(super) fn prepared(&mut self, trigger: usize, of: u64) -> Option<Step> {
        match &mut self.phase {
            Phase::Preparing { id, waiting, .. } if *id == of => {
                waiting.remove(&trigger);
                self.go_on()
            }
            _ => None,
        }
    }

    /// A trigger can't run generation `of`.
    pub(super) fn rejected(&mut self, trigger: usize, of: u64) -> Option<Step> {
        match &mut self.phase {
            Phase::Preparing { id, triggers, waiting } if *id == of && triggers.contains(&trigger) => {
                waiting.remove(&trigger);
                self.abort()
            }
            _ => None,
        }
    }

    /// A trigger uses generation `of`.
    pub(super) fn committed(&mut self, trigger: usize, of: u64) -> Option<Step> {
        match &mut self.phase {
            Phase::Committing { id, waiting } if *id == of => {
                waiting.remove(&trigger);
                self.go_on()
            }
            _ => None,
        }
    }

    /// A trigger has ended, or can't be reached any more but `runs`. If it was to prepare the generation, nobody will use
    /// that; one that runs may still be at work on it, and not hear of the abort.
    pub(super) fn lost(&mut self, trigger: usize, runs: bool) -> Option<Step> {
        match &mut self.phase {
            Phase::Preparing { triggers, waiting, .. } if triggers.contains(&trigger) => {
                triggers.remove(&trigger);
                match runs {
                    true => waiting.insert(trigger),
                    false => waiting.remove(&trigger),
                };
                self.abort()
            }
            Phase::Committing { waiting, .. } => {
                waiting.remove(&trigger);
                self.go_on()
            }
            _ => None,
        }
    }

    /// The app ends: nothing is reloaded any more.
    pub(super) fn cancel(&mut self) {
        (self.is_wanted, self.phase) = (false, Phase::Idle);
    }

    /// What follows as soon as nobody is waited for any more. Also to be asked after a commit: it may be to nobody.
    pub(super) fn go_on(&mut self) -> Option<Step> {
        match &mut self.phase {
            Phase::Preparing { id, triggers, waiting } if waiting.is_empty() => {
                let (id, triggers) = (*id, std::mem::take(triggers));
                self.phase = Phase::Committing { id, waiting: triggers.clone() };
                Some(Step::Commit(triggers))
            }
            Phase::Committing { waiting, .. } if waiting.is_empty() => {
                self.end(Outcome::Committed);
                Some(Step::Done)
            }
            _ => None,
        }
    }

    fn abort(&mut self) -> Option<Step> {
        let Phase::Preparing { triggers, waiting, .. } = std::mem::take(&mut self.phase) else { return None };
        self.end(Outcome::Aborted);
        Some(Step::Abort { triggers, at_work: waiting })
    }

    fn end(&mut self, outcome: Outcome) {
        self.outcomes[outcome as usize] += 1;
        self.phase = Phase::Idle;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both() -> BTreeSet<usize> {
        BTreeSet::from([0, 1])
    }

    /// Two triggers prepare generation 2.
    fn preparing() -> Reloads {
        let mut reloads = Reloads::default();
        reloads.request();
        assert!(reloads.is_due());
        reloads.begin();
        assert_eq!(reloads.prepare(2, both()), None);
        reloads
    }

    fn counts(reloads: &Reloads) -> [u64; 3] {
        Outcome::ALL.map(|outcome| reloads.count(outcome))
    }

    #[test]
    fn all_commit_when_all_have_prepared() {
        let mut reloads = preparing();
        assert_eq!(reloads.prepared(0, 2), None);
        assert_eq!(reloads.committed(0, 2), None, "nobody asked it to yet");
        assert_eq!(reloads.prepared(1, 2), Some(Step::Commit(both())));
        assert_eq!((reloads.go_on(), reloads.committed(1, 2)), (None, None));
        assert!(!reloads.is_idle());
        assert_eq!(reloads.committed(0, 2), Some(Step::Done));
        assert!(reloads.is_idle());
        assert_eq!(counts(&reloads), [1, 0, 0]);
    }

    #[test]
    fn one_that_rejects_or_is_lost_aborts_it_for_all() {
        let mut reloads = preparing();
        reloads.prepared(0, 2);
        assert_eq!(reloads.rejected(1, 2), Some(Step::Abort { triggers: both(), at_work: BTreeSet::new() }));
        assert_eq!((reloads.rejected(0, 2), reloads.prepared(1, 2)), (None, None));

        let mut reloads = preparing();
        let other = BTreeSet::from([1]);
        assert_eq!(reloads.lost(0, false), Some(Step::Abort { triggers: other.clone(), at_work: other.clone() }));
        assert_eq!(counts(&reloads), [0, 0, 1]);

        let mut reloads = preparing();
        reloads.prepared(0, 2);
        assert_eq!(
            reloads.lost(0, true),
            Some(Step::Abort { triggers: other, at_work: both() }),
            "it holds the folder"
        );
    }

    #[test]
    fn one_that_is_lost_while_committing_is_not_waited_for() {
        let mut reloads = preparing();
        reloads.prepared(0, 2);
        reloads.prepared(1, 2);
        assert_eq!((reloads.lost(0, true), reloads.lost(0, false)), (None, None));
        assert_eq!(reloads.committed(1, 2), Some(Step::Done));
    }

    #[test]
    fn what_is_about_another_generation_or_from_nobody_is_ignored() {
        let mut reloads = preparing();
        assert_eq!((reloads.prepared(0, 1), reloads.rejected(0, 3), reloads.lost(7, false)), (None, None, None));
        assert_eq!((reloads.prepared(7, 2), reloads.rejected(7, 2)), (None, None));
        assert_eq!((reloads.prepared(0, 2), reloads.prepared(0, 2)), (None, None), "twice is once");
    }

    #[test]
    fn requests_that_come_meanwhile_are_one_afterwards() {
        let mut reloads = preparing();
        reloads.request();
        reloads.request();
        assert!(!reloads.is_due());
        assert!(reloads.waits_for().eq([0, 1]), "both prepare");
        reloads.rejected(0, 2);
        assert!(reloads.is_due());
        reloads.begin();
        reloads.refused();
        assert!(!reloads.is_due() && reloads.is_idle());
        assert_eq!(counts(&reloads), [0, 1, 1]);
    }

    #[test]
    fn an_app_whose_triggers_all_wait_for_a_start_commits_at_once() {
        let mut reloads = Reloads::default();
        reloads.begin();
        assert_eq!(reloads.prepare(2, BTreeSet::new()), Some(Step::Commit(BTreeSet::new())));
        assert_eq!(reloads.go_on(), Some(Step::Done));
    }

    #[test]
    fn the_end_of_the_app_ends_a_reload() {
        let mut reloads = preparing();
        reloads.request();
        reloads.cancel();
        assert!(reloads.is_idle() && !reloads.is_due());
        assert_eq!(reloads.prepared(0, 2), None);
        assert_eq!(counts(&reloads), [0, 0, 0]);
    }
}
