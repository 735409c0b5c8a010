//! TLS to PostgreSQL servers: whom a connection trusts. What it offers of its own will be part of [`Identity`] too.

use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::host::http::tls::roots;

/// What connections to the same address differ in: those of one identity are never given to who has another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// Certificates that are trusted besides those of the machine, in the order in which they were named.
    added: Vec<CertificateDer<'static>>,
}

/// Certificates that may be trusted besides those of the machine, in bytes.
const MOST_ADDED: usize = 256 * 1024;

impl Identity {
    /// Whether anybody is trusted besides whom the machine trusts.
    pub(super) fn has_roots(&self) -> bool {
        !self.added.is_empty()
    }

    /// Trusts what is below a certificate too.
    ///
    /// # Errors
    /// In words for the guest, if it is none.
    pub(super) fn trust(&mut self, pem: &str) -> Result<(), String> {
        let invalid = |reason: &dyn std::fmt::Display| format!("invalid root certificate: {reason}");
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let found = found.map_err(|error| invalid(&error))?;
        if found.is_empty() {
            return Err(invalid(&"there is no certificate in it"));
        }
        for certificate in &found {
            RootCertStore::empty().add(certificate.clone()).map_err(|error| invalid(&error))?;
        }
        let all = || self.added.iter().chain(&found);
        if all().map(|certificate| certificate.len()).sum::<usize>() > MOST_ADDED {
            return Err(invalid(&format!("there are more than {MOST_ADDED} bytes of them")));
        }
        self.added.extend(found);
        Ok(())
    }

    /// What makes connections of this identity.
    pub(super) async fn connector(&self) -> Result<MakeRustlsConnect, String> {
        let mut roots = machine_roots().await?;
        for certificate in &self.added {
            roots.add(certificate.clone()).map_err(|error| error.to_string())?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(MakeRustlsConnect::new(config))
    }
}

/// The roots that the machine trusts, read once: it takes a while, and reads files.
async fn machine_roots() -> Result<RootCertStore, String> {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    let read = tokio::task::spawn_blocking(|| ROOTS.get_or_init(roots).clone()).await;
    read.map_err(|_| "the certificates of this machine can't be read".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused() {
        let mut identity = Identity::default();
        let wrong = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in ["", "no certificate", wrong] {
            let error = identity.trust(pem).expect_err(pem);
            assert!(error.starts_with("invalid root certificate: "), "{error}");
        }
        assert_eq!(identity, Identity::default());
    }
}
