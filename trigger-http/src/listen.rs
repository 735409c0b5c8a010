//! Where to listen: names and ports, and looking for a port that is free.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// How many ports `--find-free-port` tries.
const TRIES: u16 = 10;

/// `host:port`, not looked up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress(String);

/// Why the trigger cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// No port, or not a number.
    #[error("`{0}` is not an address to listen on; write host:port, for example 127.0.0.1:3000")]
    Form(String),
    /// The name cannot be looked up.
    #[error("cannot find the address of `{name}`: {error}")]
    Lookup {
        /// The name.
        name: String,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The name has no address.
    #[error("`{0}` has no address")]
    NoAddress(String),
    /// Somebody else has the port.
    #[error("{0} is already in use. To have Spin search for a free port, use the --find-free-port option.")]
    InUse(SocketAddr),
    /// Nor is any of the next ports free.
    #[error("couldn't find a free port in the range {first}-{last}. Consider retrying with a different base port.")]
    NoneFree {
        /// The first port tried.
        first: u16,
        /// The last port tried.
        last: u16,
    },
    /// The ports came to their end before one was free.
    #[error("couldn't find a free port from {first} on: the last port was reached. Retry with a lower base port.")]
    Exhausted {
        /// The first port tried.
        first: u16,
    },
    /// Another error.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        error: io::Error,
    },
}

impl ListenError {
    /// What the kernel said about an address.
    pub fn of_address(address: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(address),
            _ => Self::Bind { address, error },
        }
    }
}

impl FromStr for ListenAddress {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        let valid = text
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok() && !port.starts_with('+'));
        match valid {
            true => Ok(ListenAddress(text.to_owned())),
            false => Err(ListenError::Form(text.to_owned())),
        }
    }
}

impl std::fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl ListenAddress {
    /// Looks the name up; this may wait for the network. Of several addresses 127.0.0.1 is taken, else the first.
    pub fn resolve(&self) -> Result<SocketAddr, ListenError> {
        let addresses =
            self.0.to_socket_addrs().map_err(|error| ListenError::Lookup { name: self.0.clone(), error })?;
        preferred(addresses).ok_or_else(|| ListenError::NoAddress(self.0.clone()))
    }
}

/// `localhost` is often both; most clients try the older family only or first.
fn preferred(addresses: impl IntoIterator<Item = SocketAddr>) -> Option<SocketAddr> {
    let mut first = None;
    for address in addresses {
        if address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
            return Some(address);
        }
        first = first.or(Some(address));
    }
    first
}

/// What to do when the port is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenInUse {
    /// Fail.
    Fail,
    /// Try the next ones.
    TryNext,
}

/// Binds to each of `addresses` with `bind`, or to one of its next ports. No two get the same.
///
/// # Errors
/// When one of them can't be had.
pub fn bind_all<T>(
    addresses: &[SocketAddr],
    when_in_use: WhenInUse,
    mut bind: impl FnMut(SocketAddr) -> io::Result<T>,
) -> Result<Vec<T>, ListenError> {
    let mut taken: Vec<SocketAddr> = Vec::new();
    let mut bind = |address: SocketAddr| {
        // The kernel would find this out only when both listen.
        if taken.iter().any(|other| overlap(*other, address)) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let bound = bind(address)?;
        taken.push(address);
        Ok(bound)
    };
    addresses.iter().map(|address| bind_one(*address, when_in_use, &mut bind)).collect()
}

fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let same_host = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    same_host && a.port() == b.port() && a.port() != 0
}

