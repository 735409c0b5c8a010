//! How the supervisor and the task of one trigger talk.

use spin_app_model::launch::{RELOAD, Rejected, STATUS, Status, Welcome};
use tokio::sync::{mpsc, oneshot, watch};

use super::generation::Generation;

/// What the supervisor wants of every trigger. Only ever moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    Run,
    Drain,
    Kill,
}

/// The ends of a trigger's task.
#[derive(Debug)]
pub(super) struct Wires {
    /// What is wanted of all triggers.
    pub(super) orders: watch::Receiver<Order>,
    /// What is wanted of this one.
    pub(super) asks: mpsc::UnboundedReceiver<Ask>,
    /// Where news of this one go.
    pub(super) news: mpsc::UnboundedSender<(usize, News)>,
    /// Which one it is.
    pub(super) slot: usize,
}

/// What is wanted of a trigger that said in its hello that it can do it.
#[derive(Debug)]
pub(super) enum Ask {
    Prepare(Generation),
    /// About the generation of this number, as the next.
    Commit(u64),
    Abort(u64),
    /// To say how it is.
    Status(oneshot::Sender<Status>),
}

/// What becomes of a trigger while it runs.
#[derive(Debug)]
pub(super) enum News {
    /// It has a control channel; whether it is ready, only itself can tell from now on.
    Connected,
    Greeted(Features),
    Ready,
    Reload(Said),
    /// It has closed its channel, and goes on without one.
    Unreachable,
}

impl Wires {
    pub(super) fn tell(&self, news: News) {
        // A supervisor that is gone needs no news.
        _ = self.news.send((self.slot, news));
    }
}

/// What a trigger says about a new generation, of this number.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    Prepared(u64),
    Rejected(Rejected),
    Committed(u64),
    Retired(u64),
}

/// The optional parts of the protocol that a trigger and we know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) reload: bool,
    pub(super) status: bool,
}

impl Features {
    pub(super) fn of(welcome: &Welcome) -> Self {
        let has = |feature: &str| welcome.features.iter().any(|known| known == feature);
        Self { reload: has(RELOAD), status: has(STATUS) }
    }
}

/// Those who want to know how a trigger is. However many they are, it is asked once at a time: what it doesn't read
/// must not pile up in its channel.
#[derive(Debug, Default)]
pub(super) struct Curious {
    last_id: u64,
    waiting: Vec<oneshot::Sender<Status>>,
    is_asked: bool,
}

impl Curious {
    /// The number of the request, if one is to be made.
    pub(super) fn add(&mut self, one: oneshot::Sender<Status>) -> Option<u64> {
        self.waiting.retain(|waiting| !waiting.is_closed());
        self.waiting.push(one);
        if std::mem::replace(&mut self.is_asked, true) {
            return None;
        }
        self.last_id += 1;
        Some(self.last_id)
    }

    pub(super) fn tell(&mut self, status: &Status) {
        if status.id == self.last_id {
            self.is_asked = false;
            // Who went away needs no answer.
            self.waiting.drain(..).for_each(|waiting| drop(waiting.send(status.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_trigger_is_asked_once_however_many_want_to_know() {
        let mut curious = Curious::default();
        let (first, mut heard_first) = oneshot::channel();
        let (second, mut heard_second) = oneshot::channel();
        assert_eq!((curious.add(first), curious.add(second)), (Some(1), None));
        curious.tell(&Status::new(7, true, Vec::new()));
        assert!(heard_first.try_recv().is_err(), "that was no answer to our question");
        curious.tell(&Status::new(1, true, Vec::new()));
        assert!(heard_first.try_recv().unwrap().ready && heard_second.try_recv().unwrap().ready);
        assert_eq!(curious.add(oneshot::channel().0), Some(2));
    }

    #[test]
    fn those_who_went_away_are_forgotten() {
        let mut curious = Curious::default();
        for _ in 0..100 {
            curious.add(oneshot::channel().0);
        }
        assert_eq!(curious.waiting.len(), 1);
    }
}
