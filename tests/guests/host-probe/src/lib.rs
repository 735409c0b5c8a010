//! A component for tests that calls what the host offers, as the body of a request says: its first line is the name of an
//! interface, each further one a call, with tabs between the name of the function and its arguments. The answer has a line
//! for each call, with its result; see `tests/guests/README.md`. An empty line ends what is done with one interface, and the
//! next line names another one.
//!
//! An interface is one file, with an entry in `session`.

mod key_value;
mod keyvalue;
mod llm;
mod mqtt;
mod mysql;
mod postgres;
mod rdbms;
mod redis;
mod shown;
mod sockets;
mod sqlite;

use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};
use wit_bindgen::{StreamReader, StreamResult};

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

/// How many items a stream has, without keeping any.
async fn count<T>(mut items: StreamReader<T>) -> usize {
    let mut count = 0;
    loop {
        let (outcome, read) = items.read(Vec::with_capacity(1024)).await;
        count += read.len();
        if !matches!(outcome, StreamResult::Complete(_)) {
            return count;
        }
    }
}

/// Makes the calls one after another on what they open, and gives their results.
async fn session(interface: &str, calls: &[Vec<&str>]) -> Option<Vec<String>> {
    Some(match interface {
        "fermyon:spin/key-value" => key_value::generation1(calls),
        "fermyon:spin/key-value@2.0.0" => key_value::generation2(calls),
        "spin:key-value/key-value@3.0.0" => key_value::generation3(calls).await,
        "wasi:keyvalue@0.2.0-draft2" => keyvalue::session(calls),
        "fermyon:spin/llm" => llm::generation1(calls),
        "fermyon:spin/llm@2.0.0" => llm::generation2(calls),
        "fermyon:spin/mqtt@2.0.0" => mqtt::generation2(calls),
        "spin:mqtt/mqtt@3.0.0" => mqtt::generation3(calls).await,
        "fermyon:spin/mysql" => mysql::generation1(calls),
        "fermyon:spin/mysql@2.0.0" => mysql::generation2(calls),
        "spin:mysql/mysql@3.0.0" => mysql::generation3(calls).await,
        "fermyon:spin/redis" => redis::generation1(calls),
        "fermyon:spin/redis@2.0.0" => redis::generation2(calls),
        "spin:redis/redis@3.0.0" => redis::generation3(calls).await,
        "fermyon:spin/postgres" => postgres::generation1(calls),
        "fermyon:spin/postgres@2.0.0" => postgres::generation2(calls),
        "spin:postgres/postgres@3.0.0" => postgres::generation3(calls),
        "spin:postgres/postgres@4.2.0" => postgres::generation4(calls).await,
        "wasi:sockets@0.2" => sockets::generation2(calls),
        "wasi:sockets@0.3" => sockets::generation3(calls).await,
        "fermyon:spin/sqlite" => sqlite::generation1(calls),
        "fermyon:spin/sqlite@2.0.0" => sqlite::generation2(calls),
        "spin:sqlite/sqlite@3.1.0" => sqlite::generation3(calls).await,
        _ => return None,
    })
}
