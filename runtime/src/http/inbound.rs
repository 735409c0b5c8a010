//! Components of `fermyon:spin/inbound-http`, the first generation: a function from a whole request to a whole response.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, HOST};
use http::{HeaderValue, Request, Response, StatusCode};

use super::chain::EventContext;
use super::error::{BadRequest, EventError};
use super::kind::NotAHandler;
use super::whole::WholeResponse;
use crate::component::Component;
use bindings::HttpTriggerIndices as Exports;
use bindings::fermyon::spin::http_types as types;

#[allow(missing_docs, reason = "generated; the WIT files carry the documentation")]
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/fermyon-spin",
        inline: "
            package host:inbound;
            world http-trigger {
                export fermyon:spin/inbound-http;
            }
        ",
        world: "host:inbound/http-trigger",
        exports: { default: async },
    });
}

/// Calls one component, in a fresh instance for each request.
pub(super) struct Inbound {
    component: Arc<Component>,
    exports: Exports,
    limit: usize,
}

impl Inbound {
    /// `export` is the name of the interface; `limit` is for the bodies of responses.
    pub(super) fn new(component: &Arc<Component>, export: String, limit: usize) -> Result<Self, NotAHandler> {
        let exports = Exports::new(component.pre()).map_err(|source| NotAHandler::Shape {
            component: component.id().clone(),
            export,
            source,
        })?;
        Ok(Self { component: Arc::clone(component), exports, limit })
    }

    pub(super) async fn handle(
        self: Arc<Self>,
        request: Request<Bytes>,
        context: EventContext,
    ) -> Result<Response<Bytes>, EventError> {
        let Some(request) = for_guest(request)? else { return Ok(method_not_allowed()) };
        let id = self.component.id();
        let mut event = self.component.instantiate_for(&context).await.map_err(EventError::of_instantiation)?;
        let trapped = |error| EventError::of_call(id, &error);
        let guest = self.exports.load(&mut event.store, &event.instance).map_err(trapped)?;
        let guest = guest.fermyon_spin_inbound_http();
        let meter = event.meter();
        let answer = meter.run(guest.call_handle_request(&mut event.store, &request)).await.map_err(trapped)?;
        // The instance's place is somebody else's while the response is sent.
        drop(event);
        let mut response = WholeResponse::new(id, self.limit);
        for (name, value) in answer.headers.unwrap_or_default() {
            response.header(name.as_bytes(), value.as_bytes())?;
        }
        response.finish(answer.status, answer.body.unwrap_or_default().into())
    }
}

/// The request as the interface has it; none if it doesn't know the method.
fn for_guest(request: Request<Bytes>) -> Result<Option<types::Request>, BadRequest> {
    let (mut head, body) = request.into_parts();
    let Some(method) = method(&head.method) else { return Ok(None) };
    // A client of HTTP/2 names the host in the target only.
    if let (false, Some(authority)) = (head.headers.contains_key(HOST), head.uri.authority())
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(HOST, host);
    }
    let text = |(name, value): (&http::HeaderName, &HeaderValue)| match std::str::from_utf8(value.as_bytes()) {
        Ok(value) => Ok((name.to_string(), value.to_owned())),
        Err(_) => Err(BadRequest::Header(name.clone())),
    };
    Ok(Some(types::Request {
        method,
        uri: head.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        headers: head.headers.iter().map(text).collect::<Result<_, _>>()?,
        params: Vec::new(),
        body: Some(body.into()),
    }))
}

fn method(method: &http::Method) -> Option<types::Method> {
    Some(match *method {
        http::Method::GET => types::Method::Get,
        http::Method::POST => types::Method::Post,
        http::Method::PUT => types::Method::Put,
        http::Method::DELETE => types::Method::Delete,
        http::Method::PATCH => types::Method::Patch,
        http::Method::HEAD => types::Method::Head,
        http::Method::OPTIONS => types::Method::Options,
        _ => return None,
    })
}

fn method_not_allowed() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    let allowed = HeaderValue::from_static("GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS");
    response.headers_mut().insert(ALLOW, allowed);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_in_the_words_of_the_interface() {
        let request = Request::post("http://a.b:1/p/%20?q=1").header("x-b", "1").header("x-a", "2").header("x-b", "3");
        let request = request.body(Bytes::from_static(b"body")).expect("a request");
        let told = for_guest(request).expect("UTF-8").expect("a known method");
        assert!(matches!(told.method, types::Method::Post));
        assert_eq!(told.uri, "/p/%20?q=1");
        let headers = [("x-b", "1"), ("x-b", "3"), ("x-a", "2"), ("host", "a.b:1")];
        assert_eq!(told.headers, headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(told.params.is_empty());
        assert_eq!(told.body.as_deref(), Some(&b"body"[..]));
        let empty = for_guest(Request::new(Bytes::new())).expect("UTF-8").expect("a known method");
        assert_eq!(empty.body, Some(Vec::new()), "there is always a body");
    }

    #[test]
    fn what_the_interface_can_not_say_is_refused() {
        for method in ["TRACE", "CONNECT", "get", "PURGE"] {
            let request = Request::builder().method(method).body(Bytes::new()).expect("a request");
            assert!(for_guest(request).expect("no bad header").is_none(), "{method}");
        }
        let value = HeaderValue::from_bytes(b"\xff").expect("any byte");
        let request = Request::builder().header("x-a", value).body(Bytes::new()).expect("a request");
        assert!(matches!(for_guest(request), Err(BadRequest::Header(name)) if name == "x-a"));
    }
}
