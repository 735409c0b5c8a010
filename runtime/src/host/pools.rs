//! Connections to servers that components name, kept for the next instance that wants one.
//!
//! One pool has the connections to one address with one identity. Components name the addresses, so there is an end to how
//! many pools there are and how many connections are in each. Whether a component may reach an address at all is asked
//! before a pool is.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{Manager, Pool, PoolError, QueueMode, TimeoutType};

/// Pools that are kept; one more takes the place of the one that was used least recently.
const MOST_POOLS: usize = 64;

/// Connections of one pool that are open at once.
const MOST_CONNECTIONS: usize = 64;

/// How long an instance waits for a connection that others have.
const WAIT: Duration = Duration::from_secs(30);

/// How long a new connection may take.
const CONNECT: Duration = Duration::from_secs(30);

/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(300);

/// How often is looked for connections that nobody uses.
const LOOK: Duration = Duration::from_secs(30);

/// All pools of one kind of server.
pub(crate) struct Pools<K, M: Manager>(Mutex<Kept<K, M>>);

struct Kept<K, M: Manager> {
    /// The one that was used most recently comes first.
    pools: Vec<(K, Pool<M>)>,
    looked: Instant,
}

impl<K: PartialEq, M: Manager + 'static> Pools<K, M> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Kept { pools: Vec::new(), looked: Instant::now() }))
    }

    /// The pool for `key`, made with `manager` if there is none yet. Connects to nothing.
    pub(crate) fn get(&self, key: K, manager: impl FnOnce() -> M) -> Pool<M> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.looked.elapsed() >= LOOK {
            kept.looked = Instant::now();
            for (_, pool) in &kept.pools {
                drop(pool.retain(|_, metrics| metrics.last_used() < IDLE));
            }
        }
        let found = kept.pools.iter().position(|(known, _)| *known == key);
        let (key, pool) = match found {
            Some(at) => kept.pools.remove(at),
            None => (key, new_pool(manager())),
        };
        kept.pools.insert(0, (key, pool.clone()));
        if kept.pools.len() > MOST_POOLS
            && let Some((_, forgotten)) = kept.pools.pop()
        {
            // What is in use goes on, and is closed when it comes back.
            forgotten.close();
        }
        pool
    }
}

fn new_pool<M: Manager>(manager: M) -> Pool<M> {
    Pool::builder(manager)
        .max_size(MOST_CONNECTIONS)
        // The others may become idle.
        .queue_mode(QueueMode::Lifo)
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(CONNECT))
        .runtime(Runtime::Tokio1)
        .build()
        .expect("a runtime is given, which the time limits need")
}

/// Why a pool gives no connection, in words for a guest.
pub(crate) fn explain<E: std::fmt::Display>(error: &PoolError<E>) -> String {
    match error {
        PoolError::Backend(error) => error.to_string(),
        PoolError::Timeout(TimeoutType::Wait) => {
            format!("all {MOST_CONNECTIONS} connections to this address are in use")
        }
        PoolError::Timeout(_) => format!("no connection within {} s", CONNECT.as_secs()),
        _ => "the connections to this address were given up".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use deadpool::managed::{Metrics, RecycleResult, Timeouts};

    use super::*;

    /// Whose connections are numbers.
    #[derive(Debug)]
    struct Numbers(u32);

    impl Manager for Numbers {
        type Type = u32;
        type Error = String;

        async fn create(&self) -> Result<u32, String> {
            if self.0 == 0 { Err("nothing there".to_owned()) } else { Ok(self.0) }
        }

        async fn recycle(&self, _: &mut u32, _: &Metrics) -> RecycleResult<String> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_key_has_one_pool_until_many_others_were_asked_for() {
        let pools = Pools::new();
        let first = *pools.get(0, || Numbers(7)).get().await.expect("a connection");
        let again = *pools.get(0, || Numbers(8)).get().await.expect("a connection");
        assert_eq!((first, again), (7, 7));
        let held = pools.get(0, || Numbers(8));
        for key in 1..=MOST_POOLS {
            drop(pools.get(key, || Numbers(1)));
        }
        assert!(held.is_closed());
        assert_eq!(*pools.get(0, || Numbers(8)).get().await.expect("a connection"), 8);
    }

    #[tokio::test]
    async fn a_pool_has_an_end() {
        let pool = Pools::new().get((), || Numbers(1));
        let mut all = Vec::new();
        for _ in 0..MOST_CONNECTIONS {
            all.push(pool.get().await.expect("a connection"));
        }
        let at_once = Timeouts { wait: Some(Duration::ZERO), ..pool.timeouts() };
        let error = pool.timeout_get(&at_once).await.expect_err("there is none left");
        assert_eq!(explain(&error), "all 64 connections to this address are in use");
        all.pop();
        assert!(pool.get().await.is_ok());
    }

    #[tokio::test]
    async fn what_the_server_says_is_told() {
        let error = Pools::new().get((), || Numbers(0)).get().await.expect_err("there is nothing");
        assert_eq!(explain(&error), "nothing there");
    }
}
