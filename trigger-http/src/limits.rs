//! How much of the server one client may take: connections, time and memory.
//!
//! Flags give some of them; the others are constants here, for which nobody has needed a flag.

use std::time::Duration;

/// The limits of one server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; more wait in the kernel's queue.
    pub connections: usize,
    /// Bytes of an HTTP/1 connection's buffer, which the head of a request must fit into.
    pub http1_buffer: usize,
    /// The time for a TLS handshake.
    pub handshake: Duration,
    /// The time to the head of a request, and between two requests.
    pub idle: Duration,
    /// The longest silence within a body: of the client that sends one, of the component that sends one, and of a client
    /// that doesn't read.
    pub body: Duration,
    /// The time for a request that is already on its way when a connection is told to end.
    pub last_word: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            http1_buffer: 128 * 1024,
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            body: Duration::from_secs(60),
            last_word: Duration::from_secs(1),
        }
    }
}

/// The least that [`Limits::http1_buffer`] may be.
pub const LEAST_HTTP1_BUFFER: usize = 8192;

/// Headers of one request. HTTP/1 has this limit from the library beneath, before anything is allocated for them.
pub const HEADERS: usize = 100;

/// Bytes of all headers of an HTTP/2 request: names, values and 32 for each (RFC 9113, 6.5.2). The number of CONTINUATION
/// frames follows from it.
pub const HTTP2_HEADER_LIST: u32 = 64 * 1024;

/// Requests at once on an HTTP/2 connection.
pub const HTTP2_STREAMS: u32 = 128;

/// Streams that an HTTP/2 client has reset before the server saw them. A client that resets more floods us
/// (RUSTSEC-2024-0003) and gets GOAWAY with ENHANCE_YOUR_CALM.
pub const HTTP2_PENDING_RESETS: usize = 20;

/// Streams of an HTTP/2 connection that the server had to reset because of the client's errors; after that, GOAWAY.
pub const HTTP2_ERRORS: usize = 256;

/// How often an HTTP/2 client is asked whether it is still there, and how long it has for the answer.
pub const HTTP2_PING: Duration = Duration::from_secs(20);
