//! Stores on a Redis server: keys as components write them, numbers as Redis counts them.
//!
//! The operator names the server, so that what a component may reach has no say. One connection serves everybody; it is
//! made when it is first needed, and made anew when it is lost.

use std::sync::Arc;

use ::redis::{Cmd, FromRedisValue, RedisError, cmd};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use spin_app_model::hosts::Destination;

use super::{Expected, Failure, Store, Values};
use crate::host::egress::{Egress, EgressOptions};
use crate::host::redis::Error;
use crate::host::redis::connection::{Address, Maker, Slot};
use crate::host::rows::{Budget, Writer};

/// Keys of one look into the server, about.
const KEYS_AT_ONCE: usize = 500;

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
pub(super) struct RedisStore {
    /// None if its URL can't be read.
    server: Option<Arc<Slot>>,
}

impl RedisStore {
    /// Connects to nothing yet.
    pub(super) fn new(url: &str) -> Self {
        let address = Address::parse(url, |url| Destination::parse(url, "redis").ok());
        let slot = |address| {
            let egress = Arc::new(Egress::new(&EgressOptions::default()));
            Arc::new(Slot::new(address, Arc::new(Maker::new(egress)), true))
        };
        Self { server: address.map(slot) }
    }

    /// Sends a command. If the connection turns out to be lost, the next command makes a new one. One that can be given twice
    /// without harm (`again`) is sent again, on a connection of its own: what ended the first may have been somebody else's
    /// answer, which was too large, and there may be more of those.
    async fn send<T: FromRedisValue>(&self, command: &Cmd, again: bool) -> Result<T, Failure> {
        let unreadable = || Failure("the URL of the Redis server can't be read".to_owned());
        let server = self.server.as_ref().ok_or_else(unreadable)?;
        match server.query(command).await? {
            Err(error) if again && error.is_connection_dropped() => Ok(server.to_own().query(command).await??),
            answer => Ok(answer?),
        }
    }
}

impl Store for RedisStore {
    fn get(&self, key: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, Failure>> {
        async move { self.send(cmd("GET").arg(key), true).await }.boxed()
    }

    fn set(&self, key: String, value: Vec<u8>) -> BoxFuture<'_, Result<(), Failure>> {
        async move { self.send(cmd("SET").arg(key).arg(value), true).await }.boxed()
    }

    fn delete(&self, key: String) -> BoxFuture<'_, Result<(), Failure>> {
        async move { self.send(cmd("DEL").arg(key), true).await }.boxed()
    }

    fn exists(&self, key: String) -> BoxFuture<'_, Result<bool, Failure>> {
        async move { self.send(cmd("EXISTS").arg(key), true).await }.boxed()
    }

    fn keys<'a>(&'a self, to: &'a Writer<String>) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let mut cursor = "0".to_owned();
            loop {
                let mut scan = cmd("SCAN");
                scan.arg(&cursor).arg("COUNT").arg(KEYS_AT_ONCE);
                let (next, keys): (String, Vec<String>) = self.send(&scan, true).await?;
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
            let values: Vec<Option<Vec<u8>>> = self.send(cmd("MGET").arg(&keys), true).await?;
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
            self.send(&command, true).await
        }
        .boxed()
    }

    fn delete_many(&self, keys: Vec<String>) -> BoxFuture<'_, Result<(), Failure>> {
        async move { self.send(cmd("DEL").arg(keys), true).await }.boxed()
    }

    fn increment(&self, key: String, delta: i64) -> BoxFuture<'_, Result<i64, Failure>> {
        async move { self.send(cmd("INCRBY").arg(key).arg(delta), false).await }.boxed()
    }

    fn swap(&self, key: String, expected: Expected, value: Vec<u8>) -> BoxFuture<'_, Result<bool, Failure>> {
        async move {
            let mut command = cmd("EVAL");
            match expected {
                Expected::Anything => return self.set(key, value).await.map(|()| true),
                Expected::Nothing => command.arg(SWAP).arg(1).arg(key).arg(value),
                Expected::Value(old) => command.arg(SWAP).arg(1).arg(key).arg(value).arg(old),
            };
            self.send(&command, false).await
        }
        .boxed()
    }
}
