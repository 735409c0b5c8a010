//! The admin listener of a trigger that was started by hand: what `spin up --admin-listen` answers for whole apps.
//!
//! `/healthz` says that the process runs, `/readyz` whether it takes events, `/metrics` what it has counted, as Prometheus
//! reads it. Whoever can connect is answered, so it listens only where it is told to.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
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
/// How long a client may take to send a request's head.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;

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
    builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(LONGEST_HEAD);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!("admin listener: {error}");
    }
}

fn answer(method: &Method, path: &str, trigger_type: &str, health: &Health) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut refused = of(StatusCode::METHOD_NOT_ALLOWED, "text/plain", String::new());
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let state = |up: bool| {
        let ready = health.is_ready();
        let body = serde_json::json!({ "triggers": { trigger_type: { "up": true, "ready": ready } } });
        let status = if up { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        of(status, "application/json", format!("{body}\n"))
    };
    match path {
        "/healthz" => state(true),
        "/readyz" => state(health.is_ready()),
        "/metrics" => {
            let label = || "trigger".parse().expect("the name of a label");
            let counted = health.metrics.collect().into_iter().map(|metric| metric.with_label(label(), trigger_type));
            of(StatusCode::OK, metrics::CONTENT_TYPE, prometheus_text(&counted.collect::<Vec<_>>()))
        }
        _ => of(StatusCode::NOT_FOUND, "text/plain", String::new()),
    }
}

fn of(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
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
        assert_eq!(status(Method::POST, "/metrics"), 405);
        assert_eq!(status(Method::GET, "/"), 404);
    }
}
