//! Connections to Redis servers: made through the egress, shared by address, kept for a while, made anew when lost.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Cmd, FromRedisValue, IntoConnectionInfo, RedisConnectionInfo, RedisError};
use spin_app_model::hosts::Destination;
use tokio::task::JoinHandle;

use super::Error;
use super::replies::Replies;
use crate::host::egress::Egress;
use crate::host::http::tls::Tls;
use crate::host::measured::{Exceeded, Measured};
use crate::host::recent::Recent;

/// How long to wait for a connection, with all that must be said on it before it can be used.
const CONNECT: Duration = Duration::from_secs(10);

/// How long to wait for an answer on a connection that is shared. On one of its own a component may wait as long as its
/// event lasts, since there are commands that wait.
const ANSWER: Duration = Duration::from_secs(30);

/// How long a connection is kept that nobody uses, about.
const IDLE: Duration = Duration::from_secs(30);

/// Addresses of one component that have a connection; one more takes the place of the one that was used least recently.
const MOST_SLOTS: usize = 16;

/// The port of a server that names none.
const PORT: u16 = 6379;

/// A server with what identifies a client there.
#[derive(Clone)]
pub(crate) struct Address {
    destination: Destination,
    identity: RedisConnectionInfo,
}

impl Address {
    /// None if a part of `text` makes no sense, or `destination` gives none for the URL, which has a port.
    pub(crate) fn parse(text: &str, destination: impl FnOnce(&str) -> Option<Destination>) -> Option<Self> {
        let url = if text.contains("://") { text.to_owned() } else { format!("redis://{text}") };
        let mut url = ::redis::parse_redis_url(&url)?;
        if !matches!(url.scheme(), "redis" | "rediss") {
            return None;
        }
        if url.port().is_none() {
            url.set_port(Some(PORT)).ok()?;
        }
        let destination = destination(url.as_str())?;
        let info = url.as_str().into_connection_info().ok()?;
        Some(Self { destination, identity: info.redis_settings().clone() })
    }
}

/// The same connection serves all that are the same in this, however it is written.
impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.identity, &other.identity);
        self.destination == other.destination
            && (ours.username(), ours.password()) == (theirs.username(), theirs.password())
            && (ours.db(), ours.protocol()) == (theirs.db(), theirs.protocol())
    }
}

/// Makes connections for all components.
pub(crate) struct Maker {
    egress: Arc<Egress>,
    tls: Tls,
}

impl Maker {
    pub(crate) fn new(egress: Arc<Egress>) -> Self {
        Self { egress, tls: Tls::new(&[]) }
    }
}

/// The connections that the instances of a component share.
pub(super) struct Pool {
    maker: Arc<Maker>,
    slots: Mutex<Recent<Address, Arc<Slot>>>,
}

impl Pool {
    pub(super) fn new(maker: Arc<Maker>) -> Self {
        Self { maker, slots: Mutex::new(Recent::new(MOST_SLOTS)) }
    }

    /// Where the connection to `address` is, or will be.
    pub(super) fn slot(&self, address: Address) -> Arc<Slot> {
        let slot = |address| Arc::new(Slot::new(address, Arc::clone(&self.maker), true));
        if self.maker.egress.is_bounded() {
            // One that is kept without being used would take a place that somebody waits for.
            return slot(address);
        }
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is forgotten is closed when nobody uses it any more.
        slots.get_or_insert(address.clone(), || slot(address)).0
    }
}

/// A place for a connection, with the connection as long as there is one.
pub(crate) struct Slot {
    address: Address,
    maker: Arc<Maker>,
    shared: bool,
    kept: Mutex<Option<Arc<Link>>>,
    /// One makes a connection, the others wait for it.
    connecting: tokio::sync::Mutex<()>,
}

