//! From a request to its response: reserved paths, the route, the component, and what becomes of its failures.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use spin_trigger_kit::http::{BadRequest, EventError, Handler};
use spin_trigger_kit::tracing;

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
    /// A component, by its name in messages.
    Component(String, Arc<Handler>),
    /// A response from the manifest.
    Static(PreparedResponse),
}

/// Answers requests. One for the whole trigger.
pub struct Dispatcher {
    router: Router,
    targets: Vec<Target>,
    well_known: WellKnown,
    advised: AtomicBool,
}

impl Dispatcher {
    /// `targets` are in the order of the entries that the router was built from.
    pub fn new(router: Router, targets: Vec<Target>, well_known: WellKnown) -> Self {
        Self { router, targets, well_known, advised: AtomicBool::new(false) }
    }

    /// The response to a request that came from `client`, whatever happens.
    pub async fn respond(
        &self,
        request: Request<Incoming>,
        scheme: Scheme,
        client: &HeaderValue,
    ) -> Response<ResponseBody> {
        let (mut head, body) = request.into_parts();
        if let Some(answer) = self.well_known.answer(head.uri.path()) {
            return answer.map(|body| Either::Left(Full::new(body)));
        }
        let path = head.uri.path().to_owned();
        let Some(found) = self.router.find(&path) else {
            self.advise_once(&path);
            return empty(StatusCode::NOT_FOUND);
        };
        if let Err(problem) = authority::establish(&mut head.uri, &mut head.headers, scheme) {
            tracing::debug!("request refused: {problem}");
            return empty(StatusCode::BAD_REQUEST);
        }
        if let Err(problem) = headers::inject(&mut head.headers, &head.uri, &found, client) {
            tracing::debug!("request refused: {problem}");
            return empty(StatusCode::BAD_REQUEST);
        }
        match self.targets.get(found.entry()) {
            Some(Target::Static(response)) => response.response().map(|body| Either::Left(Full::new(body))),
            Some(Target::Component(name, handler)) => {
                let request = Request::from_parts(head, for_component(body));
                match handler.handle(request).await {
                    Ok(response) => response.map(|body| Either::Right(Progressing::new(body, BODY_PROGRESS))),
                    Err(error) => failure(name, &error),
                }
            }
            None => empty(StatusCode::NOT_FOUND),
        }
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

fn empty(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::new())));
    *response.status_mut() = status;
    response
}
