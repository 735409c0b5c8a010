//! Which instance gets which event.
//!
//! An instance that could take an event has a seat in the list; an event is handed to one of them and lies there until it
//! is taken or the seat is left. So every event is with exactly one instance that was woken for it, and an instance that
//! stops taking events can't keep one that was meant for another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The instances of one component that would take an event.
#[derive(Debug)]
pub(crate) struct Seats<E>(Mutex<State<E>>);

#[derive(Debug)]
struct State<E> {
    /// Who could take one, the latest last.
    free: Vec<(SeatId, Waker)>,
    /// What was handed to whom, and not yet taken.
    handed: Vec<(SeatId, E)>,
    next: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SeatId(u64);

impl<E> Default for Seats<E> {
    fn default() -> Self {
        Self(Mutex::new(State { free: Vec::new(), handed: Vec::new(), next: 0 }))
    }
}

impl<E> Seats<E> {
    /// Hands an event to the instance that became free last: its memory is the warmest, and the others may end.
    ///
    /// # Errors
    /// The event, if no instance would take it.
    pub(crate) fn offer(&self, event: E) -> Result<(), E> {
        let mut state = self.lock();
        let Some((id, waker)) = state.free.pop() else { return Err(event) };
        state.handed.push((id, event));
        drop(state);
        waker.wake();
        Ok(())
    }

    /// A seat that is not in the list yet.
    pub(crate) fn seat(self: &Arc<Self>) -> Seat<E> {
        let mut state = self.lock();
        state.next += 1;
        Seat { id: SeatId(state.next), seats: Arc::clone(self), is_listed: false }
    }

    fn lock(&self) -> MutexGuard<'_, State<E>> {
        // No code that could panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> State<E> {
    fn take(&mut self, id: SeatId) -> Option<E> {
        let at = self.handed.iter().position(|(to, _)| *to == id)?;
        Some(self.handed.swap_remove(at).1)
    }
}

/// The seat of one instance. Whoever drops it calls [`Seat::leave`] before, for what may lie there and would be lost.
#[derive(Debug)]
pub(crate) struct Seat<E> {
    id: SeatId,
    seats: Arc<Seats<E>>,
    /// In the list of the free, or something was handed to it.
    is_listed: bool,
}

impl<E> Seat<E> {
    /// What was handed to it.
    pub(crate) fn take(&mut self) -> Option<E> {
        if !self.is_listed {
            return None;
        }
        let event = self.seats.lock().take(self.id);
        self.is_listed = event.is_none();
        event
    }

    /// Waits for an event, in the list from now on.
    pub(crate) fn poll_take(&mut self, context: &Context<'_>) -> Poll<E> {
        let mut state = self.seats.lock();
        if !self.is_listed {
            self.is_listed = true;
            state.free.push((self.id, context.waker().clone()));
        } else if let Some(event) = state.take(self.id) {
            self.is_listed = false;
            return Poll::Ready(event);
        } else if let Some((_, waker)) = state.free.iter_mut().find(|(id, _)| *id == self.id) {
            waker.clone_from(context.waker());
        }
        Poll::Pending
    }

    /// Out of the list. What was handed to it before is the caller's, to hand on.
    pub(crate) fn leave(&mut self) -> Option<E> {
        if !std::mem::take(&mut self.is_listed) {
            return None;
        }
        let mut state = self.seats.lock();
        match state.free.iter().position(|(id, _)| *id == self.id) {
            Some(at) => {
                state.free.remove(at);
                None
            }
            None => state.take(self.id),
        }
    }
}

impl<E> Drop for Seat<E> {
    fn drop(&mut self) {
        drop(self.leave());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn context() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    #[test]
    fn who_became_free_last_gets_the_event() {
        let seats = Arc::new(Seats::default());
        assert_eq!(seats.offer("nobody is there"), Err("nobody is there"));
        let (mut first, mut second) = (seats.seat(), seats.seat());
        assert!(first.poll_take(&context()).is_pending() && second.poll_take(&context()).is_pending());
        assert_eq!(seats.offer("event"), Ok(()));
        assert_eq!((first.take(), second.take()), (None, Some("event")));
    }

    #[test]
    fn what_lies_on_a_seat_that_is_left_is_handed_on() {
        let seats = Arc::new(Seats::default());
        let mut seat = seats.seat();
        assert!(seat.poll_take(&context()).is_pending());
        assert_eq!(seats.offer("event"), Ok(()));
        assert_eq!(seat.leave(), Some("event"));
        assert_eq!(seats.offer("event"), Err("event"), "nobody is there any more");
        assert_eq!(seat.leave(), None);
    }

    proptest! {
        #[test]
        fn every_event_is_refused_or_taken_once(steps in prop::collection::vec((0..4_usize, 0..3_usize), 1..60)) {
            let seats = Arc::new(Seats::default());
            let mut taken = Vec::new();
            let mut all: Vec<Seat<usize>> = (0..3).map(|_| seats.seat()).collect();
            let mut offered = 0;
            for (step, who) in steps {
                let event = match step {
                    0 => {
                        offered += 1;
                        seats.offer(offered - 1).err()
                    }
                    1 => all[who].take(),
                    2 => match all[who].poll_take(&context()) {
                        Poll::Ready(event) => Some(event),
                        Poll::Pending => None,
                    },
                    _ => all[who].leave(),
                };
                taken.extend(event);
            }
            taken.extend(all.iter_mut().filter_map(Seat::leave));
            taken.sort_unstable();
            prop_assert_eq!(taken, (0..offered).collect::<Vec<_>>());
        }
    }
}
