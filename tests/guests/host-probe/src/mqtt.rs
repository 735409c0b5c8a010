//! `mqtt` in its two generations. `publish` is about the connection that was opened last.

use crate::shown::{result, unknown};

mod bindings {
    wit_bindgen::generate!({
        inline: "package probe:mqtt;
                 world imports {
                     import fermyon:spin/mqtt@2.0.0;
                     import spin:mqtt/mqtt@3.0.0;
                 }",
        path: ["../../../wit/fermyon-spin-2.0.0", "../../../wit/spin-mqtt-3.0.0"],
        generate_all,
    });
}

/// Seconds.
const KEEP_ALIVE: u64 = 30;

macro_rules! qos {
    ($word:expr, $kind:ident) => {
        match *$word {
            "0" => $kind::AtMostOnce,
            "1" => $kind::AtLeastOnce,
            _ => $kind::ExactlyOnce,
        }
    };
}

pub fn generation2(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::fermyon::spin::mqtt::{Connection, Qos};
    let mut connection: Option<Connection> = None;
    let mut call = |call: &[&str]| match (call, &connection) {
        (["open", address], _) => {
            result(Connection::open(address, "", "", KEEP_ALIVE).map(|opened| connection = Some(opened)))
        }
        (["publish", topic, payload, qos], Some(mqtt)) => {
            result(mqtt.publish(topic, payload.as_bytes(), qos!(qos, Qos)))
        }
        (other, _) => unknown(other),
    };
    calls.iter().map(|words| call(words)).collect()
}

pub async fn generation3(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::spin::mqtt::mqtt::{Connection, Qos};
    let mut connection: Option<Connection> = None;
    let mut answers = Vec::new();
    for words in calls {
        answers.push(match (words.as_slice(), &connection) {
            (["open", address], _) => {
                let opened = Connection::open(address.to_string(), String::new(), String::new(), KEEP_ALIVE).await;
                result(opened.map(|opened| connection = Some(opened)))
            }
            (["publish", topic, payload, qos], Some(mqtt)) => {
                result(mqtt.publish(topic.to_string(), payload.as_bytes().to_vec(), qos!(qos, Qos)).await)
            }
            (other, _) => unknown(other),
        });
    }
    answers
}
