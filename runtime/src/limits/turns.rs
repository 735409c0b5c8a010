//! Guests that compute take turns.
//!
//! A thread of the executor polls tasks in the order in which they became ready. A guest that was made to yield is ready
//! again at once, so behind a dozen of those an event that needs microseconds would wait for a dozen slices, on every thread.
//! Here they queue up apart from everybody else: as many of them run as there are threads, and before the next one does its
//! thread looks for what has come from outside, if no other one does so, and polls what it finds.

use std::future::poll_fn;
use std::sync::{Arc, LazyLock};
use std::task::Poll;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One for each thread of the executor. They are the process's, like the threads, whichever app or engine a guest is of.
static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let threads = Handle::try_current().map_or(1, |executor| executor.metrics().num_workers());
    Arc::new(Semaphore::new(threads))
});

/// A guest's turn to compute, until this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _place: OwnedSemaphorePermit,
}

/// Waits for a guest's next turn, first come first served. Its last one ends with that.
pub(super) async fn next(last: Option<Turn>) -> Turn {
    // A thread polls those who yield like this when it has looked for what has come from outside, ...
    tokio::task::yield_now().await;
    // ... but one of them before what it found. Whose turn is next is polled as soon as the last one ends: not yet.
    go_behind_others().await;
    drop(last);
    let place = Arc::clone(&PLACES).acquire_owned().await.expect("the semaphore is never closed");
    Turn { _place: place }
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
    use std::cell::RefCell;

    use tokio::task::{LocalSet, yield_now};

    use super::*;

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
