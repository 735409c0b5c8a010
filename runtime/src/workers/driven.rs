//! Who drives instances.
//!
//! An instance has no task of its own as long as it can do without. Whoever has an event drives it until there is an answer:
//! what the guest says is there without a word between two tasks. Then the instance is parked, or goes on in a task if it
//! has more to do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::{Instant, sleep_until};

use super::{Calls, Workers};
use crate::seats::{Life, Parked, SeatId};

/// An instance that is driven by whoever waits for its answer. Dropped, it is left to others.
pub(crate) struct Driven {
    life: Option<(SeatId, Life)>,
    home: Option<Arc<dyn Home>>,
}

impl Driven {
    /// None: the event's instance has another driver.
    pub(crate) fn elsewhere() -> Self {
        Self { life: None, home: None }
    }

    pub(super) fn here(id: SeatId, life: Life, home: Arc<dyn Home>) -> Self {
        Self { life: Some((id, life)), home: Some(home) }
    }

    /// Whether there is nothing to drive any more.
    pub(crate) fn is_over(&self) -> bool {
        self.life.is_none()
    }

    /// Gives it a turn.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) {
        let Some((id, mut life)) = self.life.take() else { return };
        // An instance that panics ends, and nothing else does: who waits for it hears of that as of a trap.
        let polled = catch_unwind(AssertUnwindSafe(|| life.as_mut().poll(context)));
        if let Ok(Poll::Pending) = polled {
            self.life = Some((id, life));
        }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        if let (Some((id, life)), Some(home)) = (self.life.take(), self.home.take()) {
            home.take_back(id, life);
        }
    }
}

/// Where instances are parked.
pub(super) trait Home: Send + Sync {
    /// Parks an instance, or lets it go on in a task of its own.
    fn take_back(self: Arc<Self>, id: SeatId, life: Life);
}

impl<C: Calls> Home for Workers<C> {
    fn take_back(self: Arc<Self>, id: SeatId, life: Life) {
        if let Some(life) = self.park(id, life) {
            self.drive(id, life);
        }
    }
}

impl<C: Calls> Workers<C> {
    /// Drives an instance in a task of its own, until it can be parked or ends.
    pub(super) fn drive(self: Arc<Self>, id: SeatId, life: Life) {
        // An instance may end together with the process.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut driven = Some(life);
        runtime.spawn(std::future::poll_fn(move |context| {
            let Some(mut life) = driven.take() else { return Poll::Ready(()) };
            if life.as_mut().poll(context).is_pending() {
                driven = self.park(id, life);
            }
            match driven {
                Some(_) => Poll::Pending,
                None => Poll::Ready(()),
            }
        }));
    }

    /// Gives the instance back if it has something to do.
    fn park(self: &Arc<Self>, id: SeatId, life: Life) -> Option<Life> {
        match self.seats.park(id, life) {
            Parked::Yes => None,
            Parked::Unwatched => {
                if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                    runtime.spawn(Arc::clone(self).watch());
                }
                None
            }
            Parked::No(life) => Some(life),
        }
    }

    /// Ends instances that are parked for too long, and those whose places others need.
    async fn watch(self: Arc<Self>) {
        let instances = &self.component.instances;
        while let Some(end) = self.seats.next_end() {
            let wanted = instances.wanted();
            let is_wanted = instances.is_wanted()
                || tokio::select! {
                    () = sleep_until(Instant::from_std(end)) => false,
                    () = wanted => true,
                };
            let over = self.seats.take_over(std::time::Instant::now(), is_wanted);
            // One that panics in its end must not be the end of the watch.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(over)));
            tokio::task::yield_now().await;
        }
        // Word that somebody needs a place may have come to the wrong one.
        instances.pass_on();
    }
}
