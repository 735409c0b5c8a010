//! From names to addresses.
//!
//! The system's resolver blocks a thread and can't be interrupted: a server that never answers keeps it for half a minute
//! or more. So there is an end to how many names are looked up at once, and whoever asks waits no longer than a moment.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// Names that are looked up at once, each on a thread of its own; the runtime has 512 of those, for files too.
const MOST_AT_ONCE: usize = 32;

/// How long whoever asks for a name waits, its turn included. The usual resolver asks the second of its servers after five
/// seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks names up.
pub(crate) trait Resolve: Send + Sync + 'static {
    /// All addresses of `name`, in the order in which they should be tried. Blocks until there is an answer.
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of this machine.
pub(crate) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}

/// Look-ups of names, so many at once.
pub(super) struct LookUps {
    resolver: Arc<dyn Resolve>,
    places: Arc<Semaphore>,
    patience: Duration,
}

/// Why a name has no addresses.
pub(super) enum Unresolved {
    /// There is no answer yet.
    Late(Duration),
    Failed(io::Error),
}

impl LookUps {
    pub(super) fn new(resolver: impl Resolve) -> Self {
        Self { resolver: Arc::new(resolver), places: Arc::new(Semaphore::new(MOST_AT_ONCE)), patience: PATIENCE }
    }

    /// All addresses of `name`.
    pub(super) async fn addresses(&self, name: String) -> Result<Vec<IpAddr>, Unresolved> {
        let found = async {
            let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
            let resolver = Arc::clone(&self.resolver);
            let looking_up = tokio::task::spawn_blocking(move || {
                let found = resolver.resolve(&name);
                // The thread has the place, not who waits for it: it goes on when nobody does any more.
                drop(place);
                found
            });
            looking_up.await.unwrap_or_else(|error| Err(io::Error::other(error)))
        };
        match tokio::time::timeout(self.patience, found).await {
            Ok(found) => found.map_err(Unresolved::Failed),
            Err(_) => Err(Unresolved::Late(self.patience)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// Answers nobody until it is let, and counts who asks.
    #[derive(Default)]
    struct Silent {
        asked: AtomicUsize,
        answers: Mutex<bool>,
        changed: Condvar,
    }

    impl Resolve for Arc<Silent> {
        fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let answers = self.answers.lock().expect("no panic");
            drop(self.changed.wait_while(answers, |answers| !*answers).expect("no panic"));
            Ok(vec!["192.0.2.1".parse().expect("an address")])
        }
    }

    #[tokio::test]
    async fn no_more_than_so_many_names_are_looked_up_and_nobody_waits_for_long() {
        let silent = Arc::new(Silent::default());
        let mut look_ups = LookUps::new(Arc::clone(&silent));
        look_ups.patience = Duration::from_millis(100);
        let all = (0..MOST_AT_ONCE + 8).map(|index| look_ups.addresses(format!("n{index}.test")));
        for answer in futures_util::future::join_all(all).await {
            assert!(matches!(answer, Err(Unresolved::Late(waited)) if waited == look_ups.patience));
        }
        // Nobody waits for those any more, and they have their places still.
        assert!(matches!(look_ups.addresses("late.test".to_owned()).await, Err(Unresolved::Late(_))));
        assert_eq!(silent.asked.load(Ordering::Relaxed), MOST_AT_ONCE);
        *silent.answers.lock().expect("no panic") = true;
        silent.changed.notify_all();
        look_ups.patience = PATIENCE;
        assert!(look_ups.addresses("last.test".to_owned()).await.is_ok_and(|found| found.len() == 1));
    }
}
