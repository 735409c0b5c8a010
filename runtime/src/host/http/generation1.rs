//! `fermyon:spin/http`, the first generation: a function from a whole request to a whole response.
//!
//! It follows redirects, as the hosts did that its guests were made for; every one passes the component's gate anew.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HOST, LOCATION, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Full};
use spin_app_model::hosts::OWN_NAME;
use url::Url;
use wasmtime::component::Linker;
use wasmtime_wasi_http::{Error, WasiBody};

use super::{ComponentHttp, Timeouts};
use crate::host::rows::Budget;
use crate::http::{EventContext, Response, is_framing};
use crate::instance::{HostState, call_stack};
use bindings::fermyon::spin::http_types as types;
use types::HttpError;

#[allow(missing_docs, reason = "generated; the WIT files carry the documentation")]
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/fermyon-spin",
        inline: "
            package host:http;
            world imports {
                import fermyon:spin/http;
            }
        ",
        world: "host:http/imports",
        imports: { default: async },
    });
}

/// As many as public hosts follow.
const MOST_REDIRECTS: usize = 10;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    // Not by its generated trait, whose functions don't see which task of the instance calls.
    linker.instance("fermyon:spin/http")?.func_wrap_async("send-request", |mut store, (request,): (types::Request,)| {
        let component = Arc::clone(&store.data().outbound_http.component);
        let meter = Arc::clone(&store.data().meter);
        let event = call_stack(&mut store).map(|calls| meter.context(calls));
        Box::new(async move {
            let event = event?;
            Ok((send(&component, request, &event).await,))
        })
    })
}

async fn send(
    component: &ComponentHttp,
    request: types::Request,
    event: &EventContext,
) -> Result<types::Response, HttpError> {
    let mut exchange = Exchange::new(request)?;
    let mut redirects = 0;
    let response = loop {
        let response = component.send(exchange.request()?, Timeouts::new(None), event.clone()).await;
        let response = response.map_err(|error| explain(&error))?;
        if !exchange.follow(response.status(), response.headers()) {
            break response;
        }
        redirects += 1;
        if redirects > MOST_REDIRECTS {
            tracing::warn!(component = %component.component, "a request was redirected {redirects} times, and is given up");
            return Err(HttpError::RuntimeError);
        }
    };
    for_guest(response).await
}

/// A request with what becomes of it at redirects.
struct Exchange {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl Exchange {
    fn new(request: types::Request) -> Result<Self, HttpError> {
        let url = match request.uri.starts_with('/') {
            true => format!("https://{OWN_NAME}{}", request.uri),
            false => request.uri,
        };
        let url = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers {
            let name = HeaderName::try_from(name).map_err(|_| HttpError::RequestError)?;
            let value = HeaderValue::try_from(value).map_err(|_| HttpError::RequestError)?;
            // These are told from the body and the URL.
            if !is_framing(&name) && name != HOST {
                headers.append(name, value);
            }
        }
        Ok(Self {
            method: method(request.method),
            url: url.ok_or(HttpError::InvalidUrl)?,
            headers,
            body: request.body.unwrap_or_default().into(),
        })
    }

    /// The next request to send.
    fn request(&self) -> Result<http::Request<WasiBody>, HttpError> {
        let body = Full::new(self.body.clone()).map_err(|never| match never {}).boxed_unsync();
        let request = http::Request::builder().method(self.method.clone()).uri(self.url.as_str()).body(body);
        let mut request = request.map_err(|_| HttpError::InvalidUrl)?;
        request.headers_mut().clone_from(&self.headers);
        Ok(request)
    }

    /// Turns to where a response points, if it does.
    fn follow(&mut self, status: StatusCode, headers: &HeaderMap) -> bool {
        let becomes_get = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return false,
        };
        let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let Some(Ok(next)) = location.map(|location| self.url.join(location)) else { return false };
        if !matches!(next.scheme(), "http" | "https") {
            return false;
        }
        if becomes_get {
            self.method = Method::GET;
            self.body = Bytes::new();
            self.headers.remove(CONTENT_TYPE);
            self.headers.remove(CONTENT_ENCODING);
        }
        // A server's plain and its secure side are two.
        if self.url.origin() != next.origin() {
            for secret in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                self.headers.remove(secret);
            }
        }
        self.url = next;
        true
    }
}

fn method(method: types::Method) -> Method {
    match method {
        types::Method::Get => Method::GET,
        types::Method::Post => Method::POST,
        types::Method::Put => Method::PUT,
        types::Method::Delete => Method::DELETE,
        types::Method::Patch => Method::PATCH,
        types::Method::Head => Method::HEAD,
        types::Method::Options => Method::OPTIONS,
    }
}

