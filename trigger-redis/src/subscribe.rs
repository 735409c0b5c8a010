//! One connection with subscriptions: taking messages as long as it lasts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Msg, RedisResult};
use spin_trigger_kit::tokio::task::unconstrained;
use spin_trigger_kit::tokio::time::timeout;
use spin_trigger_kit::{Stop, tokio, tracing};

use crate::backpressure::Gate;
use crate::plan::Topic;
use crate::queue::{Message, Queue};
use crate::server::{ConnectFailure, Ended, Server, Session};

/// After so long without a message the server is asked whether it is still there: a machine that lost its power says
/// nothing, and neither does a network that forgot the connection.
const SILENCE: Duration = Duration::from_secs(30);

/// How long its answer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// How long a server may take to confirm that it sends no more messages.
const UNSUBSCRIBING: Duration = Duration::from_secs(1);

/// If messages had to wait for room so shortly before the server closed the connection, that may be why: it had more of them in
/// its buffer, and what the network held had to be taken first.
const RECENTLY: Duration = Duration::from_secs(60);

/// What is subscribed to, and where its messages go.
#[derive(Debug)]
pub struct Subscriber {
    /// Each topic with the queues of those that get its messages.
    pub topics: Vec<(Topic, Vec<Arc<Queue>>)>,
}

/// A connection on which everything is subscribed to.
pub struct Connection {
    sink: PubSubSink,
    messages: PubSubStream,
    gate: Gate,
    /// When a message had to wait for room here.
    last_waited: Option<Instant>,
}

impl Session for Subscriber {
    type Connection = Connection;

    async fn connect(&mut self, server: &Server) -> Result<Connection, ConnectFailure> {
        let gate = Gate::default();
        let (mut sink, messages) = server.connector.subscriptions(&server.address, gate.clone()).await?.split();
        self.subscribe(&mut sink).await?;
        Ok(Connection { sink, messages, gate, last_waited: None })
    }

    /// Takes messages until there are no more or the end is asked for; those that have arrived by then are handed on.
    async fn serve(&mut self, mut connection: Connection, stop: &Stop) -> Ended {
        loop {
            if stop.is_requested() {
                self.drain(connection).await;
                return Ended::Stopped;
            }
            let message = match connection.waiting_message() {
                Some(message) => message,
                None => {
                    connection.gate.queue_is_empty();
                    tokio::select! {
                        biased;
                        () = stop.requested() => continue,
                        next = timeout(SILENCE, connection.messages.next()) => match next {
                            Ok(message) => message,
                            Err(_) => match connection.is_alive().await {
                                Ok(()) => continue,
                                Err(why) => return Ended::Lost(why),
                            },
                        },
                    }
                }
            };
            connection.gate.queue_may_be_full();
            match message {
                Some(message) => {
                    if self.hand_on(&message).await {
                        connection.last_waited = Some(Instant::now());
                    }
                }
                None => return Ended::Lost(connection.why_closed()),
            }
        }
    }
}

impl Subscriber {
    async fn subscribe(&self, sink: &mut PubSubSink) -> RedisResult<()> {
        let (channels, patterns) = self.names();
        if !channels.is_empty() {
            sink.subscribe(channels).await?;
        }
        if !patterns.is_empty() {
            sink.psubscribe(patterns).await?;
        }
        Ok(())
    }

    async fn unsubscribe(&self, sink: &mut PubSubSink) -> RedisResult<()> {
        let (channels, patterns) = self.names();
        if !channels.is_empty() {
            sink.unsubscribe(channels).await?;
        }
        if !patterns.is_empty() {
            sink.punsubscribe(patterns).await?;
        }
        Ok(())
    }

    /// The names of channels, and the patterns.
    fn names(&self) -> (Vec<&str>, Vec<&str>) {
        let (mut channels, mut patterns) = (Vec::new(), Vec::new());
        for (topic, _) in &self.topics {
            match topic {
                Topic::Channel(name) => channels.push(name.as_str()),
                Topic::Pattern(pattern) => patterns.push(pattern.as_str()),
            }
        }
        (channels, patterns)
    }

    /// Asks the server for no more messages, and hands on those that it sent before.
    ///
    /// The gate stays as it is: behind a backlog the confirmation doesn't come in time, and nothing more is read for it.
    async fn drain(&self, mut connection: Connection) {
        match timeout(UNSUBSCRIBING, self.unsubscribe(&mut connection.sink)).await {
            Ok(Ok(())) => {}
            // The end of the connection unsubscribes as well.
            Ok(Err(why)) => tracing::debug!("not unsubscribed: {why}"),
            Err(_) => tracing::debug!("unsubscribing was not confirmed"),
        }
        while let Some(Some(message)) = connection.waiting_message() {
            self.hand_on(&message).await;
        }
    }

    /// Gives a message to everybody who is to have it. Whether it had to wait for room.
    async fn hand_on(&self, message: &Msg) -> bool {
        // Other clients choose the names of channels, which need not be text.
        let channel: Vec<u8> = message.get_channel().unwrap_or_default();
        let pattern: Option<Vec<u8>> = message.get_pattern().unwrap_or_default();
        let queues = self.topics.iter().find_map(|(topic, queues)| {
            let is_it = match (topic, &pattern) {
                (Topic::Channel(name), None) => name.as_bytes() == channel,
                (Topic::Pattern(of_topic), Some(pattern)) => of_topic.as_bytes() == pattern,
                _ => false,
            };
            is_it.then_some(queues)
        });
        let origin = String::from_utf8_lossy(&channel).into_owned();
        let Some(queues) = queues else {
            tracing::warn!("a message of the channel {origin:?}, which was not asked for");
            return false;
        };
        let message = Arc::new(Message { origin, payload: message.get_payload_bytes().to_vec() });
        let mut has_waited = false;
        for queue in queues {
            has_waited |= queue.put(&message).await;
        }
        has_waited
    }
}

impl Connection {
    /// The next message if it is there already; `Some(None)` at the end of the connection.
    fn waiting_message(&mut self) -> Option<Option<Msg>> {
        // The executor's budget would otherwise make a full queue look empty every now and then.
        unconstrained(self.messages.next()).now_or_never()
    }

    async fn is_alive(&mut self) -> Result<(), String> {
        match timeout(ANSWER, self.sink.ping::<redis::Value>()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the server did not answer within {} s", ANSWER.as_secs())),
        }
    }

    fn why_closed(&self) -> String {
        let was_behind = self.last_waited.is_some_and(|last| last.elapsed() < RECENTLY);
        let advice = match was_behind {
            true => {
                ", perhaps because messages come faster than they are handled: see its client-output-buffer-limit \
                 for pubsub, and `when_full`"
            }
            false => "",
        };
        format!("the server closed it{advice}")
    }
}

#[cfg(test)]
mod tests;
