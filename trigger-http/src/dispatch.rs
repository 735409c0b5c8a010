//! From a request to its response: reserved paths, the route, the component, and what becomes of its failures.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use spin_trigger_kit::Events;
use spin_trigger_kit::http::{BadRequest, EventError, Handler, Progressing};
use spin_trigger_kit::tracing::{self, Instrument};
use spin_trigger_kit::wasmtime_wasi_http::WasiBody;

use crate::access_log::Entry;
use crate::authority;
use crate::body::{ResponseBody, for_component};
use crate::current;
use crate::headers;
use crate::ids::Ids;
use crate::route::Router;
use crate::static_response::PreparedResponse;
use crate::well_known::WellKnown;

/// What answers the requests of one `[[trigger.http]]` entry.
pub struct Target {
    /// The component's name, or the trigger's if there is none.
    pub name: Arc<str>,
    /// Who answers.
    pub answerer: Answerer,
}

/// Who answers.
pub enum Answerer {
    /// A component.
    Component(Arc<Handler>, Arc<Events>),
    /// A response from the manifest.
    Static(PreparedResponse),
}

/// Where the app itself is served.
#[derive(Clone)]
pub struct Origin {
    pub(crate) scheme: Scheme,
    pub(crate) host: HeaderValue,
}

impl Origin {
    /// `address` is the first that was bound.
    pub fn new(scheme: Scheme, address: SocketAddr) -> Self {
        let host = HeaderValue::try_from(address.to_string()).expect("an address is made of digits and punctuation");
        Self { scheme, host }
    }
}

/// Where a request comes from.
pub struct Client<'a> {
    /// How it is connected.
    pub scheme: Scheme,
    /// Its address as a component is told.
    pub address: &'a HeaderValue,
}

/// The response to a request.
pub enum Answer {
    /// It is there.
    Made(Response<ResponseBody>),
    /// A component gives it. In a box: a connection has the room for its next request for as long as it lives.
    Awaited(Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>>),
}

/// A component that is to answer a request.
pub(crate) struct Served {
    name: Arc<str>,
    handler: Arc<Handler>,
    events: Arc<Events>,
    body_timeout: Duration,
}

/// Answers requests. One for a generation of the app.
pub struct Dispatcher {
    router: Router,
    targets: Vec<Target>,
    well_known: WellKnown,
    body_timeout: Duration,
    origin: Origin,
    advised: AtomicBool,
}

impl Dispatcher {
    /// `targets` are in the order of the entries that the router was built from. `body_timeout` is the longest silence
    /// within the body of a request or a response.
    pub fn new(
        router: Router,
        targets: Vec<Target>,
        well_known: WellKnown,
        body_timeout: Duration,
        origin: Origin,
    ) -> Self {
        Self { router, targets, well_known, body_timeout, origin, advised: AtomicBool::new(false) }
    }