/// The few words that the interface has for what `wasi:http` tells in detail.
fn explain(error: &Error) -> HttpError {
    match error {
        Error::HttpRequestDenied | Error::DestinationIpProhibited => HttpError::DestinationNotAllowed,
        Error::HttpRequestUriInvalid => HttpError::InvalidUrl,
        _ => HttpError::RuntimeError,
    }
}

async fn for_guest(response: Response) -> Result<types::Response, HttpError> {
    let (head, mut body) = response.into_parts();
    let mut budget = Budget::new();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|error| explain(&error))?.into_data() {
            budget.take(data.len()).map_err(|_| HttpError::RuntimeError)?;
            bytes.extend_from_slice(&data);
        }
    }
    // The interface has text only; a value that is none is left out, as public hosts do.
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = std::str::from_utf8(value.as_bytes()).ok()?;
        Some((name.to_string(), value.to_owned()))
    };
    Ok(types::Response {
        status: head.status.as_u16(),
        headers: Some(head.headers.iter().filter_map(text).collect()),
        body: Some(bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(method: types::Method, uri: &str) -> Result<Exchange, HttpError> {
        let headers = ["authorization: a", "cookie: b", "content-type: c", "x-own: d", "Host: e", "content-length: 9"];
        let headers = headers.iter().filter_map(|line| line.split_once(": "));
        Exchange::new(types::Request {
            method,
            uri: uri.to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            params: vec![("ignored".to_owned(), String::new())],
            body: Some(b"body".to_vec()),
        })
    }

    /// What is sent after a redirect, in one line; nothing if it isn't followed.
    fn redirected(method: types::Method, status: u16, location: &str) -> Option<String> {
        let mut exchange = exchange(method, "https://a.test/x/y?z").expect("a request");
        let location = HeaderValue::from_str(location).expect("a value");
        let headers = HeaderMap::from_iter([(LOCATION, location)]);
        let status = StatusCode::from_u16(status).expect("a status");
        exchange.follow(status, &headers).then(|| {
            let request = exchange.request().expect("a request");
            let mut names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
            names.sort_unstable();
            format!("{} {} {} {}", request.method(), request.uri(), names.join(","), exchange.body.len())
        })
    }

    #[test]
    fn redirects_are_followed_as_public_hosts_do() {
        use types::Method::{Delete, Get, Head, Post};
        const KEPT: &str = "authorization,content-type,cookie,x-own";
        for (method, status, location, expected) in [
            (Post, 302, "/p", Some("GET https://a.test/p authorization,cookie,x-own 0".to_owned())),
            (Delete, 303, "p", Some("GET https://a.test/x/p authorization,cookie,x-own 0".to_owned())),
            (Delete, 301, "?q", Some(format!("DELETE https://a.test/x/y?q {KEPT} 4"))),
            (Head, 303, "/p", Some(format!("HEAD https://a.test/p {KEPT} 4"))),
            (Post, 307, "https://a.test:443/p", Some(format!("POST https://a.test/p {KEPT} 4"))),
            (Post, 308, "//b.test/p", Some("POST https://b.test/p content-type,x-own 4".to_owned())),
            (Get, 302, "http://a.test/p", Some("GET http://a.test/p content-type,x-own 4".to_owned())),
            (Get, 302, "file:///etc", None),
            (Get, 302, "http://", None),
            (Get, 304, "/p", None),
            (Get, 201, "/p", None),
        ] {
            assert_eq!(redirected(method, status, location), expected, "{status} {location}");
        }
        let mut exchange = exchange(Get, "https://a.test/").expect("a request");
        assert!(!exchange.follow(StatusCode::FOUND, &HeaderMap::new()), "nowhere to go");
    }

    #[test]
    fn what_is_no_request_is_told_in_the_words_of_the_interface() {
        for uri in ["", "a.test/p", "ftp://a.test/", "http://", "http://[/"] {
            assert!(matches!(exchange(types::Method::Get, uri), Err(HttpError::InvalidUrl)), "{uri}");
        }
        let own = exchange(types::Method::Get, "/p?q").expect("one to the app").request().expect("a request");
        assert_eq!(own.uri().to_string(), "https://self.alt/p?q");
        for (name, value) in [("a b", ""), ("a", "b\nc: d")] {
            let made = Exchange::new(types::Request {
                method: types::Method::Get,
                uri: "/".to_owned(),
                headers: vec![(name.to_owned(), value.to_owned())],
                params: Vec::new(),
                body: None,
            });
            assert!(matches!(made, Err(HttpError::RequestError)), "{name}: {value}");
        }
    }
}
