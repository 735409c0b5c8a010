//! The admin listener of a trigger that was started by hand: what `spin up --admin-listen` answers for whole apps.
//!
//! `/healthz` says that the process runs, `/readyz` whether it takes events, `/metrics` what it has counted, as Prometheus
//! reads it. Whoever can connect is answered, so it listens only where it is told to.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use spin_app_model::launch::metrics::{self, prometheus_text};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::error::Error;
use crate::health::Health;

/// How many connections there are at once; more wait.
const MOST_CONNECTIONS: usize = 16;
/// How long a client may take to send a request's head: who says nothing must not keep probes waiting for a place.
const HEAD_TIME: Duration = Duration::from_secs(2);
/// From the first byte of a request to the last one of its response.
const TIME: Duration = Duration::from_secs(10);
/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 8 * 1024;

/// A listener that nobody is answered at yet.
pub(crate) struct Admin {
    listener: TcpListener,
    address: SocketAddr,
    trigger_type: &'static str,
    health: Health,
}

impl Admin {
    /// Listens at `address`; port 0 is any that is free.
    ///
    /// # Errors
    /// When the address can't be had.
    pub(crate) async fn bind(address: SocketAddr, trigger_type: &'static str, health: Health) -> Result<Self, Error> {
        let failed = |error| Error::new("trigger::admin-listen", format!("--admin-listen {address}: {error}"));
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, trigger_type, health })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the process ends.
    pub(crate) async fn serve(self) {
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let served = converse(stream, self.trigger_type, self.health.clone());
                    tokio::spawn(async move {
                        served.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::debug!("admin listener: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

async fn converse(stream: TcpStream, trigger_type: &'static str, health: Health) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let answer = answer(request.method(), request.uri().path(), trigger_type, &health);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut builder = http1::Builder::new();
    builder.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(LONGEST_HEAD);
    let served = tokio::time::timeout(TIME, builder.serve_connection(TokioIo::new(stream), service));
    if let Ok(Err(error)) = served.await {
        tracing::debug!("admin listener: {error}");
    }
}

/// The paths and the shape of the bodies are those of the app's own listener.
fn answer(method: &Method, path: &str, trigger_type: &str, health: &Health) -> Response<Full<Bytes>> {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let state = if health.is_ready() { "ready" } else { "not ready" };
    let body = |word: &str| {
        let body = serde_json::json!({ "status": word, "triggers": [{ "type": trigger_type, "state": state }] });
        ("application/json", format!("{body}\n"))
    };
    let (status, (kind, body)) = match path {
        "/healthz" | "/readyz" | "/metrics" if !is_read => {
            (StatusCode::METHOD_NOT_ALLOWED, ("text/plain", "only GET and HEAD\n".to_owned()))
        }
        "/healthz" => (StatusCode::OK, body("healthy")),
        "/readyz" if health.is_ready() => (StatusCode::OK, body("ready")),
        "/readyz" if health.stop.is_requested() => (StatusCode::SERVICE_UNAVAILABLE, body("draining")),
        "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, body("not ready")),
        "/metrics" => {
            let label = || "trigger".parse().expect("the name of a label");
            let counted = health.metrics.collect().into_iter().map(|metric| metric.with_label(label(), trigger_type));
            (StatusCode::OK, (metrics::CONTENT_TYPE, prometheus_text(&counted.collect::<Vec<_>>())))
        }
        _ => (StatusCode::NOT_FOUND, ("text/plain", "there are /healthz, /readyz and /metrics\n".to_owned())),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_not_said_before_and_not_after() {
        let health = Health::default();
        let status = |path: &str| answer(&Method::GET, path, "timer", &health).status().as_u16();
        assert_eq!((status("/healthz"), status("/readyz")), (200, 503));
        health.set_ready();
        assert_eq!((status("/healthz"), status("/readyz")), (200, 200));
        health.stop.request(Duration::ZERO);
        assert_eq!((status("/healthz"), status("/readyz")), (200, 503));
    }

    #[test]
    fn nothing_else_is_answered() {
        let health = Health::default();
        let status = |method, path| answer(&method, path, "timer", &health).status().as_u16();
        assert_eq!(status(Method::HEAD, "/metrics"), 200);
        assert_eq!((status(Method::POST, "/metrics"), status(Method::POST, "/")), (405, 404));
        assert_eq!(status(Method::GET, "/"), 404);
    }
}
