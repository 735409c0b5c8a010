//! `host-probe` as a component of 0.2: the same calls, of the interfaces that need no tasks. What stands in those files for
//! others is not used, and so not imported.

#![allow(dead_code, reason = "the other probe uses it")]

#[path = "../../host-probe/src/counted.rs"]
mod counted;
#[path = "../../host-probe/src/http.rs"]
mod http;
#[path = "../../host-probe/src/key_value.rs"]
mod key_value;
#[path = "../../host-probe/src/keyvalue.rs"]
mod keyvalue;
#[path = "../../host-probe/src/llm.rs"]
mod llm;
#[path = "../../host-probe/src/mqtt.rs"]
mod mqtt;
#[path = "../../host-probe/src/mysql.rs"]
mod mysql;
#[path = "../../host-probe/src/postgres.rs"]
mod postgres;
mod postgres4_0;
#[path = "../../host-probe/src/rdbms.rs"]
mod rdbms;
#[path = "../../host-probe/src/redis.rs"]
mod redis;
#[path = "../../host-probe/src/second.rs"]
mod second;
#[path = "../../host-probe/src/shown.rs"]
mod shown;
#[path = "../../host-probe/src/sockets.rs"]
mod sockets;
#[path = "../../host-probe/src/sqlite.rs"]
mod sqlite;
mod sqlite3_0;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::StreamError;

struct Probe;
wasip2::http::proxy::export!(Probe);

impl Guest for Probe {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let script = String::from_utf8_lossy(&read(&request)).into_owned();
        let mut answers = Vec::new();
        let mut unknown = None;
        for part in script.split("\n\n") {
            let mut lines = part.lines();
            let interface = lines.next().unwrap_or_default();
            let calls: Vec<Vec<&str>> = lines.map(|line| line.split('\t').collect()).collect();
            match session(interface, &calls) {
                Some(found) => answers.extend(found),
                None => unknown = Some(interface),
            }
        }
        let (status, text) = match unknown {
            None => (200, answers.join("\n")),
            Some(interface) => (404, format!("the probe has no interface {interface}")),
        };
        let response = OutgoingResponse::new(Fields::new());
        response.set_status_code(status).expect("a status");
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(outparam, Ok(response));
        let stream = body.write().expect("the stream is taken once");
        // The interface allows no more than 4096 bytes in such a call.
        text.as_bytes().chunks(4096).try_for_each(|part| stream.blocking_write_and_flush(part)).expect("somebody reads it");
        drop(stream);
        OutgoingBody::finish(body, None).expect("no length was told");
    }
}

/// Makes the calls one after another on what they open, and gives their results.
fn session(interface: &str, calls: &[Vec<&str>]) -> Option<Vec<String>> {
    Some(match interface {
        "spin:postgres/postgres@4.0.0" => postgres4_0::session(calls),
        "spin:sqlite/sqlite@3.0.0" => sqlite3_0::session(calls),
        _ => return second::session(interface, calls),
    })
}

fn read(request: &IncomingRequest) -> Vec<u8> {
    let incoming = request.consume().expect("the body is taken once");
    let stream = incoming.stream().expect("the stream is taken once");
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(65_536) {
            Ok(part) => body.extend(part),
            Err(StreamError::Closed) => return body,
            Err(error) => panic!("{error:?}"),
        }
    }
}
