//! Stores on a Redis server: keys as components write them, numbers as Redis counts them.
//!
//! The operator names the server, so that what a component may reach has no say. Connections serve everybody; they are made
//! when they are first needed, and made anew when they are lost. Only what is read can be too large, which ends a connection
//! for all, so what changes something has another one: it is sent once, and nobody else's answer gets in its way.

use std::sync::Arc;
use std::time::Duration;

use ::redis::{Cmd, FromRedisValue, RedisError, cmd};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use spin_app_model::hosts::Destination;
use tokio::sync::Mutex;

use super::{Expected, Failure, Store, Values};
use crate::host::egress::{Egress, EgressOptions};
use crate::host::redis::Error;
use crate::host::redis::connection::{Address, Maker, Slot};
use crate::host::rows::{Budget, Writer};

/// Keys of one look into the server, about.
const KEYS_AT_ONCE: usize = 500;

/// How long a second try may take, with the wait for its turn.
const AGAIN: Duration = Duration::from_secs(30);

/// Replaces the value if it is the expected one; without an expected one, if there is none.
const SWAP: &str = "local now = redis.call('GET', KEYS[1])
local same
if #ARGV == 1 then same = not now else same = now == ARGV[2] end
if same then redis.call('SET', KEYS[1], ARGV[1]) return 1 end
return 0";

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self(error.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// A database of a Redis server.
pub(super) struct RedisStore(Option<Server>);

/// Connections to it.
struct Server {
    reads: Arc<Slot>,
    changes: Arc<Slot>,
    /// Whose read is repeated.
    again: Mutex<()>,
}

impl RedisStore {
    /// Connects to nothing yet.
    pub(super) fn new(url: &str) -> Self {
        let address = Address::parse(url, |url| Destination::parse(url, "redis").ok());
        Self(address.map(|address| {
            let maker = Arc::new(Maker::new(Arc::new(Egress::new(&EgressOptions::default()))));
            let slot = || Arc::new(Slot::new(address.clone(), Arc::clone(&maker), true));
            Server { reads: slot(), changes: slot(), again: Mutex::default() }
        }))
    }

    /// None if its URL can't be read.
    fn server(&self) -> Result<&Server, Failure> {
        self.0.as_ref().ok_or_else(|| Failure("the URL of the Redis server can't be read".to_owned()))
    }

    /// Sends a command that changes nothing. If the connection is lost, it is sent again, on one of its own, which one after
    /// another has: what ended the first may have been somebody else's answer, which was too large, and there may be more of
    /// those.
    async fn read<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        let server = self.server()?;
        match server.reads.query(command).await? {
            Err(error) if error.is_connection_dropped() => {
                let again = async {
                    let _turn = server.again.lock().await;
                    server.reads.to_own().query(command).await
                };
                tokio::time::timeout(AGAIN, again).await.unwrap_or(Ok(Err(error)))?.map_err(Failure::from)
            }
            answer => Ok(answer?),
        }
    }

    /// Sends a command once: whether a lost one was done, nobody knows but the guest's author.
    async fn change<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        Ok(self.server()?.changes.query(command).await??)
    }
}

impl Store for RedisStore {
    fn get(&self, key: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, Failure>> {
        async move { self.read(cmd("GET").arg(key)).await }.boxed()
    }

    fn set(&self, key: String, value: Vec<u8>) -> BoxFuture<'_, Result<(), Failure>> {
        async move { self.change(cmd("SET").arg(key).arg(value)).await }.boxed()
    }

    fn delete(&self, key: String) -> BoxFuture<'_, Result<(), Failure>> {
        async move { self.change(cmd("DEL").arg(key)).await }.boxed()
    }

    fn exists(&self, key: String) -> BoxFuture<'_, Result<bool, Failure>> {
        async move { self.read(cmd("EXISTS").arg(key)).await }.boxed()
    }

    fn keys<'a>(&'a self, to: &'a Writer<String>) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let mut cursor = "0".to_owned();
            loop {
                let mut scan = cmd("SCAN");
                scan.arg(&cursor).arg("COUNT").arg(KEYS_AT_ONCE);
                let (next, keys): (String, Vec<String>) = self.read(&scan).await?;
                if to.send(keys).await.is_err() || next == "0" {
                    return Ok(());
                }
                cursor = next;
            }
        }
        .boxed()
    }

    fn get_many(&self, keys: Vec<String>) -> BoxFuture<'_, Result<Values, Failure>> {
        async move {
            let values: Vec<Option<Vec<u8>>> = self.read(cmd("MGET").arg(&keys)).await?;
            let found = keys.into_iter().zip(values).filter_map(|(key, value)| Some((key, value?)));
            let mut budget = Budget::new();
            found
                .map(|(key, value)| {
                    budget.take(size_of::<(String, Vec<u8>)>() + key.len() + value.len())?;
                    Ok((key, value))
                })
                .collect()
        }
        .boxed()
    }

    fn set_many(&self, values: Values) -> BoxFuture<'_, Result<(), Failure>> {
        async move {
            let mut command = cmd("MSET");
            for (key, value) in values {
                command.arg(key).arg(value);
            }
            self.change(&command).await
        }
        .boxed()
    }

    fn delete_many(&self, keys: Vec<String>) -> BoxFuture<'_, Result<(), Failure>> {
        async move { self.change(cmd("DEL").arg(keys)).await }.boxed()
    }

    fn increment(&self, key: String, delta: i64) -> BoxFuture<'_, Result<i64, Failure>> {
        async move { self.change(cmd("INCRBY").arg(key).arg(delta)).await }.boxed()
    }

    fn swap(&self, key: String, expected: Expected, value: Vec<u8>) -> BoxFuture<'_, Result<bool, Failure>> {
        async move {
            let mut command = cmd("EVAL");
            match expected {
                Expected::Anything => return self.set(key, value).await.map(|()| true),
                Expected::Nothing => command.arg(SWAP).arg(1).arg(key).arg(value),
                Expected::Value(old) => command.arg(SWAP).arg(1).arg(key).arg(value).arg(old),
            };
            self.change(&command).await
        }
        .boxed()
    }
}
