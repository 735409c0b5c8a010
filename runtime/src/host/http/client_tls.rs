//! What the operator says about TLS of some components to some hosts: whom to trust, and what to show.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, TrustAnchor};
use rustls::sign::CertifiedKey;
use spin_app_model::ComponentId;
use spin_app_model::hosts::Destination;

/// TLS of some components to some hosts. Connections made with it are shared by no one else.
#[derive(Clone, Debug)]
pub struct ClientTls {
    /// Whose.
    pub components: Vec<ComponentId>,
    /// The hosts, by name or address; scheme and port don't count.
    pub hosts: Vec<Destination>,
    /// Whom to trust.
    pub trust: Arc<Trust>,
    /// What is shown to a server that asks. Without one nothing is.
    pub identity: Option<Identity>,
}

impl ClientTls {
    pub(super) fn is_for(&self, component: &ComponentId, destination: &Destination) -> bool {
        let same = |host: &Destination| host.name() == destination.name() && host.address() == destination.address();
        self.components.contains(component) && self.hosts.iter().any(same)
    }
}

/// Which authorities a server's certificate may be of.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Those that the platform trusts. Default: yes.
    pub platform: bool,
    /// Those that browsers trust. Default: yes.
    pub webpki: bool,
    own: Vec<TrustAnchor<'static>>,
}

impl Default for Trust {
    fn default() -> Self {
        Self { platform: true, webpki: true, own: Vec::new() }
    }
}

/// A certificate with the key to it.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

/// Why certificates or keys can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientTlsError {
    /// The text holds something broken.
    #[error("it is no PEM: {0}")]
    Pem(String),
    /// The text holds no such thing.
    #[error("it holds no {0}")]
    Nothing(&'static str),
    /// A certificate that is none, or a key that doesn't belong to its certificate.
    #[error("{0}")]
    Unusable(rustls::Error),
}

impl Trust {
    /// Trust in none but those of a bundle: certificates in PEM. Fields add others.
    ///
    /// # Errors
    /// When there is none in it, or one that can't be read.
    pub fn of_bundle(pem: &[u8]) -> Result<Self, ClientTlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(pem)? {
            roots.add(certificate).map_err(ClientTlsError::Unusable)?;
        }
        Ok(Self { platform: false, webpki: false, own: roots.roots })
    }

    pub(super) fn own_roots(&self) -> &[TrustAnchor<'static>] {
        &self.own
    }
}

impl Identity {
    /// A certificate with its chain, and its key, both in PEM.
    ///
    /// # Errors
    /// When one of them can't be read, or they don't belong together.
    pub fn new(chain: &[u8], key: &[u8]) -> Result<Self, ClientTlsError> {
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => ClientTlsError::Nothing("private key"),
            error => ClientTlsError::Pem(error.to_string()),
        })?;
        let provider = rustls::crypto::ring::default_provider();
        let certified = CertifiedKey::from_der(certificates(chain)?, key, &provider);
        Ok(Self(Arc::new(certified.map_err(ClientTlsError::Unusable)?)))
    }

    pub(super) fn certified_key(&self) -> CertifiedKey {
        CertifiedKey::clone(&self.0)
    }
}

// The key is a secret.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ClientTlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found.map_err(|error| ClientTlsError::Pem(error.to_string()))? {
        none if none.is_empty() => Err(ClientTlsError::Nothing("certificate")),
        certificates => Ok(certificates),
    }
}
