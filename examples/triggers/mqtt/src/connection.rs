//! The connection to the broker: subscribing, losing it, getting it back.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, Packet, Publish, QoS,
    SubscribeReasonCode,
};
use spin_trigger_kit::tokio::sync::Semaphore;
use spin_trigger_kit::tokio::task::JoinSet;
use spin_trigger_kit::tokio::time::{sleep, timeout};
use spin_trigger_kit::{Error, Stop, tokio, tracing};

use crate::config::Broker;
use crate::guest::Guest;

/// Waits before the connection is tried again: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long the broker may take to hear that we go.
const FAREWELL: Duration = Duration::from_secs(1);
/// The largest message, in bytes; a broker that sends a larger one is disconnected from.
const LARGEST_MESSAGE: usize = 16 << 20;

/// Who gets the messages of which topics.
pub(crate) struct Subscription {
    pub(crate) topic: String,
    pub(crate) qos: QoS,
    pub(crate) guest: Arc<Guest>,
}

/// A connection for as long as the trigger runs.
pub(crate) struct Connection {
    client: AsyncClient,
    events: EventLoop,
    subscriptions: Vec<Subscription>,
    /// Messages that are handled at once, at most; while all are taken nothing is read from the broker.
    places: Arc<Semaphore>,
    running: JoinSet<()>,
}

impl Connection {
    /// Connects. Nothing is subscribed to yet.
    ///
    /// # Errors
    /// When the broker can't be reached, or refuses us.
    pub(crate) async fn open(broker: &Broker, subscriptions: Vec<Subscription>, places: usize) -> Result<Self, Error> {
        // The broker ends a connection when another one comes with the same name.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let name = format!("spin-{}-{:x}", std::process::id(), now.as_nanos());
        let mut options = MqttOptions::new(name, broker.host.clone(), broker.port);
        options.set_keep_alive(broker.keep_alive).set_max_packet_size(LARGEST_MESSAGE, LARGEST_MESSAGE);
        if let Some((user, password)) = &broker.credentials {
            options.set_credentials(user, password);
        }
        let (client, mut events) = AsyncClient::new(options, subscriptions.len() + 1);
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => break,
                Ok(_) => {}
                Err(error) => return Err(refusal(&error).unwrap_or_else(|| unreachable(broker, &error))),
            }
        }
        let places = Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)));
        Ok(Self { client, events, subscriptions, places, running: JoinSet::new() })
    }

    /// Serves messages until the end is asked for. `subscribed` is called when the broker has confirmed all topics.
    ///
    /// # Errors
    /// When the broker refuses us.
    pub(crate) async fn serve(mut self, stop: Stop, mut subscribed: impl FnMut()) -> Result<(), Error> {
        let (mut confirmed, mut pause) = (0, FIRST_PAUSE);
        self.subscribe()?;
        loop {
            let event = tokio::select! {
                event = self.events.poll() => event,
                () = stop.requested() => break,
            };
            match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    pause = FIRST_PAUSE;
                    self.subscribe()?;
                }
                Ok(Event::Incoming(Packet::SubAck(answer))) => {
                    if answer.return_codes.contains(&SubscribeReasonCode::Failure) {
                        let topics: Vec<&str> = self.subscriptions.iter().map(|one| one.topic.as_str()).collect();
                        let message =
                            format!("the broker refuses a subscription; the topics are {}", topics.join(", "));
                        return Err(Error::new("mqtt::subscribe", message));
                    }
                    confirmed += 1;
                    if confirmed == self.subscriptions.len() {
                        subscribed();
                    }
                }
                Ok(Event::Incoming(Packet::Publish(message))) => self.dispatch(&message).await,
                Ok(_) => {}
                Err(error) => {
                    if let Some(refusal) = refusal(&error) {
                        return Err(refusal);
                    }
                    tracing::warn!("the connection to the broker is lost ({error}); trying again");
                    tokio::select! {
                        () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                        () = stop.requested() => break,
                    }
                }
            }
        }
        // What is left in the broker is for others; what we have is handled.
        let farewell = async {
            let _ = self.client.disconnect().await;
            while self.events.poll().await.is_ok() {}
        };
        let _ = timeout(FAREWELL, farewell).await;
        self.running.join_all().await;
        Ok(())
    }

    fn subscribe(&self) -> Result<(), Error> {
        // There is room for all of them, so that nothing waits for the loop that takes them.
        let ask = |one: &Subscription| self.client.try_subscribe(&one.topic, one.qos);
        self.subscriptions.iter().try_for_each(ask).map_err(|error| Error::new("mqtt::subscribe", error))
    }

    /// Gives a message to every component whose topic it is of.
    async fn dispatch(&mut self, message: &Publish) {
        while self.running.try_join_next().is_some() {}
        for subscription in self.subscriptions.iter().filter(|one| rumqttc::matches(&message.topic, &one.topic)) {
            let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
            let (guest, topic, payload) =
                (Arc::clone(&subscription.guest), message.topic.clone(), message.payload.to_vec());
            self.running.spawn(async move {
                guest.handle(topic, payload).await;
                drop(place);
            });
        }
    }
}

/// What the broker says, if another attempt would get the same answer.
fn refusal(error: &ConnectionError) -> Option<Error> {
    match error {
        ConnectionError::ConnectionRefused(code) if *code != ConnectReturnCode::ServiceUnavailable => {
            Some(Error::new("mqtt::refused", format!("the broker refuses the connection: {code:?}")))
        }
        _ => None,
    }
}

fn unreachable(Broker { host, port, .. }: &Broker, error: &ConnectionError) -> Error {
    Error::new("mqtt::connect", format!("the broker at {host}:{port} can't be reached: {error}"))
}
