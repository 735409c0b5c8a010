//! A component for tests that exports `spin:redis/inbound-redis@3.0.0`.
//!
//! What it does is in `tests/guests/README.md`.

#[path = "../../redis-probe-shared/message.rs"]
mod message;

wit_bindgen::generate!({
    inline: "package probe:redis;
             world probe { export spin:redis/inbound-redis@3.0.0; }",
    path: ["../../../wit/spin-redis-3.0.0"],
    generate_all,
});

use exports::spin::redis::inbound_redis::{Error, Guest, Payload};
use wasip3::clocks::monotonic_clock::wait_for;

struct Probe;
export!(Probe);

impl Guest for Probe {
    async fn handle_message(message: Payload) -> Result<(), Error> {
        match message::milliseconds() {
            0 => {}
            milliseconds => wait_for(milliseconds * 1_000_000).await,
        }
        if message::handle(&message) { Ok(()) } else { Err(Error::Other("as asked".to_owned())) }
    }
}
