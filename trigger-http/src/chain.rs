//! Requests of the app's components to the app itself, without a connection.
//!
//! One to the app is routed as if it had come from outside, to the address that was bound. One to a component, by its name
//! below `spin.internal`, takes no part in routing: private routes don't hide it, and the headers tell of a route for
//! everything. In neither case does a header that some client has sent decide where it goes (CVE-2024-32980).

use std::ops::ControlFlow;

use http::header::HOST;
use http::uri::{PathAndQuery, Scheme};
use http::{Request, StatusCode, Uri};
use spin_trigger_kit::http::{Answering, Loopback, Request as OwnRequest};

use crate::body::for_caller;
use crate::dispatch::{Dispatcher, Origin, Served, empty};
use crate::headers::{self, Routing};
use crate::route::RouteHeaders;

/// The host requirement of apps whose components send requests to each other.
pub const REQUIREMENT: &str = "local_service_chaining";

impl Loopback for Dispatcher {
    fn to_app(&self, request: OwnRequest) -> Answering<'_> {
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            let Origin { scheme, host } = self.origin();
            head.headers.insert(HOST, host.clone());
            let client = headers::chained_client_addr();
            let response = match self.route(&mut head, scheme.clone(), &client, None) {
                ControlFlow::Continue(served) => served.answer(Request::from_parts(head, body)).await,
                ControlFlow::Break(response) => response,
            };
            response.map(for_caller)
        })
    }

    fn to_component(&self, component: &str, request: OwnRequest) -> Option<Answering<'_>> {
        let served = self.component(component)?;
        Some(Box::pin(async move { answer(served, request).await.map(for_caller) }))
    }
}

async fn answer(served: Served, request: OwnRequest) -> http::Response<crate::body::ResponseBody> {
    let (mut head, body) = request.into_parts();
    // Where the name of the component stands in a URL, a route would have the name of a host.
    let path = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let uri = Uri::from(path);
    let routing = Routing {
        route: &RouteHeaders::chained(),
        path_info: uri.path(),
        client_addr: &headers::chained_client_addr(),
    };
    if headers::inject_with(&mut head.headers, &uri, routing, []).is_err() {
        return empty(StatusCode::BAD_REQUEST);
    }
    // Whichever scheme the sender wrote, there is no TLS on the way.
    let mut parts = head.uri.into_parts();
    parts.scheme = parts.authority.is_some().then_some(Scheme::HTTP);
    head.uri = Uri::from_parts(parts).expect("it was one with another scheme");
    served.answer(Request::from_parts(head, body)).await
}
