//! Requests that leave the process: pooled connections, timeouts, and what errors are called.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use http_body_util::BodyExt;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use spin_app_model::launch::env::OUTBOUND_H2C;
use wasmtime_wasi_http::{Error, WasiBody};

use super::client_tls::ClientTls;
use super::connector::{Connector, Failure};
use super::{HttpOptions, Timeouts};
use crate::host::egress::{ConnectError, Egress};
use crate::http::{Progressing, Request, Response};

/// How long a connection is kept for the next request. With a bounded number of connections not long: somebody else may
/// wait for its place.
const IDLE: Duration = Duration::from_secs(90);
const IDLE_WHERE_BOUNDED: Duration = Duration::from_millis(200);

/// Connections that are made with the same TLS settings, by scheme and authority. Clients with others must not share them: a
/// connection that was made with one component's certificate is not another's to use.
pub(super) struct HttpClient {
    /// HTTP/1.1, or over TLS what the server prefers of that and HTTP/2.
    negotiated: Client<Connector, WasiBody>,
    /// HTTP/2 without TLS, for the one authority that is known to speak it.
    prior_knowledge: Option<(String, Client<Connector, WasiBody>)>,
}

impl HttpClient {
    pub(super) fn new(egress: Arc<Egress>, options: &HttpOptions, tls: Option<&ClientTls>) -> Self {
        let idle = if egress.is_bounded() { IDLE_WHERE_BOUNDED } else { IDLE };
        let kept = if options.connection_pooling { usize::MAX } else { 0 };
        let connector = Connector::new(egress, tls);
        let client = |http2_only| {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(idle)
                .pool_max_idle_per_host(kept)
                .http2_only(http2_only)
                .build(connector.clone())
        };
        let prior_knowledge = std::env::var(OUTBOUND_H2C).ok().map(|authority| (authority, client(true)));
        Self { negotiated: client(false), prior_knowledge }
    }

    /// Sends a request whose URI was made from a destination that a gate has let through. Its `Host` must be absent: the
    /// client sets it.
    pub(super) async fn send(&self, mut request: Request, timeouts: Timeouts) -> Result<Response, Error> {
        let uri = request.uri();
        let client = match &self.prior_knowledge {
            Some((known, client))
                if uri.scheme() == Some(&Scheme::HTTP)
                    && uri.authority().is_some_and(|authority| authority == known.as_str()) =>
            {
                client
            }
            _ => &self.negotiated,
        };
        let mut connection = capture_connection(&mut request);
        let too_slow = async {
            let connected = connection.wait_for_connection_metadata();
            if tokio::time::timeout(timeouts.connect, connected).await.is_ok() {
                std::future::pending::<()>().await;
            }
        };
        let response = tokio::select! {
            response = tokio::time::timeout(timeouts.first_byte, client.request(request)) => response,
            () = too_slow => return Err(Error::ConnectionTimeout),
        };
        match response {
            Ok(Ok(response)) => Ok(response.map(|body| {
                let body = body.map_err(|error| protocol_error(&error));
                Progressing::<_, Error>::new(body, timeouts.between_bytes).boxed_unsync()
            })),
            Ok(Err(error)) => Err(explain(&error)),
            Err(_) => Err(Error::ConnectionReadTimeout),
        }
    }
}

/// What the guest is told, by the table of the public HTTP trigger.
fn explain(error: &ClientError) -> Error {
    match find::<Failure>(error) {
        Some(Failure::Connect(ConnectError::Dns { .. })) => address_not_available(),
        Some(Failure::Connect(ConnectError::DnsTimeout { .. })) => Error::DnsTimeout,
        Some(Failure::Connect(ConnectError::Blocked { .. })) => Error::DestinationIpProhibited,
        Some(Failure::Connect(ConnectError::Connect { .. })) => Error::ConnectionRefused,
        Some(Failure::ServerName) => Error::DnsError { rcode: Some("invalid dns name".to_owned()), info_code: Some(0) },
        Some(Failure::Tls(reason)) => {
            tracing::warn!("TLS: {reason}");
            Error::TlsProtocolError
        }
        None => protocol_error(error),
    }
}

/// An error of the exchange itself. Where it was the body of the request that failed, that tells more.
fn protocol_error(error: &(dyn StdError + 'static)) -> Error {
    match find::<Error>(error) {
        Some(Error::HttpRequestBodySize(size)) => Error::HttpRequestBodySize(*size),
        _ => {
            tracing::debug!("outbound HTTP: {error:?}");
            Error::HttpProtocolError
        }
    }
}

pub(super) fn address_not_available() -> Error {
    Error::DnsError { rcode: Some("address not available".to_owned()), info_code: Some(0) }
}

/// The first error of a type among an error and its causes.
fn find<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
