//! Computing SHA-256 digests of bytes and of open files.

use std::io::{self, Read};

use sha2::{Digest, Sha256 as Hasher};
use spin_catalogue::Sha256;

/// A digest that is computed piece by piece.
#[derive(Default)]
pub(crate) struct Hashing(Hasher);

impl Hashing {
    /// Adds `bytes`.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything that was added.
    pub(crate) fn finish(self) -> Sha256 {
        Sha256::from_bytes(self.0.finalize().into())
    }
}

/// The digest of `bytes`.
pub(crate) fn of(bytes: &[u8]) -> Sha256 {
    let mut hashing = Hashing::default();
    hashing.update(bytes);
    hashing.finish()
}

/// The digest of everything that is left to read, and how many bytes that was.
pub(crate) fn of_reader(mut reader: impl Read) -> io::Result<(Sha256, u64)> {
    let mut hashing = Hashing::default();
    let mut buffer = vec![0; 256 << 10];
    let mut total = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok((hashing.finish(), total)),
            Ok(count) => {
                hashing.update(&buffer[..count]);
                total += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
