//! New connections of the HTTP client: through the gate, and with TLS where the scheme says so.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use spin_app_model::hosts::Destination;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use super::client_tls::ClientTls;
use super::tls::{Tls, TlsError};
use crate::host::egress::{ConnectError, Egress};

/// Connects to the scheme and authority of a URI that was made from a checked destination.
#[derive(Clone)]
pub(super) struct Connector {
    egress: Arc<Egress>,
    tls: Arc<Tls>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the host can't be the name of a certificate")]
    ServerName,
    #[error("{0}")]
    Tls(String),
}

impl Connector {
    pub(super) fn new(egress: Arc<Egress>, tls: Option<&ClientTls>) -> Self {
        const PROTOCOLS: &[&str] = &["h2", "http/1.1"];
        let tls = match tls {
            Some(tls) => Tls::with(PROTOCOLS, Arc::clone(&tls.trust), tls.identity.clone()),
            None => Tls::new(PROTOCOLS),
        };
        Self { egress, tls: Arc::new(tls) }
    }

    async fn connect(self, uri: Uri) -> Result<Stream, Failure> {
        let scheme = uri.scheme_str().unwrap_or_default();
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let destination = Destination::parse(&format!("{scheme}://{authority}"), scheme)
            .map_err(|error| ConnectError::Dns { destination: authority.to_owned(), reason: error.to_string() })?;
        let connection = self.egress.connect(&destination).await?;
        if scheme != "https" {
            return Ok(Stream::new(connection, false));
        }
        let stream = self.tls.connect(&destination, connection).await.map_err(|error| match error {
            TlsError::ServerName => Failure::ServerName,
            TlsError::Handshake(reason) => Failure::Tls(format!("{authority}: {reason}")),
        })?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Stream::new(stream, http2))
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Stream, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// An open connection, with or without TLS.
pub(super) struct Stream {
    transport: TokioIo<Box<dyn Transport>>,
    http2: bool,
}

impl Stream {
    fn new(transport: impl Transport + 'static, http2: bool) -> Self {
        Self { transport: TokioIo::new(Box::new(transport)), http2 }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        if self.http2 { Connected::new().negotiated_h2() } else { Connected::new() }
    }
}

impl Read for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_read(context, into)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write_vectored(context, parts)
    }
}
