//! One connection for as long as the trigger runs: subscribing, taking messages, losing it and getting it back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use redis::aio::{PubSubSink, PubSubStream};
use redis::{ErrorKind, Msg, RedisError};
use spin_trigger_kit::tokio::sync::mpsc::UnboundedSender;
use spin_trigger_kit::tokio::task::unconstrained;
use spin_trigger_kit::tokio::time::{sleep, timeout};
use spin_trigger_kit::{Stop, tokio, tracing};

use crate::address::Address;
use crate::backoff::{self, Backoff};
use crate::backpressure::Gate;
use crate::config::Source;
use crate::dispatch::{Dispatcher, Handle, Message};

/// How long a server may take to let a client in and confirm its channels.
const CONNECTING: Duration = Duration::from_secs(10);

/// After so long without a message the server is asked whether it is still there: a machine that lost its power says
/// nothing, and neither does a network that forgot the connection.
const SILENCE: Duration = Duration::from_secs(30);

/// How long its answer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// How long a server may take to confirm that it sends no more messages.
const UNSUBSCRIBING: Duration = Duration::from_secs(1);

/// What to do about a server that can't be reached or a connection that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisconnect {
    /// Say so and try again.
    Reconnect,
    /// End with an error.
    Exit,
}

/// Why a server's messages can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The server doesn't want this client, and asking again won't help.
    #[error("{address} refuses: {why}; check the user, the password and what the user may subscribe to")]
    Refused {
        /// The server.
        address: Address,
        /// Why.
        why: String,
    },
    /// It can't be reached.
    #[error("cannot connect to {address}: {why}; without --exit-on-disconnect the trigger would wait for it")]
    Unreachable {
        /// The server.
        address: Address,
        /// Why.
        why: String,
    },
    /// The connection ended.
    #[error("disconnected from {address}: {why}; without --exit-on-disconnect the trigger would connect again")]
    Lost {
        /// The server.
        address: Address,
        /// Why.
        why: String,
    },
}

impl SubscribeError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "redis::refused",
            Self::Unreachable { .. } => "redis::unreachable",
            Self::Lost { .. } => "redis::disconnected",
        }
    }
}

/// Keeps the subscriptions at one server.
pub struct Subscriber<H> {
    /// The server and its channels.
    pub source: Source,
    /// For every channel of `source`, in that order: what handles its messages.
    pub handlers: Vec<Vec<Arc<H>>>,
    /// Where handlers run.
    pub dispatcher: Arc<Dispatcher>,
    /// What to do about a server that is away.
    pub on_disconnect: OnDisconnect,
    /// Gets `index` when all channels are subscribed to for the first time.
    pub subscribed: UnboundedSender<usize>,
    /// The number of this subscriber.
    pub index: usize,
}

/// A connection on which all channels are subscribed to.
struct Connection {
    sink: PubSubSink,
    messages: PubSubStream,
    gate: Gate,
}

/// Why a connection is not used any more.
enum Ended {
    Stopped,
    Lost(String),
}

/// A time without connection that a person was told of.
struct Outage {
    since: Instant,
    told: bool,
}

impl<H: Handle> Subscriber<H> {
    /// Takes messages until `stop` is requested; those that have arrived by then are dispatched.
    ///
    /// # Errors
    /// When the server refuses this client from the start; with [`OnDisconnect::Exit`] also when it is away.
    pub async fn run(self, stop: Stop) -> Result<(), SubscribeError> {
        let mut backoff = Backoff::default();
        let mut outage: Option<Outage> = None;
        let mut subscribed_before = false;
        loop {
            let connected = tokio::select! {
                biased;
                () = stop.requested() => return Ok(()),
                connected = self.connect() => connected,
            };
            match connected {
                Ok(connection) => {
                    self.connected(&mut subscribed_before, outage.take());
                    let since = Instant::now();
                    match self.serve(connection, &stop).await {
                        Ended::Stopped => return Ok(()),
                        Ended::Lost(why) => self.lost(why, &mut outage)?,
                    }
                    // One that was closed at once is no reason to hurry.
                    if since.elapsed() >= backoff::LONGEST {
                        backoff.reset();
                    }
                }
                Err(failure) => self.unreachable(failure, subscribed_before, &mut outage)?,
            }
            tokio::select! {
                biased;
                () = stop.requested() => return Ok(()),
                () = sleep(backoff.wait()) => {}
            }
        }
    }

