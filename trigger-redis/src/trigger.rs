//! The trigger itself: what it makes of flags and configuration, and how it runs.

use std::collections::HashMap;
use std::sync::Arc;

use spin_trigger_kit::tokio::sync::mpsc;
use spin_trigger_kit::tokio::task::JoinSet;
use spin_trigger_kit::{App, ComponentId, Declared, Endpoint, Entry, Error, Stop, Trigger, tokio};

use crate::config::{RedisFlags, RedisSettings, RedisTriggerConfig};
use crate::connect::Connector;
use crate::delivery::Counts;
use crate::handler::ComponentHandler;
use crate::list::ListWorker;
use crate::plan::{Source, Subscription};
use crate::queue::{Places, Queue};
use crate::server::{OnDisconnect, Server, ServerError, SharedServer};
use crate::stream::StreamWorker;
use crate::subscribe::Subscriber;

/// How many messages are handled at once for each processor unless a flag says otherwise: handlers wait most of their time.
const PLACES_EACH: usize = 32;

/// The Redis trigger.
pub struct RedisTrigger {
    flags: RedisFlags,
    settings: RedisSettings,
    entries: Vec<Entry<RedisTriggerConfig>>,
}

impl Trigger for RedisTrigger {
    const TYPE: &'static str = "redis";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = RedisTriggerConfig;
    type Settings = RedisSettings;
    type Flags = RedisFlags;

    fn new(flags: RedisFlags, declared: Declared<Self>) -> Result<Self, Error> {
        for entry in &declared.entries {
            declared.settings.check(&entry.id, &entry.config)?;
        }
        Ok(Self { flags, settings: declared.settings, entries: declared.entries })
    }

    async fn run(self, app: App, stop: Stop) -> Result<(), Error> {
        let entries = self.entries.iter().map(|entry| (entry.id.as_str(), &entry.config));
        let sources = self.settings.sources(entries, |template, place| app.expand(template, place))?;
        let connector = Connector::new(sources.iter().map(|source| &source.address), self.flags.redis_ca.as_deref())
            .map_err(|error| Error::new("redis::tls", error))?;
        let mut running = Running {
            handlers: self.handlers(&app)?,
            places: Places::new(self.places(app.instances().all())),
            tasks: JoinSet::new(),
            app,
            stop,
        };
        let (connected, first_connected) = mpsc::unbounded_channel();
        let mut expected = Vec::new();
        for (index, source) in sources.iter().enumerate() {
            let server = Arc::new(self.server(&running.app, source, connector.clone())?);
            let before = running.tasks.len();
            running.start(source, &server, &Connected { index, sender: connected.clone() })?;
            expected.push(running.tasks.len() - before);
        }
        drop(connected);
        running.serve(&sources, expected, first_connected).await
    }
}

impl RedisTrigger {
    fn places(&self, instances: usize) -> usize {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        self.flags.max_concurrency.map_or(PLACES_EACH * processors, usize::from).min(instances)
    }

    fn server(&self, app: &App, source: &Source, connector: Connector) -> Result<Server, Error> {
        let on_disconnect = match self.flags.exit_on_disconnect {
            true => OnDisconnect::Exit,
            false => OnDisconnect::Reconnect,
        };
        let address = source.address.clone();
        let disconnects = app.counter("spin_redis_disconnects_total", &[("server", &address.to_string())])?;
        Ok(Server::new(address, connector, on_disconnect, app.readiness().clone(), disconnects))
    }

    /// What handles the messages of each component.
    fn handlers(&self, app: &App) -> Result<HashMap<ComponentId, Arc<ComponentHandler>>, Error> {
        let mut handlers = HashMap::new();
        for entry in &self.entries {
            let id = &entry.config.component;
            if !handlers.contains_key(id) {
                handlers.insert(id.clone(), Arc::new(ComponentHandler::new(app.component(id)?, app.events(id))?));
            }
        }
        Ok(handlers)
    }
}

/// Tells that one of a source's connections is there for the first time.
#[derive(Clone)]
struct Connected {
    index: usize,
    sender: mpsc::UnboundedSender<usize>,
}

impl Connected {
    fn tell_if(&self, is_first: bool) {
        if is_first {
            // The receiver goes away only with the whole trigger.
            let _ = self.sender.send(self.index);
        }
    }
}

/// The trigger while it runs: a task for each connection.
struct Running {
    app: App,
    handlers: HashMap<ComponentId, Arc<ComponentHandler>>,
    places: Places,
    tasks: JoinSet<Result<(), ServerError>>,
    stop: Stop,
}

