//! Connections to servers that components name, kept for the next instance that wants one.
//!
//! One pool has a component's connections to one address with one identity. Guests name the addresses, so there is an end to
//! how many pools a component has and how many connections are in each. Whether it may reach an address at all is asked
//! before a pool is.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Manager, Object, Pool, PoolError, QueueMode, TimeoutType};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::recent::Recent;

/// Pools of one component; one more takes the place of the one that was used least recently.
const MOST_POOLS: usize = 16;

/// Connections of one pool that are open at once.
const MOST_CONNECTIONS: usize = 64;

/// How many of them are only for instances that have other connections. Who has one and waits for another could be waiting
/// for somebody who waits for him: these go on, and let go of what they have.
const FURTHER: usize = 16;

/// How long an instance waits for a connection that others have.
const WAIT: Duration = Duration::from_secs(30);

/// How long a new connection may take.
pub(crate) const CONNECT: Duration = Duration::from_secs(30);

/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(300);

/// How often is looked for connections that nobody uses.
const LOOK: Duration = Duration::from_secs(30);

/// All pools of one component for one kind of server.
pub(crate) struct Pools<K, M: Manager>(Arc<Mutex<Kept<K, M>>>);

struct Kept<K, M: Manager> {
    pools: Recent<K, Shared<M>>,
    /// What closes connections that nobody uses, while there are pools.
    looking: Option<JoinHandle<()>>,
}

/// A pool, and who may take out of it.
struct Shared<M: Manager> {
    pool: Pool<M>,
    for_all: Arc<Semaphore>,
    further: Arc<Semaphore>,
}

impl<M: Manager> Clone for Shared<M> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), for_all: Arc::clone(&self.for_all), further: Arc::clone(&self.further) }
    }
}

/// Held by whoever has a connection.
pub(crate) struct Share(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

impl<K, M> Pools<K, M>
where
    K: PartialEq + Send + 'static,
    M: Manager + 'static,
    M::Type: Send,
{
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Kept { pools: Recent::new(MOST_POOLS), looking: None })))
    }

    /// Borrows a connection for `key` or makes one, with `manager` if that is the first one, for an instance that has so many
    /// `others`. The share is to be dropped after the connection.
    ///
    /// # Errors
    /// In words for a guest.
    pub(crate) async fn borrow(
        &self,
        key: K,
        manager: impl FnOnce() -> M,
        others: usize,
    ) -> Result<(Object<M>, Share), String>
    where
        M::Error: std::fmt::Display,
    {
        let Shared { pool, for_all, further } = self.shared(key, manager);
        let share = async {
            if others == 0 {
                return for_all.acquire_owned().await;
            }
            tokio::select! {
                biased;
                share = for_all.acquire_owned() => share,
                share = further.acquire_owned() => share,
            }
        };
        let share = timeout(WAIT, share).await.ok().and_then(Result::ok).ok_or_else(all_in_use)?;
        let connection = pool.get().await.map_err(|error| explain(&error))?;
        Ok((connection, Share(share)))
    }

    /// The pool for `key`. Connects to nothing.
    fn shared(&self, key: K, manager: impl FnOnce() -> M) -> Shared<M> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (shared, forgotten) = kept.pools.get_or_insert(key, || new_pool(manager()));
        if let Some(forgotten) = forgotten {
            // What is in use goes on, and is closed when it comes back.
            forgotten.pool.close();
        }
        if kept.looking.as_ref().is_none_or(JoinHandle::is_finished) {
            kept.looking = Some(tokio::spawn(look(Arc::downgrade(&self.0))));
        }
        shared
    }
}

impl<K: PartialEq, M: Manager> Kept<K, M> {
    /// Closes connections that were not used for so long, and forgets pools without any. Whether there are others.
    fn close_unused(&mut self, idle: Duration) -> bool {
        self.pools.retain(|shared| {
            drop(shared.pool.retain(|_, metrics| metrics.last_used() < idle));
            shared.pool.status().size > 0
        });
        !self.pools.is_empty()
    }
}

/// Closes connections that nobody uses, until there are none.
async fn look<K: PartialEq, M: Manager>(kept: Weak<Mutex<Kept<K, M>>>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(kept) = kept.upgrade() else { return };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.close_unused(IDLE) {
            // The next pool begins anew.
            kept.looking = None;
            return;
        }
    }
}

