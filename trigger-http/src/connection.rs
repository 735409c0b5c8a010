//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::uri::Scheme;
use http::{HeaderValue, Method, Request, Response, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use spin_trigger_kit::Stop;
use spin_trigger_kit::tokio::io::{AsyncRead, AsyncWrite};
use spin_trigger_kit::tokio::net::TcpStream;
use spin_trigger_kit::tokio::{self, time};
use spin_trigger_kit::tracing;

use crate::access_log::{AccessLog, Logged};
use crate::activity::{Activity, Watched};
use crate::admission::{self, Afterwards};
use crate::body::{self, ResponseBody};
use crate::dispatch::{self, Answer, Client};
use crate::headers;
use crate::limits::{self, Limits};
use crate::server::Server;
use crate::tls::Tls;
use crate::together;
use crate::version;

/// Who is connected, and how.
struct Peer {
    address: SocketAddr,
    /// Its address as a component is told.
    header: HeaderValue,
    scheme: Scheme,
}

/// Serves a client until it or the server wants to end.
pub async fn serve(stream: TcpStream, client: SocketAddr, server: Arc<Server>, stop: Stop) {
    // Responses are written whole; waiting for more to send would only add delay.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%client, "no TCP_NODELAY: {error}");
    }
    let activity = Activity::begin();
    let scheme = if server.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
    let peer = Peer { address: client, header: headers::client_addr(client), scheme };
    match &server.tls {
        None => plain(stream, peer, &server, activity, &stop).await,
        // In a box: what is not encrypted need not have the room for it.
        Some(tls) => Box::pin(encrypted(stream, tls, peer, &server, activity, &stop)).await,
    }
}

/// Serves one whose bytes are HTTP.
async fn plain(stream: TcpStream, peer: Peer, server: &Arc<Server>, activity: Activity, stop: &Stop) {
    let Limits { idle, body: unread, .. } = server.limits;
    let version = tokio::select! {
        version = version::peeked(&stream) => version,
        // Nothing was asked for yet.
        () = stop.requested() => return,
        () = activity.ceases(idle, unread) => return,
    };
    match version {
        Ok(version) => requests(Watched::new(stream, activity.clone()), version, peer, server, activity, stop).await,
        Err(error) => tracing::debug!(client = %peer.address, "connection ended: {error}"),
    }
}

/// The same behind a handshake.
async fn encrypted(stream: TcpStream, tls: &Tls, peer: Peer, server: &Arc<Server>, activity: Activity, stop: &Stop) {
    let client = peer.address;
    let stream = Watched::new(stream, activity.clone());
    let shaken = tokio::select! {
        shaken = time::timeout(server.limits.handshake, tls.accept(stream)) => shaken,
        // Nothing was asked for yet.
        () = stop.requested() => return,
    };
    match shaken {
        Ok(Ok(stream)) => requests(stream, None, peer, server, activity, stop).await,
        Ok(Err(error)) => tracing::debug!(%client, "no TLS: {error}"),
        Err(_) => tracing::debug!(%client, "no TLS: the handshake took too long"),
    }
}

/// Serves the requests of a connection. If its version isn't known, the first bytes will tell.
async fn requests<S>(
    stream: S,
    version: Option<Version>,
    peer: Peer,
    server: &Arc<Server>,
    activity: Activity,
    stop: &Stop,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Limits { idle, body: unread, last_word, .. } = server.limits;
    let client = peer.address;
    let service = service_fn({
        let activity = activity.clone();
        let server = Arc::clone(server);
        move |request| {
            let begun = activity.request();
            let response = respond(&server, &peer, request);
            async move { Ok::<_, Infallible>(response.await.map(|body| begun.answered(body))) }
        }
    });
    let builder = match (version, protocols(&server.limits)) {
        (None, both) => both,
        (Some(Version::HTTP_2), both) => both.http2_only(),
        (Some(_), both) => both.http1_only(),
    };
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = async {
            tokio::select! {
                () = stop.requested() => {}
                () = activity.ceases(idle, unread) => {}
            }
        } => {
            // Says `Connection: close` or GOAWAY, and ends after the requests that were begun.
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = connection => result,
                () = activity.ceases(last_word, unread) => Ok(()),
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%client, "connection ended: {error}");
    }
}

/// Both versions of HTTP, with their limits.
fn protocols(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // A head that doesn't come is the matter of `activity`.
    builder.http1().header_read_timeout(None).max_buf_size(limits.http1_buffer);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::HTTP2_STREAMS)
        .max_header_list_size(limits::HTTP2_HEADER_LIST)
        .max_pending_accept_reset_streams(limits::HTTP2_PENDING_RESETS)
        .max_local_error_reset_streams(limits::HTTP2_ERRORS)
        .keep_alive_interval(limits::HTTP2_PING)
        .keep_alive_timeout(limits::HTTP2_PING);
    builder
}

