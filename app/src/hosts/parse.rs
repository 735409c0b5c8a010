//! The grammar of an entry, and what is wrong with what does not follow it.

use std::net::IpAddr;

use url::Host;

use super::network::Network;
use super::{AllowedHost, HostPattern, PortPattern, SchemePattern, usual_port};

/// The entry that used to allow everything.
pub(crate) const ALLOW_ALL: &str = "insecure:allow-all";

/// Bytes of a name without the dot that may end it (RFC 1035, section 2.3.4, in the form that people write).
const LONGEST_NAME: usize = 253;

/// Why a text is no entry of `allowed_outbound_hosts`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// It is the entry that only the deprecated list knows.
    #[error("this form is only known to allowed_http_hosts")]
    AllowAll,
    /// There is no `://`.
    #[error("it has no scheme")]
    NoScheme {
        /// The text as given.
        entry: String,
    },
    /// The scheme has something else than letters.
    #[error("the scheme {scheme:?} must be letters only, or `*`")]
    Scheme {
        /// The scheme as given.
        scheme: String,
    },
    /// A list in braces.
    #[error("lists in braces are not supported")]
    Braces,
    /// There is something behind host and port.
    #[error("it has a path")]
    Path,
    /// There is something in front of the host.
    #[error("it has a user name or password")]
    User,
    /// There is no host.
    #[error("it has no host")]
    NoHost,
    /// A `*` that is neither all of the host nor its first word.
    #[error("in a host, `*` can only be all of it or its first word")]
    Wildcard,
    /// The host is neither a name nor an address.
    #[error("{host:?} is not a host: {reason}")]
    Host {
        /// The host as given.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The network is none.
    #[error("{network:?} is not a network: {reason}")]
    Network {
        /// The network as given.
        network: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no port, and the scheme has no usual one.
    #[error("it has no port, and {scheme:?} has no usual one")]
    NoPort {
        /// The entry up to where the port belongs.
        entry: String,
        /// The scheme.
        scheme: String,
    },
    /// The port is none.
    #[error("{port:?} is not a port")]
    Port {
        /// The port as given.
        port: String,
    },
    /// The range of ports is empty.
    #[error("there is no port in {range:?}, whose end does not count")]
    EmptyRange {
        /// The range as given.
        range: String,
    },
}

impl HostError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "allowed-host::empty",
            Self::AllowAll => "allowed-host::allow-all",
            Self::NoScheme { .. } => "allowed-host::no-scheme",
            Self::Scheme { .. } => "allowed-host::scheme",
            Self::Braces => "allowed-host::braces",
            Self::Path => "allowed-host::path",
            Self::User => "allowed-host::user",
            Self::NoHost => "allowed-host::no-host",
            Self::Wildcard => "allowed-host::wildcard",
            Self::Host { .. } => "allowed-host::host",
            Self::Network { .. } => "allowed-host::network",
            Self::NoPort { .. } => "allowed-host::no-port",
            Self::Port { .. } => "allowed-host::port",
            Self::EmptyRange { .. } => "allowed-host::empty-range",
        }
    }

    /// What to write instead.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Empty => "write for example `https://example.com`, or remove it".to_owned(),
            Self::AllowAll => "write `*://*:*`".to_owned(),
            Self::NoScheme { entry } => match entry.as_str() {
                "*" => "to allow everything, write `*://*:*`".to_owned(),
                "?" | ":" => "write for example `https://example.com`, or `*://*:*` to allow everything".to_owned(),
                host => format!("write for example {}", crate::document::quoted(&format!("https://{host}"))),
            },
            Self::Scheme { .. } => "write for example `https://`, or `*://` for any".to_owned(),
            Self::Braces => "write one entry for each".to_owned(),
            Self::Path => "hosts are allowed as a whole; leave the path out".to_owned(),
            Self::User => "hosts are allowed for every user; leave it out".to_owned(),
            Self::NoHost => "write a host behind `://`, or `*` for any".to_owned(),
            Self::Wildcard => "write for example `*.example.com`".to_owned(),
            Self::Host { .. } => "write a name, an address, or `[…]` around an address of version 6".to_owned(),
            Self::Network { .. } => "write for example `10.0.0.0/8`".to_owned(),
            Self::NoPort { entry, .. } => {
                let shown = crate::document::quoted(&format!("{entry}:*"));
                format!("add the port, or write {shown} for any")
            }
            Self::Port { .. } => "write a number up to 65535, a range such as `8000..8100`, or `*`".to_owned(),
            Self::EmptyRange { .. } => "write the first port, `..`, and the port after the last one".to_owned(),
        }
    }
}

/// Reads an entry.
pub(super) fn entry(entry: &str) -> Result<AllowedHost, HostError> {
    let entry = entry.trim();
    if entry.is_empty() {
        return Err(HostError::Empty);
    }
    if entry == ALLOW_ALL {
        return Err(HostError::AllowAll);
    }
    let (scheme, rest) = entry.split_once("://").ok_or_else(|| HostError::NoScheme { entry: entry.to_owned() })?;
    if entry.contains(['{', '}']) {
        return Err(HostError::Braces);
    }
    let scheme = match scheme {
        "*" => SchemePattern::Any,
        _ if !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphabetic()) => {
            SchemePattern::Named(scheme.to_owned())
        }
        _ => return Err(HostError::Scheme { scheme: scheme.to_owned() }),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = host_and_port(rest)?;
    let port = match port {
        Some(port) => self::port(port)?,
        None => usual(&scheme, rest)?,
    };
    Ok(AllowedHost { scheme, host, port })
}

