//! What an app declares, made into what answers its requests: for the first generation and for each that follows.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use spin_trigger_kit::http::{Handler, Loopback};
use spin_trigger_kit::permits::Permits;
use spin_trigger_kit::{App, ComponentId, Declared, Entry, Error, tracing};

use crate::config::{self, ExecutorConfig, HttpTriggerConfig};
use crate::dispatch::{Answerer, Dispatcher, Origin, Target};
use crate::flags::HttpFlags;
use crate::listing::ListedRoute;
use crate::policy::Policy;
use crate::route::{RouteEntry, Router};
use crate::trigger::HttpTrigger;
use crate::well_known::{AppInfo, WellKnown};

/// What one generation of an app declares.
pub struct Declaration {
    router: Router,
    entries: Vec<Entry<HttpTriggerConfig>>,
    well_known: WellKnown,
}

impl Declaration {
    /// Checks it, and tells what is odd.
    ///
    /// # Errors
    /// For fields that don't go together, and routes that do not.
    pub fn read(declared: Declared<HttpTrigger>) -> Result<Self, Error> {
        let config_error = |error: config::ConfigError| Error::new("http::config", error);
        if let Some(ignored) = declared.settings.check().map_err(config_error)? {
            tracing::warn!("{ignored}");
        }
        for entry in &declared.entries {
            entry.config.target(&entry.id).map_err(config_error)?;
        }
        let routes = declared
            .entries
            .iter()
            .map(|entry| RouteEntry { id: entry.config.name(&entry.id), route: &entry.config.route });
        let (router, notices) = Router::build(routes).map_err(|error| Error::new("http::route", error))?;
        for notice in notices {
            tracing::warn!("{notice}");
        }
        let well_known = WellKnown::new(AppInfo {
            name: &declared.app_name,
            version: declared.app_version.as_deref(),
            oci_image_digest: declared.oci_image_digest.as_deref(),
        });
        Ok(Self { router, entries: declared.entries, well_known })
    }

    /// The routes, as they are told to people.
    pub fn listed(&self) -> Vec<ListedRoute> {
        let listed = self.router.routes().map(|route| {
            let entry = &self.entries[route.entry()];
            ListedRoute::new(entry.config.name(&entry.id), route, entry.component_description.as_deref())
        });
        listed.collect()
    }
}

/// What stays when the app changes.
pub struct Site {
    /// What the command line says.
    pub flags: HttpFlags,
    /// The places for events, of all generations together.
    pub events: Arc<Permits>,
    /// The longest silence within a body.
    pub body_timeout: Duration,
    /// Where the app is served.
    pub origin: Origin,
}

impl Site {
    /// What answers the requests of `app`; its components reach the app through it.
    ///
    /// # Errors
    /// For a component that handles no HTTP, and a static response that can't be sent.
    pub fn dispatcher(&self, app: &App, declaration: Declaration) -> Result<Arc<Dispatcher>, Error> {
        let targets = self.targets(app, &declaration.entries)?;
        let Declaration { router, well_known, .. } = declaration;
        let dispatcher = Arc::new(Dispatcher::new(router, targets, well_known, self.body_timeout, self.origin.clone()));
        let loopback: Weak<Dispatcher> = Arc::downgrade(&dispatcher);
        app.reach_itself_through(loopback as Weak<dyn Loopback>);
        Ok(dispatcher)
    }

    /// What answers each entry. Entries of one component that say the same share its handler, and so its instances.
    fn targets(&self, app: &App, entries: &[Entry<HttpTriggerConfig>]) -> Result<Vec<Target>, Error> {
        let mut handlers: HashMap<(&ComponentId, &ExecutorConfig, Policy), Arc<Handler>> = HashMap::new();
        let mut targets = Vec::with_capacity(entries.len());
        for Entry { id: entry_id, config: entry, .. } in entries {
            let target = entry.target(entry_id).map_err(|error| Error::new("http::config", error))?;
            let answerer = match target {
                config::Target::Static(response) => Answerer::Static(response.prepare().map_err(|problem| {
                    let id = entry_id.clone();
                    Error::new("http::config", config::ConfigError::StaticResponse { id, problem })
                })?),
                config::Target::Component(id) => {
                    let key = (id, &entry.executor, Policy::new(entry, &self.flags));
                    let handler = match handlers.get(&key) {
                        Some(handler) => Arc::clone(handler),
                        None => {
                            let options = key.2.options(&self.flags, &self.events);
                            let component = app.component(id)?;
                            let handler = Arc::new(match &entry.executor {
                                ExecutorConfig::Http => component.http_handler(options),
                                ExecutorConfig::Wagi(wagi) => component.wagi_handler(wagi.argv.clone(), options),
                            }?);
                            handlers.insert(key, Arc::clone(&handler));
                            handler
                        }
                    };
                    Answerer::Component(handler, Arc::new(app.events(id)))
                }
            };
            targets.push(Target { name: entry.name(entry_id).into(), answerer });
        }
        Ok(targets)
    }
}
