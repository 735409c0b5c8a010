//! Guests that compute take turns.
//!
//! A thread of the executor polls tasks in the order in which they became ready. A guest that was made to yield is ready
//! again at once, so behind a dozen of those an event that needs microseconds would wait for a dozen slices, on every thread.
//! Here they queue up apart from everybody else: as many of them run as there are threads, and before the next one does its
//! thread looks for what has come from outside, and polls what it finds.

use std::sync::{Arc, LazyLock};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::queue::go_behind_others;

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
    // ... but before what it found. Whose turn is next is polled as soon as the last one ends, so it doesn't yet.
    go_behind_others().await;
    drop(last);
    let place = Arc::clone(&PLACES).acquire_owned().await.expect("the semaphore is never closed");
    Turn { _place: place }
}