/// The response to a request, with its name, and with its line in the access log.
///
/// What can be done at once is done before the future is first polled: that of a client that has gone already never is,
/// and its request has a line too. What is left is small: the server moves it, and keeps room for it.
fn respond(
    server: &Server,
    peer: &Peer,
    mut request: Request<Incoming>,
) -> impl Future<Output = Response<Logged<ResponseBody>>> + use<> {
    let afterwards = Afterwards::of(&request);
    // Looked at before our own headers are among the client's.
    let admitted = admission::check(&request);
    // Without a log only a component sees the names; it gets them when it is known that one answers.
    let mut entry = server.access_log.as_ref().map(|log: &AccessLog| {
        let names = server.ids.name(request.headers_mut());
        log.entry(peer.address, request.method(), request.uri().path(), &names)
    });
    // The server of HTTP/1 leaves bodies out by itself, that of HTTP/2 sends what it is given.
    let withheld: Option<Method> = (request.version() == Version::HTTP_2).then(|| request.method().clone());
    let answer = match admitted {
        Ok(()) => {
            let client = Client { scheme: peer.scheme.clone(), address: &peer.header };
            server.current.take().respond(request, client, entry.as_mut(), &server.ids)
        }
        Err(refused) => {
            tracing::debug!("request refused: {refused}");
            Answer::Made(dispatch::empty(refused.status()))
        }
    };
    async move {
        let mut response = match answer {
            Answer::Made(response) => response,
            Answer::Awaited(response) => together::with_others(response).await,
        };
        if let Some(method) = &withheld {
            body::withhold(&mut response, method);
        }
        afterwards.say(&mut response);
        if let Some(entry) = &mut entry {
            entry.answered(response.status());
        }
        response.map(|body| Logged::new(body, entry))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use spin_trigger_kit::tokio::io::{AsyncReadExt, AsyncWriteExt};
    use spin_trigger_kit::tokio::net::TcpListener;
    use std::time::Duration;
    use tokio::runtime::Runtime;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::config::RouteConfig;
    use crate::current::Current;
    use crate::dispatch::{Answerer, Dispatcher, Origin, Target};
    use crate::ids::Ids;
    use crate::route::{RouteEntry, Router};
    use crate::static_response::StaticResponse;
    use crate::well_known::{AppInfo, WellKnown};

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    /// HEADERS of stream 1 without END_HEADERS: `:method: GET`.
    const HALF_HEADERS: &[u8] = b"\0\0\x01\x01\0\0\0\0\x01\x82";

    /// A server of one response of `size` bytes; for each of `connections` what is sent to it.
    async fn connect(size: usize, limits: Limits, stop: &Stop, connections: &[&[u8]]) -> (TaskTracker, Vec<TcpStream>) {
        let route = RouteConfig::Path("/...".to_owned());
        let (router, _) = Router::build([RouteEntry { id: "entry", route: &route }]).unwrap();
        let body = Some("x".repeat(size));
        let response = StaticResponse { status_code: 200, headers: Vec::new(), body }.prepare().unwrap();
        let well_known = WellKnown::new(AppInfo { name: "app", version: None, oci_image_digest: None });
        let target = Target { name: "entry".into(), answerer: Answerer::Static(response) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin::new(Scheme::HTTP, listener.local_addr().unwrap());
        let dispatcher = Arc::new(Dispatcher::new(router, vec![target], well_known, limits.body, origin));
        let current = Arc::new(Current::new(dispatcher));
        let server = Arc::new(Server { current, tls: None, limits, access_log: None, ids: Ids::default() });
        let served = TaskTracker::new();
        let mut clients = Vec::new();
        for sent in connections {
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (stream, address) = listener.accept().await.unwrap();
            served.spawn(serve(stream, address, Arc::clone(&server), stop.clone()));
            client.write_all(sent).await.unwrap();
            clients.push(client);
        }
        served.close();
        (served, clients)
    }

    const NEVER: Duration = Duration::from_secs(3600);
    const SOON: Duration = Duration::from_millis(100);
    const IN_TIME: Duration = Duration::from_secs(20);

    #[test]
    fn a_connection_is_small() {
        fn size<F>(_: impl Fn(TcpStream, SocketAddr, Arc<Server>, Stop) -> F) -> usize {
            size_of::<F>()
        }
        // Every client has one, however idle; with the room for TLS it would be twice that.
        assert!(size(serve) < 4096, "{} bytes", size(serve));
    }

    #[test]
    fn who_sends_no_request_is_not_waited_for() {
        let limits = Limits { idle: SOON, body: NEVER, last_word: SOON, ..Limits::default() };
        let sent: [&[u8]; 7] = [
            b"",
            b"PRI * HT",
            b"GET / HT",
            &PREFACE[..20],
            PREFACE,
            &[PREFACE, SETTINGS].concat(),
            &[PREFACE, SETTINGS, HALF_HEADERS].concat(),
        ];
        Runtime::new().unwrap().block_on(async {
            let (served, _clients) = connect(1, limits, &Stop::default(), &sent).await;
            time::timeout(IN_TIME, served.wait()).await.unwrap();
        });
    }

    #[test]
    fn the_end_does_not_wait_for_who_has_sent_no_request() {
        let limits = Limits { idle: NEVER, body: NEVER, last_word: SOON, ..Limits::default() };
        let sent: [&[u8]; 4] = [b"", b"GET / HTTP/1.1\r\nhost: a\r\n", PREFACE, &[PREFACE, SETTINGS].concat()];
        Runtime::new().unwrap().block_on(async {
            let stop = Stop::default();
            let (served, _clients) = connect(1, limits, &stop, &sent).await;
            stop.request(NEVER);
            time::timeout(IN_TIME, served.wait()).await.unwrap();
        });
    }

    #[test]
    fn who_reads_slowly_gets_all_and_who_reads_nothing_is_cut() {
        const SIZE: usize = 64 << 20;
        let limits = Limits { idle: SOON, body: SOON * 10, last_word: SOON, ..Limits::default() };
        let request: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        Runtime::new().unwrap().block_on(async {
            let (served, mut clients) = connect(SIZE, limits, &Stop::default(), &[request, request]).await;
            let (mut total, mut part) = (0, vec![0; SIZE / 8]);
            while total < SIZE {
                time::sleep(SOON).await;
                total += clients[0].read_exact(&mut part).await.unwrap();
            }
            time::timeout(IN_TIME, served.wait()).await.unwrap();
            total = 0;
            while let Ok(count @ 1..) = clients[1].read(&mut part).await {
                total += count;
            }
            assert!(total < SIZE, "{total}");
        });
    }
}
