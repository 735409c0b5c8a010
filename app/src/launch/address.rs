//! Where the control channel is: the value of [`SPIN_CONTROL`](super::env::CONTROL).

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The longest path of a Unix socket: the kernel's field has 108 bytes, one of them for the final NUL.
pub const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The address of a control channel.
///
/// ```
/// use spin_app_model::launch::ControlAddress;
///
/// let address: ControlAddress = "unix:/run/user/1000/spin-7/0.sock".parse()?;
/// assert_eq!(address.to_string(), "unix:/run/user/1000/spin-7/0.sock");
/// # Ok::<(), spin_app_model::launch::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlAddress {
    /// `unix:PATH`: a Unix stream socket. The path is absolute and valid UTF-8; made by [`ControlAddress::unix`].
    Unix(PathBuf),
}

/// Why a text is not the address of a control channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// `fd:` and `pipe:` are set aside for later.
    #[error("control address {address:?}: the scheme \"{scheme}:\" is reserved; this version knows only \"unix:PATH\"")]
    Reserved {
        /// The address as given.
        address: String,
        /// The scheme, without the colon.
        scheme: String,
    },
    /// The scheme is none that any version defines, or is missing.
    #[error("control address {address:?} is not of the form \"unix:PATH\"")]
    UnknownScheme {
        /// The address as given.
        address: String,
    },
    /// The path cannot be that of a socket.
    #[error("control socket {path:?}: {reason}")]
    Path {
        /// The path as given.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl AddressError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Reserved { .. } => "control::reserved-address",
            Self::UnknownScheme { .. } => "control::unknown-address",
            Self::Path { .. } => "control::socket-path",
        }
    }
}

impl ControlAddress {
    /// The address of a Unix socket.
    ///
    /// # Errors
    ///
    /// When the path is not absolute, too long for a socket, has a NUL, or is not UTF-8 (an environment variable of
    /// the contract must be readable from every language).
    pub fn unix(path: impl Into<PathBuf>) -> Result<Self, AddressError> {
        let path = path.into();
        let refuse = |reason| Err(AddressError::Path { path: path.to_string_lossy().into_owned(), reason });
        let Some(text) = path.to_str() else {
            return refuse("the path is not valid UTF-8");
        };
        if text.contains('\0') {
            return refuse("the path contains a NUL byte");
        }
        if !path.is_absolute() {
            return refuse("the path must be absolute");
        }
        if text.len() > MAX_SOCKET_PATH_BYTES {
            return refuse("the path is longer than 107 bytes; use a shorter temporary folder");
        }
        Ok(Self::Unix(path))
    }

    /// The path of the socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Unix(path) => path,
        }
    }
}

impl FromStr for ControlAddress {
    type Err = AddressError;

    fn from_str(address: &str) -> Result<Self, AddressError> {
        match address.split_once(':') {
            Some(("unix", path)) => Self::unix(path),
            Some((scheme @ ("fd" | "pipe"), _)) => {
                Err(AddressError::Reserved { address: address.to_owned(), scheme: scheme.to_owned() })
            }
            _ => Err(AddressError::UnknownScheme { address: address.to_owned() }),
        }
    }
}

impl fmt::Display for ControlAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    #[test]
    fn a_socket_path_round_trips() {
        let text = "unix:/tmp/with: colon/0.sock";
        let address: ControlAddress = text.parse().unwrap();
        assert_eq!(address.path(), Path::new("/tmp/with: colon/0.sock"));
        assert_eq!(address.to_string(), text);
    }

    #[test]
    fn reserved_schemes_are_named() {
        let message = "fd:3".parse::<ControlAddress>().unwrap_err().to_string();
        assert_eq!(
            message,
            r#"control address "fd:3": the scheme "fd:" is reserved; this version knows only "unix:PATH""#
        );
        assert!(matches!("pipe:x".parse::<ControlAddress>(), Err(AddressError::Reserved { .. })));
    }

    #[test]
    fn anything_else_is_refused() {
        for address in ["", "unix", "/tmp/x.sock", "tcp:127.0.0.1:1", "UNIX:/x"] {
            let error = address.parse::<ControlAddress>().unwrap_err();
            assert_eq!(error, AddressError::UnknownScheme { address: address.into() });
        }
        for path in ["unix:", "unix:relative", "unix:/nul\0"] {
            assert!(matches!(path.parse::<ControlAddress>(), Err(AddressError::Path { .. })), "{path:?}");
        }
    }

    #[test]
    fn the_longest_path_is_the_kernels() {
        let path = |length: usize| format!("/{}", "x".repeat(length - 1));
        assert!(ControlAddress::unix(path(MAX_SOCKET_PATH_BYTES)).is_ok());
        assert!(ControlAddress::unix(path(MAX_SOCKET_PATH_BYTES + 1)).is_err());
    }
}
