//! What the probes for Redis do with a message, apart from waiting.

use std::sync::atomic::{AtomicU32, Ordering};

/// How many messages this instance has had.
static MESSAGES: AtomicU32 = AtomicU32::new(0);

/// The milliseconds that a message takes.
pub fn milliseconds() -> u64 {
    std::env::var("SLEEP_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Whether the message is handled. Prints a line.
pub fn handle(message: &[u8]) -> bool {
    let count = MESSAGES.fetch_add(1, Ordering::Relaxed) + 1;
    if std::env::var_os("QUIET").is_none() {
        match message {
            b"count" => println!("message {count} of this instance"),
            _ => println!("{}", String::from_utf8_lossy(message)),
        }
    }
    match message {
        b"trap" => core::arch::wasm32::unreachable(),
        _ => !message.starts_with(b"fail"),
    }
}
