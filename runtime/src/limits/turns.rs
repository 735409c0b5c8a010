//! Guests that compute take turns.
//!
//! A thread of the executor polls tasks in the order in which they became ready. A guest that was made to yield is ready
//! again at once, so with a dozen of those an event that needs microseconds would wait for a dozen slices, on every thread.
//! Here they queue up apart from everybody else: as many of them run as there are threads, and before the next one does a
//! thread looks for what has come from outside.

use std::sync::{Arc, LazyLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One for each thread of the executor. They are the process's, like the threads, whichever app or engine a guest is of.
static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(places())));

pub(super) fn places() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

/// A guest's turn to compute, until this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _place: OwnedSemaphorePermit,
}

/// Waits for a guest's next turn, first come first served. Its last one ends with that.
pub(super) async fn next(last: Option<Turn>) -> Turn {
    // The executor wakes who yields like this after everybody else who is ready, and after it has looked for more of them.
    // Whose turn is next is woken by the end of the last one, and would run before that.
    tokio::task::yield_now().await;
    drop(last);
    let place = Arc::clone(&PLACES).acquire_owned().await.expect("the semaphore is never closed");
    Turn { _place: place }
}
