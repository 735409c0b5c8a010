//! How the trigger is: whether it takes events, and what it has counted. Asked by the host, and by the admin listener of a
//! trigger that was started by hand.

use spin_app_model::launch::Status;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::stop::Stop;

/// How the trigger is. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Health {
    ready: CancellationToken,
    pub(crate) stop: Stop,
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Readiness,
}

impl Health {
    /// Events are taken from now on.
    pub(crate) fn set_ready(&self) {
        self.ready.cancel();
    }

    /// Waits until events are taken for the first time.
    pub(crate) async fn became_ready(&self) {
        self.ready.cancelled().await;
    }

    /// Whether new events are taken now.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.is_cancelled() && !self.stop.is_requested() && !self.readiness.is_interrupted()
    }

    /// The answer to the host's question `id`.
    pub(crate) fn status(&self, id: u64) -> Status {
        Status::new(id, self.is_ready(), self.metrics.collect())
    }
}
