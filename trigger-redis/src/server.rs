//! A server that connections are kept to: losing them, getting them back, and what people are told of it.
//!
//! All connections to one server are lost and found together as far as anybody is told: once when the first is lost, once when
//! the last is back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{ErrorKind, RedisError};
use spin_trigger_kit::tokio::time::{sleep, timeout};
use spin_trigger_kit::{Counter, NotReady, Readiness, Stop, tokio, tracing};

use crate::address::Address;
use crate::backoff::{self, Backoff};
use crate::connect::Connector;

/// How long a server may take to let a client in and to do what comes first.
const CONNECTING: Duration = Duration::from_secs(10);

/// What to do about a server that can't be reached or a connection that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisconnect {
    /// Say so and try again.
    Reconnect,
    /// End with an error.
    Exit,
}

/// Why a server's messages can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The server doesn't want this client, and asking again won't help.
    #[error("{address} refuses: {why}; check the user, the password and what the user may do")]
    Refused {
        /// The server.
        address: Address,
        /// Why.
        why: String,
    },
    /// It can't be reached.
    #[error("cannot connect to {address}: {why}; without --exit-on-disconnect the trigger would wait for it")]
    Unreachable {
        /// The server.
        address: Address,
        /// Why.
        why: String,
    },
    /// The connection ended.
    #[error("disconnected from {address}: {why}; without --exit-on-disconnect the trigger would connect again")]
    Lost {
        /// The server.
        address: Address,
        /// Why.
        why: String,
    },
}

impl ServerError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "redis::refused",
            Self::Unreachable { .. } => "redis::unreachable",
            Self::Lost { .. } => "redis::disconnected",
        }
    }
}

/// One server.
pub struct Server {
    /// Where it is.
    pub address: Address,
    /// How it is reached.
    pub connector: Connector,
    /// What to do when it is away.
    pub on_disconnect: OnDisconnect,
    /// Interrupted while it is away.
    pub readiness: Readiness,
    /// Connections that were lost.
    pub disconnects: Counter,
    /// Whether the trigger was ready once: from then on it doesn't end because of a refusal.
    is_served: AtomicBool,
    outage: Mutex<Outage>,
}

/// What is away at the moment.
#[derive(Default)]
struct Outage {
    connections: usize,
    since: Option<Instant>,
    _not_ready: Option<NotReady>,
}

/// Why a connection did not come about.
#[derive(Debug)]
pub struct ConnectFailure {
    /// The server answered, and won't change its mind.
    pub is_refusal: bool,
    /// Why.
    pub why: String,
}

impl From<RedisError> for ConnectFailure {
    fn from(error: RedisError) -> Self {
        Self { is_refusal: is_refusal(&error), why: error.to_string() }
    }
}

/// Whether a command failed because the user may not run it, or not with these keys.
pub fn is_permission(error: &RedisError) -> bool {
    // A transaction that is refused as a whole says so in words only.
    let is_in_words = error.code() == Some("EXECABORT") && error.to_string().contains("NOPERM");
    error.code() == Some("NOPERM") || is_in_words
}

fn is_refusal(error: &RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed
        || is_permission(error)
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "WRONGTYPE"))
}

/// Why a connection is not used any more.
pub enum Ended {
    /// The end was asked for.
    Stopped,
    /// It is lost; why.
    Lost(String),
    /// The server is there, and refuses what was permitted before; why.
    Refused(String),
}

impl From<RedisError> for Ended {
    fn from(error: RedisError) -> Self {
        match is_refusal(&error) {
            true => Self::Refused(error.to_string()),
            false => Self::Lost(error.to_string()),
        }
    }
}

/// What is done with a connection.
pub trait Session {
    /// The connection, with what comes first done.
    type Connection;

    /// Makes the connection.
    fn connect(&mut self, server: &Server) -> impl Future<Output = Result<Self::Connection, ConnectFailure>> + Send;

    /// Uses it until it is lost or the end is asked for.
    fn serve(&mut self, connection: Self::Connection, stop: &Stop) -> impl Future<Output = Ended> + Send;
}

impl Server {
    /// A server that nobody is connected to yet.
    pub fn new(
        address: Address,
        connector: Connector,
        on_disconnect: OnDisconnect,
        readiness: Readiness,
        disconnects: Counter,
    ) -> Self {
        Self {
            address,
            connector,
            on_disconnect,
            readiness,
            disconnects,
            is_served: AtomicBool::new(false),
            outage: Mutex::default(),
        }
    }

    /// Whoever connects from now on waits when it is refused: the rest of the app is served.
    pub fn begin_to_wait(&self) {
        self.is_served.store(true, Ordering::Release);
    }

