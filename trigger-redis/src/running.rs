//! The trigger while it runs: a task for each connection, and what becomes of them when the app has a new generation.
//!
//! Connections with subscriptions go on, and give their messages to the new generation: none is missed, none comes twice. Of
//! lists and streams the old generation finishes what it has, and the new one takes what comes.

use std::sync::Arc;
use std::time::Duration;

use spin_trigger_kit::tokio::sync::mpsc;
use spin_trigger_kit::tokio::task::JoinSet;
use spin_trigger_kit::{App, Endpoint, Error, Stop, tokio};

use crate::address::Address;
use crate::delivery::Counts;
use crate::flags::RedisFlags;
use crate::handler::MessageHandler;
use crate::list::ListWorker;
use crate::plan::{Patience, Recipient, Source, Subscription};
use crate::queue::{Places, Queue};
use crate::server::{OnDisconnect, Server, ServerError, Session, SharedServer};
use crate::stream::StreamWorker;
use crate::subscribe::{Subscriber, Topics};
use crate::trigger::Generation;

/// The trigger while it runs.
pub(crate) struct Running {
    on_disconnect: OnDisconnect,
    places: Places,
    tasks: JoinSet<Result<(), ServerError>>,
    servers: Vec<SharedServer>,
    subscriptions: Vec<Connected>,
    /// The end of what this generation takes from lists and streams.
    taking: Stop,
    /// The end of the process.
    stop: Stop,
    is_first: bool,
}

/// A connection with subscriptions, which goes on from one generation to the next.
struct Connected {
    address: Address,
    patience: Patience,
    changes: mpsc::UnboundedSender<Topics>,
    stop: Stop,
}

/// Tells that one of a source's connections is there for the first time.
#[derive(Clone)]
struct Tell {
    source: usize,
    sender: mpsc::UnboundedSender<usize>,
}

impl Tell {
    fn tell_if(&self, is_first: bool) {
        if is_first {
            // Nobody listens any more once the trigger is ready.
            let _ = self.sender.send(self.source);
        }
    }
}

impl Running {
    /// With nothing that runs yet.
    pub(crate) fn new(flags: &RedisFlags, places: Places, stop: Stop) -> Self {
        let on_disconnect = match flags.exit_on_disconnect {
            true => OnDisconnect::Exit,
            false => OnDisconnect::Reconnect,
        };
        let (tasks, taking) = (JoinSet::new(), Stop::default());
        let (servers, subscriptions) = (Vec::new(), Vec::new());
        Self { on_disconnect, places, tasks, servers, subscriptions, taking, stop, is_first: true }
    }

    /// Serves the `first` generation and those that come after it, until the end is asked for. Tells what the trigger listens
    /// to once everything of a source is connected.
    pub(crate) async fn run(
        mut self,
        app: App,
        first: Generation,
        mut generations: mpsc::UnboundedReceiver<Generation>,
    ) -> Result<(), Error> {
        let (sender, mut connected) = mpsc::unbounded_channel();
        let sources = first.sources.clone();
        let mut missing = self.begin(&first, &sender)?;
        drop(first);
        let mut app = Some(app);
        if missing.iter().all(|missing| *missing == 0) {
            tell_ready(app.take(), &sources);
        }
        while !(self.stop.is_requested() && self.tasks.is_empty()) {
            tokio::select! {
                biased;
                () = self.stop.requested(), if !self.taking.is_requested() => self.end(),
                Some(source) = connected.recv(), if app.is_some() => {
                    missing[source] -= 1;
                    if missing[source] == 0 {
                        App::announce(&sources[source].listing());
                    }
                    if missing.iter().all(|missing| *missing == 0) {
                        tell_ready(app.take(), &sources);
                    }
                }
                Some(next) = generations.recv(), if !self.stop.is_requested() => {
                    self.begin(&next, &sender)?;
                }
                Some(ended) = self.tasks.join_next() => {
                    let ended = ended.map_err(|error| Error::new("redis::connection", error))?;
                    ended.map_err(|error| Error::new(error.code(), error))?;
                }
            }
        }
        self.places.finished().await;
        Ok(())
    }

    /// Asks everything for its end.
    fn end(&self) {
        let grace = self.stop.grace();
        self.taking.request(grace);
        self.subscriptions.iter().for_each(|connected| connected.stop.request(grace));
    }

