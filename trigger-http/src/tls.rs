//! The certificate that the server shows: read at start, and again when its files change.
//!
//! Files on disk, read only: a PEM file with the chain of certificates, the server's own first, and one with its private
//! key, as PKCS#8, PKCS#1 or SEC1.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use spin_trigger_kit::tokio::io::{AsyncRead, AsyncWrite};
use spin_trigger_kit::tokio::sync::watch;
use spin_trigger_kit::tokio::{fs, time};
use spin_trigger_kit::tracing;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What a client may choose from, the best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Where certificate and key are.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// The certificates, `--tls-cert`.
    pub certificates: PathBuf,
    /// The key, `--tls-key`.
    pub key: PathBuf,
}

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read.
    #[error("cannot read {option} {}: {error}", path.display())]
    Read {
        /// Which of the two.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A file is not what it should be.
    #[error("{option} {}: {problem}", path.display())]
    Form {
        /// Which of the two.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Both are well-formed, but not for each other.
    #[error("--tls-cert {} and --tls-key {}: {problem}", files.certificates.display(), files.key.display())]
    Pair {
        /// The two files.
        files: CertificateFiles,
        /// What is wrong with the pair.
        problem: String,
    },
}

/// By what a change of a file is seen; none if it can't be looked at.
type Stamp = Option<(i64, i64, u64, u64)>;

/// The server's side of TLS.
pub struct Tls {
    files: CertificateFiles,
    loaded: [Stamp; 2],
    config: watch::Sender<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they can't be read or used.
    pub async fn load(files: CertificateFiles) -> Result<Self, TlsError> {
        // Before reading: a change during that is seen afterwards.
        let loaded = files.stamps().await;
        let config = watch::Sender::new(Arc::new(files.read().await?));
        Ok(Self { files, loaded, config })
    }

    /// A handshake with the certificate of now.
    ///
    /// # Errors
    /// Whatever the client does wrong.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        let config = Arc::clone(&self.config.borrow());
        TlsAcceptor::from(config).accept(stream).await
    }

    /// Follows changes of the files for ever. New connections get the new certificate; if it can't be used, the old one
    /// stays, and that is said once.
    pub async fn follow(&self) {
        let mut loaded = self.loaded;
        let mut seen = loaded;
        loop {
            time::sleep(LOOK).await;
            let now = self.files.stamps().await;
            // Two files are not replaced at once: what has changed must have stayed so since the last look.
            let settled = std::mem::replace(&mut seen, now) == now;
            if now == loaded || !settled {
                continue;
            }
            loaded = now;
            match self.files.read().await {
                Ok(config) => {
                    self.config.send_replace(Arc::new(config));
                    tracing::info!("certificate {} was read again", self.files.certificates.display());
                }
                Err(error) => tracing::warn!("the certificate has changed, but the old one stays in use: {error}"),
            }
        }
    }
}

impl CertificateFiles {
    async fn stamps(&self) -> [Stamp; 2] {
        let stamp = async |path| {
            let file = fs::metadata(path).await.ok()?;
            Some((file.mtime(), file.mtime_nsec(), file.size(), file.ino()))
        };
        [stamp(&self.certificates).await, stamp(&self.key).await]
    }

    async fn read(&self) -> Result<ServerConfig, TlsError> {
        const CERT: &str = "--tls-cert";
        const KEY: &str = "--tls-key";
        let read = async |option, path: &PathBuf| {
            fs::read(path).await.map_err(|error| TlsError::Read { option, path: path.clone(), error })
        };
        let form = |option, path: &PathBuf, problem: String| TlsError::Form { option, path: path.clone(), problem };
        let text = read(CERT, &self.certificates).await?;
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .map_err(|error| form(CERT, &self.certificates, format!("not a PEM file: {error}")))?;
        if certificates.is_empty() {
            return Err(form(CERT, &self.certificates, "no certificate is in it".to_owned()));
        }
        let text = read(KEY, &self.key).await?;
        let key =
            PrivateKeyDer::from_pem_slice(&text).map_err(|error| form(KEY, &self.key, key_problem(&text, &error)))?;
        let provider = rustls::crypto::ring::default_provider();
        if let Err(error) = provider.key_provider.load_private_key(key.clone_key()) {
            return Err(form(KEY, &self.key, error.to_string()));
        }
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
            .map_err(|error| TlsError::Pair { files: self.clone(), problem: pair_problem(&error) })?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(config)
    }
}

fn key_problem(text: &[u8], error: &pem::Error) -> String {
    let encrypted =
        |line: &[u8]| line.starts_with(b"-----BEGIN ENCRYPTED") || line.starts_with(b"Proc-Type: 4,ENCRYPTED");
    if text.split(|b| *b == b'\n').any(encrypted) {
        return "the key is encrypted, and there is nobody to ask for a password; give it decrypted".to_owned();
    }
    match error {
        pem::Error::NoItemsFound => {
            "no private key is in it; it must be PEM with a key of the kind PKCS#8, PKCS#1 or SEC1".to_owned()
        }
        error => format!("not a PEM file: {error}"),
    }
}

fn pair_problem(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            "the key is not that of the first certificate; the server's own must come first in its chain".to_owned()
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use spin_trigger_kit::tokio::runtime::Runtime;

    use super::*;

    fn problem(certificates: &[u8], key: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let files =
            CertificateFiles { certificates: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        std::fs::write(&files.certificates, certificates).unwrap();
        std::fs::write(&files.key, key).unwrap();
        let error = Runtime::new().unwrap().block_on(Tls::load(files)).err().unwrap();
        error.to_string().replace(folder.path().to_str().unwrap(), "…")
    }

    /// Well-formed PEM; nothing here looks into a certificate before the key is there.
    const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    #[test]
    fn what_is_wrong_is_said_with_the_file() {
        let none = "--tls-key …/key.pem: no private key is in it; it must be PEM with a key of the kind PKCS#8, PKCS#1 or SEC1";
        assert_eq!(problem(b"", b""), "--tls-cert …/cert.pem: no certificate is in it");
        assert!(problem(b"-----BEGIN CERTIFICATE-----\nAAAA\n", b"").contains("--tls-cert …/cert.pem: not a PEM file"));
        assert_eq!(problem(CERTIFICATE, b""), none);
        assert_eq!(problem(CERTIFICATE, CERTIFICATE), none);
        for head in ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED"]
        {
            let text = problem(CERTIFICATE, head.as_bytes());
            assert!(text.starts_with("--tls-key …/key.pem: the key is encrypted"), "{text}");
        }
        let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let text = problem(CERTIFICATE, key);
        assert!(text.starts_with("--tls-key …/key.pem: "), "{text}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let files = CertificateFiles { certificates: "/no/such/cert.pem".into(), key: "/no/such/key.pem".into() };
        let error = Runtime::new().unwrap().block_on(Tls::load(files)).err().unwrap();
        assert!(error.to_string().starts_with("cannot read --tls-cert /no/such/cert.pem: "), "{error}");
    }
}