    fn connected(&self, subscribed_before: &mut bool, outage: Option<Outage>) {
        if !std::mem::replace(subscribed_before, true) {
            // The receiver goes away only with the whole trigger.
            let _ = self.subscribed.send(self.index);
        } else if let Some(outage) = outage {
            let seconds = outage.since.elapsed().as_secs_f32();
            tracing::warn!("{}: subscribed again after {seconds:.1} s", self.source.address);
        }
    }

    fn lost(&self, why: String, outage: &mut Option<Outage>) -> Result<(), SubscribeError> {
        let address = self.source.address.clone();
        if self.on_disconnect == OnDisconnect::Exit {
            return Err(SubscribeError::Lost { address, why });
        }
        tracing::warn!("{address}: the connection is lost ({why}); trying again, messages until then are missed");
        *outage = Some(Outage { since: Instant::now(), told: true });
        Ok(())
    }

    fn unreachable(
        &self,
        failure: ConnectFailure,
        subscribed_before: bool,
        outage: &mut Option<Outage>,
    ) -> Result<(), SubscribeError> {
        let address = self.source.address.clone();
        let why = failure.why;
        if failure.refused && !subscribed_before {
            return Err(SubscribeError::Refused { address, why });
        }
        if self.on_disconnect == OnDisconnect::Exit {
            return Err(SubscribeError::Unreachable { address, why });
        }
        let outage = outage.get_or_insert_with(|| Outage { since: Instant::now(), told: false });
        if std::mem::replace(&mut outage.told, true) {
            tracing::debug!("{address} still can't be reached: {why}");
        } else {
            tracing::warn!("{address} can't be reached ({why}); waiting for it");
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Connection, ConnectFailure> {
        let gate = Gate::default();
        let subscribing = async {
            let (mut sink, messages) = self.source.address.connect(gate.clone()).await?.split();
            sink.subscribe(self.source.channel_names()).await?;
            Ok::<_, RedisError>((sink, messages))
        };
        match timeout(CONNECTING, subscribing).await {
            Ok(Ok((sink, messages))) => Ok(Connection { sink, messages, gate }),
            Ok(Err(error)) => Err(ConnectFailure { refused: is_refusal(&error), why: error.to_string() }),
            Err(_) => {
                let why = format!("no answer within {} s", CONNECTING.as_secs());
                Err(ConnectFailure { refused: false, why })
            }
        }
    }

    /// Takes messages until there are no more or the end is asked for.
    async fn serve(&self, mut connection: Connection, stop: &Stop) -> Ended {
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
                Some(message) => self.dispatch(message).await,
                None => return Ended::Lost("the server closed it".to_owned()),
            }
        }
    }

    /// Asks the server for no more messages, and handles those that it sent before.
    ///
    /// The gate stays as it is: behind a backlog the confirmation doesn't come in time, and nothing more is read for it.
    async fn drain(&self, mut connection: Connection) {
        let unsubscribing = connection.sink.unsubscribe(self.source.channel_names());
        match timeout(UNSUBSCRIBING, unsubscribing).await {
            Ok(Ok(())) => {}
            // The end of the connection unsubscribes as well.
            Ok(Err(why)) => tracing::debug!("{}: not unsubscribed: {why}", self.source.address),
            Err(_) => tracing::debug!("{}: unsubscribing was not confirmed", self.source.address),
        }
        while let Some(Some(message)) = connection.waiting_message() {
            self.dispatch(message).await;
        }
    }

    async fn dispatch(&self, message: Msg) {
        let name = message.get_channel_name();
        let Some(channel) = self.source.channels.iter().position(|channel| channel.name == name) else {
            tracing::warn!("{}: a message of the channel {name:?}, which was not asked for", self.source.address);
            return;
        };
        let message = match message.get_payload() {
            Ok(payload) => Arc::new(Message { channel: name.to_owned(), payload }),
            Err(error) => {
                tracing::warn!("{}: a message of the channel {name:?} can't be read: {error}", self.source.address);
                return;
            }
        };
        for handler in &self.handlers[channel] {
            self.dispatcher.dispatch(handler, &message).await;
        }
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
}

/// Why a connection did not come about.
struct ConnectFailure {
    refused: bool,
    why: String,
}

/// Whether the server answered, and won't change its mind.
fn is_refusal(error: &RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"))
}

#[cfg(test)]
mod tests;
