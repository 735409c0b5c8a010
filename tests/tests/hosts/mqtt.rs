//! What the cells of MQTT can't show: what doesn't fit into the protocol, and brokers that come and go.

use spin_tests::certificates::{Certificates, Key};
use spin_tests::mosquitto::Mosquitto;

use crate::matrix::State;
use crate::stage::Stage;

const INTERFACES: [&str; 2] = ["fermyon:spin/mqtt@2.0.0", "spin:mqtt/mqtt@3.0.0"];

#[test]
fn a_killed_broker_gives_errors_and_is_used_again_when_it_is_back() {
    let mut stage = Stage::start("mqtt");
    let publish = |stage: &Stage, interface, qos| {
        stage.answers(interface, &[&["open", "{mqtt}"], &["publish", "topic", "payload", qos]])
    };
    for interface in INTERFACES {
        assert_eq!(publish(&stage, interface, "1"), ["ok", "ok"], "{interface}");
    }
    let port = stage.kill_mqtt();
    for interface in INTERFACES {
        for qos in ["0", "1", "2"] {
            let down = publish(&stage, interface, qos);
            assert!(down[1].starts_with("err(connection-failed("), "{interface}: {down:?}");
        }
    }
    stage.revive_mqtt(port);
    for interface in INTERFACES {
        assert_eq!(publish(&stage, interface, "2"), ["ok", "ok"], "{interface}");
        let (topic, payload) = ("topic".to_owned(), "payload".to_owned());
        assert_eq!(stage.check(&State::Mqtt { topic, payload }), Ok(()), "{interface}");
    }
}

#[test]
fn a_text_that_is_too_long_for_the_protocol_is_refused() {
    let stage = Stage::start("mqtt");
    let topic = "t".repeat(65_536);
    let long = format!("{{mqtt}}?client_id={}", "x".repeat(4096));
    for interface in INTERFACES {
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

#[test]
fn a_broker_with_tls_proves_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Certificates::new(folder.path().join("ours"));
    let stranger = Certificates::new(folder.path().join("theirs"));
    let issued = authority.issue("mqtt", Key::Pkcs8);
    for (roots, is_trusted) in [(authority.root(), true), (stranger.root(), false)] {
        let port = spin_tests::free_port();
        let broker = Mosquitto::start_with_tls(port, &issued.certificate, &issued.key);
        let stage = Stage::on_mqtt_with_tls(broker, &format!("mqtts://127.0.0.1:{port}"), &roots);
        for interface in INTERFACES {
            let answers = stage.answers(interface, &[&["open", "{mqtts}"], &["publish", "topic", interface, "1"]]);
            match is_trusted {
                true => {
                    assert_eq!(answers, ["ok", "ok"], "{interface}");
                    let (topic, payload) = ("topic".to_owned(), interface.to_owned());
                    assert_eq!(stage.check(&State::Mqtt { topic, payload }), Ok(()), "{interface}");
                }
                false => assert!(answers[1].starts_with("err(connection-failed("), "{interface}: {answers:?}"),
            }
        }
    }
}