/// The host, and the text behind its colon.
fn host_and_port(rest: &str) -> Result<(HostPattern, Option<&str>), HostError> {
    if rest.contains('@') {
        return Err(HostError::User);
    }
    if let Some((address, behind)) = rest.split_once('/') {
        return network(rest, address, behind);
    }
    if rest.contains(['?', '#']) {
        return Err(HostError::Path);
    }
    // An address of version 6 has colons of its own, within its brackets.
    let (host, port) = match rest.rfind(']') {
        Some(end) => match &rest[end + 1..] {
            "" => (rest, None),
            behind => (&rest[..=end], Some(behind.strip_prefix(':').ok_or_else(|| no_host(rest, "text behind `]`"))?)),
        },
        None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    Ok((self::host(host)?, port))
}

fn host(host: &str) -> Result<HostPattern, HostError> {
    match host {
        "" => return Err(HostError::NoHost),
        "*" => return Ok(HostPattern::Any),
        "self" | super::OWN_NAME => return Ok(HostPattern::Own),
        _ => {}
    }
    let (name, below) = host.strip_prefix("*.").map_or((host, false), |name| (name, true));
    if name.contains('*') {
        return Err(HostError::Wildcard);
    }
    match literal_host(name).map_err(|reason| no_host(host, &reason))? {
        Host::Domain(name) if below => Ok(HostPattern::Below(name)),
        _ if below => Err(no_host(host, "nothing is below an address")),
        Host::Domain(name) => Ok(HostPattern::Name(name)),
        Host::Ipv4(address) => Ok(HostPattern::Network(Network::of_one(address.into()))),
        Host::Ipv6(address) => Ok(HostPattern::Network(Network::of_one(address.into()))),
    }
}

fn no_host(host: &str, reason: &str) -> HostError {
    HostError::Host { host: host.to_owned(), reason: reason.to_owned() }
}

/// A name or address without any pattern, in the form that URLs have.
pub(super) fn literal_host(name: &str) -> Result<Host, String> {
    match Host::parse(name).map_err(|error| error.to_string())? {
        // A dot at the end only says that the name is complete, which all names are here.
        Host::Domain(name) => match name.strip_suffix('.').unwrap_or(&name) {
            "" => Err("empty host".to_owned()),
            name if name.starts_with('.') || name.contains("..") => Err("a word between dots is empty".to_owned()),
            name if name.len() > LONGEST_NAME => Err(format!("the name has more than {LONGEST_NAME} bytes")),
            name => Ok(Host::Domain(name.to_owned())),
        },
        address => Ok(address),
    }
}

/// `ADDRESS/PREFIX[:PORT]`, with or without brackets around address or network. Whatever else has a slash, has a path.
fn network<'t>(rest: &'t str, address: &str, behind: &'t str) -> Result<(HostPattern, Option<&'t str>), HostError> {
    let (prefix, port) = behind.split_once(':').map_or((behind, None), |(prefix, port)| (prefix, Some(port)));
    let (address, prefix) = match (address.strip_prefix('['), prefix.strip_suffix(']')) {
        (Some(address), Some(prefix)) => (address, prefix),
        (Some(address), None) => (address.strip_suffix(']').unwrap_or(address), prefix),
        (None, _) => (address, prefix),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return Err(HostError::Path);
    };
    let invalid = |reason| HostError::Network { network: rest.to_owned(), reason };
    let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err(if prefix.is_empty() { invalid("the length of the prefix is missing") } else { HostError::Path });
    }
    let prefix = prefix.parse().ok().and_then(|prefix| Network::new(address, prefix));
    let network = prefix.ok_or_else(|| invalid("an address does not have that many bits"))?;
    Ok((HostPattern::Network(network), port))
}

fn port(text: &str) -> Result<PortPattern, HostError> {
    if text == "*" {
        return Ok(PortPattern::Any);
    }
    let number = |number: &str| -> Result<u32, HostError> {
        // The number parser would also take a sign.
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = number.parse::<u16>().ok().filter(|_| is_number);
        parsed.map(u32::from).ok_or_else(|| HostError::Port { port: text.to_owned() })
    };
    let range = match text.split_once("..") {
        Some((first, end)) => number(first)?..number(end)?,
        None => {
            let port = number(text)?;
            port..port + 1
        }
    };
    if range.is_empty() {
        return Err(HostError::EmptyRange { range: text.to_owned() });
    }
    Ok(PortPattern::In(range))
}

fn usual(scheme: &SchemePattern, rest: &str) -> Result<PortPattern, HostError> {
    let name = match scheme {
        SchemePattern::Any => "*",
        SchemePattern::Named(name) => name,
    };
    match usual_port(name) {
        Some(port) => Ok(PortPattern::In(u32::from(port)..u32::from(port) + 1)),
        None => Err(HostError::NoPort { entry: format!("{name}://{rest}"), scheme: name.to_owned() }),
    }
}
