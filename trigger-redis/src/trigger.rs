//! The trigger itself: what it makes of flags and of each generation's configuration.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use spin_trigger_kit::tokio::sync::mpsc;
use spin_trigger_kit::{App, ComponentId, Declared, Error, Stop, Trigger};

use crate::config::{RedisSettings, RedisTriggerConfig};
use crate::connect::Connector;
use crate::flags::RedisFlags;
use crate::handler::{ComponentHandler, MessageHandler};
use crate::plan::{Recipient, Source};
use crate::queue::Places;
use crate::running::Running;

/// How many messages are handled at once for each processor unless a flag says otherwise: handlers wait most of their time.
const PLACES_EACH: usize = 32;

/// The Redis trigger.
pub struct RedisTrigger {
    flags: RedisFlags,
    declared: Declared<Self>,
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
        Ok(Self { flags, declared })
    }

    async fn run(self, app: App, stop: Stop) -> Result<(), Error> {
        let Self { flags, declared } = self;
        let first = Generation::new(&app, &declared, &flags)?;
        let places = Places::new(places(&flags, app.instances().all()));
        let running = Running::new(&flags, places, stop);
        let (sender, generations) = mpsc::unbounded_channel();
        // A hook, because connections with subscriptions are kept: on a new one messages would be missed.
        app.on_reload(move |next| {
            let (generation, sender) = (Generation::new(next, &next.declared()?, &flags)?, sender.clone());
            Ok(Box::new(move || {
                // The receiver goes away only with the whole trigger.
                let _ = sender.send(generation);
            }))
        });
        running.run(app, first, generations).await
    }
}

fn places(flags: &RedisFlags, instances: usize) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    flags.max_concurrency.map_or(PLACES_EACH * processors, usize::from).min(instances)
}

/// What a generation of the app wants of this trigger. Nothing of it runs yet.
pub(crate) struct Generation {
    /// For counters. Whoever keeps it keeps the generation.
    pub(crate) app: App,
    /// What is taken from where.
    pub(crate) sources: Vec<Source>,
    /// How servers are reached.
    pub(crate) connector: Connector,
    handlers: HashMap<ComponentId, Arc<ComponentHandler>>,
    timeout: Duration,
}

impl Generation {
    fn new(app: &App, declared: &Declared<RedisTrigger>, flags: &RedisFlags) -> Result<Self, Error> {
        let entries = declared.entries.iter().map(|entry| (entry.id.as_str(), &entry.config));
        let sources = declared.settings.sources(entries, |template, place| app.expand(template, place))?;
        let connector = Connector::new(sources.iter().map(|source| &source.address), flags.redis_ca.as_deref())
            .map_err(|error| Error::new("redis::tls", error))?;
        let mut handlers = HashMap::new();
        for entry in &declared.entries {
            let id = &entry.config.component;
            if !handlers.contains_key(id) {
                let handler = ComponentHandler::new(app.component(id)?, app.events(id), flags.policy())?;
                handlers.insert(id.clone(), Arc::new(handler));
            }
        }
        Ok(Self { app: app.clone(), sources, connector, handlers, timeout: flags.message_timeout })
    }

    /// What gives messages to `recipient`.
    ///
    /// # Errors
    /// None in fact: every recipient is from an entry.
    pub(crate) fn handler(&self, recipient: &Recipient) -> Result<Arc<MessageHandler>, Error> {
        let id = &recipient.component;
        let none = || Error::new("redis::config", format!("component \"{id}\" has no entry"));
        let component = self.handlers.get(id).cloned().ok_or_else(none)?;
        Ok(Arc::new(MessageHandler { component, timeout: recipient.timeout.unwrap_or(self.timeout) }))
    }
}