/// An open connection.
struct Link {
    connection: MultiplexedConnection,
    /// What reads and writes; the connection is of no use when it has ended.
    driver: JoinHandle<()>,
    used: Mutex<Instant>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Slot {
    /// Connects to nothing yet. What is `shared` is closed when nobody has used it for a while.
    pub(crate) fn new(address: Address, maker: Arc<Maker>, shared: bool) -> Self {
        Self { address, maker, shared, kept: Mutex::default(), connecting: tokio::sync::Mutex::default() }
    }

    /// Whether commands of others may go through it.
    pub(super) fn is_shared(&self) -> bool {
        self.shared
    }

    /// A place for another connection to the same address, which nobody else uses.
    pub(crate) fn to_own(&self) -> Arc<Self> {
        Arc::new(Self::new(self.address.clone(), Arc::clone(&self.maker), false))
    }

    /// Makes the connection if there is none.
    pub(super) async fn ready(self: &Arc<Self>) -> Result<(), Error> {
        self.link().await.map(drop)
    }

    /// Sends a command. It is sent once: whether a lost one was done, nobody knows but the guest's author.
    pub(super) async fn send<T: FromRedisValue>(self: &Arc<Self>, command: &Cmd) -> Result<T, Error> {
        self.query(command).await?.map_err(Error::from)
    }

    /// [`Slot::send`], with an error of its own for a value that is of another type than the command needs.
    pub(super) async fn send_typed<T: FromRedisValue>(self: &Arc<Self>, command: &Cmd) -> Result<T, Error> {
        self.query(command).await?.map_err(|error| match error.code() {
            Some("WRONGTYPE") => Error::Type,
            _ => error.into(),
        })
    }

    /// The outer error is that there is no connection, the inner one the server's, or that of a connection that was lost. Whose
    /// answer was too large hears so from the driver; to the others it is lost.
    pub(crate) async fn query<T: FromRedisValue>(
        self: &Arc<Self>,
        command: &Cmd,
    ) -> Result<Result<T, RedisError>, Error> {
        let link = self.link().await?;
        let answer = command.query_async(&mut link.connection.clone()).await;
        *link.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        if let Err(error) = &answer
            && (error.is_unrecoverable_error() || error.is_connection_dropped() || error.is_timeout())
        {
            let mut kept = self.kept();
            if kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, &link)) {
                *kept = None;
            }
        }
        Ok(answer)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Arc<Link>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self) -> Option<Arc<Link>> {
        self.kept().as_ref().filter(|link| !link.driver.is_finished()).cloned()
    }

    async fn link(self: &Arc<Self>) -> Result<Arc<Link>, Error> {
        if let Some(link) = self.live() {
            return Ok(link);
        }
        let made = async {
            let _one = self.connecting.lock().await;
            match self.live() {
                Some(link) => Ok(link),
                None => self.connect().await,
            }
        };
        let late = || Error::Other(format!("no connection to Redis within {} seconds", CONNECT.as_secs()));
        tokio::time::timeout(CONNECT, made).await.unwrap_or_else(|_| Err(late()))
    }

    async fn connect(self: &Arc<Self>) -> Result<Arc<Link>, Error> {
        let Address { destination, identity, .. } = &self.address;
        let stream = self.maker.egress.connect(destination).await.map_err(|error| Error::other(&error))?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(self.shared.then_some(ANSWER));
        let (connection, driver) = if destination.scheme() == "rediss" {
            let stream = self.maker.tls.connect(destination, stream).await.map_err(|error| Error::other(&error))?;
            let (connection, driver) = open(identity, stream, config).await?;
            (connection, tokio::spawn(keep(driver, Arc::downgrade(self))))
        } else {
            let (connection, driver) = open(identity, stream, config).await?;
            (connection, tokio::spawn(keep(driver, Arc::downgrade(self))))
        };
        let link = Arc::new(Link { connection, driver, used: Mutex::new(Instant::now()) });
        *self.kept() = Some(Arc::clone(&link));
        Ok(link)
    }

    /// Closes a connection that nobody has used for a while.
    fn let_go_if_idle(&self) {
        let mut kept = self.kept();
        let idle = kept.as_ref().is_some_and(|link| {
            let used = *link.used.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::strong_count(link) == 1 && used.elapsed() >= IDLE
        });
        if idle && self.shared {
            *kept = None;
        }
    }
}

/// Says what must be said before a connection can be used.
async fn open<S>(
    identity: &RedisConnectionInfo,
    stream: S,
    config: AsyncConnectionConfig,
) -> Result<(MultiplexedConnection, impl Future<Output = ()> + Send + 'static), Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let stream = Measured::new(stream, Replies::default(), Exceeded::default());
    MultiplexedConnection::new_with_config(identity, stream, config).await.map_err(|error| Error::other(&error))
}

/// Drives a connection until it is lost, or of no use to anybody.
async fn keep(driver: impl Future<Output = ()>, slot: Weak<Slot>) {
    let mut driver = pin!(driver);
    let mut looks = tokio::time::interval(IDLE);
    loop {
        tokio::select! {
            () = &mut driver => return,
            _ = looks.tick() => match slot.upgrade() {
                Some(slot) => slot.let_go_if_idle(),
                None => return,
            },
        }
    }
}
