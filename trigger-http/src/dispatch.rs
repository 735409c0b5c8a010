//! From a request to its response: reserved paths, the route, the component, and what becomes of its failures.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use spin_trigger_kit::http::{BadRequest, EventError, Handler};
use spin_trigger_kit::tracing;
use spin_trigger_kit::wasmtime_wasi_http::WasiBody;

use crate::authority;
use crate::body::{Progressing, ResponseBody, for_component};
use crate::headers;
use crate::route::Router;
use crate::static_response::PreparedResponse;
use crate::well_known::WellKnown;

/// The longest silence within the body of a response.
const BODY_PROGRESS: Duration = Duration::from_secs(60);

/// What answers the requests of one `[[trigger.http]]` entry.
pub enum Target {
    /// A component.
    Component(Served),
    /// A response from the manifest.
    Static(PreparedResponse),
}

/// A component that serves requests.
pub struct Served {
    name: String,
    handler: Arc<Handler>,
}

/// Answers requests. One for the whole trigger.
pub struct Dispatcher {
    router: Router,
    targets: Vec<Target>,
    well_known: WellKnown,
    address: HeaderValue,
    advised: AtomicBool,
}

impl Dispatcher {
    /// `targets` are in the order of the entries that the router was built from; `address` is the one that was bound.
    pub fn new(router: Router, targets: Vec<Target>, well_known: WellKnown, address: SocketAddr) -> Self {
        let address = HeaderValue::try_from(address.to_string()).expect("an address is made of digits and punctuation");
        Self { router, targets, well_known, address, advised: AtomicBool::new(false) }
    }

    /// The response to a request that came from `client`, whatever happens.
    pub async fn respond(
        &self,
        request: Request<Incoming>,
        scheme: Scheme,
        client: &HeaderValue,
    ) -> Response<ResponseBody> {
        let (mut head, body) = request.into_parts();
        match self.route(&mut head, scheme, client) {
            ControlFlow::Continue(served) => served.answer(Request::from_parts(head, for_component(body))).await,
            ControlFlow::Break(response) => response,
        }
    }

    /// The component that serves a request, whose head is then as the component wants it; else the response.
    pub(crate) fn route(
        &self,
        head: &mut Parts,
        scheme: Scheme,
        client: &HeaderValue,
    ) -> ControlFlow<Response<ResponseBody>, &Served> {
        if let Some(answer) = self.well_known.answer(head.uri.path()) {
            return ControlFlow::Break(answer.map(|body| Either::Left(Full::new(body))));
        }
        let path = head.uri.path().to_owned();
        let Some(found) = self.router.find(&path) else {
            self.advise_once(&path);
            return ControlFlow::Break(empty(StatusCode::NOT_FOUND));
        };
        if let Err(problem) = authority::establish(&mut head.uri, &mut head.headers, scheme) {
            tracing::debug!("request refused: {problem}");
            return ControlFlow::Break(empty(StatusCode::BAD_REQUEST));
        }
        if let Err(problem) = headers::inject(&mut head.headers, &head.uri, &found, client) {
            tracing::debug!("request refused: {problem}");
            return ControlFlow::Break(empty(StatusCode::BAD_REQUEST));
        }
        match self.targets.get(found.entry()) {
            Some(Target::Static(response)) => {
                ControlFlow::Break(response.response().map(|body| Either::Left(Full::new(body))))
            }
            Some(Target::Component(served)) => ControlFlow::Continue(served),
            None => ControlFlow::Break(empty(StatusCode::NOT_FOUND)),
        }
    }

    /// The component of this name, whatever routes lead to it. Case doesn't count.
    pub(crate) fn component(&self, name: &str) -> Option<&Served> {
        self.targets.iter().find_map(|target| match target {
            Target::Component(served) if served.name.eq_ignore_ascii_case(name) => Some(served),
            _ => None,
        })
    }

    /// The `Host` of requests to the app itself: the address that was bound.
    pub(crate) fn address(&self) -> HeaderValue {
        self.address.clone()
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
    /// The component of this id, behind its handler.
    pub fn new(name: String, handler: Arc<Handler>) -> Self {
        Self { name, handler }
    }

    /// The component's response, or what its failure becomes.
    pub(crate) async fn answer(&self, request: Request<WasiBody>) -> Response<ResponseBody> {
        match self.handler.handle(request).await {
            Ok(response) => response.map(|body| Either::Right(Progressing::new(body, BODY_PROGRESS))),
            Err(error) => failure(&self.name, &error),
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

pub(crate) fn empty(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::new())));
    *response.status_mut() = status;
    response
}
