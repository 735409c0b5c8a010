//! One trigger of the app through all its starts.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::board::{Condition, Shown};
use super::launch::{Launch, Promise};
use super::restart::{BackOff, Restarts};
use super::wires::{Ask, Features};

/// A trigger, whether it runs or not.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) launch: Launch,
    pub(super) state: State,
    /// How often it was started again.
    pub(super) restarted: u64,
    /// What its process can do beyond running.
    pub(super) features: Features,
    /// The way to ask its process for that.
    asks: Option<mpsc::UnboundedSender<Ask>>,
    restarts: Restarts,
}

/// What a trigger is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Starting,
    Ready {
        since: Instant,
    },
    /// It runs without the control channel that it had, so that nothing is known of it.
    Unreachable {
        /// When it became ready, if it ever did.
        since: Option<Instant>,
    },
    /// It has ended, and is started again then.
    Waiting {
        until: Instant,
    },
    Ended,
}

impl Slot {
    /// A trigger that was not started yet.
    pub(super) fn new(launch: Launch) -> Self {
        Self {
            launch,
            state: State::Ended,
            restarted: 0,
            features: Features::default(),
            asks: None,
            restarts: Restarts::default(),
        }
    }

    /// Takes note of a start, and gives the other end of the way to ask for something.
    pub(super) fn started(&mut self) -> mpsc::UnboundedReceiver<Ask> {
        // One that promised nothing may never speak: to have been started is all that can be known of it.
        self.state = match self.launch.promise {
            Promise::Hello => State::Starting,
            Promise::Nothing => State::Ready { since: Instant::now() },
        };
        let (asks, listening) = mpsc::unbounded_channel();
        (self.asks, self.features) = (Some(asks), Features::default());
        listening
    }

    /// Takes note of the end of its process. Gives how long it was ready, if it was.
    pub(super) fn process_ended(&mut self) -> Option<Duration> {
        (self.asks, self.features) = (None, Features::default());
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Ready { since } | State::Unreachable { since: Some(since) } => Some(since.elapsed()),
            _ => None,
        }
    }

    /// Takes note that its process has closed its channel and goes on.
    pub(super) fn unreachable(&mut self) {
        self.features = Features::default();
        let since = if let State::Ready { since } = self.state { Some(since) } else { None };
        self.state = State::Unreachable { since };
    }

    /// Whether its process runs.
    pub(super) fn runs(&self) -> bool {
        matches!(self.state, State::Starting | State::Ready { .. } | State::Unreachable { .. })
    }

    /// Asks its process for something. If it has ended, that is heard of in its turn.
    pub(super) fn ask(&self, ask: Ask) {
        if let Some(asks) = &self.asks {
            drop(asks.send(ask));
        }
    }

    /// How it is, for those who ask from outside.
    pub(super) fn shown(&self) -> Shown {
        let condition = match self.state {
            State::Starting => Condition::Starting,
            State::Ready { .. } => Condition::Ready,
            State::Unreachable { .. } => Condition::Unreachable,
            State::Waiting { .. } => Condition::Waiting,
            State::Ended => Condition::Ended,
        };
        let can_tell = self.features.status && condition == Condition::Ready;
        Shown {
            trigger_type: self.launch.trigger_type.clone(),
            condition,
            on_exit: self.launch.on_exit,
            restarts: self.restarted,
            asks: self.asks.clone().filter(|_| can_tell),
        }
    }

    /// Puts off the next start of one that was ready for so long, if it was, and says for how long.
    pub(super) fn put_off(&mut self, ready_for: Option<Duration>, rule: &BackOff) -> Duration {
        let wait = self.restarts.next_wait(ready_for, rule);
        self.state = State::Waiting { until: Instant::now() + wait };
        wait
    }

    /// Starts it again at once, if it is to be started again.
    pub(super) fn wait_no_longer(&mut self) {
        if let State::Waiting { until } = &mut self.state {
            *until = Instant::now();
        }
    }

    /// When it is to be started again.
    pub(super) fn waits_until(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } => Some(until),
            _ => None,
        }
    }
}
