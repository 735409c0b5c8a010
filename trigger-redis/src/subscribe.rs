//! One connection with subscriptions: taking messages as long as it lasts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Msg, RedisResult};
use spin_trigger_kit::tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use spin_trigger_kit::tokio::task::unconstrained;
use spin_trigger_kit::tokio::time::timeout;
use spin_trigger_kit::{Stop, tokio, tracing};

use crate::backpressure::Gate;
use crate::delivery::within;
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

/// Topics, each with the queues of those that get its messages.
pub type Topics = Vec<(Topic, Vec<Arc<Queue>>)>;

/// What is subscribed to, and where its messages go.
#[derive(Debug)]
pub struct Subscriber {
    topics: Topics,
    /// What takes their place.
    changes: UnboundedReceiver<Topics>,
}

/// A connection on which everything is subscribed to.
pub struct Connection {
    sink: PubSubSink,
    messages: PubSubStream,
    gate: Gate,
    /// When a message had to wait for room here.
    last_waited: Option<Instant>,
}

impl Subscriber {
    /// With what gives it other topics while it runs: a message goes to the queues of either, and to each of them once.
    pub fn new(topics: Topics) -> (Self, UnboundedSender<Topics>) {
        let (sender, changes) = unbounded_channel();
        (Self { topics, changes }, sender)
    }

    /// Puts no more messages into any queue.
    pub fn close(mut self) {
        self.changes.close();
        while let Ok(topics) = self.changes.try_recv() {
            close(&topics);
        }
        close(&self.topics);
    }
}

fn close(topics: &Topics) {
    topics.iter().flat_map(|(_, queues)| queues).for_each(|queue| queue.close());
}

impl Session for Subscriber {
    type Connection = Connection;

    async fn connect(&mut self, server: &Server) -> Result<Connection, ConnectFailure> {
        while let Ok(topics) = self.changes.try_recv() {
            close(&std::mem::replace(&mut self.topics, topics));
        }
        let gate = Gate::default();
        let (mut sink, messages) = server.connector.subscriptions(&server.address, gate.clone()).await?.split();
        subscribe(&mut sink, &Names::of(&self.topics)).await?;
        Ok(Connection { sink, messages, gate, last_waited: None })
    }

    /// Takes messages until there are no more or the end is asked for; those that have arrived by then are handed on.
    async fn serve(&mut self, mut connection: Connection, stop: &Stop) -> Ended {
        loop {
            if stop.is_requested() {
                self.drain(connection).await;
                return Ended::Stopped;
            }
            if let Ok(topics) = self.changes.try_recv() {
                match self.change(topics, &mut connection).await {
                    Ok(()) => continue,
                    Err(error) => return error.into(),
                }
            }
            let message = match connection.waiting_message() {
                Some(message) => message,
                None => {
                    connection.gate.queue_is_empty();
                    tokio::select! {
                        biased;
                        () = stop.requested() => continue,
                        Some(topics) = self.changes.recv() => match self.change(topics, &mut connection).await {
                            Ok(()) => continue,
                            Err(error) => return error.into(),
                        },
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
                    if hand_on(&message, &self.topics).await {
                        connection.last_waited = Some(Instant::now());
                    }
                }
                None => return Ended::Lost(connection.why_closed()),
            }
        }
    }
}

impl Subscriber {
    /// Other topics on the same connection. What was sent for those that are gone is still handed on.
    async fn change(&mut self, topics: Topics, connection: &mut Connection) -> RedisResult<()> {
        let earlier = std::mem::replace(&mut self.topics, topics);
        let is_in = |(topic, _): &(Topic, _), topics: &Topics| topics.iter().any(|(other, _)| other == topic);
        let added: Topics = self.topics.iter().filter(|one| !is_in(one, &earlier)).cloned().collect();
        let gone: Topics = earlier.iter().filter(|one| !is_in(one, &self.topics)).cloned().collect();
        let changed = async {
            if added.is_empty() && gone.is_empty() {
                return Ok(());
            }
            // The confirmations are behind everything that was sent before.
            connection.gate.queue_is_empty();
            within(ANSWER, subscribe(&mut connection.sink, &Names::of(&added))).await?;
            within(ANSWER, unsubscribe(&mut connection.sink, &Names::of(&gone))).await
        };
        let changed = changed.await;
        let all = self.topics.iter().chain(&gone).cloned().collect();
        while let (false, Some(Some(message))) = (gone.is_empty(), connection.waiting_message()) {
            hand_on(&message, &all).await;
        }
        close(&earlier);
        changed
    }

    /// Asks the server for no more messages, and hands on those that it sent before.
    ///
    /// The gate stays as it is: behind a backlog the confirmation doesn't come in time, and nothing more is read for it.
    async fn drain(&self, mut connection: Connection) {
        match timeout(UNSUBSCRIBING, unsubscribe(&mut connection.sink, &Names::of(&self.topics))).await {
            Ok(Ok(())) => {}
            // The end of the connection unsubscribes as well.
            Ok(Err(why)) => tracing::debug!("not unsubscribed: {why}"),
            Err(_) => tracing::debug!("unsubscribing was not confirmed"),
        }
        while let Some(Some(message)) = connection.waiting_message() {
            hand_on(&message, &self.topics).await;
        }
    }
}

/// The names of channels, and the patterns.
struct Names<'a> {
    channels: Vec<&'a str>,
    patterns: Vec<&'a str>,
}

impl<'a> Names<'a> {
    fn of(topics: &'a Topics) -> Self {
        let (mut channels, mut patterns) = (Vec::new(), Vec::new());
        for (topic, _) in topics {
            match topic {
                Topic::Channel(name) => channels.push(name.as_str()),
                Topic::Pattern(pattern) => patterns.push(pattern.as_str()),
            }
        }
        Self { channels, patterns }
    }
}

async fn subscribe(sink: &mut PubSubSink, names: &Names<'_>) -> RedisResult<()> {
    if !names.channels.is_empty() {
        sink.subscribe(&names.channels).await?;
    }
    if !names.patterns.is_empty() {
        sink.psubscribe(&names.patterns).await?;
    }
    Ok(())
}

async fn unsubscribe(sink: &mut PubSubSink, names: &Names<'_>) -> RedisResult<()> {
    if !names.channels.is_empty() {
        sink.unsubscribe(&names.channels).await?;
    }
    if !names.patterns.is_empty() {
        sink.punsubscribe(&names.patterns).await?;
    }
    Ok(())
}

/// Gives a message to everybody of `topics` who is to have it. Whether it had to wait for room.
async fn hand_on(message: &Msg, topics: &Topics) -> bool {
    // Other clients choose the names of channels, which need not be text.
    let channel: Vec<u8> = message.get_channel().unwrap_or_default();
    let pattern: Option<Vec<u8>> = message.get_pattern().unwrap_or_default();
    let queues = topics.iter().find_map(|(topic, queues)| {
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
