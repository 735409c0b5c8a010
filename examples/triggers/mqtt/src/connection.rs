//! The connection to the broker: subscribing, losing it, getting it back.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, Packet, Publish, QoS, SubAck,
    SubscribeReasonCode,
};
use spin_trigger_kit::tokio::sync::Semaphore;
use spin_trigger_kit::tokio::task::JoinSet;
use spin_trigger_kit::tokio::time::{sleep, timeout};
use spin_trigger_kit::{Error, Readiness, Stop, tokio, tracing};

use crate::config::Broker;
use crate::guest::Guest;

/// Waits before the connection is tried again: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long the broker may say nothing while something is asked for at first.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to hear that we go.
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
    /// Finds out whether the broker lets us have the topics, on a connection for that alone, and connects. Nothing is subscribed to
    /// afterwards: while an app is reloaded, the trigger whose place this one takes still gets the messages.
    ///
    /// # Errors
    /// When the broker can't be reached, doesn't answer, or refuses us or a topic.
    pub(crate) async fn open(broker: &Broker, subscriptions: Vec<Subscription>, places: usize) -> Result<Self, Error> {
        let places = Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)));
        // For a request for each topic, and the farewell.
        let room = subscriptions.len() + 1;
        let connection = |subscriptions| {
            let (client, events) = AsyncClient::new(options(broker), room);
            Self { client, events, subscriptions, places: Arc::clone(&places), running: JoinSet::new() }
        };
        let mut trial = connection(subscriptions);
        trial.connect(broker).await?;
        trial.try_topics(broker).await?;
        // What it has got meanwhile goes with it.
        let mut connection = connection(std::mem::take(&mut trial.subscriptions));
        connection.connect(broker).await?;
        Ok(connection)
    }

    /// The next event, if it comes in time.
    async fn next(&mut self, broker: &Broker) -> Result<Result<Event, ConnectionError>, Error> {
        timeout(PATIENCE, self.events.poll()).await.map_err(|_| no_answer(broker))
    }

    async fn connect(&mut self, broker: &Broker) -> Result<(), Error> {
        loop {
            match self.next(broker).await? {
                Ok(Event::Incoming(Packet::ConnAck(_))) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(refusal(&error).unwrap_or_else(|| unreachable(broker, &error))),
            }
        }
    }

    async fn try_topics(&mut self, broker: &Broker) -> Result<(), Error> {
        self.subscribe()?;
        let mut confirmed = 0;
        while confirmed < self.subscriptions.len() {
            match self.next(broker).await? {
                Ok(Event::Incoming(Packet::SubAck(answer))) => {
                    self.check(&answer, confirmed)?;
                    confirmed += 1;
                }
                Ok(_) => {}
                // What brokers do about a topic filter that is none.
                Err(error) => return Err(self.refused(confirmed, &format!("it ended the connection ({error})"))),
            }
        }
        Ok(())
    }

    /// Serves messages until the end is asked for. `ready` is called once: when the broker has confirmed all topics, or when
    /// it has not for a while; not to have them makes the trigger not ready from then on.
    ///
    /// # Errors
    /// When the broker refuses us.
    pub(crate) async fn serve(mut self, stop: Stop, readiness: &Readiness, ready: impl FnOnce()) -> Result<(), Error> {
        let (mut connected, mut confirmed, mut pause) = (true, 0, Duration::ZERO);
        let (mut ready, mut missing) = (Some(ready), None);
        let mut patience = pin!(sleep(PATIENCE));
        self.subscribe()?;
        loop {
            let event = tokio::select! {
                // First: whoever takes our place in a reload gets what comes from now on.
                biased;
                () = stop.requested() => break,
                () = patience.as_mut(), if ready.is_some() => {
                    missing.get_or_insert_with(|| readiness.interrupt());
                    ready.take().into_iter().for_each(|ready| ready());
                    continue;
                }
                event = self.events.poll() => event,
            };
            match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    (connected, confirmed) = (true, 0);
                    self.subscribe()?;
                }
                // One of a connection that is lost already says nothing.
                Ok(Event::Incoming(Packet::SubAck(answer))) if connected => {
                    self.check(&answer, confirmed)?;
                    confirmed += 1;
                    if confirmed == self.subscriptions.len() {
                        (missing, pause) = (None, FIRST_PAUSE);
                        ready.take().into_iter().for_each(|ready| ready());
                    }
                }
                Ok(Event::Incoming(Packet::Publish(message))) => self.dispatch(&message).await,
                Ok(_) => {}
                Err(error) => {
                    if let Some(refusal) = refusal(&error) {
                        return Err(refusal);
                    }
                    connected = false;
                    missing.get_or_insert_with(|| readiness.interrupt());
                    tracing::warn!("the connection to the broker is lost ({error}); trying again");
                    tokio::select! {
                        // Nobody looked after the connection while others prepared, so the first loss says nothing of the broker.
                        () = sleep(pause) => pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE),
                        () = stop.requested() => break,
                    }
                }
            }
        }
        // Whoever takes our place says for itself whether it is ready.
        drop(missing);
        // What is left in the broker is for others; what we have begun is finished.
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

    /// Looks at an answer to a subscription, of which `confirmed` were answered before: they come in the order of the requests.
    fn check(&self, answer: &SubAck, confirmed: usize) -> Result<(), Error> {
        if !answer.return_codes.contains(&SubscribeReasonCode::Failure) {
            return Ok(());
        }
        Err(self.refused(confirmed, "it says so"))
    }

    fn refused(&self, confirmed: usize, how: &str) -> Error {
        let topic = self.subscriptions.get(confirmed).map_or("?", |one| one.topic.as_str());
        Error::new("mqtt::subscribe", format!("the broker refuses the subscription of topic \"{topic}\": {how}"))
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

fn options(broker: &Broker) -> MqttOptions {
    // The broker ends a connection when another one comes with the same name.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let name = format!("spin-{}-{:x}", std::process::id(), now.as_nanos());
    let mut options = MqttOptions::new(name, broker.host.clone(), broker.port);
    options.set_keep_alive(broker.keep_alive).set_max_packet_size(LARGEST_MESSAGE, LARGEST_MESSAGE);
    if let Some((user, password)) = &broker.credentials {
        options.set_credentials(user, password);
    }
    options
}

fn no_answer(Broker { host, port, .. }: &Broker) -> Error {
    let seconds = PATIENCE.as_secs();
    Error::new("mqtt::connect", format!("the broker at {host}:{port} has not answered within {seconds} s"))
}

fn unreachable(Broker { host, port, .. }: &Broker, error: &ConnectionError) -> Error {
    Error::new("mqtt::connect", format!("the broker at {host}:{port} can't be reached: {error}"))
}
