//! Guests that compute take turns.
//!
//! A thread of the executor polls tasks in the order in which they became ready. A guest that yields after it has computed is
//! ready again at once, so behind a dozen of those an event that needs microseconds would wait for a dozen slices, on every
//! thread. Here they queue up apart from everybody else: as many of them run as there are threads, and before the next one
//! does its thread looks for what has come from outside, if no other one does so, and polls what it finds.
//!
//! Whether a guest that stops by itself yields or waits can't be told: hosts yield for it, and sets of futures wake themselves.
//! It needs no turn. But who computes is metered from the start of its next poll, so that the clock interrupts it sooner or
//! later, unless it stops within a millisecond each time; then it queues up with the others.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::cpu::{EventCall, MeterState, Returned};

/// One for each thread of the executor. They are the process's, like the threads, whichever app or engine a guest is of.
static PLACES: LazyLock<Semaphore> = LazyLock::new(|| {
    let threads = Handle::try_current().map_or(1, |executor| executor.metrics().num_workers());
    Semaphore::new(threads)
});

/// Polls a guest, meters it, and makes it wait for its turn to go on computing. A turn is one poll.
pub(crate) struct InTurn {
    meter: Arc<MeterState>,
    places: &'static Semaphore,
    next: Next,
}

/// How the guest is polled when it is woken, and what ran last, if that is known.
enum Next {
    AtOnce,
    /// And metered from the start.
    Metered(Option<EventCall>),
    /// And only when it is its turn, first come first served.
    InTurn(Option<EventCall>, BoxFuture<'static, Place>),
}

type Place = SemaphorePermit<'static>;

impl InTurn {
    pub(crate) fn new(meter: Arc<MeterState>) -> Self {
        Self { meter, places: &PLACES, next: Next::AtOnce }
    }

    /// Polls what the guest does, unless it has to wait for its turn.
    pub(crate) fn poll<F: Future>(&mut self, guest: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut place = None;
        match &mut self.next {
            Next::AtOnce => {}
            Next::Metered(task) => self.meter.resumes(*task),
            Next::InTurn(task, turn) => {
                place = Some(ready!(turn.as_mut().poll(context)));
                self.meter.goes_on(*task);
            }
        }
        let polled = guest.poll(context);
        let returned = self.meter.returned();
        if let Some(place) = place {
            give_back(place);
        }
        self.next = match returned {
            Returned::Rested => Next::AtOnce,
            Returned::Computed(task) => Next::Metered(task),
            Returned::Interrupted(task) => Next::InTurn(task, Box::pin(turn(self.places))),
        };
        polled
    }

    /// Whether the guest, as far as it can be known, waits for something else than its turn.
    pub(crate) fn waits(&self) -> bool {
        !matches!(self.next, Next::InTurn(..))
    }
}

async fn turn(places: &'static Semaphore) -> Place {
    places.acquire().await.expect("the semaphore is never closed")
}

/// Ends a turn. Whose turn is next is polled as soon as the place is free: not before this thread has looked for what has
/// come from outside, and polled it.
fn give_back(place: Place) {
    let Ok(executor) = Handle::try_current() else { return };
    executor.spawn(async move {
        // A thread polls those who yield like this when it has looked, ...
        tokio::task::yield_now().await;
        // ... but one of them before what it found.
        go_behind_others().await;
        drop(place);
    });
}

/// Goes behind the tasks that are ready on this thread.
async fn go_behind_others() {
    let mut has_gone = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_gone, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::cell::RefCell;
    use std::pin::pin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Waker;
    use std::time::{Duration, Instant};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::{LocalSet, yield_now};
    use wasmtime::UpdateDeadline;

    use super::*;
    use crate::engine::EPOCH_TICK;
    use crate::limits::cpu::compute;
    use crate::limits::{CpuMeter, Limits};

    /// A guest that computes in each poll, and who polls it.
    struct Guest {
        turn: InTurn,
        meter: CpuMeter,
        /// Goes on until it is interrupted.
        is_busy: bool,
    }

    impl Guest {
        fn new(places: &'static Semaphore) -> Self {
            let meter = CpuMeter::new(&Limits { cpu_time: Duration::MAX, ..Limits::default() });
            Self { turn: InTurn { places, ..InTurn::new(meter.state()) }, meter, is_busy: true }
        }

        /// Whether it was polled.
        fn poll(&mut self, context: &mut Context<'_>) -> bool {
            let mut is_polled = false;
            let guest = poll_fn(|_| {
                is_polled = true;
                while let UpdateDeadline::Continue(_) = self.meter.tick(std::iter::empty()).unwrap() {
                    compute(EPOCH_TICK / 2);
                    if !self.is_busy {
                        break;
                    }
                }
                Poll::<()>::Pending
            });
            assert!(self.turn.poll(pin!(guest), context).is_pending());
            is_polled
        }

        /// Until it was.
        async fn polled(&mut self) {
            let polled = poll_fn(|context| if self.poll(context) { Poll::Ready(()) } else { Poll::Pending });
            tokio::time::timeout(IN_TIME, polled).await.unwrap();
        }
    }

    const IN_TIME: Duration = Duration::from_secs(20);

    /// Which other tests don't take.
    fn places(count: usize) -> &'static Semaphore {
        Box::leak(Box::new(Semaphore::new(count)))
    }

