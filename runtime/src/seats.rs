//! Which instance gets which event.
//!
//! An instance that could take an event has a seat in the list; an event is handed to one of them and lies there until it
//! is taken or the seat is left. So every event is with exactly one instance that was woken for it, and an instance that
//! stops taking events can't keep one that was meant for another.
//!
//! An instance that does nothing else has no task: it lies in the list itself, and goes to whoever has an event for it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// What an instance does from its beginning to its end.
pub(crate) type Life = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The instances of one component that would take an event.
pub(crate) struct Seats<E>(Mutex<State<E>>);

struct State<E> {
    /// Who could take one, the latest last.
    free: Vec<(SeatId, Free)>,
    /// What was handed to whom, and not yet taken.
    handed: Vec<(SeatId, E)>,
    next: u64,
    /// Somebody looks after those that are parked.
    is_watched: bool,
}

enum Free {
    /// Driven by a task, which is woken. If it does nothing else, it may be parked for so long.
    Driven(Waker, Option<Duration>),
    /// Nobody drives it. It ends at that time.
    Parked(Life, Instant),
}

/// What became of an instance that was to be parked.
pub(crate) enum Parked {
    /// It is.
    Yes,
    /// It is, and nobody looks after those that are: that is for the caller to see to.
    Unwatched,
    /// It does something, or is about to.
    No(Life),
}

/// The name of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeatId(u64);

impl<E> Default for Seats<E> {
    fn default() -> Self {
        Self(Mutex::new(State { free: Vec::new(), handed: Vec::new(), next: 0, is_watched: false }))
    }
}

impl<E> Seats<E> {
    /// Hands an event to an instance that nobody drives, since no other task has to be polled for it: to drive it is for the
    /// caller from now on. If there is none, to one that is driven. Among equals it is the one that became free last: its
    /// memory is the warmest, and the others may end.
    ///
    /// # Errors
    /// The event, if no instance would take it.
    pub(crate) fn offer(&self, event: E) -> Result<Option<(SeatId, Life)>, E> {
        let mut state = self.lock();
        let Some(last) = state.free.len().checked_sub(1) else { return Err(event) };
        let parked = state.free.iter().rposition(|(_, free)| matches!(free, Free::Parked(..)));
        let (id, free) = state.free.remove(parked.unwrap_or(last));
        state.handed.push((id, event));
        drop(state);
        match free {
            Free::Driven(waker, _) => {
                waker.wake();
                Ok(None)
            }
            Free::Parked(life, _) => Ok(Some((id, life))),
        }
    }

    /// Leaves an instance to whoever has an event for it next, if it waits for one and does nothing else.
    pub(crate) fn park(&self, id: SeatId, life: Life) -> Parked {
        let mut state = self.lock();
        match state.free.iter_mut().find(|(free, _)| *free == id) {
            Some((_, free @ Free::Driven(_, Some(_)))) => {
                let Free::Driven(_, Some(idle)) = free else { return Parked::No(life) };
                *free = Free::Parked(life, Instant::now() + *idle);
            }
            _ => return Parked::No(life),
        }
        match std::mem::replace(&mut state.is_watched, true) {
            true => Parked::Yes,
            false => Parked::Unwatched,
        }
    }

