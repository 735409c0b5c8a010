//! What a component wants to connect to.

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

use super::{network, usual_port};

/// Bytes of a scheme, so that none fills a log; known ones are much shorter.
const LONGEST_SCHEME: usize = 64;

/// A destination in the one form in which it is compared.
///
/// Whoever checks a destination must also connect to *it*, and not read the same text once more with another parser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    scheme: String,
    target: Target,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Own,
    Name(String),
    Address(IpAddr),
}

/// Why a text is no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DestinationError {
    /// It is not a URL, nor the rest of one behind its scheme.
    #[error("{text:?} is not an address that can be connected to: {reason}")]
    NoUrl {
        /// The text as given.
        text: String,
        /// What the URL parser says.
        reason: String,
    },
}

impl DestinationError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoUrl { .. } => "destination::no-url",
        }
    }
}

impl Destination {
    /// Reads a URL, or a URL without its scheme, which then is `default_scheme`.
    ///
    /// # Errors
    ///
    /// When it is neither.
    pub fn parse(text: &str, default_scheme: &str) -> Result<Self, DestinationError> {
        let no_url = |reason: String| DestinationError::NoUrl { text: text.to_owned(), reason };
        // `localhost:6379` reads as a URL of the scheme `localhost`, so it is not the URL parser that decides.
        let url = if has_scheme(text) { Url::parse(text) } else { Url::parse(&format!("{default_scheme}://{text}")) };
        let url = url.map_err(|error| no_url(error.to_string()))?;
        if url.scheme().len() > LONGEST_SCHEME {
            return Err(no_url(format!("its scheme has more than {LONGEST_SCHEME} bytes")));
        }
        let target = match url.host() {
            // For schemes it does not know, the URL parser leaves the host as it is.
            Some(Host::Domain(name)) => target(name).map_err(no_url)?,
            Some(Host::Ipv4(address)) => Target::Address(address.into()),
            Some(Host::Ipv6(address)) => Target::Address(network::canonical(address.into())),
            None => return Err(no_url("it has no host".to_owned())),
        };
        let port = url.port().or_else(|| usual_port(url.scheme()));
        Ok(Self { scheme: url.scheme().to_owned(), target, port })
    }

    /// An address, as sockets have it; the scheme is `tcp` or `udp` by convention.
    #[must_use]
    pub fn at(scheme: &str, address: SocketAddr) -> Self {
        let target = Target::Address(network::canonical(address.ip()));
        Self { scheme: scheme.to_owned(), target, port: Some(address.port()) }
    }

    /// The application itself, as in a request for a path without a host.
    #[must_use]
    pub fn own(scheme: &str) -> Self {
        Self { scheme: scheme.to_owned(), target: Target::Own, port: None }
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether it is the application itself.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.target == Target::Own
    }

    /// The name to look up, if it is given by name.
    #[must_use]
    pub fn name(&self) -> Option<&String> {
        match &self.target {
            Target::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The address, if it is given by address.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match &self.target {
            Target::Address(address) => Some(*address),
            _ => None,
        }
    }

    /// The port: the one given, else the usual one of the scheme, if it has one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

/// Whether a text begins with a scheme and `://`. What does and is no URL must not be read as something else.
fn has_scheme(text: &str) -> bool {
    let of_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    text.trim_start().trim_start_matches(of_scheme).starts_with("://")
}

fn target(name: &str) -> Result<Target, String> {
    match super::parse::literal_host(name)? {
        Host::Domain(name) => Ok(Target::Name(name)),
        Host::Ipv4(address) => Ok(Target::Address(address.into())),
        Host::Ipv6(address) => Ok(Target::Address(network::canonical(address.into()))),
    }
}
