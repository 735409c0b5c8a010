//! The end of a trigger: who asks for it, and how long events in flight may still take.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use spin_app_model::launch::DEFAULT_GRACE;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Two signals closer together than this count as one: a terminal's Ctrl-C may arrive twice, from the
/// terminal and from a parent.
const ONE_KEYSTROKE: Duration = Duration::from_millis(300);

/// Asks a trigger to end in order. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    token: CancellationToken,
    grace: Arc<OnceLock<Duration>>,
    /// Whose end is the end of this too.
    parent: Option<Arc<Stop>>,
}

impl Stop {
    /// Waits until the end is asked for: take no new events from then on, finish those in flight, return.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// The outcome of `work`, or nothing if the end is asked for before; `work` is dropped then.
    pub async fn unless_requested<R>(&self, work: impl Future<Output = R>) -> Option<R> {
        self.token.run_until_cancelled(work).await
    }

    /// Whether the end has been asked for.
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// How long events in flight may take after the end was asked for.
    pub fn grace(&self) -> Duration {
        let parents = || self.parent.as_ref().filter(|parent| parent.is_requested()).map(|parent| parent.grace());
        parents().or_else(|| self.grace.get().copied()).unwrap_or(DEFAULT_GRACE)
    }

    /// Asks for the end. Only the first call counts. The kit does it; a trigger's tests may.
    pub fn request(&self, grace: Duration) {
        // A later request doesn't move the deadline that an earlier one set.
        let _ = self.grace.set(grace);
        self.token.cancel();
    }

    /// One that is requested with this one, or before it.
    pub(crate) fn child(&self) -> Self {
        let parent = Some(Arc::new(self.clone()));
        Self { token: self.token.child_token(), grace: Arc::default(), parent }
    }

    /// Asks for the end of what another generation has taken the place of: its events may take as long as they would have
    /// taken anyway.
    pub(crate) fn request_without_limit(&self) {
        self.request(Duration::MAX);
    }
}

/// Signals of a trigger with a control channel: the host decides, so a terminal's Ctrl-C and hang-up are
/// ignored; TERM begins draining, however often it comes.
///
/// # Errors
/// When the handlers can't be installed.
pub(crate) fn obey_signals_under_a_host(stop: &Stop) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let (mut interrupt, mut hang_up) = (signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?);
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => stop.request(DEFAULT_GRACE),
                _ = interrupt.recv() => {}
                _ = hang_up.recv() => {}
            }
        }
    });
    Ok(())
}

/// Signals of a trigger that was started by hand: the first drains, a second one ends at once.
///
/// # Errors
/// When the handlers can't be installed.
pub(crate) fn obey_signals_alone(stop: &Stop) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = stop.clone();
    tokio::spawn(async move {
        let mut first: Option<Instant> = None;
        loop {
            let number = tokio::select! {
                _ = terminate.recv() => 15,
                _ = interrupt.recv() => 2,
            };
            match first {
                Some(first) if first.elapsed() >= ONE_KEYSTROKE => std::process::exit(128 + number),
                Some(_) => {}
                None => {
                    first = Some(Instant::now());
                    stop.request(DEFAULT_GRACE);
                }
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_replaced_has_all_time_until_the_process_ends() {
        let process = Stop::default();
        let (old, new) = (process.child(), process.child());
        old.request_without_limit();
        assert!(old.is_requested() && !new.is_requested() && !process.is_requested());
        assert_eq!(old.grace(), Duration::MAX);
        process.request(Duration::from_secs(2));
        assert!(new.is_requested());
        assert_eq!((old.grace(), new.grace()), (Duration::from_secs(2), Duration::from_secs(2)));
    }
}
