//! The one gate for everything that components send out of the process.
//!
//! A client asks [`Gate::check`] whether the component may reach a destination at all, then lets [`Egress::connect`]
//! make the connection: it looks the name up, drops addresses in blocked networks, waits for a place, and connects to
//! an address that it has checked. There is no second look-up in between that could have another answer.

mod blocked;
mod gate;
mod places;
mod resolve;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use spin_app_model::hosts::Destination;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::told::Told;

pub use blocked::Blocked;
pub(crate) use gate::{Gate, Refused};
pub(crate) use places::Place;
use places::Places;
use resolve::{LookUps, Resolve, SystemResolver, Unresolved};

/// What can be chosen about connections out of the process.
#[derive(Clone, Debug, Default)]
pub struct EgressOptions {
    /// Networks that no component may reach. Default: none. Looked at after names have been looked up.
    pub blocked: Vec<Blocked>,
    /// How many connections all components have open at once; whoever wants one more waits. Default: no limit.
    pub max_connections: Option<usize>,
    /// How many of them may be TCP connections of raw sockets; whoever wants one more waits. Default: no limit but the other.
    pub max_socket_connections: Option<usize>,
}

/// Makes connections for all components of an app, or those of one kind ([`Egress::limited`]).
pub(crate) struct Egress {
    shared: Arc<Shared>,
    places: Places,
}

/// What is the same for connections of every kind.
struct Shared {
    blocked: Vec<Blocked>,
    look_ups: LookUps,
    told: Told,
}

/// Why there is no connection to a destination that the component may reach.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("no address for {destination}: {reason}")]
    Dns { destination: String, reason: String },
    #[error("no address for {destination} yet: looking it up takes more than {} seconds", waited.as_secs_f32())]
    DnsTimeout { destination: String, waited: Duration },
    #[error("{destination} is in a blocked network")]
    Blocked { destination: String },
    #[error("can't connect to {destination}: {source}")]
    Connect { destination: String, source: io::Error },
}

impl Egress {
    pub(crate) fn new(options: &EgressOptions) -> Self {
        Self::with_resolver(options, SystemResolver)
    }

    fn with_resolver(options: &EgressOptions, resolver: impl Resolve) -> Self {
        let shared =
            Shared { blocked: options.blocked.clone(), look_ups: LookUps::new(resolver), told: Told::default() };
        Self { shared: Arc::new(shared), places: Places::new(options.max_connections) }
    }

    /// For connections of one kind, of which there may be so many among all others.
    pub(crate) fn limited(&self, most: Option<usize>) -> Arc<Self> {
        Arc::new(Self { shared: Arc::clone(&self.shared), places: self.places.within(most) })
    }

    /// Whether the number of connections is bounded, so that idle ones may keep others from getting one.
    pub(crate) fn is_bounded(&self) -> bool {
        self.places.are_bounded()
    }

    /// A connection to a destination that a [`Gate`] has let through. It keeps its place while it is open.
    pub(crate) async fn connect(&self, destination: &Destination) -> Result<Connection, ConnectError> {
        let addresses = self.addresses(destination).await?;
        let place = self.places.take().await;
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Requests are written whole; waiting for more to send would only add delay.
                    let _ = stream.set_nodelay(true);
                    return Ok(Connection { stream, _place: place });
                }
                Err(error) => failure = error,
            }
        }
        Err(ConnectError::Connect { destination: shown(destination), source: failure })
    }

    /// The same for a client that connects by itself, to nothing but these addresses. The place is kept while it does.
    pub(crate) async fn resolve(&self, destination: &Destination) -> Result<(Vec<SocketAddr>, Place), ConnectError> {
        let addresses = self.addresses(destination).await?;
        Ok((addresses, self.places.take().await))
    }

    /// A place for a connection that somebody else makes. It is kept while that is open.
    pub(crate) async fn place(&self) -> Place {
        self.places.take().await
    }

    /// Whether an address is in a blocked network. The user is told, once.
    pub(crate) fn blocks(&self, destination: &Destination, address: IpAddr) -> bool {
        let is_blocked = self.is_blocked(address);
        if is_blocked {
            self.tell_of_blocked(&shown(destination));
        }
        is_blocked
    }

    /// The same for what comes in unasked, of which nobody is told.
    pub(crate) fn is_blocked(&self, address: IpAddr) -> bool {
        self.shared.blocked.iter().any(|blocked| blocked.covers(address))
    }

    fn tell_of_blocked(&self, destination: &str) {
        if self.shared.told.is_first(destination) {
            tracing::error!("connection to {destination} refused: it is in a blocked network");
        }
    }

    /// The addresses of a destination, with its port, that are not blocked; at least one.
    async fn addresses(&self, destination: &Destination) -> Result<Vec<SocketAddr>, ConnectError> {
        let no_port = || ConnectError::Dns { destination: shown(destination), reason: "it names no port".to_owned() };
        let port = destination.port().ok_or_else(no_port)?;
        let found = self.look_up(destination).await?;
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    /// The addresses of a destination's host that are not blocked; at least one.
    pub(crate) async fn look_up(&self, destination: &Destination) -> Result<Vec<IpAddr>, ConnectError> {
        let dns = |reason: &str| ConnectError::Dns { destination: shown(destination), reason: reason.to_owned() };
        let found: Vec<IpAddr> = match (destination.address(), destination.name()) {
            (Some(address), _) => vec![address],
            (None, Some(name)) => {
                self.shared.look_ups.addresses(name.clone()).await.map_err(|unresolved| match unresolved {
                    Unresolved::Failed(reason) => dns(&reason),
                    Unresolved::Late(waited) => ConnectError::DnsTimeout { destination: shown(destination), waited },
                })?
            }
            (None, None) => Vec::new(),
        };
        if found.is_empty() {
            return Err(dns("the name has none"));
        }
        let open: Vec<IpAddr> = found.into_iter().filter(|address| !self.is_blocked(*address)).collect();
        if open.is_empty() {
            let destination = shown(destination);
            self.tell_of_blocked(&destination);
            return Err(ConnectError::Blocked { destination });
        }
        Ok(open)
    }
}

/// An open connection, with its place.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    _place: Place,
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The host as a certificate has it; none of the app itself.
pub(crate) fn host(destination: &Destination) -> Option<String> {
    destination.address().map(|address| address.to_string()).or_else(|| destination.name().cloned())
}

/// Host and port as a URL has them, without the usual port of the scheme.
pub(crate) fn authority(destination: &Destination) -> String {
    let host = match (destination.address(), destination.name()) {
        (Some(IpAddr::V6(address)), _) => format!("[{address}]"),
        (Some(address), _) => address.to_string(),
        (None, Some(name)) => name.clone(),
        (None, None) => "self".to_owned(),
    };
    match destination.port() {
        Some(port) if spin_app_model::hosts::usual_port(destination.scheme()) != Some(port) => format!("{host}:{port}"),
        _ => host,
    }
}

/// A destination as messages and manifests write it.
fn shown(destination: &Destination) -> String {
    format!("{}://{}", destination.scheme(), authority(destination))
}

#[cfg(test)]
pub(crate) mod tests;
