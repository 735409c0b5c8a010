//! The address of a server: reading it and showing it.
//!
//! An address may hold a password, so nothing but the connection itself ever gets at the text as it was written.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

/// The address of a Redis server. Cheap to clone.
///
/// ```
/// use trigger_redis::address::Address;
///
/// let address: Address = "redis://user:secret@localhost/0".parse()?;
/// assert_eq!(address.to_string(), "redis://localhost:6379");
/// # Ok::<(), trigger_redis::address::AddressError>(())
/// ```
#[derive(Clone)]
pub struct Address {
    /// As it was written; two addresses are the same if this is.
    text: Arc<str>,
    info: Arc<ConnectionInfo>,
}

/// Why a text is no address of a server. Never quotes it: there may be a password in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// There is none.
    #[error("no address: set `address` here or in [application.trigger.redis], for example redis://localhost:6379")]
    Missing,
    /// A form that Redis clients know, for connections that prove nothing.
    #[error(
        "#insecure would take any server for the right one, and is not supported; \
         --redis-ca FILE names the authority that has certified the server"
    )]
    Insecure,
    /// Anything else.
    #[error(
        "not the address of a Redis server ({why}): write redis://[user:password@]host[:port], \
         rediss:// for TLS, or redis+unix:///path"
    )]
    Malformed {
        /// What is wrong with it.
        why: String,
    },
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressError::Missing);
        }
        let info = text.into_connection_info().map_err(|error| {
            // The description is the library's own text; its detail may quote the address.
            let description = error.to_string();
            let why = description.split(" - ").next().unwrap_or("malformed").to_owned();
            AddressError::Malformed { why }
        })?;
        match info.addr() {
            ConnectionAddr::TcpTls { insecure: true, .. } => Err(AddressError::Insecure),
            _ => Ok(Self { text: text.into(), info: Arc::new(info) }),
        }
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Address {}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self.info.addr() {
            ConnectionAddr::Tcp(host, port) => ("redis", host, port),
            ConnectionAddr::TcpTls { host, port, .. } => ("rediss", host, port),
            ConnectionAddr::Unix(path) => return write!(f, "redis+unix://{}", path.display()),
            other => return write!(f, "redis://{other}"),
        };
        match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{port}"),
            false => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl Address {
    /// What a connection needs to know.
    pub(crate) fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    /// Whether connections are encrypted.
    pub fn is_tls(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn addresses_are_shown_without_secrets() {
        let table = [
            ("redis://localhost", "redis://localhost:6379"),
            (" redis://:pass@10.0.0.1:7000/3 ", "redis://10.0.0.1:7000"),
            ("redis://me:pass@[::1]:7000", "redis://[::1]:7000"),
            ("valkey://host", "redis://host:6379"),
            ("rediss://me:pass@host", "rediss://host:6379"),
            ("VALKEYS://[::1]:7000", "rediss://[::1]:7000"),
            ("redis+unix:///run/redis.sock?pass=x", "redis+unix:///run/redis.sock"),
            ("unix:///run/redis.sock", "redis+unix:///run/redis.sock"),
        ];
        for (text, shown) in table {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("pass"));
        }
    }

    #[test]
    fn what_is_no_address_is_not_quoted() {
        let table = [
            ("", "no address: set `address`"),
            ("rediss://:secret@host/#insecure", "#insecure would take any server"),
            ("rediss://:secret@host/#other", "fragment"),
            ("secret", "not the address of a Redis server"),
            ("http://secret", "not the address of a Redis server"),
            ("redis://host/secret", "Invalid database number"),
            ("redis://host?protocol=secret", "Invalid protocol version"),
            ("redis://0.0.0.0", "wildcard"),
            ("redis:///0", "not the address of a Redis server"),
        ];
        for (text, expected) in table {
            let message = text.parse::<Address>().unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
            assert!(!message.contains("secret"), "{text}: {message}");
        }
    }

    #[test]
    fn two_users_of_one_server_are_two_addresses() {
        let address = |text: &str| text.parse::<Address>().unwrap();
        assert_eq!(address("redis://host"), address("redis://host"));
        assert_ne!(address("redis://a:b@host"), address("redis://c:d@host"));
    }
}