/// Binds to `address` with `bind`, or to one of the next ports.
fn bind_one<T>(
    address: SocketAddr,
    when_in_use: WhenInUse,
    mut bind: impl FnMut(SocketAddr) -> io::Result<T>,
) -> Result<T, ListenError> {
    let first = address.port();
    let tries = match when_in_use {
        WhenInUse::Fail => 1,
        WhenInUse::TryNext => TRIES,
    };
    let mut last = first;
    for offset in 0..tries {
        let Some(port) = first.checked_add(offset) else {
            return Err(ListenError::Exhausted { first });
        };
        last = port;
        let address = SocketAddr::new(address.ip(), port);
        match bind(address) {
            Ok(bound) => return Ok(bound),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(ListenError::Bind { address, error }),
        }
    }
    Err(match when_in_use {
        WhenInUse::Fail => ListenError::InUse(address),
        WhenInUse::TryNext => ListenError::NoneFree { first, last },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn in_use_below(free: u16) -> impl FnMut(SocketAddr) -> io::Result<u16> {
        move |address| match address.port() >= free {
            true => Ok(address.port()),
            false => Err(io::ErrorKind::AddrInUse.into()),
        }
    }

    #[test]
    fn addresses() {
        for text in ["127.0.0.1:3000", "localhost:0", "[::1]:3000", "0.0.0.0:65535"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        for text in ["", "3000", ":3000", "localhost", "localhost:", "localhost:http", "localhost:65536", "a:+1"] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
        let resolved = "127.0.0.1:3000".parse::<ListenAddress>().unwrap().resolve().unwrap();
        assert_eq!(resolved, address("127.0.0.1:3000"));
    }

    #[test]
    fn the_older_loopback_is_preferred() {
        let all = ["[::1]:1", "127.0.0.1:1", "10.0.0.1:1"].map(address);
        assert_eq!(preferred(all), Some(address("127.0.0.1:1")));
        assert_eq!(preferred(["[::1]:1", "10.0.0.1:1"].map(address)), Some(address("[::1]:1")));
        assert_eq!(preferred([]), None);
    }

    #[test]
    fn a_taken_port_is_an_error_that_names_the_option() {
        let error = bind_one(address("127.0.0.1:3000"), WhenInUse::Fail, in_use_below(3001)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "127.0.0.1:3000 is already in use. To have Spin search for a free port, use the --find-free-port option."
        );
    }

    #[test]
    fn ten_ports_are_tried() {
        let find = |free| bind_one(address("127.0.0.1:3000"), WhenInUse::TryNext, in_use_below(free));
        assert_eq!(find(3000).unwrap(), 3000);
        assert_eq!(find(3009).unwrap(), 3009);
        let message = find(3010).unwrap_err().to_string();
        assert!(message.contains("in the range 3000-3009"), "{message}");
        let end =
            bind_one(address("127.0.0.1:65534"), WhenInUse::TryNext, |_| Err::<(), _>(io::ErrorKind::AddrInUse.into()));
        assert!(matches!(end, Err(ListenError::Exhausted { first: 65534 })));
    }

    #[test]
    fn no_address_is_taken_twice() {
        let bind = |texts: &[&str], when| {
            let addresses: Vec<_> = texts.iter().map(|text| address(text)).collect();
            bind_all(&addresses, when, |address| Ok(address.to_string()))
        };
        let two = bind(&["127.0.0.1:3000", "127.0.0.1:3000"], WhenInUse::TryNext).unwrap();
        assert_eq!(two, ["127.0.0.1:3000", "127.0.0.1:3001"]);
        assert!(matches!(bind(&["127.0.0.1:1", "127.0.0.1:1"], WhenInUse::Fail), Err(ListenError::InUse(_))));
        assert!(matches!(bind(&["127.0.0.1:1", "0.0.0.0:1"], WhenInUse::Fail), Err(ListenError::InUse(_))));
        for different in [["127.0.0.1:0", "127.0.0.1:0"], ["127.0.0.1:1", "127.0.0.2:1"], ["127.0.0.1:1", "[::1]:1"]] {
            assert_eq!(bind(&different, WhenInUse::Fail).unwrap(), different);
        }
    }

    #[test]
    fn other_errors_end_the_search() {
        let refused = bind_one(address("10.0.0.1:80"), WhenInUse::TryNext, |_| {
            Err::<(), _>(io::ErrorKind::PermissionDenied.into())
        });
        assert!(matches!(refused, Err(ListenError::Bind { .. })));
    }
}
