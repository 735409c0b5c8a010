//! The trigger itself: what it makes of flags and configuration, and how it runs.

use std::collections::HashMap;
use std::sync::Arc;

use spin_trigger_kit::tokio::sync::mpsc;
use spin_trigger_kit::tokio::task::JoinSet;
use spin_trigger_kit::{App, ComponentId, Declared, Endpoint, Entry, Error, Stop, Trigger, tokio};

use crate::config::{RedisFlags, RedisSettings, RedisTriggerConfig, Source};
use crate::dispatch::Dispatcher;
use crate::handler::ComponentHandler;
use crate::subscribe::{OnDisconnect, Subscriber};

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
        let handlers = self.handlers(&app)?;
        let dispatcher = Arc::new(Dispatcher::new(app.instances().free()));
        let on_disconnect = match self.flags.exit_on_disconnect {
            true => OnDisconnect::Exit,
            false => OnDisconnect::Reconnect,
        };
        let (subscribed, first_subscribed) = mpsc::unbounded_channel();
        let mut subscribers = JoinSet::new();
        for (index, source) in sources.iter().enumerate() {
            let of_channel = |channel: &crate::config::Channel| {
                channel.components.iter().filter_map(|id| handlers.get(id).cloned()).collect()
            };
            let subscriber = Subscriber {
                source: source.clone(),
                handlers: source.channels.iter().map(of_channel).collect(),
                dispatcher: Arc::clone(&dispatcher),
                on_disconnect,
                subscribed: subscribed.clone(),
                index,
            };
            let stop = stop.clone();
            subscribers
                .spawn(async move { subscriber.run(stop).await.map_err(|error| Error::new(error.code(), error)) });
        }
        drop(subscribed);
        serve(&app, &sources, subscribers, first_subscribed, &stop).await?;
        dispatcher.finished().await;
        Ok(())
    }
}

impl RedisTrigger {
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

/// Waits for the subscribers, and tells what they are subscribed to.
async fn serve(
    app: &App,
    sources: &[Source],
    mut subscribers: JoinSet<Result<(), Error>>,
    mut first_subscribed: mpsc::UnboundedReceiver<usize>,
    stop: &Stop,
) -> Result<(), Error> {
    let mut missing = sources.len();
    let ready = || app.ready(sources.iter().map(|source| Endpoint::new("redis", source.address.to_string())));
    if missing == 0 {
        ready();
        stop.requested().await;
        return Ok(());
    }
    loop {
        tokio::select! {
            biased;
            Some(index) = first_subscribed.recv() => {
                App::announce(&sources[index].listing());
                missing -= 1;
                if missing == 0 {
                    ready();
                }
            }
            Some(ended) = subscribers.join_next() => {
                ended.map_err(|error| Error::new("redis::subscriber", error))??;
            }
            else => return Ok(()),
        }
    }
}
