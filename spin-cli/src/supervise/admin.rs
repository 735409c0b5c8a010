//! The app's admin listener: how the app is, over HTTP, for probes and for Prometheus.
//!
//! | path | 200 if | body |
//! |---|---|---|
//! | `/healthz` | no trigger is down for good that should not be | JSON, with the state of every trigger |
//! | `/readyz` | every trigger takes events, and the app is not about to end | the same |
//! | `/metrics` | always | the text format of Prometheus |
//!
//! Nothing can be changed through it. A connection is for one request, and has little time and little room.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use spin_app_model::launch::metrics;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::board::Board;
use crate::report::Report;
use crate::ui::Ui;

mod answers;

/// More is neither a probe nor a scrape.
const MOST_CONNECTIONS: usize = 16;

/// From the first byte of a request to the last one of its response.
const TIME: Duration = Duration::from_secs(10);

/// For the head of a request: who says nothing must not keep probes waiting for a place.
const HEAD_TIME: Duration = Duration::from_secs(2);

/// Room for the head of a request.
const ROOM: usize = 8 * 1024;

/// How long to wait when connections can't be taken, for lack of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// An admin listener that is bound and does not answer yet.
#[derive(Debug)]
pub(crate) struct Admin(TcpListener);

impl Admin {
    /// Binds an address and says which one it is.
    pub(crate) async fn listen(address: SocketAddr, ui: &Ui) -> Result<Self, Report> {
        let failed = |error: std::io::Error| {
            Report::new(format!("cannot listen on {address} for --admin-listen: {error}"))
                .code("admin::listen")
                .help("name another port, or 0 for any that is free")
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        ui.notice(&format!("Admin endpoints: http://{bound}/healthz, /readyz, /metrics"));
        Ok(Self(listener))
    }

    /// Answers for ever.
    pub(super) async fn serve(self, board: watch::Receiver<Board>) -> Infallible {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = connections.join_next() => {}
                accepted = self.0.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(tokio::time::timeout(TIME, talk(stream, board.clone())))),
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
            }
        }
    }
}

/// One connection. Whatever goes wrong is the peer's business.
async fn talk(stream: TcpStream, board: watch::Receiver<Board>) {
    let service = service_fn(|request: Request<_>| {
        let board = board.borrow().clone();
        async move { Ok::<_, Infallible>(respond(request.method(), request.uri().path(), &board).await) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(ROOM)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service);
    drop(connection.await);
}

async fn respond(method: &Method, path: &str, board: &Board) -> Response<Full<Bytes>> {
    let (status, kind, body) = match path {
        "/healthz" | "/readyz" | "/metrics" if method != Method::GET && method != Method::HEAD => {
            (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET and HEAD\n".to_owned())
        }
        "/healthz" => json(answers::health(board)),
        "/readyz" => json(answers::readiness(board, &board.ask().await)),
        "/metrics" => (StatusCode::OK, metrics::CONTENT_TYPE, answers::metrics(board, &board.ask().await)),
        _ => (StatusCode::NOT_FOUND, "text/plain", "there are /healthz, /readyz and /metrics\n".to_owned()),
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

fn json((status, body): (StatusCode, serde_json::Value)) -> (StatusCode, &'static str, String) {
    (status, "application/json", format!("{body}\n"))
}
