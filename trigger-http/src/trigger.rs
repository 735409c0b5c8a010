//! The trigger itself: what it makes of flags and configuration, and how it runs.

use std::net::SocketAddr;
use std::sync::Arc;

use http::uri::Scheme;
use spin_trigger_kit::permits::Permits;
use spin_trigger_kit::tokio::net::{TcpListener, TcpSocket};
use spin_trigger_kit::{App, Declared, Endpoint, Error, Stop, Trigger, tracing};

use crate::access_log::AccessLog;
use crate::chain;
use crate::config::{HttpSettings, HttpTriggerConfig};
use crate::current::Current;
use crate::dispatch::Origin;
use crate::flags::HttpFlags;
use crate::ids::Ids;
use crate::listen::{self, ListenAddress};
use crate::listing::render;
use crate::server::{self, Server};
use crate::site::{Declaration, Site};
use crate::tls::Tls;

/// The HTTP trigger, with its ports bound.
pub struct HttpTrigger {
    flags: HttpFlags,
    sockets: Vec<TcpSocket>,
    declaration: Declaration,
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
        let declaration = Declaration::read(declared)?;
        let listen_error = |error: listen::ListenError| Error::new("http::listen", error);
        let addresses: Vec<_> =
            flags.listen.iter().map(ListenAddress::resolve).collect::<Result<_, _>>().map_err(listen_error)?;
        let sockets = listen::bind_all(&addresses, flags.when_in_use(), server::bind).map_err(listen_error)?;
        Ok(Self { flags, sockets, declaration })
    }

    async fn run(self, app: App, stop: Stop) -> Result<(), Error> {
        let listed = self.declaration.listed();
        let tls = match self.flags.certificate() {
            Some(files) => Some(Tls::load(files).await.map_err(|error| Error::new("http::tls", error))?),
            None => None,
        };
        let scheme = if tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        let (listeners, addresses) = begin_to_listen(self.sockets)?;
        let limits = self.flags.limits();
        let events = app.instances().free();
        let site = Site {
            events: Arc::new(Permits::new(events, events)),
            body_timeout: limits.body,
            origin: Origin::new(scheme.clone(), addresses[0]),
            flags: self.flags,
        };
        let current = Arc::new(Current::new(site.dispatcher(&app, self.declaration)?));
        let mut urls = addresses.iter().map(|address| format!("{scheme}://{address}"));
        let base_url = urls.next().unwrap_or_default();
        let others: Vec<String> = urls.collect();
        App::announce(&render(site.flags.format, &base_url, &others, &listed));
        let access_log = site.flags.access_log;
        // Sockets and connections stay. Set before anybody is told that the trigger is ready.
        app.on_reload({
            let current = Arc::clone(&current);
            move |app| {
                let dispatcher = site.dispatcher(app, Declaration::read(app.declared()?)?)?;
                let current = Arc::clone(&current);
                Ok(Box::new(move || current.replace(dispatcher)))
            }
        });
        app.ready(std::iter::once(base_url).chain(others).map(|url| Endpoint::new("http", url)));
        // What is kept of it is what answers requests.
        drop(app);
        let (access_log, writer) =
            access_log.map(|format| AccessLog::open(format, |line: &str| App::announce(line))).unzip();
        let server = Arc::new(Server { current, tls, limits, access_log, ids: Ids::default() });
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
