//! Giving a message to its handler until it succeeds, and settling it with the server: what lists and streams have in common.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, Pipeline, RedisError, RedisResult};
use spin_trigger_kit::tokio::sync::watch;
use spin_trigger_kit::tokio::task::JoinSet;
use spin_trigger_kit::tokio::time::timeout;
use spin_trigger_kit::{App, Counter, Error, Stop, tracing};

use crate::backoff::Backoff;
use crate::queue::{Handle, Message, NotHandled, Place};

/// How long a command may take that doesn't wait for messages.
const ANSWER: Duration = Duration::from_secs(10);

/// How long a command waits for messages at most. Not longer, because the end of the trigger waits for it: a message that
/// comes while nobody listens any more would have to be found again.
pub const WAITING: Duration = Duration::from_secs(1);

/// How many messages are asked for at once.
const BATCH: usize = 64;

/// What is counted of a list or a stream.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Calls after one that failed.
    pub retries: Counter,
    /// Messages that were put aside.
    pub dead_letters: Counter,
    /// Messages that were taken over from somebody who had not finished them.
    pub recovered: Counter,
}

impl Counts {
    /// Those of what `component` gets from `source`.
    ///
    /// # Errors
    /// None in fact: the names are ours.
    pub fn new(app: &App, component: &str, server: &str, source: &str) -> Result<Self, Error> {
        let counter = |name| app.counter(name, &[("component", component), ("server", server), ("source", source)]);
        Ok(Self {
            retries: counter("spin_redis_retries_total")?,
            dead_letters: counter("spin_redis_dead_letters_total")?,
            recovered: counter("spin_redis_recovered_total")?,
        })
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was handled.
    Handled,
    /// It failed as often as it may.
    Failed,
    /// The end was asked for before it could be tried again.
    Interrupted,
}

/// Calls the handler until it succeeds, waiting longer after each time; at most until `attempts` of them have failed for which
/// the message is to blame.
pub async fn deliver<H: Handle>(
    handler: &H,
    message: &Message,
    attempts: u32,
    retries: &Counter,
    stop: &Stop,
) -> Outcome {
    let mut backoff = Backoff::default();
    let mut failures = 0;
    loop {
        match handler.handle(message).await {
            Ok(()) => return Outcome::Handled,
            Err(NotHandled::Innocent) => {}
            Err(NotHandled::Failed) => failures += 1,
        }
        if failures >= attempts {
            return Outcome::Failed;
        }
        if stop.unless_requested(spin_trigger_kit::tokio::time::sleep(backoff.wait())).await.is_none() {
            return Outcome::Interrupted;
        }
        retries.add(1);
    }
}

/// The connection by which messages are settled: the current one, or the next one if that is lost.
#[derive(Clone, Debug)]
pub struct Settling(watch::Receiver<Option<MultiplexedConnection>>);

impl Settling {
    /// With what says which connection is the current one.
    pub fn new() -> (watch::Sender<Option<MultiplexedConnection>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }

    /// Sends commands that belong together, again on another connection if this one is lost. When there will be no other the
    /// server hands the message over once more, to whoever comes next.
    pub async fn settle(&self, commands: &Pipeline) {
        let mut connections = self.0.clone();
        loop {
            let connection = connections.borrow_and_update().clone();
            if let Some(mut connection) = connection {
                match answer(commands.query_async::<redis::Value>(&mut connection)).await {
                    Ok(_) => return,
                    Err(error) if error.code().is_some() => {
                        tracing::error!("a message is not settled, and will be handed over again: {error}");
                        return;
                    }
                    Err(error) => tracing::debug!("a message is settled later: {error}"),
                }
            }
            if connections.changed().await.is_err() {
                return;
            }
        }
    }
}

/// The messages that are being handled.
#[derive(Debug, Default)]
pub struct Running(JoinSet<()>);

impl Running {
    /// Handles one, in its place.
    pub fn begin(&mut self, place: Place, work: impl Future<Output = ()> + Send + 'static) {
        while self.0.try_join_next().is_some() {}
        self.0.spawn(async move {
            work.await;
            drop(place);
        });
    }

    /// Waits until all are done.
    pub async fn finished(&mut self) {
        while self.0.join_next().await.is_some() {}
    }
}

/// How many messages to ask for when `free` places are there.
pub fn batch(free: usize) -> usize {
    free.clamp(1, BATCH)
}

/// The answer to commands that don't wait for messages.
///
/// # Errors
/// The command's, or that there is none in time.
pub async fn answer<V>(commands: impl Future<Output = RedisResult<V>>) -> RedisResult<V> {
    within(ANSWER, commands).await
}

/// The answer to a command that waits for messages.
///
/// # Errors
/// The command's, or that there is none in time.
pub async fn waited_answer<V: FromRedisValue>(command: impl Future<Output = RedisResult<V>>) -> RedisResult<V> {
    within(WAITING + ANSWER, command).await
}

/// What there is an answer to, if that comes within this time.
///
/// # Errors
/// As above.
pub async fn within<V>(time: Duration, command: impl Future<Output = RedisResult<V>>) -> RedisResult<V> {
    let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer within {} s", time.as_secs()));
    timeout(time, command).await.unwrap_or_else(|_| Err(RedisError::from(late())))
}

/// A message that was taken from `origin`.
pub fn message(origin: &str, payload: Vec<u8>) -> Arc<Message> {
    Arc::new(Message { origin: origin.to_owned(), payload })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use spin_trigger_kit::tokio;

    use super::*;

    /// Fails as often as it says, in this way.
    struct Fails(AtomicU32, NotHandled);

    impl Handle for Fails {
        async fn handle(&self, _: &Message) -> Result<(), NotHandled> {
            let left = self.0.load(Ordering::SeqCst);
            self.0.store(left.saturating_sub(1), Ordering::SeqCst);
            if left > 0 { Err(self.1) } else { Ok(()) }
        }
    }

    async fn delivered(failures: u32, attempts: u32, stop: &Stop) -> (Outcome, u64) {
        deliver_to(&Fails(AtomicU32::new(failures), NotHandled::Failed), attempts, stop).await
    }

    async fn deliver_to(handler: &Fails, attempts: u32, stop: &Stop) -> (Outcome, u64) {
        let retries = Counter::default();
        let outcome = deliver(handler, &message("list", Vec::new()), attempts, &retries, stop).await;
        (outcome, retries.get())
    }

    #[tokio::test]
    async fn a_message_is_tried_as_often_as_it_may() {
        let stop = Stop::default();
        assert_eq!(delivered(0, 1, &stop).await, (Outcome::Handled, 0));
        assert_eq!(delivered(2, 3, &stop).await, (Outcome::Handled, 2));
        assert_eq!(delivered(3, 3, &stop).await, (Outcome::Failed, 2));
    }

    #[tokio::test]
    async fn what_others_have_done_is_not_held_against_a_message() {
        let handler = Fails(AtomicU32::new(3), NotHandled::Innocent);
        assert_eq!(deliver_to(&handler, 1, &Stop::default()).await, (Outcome::Handled, 3));
    }

    #[tokio::test]
    async fn the_end_does_not_wait_for_another_attempt() {
        let stop = Stop::default();
        stop.request(Duration::ZERO);
        assert_eq!(delivered(1, 5, &stop).await, (Outcome::Interrupted, 0));
        assert_eq!(delivered(0, 5, &stop).await, (Outcome::Handled, 0), "what was begun is finished");
    }
}
