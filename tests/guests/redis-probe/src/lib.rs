//! A component for tests that exports `fermyon:spin/inbound-redis` (no version).
//!
//! It prints the payload as a line; the payload `fail` is answered with the error, `trap` traps.

wit_bindgen::generate!({
    inline: "package probe:redis;
             world probe { export fermyon:spin/inbound-redis; }",
    path: ["../../../wit/fermyon-spin"],
    generate_all,
});

use exports::fermyon::spin::inbound_redis::{Error, Guest, Payload};

struct Probe;
export!(Probe);

impl Guest for Probe {
    fn handle_message(message: Payload) -> Result<(), Error> {
        println!("{}", String::from_utf8_lossy(&message));
        match message.as_slice() {
            b"fail" => Err(Error::Error),
            b"trap" => core::arch::wasm32::unreachable(),
            _ => Ok(()),
        }
    }
}