fn new_pool<M: Manager>(manager: M) -> Shared<M> {
    let pool = Pool::builder(manager)
        .max_size(MOST_CONNECTIONS)
        // The others may become idle.
        .queue_mode(QueueMode::Lifo)
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(CONNECT))
        .runtime(Runtime::Tokio1)
        .build()
        .expect("a runtime is given, which the time limits need");
    let places = |places| Arc::new(Semaphore::new(places));
    Shared { pool, for_all: places(MOST_CONNECTIONS - FURTHER), further: places(FURTHER) }
}

fn all_in_use() -> String {
    format!("all {MOST_CONNECTIONS} connections to this address are in use")
}

/// Why a pool gives no connection.
fn explain<E: std::fmt::Display>(error: &PoolError<E>) -> String {
    match error {
        PoolError::Backend(error) => error.to_string(),
        PoolError::Timeout(TimeoutType::Wait) => all_in_use(),
        PoolError::Timeout(_) => format!("no connection within {} s", CONNECT.as_secs()),
        _ => "the connections to this address were given up".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use deadpool::managed::{Metrics, RecycleResult};
    use futures_util::FutureExt;

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

    /// Borrows for an instance that has so many others.
    async fn borrow(pools: &Pools<usize, Numbers>, key: usize, number: u32, others: usize) -> (Object<Numbers>, Share) {
        pools.borrow(key, || Numbers(number), others).await.expect("a connection")
    }

    #[tokio::test]
    async fn a_key_has_one_pool_until_many_others_were_asked_for() {
        let pools = Pools::new();
        let (first, _) = borrow(&pools, 0, 7, 0).await;
        let (again, _) = borrow(&pools, 0, 8, 0).await;
        assert_eq!((*first, *again), (7, 7));
        for key in 1..=MOST_POOLS {
            drop(borrow(&pools, key, 1, 0).await);
        }
        assert_eq!(*borrow(&pools, 0, 8, 0).await.0, 8);
    }

    #[tokio::test]
    async fn a_pool_has_an_end_and_who_waits_gets_what_comes_back() {
        let pools = Pools::new();
        let mut all = Vec::new();
        for _ in 0..MOST_CONNECTIONS - FURTHER {
            all.push(borrow(&pools, 0, 1, 0).await);
        }
        let mut waiting = Box::pin(pools.borrow(0, || Numbers(1), 0));
        assert!(waiting.as_mut().now_or_never().is_none());
        all.pop();
        assert!(waiting.await.is_ok());
    }

    #[tokio::test]
    async fn who_has_one_does_not_wait_for_those_who_wait_for_him() {
        let pools = Pools::new();
        let mut all = Vec::new();
        for _ in 0..MOST_CONNECTIONS - FURTHER {
            all.push(borrow(&pools, 0, 1, 0).await);
        }
        let mut first = Box::pin(pools.borrow(0, || Numbers(1), 0));
        assert!(first.as_mut().now_or_never().is_none(), "it waits for one that comes back");
        let mut second = Vec::new();
        for _ in 0..FURTHER {
            second.push(pools.borrow(0, || Numbers(1), 1).now_or_never().expect("at once").expect("one"));
        }
        let mut one_more = Box::pin(pools.borrow(0, || Numbers(1), 1));
        assert!(one_more.as_mut().now_or_never().is_none(), "there are no more");
        second.pop();
        assert!(one_more.await.is_ok());
        assert!(first.as_mut().now_or_never().is_none(), "these are not for it");
        all.pop();
        assert!(first.await.is_ok());
    }

    #[tokio::test]
    async fn what_nobody_uses_is_closed_without_a_next_use() {
        let pools = Pools::new();
        let held = borrow(&pools, 0, 7, 0).await;
        drop(borrow(&pools, 1, 7, 0).await);
        {
            let mut kept = pools.0.lock().expect("no panic");
            assert!(kept.looking.as_ref().is_some_and(|looking| !looking.is_finished()), "somebody looks");
            assert!(kept.close_unused(IDLE), "they were just used");
            assert!(kept.close_unused(Duration::ZERO), "one is in use");
        }
        drop(held);
        assert_eq!(*borrow(&pools, 1, 8, 0).await.0, 8, "this pool was forgotten");
        assert_eq!(*borrow(&pools, 0, 8, 0).await.0, 7, "this one wasn't");
    }

    #[tokio::test]
    async fn what_the_server_says_is_told() {
        let error = Pools::new().borrow(0, || Numbers(0), 0).await.err();
        assert_eq!(error.as_deref(), Some("nothing there"));
    }
}
