//! `wasi:http` for guests, 0.2.x and 0.3.0: the types, and requests that guests send; and `fermyon:spin/http`, by which those
//! of the first generation do.
//!
//! The life of a request: does `allowed_outbound_hosts` let it through ([`Gate`]); then it goes to the app itself or to
//! one of its components, in this process ([`local`]), or out, on a pooled connection ([`client`]).

mod client;
pub(crate) mod client_tls;
mod connector;
mod generation1;
mod imports;
mod local;
pub(crate) mod operator;
mod snapshots;
pub(crate) mod tls;

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderName, Uri};
use spin_app_model::ComponentId;
use spin_app_model::hosts::{self, Destination};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, RequestOptions, WasiBody, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::host::egress::{self, Egress, Gate, Refused};
use crate::http::{EventContext, Loopback, Request, Response};
use crate::instance::HostState;
use crate::limits::MeterState;
use client::HttpClient;
use client_tls::ClientTls;
pub(crate) use imports::{link, link_concurrent};

impl WasiHttpView for HostState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound_http, table: &mut self.table, ctx: &mut self.http }
    }
}

/// What can be chosen about requests out of the process.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Whether a connection is kept for the next request to its server. Default: yes.
    pub connection_pooling: bool,
    /// How many connections all components have open for HTTP at once; whoever wants one more waits. Default: no limit but
    /// that of [`EgressOptions`](crate::EgressOptions).
    pub max_connections: Option<usize>,
    /// TLS of some components to some hosts; the first entry that fits counts. Default: none, so that all trust what the
    /// platform and browsers do and show no certificate.
    pub client_tls: Vec<ClientTls>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self { connection_pooling: true, max_connections: None, client_tls: Vec::new() }
    }
}

/// What all components of an app send requests with.
pub(crate) struct HttpNetwork {
    clients: Arc<Clients>,
    // The trigger that serves the app holds its components, so it must not be held by them.
    loopback: OnceLock<Weak<dyn Loopback>>,
}

impl HttpNetwork {
    pub(crate) fn new(egress: Arc<Egress>, options: &HttpOptions) -> Self {
        Self { clients: Arc::new(Clients::new(&egress, options)), loopback: OnceLock::new() }
    }

    /// For another generation of the app: the same connections, and a loopback of its own.
    pub(crate) fn successor(&self) -> Self {
        Self { clients: Arc::clone(&self.clients), loopback: OnceLock::new() }
    }

    /// Only the first is taken: a generation of an app is served by one trigger in a process.
    pub(crate) fn set_loopback(&self, loopback: Weak<dyn Loopback>) {
        let _ = self.loopback.set(loopback);
    }

    fn loopback(&self) -> Option<Arc<dyn Loopback>> {
        self.loopback.get()?.upgrade()
    }
}

/// A client for each of the operator's TLS settings, and one for everybody else. Together they have the places.
struct Clients {
    usual: HttpClient,
    others: Vec<(ClientTls, HttpClient)>,
}

impl Clients {
    fn new(egress: &Arc<Egress>, options: &HttpOptions) -> Self {
        let egress = egress.limited(options.max_connections);
        let client = |tls| HttpClient::new(Arc::clone(&egress), options, tls);
        let others = options.client_tls.iter().map(|tls| (tls.clone(), client(Some(tls))));
        Self { usual: client(None), others: others.collect() }
    }

    fn of(&self, component: &ComponentId, destination: &Destination) -> &HttpClient {
        let other = self.others.iter().find(|(tls, _)| tls.is_for(component, destination));
        other.map_or(&self.usual, |(_, client)| client)
    }
}

/// What all instances of one component send requests with.
pub(crate) struct ComponentHttp {
    pub(crate) component: ComponentId,
    pub(crate) gate: Arc<Gate>,
    pub(crate) network: Arc<HttpNetwork>,
}

/// The requests of one instance.
pub(crate) struct OutboundHttp {
    component: Arc<ComponentHttp>,
    meter: Arc<MeterState>,
    /// The event that the next request belongs to, where the import that sends it knows that.
    event: Option<EventContext>,
}

impl OutboundHttp {
    pub(crate) fn new(component: Arc<ComponentHttp>, meter: Arc<MeterState>) -> Self {
        Self { component, meter, event: None }
    }
}

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// To a connection, the wait for a place included.
    pub(crate) connect: Duration,
    /// To the head of the response, from the beginning.
    pub(crate) first_byte: Duration,
    /// Between two parts of its body.
    pub(crate) between_bytes: Duration,
}

/// What public Spin has, and wasmtime.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

impl Timeouts {
    fn new(options: Option<RequestOptions>) -> Self {
        let options = options.unwrap_or_default();
        Self {
            connect: options.connect_timeout.unwrap_or(DEFAULT_TIMEOUT),
            first_byte: options.first_byte_timeout.unwrap_or(DEFAULT_TIMEOUT),
            between_bytes: options.between_bytes_timeout.unwrap_or(DEFAULT_TIMEOUT),
        }
    }
}

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for OutboundHttp {
    // It is made from the destination that was let through, not from what the guest wrote.
    fn set_host_header(&mut self) -> bool {
        false
    }

    // The default, which makes a closure on the heap for each name that it is asked for.
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let event = self.event.take().unwrap_or_else(|| self.meter.context([]));
        let component = Arc::clone(&self.component);
        Box::new(async move {
            let response = component.send(request, Timeouts::new(options), event).await?;
            // Nothing is left to do for the connection: its own task drives it.
            Ok((response, Box::new(std::future::ready(Ok(()))) as Box<_>))
        })
    }
}

impl ComponentHttp {
    async fn send(&self, mut request: Request, timeouts: Timeouts, event: EventContext) -> Result<Response, Error> {
        let destination = self.check(request.uri()).map_err(|Refused| Error::HttpRequestDenied)?;
        request.headers_mut().remove(http::header::HOST);
        event.trace.hand_on(request.headers_mut());
        if destination.is_own() {
            return self.send_to_app(request, timeouts, &event).await;
        }
        *request.uri_mut() = Self::uri(&destination, request.uri())?;
        if let Some(component) = destination.name().and_then(|name| hosts::component_of(name)) {
            return self.send_to_component(&component, request, timeouts, &event).await;
        }
        let client = self.network.clients.of(&self.component, &destination);
        client.send(request, timeouts).await.inspect_err(|error| {
            tracing::warn!(component = %self.component, "request to {} failed: {error}", egress::authority(&destination));
        })
    }

    /// The URI with the destination as it was checked, and nothing else that the guest wrote in front of its path.
    fn uri(destination: &Destination, written: &Uri) -> Result<Uri, Error> {
        Uri::builder()
            .scheme(destination.scheme())
            .authority(egress::authority(destination))
            .path_and_query(written.path_and_query().map_or("/", |path| path.as_str()))
            .build()
            .map_err(|_| Error::HttpRequestUriInvalid)
    }

    fn check(&self, uri: &Uri) -> Result<Destination, Refused> {
        let scheme = uri.scheme().unwrap_or(&Scheme::HTTPS).as_str();
        let authority = uri.authority().map_or(hosts::OWN_NAME, |authority| authority.as_str());
        self.gate.check(&format!("{scheme}://{authority}"), scheme)
    }
}

#[cfg(test)]
mod tests;