    #[tokio::test]
    async fn a_turn_ends_with_its_poll_and_with_the_guest() {
        let places = places(2);
        let mut others = Vec::new();
        for number in 0..6 {
            let mut guest = Guest::new(places);
            for _ in 0..3 {
                guest.polled().await;
            }
            // Half of them are gone, and the others are polled once more, or never.
            if number % 2 == 0 {
                others.push(guest);
            }
        }
        let all = tokio::time::timeout(IN_TIME, places.acquire_many(2)).await.unwrap().unwrap();
        for guest in &mut others {
            assert!(!guest.poll(&mut Context::from_waker(Waker::noop())));
        }
        drop((all, others));
        assert!(tokio::time::timeout(IN_TIME, places.acquire_many(2)).await.is_ok());
    }

    #[tokio::test]
    async fn who_was_interrupted_waits_for_its_turn() {
        let places = places(1);
        let taken = places.acquire().await.unwrap();
        let mut context = Context::from_waker(Waker::noop());
        let mut guest = Guest::new(places);
        assert!(guest.poll(&mut context), "it isn't known yet");
        assert!(!guest.turn.waits());
        assert!(!guest.poll(&mut context));
        assert!(!guest.turn.waits());
        drop(taken);
        guest.is_busy = false;
        assert!(guest.poll(&mut context));
        assert!(guest.turn.waits(), "for something else");
    }

    #[test]
    fn who_stops_by_itself_needs_no_turn() {
        let mut guest = Guest::new(places(0));
        guest.is_busy = false;
        let mut context = Context::from_waker(Waker::noop());
        assert!(guest.poll(&mut context));
        assert!(guest.turn.waits());
        // Not before it is made to stop.
        guest.is_busy = true;
        assert!(guest.poll(&mut context));
        assert!(!guest.turn.waits());
    }

    #[test]
    fn guests_that_use_every_processor_do_not_keep_others_waiting() {
        let threads = tokio::runtime::Runtime::new().unwrap();
        let places = places(threads.metrics().num_workers());
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..4 * threads.metrics().num_workers() {
            let (mut guest, stop) = (Guest::new(places), Arc::clone(&stop));
            threads.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    guest.polled().await;
                    // As the engine yields.
                    go_behind_others().await;
                }
            });
        }
        let mut times: Vec<Duration> = threads.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    tokio::spawn(async move {
                        let byte = stream.read_u8().await.unwrap();
                        stream.write_u8(byte).await.unwrap();
                    });
                }
            });
            let asking = tokio::task::spawn_blocking(move || {
                let ask = || {
                    let began = Instant::now();
                    let mut stream = std::net::TcpStream::connect(address).unwrap();
                    std::io::Write::write_all(&mut stream, b"x").unwrap();
                    std::io::Read::read_exact(&mut stream, &mut [0]).unwrap();
                    began.elapsed()
                };
                (0..9).map(|_| ask()).collect()
            });
            asking.await.unwrap()
        });
        stop.store(true, Ordering::Relaxed);
        times.sort();
        // A thread that doesn't look before each turn looks after 61.
        assert!(times[times.len() / 2] < EPOCH_TICK * 20, "{times:?}");
    }

    thread_local!(static ORDER: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) });

    fn note(what: &'static str) {
        ORDER.with_borrow_mut(|order| order.push(what));
    }

    #[tokio::test]
    async fn who_goes_behind_others_is_polled_after_those_who_are_ready_and_before_those_who_yield() {
        let tasks = LocalSet::new();
        tasks.spawn_local(async {
            yield_now().await;
            note("yields");
        });
        tasks.spawn_local(async {
            go_behind_others().await;
            note("goes behind");
        });
        for _ in 0..2 {
            tasks.spawn_local(async { note("is ready") });
        }
        tasks.await;
        assert_eq!(ORDER.take(), ["is ready", "is ready", "goes behind", "yields"]);
    }
}
