//! A component for tests that exports `fermyon:spin/inbound-redis` (no version).
//!
//! What it does is in `tests/guests/README.md`.

#[path = "../../redis-probe-shared/message.rs"]
mod message;

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
        match message::milliseconds() {
            0 => {}
            milliseconds => std::thread::sleep(std::time::Duration::from_millis(milliseconds)),
        }
        if message::handle(&message) { Ok(()) } else { Err(Error::Error) }
    }
}
