//! The trigger itself: what it makes of flags and configuration, and how it runs.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use spin_trigger_kit::http::{Handler, Loopback};
use spin_trigger_kit::permits::Permits;
use spin_trigger_kit::tokio::net::TcpSocket;
use spin_trigger_kit::{App, ComponentId, Declared, Endpoint, Entry, Error, Stop, Trigger, tracing};

use crate::chain;
use crate::config::{self, ExecutorConfig, HttpSettings, HttpTriggerConfig};
use crate::dispatch::{Dispatcher, Served, Target};
use crate::flags::HttpFlags;
use crate::listen;
use crate::listing::{ListedRoute, render};
use crate::policy::Policy;
use crate::route::{RouteEntry, Router};
use crate::server;
use crate::well_known::{AppInfo, WellKnown};

/// The HTTP trigger, with its port bound.
pub struct HttpTrigger {
    flags: HttpFlags,
    socket: TcpSocket,
    router: Router,
    entries: Vec<Entry<HttpTriggerConfig>>,
    well_known: WellKnown,
}

impl Trigger for HttpTrigger {
    const TYPE: &'static str = "http";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = HttpTriggerConfig;
    type Settings = HttpSettings;
    type Flags = HttpFlags;

    fn display_name() -> String {
        "HTTP".to_owned()
    }

    fn host_requirements() -> &'static [&'static str] {
        &[chain::REQUIREMENT]
    }

    fn new(flags: HttpFlags, declared: Declared<Self>) -> Result<Self, Error> {
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
        let listen_error = |error: listen::ListenError| Error::new("http::listen", error);
        let address = flags.listen.resolve().map_err(listen_error)?;
        let socket = listen::bind(address, flags.when_in_use(), server::bind).map_err(listen_error)?;
        Ok(Self { flags, socket, router, entries: declared.entries, well_known })
    }

    async fn run(self, app: App, stop: Stop) -> Result<(), Error> {
        let targets = self.targets(&app)?;
        let listed: Vec<ListedRoute> = self
            .router
            .routes()
            .map(|route| {
                let entry = &self.entries[route.entry()];
                ListedRoute::new(entry.config.name(&entry.id), route, entry.component_description.as_deref())
            })
            .collect();
        let listening = |error: std::io::Error| {
            Error::new("http::listen", format!("cannot listen on {}: {error}", self.flags.listen))
        };
        let address = self.socket.local_addr().map_err(listening)?;
        let listener = server::listen(self.socket).map_err(listening)?;
        let base_url = format!("http://{address}");
        let dispatcher = Arc::new(Dispatcher::new(self.router, targets, self.well_known, address));
        let loopback: Weak<Dispatcher> = Arc::downgrade(&dispatcher);
        app.reach_itself_through(loopback as Weak<dyn Loopback>);
        app.announce(&render(self.flags.format, &base_url, &listed));
        app.ready([Endpoint::new("http", base_url)]);
        server::serve(listener, dispatcher, stop).await;
        Ok(())
    }
}

impl HttpTrigger {
    /// What answers each entry. Entries of one component that say the same share its handler, and so its instances.
    fn targets(&self, app: &App) -> Result<Vec<Target>, Error> {
        let events = app.instances().free();
        let events = Arc::new(Permits::new(events, events));
        let mut handlers: HashMap<(&ComponentId, &ExecutorConfig, Policy), Arc<Handler>> = HashMap::new();
        let mut targets = Vec::with_capacity(self.entries.len());
        for Entry { id: entry_id, config: entry, .. } in &self.entries {
            let target = entry.target(entry_id).map_err(|error| Error::new("http::config", error))?;
            targets.push(match target {
                config::Target::Static(response) => Target::Static(response.prepare().map_err(|problem| {
                    let id = entry_id.clone();
                    Error::new("http::config", config::ConfigError::StaticResponse { id, problem })
                })?),
                config::Target::Component(id) => {
                    let key = (id, &entry.executor, Policy::new(entry, &self.flags));
                    let handler = match handlers.get(&key) {
                        Some(handler) => Arc::clone(handler),
                        None => {
                            let options = key.2.options(&self.flags, &events);
                            let component = app.component(id)?;
                            let handler = Arc::new(match &entry.executor {
                                ExecutorConfig::Http => component.http_handler(options),
                                ExecutorConfig::Wagi(wagi) => component.wagi_handler(wagi.argv.clone(), options),
                            }?);
                            handlers.insert(key, Arc::clone(&handler));
                            handler
                        }
                    };
                    Target::Component(Served::new(id.to_string(), handler))
                }
            });
        }
        Ok(targets)
    }
}