impl Running {
    /// Starts everything that is taken from one server.
    fn start(&mut self, source: &Source, server: &SharedServer, connected: &Connected) -> Result<(), Error> {
        for subscriptions in source.by_patience() {
            self.subscribe(subscriptions, server, connected)?;
        }
        for list in &source.lists {
            let counts = self.counts(&list.component, server, &list.name)?;
            let handler = self.handler(&list.component)?;
            let mut worker = ListWorker::new(list.clone(), handler, self.places.clone(), counts);
            let (server, connected, stop) = (Arc::clone(server), connected.clone(), self.stop.clone());
            self.tasks.spawn(async move {
                let result = server.keep(&mut worker, |is_first| connected.tell_if(is_first), &stop).await;
                worker.finished().await;
                result
            });
        }
        for stream in &source.streams {
            let counts = self.counts(&stream.component, server, &stream.name)?;
            let handler = self.handler(&stream.component)?;
            let mut worker = StreamWorker::new(stream.clone(), handler, self.places.clone(), counts);
            let (server, connected, stop) = (Arc::clone(server), connected.clone(), self.stop.clone());
            self.tasks.spawn(async move {
                let result = server.keep(&mut worker, |is_first| connected.tell_if(is_first), &stop).await;
                worker.finished().await;
                result
            });
        }
        Ok(())
    }

    fn counts(&self, component: &ComponentId, server: &Server, source: &str) -> Result<Counts, Error> {
        Counts::new(&self.app, component.as_str(), &server.address.to_string(), source)
    }

    fn subscribe(
        &mut self,
        subscriptions: Vec<Subscription>,
        server: &SharedServer,
        connected: &Connected,
    ) -> Result<(), Error> {
        let address = server.address.to_string();
        let gaps = self.app.counter("spin_redis_gaps_total", &[("server", &address)])?;
        let mut workers = JoinSet::new();
        let mut topics = Vec::new();
        for Subscription { topic, consumers } in subscriptions {
            let mut queues = Vec::new();
            for consumer in consumers {
                let labels =
                    [("component", consumer.component.as_str()), ("server", &address), ("channel", topic.name())];
                let dropped = self.app.counter("spin_redis_dropped_total", &labels)?;
                let queue = Arc::new(Queue::new(consumer.queue, dropped));
                let (handler, places) = (self.handler(&consumer.component)?, self.places.clone());
                queues.push(Arc::clone(&queue));
                workers.spawn(async move { queue.work_off(&handler, &places).await });
            }
            topics.push((topic, queues));
        }
        let (server, connected, stop) = (Arc::clone(server), connected.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            let mut subscriber = Subscriber { topics };
            let on_connected = |is_first: bool| {
                connected.tell_if(is_first);
                // Nobody knows how much was published meanwhile.
                gaps.add(u64::from(!is_first));
            };
            let result = server.keep(&mut subscriber, on_connected, &stop).await;
            for queue in subscriber.topics.iter().flat_map(|(_, queues)| queues) {
                queue.close();
            }
            workers.join_all().await;
            result
        });
        Ok(())
    }

    fn handler(&self, id: &ComponentId) -> Result<Arc<ComponentHandler>, Error> {
        let none = || Error::new("redis::config", format!("component \"{id}\" has no entry"));
        self.handlers.get(id).cloned().ok_or_else(none)
    }

    /// Tells what the trigger listens to, once everything that is `expected` of a source is connected, and waits for the end.
    async fn serve(
        mut self,
        sources: &[Source],
        mut expected: Vec<usize>,
        mut first_connected: mpsc::UnboundedReceiver<usize>,
    ) -> Result<(), Error> {
        if sources.is_empty() {
            self.app.ready([]);
            self.stop.requested().await;
            return Ok(());
        }
        loop {
            tokio::select! {
                biased;
                Some(index) = first_connected.recv() => {
                    expected[index] -= 1;
                    if expected[index] == 0 {
                        App::announce(&sources[index].listing());
                    }
                    if expected.iter().all(|missing| *missing == 0) {
                        let endpoint = |source: &Source| Endpoint::new("redis", source.address.to_string());
                        self.app.ready(sources.iter().map(endpoint));
                    }
                }
                Some(ended) = self.tasks.join_next() => {
                    let ended = ended.map_err(|error| Error::new("redis::connection", error))?;
                    ended.map_err(|error| Error::new(error.code(), error))?;
                }
                else => break,
            }
        }
        self.places.finished().await;
        Ok(())
    }
}
