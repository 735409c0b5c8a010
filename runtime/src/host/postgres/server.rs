//! One server as an address names it, and new connections to it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use spin_app_model::hosts::Destination;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{CancelToken, Client, Config, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error;
use super::session::Session;
use super::tls::Identity;
use super::wire::{Counted, Messages};
use crate::host::connections::LONGEST_ADDRESS;
use crate::host::egress::{self, Connection, Egress, Gate, authority};
use crate::host::measured::{Exceeded, Measured};
use crate::host::pools::CONNECT;

/// Hosts that one address may name.
const MOST_HOSTS: usize = 16;

/// Why an address is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum AddressError {
    /// What the driver says doesn't have the address in it, nor its password.
    #[error("the address can't be used: {0}")]
    Unreadable(String),
    #[error("the address is longer than {LONGEST_ADDRESS} bytes")]
    TooLong,
    #[error("the address names no host")]
    NoHost,
    #[error("the address names more than {MOST_HOSTS} hosts")]
    TooManyHosts,
    #[error("the address names no user; write it as postgres://USER@HOST/DATABASE")]
    NoUser,
    #[error("Unix sockets are not supported on WebAssembly")]
    UnixSocket,
    #[error("`hostaddr` is not supported; name the address as `host`")]
    HostAddress,
    #[error("address {0} is not permitted")]
    Denied(String),
}

/// Where connections of one pool go.
pub(super) struct Server {
    config: Config,
    /// All of them were checked; the first that answers is used.
    destinations: Vec<Destination>,
    identity: Identity,
    tls: OnceCell<MakeRustlsConnect>,
    egress: Arc<Egress>,
}

impl Server {
    /// Reads an address, and asks whether all that it names may be reached.
    pub(super) fn new(
        address: &str,
        identity: Identity,
        gate: &Gate,
        egress: &Arc<Egress>,
    ) -> Result<Self, AddressError> {
        if address.len() > LONGEST_ADDRESS {
            return Err(AddressError::TooLong);
        }
        let mut config: Config = address.parse().map_err(|error| AddressError::Unreadable(error::text(&error)))?;
        // It would be connected to instead of the host, which is what the manifest allows.
        if !config.get_hostaddrs().is_empty() {
            return Err(AddressError::HostAddress);
        }
        let (hosts, ports) = (config.get_hosts(), config.get_ports());
        if hosts.is_empty() {
            return Err(AddressError::NoHost);
        }
        if hosts.len() > MOST_HOSTS {
            return Err(AddressError::TooManyHosts);
        }
        if ports.len() > 1 && ports.len() != hosts.len() {
            return Err(AddressError::Unreadable("there are not as many ports as hosts".to_owned()));
        }
        let destination = |(at, host): (usize, &Host)| {
            let Host::Tcp(host) = host else { return Err(AddressError::UnixSocket) };
            let url = match (ports.get(at).or(ports.first()), host.contains(':')) {
                (Some(port), true) => format!("postgres://[{host}]:{port}"),
                (Some(port), false) => format!("postgres://{host}:{port}"),
                (None, true) => format!("postgres://[{host}]"),
                (None, false) => format!("postgres://{host}"),
            };
            gate.check(&url, "postgres").map_err(|_| AddressError::Denied(url))
        };
        let destinations = hosts.iter().enumerate().map(destination).collect::<Result<_, _>>()?;
        // The driver would give the name of the account that this process runs as.
        if config.get_user().is_none_or(str::is_empty) {
            return Err(AddressError::NoUser);
        }
        // Who says whom to trust wants nothing to be said in the open.
        if identity.has_roots() && config.get_ssl_mode() == SslMode::Prefer {
            config.ssl_mode(SslMode::Require);
        }
        Ok(Self { config, destinations, identity, tls: OnceCell::new(), egress: Arc::clone(egress) })
    }

