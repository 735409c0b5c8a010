//! What the cells of MQTT can't show: what doesn't fit into the protocol.

use crate::stage::Stage;

#[test]
fn a_text_that_is_too_long_for_the_protocol_is_refused() {
    let stage = Stage::start("mqtt");
    let topic = "t".repeat(65_536);
    let long = format!("{{mqtt}}?client_id={}", "x".repeat(4096));
    for interface in ["fermyon:spin/mqtt@2.0.0", "spin:mqtt/mqtt@3.0.0"] {
        let calls: &[&[&str]] = &[
            &["open", "{mqtt}?client_id=one"],
            &["publish", &topic, "payload", "0"],
            &["publish", &topic[1..], "payload", "1"],
        ];
        let answers = stage.answers(interface, calls);
        assert_eq!(answers, ["ok", "err(other(\"a topic has at most 65535 bytes\"))", "ok"], "{interface}");
        assert_eq!(stage.answers(interface, &[&["open", &long]]), ["err(invalid-address)"], "{interface}");
    }
}
