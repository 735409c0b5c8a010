//! How many events run at once, and how many may wait for their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::futures::OwnedNotified;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// A bounded number of places with a bounded queue before them.
#[derive(Debug)]
pub struct Permits {
    places: Arc<Semaphore>,
    all: usize,
    waiting: AtomicUsize,
    max_waiting: usize,
    wanted: Arc<Notify>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    _place: OwnedSemaphorePermit,
}

/// All places are taken and the queue is full: try again later.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many events at once: all places are taken and the queue is full")]
pub struct Full;

impl Permits {
    /// `places` events at once, `max_waiting` more in the queue.
    pub fn new(places: usize, max_waiting: usize) -> Self {
        let (places, all) = (Arc::new(Semaphore::new(places)), places);
        Self { places, all, waiting: AtomicUsize::new(0), max_waiting, wanted: Arc::default() }
    }

    /// Waits for a place, first come first served.
    ///
    /// # Errors
    /// [`Full`] at once when the queue has no room.
    pub async fn acquire(&self) -> Result<Permit, Full> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Permit { _place: place });
        }
        let _queued = self.queue()?;
        self.wanted.notify_one();
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
        Ok(Permit { _place: place })
    }

    /// A place if there is one at once.
    ///
    /// # Errors
    /// [`Full`] if there is none; whoever could do without one is told, so that there may be one later.
    pub fn acquire_now(&self) -> Result<Permit, Full> {
        Arc::clone(&self.places).try_acquire_owned().map(|place| Permit { _place: place }).map_err(|_| {
            self.wanted.notify_one();
            Full
        })
    }

    /// How many places there are.
    pub fn all(&self) -> usize {
        self.all
    }

    /// How many places are free.
    pub fn free(&self) -> usize {
        self.places.available_permits()
    }

    /// Whether somebody waits for a place.
    pub(crate) fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Waits until somebody waits for a place: of all that hold one and could do without, one is told.
    pub(crate) fn wanted(&self) -> OwnedNotified {
        Arc::clone(&self.wanted).notified_owned()
    }

    /// For one who was told that somebody waits for a place, and has none to give.
    pub(crate) fn pass_on(&self) {
        if self.is_wanted() {
            self.wanted.notify_one();
        }
    }

    fn queue(&self) -> Result<Queued<'_>, Full> {
        self.waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < self.max_waiting).then_some(waiting + 1)
            })
            .map(|_| Queued(self))
            .map_err(|_| Full)
    }
}

/// A place in the queue, also given back when the one who waits goes away.
struct Queued<'a>(&'a Permits);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_queue_is_bounded_and_empties() {
        let permits = Permits::new(1, 1);
        let Poll::Ready(Ok(first)) = poll(pin!(permits.acquire())) else { panic!("the first place is free") };
        let mut second = pin!(permits.acquire());
        assert!(poll(second.as_mut()).is_pending());
        assert!(matches!(poll(pin!(permits.acquire())), Poll::Ready(Err(Full))));
        drop(first);
        let Poll::Ready(Ok(_second)) = poll(second.as_mut()) else { panic!("the place was handed on") };
        assert_eq!(permits.free(), 0);
    }

    #[test]
    fn who_could_do_without_a_place_is_told_that_it_is_wanted() {
        let permits = Permits::new(1, 1);
        let Poll::Ready(Ok(_first)) = poll(pin!(permits.acquire())) else { panic!("the first place is free") };
        let mut wanted = pin!(permits.wanted());
        assert!(poll(wanted.as_mut()).is_pending() && !permits.is_wanted());
        let mut second = pin!(permits.acquire());
        assert!(poll(second.as_mut()).is_pending());
        assert!(poll(wanted.as_mut()).is_ready() && permits.is_wanted());
    }

    #[test]
    fn who_can_not_wait_gets_a_place_or_none() {
        let permits = Permits::new(1, 0);
        let first = permits.acquire_now().expect("it is free");
        let mut wanted = pin!(permits.wanted());
        assert!(poll(wanted.as_mut()).is_pending());
        assert_eq!(permits.acquire_now().err(), Some(Full));
        assert!(poll(wanted.as_mut()).is_ready(), "who could do without one is told");
        drop(first);
        assert!(permits.acquire_now().is_ok());
    }

    #[test]
    fn who_stops_waiting_leaves_the_queue() {
        let permits = Permits::new(0, 1);
        {
            let mut waiter = pin!(permits.acquire());
            assert!(poll(waiter.as_mut()).is_pending());
        }
        assert!(poll(pin!(permits.acquire())).is_pending(), "the queue has room again");
    }
}
