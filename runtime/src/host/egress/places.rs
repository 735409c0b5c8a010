//! How many connections there may be at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for connections: so many, or as many as anybody wants.
#[derive(Clone)]
pub(crate) struct Places(Option<Arc<Semaphore>>);

/// The place of one connection, for as long as it is open.
#[derive(Debug)]
pub(crate) struct Place(#[expect(dead_code, reason = "it is held")] Option<OwnedSemaphorePermit>);

impl Places {
    pub(crate) fn new(most: Option<usize>) -> Self {
        Self(most.map(|places| Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)))))
    }

    /// Whether there is an end to them, so that idle connections may keep others from getting one.
    pub(crate) fn are_bounded(&self) -> bool {
        self.0.is_some()
    }

    /// Waits for a place.
    pub(crate) async fn take(&self) -> Place {
        match &self.0 {
            Some(places) => {
                Place(Some(Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed")))
            }
            None => Place(None),
        }
    }
}
