//! TLS to servers: whom we trust, and what we offer.

use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use spin_app_model::hosts::Destination;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::client_tls::{Identity, Trust};

/// TLS settings, made when the first connection needs them.
pub(crate) struct Tls {
    connector: OnceCell<TlsConnector>,
    trust: Arc<Trust>,
    identity: Option<Identity>,
    /// The protocols to choose from, the best one first. Without any there is nothing to choose.
    protocols: &'static [&'static str],
}

/// Why there is no TLS on a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("the host can't be the name of a certificate")]
    ServerName,
    #[error("{0}")]
    Handshake(String),
}

impl Tls {
    /// The settings of whoever has none of his own.
    pub(crate) fn new(protocols: &'static [&'static str]) -> Self {
        Self::with(protocols, Arc::default(), None)
    }

    pub(super) fn with(protocols: &'static [&'static str], trust: Arc<Trust>, identity: Option<Identity>) -> Self {
        Self { connector: OnceCell::new(), trust, identity, protocols }
    }

    /// A handshake with the server that `destination` names.
    pub(crate) async fn connect<T>(&self, destination: &Destination, transport: T) -> Result<TlsStream<T>, TlsError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let name = match (destination.address(), destination.name()) {
            (Some(address), _) => ServerName::from(address),
            (None, Some(name)) => ServerName::try_from(name.clone()).map_err(|_| TlsError::ServerName)?,
            (None, None) => return Err(TlsError::ServerName),
        };
        let failed = |reason: &dyn std::fmt::Display| TlsError::Handshake(reason.to_string());
        let connector = self.connector.get_or_try_init(|| async {
            let (protocols, trust, identity) = (self.protocols, Arc::clone(&self.trust), self.identity.clone());
            // Reading the platform's certificates takes a while, and reads files.
            let config = tokio::task::spawn_blocking(move || client_config(protocols, &trust, identity)).await;
            let config = config.map_err(|error| failed(&error))?;
            Ok(TlsConnector::from(Arc::new(config.map_err(|error| failed(&error))?)))
        });
        connector.await?.connect(name, transport).await.map_err(|error| failed(&error))
    }
}

fn client_config(protocols: &[&str], trust: &Trust, identity: Option<Identity>) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots_of(trust));
    let mut config = match identity {
        Some(identity) => {
            let resolver: Arc<dyn ResolvesClientCert> = Arc::new(SingleCertAndKey::from(identity.certified_key()));
            builder.with_client_cert_resolver(resolver)
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Ok(config)
}

/// What is trusted by whoever chooses nothing: what the platform trusts, and the roots that browsers do, because a container
/// often has no certificates of its own. Reading them takes a while, and reads files.
pub(crate) fn roots() -> RootCertStore {
    roots_of(&Trust::default())
}

fn roots_of(trust: &Trust) -> RootCertStore {
    let mut roots = RootCertStore { roots: trust.own_roots().to_vec() };
    if trust.webpki {
        roots.roots.extend_from_slice(webpki_roots::TLS_SERVER_ROOTS);
    }
    if trust.platform {
        let platform = rustls_native_certs::load_native_certs();
        for error in &platform.errors {
            tracing::warn!("a certificate of the platform can't be read: {error}");
        }
        // One that can't be parsed is none; the others count.
        roots.add_parsable_certificates(platform.certs);
    }
    roots
}