    /// When the next one that is parked is to end. If there is none, nobody needs to watch until there is one again.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        let mut state = self.lock();
        let next = state.free.iter().filter_map(|(_, free)| free.end()).min();
        state.is_watched = next.is_some();
        next
    }

    /// Those that were parked until `now` or before, or the one that would be next if one at least has to go. They are for
    /// the caller to drop.
    pub(crate) fn take_over(&self, now: Instant, at_least_one: bool) -> Vec<Life> {
        let mut state = self.lock();
        let first = state.free.iter().filter_map(|(_, free)| free.end()).min().filter(|_| at_least_one);
        let is_over = |free: &Free| free.end().is_some_and(|end| end <= now || Some(end) == first);
        let over = state.free.extract_if(.., |(_, free)| is_over(free));
        let lives = over.filter_map(|(_, free)| match free {
            Free::Parked(life, _) => Some(life),
            Free::Driven(..) => None,
        });
        lives.collect()
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

impl Free {
    fn end(&self) -> Option<Instant> {
        match self {
            Self::Parked(_, end) => Some(*end),
            Self::Driven(..) => None,
        }
    }
}

impl<E> State<E> {
    fn take(&mut self, id: SeatId) -> Option<E> {
        let at = self.handed.iter().position(|(to, _)| *to == id)?;
        Some(self.handed.swap_remove(at).1)
    }
}

/// The seat of one instance. Whoever drops it calls [`Seat::leave`] before, for what may lie there and would be lost.
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

    /// By what the instance is known here.
    pub(crate) fn id(&self) -> SeatId {
        self.id
    }

    /// Waits for an event, in the list from now on. An instance that does nothing else may be parked, for as long as `idle`.
    pub(crate) fn poll_take(&mut self, context: &Context<'_>, idle: Option<Duration>) -> Poll<E> {
        let mut state = self.seats.lock();
        let free = Free::Driven(context.waker().clone(), idle);
        if !self.is_listed {
            self.is_listed = true;
            state.free.push((self.id, free));
        } else if let Some(event) = state.take(self.id) {
            self.is_listed = false;
            return Poll::Ready(event);
        } else if let Some((_, before)) = state.free.iter_mut().find(|(id, _)| *id == self.id) {
            *before = free;
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
        assert_eq!(seats.offer("nobody is there").err(), Some("nobody is there"));
        let (mut first, mut second) = (seats.seat(), seats.seat());
        assert!(first.poll_take(&context(), None).is_pending() && second.poll_take(&context(), None).is_pending());
        assert!(matches!(seats.offer("event"), Ok(None)));
        assert_eq!((first.take(), second.take()), (None, Some("event")));
    }

    #[test]
    fn what_lies_on_a_seat_that_is_left_is_handed_on() {
        let seats = Arc::new(Seats::default());
        let mut seat = seats.seat();
        assert!(seat.poll_take(&context(), None).is_pending());
        assert!(matches!(seats.offer("event"), Ok(None)));
        assert_eq!(seat.leave(), Some("event"));
        assert_eq!(seats.offer("event").err(), Some("event"), "nobody is there any more");
        assert_eq!(seat.leave(), None);
    }

    #[test]
    fn who_does_nothing_else_is_parked_and_goes_to_whoever_has_an_event() {
        const IDLE: Duration = Duration::from_secs(5);
        let seats = Arc::new(Seats::default());
        let mut seat = seats.seat();
        let life = || Box::pin(std::future::pending()) as Life;
        assert!(matches!(seats.park(seat.id(), life()), Parked::No(_)), "it doesn't wait for an event");
        assert!(seat.poll_take(&context(), None).is_pending());
        assert!(matches!(seats.park(seat.id(), life()), Parked::No(_)), "it does something else too");
        assert!(seat.poll_take(&context(), Some(IDLE)).is_pending());
        assert!(matches!(seats.park(seat.id(), life()), Parked::Unwatched));
        assert!(matches!(seats.offer("event"), Ok(Some((id, _))) if id == seat.id()));
        assert!(matches!(seats.park(seat.id(), life()), Parked::No(_)), "it has an event");
        assert_eq!(seat.take(), Some("event"));
        assert!(seat.poll_take(&context(), Some(IDLE)).is_pending());
        assert!(matches!(seats.park(seat.id(), life()), Parked::Yes), "somebody watches");
    }

    #[test]
    fn who_is_parked_gets_the_event_before_those_who_are_driven() {
        let seats = Arc::new(Seats::default());
        let [mut parked, mut driven] = [seats.seat(), seats.seat()];
        assert!(parked.poll_take(&context(), Some(Duration::from_secs(5))).is_pending());
        assert!(driven.poll_take(&context(), None).is_pending());
        assert!(!matches!(seats.park(parked.id(), Box::pin(std::future::pending())), Parked::No(_)));
        assert!(matches!(seats.offer("first"), Ok(Some((id, _))) if id == parked.id()));
        assert!(matches!(seats.offer("second"), Ok(None)));
        assert_eq!((parked.take(), driven.take()), (Some("first"), Some("second")));
    }

    #[test]
    fn who_was_parked_long_enough_ends() {
        let seats = Arc::new(Seats::<()>::default());
        let mut all: Vec<Seat<()>> = (0..3).map(|_| seats.seat()).collect();
        for (seat, idle) in all.iter_mut().zip([30, 10, 20]) {
            assert!(seat.poll_take(&context(), Some(Duration::from_secs(idle))).is_pending());
            assert!(!matches!(seats.park(seat.id(), Box::pin(std::future::pending())), Parked::No(_)));
        }
        let now = Instant::now();
        assert!(seats.take_over(now, false).is_empty());
        assert_eq!(seats.take_over(now, true).len(), 1, "the one that would have ended first");
        assert!(seats.next_end().is_some_and(|end| end > now + Duration::from_secs(15)));
        assert_eq!(seats.take_over(now + Duration::from_secs(31), false).len(), 2);
        assert_eq!(seats.next_end(), None);
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
                    2 => match all[who].poll_take(&context(), None) {
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