    /// A connection to the first host that gives one of the kind that the address asks for.
    async fn connect(&self) -> Result<Session, String> {
        let tls = self.tls.get_or_try_init(|| self.identity.connector()).await?;
        let end = Instant::now() + CONNECT;
        let mut failure = "the address names no host".to_owned();
        for (tried, destination) in self.destinations.iter().enumerate() {
            // A host that doesn't answer leaves the others their time.
            let hosts = u32::try_from(self.destinations.len() - tried).unwrap_or(u32::MAX);
            let share = end.saturating_duration_since(Instant::now()) / hosts;
            let time = self.config.get_connect_timeout().map_or(share, |asked| share.min(*asked));
            match timeout(time, self.connect_to(destination, tls.clone())).await {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(reason)) => failure = reason,
                Err(_) => failure = format!("no connection to {} within {time:.0?}", authority(destination)),
            }
        }
        Err(failure)
    }

    async fn connect_to(&self, destination: &Destination, mut tls: MakeRustlsConnect) -> Result<Session, String> {
        let stream = self.egress.connect(destination).await.map_err(|error| error.to_string())?;
        let outside = Messages::outside(self.config.get_ssl_mode(), self.config.get_ssl_negotiation());
        let exceeded = Exceeded::default();
        let stream = Measured::new(stream, outside, exceeded.clone());
        let handshake =
            MakeTlsConnect::<Measured<Connection, Messages>>::make_tls_connect(&mut tls, &server_name(destination)?);
        let handshake = handshake.map_err(|error| error.to_string())?;
        let handshake = Counted { tls: handshake, exceeded: exceeded.clone() };
        let connected = self.config.connect_raw(stream, handshake).await;
        let (client, connection) = connected.map_err(|error| error::text(&error))?;
        // Ends with the client, or with the server.
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a connection to a PostgreSQL server ended: {}", error::text(&error));
            }
        });
        let canceller = Canceller {
            token: client.cancel_token(),
            destination: destination.clone(),
            tls,
            egress: Arc::clone(&self.egress),
        };
        let session = Session::new(client, task.abort_handle(), canceller, exceeded);
        self.fits(session.client()).await?;
        Ok(session)
    }

    /// Whether a server that was connected to is of the kind that the address asks for.
    async fn fits(&self, client: &Client) -> Result<(), String> {
        let wanted = match self.config.get_target_session_attrs() {
            TargetSessionAttrs::ReadWrite => "off",
            TargetSessionAttrs::ReadOnly => "on",
            _ => return Ok(()),
        };
        let answer = client.simple_query("SHOW transaction_read_only").await.map_err(|error| error::text(&error))?;
        let found = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        if found == Some(wanted) { Ok(()) } else { Err("the server is not of the kind that is asked for".to_owned()) }
    }
}

impl Manager for Server {
    type Type = Session;
    type Error = String;

    async fn create(&self) -> Result<Session, String> {
        self.connect().await
    }

    async fn recycle(&self, session: &mut Session, _: &Metrics) -> RecycleResult<String> {
        if session.is_as_new().await { Ok(()) } else { Err(RecycleError::message("it is not as new")) }
    }
}

/// The name of the server that was checked, which its certificate must have, whatever else the address says.
fn server_name(destination: &Destination) -> Result<String, String> {
    egress::host(destination).ok_or_else(|| "the app itself is no database server".to_owned())
}

/// Stops what a connection is doing. That takes another connection, to the same server.
pub(super) struct Canceller {
    token: CancelToken,
    destination: Destination,
    tls: MakeRustlsConnect,
    egress: Arc<Egress>,
}

impl Canceller {
    /// Returns when the server has been told, so that what is done on the connection afterwards is not meant.
    pub(super) async fn cancel(&self) -> Result<(), String> {
        let stream = self.egress.connect(&self.destination).await.map_err(|error| error.to_string())?;
        let mut tls = self.tls.clone();
        let handshake = MakeTlsConnect::<UntilClosed>::make_tls_connect(&mut tls, &server_name(&self.destination)?);
        let handshake = handshake.map_err(|error| error.to_string())?;
        let cancelled = self.token.cancel_query_raw(UntilClosed(stream), handshake).await;
        cancelled.map_err(|error| error::text(&error))
    }
}

/// A connection whose end is that the other side has closed it: the server does that when it has passed the request on.
struct UntilClosed(Connection);

impl AsyncRead for UntilClosed {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for UntilClosed {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut ignored = [0; 64];
        loop {
            let mut into = ReadBuf::new(&mut ignored);
            match Pin::new(&mut self.0).poll_read(context, &mut into) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !into.filled().is_empty() => {}
                // However it ends, it has.
                Poll::Ready(_) => return Pin::new(&mut self.0).poll_shutdown(context),
            }
        }
    }
}