    /// Puts a generation in the place of the one that runs, if one does. Gives how many new connections each of its sources
    /// has.
    fn begin(&mut self, next: &Generation, sender: &mpsc::UnboundedSender<usize>) -> Result<Vec<usize>, Error> {
        // What they have begun may take as long as it would have taken anyway.
        std::mem::take(&mut self.taking).request(Duration::MAX);
        let mut earlier = std::mem::take(&mut self.subscriptions);
        let mut added = Vec::new();
        let mut servers = Vec::new();
        for (index, source) in next.sources.iter().enumerate() {
            let server = self.server(next, source)?;
            let tell = Tell { source: index, sender: sender.clone() };
            let mut count = source.lists.len() + source.streams.len();
            for (patience, subscriptions) in source.by_patience() {
                let topics = self.topics(next, &server, subscriptions)?;
                let is_it = |one: &Connected| one.address == source.address && one.patience == patience;
                let connected = match earlier.iter().position(is_it) {
                    Some(at) => {
                        let connected = earlier.swap_remove(at);
                        // It is taken from the list before its receiver goes away.
                        let _ = connected.changes.send(topics);
                        connected
                    }
                    None => {
                        count += 1;
                        self.subscribe(next, &server, patience, topics, tell.clone())?
                    }
                };
                self.subscriptions.push(connected);
            }
            for list in &source.lists {
                let (handler, counts) = self.delivery(next, &server, &list.recipient, &list.name)?;
                let worker = ListWorker::new(list.clone(), handler, self.places.clone(), counts);
                self.take(worker, &server, tell.clone(), ListWorker::finished);
            }
            for stream in &source.streams {
                let (handler, counts) = self.delivery(next, &server, &stream.recipient, &stream.name)?;
                let worker = StreamWorker::new(stream.clone(), handler, self.places.clone(), counts);
                self.take(worker, &server, tell.clone(), StreamWorker::finished);
            }
            servers.push(server);
            added.push(count);
        }
        earlier.iter().for_each(|gone| gone.stop.request(Duration::MAX));
        self.servers = servers;
        self.is_first = false;
        Ok(added)
    }

    /// The server of a source: the one that there is already, if there is.
    fn server(&self, next: &Generation, source: &Source) -> Result<SharedServer, Error> {
        let known = self.servers.iter().find(|server| server.address == source.address);
        let server = match known {
            Some(server) => Arc::clone(server),
            None => {
                let (address, app) = (source.address.clone(), &next.app);
                let disconnects = app.counter("spin_redis_disconnects_total", &[("server", &address.to_string())])?;
                let (connector, readiness) = (next.connector.clone(), app.readiness().clone());
                Arc::new(Server::new(address, connector, self.on_disconnect, readiness, disconnects))
            }
        };
        if !self.is_first {
            server.begin_to_wait();
        }
        Ok(server)
    }

    /// Queues for what is subscribed to, each with the task that works it off.
    fn topics(
        &mut self,
        next: &Generation,
        server: &Server,
        subscriptions: Vec<Subscription>,
    ) -> Result<Topics, Error> {
        let address = server.address.to_string();
        let mut topics = Vec::new();
        for Subscription { topic, consumers } in subscriptions {
            let mut queues = Vec::new();
            for consumer in consumers {
                let component = consumer.recipient.component.as_str();
                let labels = [("component", component), ("server", &address), ("channel", topic.name())];
                let dropped = next.app.counter("spin_redis_dropped_total", &labels)?;
                let queue = Arc::new(Queue::new(consumer.queue, dropped));
                let (handler, places) = (next.handler(&consumer.recipient)?, self.places.clone());
                queues.push(Arc::clone(&queue));
                self.tasks.spawn(async move {
                    queue.work_off(&handler, &places).await;
                    Ok(())
                });
            }
            topics.push((topic, queues));
        }
        Ok(topics)
    }

    fn subscribe(
        &mut self,
        next: &Generation,
        server: &SharedServer,
        patience: Patience,
        topics: Topics,
        tell: Tell,
    ) -> Result<Connected, Error> {
        let address = server.address.clone();
        let gaps = next.app.counter("spin_redis_gaps_total", &[("server", &address.to_string())])?;
        let (mut subscriber, changes) = Subscriber::new(topics);
        let stop = Stop::default();
        let (server, stopped) = (Arc::clone(server), stop.clone());
        self.tasks.spawn(async move {
            let on_connected = |is_first: bool| {
                tell.tell_if(is_first);
                // Nobody knows how much was published meanwhile.
                gaps.add(u64::from(!is_first));
            };
            let result = server.keep(&mut subscriber, on_connected, &stopped).await;
            subscriber.close();
            result
        });
        Ok(Connected { address, patience, changes, stop })
    }

    /// Takes messages from a list or a stream until this generation ends.
    fn take<S, F>(&mut self, mut worker: S, server: &SharedServer, tell: Tell, finished: fn(S) -> F)
    where
        S: Session<Connection: Send> + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (server, stop) = (Arc::clone(server), self.taking.clone());
        self.tasks.spawn(async move {
            let result = server.keep(&mut worker, |is_first| tell.tell_if(is_first), &stop).await;
            finished(worker).await;
            result
        });
    }

    fn delivery(
        &self,
        next: &Generation,
        server: &Server,
        recipient: &Recipient,
        source: &str,
    ) -> Result<(Arc<MessageHandler>, Counts), Error> {
        let counts = Counts::new(&next.app, recipient.component.as_str(), &server.address.to_string(), source)?;
        Ok((next.handler(recipient)?, counts))
    }
}

fn tell_ready(app: Option<App>, sources: &[Source]) {
    if let Some(app) = app {
        app.ready(sources.iter().map(|source| Endpoint::new("redis", source.address.to_string())));
    }
}
