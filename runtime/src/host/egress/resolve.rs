//! From names to addresses.
//!
//! The system's resolver blocks a thread and can't be interrupted: a server that never answers keeps it for half a minute
//! or more. So there is an end to how many names are looked up at once, all who ask for the same one wait for one answer, and
//! nobody waits longer than a moment.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
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
    pending: Arc<Mutex<Pending>>,
}

/// The look-ups that somebody waits for, or that have a thread.
#[derive(Default)]
struct Pending {
    by_name: HashMap<String, (u64, WeakShared<LookUp>)>,
    /// Tells one look-up of a name from a later one.
    next: u64,
}

/// Those who wait share it, so an error is its text.
type LookUp = BoxFuture<'static, Result<Vec<IpAddr>, String>>;

/// Why a name has no addresses.
pub(super) enum Unresolved {
    /// There is no answer yet.
    Late(Duration),
    Failed(String),
}

impl LookUps {
    pub(super) fn new(resolver: impl Resolve) -> Self {
        Self {
            resolver: Arc::new(resolver),
            places: Arc::new(Semaphore::new(MOST_AT_ONCE)),
            patience: PATIENCE,
            pending: Arc::default(),
        }
    }

    /// All addresses of `name`.
    pub(super) async fn addresses(&self, name: String) -> Result<Vec<IpAddr>, Unresolved> {
        match tokio::time::timeout(self.patience, self.look_up(name)).await {
            Ok(found) => found.map_err(Unresolved::Failed),
            Err(_) => Err(Unresolved::Late(self.patience)),
        }
    }

    /// The look-up of `name` that others wait for already, or else one that is to begin.
    fn look_up(&self, name: String) -> Shared<LookUp> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look_up) = pending.of(&name) {
            return look_up;
        }
        let (places, resolver) = (Arc::clone(&self.places), Arc::clone(&self.resolver));
        let entry = Entry { name: name.clone(), number: pending.next, all: Arc::clone(&self.pending) };
        let look_up = async move {
            let place = places.acquire_owned().await.expect("the semaphore is never closed");
            let name = entry.name.clone();
            // The thread has the place, not who waits for it: it goes on when nobody does any more, and whoever asks for the name
            // meanwhile waits for it.
            let known = entry.all.lock().unwrap_or_else(PoisonError::into_inner).of(&name);
            let looking_up = tokio::task::spawn_blocking(move || {
                let found = resolver.resolve(&name);
                drop(place);
                // Perhaps the last one.
                drop(known);
                found
            });
            let found = looking_up.await.unwrap_or_else(|error| Err(io::Error::other(error)));
            found.map_err(|error| error.to_string())
        };
        let look_up = look_up.boxed().shared();
        if let Some(weak) = look_up.downgrade() {
            let number = pending.next;
            pending.next += 1;
            pending.by_name.insert(name, (number, weak));
        }
        look_up
    }
}

impl Pending {
    /// The look-up of a name.
    fn of(&self, name: &str) -> Option<Shared<LookUp>> {
        self.by_name.get(name).and_then(|(_, look_up)| look_up.upgrade())
    }
}

/// A look-up's entry, which goes with it.
struct Entry {
    name: String,
    number: u64,
    all: Arc<Mutex<Pending>>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        // A later one may have its place already.
        if all.by_name.get(&self.name).is_some_and(|(number, _)| *number == self.number) {
            all.by_name.remove(&self.name);
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

    impl Silent {
        fn answer(&self) {
            *self.answers.lock().expect("no panic") = true;
            self.changed.notify_all();
        }
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
        silent.answer();
        look_ups.patience = PATIENCE;
        assert!(look_ups.addresses("last.test".to_owned()).await.is_ok_and(|found| found.len() == 1));
    }

    #[tokio::test]
    async fn a_name_that_nobody_waits_for_any_more_has_one_thread_still() {
        let silent = Arc::new(Silent::default());
        let mut look_ups = LookUps::new(Arc::clone(&silent));
        look_ups.patience = Duration::from_millis(10);
        for _ in 0..3 {
            assert!(matches!(look_ups.addresses("dead.test".to_owned()).await, Err(Unresolved::Late(_))));
        }
        assert_eq!(silent.asked.load(Ordering::Relaxed), 1);
        silent.answer();
        while !look_ups.pending.lock().expect("no panic").by_name.is_empty() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn all_who_ask_for_a_name_wait_for_one_answer() {
        let silent = Arc::new(Silent::default());
        let look_ups = LookUps::new(Arc::clone(&silent));
        let all = futures_util::future::join_all((0..200).map(|_| look_ups.addresses("one.test".to_owned())));
        let (found, ()) = tokio::join!(all, async { silent.answer() });
        assert!(found.into_iter().all(|found| found.is_ok_and(|addresses| addresses.len() == 1)));
        assert_eq!(silent.asked.load(Ordering::Relaxed), 1);
        // What was found is not kept.
        assert!(look_ups.addresses("one.test".to_owned()).await.is_ok());
        assert_eq!(silent.asked.load(Ordering::Relaxed), 2);
    }
}
