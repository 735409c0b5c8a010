//! Listening, accepting, and the end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use spin_trigger_kit::Stop;
use spin_trigger_kit::tokio::net::{TcpListener, TcpSocket, TcpStream};
use spin_trigger_kit::tokio::{self, time};
use spin_trigger_kit::tracing;
use tokio_util::task::TaskTracker;

use crate::activity::{Activity, Watched};
use crate::dispatch::Dispatcher;
use crate::headers;

/// How many connections the kernel keeps for us while we are busy.
const BACKLOG: u32 = 1024;

/// How long clients are waited for.
#[derive(Clone, Copy)]
struct Patience {
    /// For the head of a request, and for the next one.
    idle: Duration,
    /// For a client that doesn't read what was answered.
    unread: Duration,
    /// For a request that is already on its way when a connection is told to end.
    last_word: Duration,
}

const PATIENCE: Patience =
    Patience { idle: Duration::from_secs(30), unread: Duration::from_secs(60), last_word: Duration::from_secs(1) };

/// The pauses after an `accept` that failed for want of something (descriptors, memory): the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Takes an address without listening yet: a port that somebody else has is found out before anything compiles,
/// but clients are not kept waiting in a queue while it does.
///
/// # Errors
/// The kernel's.
pub fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restarted server must not wait for the old one's connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Begins to listen.
///
/// # Errors
/// The kernel's.
pub fn listen(socket: TcpSocket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)
}

/// Serves connections until the end is asked for, then finishes what was begun.
pub async fn serve(listener: TcpListener, dispatcher: Arc<Dispatcher>, stop: Stop) {
    let connections = TaskTracker::new();
    let mut pause = FIRST_PAUSE;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.requested() => break,
        };
        match accepted {
            Ok((stream, client)) => {
                pause = FIRST_PAUSE;
                connections.spawn(serve_connection(stream, client, Arc::clone(&dispatcher), stop.clone(), PATIENCE));
            }
            // The client was faster at going than we at coming.
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                tracing::warn!("can't accept a connection: {error}; trying again in {} ms", pause.as_millis());
                tokio::select! {
                    () = time::sleep(pause) => {}
                    () = stop.requested() => break,
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    // From now on clients are refused and go elsewhere.
    drop(listener);
    connections.close();
    connections.wait().await;
}

fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn serve_connection(
    stream: TcpStream,
    client: SocketAddr,
    dispatcher: Arc<Dispatcher>,
    stop: Stop,
    patience: Patience,
) {
    // Responses are written whole; waiting for more to send would only add delay.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%client, "no TCP_NODELAY: {error}");
    }
    let activity = Activity::begin();
    let client_header = Arc::new(headers::client_addr(client));
    let service = service_fn({
        let activity = activity.clone();
        move |request| {
            let (dispatcher, client) = (Arc::clone(&dispatcher), Arc::clone(&client_header));
            let begun = activity.request();
            async move {
                let response = dispatcher.respond(request, Scheme::HTTP, &client).await;
                Ok::<_, Infallible>(response.map(|body| begun.answered(body)))
            }
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience.idle);
    builder.http2().timer(TokioTimer::new());
    let stream = TokioIo::new(Watched::new(stream, activity.clone()));
    let mut connection = std::pin::pin!(builder.serve_connection(stream, service));
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = async {
            tokio::select! {
                () = stop.requested() => {}
                () = activity.ceases(patience.idle, patience.unread) => {}
            }
        } => {
            // Says `Connection: close` or GOAWAY, and ends after the requests that were begun.
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = connection => result,
                () = activity.ceases(patience.last_word, patience.unread) => Ok(()),
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%client, "connection ended: {error}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use spin_trigger_kit::tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::runtime::Runtime;

    use super::*;
    use crate::config::RouteConfig;
    use crate::dispatch::Target;
    use crate::route::{RouteEntry, Router};
    use crate::static_response::StaticResponse;
    use crate::well_known::{AppInfo, WellKnown};

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    /// HEADERS of stream 1 without END_HEADERS: `:method: GET`.
    const HALF_HEADERS: &[u8] = b"\0\0\x01\x01\0\0\0\0\x01\x82";

    /// A server of one response of `size` bytes; for each of `connections` what is sent to it.
    async fn connect(
        size: usize,
        patience: Patience,
        stop: &Stop,
        connections: &[&[u8]],
    ) -> (TaskTracker, Vec<TcpStream>) {
        let route = RouteConfig::Path("/...".to_owned());
        let (router, _) = Router::build([RouteEntry { id: "entry", route: &route }]).unwrap();
        let body = Some("x".repeat(size));
        let response = StaticResponse { status_code: 200, headers: Vec::new(), body }.prepare().unwrap();
        let well_known = WellKnown::new(AppInfo { name: "app", version: None, oci_image_digest: None });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let dispatcher = Arc::new(Dispatcher::new(router, vec![Target::Static(response)], well_known, address));
        let served = TaskTracker::new();
        let mut clients = Vec::new();
        for sent in connections {
            let mut client = TcpStream::connect(address).await.unwrap();
            let (stream, client_address) = listener.accept().await.unwrap();
            served.spawn(serve_connection(stream, client_address, Arc::clone(&dispatcher), stop.clone(), patience));
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
    fn who_sends_no_request_is_not_waited_for() {
        let patience = Patience { idle: SOON, unread: NEVER, last_word: SOON };
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
            let (served, _clients) = connect(1, patience, &Stop::default(), &sent).await;
            time::timeout(IN_TIME, served.wait()).await.unwrap();
        });
    }

    #[test]
    fn the_end_does_not_wait_for_who_has_sent_no_request() {
        let patience = Patience { idle: NEVER, unread: NEVER, last_word: SOON };
        let sent: [&[u8]; 4] = [b"", b"GET / HTTP/1.1\r\nhost: a\r\n", PREFACE, &[PREFACE, SETTINGS].concat()];
        Runtime::new().unwrap().block_on(async {
            let stop = Stop::default();
            let (served, _clients) = connect(1, patience, &stop, &sent).await;
            stop.request(NEVER);
            time::timeout(IN_TIME, served.wait()).await.unwrap();
        });
    }

    #[test]
    fn who_reads_slowly_gets_all_and_who_reads_nothing_is_cut() {
        const SIZE: usize = 64 << 20;
        let patience = Patience { idle: SOON, unread: SOON * 10, last_word: SOON };
        let request: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        Runtime::new().unwrap().block_on(async {
            let (served, mut clients) = connect(SIZE, patience, &Stop::default(), &[request, request]).await;
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
