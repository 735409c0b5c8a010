//! Times in which a trigger that has started can't take events.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Whether a trigger that has said that it is ready still is. Cheap to clone.
///
/// ```
/// use spin_trigger_kit::Readiness;
///
/// let readiness = Readiness::default();
/// let lost = readiness.interrupt();
/// assert!(readiness.is_interrupted());
/// drop(lost);
/// assert!(!readiness.is_interrupted());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicUsize>);

impl Readiness {
    /// The trigger is not ready as long as what is returned lives: a source of its events is away.
    #[must_use = "the trigger is ready again when this is dropped"]
    pub fn interrupt(&self) -> NotReady {
        self.0.fetch_add(1, Ordering::AcqRel);
        NotReady(Arc::clone(&self.0))
    }

    /// Whether anything is away.
    pub fn is_interrupted(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

/// As long as this lives, the trigger is not ready.
#[derive(Debug)]
pub struct NotReady(Arc<AtomicUsize>);

impl Drop for NotReady {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_nothing_is_away() {
        let readiness = Readiness::default();
        let (one, two) = (readiness.interrupt(), readiness.interrupt());
        drop(one);
        assert!(readiness.is_interrupted());
        drop(two);
        assert!(!readiness.is_interrupted());
    }
}
