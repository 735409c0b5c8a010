//! Instances that run in the task of whoever waits for them.

use std::pin::Pin;
use std::task::Context;

type Life = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The life of an instance, driven by whoever waits for its answer: what it says is there without a word between two tasks.
/// It goes on in a task of its own when this is dropped before its end.
pub(crate) struct Driven(Option<Life>);

impl Driven {
    pub(super) fn new(life: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(Box::pin(life)))
    }

    /// Of an instance that has a task of its own already.
    pub(crate) fn elsewhere() -> Self {
        Self(None)
    }

    /// Whether there is nothing to drive any more.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_none()
    }

    /// Gives it a turn.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) {
        // Out of its place meanwhile, so that one that panics doesn't go on.
        let Some(mut life) = self.0.take() else { return };
        if life.as_mut().poll(context).is_pending() {
            self.0 = Some(life);
        }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        // At the end of the process there may be no runtime, and nothing to go on for.
        if let (Some(life), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(life);
        }
    }
}
