//! A large body sent and its echo read at the same time, neither of them ever held as a whole.

use std::io::Result;
use std::net::SocketAddr;

use crate::http::Client;

const PART: usize = 64 << 10;

/// Sends `size` bytes to a path that echoes them, and gives how many came back. They are compared as they come.
///
/// # Errors
///
/// When the connection fails, and for a response that is not the request.
pub fn echo(address: SocketAddr, path: &str, size: u64) -> Result<u64> {
    let mut client = Client::connect(address)?;
    let mut sender = client.try_clone()?;
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n");
    std::thread::scope(|scope| {
        let sending = scope.spawn(move || {
            sender.send(head)?;
            let mut sent = 0;
            let mut part = vec![0; PART];
            while sent < size {
                fill(&mut part, sent);
                let count = usize::try_from(size - sent).unwrap_or(PART).min(PART);
                sender.send(&part[..count])?;
                sent += count as u64;
            }
            Ok(())
        });
        let head = client.read_head("POST")?;
        assert_eq!(head.status, 200, "{head:?}");
        let mut received = 0;
        let mut expected = vec![0; PART];
        while let Some(part) = client.next_part()? {
            for piece in part.chunks(PART) {
                fill(&mut expected[..piece.len()], received);
                assert!(piece == &expected[..piece.len()], "the echo differs within {PART} bytes of byte {received}");
                received += piece.len() as u64;
            }
        }
        sending.join().expect("sending does not panic").map(|()| received)
    })
}

/// What stands at an offset: not the same everywhere, so that lost and doubled parts are noticed.
fn fill(part: &mut [u8], offset: u64) {
    for (index, byte) in part.iter_mut().enumerate() {
        let at = offset + index as u64;
        *byte = (at ^ (at >> 8) ^ (at >> 16)) as u8;
    }
}
