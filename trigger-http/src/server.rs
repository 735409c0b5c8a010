//! Listening, accepting, and the end.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use spin_trigger_kit::Stop;
use spin_trigger_kit::tokio::net::{TcpListener, TcpSocket, TcpStream};
use spin_trigger_kit::tokio::sync::{OwnedSemaphorePermit, Semaphore};
use spin_trigger_kit::tokio::{self, time};
use spin_trigger_kit::tracing;
use tokio_util::task::TaskTracker;

use crate::access_log::AccessLog;
use crate::connection;
use crate::current::Current;
use crate::ids::Ids;
use crate::limits::Limits;
use crate::tls::Tls;

/// How many connections the kernel keeps for us while we are busy.
const BACKLOG: u32 = 1024;

/// The pauses after an `accept` that failed for want of something (descriptors, memory): the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What all connections share.
pub struct Server {
    /// Answers requests.
    pub current: Arc<Current>,
    /// None for plain text.
    pub tls: Option<Tls>,
    /// How much one client may take.
    pub limits: Limits,
    /// None unless asked for.
    pub access_log: Option<AccessLog>,
    /// Names for requests.
    pub ids: Ids,
}

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
pub async fn serve(listeners: Vec<TcpListener>, server: Arc<Server>, stop: Stop) {
    let connections = TaskTracker::new();
    let follow = async {
        match &server.tls {
            Some(tls) => tls.follow().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        // From then on clients are refused and go elsewhere.
        () = accept(listeners, &connections, &server, &stop) => {}
        () = follow => {}
    }
    connections.close();
    connections.wait().await;
}

/// Accepts connections until the end is asked for.
async fn accept(mut listeners: Vec<TcpListener>, connections: &TaskTracker, server: &Arc<Server>, stop: &Stop) {
    let mut places = Places::new(server.limits.connections);
    let mut pause = FIRST_PAUSE;
    loop {
        // The place first: clients wait where they cost us nothing, in the kernel's queue. One loop for all listeners, so
        // that none holds a place for a client that doesn't come.
        let (place, accepted) = tokio::select! {
            accepted = async { (places.take().await, next(&mut listeners).await) } => accepted,
            () = stop.requested() => return,
        };
        match accepted {
            Ok((stream, client)) => {
                pause = FIRST_PAUSE;
                let (server, stop) = (Arc::clone(server), stop.clone());
                // Made in the task: one that is handed over would have its room there twice.
                connections.spawn(async move {
                    connection::serve(stream, client, server, stop).await;
                    drop(place);
                });
            }
            // The client was faster at going than we at coming.
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                // Once for each time that it begins.
                if pause == FIRST_PAUSE {
                    tracing::warn!("can't accept a connection: {error}; trying again until it works");
                }
                tokio::select! {
                    () = time::sleep(pause) => {}
                    () = stop.requested() => return,
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// The next connection that comes in anywhere. Who had one is asked last the next time, so that a busy address leaves
/// the others their share.
async fn next(listeners: &mut [TcpListener]) -> io::Result<(TcpStream, SocketAddr)> {
    poll_fn(|context| {
        for at in 0..listeners.len() {
            if let Poll::Ready(accepted) = listeners[at].poll_accept(context) {
                listeners.rotate_left(at + 1);
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    })
    .await
}

/// Places for connections, of all listeners together.
struct Places {
    limit: usize,
    free: Arc<Semaphore>,
    /// That there are too many connections has been said.
    told: bool,
}

impl Places {
    fn new(limit: usize) -> Self {
        Self { limit, free: Arc::new(Semaphore::new(limit)), told: false }
    }

    /// Waits for a place.
    async fn take(&mut self) -> OwnedSemaphorePermit {
        if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
            return place;
        }
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(
                "all places for connections are taken ({}), and more have to wait; --max-connections allows more (said only \
                 once)",
                self.limit
            );
        }
        Arc::clone(&self.free).acquire_owned().await.expect("the semaphore is never closed")
    }
}

fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
