//! The address of a server: reading it, showing it, connecting to it.
//!
//! An address may hold a password, so nothing here but the connection itself ever gets at the text as it was written.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use redis::aio::PubSub;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisResult};
use spin_trigger_kit::tokio::net::{TcpStream, UnixStream};

use crate::backpressure::{Gate, Gated};

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
    /// A form that Redis clients know and this trigger doesn't.
    #[error(
        "{scheme}:// (TLS) is not supported by this version of trigger-redis; \
         use redis:// on a trusted network or through a TLS tunnel"
    )]
    Tls {
        /// The scheme.
        scheme: &'static str,
    },
    /// Anything else.
    #[error(
        "not the address of a Redis server ({why}): write redis://[user:password@]host[:port] or redis+unix:///path"
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
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        for tls in ["rediss", "valkeys"] {
            if scheme.as_deref() == Some(tls) {
                return Err(AddressError::Tls { scheme: tls });
            }
        }
        let info = text.into_connection_info().map_err(|error| {
            // The description is the library's own text; its detail may quote the address.
            let description = error.to_string();
            let why = description.split(" - ").next().unwrap_or("malformed").to_owned();
            AddressError::Malformed { why }
        })?;
        Ok(Self { text: text.into(), info: Arc::new(info) })
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
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) if host.contains(':') => write!(f, "redis://[{host}]:{port}"),
            ConnectionAddr::Unix(path) => write!(f, "redis+unix://{}", path.display()),
            other => write!(f, "redis://{other}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl Address {
    /// A connection that reads only while `gate` is open.
    ///
    /// # Errors
    /// When the server can't be reached, or doesn't let this client in.
    pub async fn connect(&self, gate: Gate) -> RedisResult<PubSub> {
        let settings = self.info.redis_settings();
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                PubSub::new(settings, Gated::new(stream, gate)).await
            }
            ConnectionAddr::Unix(path) => {
                let stream = UnixStream::connect(path).await?;
                PubSub::new(settings, Gated::new(stream, gate)).await
            }
            _ => Err(io::Error::new(io::ErrorKind::Unsupported, "TLS is not supported").into()),
        }
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
            ("rediss://:secret@host", "rediss:// (TLS) is not supported"),
            ("VALKEYS://host", "valkeys:// (TLS) is not supported"),
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
