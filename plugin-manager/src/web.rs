//! Asking servers on the web: what may be followed, what may be shown to whom, how long and how much.
//!
//! | | |
//! |---|---|
//! | redirects | at most five, never from https to http, never to this machine or its local network |
//! | credentials | only to the host they are for, only over TLS, never after a redirect to another host |
//! | answers | only whole ones: no part (206), and "you have it already" (304) only if we said so |
//! | time | 10 s to connect, 30 s of silence, and a total for each request |
//! | proxies | those of the environment |

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Response, StatusCode};
use url::{Host, Url};

use crate::settings::Network;

const CONNECT: Duration = Duration::from_secs(10);

/// A server that sends nothing for so long is given up.
const SILENCE: Duration = Duration::from_secs(30);

const MAX_REDIRECTS: usize = 5;

/// Something that is shown to a server and to nobody else.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a server wants to see before it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The server: `example.org`, or `example.org:8443` if the port is not that of https.
    pub host: String,
    /// The value of the `Authorization` header, as it is.
    pub authorization: Secret,
}

impl Credential {
    /// Whether this may be shown to the server of `url`.
    fn is_for(&self, url: &Url) -> bool {
        let Some(host) = url.host_str().filter(|_| url.scheme() == "https") else { return false };
        let port = url.port_or_known_default().unwrap_or_default();
        let (wanted, wanted_port) = match self.host.rsplit_once(':') {
            Some((name, digits)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                (name, digits.parse().ok())
            }
            _ => (self.host.as_str(), Some(443)),
        };
        host.eq_ignore_ascii_case(wanted) && wanted_port == Some(port)
    }
}

/// The way to the web. Clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Web {
    network: Network,
    credentials: Vec<Credential>,
    silence: Duration,
    /// Made when it is first needed: most commands never do.
    client: Arc<OnceLock<Client>>,
}

impl Web {
    pub(crate) fn new(network: Network, credentials: Vec<Credential>) -> Self {
        Self { network, credentials, silence: SILENCE, client: Arc::default() }
    }

    /// The same with less patience.
    #[cfg(test)]
    pub(crate) fn impatient(silence: Duration) -> Self {
        Self { silence, ..Self::new(Network::Online, Vec::new()) }
    }

    /// Adds a credential for one host.
    pub(crate) fn with(mut self, credential: Credential) -> Self {
        self.credentials.insert(0, credential);
        self
    }

    /// Asks for `url`; `total` is for the whole answer. Gives one with status 200, or 304 if `conditions` permit it.
    pub(crate) async fn get(&self, url: &Url, conditions: HeaderMap, total: Duration) -> Result<Response, WebError> {
        let failed = |error| WebError::failed(url, error);
        let conditional = !conditions.is_empty();
        let mut request = self.client(url)?.get(url.clone()).headers(conditions).timeout(total);
        if let Some(credential) = self.credentials.iter().find(|credential| credential.is_for(url)) {
            let value = HeaderValue::from_str(&credential.authorization.0);
            let mut value = value.map_err(|_| WebError::Credential { host: credential.host.clone() })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let response = request.send().await.map_err(failed)?;
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::NOT_MODIFIED if conditional => Ok(response),
            status => Err(WebError::Status(Box::new(url.clone()), status.as_u16())),
        }
    }

    /// The body of `url`, `limit` bytes at most.
    pub(crate) async fn bytes(&self, url: &Url, limit: u64, total: Duration) -> Result<Vec<u8>, WebError> {
        let response = self.get(url, HeaderMap::new(), total).await?;
        body(url, response, limit).await
    }

    /// As [`bytes`](Self::bytes); `None` if the server says that there is no such thing.
    pub(crate) async fn bytes_if_any(
        &self,
        url: &Url,
        limit: u64,
        total: Duration,
    ) -> Result<Option<Vec<u8>>, WebError> {
        match self.bytes(url, limit, total).await {
            Err(WebError::Status(_, 404 | 410)) => Ok(None),
            got => got.map(Some),
        }
    }

    fn client(&self, url: &Url) -> Result<&Client, WebError> {
        if self.network == Network::Offline {
            return Err(WebError::Offline(Box::new(url.clone())));
        }
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(WebError::NoTls);
        }
        let client = Client::builder()
            .user_agent(concat!("spin/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::custom(redirect))
            .connect_timeout(CONNECT)
            .read_timeout(self.silence)
            .build()
            .map_err(|error| WebError::failed(url, error))?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// The body of an answer from `url`, `limit` bytes at most.
pub(crate) async fn body(url: &Url, mut response: Response, limit: u64) -> Result<Vec<u8>, WebError> {
    let too_large = || WebError::TooLarge { from: url.to_string(), limit };
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| WebError::failed(url, error))? {
        if bytes.len() as u64 + chunk.len() as u64 > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Whether nobody on the way can read or change what is exchanged with `url`: TLS, or this very machine.
pub(crate) fn is_protected(url: &Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

/// Follows redirects that lead to a place as trustworthy as the one that was asked.
fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    match obstacle(attempt.previous(), attempt.url()) {
        Some(problem) => attempt.error(problem),
        None => attempt.follow(),
    }
}

/// Why a redirect is not followed.
fn obstacle(previous: &[Url], to: &Url) -> Option<&'static str> {
    let from = previous.last();
    if previous.len() > MAX_REDIRECTS {
        Some("too many redirects")
    } else if !matches!(to.scheme(), "http" | "https") {
        Some("redirect to something that is neither http nor https")
    } else if from.is_some_and(|from| from.scheme() == "https") && to.scheme() != "https" {
        Some("redirect from https to http")
    } else if is_local(to) && !from.is_some_and(is_local) {
        Some("redirect to this machine or its local network")
    } else {
        None
    }
}

/// Whether a URL names this machine or a private network by its address or as `localhost`.
fn is_local(url: &Url) -> bool {
    let address = match url.host() {
        None => return true,
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            return name == "localhost" || name.ends_with(".localhost");
        }
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4),
    };
    match address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified()
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
}

/// Something could not be had from the web.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// The network must not be used.
    #[error("{0} is not on this machine, and the network is not used: --offline or SPIN_OFFLINE says so")]
    Offline(Box<Url>),
    /// The server answered something else.
    #[error("the server answered {1} for {0}; check the address, or try again later")]
    Status(Box<Url>, u16),
    /// More bytes than there may be.
    #[error("what is at {from} is larger than {limit} bytes and was not fetched to its end")]
    TooLarge {
        /// Where it is.
        from: String,
        /// The bytes it may have.
        limit: u64,
    },
    /// The connection failed.
    #[error("could not download {}: {}; check the network and try again", .0, chain(.1.as_ref()))]
    Failed(Box<Url>, #[source] Box<reqwest::Error>),
    /// A credential that no header can carry.
    #[error("the authorization for {host} cannot be sent: it has characters that a header cannot hold")]
    Credential {
        /// The server it is for.
        host: String,
    },
    /// The program that uses this library has not chosen an implementation of TLS.
    #[error("this program cannot download anything: it was built without tls")]
    NoTls,
}

impl WebError {
    pub(crate) fn failed(url: &Url, error: reqwest::Error) -> Self {
        Self::Failed(Box::new(url.clone()), Box::new(error.without_url()))
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Offline(_) => "web::offline",
            Self::Status(..) => "web::status",
            Self::TooLarge { .. } => "web::too-large",
            Self::Failed(..) => "web::failed",
            Self::Credential { .. } => "web::bad-credential",
            Self::NoTls => "web::no-tls",
        }
    }
}

/// An error with its causes; those of the network say little in their first line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
