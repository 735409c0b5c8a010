//! A real client of both versions of HTTP, in plain text and over TLS, for what the harness's byte-level one can't.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use spin_tests::output::PATIENCE;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

pub(crate) type Body = BoxBody<Bytes, Infallible>;
pub(crate) type Http2 = http2::SendRequest<Body>;

/// A whole response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// Runs a test's conversation, which must end in time.
pub(crate) fn converse<T>(conversation: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, conversation).await.expect("it comes to an end") })
}

pub(crate) fn empty() -> Body {
    Empty::new().boxed()
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed()
}

/// A body that is sent part by part.
pub(crate) fn parts() -> (Sender<Bytes, Infallible>, Body) {
    let (sender, body) = Channel::new(1);
    (sender, body.boxed())
}

/// HTTP/2 in plain text, by prior knowledge.
pub(crate) async fn http2(address: SocketAddr) -> Http2 {
    http2_over(TcpStream::connect(address).await.unwrap()).await
}

/// HTTP/2 over any stream.
pub(crate) async fn http2_over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Http2 {
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

/// HTTP/1.1 over any stream.
pub(crate) async fn http1_over(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> http1::SendRequest<Body> {
    let (client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A TLS connection to `localhost` that trusts the authority `root` and offers `protocols`.
pub(crate) async fn tls(address: SocketAddr, root: &Path, protocols: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
}

pub(crate) fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(empty()).unwrap()
}

/// Reads a response to its end.
pub(crate) async fn read(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer { status: head.status, headers: head.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
}

/// A request on an HTTP/2 connection, and its response.
pub(crate) async fn ask(client: &mut Http2, request: Request<Body>) -> Answer {
    client.ready().await.unwrap();
    read(client.send_request(request).await.unwrap()).await
}
