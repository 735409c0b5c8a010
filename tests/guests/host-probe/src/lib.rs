//! A component for tests that calls what the host offers, as the body of a request says: its first line is the name of an
//! interface, each further one a call, with tabs between the name of the function and its arguments. The answer has a line
//! for each call, with its result; see `tests/guests/README.md`. An empty line ends what is done with one interface, and the
//! next line names another one.
//!
//! An interface is one file, with an entry in `session`, here or, if components of 0.2 have it too, in `second`.

mod counted;
mod http;
mod key_value;
mod keyvalue;
mod llm;
mod mqtt;
mod mysql;
mod postgres;
mod postgres4_2;
mod rdbms;
mod redis;
mod second;
mod shown;
mod sockets;
mod sqlite;
mod sqlite3_1;

use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};

struct Probe;
wasip3::http::service::export!(Probe);

impl Guest for Probe {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let (_received, outcome) = wit_future::new(|| Ok(()));
        let (body, _trailers) = Request::consume_body(request, outcome);
        let script = String::from_utf8_lossy(&body.collect().await).into_owned();
        let (status, text) = match sessions(&script).await {
            Ok(answers) => (200, answers.join("\n")),
            Err(interface) => (404, format!("the probe has no interface {interface}")),
        };
        let (mut writer, reader) = wit_stream::new();
        let (_no_trailers, trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(Fields::new(), Some(reader), trailers);
        response.set_status_code(status).expect("a status");
        wasip3::wit_bindgen::spawn(async move { drop(writer.write_all(text.into_bytes()).await) });
        Ok(response)
    }
}

/// What all calls of a script answer, or the interface that there isn't.
async fn sessions(script: &str) -> Result<Vec<String>, &str> {
    let mut answers = Vec::new();
    for part in script.split("\n\n") {
        let mut lines = part.lines();
        let interface = lines.next().unwrap_or_default();
        let calls: Vec<Vec<&str>> = lines.map(|line| line.split('\t').collect()).collect();
        answers.extend(session(interface, &calls).await.ok_or(interface)?);
    }
    Ok(answers)
}

/// Makes the calls one after another on what they open, and gives their results.
async fn session(interface: &str, calls: &[Vec<&str>]) -> Option<Vec<String>> {
    if let Some(answers) = second::session(interface, calls) {
        return Some(answers);
    }
    Some(match interface {
        "spin:key-value/key-value@3.0.0" => key_value::generation3(calls).await,
        "spin:mqtt/mqtt@3.0.0" => mqtt::generation3(calls).await,
        "spin:mysql/mysql@3.0.0" => mysql::generation3(calls).await,
        "spin:postgres/postgres@4.2.0" => postgres4_2::session(calls).await,
        "spin:redis/redis@3.0.0" => redis::generation3(calls).await,
        "spin:sqlite/sqlite@3.1.0" => sqlite3_1::session(calls).await,
        "wasi:http@0.3" => http::generation3(calls).await,
        "wasi:sockets@0.3" => sockets::generation3(calls).await,
        _ => return None,
    })
}
