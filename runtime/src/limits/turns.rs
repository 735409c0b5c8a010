//! Guests that compute take turns.
//!
//! A thread of the executor polls tasks in the order in which they became ready. A guest that yields after it has computed is
//! ready again at once, so behind a dozen of those an event that needs microseconds would wait for a dozen slices, on every
//! thread. Here they queue up apart from everybody else: as many of them run as there are threads, and before the next one
//! does its thread looks for what has come from outside, if no other one does so, and polls what it finds.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker, ready};

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::task::AtomicWaker;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::cpu::{EventCall, MeterState, Returned};

/// One for each thread of the executor. They are the process's, like the threads, whichever app or engine a guest is of.
static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let threads = Handle::try_current().map_or(1, |executor| executor.metrics().num_workers());
    Arc::new(Semaphore::new(threads))
});

/// Polls a guest, meters it, and makes it wait for its turn to go on computing. A turn is one poll.
pub(crate) struct InTurn {
    meter: Arc<MeterState>,
    next: Option<NextTurn>,
    /// From when on it has computed: whoever only waits for something needs no turn.
    wakes: Option<Arc<OwnWakes>>,
}

struct NextTurn {
    /// What ran last, if that is known.
    task: Option<EventCall>,
    /// One, in a set because that polls it only when it was woken itself: the guest is woken for other reasons, too.
    place: FuturesUnordered<BoxFuture<'static, OwnedSemaphorePermit>>,
}

impl InTurn {
    pub(crate) fn new(meter: Arc<MeterState>) -> Self {
        Self { meter, next: None, wakes: None }
    }

    /// Polls what the guest does, unless it has to wait for its turn.
    pub(crate) fn poll<F: Future>(&mut self, guest: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut last = None;
        if let Some(next) = &mut self.next {
            last = ready!(next.place.poll_next_unpin(context));
            self.meter.goes_on(next.task);
            self.next = None;
        }
        let polled = match &self.wakes {
            None => guest.poll(context),
            Some(wakes) => wakes.poll(guest, context),
        };
        match (self.meter.returned(), &polled) {
            (Returned::Computed(task), Poll::Pending) => match &self.wakes {
                Some(wakes) if wakes.yielded() => self.wait(task, last),
                Some(_) => {}
                None => self.wakes = Some(Arc::default()),
            },
            (Returned::Interrupted(task), Poll::Pending) => self.wait(task, last),
            _ => {}
        }
        polled
    }

    /// Whether the guest, as far as it can be known, waits for something else than its turn.
    pub(crate) fn waits(&self) -> bool {
        self.next.is_none()
    }

    /// It has woken itself, so that it is polled again soon.
    fn wait(&mut self, task: Option<EventCall>, last: Option<OwnedSemaphorePermit>) {
        let place: BoxFuture<'static, _> = Box::pin(next(last));
        self.next = Some(NextTurn { task, place: FuturesUnordered::from_iter([place]) });
    }
}

/// Tells a guest that yields from one that waits: it wakes itself before it returns.
#[derive(Default)]
struct OwnWakes {
    is_woken: AtomicBool,
    outside: AtomicWaker,
}

impl OwnWakes {
    fn poll<F: Future>(self: &Arc<Self>, guest: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.outside.register(context.waker());
        self.is_woken.store(false, Ordering::Relaxed);
        guest.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }

    fn yielded(&self) -> bool {
        self.is_woken.load(Ordering::Relaxed)
    }
}

impl Wake for OwnWakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Relaxed);
        self.outside.wake();
    }
}

/// Waits for a guest's next turn, first come first served. Its last one ends with that.
async fn next(last: Option<OwnedSemaphorePermit>) -> OwnedSemaphorePermit {
    // A thread polls those who yield like this when it has looked for what has come from outside, ...
    tokio::task::yield_now().await;
    // ... but one of them before what it found. Whose turn is next is polled as soon as the last one ends: not yet.
    go_behind_others().await;
    drop(last);
    Arc::clone(&PLACES).acquire_owned().await.expect("the semaphore is never closed")
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
    use std::time::{Duration, Instant};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::{LocalSet, yield_now};

    use super::*;
    use crate::engine::EPOCH_TICK;
    use crate::limits::cpu::compute;
    use crate::limits::{CpuMeter, Limits};

    /// A guest, and who polls it.
    struct Guest {
        turn: InTurn,
        meter: CpuMeter,
        /// How often it computes.
        left: usize,
        /// For how long, of the thread's processor time.
        slice: Duration,
        /// Wakes itself afterwards, as the engine does it for one that yields.
        yields: bool,
    }

    impl Guest {
        fn new(slices: usize, slice: Duration, yields: bool) -> Self {
            let meter = CpuMeter::new(&Limits::default());
            Self { turn: InTurn::new(meter.state()), meter, left: slices, slice, yields }
        }

        /// Gives how often it has still to compute, if it was polled.
        fn poll(&mut self, context: &mut Context<'_>) -> Option<usize> {
            let Self { turn, meter, left, slice, yields } = self;
            let mut polled = None;
            let guest = poll_fn(|context| {
                if *left > 0 {
                    *left -= 1;
                    assert!(meter.tick(std::iter::empty()).is_ok());
                    compute(*slice);
                    if *yields {
                        context.waker().wake_by_ref();
                    }
                }
                polled = Some(*left);
                Poll::<()>::Pending
            });
            assert!(turn.poll(pin!(guest), context).is_pending());
            polled
        }
    }

    #[tokio::test]
    async fn a_turn_ends_with_its_poll_and_with_the_guest() {
        const IN_TIME: Duration = Duration::from_secs(20);
        let more_than_places = 4 * std::thread::available_parallelism().map_or(1, Into::into);
        let mut others = Vec::new();
        for number in 0..more_than_places {
            let mut guest = Guest::new(4, EPOCH_TICK / 4, true);
            // The first poll tells that it computes, and the second that it yields.
            for left in [3, 2, 1] {
                assert!(guest.turn.waits() || left == 1);
                let polled = poll_fn(|context| guest.poll(context).map_or(Poll::Pending, Poll::Ready));
                assert_eq!(tokio::time::timeout(IN_TIME, polled).await.unwrap(), left, "{number}");
            }
            assert!(!guest.turn.waits());
            match number % 2 {
                // It is gone,
                0 => drop(guest),
                // ... or computes and waits from then on.
                _ => {
                    guest.yields = false;
                    let polled = poll_fn(|context| guest.poll(context).map_or(Poll::Pending, Poll::Ready));
                    assert_eq!(tokio::time::timeout(IN_TIME, polled).await.unwrap(), 0, "{number}");
                    assert!(guest.turn.waits());
                    others.push(guest);
                }
            }
        }
    }

    #[test]
    fn a_guest_that_computes_and_waits_for_something_needs_no_turn() {
        let mut guest = Guest::new(5, EPOCH_TICK / 4, false);
        let mut context = Context::from_waker(Waker::noop());
        for left in (0..5).rev() {
            assert_eq!(guest.poll(&mut context), Some(left));
            assert!(guest.turn.waits());
        }
    }

    #[test]
    fn guests_that_use_every_processor_do_not_keep_others_waiting() {
        let threads = tokio::runtime::Runtime::new().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..4 * threads.metrics().num_workers() {
            let (mut guest, stop) = (Guest::new(usize::MAX, EPOCH_TICK, true), Arc::clone(&stop));
            threads.spawn(poll_fn(move |context| match stop.load(Ordering::Relaxed) {
                true => Poll::Ready(()),
                false => {
                    guest.poll(context);
                    Poll::Pending
                }
            }));
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
