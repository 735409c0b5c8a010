//! Which version of HTTP a client speaks, where that can be known before its bytes are read.
//!
//! The server beneath finds it out by itself, but gives its first buffer the room for two because of that, for as long as the
//! connection lasts.

use std::io;

use http::Version;
use spin_trigger_kit::tokio::net::TcpStream;

/// What a client says first that speaks HTTP/2 (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Waits for the first bytes, which can be read afterwards as if nobody had looked. None if they don't tell.
///
/// # Errors
/// When there is no connection any more.
pub async fn peeked(stream: &TcpStream) -> io::Result<Option<Version>> {
    let mut first = [0; PREFACE.len()];
    let length = stream.peek(&mut first).await?;
    Ok(told_by(&first[..length]))
}

fn told_by(first: &[u8]) -> Option<Version> {
    match PREFACE.strip_prefix(first) {
        Some([]) => Some(Version::HTTP_2),
        Some(_) => None,
        None => Some(Version::HTTP_11),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_version_unless_more_of_them_would() {
        for length in 0..PREFACE.len() {
            assert_eq!(told_by(&PREFACE[..length]), None, "{length}");
        }
        assert_eq!(told_by(PREFACE), Some(Version::HTTP_2));
        for first in ["G", "GET / HTTP/1.1\r\nhost: a\r\n", "PR\n", "PUT /", "PRI * HTTP/1.1\r\n\r\nSM\r\n\r", "\r\n"] {
            assert_eq!(told_by(first.as_bytes()), Some(Version::HTTP_11), "{first:?}");
        }
    }
}
