//! How many connections there may be at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for connections: as many as each of these bounds has, or as many as anybody wants.
#[derive(Clone)]
pub(super) struct Places(Vec<Arc<Semaphore>>);

/// The place of one connection, for as long as it is open.
#[derive(Debug)]
pub(crate) struct Place(#[expect(dead_code, reason = "it is held")] Vec<OwnedSemaphorePermit>);

impl Places {
    pub(super) fn new(most: Option<usize>) -> Self {
        Self(Vec::new()).within(most)
    }

    /// Some of these, of which there are so many.
    pub(super) fn within(&self, most: Option<usize>) -> Self {
        let bound = most.map(|places| Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))));
        // The narrower first: who waits for that takes no place of others.
        Self(bound.into_iter().chain(self.0.iter().cloned()).collect())
    }

    /// Whether there is an end to them, so that idle connections may keep others from getting one.
    pub(super) fn are_bounded(&self) -> bool {
        !self.0.is_empty()
    }

    /// Waits for a place.
    pub(super) async fn take(&self) -> Place {
        let mut permits = Vec::with_capacity(self.0.len());
        for bound in &self.0 {
            permits.push(Arc::clone(bound).acquire_owned().await.expect("the semaphore is never closed"));
        }
        Place(permits)
    }
}
