//! The trigger itself: what it makes of flags and configuration, and how it runs.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use http::uri::Scheme;
use spin_trigger_kit::http::{Handler, Loopback};
use spin_trigger_kit::permits::Permits;
use spin_trigger_kit::tokio::net::{TcpListener, TcpSocket};
use spin_trigger_kit::{App, ComponentId, Declared, Endpoint, Entry, Error, Stop, Trigger, tracing};

use crate::access_log::AccessLog;
use crate::chain;
use crate::config::{self, ExecutorConfig, HttpSettings, HttpTriggerConfig};
use crate::dispatch::{Answerer, Dispatcher, Origin, Target};
use crate::flags::HttpFlags;
use crate::ids::Ids;
use crate::listen::{self, ListenAddress};
use crate::listing::{ListedRoute, render};
use crate::policy::Policy;
use crate::route::{RouteEntry, Router};
use crate::server::{self, Server};
use crate::tls::Tls;
use crate::well_known::{AppInfo, WellKnown};

/// The HTTP trigger, with its ports bound.
pub struct HttpTrigger {
    flags: HttpFlags,
    sockets: Vec<TcpSocket>,
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
        let addresses: Vec<_> =
            flags.listen.iter().map(ListenAddress::resolve).collect::<Result<_, _>>().map_err(listen_error)?;
        let sockets = listen::bind_all(&addresses, flags.when_in_use(), server::bind).map_err(listen_error)?;
        Ok(Self { flags, sockets, router, entries: declared.entries, well_known })
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
        let tls = match self.flags.certificate() {
            Some(files) => Some(Tls::load(files).await.map_err(|error| Error::new("http::tls", error))?),
            None => None,
        };
        let scheme = if tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        let (listeners, addresses) = begin_to_listen(self.sockets)?;
        let limits = self.flags.limits();
        let origin = Origin::new(scheme.clone(), addresses[0]);
        let dispatcher = Arc::new(Dispatcher::new(self.router, targets, self.well_known, limits.body, origin));
        let loopback: Weak<Dispatcher> = Arc::downgrade(&dispatcher);
        app.reach_itself_through(loopback as Weak<dyn Loopback>);
        let mut urls = addresses.iter().map(|address| format!("{scheme}://{address}"));
        let base_url = urls.next().unwrap_or_default();
        let others: Vec<String> = urls.collect();
        app.announce(&render(self.flags.format, &base_url, &others, &listed));
        app.ready(std::iter::once(base_url).chain(others).map(|url| Endpoint::new("http", url)));
        let (access_log, writer) = self
            .flags
            .access_log
            .map(|format| {
                let app = app.clone();
                AccessLog::open(format, move |line| app.announce(line))
            })
            .unzip();
        let server = Arc::new(Server { dispatcher, tls, limits, access_log, ids: Ids::default() });
        server::serve(listeners, server, stop).await;
        // Its last line is written when the last connection has ended.
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            tracing::warn!("the end of the access log is lost: {error}");
        }
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
                    Answerer::Component(handler)
                }
            };
            targets.push(Target { name: entry.name(entry_id).into(), answerer });
        }
        Ok(targets)
    }
}

/// The listeners with the addresses that they got.
fn begin_to_listen(sockets: Vec<TcpSocket>) -> Result<(Vec<TcpListener>, Vec<SocketAddr>), Error> {
    let mut listening = (Vec::new(), Vec::new());
    for socket in sockets {
        let unnamed = |error| Error::new("http::listen", format!("the address that was bound can't be told: {error}"));
        let address = socket.local_addr().map_err(unnamed)?;
        let listener = server::listen(socket)
            .map_err(|error| Error::new("http::listen", listen::ListenError::of_address(address, error)))?;
        listening.0.push(listener);
        listening.1.push(address);
    }
    Ok(listening)
}
