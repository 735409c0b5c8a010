//! When an instance ends although its guest doesn't.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant as TokioInstant, Sleep, sleep_until};

use crate::limits::{Audience, MeterState};
use crate::permits::Permits;

/// How long a guest may go on working after its last response; one of the 0.2 generation, which answers somewhere in the middle
/// of a call, after that call began.
const AFTERWARDS: Duration = Duration::from_secs(60);
/// How much longer one may that nobody is served by any more: after the body that took longer than that, or after somebody
/// went away before the end while others' events may not be quite done.
const GRACE: Duration = Duration::from_secs(5);

/// What an instance does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Occupation {
    /// Nothing: all of its guest's tasks are done.
    Idle {
        /// From when on.
        since: Instant,
    },
    /// Calls of its guest go on: of the 0.3 generation until they have answered, of the 0.2 generation until they return.
    Serving {
        /// When the last one was begun.
        since: Instant,
    },
    /// Its guest has answered all of its events, and goes on.
    Afterwards {
        /// From when on.
        since: Instant,
    },
}

/// The clock of one instance.
///
/// The time to the head of a response is not kept here: whoever waits for that goes away when it is over.
pub(super) struct Lifetime {
    meter: Arc<MeterState>,
    idle: Duration,
    clock: Option<Pin<Box<Sleep>>>,
    instances: Arc<Permits>,
    /// While the instance serves nobody: somebody else needs its place.
    wanted: Option<Pin<Box<OwnedNotified>>>,
    /// Somebody goes away whom it serves.
    left: Option<Pin<Box<OwnedNotified>>>,
    /// Since when nobody is there any more, and not all had their whole response.
    deserted: Option<Instant>,
}

impl Lifetime {
    pub(super) fn new(meter: Arc<MeterState>, idle: Duration, instances: Arc<Permits>) -> Self {
        Self { meter, idle, clock: None, instances, wanted: None, left: None, deserted: None }
    }

    /// Ready when the instance is to end. Asked after every turn of the instance.
    pub(super) fn poll_over(&mut self, context: &mut Context<'_>, occupation: Occupation) -> Poll<()> {
        let due = match occupation {
            Occupation::Idle { since } => {
                if self.idle.is_zero() || self.poll_wanted(context).is_ready() {
                    return Poll::Ready(());
                }
                since + self.idle
            }
            Occupation::Serving { since } | Occupation::Afterwards { since } => {
                if self.poll_deserted(context).is_ready() {
                    return Poll::Ready(());
                }
                let due = since + AFTERWARDS;
                if let Some(deserted) = self.deserted {
                    if self.poll_wanted(context).is_ready() {
                        return Poll::Ready(());
                    }
                    due.min(deserted + GRACE)
                } else {
                    self.wanted = None;
                    due
                }
            }
        };
        self.poll_clock(context, due, matches!(occupation, Occupation::Idle { .. }))
    }

    /// The place of an instance that serves nobody must not keep other events waiting.
    fn poll_wanted(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let wanted = self.wanted.get_or_insert_with(|| Box::pin(self.instances.wanted()));
        match wanted.as_mut().poll(context).is_ready() || self.instances.is_wanted() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Ready when all went away whom the instance served.
    fn poll_deserted(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.meter.has_lost() {
                match self.meter.audience() {
                    Audience::Left { all: true } => return Poll::Ready(()),
                    // What is still done may be for those who were served.
                    Audience::Left { all: false } => _ = self.deserted.get_or_insert_with(Instant::now),
                    Audience::Present | Audience::Served => {}
                }
            }
            let left = self.left.get_or_insert_with(|| Box::pin(self.meter.left()));
            ready!(left.as_mut().poll(context));
            self.left = None;
        }
    }

    /// Ready when it is `due`, and nobody is served any more. The clock is never set to a later time before it has struck:
    /// of a busy instance it would be for every event.
    fn poll_clock(&mut self, context: &mut Context<'_>, due: Instant, is_idle: bool) -> Poll<()> {
        let due = TokioInstant::from_std(due);
        let clock = self.clock.get_or_insert_with(|| Box::pin(sleep_until(due)));
        // One that is past was looked at when the clock struck.
        if due < clock.deadline() && TokioInstant::now() < due {
            clock.as_mut().reset(due);
        }
        loop {
            ready!(clock.as_mut().poll(context));
            let now = TokioInstant::now();
            if now < due {
                clock.as_mut().reset(due);
            } else if is_idle || self.meter.audience() != Audience::Present {
                return Poll::Ready(());
            } else {
                clock.as_mut().reset(now + GRACE);
            }
        }
    }
}