    /// The response to a request that came from `client`, whatever happens. The access log's `entry` is told whose it is. A
    /// request with such an entry has names; another one gets its names from `ids` if a component will see them.
    pub fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
        client: Client<'_>,
        entry: Option<&mut Entry>,
        ids: &Ids,
    ) -> Answer {
        let (mut head, body) = request.into_parts();
        let is_named = entry.is_some();
        match self.route(&mut head, client.scheme, client.address, entry) {
            ControlFlow::Continue(served) => {
                if !is_named {
                    ids.name(&mut head.headers);
                }
                let request = Request::from_parts(head, for_component(body, self.body_timeout));
                Answer::Awaited(Box::pin(async move {
                    served.answer(request).await.map(|body| match body {
                        Either::Right(body) => Either::Right(body.holding(self)),
                        made_here => made_here,
                    })
                }))
            }
            ControlFlow::Break(response) => Answer::Made(response),
        }
    }

    /// The component that serves a request, whose head is then as the component wants it; else the response.
    pub(crate) fn route(
        &self,
        head: &mut Parts,
        scheme: Scheme,
        client: &HeaderValue,
        entry: Option<&mut Entry>,
    ) -> ControlFlow<Response<ResponseBody>, Served> {
        // Before anything is looked up: what a proxy before us took for another host's must not get any answer of ours.
        if let Err(problem) = authority::establish(&mut head.uri, &mut head.headers, scheme) {
            tracing::debug!("request refused: {problem}");
            return ControlFlow::Break(empty(StatusCode::BAD_REQUEST));
        }
        if let Some(answer) = self.well_known.answer(head.uri.path()) {
            return ControlFlow::Break(answer.map(|body| Either::Left(Full::new(body))));
        }
        let path = head.uri.path();
        let Some(found) = self.router.find(path) else {
            self.advise_once(path);
            return ControlFlow::Break(empty(StatusCode::NOT_FOUND));
        };
        let Some(target) = self.targets.get(found.entry()) else {
            return ControlFlow::Break(empty(StatusCode::NOT_FOUND));
        };
        if let Some(entry) = entry {
            entry.served_by(&target.name);
        }
        match &target.answerer {
            Answerer::Static(response) => {
                ControlFlow::Break(response.response().map(|body| Either::Left(Full::new(body))))
            }
            Answerer::Component(handler, events) => {
                if let Err(problem) = headers::inject(&mut head.headers, &head.uri, &found, client) {
                    tracing::debug!("request refused: {problem}");
                    return ControlFlow::Break(empty(StatusCode::BAD_REQUEST));
                }
                ControlFlow::Continue(self.served(&target.name, handler, events))
            }
        }
    }

    /// The component of this name, whatever routes lead to it. Case doesn't count.
    pub(crate) fn component(&self, name: &str) -> Option<Served> {
        self.targets.iter().find_map(|target| match &target.answerer {
            Answerer::Component(handler, events) if target.name.eq_ignore_ascii_case(name) => {
                Some(self.served(&target.name, handler, events))
            }
            _ => None,
        })
    }

    /// Where requests to the app itself go.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    fn served(&self, name: &Arc<str>, handler: &Arc<Handler>, events: &Arc<Events>) -> Served {
        let (name, handler, events) = (Arc::clone(name), Arc::clone(handler), Arc::clone(events));
        Served { name, handler, events, body_timeout: self.body_timeout }
    }

    /// A person who tries an app with a browser and gets nothing is told why, once.
    fn advise_once(&self, path: &str) {
        if std::io::stderr().is_terminal() && !self.advised.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "no route for {path:?}; to serve every path, give a trigger the route \"/...\" (said only once)"
            );
        }
    }
}

impl Served {
    /// The component's response, or what its failure becomes.
    pub(crate) async fn answer(self, request: Request<WasiBody>) -> Response<ResponseBody> {
        let Self { name, handler, events, body_timeout } = self;
        let mut event = events.begin();
        let span = tracing::info_span!("event", component = &*name);
        match handler.handle(request).instrument(span).await {
            Ok(response) => {
                response.map(|body| Either::Right(current::Served::new(Progressing::new(body, body_timeout), event)))
            }
            Err(error) => {
                let response = failure(&name, &error);
                if response.status().is_server_error() {
                    event.failed();
                }
                response
            }
        }
    }
}

fn failure(component: &str, error: &EventError) -> Response<ResponseBody> {
    match error {
        EventError::Busy | EventError::InstanceEnded => retry_later(),
        EventError::Request(problem) => {
            tracing::debug!(component, "request refused: {problem}");
            empty(match problem {
                BadRequest::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                BadRequest::Slow(_) => StatusCode::REQUEST_TIMEOUT,
                _ => StatusCode::BAD_REQUEST,
            })
        }
        // What ended an instance has been logged with the instance.
        EventError::CpuTime => empty(StatusCode::GATEWAY_TIMEOUT),
        EventError::Trapped => empty(StatusCode::INTERNAL_SERVER_ERROR),
        EventError::HeadTimeout(_) => {
            tracing::error!(component, "{error}");
            empty(StatusCode::GATEWAY_TIMEOUT)
        }
        error => {
            tracing::error!(component, "error processing request: {error}");
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

fn retry_later() -> Response<ResponseBody> {
    let mut response = empty(StatusCode::SERVICE_UNAVAILABLE);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// A response that says all with its status.
pub fn empty(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::new())));
    *response.status_mut() = status;
    response
}
