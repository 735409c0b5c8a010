//! Listening, accepting, and the end.

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

use crate::dispatch::Dispatcher;
use crate::headers;

/// How many connections the kernel keeps for us while we are busy.
const BACKLOG: u32 = 1024;

/// How long a client may take to send the head of a request.
const HEADER_READ: Duration = Duration::from_secs(30);

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
                connections.spawn(serve_connection(stream, client, Arc::clone(&dispatcher), stop.clone()));
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

async fn serve_connection(stream: TcpStream, client: SocketAddr, dispatcher: Arc<Dispatcher>, stop: Stop) {
    // Responses are written whole; waiting for more to send would only add delay.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%client, "no TCP_NODELAY: {error}");
    }
    let client_header = Arc::new(headers::client_addr(client));
    let service = service_fn(move |request| {
        let (dispatcher, client) = (Arc::clone(&dispatcher), Arc::clone(&client_header));
        async move { Ok::<_, std::convert::Infallible>(dispatcher.respond(request, Scheme::HTTP, &client).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_READ);
    builder.http2().timer(TokioTimer::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.requested() => {
            // Says `Connection: close` or GOAWAY, and ends after the requests that were begun.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%client, "connection ended: {error}");
    }
}
