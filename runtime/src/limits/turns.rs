//! Guests that compute take turns.
//!
//! A thread of the executor polls tasks in the order in which they became ready. A guest that yields after it has computed is
//! ready again at once, so behind a dozen of those an event that needs microseconds would wait for a dozen slices, on every
//! thread. Here they queue up apart from everybody else: as many of them run as there are threads, and before the next one
//! does its thread looks for what has come from outside, if no other one does so, and polls what it finds.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::cpu::{Computed, MeterState};

/// One for each thread of the executor. They are the process's, like the threads, whichever app or engine a guest is of.
static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let threads = Handle::try_current().map_or(1, |executor| executor.metrics().num_workers());
    Arc::new(Semaphore::new(threads))
});

/// Polls a guest, meters it, and makes it wait for its turn when it has computed.
pub(crate) struct InTurn {
    meter: Arc<MeterState>,
    turn: Turn,
}

#[derive(Default)]
enum Turn {
    /// It needs none: it hasn't computed.
    #[default]
    Unneeded,
    /// It has computed, and waits for it. It is woken for other reasons too; the set polls what it holds when that is woken.
    Awaited(Computed, FuturesUnordered<BoxFuture<'static, OwnedSemaphorePermit>>),
    /// The next poll is its turn, which ends with that.
    Begun(OwnedSemaphorePermit),
}

impl InTurn {
    pub(crate) fn new(meter: Arc<MeterState>) -> Self {
        Self { meter, turn: Turn::default() }
    }

    /// Polls what the guest does, unless it has to wait for its turn.
    pub(crate) fn poll<F: Future>(&mut self, guest: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
        ready!(self.poll_turn(context));
        let polled = guest.poll(context);
        let last = match std::mem::take(&mut self.turn) {
            Turn::Begun(place) => Some(place),
            Turn::Unneeded | Turn::Awaited(..) => None,
        };
        if let (Some(computed), Poll::Pending) = (self.meter.returned(), &polled) {
            let next: BoxFuture<'static, _> = Box::pin(next(last));
            self.turn = Turn::Awaited(computed, FuturesUnordered::from_iter([next]));
            // It may have computed before it waits for something else, and the last turn has to end all the same.
            let _ = self.poll_turn(context);
        }
        polled
    }

    /// Whether the guest, as far as it can be known, waits for something else than its turn.
    pub(crate) fn waits(&self) -> bool {
        !matches!(self.turn, Turn::Awaited(..))
    }

    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Turn::Awaited(computed, next) = &mut self.turn {
            let place = ready!(next.poll_next_unpin(context));
            self.meter.goes_on(computed);
            self.turn = place.map_or(Turn::Unneeded, Turn::Begun);
        }
        Poll::Ready(())
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
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::{LocalSet, yield_now};

    use super::*;
    use crate::engine::EPOCH_TICK;
    use crate::limits::{CpuMeter, Limits};

    /// A guest that has the first of so many slices of computing behind it, with who polls it.
    struct Computing {
        turn: InTurn,
        meter: CpuMeter,
        left: usize,
        slice: Duration,
    }

    impl Computing {
        fn new(slices: usize, slice: Duration) -> Self {
            let meter = CpuMeter::new(&Limits::default());
            Self { turn: InTurn::new(meter.state()), meter, left: slices, slice }
        }

        /// Ready when it waits after its last slice.
        fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
            let Self { turn, meter, left, slice } = self;
            let mut is_done = false;
            let guest = poll_fn(|context| {
                is_done = *left == 0;
                if *left > 0 {
                    *left -= 1;
                    assert!(meter.tick(std::iter::empty()).is_ok());
                    let began = Instant::now();
                    while began.elapsed() < *slice {
                        std::hint::spin_loop();
                    }
                    // As the engine does it for a guest that yields by itself.
                    context.waker().wake_by_ref();
                }
                Poll::<()>::Pending
            });
            assert!(turn.poll(pin!(guest), context).is_pending());
            assert!(turn.waits() || !is_done, "a guest that only waits needs no turn");
            if is_done { Poll::Ready(()) } else { Poll::Pending }
        }
    }

    #[tokio::test]
    async fn a_turn_ends_with_the_guests_wait_and_with_the_guest() {
        const IN_TIME: Duration = Duration::from_secs(20);
        let more_than_places = 4 * std::thread::available_parallelism().map_or(1, Into::into);
        let guests = || (0..more_than_places).map(|_| Computing::new(2, EPOCH_TICK / 4));
        let mut waiting = Vec::new();
        for mut guest in guests() {
            tokio::time::timeout(IN_TIME, poll_fn(|context| guest.poll(context))).await.unwrap();
            waiting.push(guest);
        }
        for mut guest in guests() {
            // Until it has its second turn, which it doesn't come to the end of.
            let second = poll_fn(|context| match (guest.poll(context), guest.left) {
                (Poll::Pending, 1) => Poll::Pending,
                _ => Poll::Ready(()),
            });
            tokio::time::timeout(IN_TIME, second).await.unwrap();
        }
    }

    #[test]
    fn guests_that_use_every_processor_do_not_keep_others_waiting() {
        let threads = tokio::runtime::Runtime::new().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..4 * threads.metrics().num_workers() {
            let (mut guest, stop) = (Computing::new(usize::MAX, EPOCH_TICK), Arc::clone(&stop));
            threads.spawn(poll_fn(move |context| match stop.load(Ordering::Relaxed) {
                true => Poll::Ready(()),
                false => guest.poll(context),
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
