//! From a request to its response: reserved paths, the route, the component, and what becomes of its failures.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{HOST, RETRY_AFTER};
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use spin_trigger_kit::http::{EventError, Handler};
use spin_trigger_kit::tracing;

use crate::access_log::Entry;
use crate::authority;
use crate::body::{Progressing, ResponseBody, for_component};
use crate::headers;
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
    Component(Arc<Handler>),
    /// A response from the manifest.
    Static(PreparedResponse),
}

/// Answers requests. One for the whole trigger.
pub struct Dispatcher {
    router: Router,
    targets: Vec<Target>,
    well_known: WellKnown,
    body_timeout: Duration,
    advised: AtomicBool,
}

impl Dispatcher {
    /// `targets` are in the order of the entries that the router was built from. `body_timeout` is the longest silence
    /// within the body of a request or a response.
    pub fn new(router: Router, targets: Vec<Target>, well_known: WellKnown, body_timeout: Duration) -> Self {
        Self { router, targets, well_known, body_timeout, advised: AtomicBool::new(false) }
    }

    /// The response to a request that came from `client`, whatever happens. The access log's `entry` is told whose it is.
    pub async fn respond(
        &self,
        request: Request<Incoming>,
        scheme: Scheme,
        client: &HeaderValue,
        entry: Option<&mut Entry>,
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
        let Some(target) = self.targets.get(found.entry()) else {
            return empty(StatusCode::NOT_FOUND);
        };
        if let Some(entry) = entry {
            entry.served_by(&target.name);
        }
        if let Err(problem) = authority::establish(&mut head.uri, &mut head.headers, scheme) {
            tracing::debug!("request refused: {problem}");
            return empty(StatusCode::BAD_REQUEST);
        }
        if let Err(problem) = headers::inject(&mut head.headers, &head.uri, &found, client) {
            tracing::debug!("request refused: {problem}");
            return empty(StatusCode::BAD_REQUEST);
        }
        match &target.answerer {
            Answerer::Static(response) => response.response().map(|body| Either::Left(Full::new(body))),
            Answerer::Component(handler) => {
                // Components of the 0.2 generation see it as the authority, and later ones must not see two.
                head.headers.remove(HOST);
                let request = Request::from_parts(head, for_component(body, self.body_timeout));
                match handler.handle(request).await {
                    Ok(response) => response.map(|body| Either::Right(Progressing::new(body, self.body_timeout))),
                    Err(error) => failure(&target.name, &error),
                }
            }
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
