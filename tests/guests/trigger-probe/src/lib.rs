//! A component for tests that exports what several triggers call: `handle-cron-event` of `spin:cron`, `handle-message` of
//! `spin:mqtt-trigger`, and `handle-timer-request`.
//!
//! It prints each call as a line. `SLEEP_MS` in its environment makes a call of cron take that long.

wit_bindgen::generate!({
    inline: "
        package probe:triggers;
        package spin:cron@3.0.0 {
            interface cron-types {
                record metadata { timestamp: u64 }
                variant error { other(string) }
            }
        }
        package spin:mqtt-trigger@3.0.0 {
            interface mqtt-types {
                type payload = list<u8>;
                record metadata { topic: string }
                variant error { other(string) }
            }
        }
        world probe {
            use spin:cron/cron-types@3.0.0.{metadata as cron-metadata, error as cron-error};
            use spin:mqtt-trigger/mqtt-types@3.0.0.{payload, metadata as mqtt-metadata, error as mqtt-error};
            export handle-cron-event: async func(metadata: cron-metadata) -> result<_, cron-error>;
            export handle-message: async func(message: payload, metadata: mqtt-metadata) -> result<_, mqtt-error>;
            export handle-timer-request: func();
        }
    ",
    generate_all,
});

struct Probe;
export!(Probe);

impl Guest for Probe {
    async fn handle_cron_event(metadata: CronMetadata) -> Result<(), CronError> {
        println!("cron {}", metadata.timestamp);
        if let Some(milliseconds) = std::env::var("SLEEP_MS").ok().and_then(|text| text.parse().ok()) {
            std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        }
        println!("done {}", metadata.timestamp);
        Ok(())
    }

    async fn handle_message(message: Payload, metadata: MqttMetadata) -> Result<(), MqttError> {
        println!("{}: {}", metadata.topic, String::from_utf8_lossy(&message));
        match message.as_slice() {
            b"fail" => Err(MqttError::Other("as asked".to_owned())),
            b"trap" => core::arch::wasm32::unreachable(),
            _ => Ok(()),
        }
    }

    fn handle_timer_request() {
        println!("tick");
    }
}