    /// Keeps a connection until `stop` is requested. `on_connected` is called whenever there is one, with whether it is the
    /// first.
    ///
    /// # Errors
    /// When the server refuses this client from the start; with [`OnDisconnect::Exit`] also when it is away.
    pub async fn keep<S: Session>(
        &self,
        session: &mut S,
        mut on_connected: impl FnMut(bool) + Send,
        stop: &Stop,
    ) -> Result<(), ServerError> {
        let mut backoff = Backoff::default();
        let mut link = Link { server: self, is_away: false, was_connected: false };
        loop {
            let connected = tokio::select! {
                biased;
                () = stop.requested() => return Ok(()),
                connected = timeout(CONNECTING, session.connect(self)) => connected.unwrap_or_else(|_| {
                    let why = format!("no answer within {} s", CONNECTING.as_secs());
                    Err(ConnectFailure { is_refusal: false, why })
                }),
            };
            match connected {
                Ok(connection) => {
                    link.back();
                    on_connected(!std::mem::replace(&mut link.was_connected, true));
                    let since = Instant::now();
                    match session.serve(connection, stop).await {
                        Ended::Stopped => return Ok(()),
                        Ended::Lost(why) => link.lost(why)?,
                        Ended::Refused(why) => link.unreachable(ConnectFailure { is_refusal: true, why })?,
                    }
                    // One that was closed at once is no reason to hurry.
                    if since.elapsed() >= backoff::LONGEST {
                        backoff.reset();
                    }
                }
                Err(failure) => link.unreachable(failure)?,
            }
            tokio::select! {
                biased;
                () = stop.requested() => return Ok(()),
                () = sleep(backoff.wait()) => {}
            }
        }
    }

    fn outage(&self) -> MutexGuard<'_, Outage> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's share in its server.
struct Link<'a> {
    server: &'a Server,
    is_away: bool,
    was_connected: bool,
}

impl Link<'_> {
    fn back(&mut self) {
        if !std::mem::take(&mut self.is_away) {
            return;
        }
        let mut outage = self.server.outage();
        outage.connections -= 1;
        if outage.connections > 0 {
            return;
        }
        let was = std::mem::take(&mut *outage);
        let seconds = was.since.map_or(0.0, |since| since.elapsed().as_secs_f32());
        let again = if self.was_connected { " again" } else { "" };
        tracing::warn!("{}: connected{again} after {seconds:.1} s", self.server.address);
    }

    fn lost(&mut self, why: String) -> Result<(), ServerError> {
        self.server.disconnects.add(1);
        let address = &self.server.address;
        if self.server.on_disconnect == OnDisconnect::Exit {
            return Err(ServerError::Lost { address: address.clone(), why });
        }
        match self.is_first_away() {
            true => tracing::warn!("{address}: the connection is lost ({why}); trying again"),
            false => tracing::debug!("{address}: another connection is lost ({why})"),
        }
        Ok(())
    }

    fn unreachable(&mut self, failure: ConnectFailure) -> Result<(), ServerError> {
        let (address, why) = (&self.server.address, failure.why);
        let is_final = self.server.on_disconnect == OnDisconnect::Exit;
        if failure.is_refusal && (is_final || !self.may_wait()) {
            return Err(ServerError::Refused { address: address.clone(), why });
        }
        if is_final {
            return Err(ServerError::Unreachable { address: address.clone(), why });
        }
        match (self.is_first_away(), failure.is_refusal) {
            (true, true) => tracing::error!("{address} refuses: {why}; trying again"),
            (true, false) => tracing::warn!("{address} can't be reached ({why}); waiting for it"),
            (false, true) => tracing::debug!("{address} still refuses: {why}"),
            (false, false) => tracing::debug!("{address} still can't be reached: {why}"),
        }
        Ok(())
    }

    fn may_wait(&self) -> bool {
        self.was_connected || self.server.is_served.load(Ordering::Acquire)
    }

    /// Whether nothing was away before.
    fn is_first_away(&mut self) -> bool {
        if std::mem::replace(&mut self.is_away, true) {
            return false;
        }
        let mut outage = self.server.outage();
        outage.connections += 1;
        if outage.connections > 1 {
            return false;
        }
        outage.since = Some(Instant::now());
        outage._not_ready = Some(self.server.readiness.interrupt());
        true
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        if self.is_away {
            let mut outage = self.server.outage();
            outage.connections -= 1;
            if outage.connections == 0 {
                *outage = Outage::default();
            }
        }
    }
}

/// Shared by whoever keeps connections to it.
pub type SharedServer = Arc<Server>;
