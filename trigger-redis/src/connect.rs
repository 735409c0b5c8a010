//! Connections to a server: for subscriptions, and for commands.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, ConnectionAddr, RedisResult};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use spin_trigger_kit::tokio;
use spin_trigger_kit::tokio::io::{AsyncRead, AsyncWrite};
use spin_trigger_kit::tokio::net::{TcpStream, UnixStream};
use spin_trigger_kit::tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::address::Address;
use crate::backpressure::{Gate, Gated};

/// Why no connection can be encrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The file of `--redis-ca` can't be used.
    #[error("--redis-ca {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// TLS itself can't be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// Makes connections. Cheap to clone.
#[derive(Clone, Default)]
pub struct Connector {
    /// Only there if an address asks for it.
    tls: Option<TlsConnector>,
}

/// A connection for commands, of which several can be under way. Dropping it ends it.
pub struct Commands {
    /// For sending them.
    pub connection: MultiplexedConnection,
    driver: JoinHandle<()>,
}

impl Drop for Commands {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What connections run over.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Connector {
    /// For these addresses. If one of them wants TLS, servers are believed that the system's authorities have certified, or
    /// those in the file `ca`.
    ///
    /// # Errors
    /// When that file can't be used.
    pub fn new<'a>(addresses: impl IntoIterator<Item = &'a Address>, ca: Option<&Path>) -> Result<Self, TrustError> {
        // A wrong file is told of even if nobody needs it.
        let authorities = ca.map(read).transpose()?.unwrap_or_default();
        if !addresses.into_iter().any(Address::is_tls) {
            return Ok(Self::default());
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for certificate in authorities {
            let path = ca.unwrap_or(Path::new("")).to_owned();
            roots.add(certificate).map_err(|error| TrustError::File { path, why: error.to_string() })?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: Some(TlsConnector::from(Arc::new(config))) })
    }

    /// A connection for subscriptions, which reads only while `gate` is open.
    ///
    /// # Errors
    /// When the server can't be reached, or doesn't let this client in.
    pub async fn subscriptions(&self, address: &Address, gate: Gate) -> RedisResult<PubSub> {
        let stream = self.stream(address).await?;
        PubSub::new(address.info().redis_settings(), Gated::new(stream, gate)).await
    }

    /// A connection for commands.
    ///
    /// # Errors
    /// As above.
    pub async fn commands(&self, address: &Address) -> RedisResult<Commands> {
        let stream = self.stream(address).await?;
        // Some commands wait for messages; whoever sends one knows how long it may take.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let settings = address.info().redis_settings();
        let (connection, driver) = MultiplexedConnection::new_with_config(settings, stream, config).await?;
        Ok(Commands { connection, driver: tokio::spawn(driver) })
    }

    async fn stream(&self, address: &Address) -> io::Result<Box<dyn Stream>> {
        let tcp = async |host: &str, port: u16| {
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            Ok::<_, io::Error>(stream)
        };
        match (address.info().addr(), &self.tls) {
            (ConnectionAddr::Tcp(host, port), _) => Ok(Box::new(tcp(host, *port).await?)),
            (ConnectionAddr::TcpTls { host, port, .. }, Some(tls)) => {
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                Ok(Box::new(tls.connect(name, tcp(host, *port).await?).await?))
            }
            (ConnectionAddr::Unix(path), _) => Ok(Box::new(UnixStream::connect(path).await?)),
            _ => Err(io::Error::new(io::ErrorKind::Unsupported, "no connection of this kind was prepared for")),
        }
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let failed = |why: String| TrustError::File { path: path.to_owned(), why };
    let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| failed(format!("it is not PEM: {error}")))?;
    match certificates.is_empty() {
        true => Err(failed("it has no certificate; it must begin with -----BEGIN CERTIFICATE-----".to_owned())),
        false => Ok(certificates),
    }
}
