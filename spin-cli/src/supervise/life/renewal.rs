//! What a reload comes to: the app is read again, triggers prepare it, and all of them use it or none does.

use std::collections::BTreeSet;

use spin_app_model::launch::Rejected;

use super::Life;
use crate::report::Report;
use crate::supervise::generation::{Generation, Loader};
use crate::supervise::reload::Step;
use crate::supervise::slot::{Slot, State};
use crate::supervise::wires::{Ask, Said};

/// What is said under every reload that came to nothing.
const AS_IT_WAS: &str = "the app goes on as it was";

impl<L: Loader> Life<'_, L> {
    /// Somebody wants a reload. One that has to wait for another says for whom: a trigger may take any time to prepare.
    pub(super) fn asked_to_reload(&mut self) {
        self.hear_what_was_said();
        self.reloads.request();
        let is_starting = |number: &usize| self.slots[*number].state == State::Starting;
        let starting = (0..self.slots.len()).filter(is_starting);
        let waits_for = self.reloads.waits_for().chain(starting);
        let names: Vec<&str> = waits_for.map(|number| self.slots[number].launch.name.as_str()).collect();
        if !names.is_empty() {
            self.around.ui.notice(&format!("the reload begins when {} has done what it is doing", names.join(", ")));
        }
    }

    /// Begins the reload that somebody wants, unless it has to wait: for another one, or for a trigger that starts.
    pub(super) fn begin_reload(&mut self) {
        let is_starting = self.slots.iter().any(|slot| slot.state == State::Starting);
        if is_starting || self.is_ending() || !self.reloads.is_due() {
            return;
        }
        self.reloads.begin();
        match self.who_cannot_reload() {
            Some(report) => self.refuse(report),
            None => {
                let id = self.generations.next_id();
                self.loading = Some(Box::pin(self.loader.load(id)));
            }
        }
    }

    /// The app was read again, or could not be.
    pub(super) fn loaded(&mut self, loaded: Result<Generation, Report>) {
        self.loading = None;
        // Asked again: some may have ended, and one of protocol 0 may have turned out to know more.
        let loaded = loaded.and_then(|generation| match self.who_cannot_reload() {
            Some(report) => Err(report),
            None => Ok(generation),
        });
        let generation = match loaded {
            Ok(generation) => generation,
            Err(report) => {
                self.loader.remove(self.generations.last_id());
                return self.refuse(report);
            }
        };
        let running: BTreeSet<usize> = (0..self.slots.len()).filter(|&number| self.slots[number].runs()).collect();
        self.tell(&running, || Ask::Prepare(generation.clone()));
        let step = self.reloads.prepare(generation.id, running);
        self.next_generation = Some(generation);
        self.follow(step);
    }

    /// A trigger said something about a generation.
    pub(super) fn heard_of_reload(&mut self, number: usize, said: Said) {
        if let Said::Prepared(id) | Said::Rejected(Rejected { id, .. }) = &said {
            let unused = self.generations.answered(number, *id);
            self.remove(unused);
        }
        let step = match said {
            Said::Prepared(id) => self.reloads.prepared(number, id),
            Said::Committed(id) => self.reloads.committed(number, id),
            Said::Retired(id) => {
                let unused = self.generations.retired(number, id);
                return self.remove(unused);
            }
            Said::Rejected(rejected) => {
                let step = self.reloads.rejected(number, rejected.id);
                if step.is_some() {
                    let name = &self.slots[number].launch.name;
                    let message = format!("{name} can't run the app as it is now: {}", rejected.message);
                    self.around.ui.error(&Report::new(message).code(rejected.code).help(AS_IT_WAS));
                }
                step
            }
        };
        self.follow(step);
    }

    /// A trigger can't take part in a reload any more.
    pub(super) fn lost_for_reload(&mut self, number: usize, why: &str) {
        let step = self.reloads.lost(number, self.slots[number].runs());
        if let Some(Step::Abort { .. }) = step {
            let name = &self.slots[number].launch.name;
            let message = format!("the app is not reloaded: {name} {why} while it prepared for that");
            self.around.ui.error(&Report::new(message).code("reload::trigger-lost").help(AS_IT_WAS));
        }
        self.follow(step);
    }

    /// Removes what the app leaves in its working directory beside the current generation.
    pub(super) fn forget_generations(&mut self) {
        let left = self.generations.others();
        self.remove(left);
        if self.generations.last_id() != self.generations.current().id {
            self.loader.remove(self.generations.last_id());
        }
    }

    pub(super) fn remove(&self, unused: Vec<u64>) {
        for id in unused {
            self.loader.remove(id);
        }
    }

    fn follow(&mut self, step: Option<Step>) {
        let Some(step) = step else { return };
        match step {
            Step::Commit(triggers) => {
                let next = self.next_generation.take().expect("what is committed was prepared");
                let id = next.id;
                self.tell(&triggers, || Ask::Commit(id));
                if let Err(report) = self.loader.make_current(id) {
                    self.around.ui.error(&report);
                }
                let unused = self.generations.replace(next, triggers);
                self.remove(unused);
                // What failed may be what was corrected.
                self.slots.iter_mut().for_each(Slot::wait_no_longer);
                let step = self.reloads.go_on();
                self.follow(step);
            }
            Step::Abort { triggers, at_work } => {
                let id = self.generations.last_id();
                self.tell(&triggers, || Ask::Abort(id));
                self.next_generation = None;
                let unused = self.generations.abandon(id, at_work);
                self.remove(unused);
            }
            Step::Done => {
                let id = self.generations.current().id;
                self.around.ui.notice(&format!("The app is reloaded (generation {id})"));
            }
        }
    }

    fn tell(&self, triggers: &BTreeSet<usize>, ask: impl Fn() -> Ask) {
        for &number in triggers {
            self.slots[number].ask(ask());
        }
    }

    fn refuse(&mut self, report: Report) {
        self.around.ui.error(&report.help(AS_IT_WAS));
        self.reloads.refused();
    }

    fn who_cannot_reload(&self) -> Option<Report> {
        let unable = self.slots.iter().filter(|slot| slot.runs() && !slot.features.reload);
        let names: Vec<&str> = unable.map(|slot| slot.launch.name.as_str()).collect();
        (!names.is_empty()).then(|| {
            let message = format!("restart needed: {} can't reload an app", names.join(", "));
            Report::new(message).code("reload::restart-needed")
        })
    }
}
